// SPDX-License-Identifier: BSD-3-Clause
/* The pass itable: where the inodes are, and which are in use. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/util.h"
#include "fsck.h"

#define MAX_INODES (1ull << PINFS_INO_BITS)

static int keep_run(struct extent_walk *ew, const struct pinfs_extent *e)
{
	struct fsck *f = ew->walk.f;
	struct run *runs;

	if (le32_to_cpu(e->flags) & PINFS_EXTENT_UNWRITTEN ||
	    ew->last_end > div_round_up(MAX_INODES, PINFS_IMAP_INODES) *
				   PINFS_IMAP_BLOCKS) {
		found(f->findings, ITABLE_EXTENT, PINFS_ITABLE_INO,
		      le64_to_cpu(e->pblk), "%s",
		      "unwritten, or past the last inode");
		return 0;
	}
	if (!(f->itable_runs & (f->itable_runs + 1))) {
		runs = realloc(f->itable,
			       (2 * f->itable_runs + 2) * sizeof(*runs));
		if (!runs)
			return -ENOMEM;
		f->itable = runs;
	}
	f->itable[f->itable_runs++] = (struct run){
		.lblk = le64_to_cpu(e->lblk),
		.pblk = le64_to_cpu(e->pblk),
		.len = le32_to_cpu(e->len),
	};
	return 0;
}

/* itable_block - of the inode file, found by halving; NULL for a hole */
static const void *itable_block(const struct fsck *f, uint64_t lblk,
				uint64_t *blkno)
{
	size_t low = 0, high = f->itable_runs, mid;
	const struct run *r;

	while (low < high) {
		mid = (low + high) / 2;
		r = &f->itable[mid];
		if (lblk >= r->lblk + r->len) {
			low = mid + 1;
		} else if (lblk < r->lblk) {
			high = mid;
		} else {
			*blkno = r->pblk + (lblk - r->lblk);
			return block_at(f, *blkno);
		}
	}
	return NULL;
}

const struct pinfs_inode *inode_slot(const struct fsck *f, uint64_t ino)
{
	uint64_t index = ino / PINFS_IMAP_INODES, in = ino % PINFS_IMAP_INODES;
	const struct pinfs_inode *b;
	uint64_t blkno;

	b = itable_block(
		f, index * PINFS_IMAP_BLOCKS + 1 + in / PINFS_INODES_PER_BLOCK,
		&blkno);
	return b ? b + in % PINFS_INODES_PER_BLOCK : NULL;
}

/* imap_at - the bitmap of map index, NULL if it is missing or damaged */
static const struct pinfs_bitmap *imap_at(struct fsck *f, uint64_t index,
					  bool report)
{
	const struct pinfs_bitmap *b;
	const char *why = "";
	uint64_t blkno = NOWHERE;
	enum code code = IMAP_DAMAGED;

	b = itable_block(f, index * PINFS_IMAP_BLOCKS, &blkno);
	if (!b) {
		code = IMAP_MISSING;
	} else if (!format_bitmap_verify(b, PINFS_MAGIC_IMAP, index, blkno,
					 f->seed, &why)) {
		return b;
	}
	if (report)
		found(f->findings, code, NOWHERE, blkno,
		      "for inodes from %" PRIu64 " on%s%s",
		      index * PINFS_IMAP_INODES, why[0] ? ": " : "", why);
	return NULL;
}

/* each_of_block - the inodes of one block whose bits are set in mask */
static int each_of_block(struct fsck *f, uint64_t first, uint8_t mask,
			 int (*fn)(struct fsck *f, uint64_t ino,
				   const struct pinfs_inode *di))
{
	const struct pinfs_inode *di = inode_slot(f, first);
	unsigned int i;
	int err;

	for (i = 0; i < PINFS_INODES_PER_BLOCK; i++) {
		/* Inode 0 is in the root block; its slot here is empty. */
		if (!(mask >> i & 1) || first + i == PINFS_ITABLE_INO)
			continue;
		err = fn(f, first + i, di ? di + i : NULL);
		if (err)
			return err;
	}
	return 0;
}

static int each_of_map(struct fsck *f, uint64_t index,
		       const struct pinfs_bitmap *map,
		       int (*fn)(struct fsck *f, uint64_t ino,
				 const struct pinfs_inode *di))
{
	const uint8_t *byte = (const uint8_t *)map->bits;
	uint64_t i;
	int err;

	for (i = 0; i < PINFS_BITMAP_BYTES; i++) {
		if (!byte[i])
			continue;
		err = each_of_block(f, index * PINFS_IMAP_INODES + i * 8,
				    byte[i], fn);
		if (err)
			return err;
	}
	return 0;
}

/*
 * each_map - fn for each map that has a block
 *
 * Goes by the runs, so that a hole of many maps costs nothing.
 */
static int each_map(struct fsck *f,
		    int (*fn)(struct fsck *f, uint64_t index, void *arg),
		    void *arg)
{
	uint64_t next = 0, index, last;
	size_t i;
	int err;

	for (i = 0; i < f->itable_runs; i++) {
		const struct run *r = &f->itable[i];

		last = (r->lblk + r->len - 1) / PINFS_IMAP_BLOCKS;
		for (index = max_u64(next, r->lblk / PINFS_IMAP_BLOCKS);
		     index <= last; index++) {
			err = fn(f, index, arg);
			if (err)
				return err;
		}
		next = last + 1;
	}
	return 0;
}

struct each {
	int (*fn)(struct fsck *f, uint64_t ino, const struct pinfs_inode *di);
};

static int each_inode_of(struct fsck *f, uint64_t index, void *arg)
{
	const struct pinfs_bitmap *map = imap_at(f, index, false);
	const struct each *each = arg;

	return map ? each_of_map(f, index, map, each->fn) : 0;
}

int each_inode(struct fsck *f, int (*fn)(struct fsck *f, uint64_t ino,
					 const struct pinfs_inode *di))
{
	struct each each = { fn };

	return each_map(f, each_inode_of, &each);
}

static int check_map(struct fsck *f, uint64_t index, void *arg)
{
	(void)arg;
	imap_at(f, index, true);
	return 0;
}

static int open_info(struct fsck *f)
{
	const struct run *last;
	void *m;

	if (!f->itable_runs)
		return 0;
	last = &f->itable[f->itable_runs - 1];
	f->inodes = div_round_up(last->lblk + last->len, PINFS_IMAP_BLOCKS) *
		    PINFS_IMAP_INODES;
	f->info_bytes = f->inodes * sizeof(*f->info);
	m = mmap(NULL, f->info_bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED)
		return -ENOMEM;
	f->info = m;
	return 0;
}

static void check_root_block(struct fsck *f, const struct pinfs_root *root)
{
	size_t i;

	for (i = 0; i < sizeof(root->reserved); i++) {
		if (root->reserved[i]) {
			found(f->findings, ROOT_BLOCK, NOWHERE,
			      le64_to_cpu(f->sb->root_block), "%s", "");
			return;
		}
	}
}

int pass_itable(struct fsck *f)
{
	uint64_t at = le64_to_cpu(f->sb->root_block);
	const struct pinfs_root *root = block_at(f, at);
	const struct pinfs_inode *di = &root->itable;
	struct extent_walk ew = {
		.walk = { .f = f, .ino = PINFS_ITABLE_INO },
		.fn = keep_run,
	};
	const char *why = "";
	int err;

	check_root_block(f, root);
	err = format_inode_verify(di, PINFS_ITABLE_INO, f->seed, &why);
	if (!err)
		err = format_inode_map_verify(di, f->total, &why);
	if (!err && !S_ISREG(le32_to_cpu(di->mode))) {
		why = "it is no file";
		err = -EUCLEAN;
	}
	if (err) {
		found(f->findings, ITABLE_INODE, PINFS_ITABLE_INO, at, "%s",
		      why);
		return 0;
	}
	err = walk_extents(&ew, di);
	if (err)
		return err;
	if (ew.blocks != le64_to_cpu(di->blocks))
		found(f->findings, INODE_BLOCKS, PINFS_ITABLE_INO, NOWHERE,
		      "it says %" PRIu64 ", and has %" PRIu64,
		      le64_to_cpu(di->blocks), ew.blocks);
	err = open_info(f);
	if (err)
		return err;
	return each_map(f, check_map, NULL);
}
