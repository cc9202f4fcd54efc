// SPDX-License-Identifier: BSD-3-Clause
/*
 * Damaged images: each with exactly the findings that it deserves, repaired
 * with exactly the loss that cannot be helped, and nothing found any more.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/scratch.h"
#include "../unit/scratch_fsck.h"
#include "base/util.h"
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
	Suite *s = suite_create("fsck_images");
	TCase *tc = tcase_create("fsck_images");
	int n = (int)image_count;

	if (argc == 3)
		return make_one(argv[1], argv[2]);
	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_loop_test(tc, is_found, 0, n);
	tcase_add_loop_test(tc, is_repaired, 0, n);
	tcase_add_loop_test(tc, is_preened, 0, n);
	tcase_add_test(tc, has_all_codes);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
