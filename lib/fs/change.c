// SPDX-License-Identifier: BSD-3-Clause
/*
 * Layout changes: truncate and fallocate, from the request to what the inode
 * layer does. Each is a break (lib/layout): it runs when the file is idle, at
 * once or later, on whatever thread the protocol runs it on.
 */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "fs/fs_i.h"
#include "inode/change.h"
#include "inode/extent.h"

#define MAX_SIZE ((uint64_t)INT64_MAX)

/* --- what a change does to the inode ------------------------------------------------- */

/* It takes blocks that it was not asked for with; nothing has been changed. */
#define WIDER (-EXFULL)

static uint64_t block_of(uint64_t off)
{
	return off >> PINFS_BLOCK_SHIFT;
}

static uint64_t blocks_for(uint64_t size)
{
	return div_round_up(size, PINFS_BLOCK_SIZE);
}

static int allocate_inode(struct inode *ip, const struct fs_change *fc)
{
	uint64_t end = fc->offset + fc->length;
	struct inode_change ch = {
		.fill_first = block_of(fc->offset),
		.fill_end = blocks_for(end),
		.set_size = !(fc->flags & FS_CHANGE_KEEP_SIZE) &&
			    end > inode_size(ip, NULL),
		.size = end,
		.touch = INODE_MTIME | INODE_CTIME,
	};
	int err = ch.set_size ? fs_zero_behind(fc->fs, ip, 0, end, 0) : 0;

	return err ? err : inode_change(ip, &ch);
}

/* add_edge - a part of one block that is to read as zero */
static void add_edge(struct inode_change *ch, uint64_t from, uint64_t to)
{
	if (from >= to)
		return;
	ch->edge[ch->edges++] = (struct inode_edge){
		.lblk = block_of(from),
		.from = (uint32_t)(from % PINFS_BLOCK_SIZE),
		.to = (uint32_t)(from % PINFS_BLOCK_SIZE + (to - from)),
	};
}

/*
 * truncate_inode - what is cut off of the last block becomes zero with the size
 *
 * By a copy of the block: a state that is not sealed yet may be undone by a power
 * failure, and the longer file is to have its bytes then (S1).
 */
static int truncate_inode(struct fs *fs, struct inode *ip, uint64_t size)
{
	uint64_t first = blocks_for(size), old = inode_size(ip, NULL);
	struct inode_change ch = {
		.op = PINFS_INTENT_REMOVE,
		.first = first,
		.count = EXTENT_END - first,
		.set_size = true,
		.size = size,
		.touch = INODE_MTIME | INODE_CTIME,
		.clear_mode = S_ISUID,
	};
	int err = fs_zero_behind(fs, ip, old, size, 0);

	if (err)
		return err;
	if (size < old)
		add_edge(&ch, size, first << PINFS_BLOCK_SHIFT);
	if (inode_mode(ip, NULL) & S_IXGRP)
		ch.clear_mode |= S_ISGID;
	return inode_change(ip, &ch);
}

/*
 * zero_whole - fill in ch for bytes [off, end): whole blocks by op, the rest by
 *              edges
 */
static void zero_whole(struct inode_change *ch, uint64_t off, uint64_t end)
{
	uint64_t first = blocks_for(off), last = block_of(end);

	if (first > last) { /* inside one block */
		add_edge(ch, off, end);
		ch->op = PINFS_INTENT_NONE;
		return;
	}
	add_edge(ch, off, first << PINFS_BLOCK_SHIFT);
	add_edge(ch, last << PINFS_BLOCK_SHIFT, end);
	ch->first = first;
	ch->count = last - first;
	if (ch->count == 0)
		ch->op = PINFS_INTENT_NONE;
}

static int punch_inode(struct inode *ip, uint64_t off, uint64_t len)
{
	struct inode_change ch = {
		.op = PINFS_INTENT_REMOVE,
		.touch = INODE_MTIME | INODE_CTIME,
	};

	zero_whole(&ch, off, off + len);
	return inode_change(ip, &ch);
}

static int zero_inode(struct inode *ip, const struct fs_change *fc)
{
	uint64_t off = fc->offset, end = off + fc->length;
	struct inode_change ch = {
		.op = PINFS_INTENT_UNWRITE,
		/* Unwritten blocks where there were none. */
		.fill_first = block_of(off),
		.fill_end = blocks_for(end),
		.touch = INODE_MTIME | INODE_CTIME,
	};
	int err;

	if (!(fc->flags & FS_CHANGE_KEEP_SIZE) && end > inode_size(ip, NULL)) {
		err = fs_zero_behind(fc->fs, ip, 0, end, 0);
		if (err)
			return err;
		ch.set_size = true;
		ch.size = end;
	}
	zero_whole(&ch, off, end);
	return inode_change(ip, &ch);
}

static int collapse_inode(struct inode *ip, uint64_t off, uint64_t len)
{
	uint64_t size = inode_size(ip, NULL);
	struct inode_change ch = {
		.op = PINFS_INTENT_COLLAPSE,
		.first = block_of(off),
		.count = block_of(len),
		.set_size = true,
		.size = size - len,
		.touch = INODE_MTIME | INODE_CTIME,
	};

	/* As Linux: a range that reaches the end is a truncate's business. */
	if (len >= size || off >= size - len)
		return -EINVAL;
	return inode_change(ip, &ch);
}

static int insert_inode(struct inode *ip, uint64_t off, uint64_t len)
{
	uint64_t size = inode_size(ip, NULL);
	struct inode_change ch = {
		.op = PINFS_INTENT_INSERT,
		.first = block_of(off),
		.count = block_of(len),
		.set_size = true,
		.size = size + len,
		.touch = INODE_MTIME | INODE_CTIME,
	};

	if (off >= size)
		return -EINVAL;
	if (len > MAX_SIZE - size)
		return -EFBIG;
	return inode_change(ip, &ch);
}

/*
 * is_wider - does the change take more than its span says?
 *
 * A truncate that was to let the file grow cuts it off if it has grown further
 * since, and takes the block that the file ends in then (set_span()).
 */
static bool is_wider(struct inode *ip, const struct fs_change *ch)
{
	return ch->kind == PINFS_CHANGE_TRUNCATE &&
	       block_of(ch->offset) < ch->brk.first &&
	       ch->offset < inode_size(ip, NULL);
}

static int change_locked(struct inode *ip, const struct fs_change *ch)
{
	if (ip->dead)
		return -ESTALE;
	if (is_wider(ip, ch))
		return WIDER;
	switch (ch->kind) {
	case PINFS_CHANGE_TRUNCATE:
		return truncate_inode(ch->fs, ip, ch->offset);
	case PINFS_CHANGE_ALLOCATE:
		return allocate_inode(ip, ch);
	case PINFS_CHANGE_PUNCH_HOLE:
		return punch_inode(ip, ch->offset, ch->length);
	case PINFS_CHANGE_ZERO_RANGE:
		return zero_inode(ip, ch);
	case PINFS_CHANGE_COLLAPSE_RANGE:
		return collapse_inode(ip, ch->offset, ch->length);
	case PINFS_CHANGE_INSERT_RANGE:
		return insert_inode(ip, ch->offset, ch->length);
	}
	return -EINVAL;
}

/*
 * drop_privs - with the contents go set-id bits and capability
 *
 * Before the change, as the kernel does it: what fails behind the change would
 * have it made a second time by fs_try_again().
 */
static int drop_privs(struct fs *fs, struct inode *ip)
{
	struct op op;
	int err;

	if (ip->dead || !fs_has_privs(ip))
		return 0;
	err = op_begin(&op, fs);
	if (!err)
		err = fs_drop_privs(ip, op.tx);
	return op_end(&op, err);
}

/* --- the break ---------------------------------------------------------------------- */

static int do_change(struct fs *fs, struct inode *ip,
		     const struct fs_change *ch)
{
	int tries = 0, err;

	do {
		unsigned int guard = journal_enter(fs->vol->journal);

		pthread_rwlock_wrlock(&ip->lock);
		err = drop_privs(fs, ip);
		if (!err)
			err = change_locked(ip, ch);
		pthread_rwlock_unlock(&ip->lock);
		journal_leave(fs->vol->journal, guard);
	} while (fs_try_again(fs, err, &tries));
	return err;
}

/*
 * set_span - the blocks that the change unmaps or moves (L3, scope range)
 *
 * Those behind the new end go even if the file grows: what lies there was
 * allocated ahead. The block that a smaller file ends in counts, too: a device
 * must not go on filling what has just been cut off.
 */
static void set_span(struct fs_change *ch, uint64_t size)
{
	uint64_t first = block_of(ch->offset);
	uint64_t end = blocks_for(ch->offset + ch->length);

	switch (ch->kind) {
	case PINFS_CHANGE_TRUNCATE:
		if (ch->offset >= size)
			first = blocks_for(ch->offset);
		end = EXTENT_END;
		break;
	case PINFS_CHANGE_COLLAPSE_RANGE:
	case PINFS_CHANGE_INSERT_RANGE:
		end = EXTENT_END;
		break;
	case PINFS_CHANGE_PUNCH_HOLE:
	case PINFS_CHANGE_ZERO_RANGE:
		break;
	case PINFS_CHANGE_ALLOCATE:
		end = first; /* nothing */
		break;
	}
	ch->brk.first = first;
	ch->brk.end = end;
}

/*
 * run_change - nothing is in its way, and stays so until layout_break_done()
 *
 * The page cache of what collapse and insert have moved is dropped by the
 * kernel when the file's attributes change; for what comes through an ioctl the
 * edge has to see to it, after done.
 */
static void run_change(struct layout_break *brk)
{
	struct fs_change *ch = container_of(brk, struct fs_change, brk);
	struct inode *ip = ch->ip;
	int err = do_change(ch->fs, ip, ch);

	if (err == WIDER) {
		err = layout_break_widen(brk, block_of(ch->offset), EXTENT_END);
		if (err == -EINPROGRESS)
			return;
		if (!err)
			err = do_change(ch->fs, ip, ch);
	}
	layout_break_done(brk, err);
	ch->done(ch, err);
	inode_put(ip);
}

static void fail_change(struct layout_break *brk, int err)
{
	struct fs_change *ch = container_of(brk, struct fs_change, brk);
	struct inode *ip = ch->ip;

	ch->done(ch, err);
	inode_put(ip);
}

/* check_range - offsets and alignment, from the request alone */
static int check_range(const struct fs_change *ch)
{
	if (ch->offset > MAX_SIZE)
		return ch->kind == PINFS_CHANGE_TRUNCATE ? -EINVAL : -EFBIG;
	if (ch->kind == PINFS_CHANGE_TRUNCATE)
		return 0;
	if (ch->length == 0)
		return -EINVAL;
	if (ch->length > MAX_SIZE - ch->offset)
		return -EFBIG;
	if (ch->kind != PINFS_CHANGE_COLLAPSE_RANGE &&
	    ch->kind != PINFS_CHANGE_INSERT_RANGE)
		return 0;
	return (ch->offset | ch->length) % PINFS_BLOCK_SIZE ? -EINVAL : 0;
}

/* check_inode - may this inode be changed so? */
static int check_inode(struct fs_change *ch)
{
	struct inode *ip = ch->ip;
	unsigned int guard = inode_look(ip);
	uint64_t flags;
	uint32_t mode;
	bool dead;

	set_span(ch, inode_size(ip, NULL));
	dead = ip->dead;
	mode = inode_mode(ip, NULL);
	flags = le64_to_cpu(inode_read(ip, NULL)->flags);
	inode_look_end(ip, guard);
	if (dead)
		return -ESTALE;
	if (S_ISDIR(mode))
		return -EISDIR;
	if (!S_ISREG(mode))
		return ch->kind == PINFS_CHANGE_TRUNCATE ? -EINVAL : -ENODEV;
	if (flags & PINFS_IFLAG_IMMUTABLE)
		return -EPERM;
	if (flags & PINFS_IFLAG_APPEND && ch->kind != PINFS_CHANGE_ALLOCATE)
		return -EPERM;
	return 0;
}

/*
 * owner_of - with its command's name if it looks as if the change had to wait:
 * to look it up takes longer than most changes do
 */
static struct layout_owner owner_of(const struct fs_change *ch)
{
	if (layout_is_pinned(ch->ip) || layout_has_break(ch->ip))
		return layout_owner_of(ch->who.pid, ch->who.uid);
	return (struct layout_owner){ .pid = ch->who.pid, .uid = ch->who.uid };
}

int fs_change_init(struct fs *fs, uint64_t node, struct fs_change *ch)
{
	int err = fs->opt.read_only ? -EROFS : check_range(ch);

	if (!err)
		err = fs_inode(fs, node, &ch->ip);
	if (err)
		return err;
	ch->fs = fs;
	err = check_inode(ch);
	if (err)
		goto err_inode;
	ch->brk.change = ch->kind;
	ch->brk.offset = ch->offset;
	ch->brk.length = ch->length;
	ch->brk.owner = owner_of(ch);
	ch->brk.no_wait = ch->flags & FS_CHANGE_NO_WAIT;
	ch->brk.run = run_change;
	ch->brk.fail = fail_change;
	err = layout_break_init(&ch->brk, fs->layouts, ch->ip);
	if (err)
		goto err_inode;
	return 0;

err_inode:
	inode_put(ch->ip);
	return err;
}

void fs_change_start(struct fs_change *ch)
{
	layout_break(&ch->brk);
}

void fs_change_interrupt(struct fs_change *ch)
{
	layout_break_cancel(&ch->brk, -EINTR);
}
