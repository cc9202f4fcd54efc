/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the layout protocol. */
#ifndef PINFS_LAYOUT_I_H
#define PINFS_LAYOUT_I_H

#include <pthread.h>
#include <stdatomic.h>

#include "layout/layout.h"

#define REGISTRY_SHARDS 64u

/* struct registry - what lives, by number, for listings */
struct registry_shard {
	pthread_mutex_t lock;
	struct list_head list; /* lock; numbers ascend */
};

struct counters {
	_Atomic uint64_t pins;
	_Atomic uint64_t unpins;
	_Atomic uint64_t pin_sets;
	_Atomic uint64_t pin_sets_live;
	_Atomic uint64_t pin_waits;
	_Atomic uint64_t breaks;
	_Atomic uint64_t breaks_waited;
	_Atomic uint64_t breaks_waiting;
	_Atomic uint64_t wait_total_ns;
	_Atomic uint64_t wait_longest_ns;
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

struct layouts {
	struct volume *vol;
	struct layout_options opt;
	struct work_queue *work;
	struct timers *timers;
	_Atomic uint64_t next_number; /* the global order */
	_Atomic uint32_t *block_pins; /* one a pool block (L1) */
	struct counters count;
	struct registry_shard sets[REGISTRY_SHARDS];
	struct registry_shard breaks[REGISTRY_SHARDS];
	pthread_mutex_t create_lock; /* makes a file's struct layout once */
	pthread_mutex_t drain_lock;
	pthread_cond_t drained; /* drain_lock: live is 0 */
	uint64_t live; /* drain_lock: pin sets and waiting breaks */
	bool draining; /* drain_lock */
};

/* struct layout - a file's; from its first pin or break on, till inode goes */
struct layout {
	struct layouts *ls;
	pthread_mutex_t lock;
	uint32_t admitted; /* lock: pin sets that hold the layout (L3) */
	struct list_head holds; /* lock: their holds */
	struct list_head queue; /* lock: admissions that wait, oldest first */
	struct list_head breaks; /* lock: in the order asked (L4) */
};

enum hold_state {
	HOLD_QUEUED,
	HOLD_ADMITTED,
};

/* struct hold - one pin set's admission to one file */
struct hold {
	struct pin_set *set;
	struct layout *layout;
	struct inode *ip;
	_Atomic int state; /* enum hold_state; changes with layout.lock */
	struct list_head in_layout; /* layout.lock */
	struct list_head in_set; /* set.lock */
	struct pinned_range *ranges; /* set.lock: newest first */
};

/* struct pinned_range - a range of a file that a set has pinned */
struct pinned_range {
	struct pinned_range *next;
	uint64_t first;
	uint64_t count;
	size_t nruns;
	struct pinned_run run[];
};

struct pin_set {
	struct layouts *ls;
	uint64_t number;
	struct pin_options opt;
	uint64_t began_ns;
	_Atomic uint64_t done;
	struct list_head registry; /* registry's lock */
	pthread_mutex_t lock;
	struct list_head holds; /* lock */
	bool cancelled; /* lock */
};

/* state.c */
struct layout *layout_of(struct layouts *ls, struct inode *ip);
uint64_t next_number(struct layouts *ls);
bool layouts_join(struct layouts *ls, bool even_draining);
void layouts_leave(struct layouts *ls);
struct registry_shard *set_shard(struct layouts *ls, uint64_t number);
struct registry_shard *break_shard(struct layouts *ls, uint64_t number);

/* list.c */
void registry_add_set(struct layouts *ls, struct pin_set *set);
void registry_add_break(struct layouts *ls, struct layout_break *brk);

/* pin.c */
void layout_admit_queued(struct layout *lo);

/* break.c */
void layout_advance(struct layout *lo);

#endif
