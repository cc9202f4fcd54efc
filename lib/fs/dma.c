// SPDX-License-Identifier: BSD-3-Clause
/* What a file has to do before and after a device writes into its blocks. */
#include <errno.h>

#include "base/util.h"
#include "fs/fs_i.h"
#include "inode/change.h"
#include "inode/extent.h"
#include "pool/persist.h"

/* is_pinned - does another DMA write into this block? */
static bool is_pinned(struct fs *fs, uint64_t pblk)
{
	uint64_t pinned, pins;

	layout_count_pins(fs->layouts, pblk, 1, &pinned, &pins);
	return pinned > 0;
}

int fs_zero_tail(struct fs *fs, struct inode *ip)
{
	uint64_t size = inode_size(ip, NULL);
	struct extent e;
	int err;

	if (size % PINFS_BLOCK_SIZE == 0)
		return 0;
	err = extent_find(ip, NULL, size >> PINFS_BLOCK_SHIFT, &e);
	if (err || !e.pblk || !volume_has(ip->vol, e.pblk, 1))
		return err;
	return is_pinned(fs, e.pblk) ? 0 : inode_zero_tail(ip);
}

/*
 * write_edge - a block that the DMA covers in part becomes data, zeroes, if it is
 *              unwritten: what the DMA leaves out must not be what was there
 *
 * If another DMA is about to fill all of it, marking it is that one's business.
 */
static int write_edge(struct fs *fs, struct inode *ip, uint64_t lblk)
{
	unsigned int budget = 4;
	struct extent e;
	struct op op;
	int err;

	err = op_begin(&op, fs);
	if (!err)
		err = extent_find(ip, op.tx, lblk, &e);
	if (!err && e.pblk && e.unwritten && !is_pinned(fs, e.pblk)) {
		persist_set_flush(ip->vol->pool, volume_block(ip->vol, e.pblk),
				  0, PINFS_BLOCK_SIZE);
		err = extent_mark(ip, op.tx, &lblk, lblk + 1, false, &budget);
	}
	return op_end(&op, err);
}

static int prepare_locked(struct fs *fs, struct inode *ip, uint64_t off,
			  uint64_t end)
{
	uint64_t first = off >> PINFS_BLOCK_SHIFT;
	uint64_t last = div_round_up(end, PINFS_BLOCK_SIZE);
	int err = ip->dead ? -ESTALE : inode_allocate(ip, first, last);

	/*
	 * What is behind the end of file is to be zero inside of it. Now, as
	 * later it may be what the device has written.
	 */
	if (!err && inode_size(ip, NULL) < end)
		err = fs_zero_tail(fs, ip);
	if (!err && off % PINFS_BLOCK_SIZE)
		err = write_edge(fs, ip, first);
	if (!err && end % PINFS_BLOCK_SIZE)
		err = write_edge(fs, ip, last - 1);
	return err;
}

int fs_dma_prepare(struct fs *fs, struct inode *ip, uint64_t off, uint64_t len)
{
	int tries = 0, err;

	if (fs->opt.read_only)
		return -EROFS;
	do {
		unsigned int guard = journal_enter(fs->vol->journal);

		pthread_rwlock_wrlock(&ip->lock);
		err = prepare_locked(fs, ip, off, off + len);
		pthread_rwlock_unlock(&ip->lock);
		journal_leave(fs->vol->journal, guard);
	} while (fs_try_again(fs, err, &tries));
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

/*
 * clear_rest - the device stopped in the midst of a block: what follows in it is
 *              not the file's
 */
static int clear_rest(struct inode *ip, uint64_t end)
{
	uint32_t used = (uint32_t)(end % PINFS_BLOCK_SIZE);
	struct extent e;
	int err = extent_find(ip, NULL, end >> PINFS_BLOCK_SHIFT, &e);

	if (err || !e.pblk || !e.unwritten)
		return err;
	persist_set_flush(ip->vol->pool,
			  (uint8_t *)volume_block(ip->vol, e.pblk) + used, 0,
			  PINFS_BLOCK_SIZE - used);
	return 0;
}

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

static int finish_locked(struct fs *fs, struct inode *ip, uint64_t off,
			 uint64_t len, uint64_t end)
{
	/* Blocks covered in part are data since fs_dma_prepare(). */
	uint64_t first = div_round_up(off, PINFS_BLOCK_SIZE);
	uint64_t last = end >> PINFS_BLOCK_SHIFT;
	int err = flush_range(ip, off, end);

	if (!err && end < off + len && end % PINFS_BLOCK_SIZE &&
	    last >= first) {
		err = clear_rest(ip, end);
		last++;
	}
	while (!err && first < last) {
		err = mark_written(fs, ip, &first, last);
		if (err != -EAGAIN)
			break;
		err = 0;
	}
	return err ? err : grow_to(fs, ip, end);
}

int fs_dma_finish(struct fs *fs, struct inode *ip, uint64_t off, uint64_t len,
		  uint64_t end)
{
	unsigned int guard;
	int err;

	if (end <= off)
		return 0;
	guard = journal_enter(fs->vol->journal);
	pthread_rwlock_wrlock(&ip->lock);
	err = ip->dead ? -ESTALE : finish_locked(fs, ip, off, len, end);
	pthread_rwlock_unlock(&ip->lock);
	journal_leave(fs->vol->journal, guard);
	return err;
}
