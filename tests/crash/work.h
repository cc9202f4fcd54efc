/* SPDX-License-Identifier: BSD-3-Clause */
/* The workloads: a small tree, and single operations on it. */
#ifndef PINFS_CRASH_WORK_H
#define PINFS_CRASH_WORK_H

#include "fs/fs.h"
#include "state.h"

#define WORK_WRITES  1u /* data, which may show in part */
#define WORK_SYNCS   2u
#define WORK_QUIET   4u /* no operation: nobody can see that it was done */
#define WORK_PINS    8u /* from here on a device stores */
#define WORK_ARRIVES 16u /* all that it has stored is the file's */

struct work_op {
	const char *name;
	int (*run)(struct fs *fs, const struct work_op *op);
	const char *path; /* "dir/name", or a name in the root */
	const char *to; /* the other path, or an attribute's name */
	uint64_t off, len;
	unsigned int arg; /* flags, a kind of change, a pattern, a descriptor */
	unsigned int flags; /* WORK_* */
};

extern const struct work_op work_ops[];
extern const unsigned int work_count;

/* work_op_named - of work_ops, ends the program if there is none */
const struct work_op *work_op_named(const char *name);

#define SCRIPT_STEPS 16u

/* struct script - operations in a row; the first ones are not recorded */
struct script {
	const char *name;
	const struct work_op *step[SCRIPT_STEPS]; /* then NULL */
	unsigned int before; /* steps that are not recorded */
	bool unsynced; /* with a file: nor are they sealed */
	bool range; /* layout_scope=range */
	unsigned int slack; /* as struct expect has it */
	unsigned int from; /* of the recorded ones: cut from this on, from 1 */
};

struct script_list {
	const char *what;
	const struct script *script;
	unsigned int count;
};

/*
 * Changes in several transactions; two descriptors of one file; blocks that change
 * hands; a lane that wraps, or is full; a file that a device has pinned, and one of
 * which it has pinned another part
 */
extern const struct script_list scripts_large, scripts_files, scripts_reuse;
extern const struct script_list scripts_lanes, scripts_pinned, scripts_range;

/* work_reduced - names of the operations of which all rows of three are tried */
extern const char *const work_reduced[];
extern const unsigned int work_reduced_count;

/* work_find - the node of a path; work_find_dir - its directory, its last name */
int work_find(struct fs *fs, const char *path, uint64_t *node);
int work_find_dir(struct fs *fs, const char *path, uint64_t *dir,
		  const char **name);

/* Operations that scripts are made of, too. */
int do_create(struct fs *fs, const struct work_op *op);
int do_mkdir(struct fs *fs, const struct work_op *op);
int do_symlink(struct fs *fs, const struct work_op *op);
int do_link(struct fs *fs, const struct work_op *op);
int do_unlink(struct fs *fs, const struct work_op *op);
int do_rmdir(struct fs *fs, const struct work_op *op);
int do_rename(struct fs *fs, const struct work_op *op);
int do_write(struct fs *fs, const struct work_op *op);
int do_change(struct fs *fs, const struct work_op *op);
int do_setxattr(struct fs *fs, const struct work_op *op);
int do_chmod(struct fs *fs, const struct work_op *op);
int do_fsync(struct fs *fs, const struct work_op *op);

/* write_pattern - len bytes at off, or as many as there is space for */
int write_pattern(struct fs *fs, struct fs_file *file,
		  const struct work_op *op);

#define CHANGE(what, p, o, n, kind)                                    \
	{                                                              \
		what, do_change, p, NULL, o, n, PINFS_CHANGE_##kind, 0 \
	}
#define WRITE(what, p, o, n, pattern)                               \
	{                                                           \
		what, do_write, p, NULL, o, n, pattern, WORK_WRITES \
	}

/* pinned_dma - what the device of the last script does, but for its states */
struct state_dma pinned_dma(void);

/* work_fill - a file's bytes at off: byte, or if that is 0 some of 0x10 to 0x7f */
void work_fill(struct fs *fs, const char *path, uint64_t off, size_t len,
	       int byte);

/*
 * work_prepare - the tree; leaves 0xee in all blocks that are free after it
 * @full: and then there is no block that is free
 */
void work_prepare(struct fs *fs, bool full);

#endif
