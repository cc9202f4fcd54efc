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
 * block is looked at through block_at(), which knows the pool's bounds, and
 * changed through edit().
 *
 * A finding is repaired on the spot if that takes no more than the block at
 * hand.  What is larger, a tree, a name, a copy, is noted; rebuild() does it
 * with the library that made it once, when the pass is through, and all begins
 * anew (repair.c).  write.c brings the result to the pool.
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
	bool kept; /* a directory whose one name stays */
	uint32_t blobs; /* blocks of its blobs */
	uint32_t broken; /* 1 + its place in the list of those */
	bool misplaced; /* a directory whose .. is to be where its name is */
	uint8_t way; /* enum way */
	bool detach; /* in a circle of directories: take its name away */
};

enum reach {
	REACH_UNKNOWN,
	REACH_ON_PATH,
	REACH_YES,
	REACH_NO,
};

/* enum way - up from a directory, looking for circles */
enum way {
	WAY_NEW,
	WAY_MET,
	WAY_DONE,
};

/* struct run - blocks of the inode file */
struct run {
	uint64_t lblk;
	uint64_t pblk;
	uint64_t len;
};

struct repair;

struct fsck {
	struct pool *pool;
	struct repair *rep; /* NULL: look only */
	struct findings *findings;
	const struct pinfs_super *sb; /* the one that is believed */
	const struct pinfs_jstate *state; /* NULL if none can be */
	uint64_t total; /* blocks */
	uint64_t seed;
	struct bits used; /* blocks that something refers to */
	struct bits walked; /* nodes of directories, in the pass dirs */
	struct bits meta; /* of used: those that hold no file's data */
	struct bits shared; /* of used: those with two owners */
	uint64_t clashes; /* how often one of these was met */
	struct run *itable;
	size_t itable_runs;
	struct ino_info *info; /* by number; address space only until used */
	uint64_t inodes; /* of info[] */
	size_t info_bytes;
	uint64_t used_inodes;
	uint64_t replayed;
	bool was_clean;
	bool replayed_once;
	bool names_known; /* the pass dirs is through */
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

/*
 * claim_meta - the same for a block of metadata
 *
 * In a repair, false only if it is other metadata: a file that has such a block
 * loses it.
 */
bool claim_meta(struct fsck *f, uint64_t ino, uint64_t blkno);

/*
 * fsck_check - all passes, or up to one that a rebuild has to follow
 *
 * 0, -ECANCELED, or a negative errno if it cannot go on.
 */
int fsck_check(struct fsck *f);

/* fsck_release - what the passes have noted, and the repair; not the pool */
void fsck_release(struct fsck *f);

/* fsck_cancel - have the passes end with -ECANCELED; async-signal-safe */
void fsck_cancel(void);
bool fsck_is_cancelled(void);

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

/* The inode file: its map of maps, as far as it is known by now. */
const struct pinfs_bitmap *imap_at(struct fsck *f, uint64_t index);
uint64_t inode_lblk(uint64_t ino);

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
	bool broken; /* something is wrong with the tree itself */
	uint64_t nodes; /* met, leaves included */
	uint32_t leaf_magic;
	/* of every leaf that is whole; its keys are in [low, high) */
	int (*leaf)(struct walk *w, uint64_t blkno, uint64_t low,
		    uint64_t high);
	/* NULL, or of every other; whatever it is, it is in the pool */
	int (*bad_leaf)(struct walk *w, uint64_t blkno);
	void *arg;
};

int walk_tree(struct walk *w, const struct pinfs_inode *di);

/* walk_bad - a finding, if the walk is claiming */
void walk_bad(struct walk *w, enum code code, uint64_t blkno, const char *why);

/* walk_extents - fn for each extent of a file, its blocks claimed before */
struct extent_walk {
	struct walk walk;
	uint64_t last_end;
	uint64_t blocks; /* data and nodes */
	bool bad; /* the extent at hand overlaps another, or is not ours */
	int (*fn)(struct extent_walk *ew, const struct pinfs_extent *e);
	void *arg;
};

int walk_extents(struct extent_walk *ew, const struct pinfs_inode *di);

/*
 * struct blob - a chain of blocks, claimed
 *
 * bytes, to be freed, is what could be read of it: have of whole bytes, up to
 * the first damage, if there is any.
 */
struct blob {
	uint8_t *bytes;
	size_t have;
	size_t whole;
	uint64_t blocks;
	bool damaged;
};

int check_blob(struct fsck *f, uint64_t ino, uint64_t first, struct blob *b);

/* check_xattrs - the attributes in a blob's string; how much of it is good */
size_t check_xattrs(struct fsck *f, uint64_t ino, const uint8_t *b, size_t len);

#endif
