// SPDX-License-Identifier: BSD-3-Clause
/*
 * Layout changes of an inode: what truncate and fallocate do to its extents,
 * in one transaction or with an intent, and cut off by a crash at any store
 * (S1, S3).
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "inode/change.h"
#include "inode/extent.h"
#include "pool/persist.h"
#include "scratch_cut.h"
#include "scratch_extents.h"
#include "scratch_fsck.h"
#include "scratch_scale.h"
#include "scratch.h"

#define MIB   (1ull << 20)
#define GIB   (1ull << 30)
#define LBLKS 8192u
/* More than one transaction takes, so that they need an intent. */
#define MANY 700u

static struct scratch_extents se;
static uint64_t seed;

static uint64_t below(uint64_t n)
{
	return scratch_random(&seed) % n;
}

static uint64_t transactions(void)
{
	struct journal_counts c;

	journal_counts(se.sv.vol->journal, &c);
	return c.transactions;
}

/* map_one - a block of its own at lblk */
static void map_one(struct tx *tx, uint64_t lblk, bool unwritten)
{
	struct space_run run;
	struct extent e;

	ck_assert_int_eq(space_alloc(se.sv.vol->space, tx, 0, 1, 0, &run), 0);
	e = (struct extent){ lblk, run.first, 1, unwritten, false };
	ck_assert_int_eq(extent_add(se.ip, tx, &e), 0);
	se.model[lblk] = (struct scratch_cell){ run.first, unwritten };
}

/* plant - n extents, at every third block and some more */
static void plant(uint64_t n)
{
	for (uint64_t i = 0; i < n;) {
		struct tx *tx = scratch_extents_begin(&se);

		for (unsigned int k = 0; k < 20 && i < n; k++, i++) {
			map_one(tx, 3 * i, i % 5 == 0);
			if (i % 7 == 0)
				map_one(tx, 3 * i + 1, i % 2);
		}
		inode_edit(se.ip, tx)->size =
			cpu_to_le64(3 * n * PINFS_BLOCK_SIZE);
		scratch_extents_end(&se, tx, true);
	}
}

static int change(const struct inode_change *ch)
{
	int err;

	pthread_rwlock_wrlock(&se.ip->lock);
	err = inode_change(se.ip, ch);
	pthread_rwlock_unlock(&se.ip->lock);
	return err;
}

/* model_change - the same to the model */
static void model_change(const struct inode_change *ch)
{
	/* Parts are zeroed by a copy that takes the block's place. */
	for (unsigned int i = 0; i < ch->edges; i++)
		if (se.model[ch->edge[i].lblk].pblk)
			se.model[ch->edge[i].lblk].pblk = SCRATCH_SOME;
	for (uint64_t i = ch->fill_first; i < ch->fill_end; i++)
		if (!se.model[i].pblk)
			se.model[i] =
				(struct scratch_cell){ SCRATCH_SOME, true };
	switch (ch->op) {
	case PINFS_INTENT_UNFILL: /* never asked for */
	case PINFS_INTENT_SETTLE:
	case PINFS_INTENT_NONE:
		break;
	case PINFS_INTENT_REMOVE:
		memset(&se.model[ch->first], 0,
		       min_u64(ch->count, LBLKS - ch->first) *
			       sizeof(*se.model));
		break;
	case PINFS_INTENT_COLLAPSE:
		scratch_model_collapse(&se, ch->first, ch->count);
		break;
	case PINFS_INTENT_INSERT:
		scratch_model_insert(&se, ch->first, ch->count);
		break;
	case PINFS_INTENT_UNWRITE:
		for (uint64_t i = 0; i < ch->count; i++)
			if (se.model[ch->first + i].pblk)
				se.model[ch->first + i].unwritten = true;
		break;
	}
}

static void tear_down(void)
{
	scratch_extents_close(&se);
	free(se.model);
}

static void set_up(void)
{
	seed = 1;
	scratch_extents_make(&se, SCRATCH_MEMORY, 64 * MIB, LBLKS);
}

/* settled - no intent, and on no list, is left */
static void check_settled(void)
{
	scratch_enter(&se.sv);
	ck_assert_uint_eq(le32_to_cpu(inode_read(se.ip, NULL)->intent.op),
			  PINFS_INTENT_NONE);
	ck_assert(!orphan_is_on_list(se.ip));
	scratch_leave(&se.sv);
	ck_assert_uint_eq(volume_orphans(se.sv.vol), 0);
}

/* --- without crashes ------------------------------------------------------------ */

static struct inode_change some_change(void)
{
	struct inode_change ch = {
		.op = 1 + (unsigned int)below(4),
		.first = below(2000),
		.count = 1 + below(below(2) ? 1500 : 30),
		.touch = INODE_MTIME,
	};

	/* So that nothing moves out of the model. */
	if (ch.op == PINFS_INTENT_INSERT)
		ch.count = 1 + below(200);
	return ch;
}

START_TEST(random_changes)
{
	plant(MANY);
	seed = (uint64_t)_i;
	for (unsigned int i = 0; i < scratch_scale(200u, 100u); i++) {
		struct inode_change ch = some_change();

		model_change(&ch);
		if (se.model[LBLKS - 300].pblk)
			break;
		ck_assert_int_eq(change(&ch), 0);
		scratch_extents_compare(&se);
		check_settled();
		if (i % 8 == 7) {
			struct tx *tx = scratch_extents_begin(&se);

			for (uint64_t at = 0; at < 300; at++)
				if (!se.model[at * 4].pblk)
					map_one(tx, at * 4, at % 2);
			scratch_extents_end(&se, tx, true);
		}
	}
	scratch_extents_close(&se);
	scratch_fsck(se.sv.kind);
	scratch_extents_open(&se);
	scratch_extents_compare(&se);
}
END_TEST

START_TEST(changes_size_and_mode)
{
	struct inode_change ch = {
		.op = PINFS_INTENT_REMOVE,
		.first = 10,
		.count = EXTENT_END - 10,
		.set_size = true,
		.size = 10 * PINFS_BLOCK_SIZE - 5,
		.touch = INODE_MTIME,
		.clear_mode = 044,
	};
	uint64_t seq = atomic_load(&se.ip->layout_seq), before;

	plant(MANY);
	before = transactions();
	model_change(&ch);
	ck_assert_int_eq(change(&ch), 0);
	ck_assert_uint_gt(transactions(), before + 2);
	/* L2: who pins looks whether this has changed. */
	ck_assert_uint_gt(atomic_load(&se.ip->layout_seq), seq);
	scratch_extents_compare(&se);
	scratch_enter(&se.sv);
	ck_assert_uint_eq(inode_size(se.ip, NULL), ch.size);
	ck_assert_uint_eq(inode_mode(se.ip, NULL) & 0777, 0600);
	scratch_leave(&se.sv);
}
END_TEST

/* Blocks up to the last that a file can have don't go beyond it. */
START_TEST(insert_keeps_the_end)
{
	struct inode_change ch = {
		.op = PINFS_INTENT_INSERT,
		.first = 1,
		.count = 5,
		.touch = INODE_MTIME,
	};
	struct space_run run;
	struct extent e;
	struct tx *tx = scratch_extents_begin(&se);

	map_one(tx, 1, false);
	ck_assert_int_eq(space_alloc(se.sv.vol->space, tx, 0, 1, 0, &run), 0);
	e = (struct extent){ EXTENT_END - 5, run.first, 1, true, false };
	ck_assert_int_eq(extent_add(se.ip, tx, &e), 0);
	scratch_extents_end(&se, tx, true);
	ck_assert_int_eq(change(&ch), -EFBIG);
	ch.count = 4;
	ck_assert_int_eq(change(&ch), 0);
	scratch_extents_close(&se);
	scratch_fsck(se.sv.kind);
	scratch_extents_open(&se);
	scratch_enter(&se.sv);
	ck_assert_int_eq(extent_find(se.ip, NULL, EXTENT_END - 1, &e), 0);
	ck_assert_uint_eq(e.pblk, run.first);
	scratch_leave(&se.sv);
}
END_TEST

/* S5: what the medium says is to be done may make no sense. */
START_TEST(impossible_intent)
{
	static const struct {
		uint32_t op;
		uint64_t first, count, cursor;
	} bad[] = {
		{ PINFS_INTENT_COLLAPSE, 0, 1ull << 60, 5 },
		{ PINFS_INTENT_COLLAPSE, 0, 100, 5 },
		{ PINFS_INTENT_INSERT, 0, EXTENT_END, 0 },
		{ PINFS_INTENT_INSERT, 0, UINT64_MAX, 0 },
		{ 99, 0, 1, 0 },
	};
	struct inode_change ch = { .op = PINFS_INTENT_REMOVE, .count = 1 };
	struct tx *tx;

	plant(MANY);
	tx = scratch_extents_begin(&se);
	inode_edit(se.ip, tx)->intent = (struct pinfs_intent){
		.op = cpu_to_le32(bad[_i].op),
		.first = cpu_to_le64(bad[_i].first),
		.count = cpu_to_le64(bad[_i].count),
		.cursor = cpu_to_le64(bad[_i].cursor),
	};
	scratch_extents_end(&se, tx, true);
	ck_assert_int_eq(change(&ch), -EUCLEAN);
	scratch_extents_compare(&se);
}
END_TEST

/* --- allocating ahead -------------------------------------------------------------- */

static int allocate(uint64_t first, uint64_t end)
{
	int err;

	pthread_rwlock_wrlock(&se.ip->lock);
	err = inode_allocate(se.ip, first, end);
	pthread_rwlock_unlock(&se.ip->lock);
	return err;
}

/*
 * S5: each leaf is as it should be, but the second begins before the first. Who
 * goes through the file by what extent_find() says comes to an end.
 */
START_TEST(leaves_out_of_order)
{
	struct pinfs_extent_node *n;
	struct extent e;
	struct tx *tx;
	uint64_t at;
	int err;

	plant(MANY);
	tx = scratch_extents_begin(&se);
	ck_assert_uint_eq(le16_to_cpu(inode_read(se.ip, tx)->tree_level), 1);
	n = meta_edit(se.sv.vol, tx,
		      le64_to_cpu(inode_read(se.ip, tx)->u.index[1].child),
		      PINFS_MAGIC_EXTENTS, se.ino, &err);
	ck_assert_ptr_nonnull(n);
	for (unsigned int i = 0; i < le16_to_cpu(n->hdr.count); i++)
		n->extent[i].lblk = cpu_to_le64(i);
	scratch_extents_end(&se, tx, true);
	scratch_enter(&se.sv);
	for (at = 0; at < 3 * MANY; at += e.len) {
		err = extent_find(se.ip, NULL, at, &e);
		if (err)
			break;
		ck_assert_uint_eq(e.lblk, at);
		ck_assert_uint_ge(e.len, 1);
		ck_assert_uint_le(e.len, EXTENT_END - at);
	}
	scratch_leave(&se.sv);
	ck_assert_int_eq(err, -EUCLEAN);
	ck_assert_int_eq(allocate(0, 3 * MANY), -EUCLEAN);
}
END_TEST

START_TEST(allocate_fills_holes)
{
	struct extent e;

	plant(MANY);
	ck_assert_int_eq(allocate(5, 3 * MANY + 50), 0);
	scratch_enter(&se.sv);
	for (uint64_t i = 0; i < 3 * MANY + 60; i++) {
		bool inside = i >= 5 && i < 3 * MANY + 50;

		ck_assert_int_eq(extent_find(se.ip, NULL, i, &e), 0);
		if (se.model[i].pblk) {
			ck_assert_uint_eq(e.pblk, se.model[i].pblk);
			ck_assert(e.unwritten == se.model[i].unwritten);
		} else {
			ck_assert((e.pblk != 0) == inside);
			ck_assert(e.pblk == 0 || e.unwritten);
		}
	}
	scratch_leave(&se.sv);
}
END_TEST

START_TEST(allocate_all_or_nothing)
{
	int64_t free_blocks;

	plant(MANY);
	free_blocks = scratch_free_blocks(&se.sv);
	/* More than there is, after many transactions of what there is (S6). */
	ck_assert_int_eq(allocate(0, 64 * MIB / PINFS_BLOCK_SIZE), -ENOSPC);
	scratch_extents_compare(&se);
	/* Leaves of the tree that were split stay so. */
	ck_assert_int_ge(scratch_free_blocks(&se.sv), free_blocks - 16);
}
END_TEST

/*
 * An extent over more groups than one transaction can free: the record names
 * each group's bits.
 */
START_TEST(remove_a_huge_extent)
{
	struct inode_change ch = {
		.op = PINFS_INTENT_REMOVE,
		.count = EXTENT_END,
		.touch = INODE_MTIME,
	};
	uint64_t before;

	scratch_extents_close(&se);
	free(se.model);
	scratch_extents_make(&se, SCRATCH_MEMORY, 40 * GIB, 0);
	se.sv.pool->sparse = false; /* nobody stores to the data blocks */
	ck_assert_int_eq(allocate(0, 39 * GIB / PINFS_BLOCK_SIZE), 0);
	before = transactions();
	ck_assert_int_eq(change(&ch), 0);
	ck_assert_uint_gt(transactions(), before + 2);
	check_settled();
	ck_assert_int_eq(scratch_free_blocks(&se.sv), se.empty_free);
}
END_TEST

/* --- zeroes ------------------------------------------------------------------------ */

static uint8_t *bytes_of(uint64_t lblk)
{
	return volume_block(se.sv.vol, se.model[lblk].pblk);
}

static uint8_t *bytes_now(uint64_t lblk)
{
	struct extent e;

	scratch_enter(&se.sv);
	ck_assert_int_eq(extent_find(se.ip, NULL, lblk, &e), 0);
	scratch_leave(&se.sv);
	ck_assert_uint_ne(e.pblk, 0);
	ck_assert(!e.unwritten);
	return volume_block(se.sv.vol, e.pblk);
}

static bool all_are(const uint8_t *p, size_t n, uint8_t c)
{
	while (n > 0 && *p == c)
		p++, n--;
	return n == 0;
}

START_TEST(edges_become_zero)
{
	struct inode_change ch = {
		.op = PINFS_INTENT_REMOVE,
		.first = 4,
		.count = 2,
		.edges = 2,
		.edge = { { 3, 100, PINFS_BLOCK_SIZE }, { 6, 0, 7 } },
	};
	struct tx *tx = scratch_extents_begin(&se);
	const uint8_t *p;

	for (uint64_t i = 0; i < 8; i++)
		map_one(tx, i, false);
	scratch_extents_end(&se, tx, true);
	for (uint64_t i = 0; i < 8; i++)
		memset(bytes_of(i), 0xdd, PINFS_BLOCK_SIZE);
	ck_assert_int_eq(change(&ch), 0);
	p = bytes_now(3);
	ck_assert(all_are(p, 100, 0xdd));
	ck_assert(all_are(p + 100, PINFS_BLOCK_SIZE - 100, 0));
	p = bytes_now(6);
	ck_assert(all_are(p, 7, 0));
	ck_assert(all_are(p + 7, PINFS_BLOCK_SIZE - 7, 0xdd));
	/* S1: not in place, where it could be half done after a crash. */
	ck_assert(all_are(bytes_of(3), PINFS_BLOCK_SIZE, 0xdd));
	ck_assert_ptr_ne(p, bytes_of(6));
	/* A hole, and unwritten blocks, need no zeroes. */
	ch.op = PINFS_INTENT_NONE;
	ch.edges = 1;
	ch.edge[0] = (struct inode_edge){ 4, 1, 2 };
	ck_assert_int_eq(change(&ch), 0);
	memset(&se.model[3], 0, 4 * sizeof(*se.model));
}
END_TEST

/* --- crashes ------------------------------------------------------------------------ */

static const struct {
	struct inode_change ch;
	bool many; /* extents, so that an intent is needed */
} cut_changes[] = {
	{ { .op = PINFS_INTENT_REMOVE, .first = 7, .count = EXTENT_END - 7 },
	  true },
	{ { .op = PINFS_INTENT_COLLAPSE, .first = 31, .count = 700 }, true },
	{ { .op = PINFS_INTENT_INSERT, .first = 30, .count = 11 }, true },
	{ { .op = PINFS_INTENT_INSERT, .first = 0, .count = 1 }, true },
	{ { .op = PINFS_INTENT_UNWRITE, .first = 1, .count = 1900 }, true },
	{ { .op = PINFS_INTENT_COLLAPSE, .first = 31, .count = 100 }, false },
	{ { .fill_first = 8, .fill_end = 1100, .set_size = true }, true },
	{ { .op = PINFS_INTENT_UNWRITE,
	    .first = 2,
	    .count = 900,
	    .fill_first = 1,
	    .fill_end = 903,
	    .edges = 2,
	    .edge = { { 1, 10, PINFS_BLOCK_SIZE }, { 902, 0, 10 } } },
	  true },
};

static const enum scratch_kind cut_kinds[] = { SCRATCH_MEMORY, SCRATCH_DISK };

/* cut_change - the child: change the file until it is over or cut off */
static int cut_change(void *arg, long stores)
{
	scratch_extents_open(&se);
	scratch_cut_after(se.sv.pool, stores);
	return change(arg);
}

/* cut_recovery - the child: mount, which is cut off as well */
static int cut_recovery(void *arg, long stores)
{
	struct pool *pool;
	struct volume *vol;
	int err = pool_open(scratch_path(se.sv.kind, "pool"), 0, &pool, NULL);

	(void)arg;
	if (err)
		return err;
	scratch_cut_after(pool, stores);
	return volume_open(pool, 0, &vol);
}

/* check_outcome - true if the change is done; it is, or nothing of it */
static bool check_outcome(const struct scratch_cell *before)
{
	bool done, not_done;

	scratch_extents_open(&se);
	check_settled();
	done = scratch_extents_equal(&se, se.model);
	not_done = scratch_extents_equal(&se, before);
	ck_assert(done || not_done);
	scratch_extents_close(&se);
	scratch_fsck(se.sv.kind);
	return done;
}

/* next_cut - every store at first, then some of them */
static long next_cut(long stores)
{
	long step = 1 + stores / scratch_scale(8, 2);

	return stores + step + (long)below((uint64_t)step);
}

/* cut_at - cut the change off there; true if it is done all the same */
static bool cut_at(const struct inode_change *ch, long stores,
		   const struct scratch_cell *before, bool *over)
{
	scratch_restore(se.sv.kind);
	*over = scratch_cut(cut_change, (void *)ch, stores);
	/* And recovery is cut off as well, twice. */
	scratch_cut(cut_recovery, NULL, (long)below(40));
	scratch_cut(cut_recovery, NULL, 10 + (long)below(200));
	return check_outcome(before);
}

/*
 * cut_around - up to the very store that decides; true if the change goes on
 *              behind that
 */
static bool cut_around(const struct inode_change *ch, long undone, long done,
		       const struct scratch_cell *before)
{
	bool over = false;

	while (done - undone > 1) {
		long mid = undone + (done - undone) / 2;

		if (cut_at(ch, mid, before, &over))
			done = mid;
		else
			undone = mid;
	}
	ck_assert(cut_at(ch, done, before, &over));
	return !over;
}

START_TEST(cut_off)
{
	unsigned int which = (unsigned int)_i % ARRAY_SIZE(cut_changes);
	struct inode_change ch = cut_changes[which].ch;
	size_t bytes = LBLKS * sizeof(struct scratch_cell);
	struct scratch_cell *before = malloc(bytes);
	long first_done = -1, last_undone = -1;
	bool over = false;

	tear_down();
	seed = (uint64_t)_i;
	scratch_extents_make(
		&se, cut_kinds[(unsigned int)_i / ARRAY_SIZE(cut_changes)],
		16 * MIB, LBLKS);
	ch.touch = INODE_MTIME | INODE_CTIME;
	plant(cut_changes[which].many ? MANY : 100);
	memcpy(before, se.model, bytes);
	scratch_extents_close(&se);
	scratch_keep(se.sv.kind);
	model_change(&ch);

	for (long stores = 0; !over; stores = next_cut(stores)) {
		bool done = cut_at(&ch, stores, before, &over);

		/* What later stores bring is never less. */
		ck_assert(done || first_done < 0);
		if (!done)
			last_undone = stores;
		else if (first_done < 0)
			first_done = stores;
	}
	ck_assert_int_ge(last_undone, 0);
	ck_assert_int_ge(first_done, 0);
	/* In the midst of an intent, which recovery has finished. */
	if (cut_changes[which].many)
		ck_assert(cut_around(&ch, last_undone, first_done, before));
	scratch_extents_open(&se);
	free(before);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("change");
	TCase *tc = tcase_create("change");

	log_set_level(LOG_LEVEL_WARN);
	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, random_changes, 0, scratch_scale(6, 2));
	tcase_add_test(tc, changes_size_and_mode);
	tcase_add_test(tc, insert_keeps_the_end);
	tcase_add_loop_test(tc, impossible_intent, 0, 5);
	tcase_add_test(tc, leaves_out_of_order);
	tcase_add_test(tc, allocate_fills_holes);
	tcase_add_test(tc, allocate_all_or_nothing);
	tcase_add_test(tc, remove_a_huge_extent);
	tcase_add_test(tc, edges_become_zero);
	tcase_add_loop_test(
		tc, cut_off, 0,
		(int)(ARRAY_SIZE(cut_changes) * ARRAY_SIZE(cut_kinds)));
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
