// SPDX-License-Identifier: BSD-3-Clause
/* The tree that workloads begin with. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "work.h"

#define BLOCK PINFS_BLOCK_SIZE

static void must(int err, const char *what)
{
	if (err)
		die("the tree: %s: %s", what, strerror(-err));
}

void work_fill(struct fs *fs, const char *path, uint64_t off, size_t len,
	       int byte)
{
	struct fs_file *file;
	uint64_t node = 0;
	uint8_t *buf = malloc(len);

	must(buf ? work_find(fs, path, &node) : -ENOMEM, path);
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

/* soil - all free blocks hold the bytes of a deleted file */
static void soil(struct fs *fs)
{
	const struct work_op op = { .path = "soil" };

	must(do_create(fs, &op), "soil");
	work_fill(fs, "soil", 0, 16u << 20, 0xee);
	must(do_unlink(fs, &op), "soil");
	must(fs_sync(fs), "sync");
}

/* exhaust - a file that has allocated all blocks there are, ahead */
static void exhaust(struct fs *fs)
{
	uint64_t len = 1u << 20, at = 0;

	must(do_create(fs, &(struct work_op){ .path = "full" }), "full");
	while (len >= BLOCK) {
		const struct work_op op = { .path = "full",
					    .to = "",
					    .off = at,
					    .len = len,
					    .arg = PINFS_CHANGE_ALLOCATE };
		int err = do_change(fs, &op);

		if (!err)
			at += len;
		else if (err == -ENOSPC)
			len /= 2;
		else
			must(err, "full");
	}
}

void work_prepare(struct fs *fs, bool full)
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
	work_fill(fs, "d1/a", 0, 3 * BLOCK + 500, 0);
	work_fill(fs, "d1/b", 0, BLOCK, 0);
	work_fill(fs, "d1/b", 2 * BLOCK, BLOCK, 0);
	work_fill(fs, "d3/x", 0, 100, 0);
	work_fill(fs, "f", 0, 700, 0);
	work_fill(fs, "u", 0, 300, 0);
	op = (struct work_op)CHANGE("", "u", 0, 4 * BLOCK, ALLOCATE);
	must(do_change(fs, &op), op.path);
	op = (struct work_op){ .path = "f", .to = "user.x", .len = 40 };
	must(do_setxattr(fs, &op), op.path);
	if (full)
		exhaust(fs);
}
