// SPDX-License-Identifier: BSD-3-Clause
/* Free space: allocation in an empty pool, and in one that is 95 % full. */
#include <errno.h>
#include <stdio.h>

#include "scale.h"

#define ALLOCS 2000u
#define HUGE   512u /* blocks of 2 MiB */

static const struct {
	const char *what;
	uint64_t want;
	unsigned int flags;
	bool goals; /* near a random block, else anywhere */
} kinds[] = {
	{ "space/a block anywhere", 1, 0, false },
	{ "space/a block near a random one", 1, 0, true },
	{ "space/2 MiB, aligned", HUGE, SPACE_ALIGN, false },
	{ "space/2 MiB near a random block", HUGE, 0, true },
};

/* The states of a pool: sizes of the series. */
enum { EMPTY, PIECES, SINGLES, STATES };

static unsigned int aligned[ARRAY_SIZE(kinds)][STATES];

/* allocations - nanoseconds of one; each is given back at once */
static double allocations(struct rig *r, unsigned int k, unsigned int state)
{
	struct volume *vol = fs_volume(r->fs);
	uint64_t total = 0;

	aligned[k][state] = 0;
	for (unsigned int i = 0; i < ALLOCS; i++) {
		unsigned int guard = journal_enter(vol->journal);
		uint64_t goal = kinds[k].goals ? below(vol->total_blocks) : 0;
		struct tx *tx = tx_begin(vol->journal);
		uint64_t start = cpu_ns();
		struct space_run run;

		must(space_alloc(vol->space, tx, goal, kinds[k].want,
				 kinds[k].flags, &run),
		     "alloc");
		total += cpu_ns() - start;
		aligned[k][state] += run.first % HUGE == 0 && run.count >= HUGE;
		tx_abort(tx);
		journal_leave(vol->journal, guard);
	}
	return (double)total / ALLOCS;
}

/*
 * fragment - free 5 % again, by 2 MiB: whole pieces for one in 40, and of the
 * others some blocks that lie apart; or only such
 */
static void fragment(struct rig *r, bool pieces)
{
	struct volume *vol = fs_volume(r->fs);
	uint64_t at = round_up_u64(le64_to_cpu(vol->super.first_free), HUGE);

	for (; at + HUGE < vol->total_blocks; at += HUGE) {
		unsigned int guard = journal_enter(vol->journal);
		struct tx *tx = tx_begin(vol->journal);
		uint64_t n = pieces && below(40) == 0 ? HUGE : 1;
		uint64_t step = n == HUGE ? n : pieces ? 39 : 20;

		for (uint64_t i = 0; i + n <= HUGE; i += step)
			must(space_free(vol->space, tx, at + i, n), "free");
		must(tx_commit(tx), "free");
		journal_leave(vol->journal, guard);
	}
}

static double free_share(struct rig *r)
{
	struct volume *vol = fs_volume(r->fs);

	return 100.0 * (double)space_available(vol->space) /
	       (double)vol->total_blocks;
}

/* tell - with the share that is free as the size of each state */
static void tell(struct samples *s, const double *share)
{
	static const char *const state[] = {
		"empty", "half of what is free in 2 MiB pieces",
		"free in single blocks"
	};
	static const double number[] = { 0, 1, 2 };

	put_chart("space", "One allocation of a pool of 16 GiB",
		  "state: 0 empty, 1 full with half of what is free in 2 MiB "
		  "pieces, 2 full with free single blocks only");
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		put_samples(kinds[k].what, number, STATES, &s[k], "ns");
	for (unsigned int i = 0; i < STATES; i++)
		printf("#note\tspace\t%s: %.1f %% free; of %u allocations of "
		       "2 MiB near a random block %u lie on a 2 MiB boundary\n",
		       state[i], share[i], ALLOCS,
		       aligned[ARRAY_SIZE(kinds) - 1][i]);
}

void scale_space(void)
{
	static struct samples s[ARRAY_SIZE(kinds)];
	double share[STATES];
	struct rig r[STATES];

	for (unsigned int i = 0; i < STATES; i++) {
		rig_make(&r[i], i, 16 * GIB);
		rig_mount(&r[i]);
		if (i != EMPTY) {
			rig_take_all(&r[i]);
			fragment(&r[i], i == PIECES);
		}
		share[i] = free_share(&r[i]);
	}
	for (unsigned int round = 0; round < rounds; round++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			for (unsigned int i = 0; i < STATES; i++)
				s[k].v[i][round] =
					allocations(&r[i], (unsigned int)k, i);
	for (unsigned int i = 0; i < STATES; i++) {
		rig_unmount(&r[i]);
		rig_remove(&r[i]);
	}
	tell(s, share);
}
