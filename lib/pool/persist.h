/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every store to a pool, every flush and every fence goes through this table,
 * so that tests can record, reorder and drop them.  On pools that are not
 * persistent memory flush and fence do nothing: there pool_sync() is what
 * makes stores durable.
 */
#ifndef PINFS_POOL_PERSIST_H
#define PINFS_POOL_PERSIST_H

#include <stddef.h>

#include "pool/pool.h"

struct persist_ops {
	/* store; durable after a flush of the range and a fence */
	void (*copy)(struct pool *p, void *dst, const void *src, size_t n);
	void (*set)(struct pool *p, void *dst, int c, size_t n);
	/* store past the caches; durable after a fence */
	void (*copy_flush)(struct pool *p, void *dst, const void *src,
			   size_t n);
	void (*set_flush)(struct pool *p, void *dst, int c, size_t n);
	void (*flush)(struct pool *p, const void *addr, size_t n);
	void (*fence)(struct pool *p);
	/* stores, flushed or not, reach the medium: fdatasync */
	int (*sync)(struct pool *p);
};

extern const struct persist_ops persist_pmem;
extern const struct persist_ops persist_file;
extern const struct persist_ops persist_private; /* nothing lasts */

static inline void persist_copy(struct pool *p, void *dst, const void *src,
				size_t n)
{
	p->persist->copy(p, dst, src, n);
}

static inline void persist_copy_flush(struct pool *p, void *dst,
				      const void *src, size_t n)
{
	p->persist->copy_flush(p, dst, src, n);
}

static inline void persist_set_flush(struct pool *p, void *dst, int c, size_t n)
{
	p->persist->set_flush(p, dst, c, n);
}

static inline void persist_flush(struct pool *p, const void *addr, size_t n)
{
	p->persist->flush(p, addr, n);
}

static inline void persist_fence(struct pool *p)
{
	p->persist->fence(p);
}

#endif
