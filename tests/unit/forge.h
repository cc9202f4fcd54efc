/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small file system, made by hand from the format alone, to be damaged.
 *
 *   /        inode 1: one leaf with all names
 *   file     2, also "hard": a leaf of two extents, extended attributes
 *   sub      3: a tree of two levels, with the name "deep"
 *   deep     6: empty
 *   short    4: a symbolic link with its target inside
 *   long     5: one with a blob of two blocks
 *            7, 39: unlinked files, on orphan list 7 in this order
 */
#ifndef PINFS_TEST_FORGE_H
#define PINFS_TEST_FORGE_H

#include "format/csum.h"
#include "pool/pool.h"

struct forge {
	struct pool *pool;
	struct pinfs_super *sb;
	struct pinfs_root *root;
	struct pinfs_jstate *state;
	struct pinfs_bitmap *group; /* the only one */
	struct pinfs_bitmap *imap;
	uint64_t seed;
	uint64_t next; /* block to be given out */
	uint64_t root_leaf, file_leaf, xattr, sub_index, sub_leaf, target;
	uint64_t data; /* first of file's 5 blocks */
};

/* forge_make - in a pool just formatted, of one group */
void forge_make(struct forge *fg, struct pool *pool);

void *forge_block(const struct forge *fg, uint64_t blkno);
struct pinfs_inode *forge_inode(const struct forge *fg, uint64_t ino);

/* forge_take - n blocks; in use, but not sealed */
uint64_t forge_take(struct forge *fg, uint64_t n);

/* Make a change believable again. */
void forge_seal(const struct forge *fg, uint64_t blkno);
void forge_seal_inode(const struct forge *fg, uint64_t ino);
void forge_seal_bitmaps(const struct forge *fg);
void forge_seal_state(const struct forge *fg);

/* forge_entry - the entry of a leaf in its slot'th place */
struct pinfs_dirent *forge_entry(const struct forge *fg, uint64_t leaf,
				 unsigned int slot);

/* forge_fill_leaf - names, each of an inode and a type, in order of hash */
struct forge_name {
	const char *name;
	uint64_t ino;
	uint8_t type;
};

void forge_fill_leaf(struct forge *fg, uint64_t leaf, uint64_t dir,
		     const struct forge_name *names, unsigned int n);

#endif
