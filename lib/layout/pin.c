// SPDX-License-Identifier: BSD-3-Clause
/* Pins: from a range of a file to counted blocks (L1, L2). */
#include "layout/layout_i.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inode/extent.h"

/* --- counting ------------------------------------------------------------ */

/* count_down - end pins of blocks; a block's last one is its idle event */
static void count_down(struct layouts *ls, uint64_t pblk, uint64_t count)
{
	struct counters *c = count_of(ls);
	uint64_t idle = 0;

	for (uint64_t b = pblk; b < pblk + count; b++)
		idle += atomic_fetch_sub(&ls->block_pins[b], 1) == 1;
	atomic_fetch_add(&c->unpins, count);
	atomic_fetch_add(&c->idle_events, idle);
}

static int count_up(struct layouts *ls, uint64_t pblk, uint64_t count)
{
	struct counters *c = count_of(ls);

	for (uint64_t b = pblk; b < pblk + count; b++) {
		if (atomic_fetch_add(&ls->block_pins[b], 1) < PINS_MAX)
			continue;
		atomic_fetch_sub(&ls->block_pins[b], 1);
		atomic_fetch_add(&c->pins, b - pblk);
		count_down(ls, pblk, b - pblk);
		return -EOVERFLOW;
	}
	atomic_fetch_add(&c->pins, count);
	return 0;
}

static void runs_count_down(struct layouts *ls, const struct pinned_run *run,
			    size_t nruns)
{
	for (size_t i = 0; i < nruns; i++)
		count_down(ls, run[i].pblk, run[i].count);
}

static int runs_count_up(struct layouts *ls, const struct pin_range *r)
{
	for (size_t i = 0; i < r->nruns; i++) {
		int err = count_up(ls, r->run[i].pblk, r->run[i].count);

		if (!err)
			continue;
		runs_count_down(ls, r->run, i); /* all or none */
		return err;
	}
	return 0;
}

void range_unpin(struct layouts *ls, const struct pin_range *r)
{
	if (r->pinned)
		runs_count_down(ls, r->run, r->nruns);
}

/* --- looking ------------------------------------------------------------- */

/* is_pinnable - 1: yes; 0: nothing there for a device to read; else -ENXIO */
static int is_pinnable(const struct pin_set *set, const struct extent *e)
{
	if (extent_is_data(e))
		return 1;
	if (set->opt.direction == PINFS_TO_DEVICE)
		return 0;
	return e->pblk ? 1 : -ENXIO;
}

static int add_run(struct pin_range *r, size_t *room, uint64_t lblk,
		   const struct extent *e)
{
	if (r->nruns == *room) {
		bool is_own = r->run == r->some;
		struct pinned_run *run = realloc(is_own ? NULL : r->run,
						 2 * *room * sizeof(*run));

		if (!run)
			return -ENOMEM;
		if (is_own)
			memcpy(run, r->some, sizeof(r->some));
		r->run = run;
		*room *= 2;
	}
	r->run[r->nruns++] = (struct pinned_run){ lblk, e->pblk, e->len };
	return 0;
}

/* resolve - the runs that hold the range; inode's lock is held */
static int resolve(const struct pin_set *set, struct inode *ip,
		   struct pin_range *r, size_t *room)
{
	uint64_t end = r->first + r->count;
	struct extent e;

	r->nruns = 0;
	for (uint64_t at = r->first; at < end; at += e.len) {
		int err = extent_find(ip, NULL, at, &e);

		if (err)
			return err;
		e.len = min_u64(e.len, end - at);
		err = is_pinnable(set, &e);
		if (err == 0)
			continue;
		if (err > 0)
			err = volume_has(ip->vol, e.pblk, e.len) ?
				      add_run(r, room, at, &e) :
				      -EUCLEAN;
		if (err)
			return err;
	}
	return 0;
}

/*
 * pin_once - L2: look, count up, look again
 *
 * Returns 1 if the layout changed in between, with nothing pinned.
 */
static int pin_once(struct pin_set *set, struct inode *ip, struct pin_range *r,
		    size_t *room)
{
	unsigned int guard = inode_look(ip);
	uint64_t seq;
	int err;

	seq = atomic_load(&ip->layout_seq);
	err = ip->dead ? -ESTALE : resolve(set, ip, r, room);
	inode_look_end(ip, guard);
	if (!err)
		err = runs_count_up(set->ls, r);
	if (err || atomic_load(&ip->layout_seq) == seq || OMIT(set->ls, l2))
		return err;
	runs_count_down(set->ls, r->run, r->nruns);
	return 1;
}

/* --- pinning ------------------------------------------------------------- */

/*
 * claimed - the range that layout_admit() has made; in scope file the admitted
 * set has claimed the whole file, and makes one now
 */
static struct pin_range *claimed(struct hold *h, uint64_t first, uint64_t count)
{
	struct pin_range *r;

	if (!h->set->ls->opt.scope_range)
		return range_new(h->set, first, count);
	for (r = h->ranges; r; r = r->next)
		if (!r->pinned && r->first == first && r->count == count)
			return r;
	return NULL;
}

static bool is_admitted(struct hold *h)
{
	bool admitted;

	pthread_mutex_lock(&h->layout->lock);
	admitted = h->admitted;
	pthread_mutex_unlock(&h->layout->lock);
	return admitted;
}

/*
 * publish - the range's pins are the set's; listings show it from here on
 *
 * Of a claim, what it left out is no obstacle any more: a break that waited for
 * nothing else may run now (L8).
 */
static void publish(struct hold *h, struct pin_range *r)
{
	pthread_mutex_lock(&h->layout->lock);
	r->pinned = true;
	if (!h->set->ls->opt.scope_range) {
		r->next = h->ranges;
		h->ranges = r;
	}
	trace_range(h, r);
	if (h->set->ls->opt.scope_range)
		layout_advance(h->layout);
	pthread_mutex_unlock(&h->layout->lock);
}

int layout_pin(struct pin_set *set, struct inode *ip, uint64_t first,
	       uint64_t count, const struct pinned_run **runs, size_t *nruns)
{
	struct hold *h = hold_find(set, ip);
	size_t room = RANGE_RUNS;
	struct pin_range *r;
	int err;

	if (!h || count == 0 || count > UINT64_MAX - first || !is_admitted(h))
		return -EINVAL;
	r = claimed(h, first, count);
	if (!r)
		return set->ls->opt.scope_range ? -EINVAL : -ENOMEM;
	while ((err = pin_once(set, ip, r, &room)) == 1)
		atomic_fetch_add(&count_of(set->ls)->retries, 1);
	if (!err) {
		*runs = r->run;
		*nruns = r->nruns;
		publish(h, r);
	} else if (!set->ls->opt.scope_range) {
		range_free(set, r);
	}
	return err;
}
