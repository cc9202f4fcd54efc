// SPDX-License-Identifier: BSD-3-Clause
#include "handle.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SHARDS		   16u
#define BUCKETS		   256u
#define TICKETS_PER_HANDLE 256u

struct shard {
	pthread_mutex_t lock;
	struct list_head open; /* lock */
};

struct handles {
	struct shard shard[SHARDS];
	pthread_mutex_t lock; /* tickets' */
	struct list_head bucket[BUCKETS]; /* lock */
};

struct ticket {
	uint8_t bytes[TICKET_BYTES];
	enum pinfs_direction direction;
	struct handle *handle;
	struct list_head of_handle; /* tickets' lock */
	struct list_head of_bucket; /* tickets' lock */
};

struct handles *handles_new(void)
{
	struct handles *hs = calloc(1, sizeof(*hs));
	size_t i;

	if (!hs)
		return NULL;
	for (i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&hs->shard[i].lock, NULL);
		list_init(&hs->shard[i].open);
	}
	pthread_mutex_init(&hs->lock, NULL);
	for (i = 0; i < BUCKETS; i++)
		list_init(&hs->bucket[i]);
	return hs;
}

void handles_close(struct handles *hs, struct fs *fs)
{
	struct handle *h, *tmp;
	size_t i;

	for (i = 0; i < SHARDS; i++)
		list_for_each_entry_safe(h, tmp, &hs->shard[i].open, node)
			handle_free(hs, fs, h);
}

void handles_free(struct handles *hs)
{
	size_t i;

	if (!hs)
		return;
	for (i = 0; i < SHARDS; i++)
		pthread_mutex_destroy(&hs->shard[i].lock);
	pthread_mutex_destroy(&hs->lock);
	free(hs);
}

/* Addresses of one size differ above their lowest bits. */
static struct shard *shard_of(struct handles *hs, const struct handle *h)
{
	return &hs->shard[((uintptr_t)h >> 6) % SHARDS];
}

struct handle *handle_new(struct handles *hs)
{
	struct handle *h = calloc(1, sizeof(*h));
	struct shard *s;

	if (!h)
		return NULL;
	list_init(&h->tickets);
	list_init(&h->pinsets);
	s = shard_of(hs, h);
	pthread_mutex_lock(&s->lock);
	list_add(&h->node, &s->open);
	pthread_mutex_unlock(&s->lock);
	return h;
}

/* With the tickets' lock held. */
static void ticket_free(struct ticket *t)
{
	list_del(&t->of_handle);
	list_del(&t->of_bucket);
	atomic_fetch_sub(&t->handle->ntickets, 1);
	free(t);
}

void handle_free(struct handles *hs, struct fs *fs, struct handle *h)
{
	struct shard *s = shard_of(hs, h);
	struct ticket *t, *tmp;

	/* Nobody makes one any more, and most files never had any. */
	if (atomic_load(&h->ntickets) > 0) {
		pthread_mutex_lock(&hs->lock);
		list_for_each_entry_safe(t, tmp, &h->tickets, of_handle)
			ticket_free(t);
		pthread_mutex_unlock(&hs->lock);
	}
	if (atomic_load(&h->tracing))
		trace_close(layouts_trace(fs_layouts(fs)));
	pthread_mutex_lock(&s->lock);
	list_del(&h->node);
	pthread_mutex_unlock(&s->lock);
	fs_file_release(fs, h->file);
	free(h);
}

/* --- tickets -------------------------------------------------------------- */

static struct list_head *bucket_of(struct handles *hs, const uint8_t *bytes)
{
	return &hs->bucket[bytes[0] % BUCKETS];
}

static void put(struct handles *hs, struct handle *h, struct ticket *t)
{
	pthread_mutex_lock(&hs->lock);
	if (atomic_load(&h->ntickets) == TICKETS_PER_HANDLE)
		ticket_free(list_first_entry(&h->tickets, struct ticket,
					     of_handle));
	list_add_tail(&t->of_handle, &h->tickets);
	list_add_tail(&t->of_bucket, bucket_of(hs, t->bytes));
	atomic_fetch_add(&h->ntickets, 1);
	pthread_mutex_unlock(&hs->lock);
}

int ticket_new(struct handles *hs, struct handle *h,
	       enum pinfs_direction direction, uint8_t ticket[TICKET_BYTES])
{
	struct ticket *t = malloc(sizeof(*t));

	if (!t)
		return -ENOMEM;
	if (getrandom(t->bytes, sizeof(t->bytes), 0) != sizeof(t->bytes)) {
		free(t);
		return -EIO;
	}
	memcpy(ticket, t->bytes, sizeof(t->bytes));
	t->direction = direction;
	t->handle = h;
	put(hs, h, t);
	return 0;
}

int ticket_take(struct handles *hs, const uint8_t ticket[TICKET_BYTES],
		struct inode **ip, enum pinfs_direction *direction)
{
	int err = -EACCES;
	struct ticket *t;

	pthread_mutex_lock(&hs->lock);
	list_for_each_entry(t, bucket_of(hs, ticket), of_bucket) {
		if (memcmp(t->bytes, ticket, TICKET_BYTES) != 0)
			continue;
		/* The handle is open as long as it has tickets. */
		*ip = inode_hold(fs_file_inode(t->handle->file));
		*direction = t->direction;
		ticket_free(t);
		err = 0;
		break;
	}
	pthread_mutex_unlock(&hs->lock);
	return err;
}
