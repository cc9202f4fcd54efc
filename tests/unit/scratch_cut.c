// SPDX-License-Identifier: BSD-3-Clause
/* A process that ends after so many stores, and copies of pools. */
#include "scratch_cut.h"

#include <check.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool/persist.h"

#define EXIT_CUT   77
#define EXIT_ERROR 78

/* Of the child that is to be cut; it has one pool. */
static const struct persist_ops *real;
static _Atomic long left;

/* is_last - the store that is left half done */
static bool is_last(void)
{
	return atomic_fetch_sub(&left, 1) <= 0;
}

static void cut_copy(struct pool *p, void *dst, const void *src, size_t n)
{
	bool last = is_last();

	real->copy(p, dst, src, last ? n / 2 : n);
	if (last)
		_exit(EXIT_CUT);
}

static void cut_set(struct pool *p, void *dst, int c, size_t n)
{
	bool last = is_last();

	real->set(p, dst, c, last ? n / 2 : n);
	if (last)
		_exit(EXIT_CUT);
}

static void cut_copy_flush(struct pool *p, void *dst, const void *src, size_t n)
{
	bool last = is_last();

	real->copy_flush(p, dst, src, last ? n / 2 : n);
	if (last)
		_exit(EXIT_CUT);
}

static void cut_set_flush(struct pool *p, void *dst, int c, size_t n)
{
	bool last = is_last();

	real->set_flush(p, dst, c, last ? n / 2 : n);
	if (last)
		_exit(EXIT_CUT);
}

static void cut_flush(struct pool *p, const void *addr, size_t n)
{
	real->flush(p, addr, n);
}

static void cut_fence(struct pool *p)
{
	real->fence(p);
}

static int cut_sync(struct pool *p)
{
	return real->sync(p);
}

static const struct persist_ops cut_ops = {
	.copy = cut_copy,
	.set = cut_set,
	.copy_flush = cut_copy_flush,
	.set_flush = cut_set_flush,
	.flush = cut_flush,
	.fence = cut_fence,
	.sync = cut_sync,
};

void scratch_cut_after(struct pool *pool, long stores)
{
	real = pool->persist;
	atomic_store(&left, stores);
	pool->persist = &cut_ops;
}

bool scratch_cut(int (*fn)(void *arg, long stores), void *arg, long stores)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (!pid)
		_exit(fn(arg, stores) ? EXIT_ERROR : 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_ne(WEXITSTATUS(status), EXIT_ERROR);
	ck_assert(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EXIT_CUT);
	return WEXITSTATUS(status) == 0;
}

/* copy_file - data only: what was sparse stays sparse */
static void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	off_t at, end = 0;
	struct stat st;

	ck_assert_int_ge(in, 0);
	ck_assert_int_ge(out, 0);
	ck_assert_int_eq(fstat(in, &st), 0);
	ck_assert_int_eq(ftruncate(out, st.st_size), 0);
	while ((at = lseek(in, end, SEEK_DATA)) >= 0) {
		end = lseek(in, at, SEEK_HOLE);
		ck_assert_int_ge(lseek(out, at, SEEK_SET), 0);
		while (at < end)
			ck_assert_int_gt(
				sendfile(out, in, &at, (size_t)(end - at)), 0);
	}
	close(out);
	close(in);
}

static void copy_pool(enum scratch_kind kind, bool keep)
{
	char pool[320], kept[320];

	strcpy(pool, scratch_path(kind, "pool"));
	strcpy(kept, scratch_path(kind, "kept"));
	copy_file(keep ? pool : kept, keep ? kept : pool);
}

void scratch_keep(enum scratch_kind kind)
{
	copy_pool(kind, true);
}

void scratch_restore(enum scratch_kind kind)
{
	copy_pool(kind, false);
}
