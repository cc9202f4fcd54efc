/* SPDX-License-Identifier: BSD-3-Clause */
/* The workloads: a small tree, and single operations on it. */
#ifndef PINFS_CRASH_WORK_H
#define PINFS_CRASH_WORK_H

#include "fs/fs.h"

struct work_op {
	const char *name;
	int (*run)(struct fs *fs, const struct work_op *op);
	const char *path; /* "dir/name", or a name in the root */
	const char *to; /* the other path, or an attribute's name */
	uint64_t off, len;
	unsigned int arg; /* flags, a kind of change, a pattern */
	bool writes; /* data, which may show in part */
};

extern const struct work_op work_ops[];
extern const unsigned int work_count;

/*
 * work_many - makes a file of more extents than one transaction changes
 * work_fill - gives it unwritten blocks in its holes
 * work_large - what is done to it: an intent, and steps
 */
extern const struct work_op work_many;
extern const struct work_op work_fill;
extern const struct work_op work_large[];
extern const unsigned int work_large_count;

/* work_prepare - the tree; leaves 0xee in all blocks that are free after it */
void work_prepare(struct fs *fs);

#endif
