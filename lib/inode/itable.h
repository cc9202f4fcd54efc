/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inode file: where inode numbers come from and where their slots are.
 *
 * It is a sparse file, inode 0, of groups: a map (a bitmap block), then the
 * blocks of the 32,256 inodes that it stands for. Blocks are mapped as inodes
 * are wanted, 16 at a time if there is a run of so many.
 */
#ifndef PINFS_ITABLE_H
#define PINFS_ITABLE_H

#include "inode/inode.h"

int itable_open(struct volume *vol);
void itable_close(struct volume *vol); /* harmless if it is not open */

/*
 * itable_locate - the block of the inode file that holds ino's slot
 *
 * -ESTALE if there is none: no such inode was ever made.
 */
int itable_locate(struct volume *vol, uint64_t ino, uint64_t *blkno);

/*
 * itable_alloc - a free number, taken when tx commits, and its block
 *
 * Maps blocks of the inode file in transactions of its own as needed. -ENOSPC.
 */
int itable_alloc(struct volume *vol, struct tx *tx, uint64_t *ino,
		 uint64_t *blkno);

/* itable_free - the number is free when tx commits */
int itable_free(struct volume *vol, struct tx *tx, uint64_t ino);

#endif
