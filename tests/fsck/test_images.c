// SPDX-License-Identifier: BSD-3-Clause
/*
 * Damaged images: each with exactly the findings that it deserves, repaired
 * with exactly the loss that cannot be helped, and nothing found any more.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/scratch.h"
#include "../unit/scratch_fsck.h"
#include "../unit/scratch_scale.h"
#include "base/util.h"
#include "cut.h"
#include "fsck/fsck.h"
#include "images.h"
#include "manifest.h"

static char out[1 << 20];

/* print_of - a fingerprint of all that is in the pool, holes apart */
static uint64_t print_of(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t from = 0, to;
	uint64_t h = 0;
	uint8_t *b;

	ck_assert_int_ge(fd, 0);
	while ((from = lseek(fd, from, SEEK_DATA)) >= 0) {
		to = lseek(fd, from, SEEK_HOLE);
		b = malloc((size_t)(to - from));
		ck_assert_int_eq(pread(fd, b, (size_t)(to - from), from),
				 to - from);
		h = format_csum(b, (size_t)(to - from), 0, h ^ (uint64_t)from);
		free(b);
		from = to;
	}
	close(fd);
	return h;
}

static int fsck(const char *option, const char *path)
{
	return scratch_fsck_run(option, path, out, sizeof(out));
}

/* fsck_changes_nothing - with that option; returns the exit code */
static int fsck_changes_nothing(const char *option, const char *path)
{
	uint64_t before = print_of(path);
	int code = fsck(option, path);

	ck_assert_msg(print_of(path) == before, "%s has changed it", option);
	return code;
}

static void expect_clean(const char *path)
{
	int code = fsck_changes_nothing("-n", path);

	ck_assert_msg(!code, "found by the second run: %s", out);
}

/* expect_kept - the image at path has what it should have after a repair */
static void expect_kept(const struct image *im, const char *path)
{
	struct manifest was, is;
	char text[4096];

	manifest_take(&is, path);
	/* What the library does with it leaves it whole. */
	expect_clean(path);
	image_make(NULL, im->tree);
	manifest_take(&was, path);
	manifest_diff(&was, &is, text, sizeof(text));
	ck_assert_msg(!strcmp(text, im->differs), "differs: %s", text);
	manifest_free(&was);
	manifest_free(&is);
}

START_TEST(is_found)
{
	const struct image *im = &images[_i];
	const char *path = image_make(im, im->tree);
	char text[512];
	int code;

	ck_assert_int_eq(fsck_changes_nothing("-n", path),
			 im->found[0] ? 4 : 0);
	code = scratch_fsck_codes(path, text, sizeof(text));
	ck_assert_msg(!strcmp(text, im->found), "%s: %s", im->name, text);
	ck_assert_int_eq(code, im->found[0] ? 4 : 0);
}
END_TEST

START_TEST(is_repaired)
{
	const struct image *im = &images[_i];
	const char *path = image_make(im, im->tree);
	int code;

	if (im->cure == LEFT) {
		ck_assert_int_eq(fsck_changes_nothing("-y", path), 4);
		return;
	}
	code = fsck("-y", path);
	ck_assert_msg(code == !!im->found[0], "%s: %d: %s", im->name, code,
		      out);
	expect_clean(path);
	expect_kept(im, path);
}
END_TEST

START_TEST(is_preened)
{
	const struct image *im = &images[_i];
	const char *path = image_make(im, im->tree);

	if (im->cure != PREENED) {
		ck_assert_int_eq(fsck_changes_nothing("-p", path), 4);
		return;
	}
	ck_assert_int_eq(fsck("-p", path), !!im->found[0]);
	expect_clean(path);
	expect_kept(im, path);
}
END_TEST

/* mounts - would a mount take the pool, half repaired as it is? */
static bool mounts(const char *path)
{
	struct pool *pool;
	const struct pinfs_super *sb;
	const struct pinfs_jstate *a;
	bool is;

	ck_assert_int_eq(pool_open(path, POOL_READ_ONLY, &pool, NULL), 0);
	sb = (const void *)(pool->base + (pool->size - PINFS_BLOCK_SIZE));
	a = (const void *)(pool->base +
			   le64_to_cpu(sb->journal_start) * PINFS_BLOCK_SIZE);
	is = format_jstate_pick(
		a, (const void *)((const uint8_t *)a + PINFS_BLOCK_SIZE),
		le64_to_cpu(sb->journal_start), le64_to_cpu(sb->csum_seed));
	pool_close(pool);
	return is;
}

/* goes_on - a cut repair's pool: it is repaired by the next, with no more lost */
static void goes_on(const struct image *im, const char *path, uint64_t cut_at)
{
	struct manifest was, is;
	char text[4096], expect[4096];

	cut_repair(path, UINT64_MAX, 0);
	manifest_take(&is, path);
	image_make(NULL, im->tree);
	manifest_take(&was, path);
	manifest_diff(&was, &is, text, sizeof(text));
	snprintf(expect, sizeof(expect), "%s", im->differs);
	/* A lost+found without a name may be in the next one. */
	text[strcspn(text, "+")] = '\0';
	expect[strcspn(expect, "+")] = '\0';
	ck_assert_msg(!strcmp(text, expect), "%s, cut at %d, differs: %s",
		      im->name, (int)cut_at, text);
	manifest_free(&was);
	manifest_free(&is);
}

#define CUTS 5

/* The power fails while the repair is written: the next one goes on. */
START_TEST(can_be_cut)
{
	const struct image *im = &images[_i];
	const char *path = image_make(im, im->tree);
	uint64_t stores, at;
	unsigned int i;

	if (im->cure == LEFT)
		return;
	stores = cut_repair(path, UINT64_MAX, 0);
	/* The larger file system takes its time: one has to do. */
	for (i = im->tree ? CUTS - 1 : 0; i < CUTS && i < stores; i++) {
		/* The first two, the last two, and one in between. */
		at = i < 2 ? i + 1 : i < 4 ? stores + 2 - i : stores / 2;
		image_make(im, im->tree);
		cut_repair(path, at, (uint64_t)_i * CUTS + i);
		/* Two stores void the journal, and the last is its state. */
		ck_assert_msg(at < 3 || at == stores || !mounts(path),
			      "%s, cut at %d of %d, could be mounted", im->name,
			      (int)at, (int)stores);
		goes_on(im, path, at);
	}
}
END_TEST

/*
 * Without a state nothing says which records are old: none may be left that a
 * later recovery would take for one of its own (S3).
 */
START_TEST(empties_the_lanes)
{
	const char *path = image_make(NULL, false);
	const struct pinfs_super *sb;
	struct pool *pool;
	uint8_t *lanes;
	size_t i, n;

	ck_assert_int_eq(pool_open(path, 0, &pool, NULL), 0);
	sb = (const void *)pool->base;
	lanes = pool->base +
		(le64_to_cpu(sb->journal_start) + 2) * PINFS_BLOCK_SIZE;
	n = (size_t)le32_to_cpu(sb->lanes) * le32_to_cpu(sb->lane_blocks) *
	    PINFS_BLOCK_SIZE;
	memset(lanes - 2 * PINFS_BLOCK_SIZE, 0x11, n + 2 * PINFS_BLOCK_SIZE);
	pool_close(pool);
	ck_assert_int_eq(fsck("-y", path), 1);
	expect_clean(path);
	ck_assert_int_eq(pool_open(path, 0, &pool, NULL), 0);
	sb = (const void *)pool->base;
	lanes = pool->base +
		(le64_to_cpu(sb->journal_start) + 2) * PINFS_BLOCK_SIZE;
	for (i = 0; i < n && !lanes[i]; i++)
		;
	ck_assert_uint_eq(i, n);
	pool_close(pool);
}
END_TEST

/* Cancelled: nothing has changed. */
START_TEST(can_be_cancelled)
{
	const char *path = image_make(&images[_i], images[_i].tree);
	uint64_t before = print_of(path);

	fsck_cancel();
	ck_assert_int_eq(cut_repair_says(path), -ECANCELED);
	ck_assert(print_of(path) == before);
}
END_TEST

/* A code of the table that no image has would be one that nobody has tried. */
START_TEST(has_all_codes)
{
	char *line, *rest = NULL, *end;
	unsigned int i, codes = 0;
	bool have;

	ck_assert_int_eq(fsck("--codes", ""), 0);
	for (line = strtok_r(out, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (line[0] == ' ')
			continue;
		end = strchr(line, ' ');
		ck_assert_ptr_nonnull(end);
		*end = '\0';
		for (i = 0, have = false; i < image_count && !have; i++)
			have = strstr(images[i].found, line);
		ck_assert_msg(have, "no image has %s", line);
		codes++;
	}
	ck_assert_uint_gt(codes, 40);
}
END_TEST

/* make_one - for other tests, and to look at: NAME PATH */
static int make_one(const char *name, const char *path)
{
	unsigned int i;

	for (i = 0; i < image_count; i++)
		if (!strcmp(images[i].name, name)) {
			image_make_at(&images[i], images[i].tree, path);
			return 0;
		}
	fprintf(stderr, "no image is called %s\n", name);
	return 2;
}

int main(int argc, char **argv)
{
	int n = (int)image_count;
	TCase *tc;
	Suite *s;

	if (argc == 3)
		return make_one(argv[1], argv[2]);
	s = suite_create("fsck_images");
	tc = tcase_create("fsck_images");
	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_loop_test(tc, is_found, 0, n);
	tcase_add_loop_test(tc, is_repaired, 0, n);
	/* With sanitizers a repair is looked at once, and cut here and there. */
	tcase_add_loop_test(tc, is_preened, 0, scratch_scale(n, 12));
	tcase_add_loop_test(tc, can_be_cut, 0, scratch_scale(n, 12));
	tcase_add_loop_test(tc, can_be_cancelled, 1, 5);
	tcase_add_test(tc, empties_the_lanes);
	tcase_add_test(tc, has_all_codes);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
