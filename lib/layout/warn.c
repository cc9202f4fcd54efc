// SPDX-License-Identifier: BSD-3-Clause
/* Breaks and time: warnings, and giving up (L14). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "layout/layout_i.h"

static const char *const change_names[] = {
	[PINFS_CHANGE_TRUNCATE] = "truncate",
	[PINFS_CHANGE_ALLOCATE] = "fallocate",
	[PINFS_CHANGE_PUNCH_HOLE] = "punch hole",
	[PINFS_CHANGE_ZERO_RANGE] = "zero range",
	[PINFS_CHANGE_COLLAPSE_RANGE] = "collapse range",
	[PINFS_CHANGE_INSERT_RANGE] = "insert range",
};

const char *change_name(enum pinfs_change change)
{
	return change_names[change];
}

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
		 change_name(brk->change), brk->owner.pid, brk->owner.comm,
		 seconds_since(brk->asked_ns));
}

/* span_of - from the lowest to the highest block of a hold */
static void span_of(const struct hold *h, uint64_t *first, uint64_t *end)
{
	*first = UINT64_MAX;
	*end = 0;
	for (const struct pin_range *r = h->ranges; r; r = r->next) {
		*first = min_u64(*first, r->first);
		*end = max_u64(*end, r->first + r->count);
	}
	*first = min_u64(*first, *end);
}

/* obstacles - pin sets that hold the break up, and the first of them */
static unsigned int obstacles(const struct layout_break *brk,
			      const struct hold **first)
{
	unsigned int n = 0;
	struct hold *h;

	list_for_each_entry(h, &brk->layout->holds, in_layout)
		if (hold_obstructs(h, brk) && n++ == 0)
			*first = h;
	return n;
}

/* describe_holder - one that holds a break up; layout.lock is held */
static void describe_holder(const struct layout_break *brk, char *buf,
			    size_t size)
{
	const struct layout *lo = brk->layout;
	const struct hold *h = NULL;
	const struct pin_set *set;
	unsigned int n = obstacles(brk, &h);
	uint64_t first, end;

	if (n == 0) {
		describe_break(lo, buf, size);
		return;
	}
	set = h->set;
	span_of(h, &first, &end);
	snprintf(buf, size,
		 "pin set %" PRIu64 " of pid %u (%s): bytes %" PRIu64
		 " to %" PRIu64 " %s a device, since %.1f s%s",
		 set->number, set->opt.owner.pid, set->opt.owner.comm,
		 first << PINFS_BLOCK_SHIFT, end << PINFS_BLOCK_SHIFT,
		 set->opt.direction == PINFS_FROM_DEVICE ? "from" : "to",
		 seconds_since(set->began_ns), n > 1 ? ", and others" : "");
}

static void complain(struct layout_break *brk, const char *holder,
		     bool timed_out)
{
	char name[PINFS_NAME_LEN];

	name_of(brk, name, sizeof(name));
	log_warn("%s: %s of inode %" PRIu64 " (%s) by pid %u (%s) %s %.1f s; "
		 "held by %s",
		 brk->ls->vol->pool->path, change_name(brk->change),
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

/* break_watch - have the clock watched; layout.lock is held, brk waits */
void break_watch(struct layout_break *brk)
{
	uint64_t due = next_due(brk);

	if (due != UINT64_MAX && timer_set(brk->ls->timers, &brk->timer, due))
		log_warn("no memory to watch over a waiting %s",
			 change_name(brk->change));
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
	describe_holder(brk, holder, sizeof(holder));
	if (timed_out) {
		break_withdraw(brk, -EBUSY); /* L7 */
		atomic_fetch_add(&count_of(brk->ls)->timed_out, 1);
	} else {
		brk->warn_after_ns *= 2;
		trace_break(brk, PINFS_EVENT_BREAK_WARN, 0);
		break_watch(brk);
	}
	pthread_mutex_unlock(&lo->lock);
	complain(brk, holder, timed_out);
}

void break_watch_init(struct layout_break *brk)
{
	brk->warn_after_ns = brk->ls->opt.break_warn_ns;
	timer_init(&brk->timer, timer_due);
}
