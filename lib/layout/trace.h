/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The event stream: what the protocol does, in the order in which it does it.
 *
 * Nothing is recorded, and next to nothing spent, while nobody reads. Readers
 * share one ring; who is too slow for it is told how many events he has lost.
 */
#ifndef PINFS_TRACE_H
#define PINFS_TRACE_H

#include "base/work.h"
#include "wire/pinfs_ioctl.h"

struct trace;

struct trace *trace_new(struct work_queue *work); /* NULL without memory */
void trace_free(struct trace *tr); /* no waiter is left; NULL is fine */

/*
 * trace_open - events are recorded from here on; returns where a reader begins
 *
 * -ENOMEM. As often as opened, trace_close(); the last ends the recording.
 */
int trace_open(struct trace *tr, uint64_t *cursor);
void trace_close(struct trace *tr);

/* trace_end - nothing more will happen: wake all who wait (L15) */
void trace_end(struct trace *tr);

/* struct trace_waiter - told, on a work queue's thread, when there are events */
struct trace_waiter {
	void (*wake)(struct trace_waiter *w);
	struct work work;
	struct list_head node; /* trace's lock */
};

/*
 * trace_read - events from *cursor on, which is moved behind them
 * @lost: how many there were between *cursor and the first one given
 *
 * Returns how many, 0 if there are none yet: then w, if it is not NULL, has been
 * left waiting, and wake() will be called once. -ESHUTDOWN: none will come.
 */
int trace_read(struct trace *tr, uint64_t *cursor, struct pinfs_ioc_event *ev,
	       int max, uint64_t *lost, struct trace_waiter *w);

/* trace_cancel - have wake() called now, if w still waits; any thread */
void trace_cancel(struct trace *tr, struct trace_waiter *w);

/* trace_on - does anybody read? */
bool trace_on(struct trace *tr);

/* trace_tell - add an event; its sequence number and time are filled in */
void trace_tell(struct trace *tr, struct pinfs_ioc_event *ev);

#endif
