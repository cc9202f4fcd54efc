/* SPDX-License-Identifier: BSD-3-Clause */
/* Blobs: byte strings of up to 1 MiB in a chain of checksummed blocks. */
#ifndef PINFS_BLOB_H
#define PINFS_BLOB_H

#include "inode/inode.h"

/*
 * blob_read - the whole string, allocated with malloc(); the caller frees it
 * @first: first block; 0 gives an empty string
 *
 * -EUCLEAN if the chain is damaged or runs in a circle, -ENOMEM.
 */
int blob_read(struct inode *ip, struct tx *tx, uint64_t first, void **buf,
	      size_t *len);

/* blob_write - a new blob in tx, accounted to ip; *first is 0 for len 0 */
int blob_write(struct inode *ip, struct tx *tx, const void *buf, size_t len,
	       uint64_t *first);

/* blob_free - give its blocks back */
int blob_free(struct inode *ip, struct tx *tx, uint64_t first);

#endif
