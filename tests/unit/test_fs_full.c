// SPDX-License-Identifier: BSD-3-Clause
/*
 * Space: full pools (S6), what statfs counts, files that outlive their names
 * (L10), and crashes (S1, S3).
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "fs_rig.h"
#include "scratch_cut.h"
#include "scratch_fsck.h"
#include "scratch_scale.h"
#include "scratch_volume.h"
#include "scratch.h"

#define MIB   (1ull << 20)
#define BLOCK ((uint64_t)PINFS_BLOCK_SIZE)

static const enum scratch_kind kinds[] = { SCRATCH_MEMORY, SCRATCH_DISK };

static struct fs_rig r;
static uint8_t buf[MIB];

static void set_up(void)
{
	fs_rig_make(&r, SCRATCH_MEMORY, 16 * MIB);
}

static void tear_down(void)
{
	fs_rig_close(&r);
	scratch_fsck(r.kind);
}

static void use_kind(enum scratch_kind kind)
{
	fs_rig_close(&r);
	fs_rig_make(&r, kind, 16 * MIB);
}

static const char *name_of(unsigned int i)
{
	static char name[16];

	snprintf(name, sizeof(name), "n%u", i);
	return name;
}

/* fill_up - append to a file until there is no space */
static uint64_t fill_up(struct fs_file *file, uint64_t off, size_t piece)
{
	ssize_t n;

	memset(buf, 0x77, sizeof(buf));
	while ((n = fs_write(r.fs, file, buf, piece, off)) > 0)
		off += (uint64_t)n;
	ck_assert_int_eq(n, -ENOSPC);
	return off;
}

/* make_many - empty files, until there is no space; returns how many */
static unsigned int make_many(unsigned int most)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < most && !err; i++)
		err = rig_create(&r, ROOT, name_of(i), NULL);
	ck_assert(err == 0 || err == -ENOSPC);
	return err ? i - 1 : i;
}

static void remove_many(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		ck_assert_int_eq(
			fs_unlink(r.fs, ROOT, name_of((i * 7 + 3) % n)), 0);
}

/* --- full pools -------------------------------------------------------------------- */

START_TEST(fill_and_empty)
{
	uint64_t node, free_blocks = 0, inodes;
	struct fs_file *file;
	unsigned int n;

	use_kind(kinds[_i]);
	inodes = rig_inodes(&r);
	for (unsigned int round = 0; round < 3; round++) {
		node = rig_file(&r, "big");
		file = rig_open(&r, node);
		fill_up(file, 0, MIB >> round);
		n = make_many(100000);
		/* Nothing works that needs a block, and nothing is half done. */
		ck_assert_int_eq(rig_create(&r, ROOT, "x", NULL), -ENOSPC);
		ck_assert_int_eq(rig_mkdir(&r, ROOT, "x", NULL), -ENOSPC);
		ck_assert_int_eq(fs_write(r.fs, file, "x", 1, 1ull << 40),
				 -ENOSPC);
		ck_assert_int_eq(rig_change(&r, node, PINFS_CHANGE_ALLOCATE,
					    1ull << 30, 50 * BLOCK, 0),
				 -ENOSPC);
		ck_assert_int_eq(rig_count(&r, ROOT), (int)n + 3);
		/* In place there is space. */
		ck_assert_int_eq(fs_write(r.fs, file, "x", 1, 5 * BLOCK), 1);
		fs_file_release(r.fs, file);
		remove_many(n);
		ck_assert_int_eq(fs_unlink(r.fs, ROOT, "big"), 0);
		ck_assert_uint_eq(rig_inodes(&r), inodes);
		/* The inode file keeps what it has grown to. */
		if (round == 0)
			free_blocks = rig_free(&r);
		ck_assert_uint_eq(rig_free(&r), free_blocks);
		fs_rig_check(&r);
		ck_assert_uint_eq(rig_free(&r), free_blocks);
	}
}
END_TEST

/*
 * Of a write that is too large, all is written that there is room for: behind a
 * short one not even a block fits. A program that goes on elsewhere in the file
 * would leave a hole where it has seen no error.
 */
START_TEST(a_short_write_is_the_last)
{
	for (uint64_t room = 1; room < 40; room++) {
		uint64_t node = rig_file(&r, "big"), used;
		struct fs_file *file = rig_open(&r, node), *other;
		ssize_t n;

		used = fill_up(file, 0, BLOCK);
		other = rig_open(&r, rig_file(&r, "other"));
		ck_assert_int_eq(rig_truncate(&r, node, used - room * BLOCK),
				 0);
		n = fs_write(r.fs, other, buf, 64 * BLOCK, 0);
		ck_assert_int_eq(n, (ssize_t)(room * BLOCK));
		ck_assert_int_eq(fs_write(r.fs, other, buf, 1, (uint64_t)n),
				 -ENOSPC);
		fs_file_release(r.fs, other);
		fs_file_release(r.fs, file);
		ck_assert_int_eq(fs_unlink(r.fs, ROOT, "other"), 0);
		ck_assert_int_eq(fs_unlink(r.fs, ROOT, "big"), 0);
	}
}
END_TEST

START_TEST(statfs_comes_back)
{
	uint64_t free_blocks, inodes = rig_inodes(&r), dir;
	char name[16];

	make_many(500);
	remove_many(500);
	free_blocks = rig_free(&r);
	/* One after another they do not make the inode file grow. */
	for (unsigned int i = 0; i < scratch_scale(20000u, 3000u); i++) {
		ck_assert_int_eq(rig_create(&r, ROOT, "f", NULL), 0);
		ck_assert_int_eq(fs_unlink(r.fs, ROOT, "f"), 0);
	}
	ck_assert_uint_eq(rig_free(&r), free_blocks);
	dir = rig_dir(&r, "d");
	for (unsigned int i = 0; i < 60; i++) {
		struct fs_file *file;
		uint64_t node;

		snprintf(name, sizeof(name), "%u", i);
		ck_assert_int_eq(rig_create(&r, dir, name, &node), 0);
		file = rig_open(&r, node);
		for (uint64_t k = 0; k < i; k++)
			ck_assert_int_eq(
				fs_write(r.fs, file, "x", 1, 2 * k * BLOCK), 1);
		ck_assert_int_eq(rig_stat(&r, node).st_blocks >= 8 * i, 1);
		ck_assert_int_eq(
			fs_setxattr(r.fs, node, "user.x", buf, i * 100, 0), 0);
		fs_file_release(r.fs, file);
	}
	ck_assert_uint_eq(rig_inodes(&r), inodes + 61);
	ck_assert_uint_lt(rig_free(&r), free_blocks - 1770);
	for (unsigned int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "%u", i * 37 % 60);
		ck_assert_int_eq(fs_unlink(r.fs, dir, name), 0);
	}
	ck_assert_int_eq(fs_rmdir(r.fs, ROOT, "d"), 0);
	ck_assert_uint_eq(rig_free(&r), free_blocks);
	ck_assert_uint_eq(rig_inodes(&r), inodes);
}
END_TEST

START_TEST(partial_writes)
{
	struct fs_file *big, *small;
	uint64_t size, at;
	ssize_t n;

	use_kind(kinds[_i]);
	small = rig_open(&r, rig_file(&r, "small"));
	big = rig_open(&r, rig_file(&r, "big"));
	ck_assert_int_eq(fs_write(r.fs, small, "abc", 3, 0), 3);
	size = fill_up(big, 0, 64 << 10);
	/* Room for ten blocks: a longer write is cut short. */
	ck_assert_int_eq(rig_truncate(&r, fs_node(fs_file_inode(big)),
				      size - 10 * BLOCK),
			 0);
	memset(buf, 0x55, sizeof(buf));
	at = BLOCK + 100;
	while ((n = fs_write(r.fs, small, buf, 50 * BLOCK, at)) > 0) {
		ck_assert_int_lt(n, 50 * BLOCK);
		at += (uint64_t)n;
	}
	ck_assert_int_eq(n, -ENOSPC);
	ck_assert_uint_ge(at, 9 * BLOCK);
	ck_assert_int_eq(rig_stat(&r, fs_node(fs_file_inode(small))).st_size,
			 (off_t)at);

	/* What it reports, and no more, is what it has stored (S6). */
	ck_assert_int_eq(fs_write(r.fs, small, "XYZ", 3, 2 * BLOCK - 2), 3);
	ck_assert_int_eq(rig_truncate(&r, fs_node(fs_file_inode(small)),
				      2 * BLOCK - 1),
			 0);
	fill_up(big, size - 10 * BLOCK, BLOCK);
	n = fs_write(r.fs, small, "+++", 3, 2 * BLOCK - 2);
	ck_assert_int_eq(n, 2);
	ck_assert_int_eq(fs_write(r.fs, small, "-", 1, 2 * BLOCK), -ENOSPC);
	ck_assert_int_eq(rig_read(&r, small, buf, 9, 2 * BLOCK - 3), 3);
	ck_assert_mem_eq(buf, "\x55++", 3);
	fs_file_release(r.fs, small);
	fs_file_release(r.fs, big);
}
END_TEST

/* S6: what gives space back works on a full pool, again and again. */
START_TEST(punch_a_full_pool)
{
	uint64_t node, size;
	struct fs_file *file;

	use_kind(kinds[_i]);
	node = rig_file(&r, "f");
	file = rig_open(&r, node);
	size = fill_up(file, 0, 256 << 10);
	/* Two edges and a hole each; extents, so nodes, and copies of blocks. */
	for (uint64_t at = 100; at + 3 * BLOCK < size; at += 4 * BLOCK)
		ck_assert_int_eq(rig_change(&r, node, PINFS_CHANGE_PUNCH_HOLE,
					    at, 2 * BLOCK + 77, 0),
				 0);
	ck_assert_int_eq(rig_change(&r, node, PINFS_CHANGE_COLLAPSE_RANGE,
				    BLOCK, 5 * BLOCK, 0),
			 0);
	ck_assert_int_eq(rig_change(&r, node, PINFS_CHANGE_INSERT_RANGE, BLOCK,
				    5 * BLOCK, 0),
			 0);
	ck_assert_int_eq(rig_truncate(&r, node, 10), 0);
	fs_file_release(r.fs, file);
}
END_TEST

/* --- files without names --------------------------------------------------------------- */

START_TEST(unlinked_while_open)
{
	uint64_t node, free_blocks, inodes;
	struct fs_file *a, *b;
	struct pinfs_ioc_stats st;

	use_kind(kinds[_i]);
	make_many(10);
	remove_many(10);
	free_blocks = rig_free(&r);
	inodes = rig_inodes(&r);
	node = rig_file(&r, "f");
	a = rig_open(&r, node);
	b = rig_open(&r, node);
	ck_assert_int_eq(fs_write(r.fs, a, buf, MIB, 0), MIB);
	ck_assert_int_eq(fs_unlink(r.fs, ROOT, "f"), 0);
	fs_stats(r.fs, &st);
	ck_assert_uint_eq(st.orphans, 1);
	/* L10: it is used, and counts, until the last close. */
	ck_assert_uint_le(rig_free(&r), free_blocks - 256);
	ck_assert_int_eq(fs_write(r.fs, a, buf, MIB, MIB), MIB);
	fs_file_release(r.fs, a);
	ck_assert_int_eq(rig_truncate(&r, node, 100), 0);
	ck_assert_int_eq(rig_read(&r, b, buf, 200, 0), 100);
	a = rig_open(&r, node);
	fs_file_release(r.fs, b);
	ck_assert_uint_eq(rig_inodes(&r), inodes + 1);
	fs_file_release(r.fs, a);
	ck_assert_uint_eq(rig_free(&r), free_blocks);
	ck_assert_uint_eq(rig_inodes(&r), inodes);
	fs_stats(r.fs, &st);
	ck_assert_uint_eq(st.orphans, 0);
	ck_assert_int_eq(fs_getattr(r.fs, node, &(struct stat){ 0 }), -ESTALE);
}
END_TEST

START_TEST(unlinked_while_pinned)
{
	struct pin_options opt = { .direction = PINFS_TO_DEVICE };
	uint64_t node, free_blocks = rig_free(&r), late;
	struct admission adm = { 0 };
	const struct pinned_run *runs;
	struct fs_file *file;
	struct pin_set *set;
	struct inode *ip;
	size_t n;

	for (unsigned int i = 0; i < 2; i++) {
		node = rig_file(&r, "f");
		file = rig_open(&r, node);
		ck_assert_int_eq(fs_write(r.fs, file, buf, MIB, 0), MIB);
		fs_file_release(r.fs, file);
		ck_assert_int_eq(fs_inode(r.fs, node, &ip), 0);
		ck_assert_int_eq(pin_set_begin(fs_layouts(r.fs), &opt, &set),
				 0);
		ck_assert_int_eq(layout_admit(set, ip, 0, 1 << 20, &adm), 0);
		ck_assert_int_eq(layout_pin(set, ip, 0, 256, &runs, &n), 0);
		inode_put(ip);
		/* L10: at once, and nothing of it is anybody else's (L1). */
		if (i == 0) {
			ck_assert_int_eq(fs_unlink(r.fs, ROOT, "f"), 0);
		} else {
			rig_file(&r, "over");
			ck_assert_int_eq(
				fs_rename(r.fs, ROOT, "over", ROOT, "f", 0), 0);
		}
		late = rig_file(&r, "late");
		file = rig_open(&r, late);
		fill_up(file, 0, MIB);
		fs_file_release(r.fs, file);
		for (size_t k = 0; k < n; k++)
			memset(volume_block(fs_volume(r.fs), runs[k].pblk), 0,
			       runs[k].count * BLOCK);
		file = rig_open(&r, late);
		for (uint64_t at = 0; rig_read(&r, file, buf, MIB, at) > 0;
		     at += MIB)
			ck_assert_uint_eq(buf[0] & buf[BLOCK] & buf[MIB / 2],
					  0x77);
		fs_file_release(r.fs, file);
		ck_assert_int_eq(fs_unlink(r.fs, ROOT, "late"), 0);
		ck_assert_uint_lt(rig_free(&r), free_blocks - 255);
		pin_set_free(set);
		ck_assert_uint_ge(rig_free(&r), free_blocks - 20);
	}
}
END_TEST

/* --- crashes --------------------------------------------------------------------------- */

/* The child: files open and unlinked, a directory too, and it dies. */
static int leave_open(void *arg, long stores)
{
	struct fs_file *file;
	uint64_t node;

	(void)arg;
	(void)stores;
	fs_rig_open(&r);
	for (unsigned int i = 0; i < 40; i++) {
		node = rig_file(&r, name_of(i));
		file = rig_open(&r, node);
		if (fs_write(r.fs, file, buf, (i % 4) * 50 * BLOCK + 1, i) < 0)
			return -1;
		for (uint64_t k = 0; k < 13; k++)
			if (i % 5 == 0 && fs_write(r.fs, file, "x", 1,
						   (1000 + 2 * k) * BLOCK) < 0)
				return -1;
		if (fs_unlink(r.fs, ROOT, name_of(i)))
			return -1;
	}
	node = rig_dir(&r, "d");
	if (fs_file_open(r.fs, node, O_RDONLY, &file))
		return -1;
	return fs_rmdir(r.fs, ROOT, "d");
}

START_TEST(crash_with_open_files)
{
	uint64_t free_blocks, inodes;

	use_kind(kinds[_i]);
	make_many(50);
	remove_many(50);
	free_blocks = rig_free(&r);
	inodes = rig_inodes(&r);
	fs_rig_close(&r);
	ck_assert(scratch_cut(leave_open, NULL, 0));
	scratch_fsck(r.kind);
	fs_rig_open(&r);
	ck_assert_uint_eq(rig_free(&r), free_blocks);
	ck_assert_uint_eq(rig_inodes(&r), inodes);
	ck_assert_int_eq(rig_count(&r, ROOT), 2);
}
END_TEST

#define GENERATIONS 12u

/* save - as editors do: a new file, renamed over the old one */
static int save(unsigned int generation)
{
	struct fs_file *file;
	uint64_t node;
	int err = rig_create(&r, ROOT, "new", &node);

	if (err)
		return err;
	file = rig_open(&r, node);
	memset(buf, (int)generation, 3 * BLOCK);
	if (fs_write(r.fs, file, buf, 3 * BLOCK, 0) != 3 * BLOCK)
		return -EIO;
	fs_file_release(r.fs, file);
	err = fs_setxattr(r.fs, node, "user.g", &generation, 4, 0);
	return err ? err : fs_rename(r.fs, ROOT, "new", ROOT, "doc", 0);
}

static int save_often(void *arg, long stores)
{
	(void)arg;
	fs_rig_open(&r);
	scratch_cut_after(r.pool, stores);
	for (unsigned int i = 1; i <= GENERATIONS; i++) {
		int err = save(i);

		if (err)
			return err;
	}
	return 0;
}

/* check_doc - one generation, all of it; returns which */
static unsigned int check_doc(void)
{
	uint64_t node = rig_look(&r, ROOT, "doc");
	struct fs_file *file;
	unsigned int g;

	ck_assert_uint_ne(node, 0);
	ck_assert_int_eq(fs_getxattr(r.fs, node, "user.g", &g, 4), 4);
	file = rig_open(&r, node);
	ck_assert_int_eq(rig_read(&r, file, buf, 4 * BLOCK, 0), 3 * BLOCK);
	for (uint64_t i = 0; i < 3 * BLOCK; i++)
		if (buf[i] != g)
			ck_abort_msg("byte %llu is of generation %u, not %u",
				     (unsigned long long)i, buf[i], g);
	fs_file_release(r.fs, file);
	return g;
}

/* S1: the name is never without a whole file, at whatever store it ends. */
START_TEST(crash_while_saving)
{
	unsigned int last = 0, g;
	bool over = false;

	use_kind(kinds[_i]);
	ck_assert_int_eq(save(0), 0);
	fs_rig_close(&r);
	scratch_keep(r.kind);
	for (long stores = 0; !over; stores += scratch_scale(2, 9)) {
		scratch_restore(r.kind);
		over = scratch_cut(save_often, NULL, stores);
		fs_rig_open(&r);
		g = check_doc();
		ck_assert_uint_ge(g, last);
		last = g;
		ck_assert_int_le(rig_count(&r, ROOT), 4);
		fs_rig_close(&r);
		scratch_fsck(r.kind);
	}
	ck_assert_uint_eq(last, GENERATIONS);
	fs_rig_open(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_full");
	TCase *tc = tcase_create("fs_full");

	log_set_level(LOG_LEVEL_WARN);
	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, fill_and_empty, 0, ARRAY_SIZE(kinds));
	tcase_add_test(tc, a_short_write_is_the_last);
	tcase_add_test(tc, statfs_comes_back);
	tcase_add_loop_test(tc, partial_writes, 0, ARRAY_SIZE(kinds));
	tcase_add_loop_test(tc, punch_a_full_pool, 0, ARRAY_SIZE(kinds));
	tcase_add_loop_test(tc, unlinked_while_open, 0, ARRAY_SIZE(kinds));
	tcase_add_test(tc, unlinked_while_pinned);
	tcase_add_loop_test(tc, crash_with_open_files, 0, ARRAY_SIZE(kinds));
	tcase_add_loop_test(tc, crash_while_saving, 0, ARRAY_SIZE(kinds));
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
