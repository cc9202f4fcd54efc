// SPDX-License-Identifier: BSD-3-Clause
/* Where mkfs puts the fixed areas. */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "format/csum.h"

#define MIB_BLOCKS (1048576u / PINFS_BLOCK_SIZE)

/* A small pool must not be all journal; a large one has more to commit. */
static void choose_journal(struct format_geometry *g)
{
	if (g->total_blocks < 64 * MIB_BLOCKS) {
		g->lanes = 4;
		g->lane_blocks = 64;
	} else if (g->total_blocks < 1024 * MIB_BLOCKS) {
		g->lanes = 8;
		g->lane_blocks = 128;
	} else {
		g->lanes = 16;
		g->lane_blocks = 256;
	}
}

int format_geometry(uint64_t total_blocks, struct format_geometry *g)
{
	if (total_blocks < PINFS_MIN_BLOCKS)
		return -ENOSPC;
	if (total_blocks > PINFS_MAX_BLOCKS)
		return -EFBIG;
	memset(g, 0, sizeof(*g));
	g->total_blocks = total_blocks;
	choose_journal(g);
	g->journal_start = 1;
	g->root_block =
		g->journal_start + 2 + (uint64_t)g->lanes * g->lane_blocks;
	g->groups_start = g->root_block + 1;
	g->groups = div_round_up(total_blocks, PINFS_GROUP_BLOCKS);
	g->first_free = g->groups_start + g->groups;
	return 0;
}
