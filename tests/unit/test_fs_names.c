// SPDX-License-Identifier: BSD-3-Clause
/* Names: create, link, unlink, rename in all its ways, readdir. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "base/util.h"
#include "fs_rig.h"
#include "scratch_fsck.h"
#include "scratch_scale.h"
#include "scratch_volume.h"
#include "scratch.h"

#define MIB (1ull << 20)

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

static uint32_t nlink_of(uint64_t node)
{
	return (uint32_t)rig_stat(&r, node).st_nlink;
}

/* --- creating ------------------------------------------------------------------- */

START_TEST(kinds_of_inodes)
{
	static const uint32_t mode[] = { S_IFREG | 04755, S_IFIFO | 0600,
					 S_IFSOCK | 0777, S_IFCHR | 0660,
					 S_IFBLK | 0440 };
	struct fs_caller who = { .uid = 7, .gid = 8, .umask = 022 };
	struct fs_entry e, again;
	char name[8];

	for (unsigned int i = 0; i < ARRAY_SIZE(mode); i++) {
		snprintf(name, sizeof(name), "n%u", i);
		ck_assert_int_eq(fs_mknod(r.fs, ROOT, name, mode[i],
					  makedev(259, 70000), &who, &e, NULL,
					  0),
				 0);
		ck_assert_uint_eq(e.st.st_mode, mode[i] & ~022u);
		ck_assert_uint_eq(e.st.st_uid, 7);
		ck_assert_uint_eq(e.st.st_gid, 8);
		ck_assert_uint_eq(e.st.st_nlink, 1);
		ck_assert_uint_eq(e.st.st_rdev, makedev(259, 70000));
		ck_assert_int_eq(fs_lookup(r.fs, ROOT, name, &again), 0);
		ck_assert_mem_eq(&e.st, &again.st, sizeof(e.st));
		ck_assert_uint_eq(e.node, again.node);
		ck_assert_uint_eq(e.gen, again.gen);
	}
	/* What is not an inode's mode makes no inode. */
	ck_assert_int_eq(fs_mknod(r.fs, ROOT, "x", 0644, 0, &who, &e, NULL, 0),
			 -EINVAL);
	ck_assert_int_eq(fs_mknod(r.fs, ROOT, "x", S_IFDIR | 0755, 0, &who, &e,
				  NULL, 0),
			 -EINVAL);
	fs_rig_check(&r);
	ck_assert_int_eq(fs_lookup(r.fs, ROOT, "n3", &again), 0);
	ck_assert_uint_eq(again.st.st_mode, S_IFCHR | 0640);
	ck_assert_uint_eq(rig_look(&r, ROOT, "x"), 0);
}
END_TEST

START_TEST(set_group_id)
{
	struct fs_caller who = { .uid = 1, .gid = 2 };
	struct stat attr = { .st_mode = 02755, .st_gid = 50 };
	uint64_t dir = rig_dir(&r, "d");
	struct fs_entry e;

	ck_assert_int_eq(fs_setattr(r.fs, dir, &attr, FS_SET_MODE | FS_SET_GID,
				    NULL),
			 0);
	ck_assert_int_eq(fs_mknod(r.fs, dir, "f", S_IFREG | 0644, 0, &who, &e,
				  NULL, 0),
			 0);
	ck_assert_uint_eq(e.st.st_gid, 50);
	ck_assert_uint_eq(e.st.st_mode, S_IFREG | 0644);
	ck_assert_int_eq(fs_mkdir(r.fs, dir, "d", 0700, &who, &e), 0);
	ck_assert_uint_eq(e.st.st_gid, 50);
	ck_assert_uint_eq(e.st.st_mode, S_IFDIR | 02700);
}
END_TEST

START_TEST(create_and_open)
{
	struct fs_caller who = { 0 };
	struct fs_file *file;
	struct fs_entry e;

	ck_assert_int_eq(fs_mknod(r.fs, ROOT, "f", S_IFREG | 0600, 0, &who, &e,
				  &file, O_RDWR | O_APPEND),
			 0);
	ck_assert_int_eq(fs_file_flags(file), O_RDWR | O_APPEND);
	ck_assert_uint_eq(fs_node(fs_file_inode(file)), e.node);
	ck_assert_int_eq(fs_unlink(r.fs, ROOT, "f"), 0);
	ck_assert_int_eq(fs_write(r.fs, file, "abc", 3, 0), 3);
	fs_file_release(r.fs, file);
	ck_assert_int_eq(fs_getattr(r.fs, e.node, &e.st), -ESTALE);
}
END_TEST

START_TEST(names_that_cannot_be)
{
	static const struct {
		const char *name;
		int err;
	} bad[] = { { "", -ENOENT },
		    { ".", -EINVAL },
		    { "..", -EINVAL },
		    { "a/b", -EINVAL },
		    { "/", -EINVAL } };
	uint64_t dir = rig_dir(&r, "d"), file = rig_file(&r, "f");
	char longest[PINFS_NAME_MAX + 1], longer[PINFS_NAME_MAX + 2];
	struct fs_entry e;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *name = bad[i].name;
		int err = bad[i].err;

		ck_assert_int_eq(rig_create(&r, ROOT, name, NULL), err);
		ck_assert_int_eq(rig_mkdir(&r, ROOT, name, NULL), err);
		ck_assert_int_eq(rig_symlink(&r, ROOT, name, "x", NULL), err);
		ck_assert_int_eq(fs_link(r.fs, file, ROOT, name, &e), err);
		ck_assert_int_eq(fs_unlink(r.fs, ROOT, name), err);
		ck_assert_int_eq(fs_rmdir(r.fs, ROOT, name), err);
		ck_assert_int_eq(fs_rename(r.fs, ROOT, "f", dir, name, 0), err);
		ck_assert_int_eq(fs_rename(r.fs, ROOT, name, dir, "f", 0), err);
	}
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_int_eq(rig_create(&r, ROOT, longest, NULL), 0);
	ck_assert_int_eq(rig_create(&r, ROOT, longest, NULL), -EEXIST);
	ck_assert_int_eq(rig_create(&r, ROOT, longer, NULL), -ENAMETOOLONG);
	ck_assert_int_eq(fs_lookup(r.fs, ROOT, longer, &e), -ENAMETOOLONG);
	ck_assert_int_eq(fs_unlink(r.fs, ROOT, longer), -ENAMETOOLONG);
	ck_assert_int_eq(fs_rename(r.fs, ROOT, "f", ROOT, longer, 0),
			 -ENAMETOOLONG);
	ck_assert_int_eq(fs_unlink(r.fs, ROOT, longest), 0);
	ck_assert_int_eq(rig_count(&r, ROOT), 4);
}
END_TEST

START_TEST(not_a_directory)
{
	uint64_t file = rig_file(&r, "f"), link, dir = rig_dir(&r, "d");
	struct fs_entry e;

	ck_assert_int_eq(rig_symlink(&r, ROOT, "l", "d", &link), 0);
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t at = i ? link : file;

		ck_assert_int_eq(fs_lookup(r.fs, at, "x", &e), -ENOTDIR);
		ck_assert_int_eq(fs_lookup(r.fs, at, "..", &e), -ENOTDIR);
		ck_assert_int_eq(rig_create(&r, at, "x", NULL), -ENOTDIR);
		ck_assert_int_eq(rig_mkdir(&r, at, "x", NULL), -ENOTDIR);
		ck_assert_int_eq(rig_symlink(&r, at, "x", "y", NULL), -ENOTDIR);
		ck_assert_int_eq(fs_link(r.fs, file, at, "x", &e), -ENOTDIR);
		ck_assert_int_eq(fs_unlink(r.fs, at, "x"), -ENOTDIR);
		ck_assert_int_eq(fs_rmdir(r.fs, at, "x"), -ENOTDIR);
		ck_assert_int_eq(fs_rename(r.fs, at, "x", ROOT, "y", 0),
				 -ENOTDIR);
		ck_assert_int_eq(fs_rename(r.fs, ROOT, "f", at, "y", 0),
				 -ENOTDIR);
		ck_assert_int_eq(rig_count(&r, at), -ENOTDIR);
	}
	ck_assert_int_eq(fs_lookup(r.fs, dir, "..", &e), 0);
	ck_assert_uint_eq(e.node, ROOT);
	ck_assert_int_eq(fs_lookup(r.fs, ROOT, "..", &e), 0);
	ck_assert_uint_eq(e.node, ROOT);
	/* By "." file handles of any kind are looked up. */
	ck_assert_int_eq(fs_lookup(r.fs, file, ".", &e), 0);
	ck_assert_uint_eq(e.node, file);
}
END_TEST

START_TEST(symbolic_links)
{
	static const size_t len[] = { 1, 255, 256, 257, 4000, 4095 };
	char target[PINFS_SYMLINK_MAX + 2], back[PINFS_SYMLINK_MAX + 1];
	uint64_t node, before;
	char name[8];

	memset(target, 't', sizeof(target));
	target[PINFS_SYMLINK_MAX + 1] = '\0';
	ck_assert_int_eq(rig_symlink(&r, ROOT, "l", target, NULL),
			 -ENAMETOOLONG);
	ck_assert_int_eq(rig_symlink(&r, ROOT, "l", "", NULL), -ENOENT);
	rig_file(&r, "f");
	before = rig_free(&r);
	for (unsigned int i = 0; i < ARRAY_SIZE(len); i++) {
		target[len[i]] = '\0';
		snprintf(name, sizeof(name), "l%u", i);
		ck_assert_int_eq(rig_symlink(&r, ROOT, name, target, &node), 0);
		ck_assert_int_eq(fs_readlink(r.fs, node, back), 0);
		ck_assert_str_eq(back, target);
		ck_assert_int_eq(rig_stat(&r, node).st_size, (off_t)len[i]);
		target[len[i]] = 't';
	}
	fs_rig_check(&r);
	for (unsigned int i = 0; i < ARRAY_SIZE(len); i++) {
		snprintf(name, sizeof(name), "l%u", i);
		ck_assert_int_eq(
			fs_readlink(r.fs, rig_look(&r, ROOT, name), back), 0);
		ck_assert_uint_eq(strlen(back), len[i]);
		ck_assert_int_eq(fs_unlink(r.fs, ROOT, name), 0);
	}
	ck_assert_uint_eq(rig_free(&r), before);
	ck_assert_int_eq(fs_readlink(r.fs, ROOT, back), -EINVAL);
	ck_assert_int_eq(fs_readlink(r.fs, rig_look(&r, ROOT, "f"), back),
			 -EINVAL);
}
END_TEST

/* --- links ----------------------------------------------------------------------- */

START_TEST(links)
{
	uint64_t node = rig_file(&r, "a"), dir = rig_dir(&r, "d");
	struct fs_file *file;
	struct fs_entry e;

	ck_assert_int_eq(fs_link(r.fs, node, dir, "b", &e), 0);
	ck_assert_uint_eq(e.st.st_nlink, 2);
	ck_assert_uint_eq(rig_look(&r, dir, "b"), node);
	ck_assert_int_eq(fs_link(r.fs, node, dir, "b", &e), -EEXIST);
	ck_assert_int_eq(fs_link(r.fs, dir, ROOT, "e", &e), -EPERM);
	ck_assert_uint_eq(nlink_of(node), 2);
	ck_assert_int_eq(fs_unlink(r.fs, ROOT, "a"), 0);
	ck_assert_uint_eq(nlink_of(node), 1);
	ck_assert_int_eq(fs_unlink(r.fs, ROOT, "a"), -ENOENT);

	/* Without a name it gets none again. */
	file = rig_open(&r, node);
	ck_assert_int_eq(fs_unlink(r.fs, dir, "b"), 0);
	ck_assert_uint_eq(nlink_of(node), 0);
	ck_assert_int_eq(fs_link(r.fs, node, dir, "b", &e), -ENOENT);
	fs_file_release(r.fs, file);
	ck_assert_int_eq(fs_link(r.fs, node, dir, "b", &e), -ESTALE);
}
END_TEST

/* set_nlink - pretend that it has so many names */
static void set_nlink(uint64_t node, uint32_t n)
{
	struct pinfs_inode *di;
	unsigned int guard;
	struct inode *ip;
	struct tx *tx;

	ck_assert_int_eq(fs_inode(r.fs, node, &ip), 0);
	guard = journal_enter(ip->vol->journal);
	pthread_rwlock_wrlock(&ip->lock);
	tx = tx_begin(ip->vol->journal);
	di = inode_edit(ip, tx);
	di->nlink = cpu_to_le32(n);
	ck_assert_int_eq(tx_commit(tx), 0);
	pthread_rwlock_unlock(&ip->lock);
	journal_leave(ip->vol->journal, guard);
	inode_put(ip);
}

START_TEST(most_links)
{
	const uint32_t most = INT32_MAX;
	uint64_t file = rig_file(&r, "f"), dir = rig_dir(&r, "d");
	uint64_t other = rig_dir(&r, "o");
	struct fs_entry e;

	set_nlink(file, most - 1);
	ck_assert_int_eq(fs_link(r.fs, file, ROOT, "g", &e), 0);
	ck_assert_uint_eq(e.st.st_nlink, most);
	ck_assert_int_eq(fs_link(r.fs, file, ROOT, "h", &e), -EMLINK);
	ck_assert_uint_eq(rig_look(&r, ROOT, "h"), 0);
	set_nlink(file, 2);

	ck_assert_int_eq(rig_mkdir(&r, other, "sub", NULL), 0);
	set_nlink(dir, most);
	ck_assert_int_eq(rig_mkdir(&r, dir, "x", NULL), -EMLINK);
	ck_assert_int_eq(fs_rename(r.fs, other, "sub", dir, "x", 0), -EMLINK);
	ck_assert_int_eq(rig_create(&r, dir, "x", NULL), 0);
	ck_assert_uint_eq(nlink_of(other), 3);
	set_nlink(dir, 2);
}
END_TEST

/* nameless - a file without a name, open */
static struct fs_file *nameless(uint64_t *node, int flags)
{
	const struct fs_caller who = { .umask = 027 };
	struct fs_file *file;
	struct fs_entry e;

	ck_assert_int_eq(fs_tmpfile(r.fs, ROOT, 0666, &who, &e, &file, flags),
			 0);
	ck_assert_uint_eq(e.st.st_nlink, 0);
	ck_assert_uint_eq(e.st.st_mode, S_IFREG | 0640);
	*node = e.node;
	return file;
}

START_TEST(without_a_name)
{
	uint64_t free, inodes, node;
	struct fs_file *file;
	struct fs_entry e;

	rig_file(&r, "warm");
	free = rig_free(&r);
	inodes = rig_inodes(&r);
	file = nameless(&node, O_RDWR);
	ck_assert_int_eq(rig_count(&r, ROOT), 3);
	ck_assert_int_eq(fs_write(r.fs, file, "abc", 3, 0), 3);
	fs_file_release(r.fs, file);
	ck_assert_uint_eq(rig_free(&r), free);
	ck_assert_uint_eq(rig_inodes(&r), inodes);
	ck_assert_int_eq(fs_link(r.fs, node, ROOT, "late", &e), -ESTALE);

	file = nameless(&node, O_RDWR | O_EXCL);
	ck_assert_int_eq(fs_link(r.fs, node, ROOT, "never", &e), -ENOENT);
	fs_file_release(r.fs, file);
	ck_assert_uint_eq(rig_inodes(&r), inodes);
}
END_TEST

START_TEST(named_later)
{
	struct fs_file *file;
	struct fs_entry e;
	uint64_t node;
	char c;

	file = nameless(&node, O_RDWR);
	ck_assert_int_eq(fs_write(r.fs, file, "abc", 3, 0), 3);
	ck_assert_int_eq(fs_link(r.fs, node, ROOT, "named", &e), 0);
	ck_assert_uint_eq(e.st.st_nlink, 1);
	fs_file_release(r.fs, file);
	fs_rig_check(&r); /* it is on no list of those that are to be freed */
	node = rig_look(&r, ROOT, "named");
	file = rig_open(&r, node);
	ck_assert_int_eq(rig_read(&r, file, &c, 1, 2), 1);
	ck_assert_int_eq(c, 'c');
	ck_assert_int_eq(fs_unlink(r.fs, ROOT, "named"), 0);
	ck_assert_int_eq(fs_link(r.fs, node, ROOT, "again", &e), -ENOENT);
	fs_file_release(r.fs, file);
	ck_assert_int_eq(fs_link(r.fs, node, ROOT, "again", &e), -ESTALE);
}
END_TEST

START_TEST(unlink_and_rmdir)
{
	uint64_t dir = rig_dir(&r, "d"), sub, file = rig_file(&r, "f");

	ck_assert_uint_eq(nlink_of(ROOT), 3);
	ck_assert_int_eq(fs_unlink(r.fs, ROOT, "d"), -EISDIR);
	ck_assert_int_eq(fs_rmdir(r.fs, ROOT, "f"), -ENOTDIR);
	ck_assert_int_eq(fs_rmdir(r.fs, ROOT, "x"), -ENOENT);
	ck_assert_int_eq(rig_mkdir(&r, dir, "sub", &sub), 0);
	ck_assert_uint_eq(nlink_of(dir), 3);
	ck_assert_int_eq(fs_rmdir(r.fs, ROOT, "d"), -ENOTEMPTY);
	ck_assert_int_eq(fs_rmdir(r.fs, dir, "sub"), 0);
	ck_assert_uint_eq(nlink_of(dir), 2);
	ck_assert_int_eq(rig_create(&r, sub, "x", NULL), -ESTALE);
	ck_assert_int_eq(rig_create(&r, dir, "file", NULL), 0);
	ck_assert_int_eq(fs_rmdir(r.fs, ROOT, "d"), -ENOTEMPTY);
	ck_assert_int_eq(fs_unlink(r.fs, dir, "file"), 0);
	ck_assert_int_eq(fs_rmdir(r.fs, ROOT, "d"), 0);
	ck_assert_int_eq(fs_unlink(r.fs, ROOT, "f"), 0);
	ck_assert_uint_eq(nlink_of(ROOT), 2);
	ck_assert_int_eq(rig_count(&r, ROOT), 2);
	ck_assert_int_eq(fs_getattr(r.fs, file, &(struct stat){ 0 }), -ESTALE);
}
END_TEST

/* A directory that was removed while it is open takes no names any more. */
START_TEST(removed_directory)
{
	uint64_t dir = rig_dir(&r, "d"), other = rig_dir(&r, "e");
	uint64_t file = rig_file(&r, "f"), inodes;
	struct fs_file *open;
	struct fs_entry e;

	ck_assert_int_eq(fs_file_open(r.fs, dir, O_RDONLY, &open), 0);
	ck_assert_int_eq(fs_rmdir(r.fs, ROOT, "d"), 0);
	inodes = rig_inodes(&r);
	ck_assert_int_eq(rig_create(&r, dir, "x", NULL), -ENOENT);
	ck_assert_int_eq(rig_mkdir(&r, dir, "x", NULL), -ENOENT);
	ck_assert_int_eq(rig_symlink(&r, dir, "x", "y", NULL), -ENOENT);
	ck_assert_int_eq(fs_link(r.fs, file, dir, "x", &e), -ENOENT);
	ck_assert_int_eq(fs_rename(r.fs, ROOT, "f", dir, "x", 0), -ENOENT);
	ck_assert_int_eq(fs_rename(r.fs, ROOT, "e", dir, "x", 0), -ENOENT);
	ck_assert_int_eq(fs_rename(r.fs, dir, "x", ROOT, "x", 0), -ENOENT);
	ck_assert_int_eq(fs_rename(r.fs, ROOT, "f", dir, "x", 2), -ENOENT);
	ck_assert_int_eq(fs_unlink(r.fs, dir, "x"), -ENOENT);
	ck_assert_int_eq(fs_lookup(r.fs, dir, "x", &e), -ENOENT);
	ck_assert_uint_eq(rig_look(&r, ROOT, "f"), file);
	ck_assert_uint_eq(rig_look(&r, ROOT, "e"), other);
	fs_file_release(r.fs, open);
	ck_assert_uint_eq(rig_inodes(&r), inodes - 1);
	ck_assert_int_eq(rig_count(&r, dir), -ESTALE);
}
END_TEST

/* --- rename ---------------------------------------------------------------------- */

#define NOREPLACE 1u
#define EXCHANGE  2u

START_TEST(rename_files)
{
	uint64_t a = rig_file(&r, "a"), d = rig_dir(&r, "d"), b;

	ck_assert_int_eq(fs_rename(r.fs, ROOT, "a", ROOT, "a", 0), 0);
	ck_assert_int_eq(fs_rename(r.fs, ROOT, "a", ROOT, "a2", 0), 0);
	ck_assert_uint_eq(rig_look(&r, ROOT, "a"), 0);
	ck_assert_uint_eq(rig_look(&r, ROOT, "a2"), a);
	ck_assert_int_eq(fs_rename(r.fs, ROOT, "a2", d, "a", NOREPLACE), 0);
	ck_assert_uint_eq(rig_look(&r, d, "a"), a);
	ck_assert_int_eq(rig_create(&r, d, "b", &b), 0);
	ck_assert_int_eq(fs_rename(r.fs, d, "b", d, "a", NOREPLACE), -EEXIST);
	ck_assert_int_eq(fs_rename(r.fs, d, "b", d, "a", 0), 0);
	ck_assert_uint_eq(rig_look(&r, d, "a"), b);
	ck_assert_uint_eq(rig_look(&r, d, "b"), 0);
	ck_assert_int_eq(fs_getattr(r.fs, a, &(struct stat){ 0 }), -ESTALE);
	ck_assert_int_eq(fs_rename(r.fs, d, "none", d, "a", 0), -ENOENT);
	ck_assert_int_eq(fs_rename(r.fs, d, "a", d, "none", EXCHANGE), -ENOENT);
	ck_assert_int_eq(fs_rename(r.fs, d, "a", d, "x", NOREPLACE | EXCHANGE),
			 -EINVAL);
	ck_assert_int_eq(fs_rename(r.fs, d, "a", d, "x", 4), -EINVAL);
	ck_assert_int_eq(rig_count(&r, d), 3);
}
END_TEST

/* Two names of one inode: rename leaves both, as POSIX has it. */
START_TEST(rename_to_a_link_of_it)
{
	uint64_t a = rig_file(&r, "a"), d = rig_dir(&r, "d");
	struct fs_entry e;

	ck_assert_int_eq(fs_link(r.fs, a, d, "b", &e), 0);
	ck_assert_int_eq(fs_rename(r.fs, ROOT, "a", d, "b", 0), 0);
	ck_assert_int_eq(fs_rename(r.fs, ROOT, "a", d, "b", EXCHANGE), 0);
	ck_assert_int_eq(fs_rename(r.fs, ROOT, "a", d, "b", NOREPLACE),
			 -EEXIST);
	ck_assert_int_eq(fs_rename(r.fs, ROOT, "a", ROOT, "a", NOREPLACE),
			 -EEXIST);
	ck_assert_uint_eq(rig_look(&r, ROOT, "a"), a);
	ck_assert_uint_eq(rig_look(&r, d, "b"), a);
	ck_assert_uint_eq(nlink_of(a), 2);
}
END_TEST

START_TEST(rename_directories)
{
	uint64_t a = rig_dir(&r, "a"), b = rig_dir(&r, "b"), aa, bb;
	struct fs_entry e;

	rig_file(&r, "f");
	ck_assert_int_eq(rig_mkdir(&r, a, "aa", &aa), 0);
	ck_assert_int_eq(rig_mkdir(&r, b, "bb", &bb), 0);
	ck_assert_int_eq(rig_create(&r, bb, "x", NULL), 0);

	ck_assert_int_eq(fs_rename(r.fs, ROOT, "f", ROOT, "a", 0), -EISDIR);
	ck_assert_int_eq(fs_rename(r.fs, ROOT, "a", ROOT, "f", 0), -ENOTDIR);
	ck_assert_int_eq(fs_rename(r.fs, a, "aa", b, "bb", 0), -ENOTEMPTY);
	/* No directory may become a part of itself, */
	ck_assert_int_eq(fs_rename(r.fs, ROOT, "a", a, "x", 0), -EINVAL);
	ck_assert_int_eq(fs_rename(r.fs, ROOT, "a", aa, "x", 0), -EINVAL);
	ck_assert_int_eq(fs_rename(r.fs, ROOT, "b", bb, "x", 0), -EINVAL);
	ck_assert_int_eq(fs_rename(r.fs, ROOT, "b", bb, "x", EXCHANGE),
			 -EINVAL);
	ck_assert_int_eq(fs_rename(r.fs, bb, "x", ROOT, "b", EXCHANGE),
			 -EINVAL);
	/* or take the place of one above it. */
	ck_assert_int_eq(fs_rename(r.fs, b, "bb", ROOT, "b", 0), -ENOTEMPTY);
	ck_assert_int_eq(fs_rename(r.fs, b, "bb", ROOT, "b", NOREPLACE),
			 -EEXIST);

	ck_assert_int_eq(fs_rename(r.fs, b, "bb", a, "aa", 0), 0);
	ck_assert_int_eq(fs_getattr(r.fs, aa, &(struct stat){ 0 }), -ESTALE);
	ck_assert_uint_eq(rig_look(&r, a, "aa"), bb);
	ck_assert_int_eq(fs_lookup(r.fs, bb, "..", &e), 0);
	ck_assert_uint_eq(e.node, a);
	ck_assert_uint_eq(nlink_of(a), 3);
	ck_assert_uint_eq(nlink_of(b), 2);
	/* In one directory, over an empty one. */
	ck_assert_int_eq(fs_rename(r.fs, ROOT, "a", ROOT, "b", 0), 0);
	ck_assert_uint_eq(rig_look(&r, ROOT, "b"), a);
	ck_assert_uint_eq(nlink_of(ROOT), 3);
	ck_assert_uint_eq(rig_look(&r, bb, "x") != 0, 1);
}
END_TEST

START_TEST(rename_exchange)
{
	uint64_t a = rig_dir(&r, "a"), b = rig_dir(&r, "b"), d, f;
	struct fs_entry e;

	ck_assert_int_eq(rig_mkdir(&r, a, "d", &d), 0);
	ck_assert_int_eq(rig_create(&r, b, "f", &f), 0);
	ck_assert_int_eq(fs_rename(r.fs, a, "d", b, "f", EXCHANGE), 0);
	ck_assert_uint_eq(rig_look(&r, a, "d"), f);
	ck_assert_uint_eq(rig_look(&r, b, "f"), d);
	ck_assert_uint_eq(nlink_of(a), 2);
	ck_assert_uint_eq(nlink_of(b), 3);
	ck_assert_int_eq(fs_lookup(r.fs, d, "..", &e), 0);
	ck_assert_uint_eq(e.node, b);
	/* Two directories, and two names in one. */
	ck_assert_int_eq(fs_rename(r.fs, ROOT, "a", ROOT, "b", EXCHANGE), 0);
	ck_assert_uint_eq(rig_look(&r, ROOT, "a"), b);
	ck_assert_uint_eq(rig_look(&r, ROOT, "b"), a);
	ck_assert_uint_eq(nlink_of(ROOT), 4);
	/* readdir's types have changed places, too: fsck looks. */
}
END_TEST

START_TEST(rename_over_an_open_file)
{
	uint64_t a = rig_file(&r, "a"), b = rig_file(&r, "b");
	struct fs_file *file = rig_open(&r, b);
	char buf[3];

	ck_assert_int_eq(fs_write(r.fs, file, "abc", 3, 0), 3);
	ck_assert_int_eq(fs_rename(r.fs, ROOT, "a", ROOT, "b", 0), 0);
	ck_assert_uint_eq(rig_look(&r, ROOT, "b"), a);
	ck_assert_int_eq(rig_read(&r, file, buf, 3, 0), 3);
	ck_assert_mem_eq(buf, "abc", 3);
	ck_assert_uint_eq(nlink_of(b), 0);
	fs_file_release(r.fs, file);
	ck_assert_int_eq(fs_getattr(r.fs, b, &(struct stat){ 0 }), -ESTALE);
}
END_TEST

/* --- readdir ---------------------------------------------------------------------- */

#define NAMES scratch_scale(3000u, 800u)

struct listing {
	unsigned int seen[4000];
	unsigned int dots, dotdots, wrong;
	unsigned int room; /* entries that this call takes */
	uint64_t next;
};

static int list_one(void *arg, const struct fs_dirent *d)
{
	struct listing *l = arg;

	if (l->room == 0)
		return 1;
	l->room--;
	l->next = d->next;
	if (strcmp(d->name, ".") == 0)
		l->dots++;
	else if (strcmp(d->name, "..") == 0)
		l->dotdots++;
	else if (d->type == S_IFREG)
		l->seen[strtoul(d->name, NULL, 10)]++;
	else
		l->wrong++;
	return 0;
}

/* list - by so many entries a call; changes, if given, happens in between */
static void list(struct listing *l, uint64_t dir, unsigned int room,
		 void (*changes)(uint64_t dir, unsigned int round))
{
	memset(l, 0, sizeof(*l));
	for (unsigned int round = 0;; round++) {
		l->room = room;
		ck_assert_int_eq(
			fs_readdir(r.fs, dir, l->next, false, list_one, l), 0);
		if (l->room > 0)
			return;
		if (changes)
			changes(dir, round);
	}
}

static void fill_dir(uint64_t dir)
{
	char name[16];

	for (unsigned int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "%u", i);
		ck_assert_int_eq(rig_create(&r, dir, name, NULL), 0);
	}
}

START_TEST(readdir_in_pieces)
{
	static const unsigned int room[] = { 1, 2, 3, 31, 32, 33, 64, 5000 };
	uint64_t dir = rig_dir(&r, "d");
	struct listing *l = malloc(sizeof(*l));

	list(l, dir, 5, NULL);
	ck_assert_uint_eq(l->dots, 1);
	fill_dir(dir);
	for (unsigned int i = 0; i < ARRAY_SIZE(room); i++) {
		list(l, dir, room[i], NULL);
		ck_assert_uint_eq(l->dots, 1);
		ck_assert_uint_eq(l->dotdots, 1);
		ck_assert_uint_eq(l->wrong, 0);
		for (unsigned int k = 0; k < NAMES; k++)
			ck_assert_uint_eq(l->seen[k], 1);
	}
	free(l);
}
END_TEST

/* change_around - odd names go and come back, in every round some */
static void change_around(uint64_t dir, unsigned int round)
{
	char name[16];

	for (unsigned int i = 1 + 2 * (round % 10); i < NAMES; i += 20) {
		snprintf(name, sizeof(name), "%u", i);
		if (fs_unlink(r.fs, dir, name))
			ck_assert_int_eq(rig_create(&r, dir, name, NULL), 0);
	}
}

/* What stays is seen exactly once, what comes and goes at most once. */
START_TEST(readdir_while_it_changes)
{
	uint64_t dir = rig_dir(&r, "d");
	struct listing *l = malloc(sizeof(*l));

	fill_dir(dir);
	list(l, dir, 25, change_around);
	for (unsigned int k = 0; k < NAMES; k += 2)
		ck_assert_uint_eq(l->seen[k], 1);
	/*
	 * A name that went and came back is a new entry, in the old one's
	 * place or behind it: it may be met twice only if nothing was between.
	 */
	for (unsigned int k = 1; k < NAMES; k += 2)
		ck_assert_uint_le(l->seen[k], 1);
	free(l);
}
END_TEST

static int check_plus(void *arg, const struct fs_dirent *d)
{
	uint64_t dir = *(uint64_t *)arg;
	bool dots = d->name[0] == '.';

	ck_assert(d->has_entry == !dots);
	if (dots)
		return 0;
	ck_assert_uint_eq(d->entry.node, rig_look(&r, dir, d->name));
	ck_assert_uint_eq(d->entry.st.st_mode & S_IFMT, d->type);
	ck_assert_uint_eq(d->entry.st.st_ino, d->ino);
	return 0;
}

START_TEST(readdir_with_attributes)
{
	uint64_t dir = rig_dir(&r, "d");

	ck_assert_int_eq(rig_create(&r, dir, "f", NULL), 0);
	ck_assert_int_eq(rig_mkdir(&r, dir, "d", NULL), 0);
	ck_assert_int_eq(rig_symlink(&r, dir, "l", "x", NULL), 0);
	ck_assert_int_eq(fs_readdir(r.fs, dir, 0, true, check_plus, &dir), 0);
}
END_TEST

START_TEST(paths)
{
	uint64_t a = rig_dir(&r, "a"), b, f;
	struct volume *vol = fs_volume(r.fs);
	char path[64], small[6];
	struct fs_file *file;

	ck_assert_int_eq(rig_mkdir(&r, a, "b", &b), 0);
	ck_assert_int_eq(rig_create(&r, b, "file", &f), 0);
	fs_path(vol, rig_stat(&r, f).st_ino, path, sizeof(path));
	ck_assert_str_eq(path, "/a/b/file");
	fs_path(vol, rig_stat(&r, f).st_ino, small, sizeof(small));
	ck_assert_str_eq(small, "/file");
	ck_assert_int_eq(fs_rename(r.fs, b, "file", ROOT, "g", 0), 0);
	fs_path(vol, rig_stat(&r, f).st_ino, path, sizeof(path));
	ck_assert_str_eq(path, "/g");
	file = rig_open(&r, f);
	ck_assert_int_eq(fs_unlink(r.fs, ROOT, "g"), 0);
	fs_path(vol, rig_stat(&r, f).st_ino, path, sizeof(path));
	ck_assert_str_eq(path, "");
	fs_file_release(r.fs, file);
}
END_TEST

/* --- all of it at random ----------------------------------------------------------- */

#define DIRS  6u
#define SLOTS 8u

/* struct slot - what a name of a directory leads to: a node, or 0 */
struct slot {
	uint64_t node;
	bool is_dir;
};

static struct {
	uint64_t dir[DIRS];
	struct slot slot[DIRS][SLOTS];
} model;

static const char *slot_name(unsigned int s)
{
	static char name[2][24];
	static unsigned int turn;

	turn = !turn;
	snprintf(name[turn], sizeof(name[turn]), "name%u", s);
	return name[turn];
}

static unsigned int pick(uint64_t *seed, unsigned int n)
{
	return (unsigned int)(scratch_random(seed) % n);
}

static bool slot_is_empty_dir(const struct slot *s)
{
	return s->is_dir && rig_count(&r, s->node) == 2;
}

/* expect_rename - what it should say, files and empty directories only */
static int expect_rename(const struct slot *from, const struct slot *to,
			 unsigned int flags)
{
	if (!from->node)
		return -ENOENT;
	if (flags & EXCHANGE)
		return to->node ? 0 : -ENOENT;
	if (!to->node)
		return 0;
	if (flags & NOREPLACE)
		return -EEXIST;
	if (from->node == to->node)
		return 0;
	if (from->is_dir && !to->is_dir)
		return -ENOTDIR;
	if (!from->is_dir && to->is_dir)
		return -EISDIR;
	return 0;
}

static void try_rename(uint64_t *seed)
{
	unsigned int d1 = pick(seed, DIRS), flags;
	unsigned int d2 = pick(seed, DIRS);
	unsigned int s1 = pick(seed, SLOTS);
	unsigned int s2 = pick(seed, SLOTS);
	struct slot *from = &model.slot[d1][s1], *to = &model.slot[d2][s2], t;
	int err;

	flags = pick(seed, 3);
	err = expect_rename(from, to, flags);
	ck_assert_int_eq(fs_rename(r.fs, model.dir[d1], slot_name(s1),
				   model.dir[d2], slot_name(s2), flags),
			 err);
	if (err || from == to || (to->node && from->node == to->node))
		return;
	t = *to;
	*to = *from;
	*from = flags & EXCHANGE ? t : (struct slot){ 0 };
}

static void try_make(uint64_t *seed)
{
	unsigned int d = pick(seed, DIRS);
	unsigned int s = pick(seed, SLOTS);
	struct slot *at = &model.slot[d][s], new = { 0 };
	int err = at->node ? -EEXIST : 0;

	new.is_dir = pick(seed, 2);
	if (new.is_dir)
		ck_assert_int_eq(rig_mkdir(&r, model.dir[d], slot_name(s),
					   &new.node),
				 err);
	else
		ck_assert_int_eq(rig_create(&r, model.dir[d], slot_name(s),
					    &new.node),
				 err);
	if (!err)
		*at = new;
}

static void try_remove(uint64_t *seed)
{
	unsigned int d = pick(seed, DIRS);
	unsigned int s = pick(seed, SLOTS);
	bool rmdir = pick(seed, 2);
	struct slot *at = &model.slot[d][s];
	int err = 0;

	if (!at->node)
		err = -ENOENT;
	else if (rmdir && !at->is_dir)
		err = -ENOTDIR;
	else if (!rmdir && at->is_dir)
		err = -EISDIR;
	else if (rmdir && !slot_is_empty_dir(at))
		err = -ENOTEMPTY;
	ck_assert_int_eq(rmdir ? fs_rmdir(r.fs, model.dir[d], slot_name(s)) :
				 fs_unlink(r.fs, model.dir[d], slot_name(s)),
			 err);
	if (!err)
		*at = (struct slot){ 0 };
}

static void try_link(uint64_t *seed)
{
	unsigned int d = pick(seed, DIRS);
	unsigned int s = pick(seed, SLOTS);
	const struct slot *what =
		&model.slot[pick(seed, DIRS)][pick(seed, SLOTS)];
	struct slot *at = &model.slot[d][s];
	struct fs_entry e;
	int err = at->node ? -EEXIST : 0;

	if (!what->node)
		return;
	if (what->is_dir)
		err = -EPERM;
	ck_assert_int_eq(
		fs_link(r.fs, what->node, model.dir[d], slot_name(s), &e), err);
	if (!err)
		*at = *what;
}

static void check_model(void)
{
	for (unsigned int d = 0; d < DIRS; d++) {
		int n = 2;

		for (unsigned int s = 0; s < SLOTS; s++) {
			n += model.slot[d][s].node != 0;
			ck_assert_uint_eq(rig_look(&r, model.dir[d],
						   slot_name(s)),
					  model.slot[d][s].node);
		}
		ck_assert_int_eq(rig_count(&r, model.dir[d]), n);
	}
}

START_TEST(random_names)
{
	uint64_t seed = (uint64_t)_i, inodes, free_blocks;
	char name[8];

	memset(&model, 0, sizeof(model));
	for (unsigned int i = 0; i < DIRS; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		model.dir[i] = rig_dir(&r, name);
	}
	/* So that the inode file has grown. */
	for (unsigned int i = 0; i < 2; i++)
		fill_dir(model.dir[i]);
	for (unsigned int i = 0; i < 2 * NAMES; i++) {
		snprintf(name, sizeof(name), "%u", i / 2);
		ck_assert_int_eq(fs_unlink(r.fs, model.dir[i % 2], name), 0);
	}
	inodes = rig_inodes(&r);
	free_blocks = rig_free(&r);
	for (unsigned int i = 0; i < scratch_scale(20000u, 4000u); i++) {
		switch (scratch_random(&seed) % 4) {
		case 0:
			try_make(&seed);
			break;
		case 1:
			try_remove(&seed);
			break;
		case 2:
			try_link(&seed);
			break;
		default:
			try_rename(&seed);
		}
		if (i % 1000 == 0)
			check_model();
	}
	fs_rig_check(&r);
	check_model();
	for (unsigned int d = 0; d < DIRS; d++)
		for (unsigned int s = 0; s < SLOTS; s++)
			if (model.slot[d][s].node)
				ck_assert_int_eq(
					model.slot[d][s].is_dir ?
						fs_rmdir(r.fs, model.dir[d],
							 slot_name(s)) :
						fs_unlink(r.fs, model.dir[d],
							  slot_name(s)),
					0);
	ck_assert_uint_eq(rig_inodes(&r), inodes);
	ck_assert_uint_eq(rig_free(&r), free_blocks);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_names");
	TCase *tc = tcase_create("fs_names");

	log_set_level(LOG_LEVEL_WARN);
	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, kinds_of_inodes);
	tcase_add_test(tc, set_group_id);
	tcase_add_test(tc, create_and_open);
	tcase_add_test(tc, names_that_cannot_be);
	tcase_add_test(tc, not_a_directory);
	tcase_add_test(tc, symbolic_links);
	tcase_add_test(tc, links);
	tcase_add_test(tc, most_links);
	tcase_add_test(tc, without_a_name);
	tcase_add_test(tc, named_later);
	tcase_add_test(tc, unlink_and_rmdir);
	tcase_add_test(tc, removed_directory);
	tcase_add_test(tc, rename_files);
	tcase_add_test(tc, rename_to_a_link_of_it);
	tcase_add_test(tc, rename_directories);
	tcase_add_test(tc, rename_exchange);
	tcase_add_test(tc, rename_over_an_open_file);
	tcase_add_test(tc, readdir_in_pieces);
	tcase_add_test(tc, readdir_while_it_changes);
	tcase_add_test(tc, readdir_with_attributes);
	tcase_add_test(tc, paths);
	tcase_add_loop_test(tc, random_names, 0, 3);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
