// SPDX-License-Identifier: BSD-3-Clause
/* Looking at pools that are damaged or hostile: it ends, and says so (S5). */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/util.h"
#include "format/make.h"
#include "scratch.h"

#include "pinfs/image.c"
#include "pinfs/tree.c"

#define MIB (1ull << 20)

static const char *path;
static struct pool *pool;
static struct image img;

static void *block(uint64_t blkno)
{
	ck_assert_uint_lt(blkno, pool->size / PINFS_BLOCK_SIZE);
	return pool->base + blkno * PINFS_BLOCK_SIZE;
}

static void setup(void)
{
	struct format_options opt;

	path = scratch_path(SCRATCH_MEMORY, "pool");
	unlink(path);
	ck_assert_int_eq(pool_create(path, 16 * MIB), 0);
	ck_assert_int_eq(pool_open(path, 0, &pool, NULL), 0);
	ck_assert_int_eq(format_options_init(&opt), 0);
	ck_assert_int_eq(format_make(pool, &opt), 0);
}

static void teardown(void)
{
	image_close(&img);
	pool_close(pool);
}

START_TEST(a_claimed_pool_can_be_looked_at)
{
	ck_assert_int_eq(image_open(path, &img), 0);
	ck_assert_ptr_eq(img.best, &img.super[0]);
	ck_assert_int_eq(img.best->err, 0);
}
END_TEST

START_TEST(the_backup_stands_in)
{
	struct pinfs_super *sb = block(0);

	sb->label[0] ^= 1;
	ck_assert_int_eq(image_open(path, &img), 0);
	ck_assert_ptr_eq(img.best, &img.super[1]);
	ck_assert_int_eq(img.super[0].err, -EUCLEAN);
	ck_assert_ptr_nonnull(img.super[0].why);
}
END_TEST

START_TEST(nothing_of_ours)
{
	memset(block(0), 0, PINFS_BLOCK_SIZE);
	memset(block(pool->size / PINFS_BLOCK_SIZE - 1), 0, PINFS_BLOCK_SIZE);
	ck_assert_int_eq(image_open(path, &img), -EMEDIUMTYPE);
	img.pool = NULL;
}
END_TEST

START_TEST(the_root_directory_is_found)
{
	struct pinfs_inode di;
	const char *why;
	uint64_t blkno;

	ck_assert_int_eq(image_open(path, &img), 0);
	ck_assert_int_eq(tree_inode(&img, PINFS_ROOT_INO, &di, &blkno, &why),
			 0);
	ck_assert_ptr_null(why);
	ck_assert_uint_eq(le64_to_cpu(di.ino), PINFS_ROOT_INO);
	ck_assert(S_ISDIR(le32_to_cpu(di.mode)));
	/* The inode file has but its first part. */
	ck_assert_int_eq(tree_inode(&img, 1ull << 39, &di, &blkno, &why),
			 -ENOENT);
}
END_TEST

START_TEST(no_place_leads_out_of_the_pool)
{
	struct pinfs_super *sb = block(0);
	uint64_t last = pool->size / PINFS_BLOCK_SIZE - 1;
	struct pinfs_jstate st[2];
	struct pinfs_inode di;
	const char *why;
	uint64_t blkno;
	int live;

	/* No backup, so that what the damaged one says is all there is. */
	memset(block(last), 0, PINFS_BLOCK_SIZE);
	sb->journal_start = cpu_to_le64(UINT64_MAX);
	sb->root_block = cpu_to_le64(last + 1);
	ck_assert_int_eq(image_open(path, &img), 0);
	ck_assert_int_eq(img.best->err, -EUCLEAN);
	ck_assert_int_eq(image_jstates(&img, st, &live), -ERANGE);
	ck_assert_int_eq(live, -1);
	ck_assert_int_eq(tree_inode(&img, 1, &di, &blkno, &why), -ERANGE);
}
END_TEST

/* --- trees --------------------------------------------------------------- */

struct seen {
	unsigned int leaves;
	unsigned int damages;
	const char *last;
};

static int on_leaf(void *arg, uint64_t blkno, const struct pinfs_blkhdr *hdr,
		   const char *why)
{
	struct seen *s = arg;

	(void)blkno;
	(void)hdr;
	(void)why;
	s->leaves++;
	return 0;
}

static void on_damage(void *arg, uint64_t blkno, const char *why)
{
	struct seen *s = arg;

	(void)blkno;
	s->damages++;
	s->last = why;
}

static struct seen walk(const struct pinfs_inode *di)
{
	struct seen s = { .leaves = 0 };
	const struct tree_visitor v = {
		.leaf = on_leaf,
		.damage = on_damage,
		.arg = &s,
	};

	ck_assert_int_eq(tree_walk(&img, di, &v), 0);
	return s;
}

static struct pinfs_inode file_over(uint64_t child)
{
	struct pinfs_inode di = {
		.mode = cpu_to_le32(S_IFREG | 0644),
		.tree_level = cpu_to_le16(1),
		.tree_count = cpu_to_le16(1),
	};

	di.u.index[0].child = cpu_to_le64(child);
	return di;
}

/* An index node all of whose children are the same block. */
static void make_node(uint64_t blkno, uint64_t child, uint16_t level)
{
	struct pinfs_index_node *n = block(blkno);
	unsigned int i;

	memset(n, 0, sizeof(*n));
	n->hdr.magic = cpu_to_le32(PINFS_MAGIC_INDEX);
	n->hdr.level = cpu_to_le16(level);
	n->hdr.count = cpu_to_le16(PINFS_NODE_INDEXES);
	for (i = 0; i < PINFS_NODE_INDEXES; i++) {
		n->index[i].key = cpu_to_le64(i);
		n->index[i].child = cpu_to_le64(child);
	}
	format_block_seal(&n->hdr, blkno, img.seed);
}

START_TEST(a_circle_ends)
{
	struct pinfs_inode di;
	struct seen s;

	ck_assert_int_eq(image_open(path, &img), 0);
	make_node(2000, 2001, 2);
	make_node(2001, 2000, 1);
	di = file_over(2000);
	s = walk(&di);
	ck_assert_uint_eq(s.leaves, 0);
	/* 252 ways back, and 251 more to the second one. */
	ck_assert_uint_eq(s.damages, 2 * PINFS_NODE_INDEXES - 1);
	ck_assert_str_eq(s.last, "block twice in one tree");
}
END_TEST

/* 252^8 ways to the leaf: each block is looked at once all the same. */
START_TEST(a_lattice_ends)
{
	struct pinfs_extent_node *leaf;
	struct pinfs_inode di;
	struct seen s;
	uint16_t i;

	ck_assert_int_eq(image_open(path, &img), 0);
	for (i = 1; i < PINFS_TREE_MAX_LEVEL; i++)
		make_node(2000u + i, 2000u + i - 1, i);
	leaf = block(2000);
	memset(leaf, 0, sizeof(*leaf));
	leaf->hdr.magic = cpu_to_le32(PINFS_MAGIC_EXTENTS);
	format_block_seal(&leaf->hdr, 2000, img.seed);
	di = file_over(2000u + PINFS_TREE_MAX_LEVEL - 1);
	s = walk(&di);
	ck_assert_uint_eq(s.leaves, 1);
	ck_assert_uint_eq(s.damages, (PINFS_TREE_MAX_LEVEL - 1) *
					     (PINFS_NODE_INDEXES - 1));
}
END_TEST

START_TEST(children_out_of_the_pool)
{
	struct pinfs_inode di;
	struct seen s;

	ck_assert_int_eq(image_open(path, &img), 0);
	di = file_over(UINT64_MAX);
	s = walk(&di);
	ck_assert_uint_eq(s.damages, 1);
	ck_assert_str_eq(s.last, "address out of the pool");
	di.tree_count = cpu_to_le16(UINT16_MAX);
	s = walk(&di);
	ck_assert_uint_eq(s.damages, PINFS_INLINE_INDEXES);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli_image");
	TCase *tc = tcase_create("image");

	log_init("pinfs");
	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_claimed_pool_can_be_looked_at);
	tcase_add_test(tc, the_backup_stands_in);
	tcase_add_test(tc, nothing_of_ours);
	tcase_add_test(tc, the_root_directory_is_found);
	tcase_add_test(tc, no_place_leads_out_of_the_pool);
	tcase_add_test(tc, a_circle_ends);
	tcase_add_test(tc, a_lattice_ends);
	tcase_add_test(tc, children_out_of_the_pool);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
