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

static void shards_init(struct registry_shard *sh)
{
	for (unsigned int i = 0; i < REGISTRY_SHARDS; i++) {
		pthread_mutex_init(&sh[i].lock, NULL);
		list_init(&sh[i].list);
	}
}

static void shards_destroy(struct registry_shard *sh)
{
	for (unsigned int i = 0; i < REGISTRY_SHARDS; i++)
		pthread_mutex_destroy(&sh[i].lock);
}

/* evict - the last handle of an inode goes: nothing is pinned, nobody waits */
static void evict(struct inode *ip)
{
	struct layout *lo = atomic_load(&ip->layout);

	if (!lo)
		return;
	assert(lo->admitted == 0 && list_empty(&lo->breaks));
	pthread_mutex_destroy(&lo->lock);
	free(lo);
}

/*
 * check_free - L1: no block with a pin is ever freed
 *
 * The protocol above makes it impossible; should it fail, stopping here is what
 * keeps a DMA out of another file.
 */
static void check_free(void *arg, uint64_t first, uint64_t count)
{
	struct layouts *ls = arg;

	for (uint64_t b = first; b < first + count; b++) {
		if (atomic_load(&ls->block_pins[b]) == 0)
			continue;
		fprintf(stderr,
			"pinfs: block %llu is pinned and was to be "
			"freed (L1): stopping\n",
			(unsigned long long)b);
		abort();
	}
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
	struct layouts *ls = calloc(1, sizeof(*ls));
	int err;

	if (!ls)
		return -ENOMEM;
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
	shards_init(ls->sets);
	shards_init(ls->breaks);
	pthread_mutex_init(&ls->create_lock, NULL);
	pthread_mutex_init(&ls->drain_lock, NULL);
	pthread_cond_init(&ls->drained, NULL);
	vol->on_evict = evict;
	space_on_free(vol->space, check_free, ls);
	*out = ls;
	return 0;

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
	ls->vol->on_evict = NULL;
	space_on_free(ls->vol->space, NULL, NULL);
	munmap(ls->block_pins, pins_bytes(ls));
	shards_destroy(ls->sets);
	shards_destroy(ls->breaks);
	pthread_cond_destroy(&ls->drained);
	pthread_mutex_destroy(&ls->drain_lock);
	pthread_mutex_destroy(&ls->create_lock);
	free(ls);
}

struct work_queue *layouts_work(struct layouts *ls)
{
	return ls->work;
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

/* layout_of - the file's; made on first use, NULL without memory */
struct layout *layout_of(struct layouts *ls, struct inode *ip)
{
	struct layout *lo = atomic_load(&ip->layout);

	if (lo)
		return lo;
	pthread_mutex_lock(&ls->create_lock);
	lo = atomic_load(&ip->layout);
	if (!lo)
		lo = calloc(1, sizeof(*lo));
	if (lo && !lo->ls) {
		lo->ls = ls;
		pthread_mutex_init(&lo->lock, NULL);
		list_init(&lo->holds);
		list_init(&lo->queue);
		list_init(&lo->breaks);
		atomic_store(&ip->layout, lo);
	}
	pthread_mutex_unlock(&ls->create_lock);
	return lo;
}

struct registry_shard *set_shard(struct layouts *ls, uint64_t number)
{
	return &ls->sets[number % REGISTRY_SHARDS];
}

struct registry_shard *break_shard(struct layouts *ls, uint64_t number)
{
	return &ls->breaks[number % REGISTRY_SHARDS];
}

/* --- draining (L15) ------------------------------------------------------ */

/* layouts_join - count something that layouts_drain() waits for */
bool layouts_join(struct layouts *ls, bool even_draining)
{
	bool may;

	pthread_mutex_lock(&ls->drain_lock);
	may = even_draining || !ls->draining;
	if (may)
		ls->live++;
	pthread_mutex_unlock(&ls->drain_lock);
	return may;
}

void layouts_leave(struct layouts *ls)
{
	pthread_mutex_lock(&ls->drain_lock);
	if (--ls->live == 0)
		pthread_cond_broadcast(&ls->drained);
	pthread_mutex_unlock(&ls->drain_lock);
}

void layouts_drain(struct layouts *ls)
{
	pthread_mutex_lock(&ls->drain_lock);
	ls->draining = true;
	while (ls->live > 0)
		pthread_cond_wait(&ls->drained, &ls->drain_lock);
	pthread_mutex_unlock(&ls->drain_lock);
}
