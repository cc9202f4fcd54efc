// SPDX-License-Identifier: BSD-3-Clause
/* What the tests of the layout protocol share. */
#include "layout_rig.h"

#include <stdio.h>

#include "base/util.h"
#include "layout/layout_i.h"

void rig_setup(struct rig *r, const struct fs_options *opt)
{
	struct fs_options o = { .workers = RIG_WORKERS };
	char name[8];

	if (opt)
		o = *opt;
	o.workers = RIG_WORKERS;
	scratch_fs_make(&r->sf, 32u << 20, &o);
	r->ls = fs_layouts(r->sf.fs);
	for (unsigned int i = 0; i < RIG_FILES; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		r->node[i] = scratch_fs_file(&r->sf, name);
		scratch_fs_write(&r->sf, r->node[i], i, 0,
				 RIG_BLOCKS * PINFS_BLOCK_SIZE);
		r->ip[i] = scratch_fs_inode(&r->sf, r->node[i]);
	}
}

void rig_teardown(struct rig *r)
{
	struct pinfs_ioc_stats st;

	fs_drain(r->sf.fs);
	for (unsigned int i = 0; i < RIG_FILES; i++)
		inode_put(r->ip[i]);
	st = rig_stats(r);
	ck_assert_uint_eq(st.pins, st.unpins);
	ck_assert_uint_eq(st.pin_sets_live, 0);
	ck_assert_uint_eq(st.breaks_waiting, 0);
	scratch_fs_close(&r->sf);
}

unsigned int rig_tick(void)
{
	static atomic_uint clock;

	return atomic_fetch_add(&clock, 1) + 1;
}

struct pinfs_ioc_stats rig_stats(struct rig *r)
{
	struct pinfs_ioc_stats st = { 0 };

	layout_stats(r->ls, &st);
	return st;
}

/* --- the workers --------------------------------------------------------- */

struct meeting {
	struct gate *come, *leave;
	struct work work;
};

static void meet(struct work *w)
{
	struct meeting *m = container_of(w, struct meeting, work);

	gate_pass(m->come);
	gate_await(m->come, RIG_WORKERS);
	gate_pass(m->leave);
}

/* All workers at one place: none of them is at anything else. */
void rig_settle(struct rig *r)
{
	struct meeting m[RIG_WORKERS];
	struct gate come, leave;

	gate_init(&come);
	gate_init(&leave);
	memset(m, 0, sizeof(m));
	for (unsigned int i = 0; i < RIG_WORKERS; i++) {
		m[i].come = &come;
		m[i].leave = &leave;
		m[i].work.fn = meet;
		work_post(layouts_work(r->ls), &m[i].work);
	}
	gate_await(&leave, RIG_WORKERS);
}

/* --- the clock ----------------------------------------------------------- */

static void clock_stands(struct timer *t)
{
	struct rig_clock *c = container_of(t, struct rig_clock, timer);

	gate_pass(&c->stopped);
	gate_await(&c->go, 1);
}

/* The timers' one thread has ours to call first, and that takes its time. */
void rig_clock_stop(struct rig *r)
{
	gate_init(&r->clock.stopped);
	gate_init(&r->clock.go);
	timer_init(&r->clock.timer, clock_stands);
	ck_assert_int_eq(timer_set(r->ls->timers, &r->clock.timer, now_ns()),
			 0);
	gate_await(&r->clock.stopped, 1);
}

void rig_clock_go(struct rig *r)
{
	gate_pass(&r->clock.go);
}

/* --- pin sets ------------------------------------------------------------ */

struct pin_set *rig_begin(struct rig *r, unsigned int flags)
{
	struct pin_options opt = {
		.owner = { .pid = 4711, .uid = 7, .comm = "holder" },
		.direction = PINFS_FROM_DEVICE,
		.flags = flags,
	};
	struct pin_set *set;

	ck_assert_int_eq(pin_set_begin(r->ls, &opt, &set), 0);
	return set;
}

void rig_pin(struct pin_set *set, struct inode *ip, uint64_t first,
	     uint64_t count)
{
	struct rig_wait w;
	const struct pinned_run *runs;
	size_t n;

	ck_assert_int_eq(rig_admit(set, ip, &w), 0);
	ck_assert_int_eq(layout_pin(set, ip, first, count, &runs, &n), 0);
}

struct pin_set *rig_hold(struct rig *r, struct inode *ip)
{
	struct pin_set *set = rig_begin(r, 0);

	rig_pin(set, ip, 0, RIG_BLOCKS);
	return set;
}

static void granted(struct admission *a)
{
	struct rig_wait *w = container_of(a, struct rig_wait, a);

	w->tick = rig_tick();
	gate_pass(&w->granted);
}

int rig_admit(struct pin_set *set, struct inode *ip, struct rig_wait *w)
{
	memset(w, 0, sizeof(*w));
	gate_init(&w->granted);
	w->a.granted = granted;
	return layout_admit(set, ip, 0, 1 << 20, &w->a);
}

void rig_admit_waiting(struct pin_set *set, struct inode *ip)
{
	struct rig_wait w;
	int err = rig_admit(set, ip, &w);

	if (err == -EINPROGRESS)
		gate_await(&w.granted, 1);
	else
		ck_assert_int_eq(err, 0);
}

/* --- breaks -------------------------------------------------------------- */

static void break_ran(struct layout_break *brk)
{
	struct rig_break *b = container_of(brk, struct rig_break, brk);

	b->thread = pthread_self();
	b->tick = rig_tick();
	b->was_pinned = layout_is_pinned(b->ip);
	gate_pass(&b->running);
	if (b->hold)
		gate_await(&b->go, 1);
	layout_break_done(brk, 0);
	gate_pass(&b->over);
}

static void break_failed(struct layout_break *brk, int err)
{
	struct rig_break *b = container_of(brk, struct rig_break, brk);

	b->thread = pthread_self();
	b->tick = rig_tick();
	b->err = err;
	gate_pass(&b->over);
}

void rig_break_init(struct rig *r, struct rig_break *b, struct inode *ip)
{
	memset(b, 0, sizeof(*b));
	gate_init(&b->running);
	gate_init(&b->go);
	gate_init(&b->over);
	b->ip = ip;
	b->brk.change = PINFS_CHANGE_TRUNCATE;
	b->brk.owner = (struct layout_owner){ .pid = 42, .comm = "waiter" };
	b->brk.run = break_ran;
	b->brk.fail = break_failed;
	ck_assert_int_eq(layout_break_init(&b->brk, r->ls, ip), 0);
}

bool rig_break(struct rig *r, struct rig_break *b, struct inode *ip)
{
	rig_break_init(r, b, ip);
	layout_break(&b->brk);
	return gate_count(&b->over) > 0;
}

void rig_break_ran(struct rig_break *b)
{
	gate_await(&b->over, 1);
	/* One check a break: Check's own cost is a system call. */
	ck_assert_msg(b->err == 0 && gate_count(&b->running) == 1 &&
			      !b->was_pinned,
		      "break: error %d, run %u times%s", b->err,
		      gate_count(&b->running),
		      b->was_pinned ? ", over pins (L3)" : "");
}

/* --- running ------------------------------------------------------------- */

void rig_add(Suite *s, const char *name, const TTest *fn, int times)
{
	TCase *tc = tcase_create(name);

	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, fn, 0, times);
	suite_add_tcase(s, tc);
}

int rig_main(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
