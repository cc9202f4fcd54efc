/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bits of one bitmap block in host byte order; a set bit is in use. All
 * positions are below PINFS_GROUP_BLOCKS.
 */
#ifndef PINFS_SPACE_BITMAP_H
#define PINFS_SPACE_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "format/pinfs_format.h"

#define BITMAP_BITS  PINFS_GROUP_BLOCKS
#define BITMAP_WORDS (BITMAP_BITS / 64u)

struct bitmap_run {
	uint32_t first;
	uint32_t count;
};

void bitmap_load(uint64_t *bits, const struct pinfs_bitmap *from);
void bitmap_set(uint64_t *bits, uint32_t first, uint32_t count);
/* bitmap_clear - returns how many were set */
uint32_t bitmap_clear(uint64_t *bits, uint32_t first, uint32_t count);
uint32_t bitmap_count_clear(const uint64_t *bits);

/* bitmap_next_clear, bitmap_next_set - at or after from, or BITMAP_BITS */
uint32_t bitmap_next_clear(const uint64_t *bits, uint32_t from);
uint32_t bitmap_next_set(const uint64_t *bits, uint32_t from);

/* bitmap_run_around - how many clear bits there are side by side at this one */
uint32_t bitmap_run_around(const uint64_t *bits, uint32_t at);

/* bitmap_all_set, bitmap_all_clear - are all of count bits so? */
bool bitmap_all_set(const uint64_t *bits, uint32_t first, uint32_t count);
bool bitmap_all_clear(const uint64_t *bits, uint32_t first, uint32_t count);

/*
 * bitmap_find_run - a run of want clear bits at or after from, else the longest
 *
 * Returns the run, cut to want; count 0 if nothing is clear there.
 */
struct bitmap_run bitmap_find_run(const uint64_t *bits, uint32_t from,
				  uint32_t want);

/* bitmap_find_chunks - the same in whole, aligned chunks of 512 clear bits */
struct bitmap_run bitmap_find_chunks(const uint64_t *bits, uint32_t from,
				     uint32_t want);

#endif
