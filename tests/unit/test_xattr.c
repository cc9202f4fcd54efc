// SPDX-License-Identifier: BSD-3-Clause
/* Extended attributes and the blobs that they are in. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/util.h"
#include "format/csum.h"
#include "inode/blob.h"
#include "inode/xattr.h"
#include "scratch_volume.h"
#include "scratch.h"

#define MIB	  (1ull << 20)
#define VALUE_MAX 65536u

static struct scratch_volume sv;
static uint8_t value[VALUE_MAX + 1];
static uint8_t got[VALUE_MAX + 1];

static void setup(void)
{
	uint64_t state = 11;
	size_t i;

	for (i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)(1 + scratch_random(&state) % 255);
	scratch_volume_make(&sv, SCRATCH_MEMORY, 16 * MIB);
}

static void teardown(void)
{
	scratch_volume_close(&sv);
}

static int set(const char *name, const void *v, size_t size, int flags)
{
	struct tx *tx = scratch_begin(&sv);

	return scratch_end(&sv, tx,
			   xattr_set(sv.root, tx, name, v, size, flags));
}

static int del(const char *name)
{
	struct tx *tx = scratch_begin(&sv);

	return scratch_end(&sv, tx, xattr_remove(sv.root, tx, name));
}

static ssize_t get(const char *name, void *v, size_t size)
{
	ssize_t ret;

	scratch_enter(&sv);
	ret = xattr_get(sv.root, name, v, size);
	scratch_leave(&sv);
	return ret;
}

static ssize_t list(char *names, size_t size)
{
	ssize_t ret;

	scratch_enter(&sv);
	ret = xattr_list(sv.root, names, size);
	scratch_leave(&sv);
	return ret;
}

/* check_blocks - the inode has so many, and nobody has lost any */
static void check_blocks(uint64_t n)
{
	const struct pinfs_inode *di;

	scratch_enter(&sv);
	di = inode_read(sv.root, NULL);
	ck_assert_uint_eq(le64_to_cpu(di->blocks), n);
	ck_assert_int_eq(di->xattr.raw == 0, n == 0);
	scratch_leave(&sv);
	ck_assert_int_eq(sv.free_blocks - scratch_free_blocks(&sv), (int64_t)n);
}

START_TEST(set_get_list_remove)
{
	char names[64];

	ck_assert_int_eq(get("user.a", NULL, 0), -ENODATA);
	ck_assert_int_eq(list(NULL, 0), 0);
	ck_assert_int_eq(del("user.a"), -ENODATA);
	check_blocks(0);

	ck_assert_int_eq(set("user.a", "one", 3, 0), 0);
	ck_assert_int_eq(set("user.bb", "", 0, 0), 0);
	ck_assert_int_eq(set("trusted.c", "three", 5, 0), 0);
	scratch_volume_reopen(&sv);
	check_blocks(1);
	ck_assert_int_eq(get("user.a", got, 3), 3);
	ck_assert_mem_eq(got, "one", 3);
	ck_assert_int_eq(get("user.bb", got, 1), 0);
	ck_assert_int_eq(get("trusted.c", got, sizeof(got)), 5);
	ck_assert_mem_eq(got, "three", 5);
	ck_assert_int_eq(get("user.b", got, 1), -ENODATA);
	ck_assert_int_eq(get("user.bbb", got, 1), -ENODATA);
	ck_assert_int_eq(list(names, sizeof(names)), 25);
	ck_assert_mem_eq(names, "user.a\0user.bb\0trusted.c", 25);

	ck_assert_int_eq(del("user.a"), 0);
	ck_assert_int_eq(get("user.a", NULL, 0), -ENODATA);
	ck_assert_int_eq(get("trusted.c", NULL, 0), 5);
	ck_assert_int_eq(del("trusted.c"), 0);
	ck_assert_int_eq(list(names, sizeof(names)), 8);
	ck_assert_int_eq(del("user.bb"), 0);
	check_blocks(0);
}
END_TEST

START_TEST(flags_and_sizes)
{
	char name[258];

	memset(name, 'n', 257);
	name[257] = '\0';
	ck_assert_int_eq(set(name, "", 0, 0), -ERANGE);
	ck_assert_int_eq(set(name + 1, "", 0, 0), -ERANGE);
	ck_assert_int_eq(set("", "", 0, 0), -ERANGE);
	ck_assert_int_eq(set("user.a", value, VALUE_MAX + 1, 0), -E2BIG);
	ck_assert_int_eq(set("user.a", "1", 1, 4), -EINVAL);
	ck_assert_int_eq(set("user.a", "1", 1, XATTR_REPLACE), -ENODATA);
	check_blocks(0);
	ck_assert_int_eq(set(name + 2, "long", 4, 0), 0);
	ck_assert_int_eq(get(name + 2, got, 4), 4);
	ck_assert_int_eq(set("user.a", "1", 1, XATTR_CREATE), 0);
	ck_assert_int_eq(set("user.a", "2", 1, XATTR_CREATE), -EEXIST);
	ck_assert_int_eq(get("user.a", got, 1), 1);
	ck_assert_uint_eq(got[0], '1');
	ck_assert_int_eq(set("user.a", "234", 3, XATTR_REPLACE), 0);
	ck_assert_int_eq(get("user.a", got, 2), -ERANGE);
	ck_assert_int_eq(get("user.a", NULL, 0), 3);
	ck_assert_int_eq(get("user.a", got, 3), 3);
	ck_assert_mem_eq(got, "234", 3);
	ck_assert_int_eq(list(NULL, 0), 263);
	ck_assert_int_eq(list(name, 257), -ERANGE);
}
END_TEST

/* Lengths around those where a blob takes one more block. */
START_TEST(values_of_all_sizes)
{
	size_t head = sizeof(struct pinfs_xattr) + strlen("user.a"), size;
	static const size_t blob[] = {
		PINFS_BLOB_BYTES - 1,	  PINFS_BLOB_BYTES,
		PINFS_BLOB_BYTES + 1,	  2 * PINFS_BLOB_BYTES,
		2 * PINFS_BLOB_BYTES + 1, 65536,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(blob); i++) {
		size = blob[i] - head;
		ck_assert_int_eq(set("user.a", value, size, 0), 0);
		check_blocks(div_round_up(blob[i], PINFS_BLOB_BYTES));
		scratch_volume_reopen(&sv);
		ck_assert_int_eq(get("user.a", got, sizeof(got)),
				 (ssize_t)size);
		ck_assert_mem_eq(got, value, size);
	}
	ck_assert_int_eq(set("user.a", value, VALUE_MAX, 0), 0);
	ck_assert_int_eq(get("user.a", got, VALUE_MAX), VALUE_MAX);
	ck_assert_mem_eq(got, value, VALUE_MAX);
	ck_assert_int_eq(set("user.a", value, 1, 0), 0);
	check_blocks(1);
}
END_TEST

START_TEST(up_to_a_mebibyte)
{
	struct tx *tx;
	char name[16];
	int i, err;

	for (i = 0;; i++) {
		snprintf(name, sizeof(name), "user.%d", i);
		err = set(name, value + i, VALUE_MAX - 64, 0);
		if (err)
			break;
	}
	ck_assert_int_eq(err, -ENOSPC);
	ck_assert_int_eq(i, 16);
	scratch_volume_reopen(&sv);
	while (i-- > 0) {
		snprintf(name, sizeof(name), "user.%d", i);
		ck_assert_int_eq(get(name, got, sizeof(got)), VALUE_MAX - 64);
		ck_assert_mem_eq(got, value + i, VALUE_MAX - 64);
	}
	tx = scratch_begin(&sv);
	err = xattr_drop(sv.root, tx);
	ck_assert_int_eq(scratch_end(&sv, tx, err), 0);
	check_blocks(0);
	ck_assert_int_eq(list(NULL, 0), 0);
	tx = scratch_begin(&sv);
	err = xattr_drop(sv.root, tx);
	ck_assert_int_eq(scratch_end(&sv, tx, err), 0);
}
END_TEST

/* Against a table of what must be there. */
START_TEST(random_changes)
{
	size_t size[40], n = ARRAY_SIZE(size), i, k, want;
	uint64_t state = 5;
	char name[16];

	memset(size, 0xff, sizeof(size));
	for (k = 0; k < 3000; k++) {
		i = scratch_random(&state) % n;
		want = scratch_random(&state) % 900;
		snprintf(name, sizeof(name), "user.%zu", i);
		if (want < 300) {
			ck_assert_int_eq(del(name),
					 size[i] == SIZE_MAX ? -ENODATA : 0);
			size[i] = SIZE_MAX;
			continue;
		}
		ck_assert_int_eq(set(name, value + i, want, 0), 0);
		size[i] = want;
	}
	scratch_volume_reopen(&sv);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "user.%zu", i);
		if (size[i] == SIZE_MAX) {
			ck_assert_int_eq(get(name, got, 1), -ENODATA);
			continue;
		}
		ck_assert_int_eq(get(name, got, sizeof(got)), (ssize_t)size[i]);
		ck_assert_mem_eq(got, value + i, size[i]);
	}
}
END_TEST

/* An attribute that is refused or aborted leaves all as it was (S1, S6). */
START_TEST(nothing_by_halves)
{
	struct tx *tx;

	ck_assert_int_eq(set("user.a", value, 9000, 0), 0);
	tx = scratch_begin(&sv);
	ck_assert_int_eq(xattr_set(sv.root, tx, "user.a", "x", 1, 0), 0);
	ck_assert_int_eq(xattr_set(sv.root, tx, "user.b", "y", 1, 0), 0);
	ck_assert_int_eq(xattr_get(sv.root, "user.b", NULL, 0), -ENODATA);
	ck_assert_int_eq(scratch_end(&sv, tx, -EINTR), -EINTR);
	ck_assert_int_eq(get("user.a", NULL, 0), 9000);
	check_blocks(3);

	scratch_fill(&sv, scratch_free_blocks(&sv) -
				  (int64_t)space_available(sv.vol->space) + 2);
	ck_assert_int_eq(set("user.b", value, 9000, 0), -ENOSPC);
	ck_assert_int_eq(get("user.a", got, sizeof(got)), 9000);
	ck_assert_mem_eq(got, value, 9000);
	ck_assert_int_eq(get("user.b", NULL, 0), -ENODATA);
	scratch_fill(&sv, 0);
	ck_assert_int_eq(del("user.a"), 0);
	ck_assert_int_eq(scratch_free_blocks(&sv), 3);
}
END_TEST

/* --- blobs, and hostile ones (S5) ---------------------------------------------- */

static void reopen_damaged(void)
{
	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
	scratch_volume_open(&sv);
}

/* close_raw - to look at the pool without a volume */
static void close_raw(void)
{
	scratch_volume_close(&sv);
	ck_assert_int_eq(pool_open(scratch_path(SCRATCH_MEMORY, "pool"), 0,
				   &sv.pool, NULL),
			 0);
}

/* raw_blob - block i of the root's attributes */
static struct pinfs_blob *raw_blob(unsigned int i)
{
	uint64_t blkno = le64_to_cpu(scratch_raw_root(sv.pool)->xattr);
	struct pinfs_blob *b;

	for (;;) {
		ck_assert_uint_lt(blkno, sv.pool->size / PINFS_BLOCK_SIZE);
		b = (void *)(sv.pool->base + blkno * PINFS_BLOCK_SIZE);
		if (i-- == 0)
			return b;
		blkno = le64_to_cpu(b->hdr.spec[0]);
	}
}

/*
 * The damaged inode has one attribute in 17 blocks, of the largest size or one
 * that leaves room for a name's length.
 */
#define HOSTILE_NAME	  "user.a"
#define HOSTILE_LAST	  16u
#define HOSTILE_SUM	  (strlen(HOSTILE_NAME) + VALUE_MAX)
#define HOSTILE_SMALL	  (VALUE_MAX - 300)
#define HOSTILE_SMALL_SUM (strlen(HOSTILE_NAME) + HOSTILE_SMALL)

static void circle(void)
{
	raw_blob(HOSTILE_LAST)->hdr.spec[0] = raw_blob(0)->hdr.blkno;
}

static void to_itself(void)
{
	raw_blob(1)->hdr.spec[0] = raw_blob(1)->hdr.blkno;
}

static void too_short(void)
{
	raw_blob(1)->hdr.spec[0] = cpu_to_le64(0);
}

static void too_long(void)
{
	raw_blob(HOSTILE_LAST)->hdr.spec[0] = raw_blob(1)->hdr.blkno;
}

static void out_of_the_pool(void)
{
	raw_blob(1)->hdr.spec[0] = cpu_to_le64(1ull << 40);
}

static void into_the_journal(void)
{
	raw_blob(1)->hdr.spec[0] = cpu_to_le64(2);
}

static void huge_part(void)
{
	raw_blob(0)->hdr.spec[1] = cpu_to_le64(1ull << 40);
}

static void huge_whole(void)
{
	raw_blob(0)->hdr.spec[2] = cpu_to_le64(1ull << 40);
}

static void wholes_differ(void)
{
	raw_blob(1)->hdr.spec[2] = cpu_to_le64(PINFS_BLOB_MAX);
}

static void parts_too_long(void)
{
	struct pinfs_blob *b = raw_blob(HOSTILE_LAST);

	b->hdr.spec[1] = cpu_to_le64(le64_to_cpu(b->hdr.spec[1]) + 1);
}

/* set_lengths - of the only attribute */
static void set_lengths(size_t name_len, size_t value_len)
{
	struct pinfs_xattr *x = (void *)raw_blob(0)->bytes;

	x->name_len = cpu_to_le16((uint16_t)name_len);
	x->value_len = cpu_to_le32((uint32_t)value_len);
}

/* The first three fill the blob exactly: only the lengths are wrong. */
static void name_of_nothing(void)
{
	set_lengths(0, HOSTILE_SMALL_SUM);
}

static void name_too_long(void)
{
	set_lengths(256, HOSTILE_SMALL_SUM - 256);
}

static void value_too_long(void)
{
	set_lengths(HOSTILE_SUM - VALUE_MAX - 1, VALUE_MAX + 1);
}

static void value_past_the_end(void)
{
	set_lengths(strlen(HOSTILE_NAME) + 1, VALUE_MAX);
}

static void head_past_the_end(void)
{
	set_lengths(strlen(HOSTILE_NAME), VALUE_MAX - 1);
}

static void nul_in_the_name(void)
{
	raw_blob(0)->bytes[sizeof(struct pinfs_xattr) + 2] = 0;
}

static void another_owner(void)
{
	raw_blob(1)->hdr.owner = cpu_to_le64(7);
}

static const struct {
	void (*fn)(void);
	int blob_err; /* what blob_read() says */
	size_t size; /* of the value */
} damage[] = {
	{ circle, -EUCLEAN, VALUE_MAX },
	{ to_itself, -EUCLEAN, VALUE_MAX },
	{ too_short, -EUCLEAN, VALUE_MAX },
	{ too_long, -EUCLEAN, VALUE_MAX },
	{ out_of_the_pool, -EUCLEAN, VALUE_MAX },
	{ into_the_journal, -EUCLEAN, VALUE_MAX },
	{ huge_part, -EUCLEAN, VALUE_MAX },
	{ huge_whole, -EUCLEAN, VALUE_MAX },
	{ wholes_differ, -EUCLEAN, VALUE_MAX },
	{ parts_too_long, -EUCLEAN, VALUE_MAX },
	{ another_owner, -EUCLEAN, VALUE_MAX },
	{ name_of_nothing, 0, HOSTILE_SMALL },
	{ name_too_long, 0, HOSTILE_SMALL },
	{ value_too_long, 0, VALUE_MAX },
	{ value_past_the_end, 0, VALUE_MAX },
	{ head_past_the_end, 0, VALUE_MAX },
	{ nul_in_the_name, 0, VALUE_MAX },
};

/* seal_blobs - the file system is new: they lie side by side */
static void seal_blobs(void)
{
	const struct pinfs_super *sb = (void *)sv.pool->base;
	struct pinfs_blob *b = raw_blob(0);
	unsigned int i;

	for (i = 0; i <= HOSTILE_LAST; i++, b++) {
		ck_assert_uint_eq(le32_to_cpu(b->hdr.magic), PINFS_MAGIC_BLOB);
		format_block_seal(&b->hdr, le64_to_cpu(b->hdr.blkno),
				  le64_to_cpu(sb->csum_seed));
	}
}

START_TEST(damage_is_found)
{
	uint64_t first;
	void *buf = NULL;
	size_t len;

	ck_assert_int_eq(set(HOSTILE_NAME, value, damage[_i].size, 0), 0);
	close_raw();
	damage[_i].fn();
	seal_blobs();
	pool_close(sv.pool);
	reopen_damaged();
	scratch_enter(&sv);
	first = le64_to_cpu(inode_read(sv.root, NULL)->xattr);
	ck_assert_int_eq(blob_read(sv.root, NULL, first, &buf, &len),
			 damage[_i].blob_err);
	free(buf);
	scratch_leave(&sv);
	ck_assert_int_eq(get(HOSTILE_NAME, got, sizeof(got)), -EUCLEAN);
	ck_assert_int_eq(get("user.b", NULL, 0), -EUCLEAN);
	ck_assert_int_eq(list(NULL, 0), -EUCLEAN);
	ck_assert_int_eq(set("user.b", "", 0, 0), -EUCLEAN);
	ck_assert_int_eq(del(HOSTILE_NAME), -EUCLEAN);
}
END_TEST

START_TEST(blobs_of_all_sizes)
{
	static uint8_t text[PINFS_BLOB_MAX + 1];
	static const size_t sizes[] = {
		0, 1, PINFS_BLOB_BYTES, PINFS_BLOB_BYTES + 1, PINFS_BLOB_MAX,
	};
	uint64_t first, state = 9;
	struct tx *tx;
	void *buf;
	size_t i, len;

	for (i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)scratch_random(&state);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		tx = scratch_begin(&sv);
		ck_assert_int_eq(
			blob_write(sv.root, tx, text, sizes[i], &first), 0);
		ck_assert_int_eq(first == 0, sizes[i] == 0);
		ck_assert_int_eq(blob_read(sv.root, tx, first, &buf, &len), 0);
		ck_assert_uint_eq(len, sizes[i]);
		if (len)
			ck_assert_mem_eq(buf, text, len);
		free(buf);
		ck_assert_int_eq(scratch_end(&sv, tx, 0), 0);
		tx = scratch_begin(&sv);
		ck_assert_int_eq(blob_read(sv.root, tx, first, &buf, &len), 0);
		ck_assert_uint_eq(len, sizes[i]);
		if (len)
			ck_assert_mem_eq(buf, text, len);
		free(buf);
		ck_assert_int_eq(blob_free(sv.root, tx, first), 0);
		ck_assert_int_eq(scratch_end(&sv, tx, 0), 0);
		check_blocks(0);
	}
	tx = scratch_begin(&sv);
	ck_assert_int_eq(blob_write(sv.root, tx, text, PINFS_BLOB_MAX + 1,
				    &first),
			 -E2BIG);
	ck_assert_int_eq(scratch_end(&sv, tx, -E2BIG), -E2BIG);
	check_blocks(0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("xattr");
	TCase *tc = tcase_create("xattr");

	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, set_get_list_remove);
	tcase_add_test(tc, flags_and_sizes);
	tcase_add_test(tc, values_of_all_sizes);
	tcase_add_test(tc, up_to_a_mebibyte);
	tcase_add_test(tc, random_changes);
	tcase_add_test(tc, nothing_by_halves);
	tcase_add_loop_test(tc, damage_is_found, 0, ARRAY_SIZE(damage));
	tcase_add_test(tc, blobs_of_all_sizes);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
