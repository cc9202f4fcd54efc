// SPDX-License-Identifier: BSD-3-Clause
#include "layout/trace.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "layout/layout_i.h"

#define RING_EVENTS (1u << 16)

/*
 * The lock is the innermost of all; it is only taken while somebody reads. An
 * event's number tells its place in the ring.
 */
struct trace {
	struct work_queue *work;
	atomic_uint readers; /* changed with the lock held */
	pthread_mutex_t lock;
	uint64_t next; /* lock: number of the next event, from 1 */
	uint64_t begun; /* lock: number of the first that the ring was given */
	struct pinfs_ioc_event *ring; /* lock; while there are readers */
	struct list_head waiters; /* lock */
	bool ended; /* lock */
};

struct trace *trace_new(struct work_queue *work)
{
	struct trace *tr = calloc(1, sizeof(*tr));

	if (!tr)
		return NULL;
	tr->work = work;
	tr->next = 1;
	pthread_mutex_init(&tr->lock, NULL);
	list_init(&tr->waiters);
	return tr;
}

void trace_free(struct trace *tr)
{
	if (!tr)
		return;
	pthread_mutex_destroy(&tr->lock);
	free(tr->ring);
	free(tr);
}

int trace_open(struct trace *tr, uint64_t *cursor)
{
	int err = 0;

	pthread_mutex_lock(&tr->lock);
	if (!tr->ring) {
		tr->ring = malloc(RING_EVENTS * sizeof(tr->ring[0]));
		tr->begun = tr->next;
	}
	if (tr->ring)
		atomic_fetch_add(&tr->readers, 1);
	else
		err = -ENOMEM;
	*cursor = tr->next;
	pthread_mutex_unlock(&tr->lock);
	return err;
}

void trace_close(struct trace *tr)
{
	pthread_mutex_lock(&tr->lock);
	if (atomic_fetch_sub(&tr->readers, 1) == 1) {
		free(tr->ring);
		tr->ring = NULL;
	}
	pthread_mutex_unlock(&tr->lock);
}

bool trace_on(struct trace *tr)
{
	return atomic_load_explicit(&tr->readers, memory_order_relaxed) > 0;
}

static void wake(struct work *w)
{
	struct trace_waiter *tw = container_of(w, struct trace_waiter, work);

	tw->wake(tw);
}

/* post - the waiter waits no longer; the lock is held */
static void post(struct trace *tr, struct trace_waiter *w)
{
	list_del(&w->node);
	w->work.fn = wake;
	work_post(tr->work, &w->work);
}

void trace_tell(struct trace *tr, struct pinfs_ioc_event *ev)
{
	struct trace_waiter *w, *next;

	pthread_mutex_lock(&tr->lock);
	if (tr->ring) {
		ev->number = tr->next++;
		ev->time_ns = now_ns();
		tr->ring[ev->number % RING_EVENTS] = *ev;
		list_for_each_entry_safe(w, next, &tr->waiters, node)
			post(tr, w);
	}
	pthread_mutex_unlock(&tr->lock);
}

/* skip_lost - move to the oldest event that is still there */
static uint64_t skip_lost(const struct trace *tr, uint64_t *cursor)
{
	uint64_t oldest = tr->begun;
	uint64_t at = *cursor;

	if (tr->next - oldest > RING_EVENTS)
		oldest = tr->next - RING_EVENTS;
	if (at > tr->next)
		*cursor = tr->next; /* nonsense: from now on */
	if (at >= oldest)
		return 0;
	*cursor = oldest;
	return oldest - at;
}

int trace_read(struct trace *tr, uint64_t *cursor, struct pinfs_ioc_event *ev,
	       int max, uint64_t *lost, struct trace_waiter *w)
{
	int n = 0;

	pthread_mutex_lock(&tr->lock);
	*lost = skip_lost(tr, cursor);
	while (tr->ring && n < max && *cursor < tr->next)
		ev[n++] = tr->ring[(*cursor)++ % RING_EVENTS];
	if (n == 0 && tr->ended)
		n = -ESHUTDOWN;
	if (n == 0 && w)
		list_add_tail(&w->node, &tr->waiters);
	pthread_mutex_unlock(&tr->lock);
	return n;
}

void trace_end(struct trace *tr)
{
	struct trace_waiter *w, *next;

	pthread_mutex_lock(&tr->lock);
	tr->ended = true;
	list_for_each_entry_safe(w, next, &tr->waiters, node)
		post(tr, w);
	pthread_mutex_unlock(&tr->lock);
}

void trace_cancel(struct trace *tr, struct trace_waiter *w)
{
	struct trace_waiter *at, *next;

	pthread_mutex_lock(&tr->lock);
	list_for_each_entry_safe(at, next, &tr->waiters, node)
		if (at == w)
			post(tr, w);
	pthread_mutex_unlock(&tr->lock);
}

/* --- what the protocol tells ---------------------------------------------- */

static struct pinfs_ioc_event event_of_set(const struct pin_set *set,
					   enum pinfs_event kind)
{
	struct pinfs_ioc_event ev = {
		.id = set->number,
		.pid = set->opt.owner.pid,
		.uid = set->opt.owner.uid,
		.kind = (uint8_t)kind,
		.direction = (uint8_t)set->opt.direction,
		.engine = (uint8_t)set->opt.engine,
	};

	memcpy(ev.comm, set->opt.owner.comm, sizeof(ev.comm));
	return ev;
}

void trace_set(struct pin_set *set, enum pinfs_event kind)
{
	struct pinfs_ioc_event ev;

	if (!trace_on(set->ls->trace))
		return;
	ev = event_of_set(set, kind);
	trace_tell(set->ls->trace, &ev);
}

void trace_hold(const struct hold *h, enum pinfs_event kind)
{
	struct pinfs_ioc_event ev;

	if (!trace_on(h->set->ls->trace))
		return;
	ev = event_of_set(h->set, kind);
	ev.ino = h->ip->ino;
	trace_tell(h->set->ls->trace, &ev);
}

void trace_range(const struct hold *h, const struct pin_range *r)
{
	struct pinfs_ioc_event ev;

	if (!trace_on(h->set->ls->trace))
		return;
	ev = event_of_set(h->set, PINFS_EVENT_PIN);
	ev.ino = h->ip->ino;
	for (size_t i = 0; i < r->nruns; i++) {
		ev.offset = r->run[i].lblk << PINFS_BLOCK_SHIFT;
		ev.length = r->run[i].count << PINFS_BLOCK_SHIFT;
		ev.physical = r->run[i].pblk << PINFS_BLOCK_SHIFT;
		trace_tell(h->set->ls->trace, &ev);
	}
}

void trace_break(const struct layout_break *brk, enum pinfs_event kind, int err)
{
	struct pinfs_ioc_event ev = {
		.id = brk->number,
		.ino = brk->ip->ino,
		.offset = brk->offset,
		.length = brk->length,
		.pid = brk->owner.pid,
		.uid = brk->owner.uid,
		.kind = (uint8_t)kind,
		.change = (uint8_t)brk->change,
		.err = err,
	};

	if (!trace_on(brk->ls->trace))
		return;
	memcpy(ev.comm, brk->owner.comm, sizeof(ev.comm));
	trace_tell(brk->ls->trace, &ev);
}

void trace_freed(struct layouts *ls, uint64_t pblk, uint64_t count)
{
	struct pinfs_ioc_event ev = {
		.kind = PINFS_EVENT_FREED,
		.physical = pblk << PINFS_BLOCK_SHIFT,
		.length = count << PINFS_BLOCK_SHIFT,
	};

	if (trace_on(ls->trace))
		trace_tell(ls->trace, &ev);
}
