/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A volume: the file system in a pool, as far as inodes, trees and directories
 * go. It knows nothing of pins (lib/layout) or of requests (lib/fs).
 */
#ifndef PINFS_VOLUME_H
#define PINFS_VOLUME_H

#include <stdatomic.h>

#include "journal/journal.h"
#include "pool/pool.h"
#include "space/space.h"

#define VOLUME_UNWRITTEN 64u

struct inode;
struct icache;
struct itable;
struct orphans;

/* struct volume - fields are set by volume_open() and stay as they are */
struct volume {
	struct pool *pool;
	struct pinfs_super super; /* copy of the one in force */
	struct journal *journal;
	struct space *space;
	struct icache *icache;
	struct itable *itable;
	struct orphans *orphans;
	uint64_t *verified; /* bit a block: metadata that was verified; atomic */
	uint64_t total_blocks;
	uint64_t seed; /* of checksums */
	bool read_only;
	/* See inode_is_unwritten_sealed(): by inode number; journal_youngest(). */
	_Atomic uint64_t unwritten_at[VOLUME_UNWRITTEN];
	/* Tells the layer above that an inode leaves memory. */
	void (*on_evict)(struct inode *ip);
};

#define VOLUME_READ_ONLY 1u

/*
 * volume_open - read the superblock, recover the journal, finish what a crash
 *               has left of unlinked files and of long changes (S3)
 *
 * The pool stays the caller's. -EMEDIUMTYPE: no pinfs there; -EOPNOTSUPP: made
 * by a newer format; -EUCLEAN: damaged; -EROFS: wants recovery, and
 * VOLUME_READ_ONLY was asked for. Each is logged with what to do.
 */
int volume_open(struct pool *pool, unsigned int flags, struct volume **out);

/* volume_close - all inodes have been put; marks the pool clean */
int volume_close(struct volume *vol);

/* volume_abandon - leave it as a crash would; for tests */
void volume_abandon(struct volume *vol);

/* volume_orphans - inodes without a name that still have their blocks */
uint64_t volume_orphans(struct volume *vol);

/* volume_block - the address of a data block in the mapping */
static inline void *volume_block(const struct volume *vol, uint64_t blkno)
{
	return vol->pool->base + (blkno << PINFS_BLOCK_SHIFT);
}

/* volume_has - are count blocks from blkno on inside the pool, past the fixed? */
static inline bool volume_has(const struct volume *vol, uint64_t blkno,
			      uint64_t count)
{
	return blkno >= le64_to_cpu(vol->super.first_free) &&
	       blkno < vol->total_blocks - 1 &&
	       count <= vol->total_blocks - 1 - blkno;
}

/*
 * meta_read - a metadata block with a header, verified
 * @tx: sees its own changes; may be NULL
 * @owner: inode that it must belong to
 *
 * Verified in full the first time; magic and owner every time, so that a block
 * that two trees claim is never taken for what it is not (S5). Logs damage.
 * Returns NULL with *err -EUCLEAN.
 */
const void *meta_read(struct volume *vol, struct tx *tx, uint64_t blkno,
		      uint32_t magic, uint64_t owner, int *err);

/*
 * meta_fetch - a hint that meta_read() of blkno is next, and then what is at off
 *
 * Both cache misses are one then. No errors: of a damaged number nothing comes.
 */
void meta_fetch(struct volume *vol, uint64_t blkno, size_t off);

/* meta_edit - meta_read() for a change in tx; -ENOMEM, -EUCLEAN */
void *meta_edit(struct volume *vol, struct tx *tx, uint64_t blkno,
		uint32_t magic, uint64_t owner, int *err);

/* meta_alloc - a new block with its header filled in, near goal */
void *meta_alloc(struct volume *vol, struct tx *tx, uint64_t goal,
		 uint32_t magic, uint64_t owner, uint64_t *blkno, int *err);

/* meta_free - give such a block back */
int meta_free(struct volume *vol, struct tx *tx, uint64_t blkno);

#endif
