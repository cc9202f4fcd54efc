// SPDX-License-Identifier: BSD-3-Clause
/* Where an image has what. */
#include <stdlib.h>

#include "../crash/record.h"
#include "format/csum.h"
#include "image_i.h"

static void add(struct places *p, uint64_t at)
{
	p->at = grow(p->at, p->count + 1, &p->room, sizeof(*p->at));
	p->at[p->count++] = (uint32_t)at;
}

static const void *block(const struct pool *pool, uint64_t blkno)
{
	return pool->base + blkno * PINFS_BLOCK_SIZE;
}

/* target_of - what a block with a header is; TARGETS: nothing that we know */
static enum target target_of(const struct pinfs_blkhdr *hdr)
{
	switch (le32_to_cpu(hdr->magic)) {
	case PINFS_MAGIC_GROUP:
		return TARGET_GROUP;
	case PINFS_MAGIC_IMAP:
		return TARGET_IMAP;
	case PINFS_MAGIC_INDEX:
		return TARGET_INDEX;
	case PINFS_MAGIC_EXTENTS:
		return TARGET_EXTENTS;
	case PINFS_MAGIC_DIRENTS:
		return TARGET_DIRENTS;
	case PINFS_MAGIC_BLOB:
		return TARGET_BLOB;
	default:
		return TARGETS;
	}
}

static void add_inode(struct atlas *a, uint64_t place, uint64_t ino)
{
	static size_t room;

	add(&a->of[TARGET_INODE], place);
	a->ino =
		grow(a->ino, a->of[TARGET_INODE].count, &room, sizeof(*a->ino));
	a->ino[a->of[TARGET_INODE].count - 1] = ino;
}

static void look_for_inodes(struct atlas *a, const struct pool *pool,
			    uint64_t blkno)
{
	const struct pinfs_inode *di = block(pool, blkno);
	const char *why;

	for (unsigned int i = 0; i < PINFS_INODES_PER_BLOCK; i++) {
		uint64_t ino = le64_to_cpu(di[i].ino);

		if (ino % PINFS_INODES_PER_BLOCK == i &&
		    !format_inode_is_free(&di[i]) &&
		    !format_inode_verify(&di[i], ino, a->seed, &why))
			add_inode(a, blkno * PINFS_INODES_PER_BLOCK + i, ino);
	}
}

static void look_at_block(struct atlas *a, const struct pool *pool,
			  uint64_t blkno)
{
	const struct pinfs_blkhdr *hdr = block(pool, blkno);
	enum target t = target_of(hdr);
	const char *why;

	if (t == TARGETS)
		look_for_inodes(a, pool, blkno);
	else if (!format_block_verify(hdr, le32_to_cpu(hdr->magic), blkno,
				      a->seed, &why))
		add(&a->of[t], blkno);
}

/* look_at_lane - its records from the tail on, none of them behind a wrap */
static void look_at_lane(struct atlas *a, const struct pool *pool,
			 const struct pinfs_jstate *state, uint32_t lane)
{
	uint64_t start = (a->lanes_start + (uint64_t)lane * a->lane_blocks) *
			 PINFS_BLOCK_SIZE;
	uint32_t size = a->lane_blocks * PINFS_BLOCK_SIZE;
	struct lane_end *end = &a->lane[lane];

	end->offset = le32_to_cpu(state->tail[lane]);
	end->seq = le64_to_cpu(state->checkpoint_seq);
	while (end->offset < size) {
		const struct pinfs_jrec *rec =
			(const void *)(pool->base + start + end->offset);

		if (le32_to_cpu(rec->magic) != PINFS_MAGIC_JREC ||
		    le64_to_cpu(rec->seq) <= end->seq)
			break;
		add(&a->of[TARGET_RECORD],
		    (start + end->offset) / PINFS_LINE_SIZE);
		end->seq = le64_to_cpu(rec->seq);
		if (end->seq > a->last_seq)
			a->last_seq = end->seq;
		end->offset += le32_to_cpu(rec->length);
	}
}

void atlas_make(struct atlas *a, const struct pool *pool)
{
	const struct pinfs_super *sb = block(pool, 0);
	uint64_t journal = le64_to_cpu(sb->journal_start);
	const struct pinfs_jstate *state;

	a->seed = le64_to_cpu(sb->csum_seed);
	a->lanes_start = journal + 2;
	a->lanes = le32_to_cpu(sb->lanes);
	a->lane_blocks = le32_to_cpu(sb->lane_blocks);
	add(&a->of[TARGET_SUPER], 0);
	add(&a->of[TARGET_SUPER], IMAGE_BLOCKS - 1);
	add(&a->of[TARGET_JSTATE], journal);
	add(&a->of[TARGET_JSTATE], journal + 1);
	add(&a->of[TARGET_ROOT], le64_to_cpu(sb->root_block));
	look_for_inodes(a, pool, le64_to_cpu(sb->root_block));
	for (uint64_t b = le64_to_cpu(sb->groups_start); b < IMAGE_BLOCKS - 1;
	     b++)
		look_at_block(a, pool, b);
	for (uint64_t b = 0; b < IMAGE_BLOCKS; b++)
		add(&a->of[TARGET_ANY], b);
	state = format_jstate_pick(block(pool, journal),
				   block(pool, journal + 1), journal, a->seed);
	for (uint32_t i = 0; state && i < a->lanes; i++)
		look_at_lane(a, pool, state, i);
	for (unsigned int t = 0; t <= TARGET_ANY; t++)
		if (a->of[t].count == 0)
			die("the image has nothing of kind %u", t);
}
