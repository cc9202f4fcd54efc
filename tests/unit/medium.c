// SPDX-License-Identifier: BSD-3-Clause
/* What of a pool is on its medium. */
#include "medium.h"

#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/pinfs_format.h"
#include "scratch_volume.h"

enum { LINE_CLEAN, LINE_STORED, LINE_FLUSHED };

#define LINE PINFS_LINE_SIZE
#define PAGE PINFS_BLOCK_SIZE

/* this_thread - a number, the same again after so many threads */
static uint8_t this_thread(void)
{
	static _Atomic uint8_t threads;
	static _Thread_local uint8_t own;

	while (own == 0)
		own = (uint8_t)(atomic_fetch_add(&threads, 1) + 1);
	return own;
}

static struct medium *enter(struct pool *p, bool ordering)
{
	struct medium *m = p->persist_arg;

	pthread_mutex_lock(&m->lock);
	m->ordering = ordering;
	if (m->on_event)
		m->on_event(m, m->arg);
	return m;
}

static void leave(struct medium *m)
{
	pthread_mutex_unlock(&m->lock);
}

static void mark(struct medium *m, const void *addr, size_t n, uint8_t state)
{
	size_t off = (size_t)((const uint8_t *)addr - m->pool->base);

	/* Assertions of Check cost a system call each. */
	if (off > m->pool->size || n > m->pool->size - off)
		ck_abort_msg("a store beyond the pool");
	for (size_t i = off / LINE; n && i <= (off + n - 1) / LINE; i++) {
		if (m->line[i] == LINE_CLEAN && state == LINE_FLUSHED)
			continue;
		if (m->line[i] == LINE_CLEAN)
			m->changed[m->nchanged++] = (uint32_t)i;
		m->line[i] = state;
		m->thread[i] = this_thread();
		m->page[i * LINE / PAGE] = 1;
	}
}

/* settle - lines in that state or past it; thread 0: of all threads */
static void settle(struct medium *m, uint8_t state, uint8_t thread)
{
	size_t left = 0;

	for (size_t k = 0; k < m->nchanged; k++) {
		size_t i = m->changed[k];

		if (m->line[i] < state || (thread && m->thread[i] != thread)) {
			m->changed[left++] = (uint32_t)i;
			continue;
		}
		memcpy(m->image + i * LINE, m->pool->base + i * LINE, LINE);
		m->line[i] = LINE_CLEAN;
	}
	m->nchanged = left;
}

/* evict - what was flushed there reaches the medium before it is stored over */
static void evict(struct medium *m, const void *addr, size_t n)
{
	size_t off = (size_t)((const uint8_t *)addr - m->pool->base);

	for (size_t i = off / LINE; n && i <= (off + n - 1) / LINE; i++)
		if (m->line[i] == LINE_FLUSHED)
			memcpy(m->image + i * LINE, m->pool->base + i * LINE,
			       LINE);
}

static void medium_copy(struct pool *p, void *dst, const void *src, size_t n)
{
	struct medium *m = enter(p, false);

	evict(m, dst, n);
	memcpy(dst, src, n);
	mark(m, dst, n, LINE_STORED);
	leave(m);
}

static void medium_set(struct pool *p, void *dst, int c, size_t n)
{
	struct medium *m = enter(p, false);

	evict(m, dst, n);
	memset(dst, c, n);
	mark(m, dst, n, LINE_STORED);
	leave(m);
}

static void medium_flush(struct pool *p, const void *addr, size_t n)
{
	struct medium *m = enter(p, false);

	mark(m, addr, n, LINE_FLUSHED);
	leave(m);
}

/* The power may fail between the store and the flush, too. */
static void medium_copy_flush(struct pool *p, void *dst, const void *src,
			      size_t n)
{
	medium_copy(p, dst, src, n);
	medium_flush(p, dst, n);
}

static void medium_set_flush(struct pool *p, void *dst, int c, size_t n)
{
	medium_set(p, dst, c, n);
	medium_flush(p, dst, n);
}

static void medium_fence(struct pool *p)
{
	struct medium *m = p->persist_arg;

	enter(p, !m->file);

	if (!m->file)
		settle(m, LINE_FLUSHED, this_thread());
	leave(m);
}

static int medium_sync(struct pool *p)
{
	struct medium *m = p->persist_arg;
	int err = atomic_load(&m->sync_error);

	atomic_fetch_add(&m->syncs, 1);
	if (err)
		return err;
	enter(p, true);
	if (m->file)
		settle(m, LINE_STORED, 0);
	else
		settle(m, LINE_FLUSHED, this_thread());
	leave(m);
	return 0;
}

static const struct persist_ops medium_ops = {
	.copy = medium_copy,
	.set = medium_set,
	.copy_flush = medium_copy_flush,
	.set_flush = medium_set_flush,
	.flush = medium_flush,
	.fence = medium_fence,
	.sync = medium_sync,
};

/* load - what the pool's file holds, without filling its holes by looking */
static void load(struct medium *m)
{
	off_t at = 0, end = 0;

	while ((at = lseek(m->pool->fd, end, SEEK_DATA)) >= 0) {
		end = lseek(m->pool->fd, at, SEEK_HOLE);
		ck_assert_int_gt(end, at);
		memcpy(m->image + at, m->pool->base + at, (size_t)(end - at));
		memset(m->page + at / PAGE, 1, (size_t)(end - at) / PAGE);
	}
}

void medium_attach(struct medium *m, struct pool *pool, uint64_t seed)
{
	size_t lines = pool->size / LINE;

	memset(m, 0, sizeof(*m));
	m->pool = pool;
	m->file = !pool_is_persistent(pool);
	m->seed = seed;
	/* Costs what is touched, with a sanitizer as well. */
	m->room = pool->size + lines * 6 + pool->size / PAGE;
	m->image = mmap(NULL, m->room, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ck_assert_ptr_ne(m->image, MAP_FAILED);
	m->changed = (uint32_t *)(void *)(m->image + pool->size);
	m->line = (uint8_t *)(m->changed + lines);
	m->thread = m->line + lines;
	m->page = m->thread + lines;
	pthread_mutex_init(&m->lock, NULL);
	load(m);
	pool->persist_arg = m;
	pool->persist = &medium_ops;
}

void medium_detach(struct medium *m)
{
	pthread_mutex_destroy(&m->lock);
	munmap(m->image, m->room);
	memset(m, 0, sizeof(*m));
}

void medium_watch(struct medium *m, void (*fn)(struct medium *m, void *arg),
		  void *arg)
{
	pthread_mutex_lock(&m->lock);
	m->on_event = fn;
	m->arg = arg;
	pthread_mutex_unlock(&m->lock);
}

/* write_pages - those that hold anything, of from, to a new file; mapped */
static uint8_t *write_pages(const struct medium *m, const uint8_t *from,
			    const char *path)
{
	size_t size = m->pool->size;
	uint8_t *to;
	int fd;

	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	to = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(to, MAP_FAILED);
	close(fd);
	for (size_t i = 0; i < size / PAGE; i++)
		if (m->page[i])
			memcpy(to + i * PAGE, from + i * PAGE, PAGE);
	return to;
}

/* struct cut - which of the changes that are not settled yet are there */
struct cut {
	enum { CUT_NONE, CUT_ALL, CUT_MOST, CUT_HALF, CUT_OLD, CUT_NEW } mode;
	size_t split; /* CUT_OLD: those before it; CUT_NEW: from there on */
};

static bool survives(struct medium *m, const struct cut *cut, size_t k)
{
	uint64_t dice = scratch_random(&m->seed) % 16;

	switch (cut->mode) {
	case CUT_NONE:
		return false;
	case CUT_ALL:
		return true;
	case CUT_MOST:
		return dice < 14;
	case CUT_HALF:
		return dice < 8;
	case CUT_OLD:
		return k < cut->split;
	default:
		return k >= cut->split;
	}
}

void medium_cut(struct medium *m, const char *path)
{
	struct cut cut = { .mode = scratch_random(&m->seed) % (CUT_NEW + 1) };
	bool words = scratch_random(&m->seed) % 2;
	uint8_t *to = write_pages(m, m->image, path);
	size_t unit = m->file ? 512 : words ? 8 : LINE;
	size_t last = SIZE_MAX;

	/* Among many it is mostly the oldest that are missed. */
	cut.split = scratch_random(&m->seed) % (m->nchanged + 1);
	if (scratch_random(&m->seed) % 2)
		cut.split %= 129;
	for (size_t k = 0; k < m->nchanged; k++) {
		size_t at = m->changed[k] * (size_t)LINE / unit * unit;

		if (at == last)
			continue; /* a sector is written once */
		last = at;
		for (; at < (m->changed[k] + 1) * (size_t)LINE; at += unit)
			if (survives(m, &cut, k))
				memcpy(to + at, m->pool->base + at, unit);
	}
	munmap(to, m->pool->size);
}

void medium_kill(struct medium *m, const char *path)
{
	munmap(write_pages(m, m->pool->base, path), m->pool->size);
}
