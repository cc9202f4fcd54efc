// SPDX-License-Identifier: BSD-3-Clause
/* The event stream: its order, its readers, and what the protocol tells. */
#include "range_rig.h"

#include <pthread.h>

#include "base/log.h"
#include "base/util.h"
#include "base/work.h"

#define RING 65536u /* events that are kept */

struct stream {
	struct work_queue *work;
	struct trace *tr;
};

static void stream_setup(struct stream *s)
{
	s->work = work_queue_new(1);
	s->tr = trace_new(s->work);
	ck_assert_ptr_nonnull(s->tr);
}

static void stream_teardown(struct stream *s)
{
	work_queue_free(s->work);
	trace_free(s->tr);
}

static void tell(struct stream *s, uint64_t id)
{
	struct pinfs_ioc_event ev = { .id = id };

	trace_tell(s->tr, &ev);
}

/* expect - as many events as there are, of these ids */
static void expect(struct stream *s, uint64_t *cursor, uint64_t id,
		   unsigned int count)
{
	struct pinfs_ioc_event ev[16];
	uint64_t lost;

	while (count > 0) {
		int n = trace_read(s->tr, cursor, ev, ARRAY_SIZE(ev), &lost,
				   NULL);

		ck_assert_int_eq(n, (int)min_u64(count, ARRAY_SIZE(ev)));
		must(lost == 0);
		for (int i = 0; i < n; i++)
			must(ev[i].id == id++);
		count -= (unsigned int)n;
	}
	ck_assert_int_eq(trace_read(s->tr, cursor, ev, 1, &lost, NULL), 0);
}

/* --- readers --------------------------------------------------------------------- */

START_TEST(in_the_order_told)
{
	struct pinfs_ioc_event ev[2];
	uint64_t cursor, lost;
	struct stream s;

	stream_setup(&s);
	ck_assert_int_eq(trace_open(s.tr, &cursor), 0);
	for (uint64_t i = 1; i <= 100; i++)
		tell(&s, i);
	ck_assert_int_eq(trace_read(s.tr, &cursor, ev, 2, &lost, NULL), 2);
	ck_assert_uint_eq(ev[0].id, 1);
	ck_assert_uint_eq(ev[1].id, 2);
	ck_assert_uint_eq(ev[1].number, ev[0].number + 1);
	ck_assert_uint_gt(ev[0].time_ns, 0);
	ck_assert_uint_ge(ev[1].time_ns, ev[0].time_ns);
	expect(&s, &cursor, 3, 98);
	trace_close(s.tr);
	stream_teardown(&s);
}
END_TEST

/* Nobody reads: nothing is kept, and no number used up. */
START_TEST(nothing_is_recorded_for_nobody)
{
	uint64_t cursor, later;
	struct stream s;

	stream_setup(&s);
	ck_assert(!trace_on(s.tr));
	tell(&s, 1);
	ck_assert_int_eq(trace_open(s.tr, &cursor), 0);
	ck_assert(trace_on(s.tr));
	expect(&s, &cursor, 0, 0);
	tell(&s, 2);
	expect(&s, &cursor, 2, 1);
	trace_close(s.tr);
	ck_assert(!trace_on(s.tr));
	tell(&s, 3);
	expect(&s, &cursor, 0, 0);
	ck_assert_int_eq(trace_open(s.tr, &later), 0);
	ck_assert_uint_eq(later, cursor);
	expect(&s, &later, 0, 0);
	trace_close(s.tr);
	stream_teardown(&s);
}
END_TEST

/* Each has its own place, and begins where it came. */
START_TEST(readers_are_independent)
{
	uint64_t one, two;
	struct stream s;

	stream_setup(&s);
	ck_assert_int_eq(trace_open(s.tr, &one), 0);
	tell(&s, 1);
	tell(&s, 2);
	ck_assert_int_eq(trace_open(s.tr, &two), 0);
	tell(&s, 3);
	expect(&s, &two, 3, 1);
	expect(&s, &one, 1, 3);
	trace_close(s.tr);
	ck_assert(trace_on(s.tr));
	tell(&s, 4);
	expect(&s, &two, 4, 1);
	trace_close(s.tr);
	stream_teardown(&s);
}
END_TEST

/* Of RING and more, the newest RING are there; the rest is owned up to. */
START_TEST(lost_events_are_counted)
{
	struct pinfs_ioc_event ev;
	uint64_t cursor, lost, more = (uint64_t[]){ 0, 1, 1000 }[_i];
	struct stream s;

	stream_setup(&s);
	ck_assert_int_eq(trace_open(s.tr, &cursor), 0);
	for (uint64_t i = 1; i <= RING + more; i++)
		tell(&s, i);
	ck_assert_int_eq(trace_read(s.tr, &cursor, &ev, 1, &lost, NULL), 1);
	ck_assert_uint_eq(lost, more);
	ck_assert_uint_eq(ev.id, more + 1);
	expect(&s, &cursor, more + 2, RING - 1);
	/* It goes on as ever. */
	tell(&s, 1);
	expect(&s, &cursor, 1, 1);
	trace_close(s.tr);
	stream_teardown(&s);
}
END_TEST

/* What a caller says of where it is: never more than there is. */
START_TEST(cursors_that_make_no_sense)
{
	uint64_t cursor, began, lost;
	struct pinfs_ioc_event ev;
	struct stream s;

	stream_setup(&s);
	ck_assert_int_eq(trace_open(s.tr, &cursor), 0);
	for (uint64_t i = 0; i < 10; i++)
		tell(&s, i);
	trace_close(s.tr);
	/* Of an earlier recording; that is gone. */
	ck_assert_int_eq(trace_open(s.tr, &began), 0);
	tell(&s, 77);
	for (cursor = 0; cursor < began;) {
		uint64_t asked = cursor;

		ck_assert_int_eq(trace_read(s.tr, &cursor, &ev, 1, &lost, NULL),
				 1);
		ck_assert_uint_eq(ev.id, 77);
		ck_assert_uint_eq(lost, began - asked);
		ck_assert_uint_eq(cursor, began + 1);
		cursor = asked + 1;
	}
	/* From the future: it is now. */
	cursor = UINT64_MAX;
	ck_assert_int_eq(trace_read(s.tr, &cursor, &ev, 1, &lost, NULL), 0);
	tell(&s, 78);
	expect(&s, &cursor, 78, 1);
	trace_close(s.tr);
	stream_teardown(&s);
}
END_TEST

/* --- waiters --------------------------------------------------------------------- */

struct sleeper {
	struct trace_waiter w;
	struct gate woken;
};

static void woken(struct trace_waiter *w)
{
	gate_pass(&container_of(w, struct sleeper, w)->woken);
}

static void sleeper_init(struct sleeper *sl)
{
	memset(sl, 0, sizeof(*sl));
	gate_init(&sl->woken);
	sl->w.wake = woken;
}

/* doze - nothing to be read, so it waits */
static void doze(struct stream *s, uint64_t *cursor, struct sleeper *sl)
{
	struct pinfs_ioc_event ev;
	uint64_t lost;

	ck_assert_int_eq(trace_read(s->tr, cursor, &ev, 1, &lost, &sl->w), 0);
}

START_TEST(waiters_are_woken_once)
{
	struct sleeper sl[3];
	uint64_t cursor;
	struct stream s;

	stream_setup(&s);
	ck_assert_int_eq(trace_open(s.tr, &cursor), 0);
	for (int i = 0; i < 3; i++) {
		sleeper_init(&sl[i]);
		doze(&s, &cursor, &sl[i]);
	}
	tell(&s, 1);
	for (int i = 0; i < 3; i++)
		gate_await(&sl[i].woken, 1);
	tell(&s, 2);
	expect(&s, &cursor, 1, 2);
	/* There was something: it has not been left waiting. */
	doze(&s, &cursor, &sl[0]);
	tell(&s, 3);
	gate_await(&sl[0].woken, 2);
	expect(&s, &cursor, 3, 1);
	trace_close(s.tr);
	stream_teardown(&s);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(gate_count(&sl[i].woken), i ? 1 : 2);
}
END_TEST

START_TEST(waiters_can_be_cancelled)
{
	struct sleeper gives_up, stays;
	uint64_t cursor;
	struct stream s;

	stream_setup(&s);
	sleeper_init(&gives_up);
	sleeper_init(&stays);
	ck_assert_int_eq(trace_open(s.tr, &cursor), 0);
	trace_cancel(s.tr, &gives_up.w); /* it does not wait */
	doze(&s, &cursor, &gives_up);
	doze(&s, &cursor, &stays);
	trace_cancel(s.tr, &gives_up.w);
	gate_await(&gives_up.woken, 1);
	trace_cancel(s.tr, &gives_up.w);
	ck_assert_uint_eq(gate_count(&stays.woken), 0);
	tell(&s, 1);
	gate_await(&stays.woken, 1);
	trace_close(s.tr);
	stream_teardown(&s);
	ck_assert_uint_eq(gate_count(&gives_up.woken), 1);
}
END_TEST

/* L15: all are woken, what is left can be read, and then it is said. */
START_TEST(the_end)
{
	struct pinfs_ioc_event ev;
	struct sleeper sl;
	uint64_t cursor, lost;
	struct stream s;

	stream_setup(&s);
	sleeper_init(&sl);
	ck_assert_int_eq(trace_open(s.tr, &cursor), 0);
	doze(&s, &cursor, &sl);
	trace_end(s.tr);
	gate_await(&sl.woken, 1);
	tell(&s, 1);
	ck_assert_int_eq(trace_read(s.tr, &cursor, &ev, 1, &lost, &sl.w), 1);
	ck_assert_int_eq(trace_read(s.tr, &cursor, &ev, 1, &lost, &sl.w),
			 -ESHUTDOWN);
	trace_close(s.tr);
	stream_teardown(&s);
	ck_assert_uint_eq(gate_count(&sl.woken), 1);
}
END_TEST

#define TELLERS 3u
#define TOLD	5000u

struct teller {
	struct stream *s;
	uint64_t from;
};

static void *telling(void *arg)
{
	struct teller *t = arg;

	for (uint64_t i = 0; i < TOLD; i++)
		tell(t->s, t->from + i);
	return NULL;
}

/* From many threads, to one that sleeps whenever it has read all. */
START_TEST(told_while_read)
{
	struct teller t[TELLERS];
	pthread_t thread[TELLERS];
	uint64_t cursor, lost, at[TELLERS] = { 0 };
	struct pinfs_ioc_event ev[32];
	unsigned int seen = 0, naps = 0;
	struct sleeper sl;
	struct stream s;

	stream_setup(&s);
	sleeper_init(&sl);
	ck_assert_int_eq(trace_open(s.tr, &cursor), 0);
	for (unsigned int i = 0; i < TELLERS; i++) {
		t[i] = (struct teller){ &s, i * TOLD };
		ck_assert_int_eq(
			pthread_create(&thread[i], NULL, telling, &t[i]), 0);
	}
	while (seen < TELLERS * TOLD) {
		int n = trace_read(s.tr, &cursor, ev, ARRAY_SIZE(ev), &lost,
				   &sl.w);

		must(lost == 0 && n >= 0);
		if (n == 0)
			gate_await(&sl.woken, ++naps);
		for (int i = 0; i < n; i++, seen++)
			must(ev[i].id % TOLD == at[ev[i].id / TOLD]++);
	}
	for (unsigned int i = 0; i < TELLERS; i++)
		pthread_join(thread[i], NULL);
	trace_close(s.tr);
	stream_teardown(&s);
}
END_TEST

/* --- what the protocol tells ----------------------------------------------------- */

struct told {
	uint8_t kind;
	uint64_t id;
};

/* expect_told - these, in that order, and what has been freed */
static void expect_told(struct rig *r, uint64_t *cursor,
			const struct told *want, size_t count)
{
	struct pinfs_ioc_event ev;
	uint64_t lost;
	size_t at = 0;

	while (trace_read(layouts_trace(r->ls), cursor, &ev, 1, &lost, NULL) >
	       0) {
		if (ev.kind == PINFS_EVENT_FREED)
			continue;
		ck_assert_msg(at < count && ev.kind == want[at].kind &&
				      ev.id == want[at].id,
			      "event %zu is %u of %lu", at, ev.kind, ev.id);
		at++;
	}
	ck_assert_uint_eq(at, count);
}

/* Two sets and a break, in both scopes. */
START_TEST(the_life_of_sets_and_a_break)
{
	struct fs_options opt = { .scope_range = _i };
	struct pin_set *set, *late;
	uint64_t cursor, one, two, brk;
	struct rig_break b;
	struct rig_wait w;
	struct rig r;

	rig_setup(&r, &opt);
	ck_assert_int_eq(trace_open(layouts_trace(r.ls), &cursor), 0);
	set = range_hold(&r, r.ip[0], 3, 2);
	one = pin_set_id(set);
	ck_assert(!range_break(&r, &b, r.ip[0], 0, 99));
	brk = b.brk.number;
	late = rig_begin(&r, 0);
	two = pin_set_id(late);
	ck_assert_int_eq(range_claim(late, r.ip[0], 0, 1, &w), -EINPROGRESS);
	pin_set_unpin(set);
	range_break_over(&b, 0);
	gate_await(&w.granted, 1);
	pin_set_free(set);
	pin_set_free(late);
	expect_told(&r, &cursor,
		    (struct told[]){
			    { PINFS_EVENT_PIN_BEGIN, one },
			    { PINFS_EVENT_PIN_ADMIT, one },
			    { PINFS_EVENT_PIN, one },
			    { PINFS_EVENT_BREAK_ASKED, brk },
			    { PINFS_EVENT_BREAK_WAITING, brk },
			    { PINFS_EVENT_PIN_BEGIN, two },
			    { PINFS_EVENT_PIN_WAIT, two },
			    { PINFS_EVENT_UNPIN, one },
			    { PINFS_EVENT_BREAK_RUNNING, brk },
			    { PINFS_EVENT_BREAK_DONE, brk },
			    { PINFS_EVENT_PIN_ADMIT, two },
			    { PINFS_EVENT_PIN_END, one },
			    { PINFS_EVENT_UNPIN, two },
			    { PINFS_EVENT_PIN_END, two },
		    },
		    14);
	trace_close(layouts_trace(r.ls));
	rig_teardown(&r);
}
END_TEST

START_TEST(other_ends)
{
	struct fs_options opt = { .break_warn_ns = 1000000 };
	struct pinfs_ioc_event ev;
	uint64_t cursor, lost;
	struct sleeper sl;
	struct pin_set *set;
	struct rig_break b;
	struct stream s;
	int n;
	struct rig r;

	log_set_level(LOG_LEVEL_ERROR);
	rig_setup(&r, &opt);
	sleeper_init(&sl);
	set = rig_hold(&r, r.ip[0]);
	s.tr = layouts_trace(r.ls);
	ck_assert_int_eq(trace_open(s.tr, &cursor), 0);
	ck_assert_int_eq(pin_set_cancel(r.ls, pin_set_id(set), 7, false), 0);
	expect_told(
		&r, &cursor,
		(struct told[]){ { PINFS_EVENT_PIN_CANCEL, pin_set_id(set) } },
		1);
	ck_assert(!rig_break(&r, &b, r.ip[0]));
	for (int i = 0; i < 3; i++) {
		n = trace_read(s.tr, &cursor, &ev, 1, &lost, &sl.w);
		if (n == 0) { /* the warning is still to come */
			gate_await(&sl.woken, 1);
			n = trace_read(s.tr, &cursor, &ev, 1, &lost, NULL);
		}
		ck_assert_int_eq(n, 1);
		ck_assert_uint_eq(ev.id, b.brk.number);
		ck_assert_uint_eq(
			ev.kind,
			((unsigned int[]){ PINFS_EVENT_BREAK_ASKED,
					   PINFS_EVENT_BREAK_WAITING,
					   PINFS_EVENT_BREAK_WARN })[i]);
	}
	layout_break_cancel(&b.brk, -EINTR);
	range_break_over(&b, -EINTR);
	do {
		n = trace_read(s.tr, &cursor, &ev, 1, &lost, NULL);
	} while (n == 1 && ev.kind == PINFS_EVENT_BREAK_WARN);
	ck_assert_uint_eq(ev.kind, PINFS_EVENT_BREAK_FAILED);
	ck_assert_int_eq(ev.err, -EINTR);
	trace_close(s.tr);
	pin_set_free(set);
	rig_teardown(&r);
}
END_TEST

/* L1, as one sees it from outside: freed after the last unpin, and all of it. */
START_TEST(freed_after_unpin)
{
	struct fs_options opt = { .scope_range = _i };
	struct pinfs_ioc_event ev;
	uint64_t cursor, lost, freed = 0, physical = 0;
	bool unpinned = false;
	struct range_change c;
	struct pin_set *set;
	struct rig r;

	rig_setup(&r, &opt);
	ck_assert_int_eq(trace_open(layouts_trace(r.ls), &cursor), 0);
	set = range_hold(&r, r.ip[0], 3, 2);
	ck_assert(!range_change(&r, &c, 0, PINFS_CHANGE_TRUNCATE, 0, 0));
	pin_set_free(set);
	gate_await(&c.over, 1);
	while (trace_read(layouts_trace(r.ls), &cursor, &ev, 1, &lost, NULL) >
	       0) {
		if (ev.kind == PINFS_EVENT_PIN) {
			ck_assert_uint_eq(ev.offset, 3 * PINFS_BLOCK_SIZE);
			ck_assert_uint_eq(ev.length, 2 * PINFS_BLOCK_SIZE);
			ck_assert_uint_eq(ev.ino, r.ip[0]->ino);
			physical = ev.physical;
		} else if (ev.kind == PINFS_EVENT_UNPIN) {
			unpinned = true;
		} else if (ev.kind == PINFS_EVENT_FREED &&
			   ev.physical <= physical &&
			   ev.physical + ev.length > physical) {
			ck_assert(unpinned);
			freed++;
		}
	}
	ck_assert_uint_eq(freed, 1);
	trace_close(layouts_trace(r.ls));
	rig_teardown(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trace");

	rig_add(s, "order", in_the_order_told, 1);
	rig_add(s, "nobody", nothing_is_recorded_for_nobody, 1);
	rig_add(s, "readers", readers_are_independent, 1);
	rig_add(s, "lost", lost_events_are_counted, 3);
	rig_add(s, "nonsense", cursors_that_make_no_sense, 1);
	rig_add(s, "waiters", waiters_are_woken_once, 1);
	rig_add(s, "cancelled", waiters_can_be_cancelled, 1);
	rig_add(s, "the end", the_end, 1);
	rig_add(s, "told while read", told_while_read, 1);
	rig_add(s, "life", the_life_of_sets_and_a_break, 2);
	rig_add(s, "other ends", other_ends, 1);
	rig_add(s, "freed", freed_after_unpin, 2);
	return rig_main(s);
}
