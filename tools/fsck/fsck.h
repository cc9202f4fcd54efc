/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fsck.pinfs: reads all of a file system's metadata and says what is wrong.
 *
 * The passes, in this order; each may rely on those before:
 *
 *   super    superblock and backup, journal replayed into the private mapping
 *   itable   the inode file's map and bitmaps
 *   inodes   every inode, its tree, its blobs; each block referenced once
 *   dirs     every name: hash, target, type, parent
 *   links    link counts, reachability from the root
 *   orphans  the lists of unlinked inodes and open intents
 *   space    bitmaps against the blocks that were referenced, counters
 *
 * The pool is mapped privately: nothing that happens here reaches it.  Every
 * block is looked at through block_at(), which knows the pool's bounds.
 */
#ifndef PINFS_FSCK_H
#define PINFS_FSCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bits.h"
#include "findings.h"
#include "format/csum.h"
#include "pool/pool.h"

/* struct ino_info - what is known of an inode; all zero for a free one */
struct ino_info {
	uint64_t found_in; /* directories: the one with its name */
	uint32_t names; /* entries that name it */
	uint32_t subdirs;
	uint32_t nlink;
	uint8_t type; /* DT_*, 0 if free or unusable */
	uint8_t reach; /* enum reach, directories */
	bool on_list; /* met on an orphan list */
	bool damaged; /* reported; say no more about it */
};

enum reach {
	REACH_UNKNOWN,
	REACH_ON_PATH,
	REACH_YES,
	REACH_NO,
};

/* struct run - blocks of the inode file */
struct run {
	uint64_t lblk;
	uint64_t pblk;
	uint64_t len;
};

struct fsck {
	struct pool *pool;
	struct findings *findings;
	const struct pinfs_super *sb; /* the one that is believed */
	const struct pinfs_jstate *state; /* NULL if none can be */
	uint64_t total; /* blocks */
	uint64_t seed;
	struct bits used; /* blocks that something refers to */
	struct bits walked; /* nodes of directories, in the pass dirs */
	struct run *itable;
	size_t itable_runs;
	struct ino_info *info; /* by number; address space only until used */
	uint64_t inodes; /* of info[] */
	size_t info_bytes;
	uint64_t used_inodes;
	uint64_t replayed;
	bool was_clean;
	uint64_t files, dirs, others; /* for the summary */
};

/* block_at - NULL unless blkno is in the pool and no superblock */
static inline const void *block_at(const struct fsck *f, uint64_t blkno)
{
	if (!blkno || blkno >= f->total - 1)
		return NULL;
	return f->pool->base + (blkno << PINFS_BLOCK_SHIFT);
}

static inline struct ino_info *info_of(struct fsck *f, uint64_t ino)
{
	return ino < f->inodes ? &f->info[ino] : NULL;
}

/*
 * claim_blocks - something of inode ino refers to [blkno, blkno + len)
 *
 * False, and a finding, if one of them lies outside or is referred to twice.
 */
bool claim_blocks(struct fsck *f, uint64_t ino, uint64_t blkno, uint64_t len);

/* The passes: 0, or a negative errno if it cannot go on. */
int pass_super(struct fsck *f);
int pass_itable(struct fsck *f);
int pass_inodes(struct fsck *f);
int pass_dirs(struct fsck *f);
int pass_links(struct fsck *f);
int pass_orphans(struct fsck *f);
int pass_space(struct fsck *f);

/* each_inode - fn for every slot whose bit in the map is set */
int each_inode(struct fsck *f, int (*fn)(struct fsck *f, uint64_t ino,
					 const struct pinfs_inode *di));

/* inode_slot - where inode ino lies, NULL if the inode file has no such block */
const struct pinfs_inode *inode_slot(const struct fsck *f, uint64_t ino);

/*
 * struct walk - over the tree of an inode
 *
 * In claiming mode every node is claimed, verified and reported; otherwise
 * what is wrong is skipped silently, for it was reported before.
 */
struct walk {
	struct fsck *f;
	uint64_t ino;
	bool claiming;
	struct bits *walked; /* so that no node is entered twice */
	uint64_t nodes; /* met, leaves included */
	uint32_t leaf_magic;
	/* of every leaf that is whole; its keys are in [low, high) */
	int (*leaf)(struct walk *w, uint64_t blkno, uint64_t low,
		    uint64_t high);
	void *arg;
};

int walk_tree(struct walk *w, const struct pinfs_inode *di);

/* walk_bad - a finding, if the walk is claiming */
void walk_bad(struct walk *w, enum code code, uint64_t blkno, const char *why);

/* walk_extents - fn for each extent of a file, all blocks claimed before */
struct extent_walk {
	struct walk walk;
	uint64_t last_end;
	uint64_t blocks; /* data and nodes */
	int (*fn)(struct extent_walk *ew, const struct pinfs_extent *e);
	void *arg;
};

int walk_extents(struct extent_walk *ew, const struct pinfs_inode *di);

/*
 * check_blob - a blob's chain, claimed; *blocks grows by its length
 * @out: NULL, or the string, to be freed; NULL there if it is not whole
 */
int check_blob(struct fsck *f, uint64_t ino, uint64_t first, uint64_t *blocks,
	       void **out, size_t *len);

/* check_xattrs - the attributes in a blob's string */
void check_xattrs(struct fsck *f, uint64_t ino, const uint8_t *b, size_t len);

#endif
