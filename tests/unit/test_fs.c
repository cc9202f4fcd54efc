// SPDX-License-Identifier: BSD-3-Clause
/* The bytes of files: written, read, cut, punched, against a model of them. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "fs_rig.h"
#include "pool/persist.h"
#include "scratch_fsck.h"
#include "scratch_scale.h"
#include "scratch_volume.h"
#include "scratch.h"

#define MIB	 (1ull << 20)
#define BLOCK	 ((uint64_t)PINFS_BLOCK_SIZE)
#define MAX_SIZE ((uint64_t)INT64_MAX)

static const enum scratch_kind kinds[] = { SCRATCH_MEMORY, SCRATCH_DISK };

static struct fs_rig r;

static void set_up(void)
{
	fs_rig_make(&r, SCRATCH_MEMORY, 16 * MIB);
}

static void tear_down(void)
{
	fs_rig_close(&r);
	scratch_fsck(r.kind);
}

/* --- a model of a file ----------------------------------------------------------- */

#define ROOM (96 * BLOCK)

static struct {
	uint8_t bytes[ROOM]; /* zero from size on */
	uint64_t size;
	uint64_t node;
	struct fs_file *file;
	uint64_t seed;
} m;

static uint64_t below(uint64_t n)
{
	return scratch_random(&m.seed) % n;
}

/* somewhere - an offset up to limit, often at a block's edge or beside it */
static uint64_t somewhere(uint64_t limit)
{
	uint64_t at = below(limit + 1);

	switch (below(4)) {
	case 0:
		return round_down_u64(at, BLOCK);
	case 1:
		return min_u64(round_down_u64(at, BLOCK) + 1, limit);
	default:
		return at;
	}
}

static void model_open(const char *name, uint64_t seed)
{
	memset(&m, 0, sizeof(m));
	m.seed = seed;
	m.node = rig_file(&r, name);
	m.file = rig_open(&r, m.node);
}

static void model_resize(uint64_t size)
{
	if (size < m.size)
		memset(m.bytes + size, 0, m.size - size);
	m.size = size;
}

static void check_bytes(uint64_t off, uint64_t len)
{
	static uint8_t buf[ROOM];
	uint64_t want = off < m.size ? min_u64(len, m.size - off) : 0;

	ck_assert_int_eq(rig_read(&r, m.file, buf, len, off), (ssize_t)want);
	for (uint64_t i = 0; i < want; i++)
		if (buf[i] != m.bytes[off + i])
			ck_abort_msg("byte %llu is %02x, not %02x",
				     (unsigned long long)(off + i), buf[i],
				     m.bytes[off + i]);
}

/* Not by ck_assert(), which writes a message each time. */
static bool is_zero(const uint8_t *p, uint64_t n)
{
	while (n > 0 && *p == 0)
		p++, n--;
	return n == 0;
}

/* check_seek - what counts as a hole is zero, and the answers fit together */
static void check_seek(void)
{
	uint64_t at = 0;

	while (at < m.size) {
		int64_t data = fs_lseek(r.fs, m.file, at, SEEK_DATA), hole;
		uint64_t end = data < 0 ? m.size : (uint64_t)data;

		ck_assert(data >= (int64_t)at || data == -ENXIO);
		ck_assert(is_zero(m.bytes + at, end - at));
		hole = fs_lseek(r.fs, m.file, at, SEEK_HOLE);
		ck_assert((uint64_t)hole == at || end == at);
		if (data < 0)
			break;
		hole = fs_lseek(r.fs, m.file, (uint64_t)data, SEEK_HOLE);
		ck_assert_int_gt(hole, data);
		ck_assert_uint_le((uint64_t)hole, m.size);
		at = (uint64_t)hole;
	}
	ck_assert_int_eq(fs_lseek(r.fs, m.file, m.size, SEEK_DATA), -ENXIO);
	ck_assert_int_eq(fs_lseek(r.fs, m.file, m.size, SEEK_HOLE), -ENXIO);
	for (unsigned int i = 0; i < 8 && m.size > 0; i++) {
		uint64_t off = below(m.size);
		int64_t data = fs_lseek(r.fs, m.file, off, SEEK_DATA);

		ck_assert(data >= (int64_t)off || data == -ENXIO);
		ck_assert_int_ge(fs_lseek(r.fs, m.file, off, SEEK_HOLE),
				 (int64_t)off);
	}
}

static void check_all(void)
{
	ck_assert_uint_eq((uint64_t)rig_stat(&r, m.node).st_size, m.size);
	check_bytes(0, ROOM);
	check_seek();
}

/* --- what is done to both ----------------------------------------------------------- */

static void do_write(void)
{
	static uint8_t buf[ROOM];
	uint64_t off = somewhere(ROOM - 1);
	uint64_t len = 1 + below(min_u64(ROOM - off, below(3) ? 6000 : 90000));

	for (uint64_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(1 + below(255));
	ck_assert_int_eq(fs_write(r.fs, m.file, buf, len, off), (ssize_t)len);
	memcpy(m.bytes + off, buf, len);
	m.size = max_u64(m.size, off + len);
}

/* do_fill - blocks from the first on, no byte of them zero */
static void do_fill(uint64_t blocks)
{
	memset(m.bytes, 0xd1, blocks * BLOCK);
	ck_assert_int_eq(fs_write(r.fs, m.file, m.bytes, blocks * BLOCK, 0),
			 (ssize_t)(blocks * BLOCK));
	m.size = max_u64(m.size, blocks * BLOCK);
}

static void do_truncate(void)
{
	uint64_t size = somewhere(ROOM);

	ck_assert_int_eq(rig_truncate(&r, m.node, size), 0);
	model_resize(size);
}

static void do_range(enum pinfs_change kind)
{
	uint64_t off = somewhere(ROOM - 1), end = somewhere(ROOM);
	unsigned int flags = below(2) ? FS_CHANGE_KEEP_SIZE : 0;

	if (end <= off)
		end = off + 1 + below(min_u64(ROOM - off, 20000));
	ck_assert_int_eq(rig_change(&r, m.node, kind, off, end - off, flags),
			 0);
	if (kind != PINFS_CHANGE_ALLOCATE)
		memset(m.bytes + off, 0, end - off);
	if (kind != PINFS_CHANGE_PUNCH_HOLE && !flags && end > m.size)
		m.size = end;
}

static void do_collapse(void)
{
	uint64_t off = round_down_u64(below(ROOM), BLOCK);
	uint64_t len = BLOCK * (1 + below(10));
	int err = off + len < m.size ? 0 : -EINVAL;

	ck_assert_int_eq(rig_change(&r, m.node, PINFS_CHANGE_COLLAPSE_RANGE,
				    off, len, 0),
			 err);
	if (err)
		return;
	memmove(m.bytes + off, m.bytes + off + len, m.size - off - len);
	memset(m.bytes + m.size - len, 0, len);
	m.size -= len;
}

static void do_insert(void)
{
	uint64_t off = round_down_u64(below(ROOM), BLOCK);
	uint64_t len = BLOCK * (1 + below(10));
	int err = off < m.size ? 0 : -EINVAL;

	if (m.size + len > ROOM)
		return;
	ck_assert_int_eq(rig_change(&r, m.node, PINFS_CHANGE_INSERT_RANGE, off,
				    len, 0),
			 err);
	if (err)
		return;
	memmove(m.bytes + off + len, m.bytes + off, m.size - off);
	memset(m.bytes + off, 0, len);
	m.size += len;
}

static void do_copy(void)
{
	uint64_t from = somewhere(ROOM - 1), to = somewhere(ROOM - 1);
	uint64_t len = 1 + below(30000), had;

	len = min_u64(len, ROOM - to);
	if (from < to + len && to < from + len)
		return;
	had = from < m.size ? min_u64(len, m.size - from) : 0;
	ck_assert_int_eq(fs_copy_range(r.fs, m.file, from, m.file, to, len),
			 (ssize_t)had);
	if (had == 0)
		return;
	memmove(m.bytes + to, m.bytes + from, had);
	m.size = max_u64(m.size, to + had);
}

static void do_something(void)
{
	switch (below(14)) {
	case 0:
		do_truncate();
		break;
	case 1:
		do_range(PINFS_CHANGE_ALLOCATE);
		break;
	case 2:
	case 3:
		do_range(PINFS_CHANGE_PUNCH_HOLE);
		break;
	case 4:
		do_range(PINFS_CHANGE_ZERO_RANGE);
		break;
	case 5:
		do_collapse();
		break;
	case 6:
	case 7:
		do_insert();
		break;
	case 8:
		do_copy();
		break;
	default:
		do_write();
	}
}

static void reopen(void)
{
	fs_file_release(r.fs, m.file);
	fs_rig_check(&r);
	m.file = rig_open(&r, m.node);
}

START_TEST(random_bytes)
{
	uint64_t free_blocks;

	fs_rig_close(&r);
	fs_rig_make(&r, kinds[_i % 2], 16 * MIB);
	/* S4: blocks that are given out have been somebody's. */
	rig_soil(&r);
	free_blocks = rig_free(&r);
	model_open("f", (uint64_t)_i);
	for (unsigned int i = 0; i < scratch_scale(3000u, 600u); i++) {
		do_something();
		if (i % 16 == 0)
			check_all();
		else
			check_bytes(somewhere(ROOM), 1 + below(20000));
		if (i % 1000 == 999) {
			reopen();
			check_all();
		}
	}
	check_all();
	fs_file_release(r.fs, m.file);
	ck_assert_int_eq(fs_unlink(r.fs, ROOT, "f"), 0);
	ck_assert_uint_eq(rig_free(&r), free_blocks);
}
END_TEST

/* --- edges --------------------------------------------------------------------------- */

START_TEST(far_out)
{
	uint64_t node = rig_file(&r, "f");
	struct fs_file *file = rig_open(&r, node);
	char buf[20] = "the end";

	ck_assert_int_eq(fs_write(r.fs, file, buf, 0, 10), 0);
	ck_assert_int_eq(rig_stat(&r, node).st_size, 0);
	ck_assert_int_eq(fs_write(r.fs, file, buf, 8, MAX_SIZE), -EFBIG);
	ck_assert_int_eq(fs_write(r.fs, file, buf, 8, UINT64_MAX - 3), -EFBIG);
	ck_assert_int_eq(fs_write(r.fs, file, buf, 8, MAX_SIZE - 8), 8);
	ck_assert_uint_eq((uint64_t)rig_stat(&r, node).st_size, MAX_SIZE);
	memset(buf, 'x', sizeof(buf));
	ck_assert_int_eq(rig_read(&r, file, buf, 20, MAX_SIZE - 8), 8);
	ck_assert_str_eq(buf, "the end");
	ck_assert_int_eq(rig_read(&r, file, buf, 20, MAX_SIZE), 0);
	ck_assert_int_eq(rig_read(&r, file, buf, 20, 1ull << 40), 20);
	ck_assert_int_eq(buf[0] | buf[19], 0);
	ck_assert_int_eq(fs_lseek(r.fs, file, 5, SEEK_DATA),
			 (int64_t)round_down_u64(MAX_SIZE - 8, BLOCK));
	ck_assert_int_eq(fs_lseek(r.fs, file, MAX_SIZE - 5, SEEK_HOLE),
			 INT64_MAX);
	ck_assert_int_eq(fs_lseek(r.fs, file, 0, SEEK_SET), -EINVAL);
	fs_file_release(r.fs, file);
	fs_rig_check(&r);
	ck_assert_int_eq(rig_truncate(&r, node, 100), 0);
	ck_assert_int_eq(rig_truncate(&r, node, MAX_SIZE), 0);
	ck_assert_int_eq(rig_change(&r, node, PINFS_CHANGE_PUNCH_HOLE,
				    MAX_SIZE - 5000, 5000, 0),
			 0);
}
END_TEST

static const struct {
	enum pinfs_change kind;
	uint64_t off, len;
	int err;
} bad_changes[] = {
	{ PINFS_CHANGE_TRUNCATE, MAX_SIZE + 1, 0, -EINVAL },
	{ PINFS_CHANGE_ALLOCATE, 0, 0, -EINVAL },
	{ PINFS_CHANGE_ALLOCATE, MAX_SIZE + 1, 1, -EFBIG },
	{ PINFS_CHANGE_ALLOCATE, MAX_SIZE, 1, -EFBIG },
	{ PINFS_CHANGE_ALLOCATE, 1, MAX_SIZE, -EFBIG },
	{ PINFS_CHANGE_ALLOCATE, 0, MAX_SIZE, -ENOSPC },
	{ PINFS_CHANGE_PUNCH_HOLE, 5, 0, -EINVAL },
	{ PINFS_CHANGE_PUNCH_HOLE, 5, UINT64_MAX, -EFBIG },
	{ PINFS_CHANGE_ZERO_RANGE, 0, 0, -EINVAL },
	{ PINFS_CHANGE_ZERO_RANGE, 0, 1ull << 50, -ENOSPC },
	{ PINFS_CHANGE_COLLAPSE_RANGE, 1, 4096, -EINVAL },
	{ PINFS_CHANGE_COLLAPSE_RANGE, 0, 100, -EINVAL },
	{ PINFS_CHANGE_COLLAPSE_RANGE, 0, 3 * 4096, -EINVAL },
	{ PINFS_CHANGE_COLLAPSE_RANGE, 4096, 2 * 4096, -EINVAL },
	{ PINFS_CHANGE_COLLAPSE_RANGE, 1ull << 50, 4096, -EINVAL },
	{ PINFS_CHANGE_INSERT_RANGE, 4095, 4096, -EINVAL },
	{ PINFS_CHANGE_INSERT_RANGE, 0, 4097, -EINVAL },
	{ PINFS_CHANGE_INSERT_RANGE, 3 * 4096, 4096, -EINVAL },
	{ PINFS_CHANGE_INSERT_RANGE, 0, MAX_SIZE & ~4095ull, -EFBIG },
	{ 99, 0, 4096, -EINVAL },
};

/* L7: what is refused, or fails, changes nothing. */
START_TEST(bad_change)
{
	uint64_t free_blocks;

	model_open("f", 1);
	do_fill(3);
	free_blocks = rig_free(&r);
	ck_assert_int_eq(rig_change(&r, m.node, bad_changes[_i].kind,
				    bad_changes[_i].off, bad_changes[_i].len,
				    0),
			 bad_changes[_i].err);
	check_all();
	ck_assert_uint_eq(rig_free(&r), free_blocks);
	fs_file_release(r.fs, m.file);
}
END_TEST

START_TEST(changes_of_other_inodes)
{
	struct fs_caller who = { 0 };
	uint64_t link, node;
	struct fs_entry e;

	ck_assert_int_eq(fs_mknod(r.fs, ROOT, "p", S_IFIFO | 0600, 0, &who, &e,
				  NULL, 0),
			 0);
	ck_assert_int_eq(rig_symlink(&r, ROOT, "l", "x", &link), 0);
	ck_assert_int_eq(rig_truncate(&r, ROOT, 0), -EISDIR);
	ck_assert_int_eq(rig_truncate(&r, e.node, 0), -EINVAL);
	ck_assert_int_eq(rig_truncate(&r, link, 0), -EINVAL);
	ck_assert_int_eq(rig_change(&r, e.node, PINFS_CHANGE_ALLOCATE, 0, 9, 0),
			 -ENODEV);
	node = rig_file(&r, "f");
	ck_assert_int_eq(fs_unlink(r.fs, ROOT, "f"), 0);
	ck_assert_int_eq(rig_truncate(&r, node, 5), -ESTALE);
}
END_TEST

/* Blocks kept behind the end of file may be in the last place there is. */
START_TEST(insert_before_the_last_block)
{
	uint64_t node = rig_file(&r, "f");

	ck_assert_int_eq(rig_truncate(&r, node, 2 * BLOCK), 0);
	ck_assert_int_eq(rig_change(&r, node, PINFS_CHANGE_ALLOCATE,
				    MAX_SIZE - 100, 100, FS_CHANGE_KEEP_SIZE),
			 0);
	ck_assert_int_eq(rig_change(&r, node, PINFS_CHANGE_INSERT_RANGE, BLOCK,
				    BLOCK, 0),
			 -EFBIG);
	ck_assert_int_eq(rig_stat(&r, node).st_size, 2 * BLOCK);
	fs_rig_check(&r);
	ck_assert_int_eq(rig_truncate(&r, node, 0), 0);
}
END_TEST

START_TEST(truncate_drops_privileges)
{
	struct stat attr = { .st_mode = 06775 };
	uint64_t node = rig_file(&r, "f");

	ck_assert_int_eq(fs_setattr(r.fs, node, &attr, FS_SET_MODE, NULL), 0);
	ck_assert_int_eq(rig_truncate(&r, node, 5), 0);
	ck_assert_uint_eq(rig_stat(&r, node).st_mode & 07777, 0775);
	/* Without execution by the group the bit means another thing. */
	attr.st_mode = 06644;
	ck_assert_int_eq(fs_setattr(r.fs, node, &attr, FS_SET_MODE, NULL), 0);
	ck_assert_int_eq(rig_truncate(&r, node, 6), 0);
	ck_assert_uint_eq(rig_stat(&r, node).st_mode & 07777, 02644);
}
END_TEST

/* Preallocated blocks stay when the file grows into them, and read as zero. */
START_TEST(preallocated)
{
	uint64_t node, blocks;
	struct fs_file *file;
	uint8_t buf[100];

	rig_soil(&r);
	node = rig_file(&r, "f");
	file = rig_open(&r, node);
	ck_assert_int_eq(rig_change(&r, node, PINFS_CHANGE_ALLOCATE, 100,
				    10 * BLOCK, FS_CHANGE_KEEP_SIZE),
			 0);
	ck_assert_int_eq(rig_stat(&r, node).st_size, 0);
	blocks = (uint64_t)rig_stat(&r, node).st_blocks;
	ck_assert_uint_eq(blocks, 11 * 8);
	ck_assert_int_eq(fs_write(r.fs, file, "x", 1, 9 * BLOCK + 50), 1);
	ck_assert_uint_eq((uint64_t)rig_stat(&r, node).st_blocks, blocks);
	ck_assert_int_eq(rig_read(&r, file, buf, 100, 9 * BLOCK), 51);
	ck_assert_uint_eq(buf[50], 'x');
	ck_assert_uint_eq(buf[0] | buf[49], 0);
	ck_assert_int_eq(fs_lseek(r.fs, file, 0, SEEK_DATA), 9 * BLOCK);
	fs_file_release(r.fs, file);
}
END_TEST

START_TEST(copies)
{
	uint64_t a = rig_file(&r, "a"), b = rig_file(&r, "b");
	struct fs_file *in = rig_open(&r, a), *out = rig_open(&r, b);
	uint8_t *buf = malloc(3 * MIB), *back = malloc(3 * MIB);

	for (uint64_t i = 0; i < 3 * MIB; i++)
		buf[i] = (uint8_t)(i * 31 >> 3);
	for (uint64_t at = 0; at < 3 * MIB; at += MIB)
		ck_assert_int_eq(fs_write(r.fs, in, buf + at, MIB, at), MIB);
	ck_assert_int_eq(fs_copy_range(r.fs, in, 5, out, 777, 3 * MIB),
			 3 * MIB - 5);
	for (uint64_t at = 0; at < 3 * MIB - 5;) {
		ssize_t n = rig_read(&r, out, back + at, 3 * MIB - 5 - at,
				     777 + at);

		ck_assert_int_gt(n, 0);
		at += (uint64_t)n;
	}
	ck_assert_mem_eq(back, buf + 5, 3 * MIB - 5);
	ck_assert_int_eq(fs_copy_range(r.fs, in, 3 * MIB, out, 0, 10), 0);
	/* L3's scope is layout changes; a file that goes on is no matter. */
	ck_assert_int_eq(fs_copy_range(r.fs, in, 0, in, 3 * MIB, MIB), MIB);
	ck_assert_uint_eq((uint64_t)rig_stat(&r, a).st_size, 4 * MIB);
	fs_file_release(r.fs, in);
	fs_file_release(r.fs, out);
	free(back);
	free(buf);
}
END_TEST

/* --- durability ------------------------------------------------------------------------ */

static unsigned int syncs;

static int count_sync(struct pool *p)
{
	(void)p;
	__atomic_fetch_add(&syncs, 1, __ATOMIC_SEQ_CST);
	return 0;
}

/*
 * S2: fsync covers bytes that were stored in place, for which there was no
 * transaction, as within one tick of the clock the times stay the same.
 */
START_TEST(fsync_after_overwrite)
{
	struct persist_ops ops;
	struct fs_file *file;

	fs_rig_close(&r);
	fs_rig_make(&r, SCRATCH_DISK, 16 * MIB);
	ops = persist_file;
	ops.sync = count_sync;
	r.pool->persist = &ops;
	file = rig_open(&r, rig_file(&r, "f"));
	ck_assert_int_eq(fs_write(r.fs, file, "abc", 3, 0), 3);
	for (unsigned int i = 0; i < 300; i++) {
		unsigned int before;

		ck_assert_int_eq(fs_write(r.fs, file, "def", 3, 0), 3);
		ck_assert_int_eq(fs_fsync(r.fs, file), 0);
		ck_assert_int_eq(fs_write(r.fs, file, "ghi", 3, 0), 3);
		before = __atomic_load_n(&syncs, __ATOMIC_SEQ_CST);
		ck_assert_int_eq(fs_fsync(r.fs, file), 0);
		ck_assert_uint_gt(__atomic_load_n(&syncs, __ATOMIC_SEQ_CST),
				  before);
	}
	fs_file_release(r.fs, file);
	fs_rig_close(&r);
	fs_rig_open(&r);
}
END_TEST

/* --- DMA ------------------------------------------------------------------------------- */

/*
 * dma_in - what a device does: bytes c into [off, end) of [off, off + len)
 * @finish: else it is as if the daemon had died before the file was told of them
 */
static void dma_in(uint64_t node, uint64_t off, uint64_t len, uint64_t end,
		   int c, bool finish)
{
	struct pin_options opt = { .direction = PINFS_FROM_DEVICE };
	uint64_t first = off / BLOCK, last = div_round_up(off + len, BLOCK);
	struct admission a = { 0 };
	const struct pinned_run *runs;
	struct pin_set *set;
	struct inode *ip;
	size_t n;

	ck_assert_int_eq(fs_inode(r.fs, node, &ip), 0);
	ck_assert_int_eq(pin_set_begin(fs_layouts(r.fs), &opt, &set), 0);
	ck_assert_int_eq(layout_admit(set, ip, 0, 1 << 20, &a), 0);
	ck_assert_int_eq(fs_dma_prepare(r.fs, ip, off, len), 0);
	ck_assert_int_eq(layout_pin(set, ip, first, last - first, &runs, &n),
			 0);
	for (size_t i = 0; i < n; i++) {
		uint64_t start = runs[i].lblk * BLOCK;
		uint64_t from = max_u64(start, off);
		uint64_t to = min_u64(start + runs[i].count * BLOCK, end);
		uint8_t *mem = volume_block(fs_volume(r.fs), runs[i].pblk);

		if (from < to)
			memset(mem + (from - start), c, to - from);
	}
	if (finish)
		ck_assert_int_eq(fs_dma_finish(r.fs, ip, off, len, end), 0);
	pin_set_free(set);
	inode_put(ip);
}

static void model_fill(uint64_t off, uint64_t end, int c)
{
	memset(m.bytes + off, c, end - off);
	m.size = max_u64(m.size, end);
}

static const struct {
	uint64_t size; /* of the file before */
	uint64_t off, len, end;
} dmas[] = {
	{ 0, 0, BLOCK, BLOCK },
	{ 0, 0, 3 * BLOCK, 3 * BLOCK },
	{ 0, 512, 1024, 1536 },
	/* In the block that the file ends in, and behind its end. */
	{ 100, 512, 512, 1024 },
	{ 100, 512, 2 * BLOCK, 2 * BLOCK + 512 },
	{ 100, 0, 50, 50 },
	{ 100, 50, 100, 150 },
	{ 100, 2 * BLOCK + 512, 512, 2 * BLOCK + 1024 },
	{ 5 * BLOCK, 100, 3 * BLOCK, 3 * BLOCK + 100 },
	/* The device stops in the middle. */
	{ 0, 0, 4 * BLOCK, BLOCK + 77 },
	{ 100, 512, 4 * BLOCK, BLOCK + 77 },
	{ 100, 512, 1000, 513 },
	{ 6 * BLOCK, 512, 4 * BLOCK, 2 * BLOCK },
	{ 0, 0, 4 * BLOCK, 0 },
};

START_TEST(dma_from_a_device)
{
	rig_soil(&r);
	model_open("f", 3);
	/* Bytes that are the file's no more stay in its last block. */
	do_fill(8);
	ck_assert_int_eq(rig_truncate(&r, m.node, dmas[_i].size), 0);
	model_resize(dmas[_i].size);
	dma_in(m.node, dmas[_i].off, dmas[_i].len, dmas[_i].end, 0x5a, true);
	if (dmas[_i].end > dmas[_i].off)
		model_fill(dmas[_i].off, dmas[_i].end, 0x5a);
	check_all();
	/* And what is behind the end now shows up as zeroes. */
	ck_assert_int_eq(rig_truncate(&r, m.node, 12 * BLOCK), 0);
	model_resize(12 * BLOCK);
	check_all();
	reopen();
	check_all();
	fs_file_release(r.fs, m.file);
}
END_TEST

/* A write that makes the file longer while a device fills what lies between. */
START_TEST(write_behind_a_dma)
{
	struct pin_options opt = { .direction = PINFS_FROM_DEVICE };
	struct admission a = { 0 };
	const struct pinned_run *runs;
	struct pin_set *set;
	struct inode *ip;
	size_t n;

	rig_soil(&r);
	model_open("f", 3);
	do_fill(1);
	ck_assert_int_eq(rig_truncate(&r, m.node, 100), 0);
	model_resize(100);
	ip = fs_file_inode(m.file);
	ck_assert_int_eq(pin_set_begin(fs_layouts(r.fs), &opt, &set), 0);
	ck_assert_int_eq(layout_admit(set, ip, 0, 1 << 20, &a), 0);
	ck_assert_int_eq(fs_dma_prepare(r.fs, ip, 512, 512), 0);
	ck_assert_int_eq(layout_pin(set, ip, 0, 1, &runs, &n), 0);
	memset((uint8_t *)volume_block(fs_volume(r.fs), runs[0].pblk) + 512,
	       0x5a, 512);
	ck_assert_int_eq(fs_write(r.fs, m.file, "abc", 3, 2 * BLOCK), 3);
	ck_assert_int_eq(fs_dma_finish(r.fs, ip, 512, 512, 1024), 0);
	pin_set_free(set);
	memcpy(m.bytes + 2 * BLOCK, "abc", 3);
	model_fill(512, 1024, 0x5a);
	m.size = 2 * BLOCK + 3;
	check_all();
	fs_file_release(r.fs, m.file);
}
END_TEST

/* The ways in which a file grows. */
static const struct {
	enum pinfs_change kind;
	uint64_t off, len;
	bool writes, dma;
} growths[] = {
	{ PINFS_CHANGE_TRUNCATE, 12 * BLOCK, 0, false, false },
	{ PINFS_CHANGE_ALLOCATE, 8 * BLOCK, 2 * BLOCK, false, false },
	{ PINFS_CHANGE_ZERO_RANGE, 9 * BLOCK, BLOCK, false, false },
	{ 0, 3 * BLOCK + 10, 3, true, false },
	{ 0, 11 * BLOCK, 5, true, false },
	{ 0, 3 * BLOCK + 10, 700, false, true },
};

/* A device's bytes that the end of file had not reached when the daemon died. */
START_TEST(grows_over_what_a_dma_left)
{
	uint64_t off = growths[_i].off, len = growths[_i].len;

	rig_soil(&r);
	model_open("f", 3);
	do_fill(1);
	ck_assert_int_eq(rig_truncate(&r, m.node, 100), 0);
	model_resize(100);
	dma_in(m.node, 512, 8 * BLOCK, 8 * BLOCK, 0x5a, false);
	if (growths[_i].dma) {
		dma_in(m.node, off, len, off + len, 0x5b, true);
		model_fill(off, off + len, 0x5b);
	} else if (growths[_i].writes) {
		ck_assert_int_eq(fs_write(r.fs, m.file, "abcde", len, off),
				 (ssize_t)len);
		model_fill(off, off + len, 0);
		memcpy(m.bytes + off, "abcde", len);
	} else {
		ck_assert_int_eq(rig_change(&r, m.node, growths[_i].kind, off,
					    len, 0),
				 0);
		m.size = off + len;
	}
	check_all();
	ck_assert_int_eq(rig_truncate(&r, m.node, 12 * BLOCK), 0);
	m.size = 12 * BLOCK;
	check_all();
	fs_file_release(r.fs, m.file);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs");
	TCase *tc = tcase_create("fs");

	log_set_level(LOG_LEVEL_WARN);
	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, random_bytes, 0, 4);
	tcase_add_test(tc, far_out);
	tcase_add_loop_test(tc, bad_change, 0, ARRAY_SIZE(bad_changes));
	tcase_add_test(tc, changes_of_other_inodes);
	tcase_add_test(tc, insert_before_the_last_block);
	tcase_add_test(tc, truncate_drops_privileges);
	tcase_add_test(tc, preallocated);
	tcase_add_test(tc, copies);
	tcase_add_test(tc, fsync_after_overwrite);
	tcase_add_loop_test(tc, dma_from_a_device, 0, ARRAY_SIZE(dmas));
	tcase_add_test(tc, write_behind_a_dma);
	tcase_add_loop_test(tc, grows_over_what_a_dma_left, 0,
			    ARRAY_SIZE(growths));
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
