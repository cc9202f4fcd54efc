// SPDX-License-Identifier: BSD-3-Clause
/*
 * Extents against a model: an array that says for each block of a file which
 * block of the pool it has.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "inode/extent.h"
#include "scratch_extents.h"
#include "scratch_fsck.h"
#include "scratch_scale.h"
#include "scratch.h"

#define MIB	(1ull << 20)
#define GIB	(1ull << 30)
#define LBLKS	16384u
#define EXTENTS scratch_scale(6000u, 3500u)
#define ROUNDS	scratch_scale(12000u, 2500u)

static struct scratch_extents se;
static uint64_t seed;

static uint64_t below(uint64_t n)
{
	return scratch_random(&seed) % n;
}

static void set_up(void)
{
	scratch_extents_make(&se, SCRATCH_MEMORY, 256 * MIB, LBLKS);
}

static void check_again(void)
{
	scratch_extents_compare(&se);
	scratch_extents_close(&se);
	scratch_fsck(se.sv.kind);
	scratch_extents_open(&se);
	scratch_extents_compare(&se);
}

static void tear_down(void)
{
	scratch_extents_close(&se);
	free(se.model);
}

static unsigned int level(void)
{
	unsigned int n;

	scratch_enter(&se.sv);
	n = le16_to_cpu(inode_read(se.ip, NULL)->tree_level);
	scratch_leave(&se.sv);
	return n;
}

/* --- single operations, with the model --------------------------------------- */

/* goal_for - often the block that continues the file's one before */
static uint64_t goal_for(uint64_t lblk)
{
	if (lblk == 0 || se.model[lblk - 1].pblk == 0 || below(4) == 0)
		return 0;
	return se.model[lblk - 1].pblk + 1;
}

/* add - up to len blocks at lblk, if there is a hole; committed or forgotten */
static void add(uint64_t lblk, uint64_t len, bool unwritten, bool commit)
{
	uint64_t room = 0, goal;
	struct space_run run;
	struct extent e;
	struct tx *tx;

	while (room < len && lblk + room < LBLKS &&
	       se.model[lblk + room].pblk == 0)
		room++;
	if (room == 0)
		return;
	/* Of one kind, so that they join. */
	goal = goal_for(lblk);
	if (goal)
		unwritten = se.model[lblk - 1].unwritten;
	tx = scratch_extents_begin(&se);
	ck_assert_int_eq(space_alloc(se.sv.vol->space, tx, goal, room, 0, &run),
			 0);
	e = (struct extent){ lblk, run.first, run.count, unwritten, false };
	ck_assert_int_eq(extent_add(se.ip, tx, &e), 0);
	scratch_extents_end(&se, tx, commit);
	for (uint64_t i = 0; commit && i < run.count; i++)
		se.model[lblk + i] =
			(struct scratch_cell){ run.first + i, unwritten };
}

/* remove_range - in transactions of a few extents each */
static void remove_range(uint64_t first, uint64_t end)
{
	int err;

	do {
		unsigned int budget = 1 + (unsigned int)below(8);
		struct tx *tx = scratch_extents_begin(&se);

		err = extent_remove(se.ip, tx, first, end, &budget);
		ck_assert(err == 0 || (err == -EAGAIN && budget == 0));
		scratch_extents_end(&se, tx, true);
	} while (err);
	memset(&se.model[first], 0, (end - first) * sizeof(*se.model));
}

static void mark_range(uint64_t first, uint64_t end, bool unwritten)
{
	uint64_t at = first;
	int err;

	do {
		unsigned int budget = 1 + (unsigned int)below(8);
		struct tx *tx = scratch_extents_begin(&se);

		err = extent_mark(se.ip, tx, &at, end, unwritten, &budget);
		ck_assert_msg(err == 0 || (err == -EAGAIN && budget == 0),
			      "extent_mark: %d", err);
		scratch_extents_end(&se, tx, true);
	} while (err);
	for (uint64_t i = first; i < end; i++)
		if (se.model[i].pblk)
			se.model[i].unwritten = unwritten;
}

static void cut(uint64_t lblk)
{
	struct tx *tx = scratch_extents_begin(&se);

	ck_assert_int_eq(extent_cut(se.ip, tx, lblk), 0);
	scratch_extents_end(&se, tx, true);
}

static void collapse(uint64_t first, uint64_t count)
{
	uint64_t at = first + count;
	int err;

	remove_range(first, first + count);
	cut(first + count);
	do {
		unsigned int budget = 1 + (unsigned int)below(64);
		struct tx *tx = scratch_extents_begin(&se);

		err = extent_shift_down(se.ip, tx, &at, count, &budget);
		ck_assert(err == 0 || (err == -EAGAIN && budget == 0));
		scratch_extents_end(&se, tx, true);
	} while (err);
	scratch_model_collapse(&se, first, count);
}

static void shift_up(uint64_t first, uint64_t count)
{
	uint64_t at = EXTENT_END;
	int err;

	/* Nothing may leave the model. */
	remove_range(LBLKS - count, LBLKS);
	cut(first);
	do {
		unsigned int budget = 1 + (unsigned int)below(64);
		struct tx *tx = scratch_extents_begin(&se);

		err = extent_shift_up(se.ip, tx, first, &at, count, &budget);
		ck_assert(err == 0 || (err == -EAGAIN && budget == 0));
		scratch_extents_end(&se, tx, true);
	} while (err);
	scratch_model_insert(&se, first, count);
}

/* abort_something - a transaction that comes to nothing */
static void abort_something(void)
{
	uint64_t first = below(LBLKS), end = first + below(LBLKS - first) + 1;
	struct tx *tx = scratch_extents_begin(&se);
	unsigned int budget = 20;
	int err;

	if (below(2))
		err = extent_remove(se.ip, tx, first, end, &budget);
	else
		err = extent_mark(se.ip, tx, &first, end, below(2), &budget);
	ck_assert(err == 0 || err == -EAGAIN);
	scratch_extents_end(&se, tx, false);
}

static void do_something(void)
{
	uint64_t at = below(LBLKS), len = 1 + below(40);
	uint64_t end = min_u64(at + len, LBLKS);

	switch (below(16)) {
	case 0:
	case 1:
		remove_range(at, end);
		break;
	case 2:
	case 3:
		mark_range(at, end, below(2));
		break;
	case 4:
		cut(at);
		break;
	case 5:
		abort_something();
		break;
	case 6:
		add(at, len, below(2), false);
		break;
	default:
		add(at, 1 + below(3), below(2), true);
	}
}

/* --- tests ------------------------------------------------------------------- */

START_TEST(random_changes)
{
	seed = (uint64_t)_i + 1;
	/* Apart from one another, and not in order: leaves split in the middle. */
	for (uint64_t i = 0; i < EXTENTS; i++)
		add(i * 7919 * 2 % LBLKS, 1, i % 3 == 0, true);
	ck_assert_uint_ge(level(), 2);
	check_again();
	for (unsigned int i = 0; i < ROUNDS; i++) {
		do_something();
		if (i % 997 == 0) {
			collapse(below(LBLKS - 64), 1 + below(64));
			scratch_extents_compare(&se);
		}
		if (i % 997 == 498) {
			shift_up(below(LBLKS - 64), 1 + below(64));
			scratch_extents_compare(&se);
		}
	}
	check_again();
	remove_range(0, LBLKS);
	ck_assert_uint_eq(level(), 0);
	check_again();
	ck_assert_int_eq(scratch_free_blocks(&se.sv), se.empty_free);
}
END_TEST

/* In order, against the order, and from the middle, then away in every way. */
START_TEST(grows_and_shrinks)
{
	uint64_t n = scratch_scale(4000u, 3000u);

	seed = 5;
	for (unsigned int way = 0; way < 3; way++) {
		for (uint64_t i = 0; i < n; i++) {
			uint64_t at = way == 0 ? i :
				      way == 1 ? n - 1 - i :
				      i % 2    ? n / 2 + i / 2 :
						 n / 2 - 1 - i / 2;

			add(2 * at, 1, false, true);
		}
		ck_assert_uint_ge(level(), 2);
		check_again();
		for (uint64_t i = 0; i < n; i++) {
			uint64_t at = way == 0 ? n - 1 - i :
				      way == 1 ? i :
						 i * 7919 % n;

			remove_range(2 * at, 2 * at + 1);
			if (i == n / 2 || i == n - 5)
				check_again();
		}
		ck_assert_uint_eq(level(), 0);
		ck_assert_int_eq(scratch_free_blocks(&se.sv), se.empty_free);
	}
}
END_TEST

/*
 * The first leaf goes, and what then comes before the others belongs to the one
 * that is first now: its key must not be in the way.
 */
START_TEST(first_leaf_goes)
{
	uint64_t n = 1000, most = 4 * n;

	/* Among them the number of extents that are in the first leaf. */
	for (uint64_t gone = 165; gone < 170; gone++) {
		for (uint64_t i = 0; i < n; i++)
			add(most + 2 * i, 1, false, true);
		remove_range(0, most + 2 * gone);
		for (uint64_t i = 0; i < n; i++)
			add(2 * (gone % 2 ? n - i : i), 1, false, true);
		check_again();
		remove_range(0, LBLKS);
	}
}
END_TEST

/*
 * The extent before a leaf grows over where the leaf once began: its key must
 * have gone along with its first extent.
 */
START_TEST(extent_grows_past_a_leaf)
{
	struct space_run run;
	struct extent e;
	struct tx *tx;

	/* Full leaves: 168 extents each, the first in the third one is 672. */
	for (uint64_t i = 0; i < 1000; i++)
		add(2 * i, 1, i % 2, true);
	for (uint64_t first = 300; first < 1300; first++) {
		uint64_t count = 4;

		/* Only a hole behind first, in which it can grow. */
		remove_range(first, first + count);
		tx = scratch_extents_begin(&se);
		ck_assert_int_eq(space_alloc(se.sv.vol->space, tx, 0, count,
					     SPACE_EXACT, &run),
				 0);
		for (uint64_t i = 0; i < count; i++) {
			e = (struct extent){ first + i, run.first + i, 1, false,
					     false };
			ck_assert_int_eq(extent_add(se.ip, tx, &e), 0);
			se.model[first + i] =
				(struct scratch_cell){ run.first + i, false };
		}
		scratch_extents_end(&se, tx, true);
		if (first % 4 == 0)
			scratch_extents_compare(&se);
	}
	check_again();
}
END_TEST

/* A tree whose leaves have gone gets lower, not only when it is empty. */
START_TEST(tree_gets_lower)
{
	for (uint64_t i = 0; i < 4000; i++)
		add(2 * i, 1, false, true);
	ck_assert_uint_eq(level(), 2);
	remove_range(20, LBLKS - 1);
	ck_assert_uint_eq(level(), 1);
	check_again();
}
END_TEST

START_TEST(neighbours_join)
{
	struct space_run run;
	struct extent e;
	struct tx *tx = scratch_extents_begin(&se);
	unsigned int budget;
	uint64_t at;

	ck_assert_int_eq(
		space_alloc(se.sv.vol->space, tx, 0, 9, SPACE_EXACT, &run), 0);
	/* The outer thirds, then the middle; then one that does not continue. */
	e = (struct extent){ 10, run.first, 3, false, false };
	ck_assert_int_eq(extent_add(se.ip, tx, &e), 0);
	e = (struct extent){ 16, run.first + 6, 3, false, false };
	ck_assert_int_eq(extent_add(se.ip, tx, &e), 0);
	e = (struct extent){ 13, run.first + 3, 3, false, false };
	ck_assert_int_eq(extent_add(se.ip, tx, &e), 0);
	ck_assert_int_eq(extent_find(se.ip, tx, 0, &e), 0);
	ck_assert_uint_eq(e.pblk, 0);
	ck_assert_uint_eq(e.len, 10);
	ck_assert_int_eq(extent_find(se.ip, tx, 11, &e), 0);
	ck_assert_uint_eq(e.pblk, run.first + 1);
	ck_assert_uint_ge(e.len, 5);

	/* Marked there and back it is one piece again. */
	at = 12;
	budget = 9;
	ck_assert_int_eq(extent_mark(se.ip, tx, &at, 15, true, &budget), 0);
	ck_assert_int_eq(extent_find(se.ip, tx, 13, &e), 0);
	ck_assert(e.unwritten);
	ck_assert_uint_eq(e.len, 2);
	at = 10;
	ck_assert_int_eq(extent_mark(se.ip, tx, &at, 19, false, &budget), 0);
	ck_assert_int_eq(extent_find(se.ip, tx, 10, &e), 0);
	ck_assert_uint_eq(e.len, 9);
	ck_assert_uint_eq(le16_to_cpu(inode_read(se.ip, tx)->tree_count), 1);
	scratch_extents_end(&se, tx, true);
	for (unsigned int i = 0; i < 9; i++)
		se.model[10 + i].pblk = run.first + i;
	check_again();
}
END_TEST

/* The last blocks that a file can have. */
START_TEST(end_of_the_largest_file)
{
	struct space_run run;
	struct extent e;
	struct tx *tx = scratch_extents_begin(&se);
	unsigned int budget = 9;

	ck_assert_int_eq(
		space_alloc(se.sv.vol->space, tx, 0, 2, SPACE_EXACT, &run), 0);
	e = (struct extent){ EXTENT_END - 2, run.first, 2, false, false };
	ck_assert_int_eq(extent_add(se.ip, tx, &e), 0);
	scratch_extents_end(&se, tx, true);
	scratch_extents_close(&se);
	scratch_fsck(se.sv.kind);
	scratch_extents_open(&se);
	scratch_enter(&se.sv);
	ck_assert_int_eq(extent_find(se.ip, NULL, EXTENT_END - 1, &e), 0);
	ck_assert_uint_eq(e.pblk, run.first + 1);
	ck_assert_uint_eq(e.len, 1);
	ck_assert_int_eq(extent_find(se.ip, NULL, 5, &e), 0);
	ck_assert_uint_eq(e.len, EXTENT_END - 2 - 5);
	scratch_leave(&se.sv);
	tx = scratch_extents_begin(&se);
	ck_assert_int_eq(extent_remove(se.ip, tx, EXTENT_END - 1, EXTENT_END,
				       &budget),
			 0);
	ck_assert_int_eq(extent_find(se.ip, tx, EXTENT_END - 2, &e), 0);
	ck_assert_uint_eq(e.len, 1);
	scratch_extents_end(&se, tx, true);
}
END_TEST

/* --- a tree of three levels above its leaves ----------------------------------- */

#define TALL 190000u

static void plant_tall(uint64_t *from)
{
	struct space_run run = { 0, 0 };

	for (uint64_t i = 0; i < TALL;) {
		struct tx *tx = scratch_extents_begin(&se);

		for (unsigned int k = 0; k < 50 && i < TALL; k++, i++) {
			struct extent e = { .lblk = TALL - 1 - i, .len = 1 };

			ck_assert_int_eq(space_alloc(se.sv.vol->space, tx,
						     run.first + 1, 1, 0, &run),
					 0);
			e.pblk = run.first;
			from[e.lblk] = run.first;
			ck_assert_int_eq(extent_add(se.ip, tx, &e), 0);
		}
		scratch_extents_end(&se, tx, true);
	}
}

static void check_tall(const uint64_t *from, uint64_t shift)
{
	scratch_enter(&se.sv);
	for (uint64_t i = 0; i < TALL; i += 7) {
		struct extent e;

		ck_assert_int_eq(extent_find(se.ip, NULL, i + shift, &e), 0);
		ck_assert_uint_eq(e.pblk, from[i]);
	}
	scratch_leave(&se.sv);
}

START_TEST(tall_tree)
{
	uint64_t *from = calloc(TALL, sizeof(*from)), at = EXTENT_END;
	int err;

	scratch_extents_close(&se);
	free(se.model);
	scratch_extents_make(&se, SCRATCH_MEMORY, GIB, 0);
	se.sv.pool->sparse = false; /* nobody stores to the data blocks */
	plant_tall(from);
	ck_assert_uint_eq(level(), 3);
	check_tall(from, 0);
	do {
		unsigned int budget = 128;
		struct tx *tx = scratch_extents_begin(&se);

		err = extent_shift_up(se.ip, tx, 0, &at, 1000000, &budget);
		scratch_extents_end(&se, tx, true);
	} while (err == -EAGAIN);
	ck_assert_int_eq(err, 0);
	scratch_extents_close(&se);
	scratch_fsck(se.sv.kind);
	scratch_extents_open(&se);
	check_tall(from, 1000000);
	do {
		unsigned int budget = 256;
		struct tx *tx = scratch_extents_begin(&se);

		err = extent_remove(se.ip, tx, 0, EXTENT_END, &budget);
		scratch_extents_end(&se, tx, true);
	} while (err == -EAGAIN);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_eq(level(), 0);
	ck_assert_int_eq(scratch_free_blocks(&se.sv), se.empty_free);
	scratch_extents_close(&se);
	scratch_fsck(se.sv.kind);
	scratch_extents_open(&se);
	free(from);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("extent");
	TCase *tc = tcase_create("extent");

	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, random_changes, 0, scratch_scale(4, 2));
	tcase_add_test(tc, grows_and_shrinks);
	tcase_add_test(tc, first_leaf_goes);
	tcase_add_test(tc, extent_grows_past_a_leaf);
	tcase_add_test(tc, tree_gets_lower);
	tcase_add_test(tc, neighbours_join);
	tcase_add_test(tc, end_of_the_largest_file);
	if (!SCRATCH_IS_SLOW)
		tcase_add_test(tc, tall_tree);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
