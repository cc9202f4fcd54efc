/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of lib/inode share among themselves. */
#ifndef PINFS_INODE_I_H
#define PINFS_INODE_I_H

#include <sys/stat.h>

#include "inode/inode.h"

int icache_open(struct volume *vol);
void icache_close(struct volume *vol);

/* orphan_recover - go through the lists that a crash has left (S3) */
int orphan_open(struct volume *vol);
void orphan_close(struct volume *vol);
int orphan_recover(struct volume *vol);

#endif
