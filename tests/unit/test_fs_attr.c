// SPDX-License-Identifier: BSD-3-Clause
/* Attributes: times, extended attributes, flags and what they forbid. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/log.h"
#include "base/util.h"
#include "fs_rig.h"
#include "scratch_fsck.h"
#include "scratch.h"

#define MIB (1ull << 20)

static struct fs_rig r;

static void set_up(void)
{
	fs_rig_make(&r, SCRATCH_MEMORY, 16 * MIB);
}

static void tear_down(void)
{
	fs_rig_close(&r);
	scratch_fsck(r.kind);
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec > b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

static bool is_same(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* --- setting -------------------------------------------------------------------- */

START_TEST(set_attributes)
{
	struct stat attr = {
		.st_mode = S_IFDIR | 0123,
		.st_uid = 70000,
		.st_gid = 80000,
		.st_atim = { .tv_sec = -5, .tv_nsec = 999999999 },
		.st_mtim = { .tv_sec = 1ll << 40, .tv_nsec = 1 },
		.st_ctim = { .tv_sec = 77, .tv_nsec = 7 },
	};
	uint64_t node = rig_file(&r, "f");
	struct stat st, before;

	ck_assert_int_eq(fs_setattr(r.fs, node, &attr,
				    FS_SET_MODE | FS_SET_UID | FS_SET_ATIME,
				    &st),
			 0);
	/* The type is not for changing. */
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0123);
	ck_assert_uint_eq(st.st_uid, 70000);
	ck_assert_uint_eq(st.st_gid, 0);
	ck_assert(is_same(&st.st_atim, &attr.st_atim));
	before = st;
	ck_assert_int_eq(fs_setattr(r.fs, node, &attr,
				    FS_SET_GID | FS_SET_MTIME | FS_SET_CTIME,
				    &st),
			 0);
	ck_assert_uint_eq(st.st_gid, 80000);
	ck_assert_uint_eq(st.st_uid, 70000);
	ck_assert(is_same(&st.st_mtim, &attr.st_mtim));
	ck_assert(is_same(&st.st_ctim, &attr.st_ctim));
	ck_assert(is_same(&st.st_atim, &before.st_atim));
	fs_rig_check(&r);
	before = rig_stat(&r, node);
	ck_assert_mem_eq(&before, &st, sizeof(st));
	ck_assert_int_eq(fs_setattr(r.fs, node, &attr,
				    FS_SET_ATIME_NOW | FS_SET_MTIME_NOW, &st),
			 0);
	ck_assert_int_gt(st.st_atim.tv_sec, 1600000000);
	ck_assert(is_same(&st.st_atim, &st.st_mtim));
	ck_assert(is_same(&st.st_atim, &st.st_ctim));
	ck_assert_int_eq(fs_unlink(r.fs, ROOT, "f"), 0);
	ck_assert_int_eq(fs_setattr(r.fs, node, &attr, FS_SET_UID, &st),
			 -ESTALE);
}
END_TEST

/* backdate - so that a change is seen to touch a time */
static struct stat backdate(uint64_t node)
{
	struct stat attr = { .st_mtim.tv_sec = 1000,
			     .st_atim.tv_sec = 2000,
			     .st_ctim.tv_sec = 1000 };

	ck_assert_int_eq(fs_setattr(r.fs, node, &attr,
				    FS_SET_MTIME | FS_SET_ATIME | FS_SET_CTIME,
				    &attr),
			 0);
	return attr;
}

/* changed - which of the three times have: a set of INODE_* */
static unsigned int changed(uint64_t node, const struct stat *before)
{
	struct stat st = rig_stat(&r, node);

	return (is_later(&st.st_atim, &before->st_atim) ? INODE_ATIME : 0) |
	       (is_later(&st.st_mtim, &before->st_mtim) ? INODE_MTIME : 0) |
	       (is_later(&st.st_ctim, &before->st_ctim) ? INODE_CTIME : 0);
}

START_TEST(what_touches_times)
{
	uint64_t dir = rig_dir(&r, "d"), node;
	struct stat was, was_dir;
	struct fs_file *file;
	struct fs_entry e;
	char c;

	was_dir = backdate(dir);
	ck_assert_int_eq(rig_create(&r, dir, "f", &node), 0);
	ck_assert_uint_eq(changed(dir, &was_dir), INODE_MTIME | INODE_CTIME);
	file = rig_open(&r, node);

	was = backdate(node);
	ck_assert_int_eq(fs_write(r.fs, file, "abc", 3, 0), 3);
	ck_assert_uint_eq(changed(node, &was), INODE_MTIME | INODE_CTIME);
	was = backdate(node);
	ck_assert_int_eq(rig_truncate(&r, node, 9), 0);
	ck_assert_uint_eq(changed(node, &was), INODE_MTIME | INODE_CTIME);
	was = backdate(node);
	was_dir = backdate(dir);
	ck_assert_int_eq(fs_link(r.fs, node, dir, "g", &e), 0);
	ck_assert_uint_eq(changed(node, &was), INODE_CTIME);
	ck_assert_uint_eq(changed(dir, &was_dir), INODE_MTIME | INODE_CTIME);
	was = backdate(node);
	ck_assert_int_eq(fs_unlink(r.fs, dir, "g"), 0);
	ck_assert_uint_eq(changed(node, &was), INODE_CTIME);
	was = backdate(node);
	was_dir = backdate(dir);
	ck_assert_int_eq(fs_rename(r.fs, dir, "f", dir, "h", 0), 0);
	ck_assert_uint_eq(changed(node, &was), INODE_CTIME);
	ck_assert_uint_eq(changed(dir, &was_dir), INODE_MTIME | INODE_CTIME);
	was = backdate(node);
	ck_assert_int_eq(fs_setxattr(r.fs, node, "user.a", "b", 1, 0), 0);
	ck_assert_uint_eq(changed(node, &was), INODE_CTIME);

	/* Access: once after a change, as relatime has it. */
	was = backdate(node);
	ck_assert_int_eq(rig_read(&r, file, &c, 1, 0), 1);
	ck_assert_uint_eq(changed(node, &was), INODE_ATIME);
	do { /* in the moment of the change it may follow once more */
		ck_assert_int_eq(rig_read(&r, file, &c, 1, 0), 1);
		was = rig_stat(&r, node);
	} while (!is_later(&was.st_atim, &was.st_ctim));
	ck_assert_int_eq(rig_read(&r, file, &c, 1, 0), 1);
	ck_assert_uint_eq(changed(node, &was), 0);
	ck_assert_int_eq(fs_set_flags(r.fs, node, PINFS_IFLAG_NOATIME), 0);
	was = backdate(node);
	ck_assert_int_eq(rig_read(&r, file, &c, 1, 0), 1);
	ck_assert_uint_eq(changed(node, &was), 0);
	fs_file_release(r.fs, file);
}
END_TEST

/* --- extended attributes --------------------------------------------------------- */

START_TEST(extended_attributes)
{
	uint64_t node = rig_file(&r, "f"), free_blocks = rig_free(&r);
	char *big = malloc(65537), *back = malloc(65537);
	char list[64];

	memset(big, 'v', 65537);
	ck_assert_int_eq(fs_getxattr(r.fs, node, "user.a", NULL, 0), -ENODATA);
	ck_assert_int_eq(fs_setxattr(r.fs, node, "user.a", "1", 1,
				     XATTR_REPLACE),
			 -ENODATA);
	ck_assert_int_eq(
		fs_setxattr(r.fs, node, "user.a", NULL, 0, XATTR_CREATE), 0);
	ck_assert_int_eq(fs_getxattr(r.fs, node, "user.a", back, 9), 0);
	ck_assert_int_eq(fs_setxattr(r.fs, node, "user.a", "1", 1,
				     XATTR_CREATE),
			 -EEXIST);
	ck_assert_int_eq(fs_setxattr(r.fs, node, "user.b", big, 65537, 0),
			 -E2BIG);
	ck_assert_int_eq(fs_setxattr(r.fs, node, "user.b", big, 65536, 0), 0);
	fs_rig_check(&r);
	ck_assert_int_eq(fs_getxattr(r.fs, node, "user.b", NULL, 0), 65536);
	ck_assert_int_eq(fs_getxattr(r.fs, node, "user.b", back, 99), -ERANGE);
	ck_assert_int_eq(fs_getxattr(r.fs, node, "user.b", back, 65536), 65536);
	ck_assert_mem_eq(back, big, 65536);
	ck_assert_int_eq(fs_listxattr(r.fs, node, NULL, 0), 14);
	ck_assert_int_eq(fs_listxattr(r.fs, node, list, 13), -ERANGE);
	ck_assert_int_eq(fs_listxattr(r.fs, node, list, 64), 14);
	ck_assert_mem_eq(list, "user.a\0user.b", 14);
	ck_assert_int_gt(rig_stat(&r, node).st_blocks, 16 * 8);
	ck_assert_int_eq(fs_removexattr(r.fs, node, "user.b"), 0);
	ck_assert_int_eq(fs_removexattr(r.fs, node, "user.b"), -ENODATA);
	ck_assert_int_eq(fs_removexattr(r.fs, node, "user.a"), 0);
	ck_assert_uint_eq(rig_free(&r), free_blocks);
	free(back);
	free(big);
}
END_TEST

/* --- flags ------------------------------------------------------------------------- */

START_TEST(flags)
{
	uint64_t dir = rig_dir(&r, "d"), node, got;

	ck_assert_int_eq(fs_set_flags(r.fs, dir, 1ull << 40), -EOPNOTSUPP);
	ck_assert_int_eq(fs_set_flags(r.fs, dir,
				      PINFS_IFLAG_DAX | PINFS_IFLAG_NODUMP),
			 0);
	ck_assert_int_eq(fs_get_flags(r.fs, dir, &got), 0);
	ck_assert_uint_eq(got, PINFS_IFLAG_DAX | PINFS_IFLAG_NODUMP);
	/* C4: what is made in such a directory has the flag. */
	ck_assert_int_eq(rig_create(&r, dir, "f", &node), 0);
	ck_assert_int_eq(fs_get_flags(r.fs, node, &got), 0);
	ck_assert_uint_eq(got, PINFS_IFLAG_DAX);
	struct fs_file *file = rig_open(&r, node);
	ck_assert(fs_file_is_dax(r.fs, file));
	ck_assert_int_eq(fs_set_flags(r.fs, node, 0), 0);
	ck_assert(!fs_file_is_dax(r.fs, file));
	fs_file_release(r.fs, file);
}
END_TEST

static int try_open(uint64_t node, int open_flags)
{
	struct fs_file *file;
	int err = fs_file_open(r.fs, node, open_flags, &file);

	if (!err)
		fs_file_release(r.fs, file);
	return err;
}

/* try_all - every way to change a file's inode or name; all say err */
static void try_all(uint64_t dir, uint64_t node, int err)
{
	struct stat attr = { 0 };
	struct fs_entry e;

	ck_assert_int_eq(try_open(node, O_RDONLY), 0);
	ck_assert_int_eq(try_open(node, O_WRONLY), err);
	ck_assert_int_eq(try_open(node, O_RDWR), err);
	ck_assert_int_eq(rig_truncate(&r, node, 0), err);
	ck_assert_int_eq(rig_change(&r, node, PINFS_CHANGE_PUNCH_HOLE, 0, 9, 0),
			 err);
	ck_assert_int_eq(fs_setattr(r.fs, node, &attr, FS_SET_UID, NULL), err);
	ck_assert_int_eq(fs_setattr(r.fs, node, &attr, FS_SET_MTIME, NULL),
			 err);
	ck_assert_int_eq(fs_setxattr(r.fs, node, "user.a", "b", 1, 0), err);
	ck_assert_int_eq(fs_removexattr(r.fs, node, "user.a"), err);
	ck_assert_int_eq(fs_link(r.fs, node, dir, "link", &e), err);
	ck_assert_int_eq(fs_rename(r.fs, dir, "other", dir, "f", 2), err);
	ck_assert_int_eq(fs_rename(r.fs, dir, "f", dir, "other", 2), err);
	ck_assert_int_eq(fs_rename(r.fs, dir, "f", ROOT, "g", 0), err);
	if (err)
		ck_assert_int_eq(fs_rename(r.fs, dir, "other", dir, "f", 0),
				 err);
	else
		ck_assert_int_eq(fs_rename(r.fs, ROOT, "g", dir, "f", 0), 0);
	ck_assert_int_eq(fs_unlink(r.fs, dir, "f"), err);
}

START_TEST(immutable_and_append_only)
{
	static const uint64_t flag[] = { PINFS_IFLAG_IMMUTABLE,
					 PINFS_IFLAG_APPEND, 0 };
	uint64_t dir = rig_dir(&r, "d"), node;
	struct stat attr = { 0 };

	ck_assert_int_eq(rig_create(&r, dir, "f", &node), 0);
	ck_assert_int_eq(rig_create(&r, dir, "other", NULL), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(flag); i++) {
		int err = flag[i] == PINFS_IFLAG_IMMUTABLE ? -EPERM : 0;

		ck_assert_int_eq(fs_set_flags(r.fs, node, flag[i]), 0);
		ck_assert_int_eq(try_open(node, O_WRONLY | O_APPEND), err);
		ck_assert_int_eq(rig_change(&r, node, PINFS_CHANGE_ALLOCATE, 0,
					    9, 0),
				 err);
		ck_assert_int_eq(fs_setattr(r.fs, node, &attr, FS_SET_MTIME_NOW,
					    NULL),
				 err);
		try_all(dir, node, flag[i] ? -EPERM : 0);
	}
}
END_TEST

START_TEST(immutable_directory)
{
	uint64_t dir = rig_dir(&r, "d"), f = rig_file(&r, "x");
	struct fs_entry e;

	ck_assert_int_eq(rig_create(&r, dir, "f", NULL), 0);
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t flag = i ? PINFS_IFLAG_APPEND : PINFS_IFLAG_IMMUTABLE;
		int err = i ? 0 : -EPERM;

		ck_assert_int_eq(fs_set_flags(r.fs, dir, flag), 0);
		ck_assert_int_eq(rig_create(&r, dir, "a", NULL), err);
		ck_assert_int_eq(rig_mkdir(&r, dir, "b", NULL), err);
		ck_assert_int_eq(fs_link(r.fs, f, dir, "c", &e), err);
		ck_assert_int_eq(fs_rename(r.fs, ROOT, "x", dir, "y", 0), err);
		/* Names may come to an append-only one, but not go. */
		ck_assert_int_eq(fs_unlink(r.fs, dir, "f"), -EPERM);
		ck_assert_int_eq(fs_rename(r.fs, dir, "f", ROOT, "f", 0),
				 -EPERM);
		ck_assert_int_eq(fs_rmdir(r.fs, ROOT, "d"), -EPERM);
		ck_assert_int_eq(fs_rename(r.fs, ROOT, "d", ROOT, "e", 0),
				 -EPERM);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_attr");
	TCase *tc = tcase_create("fs_attr");

	log_set_level(LOG_LEVEL_WARN);
	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, set_attributes);
	tcase_add_test(tc, what_touches_times);
	tcase_add_test(tc, extended_attributes);
	tcase_add_test(tc, flags);
	tcase_add_test(tc, immutable_and_append_only);
	tcase_add_test(tc, immutable_directory);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
