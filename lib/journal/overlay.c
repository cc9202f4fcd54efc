// SPDX-License-Identifier: BSD-3-Clause
/*
 * The overlay: blocks of an ordinary file's pool whose committed contents may
 * not go home yet, as their records are not sealed.
 */
#include "journal/journal_i.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* So many pages, 64 MiB, and the checkpointer is asked to hurry. */
#define OVERLAY_PRESSURE 16384u

struct overlay *overlay_new(void)
{
	struct overlay *ov = calloc(1, sizeof(*ov));

	if (!ov)
		return NULL;
	for (unsigned int i = 0; i < OVERLAY_SHARDS; i++)
		pthread_mutex_init(&ov->shard[i].lock, NULL);
	return ov;
}

void overlay_free(struct overlay *ov)
{
	if (!ov)
		return;
	overlay_drop(ov, UINT64_MAX);
	overlay_drop(ov, UINT64_MAX);
	for (unsigned int i = 0; i < OVERLAY_SHARDS; i++)
		pthread_mutex_destroy(&ov->shard[i].lock);
	free(ov);
}

static struct overlay_shard *shard_of(struct overlay *ov, uint64_t blkno)
{
	return &ov->shard[blkno % OVERLAY_SHARDS];
}

static struct overlay_page **bucket_of(struct overlay_shard *sh, uint64_t blkno)
{
	return &sh->bucket[blkno / OVERLAY_SHARDS % OVERLAY_BUCKETS];
}

static struct overlay_page *page_find(struct overlay_shard *sh, uint64_t blkno)
{
	struct overlay_page *p = *bucket_of(sh, blkno);

	while (p && p->blkno != blkno)
		p = p->next;
	return p;
}

/* overlay_find - a block's contents, or NULL if home has them */
const void *overlay_find(struct overlay *ov, uint64_t blkno)
{
	struct overlay_shard *sh = shard_of(ov, blkno);
	struct overlay_page *p;

	pthread_mutex_lock(&sh->lock);
	p = page_find(sh, blkno);
	pthread_mutex_unlock(&sh->lock);
	return p ? p->data : NULL;
}

/* overlay_reserve - have a page for blkno: overlay_store() then can't fail */
int overlay_reserve(struct journal *j, uint64_t blkno)
{
	struct overlay_shard *sh = shard_of(j->overlay, blkno);
	struct overlay_page *p;
	int err = 0;

	pthread_mutex_lock(&sh->lock);
	p = page_find(sh, blkno);
	if (p) {
		p->reserved++;
		goto out_unlock;
	}
	p = aligned_alloc(64, sizeof(*p));
	if (!p) {
		err = -ENOMEM;
		goto out_unlock;
	}
	p->blkno = blkno;
	p->seq = 0;
	p->reserved = 1;
	memcpy(p->data, journal_home(j, blkno), sizeof(p->data));
	p->next = *bucket_of(sh, blkno);
	*bucket_of(sh, blkno) = p;
	if (atomic_fetch_add(&j->overlay->pages, 1) == OVERLAY_PRESSURE)
		checkpointer_press(j);
out_unlock:
	pthread_mutex_unlock(&sh->lock);
	return err;
}

/*
 * overlay_store - lines of a committed record, into a reserved page
 *
 * One call for each overlay_reserve(); with count 0 it only gives that back.
 */
void overlay_store(struct journal *j, uint64_t blkno, uint32_t first,
		   uint32_t count, const uint8_t *lines, uint64_t seq)
{
	struct overlay_shard *sh = shard_of(j->overlay, blkno);
	struct overlay_page *p;

	pthread_mutex_lock(&sh->lock);
	p = page_find(sh, blkno);
	assert(p);
	if (p->seq < seq)
		p->seq = seq;
	if (count > 0)
		memcpy(p->data + first * PINFS_LINE_SIZE, lines,
		       count * PINFS_LINE_SIZE);
	p->reserved--;
	pthread_mutex_unlock(&sh->lock);
}

static void shard_drop(struct overlay *ov, struct overlay_shard *sh,
		       uint64_t upto)
{
	for (unsigned int i = 0; i < OVERLAY_BUCKETS; i++) {
		struct overlay_page **at = &sh->bucket[i];

		while (*at) {
			struct overlay_page *p = *at;

			if (p->seq > upto || p->reserved) {
				at = &p->next;
				continue;
			}
			*at = p->next;
			p->next = ov->limbo;
			ov->limbo = p;
			atomic_fetch_sub(&ov->pages, 1);
		}
	}
}

static void limbo_free(struct overlay *ov)
{
	while (ov->limbo) {
		struct overlay_page *p = ov->limbo;

		ov->limbo = p->next;
		free(p);
	}
}

/*
 * overlay_drop - take out the pages that home has caught up with
 *
 * Returns false, and has done nothing, while somebody may still look at pages
 * that were taken out before.
 */
bool overlay_drop(struct overlay *ov, uint64_t upto)
{
	uint64_t epoch = atomic_load(&ov->epoch);
	uint32_t before = (uint32_t)((epoch + 1) % 2);

	if (atomic_load(&ov->users[before]) != 0) {
		/* Look again: who has left by then may not have seen it. */
		atomic_store(&ov->blocked, before + 1);
		if (atomic_load(&ov->users[before]) != 0)
			return false;
	}
	atomic_store(&ov->blocked, 0);
	limbo_free(ov);
	for (unsigned int i = 0; i < OVERLAY_SHARDS; i++) {
		pthread_mutex_lock(&ov->shard[i].lock);
		shard_drop(ov, &ov->shard[i], upto);
		pthread_mutex_unlock(&ov->shard[i].lock);
	}
	if (ov->limbo)
		atomic_store(&ov->epoch, epoch + 1);
	return true;
}

/* uncount - the last one wakes the checkpointer if that waits for him */
static void uncount(struct journal *j, uint32_t i)
{
	if (atomic_fetch_sub(&j->overlay->users[i], 1) == 1 &&
	    atomic_load(&j->overlay->blocked) == i + 1)
		checkpointer_unblock(j);
}

/* overlay_enter - returns what overlay_leave() takes */
unsigned int overlay_enter(struct journal *j)
{
	struct overlay *ov = j->overlay;

	for (;;) {
		uint64_t epoch = atomic_load(&ov->epoch);

		atomic_fetch_add(&ov->users[epoch % 2], 1);
		if (atomic_load(&ov->epoch) == epoch)
			return (unsigned int)(epoch % 2);
		/* It moved on in between: counted in the wrong one. */
		uncount(j, (uint32_t)(epoch % 2));
	}
}

void overlay_leave(struct journal *j, unsigned int guard)
{
	uncount(j, guard);
}
