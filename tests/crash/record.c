// SPDX-License-Identifier: BSD-3-Clause
/* The recorder. */
#include "record.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE PINFS_BLOCK_SIZE

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "crash: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(1);
}

void *grow(void *p, size_t n, size_t *room, size_t size)
{
	if (n <= *room)
		return p;
	*room = n * 2 + 64;
	p = realloc(p, *room * size);
	if (!p)
		die("out of memory");
	return p;
}

void record_touch(struct record *r, size_t off, size_t len)
{
	if (off > r->pool->size || len > r->pool->size - off)
		die("a store beyond the pool");
	for (size_t i = off / PAGE; len && i <= (off + len - 1) / PAGE; i++) {
		if (r->is_dirty[i])
			continue;
		r->is_dirty[i] = 1;
		r->dirty[r->ndirty++] = (uint32_t)i;
	}
}

static size_t offset_of(const struct record *r, const void *addr)
{
	return (size_t)((const uint8_t *)addr - r->pool->base);
}

static struct event *note(struct record *r, enum event_kind kind)
{
	struct event *e;

	r->event = grow(r->event, r->events + 1, &r->event_room,
			sizeof(*r->event));
	e = &r->event[r->events++];
	memset(e, 0, sizeof(*e));
	e->kind = kind;
	return e;
}

static bool drops_flush(const struct record *r, size_t off)
{
	bool lanes = off >= r->lanes_from && off < r->lanes_to;

	switch (r->defect) {
	case DEFECT_NO_FLUSH:
		return true;
	case DEFECT_NO_FLUSH_LANES:
		return lanes;
	case DEFECT_NO_FLUSH_PAYLOAD:
		return r->fences == 0 && !lanes;
	case DEFECT_NO_FLUSH_HOME:
		return r->fences > 0 && !lanes;
	default:
		return false;
	}
}

static bool drops_fence(const struct record *r)
{
	switch (r->defect) {
	case DEFECT_NO_FENCE:
		return true;
	case DEFECT_NO_FENCE_PAYLOAD:
		return r->fences % 3 == 0;
	case DEFECT_NO_FENCE_COMMIT:
		return r->fences % 3 == 1;
	case DEFECT_NO_FENCE_HOME:
		return r->fences % 3 == 2;
	default:
		return false;
	}
}

static bool drops_sync(const struct record *r)
{
	switch (r->defect) {
	case DEFECT_NO_SYNC:
		return true;
	case DEFECT_NO_FIRST_SYNC:
		return r->syncs % 2 == 0;
	case DEFECT_EARLY_SYNC:
		return r->syncs % 2 == 1;
	default:
		return false;
	}
}

static void note_store(struct record *r, enum event_kind kind, size_t off,
		       size_t n)
{
	struct event *e;

	if (off >= r->lanes_from && off < r->lanes_to)
		r->lane_end = (uint32_t)(off + n);
	if (!r->on || n == 0)
		return;
	r->bytes = grow(r->bytes, r->nbytes + n, &r->byte_room, 1);
	memcpy(r->bytes + r->nbytes, r->pool->base + off, n);
	e = note(r, kind);
	e->off = (uint32_t)off;
	e->len = (uint32_t)n;
	e->bytes = r->nbytes;
	r->nbytes += n;
}

static void note_flush(struct record *r, size_t off, size_t n)
{
	struct event *e;

	if (!r->on || n == 0 || (r->in_op && drops_flush(r, off)))
		return;
	e = note(r, EVENT_FLUSH);
	e->off = (uint32_t)off;
	e->len = (uint32_t)n;
}

static void store(struct pool *p, void *dst, const void *src, int c, size_t n,
		  bool flush)
{
	struct record *r = p->persist_arg;
	size_t off = offset_of(r, dst);

	pthread_mutex_lock(&r->lock);
	record_touch(r, off, n);
	if (src)
		memcpy(dst, src, n);
	else
		memset(dst, c, n);
	note_store(r, EVENT_STORE, off, n);
	if (flush)
		note_flush(r, off, n);
	pthread_mutex_unlock(&r->lock);
}

static void record_copy(struct pool *p, void *dst, const void *src, size_t n)
{
	store(p, dst, src, 0, n, false);
}

static void record_set(struct pool *p, void *dst, int c, size_t n)
{
	store(p, dst, NULL, c, n, false);
}

static void record_copy_flush(struct pool *p, void *dst, const void *src,
			      size_t n)
{
	store(p, dst, src, 0, n, true);
}

static void record_set_flush(struct pool *p, void *dst, int c, size_t n)
{
	store(p, dst, NULL, c, n, true);
}

static void record_flush(struct pool *p, const void *addr, size_t n)
{
	struct record *r = p->persist_arg;

	pthread_mutex_lock(&r->lock);
	note_flush(r, offset_of(r, addr), n);
	pthread_mutex_unlock(&r->lock);
}

static void record_fence(struct pool *p)
{
	struct record *r = p->persist_arg;

	pthread_mutex_lock(&r->lock);
	if (r->on && !(r->in_op && drops_fence(r)))
		note(r, EVENT_FENCE);
	r->fences++;
	pthread_mutex_unlock(&r->lock);
}

static int record_sync(struct pool *p)
{
	struct record *r = p->persist_arg;

	pthread_mutex_lock(&r->lock);
	if (r->on && !drops_sync(r))
		note(r, EVENT_SYNC);
	r->syncs++;
	r->all_syncs++;
	pthread_mutex_unlock(&r->lock);
	return 0;
}

static const struct persist_ops record_ops = {
	.copy = record_copy,
	.set = record_set,
	.copy_flush = record_copy_flush,
	.set_flush = record_set_flush,
	.flush = record_flush,
	.fence = record_fence,
	.sync = record_sync,
};

void record_attach(struct record *r, struct pool *pool)
{
	const struct pinfs_super *sb = (const void *)pool->base;
	uint64_t from = le64_to_cpu(sb->journal_start) + 2;

	memset(r, 0, sizeof(*r));
	r->pool = pool;
	r->lane_size = le32_to_cpu(sb->lane_blocks) * PAGE;
	r->lanes_from = (uint32_t)(from * PAGE);
	r->lanes_to = (uint32_t)((from + (uint64_t)le32_to_cpu(sb->lanes) *
						 le32_to_cpu(sb->lane_blocks)) *
				 PAGE);
	r->is_dirty = calloc(pool->size / PAGE, 1);
	r->dirty = calloc(pool->size / PAGE, sizeof(*r->dirty));
	if (!r->is_dirty || !r->dirty)
		die("out of memory");
	pthread_mutex_init(&r->lock, NULL);
	pool->persist_arg = r;
	pool->persist = &record_ops;
}

void record_free(struct record *r)
{
	pthread_mutex_destroy(&r->lock);
	free(r->event);
	free(r->bytes);
	free(r->is_dirty);
	free(r->dirty);
}

void record_start(struct record *r, enum defect defect)
{
	r->on = true;
	r->defect = defect;
	r->in_op = false;
	r->fences = 0;
	r->syncs = 0;
	r->events = 0;
	r->nbytes = 0;
}

void record_stop(struct record *r)
{
	r->on = false;
}

void record_mark(struct record *r, enum event_kind kind)
{
	pthread_mutex_lock(&r->lock);
	note(r, kind);
	r->in_op = kind == EVENT_BEGIN;
	r->fences = 0;
	pthread_mutex_unlock(&r->lock);
}

unsigned int record_syncs(struct record *r)
{
	unsigned int n;

	pthread_mutex_lock(&r->lock);
	n = r->all_syncs;
	pthread_mutex_unlock(&r->lock);
	return n;
}

void record_note(struct record *r, enum event_kind kind)
{
	pthread_mutex_lock(&r->lock);
	if (r->on)
		note(r, kind);
	pthread_mutex_unlock(&r->lock);
}

void record_device(struct record *r, size_t off, const void *bytes, size_t n)
{
	pthread_mutex_lock(&r->lock);
	record_touch(r, off, n);
	memcpy(r->pool->base + off, bytes, n);
	note_store(r, EVENT_DEVICE, off, n);
	pthread_mutex_unlock(&r->lock);
}

void record_restore(struct record *r, const uint8_t *image)
{
	for (size_t i = 0; i < r->ndirty; i++) {
		size_t at = (size_t)r->dirty[i] * PAGE;

		memcpy(r->pool->base + at, image + at, PAGE);
		r->is_dirty[r->dirty[i]] = 0;
	}
	r->ndirty = 0;
}
