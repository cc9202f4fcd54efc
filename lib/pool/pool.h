/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool: the file or device that holds a file system, mapped whole.
 *
 * The pool knows the mapping, the claim on it (L12) and how to make stores to
 * it durable (S2); it knows nothing of what is in it.
 */
#ifndef PINFS_POOL_H
#define PINFS_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What kind of memory the mapping is, and so what makes a store durable. */
enum pool_kind {
	POOL_PMEM, /* persistent memory: flush and fence */
	POOL_MEMORY, /* tmpfs, hugetlbfs: treated as persistent memory */
	POOL_FILE, /* page cache of an ordinary file or block device: fdatasync */
};

struct persist_ops;

/* struct pool - fields are set by pool_open() and stay as they are */
struct pool {
	uint8_t *base; /* the mapping, aligned to 2 MiB where it can be */
	uint64_t size; /* bytes mapped: a multiple of the block size */
	int fd; /* holds the claim */
	enum pool_kind kind;
	bool writable;
	bool sparse; /* may have holes: pool_back() before the first store */
	uint64_t *backed; /* bit a chunk: pool_back() has been there; atomic */
	const struct persist_ops *persist;
	void *persist_arg; /* of a table that tests interpose */
	char *path; /* as an absolute path */
};

#define POOL_READ_ONLY 1u /* map without the right to store */
#define POOL_NO_CLAIM  2u /* inspect a pool that may be somebody's */
#define POOL_PRIVATE   4u /* stores go to a copy that nobody else sees */

/* struct pool_owner - who holds a pool's claim; text is empty if not known */
struct pool_owner {
	pid_t pid;
	char comm[16];
	char text[512]; /* "pinfsd, pid 42, mounted on /mnt" */
};

/*
 * pool_open - open, claim and map the pool at path
 * @owner: filled in with -EBUSY; may be NULL
 *
 * The claim is an OFD write lock on the pool's first bytes (L12); it waits up
 * to a second for one that its owner, a ring that drains, is about to drop.
 * It waits as long for clients' I/O that the last owner's end has left behind.
 * A block device is opened exclusively as well.  With POOL_READ_ONLY or
 * POOL_PRIVATE it is a read lock, which others who only read can share.
 *
 * Returns 0; -EBUSY if the pool is claimed; -ENOTBLK if path is neither a
 * file, a devdax nor a block device; -ENOSPC if it is smaller than a block; or
 * what open(2), fcntl(2) or mmap(2) said.
 */
int pool_open(const char *path, unsigned int flags, struct pool **out,
	      struct pool_owner *owner);

/* pool_create - make a file of size bytes at path, sparse; -EEXIST if there */
int pool_create(const char *path, uint64_t size);

/* pool_owner - who has claimed the pool at path; -ENOENT: nobody has */
int pool_owner(const char *path, struct pool_owner *owner);

/*
 * pool_has_guests - have clients it mapped for I/O of their own (L12)?
 * pool_await_guests - sleep until none has; writable pools only
 *
 * They hold a read lock on byte PINFS_GUEST_BYTE, which their rings keep until
 * the I/O is over. Who claims the pool to write to it waits for them, too.
 */
bool pool_has_guests(const struct pool *pool);
void pool_await_guests(struct pool *pool);

/* pool_note_mount - leave the text that pool_owner() shows with the claim */
int pool_note_mount(struct pool *pool, const char *mountpoint);

/* pool_close - drop the mapping, then the claim; NULL is fine */
void pool_close(struct pool *pool);

/*
 * pool_back - have the disk allocate [off, off + len) of a sparse pool
 *
 * So that a full disk is an -ENOSPC here and not a SIGBUS at a store later.
 * Remembers what it did; costs nothing the second time. Any thread.
 */
int pool_back(struct pool *pool, uint64_t off, uint64_t len);

/* pool_sync - everything stored so far is on the medium when it returns 0 */
int pool_sync(struct pool *pool);

/* pool_is_persistent - is a store durable after flush and fence (S2)? */
static inline bool pool_is_persistent(const struct pool *pool)
{
	return pool->kind != POOL_FILE;
}

/* pool_contains - is p inside the mapping? */
static inline bool pool_contains(const struct pool *pool, const void *p)
{
	const uint8_t *b = p;

	return b >= pool->base && b < pool->base + pool->size;
}

#endif
