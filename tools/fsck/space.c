// SPDX-License-Identifier: BSD-3-Clause
/* The pass space: the bitmaps say what the passes before have seen. */
#include <inttypes.h>
#include <string.h>

#include "base/util.h"
#include "fsck.h"
#include "repair.h"

/* struct mismatch - neighbouring blocks with the same thing wrong */
struct mismatch {
	enum code code; /* CODES: none */
	uint64_t first;
	uint64_t count;
};

static void flush(struct fsck *f, struct mismatch *m)
{
	if (m->code != CODES && found(f->findings, m->code, NOWHERE, m->first,
				      "%" PRIu64 " blocks", m->count))
		f->rep->remap = true;
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
	uint64_t used;

	if (first >= f->total)
		return UINT64_MAX;
	used = f->used.word[first / 64];
	if (f->rep && f->rep->hold)
		used |= f->rep->before.word[first / 64];
	if (f->total - first < 64)
		used |= UINT64_MAX << (f->total - first);
	return used;
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

/* --- repairs -------------------------------------------------------------- */

/* put_group - the bitmap as it should be; returns its clear bits */
static uint64_t put_group(struct fsck *f, uint64_t g)
{
	uint64_t blkno = le64_to_cpu(f->sb->groups_start) + g;
	uint64_t first = g * PINFS_GROUP_BLOCKS, clear = 0, want;
	struct pinfs_bitmap new = { 0 };
	const struct pinfs_bitmap *old = block_at(f, blkno);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(new.bits); i++) {
		want = wanted(f, first + i * 64);
		clear += 64u - (unsigned int)__builtin_popcountll(want);
		new.bits[i] = cpu_to_le64(want);
	}
	new.hdr.magic = cpu_to_le32(PINFS_MAGIC_GROUP);
	new.hdr.spec[0] = cpu_to_le64(g);
	new.hdr.spec[1] = cpu_to_le64(clear);
	format_block_seal(&new.hdr, blkno, f->seed);
	if (memcmp(old, &new, sizeof(new)))
		memcpy(edit(f, old), &new, sizeof(new));
	return clear;
}

static uint64_t put_groups(struct fsck *f)
{
	uint64_t free_blocks = 0, g;

	for (g = 0; g < le64_to_cpu(f->sb->groups); g++)
		free_blocks += put_group(f, g);
	f->rep->seen_group = 0;
	return free_blocks;
}

/* put_counts - into the journal's state, which says that it is clean, too */
static void put_counts(struct fsck *f, uint64_t free_blocks)
{
	const struct pinfs_jstate *old = f->state;
	struct pinfs_jstate *s;
	uint64_t at;

	if (le64_to_cpu(old->free_blocks) == free_blocks &&
	    le64_to_cpu(old->used_inodes) == f->used_inodes &&
	    le32_to_cpu(old->flags) & PINFS_JSTATE_CLEAN)
		return;
	s = edit(f, old);
	at = le64_to_cpu(s->hdr.blkno);
	s->flags = cpu_to_le32(PINFS_JSTATE_CLEAN);
	s->free_blocks = cpu_to_le64(free_blocks);
	s->used_inodes = cpu_to_le64(f->used_inodes);
	format_block_seal(&s->hdr, at, f->seed);
}

/* remember - what was in use when the repair began, in its bitmaps, too */
static void remember(struct fsck *f)
{
	uint64_t g, i, first;
	const struct pinfs_bitmap *b;

	for (i = 0; i < f->used.count / 64; i++)
		if (f->used.word[i])
			f->rep->before.word[i] |= f->used.word[i];
	for (g = 0; g < le64_to_cpu(f->sb->groups); g++) {
		first = g * PINFS_GROUP_BLOCKS;
		b = block_at(f, le64_to_cpu(f->sb->groups_start) + g);
		if (!group_is_good(f, g))
			continue;
		for (i = 0; i < ARRAY_SIZE(b->bits); i++)
			if (first + i * 64 + 64 <= f->total && b->bits[i].raw)
				f->rep->before.word[first / 64 + i] |=
					le64_to_cpu(b->bits[i]);
	}
}

void settle(struct fsck *f)
{
	if (!f->rep->settled)
		remember(f);
	f->rep->settled = true;
	f->rep->hold = true;
	put_counts(f, put_groups(f));
	f->rep->hold = false;
}

/* --- the pass ------------------------------------------------------------- */

static bool check_count(struct fsck *f, enum code code, uint64_t says,
			uint64_t are)
{
	return says != are &&
	       found(f->findings, code, NOWHERE, NOWHERE,
		     "it says %" PRIu64 ", and there are %" PRIu64, says, are);
}

static void check_counts(struct fsck *f, uint64_t free_blocks)
{
	bool put;

	if (!f->state)
		return;
	put = check_count(f, COUNT_BLOCKS, le64_to_cpu(f->state->free_blocks),
			  free_blocks);
	put |= check_count(f, COUNT_INODES, le64_to_cpu(f->state->used_inodes),
			   f->used_inodes);
	if (put)
		put_counts(f, free_blocks);
}

/* compare_groups - with what the passes have seen; false if one is damaged */
static bool compare_groups(struct fsck *f, uint64_t *free_blocks)
{
	struct mismatch m = { .code = CODES };
	const struct pinfs_bitmap *b;
	const char *why = "";
	bool whole = true;
	uint64_t g, blkno;

	for (g = 0; g < le64_to_cpu(f->sb->groups); g++) {
		blkno = le64_to_cpu(f->sb->groups_start) + g;
		b = block_at(f, blkno);
		if (b && !format_bitmap_verify(b, PINFS_MAGIC_GROUP, g, blkno,
					       f->seed, &why)) {
			*free_blocks += le64_to_cpu(b->hdr.spec[1]);
			compare(f, g, b, &m);
			continue;
		}
		whole = false;
		if (found(f->findings, GROUP_DAMAGED, NOWHERE, blkno,
			  "group %" PRIu64 ": %s", g, why))
			f->rep->remap = true;
	}
	flush(f, &m);
	return whole;
}

/* make_anew - silently what this repair itself has made, or emptied */
static bool make_anew(struct fsck *f)
{
	struct repair *rep = f->rep;

	if (!rep || !f->state || !(rep->settled || rep->emptied))
		return false;
	if (findings_left(f->findings))
		return false;
	put_groups(f);
	return true;
}

int pass_space(struct fsck *f)
{
	uint64_t free_blocks = 0;
	bool whole, anew = make_anew(f);

	whole = compare_groups(f, &free_blocks);
	findings_note(f->findings, "blocks", f->total);
	findings_note(f->findings, "free_blocks", free_blocks);
	if (anew || (f->rep && f->rep->remap && f->state &&
		     !findings_left(f->findings)))
		put_counts(f, put_groups(f));
	else if (whole)
		check_counts(f, free_blocks);
	return 0;
}
