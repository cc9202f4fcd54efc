// SPDX-License-Identifier: BSD-3-Clause
/*
 * fsck.pinfs and the library agree: what the library has written, closed or
 * cut off by a crash, fsck finds nothing in (S3).
 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "format/make.h"
#include "inode/dir.h"
#include "inode/extent.h"
#include "inode/inode.h"
#include "inode/volume.h"
#include "inode/xattr.h"
#include "scratch.h"
#include "space/space.h"

#define FILES	3000
#define EXTENTS 400

static int run_fsck(const char *pool)
{
	char self[4096], path[4200];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int status;
	pid_t pid;

	ck_assert_int_gt(n, 0);
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(path, sizeof(path), "%s/../fsck.pinfs", self);
	pid = fork();
	if (!pid) {
		execl(path, "fsck.pinfs", "-n", pool, (char *)NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static struct pool *open_pool(enum scratch_kind kind, bool make)
{
	const char *path = scratch_path(kind, "pool");
	struct format_options opt;
	struct pool *p;

	if (make) {
		unlink(path);
		ck_assert_int_eq(pool_create(path, 64 << 20), 0);
	}
	ck_assert_int_eq(pool_open(path, 0, &p, NULL), 0);
	if (make) {
		ck_assert_int_eq(format_options_init(&opt), 0);
		ck_assert_int_eq(format_make(p, &opt), 0);
	}
	return p;
}

/* make - a file or directory of that name in dir */
static uint64_t make(struct volume *vol, struct inode *dir, const char *name,
		     uint32_t mode)
{
	struct inode_init init = {
		.mode = mode,
		.nlink = S_ISDIR(mode) ? 2 : 1,
		.parent = S_ISDIR(mode) ? dir->ino : 0,
	};
	unsigned int guard = journal_enter(vol->journal);
	struct tx *tx = tx_begin(vol->journal);
	struct pinfs_inode *di;
	struct inode *ip;
	uint64_t ino;

	pthread_rwlock_wrlock(&dir->lock);
	ck_assert_int_eq(inode_new(vol, tx, &init, &ip), 0);
	ck_assert_int_eq(
		dir_add(dir, tx, name, strlen(name), ip->ino, IFTODT(mode)), 0);
	if (S_ISDIR(mode)) {
		di = inode_edit(dir, tx);
		di->nlink = cpu_to_le32(le32_to_cpu(di->nlink) + 1);
	}
	if (ip->ino % 5 == 0)
		ck_assert_int_eq(xattr_set(ip, tx, "user.name", name,
					   strlen(name), 0),
				 0);
	ck_assert_int_eq(tx_commit(tx), 0);
	ino = ip->ino;
	pthread_rwlock_unlock(&ip->lock);
	pthread_rwlock_unlock(&dir->lock);
	journal_leave(vol->journal, guard);
	inode_put(ip);
	return ino;
}

static void unlink_name(struct volume *vol, struct inode *dir, const char *name)
{
	unsigned int guard = journal_enter(vol->journal);
	struct dir_entry e;
	struct inode *ip;
	struct tx *tx;

	pthread_rwlock_wrlock(&dir->lock);
	ck_assert_int_eq(dir_lookup(dir, NULL, name, strlen(name), &e), 0);
	ck_assert_int_eq(inode_get(vol, e.ino, INODE_ANY_GEN, &ip), 0);
	pthread_rwlock_wrlock(&ip->lock);
	tx = tx_begin(vol->journal);
	ck_assert_int_eq(dir_remove(dir, tx, name, strlen(name)), 0);
	inode_edit(ip, tx)->nlink = cpu_to_le32(0);
	ck_assert_int_eq(orphan_add(ip, tx), 0);
	ck_assert_int_eq(tx_commit(tx), 0);
	ip->unlinked = true;
	pthread_rwlock_unlock(&ip->lock);
	pthread_rwlock_unlock(&dir->lock);
	journal_leave(vol->journal, guard);
	inode_put(ip);
}

/* fragment - a file of many extents, every other file block */
static void fragment(struct volume *vol, uint64_t ino)
{
	struct space_run run;
	struct extent e;
	struct inode *ip;
	unsigned int guard, i;
	struct tx *tx;

	ck_assert_int_eq(inode_get(vol, ino, INODE_ANY_GEN, &ip), 0);
	pthread_rwlock_wrlock(&ip->lock);
	for (i = 0; i < EXTENTS; i++) {
		guard = journal_enter(vol->journal);
		tx = tx_begin(vol->journal);
		ck_assert_int_eq(space_alloc(vol->space, tx, 0, 1, 0, &run), 0);
		e = (struct extent){
			.lblk = 2 * (i * 7 % EXTENTS),
			.pblk = run.first,
			.len = 1,
			.unwritten = true,
		};
		ck_assert_int_eq(extent_add(ip, tx, &e), 0);
		ck_assert_int_eq(tx_commit(tx), 0);
		journal_leave(vol->journal, guard);
	}
	pthread_rwlock_unlock(&ip->lock);
	inode_put(ip);
}

static void populate(struct volume *vol)
{
	struct inode *root, *sub;
	uint64_t ino = 0;
	char name[300];
	int i;

	ck_assert_int_eq(inode_get(vol, 1, INODE_ANY_GEN, &root), 0);
	ino = make(vol, root, "sub", S_IFDIR | 0755);
	ck_assert_int_eq(inode_get(vol, ino, INODE_ANY_GEN, &sub), 0);
	for (i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "%0*d", 1 + i % 200, i);
		ino = make(vol, i % 3 ? sub : root, name, S_IFREG | 0644);
		if (i % 1000 < 2)
			fragment(vol, ino);
	}
	for (i = 0; i < FILES; i += 2) {
		snprintf(name, sizeof(name), "%0*d", 1 + i % 200, i);
		unlink_name(vol, i % 3 ? sub : root, name);
	}
	inode_put(sub);
	inode_put(root);
}

static const struct {
	enum scratch_kind kind;
	bool crash;
} cases[] = {
	{ SCRATCH_MEMORY, false },
	{ SCRATCH_MEMORY, true },
	{ SCRATCH_DISK, false },
	{ SCRATCH_DISK, true },
};

START_TEST(nothing_to_say)
{
	struct pool *p = open_pool(cases[_i].kind, true);
	struct volume *vol;

	ck_assert_int_eq(volume_open(p, 0, &vol), 0);
	populate(vol);
	if (cases[_i].crash)
		volume_abandon(vol);
	else
		ck_assert_int_eq(volume_close(vol), 0);
	pool_close(p);
	ck_assert_int_eq(run_fsck(scratch_path(cases[_i].kind, "pool")), 0);

	/* Nor after the mount that follows. */
	p = open_pool(cases[_i].kind, false);
	ck_assert_int_eq(volume_open(p, 0, &vol), 0);
	ck_assert_int_eq(volume_close(vol), 0);
	pool_close(p);
	ck_assert_int_eq(run_fsck(scratch_path(cases[_i].kind, "pool")), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fsck_volume");
	TCase *tc = tcase_create("fsck_volume");

	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_loop_test(tc, nothing_to_say, 0, ARRAY_SIZE(cases));
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
