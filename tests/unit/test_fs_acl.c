// SPDX-License-Identifier: BSD-3-Clause
/*
 * POSIX ACLs where no kernel stands between: values that make no sense, asked for
 * and stored, and what becomes of mode and attributes. Their rules are in
 * tests/posix/acls.c.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "format/le.h"
#include "fs/acl.h"
#include "fs_rig.h"
#include "inode/xattr.h"
#include "scratch_fsck.h"
#include "scratch.h"

#define MIB (1ull << 20)

struct entry {
	uint16_t tag, perm;
	uint32_t id;
};

static struct fs_rig r;

static void set_up(void)
{
	fs_rig_make(&r, SCRATCH_MEMORY, 32 * MIB);
}

static void tear_down(void)
{
	fs_rig_close(&r);
	scratch_fsck(r.kind);
}

/* value_of - the attribute's bytes; returns how many */
static size_t value_of(uint8_t *buf, const struct entry *e, size_t n)
{
	le32 version = cpu_to_le32(2), id;
	le16 tag, perm;
	size_t i, at = sizeof(version);

	memcpy(buf, &version, sizeof(version));
	for (i = 0; i < n; i++, at += 8) {
		tag = cpu_to_le16(e[i].tag);
		perm = cpu_to_le16(e[i].perm);
		id = cpu_to_le32(e[i].id);
		memcpy(buf + at, &tag, 2);
		memcpy(buf + at + 2, &perm, 2);
		memcpy(buf + at + 4, &id, 4);
	}
	return at;
}

static const struct entry full[] = {
	{ 1, 7, 0 },  { 2, 6, 1001 }, { 2, 4, 1002 }, { 4, 5, 0 },
	{ 8, 3, 50 }, { 16, 5, 0 },   { 32, 1, 0 },
};

static int set_full(uint64_t node, const char *name)
{
	uint8_t buf[256];
	size_t n = value_of(buf, full, ARRAY_SIZE(full));

	return fs_set_acl(r.fs, node, name, buf, n, false);
}

static uint32_t mode_of(uint64_t node)
{
	return rig_stat(&r, node).st_mode & 07777;
}

static const struct {
	const char *why;
	struct entry e[6];
	size_t n;
} senseless[] = {
	{ "nothing", { { 0, 0, 0 } }, 0 },
	{ "no owner", { { 4, 7, 0 }, { 32, 7, 0 } }, 2 },
	{ "no others", { { 1, 7, 0 }, { 4, 7, 0 } }, 2 },
	{ "two owners",
	  { { 1, 7, 0 }, { 1, 7, 0 }, { 4, 7, 0 }, { 32, 7, 0 } },
	  4 },
	{ "two masks",
	  { { 1, 7, 0 }, { 4, 7, 0 }, { 16, 7, 0 }, { 16, 7, 0 }, { 32, 7, 0 } },
	  5 },
	{ "named without a mask",
	  { { 1, 7, 0 }, { 2, 7, 9 }, { 4, 7, 0 }, { 32, 7, 0 } },
	  4 },
	{ "out of order", { { 4, 7, 0 }, { 1, 7, 0 }, { 32, 7, 0 } }, 3 },
	{ "unknown tag",
	  { { 1, 7, 0 }, { 3, 7, 0 }, { 4, 7, 0 }, { 32, 7, 0 } },
	  4 },
	{ "unknown right", { { 1, 15, 0 }, { 4, 7, 0 }, { 32, 7, 0 } }, 3 },
};

START_TEST(no_sense)
{
	uint64_t file = rig_file(&r, "f"), dir = rig_dir(&r, "d");
	uint8_t buf[256];
	size_t n = value_of(buf, senseless[_i].e, senseless[_i].n);

	ck_assert_int_eq(fs_set_acl(r.fs, file, ACL_ACCESS, buf, n, false),
			 -EINVAL);
	ck_assert_int_eq(fs_set_acl(r.fs, dir, ACL_DEFAULT, buf, n, false),
			 -EINVAL);
	ck_assert_uint_eq(mode_of(file), 0755);
	ck_assert_int_eq(fs_listxattr(r.fs, file, NULL, 0), 0);
}
END_TEST

START_TEST(cut_short)
{
	uint64_t file = rig_file(&r, "f");
	uint8_t buf[256];
	size_t n = value_of(buf, full, ARRAY_SIZE(full)), i;

	for (i = 0; i < n; i++)
		ck_assert_int_eq(fs_set_acl(r.fs, file, ACL_ACCESS, buf, i,
					    false),
				 -EINVAL);
	ck_assert_int_eq(fs_set_acl(r.fs, file, ACL_DEFAULT, buf, n, false),
			 -EACCES);
	ck_assert_int_eq(fs_set_acl(r.fs, file, ACL_ACCESS, buf, n, false), 0);
}
END_TEST

/* What is stored and makes no sense is damage: said, and nothing is changed. */
START_TEST(stored_nonsense)
{
	uint64_t file = rig_file(&r, "f"), dir = rig_dir(&r, "d"), node;
	struct stat attr = { .st_mode = 0600 };
	uint8_t buf[256];
	size_t n = value_of(buf, senseless[_i].e, senseless[_i].n);

	ck_assert_int_eq(fs_setxattr(r.fs, file, ACL_ACCESS, buf, n, 0), 0);
	ck_assert_int_eq(fs_setxattr(r.fs, dir, ACL_DEFAULT, buf, n, 0), 0);
	ck_assert_int_eq(fs_setattr(r.fs, file, &attr, FS_SET_MODE, NULL),
			 -EUCLEAN);
	ck_assert_uint_eq(mode_of(file), 0755);
	ck_assert_int_eq(rig_create(&r, dir, "x", &node), -EUCLEAN);
	ck_assert_int_eq(rig_mkdir(&r, dir, "x", &node), -EUCLEAN);
	ck_assert_int_eq(rig_count(&r, dir), 2);
	ck_assert_int_eq(rig_symlink(&r, dir, "x", "y", &node), 0);
	ck_assert_int_eq(fs_removexattr(r.fs, dir, ACL_DEFAULT), 0);
	ck_assert_int_eq(rig_create(&r, dir, "z", &node), 0);
}
END_TEST

START_TEST(set_group_id)
{
	struct stat attr = { .st_mode = 02755 };
	uint64_t file = rig_file(&r, "f");
	uint8_t buf[256];
	size_t n = value_of(buf, full, ARRAY_SIZE(full));

	ck_assert_int_eq(fs_setattr(r.fs, file, &attr, FS_SET_MODE, NULL), 0);
	ck_assert_int_eq(fs_set_acl(r.fs, file, ACL_ACCESS, buf, n, false), 0);
	ck_assert_uint_eq(mode_of(file), 02751);
	ck_assert_int_eq(fs_set_acl(r.fs, file, ACL_ACCESS, buf, n, true), 0);
	ck_assert_uint_eq(mode_of(file), 0751);
}
END_TEST

/* Space that ACLs take comes back, and all of them are there after a remount. */
START_TEST(space_and_remount)
{
	struct stat attr = { .st_mode = 0604 };
	uint64_t dir = rig_dir(&r, "d"), free, file;
	uint8_t before[256], after[256];
	ssize_t n;

	ck_assert_int_eq(rig_create(&r, dir, "warm", &file), 0);
	free = rig_free(&r);
	ck_assert_int_eq(set_full(dir, ACL_DEFAULT), 0);
	ck_assert_int_eq(rig_create(&r, dir, "x", &file), 0);
	ck_assert_int_eq(rig_mkdir(&r, dir, "y", NULL), 0);
	ck_assert_int_eq(fs_setattr(r.fs, file, &attr, FS_SET_MODE, NULL), 0);
	n = fs_getxattr(r.fs, file, ACL_ACCESS, before, sizeof(before));
	ck_assert_int_eq(n, 4 + 7 * 8);
	fs_rig_check(&r);
	ck_assert_int_eq(
		fs_getxattr(r.fs, file, ACL_ACCESS, after, sizeof(after)), n);
	ck_assert_mem_eq(before, after, (size_t)n);
	ck_assert_uint_eq(mode_of(file), 0604);
	ck_assert_int_eq(fs_unlink(r.fs, dir, "x"), 0);
	ck_assert_int_eq(fs_rmdir(r.fs, dir, "y"), 0);
	ck_assert_int_eq(fs_removexattr(r.fs, dir, ACL_DEFAULT), 0);
	ck_assert_uint_eq(rig_free(&r), free);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_acl");
	TCase *tc = tcase_create("fs_acl");

	log_set_level(LOG_LEVEL_WARN);
	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, no_sense, 0, ARRAY_SIZE(senseless));
	tcase_add_test(tc, cut_short);
	tcase_add_loop_test(tc, stored_nonsense, 0, ARRAY_SIZE(senseless));
	tcase_add_test(tc, set_group_id);
	tcase_add_test(tc, space_and_remount);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
