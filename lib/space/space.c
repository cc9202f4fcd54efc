// SPDX-License-Identifier: BSD-3-Clause
#include "space/space.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/omit.h"
#include "base/util.h"
#include "format/csum.h"
#include "space/bitmap.h"

/*
 * struct group - zeroes are its initial state, the mutex included, so that an
 * array of them costs only what is touched.
 */
struct group {
	pthread_mutex_t lock;
	uint64_t *bits; /* lock: BITMAP_WORDS words, NULL until it is used */
	uint64_t *going; /* lock: behind bits; blocks that are being freed */
	bool damaged; /* lock */
};

/* A group's hint before anybody has looked. */
#define HINT_UNKNOWN 0xffffu

/* What one allocation looks at before it takes the best that it has seen. */
#define GROUPS_TO_TRY 16u
#define HINTS_TO_READ 1024u
#define SEARCH_PASSES 4

struct space {
	struct journal *j;
	struct pool *pool;
	uint64_t groups_start;
	uint64_t groups;
	uint64_t first_free;
	uint64_t total_blocks;
	uint64_t reserve; /* blocks kept for deleting */
	struct group *group;
	/*
	 * Of each group, negated, an upper bound of its longest run of free
	 * blocks, if that is below PINFS_CHUNK_BLOCKS.
	 */
	_Atomic uint16_t *hint;
	_Atomic int64_t available; /* free and not reserved */
	_Atomic int64_t pending;
	space_asked_fn *on_free, *on_take;
	void *on_free_arg, *on_take_arg;
	int (*on_alloc)(void *arg, unsigned int flags);
	void *on_alloc_arg;
};

/* struct claim - blocks taken from or given back by a transaction */
struct claim {
	struct tx_hook hook;
	struct journal_waiter waiter;
	struct space *sp;
	uint64_t first; /* all in one group */
	uint32_t count;
};

int space_open(struct journal *j, struct space **out)
{
	const struct pinfs_super *sb = journal_super(j);
	struct space *sp = calloc(1, sizeof(*sp));
	struct journal_counts counts;

	if (!sp)
		return -ENOMEM;
	sp->j = j;
	sp->pool = journal_pool(j);
	sp->groups_start = le64_to_cpu(sb->groups_start);
	sp->groups = le64_to_cpu(sb->groups);
	sp->first_free = le64_to_cpu(sb->first_free);
	sp->total_blocks = le64_to_cpu(sb->total_blocks);
	sp->reserve = max_u64(32, min_u64(sp->total_blocks / 200, 2048));
	journal_counts(j, &counts);
	atomic_init(&sp->available, counts.free_blocks);
	sp->group = calloc(sp->groups, sizeof(*sp->group));
	sp->hint = calloc(sp->groups, sizeof(*sp->hint));
	if (!sp->group || !sp->hint) {
		space_close(sp);
		return -ENOMEM;
	}
	*out = sp;
	return 0;
}

void space_close(struct space *sp)
{
	if (!sp)
		return;
	for (uint64_t g = 0; sp->group && g < sp->groups; g++)
		free(sp->group[g].bits);
	free(sp->group);
	free(sp->hint);
	free(sp);
}

void space_on_free(struct space *sp, space_asked_fn *fn, void *arg)
{
	sp->on_free = fn;
	sp->on_free_arg = arg;
}

void space_on_take(struct space *sp, space_asked_fn *fn, void *arg)
{
	sp->on_take = fn;
	sp->on_take_arg = arg;
}

void space_on_alloc(struct space *sp, int (*fn)(void *arg, unsigned int flags),
		    void *arg)
{
	sp->on_alloc = fn;
	sp->on_alloc_arg = arg;
}

uint64_t space_available(struct space *sp)
{
	int64_t n = atomic_load(&sp->available) - (int64_t)sp->reserve;

	return n > 0 ? (uint64_t)n : 0;
}

uint64_t space_pending(struct space *sp)
{
	int64_t n = atomic_load(&sp->pending);

	return n > 0 ? (uint64_t)n : 0;
}

/* --- groups --------------------------------------------------------------- */

/* Hints are stored negated: the zeroes of a new array mean "unknown". */
static uint32_t hint_get(const struct space *sp, uint64_t g)
{
	return HINT_UNKNOWN -
	       atomic_load_explicit(&sp->hint[g], memory_order_relaxed);
}

static void hint_set(struct space *sp, uint64_t g, uint32_t longest)
{
	atomic_store_explicit(&sp->hint[g], (uint16_t)(HINT_UNKNOWN - longest),
			      memory_order_relaxed);
}

static uint64_t group_first(uint64_t g)
{
	return g * PINFS_GROUP_BLOCKS;
}

/* fixed_in_use - are all those blocks that nobody can be given marked so? */
static bool fixed_in_use(const struct space *sp, uint64_t g,
			 const uint64_t *bits)
{
	uint64_t first = group_first(g), last = sp->total_blocks - 1;
	uint64_t head = sp->first_free - min_u64(sp->first_free, first);
	uint64_t tail = last - min_u64(last, first);

	head = min_u64(head, PINFS_GROUP_BLOCKS);
	tail = min_u64(tail, PINFS_GROUP_BLOCKS);
	return bitmap_all_set(bits, 0, (uint32_t)head) &&
	       bitmap_all_set(bits, (uint32_t)tail,
			      (uint32_t)(PINFS_GROUP_BLOCKS - tail));
}

/*
 * group_read - bits of the group that is at home on the medium
 *
 * Home is up to date here: bits have changed since the mount only in groups
 * that are in memory.
 */
static int group_read(const struct space *sp, uint64_t g, uint64_t *bits,
		      const char **why)
{
	uint64_t blkno = sp->groups_start + g;
	const struct pinfs_bitmap *b =
		(const void *)(sp->pool->base + (blkno << PINFS_BLOCK_SHIFT));
	int err = format_bitmap_verify(
		b, PINFS_MAGIC_GROUP, g, blkno,
		le64_to_cpu(journal_super(sp->j)->csum_seed), why);

	if (err)
		return err;
	bitmap_load(bits, b);
	*why = "blocks that cannot be had are marked as free";
	return fixed_in_use(sp, g, bits) ? 0 : -EUCLEAN;
}

/* group_load - have the group's bits in memory; lock is held */
static int group_load(struct space *sp, uint64_t g)
{
	struct group *grp = &sp->group[g];
	const char *why;
	uint64_t *bits;
	int err;

	if (grp->bits)
		return 0;
	if (grp->damaged)
		return -EUCLEAN;
	bits = calloc(2 * BITMAP_WORDS, sizeof(*bits));
	if (!bits)
		return -ENOMEM;
	err = group_read(sp, g, bits, &why);
	if (err) {
		free(bits);
		grp->damaged = true;
		hint_set(sp, g, 0);
		log_error("%s: bitmap of group %llu: %s; its free blocks are "
			  "not used: unmount and run fsck.pinfs",
			  sp->pool->path, (unsigned long long)g, why);
		return err;
	}
	grp->bits = bits;
	grp->going = bits + BITMAP_WORDS;
	return 0;
}

/* hint_released - the block at is free now: the run around it may be the longest */
static void hint_released(struct space *sp, uint64_t g, uint32_t at)
{
	uint32_t hint = hint_get(sp, g);
	uint32_t run;

	if (hint == HINT_UNKNOWN)
		return;
	run = bitmap_run_around(sp->group[g].bits, at);
	if (run > hint)
		hint_set(sp, g, run);
}

/*
 * group_release - blocks that are free from here on
 *
 * Where damaged metadata speaks of a block twice, it may have been released
 * before; it is counted once.
 */
static void group_release(struct space *sp, uint64_t first, uint32_t count)
{
	uint64_t g = first / PINFS_GROUP_BLOCKS;
	uint32_t at = (uint32_t)(first - group_first(g));
	struct group *grp = &sp->group[g];
	uint32_t cleared;

	pthread_mutex_lock(&grp->lock);
	cleared = bitmap_clear(grp->bits, at, count);
	bitmap_clear(grp->going, at, count);
	hint_released(sp, g, at);
	pthread_mutex_unlock(&grp->lock);
	atomic_fetch_add(&sp->available, cleared);
}

/* group_keep - blocks that are not freed after all */
static void group_keep(struct space *sp, uint64_t first, uint32_t count)
{
	uint64_t g = first / PINFS_GROUP_BLOCKS;
	struct group *grp = &sp->group[g];

	pthread_mutex_lock(&grp->lock);
	bitmap_clear(grp->going, (uint32_t)(first - group_first(g)), count);
	pthread_mutex_unlock(&grp->lock);
}

/* group_give - note that blocks are to be freed; -EUCLEAN if they can't be */
static int group_give(struct space *sp, uint64_t first, uint32_t count)
{
	uint64_t g = first / PINFS_GROUP_BLOCKS;
	uint32_t at = (uint32_t)(first - group_first(g));
	struct group *grp = &sp->group[g];
	int err;

	pthread_mutex_lock(&grp->lock);
	err = group_load(sp, g);
	if (!err && (!bitmap_all_set(grp->bits, at, count) ||
		     !bitmap_all_clear(grp->going, at, count)))
		err = -EUCLEAN;
	if (!err)
		bitmap_set(grp->going, at, count);
	pthread_mutex_unlock(&grp->lock);
	return err;
}

/* run_at_goal - what continues at from, if that is worth taking */
static struct bitmap_run run_at_goal(const uint64_t *bits, uint32_t from,
				     uint32_t want)
{
	const uint32_t worth = 64;
	struct bitmap_run run = { from, 0 };
	uint32_t end;

	if (from == 0 || bitmap_next_clear(bits, from) != from)
		return run;
	end = bitmap_next_set(bits, from);
	if (end - from >= want || end - from >= worth)
		run.count = end - from < want ? end - from : want;
	return run;
}

/* struct wish - what a search is for, and what it has come by */
struct wish {
	uint32_t want;
	uint32_t atleast;
	unsigned int flags;
	uint32_t best; /* the highest hint below atleast */
	uint64_t best_group;
};

/* group_search - the best run of the group for w->want; its lock is held */
static struct bitmap_run group_search(const struct space *sp, uint64_t g,
				      uint32_t from, const struct wish *w)
{
	const uint64_t *bits = sp->group[g].bits;
	uint32_t most = hint_get(sp, g); /* no run is longer */
	uint32_t want = most < w->want ? most : w->want;
	struct bitmap_run run = { 0, 0 }, other;

	if (want == 0)
		return run;
	if (want >= PINFS_CHUNK_BLOCKS ||
	    (w->flags & SPACE_ALIGN && most >= PINFS_CHUNK_BLOCKS)) {
		run = bitmap_find_chunks(bits, from, want);
		if (run.count == 0 && from > 0)
			run = bitmap_find_chunks(bits, 0, want);
		if (run.count > 0)
			return run;
	}
	run = bitmap_find_run(bits, from, want);
	if (run.count == want || from == 0)
		return run;
	other = bitmap_find_run(bits, 0, want);
	return other.count > run.count ? other : run;
}

/*
 * group_take - take the best run of group g if it continues at from or has at
 * least w->atleast blocks; 0 with count 0 if there is none
 */
static int group_take(struct space *sp, uint64_t g, uint32_t from,
		      const struct wish *w, struct space_run *out)
{
	struct group *grp = &sp->group[g];
	struct bitmap_run run;
	int err;

	out->count = 0;
	pthread_mutex_lock(&grp->lock);
	err = group_load(sp, g);
	if (err)
		goto out_unlock;
	run = run_at_goal(grp->bits, from, w->want);
	if (run.count == 0 || (w->flags & SPACE_EXACT && run.count < w->want)) {
		run = group_search(sp, g, from, w);
		if (run.count < w->want && run.count < PINFS_CHUNK_BLOCKS)
			hint_set(sp, g, run.count);
		if (run.count == 0 || run.count < w->atleast)
			goto out_unlock;
	}
	bitmap_set(grp->bits, run.first, run.count);
	out->first = group_first(g) + run.first;
	out->count = run.count;
out_unlock:
	pthread_mutex_unlock(&grp->lock);
	return err == -EUCLEAN ? 0 : err;
}

/* --- allocation ----------------------------------------------------------- */

/* account - take up to want from the counter; 0 if there is nothing to take */
static uint64_t account(struct space *sp, uint64_t want, unsigned int flags)
{
	int64_t keep = flags & SPACE_RESERVE ? 0 : (int64_t)sp->reserve;
	int64_t now = atomic_load(&sp->available), take;

	do {
		take = now - keep < (int64_t)want ? now - keep : (int64_t)want;
		if (take <= 0 || (flags & SPACE_EXACT && take < (int64_t)want))
			return 0;
	} while (!atomic_compare_exchange_weak(&sp->available, &now,
					       now - take));
	return (uint64_t)take;
}

/* start_of - where a search begins: at the goal, or where this thread was */
static uint64_t start_of(struct space *sp, uint64_t goal)
{
	static _Atomic uint64_t threads;
	static _Thread_local uint64_t own;

	if (goal > 0 && goal < sp->total_blocks)
		return goal;
	if (own == 0)
		own = atomic_fetch_add(&threads, 1) + 1;
	return group_first((own - 1) * (sp->groups / 16 + 1) % sp->groups);
}

/*
 * search_groups - take a run of at least w->atleast blocks from group g0 on;
 *                 out->count is 0 if there was none
 *
 * Hints keep it away from groups that can't have one. It notes the best of what
 * it has passed by, so that it need not look everywhere.
 */
static int search_groups(struct space *sp, uint64_t g0, uint32_t from,
			 struct wish *w, struct space_run *out)
{
	uint64_t tried = 0, g = g0;

	out->count = 0;
	w->best = 0;
	for (uint64_t i = 0; i < sp->groups; i++, g++) {
		uint32_t hint;
		int err;

		if (g == sp->groups)
			g = 0;
		hint = hint_get(sp, g);
		if (hint >= w->atleast) {
			err = group_take(sp, g, i ? 0 : from, w, out);
			if (err || out->count)
				return err;
			hint = hint_get(sp, g);
			tried++;
		}
		if (hint != HINT_UNKNOWN && hint > w->best) {
			w->best = hint;
			w->best_group = g;
		}
		if (w->best && !(w->flags & SPACE_EXACT) &&
		    (tried >= GROUPS_TO_TRY || i >= HINTS_TO_READ))
			break;
	}
	return 0;
}

/*
 * search - take a run of want blocks, or the largest of those that were seen
 *
 * Hints are upper bounds, so that the largest may turn out to be smaller: after
 * some tries it takes what there is.
 */
static int search(struct space *sp, uint64_t start, uint32_t want,
		  unsigned int flags, struct space_run *out)
{
	struct wish w = { .want = want, .atleast = want, .flags = flags };
	uint64_t g = start / PINFS_GROUP_BLOCKS;
	uint32_t from = (uint32_t)(start % PINFS_GROUP_BLOCKS);

	for (int pass = 0; pass < SEARCH_PASSES; pass++) {
		int err = search_groups(sp, g, from, &w, out);

		if (err || out->count)
			return err;
		if (flags & SPACE_EXACT)
			break;
		if (w.best) {
			g = w.best_group;
			from = 0;
		}
		w.atleast = pass == SEARCH_PASSES - 2 || !w.best ? 1 : w.best;
	}
	return -ENOSPC;
}

static void alloc_ended(struct tx_hook *hook, bool committed)
{
	struct claim *c = container_of(hook, struct claim, hook);

	if (!committed)
		group_release(c->sp, c->first, c->count);
	free(c);
}

static struct claim *claim_new(struct space *sp, uint64_t first, uint64_t count,
			       void (*fn)(struct tx_hook *, bool))
{
	struct claim *c = malloc(sizeof(*c));

	if (!c)
		return NULL;
	c->sp = sp;
	c->first = first;
	c->count = (uint32_t)count;
	c->hook.fn = fn;
	return c;
}

/* note_alloc - the run belongs to tx from here on */
static int note_alloc(struct space *sp, struct tx *tx,
		      const struct space_run *run)
{
	uint64_t g = run->first / PINFS_GROUP_BLOCKS;
	struct claim *c = claim_new(sp, run->first, run->count, alloc_ended);
	int err;

	if (!c)
		return -ENOMEM;
	err = tx_set_bits(tx, sp->groups_start + g,
			  (uint32_t)(run->first - group_first(g)),
			  (uint32_t)run->count);
	if (err) {
		free(c);
		return err;
	}
	tx_on_end(tx, &c->hook);
	tx_count(tx, -(int64_t)run->count, 0);
	return 0;
}

int space_alloc(struct space *sp, struct tx *tx, uint64_t goal, uint64_t want,
		unsigned int flags, struct space_run *out)
{
	uint64_t most = min_u64(want, PINFS_GROUP_BLOCKS);
	uint64_t taken;
	int err;

	err = sp->on_alloc ? sp->on_alloc(sp->on_alloc_arg, flags) : 0;
	if (err)
		return err;
	if (flags & SPACE_EXACT && want > most)
		return -ENOSPC;
	taken = account(sp, most, flags);
	if (taken == 0)
		return -ENOSPC;
	err = search(sp, start_of(sp, goal), (uint32_t)taken, flags, out);
	if (err)
		goto err_account;
	atomic_fetch_add(&sp->available, (int64_t)(taken - out->count));
	/* What it refuses stays taken, so that it is found only once. */
	err = sp->on_take ?
		      sp->on_take(sp->on_take_arg, out->first, out->count) :
		      0;
	if (err)
		return err;
	err = pool_back(sp->pool, out->first << PINFS_BLOCK_SHIFT,
			out->count << PINFS_BLOCK_SHIFT);
	if (!err)
		err = note_alloc(sp, tx, out);
	if (err)
		group_release(sp, out->first, (uint32_t)out->count);
	return err;

err_account:
	atomic_fetch_add(&sp->available, (int64_t)taken);
	return err;
}

/* --- freeing -------------------------------------------------------------- */

static void free_is_home(struct journal_waiter *w)
{
	struct claim *c = container_of(w, struct claim, waiter);

	atomic_fetch_sub(&c->sp->pending, c->count);
	group_release(c->sp, c->first, c->count);
	free(c);
}

static void free_ended(struct tx_hook *hook, bool committed)
{
	struct claim *c = container_of(hook, struct claim, hook);

	if (!committed) {
		group_keep(c->sp, c->first, c->count);
		free(c);
		return;
	}
	atomic_fetch_add(&c->sp->pending, c->count);
	c->waiter.fn = free_is_home;
	if (OMITTED("S-reuse")) {
		free_is_home(&c->waiter);
		return;
	}
	journal_when_home(c->sp->j, &c->waiter);
}

/* free_in_group - all of it lies in one group */
static int free_in_group(struct space *sp, struct tx *tx, uint64_t first,
			 uint64_t count)
{
	uint64_t g = first / PINFS_GROUP_BLOCKS;
	struct claim *c;
	int err = group_give(sp, first, (uint32_t)count);

	if (err == -EUCLEAN)
		log_error("%s: blocks %llu to %llu are to be freed, but not in "
			  "use, or twice: unmount and run fsck.pinfs",
			  sp->pool->path, (unsigned long long)first,
			  (unsigned long long)(first + count - 1));
	if (err)
		return err;
	c = claim_new(sp, first, count, free_ended);
	if (!c) {
		err = -ENOMEM;
		goto err_keep;
	}
	err = tx_clear_bits(tx, sp->groups_start + g,
			    (uint32_t)(first - group_first(g)),
			    (uint32_t)count);
	if (err)
		goto err_claim;
	tx_on_end(tx, &c->hook);
	tx_count(tx, (int64_t)count, 0);
	return 0;

err_claim:
	free(c);
err_keep:
	group_keep(sp, first, (uint32_t)count);
	return err;
}

int space_free(struct space *sp, struct tx *tx, uint64_t first, uint64_t count)
{
	int err;

	/* The last block is the superblock's backup. */
	if (first < sp->first_free || first >= sp->total_blocks - 1 ||
	    count > sp->total_blocks - 1 - first)
		return -EUCLEAN;
	err = sp->on_free ? sp->on_free(sp->on_free_arg, first, count) : 0;
	while (count > 0 && !err) {
		uint64_t left = PINFS_GROUP_BLOCKS - first % PINFS_GROUP_BLOCKS;
		uint64_t n = min_u64(count, left);

		err = free_in_group(sp, tx, first, n);
		first += n;
		count -= n;
	}
	return err;
}
