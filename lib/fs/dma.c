// SPDX-License-Identifier: BSD-3-Clause
/* What a file has to do before and after a device writes into its blocks. */
#include <errno.h>

#include "base/util.h"
#include "fs/fs_i.h"
#include "inode/change.h"
#include "inode/extent.h"
#include "pool/persist.h"

/* Bytes that are zeroed at a time with the file locked: readers get in between. */
#define ZERO_AT_ONCE (32u << 20)

/* mark_written - blocks [*lblk, last) are data; -EAGAIN: go on from *lblk */
static int mark_written(struct fs *fs, struct inode *ip, uint64_t *lblk,
			uint64_t last)
{
	unsigned int budget = 128;
	struct op op;
	int err = op_begin(&op, fs), more;

	more = err ? err : extent_mark(ip, op.tx, lblk, last, false, &budget);
	err = op_end(&op, more == -EAGAIN ? 0 : more);
	return err ? err : more;
}

/* zero_unwritten - in [*at, end), until so much is zeroed; *at is where it ends */
static int zero_unwritten(struct inode *ip, uint64_t *at, uint64_t end)
{
	uint64_t left = ZERO_AT_ONCE >> PINFS_BLOCK_SHIFT;

	while (*at < end && left > 0) {
		struct extent e;
		int err = extent_find(ip, NULL, *at, &e);

		if (err)
			return err;
		e.len = min_u64(e.len, end - *at);
		if (e.pblk && e.unwritten) {
			e.len = min_u64(e.len, left);
			if (!volume_has(ip->vol, e.pblk, e.len))
				return -EUCLEAN;
			if (!OMITTED("S-zero"))
				persist_set_flush(ip->vol->pool,
						  volume_block(ip->vol, e.pblk),
						  0,
						  e.len << PINFS_BLOCK_SHIFT);
			left -= e.len;
		}
		*at += e.len;
	}
	return 0;
}

/* write_zeroes - a part of the range becomes data; ip is locked exclusively */
static int write_zeroes(struct fs *fs, struct inode *ip, uint64_t *at,
			uint64_t end)
{
	uint64_t from = *at;
	int err = ip->dead ? -ESTALE : 0;

	if (!err && !inode_is_unwritten_sealed(ip))
		err = FS_UNSEALED;
	if (!err)
		err = zero_unwritten(ip, at, end);
	if (err)
		return err;
	do {
		err = mark_written(fs, ip, &from, *at);
	} while (err == -EAGAIN);
	return err;
}

static int allocate(struct fs *fs, struct inode *ip, uint64_t off, uint64_t end)
{
	int err = ip->dead ? -ESTALE : fs_zero_behind(fs, ip, 0, end, 0);

	if (err)
		return err;
	return inode_allocate(ip, off >> PINFS_BLOCK_SHIFT,
			      div_round_up(end, PINFS_BLOCK_SIZE));
}

static int allocate_all(struct fs *fs, struct inode *ip, uint64_t off,
			uint64_t end)
{
	int tries = 0, err;

	do {
		unsigned int guard = journal_enter(fs->vol->journal);

		pthread_rwlock_wrlock(&ip->lock);
		err = allocate(fs, ip, off, end);
		pthread_rwlock_unlock(&ip->lock);
		journal_leave(fs->vol->journal, guard);
	} while (fs_try_again(fs, err, &tries));
	return err;
}

int fs_dma_prepare(struct fs *fs, struct inode *ip, uint64_t off, uint64_t len)
{
	uint64_t at = off >> PINFS_BLOCK_SHIFT;
	uint64_t end = div_round_up(off + len, PINFS_BLOCK_SIZE);
	int tries = 0, err;

	if (fs->opt.read_only)
		return -EROFS;
	err = allocate_all(fs, ip, off, off + len);
	while (!err && at < end) {
		unsigned int guard = journal_enter(fs->vol->journal);

		pthread_rwlock_wrlock(&ip->lock);
		err = write_zeroes(fs, ip, &at, end);
		pthread_rwlock_unlock(&ip->lock);
		journal_leave(fs->vol->journal, guard);
		if (fs_try_again(fs, err, &tries))
			err = 0;
	}
	return err;
}

/* flush_range - what the device stored is durable after this and a fence (S2) */
static int flush_range(struct inode *ip, uint64_t off, uint64_t end)
{
	while (off < end) {
		uint64_t in = off % PINFS_BLOCK_SIZE, bytes;
		struct extent e;
		int err = extent_find(ip, NULL, off >> PINFS_BLOCK_SHIFT, &e);

		if (err)
			return err;
		bytes = min_u64((e.len << PINFS_BLOCK_SHIFT) - in, end - off);
		if (e.pblk)
			persist_flush(ip->vol->pool,
				      (uint8_t *)volume_block(ip->vol, e.pblk) +
					      in,
				      bytes);
		off += bytes;
	}
	persist_fence(ip->vol->pool);
	return 0;
}

static int grow_to(struct fs *fs, struct inode *ip, uint64_t end)
{
	struct pinfs_inode *di;
	struct op op;
	int err = op_begin(&op, fs);

	if (!err)
		err = inode_touch(ip, op.tx, INODE_MTIME | INODE_CTIME);
	di = err ? NULL : inode_edit(ip, op.tx);
	if (di && le64_to_cpu(di->size) < end)
		di->size = cpu_to_le64(end);
	else if (!err && !di)
		err = -ENOMEM;
	return op_end(&op, err);
}

/*
 * finish_locked - what the device left behind end is not to show up when the file
 *                 grows; blocks that another DMA has pinned as well are that one's
 */
static int finish_locked(struct fs *fs, struct inode *ip, uint64_t off,
			 uint64_t len, uint64_t end)
{
	int err = fs_zero_behind(fs, ip, end, off + len, 1);

	if (!err && end > off && OMITTED("S-arrive"))
		err = grow_to(fs, ip, end);
	if (!err)
		err = flush_range(ip, off, end);
	if (!err && end > off)
		err = grow_to(fs, ip, end);
	return err;
}

int fs_dma_finish(struct fs *fs, struct inode *ip, uint64_t off, uint64_t len,
		  uint64_t end)
{
	unsigned int guard = journal_enter(fs->vol->journal);
	int err;

	pthread_rwlock_wrlock(&ip->lock);
	err = ip->dead ? -ESTALE : finish_locked(fs, ip, off, len, end);
	pthread_rwlock_unlock(&ip->lock);
	journal_leave(fs->vol->journal, guard);
	return err;
}
