/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inner nodes of an inode's B+tree; extents.c and dir.c know the leaves.
 *
 * The root is in the inode: tree_level 0 means that there is none yet. Keys
 * ascend; a child's key is a lower bound of the keys below it, but for the
 * first of a node: whatever is less than the second belongs to the first.
 */
#ifndef PINFS_TREE_H
#define PINFS_TREE_H

#include "inode/inode.h"

struct tree_step {
	uint64_t blkno; /* 0: the root in the inode */
	unsigned int pos; /* child that was taken */
};

/* struct tree_path - from the root, step[0], to a leaf */
struct tree_path {
	unsigned int level; /* of the root */
	struct tree_step step[PINFS_TREE_MAX_LEVEL + 1];
	uint64_t leaf;
	uint64_t from, to; /* bounds of its keys, for tree_guess() */
};

/* tree_descend - to the leaf that key belongs to; the tree has a level */
int tree_descend(struct inode *ip, struct tx *tx, uint64_t key,
		 struct tree_path *path);

/*
 * tree_guess - which of n keys in the leaf is likely to be the one that was sought
 * @path: as tree_descend() for key has left it
 * @end: where the keys of the tree end
 *
 * As if keys were spread evenly. Returns 0 to n - 1, 0 if n is 0.
 */
unsigned int tree_guess(const struct tree_path *path, uint64_t key,
			uint64_t end, unsigned int n);

/* tree_next, tree_prev - to the neighbouring leaf; -ENOENT: there is none */
int tree_next(struct inode *ip, struct tx *tx, struct tree_path *path);
int tree_prev(struct inode *ip, struct tx *tx, struct tree_path *path);

/*
 * tree_plant - leaf becomes the only child of the root of an empty tree
 *
 * The inode's inline contents must have been moved away before.
 */
int tree_plant(struct inode *ip, struct tx *tx, uint64_t leaf);

/* tree_link - a new leaf, with keys from key on, behind path's; path is void */
int tree_link(struct inode *ip, struct tx *tx, struct tree_path *path,
	      uint64_t key, uint64_t leaf);

/*
 * tree_unlink - path's leaf has become empty: take it out and free it; path is
 * void. An inner node that becomes empty goes with it, a root with one inner
 * child shrinks.
 */
int tree_unlink(struct inode *ip, struct tx *tx, struct tree_path *path);

/* tree_set_key - the leaf's first key has changed to key */
int tree_set_key(struct inode *ip, struct tx *tx, struct tree_path *path,
		 uint64_t key);

#endif
