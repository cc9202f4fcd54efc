// SPDX-License-Identifier: BSD-3-Clause
/* Pin sets: admission to a file, pins of its blocks, the end. */
#include "layout/layout_i.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inode/extent.h"

int pin_set_begin(struct layouts *ls, const struct pin_options *opt,
		  struct pin_set **out)
{
	struct pin_set *set;

	if (opt->flags & PIN_LONGTERM) { /* L13 */
		atomic_fetch_add(&ls->count.refused, 1);
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
	list_init(&set->holds);
	registry_add_set(ls, set);
	atomic_fetch_add(&ls->count.pin_sets, 1);
	atomic_fetch_add(&ls->count.pin_sets_live, 1);
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

/* --- admission ----------------------------------------------------------- */

static struct hold *find_hold(struct pin_set *set, const struct inode *ip)
{
	struct hold *h, *found = NULL;

	pthread_mutex_lock(&set->lock);
	list_for_each_entry(h, &set->holds, in_set)
		if (h->ip == ip)
			found = h;
	pthread_mutex_unlock(&set->lock);
	return found;
}

static struct hold *hold_new(struct pin_set *set, struct inode *ip)
{
	struct layout *lo = layout_of(set->ls, ip);
	struct hold *h = lo ? calloc(1, sizeof(*h)) : NULL;

	if (!h)
		return NULL;
	h->set = set;
	h->layout = lo;
	h->ip = inode_hold(ip);
	list_init(&h->in_layout);
	pthread_mutex_lock(&set->lock);
	list_add_tail(&h->in_set, &set->holds);
	pthread_mutex_unlock(&set->lock);
	return h;
}

static void hold_free(struct hold *h)
{
	pthread_mutex_lock(&h->set->lock);
	list_del(&h->in_set);
	pthread_mutex_unlock(&h->set->lock);
	while (h->ranges) {
		struct pinned_range *r = h->ranges;

		h->ranges = r->next;
		free(r);
	}
	/* The last handle of an unlinked file frees it now (L10). */
	inode_put(h->ip);
	free(h);
}

/*
 * may_enter - L4: not while a break that was asked for before the set began is
 * queued; L5: one that was asked for later is no obstacle, unless it runs
 *
 * The first of the queue has the smallest number, and no other ever runs.
 */
static bool may_enter(const struct layout *lo, const struct pin_set *set)
{
	const struct layout_break *brk;

	if (list_empty(&lo->breaks))
		return true;
	brk = list_first_entry(&lo->breaks, struct layout_break, node);
	return brk->number > set->number && brk->step != LAYOUT_BREAK_RUNNING;
}

static void enter(struct layout *lo, struct hold *h)
{
	atomic_store(&h->state, HOLD_ADMITTED);
	list_add_tail(&h->in_layout, &lo->holds);
	lo->admitted++;
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
}

int layout_admit(struct pin_set *set, struct inode *ip, struct admission *a)
{
	struct hold *h = find_hold(set, ip);
	struct layout *lo;
	int err = 0;

	if (h)
		return atomic_load(&h->state) == HOLD_ADMITTED ? 0 : -EALREADY;
	h = hold_new(set, ip);
	if (!h)
		return -ENOMEM;
	lo = h->layout;
	pthread_mutex_lock(&lo->lock);
	if (may_enter(lo, set)) {
		enter(lo, h);
	} else if (set->opt.flags & PIN_NOWAIT) {
		err = -EAGAIN;
	} else {
		atomic_store(&h->state, HOLD_QUEUED);
		a->set = set;
		a->hold = h;
		enqueue(lo, a);
		err = -EINPROGRESS;
	}
	pthread_mutex_unlock(&lo->lock);
	if (err == -EAGAIN) {
		atomic_fetch_add(&set->ls->count.refused, 1);
		hold_free(h);
	} else if (err) {
		atomic_fetch_add(&set->ls->count.pin_waits, 1);
	}
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
		atomic_fetch_add(&set->ls->count.refused, 1);
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
		enter(lo, a->hold);
		a->work.fn = admission_granted;
		work_post(lo->ls->work, &a->work);
	}
}

bool layout_admit_cancel(struct admission *a)
{
	struct hold *h = a->hold;
	struct layout *lo = h->layout;
	bool queued;

	pthread_mutex_lock(&lo->lock);
	queued = atomic_load(&h->state) == HOLD_QUEUED;
	if (queued)
		list_del(&a->node);
	pthread_mutex_unlock(&lo->lock);
	if (queued)
		hold_free(h);
	return queued;
}

/* --- pins ---------------------------------------------------------------- */

/* count_down - end pins of blocks; a block's last one is its idle event */
static void count_down(struct layouts *ls, uint64_t pblk, uint64_t count)
{
	uint64_t idle = 0;

	for (uint64_t b = pblk; b < pblk + count; b++)
		idle += atomic_fetch_sub(&ls->block_pins[b], 1) == 1;
	atomic_fetch_add(&ls->count.unpins, count);
	atomic_fetch_add(&ls->count.idle_events, idle);
}

static int count_up(struct layouts *ls, uint64_t pblk, uint64_t count)
{
	for (uint64_t b = pblk; b < pblk + count; b++) {
		if (atomic_fetch_add(&ls->block_pins[b], 1) < PINS_MAX)
			continue;
		atomic_fetch_sub(&ls->block_pins[b], 1);
		atomic_fetch_add(&ls->count.pins, b - pblk);
		count_down(ls, pblk, b - pblk);
		return -EOVERFLOW;
	}
	atomic_fetch_add(&ls->count.pins, count);
	return 0;
}

static void range_count_down(struct layouts *ls, const struct pinned_range *r)
{
	for (size_t i = 0; i < r->nruns; i++)
		count_down(ls, r->run[i].pblk, r->run[i].count);
}

static int range_count_up(struct layouts *ls, struct pinned_range *r)
{
	size_t all = r->nruns;
	int err = 0;

	for (size_t i = 0; i < all && !err; i++) {
		err = count_up(ls, r->run[i].pblk, r->run[i].count);
		r->nruns = i;
	}
	if (err)
		range_count_down(ls, r);
	r->nruns = all;
	return err;
}

/* is_pinnable - 1: yes; 0: nothing there for a device to read; else -ENXIO */
static int is_pinnable(const struct pin_set *set, const struct extent *e)
{
	if (extent_is_data(e))
		return 1;
	if (set->opt.direction == PINFS_TO_DEVICE)
		return 0;
	return e->pblk ? 1 : -ENXIO;
}

/* resolve - the runs that hold the range; inode's lock is held */
static int resolve(const struct pin_set *set, struct inode *ip, uint64_t first,
		   uint64_t count, struct pinned_range **out)
{
	struct pinned_range *r = NULL, *bigger;
	size_t room = 0, n = 0;
	struct extent e;
	int err = 0;

	for (uint64_t at = first; at < first + count; at += e.len) {
		if (n == room) {
			room = room ? 2 * room : 4;
			bigger = realloc(r,
					 sizeof(*r) + room * sizeof(r->run[0]));
			if (!bigger) {
				err = -ENOMEM;
				break;
			}
			r = bigger;
		}
		err = extent_find(ip, NULL, at, &e);
		if (err)
			break;
		e.len = min_u64(e.len, first + count - at);
		err = is_pinnable(set, &e);
		if (err < 0)
			break;
		if (err == 0)
			continue;
		err = volume_has(ip->vol, e.pblk, e.len) ? 0 : -EUCLEAN;
		if (err)
			break;
		r->run[n++] = (struct pinned_run){ at, e.pblk, e.len };
	}
	if (err < 0 || !r) {
		free(r);
		return err < 0 ? err : -EINVAL;
	}
	r->first = first;
	r->count = count;
	r->nruns = n;
	*out = r;
	return 0;
}

/*
 * pin_once - L2: look, count up, look again
 *
 * Returns 1 if the layout changed in between, with nothing pinned.
 */
static int pin_once(struct pin_set *set, struct inode *ip, uint64_t first,
		    uint64_t count, struct pinned_range **out)
{
	struct layouts *ls = set->ls;
	unsigned int guard = journal_enter(ip->vol->journal);
	struct pinned_range *r = NULL;
	uint64_t seq;
	int err;

	pthread_rwlock_rdlock(&ip->lock);
	seq = atomic_load(&ip->layout_seq);
	err = ip->dead ? -ESTALE : resolve(set, ip, first, count, &r);
	pthread_rwlock_unlock(&ip->lock);
	journal_leave(ip->vol->journal, guard);
	if (err)
		return err;
	err = range_count_up(ls, r);
	if (!err && atomic_load(&ip->layout_seq) == seq) {
		*out = r;
		return 0;
	}
	if (!err)
		range_count_down(ls, r);
	free(r);
	return err ? err : 1;
}

int layout_pin(struct pin_set *set, struct inode *ip, uint64_t first,
	       uint64_t count, struct pinned_run **runs, size_t *nruns)
{
	struct hold *h = find_hold(set, ip);
	struct pinned_range *r = NULL;
	int err;

	if (!h || atomic_load(&h->state) != HOLD_ADMITTED)
		return -EINVAL;
	while ((err = pin_once(set, ip, first, count, &r)) == 1)
		atomic_fetch_add(&set->ls->count.retries, 1);
	if (err)
		return err;
	*runs = malloc((r->nruns + 1) * sizeof(**runs));
	if (!*runs) {
		range_count_down(set->ls, r);
		free(r);
		return -ENOMEM;
	}
	memcpy(*runs, r->run, r->nruns * sizeof(**runs));
	*nruns = r->nruns;
	pthread_mutex_lock(&set->lock);
	r->next = h->ranges;
	h->ranges = r;
	pthread_mutex_unlock(&set->lock);
	return 0;
}

/* --- the end ------------------------------------------------------------- */

/*
 * leave - the set is done with this file; its last pins are gone
 *
 * The blocks' counters go down first: whoever finds the file idle under
 * layout.lock finds its blocks idle too (L1).
 */
static void leave(struct hold *h)
{
	struct layout *lo = h->layout;

	for (struct pinned_range *r = h->ranges; r; r = r->next)
		range_count_down(lo->ls, r);
	pthread_mutex_lock(&lo->lock);
	assert(atomic_load(&h->state) == HOLD_ADMITTED && lo->admitted > 0);
	list_del(&h->in_layout);
	lo->admitted--;
	layout_advance(lo);
	pthread_mutex_unlock(&lo->lock);
}

void pin_set_unpin(struct pin_set *set)
{
	struct list_head holds;

	list_init(&holds);
	pthread_mutex_lock(&set->lock);
	list_splice_tail(&set->holds, &holds);
	pthread_mutex_unlock(&set->lock);
	while (!list_empty(&holds)) {
		struct hold *h = list_first_entry(&holds, struct hold, in_set);

		leave(h);
		hold_free(h);
	}
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
	struct registry_shard *sh;

	if (!set)
		return;
	ls = set->ls;
	pin_set_unpin(set);
	sh = set_shard(ls, set->number);
	pthread_mutex_lock(&sh->lock);
	list_del(&set->registry);
	pthread_mutex_unlock(&sh->lock);
	pthread_mutex_destroy(&set->lock);
	free(set);
	atomic_fetch_sub(&ls->count.pin_sets_live, 1);
	layouts_leave(ls);
}

int pin_set_cancel(struct layouts *ls, uint64_t id, uint32_t uid, bool any)
{
	struct registry_shard *sh = set_shard(ls, id);
	struct pin_set *set;
	int err = -ESRCH;

	pthread_mutex_lock(&sh->lock);
	list_for_each_entry(set, &sh->list, registry) {
		if (set->number != id)
			continue;
		err = any || set->opt.owner.uid == uid ? 0 : -EPERM;
		if (err)
			break;
		pthread_mutex_lock(&set->lock);
		set->cancelled = true;
		if (set->opt.cancel)
			set->opt.cancel(set->opt.cancel_arg);
		pthread_mutex_unlock(&set->lock);
		break;
	}
	pthread_mutex_unlock(&sh->lock);
	return err;
}
