/* SPDX-License-Identifier: BSD-3-Clause */
/* What namei.c, create.c, rename.c and readdir.c share. */
#ifndef PINFS_FS_NAMES_H
#define PINFS_FS_NAMES_H

#include <stdlib.h>

#include "fs/fs_i.h"
#include "inode/dir.h"

/* Directories above one another, at most: more is a circle that damage made. */
#define PATH_STEPS_MAX 65536u

int dir_check(struct inode *dir);
int dir_link_count(struct inode *dir, struct tx *tx, int by);
int drop_one(struct inode *ip, struct tx *tx);

/* entry_of - a handle of what name leads to at the moment */
int entry_of(struct fs *fs, struct inode *dir, const char *name, size_t len,
	     struct inode **out);

/* entry_is - in a locked directory: does name lead to ip, or nowhere for NULL? */
bool entry_is(struct inode *dir, const char *name, size_t len,
	      const struct inode *ip);

/* fs_file_new - an open file of a locked inode */
int fs_file_new(struct inode *ip, int flags, struct fs_file **out);

#endif
