// SPDX-License-Identifier: BSD-3-Clause
/* Admission of pin sets to files: who waits for whom (L4, L5). */
#include "layout/layout_i.h"

#include <errno.h>

/*
 * may_enter - L4: not while a break that was asked for before the set began is
 * queued; L5: one that was asked for later is no obstacle, unless it runs (L2)
 *
 * The first of the queue has the smallest number, and no other ever runs.
 */
static bool may_enter(const struct layout *lo, const struct pin_set *set)
{
	const struct layout_break *brk;

	if (list_empty(&lo->breaks))
		return true;
	brk = list_first_entry(&lo->breaks, struct layout_break, node);
	if (brk->step == LAYOUT_BREAK_RUNNING)
		return OMIT(lo->ls, l2);
	if (OMIT(lo->ls, l5))
		return false;
	return brk->number > set->number || OMIT(lo->ls, l4);
}

/* claim - in scope range breaks look at what is claimed; layout.lock is held */
static void claim(struct layout *lo, struct hold *h, struct pin_range *r)
{
	r->in_claims.first = r->first;
	r->in_claims.last = r->first + r->count - 1;
	itree_insert(&lo->claims, &r->in_claims);
	r->next = h->ranges;
	h->ranges = r;
}

static void enter(struct layout *lo, struct hold *h, struct pin_range *r)
{
	if (!h->admitted) {
		h->admitted = true;
		lo->admitted++;
		trace_hold(h, PINFS_EVENT_PIN_ADMIT);
	}
	if (r)
		claim(lo, h, r);
}

/* enqueue - in the order of numbers, so that the oldest set comes first */
static void enqueue(struct layout *lo, struct admission *a)
{
	struct list_head *at = lo->queue.prev;

	while (at != &lo->queue &&
	       list_entry(at, struct admission, node)->set->number >
		       a->set->number)
		at = at->prev;
	list_add(&a->node, at);
	a->hold->queued = true;
	trace_hold(a->hold, PINFS_EVENT_PIN_WAIT);
}

/* ask - enter or wait; layout.lock is held */
static int ask(struct layout *lo, struct hold *h, struct pin_range *r,
	       struct admission *a)
{
	if (h->queued)
		return -EALREADY;
	if (h->admitted && !r)
		return 0;
	if (may_enter(lo, h->set)) {
		enter(lo, h, r);
		return 0;
	}
	if (h->set->opt.flags & PIN_NOWAIT)
		return -EAGAIN;
	a->set = h->set;
	a->hold = h;
	a->range = r;
	enqueue(lo, a);
	return -EINPROGRESS;
}

int layout_admit(struct pin_set *set, struct inode *ip, uint64_t first,
		 uint64_t count, struct admission *a)
{
	struct hold *h = hold_get(set, ip);
	struct pin_range *r = NULL;
	int err;

	if (!h)
		return -ENOMEM;
	if (count == 0 || count > UINT64_MAX - first)
		return -EINVAL;
	if (set->ls->opt.scope_range) {
		r = range_new(set, first, count);
		if (!r)
			return -ENOMEM;
	}
	pthread_mutex_lock(&h->layout->lock);
	err = ask(h->layout, h, r, a);
	pthread_mutex_unlock(&h->layout->lock);
	if (err == -EINPROGRESS)
		atomic_fetch_add(&count_of(set->ls)->pin_waits, 1);
	else if (err == -EAGAIN)
		atomic_fetch_add(&count_of(set->ls)->refused, 1);
	if (r && err && err != -EINPROGRESS)
		range_free(set, r);
	return err;
}

bool layout_refuses(struct pin_set *set, struct inode *ip)
{
	struct layout *lo = atomic_load(&ip->layout);
	bool refuses;

	if (!lo || !(set->opt.flags & PIN_NOWAIT))
		return false;
	pthread_mutex_lock(&lo->lock);
	refuses = !may_enter(lo, set);
	pthread_mutex_unlock(&lo->lock);
	if (refuses)
		atomic_fetch_add(&count_of(set->ls)->refused, 1);
	return refuses;
}

static void admission_granted(struct work *w)
{
	struct admission *a = container_of(w, struct admission, work);

	a->granted(a);
}

/*
 * layout_admit_queued - let in whom no older break keeps out any more
 *
 * layout.lock is held. Called before a break is started, so that a pin set that
 * began before the break gets in first (L5).
 */
void layout_admit_queued(struct layout *lo)
{
	struct admission *a, *next;

	list_for_each_entry_safe(a, next, &lo->queue, node) {
		if (!may_enter(lo, a->set))
			break; /* then those after it may not, either */
		list_del(&a->node);
		a->hold->queued = false;
		enter(lo, a->hold, a->range);
		a->work.fn = admission_granted;
		work_post(lo->ls->work, &a->work);
	}
}

bool layout_admit_cancel(struct admission *a)
{
	struct layout *lo = a->hold->layout;
	bool queued;

	pthread_mutex_lock(&lo->lock);
	queued = a->hold->queued;
	if (queued) {
		list_del(&a->node);
		a->hold->queued = false;
	}
	pthread_mutex_unlock(&lo->lock);
	if (queued && a->range)
		range_free(a->set, a->range);
	return queued;
}
