/* SPDX-License-Identifier: BSD-3-Clause */
/* Trees of an image: walked however damaged they are, to an end always. */
#ifndef PINFS_TREE_H
#define PINFS_TREE_H

#include "image.h"

/*
 * struct tree_visitor - why is NULL for a sound block
 *
 * leaf: an extent or directory leaf; 0, or an error that ends the walk.
 * damage: something that is left out of the walk, or cannot be relied on.
 */
struct tree_visitor {
	int (*leaf)(void *arg, uint64_t blkno, const struct pinfs_blkhdr *hdr,
		    const char *why);
	void (*damage)(void *arg, uint64_t blkno, const char *why);
	void *arg;
};

/* tree_walk - the leaves below an inode's indexes, each block once at most */
int tree_walk(const struct image *img, const struct pinfs_inode *di,
	      const struct tree_visitor *v);

/* tree_extents, tree_indexes - does u hold them, and how many; bounded */
unsigned int tree_extents(const struct pinfs_inode *di);
unsigned int tree_indexes(const struct pinfs_inode *di);

/* tree_verify - a node of any kind; *why where it fails */
void tree_verify(const struct image *img, uint64_t blkno, const void *block,
		 const char **why);

/*
 * tree_inode - a copy of inode ino, found through the inode file's tree
 *
 * *blkno is its block, *why what the verifiers say against it, or NULL.
 * -ENOENT where the inode file has a hole, -ERANGE out of the pool, -EUCLEAN
 * if its tree does not lead there, with *why.
 */
int tree_inode(const struct image *img, uint64_t ino, struct pinfs_inode *di,
	       uint64_t *blkno, const char **why);

#endif
