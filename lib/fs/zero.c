// SPDX-License-Identifier: BSD-3-Clause
/*
 * Zeroes in place, behind the end of a file only: no state that a power failure
 * may bring back reaches those bytes, since what a truncate cuts off goes with
 * its blocks or a copy of one (inode/change.h).
 */
#include "base/util.h"
#include "fs/fs_i.h"
#include "inode/extent.h"
#include "pool/persist.h"

static uint64_t pins_of(struct fs *fs, uint64_t pblk)
{
	uint64_t pinned, pins;

	layout_count_pins(fs->layouts, pblk, 1, &pinned, &pins);
	return pins;
}

/* zero_extent - of [from, to), what lies in the blocks of e */
static int zero_extent(struct fs *fs, struct inode *ip, const struct extent *e,
		       uint64_t from, uint64_t to, uint64_t own_pins)
{
	uint64_t first = e->lblk << PINFS_BLOCK_SHIFT;

	if (!volume_has(ip->vol, e->pblk, e->len))
		return -EUCLEAN;
	while (from < to) {
		uint64_t in = from - first;
		uint64_t bytes = min_u64(
			PINFS_BLOCK_SIZE - in % PINFS_BLOCK_SIZE, to - from);

		if (pins_of(fs, e->pblk + (in >> PINFS_BLOCK_SHIFT)) <=
		    own_pins)
			persist_set_flush(
				ip->vol->pool,
				(uint8_t *)volume_block(ip->vol, e->pblk) + in,
				0, bytes);
		from += bytes;
	}
	return 0;
}

int fs_zero_behind(struct fs *fs, struct inode *ip, uint64_t from, uint64_t to,
		   uint64_t own_pins)
{
	from = max_u64(from, inode_size(ip, NULL));
	while (from < to) {
		struct extent e;
		uint64_t end;
		int err = extent_find(ip, NULL, from >> PINFS_BLOCK_SHIFT, &e);

		if (err)
			return err;
		end = min_u64((e.lblk + e.len) << PINFS_BLOCK_SHIFT, to);
		if (extent_is_data(&e))
			err = zero_extent(fs, ip, &e, from, end, own_pins);
		if (err)
			return err;
		from = end;
	}
	return 0;
}
