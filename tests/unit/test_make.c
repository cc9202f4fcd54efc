// SPDX-License-Identifier: BSD-3-Clause
/* Making file systems: every block that format_make() writes. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "format/csum.h"
#include "format/make.h"
#include "pool/persist.h"
#include "pool/pool.h"
#include "scratch.h"

#define MIB (1ull << 20)

static struct pool *open_new(int kind, uint64_t size)
{
	const char *path = scratch_path((enum scratch_kind)kind, "pool");
	struct pool *p;

	unlink(path);
	ck_assert_int_eq(pool_create(path, size), 0);
	ck_assert_int_eq(pool_open(path, 0, &p, NULL), 0);
	return p;
}

static struct format_options options(void)
{
	struct format_options opt;

	ck_assert_int_eq(format_options_init(&opt), 0);
	opt.label = "test";
	return opt;
}

static const void *block(const struct pool *p, uint64_t blkno)
{
	ck_assert_uint_lt(blkno, p->size / PINFS_BLOCK_SIZE);
	return p->base + blkno * PINFS_BLOCK_SIZE;
}

static const uint64_t sizes[] = {
	16 * MIB,	  16 * MIB + 4096, 63 * MIB,
	126 * MIB, /* one group exactly */
	126 * MIB + 4096, /* and a block, which is the backup */
	126 * MIB - 4096, 1024 * MIB,	   5000 * MIB,
};

static bool bit(const struct pinfs_bitmap *b, uint64_t i)
{
	return le64_to_cpu(b->bits[i / 64]) >> i % 64 & 1;
}

static void check_groups(const struct pool *p, const struct pinfs_super *sb,
			 uint64_t head_end, uint64_t free_blocks)
{
	uint64_t total = le64_to_cpu(sb->total_blocks);
	uint64_t seed = le64_to_cpu(sb->csum_seed);
	uint64_t g, i, blkno, found = 0;
	const struct pinfs_bitmap *b;
	const char *why;
	bool used;

	for (g = 0; g < le64_to_cpu(sb->groups); g++) {
		blkno = le64_to_cpu(sb->groups_start) + g;
		b = block(p, blkno);
		ck_assert_int_eq(format_bitmap_verify(b, PINFS_MAGIC_GROUP, g,
						      blkno, seed, &why),
				 0);
		for (i = 0; i < PINFS_GROUP_BLOCKS; i++) {
			blkno = g * PINFS_GROUP_BLOCKS + i;
			used = blkno < head_end || blkno >= total - 1;
			if (bit(b, i) != used)
				ck_abort_msg("block %lu", blkno);
			found += !used;
		}
	}
	ck_assert_uint_eq(found, free_blocks);
}

static void check_inodes(const struct pool *p, const struct pinfs_super *sb)
{
	uint64_t seed = le64_to_cpu(sb->csum_seed);
	const struct pinfs_root *root = block(p, le64_to_cpu(sb->root_block));
	const struct pinfs_bitmap *map;
	const struct pinfs_inode *di;
	uint64_t at, i;
	const char *why;

	ck_assert_int_eq(format_inode_verify(&root->itable, 0, seed, &why), 0);
	ck_assert_uint_eq(le64_to_cpu(root->itable.size), 16 * 4096);
	for (i = 0; i < PINFS_ORPHAN_LISTS; i++)
		ck_assert_int_eq(
			format_orphan_verify(&root->head[i], seed, &why), 0);
	at = le64_to_cpu(root->itable.u.extent[0].pblk);
	ck_assert_uint_eq(at, le64_to_cpu(sb->first_free));
	map = block(p, at);
	ck_assert_int_eq(format_bitmap_verify(map, PINFS_MAGIC_IMAP, 0, at,
					      seed, &why),
			 0);
	ck_assert_uint_eq(le64_to_cpu(map->bits[0]), 3);
	ck_assert_uint_eq(le64_to_cpu(map->hdr.spec[1]), PINFS_IMAP_INODES - 2);
	di = block(p, at + 1);
	ck_assert(format_inode_is_free(&di[0]));
	ck_assert(format_inode_is_free(&di[2]));
	ck_assert_int_eq(format_inode_verify(&di[1], 1, seed, &why), 0);
	ck_assert_uint_eq(le32_to_cpu(di[1].mode), S_IFDIR | 0755);
	ck_assert_uint_eq(le32_to_cpu(di[1].nlink), 2);
	ck_assert_uint_eq(le32_to_cpu(di[1].uid), geteuid());
	ck_assert_uint_eq(le64_to_cpu(di[1].parent), 1);
}

START_TEST(all_is_there)
{
	uint64_t size = sizes[_i], total = size / 4096, head_end, seed;
	struct pool *p = open_new(SCRATCH_MEMORY, size);
	struct format_options opt = options();
	const struct pinfs_super *sb = block(p, 0);
	const struct pinfs_jstate *a, *s;
	const char *why = NULL;

	ck_assert_int_eq(format_make(p, &opt), 0);
	ck_assert_int_eq(format_super_verify(sb, 0, total, &why), 0);
	ck_assert_int_eq(format_super_verify(block(p, total - 1), total - 1,
					     total, &why),
			 0);
	ck_assert_uint_eq(le64_to_cpu(sb->total_blocks), total);
	ck_assert_str_eq((const char *)sb->label, "test");
	ck_assert_mem_eq(sb->uuid, opt.uuid, 16);
	seed = le64_to_cpu(sb->csum_seed);
	a = block(p, le64_to_cpu(sb->journal_start));
	s = format_jstate_pick(a, a + 1, le64_to_cpu(sb->journal_start), seed);
	ck_assert_ptr_eq(s, a);
	ck_assert_uint_eq(le32_to_cpu(s->flags), PINFS_JSTATE_CLEAN);
	ck_assert_uint_eq(le64_to_cpu(s->used_inodes), 1);
	/* The next state goes to block B. */
	ck_assert_uint_eq(le64_to_cpu(s->update) % 2, 0);
	head_end = le64_to_cpu(sb->first_free) + 16;
	ck_assert_uint_eq(le64_to_cpu(s->free_blocks), total - head_end - 1);
	check_groups(p, sb, head_end, total - head_end - 1);
	check_inodes(p, sb);
	pool_close(p);
}
END_TEST

START_TEST(refuses_sizes_and_labels)
{
	struct pool *p = open_new(SCRATCH_MEMORY, 16 * MIB - 4096);
	struct format_options opt = options();
	char label[66];

	ck_assert_int_eq(format_make(p, &opt), -ENOSPC);
	pool_close(p);
	p = open_new(SCRATCH_MEMORY, 16 * MIB);
	memset(label, 'x', sizeof(label) - 1);
	label[65] = '\0';
	opt.label = label;
	ck_assert_int_eq(format_make(p, &opt), -EINVAL);
	label[64] = '\0';
	ck_assert_int_eq(format_make(p, &opt), 0);
	pool_close(p);
}
END_TEST

START_TEST(no_backup_of_an_older_one_is_left)
{
	struct pool *p = open_new(SCRATCH_MEMORY, 16 * MIB);
	struct format_options opt = options();
	const struct pinfs_super *old;
	const char *path;
	char keep[4096];
	const char *why;

	ck_assert_int_eq(format_make(p, &opt), 0);
	path = scratch_path(SCRATCH_MEMORY, "pool");
	pool_close(p);
	ck_assert_int_eq(truncate(path, 32 * MIB), 0);
	ck_assert_int_eq(pool_open(path, 0, &p, NULL), 0);
	old = block(p, 4095);
	memcpy(keep, old, sizeof(keep));
	ck_assert_int_eq(format_super_verify((void *)keep, 4095, 8192, &why),
			 0);
	ck_assert_int_eq(format_make(p, &opt), 0);
	ck_assert_int_eq(format_super_verify(old, 4095, 8192, &why),
			 -EMEDIUMTYPE);
	pool_close(p);
}
END_TEST

/* --- an interrupted mkfs ------------------------------------------------- */

static int syncs_left;

static int failing_sync(struct pool *p)
{
	(void)p;
	return syncs_left-- ? 0 : -EIO;
}

/*
 * Cut at each of its syncs, mkfs leaves no superblock in block 0 but a
 * complete file system behind the last one.
 */
START_TEST(a_cut_leaves_no_superblock)
{
	struct pool *p = open_new(_i, 16 * MIB);
	struct format_options opt = options();
	struct persist_ops ops = *p->persist;
	const char *why;
	int cut;

	ck_assert_int_eq(format_make(p, &opt), 0);
	ops.sync = failing_sync;
	p->persist = &ops;
	for (cut = 0; cut < 3; cut++) {
		syncs_left = cut;
		ck_assert_int_eq(format_make(p, &opt), -EIO);
		ck_assert_int_eq(format_super_verify(block(p, 0), 0, 4096,
						     &why),
				 -EMEDIUMTYPE);
		/* The backup comes when everything else is on the medium. */
		ck_assert_int_eq(format_super_verify(block(p, 4095), 4095, 4096,
						     &why),
				 cut < 2 ? -EMEDIUMTYPE : 0);
	}
	syncs_left = 4;
	ck_assert_int_eq(format_make(p, &opt), 0);
	ck_assert_int_eq(format_super_verify(block(p, 0), 0, 4096, &why), 0);
	ck_assert_int_eq(syncs_left, 0);
	pool_close(p);
}
END_TEST

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Sanitizers have a time of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MAKE_LIMIT (10 * NSEC_PER_SEC)
#else
#define MAKE_LIMIT NSEC_PER_SEC
#endif

/* Of a CPU: what the disk takes for the syncs is not ours. */
START_TEST(a_tebibyte_takes_less_than_a_second)
{
	struct pool *p = open_new(_i, 1ull << 40);
	struct format_options opt = options();
	uint64_t start = cpu_ns();
	struct stat st;

	ck_assert_int_eq(format_make(p, &opt), 0);
	ck_assert_uint_lt(cpu_ns() - start, MAKE_LIMIT);
	ck_assert_int_eq(fstat(p->fd, &st), 0);
	ck_assert_int_lt(st.st_blocks * 512, (off_t)(64 * MIB));
	pool_close(p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("make");
	TCase *tc = tcase_create("make");

	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_loop_test(tc, all_is_there, 0, ARRAY_SIZE(sizes));
	tcase_add_test(tc, refuses_sizes_and_labels);
	tcase_add_test(tc, no_backup_of_an_older_one_is_left);
	tcase_add_loop_test(tc, a_cut_leaves_no_superblock, 0, SCRATCH_KINDS);
	tcase_add_loop_test(tc, a_tebibyte_takes_less_than_a_second, 0,
			    SCRATCH_KINDS);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
