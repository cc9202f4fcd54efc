// SPDX-License-Identifier: BSD-3-Clause
/* Mapping a pool, and telling what kind of memory the mapping is. */
#include <errno.h>
#include <libpmem.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "base/util.h"
#include "pool/persist.h"
#include "pool/pool_i.h"

#define CHUNK (2ull << 20)

/* fd_in_memory - does the file live in memory (tmpfs, ramfs, hugetlbfs)? */
static bool fd_in_memory(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return false;
	switch ((unsigned long)fs.f_type) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case HUGETLBFS_MAGIC:
		return true;
	default:
		return false;
	}
}

/* reserve_aligned - address space of n bytes from a multiple of 2 MiB */
static int reserve_aligned(size_t n, uint8_t **out)
{
	size_t want = n + CHUNK;
	uint8_t *raw, *at;

	raw = mmap(NULL, want, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (raw == MAP_FAILED)
		return -errno;
	at = (uint8_t *)round_up_u64((uintptr_t)raw, CHUNK);
	if (at > raw)
		munmap(raw, (size_t)(at - raw));
	n = (size_t)round_up_u64(n, 4096);
	if (raw + want > at + n)
		munmap(at + n, (size_t)(raw + want - (at + n)));
	*out = at;
	return 0;
}

/*
 * map_self - map without libpmem: block devices, read-only, private
 *
 * Whether the file system can do MAP_SYNC tells persistent memory.
 */
static int map_self(struct pool_impl *pi, int prot, bool shared)
{
	int how = shared ? MAP_SHARED_VALIDATE | MAP_SYNC :
			   MAP_PRIVATE | MAP_NORESERVE;
	size_t n = pi->pool.size;
	uint8_t *at = NULL;
	void *m;
	int err;

	err = reserve_aligned(n, &at);
	if (err)
		return err;
	m = mmap(at, n, prot, how | MAP_FIXED, pi->pool.fd, 0);
	pi->pool.kind = shared && m != MAP_FAILED ? POOL_PMEM : POOL_FILE;
	if (m == MAP_FAILED && shared)
		m = mmap(at, n, prot, MAP_SHARED | MAP_FIXED, pi->pool.fd, 0);
	if (m == MAP_FAILED) {
		err = -errno;
		munmap(at, n);
		return err;
	}
	pi->pool.base = m;
	pi->mapped = n;
	return 0;
}

/*
 * map_by_libpmem - map a file or devdax for reading and writing
 *
 * libpmem opens the path once more and closes it again: that leaves the claim
 * alone, for an OFD lock belongs to the other open file description.
 */
static int map_by_libpmem(struct pool_impl *pi)
{
	int is_pmem = 0;
	char path[40];
	void *m;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", pi->pool.fd);
	m = pmem_map_file(path, 0, 0, 0, &pi->mapped, &is_pmem);
	if (!m)
		return errno ? -errno : -EIO;
	pi->pool.base = m;
	pi->by_libpmem = true;
	pi->pool.kind = is_pmem ? POOL_PMEM : POOL_FILE;
	if (pi->mapped < pi->pool.size)
		pi->pool.size = round_down_u64(pi->mapped, 4096);
	return 0;
}

int map_pool(struct pool_impl *pi, unsigned int flags, const struct stat *st)
{
	struct pool *p = &pi->pool;
	int err;

	if (flags & POOL_PRIVATE)
		err = map_self(pi, PROT_READ | PROT_WRITE, false);
	else if (flags & POOL_READ_ONLY)
		err = map_self(pi, PROT_READ, true);
	else if (S_ISBLK(st->st_mode))
		err = map_self(pi, PROT_READ | PROT_WRITE, true);
	else
		err = map_by_libpmem(pi);
	if (err)
		return err;

	if (S_ISREG(st->st_mode) && fd_in_memory(p->fd))
		p->kind = POOL_MEMORY;
	if (S_ISCHR(st->st_mode))
		p->kind = POOL_PMEM;
	if (flags & POOL_PRIVATE)
		p->persist = &persist_private;
	else
		p->persist = pool_is_persistent(p) ? &persist_pmem :
						     &persist_file;
	return 0;
}

void map_drop(struct pool_impl *pi)
{
	if (pi->by_libpmem)
		pmem_unmap(pi->pool.base, pi->mapped);
	else
		munmap(pi->pool.base, pi->mapped);
}
