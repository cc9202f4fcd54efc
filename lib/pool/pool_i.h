/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of lib/pool share and nobody else sees. */
#ifndef PINFS_POOL_I_H
#define PINFS_POOL_I_H

#include <sys/stat.h>

#include "pool/pool.h"

struct pool_impl {
	struct pool pool;
	size_t mapped; /* bytes to unmap */
	size_t backed_bytes; /* of pool.backed */
	bool by_libpmem; /* pmem_unmap() rather than munmap() */
	char *note; /* the file that pool_note_mount() left, or NULL */
};

/* claim_wait - pause before another try; false when a second is over */
bool claim_wait(uint64_t *deadline);

/* claim_take - the claim on fd (L12); -EBUSY after a second of trying */
int claim_take(int fd, bool shared);

bool claim_has_guests(int fd);

/* claim_await_guests - sleeps while there are some; fd is open for writing */
void claim_await_guests(int fd);

/* claim_owner - who holds a lock on the inode st; fd is any open of it */
int claim_owner(int fd, const struct stat *st, struct pool_owner *owner);

/* claim_note - write the note of the pool with fd; *note is its path */
int claim_note(int fd, const char *mountpoint, char **note);

/* map_pool, map_drop - the mapping, and what kind of memory it is */
int map_pool(struct pool_impl *pi, unsigned int flags, const struct stat *st);
void map_drop(struct pool_impl *pi);

#endif
