/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Free space: which blocks of the pool, and which inodes of the inode file, are
 * in use.
 *
 * Truth is in bitmap blocks, one for each group of 32,256 blocks. A group that
 * is used has a copy of its bitmap in memory, in which also those blocks are
 * taken that a running transaction has reserved or that were freed but may not
 * be used again yet (journal_when_home()). Groups have a lock each; nothing
 * global is locked.
 */
#ifndef PINFS_SPACE_H
#define PINFS_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "journal/journal.h"

struct space;

/* struct space_run - count blocks from first on */
struct space_run {
	uint64_t first;
	uint64_t count;
};

#define SPACE_RESERVE 1u /* may use the blocks kept for deleting (S6) */
#define SPACE_ALIGN   4u /* prefer a 2 MiB boundary, however few are wanted */
#define SPACE_EXACT   2u /* all of it in one run, or -ENOSPC */

int space_open(struct journal *j, struct space **out);
void space_close(struct space *sp); /* NULL is fine */

/*
 * space_alloc - reserve a run of at most want blocks for tx
 * @goal: block that it should be near or behind; 0: anywhere
 *
 * Prefers what continues at goal; for 512 blocks and more a 2 MiB boundary;
 * else the first run that is large enough, else the largest seen. The blocks are
 * taken at once, in use when tx commits, and free again when it aborts. Their
 * contents are whatever was there: the caller overwrites them (S4). Backed by
 * the disk (pool_back()).
 *
 * Returns 0 with 1 to want blocks, -ENOSPC, -EUCLEAN for a bitmap that has
 * pinned blocks as free (space_on_take()), -ENOMEM.
 */
int space_alloc(struct space *sp, struct tx *tx, uint64_t goal, uint64_t want,
		unsigned int flags, struct space_run *out);

/*
 * space_free - give blocks back when tx commits
 *
 * They can be used again at once on persistent memory, on an ordinary file
 * when the free is durable. -EUCLEAN if one of them is not in use, is being
 * freed already, or is one of the fixed areas.
 */
int space_free(struct space *sp, struct tx *tx, uint64_t first, uint64_t count);

/* space_available - blocks that space_alloc() without SPACE_RESERVE has */
uint64_t space_available(struct space *sp);

/* space_pending - blocks that were freed but can't be used yet */
uint64_t space_pending(struct space *sp);

/*
 * space_on_free - have fn asked before a run is freed
 * space_on_take - have fn asked of a run that space_alloc() has found
 *
 * So that the layer that counts pins can refuse with -EUCLEAN what a damaged
 * medium would have done to pinned blocks (L1). Nothing is freed then; what was
 * found is not looked at again until the pool is mounted anew. fn is called
 * without a lock of the space's.
 */
typedef int space_asked_fn(void *arg, uint64_t first, uint64_t count);

void space_on_free(struct space *sp, space_asked_fn *fn, void *arg);
void space_on_take(struct space *sp, space_asked_fn *fn, void *arg);

/*
 * space_on_alloc - have fn asked before each allocation, which fails with what it
 *                  returns unless that is 0
 *
 * So that tests see operations run out of space at any point (S6).
 */
void space_on_alloc(struct space *sp, int (*fn)(void *arg, unsigned int flags),
		    void *arg);

#endif
