// SPDX-License-Identifier: BSD-3-Clause
/* The pass space: the bitmaps say what the passes before have seen. */
#include <inttypes.h>

#include "base/util.h"
#include "fsck.h"

/* struct mismatch - neighbouring blocks with the same thing wrong */
struct mismatch {
	enum code code; /* CODES: none */
	uint64_t first;
	uint64_t count;
};

static void flush(struct fsck *f, struct mismatch *m)
{
	if (m->code != CODES)
		found(f->findings, m->code, NOWHERE, m->first,
		      "%" PRIu64 " blocks", m->count);
	m->code = CODES;
}

static void add(struct fsck *f, struct mismatch *m, enum code code,
		uint64_t blkno)
{
	if (m->code == code && m->first + m->count == blkno) {
		m->count++;
		return;
	}
	flush(f, m);
	*m = (struct mismatch){ code, blkno, 1 };
}

/* wanted - 64 bits of what the bitmap should be; beyond the pool they are set */
static uint64_t wanted(const struct fsck *f, uint64_t first)
{
	if (first >= f->total)
		return UINT64_MAX;
	if (f->total - first < 64)
		return f->used.word[first / 64] | UINT64_MAX
							  << (f->total - first);
	return f->used.word[first / 64];
}

static void compare(struct fsck *f, uint64_t group,
		    const struct pinfs_bitmap *b, struct mismatch *m)
{
	uint64_t first = group * PINFS_GROUP_BLOCKS, want, have, diff;
	unsigned int i, bit;

	for (i = 0; i < PINFS_BITMAP_BYTES / 8; i++, first += 64) {
		want = wanted(f, first);
		have = le64_to_cpu(b->bits[i]);
		for (diff = want ^ have; diff; diff &= diff - 1) {
			bit = (unsigned int)__builtin_ctzll(diff);
			add(f, m,
			    want >> bit & 1 ? BLOCK_UNMARKED : BLOCK_LEAKED,
			    first + bit);
		}
	}
}

static void check_counts(struct fsck *f, uint64_t free_blocks)
{
	if (!f->state)
		return;
	if (le64_to_cpu(f->state->free_blocks) != free_blocks)
		found(f->findings, COUNT_BLOCKS, NOWHERE, NOWHERE,
		      "it says %" PRIu64 ", and there are %" PRIu64,
		      le64_to_cpu(f->state->free_blocks), free_blocks);
	if (le64_to_cpu(f->state->used_inodes) != f->used_inodes)
		found(f->findings, COUNT_INODES, NOWHERE, NOWHERE,
		      "it says %" PRIu64 ", and there are %" PRIu64,
		      le64_to_cpu(f->state->used_inodes), f->used_inodes);
}

int pass_space(struct fsck *f)
{
	struct mismatch m = { .code = CODES };
	const struct pinfs_bitmap *b;
	uint64_t g, blkno, free_blocks = 0;
	const char *why = "";
	bool whole = true;

	for (g = 0; g < le64_to_cpu(f->sb->groups); g++) {
		blkno = le64_to_cpu(f->sb->groups_start) + g;
		b = block_at(f, blkno);
		if (!b || format_bitmap_verify(b, PINFS_MAGIC_GROUP, g, blkno,
					       f->seed, &why)) {
			found(f->findings, GROUP_DAMAGED, NOWHERE, blkno,
			      "group %" PRIu64 ": %s", g, why);
			whole = false;
			continue;
		}
		free_blocks += le64_to_cpu(b->hdr.spec[1]);
		compare(f, g, b, &m);
	}
	flush(f, &m);
	findings_note(f->findings, "blocks", f->total);
	findings_note(f->findings, "free_blocks", free_blocks);
	if (whole)
		check_counts(f, free_blocks);
	return 0;
}
