/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the layout protocol. */
#ifndef PINFS_LAYOUT_I_H
#define PINFS_LAYOUT_I_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "base/itree.h"
#include "layout/layout.h"
#include "layout/omit.h"

#define LAYOUT_SHARDS  64u
#define COUNTER_SHARDS 16u
#define CACHE_LINE     64

/*
 * struct counters - what some threads have counted; a mount's figure is the sum
 *
 * A thread has a shard of its own while there are no more threads than shards,
 * so that who pins one file does not wait for the cache lines of who pins
 * another.
 */
struct counters {
	alignas(CACHE_LINE) _Atomic uint64_t pins;
	_Atomic uint64_t unpins;
	_Atomic uint64_t pin_sets;
	_Atomic uint64_t pin_sets_ended;
	_Atomic uint64_t pin_waits;
	_Atomic uint64_t breaks;
	_Atomic uint64_t breaks_waited;
	_Atomic uint64_t breaks_waited_enough; /* of those: do not any more */
	_Atomic uint64_t wait_total_ns;
	_Atomic uint64_t idle_events;
	_Atomic uint64_t interrupted;
	_Atomic uint64_t timed_out;
	_Atomic uint64_t refused;
	_Atomic uint64_t retries;
};

/*
 * Pins of one block that can be counted; one more is refused. Far from where
 * the counter wraps, so that those who are about to be refused don't make it 0.
 */
#define PINS_MAX (UINT32_MAX / 2)

/* struct layout_shard - files that have ever been pinned or broken, for listings */
struct layout_shard {
	pthread_mutex_t lock; /* before layout.lock */
	struct list_head files; /* lock */
};

struct layouts {
	struct volume *vol;
	struct layout_options opt;
	struct work_queue *work;
	struct timers *timers;
	struct trace *trace;
	_Atomic uint32_t *block_pins; /* one a pool block (L1) */
	struct layout_shard shard[LAYOUT_SHARDS];
	struct counters count[COUNTER_SHARDS];
	_Atomic uint64_t wait_longest_ns;
	alignas(CACHE_LINE) _Atomic uint64_t next_number; /* the global order */
	/*
	 * Pin sets and waiting breaks that live, twice; the lowest bit says that
	 * the mount drains (L15).
	 */
	alignas(CACHE_LINE) _Atomic uint64_t live;
	pthread_mutex_t drain_lock;
	pthread_cond_t drained; /* with drain_lock: live has changed */
	struct omissions omit;
};

/* Parts of layouts.live. */
#define LIVE_ONE   2u
#define LIVE_DRAIN 1u

/* struct layout - a file's; from its first pin or break on, till inode goes */
struct layout {
	struct layouts *ls;
	uint64_t ino;
	struct list_head in_shard; /* shard's lock */
	pthread_mutex_t lock;
	uint32_t admitted; /* lock: holds that are (L3) */
	struct list_head holds; /* lock: oldest first, admitted or not */
	struct list_head queue; /* lock: admissions that wait, oldest first */
	struct list_head breaks; /* lock: in the order asked (L4) */
	struct itree claims; /* lock: pin_ranges of the file; scope range */
};

/* struct hold - what ties a pin set to a file */
struct hold {
	struct pin_set *set;
	struct layout *layout;
	struct inode *ip;
	bool admitted; /* layout.lock */
	bool queued; /* layout.lock: an admission of it waits */
	struct list_head in_layout; /* layout.lock */
	struct hold *next; /* the set's own thread: of the same set */
	struct pin_range *ranges; /* layout.lock to change: newest first */
};

#define RANGE_RUNS 2u

/*
 * struct pin_range - blocks of a file that a set has pinned or, in scope range,
 *                    claimed: they stay where they are until it has
 */
struct pin_range {
	struct itree_node in_claims; /* layout.lock; scope range */
	struct pin_range *next;
	uint64_t first; /* blocks of the file */
	uint64_t count;
	bool pinned; /* layout.lock to change: run[] says what */
	size_t nruns;
	struct pinned_run *run; /* ascending: some, or malloc()ed */
	struct pinned_run some[RANGE_RUNS];
};

/*
 * A pin set is driven by one thread at a time, its own; others list it, with a
 * lock of a layout that it has a hold in, and cancel it.
 */
struct pin_set {
	struct layouts *ls;
	uint64_t number;
	struct pin_options opt; /* cancel: lock */
	uint64_t began_ns;
	_Atomic uint64_t done;
	atomic_bool cancelled;
	pthread_mutex_t lock; /* innermost but for what opt.cancel takes */
	struct hold *holds; /* own thread */
	struct hold first_hold; /* most have one file and one range */
	struct pin_range first_range;
	bool first_range_used;
};

/* state.c */
struct layout *layout_of(struct layouts *ls, struct inode *ip);
uint64_t next_number(struct layouts *ls);
struct counters *count_of(struct layouts *ls);
bool layouts_join(struct layouts *ls, bool even_draining);
void layouts_leave(struct layouts *ls);

/* layouts_each - fn of every layout there is, its lock held, until it says no */
void layouts_each(struct layouts *ls, bool (*fn)(struct layout *lo, void *arg),
		  void *arg);

/* guard.c: what space asks; arg is the layouts */
int guard_free(void *arg, uint64_t first, uint64_t count);
int guard_take(void *arg, uint64_t first, uint64_t count);

/* admit.c */
void layout_admit_queued(struct layout *lo);

/* set.c */
struct hold *hold_find(struct pin_set *set, const struct inode *ip);
struct hold *hold_get(struct pin_set *set, struct inode *ip);
struct pin_range *range_new(struct pin_set *set, uint64_t first,
			    uint64_t count);
void range_free(struct pin_set *set, struct pin_range *r);

/* pin.c */
void range_unpin(struct layouts *ls, const struct pin_range *r);

/* break.c */
void layout_advance(struct layout *lo);
void break_withdraw(struct layout_break *brk, int err);
bool hold_obstructs(const struct hold *h, const struct layout_break *brk);

/* warn.c */
void break_watch(struct layout_break *brk);
void break_watch_init(struct layout_break *brk);
const char *change_name(enum pinfs_change change);

/* --- tracing (trace.c) ------------------------------------------------------ */

/* The order of a file's events is that in which they happened: layout.lock is
 * held where they are told, but for the begin and end of sets. */
void trace_set(struct pin_set *set, enum pinfs_event kind);
void trace_hold(const struct hold *h, enum pinfs_event kind);
void trace_range(const struct hold *h, const struct pin_range *r);
void trace_break(const struct layout_break *brk, enum pinfs_event kind,
		 int err);
void trace_freed(struct layouts *ls, uint64_t pblk, uint64_t count);

#endif
