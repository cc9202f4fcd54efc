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
#include "verdict.h"

#define BLOCK PINFS_BLOCK_SIZE

/* find - the directory of a path, and the last name */
static int find_parent(struct fs *fs, const char *path, uint64_t *dir,
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

static int find(struct fs *fs, const char *path, uint64_t *node)
{
	struct fs_entry e = { 0 };
	const char *name;
	uint64_t dir;
	int err = find_parent(fs, path, &dir, &name);

	if (!err)
		err = fs_lookup(fs, dir, name, &e);
	*node = e.node;
	return err;
}

static int do_create(struct fs *fs, const struct work_op *op)
{
	struct fs_caller who = { 0 };
	struct fs_entry e;
	const char *name;
	uint64_t dir;
	int err = find_parent(fs, op->path, &dir, &name);

	return err ? err :
		     fs_mknod(fs, dir, name, S_IFREG | 0644, 0, &who, &e, NULL,
			      0);
}

static int do_mkdir(struct fs *fs, const struct work_op *op)
{
	struct fs_caller who = { 0 };
	struct fs_entry e;
	const char *name;
	uint64_t dir;
	int err = find_parent(fs, op->path, &dir, &name);

	return err ? err : fs_mkdir(fs, dir, name, 0755, &who, &e);
}

static int do_symlink(struct fs *fs, const struct work_op *op)
{
	struct fs_caller who = { 0 };
	struct fs_entry e;
	char target[1025];
	const char *name;
	uint64_t dir;
	int err = find_parent(fs, op->path, &dir, &name);

	memset(target, 't', op->len);
	target[op->len] = '\0';
	return err ? err : fs_symlink(fs, dir, name, target, &who, &e);
}

static int do_link(struct fs *fs, const struct work_op *op)
{
	uint64_t node, dir;
	struct fs_entry e;
	const char *name;
	int err = find(fs, op->path, &node);

	if (!err)
		err = find_parent(fs, op->to, &dir, &name);
	return err ? err : fs_link(fs, node, dir, name, &e);
}

static int do_unlink(struct fs *fs, const struct work_op *op)
{
	const char *name;
	uint64_t dir;
	int err = find_parent(fs, op->path, &dir, &name);

	return err ? err : fs_unlink(fs, dir, name);
}

/* do_unlink_open - an orphan, whose blocks its release frees */
static int do_unlink_open(struct fs *fs, const struct work_op *op)
{
	struct fs_file *file;
	uint64_t node;
	int err = find(fs, op->path, &node);

	if (!err)
		err = fs_file_open(fs, node, O_RDWR, &file);
	if (err)
		return err;
	err = do_unlink(fs, op);
	fs_file_release(fs, file);
	return err;
}

static int do_rmdir(struct fs *fs, const struct work_op *op)
{
	const char *name;
	uint64_t dir;
	int err = find_parent(fs, op->path, &dir, &name);

	return err ? err : fs_rmdir(fs, dir, name);
}

static int do_rename(struct fs *fs, const struct work_op *op)
{
	const char *name, *to_name;
	uint64_t dir, to_dir;
	int err = find_parent(fs, op->path, &dir, &name);

	if (!err)
		err = find_parent(fs, op->to, &to_dir, &to_name);
	return err ? err : fs_rename(fs, dir, name, to_dir, to_name, op->arg);
}

static int do_write(struct fs *fs, const struct work_op *op)
{
	struct fs_file *file;
	uint64_t node;
	uint8_t *buf = malloc(op->len);
	ssize_t n = buf ? find(fs, op->path, &node) : -ENOMEM;

	if (!n)
		n = fs_file_open(fs, node, O_RDWR, &file);
	if (!n) {
		for (size_t i = 0; i < op->len; i++)
			buf[i] = (uint8_t)(0x80 + (i / 8 + op->arg) % 0x60);
		n = fs_write(fs, file, buf, op->len, op->off);
		fs_file_release(fs, file);
	}
	free(buf);
	if (n < 0)
		return (int)n;
	return (size_t)n == op->len ? 0 : -EIO;
}

static int do_change(struct fs *fs, const struct work_op *op)
{
	unsigned int keep = op->to ? FS_CHANGE_KEEP_SIZE : 0;
	uint64_t node;
	int err = find(fs, op->path, &node);

	return err ? err :
		     change_file(fs, node, (enum pinfs_change)op->arg, op->off,
				 op->len, keep);
}

static int do_setxattr(struct fs *fs, const struct work_op *op)
{
	char value[4000];
	uint64_t node;
	int err = find(fs, op->path, &node);

	memset(value, (int)('a' + op->arg), op->len);
	return err ? err : fs_setxattr(fs, node, op->to, value, op->len, 0);
}

static int do_removexattr(struct fs *fs, const struct work_op *op)
{
	uint64_t node;
	int err = find(fs, op->path, &node);

	return err ? err : fs_removexattr(fs, node, op->to);
}

static int do_chmod(struct fs *fs, const struct work_op *op)
{
	struct stat attr = { .st_mode = op->arg, .st_uid = 7 }, st;
	uint64_t node;
	int err = find(fs, op->path, &node);

	return err ? err :
		     fs_setattr(fs, node, &attr, FS_SET_MODE | FS_SET_UID, &st);
}

static int do_fsync(struct fs *fs, const struct work_op *op)
{
	struct fs_file *file;
	uint64_t node;
	int err = find(fs, op->path, &node);

	if (!err)
		err = fs_file_open(fs, node, O_RDWR, &file);
	if (err)
		return err;
	err = fs_fsync(fs, file);
	fs_file_release(fs, file);
	return err;
}

#define CHANGE(what, p, o, n, kind)                                        \
	{                                                                  \
		what, do_change, p, NULL, o, n, PINFS_CHANGE_##kind, false \
	}
#define WRITE(what, p, o, n, pattern)                        \
	{                                                    \
		what, do_write, p, NULL, o, n, pattern, true \
	}

const struct work_op work_ops[] = {
	{ "creat", do_create, "d1/new", NULL, 0, 0, 0, false },
	{ "mkdir", do_mkdir, "d1/newdir", NULL, 0, 0, 0, false },
	{ "symlink", do_symlink, "d2/sym", NULL, 0, 20, 0, false },
	{ "symlink-long", do_symlink, "d2/sym2", NULL, 0, 900, 0, false },
	{ "link", do_link, "d1/a", "d2/link", 0, 0, 0, false },
	{ "unlink", do_unlink, "d1/b", NULL, 0, 0, 0, false },
	{ "unlink-linked", do_unlink, "d1/h", NULL, 0, 0, 0, false },
	{ "unlink-open", do_unlink_open, "d1/b", NULL, 0, 0, 0, false },
	{ "rmdir", do_rmdir, "d2", NULL, 0, 0, 0, false },
	{ "rename", do_rename, "d1/a", "d2/a", 0, 0, 0, false },
	{ "rename-over", do_rename, "f", "d1/b", 0, 0, 0, false },
	{ "rename-exchange", do_rename, "d1/a", "f", 0, 0, RENAME_EXCHANGE,
	  false },
	{ "rename-dir", do_rename, "d3", "d2/d3", 0, 0, 0, false },
	{ "rename-over-dir", do_rename, "d3", "d2", 0, 0, 0, false },
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
	  PINFS_CHANGE_ALLOCATE, false },
	CHANGE("punch", "d1/a", 1000, 2 * BLOCK, PUNCH_HOLE),
	CHANGE("zero", "d1/a", 3000, 6000, ZERO_RANGE),
	CHANGE("zero-hole", "d1/b", 3000, 4 * BLOCK, ZERO_RANGE),
	CHANGE("collapse", "d1/a", 0, BLOCK, COLLAPSE_RANGE),
	CHANGE("insert", "d1/a", BLOCK, BLOCK, INSERT_RANGE),
	{ "setxattr", do_setxattr, "d1/a", "user.new", 0, 30, 1, false },
	{ "setxattr-over", do_setxattr, "f", "user.x", 0, 50, 2, false },
	{ "setxattr-large", do_setxattr, "f", "user.x", 0, 3000, 3, false },
	{ "removexattr", do_removexattr, "f", "user.x", 0, 0, 0, false },
	{ "chmod", do_chmod, "d1/a", NULL, 0, 0, 0600, false },
	{ "fsync", do_fsync, "d1/a", NULL, 0, 0, 0, false },
};

const unsigned int work_count = sizeof(work_ops) / sizeof(work_ops[0]);

/* --- the tree -------------------------------------------------------------------- */

static void must(int err, const char *what)
{
	if (err)
		die("the tree: %s: %s", what, strerror(-err));
}

static void fill(struct fs *fs, const char *path, uint64_t off, size_t len,
		 int byte)
{
	struct fs_file *file;
	uint64_t node = 0;
	uint8_t *buf = malloc(len);

	must(buf ? find(fs, path, &node) : -ENOMEM, path);
	must(fs_file_open(fs, node, O_RDWR, &file), path);
	for (size_t i = 0; i < len; i++)
		buf[i] = byte ? (uint8_t)byte :
				(uint8_t)(0x10 + (off + i) / 8 % 0x70);
	while (len > 0) {
		ssize_t n = fs_write(fs, file, buf, len, off);

		if (n == -ENOSPC && byte)
			break;
		must(n < 0 ? (int)n : 0, path);
		off += (size_t)n;
		len -= (size_t)n;
	}
	fs_file_release(fs, file);
	free(buf);
}

#define MANY 140u /* extents; a transaction takes 128 */

static int do_many(struct fs *fs, const struct work_op *op)
{
	int err = do_create(fs, op);

	for (unsigned int i = 0; i < MANY && !err; i++)
		fill(fs, op->path, 2 * i * BLOCK, BLOCK, 0);
	return err;
}

const struct work_op work_many = { "many", do_many, "d3/many", NULL,
				   0,	   0,	    0,	       false };

const struct work_op work_fill =
	CHANGE("fill", "d3/many", 0, 2 * MANY * BLOCK, ALLOCATE);

const struct work_op work_large[] = {
	CHANGE("large-truncate", "d3/many", 100, 0, TRUNCATE),
	CHANGE("large-punch", "d3/many", 100, 2 * (MANY - 1) * BLOCK,
	       PUNCH_HOLE),
	CHANGE("large-zero", "d3/many", 100, 2 * (MANY - 1) * BLOCK,
	       ZERO_RANGE),
	CHANGE("large-collapse", "d3/many", BLOCK, 2 * BLOCK, COLLAPSE_RANGE),
	CHANGE("large-insert", "d3/many", BLOCK, BLOCK, INSERT_RANGE),
	{ "large-unlink", do_unlink, "d3/many", NULL, 0, 0, 0, false },
};

const unsigned int work_large_count =
	sizeof(work_large) / sizeof(work_large[0]);

/* soil - all free blocks hold the bytes of a deleted file */
static void soil(struct fs *fs)
{
	const struct work_op op = { .path = "soil" };

	must(do_create(fs, &op), "soil");
	fill(fs, "soil", 0, 16u << 20, 0xee);
	must(do_unlink(fs, &op), "soil");
	must(fs_sync(fs), "sync");
}

void work_prepare(struct fs *fs)
{
	static const char *const dirs[] = { "d1", "d2", "d3" };
	static const char *const files[] = { "d1/a", "d1/b", "d3/x", "f", "u" };
	struct work_op op = { 0 };

	soil(fs);
	for (size_t i = 0; i < 3; i++) {
		op.path = dirs[i];
		must(do_mkdir(fs, &op), op.path);
	}
	for (size_t i = 0; i < 5; i++) {
		op.path = files[i];
		must(do_create(fs, &op), op.path);
	}
	op = (struct work_op){ .path = "d1/a", .to = "d1/h" };
	must(do_link(fs, &op), op.to);
	op = (struct work_op){ .path = "s", .len = 9 };
	must(do_symlink(fs, &op), op.path);
	fill(fs, "d1/a", 0, 3 * BLOCK + 500, 0);
	fill(fs, "d1/b", 0, BLOCK, 0);
	fill(fs, "d1/b", 2 * BLOCK, BLOCK, 0);
	fill(fs, "d3/x", 0, 100, 0);
	fill(fs, "f", 0, 700, 0);
	fill(fs, "u", 0, 300, 0);
	op = (struct work_op)CHANGE("", "u", 0, 4 * BLOCK, ALLOCATE);
	must(do_change(fs, &op), op.path);
	op = (struct work_op){ .path = "f", .to = "user.x", .len = 40 };
	must(do_setxattr(fs, &op), op.path);
}
