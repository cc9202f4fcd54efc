// SPDX-License-Identifier: BSD-3-Clause
/* Free space: where runs are, that nobody gets a block twice, and damage. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "format/csum.h"
#include "journal/journal_i.h"
#include "jrig.h"
#include "scratch_volume.h"
#include "space/bitmap.h"
#include "scratch.h"

#define CHUNK	PINFS_CHUNK_BLOCKS
#define GROUP	PINFS_GROUP_BLOCKS
#define THREADS 4u

static struct jrig r;

static void make(enum scratch_kind kind, uint64_t size)
{
	jrig_make(&r, kind, size);
	jrig_open_space(&r);
}

static void make_file(uint64_t size, unsigned int flags)
{
	jrig_make_file(&r, size, flags);
	jrig_open_space(&r);
}

static void finish(void)
{
	ck_assert_int_eq(jrig_close(&r), 0);
	jrig_open(&r);
	jrig_check_space(&r);
	ck_assert_int_eq(jrig_close(&r), 0);
}

/* take - commit one allocation; what space_alloc() returned */
static int take(uint64_t goal, uint64_t want, unsigned int flags,
		struct space_run *run)
{
	struct tx *tx = tx_begin(r.j);
	int err = space_alloc(r.sp, tx, goal, want, flags, run);

	if (err)
		tx_abort(tx);
	else
		ck_assert_int_eq(tx_commit(tx), 0);
	return err;
}

static int give(uint64_t first, uint64_t count)
{
	struct tx *tx = tx_begin(r.j);
	int err = space_free(r.sp, tx, first, count);

	if (err)
		tx_abort(tx);
	else
		ck_assert_int_eq(tx_commit(tx), 0);
	return err;
}

/* mark - blocks in use by nothing: before space_open() has looked */
static void mark_in_use(uint64_t first, uint64_t count)
{
	struct tx *tx = tx_begin(r.j);
	uint64_t n;

	for (; count > 0; first += n, count -= n) {
		n = min_u64(count, GROUP - first % GROUP);
		ck_assert_int_eq(
			tx_set_bits(tx, jrig_bitmap(&r) + first / GROUP,
				    (uint32_t)(first % GROUP), (uint32_t)n),
			0);
		tx_count(tx, -(int64_t)n, 0);
	}
	ck_assert_int_eq(tx_commit(tx), 0);
}

/* --- places --------------------------------------------------------------- */

/* A 1 GiB file on a fresh pool can be mapped by huge pages. */
START_TEST(large_runs_are_aligned)
{
	uint64_t left = 262144, goal = 0, runs = 0;
	struct space_run run;

	make(SCRATCH_MEMORY, 2ull << 30);
	while (left > 0) {
		ck_assert_int_eq(take(goal, left, 0, &run), 0);
		ck_assert_uint_eq(run.first % CHUNK, 0);
		ck_assert(run.count == left || run.count % CHUNK == 0);
		left -= run.count;
		goal = run.first + run.count;
		runs++;
	}
	/* One a group: the first is begun, and the last may end anywhere. */
	ck_assert_uint_le(runs, 262144 / GROUP + 2);
	finish();
}
END_TEST

START_TEST(small_runs_align_when_asked)
{
	struct space_run run;

	make(SCRATCH_MEMORY, 64ull << 20);
	ck_assert_int_eq(take(0, 3, 0, &run), 0);
	ck_assert_uint_ne(run.first % CHUNK, 0);
	ck_assert_int_eq(take(0, 3, SPACE_ALIGN, &run), 0);
	ck_assert_uint_eq(run.first % CHUNK, 0);
	ck_assert_uint_eq(run.count, 3);
	finish();
}
END_TEST

START_TEST(goal_is_continued)
{
	struct space_run a, b, c;

	make(SCRATCH_MEMORY, 64ull << 20);
	ck_assert_int_eq(take(0, 5, 0, &a), 0);
	ck_assert_int_eq(take(a.first + 5000, 5, 0, &b), 0);
	ck_assert_uint_eq(b.first, a.first + 5000);
	/* Behind each of them, in turn, though lower blocks are free. */
	for (unsigned int i = 0; i < 20; i++) {
		ck_assert_int_eq(take(b.first + 5 * (i + 1), 5, 0, &c), 0);
		ck_assert_uint_eq(c.first, b.first + 5 * (i + 1));
		ck_assert_uint_eq(c.count, 5);
	}
	/* Large ones, too, though it is not aligned. */
	ck_assert_int_eq(take(c.first + 5, 2 * CHUNK, 0, &c), 0);
	ck_assert_uint_eq(c.first, b.first + 105);
	ck_assert_uint_eq(c.count, 2 * CHUNK);
	/* What is taken can't be: near it, and whole. */
	ck_assert_int_eq(take(a.first, 5, 0, &c), 0);
	ck_assert_uint_eq(c.first, a.first + 5);
	/* A goal past the pool is none. */
	ck_assert_int_eq(take(1ull << 50, 5, 0, &c), 0);
	ck_assert_uint_eq(c.count, 5);
	finish();
}
END_TEST

/* What begins at the goal is long, but not long enough. */
START_TEST(exact_is_whole_at_the_goal)
{
	struct space_run a, b;

	make(SCRATCH_MEMORY, JRIG_SMALL);
	ck_assert_int_eq(take(0, 5, 0, &a), 0);
	ck_assert_int_eq(take(a.first + 5 + 80, 1, 0, &b), 0);
	ck_assert_uint_eq(b.first, a.first + 85);
	ck_assert_int_eq(take(a.first + 5, 100, SPACE_EXACT, &b), 0);
	ck_assert_uint_eq(b.count, 100);
	ck_assert_uint_eq(b.first, a.first + 86);
	/* Else it is worth taking. */
	ck_assert_int_eq(take(a.first + 5, 100, 0, &b), 0);
	ck_assert_uint_eq(b.count, 80);
	ck_assert_uint_eq(b.first, a.first + 5);
	finish();
}
END_TEST

/* --- what is taken, and given back ---------------------------------------- */

START_TEST(abort_gives_back)
{
	struct space_run run, again;
	uint64_t before;
	struct tx *tx;

	make((enum scratch_kind)_i, JRIG_SMALL);
	before = space_available(r.sp);
	tx = tx_begin(r.j);
	ck_assert_int_eq(space_alloc(r.sp, tx, 0, 700, 0, &run), 0);
	ck_assert_uint_eq(run.count, 700);
	ck_assert_uint_eq(space_available(r.sp), before - 700);
	/* Taken at once, though not in use yet. */
	ck_assert_int_eq(take(run.first, 700, 0, &again), 0);
	ck_assert(again.first >= run.first + 700 ||
		  again.first + again.count <= run.first);
	tx_abort(tx);
	ck_assert_uint_eq(space_available(r.sp), before - 700);
	ck_assert_int_eq(take(run.first, 700, 0, &again), 0);
	ck_assert_uint_eq(again.first, run.first);
	/* A free that is aborted leaves it in use. */
	tx = tx_begin(r.j);
	ck_assert_int_eq(space_free(r.sp, tx, run.first, 700), 0);
	tx_abort(tx);
	ck_assert_uint_eq(space_available(r.sp), before - 1400);
	ck_assert_uint_eq(space_pending(r.sp), 0);
	ck_assert_int_eq(give(run.first, 700), 0);
	ck_assert_int_eq(journal_bring_home(r.j), 0);
	ck_assert_uint_eq(space_available(r.sp), before - 700);
	finish();
}
END_TEST

/* A transaction may give back what it has taken. */
START_TEST(taken_and_given_in_one)
{
	struct space_run run;
	int64_t before;
	struct tx *tx;

	make((enum scratch_kind)_i, JRIG_SMALL);
	for (unsigned int commit = 0; commit < 2; commit++) {
		before = jrig_free_blocks(&r);
		tx = tx_begin(r.j);
		ck_assert_int_eq(space_alloc(r.sp, tx, 0, 10, 0, &run), 0);
		ck_assert_int_eq(space_free(r.sp, tx, run.first + 2, 3), 0);
		if (commit)
			ck_assert_int_eq(tx_commit(tx), 0);
		else
			tx_abort(tx);
		ck_assert_int_eq(jrig_free_blocks(&r),
				 before - (commit ? 7 : 0));
		ck_assert_int_eq(journal_bring_home(r.j), 0);
	}
	/* Those three can be had. */
	ck_assert_int_eq(take(run.first + 2, 3, SPACE_EXACT, &run), 0);
	ck_assert_int_eq(jrig_free_blocks(&r), before - 10);
	finish();
}
END_TEST

START_TEST(frees_are_pending_until_home)
{
	struct space_run run, other;
	uint64_t before;

	/* A round of the checkpointer's is ours to make. */
	make_file(JRIG_SMALL, JOURNAL_NO_THREAD);
	before = space_available(r.sp);
	ck_assert_int_eq(take(0, 100, 0, &run), 0);
	ck_assert_int_eq(checkpoint_round(r.j), 0);
	ck_assert_int_eq(give(run.first, 100), 0);
	ck_assert_uint_eq(space_pending(r.sp), 100);
	ck_assert_uint_eq(space_available(r.sp), before - 100);
	ck_assert_int_eq(take(run.first, 100, 0, &other), 0);
	ck_assert_uint_ge(other.first, run.first + 100);
	ck_assert_int_eq(give(other.first, 100), 0);
	ck_assert_int_eq(checkpoint_round(r.j), 0);
	ck_assert_uint_eq(space_pending(r.sp), 0);
	ck_assert_uint_eq(space_available(r.sp), before);
	ck_assert_int_eq(take(run.first, 100, 0, &other), 0);
	ck_assert_uint_eq(other.first, run.first);
	/* Without a disk in between: at once. */
	ck_assert_int_eq(jrig_close(&r), 0);
	r.as_file = false;
	jrig_open(&r);
	jrig_open_space(&r);
	ck_assert_int_eq(give(run.first, 100), 0);
	ck_assert_uint_eq(space_pending(r.sp), 0);
	ck_assert_uint_eq(space_available(r.sp), before);
	finish();
}
END_TEST

START_TEST(free_asks_whether_in_use)
{
	uint64_t total, first_free, before;
	struct space_run run;
	struct tx *tx;

	if (_i)
		make_file(JRIG_SMALL, 0);
	else
		make(SCRATCH_MEMORY, JRIG_SMALL);
	total = le64_to_cpu(r.sb.total_blocks);
	first_free = le64_to_cpu(r.sb.first_free);
	ck_assert_int_eq(take(0, 10, 0, &run), 0);
	before = space_available(r.sp);
	ck_assert_int_eq(give(run.first, 11), -EUCLEAN);
	ck_assert_int_eq(give(run.first + 10, 1), -EUCLEAN);
	ck_assert_int_eq(give(total, 1), -EUCLEAN);
	ck_assert_int_eq(give(run.first, total), -EUCLEAN);
	ck_assert_int_eq(give(run.first, UINT64_MAX), -EUCLEAN);
	ck_assert_int_eq(give(UINT64_MAX, 1), -EUCLEAN);
	/* In use, but not to be given away: all that is fixed. */
	ck_assert_int_eq(give(0, 1), -EUCLEAN);
	ck_assert_int_eq(give(first_free - 1, 1), -EUCLEAN);
	ck_assert_int_eq(give(total - 1, 1), -EUCLEAN);
	/* Twice, as of a file whose damaged map names a block twice (S5). */
	tx = tx_begin(r.j);
	ck_assert_int_eq(space_free(r.sp, tx, run.first, 4), 0);
	ck_assert_int_eq(space_free(r.sp, tx, run.first + 3, 1), -EUCLEAN);
	tx_abort(tx);
	tx = tx_begin(r.j);
	ck_assert_int_eq(space_free(r.sp, tx, run.first, 4), 0);
	ck_assert_int_eq(tx_commit(tx), 0);
	ck_assert_int_eq(give(run.first + 2, 5), -EUCLEAN);
	ck_assert_int_eq(give(run.first + 4, 6), 0);
	ck_assert_int_eq(journal_bring_home(r.j), 0);
	ck_assert_int_eq(give(run.first, 1), -EUCLEAN);
	ck_assert_uint_eq(space_available(r.sp), before + 10);
	finish();
}
END_TEST

/* A damaged map may also name a block that somebody is just about to get. */
START_TEST(free_of_what_is_being_taken)
{
	struct space_run run, again;
	struct tx *tx;

	make(SCRATCH_MEMORY, JRIG_SMALL);
	tx = tx_begin(r.j);
	ck_assert_int_eq(space_alloc(r.sp, tx, 0, 10, 0, &run), 0);
	ck_assert_int_eq(give(run.first + 3, 1), 0);
	ck_assert_int_eq(give(run.first + 3, 1), -EUCLEAN);
	tx_abort(tx);
	ck_assert_int_eq(take(run.first, 10, SPACE_EXACT, &again), 0);
	ck_assert_uint_eq(again.first, run.first);
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

static uint64_t told_first, told_count;

static int tell(void *arg, uint64_t first, uint64_t count)
{
	*(unsigned int *)arg += 1;
	told_first = first;
	told_count = count;
	return 0;
}

START_TEST(free_spans_groups)
{
	unsigned int told = 0;
	uint64_t before;

	make(SCRATCH_MEMORY, 512ull << 20);
	space_close(r.sp);
	mark_in_use(GROUP - 20, 20);
	mark_in_use(GROUP, GROUP);
	mark_in_use(2 * GROUP, 30);
	jrig_open_space(&r);
	space_on_free(r.sp, tell, &told);
	before = space_available(r.sp);
	ck_assert_int_eq(give(GROUP - 20, GROUP + 50), 0);
	ck_assert_uint_eq(told, 1);
	ck_assert_uint_eq(told_first, GROUP - 20);
	ck_assert_uint_eq(told_count, GROUP + 50);
	ck_assert_uint_eq(space_available(r.sp), before + GROUP + 50);
	finish();
}
END_TEST

/* --- little space --------------------------------------------------------- */

START_TEST(reserve_is_for_deleting)
{
	struct space_run run;
	uint64_t left;

	make(SCRATCH_MEMORY, JRIG_SMALL);
	while (take(0, 4096, 0, &run) == 0)
		ck_assert_uint_ge(run.count, 1);
	ck_assert_uint_eq(space_available(r.sp), 0);
	left = (uint64_t)jrig_free_blocks(&r);
	ck_assert_uint_ge(left, 32);
	ck_assert_int_eq(take(0, 1, 0, &run), -ENOSPC);
	ck_assert_int_eq(take(0, 1, SPACE_EXACT, &run), -ENOSPC);
	for (; left > 0; left -= run.count)
		ck_assert_int_eq(take(0, 5, SPACE_RESERVE, &run), 0);
	ck_assert_int_eq(take(0, 1, SPACE_RESERVE, &run), -ENOSPC);
	ck_assert_int_eq(jrig_free_blocks(&r), 0);
	/* One block given back fills the reserve again first. */
	ck_assert_int_eq(give(run.first, run.count), 0);
	ck_assert_int_eq(take(0, 1, 0, &run), -ENOSPC);
	ck_assert_int_eq(take(0, 1, SPACE_RESERVE, &run), 0);
	finish();
}
END_TEST

/* fragment - of each 8 blocks of the pool all but the first are in use */
static void fragment(uint64_t groups)
{
	uint64_t from = jrig_block(&r, 0);

	for (uint64_t g = 0; g < groups; g++) {
		uint64_t at = max_u64(g * GROUP, from), end = (g + 1) * GROUP;
		struct tx *tx = tx_begin(r.j);

		end = min_u64(end, le64_to_cpu(r.sb.total_blocks) - 1);
		for (at = round_up_u64(at, 8); at + 8 <= end; at += 8) {
			tx_set_bits(tx, jrig_bitmap(&r) + g,
				    (uint32_t)(at % GROUP) + 1, 7);
			tx_count(tx, -7, 0);
			if (tx_weight(tx) > 16384) {
				ck_assert_int_eq(tx_commit(tx), 0);
				tx = tx_begin(r.j);
			}
		}
		ck_assert_int_eq(tx_commit(tx), 0);
	}
}

START_TEST(fragments_can_be_had)
{
	unsigned char *seen = calloc(1, 131072);
	struct space_run run;
	uint64_t n = 0;

	make(SCRATCH_MEMORY, 512ull << 20);
	space_close(r.sp);
	fragment(le64_to_cpu(r.sb.groups));
	jrig_open_space(&r);
	/* Whatever is wanted. */
	while (take(0, n % 3 ? 100 : 1, 0, &run) == 0) {
		n++;
		ck_assert_uint_ge(run.count, 1);
		for (uint64_t b = run.first; b < run.first + run.count; b++)
			if (seen[b]++)
				ck_abort_msg("block %llu twice",
					     (unsigned long long)b);
	}
	ck_assert_uint_gt(n, 10000);
	ck_assert_uint_eq(space_available(r.sp), 0);
	free(seen);
	finish();
}
END_TEST

/* What is to be in one run is found wherever it is. */
START_TEST(exact_looks_everywhere)
{
	struct space_run run;
	uint64_t last;

	make(SCRATCH_MEMORY, 4ull << 30);
	space_close(r.sp);
	ck_assert_uint_ge(le64_to_cpu(r.sb.groups), 30);
	fragment(30);
	last = 30 * GROUP;
	mark_in_use(last, le64_to_cpu(r.sb.total_blocks) - 1 - last - 100);
	jrig_open_space(&r);
	ck_assert_int_eq(take(0, 60, SPACE_EXACT, &run), 0);
	ck_assert_uint_eq(run.count, 60);
	ck_assert_uint_ge(run.first, last);
	ck_assert_int_eq(take(0, 60, SPACE_EXACT, &run), -ENOSPC);
	ck_assert_int_eq(take(0, GROUP + 1, SPACE_EXACT, &run), -ENOSPC);
	finish();
}
END_TEST

/* The largest that was seen, not the first. */
START_TEST(largest_is_taken)
{
	struct space_run run;

	make(SCRATCH_MEMORY, 1ull << 30);
	space_close(r.sp);
	fragment(8);
	/* A hole of 40 blocks in the third group. */
	for (uint64_t at = 0; at < 40; at += 8) {
		struct tx *tx = tx_begin(r.j);

		tx_clear_bits(tx, jrig_bitmap(&r) + 2, (uint32_t)(800 + at), 8);
		tx_count(tx, 7, 0);
		ck_assert_int_eq(tx_commit(tx), 0);
	}
	mark_in_use(8 * GROUP, le64_to_cpu(r.sb.total_blocks) - 1 - 8 * GROUP);
	jrig_open_space(&r);
	ck_assert_int_eq(take(1, 1000, 0, &run), 0);
	ck_assert_uint_eq(run.first, 2 * GROUP + 800);
	ck_assert_uint_eq(run.count, 41);
	/* It is gone: a fragment, though hints remember more. */
	ck_assert_int_eq(take(1, 1000, 0, &run), 0);
	ck_assert_uint_le(run.count, 8);
	finish();
}
END_TEST

/* --- damage --------------------------------------------------------------- */

START_TEST(damaged_bitmap_is_passed_over)
{
	uint64_t taken = 0;
	struct space_run run;
	uint8_t *b;

	make(SCRATCH_MEMORY, 512ull << 20);
	ck_assert_int_eq(jrig_close(&r), 0);
	jrig_open_pool(&r);
	b = r.pool->base + (jrig_bitmap(&r) + 1) * PINFS_BLOCK_SIZE;
	b[2000] ^= 4;
	jrig_open_journal(&r);
	jrig_open_space(&r);
	while (take(0, 50000, 0, &run) == 0) {
		ck_assert_uint_ne(run.first / GROUP, 1);
		taken += run.count;
	}
	ck_assert_uint_gt(taken, 2 * GROUP);
	/* Its blocks count as free, but cannot be had: no space. */
	ck_assert_int_eq(take(GROUP + 5, 1, SPACE_EXACT, &run), -ENOSPC);
	ck_assert_int_eq(give(GROUP + 5, 1), -EUCLEAN);
	ck_assert_int_eq(jrig_close(&r), 0);
	/* Nobody has repaired it in passing. */
	jrig_open_pool(&r);
	b = r.pool->base + (jrig_bitmap(&r) + 1) * PINFS_BLOCK_SIZE;
	b[2000] ^= 4;
	jrig_open_journal(&r);
	jrig_check_space(&r);
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

/* A bitmap that is whole may still be a lie (S5). */
START_TEST(fixed_blocks_are_not_given_out)
{
	struct space_run run;
	struct pinfs_bitmap *b;
	uint64_t last, at, n = 0;

	make(SCRATCH_MEMORY, 512ull << 20);
	last = le64_to_cpu(r.sb.total_blocks) - 1;
	at = _i == 0 ? 1 : _i == 1 ? last : last + 3;
	ck_assert_int_eq(jrig_close(&r), 0);
	jrig_open_pool(&r);
	b = (void *)(r.pool->base +
		     (jrig_bitmap(&r) + at / GROUP) * PINFS_BLOCK_SIZE);
	b->bits[at % GROUP / 64].raw &= ~htole64(1ull << at % 64);
	b->hdr.spec[1] = cpu_to_le64(le64_to_cpu(b->hdr.spec[1]) + 1);
	format_block_seal(&b->hdr, jrig_bitmap(&r) + at / GROUP,
			  le64_to_cpu(r.sb.csum_seed));
	jrig_open_journal(&r);
	jrig_open_space(&r);
	while (take(0, 50000, 0, &run) == 0) {
		ck_assert_uint_ge(run.first, le64_to_cpu(r.sb.first_free));
		ck_assert_uint_le(run.first + run.count, last);
		ck_assert_uint_ne(run.first / GROUP, at / GROUP);
		n += run.count;
	}
	ck_assert_uint_gt(n, 2 * GROUP);
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

/* --- threads -------------------------------------------------------------- */

#define HELD 200u

struct worker {
	pthread_t thread;
	unsigned int index;
	unsigned int rounds;
	struct space_run held[HELD];
	unsigned int n;
	uint64_t nospace;
};

/* Who has a block; 0: nobody. */
static _Atomic uint8_t *owner;

static void own(struct worker *w, const struct space_run *run)
{
	for (uint64_t b = run->first; b < run->first + run->count; b++) {
		uint8_t was =
			atomic_exchange(&owner[b], (uint8_t)(w->index + 1));

		if (was)
			ck_abort_msg("block %llu is %u's and %u's",
				     (unsigned long long)b, was, w->index + 1);
	}
}

static void disown(struct worker *w, const struct space_run *run)
{
	for (uint64_t b = run->first; b < run->first + run->count; b++)
		if (atomic_exchange(&owner[b], 0) != w->index + 1)
			ck_abort_msg("block %llu was not mine",
				     (unsigned long long)b);
}

static void add_some(struct worker *w, uint64_t *seed)
{
	uint64_t x = scratch_random(seed);
	unsigned int guard = journal_enter(r.j);
	struct tx *tx = tx_begin(r.j);
	struct space_run run;
	int err = space_alloc(r.sp, tx, x % 4096, (x >> 16) % 60 + 1,
			      (x >> 32) % 8, &run);

	if (err) {
		if (err != -ENOSPC)
			ck_abort_msg("space_alloc: %d", err);
		w->nospace++;
		tx_abort(tx);
	} else if ((x >> 40) % 4 == 0) {
		own(w, &run);
		disown(w, &run);
		tx_abort(tx);
	} else {
		own(w, &run);
		w->held[w->n++] = run;
		if (tx_commit(tx))
			ck_abort_msg("commit");
	}
	journal_leave(r.j, guard);
}

static void give_one(struct worker *w, uint64_t *seed)
{
	unsigned int i = (unsigned int)(scratch_random(seed) % w->n);
	struct space_run run = w->held[i];
	unsigned int guard = journal_enter(r.j);
	struct tx *tx = tx_begin(r.j);

	if (space_free(r.sp, tx, run.first, run.count))
		ck_abort_msg("space_free");
	disown(w, &run);
	w->held[i] = w->held[--w->n];
	if (tx_commit(tx))
		ck_abort_msg("commit");
	journal_leave(r.j, guard);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t seed = w->index;

	for (unsigned int i = 0; i < w->rounds; i++) {
		if (w->n > 0 && (w->n == HELD || scratch_random(&seed) % 5 < 2))
			give_one(w, &seed);
		else
			add_some(w, &seed);
	}
	return NULL;
}

static int64_t run_workers(struct worker *w, unsigned int rounds)
{
	int64_t held = 0;

	for (unsigned int i = 0; i < THREADS; i++) {
		w[i].index = i;
		w[i].rounds = rounds;
		ck_assert_int_eq(
			pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		for (unsigned int k = 0; k < w[i].n; k++)
			held += (int64_t)w[i].held[k].count;
	}
	return held;
}

/*
 * _i & 1: memory or file; _i & 2: closed or killed. More is wanted than there
 * is, so that some get nothing.
 */
START_TEST(nobody_shares_a_block)
{
	static struct worker w[THREADS];
	const struct pinfs_bitmap *map;
	int64_t before, held;
	uint64_t nospace = 0;

	if (_i & 1)
		make_file(JRIG_SMALL, 0);
	else
		make(SCRATCH_MEMORY, JRIG_SMALL);
	owner = calloc(4096, 1);
	before = jrig_free_blocks(&r);
	held = run_workers(w, 4000);
	for (unsigned int i = 0; i < THREADS; i++)
		nospace += w[i].nospace;
	ck_assert_uint_gt(nospace, 0);
	ck_assert_int_eq(jrig_free_blocks(&r), before - held);
	ck_assert_int_eq(journal_bring_home(r.j), 0);
	ck_assert_uint_eq(space_pending(r.sp), 0);
	if (_i & 2)
		jrig_crash(&r);
	else
		ck_assert_int_eq(jrig_close(&r), 0);

	jrig_open(&r);
	ck_assert_int_eq(jrig_free_blocks(&r), before - held);
	jrig_check_space(&r);
	map = (const void *)(r.pool->base + jrig_bitmap(&r) * PINFS_BLOCK_SIZE);
	for (uint64_t b = jrig_block(&r, 0); b < 4095; b++)
		if ((le64_to_cpu(map->bits[b / 64]) >> b % 64 & 1) !=
		    (owner[b] != 0))
			ck_abort_msg("block %llu: %u", (unsigned long long)b,
				     owner[b]);
	ck_assert_int_eq(jrig_close(&r), 0);
	free((void *)owner);
}
END_TEST

static TCase *tcase_places(void)
{
	TCase *tc = tcase_create("places");

	tcase_add_test(tc, large_runs_are_aligned);
	tcase_add_test(tc, small_runs_align_when_asked);
	tcase_add_test(tc, goal_is_continued);
	tcase_add_test(tc, exact_is_whole_at_the_goal);
	tcase_add_loop_test(tc, abort_gives_back, 0, SCRATCH_KINDS);
	tcase_add_loop_test(tc, taken_and_given_in_one, 0, SCRATCH_KINDS);
	tcase_add_test(tc, frees_are_pending_until_home);
	tcase_add_loop_test(tc, free_asks_whether_in_use, 0, 2);
	tcase_add_test(tc, free_of_what_is_being_taken);
	tcase_add_test(tc, free_spans_groups);
	return tc;
}

static TCase *tcase_little(void)
{
	TCase *tc = tcase_create("little");

	tcase_add_test(tc, reserve_is_for_deleting);
	tcase_add_test(tc, fragments_can_be_had);
	tcase_add_test(tc, exact_looks_everywhere);
	tcase_add_test(tc, largest_is_taken);
	tcase_add_test(tc, damaged_bitmap_is_passed_over);
	tcase_add_loop_test(tc, fixed_blocks_are_not_given_out, 0, 3);
	tcase_add_loop_test(tc, nobody_shares_a_block, 0, 4);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("space");
	TCase *tc[] = { tcase_places(), tcase_little() };

	for (unsigned int i = 0; i < ARRAY_SIZE(tc); i++) {
		tcase_add_unchecked_fixture(tc[i], scratch_setup,
					    scratch_teardown);
		tcase_set_timeout(tc[i], 20);
		suite_add_tcase(s, tc[i]);
	}
	return scratch_run(s);
}
