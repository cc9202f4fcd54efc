/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Directories: a B+tree of names, ordered by the hash of the name, so
 * that a million entries cost what a thousand do. An entry keeps its key for its
 * life, and readdir goes by keys: what stays is seen exactly once, whatever
 * comes and goes meanwhile.
 *
 * The caller holds the directory's lock, exclusively for changes. "." and ".."
 * are not stored.
 */
#ifndef PINFS_DIR_H
#define PINFS_DIR_H

#include "inode/inode.h"

struct dir_entry {
	uint64_t key;
	uint64_t ino;
	uint8_t type; /* DT_* */
	uint8_t name_len;
	/* Not terminated; good while the lock is held and nothing changed. */
	const char *name;
};

/* dir_lookup - -ENOENT if there is no such name, -ENAMETOOLONG, -EUCLEAN */
int dir_lookup(struct inode *dir, struct tx *tx, const char *name, size_t len,
	       struct dir_entry *out);

/*
 * dir_add - a name that is not there yet
 *
 * -ENOSPC: no space, or 128 names of the same hash; -EEXIST; -ENAMETOOLONG;
 * -EINVAL for a name that no directory may hold ("", ".", "..", with a slash or
 * a NUL in it); -EUCLEAN; -ENOMEM.
 */
int dir_add(struct inode *dir, struct tx *tx, const char *name, size_t len,
	    uint64_t ino, uint8_t type);

/* dir_remove - needs no space, so that a full pool can delete (S6); -ENOENT */
int dir_remove(struct inode *dir, struct tx *tx, const char *name, size_t len);

/* dir_replace - have an existing name mean another inode */
int dir_replace(struct inode *dir, struct tx *tx, const char *name, size_t len,
		uint64_t ino, uint8_t type);

bool dir_is_empty(struct inode *dir, struct tx *tx);

/*
 * dir_iterate - entries with keys from from on, in ascending order
 *
 * Ends when fn returns non-zero, which it returns then; 0 at the end.
 */
int dir_iterate(struct inode *dir, uint64_t from,
		int (*fn)(void *arg, const struct dir_entry *e), void *arg);

#endif
