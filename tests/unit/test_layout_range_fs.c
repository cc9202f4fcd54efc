// SPDX-License-Identifier: BSD-3-Clause
/*
 * Scope range with real changes: each row of the table of layout changes, both
 * ways, and what becomes of the bytes (L1, L3, L7).
 */
#include "range_rig.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/util.h"

#define B 4096ull

/* struct row - a change of a file of 16 blocks, and a pin of blocks [pin, +n) */
struct row {
	enum pinfs_change kind;
	uint64_t off, len;
	uint64_t pin, n;
	bool waits;
	uint64_t size; /* the file is cut down to that first, if not 0 */
	uint64_t ahead; /* so many blocks are allocated past the 16 */
	uint64_t after; /* the size then, if not 0 */
	unsigned int flags;
};

#define TRUNCATE PINFS_CHANGE_TRUNCATE
#define PUNCH	 PINFS_CHANGE_PUNCH_HOLE
#define ZERO	 PINFS_CHANGE_ZERO_RANGE
#define COLLAPSE PINFS_CHANGE_COLLAPSE_RANGE
#define INSERT	 PINFS_CHANGE_INSERT_RANGE
#define ALLOCATE PINFS_CHANGE_ALLOCATE
#define KEEP	 FS_CHANGE_KEEP_SIZE

#define WAITS true
#define RUNS  false

#define ROW(kind_, off_, len_, pin_, n_, waits_, ...)                          \
	{                                                                      \
		.kind = kind_, .off = off_, .len = len_, .pin = pin_, .n = n_, \
		.waits = waits_, __VA_ARGS__                                   \
	}

/* clang-format off */
static const struct row rows[] = {
	/* truncate down: what lies past the new end, and the block it is in */
	ROW(TRUNCATE, 8 * B, 0, 0, 8, RUNS, .after = 8 * B),
	ROW(TRUNCATE, 8 * B, 0, 7, 1, RUNS),
	ROW(TRUNCATE, 8 * B, 0, 8, 1, WAITS),
	ROW(TRUNCATE, 8 * B, 0, 7, 2, WAITS),
	ROW(TRUNCATE, 8 * B, 0, 15, 1, WAITS, .after = 8 * B),
	ROW(TRUNCATE, 8 * B + 1, 0, 7, 1, RUNS, .after = 8 * B + 1),
	ROW(TRUNCATE, 8 * B + 1, 0, 8, 1, WAITS),
	ROW(TRUNCATE, 8 * B + 1, 0, 9, 1, WAITS),
	ROW(TRUNCATE, 8 * B - 1, 0, 6, 1, RUNS),
	ROW(TRUNCATE, 8 * B - 1, 0, 7, 1, WAITS, .after = 8 * B - 1),
	ROW(TRUNCATE, 16 * B - 1, 0, 15, 1, WAITS),
	ROW(TRUNCATE, 16 * B - 1, 0, 0, 15, RUNS),
	ROW(TRUNCATE, 0, 0, 0, 1, WAITS),
	ROW(TRUNCATE, 0, 0, 15, 1, WAITS),
	ROW(TRUNCATE, 1, 0, 0, 1, WAITS),
	/* the same size, and up */
	ROW(TRUNCATE, 16 * B, 0, 0, 16, RUNS, .after = 16 * B),
	ROW(TRUNCATE, 16 * B + 1, 0, 0, 16, RUNS, .after = 16 * B + 1),
	ROW(TRUNCATE, 1000 * B, 0, 15, 1, RUNS, .after = 1000 * B),
	ROW(TRUNCATE, 15 * B + 9, 0, 15, 1, RUNS, .size = 15 * B + 9),
	ROW(TRUNCATE, 15 * B + 10, 0, 15, 1, RUNS, .size = 15 * B + 9,
	  .after = 15 * B + 10),
	ROW(TRUNCATE, 15 * B + 8, 0, 15, 1, WAITS, .size = 15 * B + 9),
	/* up, with blocks ahead: those behind the new end go */
	ROW(TRUNCATE, 20 * B, 0, 19, 1, RUNS, .ahead = 8, .after = 20 * B),
	ROW(TRUNCATE, 20 * B, 0, 20, 1, WAITS, .ahead = 8, .after = 20 * B),
	ROW(TRUNCATE, 20 * B - 1, 0, 19, 1, RUNS, .ahead = 8),
	ROW(TRUNCATE, 20 * B - 1, 0, 20, 1, WAITS, .ahead = 8),
	ROW(TRUNCATE, 24 * B, 0, 0, 24, RUNS, .ahead = 8, .after = 24 * B),
	/* punch */
	ROW(PUNCH, 4 * B, 2 * B, 3, 1, RUNS, .after = 16 * B),
	ROW(PUNCH, 4 * B, 2 * B, 4, 1, WAITS),
	ROW(PUNCH, 4 * B, 2 * B, 5, 1, WAITS),
	ROW(PUNCH, 4 * B, 2 * B, 6, 1, RUNS),
	ROW(PUNCH, 4 * B, 2 * B, 6, 10, RUNS),
	ROW(PUNCH, 4 * B, 2 * B, 0, 4, RUNS),
	ROW(PUNCH, 4 * B, 2 * B, 0, 16, WAITS),
	ROW(PUNCH, 4 * B + 1, B, 3, 1, RUNS),
	ROW(PUNCH, 4 * B + 1, B, 4, 1, WAITS),
	ROW(PUNCH, 4 * B + 1, B, 5, 1, WAITS),
	ROW(PUNCH, 4 * B + 1, B, 6, 1, RUNS),
	ROW(PUNCH, 4 * B - 1, 1, 3, 1, WAITS),
	ROW(PUNCH, 4 * B - 1, 1, 4, 1, RUNS),
	ROW(PUNCH, 4 * B - 1, 2, 3, 1, WAITS),
	ROW(PUNCH, 4 * B - 1, 2, 4, 1, WAITS),
	ROW(PUNCH, 4 * B + 100, 200, 4, 1, WAITS),
	ROW(PUNCH, 4 * B + 100, 200, 3, 1, RUNS),
	ROW(PUNCH, 4 * B + 100, 200, 5, 1, RUNS),
	ROW(PUNCH, 20 * B, 4 * B, 0, 16, RUNS),
	ROW(PUNCH, 20 * B, 4 * B, 19, 1, RUNS, .ahead = 8),
	ROW(PUNCH, 20 * B, 4 * B, 23, 1, WAITS, .ahead = 8),
	ROW(PUNCH, 0, 1ull << 40, 15, 1, WAITS),
	/* zero range */
	ROW(ZERO, 4 * B, 2 * B, 3, 1, RUNS, .after = 16 * B),
	ROW(ZERO, 4 * B, 2 * B, 4, 1, WAITS),
	ROW(ZERO, 4 * B, 2 * B, 5, 1, WAITS),
	ROW(ZERO, 4 * B, 2 * B, 6, 1, RUNS),
	ROW(ZERO, 4 * B + 1, B, 5, 1, WAITS),
	ROW(ZERO, 4 * B + 1, B, 6, 1, RUNS),
	ROW(ZERO, 4 * B - 1, 1, 3, 1, WAITS),
	ROW(ZERO, 4 * B - 1, 1, 4, 1, RUNS),
	ROW(ZERO, 16 * B, 4 * B, 0, 16, RUNS, .after = 20 * B),
	ROW(ZERO, 15 * B, 5 * B, 15, 1, WAITS, .after = 20 * B),
	ROW(ZERO, 16 * B, 4 * B, 15, 1, RUNS, .size = 15 * B + 9,
	  .after = 20 * B),
	ROW(ZERO, 16 * B, 4 * B, 15, 1, RUNS, .flags = KEEP, .after = 16 * B),
	/* collapse and insert: all behind moves */
	ROW(COLLAPSE, 4 * B, 2 * B, 0, 4, RUNS, .after = 14 * B),
	ROW(COLLAPSE, 4 * B, 2 * B, 3, 1, RUNS),
	ROW(COLLAPSE, 4 * B, 2 * B, 4, 1, WAITS),
	ROW(COLLAPSE, 4 * B, 2 * B, 6, 1, WAITS),
	ROW(COLLAPSE, 4 * B, 2 * B, 15, 1, WAITS, .after = 14 * B),
	ROW(COLLAPSE, 14 * B, B, 13, 1, RUNS),
	ROW(COLLAPSE, 14 * B, B, 15, 1, WAITS),
	ROW(COLLAPSE, 4 * B, 2 * B, 23, 1, WAITS, .ahead = 8),
	ROW(INSERT, 4 * B, 2 * B, 0, 4, RUNS, .after = 18 * B),
	ROW(INSERT, 4 * B, 2 * B, 3, 1, RUNS),
	ROW(INSERT, 4 * B, 2 * B, 4, 1, WAITS),
	ROW(INSERT, 4 * B, 2 * B, 15, 1, WAITS, .after = 18 * B),
	ROW(INSERT, 0, B, 15, 1, WAITS),
	/* allocate: nothing is moved */
	ROW(ALLOCATE, 0, 16 * B, 0, 16, RUNS, .after = 16 * B),
	ROW(ALLOCATE, 0, 20 * B, 0, 16, RUNS, .after = 20 * B),
	ROW(ALLOCATE, 0, 20 * B, 0, 16, RUNS, .flags = KEEP, .after = 16 * B),
	ROW(ALLOCATE, 30 * B, B, 15, 1, RUNS, .size = 15 * B + 9,
	  .after = 31 * B),
};
/* clang-format on */

static void must_change(struct rig *r, enum pinfs_change kind, uint64_t off,
			uint64_t len, unsigned int flags)
{
	struct range_change c;

	range_change_init(r, &c, 0, kind, off, len);
	c.ch.flags = flags;
	fs_change_start(&c.ch);
	gate_await(&c.over, 1);
	ck_assert_int_eq(c.err, 0);
}

static void prepare(struct rig *r, const struct row *row)
{
	if (row->ahead)
		must_change(r, ALLOCATE, 16 * B, row->ahead * B, KEEP);
	if (row->size)
		must_change(r, TRUNCATE, row->size, 0, 0);
}

/* stays - are the pinned blocks where they were? (L1) */
static void stays(struct rig *r, const struct row *row, const uint64_t *blk)
{
	for (uint64_t i = 0; i < row->n; i++)
		must(range_block(r->ip[0], row->pin + i) == blk[i]);
}

/* bytes_stay - what is pinned and before the end was not touched either */
static void bytes_stay(struct rig *r, const struct row *row)
{
	uint64_t size = row->size ? row->size : 16 * B;
	uint64_t end = min_u64((row->pin + row->n) * B, size);

	end = min_u64(end, scratch_fs_size(&r->sf, r->node[0]));
	if (end > row->pin * B)
		ck_assert(scratch_fs_has(&r->sf, r->node[0], 0, row->pin * B,
					 end - row->pin * B));
}

START_TEST(table)
{
	const struct row *row = &rows[_i];
	struct range_change c;
	uint64_t blk[32], size;
	struct pin_set *set;
	struct rig r;
	bool over;

	range_setup(&r);
	prepare(&r, row);
	size = scratch_fs_size(&r.sf, r.node[0]);
	set = range_hold(&r, r.ip[0], row->pin, row->n);
	for (uint64_t i = 0; i < row->n; i++)
		blk[i] = range_block(r.ip[0], row->pin + i);
	range_change_init(&r, &c, 0, row->kind, row->off, row->len);
	c.ch.flags = row->flags;
	fs_change_start(&c.ch);
	rig_settle(&r);
	over = gate_count(&c.over) > 0;
	ck_assert_msg(over == !row->waits, "it %s", over ? "ran" : "waits");
	ck_assert_uint_eq(rig_stats(&r).breaks_waiting, row->waits);
	stays(&r, row, blk);
	bytes_stay(&r, row);
	if (row->waits) /* L7 */
		ck_assert_uint_eq(scratch_fs_size(&r.sf, r.node[0]), size);
	pin_set_free(set);
	gate_await(&c.over, 1);
	ck_assert_int_eq(c.err, 0);
	if (row->after)
		ck_assert_uint_eq(scratch_fs_size(&r.sf, r.node[0]),
				  row->after);
	rig_teardown(&r);
}
END_TEST

/* What is no layout change never waits, not even for a change that does. */
START_TEST(no_change)
{
	struct range_change c;
	struct pin_set *set;
	struct fs_entry e;
	struct rig r;

	range_setup(&r);
	set = range_hold(&r, r.ip[0], 0, RIG_BLOCKS);
	ck_assert(!range_change(&r, &c, 0, TRUNCATE, 0, 0));
	scratch_fs_write(&r.sf, r.node[0], 0, 3 * B + 7, 2 * B);
	scratch_fs_write(&r.sf, r.node[0], 0, 16 * B, 9 * B);
	scratch_fs_write(&r.sf, r.node[0], 0, 40 * B, B);
	ck_assert(scratch_fs_has(&r.sf, r.node[0], 0, 0, 25 * B));
	ck_assert_int_eq(fs_lookup(r.sf.fs, SCRATCH_ROOT, "f0", &e), 0);
	ck_assert_uint_eq(scratch_fs_size(&r.sf, r.node[0]), 41 * B);
	rig_settle(&r);
	ck_assert_uint_eq(gate_count(&c.over), 0);
	pin_set_free(set);
	gate_await(&c.over, 1);
	ck_assert_uint_eq(scratch_fs_size(&r.sf, r.node[0]), 0);
	rig_teardown(&r);
}
END_TEST

/* --- DMA and the size ----------------------------------------------------------- */

/* from_device - what a transfer does until the device has written [off, end) */
static struct pin_set *from_device(struct rig *r, uint64_t off, uint64_t len,
				   uint64_t end)
{
	uint64_t first = off / B, count = div_round_up(off + len, B) - first;
	struct pin_set *set = rig_begin(r, 0);
	struct volume *vol = fs_volume(r->sf.fs);
	const struct pinned_run *runs;
	struct rig_wait w;
	size_t n;

	ck_assert_int_eq(range_claim(set, r->ip[0], first, count, &w), 0);
	ck_assert_int_eq(fs_dma_prepare(r->sf.fs, r->ip[0], off, len), 0);
	ck_assert_int_eq(layout_pin(set, r->ip[0], first, count, &runs, &n), 0);
	ck_assert_uint_eq(n, 1);
	memset((uint8_t *)volume_block(vol, runs[0].pblk) + off % B, 0xd0,
	       end - off);
	return set;
}

static void finish(struct rig *r, struct pin_set *set, uint64_t off,
		   uint64_t len, uint64_t end)
{
	ck_assert_int_eq(fs_dma_finish(r->sf.fs, r->ip[0], off, len, end), 0);
	pin_set_free(set);
}

static bool is_dma(struct rig *r, uint64_t off, uint64_t len)
{
	uint8_t *buf = malloc(len);
	struct fs_file *file;
	struct fs_read *rd = malloc(sizeof(*rd));
	bool same = true;
	size_t at = 0;

	ck_assert(buf && rd);
	ck_assert_int_eq(fs_file_open(r->sf.fs, r->node[0], O_RDONLY, &file),
			 0);
	while (at < len) {
		ck_assert_int_eq(fs_read_begin(r->sf.fs, file, off + at,
					       len - at, rd),
				 0);
		ck_assert_uint_gt(rd->length, 0);
		for (int i = 0; i < rd->count; i++)
			for (size_t k = 0; k < rd->iov[i].iov_len; k++)
				if (((uint8_t *)rd->iov[i].iov_base)[k] != 0xd0)
					same = false;
		at += rd->length;
		fs_read_end(rd);
	}
	fs_file_release(r->sf.fs, file);
	free(rd);
	free(buf);
	return same;
}

/* A device fills blocks behind the end; the file is cut below, or grows past. */
START_TEST(size_after_dma)
{
	static const struct {
		uint64_t size; /* truncated to that meanwhile */
		uint64_t off, len, end; /* the DMA, and how far it came */
		uint64_t after;
		bool waits;
	} ask[] = {
		/* up, over and past the DMA: the larger one is the size */
		{ 18 * B, 16 * B, 4 * B, 20 * B, 20 * B, true },
		{ 20 * B, 16 * B, 4 * B, 20 * B, 20 * B, false },
		{ 30 * B, 16 * B, 4 * B, 20 * B, 30 * B, false },
		{ 30 * B, 16 * B, 4 * B, 16 * B, 30 * B, false },
		/* down, to behind the DMA and onto it */
		{ 8 * B, 0, 8 * B, 8 * B, 8 * B, false },
		{ 8 * B, 4 * B, 2 * B, 6 * B, 8 * B, false },
		{ 8 * B, 8 * B, B, 9 * B, 8 * B, true },
		{ 8 * B + 5, 8 * B, B, 9 * B, 8 * B + 5, true },
		{ 8 * B + 5, 0, 8 * B, 8 * B, 8 * B + 5, false },
		/* what it did not reach is zero */
		{ 30 * B, 16 * B, 4 * B, 17 * B + 1, 30 * B, false },
	};
	struct range_change c;
	struct pin_set *set;
	uint64_t end, dma_end;
	struct rig r;

	ck_assert_int_lt(_i, (int)ARRAY_SIZE(ask));
	range_setup(&r);
	set = from_device(&r, ask[_i].off, ask[_i].len, ask[_i].end);
	ck_assert(range_change(&r, &c, 0, TRUNCATE, ask[_i].size, 0) ==
		  !ask[_i].waits);
	finish(&r, set, ask[_i].off, ask[_i].len, ask[_i].end);
	gate_await(&c.over, 1);
	ck_assert_int_eq(c.err, 0);
	/* One that waited comes after it, and has the last word. */
	end = ask[_i].waits ? ask[_i].size : ask[_i].after;
	ck_assert_uint_eq(scratch_fs_size(&r.sf, r.node[0]), end);
	dma_end = min_u64(ask[_i].end, end);
	if (dma_end > ask[_i].off)
		ck_assert(is_dma(&r, ask[_i].off, dma_end - ask[_i].off));
	if (end > 16 * B)
		ck_assert(scratch_fs_is_zero(&r.sf, r.node[0],
					     max_u64(dma_end, 16 * B),
					     end - max_u64(dma_end, 16 * B)));
	rig_teardown(&r);
}
END_TEST

/* The last block of a file is being filled while the file grows beyond it. */
START_TEST(tail_is_left_to_the_device)
{
	struct range_change c;
	struct pin_set *set;
	struct rig r;

	range_setup(&r);
	must_change(&r, TRUNCATE, 15 * B + 9, 0, 0);
	set = from_device(&r, 15 * B, B, 16 * B);
	ck_assert(range_change(&r, &c, 0, TRUNCATE, 40 * B, 0));
	finish(&r, set, 15 * B, B, 16 * B);
	ck_assert(is_dma(&r, 15 * B, B));
	ck_assert(scratch_fs_is_zero(&r.sf, r.node[0], 16 * B, 24 * B));
	ck_assert_uint_eq(scratch_fs_size(&r.sf, r.node[0]), 40 * B);
	rig_teardown(&r);
}
END_TEST

/* What it wrote past where it came to, and past the end, does not show up. */
START_TEST(unreached_behind_the_end)
{
	struct range_change c;
	struct pin_set *set;
	struct rig r;

	range_setup(&r);
	set = from_device(&r, 16 * B, 4 * B, 20 * B);
	ck_assert(range_change(&r, &c, 0, PUNCH, 0, 16 * B));
	finish(&r, set, 16 * B, 4 * B, 17 * B + 1);
	ck_assert_uint_eq(scratch_fs_size(&r.sf, r.node[0]), 17 * B + 1);
	ck_assert(range_change(&r, &c, 0, TRUNCATE, 30 * B, 0));
	ck_assert(is_dma(&r, 16 * B, B + 1));
	ck_assert(scratch_fs_is_zero(&r.sf, r.node[0], 0, 16 * B));
	ck_assert(scratch_fs_is_zero(&r.sf, r.node[0], 17 * B + 1, 13 * B - 1));
	rig_teardown(&r);
}
END_TEST

/*
 * L1: neighbours go, are given to others, and the device writes on; its blocks
 * are where they were.
 */
START_TEST(neighbours_keep_their_place)
{
	struct range_change c;
	struct pin_set *set;
	uint64_t blk[4];
	struct rig r;

	range_setup(&r);
	set = from_device(&r, 6 * B, 4 * B, 10 * B);
	for (uint64_t i = 0; i < 4; i++)
		blk[i] = range_block(r.ip[0], 6 + i);
	ck_assert(range_change(&r, &c, 0, PUNCH, 0, 6 * B));
	ck_assert(range_change(&r, &c, 0, PUNCH, 10 * B, 2 * B));
	ck_assert(range_change(&r, &c, 0, TRUNCATE, 12 * B, 0));
	ck_assert(range_change(&r, &c, 0, TRUNCATE, 10 * B, 0));
	ck_assert(range_change(&r, &c, 0, INSERT, 0, B) == false);
	scratch_fs_soil(&r.sf);
	for (uint64_t i = 0; i < 4; i++)
		ck_assert_uint_eq(range_block(r.ip[0], 6 + i), blk[i]);
	ck_assert_uint_eq(scratch_fs_blocks(&r.sf, r.node[0]), 4);
	finish(&r, set, 6 * B, 4 * B, 10 * B);
	gate_await(&c.over, 1);
	ck_assert_int_eq(c.err, 0);
	ck_assert(is_dma(&r, 7 * B, 4 * B));
	ck_assert(scratch_fs_is_zero(&r.sf, r.node[0], 0, 7 * B));
	for (unsigned int i = 1; i < RIG_FILES; i++)
		ck_assert(scratch_fs_has(&r.sf, r.node[i], i, 0, 16 * B));
	rig_teardown(&r);
}
END_TEST

/* A truncate that was to let the file grow, which is larger when it runs. */
START_TEST(grown_meanwhile)
{
	struct range_change c;
	struct pin_set *set;
	struct rig r;

	range_setup(&r);
	must_change(&r, TRUNCATE, 15 * B + 9, 0, 0);
	range_change_init(&r, &c, 0, TRUNCATE, 15 * B + 10, 0);
	c.ch.brk.owner.pid = (uint32_t)getpid();
	must_change(&r, ALLOCATE, 0, 16 * B, 0);
	set = range_hold(&r, r.ip[0], 15, 1);
	fs_change_start(&c.ch);
	rig_settle(&r);
	ck_assert_uint_eq(gate_count(&c.over), 0);
	ck_assert_uint_eq(rig_stats(&r).breaks_waiting, 1);
	ck_assert_uint_eq(scratch_fs_size(&r.sf, r.node[0]), 16 * B);
	ck_assert(c.ch.brk.owner.comm[0]); /* L14 */
	pin_set_free(set);
	gate_await(&c.over, 1);
	ck_assert_int_eq(c.err, 0);
	ck_assert_uint_eq(scratch_fs_size(&r.sf, r.node[0]), 15 * B + 10);
	rig_teardown(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("layout-range-fs");

	rig_add(s, "table", table, ARRAY_SIZE(rows));
	rig_add(s, "no change", no_change, 1);
	rig_add(s, "size after DMA", size_after_dma, 10);
	rig_add(s, "the tail", tail_is_left_to_the_device, 1);
	rig_add(s, "unreached", unreached_behind_the_end, 1);
	rig_add(s, "neighbours", neighbours_keep_their_place, 1);
	rig_add(s, "grown meanwhile", grown_meanwhile, 1);
	return rig_main(s);
}
