/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside the journal.
 *
 * Locks, in order: lane.lock, room_lock, state_lock, lane.queue_lock, overlay
 * shard.lock, ckpt_lock. bitmap_lock is a leaf.
 */
#ifndef PINFS_JOURNAL_I_H
#define PINFS_JOURNAL_I_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/omit.h"
#include "format/csum.h"
#include "journal/journal.h"
#include "pool/persist.h"

#define BITMAP_LOCKS	64u
#define OVERLAY_SHARDS	64u
#define OVERLAY_BUCKETS 256u

/* No pool lives to see more; a number past it is not one that pinfs wrote. */
#define JOURNAL_MAX_SEQ (1ull << 62)

/* struct lane_record - a record in a lane that is not yet reclaimed */
struct lane_record {
	uint64_t seq;
	uint32_t offset; /* of its head */
	uint32_t bytes; /* it takes in the ring, a wrap before it included */
	int64_t free_delta;
	int64_t inode_delta;
};

/* struct lane - a ring of records */
struct lane {
	pthread_mutex_t lock; /* held while a record is written and applied */
	uint8_t *base;
	uint32_t size;
	uint32_t head; /* lock */
	_Atomic uint32_t used; /* raised with lock, lowered with queue_lock */
	uint32_t index;
	_Atomic uint64_t active; /* lower bound of the seq in work, 0: none */
	pthread_mutex_t queue_lock;
	struct lane_record *queue; /* ring of queue_size; queue_lock */
	uint32_t queue_size;
	uint32_t queue_head; /* index of the oldest */
	uint32_t queue_count;
	uint32_t tail; /* queue_lock: offset of the oldest record */
};

/* struct overlay_page - contents that are newer than the home location */
struct overlay_page {
	struct overlay_page *next;
	uint64_t blkno;
	uint64_t seq; /* of the youngest record in it */
	uint32_t reserved; /* commits that are about to store here */
	_Alignas(64) uint8_t data[PINFS_BLOCK_SIZE];
};

struct overlay_shard {
	pthread_mutex_t lock;
	struct overlay_page *bucket[OVERLAY_BUCKETS]; /* lock */
};

/*
 * struct overlay - the pages, and who may still look at those taken out
 *
 * Users count themselves in users[epoch % 2]. The checkpointer takes pages out
 * of the buckets into limbo, then moves the epoch on; it frees limbo when the
 * users of the epoch before are gone, and takes out no more before that.
 */
struct overlay {
	struct overlay_shard shard[OVERLAY_SHARDS];
	_Atomic uint64_t pages;
	_Atomic uint64_t epoch;
	_Atomic uint64_t users[2];
	/* 1 + the index in users[] of who was in overlay_drop()'s way; 0: none */
	_Atomic uint32_t blocked;
	struct overlay_page *limbo; /* checkpointer only */
};

struct journal {
	struct pool *pool;
	const struct pinfs_super *sb;
	uint64_t seed;
	uint8_t boot_id[16];
	bool read_only;
	bool recovering; /* single-threaded while it is set */

	struct lane *lane;
	uint32_t lanes;
	_Atomic uint64_t next_seq;
	_Atomic int error;

	/*
	 * Who waits for room in a lane, or for lanes to finish, counts itself
	 * in room_waiters, looks, and sleeps on room_cond.
	 */
	pthread_mutex_t room_lock;
	pthread_cond_t room_cond;
	_Atomic uint32_t room_waiters;

	pthread_mutex_t state_lock;
	struct pinfs_jstate state; /* state_lock: what was written last */

	_Atomic int64_t free_blocks; /* committed */
	_Atomic int64_t used_inodes;
	_Atomic uint64_t transactions;
	_Atomic uint64_t checkpoints;

	pthread_mutex_t bitmap_lock[BITMAP_LOCKS];

	/* Ordinary files only; overlay is NULL on persistent memory. */
	struct overlay *overlay;
	pthread_t thread;
	bool thread_runs;
	pthread_mutex_t ckpt_lock;
	pthread_cond_t ckpt_wake; /* for the checkpointer */
	pthread_cond_t ckpt_done; /* synced_round or home_seq has grown */
	uint64_t begun_round; /* ckpt_lock: rounds are numbered from 1 */
	uint64_t synced_round; /* ckpt_lock */
	uint64_t wanted_round; /* ckpt_lock: somebody waits for it */
	_Atomic uint64_t sealed_seq; /* survives power loss */
	uint64_t home_seq; /* ckpt_lock: applied, and out of the overlay */
	uint64_t wanted_home; /* ckpt_lock */
	uint64_t applied_seq; /* checkpointer only: brought home */
	bool pressed; /* ckpt_lock: a lane or memory runs short */
	bool stop; /* ckpt_lock */
	struct journal_waiter *waiters; /* ckpt_lock */
};

/* struct record_set - records of all lanes, to be applied in order */
struct record_set {
	const struct pinfs_jrec **rec;
	size_t count;
	size_t room;
};

/* journal_fail - write nothing from here on; returns the first such error */
int journal_fail(struct journal *j, int err, const char *what);

static inline void *journal_home(struct journal *j, uint64_t blkno)
{
	return j->pool->base + (blkno << PINFS_BLOCK_SHIFT);
}

static inline uint64_t jentry_block(const struct pinfs_jentry *e)
{
	return le64_to_cpu(e->target) & PINFS_JENTRY_BLOCK_MASK;
}

static inline unsigned int jentry_kind(const struct pinfs_jentry *e)
{
	return (unsigned int)(le64_to_cpu(e->target) >>
			      PINFS_JENTRY_KIND_SHIFT);
}

static inline const struct pinfs_jentry *
jrec_entries(const struct pinfs_jrec *rec)
{
	return (const struct pinfs_jentry *)(rec + 1);
}

/* jrec_csum - of a record that is as long as it says */
static inline uint64_t jrec_csum(const struct journal *j,
				 const struct pinfs_jrec *rec)
{
	return format_csum(rec,
			   OMITTED("S-csum") ? sizeof(*rec) :
					       le32_to_cpu(rec->length),
			   offsetof(struct pinfs_jrec, csum), j->seed);
}

/* jrec_lines - the lines of a record with so many entries */
static inline const uint8_t *jrec_lines(const struct pinfs_jrec *rec)
{
	size_t n = le32_to_cpu(rec->entries) * sizeof(struct pinfs_jentry);

	n = (n + PINFS_LINE_SIZE - 1) & ~(size_t)(PINFS_LINE_SIZE - 1);
	return (const uint8_t *)(rec + 1) + n;
}

/* state.c */
int jstate_load(struct journal *j);
int jstate_write(struct journal *j);

/* lane.c */
int lanes_init(struct journal *j);
void lanes_free(struct journal *j);
struct lane *lane_get(struct journal *j);
void lane_put(struct lane *lane);
int lane_append(struct journal *j, struct lane *lane, struct pinfs_jrec *rec);
void room_wake(struct journal *j);
void lane_done(struct journal *j, struct lane *lane);
int lanes_reclaim(struct journal *j, uint64_t upto, uint64_t sealed);
int lanes_collect(struct journal *j, uint64_t after, uint64_t upto,
		  struct record_set *set);
void lanes_wait_finished(struct journal *j, uint64_t upto);
size_t lane_capacity(const struct journal *j);

/* overlay.c */
struct overlay *overlay_new(void);
void overlay_free(struct overlay *ov);
const void *overlay_find(struct overlay *ov, uint64_t blkno);
int overlay_reserve(struct journal *j, uint64_t blkno);
void overlay_store(struct journal *j, uint64_t blkno, uint32_t first,
		   uint32_t count, const uint8_t *lines, uint64_t seq);
bool overlay_drop(struct overlay *ov, uint64_t upto);
unsigned int overlay_enter(struct journal *j);
void overlay_leave(struct journal *j, unsigned int guard);

/* apply.c */
void apply_home(struct journal *j, const struct pinfs_jrec *rec);
int apply_set(struct journal *j, const struct record_set *set);
int record_set_add(struct record_set *set, const struct pinfs_jrec *rec);

/* recover.c */
int journal_recover(struct journal *j, struct journal_recovery *rec);

/* checkpoint.c */
int checkpointer_start(struct journal *j);
void checkpointer_stop(struct journal *j);
void checkpointer_press(struct journal *j);
void checkpointer_unblock(struct journal *j);
int checkpoint_round(struct journal *j);
int checkpointer_flush(struct journal *j);
void call_waiters(struct journal *j, uint64_t upto);

#endif
