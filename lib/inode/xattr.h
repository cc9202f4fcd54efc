/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Extended attributes: all of an inode's in one blob, a chain of blocks that is
 * never changed, but replaced as a whole (S1). The caller holds the inode's
 * lock, exclusively for changes.
 */
#ifndef PINFS_XATTR_H
#define PINFS_XATTR_H

#include "inode/inode.h"

/* XATTR_CREATE, XATTR_REPLACE: as <sys/xattr.h> has them */

/*
 * xattr_get - the value's length, and the value if size is not 0
 *
 * -ENODATA: no such attribute; -ERANGE: size is too small.
 */
ssize_t xattr_get(struct inode *ip, const char *name, void *value, size_t size);

/* xattr_list - names, each with its NUL; -ERANGE as above */
ssize_t xattr_list(struct inode *ip, char *list, size_t size);

/* xattr_set - -EEXIST, -ENODATA by flags; -ENOSPC, -E2BIG, -ERANGE (the name) */
int xattr_set(struct inode *ip, struct tx *tx, const char *name,
	      const void *value, size_t size, int flags);

int xattr_remove(struct inode *ip, struct tx *tx, const char *name);

/* xattr_drop - free the blob, when the inode goes */
int xattr_drop(struct inode *ip, struct tx *tx);

#endif
