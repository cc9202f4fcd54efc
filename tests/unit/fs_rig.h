/* SPDX-License-Identifier: BSD-3-Clause */
/* A file system instance in memory or on the disk, and short ways to use it. */
#ifndef PINFS_TEST_FS_RIG_H
#define PINFS_TEST_FS_RIG_H

#include "fs/fs.h"
#include "scratch.h"

#define ROOT 1u /* the root's node */

struct fs_rig {
	enum scratch_kind kind;
	struct pool *pool;
	struct fs *fs;
};

/* fs_rig_make - a new pool, opened */
void fs_rig_make(struct fs_rig *r, enum scratch_kind kind, uint64_t size);
void fs_rig_open(struct fs_rig *r);
void fs_rig_close(struct fs_rig *r); /* drains first */

/* fs_rig_check - close, have fsck look, and open again */
void fs_rig_check(struct fs_rig *r);

/* What these make has mode 0755, and is root's. */
int rig_create(struct fs_rig *r, uint64_t dir, const char *name,
	       uint64_t *node);
int rig_mkdir(struct fs_rig *r, uint64_t dir, const char *name, uint64_t *node);
int rig_symlink(struct fs_rig *r, uint64_t dir, const char *name,
		const char *target, uint64_t *node);

/* rig_file, rig_dir - the same, in the root, and it works */
uint64_t rig_file(struct fs_rig *r, const char *name);
uint64_t rig_dir(struct fs_rig *r, const char *name);

/* rig_look - the node that a name leads to; 0 if there is none */
uint64_t rig_look(struct fs_rig *r, uint64_t dir, const char *name);

struct stat rig_stat(struct fs_rig *r, uint64_t node);
struct fs_file *rig_open(struct fs_rig *r, uint64_t node);

/* rig_read - into buf; what fs_read_begin() gives, copied */
ssize_t rig_read(struct fs_rig *r, struct fs_file *file, void *buf, size_t size,
		 uint64_t off);

/* change_file, rig_change - a layout change; over when they return */
int change_file(struct fs *fs, uint64_t node, enum pinfs_change kind,
		uint64_t off, uint64_t len, unsigned int flags);
int rig_change(struct fs_rig *r, uint64_t node, enum pinfs_change kind,
	       uint64_t off, uint64_t len, unsigned int flags);
int rig_truncate(struct fs_rig *r, uint64_t node, uint64_t size);

/* rig_count - entries that readdir gives, "." and ".." too; or an error */
int rig_count(struct fs_rig *r, uint64_t dir);

/* rig_free - free blocks, and used inodes, as statfs has them */
uint64_t rig_free(struct fs_rig *r);
uint64_t rig_inodes(struct fs_rig *r);

/* rig_soil - leave 0xee, of a file deleted since, in all free blocks (S4) */
void rig_soil(struct fs_rig *r);

#endif
