// SPDX-License-Identifier: BSD-3-Clause
/* The tables of stores: persistent memory, page cache, and a private copy. */
#include "pool/persist.h"

#include <errno.h>
#include <libpmem.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static void plain_copy(struct pool *p, void *dst, const void *src, size_t n)
{
	(void)p;
	memcpy(dst, src, n);
}

static void plain_set(struct pool *p, void *dst, int c, size_t n)
{
	(void)p;
	memset(dst, c, n);
}

static void pmem_copy_nodrain(struct pool *p, void *dst, const void *src,
			      size_t n)
{
	(void)p;
	pmem_memcpy(dst, src, n, PMEM_F_MEM_NODRAIN);
}

static void pmem_set_nodrain(struct pool *p, void *dst, int c, size_t n)
{
	(void)p;
	pmem_memset(dst, c, n, PMEM_F_MEM_NODRAIN);
}

static void pmem_flush_range(struct pool *p, const void *addr, size_t n)
{
	(void)p;
	pmem_flush(addr, n);
}

static void pmem_fence(struct pool *p)
{
	(void)p;
	pmem_drain();
}

static int pmem_sync(struct pool *p)
{
	(void)p;
	pmem_drain();
	return 0;
}

/* The page cache is coherent: there is nothing to write back from the CPU. */
static void file_flush(struct pool *p, const void *addr, size_t n)
{
	(void)p;
	(void)addr;
	(void)n;
}

/*
 * What the kernel has when the daemon dies is what the CPU has stored, in
 * order; only the compiler and weakly ordered CPUs need to be told.
 */
static void file_fence(struct pool *p)
{
	(void)p;
	atomic_thread_fence(memory_order_seq_cst);
}

/* fdatasync also writes pages that are dirty only through the mapping. */
static int file_sync(struct pool *p)
{
	int err;

	do {
		err = fdatasync(p->fd) ? -errno : 0;
	} while (err == -EINTR);
	return err;
}

static int private_sync(struct pool *p)
{
	(void)p;
	return 0;
}

const struct persist_ops persist_pmem = {
	.copy = plain_copy,
	.set = plain_set,
	.copy_flush = pmem_copy_nodrain,
	.set_flush = pmem_set_nodrain,
	.flush = pmem_flush_range,
	.fence = pmem_fence,
	.sync = pmem_sync,
};

const struct persist_ops persist_file = {
	.copy = plain_copy,
	.set = plain_set,
	.copy_flush = plain_copy,
	.set_flush = plain_set,
	.flush = file_flush,
	.fence = file_fence,
	.sync = file_sync,
};

const struct persist_ops persist_private = {
	.copy = plain_copy,
	.set = plain_set,
	.copy_flush = plain_copy,
	.set_flush = plain_set,
	.flush = file_flush,
	.fence = file_fence,
	.sync = private_sync,
};
