// SPDX-License-Identifier: BSD-3-Clause
/* Breaks: deferred layout changes. */
#include "layout/layout_i.h"

#include <assert.h>
#include <errno.h>

static void atomic_max(_Atomic uint64_t *at, uint64_t v)
{
	uint64_t now = atomic_load(at);

	while (now < v && !atomic_compare_exchange_weak(at, &now, v))
		;
}

/* --- transitions --------------------------------------------------------- */

/* stop_waiting - the break leaves the state WAITING; on a thread of its own */
static void stop_waiting(struct layout_break *brk)
{
	struct counters *c = count_of(brk->ls);
	uint64_t waited = now_ns() - brk->asked_ns;

	timer_cancel(brk->ls->timers, &brk->timer);
	atomic_fetch_add(&c->breaks_waited_enough, 1);
	atomic_fetch_add(&c->wait_total_ns, waited);
	atomic_max(&brk->ls->wait_longest_ns, waited);
}

static void run_deferred(struct work *w)
{
	struct layout_break *brk = container_of(w, struct layout_break, work);

	stop_waiting(brk);
	brk->run(brk);
}

static void fail_deferred(struct work *w)
{
	struct layout_break *brk = container_of(w, struct layout_break, work);
	struct layouts *ls = brk->ls;
	struct inode *ip = brk->ip;

	stop_waiting(brk);
	brk->fail(brk, brk->err);
	inode_put(ip);
	layouts_leave(ls);
}

/* --- who is in the way --------------------------------------------------- */

/* has_blocks - are some of [first, last] the range's? a claim has all of them */
static bool has_blocks(const struct pin_range *r, uint64_t first, uint64_t last)
{
	size_t low = 0, high;

	if (!r->pinned) /* run[] is still being made */
		return r->first <= last && r->first + r->count > first;
	high = r->nruns;
	while (low < high) { /* the first run that does not end before */
		size_t mid = low + (high - low) / 2;

		if (r->run[mid].lblk + r->run[mid].count <= first)
			low = mid + 1;
		else
			high = mid;
	}
	return low < r->nruns && r->run[low].lblk <= last;
}

struct span {
	uint64_t first, last;
};

static bool claim_obstructs(const struct itree_node *n, void *arg)
{
	const struct span *s = arg;

	return has_blocks(container_of(n, struct pin_range, in_claims),
			  s->first, s->last);
}

/*
 * must_wait - L3: in scope file while anything of the file is pinned, in scope
 * range while a block is that the change unmaps or moves; layout.lock is held
 */
static bool must_wait(const struct layout *lo, const struct layout_break *brk)
{
	struct span s = { brk->first, brk->end - 1 };

	if (lo->admitted == 0 || OMIT(lo->ls, l1))
		return false;
	if (!lo->ls->opt.scope_range)
		return true;
	return brk->first < brk->end &&
	       itree_any(&lo->claims, s.first, s.last, claim_obstructs, &s);
}

/* hold_obstructs - is this hold one that the break waits for? (listings, L14) */
bool hold_obstructs(const struct hold *h, const struct layout_break *brk)
{
	if (!h->admitted)
		return false;
	if (!h->layout->ls->opt.scope_range)
		return true;
	for (const struct pin_range *r = h->ranges; r; r = r->next)
		if (brk->first < brk->end &&
		    has_blocks(r, brk->first, brk->end - 1))
			return true;
	return false;
}

/* --- going on ------------------------------------------------------------ */

/*
 * layout_advance - something has gone: let in and start what may go on
 *
 * layout.lock is held. Queued pin sets come first (L5); then the break that was
 * asked for first runs if nothing is in its way (L3, L4).
 */
void layout_advance(struct layout *lo)
{
	struct layout_break *brk;

	layout_admit_queued(lo);
	if (list_empty(&lo->breaks))
		return;
	brk = list_first_entry(&lo->breaks, struct layout_break, node);
	if (brk->step != LAYOUT_BREAK_WAITING || must_wait(lo, brk))
		return;
	brk->step = LAYOUT_BREAK_RUNNING;
	trace_break(brk, PINFS_EVENT_BREAK_RUNNING, 0);
	brk->work.fn = run_deferred;
	work_post(lo->ls->work, &brk->work);
}

/* break_withdraw - a waiting break is to fail; layout.lock is held */
void break_withdraw(struct layout_break *brk, int err)
{
	brk->step = LAYOUT_BREAK_DONE;
	brk->err = err;
	trace_break(brk, PINFS_EVENT_BREAK_FAILED, err);
	list_del(&brk->node);
	brk->work.fn = fail_deferred;
	work_post(brk->ls->work, &brk->work);
	layout_advance(brk->layout);
}

/* --- what others call ---------------------------------------------------- */

int layout_break_init(struct layout_break *brk, struct layouts *ls,
		      struct inode *ip)
{
	brk->layout = layout_of(ls, ip);
	if (!brk->layout)
		return -ENOMEM;
	brk->ls = ls;
	brk->ip = ip;
	brk->step = LAYOUT_BREAK_NEW;
	brk->cancelled = 0;
	brk->number = 0;
	brk->asked_ns = now_ns();
	brk->err = 0;
	brk->waited = false;
	list_init(&brk->node);
	break_watch_init(brk);
	return 0;
}

static bool is_busy(const struct layout *lo, const struct layout_break *brk)
{
	return !list_empty(&lo->breaks) || must_wait(lo, brk);
}

/* begin_waiting - asked for, or running and wider than that; layout.lock is held */
static void begin_waiting(struct layout_break *brk)
{
	brk->step = LAYOUT_BREAK_WAITING;
	brk->waited = true;
	atomic_fetch_add(&count_of(brk->ls)->breaks_waited, 1);
	trace_break(brk, PINFS_EVENT_BREAK_WAITING, 0);
	break_watch(brk);
}

/* must_fail - it would have to wait, and was cancelled or must not (L7) */
static int must_fail(struct layout_break *brk)
{
	if (brk->cancelled) {
		atomic_fetch_add(&count_of(brk->ls)->interrupted, 1);
	} else if (brk->no_wait) {
		atomic_fetch_add(&count_of(brk->ls)->timed_out, 1);
		brk->cancelled = -EBUSY;
	}
	return brk->cancelled;
}

/*
 * enqueue - run now, wait, or fail; layout.lock is held
 *
 * The number is taken under the lock, so that the file's queue is in its order.
 */
static enum layout_break_step enqueue(struct layout_break *brk)
{
	struct layout *lo = brk->layout;
	bool busy = is_busy(lo, brk);

	if (busy && must_fail(brk))
		return brk->step = LAYOUT_BREAK_DONE;
	brk->number = next_number(brk->ls);
	trace_break(brk, PINFS_EVENT_BREAK_ASKED, 0);
	if (busy) {
		begin_waiting(brk);
	} else {
		brk->step = LAYOUT_BREAK_RUNNING;
		trace_break(brk, PINFS_EVENT_BREAK_RUNNING, 0);
	}
	list_add_tail(&brk->node, &lo->breaks);
	return brk->step;
}

/*
 * name_owner - the waiter's command, for messages and listings (L14)
 *
 * Only of a break that is going to wait, for it takes a look into /proc, and
 * while its process is sure to be there. layout.lock is held, but let go of
 * meanwhile.
 */
static void name_owner(struct layout_break *brk)
{
	struct layout *lo = brk->layout;

	if (!is_busy(lo, brk) || !brk->owner.pid || brk->owner.comm[0])
		return;
	pthread_mutex_unlock(&lo->lock);
	brk->owner = layout_owner_of(brk->owner.pid, brk->owner.uid);
	pthread_mutex_lock(&lo->lock);
}

void layout_break(struct layout_break *brk)
{
	struct layout *lo = brk->layout;
	enum layout_break_step step;

	inode_hold(brk->ip);
	layouts_join(brk->ls, true); /* L15 waits for it */
	atomic_fetch_add(&count_of(brk->ls)->breaks, 1);
	pthread_mutex_lock(&lo->lock);
	name_owner(brk);
	step = enqueue(brk);
	pthread_mutex_unlock(&lo->lock);
	/* A waiting one may be gone by now. */
	if (step == LAYOUT_BREAK_RUNNING) {
		brk->run(brk);
	} else if (step == LAYOUT_BREAK_DONE) {
		struct layouts *ls = brk->ls;
		struct inode *ip = brk->ip;

		brk->fail(brk, brk->cancelled);
		inode_put(ip);
		layouts_leave(ls);
	}
}

/* wait_again - the running break, first of the queue; layout.lock is held */
static int wait_again(struct layout_break *brk)
{
	int err = must_fail(brk);

	if (err)
		return err;
	begin_waiting(brk);
	layout_advance(brk->layout);
	return -EINPROGRESS;
}

int layout_break_widen(struct layout_break *brk, uint64_t first, uint64_t end)
{
	struct layout *lo = brk->layout;
	int err;

	pthread_mutex_lock(&lo->lock);
	assert(brk->step == LAYOUT_BREAK_RUNNING);
	brk->first = first;
	brk->end = end;
	if (must_wait(lo, brk))
		name_owner(brk);
	err = must_wait(lo, brk) ? wait_again(brk) : 0;
	pthread_mutex_unlock(&lo->lock);
	return err;
}

void layout_break_done(struct layout_break *brk, int err)
{
	struct layout *lo = brk->layout;
	struct inode *ip = brk->ip;
	struct layouts *ls = brk->ls;

	pthread_mutex_lock(&lo->lock);
	assert(brk->step == LAYOUT_BREAK_RUNNING);
	brk->err = err;
	brk->step = LAYOUT_BREAK_DONE;
	trace_break(brk, PINFS_EVENT_BREAK_DONE, brk->err);
	list_del(&brk->node);
	layout_advance(lo);
	pthread_mutex_unlock(&lo->lock);
	inode_put(ip);
	layouts_leave(ls);
}

void layout_break_cancel(struct layout_break *brk, int err)
{
	struct layout *lo = brk->layout;

	pthread_mutex_lock(&lo->lock);
	if (brk->step == LAYOUT_BREAK_WAITING) {
		break_withdraw(brk, err);
		atomic_fetch_add(&count_of(brk->ls)->interrupted, 1);
	} else if (brk->step != LAYOUT_BREAK_DONE) {
		brk->cancelled = err; /* should it have to wait */
	}
	pthread_mutex_unlock(&lo->lock);
}

bool layout_is_pinned(struct inode *ip)
{
	struct layout *lo = atomic_load(&ip->layout);
	bool pinned;

	if (!lo)
		return false;
	pthread_mutex_lock(&lo->lock);
	pinned = lo->admitted > 0;
	pthread_mutex_unlock(&lo->lock);
	return pinned;
}

bool layout_has_break(struct inode *ip)
{
	struct layout *lo = atomic_load(&ip->layout);
	bool has;

	if (!lo)
		return false;
	pthread_mutex_lock(&lo->lock);
	has = !list_empty(&lo->breaks);
	pthread_mutex_unlock(&lo->lock);
	return has;
}
