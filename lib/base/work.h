/* SPDX-License-Identifier: BSD-3-Clause */
/* A queue of work and the threads that do it, in the order it was queued. */
#ifndef PINFS_BASE_WORK_H
#define PINFS_BASE_WORK_H

#include <pthread.h>
#include <stdbool.h>

#include "base/list.h"

/* struct work - zeroed or used up before it is queued; fn may free it */
struct work {
	struct list_head node;
	void (*fn)(struct work *w);
};

struct work_queue;

/* work_queue_new - with so many threads; NULL without memory */
struct work_queue *work_queue_new(unsigned int threads);

/* work_queue_free - do what is queued, end the threads; NULL is fine */
void work_queue_free(struct work_queue *wq);

/* work_post - have fn(w) called on one of the threads; never blocks or fails */
void work_post(struct work_queue *wq, struct work *w);

#endif
