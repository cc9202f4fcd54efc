// SPDX-License-Identifier: BSD-3-Clause
/*
 * The workloads. Bytes 0x10 to 0x7f are the prepared files', 0x80 to 0xdf those
 * that an operation writes, 0xee those of a deleted file: nobody may see them.
 */
#include "work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/fs_rig.h"
#include "record.h"
#include "state.h"

#define BLOCK PINFS_BLOCK_SIZE

int work_find_dir(struct fs *fs, const char *path, uint64_t *dir,
		  const char **name)
{
	const char *slash = strchr(path, '/');
	struct fs_entry e = { 0 };
	char first[64];
	int err;

	*dir = ROOT_NODE;
	*name = path;
	if (!slash)
		return 0;
	snprintf(first, sizeof(first), "%.*s", (int)(slash - path), path);
	err = fs_lookup(fs, ROOT_NODE, first, &e);
	*dir = e.node;
	*name = slash + 1;
	return err;
}

int work_find(struct fs *fs, const char *path, uint64_t *node)
{
	struct fs_entry e = { 0 };
	const char *name;
	uint64_t dir;
	int err = work_find_dir(fs, path, &dir, &name);

	if (!err)
		err = fs_lookup(fs, dir, name, &e);
	*node = e.node;
	return err;
}

/* do_create - arg: the type of a special file */
int do_create(struct fs *fs, const struct work_op *op)
{
	uint32_t mode = (op->arg ? op->arg : S_IFREG) | 0644;
	struct fs_caller who = { 0 };
	struct fs_entry e;
	const char *name;
	uint64_t dir;
	int err = work_find_dir(fs, op->path, &dir, &name);

	return err ? err :
		     fs_mknod(fs, dir, name, mode, 0x103, &who, &e, NULL, 0);
}

int do_mkdir(struct fs *fs, const struct work_op *op)
{
	struct fs_caller who = { 0 };
	struct fs_entry e;
	const char *name;
	uint64_t dir;
	int err = work_find_dir(fs, op->path, &dir, &name);

	return err ? err : fs_mkdir(fs, dir, name, 0755, &who, &e);
}

int do_symlink(struct fs *fs, const struct work_op *op)
{
	struct fs_caller who = { 0 };
	struct fs_entry e;
	char target[1025];
	const char *name;
	uint64_t dir;
	int err = work_find_dir(fs, op->path, &dir, &name);

	memset(target, 't', op->len);
	target[op->len] = '\0';
	return err ? err : fs_symlink(fs, dir, name, target, &who, &e);
}

int do_link(struct fs *fs, const struct work_op *op)
{
	uint64_t node, dir;
	struct fs_entry e;
	const char *name;
	int err = work_find(fs, op->path, &node);

	if (!err)
		err = work_find_dir(fs, op->to, &dir, &name);
	return err ? err : fs_link(fs, node, dir, name, &e);
}

int do_unlink(struct fs *fs, const struct work_op *op)
{
	const char *name;
	uint64_t dir;
	int err = work_find_dir(fs, op->path, &dir, &name);

	return err ? err : fs_unlink(fs, dir, name);
}

/* do_unlink_open - an orphan, whose blocks its release frees */
static int do_unlink_open(struct fs *fs, const struct work_op *op)
{
	struct fs_file *file;
	uint64_t node;
	int err = work_find(fs, op->path, &node);

	if (!err)
		err = fs_file_open(fs, node, O_RDWR, &file);
	if (err)
		return err;
	err = do_unlink(fs, op);
	fs_file_release(fs, file);
	return err;
}

int do_rmdir(struct fs *fs, const struct work_op *op)
{
	const char *name;
	uint64_t dir;
	int err = work_find_dir(fs, op->path, &dir, &name);

	return err ? err : fs_rmdir(fs, dir, name);
}

int do_rename(struct fs *fs, const struct work_op *op)
{
	const char *name, *to_name;
	uint64_t dir, to_dir;
	int err = work_find_dir(fs, op->path, &dir, &name);

	if (!err)
		err = work_find_dir(fs, op->to, &to_dir, &to_name);
	return err ? err : fs_rename(fs, dir, name, to_dir, to_name, op->arg);
}

int write_pattern(struct fs *fs, struct fs_file *file, const struct work_op *op)
{
	uint8_t *buf = malloc(op->len);
	ssize_t n = -ENOMEM;

	for (size_t i = 0; buf && i < op->len; i++)
		buf[i] = (uint8_t)(0x80 + (i / 8 + op->arg) % 0x60);
	if (buf)
		n = fs_write(fs, file, buf, op->len, op->off);
	free(buf);
	/* Short only where there is no space for more. */
	return n < 0 ? (int)n : n > 0 ? 0 : -EIO;
}

int do_write(struct fs *fs, const struct work_op *op)
{
	struct fs_file *file;
	uint64_t node;
	int err = work_find(fs, op->path, &node);

	if (!err)
		err = fs_file_open(fs, node, O_RDWR, &file);
	if (err)
		return err;
	err = write_pattern(fs, file, op);
	fs_file_release(fs, file);
	return err;
}

/* do_copy - a part of one file into another */
static int do_copy(struct fs *fs, const struct work_op *op)
{
	struct fs_file *in, *out;
	uint64_t from, to;
	ssize_t n = 0;
	int err = work_find(fs, op->path, &from);

	if (!err)
		err = work_find(fs, op->to, &to);
	if (!err)
		err = fs_file_open(fs, from, O_RDWR, &in);
	if (err)
		return err;
	err = fs_file_open(fs, to, O_RDWR, &out);
	if (!err) {
		n = fs_copy_range(fs, in, 0, out, op->off, op->len);
		fs_file_release(fs, out);
	}
	fs_file_release(fs, in);
	return err ? err : n < 0 ? (int)n : 0;
}

static int do_utimens(struct fs *fs, const struct work_op *op)
{
	struct stat attr = { .st_atim = { 1, 2 }, .st_mtim = { 3, 4 } }, st;
	uint64_t node;
	int err = work_find(fs, op->path, &node);

	return err ? err :
		     fs_setattr(fs, node, &attr, FS_SET_ATIME | FS_SET_MTIME,
				&st);
}

int do_change(struct fs *fs, const struct work_op *op)
{
	unsigned int keep = op->to ? FS_CHANGE_KEEP_SIZE : 0;
	uint64_t node;
	int err = work_find(fs, op->path, &node);

	return err ? err :
		     change_file(fs, node, (enum pinfs_change)op->arg, op->off,
				 op->len, keep);
}

int do_setxattr(struct fs *fs, const struct work_op *op)
{
	char value[4000];
	uint64_t node;
	int err = work_find(fs, op->path, &node);

	memset(value, (int)('a' + op->arg), op->len);
	return err ? err : fs_setxattr(fs, node, op->to, value, op->len, 0);
}

static int do_removexattr(struct fs *fs, const struct work_op *op)
{
	uint64_t node;
	int err = work_find(fs, op->path, &node);

	return err ? err : fs_removexattr(fs, node, op->to);
}

int do_chmod(struct fs *fs, const struct work_op *op)
{
	struct stat attr = { .st_mode = op->arg, .st_uid = 7 }, st;
	uint64_t node;
	int err = work_find(fs, op->path, &node);

	return err ? err :
		     fs_setattr(fs, node, &attr, FS_SET_MODE | FS_SET_UID, &st);
}

int do_fsync(struct fs *fs, const struct work_op *op)
{
	struct fs_file *file;
	uint64_t node;
	int err = work_find(fs, op->path, &node);

	if (!err)
		err = fs_file_open(fs, node, O_RDWR, &file);
	if (err)
		return err;
	err = fs_fsync(fs, file);
	fs_file_release(fs, file);
	return err;
}

const struct work_op work_ops[] = {
	{ "creat", do_create, "d1/new", NULL, 0, 0, 0, 0 },
	{ "fifo", do_create, "d1/fifo", NULL, 0, 0, S_IFIFO, 0 },
	{ "device", do_create, "d2/dev", NULL, 0, 0, S_IFCHR, 0 },
	{ "mkdir", do_mkdir, "d1/newdir", NULL, 0, 0, 0, 0 },
	{ "symlink", do_symlink, "d2/sym", NULL, 0, 20, 0, 0 },
	{ "symlink-long", do_symlink, "d2/sym2", NULL, 0, 900, 0, 0 },
	{ "link", do_link, "d1/a", "d2/link", 0, 0, 0, 0 },
	{ "unlink", do_unlink, "d1/b", NULL, 0, 0, 0, 0 },
	{ "unlink-linked", do_unlink, "d1/h", NULL, 0, 0, 0, 0 },
	{ "unlink-open", do_unlink_open, "d1/b", NULL, 0, 0, 0, 0 },
	{ "rmdir", do_rmdir, "d2", NULL, 0, 0, 0, 0 },
	{ "rename", do_rename, "d1/a", "d2/a", 0, 0, 0, 0 },
	{ "rename-over", do_rename, "f", "d1/b", 0, 0, 0, 0 },
	{ "rename-exchange", do_rename, "d1/a", "f", 0, 0, RENAME_EXCHANGE, 0 },
	{ "rename-dir", do_rename, "d3", "d2/d3", 0, 0, 0, 0 },
	{ "rename-over-dir", do_rename, "d3", "d2", 0, 0, 0, 0 },
	WRITE("write-aligned", "d1/a", BLOCK, BLOCK, 1),
	WRITE("write-unaligned", "d1/a", 1000, 5000, 2),
	WRITE("write-extend", "d1/a", 10000, 6000, 3),
	WRITE("write-beyond", "d1/a", 5 * BLOCK + 77, 3000, 4),
	WRITE("write-hole", "d1/b", BLOCK + 100, 1000, 5),
	WRITE("write-unwritten", "u", 2 * BLOCK + 50, BLOCK, 6),
	WRITE("write-new", "f", 0, 5 * BLOCK, 7),
	CHANGE("truncate-down", "d1/a", 5000, 0, TRUNCATE),
	CHANGE("truncate-0", "d1/a", 0, 0, TRUNCATE),
	CHANGE("truncate-up", "d1/a", 20000, 0, TRUNCATE),
	CHANGE("allocate", "d1/b", 0, 5 * BLOCK, ALLOCATE),
	{ "allocate-keep", do_change, "d1/a", "", 4 * BLOCK, 2 * BLOCK,
	  PINFS_CHANGE_ALLOCATE, 0 },
	CHANGE("punch", "d1/a", 1000, 2 * BLOCK, PUNCH_HOLE),
	CHANGE("zero", "d1/a", 3000, 6000, ZERO_RANGE),
	CHANGE("zero-hole", "d1/b", 3000, 4 * BLOCK, ZERO_RANGE),
	CHANGE("collapse", "d1/a", 0, BLOCK, COLLAPSE_RANGE),
	CHANGE("insert", "d1/a", BLOCK, BLOCK, INSERT_RANGE),
	{ "setxattr", do_setxattr, "d1/a", "user.new", 0, 30, 1, 0 },
	{ "setxattr-over", do_setxattr, "f", "user.x", 0, 50, 2, 0 },
	{ "setxattr-large", do_setxattr, "f", "user.x", 0, 3000, 3, 0 },
	{ "removexattr", do_removexattr, "f", "user.x", 0, 0, 0, 0 },
	{ "chmod", do_chmod, "d1/a", NULL, 0, 0, 0600, 0 },
	{ "utimens", do_utimens, "d1/a", NULL, 0, 0, 0, 0 },
	{ "copy", do_copy, "d1/a", "u", 1000, 6000, 0, WORK_WRITES },
	{ "fsync", do_fsync, "d1/a", NULL, 0, 0, 0, WORK_SYNCS },
};

const unsigned int work_count = sizeof(work_ops) / sizeof(work_ops[0]);

const struct work_op *work_op_named(const char *name)
{
	for (unsigned int i = 0; i < work_count; i++)
		if (!strcmp(work_ops[i].name, name))
			return &work_ops[i];
	die("no operation is called %s", name);
}

const char *const work_reduced[] = {
	"creat",	   "unlink",	    "rename-over",
	"write-unaligned", "write-extend",  "truncate-down",
	"punch",	   "setxattr-over", "fsync",
};

const unsigned int work_reduced_count =
	sizeof(work_reduced) / sizeof(work_reduced[0]);
