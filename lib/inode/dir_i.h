/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What directories are made of: leaves (dir_leaf.c), and names with their hash,
 * which tests choose themselves to have some collide.
 */
#ifndef PINFS_DIR_I_H
#define PINFS_DIR_I_H

#include "inode/dir.h"

/* struct dir_name - hash is the name's key with the number 0 */
struct dir_name {
	const char *s;
	size_t len;
	uint64_t hash;
};

/* Numbers 0 to 127 tell names of one hash apart. */
#define DIR_LAST_NUMBER ((1u << PINFS_DIR_KEY_BITS) - 1)

/* A key's top bit is 0. */
#define DIR_KEYS_END (1ull << 63)

/* dir_lookup_name and so on - dir_lookup() and so on, for a given hash */
int dir_lookup_name(struct inode *dir, struct tx *tx, const struct dir_name *nm,
		    struct dir_entry *out);
int dir_add_name(struct inode *dir, struct tx *tx, const struct dir_name *nm,
		 uint64_t ino, uint8_t type);
int dir_remove_name(struct inode *dir, struct tx *tx,
		    const struct dir_name *nm);

/* --- leaves; the node is one that was verified, or a transaction's copy ------ */

static inline unsigned int dir_leaf_count(const struct pinfs_dirent_node *n)
{
	return le16_to_cpu(n->hdr.count);
}

static inline const struct pinfs_dirent *
dir_leaf_entry(const struct pinfs_dirent_node *n, unsigned int i)
{
	return (const void *)((const uint8_t *)n + le16_to_cpu(n->slot[i]));
}

static inline uint64_t dir_leaf_key(const struct pinfs_dirent_node *n,
				    unsigned int i)
{
	return le64_to_cpu(dir_leaf_entry(n, i)->key);
}

/* dir_leaf_init - a node without entries; its header's other fields stay */
void dir_leaf_init(struct pinfs_dirent_node *n);

/* dir_leaf_fetch - what a search from entry i will look at, all at once: a hint */
void dir_leaf_fetch(const struct pinfs_dirent_node *n, unsigned int i);

/* dir_leaf_lower - the first entry with at least key, or the count; guess below it */
unsigned int dir_leaf_lower(const struct pinfs_dirent_node *n, uint64_t key,
			    unsigned int guess);

/* dir_leaf_used - of PINFS_NODE_BYTES, what entries and their slots take */
size_t dir_leaf_used(const struct pinfs_dirent_node *n);

/* dir_leaf_insert - false: there is no room, and nothing has changed */
bool dir_leaf_insert(struct pinfs_dirent_node *n, const struct dir_entry *e);

void dir_leaf_drop(struct pinfs_dirent_node *n, unsigned int i);

/* dir_leaf_set - have entry i mean another inode */
void dir_leaf_set(struct pinfs_dirent_node *n, unsigned int i, uint64_t ino,
		  uint8_t type);

/* dir_leaf_split - the upper half of a leaf without room goes to right */
void dir_leaf_split(struct pinfs_dirent_node *n,
		    struct pinfs_dirent_node *right);

/* dir_leaf_append - all of right's entries; there is room, they are behind n's */
void dir_leaf_append(struct pinfs_dirent_node *n,
		     const struct pinfs_dirent_node *right);

#endif
