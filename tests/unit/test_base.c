// SPDX-License-Identifier: BSD-3-Clause
/* Lists, arithmetic, searches, the queue of work, and timers. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/search.h"
#include "base/timer.h"
#include "base/util.h"
#include "base/work.h"
#include "gate.h"
#include "scratch_volume.h"
#include "scratch.h"

/* --- lists and numbers ---------------------------------------------------- */

struct item {
	struct list_head node;
	unsigned int value;
};

static void expect(const struct list_head *h, const char *values)
{
	const struct list_head *back = h->prev;
	struct item *it;
	size_t n = 0;

	list_for_each_entry(it, h, node) {
		ck_assert_uint_eq(it->value, (unsigned int)(values[n++] - '0'));
		ck_assert_ptr_eq(it->node.next->prev, &it->node);
	}
	ck_assert_int_eq(values[n], '\0');
	for (; back != h; back = back->prev)
		n--;
	ck_assert_uint_eq(n, 0);
}

START_TEST(list_keeps_order)
{
	struct list_head a = LIST_HEAD_INIT(a), b;
	struct item it[6], *pos, *tmp;

	list_init(&b);
	ck_assert(list_empty(&a) && list_empty(&b));
	for (unsigned int i = 0; i < 6; i++)
		it[i].value = i;
	list_add_tail(&it[1].node, &a);
	list_add_tail(&it[2].node, &a);
	list_add(&it[0].node, &a);
	expect(&a, "012");
	ck_assert_ptr_eq(list_first_entry(&a, struct item, node), &it[0]);
	ck_assert_ptr_eq(list_last_entry(&a, struct item, node), &it[2]);
	list_splice_tail(&b, &a);
	expect(&a, "012");
	list_add_tail(&it[3].node, &b);
	list_add_tail(&it[4].node, &b);
	list_splice_tail(&b, &a);
	expect(&a, "01234");
	expect(&b, "");
	list_splice_tail(&a, &b);
	expect(&b, "01234");
	list_del(&it[2].node);
	list_del(&it[2].node); /* harmless */
	expect(&b, "0134");
	list_for_each_entry_safe(pos, tmp, &b, node)
		if (pos->value != 3)
			list_del(&pos->node);
	expect(&b, "3");
}
END_TEST

START_TEST(numbers)
{
	ck_assert_uint_eq(min_u64(3, UINT64_MAX), 3);
	ck_assert_uint_eq(max_u64(3, UINT64_MAX), UINT64_MAX);
	ck_assert_uint_eq(round_up_u64(0, 64), 0);
	ck_assert_uint_eq(round_up_u64(1, 64), 64);
	ck_assert_uint_eq(round_up_u64(64, 64), 64);
	ck_assert_uint_eq(round_down_u64(127, 64), 64);
	ck_assert_uint_eq(div_round_up(0, 7), 0);
	ck_assert_uint_eq(div_round_up(7, 7), 1);
	ck_assert_uint_eq(div_round_up(8, 7), 2);
	ck_assert_uint_eq(div_round_up(UINT64_MAX, 2), 1ull << 63);
}
END_TEST

/* --- searches --------------------------------------------------------------- */

#define SEARCHED 40u

/* looks - how many elements are looked at to find at among n, from a guess */
static unsigned int looks(unsigned int n, unsigned int at, unsigned int guess)
{
	unsigned int count = 0;
	struct search s;

	for (search_begin(&s, n, guess); s.lo < s.hi; count++) {
		ck_assert_uint_ge(s.mid, s.lo);
		ck_assert_uint_lt(s.mid, s.hi);
		search_step(&s, s.mid < at);
	}
	ck_assert_uint_eq(s.lo, at);
	return count;
}

START_TEST(search_from_any_guess)
{
	for (unsigned int n = 0; n <= SEARCHED; n++) {
		unsigned int halvings = 0;

		while (n >> halvings)
			halvings++;
		for (unsigned int at = 0; at <= n; at++)
			for (unsigned int guess = 0; guess < (n ? n : 1);
			     guess++)
				ck_assert_uint_le(looks(n, at, guess),
						  2 * halvings);
	}
}
END_TEST

START_TEST(search_near_a_good_guess)
{
	for (unsigned int at = 1; at < SEARCHED; at++) {
		ck_assert_uint_eq(looks(SEARCHED, at, at), 2);
		ck_assert_uint_le(looks(SEARCHED, at, at - 1), 2);
	}
}
END_TEST

/* --- work ----------------------------------------------------------------- */

#define JOBS 200u

struct job {
	struct work work;
	struct work_queue *wq;
	unsigned int index;
	_Atomic unsigned int *done;
	unsigned int *order; /* single thread */
	struct gate *start, *started;
	struct job *next;
};

static void run_job(struct work *w)
{
	struct job *job = container_of(w, struct job, work);

	if (job->started)
		gate_pass(job->started);
	if (job->start)
		gate_await(job->start, 1);
	if (job->next)
		work_post(job->wq, &job->next->work);
	if (job->order)
		job->order[atomic_load(job->done)] = job->index;
	atomic_fetch_add(job->done, 1);
	free(job); /* fn may */
}

static struct job *new_job(struct work_queue *wq, unsigned int index,
			   _Atomic unsigned int *done)
{
	struct job *job = calloc(1, sizeof(*job));

	ck_assert_ptr_nonnull(job);
	job->work.fn = run_job;
	job->wq = wq;
	job->index = index;
	job->done = done;
	return job;
}

START_TEST(work_is_done_in_order)
{
	struct work_queue *wq = work_queue_new(1);
	_Atomic unsigned int done = 0;
	unsigned int order[JOBS];

	for (unsigned int i = 0; i < JOBS; i++) {
		struct job *job = new_job(wq, i, &done);

		job->order = order;
		work_post(wq, &job->work);
	}
	/* Does what is queued. */
	work_queue_free(wq);
	ck_assert_uint_eq(done, JOBS);
	for (unsigned int i = 0; i < JOBS; i++)
		ck_assert_uint_eq(order[i], i);
}
END_TEST

/* Each of the threads has one at the same time, or this would not end. */
START_TEST(work_runs_side_by_side)
{
	struct work_queue *wq = work_queue_new(4);
	struct gate start, started;
	_Atomic unsigned int done = 0;

	gate_init(&start);
	gate_init(&started);
	for (unsigned int i = 0; i < 8; i++) {
		struct job *job = new_job(wq, i, &done);

		job->start = &start;
		job->started = &started;
		work_post(wq, &job->work);
	}
	gate_await(&started, 4);
	ck_assert_uint_eq(done, 0);
	gate_pass(&start);
	work_queue_free(wq);
	ck_assert_uint_eq(done, 8);
}
END_TEST

START_TEST(work_posts_work)
{
	struct work_queue *wq = work_queue_new(2);
	_Atomic unsigned int done = 0;
	struct job *first = NULL;

	for (unsigned int i = 0; i < JOBS; i++) {
		struct job *job = new_job(wq, i, &done);

		job->next = first;
		first = job;
	}
	work_post(wq, &first->work);
	/* What is posted while it ends is done, too. */
	work_queue_free(wq);
	ck_assert_uint_eq(done, JOBS);
	work_queue_free(NULL);
	ck_assert_ptr_null(work_queue_new(0));
}
END_TEST

/* --- timers --------------------------------------------------------------- */

#define ALARMS 300u

struct alarm {
	struct timer timer;
	struct timers *ts;
	struct gate *rang;
	uint64_t due_ns, rang_ns;
	unsigned int place; /* when it rang, among all */
	struct gate *hold, *held;
	unsigned int again; /* so often does it set itself again */
};

static void ring(struct timer *t)
{
	struct alarm *a = container_of(t, struct alarm, timer);

	a->rang_ns = now_ns();
	a->place = gate_count(a->rang);
	if (a->held)
		gate_pass(a->held);
	if (a->hold)
		gate_await(a->hold, 1);
	if (a->again > 0) {
		a->again--;
		ck_assert_int_eq(timer_set(a->ts, t, now_ns()), 0);
	}
	gate_pass(a->rang);
}

static void alarm_init(struct alarm *a, struct timers *ts, struct gate *rang)
{
	*a = (struct alarm){ .ts = ts, .rang = rang };
	timer_init(&a->timer, ring);
	ck_assert_uint_eq(a->timer.slot, TIMER_IDLE);
}

static void alarm_set(struct alarm *a, uint64_t due_ns)
{
	a->due_ns = due_ns;
	ck_assert_int_eq(timer_set(a->ts, &a->timer, due_ns), 0);
}

/* alarm_hold - it is due now, and rings on return, until hold is passed */
static void alarm_hold(struct alarm *a, struct gate *hold, struct gate *held)
{
	gate_init(hold);
	gate_init(held);
	a->hold = hold;
	a->held = held;
	alarm_set(a, now_ns());
	gate_await(held, 1);
}

START_TEST(timers_ring_in_order)
{
	static struct alarm a[ALARMS];
	struct timers *ts = timers_new();
	uint64_t seed = 5, start = now_ns();
	struct gate rang, hold, held, first_rang;
	unsigned int cancelled = 0;
	struct alarm first;

	gate_init(&rang);
	gate_init(&first_rang);
	/* None of them rings until all have been set. */
	alarm_init(&first, ts, &first_rang);
	alarm_hold(&first, &hold, &held);
	for (unsigned int i = 0; i < ALARMS; i++) {
		alarm_init(&a[i], ts, &rang);
		alarm_set(&a[i], start + 1000 * NSEC_PER_SEC);
	}
	/* Earlier, and some of them not at all. */
	for (unsigned int i = 0; i < ALARMS; i++)
		alarm_set(&a[i],
			  start + scratch_random(&seed) % 100 * 1000000ull);
	for (unsigned int i = 0; i < ALARMS; i += 7, cancelled++)
		timer_cancel(ts, &a[i].timer);
	gate_pass(&hold);
	gate_await(&rang, ALARMS - cancelled);
	for (unsigned int i = 0; i < ALARMS; i++) {
		if (i % 7 == 0) {
			ck_assert_uint_eq(a[i].rang_ns, 0);
			continue;
		}
		ck_assert_uint_ge(a[i].rang_ns, a[i].due_ns);
		for (unsigned int k = 0; k < ALARMS; k++)
			if (k % 7 && a[k].due_ns < a[i].due_ns &&
			    a[k].place > a[i].place)
				ck_abort_msg("%u before %u", i, k);
	}
	ck_assert_uint_eq(gate_count(&rang), ALARMS - cancelled);
	timers_free(ts);
}
END_TEST

/* One that is due wakes the thread, though it sleeps for a later one. */
START_TEST(timers_wake_for_an_earlier_one)
{
	struct timers *ts = timers_new();
	struct gate rang;
	struct alarm late, first, soon;

	gate_init(&rang);
	alarm_init(&late, ts, &rang);
	alarm_init(&first, ts, &rang);
	alarm_init(&soon, ts, &rang);
	alarm_set(&late, now_ns() + 1000 * NSEC_PER_SEC);
	alarm_set(&first, now_ns());
	gate_await(&rang, 1);
	/* Returns when the thread has let go of the lock: to sleep. */
	timer_cancel(ts, &first.timer);
	alarm_set(&soon, now_ns() + 10 * 1000000ull);
	gate_await(&rang, 2);
	ck_assert_uint_ne(soon.rang_ns, 0);
	ck_assert_uint_eq(late.rang_ns, 0);
	ck_assert_uint_ne(late.timer.slot, TIMER_IDLE);
	/* The one that is not due is forgotten. */
	timers_free(ts);
	timers_free(NULL);
	ck_assert_uint_eq(late.rang_ns, 0);
}
END_TEST

static void *release(void *arg)
{
	gate_pass(arg);
	return NULL;
}

START_TEST(cancel_waits_for_what_runs)
{
	struct gate rang, hold, held;
	struct timers *ts = timers_new();
	pthread_t thread;
	struct alarm a;

	gate_init(&rang);
	alarm_init(&a, ts, &rang);
	a.again = 3; /* and set again meanwhile: cancelled all the same */
	alarm_hold(&a, &hold, &held);
	ck_assert_uint_eq(gate_count(&rang), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, release, &hold), 0);
	timer_cancel(ts, &a.timer);
	ck_assert_uint_ge(gate_count(&rang), 1);
	ck_assert_uint_eq(a.timer.slot, TIMER_IDLE);
	pthread_join(thread, NULL);
	timer_cancel(ts, &a.timer); /* harmless */
	timers_free(ts);
}
END_TEST

START_TEST(timer_sets_itself)
{
	struct timers *ts = timers_new();
	struct gate rang;
	struct alarm a;

	gate_init(&rang);
	alarm_init(&a, ts, &rang);
	a.again = 50;
	alarm_set(&a, now_ns());
	gate_await(&rang, 51);
	timer_cancel(ts, &a.timer);
	ck_assert_uint_eq(gate_count(&rang), 51);
	timers_free(ts);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base");
	TCase *tc = tcase_create("base");

	tcase_add_test(tc, list_keeps_order);
	tcase_add_test(tc, numbers);
	tcase_add_test(tc, search_from_any_guess);
	tcase_add_test(tc, search_near_a_good_guess);
	tcase_add_test(tc, work_is_done_in_order);
	tcase_add_test(tc, work_runs_side_by_side);
	tcase_add_test(tc, work_posts_work);
	tcase_add_test(tc, timers_ring_in_order);
	tcase_add_test(tc, timers_wake_for_an_earlier_one);
	tcase_add_test(tc, cancel_waits_for_what_runs);
	tcase_add_test(tc, timer_sets_itself);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
