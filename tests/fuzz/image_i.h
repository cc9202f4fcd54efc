/* SPDX-License-Identifier: BSD-3-Clause */
/* What the makers of images share. */
#ifndef PINFS_FUZZ_IMAGE_I_H
#define PINFS_FUZZ_IMAGE_I_H

#include "image.h"

#define IMAGE_SIZE   (128ull << 20) /* two groups */
#define IMAGE_BLOCKS (IMAGE_SIZE / PINFS_BLOCK_SIZE)

/*
 * tree_make - fill an empty pool; keep is called twice: with files open that have
 *             no name any more, and records in the journal; then unmounted, but
 *             with changes that take longer still to be finished
 */
void tree_make(struct pool *pool, void (*keep)(struct pool *pool));

/* struct places - where there is something to be changed */
struct places {
	uint32_t *at; /* blocks; inodes: their offset in inodes */
	size_t count;
	size_t room;
};

/* struct lane_end - where a new record would have to be */
struct lane_end {
	uint32_t offset; /* in the lane */
	uint64_t seq; /* of the last one */
};

struct atlas {
	struct places of[TARGETS];
	uint64_t *ino; /* numbers of the inodes in of[TARGET_INODE] */
	uint64_t seed;
	uint64_t lanes_start; /* block */
	uint32_t lanes, lane_blocks;
	struct lane_end lane[PINFS_MAX_LANES];
	uint64_t last_seq;
};

/* atlas_make - look at the whole of a valid image */
void atlas_make(struct atlas *a, const struct pool *pool);

/* patch - apply one input's items to the image */
void patch(const struct atlas *a, struct pool *pool, const struct item *item,
	   size_t count);

#endif
