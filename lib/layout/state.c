// SPDX-License-Identifier: BSD-3-Clause
/* The protocol's state of a mount and of a file. */
#include "layout/layout_i.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static size_t pins_bytes(const struct layouts *ls)
{
	return ls->vol->total_blocks * sizeof(*ls->block_pins);
}

static void shards_init(struct layouts *ls)
{
	for (unsigned int i = 0; i < LAYOUT_SHARDS; i++) {
		pthread_mutex_init(&ls->shard[i].lock, NULL);
		list_init(&ls->shard[i].files);
	}
}

static void shards_destroy(struct layouts *ls)
{
	for (unsigned int i = 0; i < LAYOUT_SHARDS; i++)
		pthread_mutex_destroy(&ls->shard[i].lock);
}

static struct layout_shard *shard_of(struct layouts *ls, uint64_t ino)
{
	return &ls->shard[ino % LAYOUT_SHARDS];
}

/* evict - the last handle of an inode goes: nothing is pinned, nobody waits */
static void evict(struct inode *ip)
{
	struct layout *lo = atomic_load(&ip->layout);
	struct layout_shard *sh;

	if (!lo)
		return;
	assert(list_empty(&lo->holds) && list_empty(&lo->breaks));
	sh = shard_of(lo->ls, lo->ino);
	pthread_mutex_lock(&sh->lock);
	list_del(&lo->in_shard);
	pthread_mutex_unlock(&sh->lock);
	pthread_mutex_destroy(&lo->lock);
	free(lo);
}

/* map_pins - counters of all blocks; takes memory where something is pinned */
static int map_pins(struct layouts *ls)
{
	void *p = mmap(NULL, pins_bytes(ls), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	ls->block_pins = p;
	return 0;
}

int layouts_open(struct volume *vol, const struct layout_options *opt,
		 struct layouts **out)
{
	struct layouts *ls = aligned_alloc(CACHE_LINE, sizeof(*ls));
	int err;

	if (!ls)
		return -ENOMEM;
	memset(ls, 0, sizeof(*ls));
	ls->vol = vol;
	ls->opt = *opt;
	atomic_init(&ls->next_number, 1);
	err = map_pins(ls);
	if (err)
		goto err_layouts;
	err = -ENOMEM;
	ls->work = work_queue_new(opt->workers);
	if (!ls->work)
		goto err_pins;
	ls->timers = timers_new();
	if (!ls->timers)
		goto err_work;
	ls->trace = trace_new(ls->work);
	if (!ls->trace)
		goto err_timers;
	omissions_read(&ls->omit);
	shards_init(ls);
	pthread_mutex_init(&ls->drain_lock, NULL);
	pthread_cond_init(&ls->drained, NULL);
	vol->on_evict = evict;
	space_on_free(vol->space, guard_free, ls);
	space_on_take(vol->space, guard_take, ls);
	*out = ls;
	return 0;

err_timers:
	timers_free(ls->timers);
err_work:
	work_queue_free(ls->work);
err_pins:
	munmap(ls->block_pins, pins_bytes(ls));
err_layouts:
	free(ls);
	return err;
}

void layouts_close(struct layouts *ls)
{
	if (!ls)
		return;
	timers_free(ls->timers);
	work_queue_free(ls->work);
	trace_free(ls->trace);
	ls->vol->on_evict = NULL;
	space_on_free(ls->vol->space, NULL, NULL);
	space_on_take(ls->vol->space, NULL, NULL);
	munmap(ls->block_pins, pins_bytes(ls));
	shards_destroy(ls);
	pthread_cond_destroy(&ls->drained);
	pthread_mutex_destroy(&ls->drain_lock);
	free(ls);
}

struct work_queue *layouts_work(struct layouts *ls)
{
	return ls->work;
}

struct trace *layouts_trace(struct layouts *ls)
{
	return ls->trace;
}

bool layouts_scope_is_range(const struct layouts *ls)
{
	return ls->opt.scope_range;
}

bool layouts_omit_l11(const struct layouts *ls)
{
	(void)ls; /* in builds without omissions */
	return OMIT(ls, l11);
}

struct layout_owner layout_owner_of(uint32_t pid, uint32_t uid)
{
	struct layout_owner o = { .pid = pid, .uid = uid };
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	f = pid ? fopen(path, "re") : NULL;
	if (!f)
		return o;
	if (!fgets(o.comm, sizeof(o.comm), f))
		o.comm[0] = '\0';
	o.comm[strcspn(o.comm, "\n")] = '\0';
	fclose(f);
	return o;
}

/* next_number - the place in the global order of a pin set or break (L5) */
uint64_t next_number(struct layouts *ls)
{
	return atomic_fetch_add(&ls->next_number, 1);
}

struct counters *count_of(struct layouts *ls)
{
	static _Atomic unsigned int threads;
	static _Thread_local unsigned int mine; /* from 1 */

	if (!mine)
		mine = atomic_fetch_add(&threads, 1) % COUNTER_SHARDS + 1;
	return &ls->count[mine - 1];
}

static struct layout *layout_new(struct layouts *ls, uint64_t ino)
{
	struct layout *lo = calloc(1, sizeof(*lo));

	if (!lo)
		return NULL;
	lo->ls = ls;
	lo->ino = ino;
	pthread_mutex_init(&lo->lock, NULL);
	list_init(&lo->holds);
	list_init(&lo->queue);
	list_init(&lo->breaks);
	return lo;
}

/* layout_of - the file's; made on first use, NULL without memory */
struct layout *layout_of(struct layouts *ls, struct inode *ip)
{
	struct layout *lo = atomic_load(&ip->layout);
	struct layout_shard *sh;

	if (lo)
		return lo;
	sh = shard_of(ls, ip->ino);
	pthread_mutex_lock(&sh->lock);
	lo = atomic_load(&ip->layout);
	if (!lo) {
		lo = layout_new(ls, ip->ino);
		if (lo)
			list_add_tail(&lo->in_shard, &sh->files);
		atomic_store(&ip->layout, lo);
	}
	pthread_mutex_unlock(&sh->lock);
	return lo;
}

static bool each_of_shard(struct layout_shard *sh,
			  bool (*fn)(struct layout *lo, void *arg), void *arg)
{
	struct layout *lo;
	bool more = true;

	pthread_mutex_lock(&sh->lock);
	list_for_each_entry(lo, &sh->files, in_shard) {
		pthread_mutex_lock(&lo->lock);
		more = fn(lo, arg);
		pthread_mutex_unlock(&lo->lock);
		if (!more)
			break;
	}
	pthread_mutex_unlock(&sh->lock);
	return more;
}

void layouts_each(struct layouts *ls, bool (*fn)(struct layout *lo, void *arg),
		  void *arg)
{
	for (unsigned int i = 0; i < LAYOUT_SHARDS; i++)
		if (!each_of_shard(&ls->shard[i], fn, arg))
			return;
}

/* --- draining (L15) ------------------------------------------------------ */

/*
 * layouts_join - count something that layouts_drain() waits for
 *
 * Counted first, and looked after that: so a drain that finds nothing alive has
 * refused whoever it did not count.
 */
bool layouts_join(struct layouts *ls, bool even_draining)
{
	uint64_t was = atomic_fetch_add(&ls->live, LIVE_ONE);

	if (even_draining || !(was & LIVE_DRAIN))
		return true;
	layouts_leave(ls);
	return false;
}

/*
 * layouts_leave - it is over
 *
 * While the mount drains, the count goes down with drain_lock held: who waits
 * for it closes ls, and does not get the lock before we have let go of it.
 */
void layouts_leave(struct layouts *ls)
{
	uint64_t live = atomic_load(&ls->live);

	while (!(live & LIVE_DRAIN))
		if (atomic_compare_exchange_weak(&ls->live, &live,
						 live - LIVE_ONE))
			return;
	pthread_mutex_lock(&ls->drain_lock);
	atomic_fetch_sub(&ls->live, LIVE_ONE);
	pthread_cond_broadcast(&ls->drained);
	pthread_mutex_unlock(&ls->drain_lock);
}

void layouts_drain_begin(struct layouts *ls)
{
	atomic_fetch_or(&ls->live, LIVE_DRAIN);
}

void layouts_drain(struct layouts *ls)
{
	layouts_drain_begin(ls);
	pthread_mutex_lock(&ls->drain_lock);
	while (atomic_load(&ls->live) >= LIVE_ONE)
		pthread_cond_wait(&ls->drained, &ls->drain_lock);
	pthread_mutex_unlock(&ls->drain_lock);
	trace_end(ls->trace);
}
