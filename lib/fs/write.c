// SPDX-License-Identifier: BSD-3-Clause
/*
 * Writing. Over blocks that hold data, inside the file, bytes are stored in
 * place under the shared lock. All else is one transaction under the exclusive
 * one: blocks are filled, and flushed, before the record that maps them commits,
 * so nobody ever sees a byte in them that was not written to this file (S4).
 *
 * A write waits for no pin (the table in the layout protocol): it only adds
 * blocks or stores to those that are there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "fs/fs_i.h"
#include "inode/change.h"
#include "inode/extent.h"
#include "pool/persist.h"

#define MAX_SIZE ((uint64_t)INT64_MAX)

struct writing {
	struct fs *fs;
	struct inode *ip;
	const uint8_t *buf;
	uint64_t off;
	uint64_t end;
	bool *dropped; /* set when set-id bits or a capability have gone */
};

static void store_data(const struct writing *w, uint64_t pblk, uint64_t at,
		       uint64_t to)
{
	uint8_t *block = volume_block(w->ip->vol, pblk);

	persist_copy_flush(w->ip->vol->pool, block + at % PINFS_BLOCK_SIZE,
			   w->buf + (at - w->off), to - at);
}

/* is_same_moment - does a write now change the times it left last? */
static bool is_same_moment(struct inode *ip)
{
	const struct pinfs_inode *di = inode_read(ip, NULL);
	struct timespec now = inode_now();

	return (int64_t)le64_to_cpu(di->mtime) == now.tv_sec &&
	       le32_to_cpu(di->mtime_ns) == (uint32_t)now.tv_nsec &&
	       di->ctime.raw == di->mtime.raw &&
	       di->ctime_ns.raw == di->mtime_ns.raw;
}

/* store_all - in place; 1: done; 0: there is a block that holds no data */
static int store_all(const struct writing *w)
{
	uint64_t at = w->off;

	while (at < w->end) {
		struct extent e;
		uint64_t to;
		int err = extent_find(w->ip, NULL, at >> PINFS_BLOCK_SHIFT, &e);

		if (err)
			return err;
		if (!extent_is_data(&e))
			return 0;
		if (!volume_has(w->ip->vol, e.pblk, e.len))
			return -EUCLEAN;
		to = min_u64((e.lblk + e.len) << PINFS_BLOCK_SHIFT, w->end);
		store_data(w, e.pblk, at, to);
		at = to;
	}
	persist_fence(w->ip->vol->pool);
	return 1;
}

/*
 * overwrite - in place, if that is all there is to do; ip is locked shared
 *
 * 1: done; 0: it takes a transaction. What has been stored by then is stored
 * again.
 */
static int overwrite(const struct writing *w)
{
	if (w->end > inode_size(w->ip, NULL) || !is_same_moment(w->ip) ||
	    fs_has_privs(w->ip))
		return 0;
	return store_all(w);
}

/* goal_for - a block behind what holds the file's block before lblk */
static uint64_t goal_for(struct inode *ip, struct tx *tx, uint64_t lblk)
{
	struct extent e;

	if (lblk == 0 || extent_find(ip, tx, lblk - 1, &e) || e.pblk == 0)
		return 0;
	return e.pblk + 1;
}

/* covers - does the write reach every byte of e's blocks? */
static bool covers(const struct writing *w, const struct extent *e)
{
	return w->off <= e->lblk << PINFS_BLOCK_SHIFT &&
	       w->end >= (e->lblk + e->len) << PINFS_BLOCK_SHIFT;
}

/*
 * fill_edges - bytes of the first and last block of [lblk, lblk + len) that the
 *              write does not reach become zero
 */
static void fill_edges(const struct writing *w, const struct extent *e)
{
	uint64_t first = e->lblk << PINFS_BLOCK_SHIFT;
	uint64_t last = (e->lblk + e->len) << PINFS_BLOCK_SHIFT;
	uint8_t *mem = volume_block(w->ip->vol, e->pblk);
	struct pool *pool = w->ip->vol->pool;

	if (w->off > first)
		persist_set_flush(pool, mem, 0, w->off - first);
	if (w->end < last)
		persist_set_flush(pool, mem + (w->end - first), 0,
				  last - w->end);
}

static int fill_hole(const struct writing *w, struct tx *tx, struct extent *e)
{
	uint64_t goal = goal_for(w->ip, tx, e->lblk);
	unsigned int flags = goal == 0 && e->len >= 32 ? SPACE_ALIGN : 0;
	struct space_run run;
	int err = space_alloc(w->ip->vol->space, tx, goal, e->len, flags, &run);

	if (err)
		return err;
	e->pblk = run.first;
	e->len = run.count;
	e->unwritten = false;
	fill_edges(w, e);
	return extent_add(w->ip, tx, e);
}

static int fill_unwritten(const struct writing *w, struct tx *tx,
			  struct extent *e)
{
	unsigned int budget = 4;
	uint64_t lblk = e->lblk;

	if (!volume_has(w->ip->vol, e->pblk, e->len))
		return -EUCLEAN;
	if (!covers(w, e) && !inode_is_unwritten_sealed(w->ip))
		return FS_UNSEALED;
	fill_edges(w, e);
	return extent_mark(w->ip, tx, &lblk, e->lblk + e->len, false, &budget);
}

/* write_piece - what one extent or hole takes from *at on */
static int write_piece(const struct writing *w, struct tx *tx, uint64_t *at)
{
	uint64_t last = div_round_up(w->end, PINFS_BLOCK_SIZE), to;
	struct extent e;
	int err = extent_find(w->ip, tx, *at >> PINFS_BLOCK_SHIFT, &e);

	if (err)
		return err;
	e.len = min_u64(e.len, last - e.lblk);
	if (e.pblk == 0)
		err = fill_hole(w, tx, &e);
	else if (e.unwritten)
		err = fill_unwritten(w, tx, &e);
	else if (!volume_has(w->ip->vol, e.pblk, e.len))
		err = -EUCLEAN;
	if (err)
		return err;
	to = min_u64((e.lblk + e.len) << PINFS_BLOCK_SHIFT, w->end);
	if (!OMITTED("S-size"))
		store_data(w, e.pblk, *at, to);
	*at = to;
	return 0;
}

static int write_all(const struct writing *w, struct tx *tx)
{
	struct pinfs_inode *di;
	uint64_t at = w->off;
	int err = fs_zero_behind(w->fs, w->ip, 0, w->off, 0);

	while (!err && at < w->end)
		err = write_piece(w, tx, &at);
	if (!err)
		err = inode_touch(w->ip, tx, INODE_MTIME | INODE_CTIME);
	*w->dropped = !err && fs_has_privs(w->ip);
	if (*w->dropped)
		err = fs_drop_privs(w->ip, tx);
	di = err ? NULL : inode_edit(w->ip, tx);
	if (!di)
		return err ? err : -ENOMEM;
	if (w->end > le64_to_cpu(di->size))
		di->size = cpu_to_le64(w->end);
	return 0;
}

static int write_tx(const struct writing *w)
{
	struct op op;
	int err;

	pthread_rwlock_wrlock(&w->ip->lock);
	err = op_begin(&op, w->fs);
	if (!err && w->ip->dead)
		err = -ESTALE;
	if (!err)
		err = write_all(w, op.tx);
	err = op_end(&op, err);
	if (!err && OMITTED("S-size"))
		err = store_all(w) < 0 ? -EUCLEAN : 0;
	pthread_rwlock_unlock(&w->ip->lock);
	return err;
}

static int write_once(const struct writing *w)
{
	unsigned int guard;
	int err;

	guard = journal_enter(w->fs->vol->journal);
	pthread_rwlock_rdlock(&w->ip->lock);
	err = w->ip->dead ? -ESTALE : overwrite(w);
	pthread_rwlock_unlock(&w->ip->lock);
	journal_leave(w->fs->vol->journal, guard);
	if (err)
		return err < 0 ? err : 0;
	return write_tx(w);
}

static bool in_one_block(const struct writing *w)
{
	return w->off >> PINFS_BLOCK_SHIFT == (w->end - 1) >> PINFS_BLOCK_SHIFT;
}

/*
 * write_some - as much as there is space for, if it is only in the first block
 *
 * So when it fails, nothing was stored in a block before the one that there is
 * no space for.
 */
static ssize_t write_some(struct writing *w)
{
	int tries = 0, err;

	for (;;) {
		err = write_once(w);
		if (fs_try_again(w->fs, err, &tries))
			continue;
		if (err != -ENOSPC || in_one_block(w))
			break;
		w->end = max_u64(round_down_u64(w->off + (w->end - w->off) / 2,
						PINFS_BLOCK_SIZE),
				 round_up_u64(w->off + 1, PINFS_BLOCK_SIZE));
	}
	return err ? err : (ssize_t)(w->end - w->off);
}

/*
 * write_fitting - as much as there is space for, to the block
 *
 * A part that fits is found by halving, so more may fit behind it. Who takes a
 * short write for the last one before ENOSPC, as programs do, is right then.
 */
static ssize_t write_fitting(struct writing *w, uint64_t end)
{
	ssize_t n = write_some(w), more = n;
	const uint64_t off = w->off;

	while (more > 0 && w->end < end) {
		w->buf += w->end - w->off;
		w->off = w->end;
		w->end = end;
		more = write_some(w);
	}
	if (more > 0)
		return (ssize_t)(w->end - off);
	return n < 0 ? n : (ssize_t)(w->off - off);
}

ssize_t fs_write(struct fs *fs, struct fs_file *file, const void *buf,
		 size_t size, uint64_t off)
{
	bool dropped = false;
	struct writing w = { fs, file->ip, buf, off, off + size, &dropped };
	ssize_t n;

	if (fs->opt.read_only)
		return -EROFS;
	if (size == 0)
		return 0;
	if (off > MAX_SIZE || size > MAX_SIZE - off)
		return -EFBIG;
	n = write_fitting(&w, off + size);
	if (n > 0 && dropped)
		atomic_store(&file->dropped, true);
	return n;
}

/* --- copying ---------------------------------------------------------------------- */

/* copy_out - up to len bytes into buf; returns how many there were */
static ssize_t copy_out(struct fs *fs, struct fs_file *in, uint64_t off,
			uint8_t *buf, size_t len, struct fs_read *r)
{
	ssize_t n = 0;
	int err = fs_read_begin(fs, in, off, len, r);

	if (err)
		return err;
	for (int i = 0; i < r->count; i++) {
		memcpy(buf + n, r->iov[i].iov_base, r->iov[i].iov_len);
		n += (ssize_t)r->iov[i].iov_len;
	}
	fs_read_end(r);
	return n;
}

/* size_of - a file's, as it is now */
static uint64_t size_of(struct inode *ip)
{
	unsigned int guard = inode_look(ip);
	uint64_t size = inode_size(ip, NULL);

	inode_look_end(ip, guard);
	return size;
}

/* clamp - what there is to copy: not what the copy itself will append */
static int clamp(struct fs_file *in, uint64_t off_in, struct fs_file *out,
		 uint64_t off_out, size_t *len)
{
	uint64_t size = size_of(in->ip);

	*len = off_in < size ? min_u64(*len, size - off_in) : 0;
	if (in->ip == out->ip && off_in < off_out + *len &&
	    off_out < off_in + *len)
		return -EINVAL;
	return 0;
}

ssize_t fs_copy_range(struct fs *fs, struct fs_file *in, uint64_t off_in,
		      struct fs_file *out, uint64_t off_out, size_t len)
{
	uint8_t *buf = malloc(FS_READ_MAX);
	struct fs_read *r = malloc(sizeof(*r));
	ssize_t n = buf && r ? 0 : -ENOMEM;
	size_t done = 0;

	if (!n)
		n = clamp(in, off_in, out, off_out, &len);
	while (n >= 0 && done < len) {
		n = copy_out(fs, in, off_in + done, buf,
			     min_u64(len - done, FS_READ_MAX), r);
		if (n <= 0)
			break;
		n = fs_write(fs, out, buf, (size_t)n, off_out + done);
		if (n > 0)
			done += (size_t)n;
	}
	free(r);
	free(buf);
	return done ? (ssize_t)done : n;
}
