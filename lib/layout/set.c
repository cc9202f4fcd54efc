// SPDX-License-Identifier: BSD-3-Clause
/* Pin sets: their beginning and end, and what ties them to files. */
#include "layout/layout_i.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int pin_set_begin(struct layouts *ls, const struct pin_options *opt,
		  struct pin_set **out)
{
	struct pin_set *set;

	if (opt->flags & PIN_LONGTERM) { /* L13 */
		atomic_fetch_add(&count_of(ls)->refused, 1);
		return -EOPNOTSUPP;
	}
	set = calloc(1, sizeof(*set));
	if (!set)
		return -ENOMEM;
	if (!layouts_join(ls, false)) { /* L15 */
		free(set);
		return -ESHUTDOWN;
	}
	set->ls = ls;
	set->opt = *opt;
	set->number = next_number(ls);
	set->began_ns = now_ns();
	pthread_mutex_init(&set->lock, NULL);
	atomic_fetch_add(&count_of(ls)->pin_sets, 1);
	trace_set(set, PINFS_EVENT_PIN_BEGIN);
	*out = set;
	return 0;
}

uint64_t pin_set_id(const struct pin_set *set)
{
	return set->number;
}

void pin_set_progress(struct pin_set *set, uint64_t done)
{
	atomic_store(&set->done, done);
}

/* --- holds --------------------------------------------------------------- */

struct hold *hold_find(struct pin_set *set, const struct inode *ip)
{
	for (struct hold *h = set->holds; h; h = h->next)
		if (h->ip == ip)
			return h;
	return NULL;
}

/* hold_get - the set's of this file, made if need be; NULL without memory */
struct hold *hold_get(struct pin_set *set, struct inode *ip)
{
	struct hold *h = hold_find(set, ip);
	struct layout *lo;

	if (h)
		return h;
	lo = layout_of(set->ls, ip);
	if (!lo)
		return NULL;
	h = set->holds ? calloc(1, sizeof(*h)) : &set->first_hold;
	if (!h)
		return NULL;
	h->set = set;
	h->layout = lo;
	h->ip = inode_hold(ip);
	h->next = set->holds;
	set->holds = h;
	pthread_mutex_lock(&lo->lock);
	list_add_tail(&h->in_layout, &lo->holds);
	pthread_mutex_unlock(&lo->lock);
	return h;
}

int pin_set_announce(struct pin_set *set, struct inode *ip)
{
	return hold_get(set, ip) ? 0 : -ENOMEM;
}

struct pin_range *range_new(struct pin_set *set, uint64_t first, uint64_t count)
{
	struct pin_range *r = &set->first_range;

	if (set->first_range_used)
		r = malloc(sizeof(*r));
	else
		set->first_range_used = true;
	if (!r)
		return NULL;
	memset(r, 0, sizeof(*r));
	r->first = first;
	r->count = count;
	r->run = r->some;
	return r;
}

void range_free(struct pin_set *set, struct pin_range *r)
{
	if (r->run != r->some)
		free(r->run);
	if (r == &set->first_range)
		set->first_range_used = false;
	else
		free(r);
}

/* --- the end ------------------------------------------------------------- */

static void free_ranges(struct pin_set *set, struct pin_range *r)
{
	while (r) {
		struct pin_range *next = r->next;

		range_free(set, r);
		r = next;
	}
}

/*
 * leave - the set is done with this file
 *
 * The blocks' counters go down first: whoever finds the file idle under
 * layout.lock finds its blocks idle too (L1).
 */
static void leave(struct hold *h)
{
	struct layout *lo = h->layout;
	struct pin_range *r;

	for (r = h->ranges; r; r = r->next)
		range_unpin(lo->ls, r);
	pthread_mutex_lock(&lo->lock);
	list_del(&h->in_layout);
	if (h->admitted) {
		trace_hold(h, PINFS_EVENT_UNPIN);
		if (lo->ls->opt.scope_range)
			for (r = h->ranges; r; r = r->next)
				itree_remove(&lo->claims, &r->in_claims);
		lo->admitted--;
		layout_advance(lo);
	}
	pthread_mutex_unlock(&lo->lock);
}

static void hold_free(struct hold *h)
{
	struct pin_set *set = h->set;

	free_ranges(set, h->ranges);
	/* The last handle of an unlinked file frees it now (L10). */
	inode_put(h->ip);
	if (h == &set->first_hold)
		memset(h, 0, sizeof(*h));
	else
		free(h);
}

/* drop_range - the unpinned one, if there is such; layout.lock is held */
static struct pin_range *drop_range(struct hold *h, uint64_t first,
				    uint64_t count)
{
	struct pin_range **at = &h->ranges, *r;

	while (*at && ((*at)->pinned || (*at)->first != first ||
		       (*at)->count != count))
		at = &(*at)->next;
	r = *at;
	if (r) {
		*at = r->next;
		itree_remove(&h->layout->claims, &r->in_claims);
	}
	return r;
}

static void unlink_hold(struct hold *h)
{
	struct hold **at = &h->set->holds;

	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
}

void layout_retract(struct pin_set *set, struct inode *ip, uint64_t first,
		    uint64_t count)
{
	struct hold *h = hold_find(set, ip);
	struct pin_range *r = NULL;

	if (!h)
		return;
	if (set->ls->opt.scope_range) {
		pthread_mutex_lock(&h->layout->lock);
		r = drop_range(h, first, count);
		if (r)
			layout_advance(h->layout);
		pthread_mutex_unlock(&h->layout->lock);
	}
	if (r)
		range_free(set, r);
	if (h->ranges)
		return;
	leave(h);
	unlink_hold(h);
	hold_free(h);
}

void pin_set_unpin(struct pin_set *set)
{
	struct hold *h, *next;

	/* Breaks first: to free a file may take a while. */
	for (h = set->holds; h; h = h->next)
		leave(h);
	for (h = set->holds; h; h = next) {
		next = h->next;
		hold_free(h);
	}
	set->holds = NULL;
}

void pin_set_no_cancel(struct pin_set *set)
{
	pthread_mutex_lock(&set->lock);
	set->opt.cancel = NULL;
	pthread_mutex_unlock(&set->lock);
}

void pin_set_free(struct pin_set *set)
{
	struct layouts *ls;

	if (!set)
		return;
	ls = set->ls;
	pin_set_unpin(set);
	atomic_fetch_add(&count_of(ls)->pin_sets_ended, 1);
	trace_set(set, PINFS_EVENT_PIN_END);
	pthread_mutex_destroy(&set->lock);
	free(set);
	layouts_leave(ls);
}

/* --- cancelling ---------------------------------------------------------- */

struct canceller {
	uint64_t id;
	uint32_t uid;
	bool any; /* user's sets may be cancelled */
	int err;
};

void pin_set_cancel_own(struct pin_set *set)
{
	if (!atomic_exchange(&set->cancelled, true))
		trace_set(set, PINFS_EVENT_PIN_CANCEL);
	pthread_mutex_lock(&set->lock);
	if (set->opt.cancel)
		set->opt.cancel(set->opt.cancel_arg);
	pthread_mutex_unlock(&set->lock);
}

static bool cancel_in(struct layout *lo, void *arg)
{
	struct canceller *c = arg;
	struct hold *h;

	list_for_each_entry(h, &lo->holds, in_layout) {
		if (h->set->number != c->id)
			continue;
		c->err = c->any || h->set->opt.owner.uid == c->uid ? 0 : -EPERM;
		if (!c->err)
			pin_set_cancel_own(h->set);
		return false;
	}
	return true;
}

int pin_set_cancel(struct layouts *ls, uint64_t id, uint32_t uid, bool any)
{
	struct canceller c = { .id = id, .uid = uid, .any = any, .err = -ESRCH };

	layouts_each(ls, cancel_in, &c);
	return c.err;
}
