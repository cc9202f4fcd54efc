// SPDX-License-Identifier: BSD-3-Clause
/* Breaks: deferred layout changes. */
#include "layout/layout_i.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"

static const char *const change_names[] = {
	[PINFS_CHANGE_TRUNCATE] = "truncate",
	[PINFS_CHANGE_ALLOCATE] = "fallocate",
	[PINFS_CHANGE_PUNCH_HOLE] = "punch hole",
	[PINFS_CHANGE_ZERO_RANGE] = "zero range",
	[PINFS_CHANGE_COLLAPSE_RANGE] = "collapse range",
	[PINFS_CHANGE_INSERT_RANGE] = "insert range",
};

static void atomic_max(_Atomic uint64_t *at, uint64_t v)
{
	uint64_t now = atomic_load(at);

	while (now < v && !atomic_compare_exchange_weak(at, &now, v))
		;
}

/* --- transitions --------------------------------------------------------- */

static void registry_remove(struct layout_break *brk)
{
	struct registry_shard *sh = break_shard(brk->ls, brk->number);

	pthread_mutex_lock(&sh->lock);
	list_del(&brk->registry);
	pthread_mutex_unlock(&sh->lock);
}

/* stop_waiting - the break leaves the state WAITING; on a thread of its own */
static void stop_waiting(struct layout_break *brk)
{
	struct counters *c = &brk->ls->count;
	uint64_t waited = now_ns() - brk->asked_ns;

	timer_cancel(brk->ls->timers, &brk->timer);
	registry_remove(brk);
	atomic_fetch_sub(&c->breaks_waiting, 1);
	atomic_fetch_add(&c->wait_total_ns, waited);
	atomic_max(&c->wait_longest_ns, waited);
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

/*
 * layout_advance - something has gone: let in and start what may go on
 *
 * layout.lock is held. Queued pin sets come first (L5); then the break that was
 * asked for first runs if the file is idle (L3, L4).
 */
void layout_advance(struct layout *lo)
{
	struct layout_break *brk;

	layout_admit_queued(lo);
	if (lo->admitted > 0 || list_empty(&lo->breaks))
		return;
	brk = list_first_entry(&lo->breaks, struct layout_break, node);
	if (brk->step != LAYOUT_BREAK_WAITING)
		return;
	brk->step = LAYOUT_BREAK_RUNNING;
	brk->work.fn = run_deferred;
	work_post(lo->ls->work, &brk->work);
}

/* withdraw - a waiting break is to fail; layout.lock is held */
static void withdraw(struct layout_break *brk, int err)
{
	brk->step = LAYOUT_BREAK_DONE;
	brk->err = err;
	list_del(&brk->node);
	brk->work.fn = fail_deferred;
	work_post(brk->ls->work, &brk->work);
	layout_advance(brk->layout);
}

/* --- time (L14) ---------------------------------------------------------- */

static void name_of(struct layout_break *brk, char *buf, size_t size)
{
	const struct layout_options *opt = &brk->ls->opt;

	buf[0] = '\0';
	if (opt->name_of)
		opt->name_of(brk->ls->vol, brk->ip->ino, buf, size);
}

static double seconds_since(uint64_t ns)
{
	return (double)(now_ns() - ns) / 1e9;
}

/* describe_break - what comes first, and runs or waits to */
static void describe_break(const struct layout *lo, char *buf, size_t size)
{
	const struct layout_break *brk =
		list_first_entry(&lo->breaks, struct layout_break, node);

	snprintf(buf, size, "%s of pid %u (%s), which runs, since %.1f s",
		 change_names[brk->change], brk->owner.pid, brk->owner.comm,
		 seconds_since(brk->asked_ns));
}

/* span_of - from the lowest to the highest block that a hold has pinned */
static void span_of(const struct hold *h, uint64_t *first, uint64_t *end)
{
	*first = UINT64_MAX;
	*end = 0;
	pthread_mutex_lock(&h->set->lock);
	for (const struct pinned_range *r = h->ranges; r; r = r->next) {
		*first = min_u64(*first, r->first);
		*end = max_u64(*end, r->first + r->count);
	}
	pthread_mutex_unlock(&h->set->lock);
	*first = min_u64(*first, *end);
}

/* describe_holder - one that holds the file up; layout.lock is held */
static void describe_holder(struct layout *lo, char *buf, size_t size)
{
	const struct pin_set *set;
	const struct hold *h;
	uint64_t first, end;

	if (list_empty(&lo->holds)) {
		describe_break(lo, buf, size);
		return;
	}
	h = list_first_entry(&lo->holds, struct hold, in_layout);
	set = h->set;
	span_of(h, &first, &end);
	snprintf(buf, size,
		 "pin set %" PRIu64 " of pid %u (%s): bytes %" PRIu64
		 " to %" PRIu64 " %s a device, since %.1f s%s",
		 set->number, set->opt.owner.pid, set->opt.owner.comm,
		 first << PINFS_BLOCK_SHIFT, end << PINFS_BLOCK_SHIFT,
		 set->opt.direction == PINFS_FROM_DEVICE ? "from" : "to",
		 seconds_since(set->began_ns),
		 lo->admitted > 1 ? ", and others" : "");
}

static void complain(struct layout_break *brk, const char *holder,
		     bool timed_out)
{
	char name[PINFS_NAME_LEN];

	name_of(brk, name, sizeof(name));
	log_warn("%s: %s of inode %" PRIu64 " (%s) by pid %u (%s) %s %.1f s; "
		 "held by %s",
		 brk->ls->vol->pool->path, change_names[brk->change],
		 brk->ip->ino, name[0] ? name : "no name", brk->owner.pid,
		 brk->owner.comm,
		 timed_out ? "failed with EBUSY after" : "has waited",
		 seconds_since(brk->asked_ns), holder);
}

static uint64_t next_due(const struct layout_break *brk)
{
	const struct layout_options *opt = &brk->ls->opt;
	uint64_t due = UINT64_MAX;

	if (brk->warn_after_ns)
		due = brk->asked_ns + brk->warn_after_ns;
	if (opt->break_timeout_ns)
		due = min_u64(due, brk->asked_ns + opt->break_timeout_ns);
	return due;
}

static void set_timer(struct layout_break *brk)
{
	uint64_t due = next_due(brk);

	if (due != UINT64_MAX && timer_set(brk->ls->timers, &brk->timer, due))
		log_warn("no memory to watch over a waiting %s",
			 change_names[brk->change]);
}

/*
 * timer_due - warn, or give up
 *
 * brk is there until its timer has been cancelled, which waits for us. So the
 * timer is set again before the work that cancels it can be overtaken: under
 * layout.lock, while the break still waits.
 */
static void timer_due(struct timer *t)
{
	struct layout_break *brk = container_of(t, struct layout_break, timer);
	uint64_t timeout = brk->ls->opt.break_timeout_ns;
	struct layout *lo = brk->layout;
	char holder[256];
	bool timed_out;

	timed_out = timeout && now_ns() - brk->asked_ns >= timeout;
	pthread_mutex_lock(&lo->lock);
	if (brk->step != LAYOUT_BREAK_WAITING) {
		pthread_mutex_unlock(&lo->lock);
		return;
	}
	describe_holder(lo, holder, sizeof(holder));
	if (timed_out) {
		withdraw(brk, -EBUSY); /* L7 */
		atomic_fetch_add(&brk->ls->count.timed_out, 1);
	} else {
		brk->warn_after_ns *= 2;
		set_timer(brk);
	}
	pthread_mutex_unlock(&lo->lock);
	complain(brk, holder, timed_out);
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
	brk->warn_after_ns = ls->opt.break_warn_ns;
	list_init(&brk->node);
	list_init(&brk->registry);
	timer_init(&brk->timer, timer_due);
	return 0;
}

static bool is_busy(const struct layout *lo)
{
	return lo->admitted > 0 || !list_empty(&lo->breaks);
}

/*
 * enqueue - run now, wait, or fail; layout.lock is held
 *
 * The number is taken under the lock, so that the file's queue is in its order.
 */
static enum layout_break_step enqueue(struct layout_break *brk)
{
	struct layout *lo = brk->layout;

	if (brk->cancelled)
		return brk->step = LAYOUT_BREAK_DONE;
	brk->number = next_number(brk->ls);
	brk->step = is_busy(lo) ? LAYOUT_BREAK_WAITING : LAYOUT_BREAK_RUNNING;
	list_add_tail(&brk->node, &lo->breaks);
	if (brk->step == LAYOUT_BREAK_WAITING) {
		registry_add_break(brk->ls, brk);
		atomic_fetch_add(&brk->ls->count.breaks_waited, 1);
		atomic_fetch_add(&brk->ls->count.breaks_waiting, 1);
		set_timer(brk);
	}
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

	if (!is_busy(lo) || !brk->owner.pid || brk->owner.comm[0])
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
	atomic_fetch_add(&brk->ls->count.breaks, 1);
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

void layout_break_done(struct layout_break *brk)
{
	struct layout *lo = brk->layout;
	struct inode *ip = brk->ip;
	struct layouts *ls = brk->ls;

	pthread_mutex_lock(&lo->lock);
	assert(brk->step == LAYOUT_BREAK_RUNNING);
	brk->step = LAYOUT_BREAK_DONE;
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
	if (brk->step == LAYOUT_BREAK_NEW) {
		if (!brk->cancelled)
			atomic_fetch_add(&brk->ls->count.interrupted, 1);
		brk->cancelled = err;
	} else if (brk->step == LAYOUT_BREAK_WAITING) {
		withdraw(brk, err);
		atomic_fetch_add(&brk->ls->count.interrupted, 1);
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
