// SPDX-License-Identifier: BSD-3-Clause
#include "cut.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fsck/fsck.h"
#include "fsck/repair.h"
#include "pool/persist.h"

/* struct store - what was there before one that no sync has followed yet */
struct store {
	struct store *next;
	void *dst;
	size_t n;
	uint8_t was[];
};

static struct {
	uint64_t done;
	uint64_t after;
	struct store *pending;
} cut;

static void forget_pending(void)
{
	struct store *s;

	while ((s = cut.pending) != NULL) {
		cut.pending = s->next;
		free(s);
	}
}

/* reaches - remember what a store replaces; false: the power has gone */
static bool reaches(void *dst, size_t n)
{
	struct store *s;

	if (cut.done == cut.after)
		return false;
	cut.done++;
	s = malloc(sizeof(*s) + n);
	ck_assert_ptr_nonnull(s);
	s->dst = dst;
	s->n = n;
	memcpy(s->was, dst, n);
	s->next = cut.pending;
	cut.pending = s;
	return true;
}

static void cut_copy(struct pool *p, void *dst, const void *src, size_t n)
{
	(void)p;
	if (reaches(dst, n))
		memcpy(dst, src, n);
}

static void cut_set(struct pool *p, void *dst, int c, size_t n)
{
	(void)p;
	if (reaches(dst, n))
		memset(dst, c, n);
}

static void cut_flush(struct pool *p, const void *addr, size_t n)
{
	(void)p;
	(void)addr;
	(void)n;
}

static void cut_fence(struct pool *p)
{
	(void)p;
}

static int cut_sync(struct pool *p)
{
	(void)p;
	if (cut.done < cut.after)
		forget_pending();
	return 0;
}

static const struct persist_ops ops = {
	.copy = cut_copy,
	.set = cut_set,
	.copy_flush = cut_copy,
	.set_flush = cut_set,
	.flush = cut_flush,
	.fence = cut_fence,
	.sync = cut_sync,
};

/* lose_some - the medium has some of the pending stores, in any order */
static void lose_some(uint64_t seed)
{
	struct store *s;

	for (s = cut.pending; s && seed; s = s->next) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		if (seed >> 63)
			memcpy(s->dst, s->was, s->n);
	}
	forget_pending();
}

static int repair(const char *path, uint64_t seed)
{
	FILE *out = stdout, *null = fopen("/dev/null", "w");
	struct fsck f = { 0 };
	struct pool *to;
	int err;

	ck_assert_ptr_nonnull(null);
	ck_assert_int_eq(pool_open(path, 0, &to, NULL), 0);
	to->persist = &ops;
	ck_assert_int_eq(pool_open(path, POOL_PRIVATE | POOL_NO_CLAIM, &f.pool,
				   NULL),
			 0);
	stdout = null;
	f.findings = findings_new(path, false, false);
	findings_set_mode(f.findings, FSCK_REPAIR);
	err = repair_open(&f);
	if (!err)
		err = fsck_repair(&f);
	if (!err)
		err = fsck_write(&f, to);
	findings_end(f.findings, !err);
	stdout = out;
	fclose(null);
	lose_some(cut.done == cut.after ? seed : 0);
	fsck_release(&f);
	pool_close(f.pool);
	pool_close(to);
	return err;
}

uint64_t cut_repair(const char *path, uint64_t after, uint64_t seed)
{
	cut.done = 0;
	cut.after = after;
	ck_assert_int_eq(repair(path, seed), 0);
	return cut.done;
}

int cut_repair_says(const char *path)
{
	cut.done = 0;
	cut.after = UINT64_MAX;
	return repair(path, 0);
}
