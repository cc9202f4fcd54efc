// SPDX-License-Identifier: BSD-3-Clause
/*
 * Scope range: a break waits for blocks, not for files (L3), and all else that
 * the protocol promises holds there too.
 */
#include "range_rig.h"

#include "base/log.h"
#include "base/util.h"

/* --- L3: the blocks that it unmaps or moves, and no others ------------------- */

START_TEST(only_what_is_touched)
{
	static const struct {
		uint64_t first, end;
		bool waits;
	} ask[] = {
		{ 0, 4, false },   { 0, 5, true },    { 4, 5, true },
		{ 5, 6, true },	   { 7, 8, true },    { 7, 100, true },
		{ 8, 9, false },   { 8, 100, false }, { 3, 4, false },
		{ 0, 1000, true }, { 5, 5, false },   { 0, 0, false },
		{ 4, 8, true },	   { 4, 4, false },
	};
	struct pin_set *set;
	struct rig_break b;
	struct rig r;

	range_setup(&r);
	set = range_hold(&r, r.ip[0], 4, 4);
	for (size_t i = 0; i < ARRAY_SIZE(ask); i++) {
		if (!ask[i].waits) {
			range_break_runs(&r, r.ip[0], ask[i].first, ask[i].end);
			continue;
		}
		range_break_waits(&r, &b, r.ip[0], ask[i].first, ask[i].end);
		layout_break_cancel(&b.brk, -EINTR);
		range_break_over(&b, -EINTR);
	}
	pin_set_free(set);
	range_break_runs(&r, r.ip[0], 0, 1000);
	rig_teardown(&r);
}
END_TEST

/* It is a claim that holds it up, also one that has not been pinned yet. */
START_TEST(claimed_is_busy)
{
	struct pin_set *set;
	struct rig_break b;
	struct rig_wait w;
	struct rig r;

	range_setup(&r);
	set = rig_begin(&r, 0);
	ck_assert_int_eq(range_claim(set, r.ip[0], 4, 4, &w), 0);
	range_break_runs(&r, r.ip[0], 0, 4);
	range_break_waits(&r, &b, r.ip[0], 7, 8);
	pin_set_free(set);
	range_break_over(&b, 0);
	rig_teardown(&r);
}
END_TEST

START_TEST(waits_for_the_last_of_equal_claims)
{
	struct pin_set *set[5];
	struct rig_break b;
	struct rig r;

	range_setup(&r);
	for (int i = 0; i < 5; i++)
		set[i] = range_hold(&r, r.ip[0], 3, 2);
	ck_assert(!range_break(&r, &b, r.ip[0], 4, 5));
	for (int i = 0; i < 5; i++) {
		rig_settle(&r);
		ck_assert_uint_eq(gate_count(&b.running), 0);
		pin_set_unpin(set[i * 3 % 5]);
	}
	range_break_over(&b, 0);
	for (int i = 0; i < 5; i++)
		pin_set_free(set[i]);
	rig_teardown(&r);
}
END_TEST

/* Sets that are not in its way may stay for ever. */
START_TEST(others_go_on)
{
	struct pin_set *before, *behind, *in;
	struct rig_break b;
	struct rig r;

	range_setup(&r);
	before = range_hold(&r, r.ip[0], 0, 4);
	behind = range_hold(&r, r.ip[0], 8, 8);
	in = range_hold(&r, r.ip[0], 5, 1);
	range_break_waits(&r, &b, r.ip[0], 4, 8);
	pin_set_free(in);
	range_break_over(&b, 0);
	ck_assert(b.was_pinned); /* by the others */
	pin_set_free(before);
	pin_set_free(behind);
	rig_teardown(&r);
}
END_TEST

START_TEST(many_claims_of_a_set)
{
	struct pin_set *set;
	struct rig_break b[3];
	struct rig r;

	range_setup(&r);
	set = range_hold(&r, r.ip[0], 0, 2);
	range_pin(set, r.ip[0], 2, 2);
	range_pin(set, r.ip[0], 10, 1);
	range_pin(set, r.ip[0], 10, 1);
	range_break_runs(&r, r.ip[0], 4, 10);
	range_break_runs(&r, r.ip[0], 11, 100);
	range_break_waits(&r, &b[0], r.ip[0], 3, 4);
	/* Behind that one, and so they show nothing until it has run. */
	ck_assert(!range_break(&r, &b[1], r.ip[0], 1, 2));
	ck_assert(!range_break(&r, &b[2], r.ip[0], 10, 11));
	/* Older than they are, it may claim more (L5). */
	range_pin(set, r.ip[0], 4, 2);
	ck_assert_uint_eq(scratch_fs_pins(&r.sf, r.node[0]), 8);
	pin_set_unpin(set);
	for (int i = 0; i < 3; i++)
		range_break_over(&b[i], 0);
	pin_set_free(set);
	rig_teardown(&r);
}
END_TEST

START_TEST(claims_across_files)
{
	struct pin_set *one, *two;
	struct rig_break a, b;
	struct rig r;

	range_setup(&r);
	one = range_hold(&r, r.ip[0], 0, 4);
	two = range_hold(&r, r.ip[1], 0, 4);
	range_break_waits(&r, &a, r.ip[0], 0, 1);
	range_break_waits(&r, &b, r.ip[1], 0, 1);
	/* Crosswise, with breaks between: a circle without begin numbers. */
	range_pin(one, r.ip[1], 0, 8);
	range_pin(two, r.ip[0], 4, 4);
	range_break_runs(&r, r.ip[2], 0, 1);
	pin_set_free(one);
	range_break_over(&a, 0); /* what two has in that file is elsewhere */
	rig_settle(&r);
	ck_assert_uint_eq(gate_count(&b.running), 0);
	pin_set_free(two);
	range_break_over(&b, 0);
	rig_teardown(&r);
}
END_TEST

/* --- holes: what is not there cannot be pinned --------------------------------- */

static void make_holes(struct rig *r)
{
	for (uint64_t lblk = 1; lblk < RIG_BLOCKS; lblk += 3)
		ck_assert_int_eq(scratch_fs_change(&r->sf, r->node[0],
						   PINFS_CHANGE_PUNCH_HOLE,
						   lblk * PINFS_BLOCK_SIZE,
						   PINFS_BLOCK_SIZE),
				 0);
}

/* Of a device that reads, the holes are left out; each of the rest is held. */
START_TEST(holes_are_left_out)
{
	struct pin_set *set;
	struct rig_break b;
	struct rig r;

	range_setup(&r);
	make_holes(&r);
	set = range_begin_to_device(&r);
	range_pin(set, r.ip[0], 0, RIG_BLOCKS + 9);
	for (uint64_t lblk = 0; lblk < RIG_BLOCKS + 9; lblk++) {
		if (lblk % 3 == 1 || lblk >= RIG_BLOCKS) {
			range_break_runs(&r, r.ip[0], lblk, lblk + 1);
			continue;
		}
		range_break_waits(&r, &b, r.ip[0], lblk, lblk + 1);
		layout_break_cancel(&b.brk, -EINTR);
		range_break_over(&b, -EINTR);
	}
	range_break_runs(&r, r.ip[0], RIG_BLOCKS, UINT32_MAX);
	range_break_waits(&r, &b, r.ip[0], 4, 6);
	pin_set_free(set);
	range_break_over(&b, 0);
	rig_teardown(&r);
}
END_TEST

/* As long as nobody knows what there is, all of the claim counts. */
START_TEST(a_hole_that_was_claimed_lets_go)
{
	const struct pinned_run *runs;
	struct pin_set *set;
	struct rig_wait w;
	struct rig_break b;
	size_t n;
	struct rig r;

	range_setup(&r);
	make_holes(&r);
	set = range_begin_to_device(&r);
	ck_assert_int_eq(range_claim(set, r.ip[0], 0, RIG_BLOCKS, &w), 0);
	range_break_waits(&r, &b, r.ip[0], 4, 5);
	ck_assert_int_eq(layout_pin(set, r.ip[0], 0, RIG_BLOCKS, &runs, &n), 0);
	range_break_over(&b, 0);
	pin_set_free(set);
	rig_teardown(&r);
}
END_TEST

/* --- L4, L5 ------------------------------------------------------------------------ */

START_TEST(new_sets_wait_behind_any_break)
{
	struct pin_set *holds, *older, *late[2];
	struct rig_break b;
	struct rig_wait w[2], no;
	struct rig r;

	range_setup(&r);
	holds = range_hold(&r, r.ip[0], 0, 1);
	older = rig_begin(&r, PIN_NOWAIT);
	range_break_waits(&r, &b, r.ip[0], 0, 1);
	/* Also where they would not touch each other (L4). */
	late[0] = rig_begin(&r, 0);
	late[1] = rig_begin(&r, PIN_NOWAIT);
	ck_assert_int_eq(range_claim(late[0], r.ip[0], 12, 1, &w[0]),
			 -EINPROGRESS);
	ck_assert_int_eq(range_claim(late[0], r.ip[0], 13, 1, &no), -EALREADY);
	ck_assert_int_eq(range_claim(late[1], r.ip[0], 12, 1, &w[1]), -EAGAIN);
	ck_assert(layout_refuses(late[1], r.ip[0]));
	ck_assert(!layout_refuses(late[1], r.ip[1]));
	/* One that began before it does not (L5), even on the same block. */
	range_pin(older, r.ip[0], 0, 1);
	pin_set_free(holds);
	rig_settle(&r);
	ck_assert_uint_eq(gate_count(&b.running) + gate_count(&w[0].granted),
			  0);
	pin_set_free(older);
	range_break_over(&b, 0);
	gate_await(&w[0].granted, 1);
	ck_assert_uint_gt(w[0].tick, b.tick);
	/* What was refused has claimed nothing, what was granted has. */
	range_break_runs(&r, r.ip[0], 13, 14);
	range_break_waits(&r, &b, r.ip[0], 12, 13);
	pin_set_free(late[0]);
	range_break_over(&b, 0);
	pin_set_free(late[1]);
	rig_teardown(&r);
}
END_TEST

/* For a break that runs an admitted set waits as well, wherever it is. */
START_TEST(extension_waits_for_a_running_break)
{
	struct pin_set *set, *impatient;
	struct rig_break runs, waits;
	struct rig_wait w, no;
	struct rig r;

	range_setup(&r);
	set = range_hold(&r, r.ip[0], 0, 1);
	impatient = rig_begin(&r, PIN_NOWAIT);
	range_pin(impatient, r.ip[0], 1, 1);
	rig_break_init(&r, &runs, r.ip[0]);
	runs.hold = true;
	runs.brk.first = 4;
	runs.brk.end = 5;
	/* Behind this one, so that runs does so on a thread of its own. */
	ck_assert(!range_break(&r, &waits, r.ip[0], 1, 2));
	layout_break(&runs.brk);
	pin_set_free(impatient);
	range_break_over(&waits, 0);
	gate_await(&runs.running, 1);
	ck_assert_int_eq(range_claim(set, r.ip[0], 8, 1, &w), -EINPROGRESS);
	impatient = rig_begin(&r, PIN_NOWAIT);
	ck_assert_int_eq(range_claim(impatient, r.ip[0], 9, 1, &no), -EAGAIN);
	/* It comes before a break that was asked for after the set began. */
	ck_assert(!range_break(&r, &waits, r.ip[0], 8, 9));
	gate_pass(&runs.go);
	range_break_over(&runs, 0);
	gate_await(&w.granted, 1);
	rig_settle(&r);
	ck_assert_uint_eq(gate_count(&waits.running), 0);
	/* And one that only waits does not hold it up. */
	range_pin(set, r.ip[0], 10, 2);
	pin_set_free(impatient);
	pin_set_free(set);
	range_break_over(&waits, 0);
	rig_teardown(&r);
}
END_TEST

/* The order is kept, also by those that have nobody in their own way (L4). */
START_TEST(breaks_keep_their_order)
{
	struct rig_break b[20];
	struct pin_set *set;
	struct rig r;

	range_setup(&r);
	set = range_hold(&r, r.ip[0], 7, 1);
	for (uint64_t i = 0; i < ARRAY_SIZE(b); i++)
		ck_assert(
			!range_break(&r, &b[i], r.ip[0], i ? i : 7, i ? i : 8));
	rig_settle(&r);
	ck_assert_uint_eq(rig_stats(&r).breaks_waiting, ARRAY_SIZE(b));
	pin_set_free(set);
	for (size_t i = 0; i < ARRAY_SIZE(b); i++) {
		range_break_over(&b[i], 0);
		ck_assert(i == 0 || b[i].tick > b[i - 1].tick);
	}
	rig_teardown(&r);
}
END_TEST

/* --- L7 ------------------------------------------------------------------------------ */

/* Whom it kept out goes on: breaks that nothing else is in the way of, sets. */
START_TEST(cancelled_makes_way)
{
	struct pin_set *holds, *late;
	struct rig_break b, next, last;
	struct rig_wait w;
	struct rig r;

	range_setup(&r);
	holds = range_hold(&r, r.ip[0], 0, 1);
	range_break_waits(&r, &b, r.ip[0], 0, 1);
	range_break_waits(&r, &next, r.ip[0], 4, 5);
	late = rig_begin(&r, 0);
	ck_assert_int_eq(range_claim(late, r.ip[0], 8, 1, &w), -EINPROGRESS);
	range_break_waits(&r, &last, r.ip[0], 8, 9);
	layout_break_cancel(&b.brk, -EINTR);
	range_break_over(&b, -EINTR);
	range_break_over(&next, 0);
	gate_await(&w.granted, 1);
	rig_settle(&r);
	ck_assert_uint_eq(gate_count(&last.running), 0);
	pin_set_free(late);
	range_break_over(&last, 0);
	pin_set_free(holds);
	rig_teardown(&r);
}
END_TEST

START_TEST(timeout_makes_way)
{
	struct fs_options opt = { .scope_range = true,
				  .break_timeout_ns = 50000000 };
	struct rig_break b, next;
	struct pin_set *set;
	struct rig r;

	log_set_level(LOG_LEVEL_ERROR);
	rig_setup(&r, &opt);
	set = range_hold(&r, r.ip[0], 0, 4);
	rig_clock_stop(&r);
	ck_assert(!range_break(&r, &b, r.ip[0], 3, 5));
	ck_assert(!range_break(&r, &next, r.ip[0], 4, 5));
	rig_clock_go(&r);
	range_break_over(&b, -EBUSY);
	/* It runs from then on, whatever its own time. */
	range_break_over(&next, 0);
	ck_assert_uint_eq(rig_stats(&r).timed_out, 1);
	range_break_runs(&r, r.ip[0], 4, 5);
	pin_set_free(set);
	rig_teardown(&r);
}
END_TEST

/* What was given up is no claim; what the set had before still is. */
START_TEST(given_up_admission)
{
	struct pin_set *set, *late;
	struct rig_break runs, b;
	struct rig_wait w, v;
	struct rig r;

	range_setup(&r);
	late = rig_begin(&r, 0);
	set = range_hold(&r, r.ip[0], 0, 2);
	pin_set_free(late);
	rig_break_init(&r, &runs, r.ip[0]);
	runs.hold = true;
	range_break_waits(&r, &b, r.ip[0], 1, 2);
	layout_break(&runs.brk); /* behind it */
	late = rig_begin(&r, 0);
	ck_assert_int_eq(range_claim(late, r.ip[0], 4, 1, &v), -EINPROGRESS);
	ck_assert(layout_admit_cancel(&v.a));
	layout_break_cancel(&b.brk, -EINTR);
	range_break_over(&b, -EINTR);
	gate_await(&runs.running, 1);
	ck_assert_int_eq(range_claim(set, r.ip[0], 8, 2, &w), -EINPROGRESS);
	ck_assert(layout_admit_cancel(&w.a));
	ck_assert_int_eq(range_claim(set, r.ip[0], 12, 2, &w), -EINPROGRESS);
	gate_pass(&runs.go);
	range_break_over(&runs, 0);
	gate_await(&w.granted, 1);
	ck_assert(!layout_admit_cancel(&w.a));
	range_break_runs(&r, r.ip[0], 2, 12);
	range_break_waits(&r, &b, r.ip[0], 13, 14);
	layout_break_cancel(&b.brk, -EINTR);
	range_break_over(&b, -EINTR);
	range_break_waits(&r, &b, r.ip[0], 0, 1);
	pin_set_free(set);
	range_break_over(&b, 0);
	pin_set_free(late);
	rig_teardown(&r);
}
END_TEST

/* --- pins and their claims --------------------------------------------------------- */

START_TEST(pins_need_their_claim)
{
	const struct pinned_run *runs;
	struct pin_set *set;
	struct rig_wait w;
	struct rig_break b;
	size_t n;
	struct rig r;

	range_setup(&r);
	set = rig_begin(&r, 0);
	ck_assert_int_eq(range_claim(set, r.ip[0], 4, 0, &w), -EINVAL);
	ck_assert_int_eq(range_claim(set, r.ip[0], UINT64_MAX, 2, &w), -EINVAL);
	ck_assert_int_eq(layout_pin(set, r.ip[0], 4, 2, &runs, &n), -EINVAL);
	ck_assert_int_eq(range_claim(set, r.ip[0], 4, 2, &w), 0);
	ck_assert_int_eq(layout_pin(set, r.ip[0], 4, 1, &runs, &n), -EINVAL);
	ck_assert_int_eq(layout_pin(set, r.ip[0], 3, 2, &runs, &n), -EINVAL);
	ck_assert_int_eq(layout_pin(set, r.ip[0], 4, 2, &runs, &n), 0);
	ck_assert_int_eq(layout_pin(set, r.ip[0], 4, 2, &runs, &n), -EINVAL);
	ck_assert_uint_eq(scratch_fs_pins(&r.sf, r.node[0]), 2);
	/* What cannot be pinned stays claimed, as the set may try again. */
	ck_assert_int_eq(range_claim(set, r.ip[0], RIG_BLOCKS, 2, &w), 0);
	ck_assert_int_eq(layout_pin(set, r.ip[0], RIG_BLOCKS, 2, &runs, &n),
			 -ENXIO);
	range_break_waits(&r, &b, r.ip[0], RIG_BLOCKS, RIG_BLOCKS + 1);
	pin_set_free(set);
	range_break_over(&b, 0);
	rig_teardown(&r);
}
END_TEST

/* L14: only those that are in its way are what it waits for. */
START_TEST(listed_are_those_in_the_way)
{
	struct pinfs_ioc_breaks *io = calloc(1, sizeof(*io));
	struct pin_set *far, *near[2];
	struct rig_break b, next;
	struct rig r;

	ck_assert_ptr_nonnull(io);
	range_setup(&r);
	far = range_hold(&r, r.ip[0], 0, 4);
	near[0] = range_hold(&r, r.ip[0], 4, 1);
	near[1] = range_hold(&r, r.ip[0], 6, 2);
	range_break_waits(&r, &b, r.ip[0], 4, 7);
	ck_assert(!range_break(&r, &next, r.ip[0], 12, 13));
	layout_list_breaks(r.ls, 0, io);
	ck_assert_uint_eq(io->count, 2);
	ck_assert_uint_eq(io->brk[0].waits_for_pins, 2);
	ck_assert_uint_eq(io->brk[0].waits_for, pin_set_id(near[0]));
	ck_assert_uint_eq(io->brk[1].waits_for_pins, 0);
	ck_assert_uint_eq(io->brk[1].waits_for, io->brk[0].id);
	ck_assert_uint_eq(io->brk[1].ahead, 1);
	pin_set_free(near[0]);
	pin_set_free(near[1]);
	range_break_over(&b, 0);
	range_break_over(&next, 0);
	pin_set_free(far);
	free(io);
	rig_teardown(&r);
}
END_TEST

/* L10: names go at once, the blocks when the last claim does. */
START_TEST(unlink_does_not_wait)
{
	struct pin_set *set[2];
	uint64_t used;
	struct rig r;

	range_setup(&r);
	used = scratch_fs_free(&r.sf);
	set[0] = range_hold(&r, r.ip[0], 0, 1);
	set[1] = range_hold(&r, r.ip[0], 9, 1);
	if (_i == 0)
		ck_assert_int_eq(fs_unlink(r.sf.fs, SCRATCH_ROOT, "f0"), 0);
	else
		ck_assert_int_eq(fs_rename(r.sf.fs, SCRATCH_ROOT, "f1",
					   SCRATCH_ROOT, "f0", 0),
				 0);
	inode_put(r.ip[0]);
	r.ip[0] = NULL;
	scratch_fs_soil(&r.sf);
	ck_assert_uint_eq(scratch_fs_free(&r.sf), used);
	pin_set_free(set[0]);
	ck_assert_uint_eq(scratch_fs_free(&r.sf), used);
	pin_set_free(set[1]);
	ck_assert_uint_eq(scratch_fs_free(&r.sf), used + RIG_BLOCKS);
	rig_teardown(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("layout-range");

	rig_add(s, "only what is touched", only_what_is_touched, 1);
	rig_add(s, "claimed is busy", claimed_is_busy, 1);
	rig_add(s, "equal claims", waits_for_the_last_of_equal_claims, 1);
	rig_add(s, "others go on", others_go_on, 1);
	rig_add(s, "many claims of a set", many_claims_of_a_set, 1);
	rig_add(s, "claims across files", claims_across_files, 1);
	rig_add(s, "holes", holes_are_left_out, 1);
	rig_add(s, "a claimed hole", a_hole_that_was_claimed_lets_go, 1);
	rig_add(s, "new sets", new_sets_wait_behind_any_break, 1);
	rig_add(s, "extension", extension_waits_for_a_running_break, 1);
	rig_add(s, "order", breaks_keep_their_order, 1);
	rig_add(s, "cancelled", cancelled_makes_way, 1);
	rig_add(s, "timeout", timeout_makes_way, 1);
	rig_add(s, "given up", given_up_admission, 1);
	rig_add(s, "pins need their claim", pins_need_their_claim, 1);
	rig_add(s, "listing", listed_are_those_in_the_way, 1);
	rig_add(s, "unlink", unlink_does_not_wait, 2);
	return rig_main(s);
}
