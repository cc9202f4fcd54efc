/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Timers: one thread that sleeps until the earliest of them is due.
 *
 * A heap of pointers, so that ten thousand waiting breaks cost a few
 * comparisons each.
 */
#ifndef PINFS_BASE_TIMER_H
#define PINFS_BASE_TIMER_H

#include <stddef.h>
#include <stdint.h>

struct timers;

#define TIMER_IDLE SIZE_MAX

/* struct timer - slot is TIMER_IDLE while it is not set */
struct timer {
	uint64_t due_ns; /* as now_ns() tells time */
	size_t slot;
	void (*fn)(struct timer *t); /* on the timers' thread, no lock held */
};

struct timers *timers_new(void);
void timers_free(struct timers *ts); /* NULL is fine; forgets what is set */

/* timer_init - before the first timer_set() */
void timer_init(struct timer *t, void (*fn)(struct timer *t));

/* timer_set - have fn called at due_ns; -ENOMEM */
int timer_set(struct timers *ts, struct timer *t, uint64_t due_ns);

/*
 * timer_cancel - not set, and fn is not running, when it returns
 *
 * Never called with a lock held that fn takes.
 */
void timer_cancel(struct timers *ts, struct timer *t);

#endif
