// SPDX-License-Identifier: BSD-3-Clause
#include "base/timer.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/util.h"

struct timers {
	pthread_mutex_t lock;
	pthread_cond_t wake; /* an earlier timer was set, or stop */
	pthread_cond_t called; /* running has changed */
	struct timer **heap; /* lock, as all below */
	size_t count, room;
	struct timer *running;
	bool stop;
	pthread_t thread;
};

static void place(struct timers *ts, size_t slot, struct timer *t)
{
	ts->heap[slot] = t;
	t->slot = slot;
}

static void sift_up(struct timers *ts, size_t slot)
{
	struct timer *t = ts->heap[slot];

	while (slot > 0 && ts->heap[(slot - 1) / 2]->due_ns > t->due_ns) {
		place(ts, slot, ts->heap[(slot - 1) / 2]);
		slot = (slot - 1) / 2;
	}
	place(ts, slot, t);
}

static void sift_down(struct timers *ts, size_t slot)
{
	struct timer *t = ts->heap[slot];

	for (;;) {
		size_t child = 2 * slot + 1;

		if (child >= ts->count)
			break;
		if (child + 1 < ts->count &&
		    ts->heap[child + 1]->due_ns < ts->heap[child]->due_ns)
			child++;
		if (ts->heap[child]->due_ns >= t->due_ns)
			break;
		place(ts, slot, ts->heap[child]);
		slot = child;
	}
	place(ts, slot, t);
}

static void heap_remove(struct timers *ts, struct timer *t)
{
	size_t slot = t->slot;
	struct timer *last = ts->heap[--ts->count];

	t->slot = TIMER_IDLE;
	if (last == t)
		return;
	place(ts, slot, last);
	sift_up(ts, slot);
	sift_down(ts, last->slot);
}

static void wait_until(struct timers *ts, uint64_t due_ns)
{
	struct timespec at = {
		.tv_sec = (time_t)(due_ns / NSEC_PER_SEC),
		.tv_nsec = (long)(due_ns % NSEC_PER_SEC),
	};

	pthread_cond_timedwait(&ts->wake, &ts->lock, &at);
}

static void *timer_thread(void *arg)
{
	struct timers *ts = arg;

	pthread_mutex_lock(&ts->lock);
	while (!ts->stop) {
		struct timer *t = ts->count ? ts->heap[0] : NULL;

		if (!t) {
			pthread_cond_wait(&ts->wake, &ts->lock);
			continue;
		}
		if (t->due_ns > now_ns()) {
			wait_until(ts, t->due_ns);
			continue;
		}
		heap_remove(ts, t);
		ts->running = t;
		pthread_mutex_unlock(&ts->lock);
		t->fn(t);
		pthread_mutex_lock(&ts->lock);
		ts->running = NULL;
		pthread_cond_broadcast(&ts->called);
	}
	pthread_mutex_unlock(&ts->lock);
	return NULL;
}

struct timers *timers_new(void)
{
	struct timers *ts = calloc(1, sizeof(*ts));
	pthread_condattr_t attr;

	if (!ts)
		return NULL;
	pthread_mutex_init(&ts->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&ts->wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_cond_init(&ts->called, NULL);
	if (pthread_create(&ts->thread, NULL, timer_thread, ts)) {
		free(ts);
		return NULL;
	}
	return ts;
}

void timers_free(struct timers *ts)
{
	if (!ts)
		return;
	pthread_mutex_lock(&ts->lock);
	ts->stop = true;
	pthread_cond_signal(&ts->wake);
	pthread_mutex_unlock(&ts->lock);
	pthread_join(ts->thread, NULL);
	pthread_cond_destroy(&ts->called);
	pthread_cond_destroy(&ts->wake);
	pthread_mutex_destroy(&ts->lock);
	free(ts->heap);
	free(ts);
}

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	t->slot = TIMER_IDLE;
	t->fn = fn;
}

static int heap_grow(struct timers *ts)
{
	size_t room = ts->room ? 2 * ts->room : 64;
	struct timer **heap;

	if (ts->count < ts->room)
		return 0;
	heap = realloc(ts->heap, room * sizeof(struct timer *));
	if (!heap)
		return -ENOMEM;
	ts->heap = heap;
	ts->room = room;
	return 0;
}

int timer_set(struct timers *ts, struct timer *t, uint64_t due_ns)
{
	int err;

	pthread_mutex_lock(&ts->lock);
	err = heap_grow(ts);
	if (!err) {
		if (t->slot != TIMER_IDLE)
			heap_remove(ts, t);
		t->due_ns = due_ns;
		ts->heap[ts->count] = t;
		sift_up(ts, ts->count++);
		if (t->slot == 0)
			pthread_cond_signal(&ts->wake);
	}
	pthread_mutex_unlock(&ts->lock);
	return err;
}

void timer_cancel(struct timers *ts, struct timer *t)
{
	pthread_mutex_lock(&ts->lock);
	/* fn may set it again while we wait for fn to return. */
	while (ts->running == t || t->slot != TIMER_IDLE) {
		if (t->slot != TIMER_IDLE)
			heap_remove(ts, t);
		else
			pthread_cond_wait(&ts->called, &ts->lock);
	}
	pthread_mutex_unlock(&ts->lock);
}
