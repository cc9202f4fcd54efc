// SPDX-License-Identifier: BSD-3-Clause
/* Directories of hostile pools (S5): sealed, but wrong inside. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "format/csum.h"
#include "inode/dir_i.h"
#include "scratch_volume.h"
#include "scratch.h"

#define MIB  (1ull << 20)
#define MANY 20000u

static struct scratch_volume sv;

static size_t make_name(char buf[32], unsigned int i)
{
	return (size_t)snprintf(buf, 32, "a-name-of-some-length-%05u", i);
}

static int add(unsigned int i)
{
	struct tx *tx = scratch_begin(&sv);
	char name[32];
	size_t len = make_name(name, i);

	return scratch_end(&sv, tx,
			   dir_add(sv.root, tx, name, len, 1000 + i, DT_REG));
}

static int del(unsigned int i)
{
	struct tx *tx = scratch_begin(&sv);
	char name[32];
	size_t len = make_name(name, i);

	return scratch_end(&sv, tx, dir_remove(sv.root, tx, name, len));
}

static int look(unsigned int i)
{
	char name[32];
	size_t len = make_name(name, i);
	struct dir_entry e;
	int err;

	scratch_enter(&sv);
	err = dir_lookup(sv.root, NULL, name, len, &e);
	if (!err)
		ck_assert_uint_eq(e.ino, 1000 + i);
	scratch_leave(&sv);
	return err;
}

static int count_fn(void *arg, const struct dir_entry *e)
{
	unsigned int *n = arg;

	(void)e;
	(*n)++;
	return 0;
}

/* --- the pool without a volume ---------------------------------------------- */

static uint8_t *raw_block(uint64_t blkno)
{
	ck_assert_uint_lt(blkno, sv.pool->size / PINFS_BLOCK_SIZE);
	return sv.pool->base + blkno * PINFS_BLOCK_SIZE;
}

static uint64_t raw_seed(void)
{
	return le64_to_cpu(((struct pinfs_super *)sv.pool->base)->csum_seed);
}

/* raw_leaf - leaf i of a tree of one level */
static struct pinfs_dirent_node *raw_leaf(unsigned int i)
{
	const struct pinfs_inode *di = scratch_raw_root(sv.pool);

	ck_assert_uint_eq(le16_to_cpu(di->tree_level), 1);
	ck_assert_uint_lt(i, le16_to_cpu(di->tree_count));
	return (void *)raw_block(le64_to_cpu(di->u.index[i].child));
}

static void seal_leaf(struct pinfs_dirent_node *n)
{
	format_block_seal(&n->hdr, le64_to_cpu(n->hdr.blkno), raw_seed());
}

#define HOSTILE_NAMES 300u

/* make_closed - a pool with names in several leaves of one level, not opened */
static void make_closed(void)
{
	const char *path = scratch_path(SCRATCH_MEMORY, "pool");
	unsigned int i;

	scratch_volume_make(&sv, SCRATCH_MEMORY, 16 * MIB);
	for (i = 0; i < HOSTILE_NAMES; i++)
		ck_assert_int_eq(add(i), 0);
	scratch_volume_close(&sv);
	ck_assert_int_eq(pool_open(path, 0, &sv.pool, NULL), 0);
	ck_assert_uint_gt(le16_to_cpu(scratch_raw_root(sv.pool)->tree_count),
			  2);
}

/* open_closed - and mute the complaints that follow */
static void open_closed(void)
{
	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
	pool_close(sv.pool);
	scratch_volume_open(&sv);
}

static struct pinfs_dirent *raw_entry(struct pinfs_dirent_node *n,
				      unsigned int i)
{
	return (void *)((uint8_t *)n + le16_to_cpu(n->slot[i]));
}

static void empty_leaf(void)
{
	dir_leaf_init(raw_leaf(1));
}

static void slot_past_the_end(void)
{
	raw_leaf(1)->slot[2] = cpu_to_le16(4088);
}

static void slot_in_the_header(void)
{
	raw_leaf(1)->slot[2] = cpu_to_le16(16);
}

static void slot_far_off(void)
{
	raw_leaf(1)->slot[2] = cpu_to_le16(65528);
}

static void long_name_at_the_end(void)
{
	struct pinfs_dirent_node *n = raw_leaf(1);
	unsigned int i;

	for (i = 0; i < dir_leaf_count(n); i++)
		raw_entry(n, i)->name_len = 255;
}

static void huge_count(void)
{
	raw_leaf(1)->hdr.count = cpu_to_le16(65535);
}

static void keys_out_of_order(void)
{
	struct pinfs_dirent_node *n = raw_leaf(1);
	le16 slot = n->slot[0];

	n->slot[0] = n->slot[1];
	n->slot[1] = slot;
}

static void wrong_heap(void)
{
	raw_leaf(1)->hdr.spec[0] = cpu_to_le64(8);
}

static void huge_waste(void)
{
	raw_leaf(1)->hdr.spec[1] = cpu_to_le64(UINT64_MAX);
}

static void another_owner(void)
{
	raw_leaf(1)->hdr.owner = cpu_to_le64(7);
}

static void low_keys(void)
{
	struct pinfs_dirent_node *n = raw_leaf(1);
	unsigned int i;

	for (i = 0; i < dir_leaf_count(n); i++)
		raw_entry(n, i)->key = cpu_to_le64(200 + i);
}

static void shared_leaf(void)
{
	struct pinfs_inode *di = scratch_raw_root(sv.pool);

	di->u.index[1].child = di->u.index[0].child;
	format_inode_seal(di, raw_seed());
}

/* What is true of a leaf by itself is its verifier's to find, the rest ours. */
static void (*const damage[])(void) = {
	empty_leaf,	      slot_past_the_end, slot_in_the_header,
	slot_far_off,	      huge_count,	 keys_out_of_order,
	long_name_at_the_end, wrong_heap,	 huge_waste,
	another_owner,	      low_keys,		 shared_leaf,
};

START_TEST(damage_is_found)
{
	unsigned int i, n = 0, lost = 0, total;
	int err;

	make_closed();
	total = HOSTILE_NAMES - dir_leaf_count(raw_leaf(1));
	damage[_i]();
	seal_leaf(raw_leaf(1));
	open_closed();
	scratch_enter(&sv);
	ck_assert_int_eq(dir_iterate(sv.root, 0, count_fn, &n), -EUCLEAN);
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_le(n, total);
	scratch_leave(&sv);
	/* All that is elsewhere can still be found, and removed. */
	for (i = 0; i < HOSTILE_NAMES; i++) {
		err = look(i);
		if (err)
			ck_assert(err == -EUCLEAN || err == -ENOENT);
		lost += err != 0;
	}
	ck_assert_uint_eq(lost, HOSTILE_NAMES - total);
	for (i = 0; i < HOSTILE_NAMES; i++)
		if (look(i) == 0)
			ck_assert_int_eq(del(i), 0);
	inode_put(sv.root);
	volume_abandon(sv.vol);
	pool_close(sv.pool);
}
END_TEST

/* use_all - whatever a damaged directory says, it neither hangs nor crashes */
static void use_all(uint64_t *state)
{
	unsigned int i, k, n = 0;
	int err;

	scratch_enter(&sv);
	err = dir_iterate(sv.root, 0, count_fn, &n);
	ck_assert(err == 0 || err == -EUCLEAN);
	scratch_leave(&sv);
	for (k = 0; k < 40; k++) {
		i = (unsigned int)(scratch_random(state) % MANY);
		err = add(i);
		ck_assert(err == 0 || err == -EEXIST || err == -EUCLEAN);
		i = (unsigned int)(scratch_random(state) % HOSTILE_NAMES);
		err = del(i);
		ck_assert(err == 0 || err == -ENOENT || err == -EUCLEAN);
	}
}

/* flip - some bits of a leaf, half of them where an entry's head is */
static void flip(uint64_t *state)
{
	struct pinfs_dirent_node *n;
	unsigned int k, flips = 1 + (unsigned int)(scratch_random(state) % 4);
	size_t at[4];

	k = le16_to_cpu(scratch_raw_root(sv.pool)->tree_count);
	n = raw_leaf((unsigned int)(scratch_random(state) % k));
	for (k = 0; k < flips; k++) {
		at[k] = scratch_random(state) % PINFS_BLOCK_SIZE;
		if (at[k] % 2)
			at[k] = le16_to_cpu(
					n->slot[at[k] % dir_leaf_count(n)]) +
				scratch_random(state) % 20;
	}
	for (k = 0; k < flips; k++)
		((uint8_t *)n)[at[k]] ^=
			(uint8_t)(1u << scratch_random(state) % 8);
	seal_leaf(n);
}

START_TEST(flipped_bits_do_no_harm)
{
	uint64_t state = 3;
	uint8_t *keep;
	int round;

	make_closed();
	keep = malloc(sv.pool->size);
	ck_assert_ptr_nonnull(keep);
	memcpy(keep, sv.pool->base, sv.pool->size);
	for (round = 0; round < 200; round++) {
		flip(&state);
		open_closed();
		use_all(&state);
		inode_put(sv.root);
		volume_abandon(sv.vol);
		memcpy(sv.pool->base, keep, sv.pool->size);
	}
	free(keep);
	pool_close(sv.pool);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dir_hostile");
	TCase *tc = tcase_create("dir_hostile");

	tcase_set_timeout(tc, 20);
	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_loop_test(tc, damage_is_found, 0, ARRAY_SIZE(damage));
	tcase_add_test(tc, flipped_bits_do_no_harm);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
