// SPDX-License-Identifier: BSD-3-Clause
/* A file system instance in memory or on the disk, and short ways to use it. */
#include "fs_rig.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "format/make.h"
#include "scratch_fsck.h"

void fs_rig_open(struct fs_rig *r)
{
	struct fs_options opt = { .workers = 2 };
	const char *path = scratch_path(r->kind, "pool");

	ck_assert_int_eq(pool_open(path, 0, &r->pool, NULL), 0);
	ck_assert_int_eq(fs_open(r->pool, &opt, &r->fs), 0);
}

void fs_rig_make(struct fs_rig *r, enum scratch_kind kind, uint64_t size)
{
	const char *path = scratch_path(kind, "pool");
	struct format_options opt;

	unlink(path);
	ck_assert_int_eq(pool_create(path, size), 0);
	ck_assert_int_eq(pool_open(path, 0, &r->pool, NULL), 0);
	ck_assert_int_eq(format_options_init(&opt), 0);
	opt.hash_seed = 42;
	ck_assert_int_eq(format_make(r->pool, &opt), 0);
	pool_close(r->pool);
	r->kind = kind;
	fs_rig_open(r);
}

void fs_rig_close(struct fs_rig *r)
{
	fs_drain(r->fs);
	ck_assert_int_eq(fs_close(r->fs), 0);
	pool_close(r->pool);
}

void fs_rig_check(struct fs_rig *r)
{
	fs_rig_close(r);
	scratch_fsck(r->kind);
	fs_rig_open(r);
}

/* --- names --------------------------------------------------------------------- */

int rig_create(struct fs_rig *r, uint64_t dir, const char *name, uint64_t *node)
{
	struct fs_caller who = { 0 };
	struct fs_entry e = { 0 };
	int err = fs_mknod(r->fs, dir, name, S_IFREG | 0755, 0, &who, &e, NULL,
			   0);

	if (node)
		*node = e.node;
	return err;
}

int rig_mkdir(struct fs_rig *r, uint64_t dir, const char *name, uint64_t *node)
{
	struct fs_caller who = { 0 };
	struct fs_entry e = { 0 };
	int err = fs_mkdir(r->fs, dir, name, 0755, &who, &e);

	if (node)
		*node = e.node;
	return err;
}

int rig_symlink(struct fs_rig *r, uint64_t dir, const char *name,
		const char *target, uint64_t *node)
{
	struct fs_caller who = { 0 };
	struct fs_entry e = { 0 };
	int err = fs_symlink(r->fs, dir, name, target, &who, &e);

	if (node)
		*node = e.node;
	return err;
}

uint64_t rig_file(struct fs_rig *r, const char *name)
{
	uint64_t node;

	ck_assert_int_eq(rig_create(r, ROOT, name, &node), 0);
	return node;
}

uint64_t rig_dir(struct fs_rig *r, const char *name)
{
	uint64_t node;

	ck_assert_int_eq(rig_mkdir(r, ROOT, name, &node), 0);
	return node;
}

uint64_t rig_look(struct fs_rig *r, uint64_t dir, const char *name)
{
	struct fs_entry e;
	int err = fs_lookup(r->fs, dir, name, &e);

	ck_assert(err == 0 || err == -ENOENT);
	return err ? 0 : e.node;
}

static int count_one(void *arg, const struct fs_dirent *d)
{
	(void)d;
	++*(int *)arg;
	return 0;
}

int rig_count(struct fs_rig *r, uint64_t dir)
{
	int n = 0, err = fs_readdir(r->fs, dir, 0, false, count_one, &n);

	return err ? err : n;
}

/* --- files --------------------------------------------------------------------- */

struct stat rig_stat(struct fs_rig *r, uint64_t node)
{
	struct stat st;

	ck_assert_int_eq(fs_getattr(r->fs, node, &st), 0);
	return st;
}

struct fs_file *rig_open(struct fs_rig *r, uint64_t node)
{
	struct fs_file *file;

	ck_assert_int_eq(fs_file_open(r->fs, node, O_RDWR, &file), 0);
	return file;
}

ssize_t rig_read(struct fs_rig *r, struct fs_file *file, void *buf, size_t size,
		 uint64_t off)
{
	struct fs_read *read = malloc(sizeof(*read));
	uint8_t *to = buf;
	int err;

	ck_assert_ptr_nonnull(read);
	err = fs_read_begin(r->fs, file, off, size, read);
	if (!err) {
		ck_assert_int_le(read->count, FS_READ_IOV);
		for (int i = 0; i < read->count; i++) {
			memcpy(to, read->iov[i].iov_base, read->iov[i].iov_len);
			to += read->iov[i].iov_len;
		}
		ck_assert_uint_eq((size_t)(to - (uint8_t *)buf), read->length);
		fs_read_end(read);
	}
	free(read);
	return err ? err : to - (uint8_t *)buf;
}

struct waiting {
	struct fs_change ch;
	sem_t over;
	int err;
};

static void change_over(struct fs_change *ch, int err)
{
	struct waiting *w = container_of(ch, struct waiting, ch);

	w->err = err;
	sem_post(&w->over);
}

int change_file(struct fs *fs, uint64_t node, enum pinfs_change kind,
		uint64_t off, uint64_t len, unsigned int flags)
{
	struct waiting w = {
		.ch = {
			.kind = kind,
			.offset = off,
			.length = len,
			.flags = flags,
			.done = change_over,
		},
	};
	int err = fs_change_init(fs, node, &w.ch);

	if (err)
		return err;
	sem_init(&w.over, 0, 0);
	fs_change_start(&w.ch);
	while (sem_wait(&w.over))
		ck_assert_int_eq(errno, EINTR);
	sem_destroy(&w.over);
	return w.err;
}

int rig_change(struct fs_rig *r, uint64_t node, enum pinfs_change kind,
	       uint64_t off, uint64_t len, unsigned int flags)
{
	return change_file(r->fs, node, kind, off, len, flags);
}

int rig_truncate(struct fs_rig *r, uint64_t node, uint64_t size)
{
	return rig_change(r, node, PINFS_CHANGE_TRUNCATE, size, 0, 0);
}

/* --- figures ------------------------------------------------------------------- */

uint64_t rig_free(struct fs_rig *r)
{
	struct statvfs st;

	ck_assert_int_eq(fs_statfs(r->fs, &st), 0);
	ck_assert_uint_le(st.f_bavail, st.f_bfree);
	return st.f_bfree;
}

uint64_t rig_inodes(struct fs_rig *r)
{
	struct statvfs st;

	ck_assert_int_eq(fs_statfs(r->fs, &st), 0);
	return st.f_files - st.f_ffree;
}

void rig_soil(struct fs_rig *r)
{
	struct fs_file *file = rig_open(r, rig_file(r, "soil"));
	size_t size = 256 << 10;
	uint8_t *buf = malloc(size);
	uint64_t off = 0;
	ssize_t n;

	ck_assert_ptr_nonnull(buf);
	memset(buf, 0xee, size);
	while ((n = fs_write(r->fs, file, buf, size, off)) > 0)
		off += (uint64_t)n;
	ck_assert_int_eq(n, -ENOSPC);
	free(buf);
	fs_file_release(r->fs, file);
	ck_assert_int_eq(fs_unlink(r->fs, ROOT, "soil"), 0);
}
