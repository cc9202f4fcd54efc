// SPDX-License-Identifier: BSD-3-Clause
/* Transfers: the bytes, and what a file is when not all of them come. */
#include "layout_rig.h"
#include "transfer_rig.h"

#include <fcntl.h>

#define POOL (64u << 20)

/* Seeds: of what was in a file, and of what is on a device. */
#define OLD 3u
#define NEW 4u

static void setup(struct scratch_fs *sf)
{
	scratch_fs_make(sf, POOL, NULL);
	/* Each free block has what nobody may ever see (S4). */
	scratch_fs_soil(sf);
}

static void teardown(struct scratch_fs *sf)
{
	struct pinfs_ioc_stats st;

	fs_drain(sf->fs);
	fs_stats(sf->fs, &st);
	ck_assert_uint_eq(st.pins, st.unpins);
	ck_assert_uint_eq(st.pin_sets_live, 0);
	scratch_fs_close(sf);
}

/* grow - the file gets that size; what it was not before has to be zero */
static void grow(struct scratch_fs *sf, uint64_t node, uint64_t to)
{
	uint64_t size = scratch_fs_size(sf, node);

	ck_assert_int_eq(
		scratch_fs_change(sf, node, PINFS_CHANGE_TRUNCATE, to, 0), 0);
	ck_assert(scratch_fs_is_zero(sf, node, size, to - size));
}

/* --- from a device ------------------------------------------------------- */

struct place {
	uint64_t off, len;
};

static const struct place places[] = {
	{ 0, 1 },     { 0, 4096 },	{ 0, 10000 },	     { 100, 50 },
	{ 4095, 2 },  { 5000, 12288 },	{ 8192, 8192 },	     { 4096, 4000 },
	{ 12000, 1 }, { 65536, 65537 }, { 1048575, 300000 }, { 7000, 1192 },
};

#define PLACES (sizeof(places) / sizeof(places[0]))

enum before { EMPTY, DATA, HOLE, UNWRITTEN, BEFORES };

#define BEFORE_SIZE 20000u

static uint64_t make_before(struct scratch_fs *sf, enum before before)
{
	uint64_t node = scratch_fs_file(sf, "file");

	if (before == DATA)
		scratch_fs_write(sf, node, OLD, 0, BEFORE_SIZE);
	else if (before != EMPTY)
		ck_assert_int_eq(
			scratch_fs_change(sf, node,
					  before == HOLE ?
						  PINFS_CHANGE_TRUNCATE :
						  PINFS_CHANGE_ALLOCATE,
					  before == HOLE ? BEFORE_SIZE : 0,
					  before == HOLE ? 0 : BEFORE_SIZE),
			0);
	return node;
}

/* was - [off, end) is as it was, as far as the file went */
static bool was(struct scratch_fs *sf, uint64_t node, enum before before,
		uint64_t off, uint64_t end)
{
	uint64_t old = before == DATA ? min_u64(end, BEFORE_SIZE) : 0;

	if (off < old && !scratch_fs_has(sf, node, OLD, off, old - off))
		return false;
	off = max_u64(off, old);
	return off >= end || scratch_fs_is_zero(sf, node, off, end - off);
}

static void check_filled(struct scratch_fs *sf, uint64_t node,
			 enum before before, const struct place *p)
{
	uint64_t end = p->off + p->len;
	uint64_t size = max_u64(before == EMPTY ? 0 : BEFORE_SIZE, end);

	ck_assert_uint_eq(scratch_fs_size(sf, node), size);
	ck_assert(scratch_fs_has(sf, node, NEW, p->off, p->len));
	ck_assert(was(sf, node, before, 0, p->off));
	ck_assert(was(sf, node, before, end, size));
	grow(sf, node, size + 100000);
}

START_TEST(fills_a_range)
{
	int engine = _i % ENGINES;
	enum before before = (enum before)(_i / ENGINES);
	struct scratch_fs sf;
	struct xfer x;

	setup(&sf);
	for (size_t i = 0; i < PLACES; i++) {
		const struct place *p = &places[i];
		struct pinfs_dma_start start =
			xfer_range(engine, p->off, p->len);
		uint64_t node = make_before(&sf, before);
		int fd;

		start.device_offset = p->off >= 100 ? 100 : 0;
		fd = device_file(NEW, p->off - start.device_offset,
				 p->len + 300);
		ck_assert_int_eq(
			xfer(&sf, &x, node, PINFS_FROM_DEVICE, &start, fd), 0);
		ck_assert_uint_eq(x.done, p->len);
		ck_assert_uint_eq(gate_count(&x.started), 1);
		ck_assert_uint_eq(gate_count(&x.waiting), 0);
		check_filled(&sf, node, before, p);
		ck_assert_int_eq(fs_unlink(sf.fs, SCRATCH_ROOT, "file"), 0);
		close(fd);
	}
	teardown(&sf);
}
END_TEST

static const size_t lengths[] = { 0,	 1,	4095,	4096,	 4097,
				  65535, 65536, 131072, 1000000, 5242880 };

#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

struct feeder {
	struct feed feed;
	size_t len;
};

static void *feeding(void *arg)
{
	struct feeder *f = arg;

	feed_send(&f->feed, f->len);
	feed_end(&f->feed);
	return NULL;
}

/* drink - len bytes of a pipe, to off */
static void drink(struct scratch_fs *sf, int engine, uint64_t off, size_t len)
{
	uint64_t node = scratch_fs_file(sf, "file");
	struct pinfs_dma_start start = xfer_all(engine, off);
	struct feeder f = { .len = len };
	pthread_t thread;
	struct xfer x;
	int err;

	feed_open(&f.feed, NEW, off);
	ck_assert_int_eq(pthread_create(&thread, NULL, feeding, &f), 0);
	err = xfer(sf, &x, node, PINFS_FROM_DEVICE, &start, f.feed.device);
	pthread_join(thread, NULL);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_eq(x.done, len);
	ck_assert_uint_eq(gate_count(&x.started), 1);
	ck_assert_uint_eq(scratch_fs_size(sf, node), len ? off + len : 0);
	if (len)
		ck_assert(scratch_fs_has(sf, node, NEW, off, len));
	/* Not given much more than it needs. */
	ck_assert_uint_le(scratch_fs_blocks(sf, node), 2 * len / BLOCK + 20);
	grow(sf, node, scratch_fs_size(sf, node) + 5000000);
	ck_assert_int_eq(fs_unlink(sf->fs, SCRATCH_ROOT, "file"), 0);
	feed_close(&f.feed);
}

/* Of unknown length: it ends when the device does. */
START_TEST(drinks_a_pipe)
{
	struct scratch_fs sf;

	setup(&sf);
	for (size_t i = 0; i < LENGTHS; i++)
		drink(&sf, _i, i % 2 ? 0 : 5000, lengths[i]);
	teardown(&sf);
}
END_TEST

/* What arrived is what can be seen: a device that ends early. */
START_TEST(short_device)
{
	struct scratch_fs sf;
	struct xfer x;

	setup(&sf);
	for (size_t i = 0; i < LENGTHS; i++) {
		uint64_t node = scratch_fs_file(&sf, "file");
		struct pinfs_dma_start start =
			xfer_range(_i, i % 2 ? 700 : 8192, 5242880 + 5000);
		int fd = device_file(NEW, start.offset, lengths[i]);
		uint64_t end = lengths[i] ? start.offset + lengths[i] : 0;

		ck_assert_int_eq(
			xfer(&sf, &x, node, PINFS_FROM_DEVICE, &start, fd), 0);
		ck_assert_uint_eq(x.done, lengths[i]);
		ck_assert_uint_eq(scratch_fs_size(&sf, node), end);
		grow(&sf, node, 6000000);
		if (end) {
			ck_assert(
				scratch_fs_is_zero(&sf, node, 0, start.offset));
			ck_assert(scratch_fs_has(&sf, node, NEW, start.offset,
						 lengths[i]));
		}
		ck_assert_int_eq(fs_unlink(sf.fs, SCRATCH_ROOT, "file"), 0);
		close(fd);
	}
	teardown(&sf);
}
END_TEST

/* One that fails, into the holes of a larger file. */
START_TEST(failing_device)
{
	static const uint64_t fails[] = { 0, 1, 4096, 65536, 100001, 262144 };
	struct pinfs_ioc_stats st;
	struct scratch_fs sf;
	struct xfer x;

	setup(&sf);
	for (size_t i = 0; i < ARRAY_SIZE(fails); i++) {
		uint64_t node = scratch_fs_file(&sf, "file"), at = 4000;
		struct pinfs_dma_start start = xfer_range(_i, at, 262144);
		int fd = device_file(NEW, at, 262144);

		scratch_fs_write(&sf, node, OLD, 0, 3000);
		scratch_fs_write(&sf, node, OLD, 400000, 10);
		start.fail_after = fails[i];
		ck_assert_int_eq(xfer(&sf, &x, node, PINFS_FROM_DEVICE, &start,
				      fd),
				 -EIO);
		ck_assert_uint_eq(x.done, fails[i]);
		ck_assert_uint_eq(scratch_fs_size(&sf, node), 400010);
		ck_assert(scratch_fs_has(&sf, node, OLD, 0, 3000));
		ck_assert(scratch_fs_is_zero(&sf, node, 3000, 1000));
		if (fails[i])
			ck_assert(scratch_fs_has(&sf, node, NEW, at, fails[i]));
		ck_assert(scratch_fs_is_zero(&sf, node, at + fails[i],
					     400000 - at - fails[i]));
		ck_assert(scratch_fs_has(&sf, node, OLD, 400000, 10));
		ck_assert_int_eq(fs_unlink(sf.fs, SCRATCH_ROOT, "file"), 0);
		close(fd);
	}
	fs_stats(sf.fs, &st);
	ck_assert_uint_eq(st.dma_errors, ARRAY_SIZE(fails));
	ck_assert_uint_eq(st.dma_bytes_in, 1 + 4096 + 65536 + 100001 + 262144);
	teardown(&sf);
}
END_TEST

/* --- to a device --------------------------------------------------------- */

START_TEST(holes_are_zeroes_to_a_device)
{
	uint64_t size = 40 * BLOCK + 77;
	struct pinfs_dma_start start = xfer_range(_i, 0, size);
	int fd = device_file(9, 0, size + 1000);
	struct scratch_fs sf;
	struct xfer x;
	uint64_t node;

	setup(&sf);
	node = scratch_fs_file(&sf, "file");
	scratch_fs_write(&sf, node, OLD, 5 * BLOCK, 2 * BLOCK + 9);
	scratch_fs_write(&sf, node, OLD, 40 * BLOCK, 77);
	ck_assert_int_eq(scratch_fs_change(&sf, node, PINFS_CHANGE_ALLOCATE,
					   20 * BLOCK, BLOCK),
			 0);
	ck_assert_int_eq(xfer(&sf, &x, node, PINFS_TO_DEVICE, &start, fd), 0);
	ck_assert_uint_eq(x.done, size);
	ck_assert(device_is_zero(fd, 0, 5 * BLOCK));
	ck_assert(device_has(fd, 5 * BLOCK, OLD, 5 * BLOCK, 2 * BLOCK + 9));
	ck_assert(device_is_zero(fd, 7 * BLOCK + 9, 33 * BLOCK - 9));
	ck_assert(device_has(fd, 40 * BLOCK, OLD, 40 * BLOCK, 77));
	ck_assert(device_has(fd, size, 9, size, 1000));
	/* A piece of it to elsewhere. */
	start = xfer_range(_i, 5 * BLOCK - 10, 100);
	start.device_offset = size + 500;
	ck_assert_int_eq(xfer(&sf, &x, node, PINFS_TO_DEVICE, &start, fd), 0);
	ck_assert(device_is_zero(fd, size + 500, 10));
	ck_assert(device_has(fd, size + 510, OLD, 5 * BLOCK, 90));
	ck_assert(device_has(fd, size + 600, 9, size + 600, 400));
	close(fd);
	teardown(&sf);
}
END_TEST

START_TEST(what_is_refused)
{
	struct pinfs_dma_start start;
	struct fs_caller who = { 0 };
	struct scratch_fs sf;
	struct fs_entry dir;
	uint64_t node;
	struct xfer x;
	int fd = device_file(NEW, 0, 100);

	setup(&sf);
	node = scratch_fs_file(&sf, "file");
	scratch_fs_write(&sf, node, OLD, 0, 5000);
	start = xfer_range(_i, 4000, 1001);
	ck_assert_int_eq(xfer(&sf, &x, node, PINFS_TO_DEVICE, &start, fd),
			 -ENXIO);
	start = xfer_range(_i, 0, 0);
	ck_assert_int_eq(xfer(&sf, &x, node, PINFS_TO_DEVICE, &start, fd),
			 -ENXIO);
	ck_assert_int_eq(xfer(&sf, &x, node, PINFS_FROM_DEVICE, &start, fd),
			 -EINVAL);
	start = xfer_all(_i, 0);
	ck_assert_int_eq(xfer(&sf, &x, node, PINFS_TO_DEVICE, &start, fd),
			 -EINVAL);
	start = xfer_range(_i, INT64_MAX, 1);
	ck_assert_int_eq(xfer(&sf, &x, node, PINFS_FROM_DEVICE, &start, fd),
			 -EFBIG);
	start = xfer_range(_i, UINT64_MAX, UINT64_MAX);
	ck_assert_int_eq(xfer(&sf, &x, node, PINFS_FROM_DEVICE, &start, fd),
			 -EFBIG);
	start = xfer_range(_i, 0, 1);
	start.engine = PINFS_ENGINE_CLIENT;
	ck_assert_int_eq(xfer(&sf, &x, node, PINFS_FROM_DEVICE, &start, fd),
			 -EINVAL);
	start = xfer_range(_i, 0, 1);
	start.flags = PINFS_DMA_LONGTERM; /* L13 */
	ck_assert_int_eq(xfer(&sf, &x, node, PINFS_FROM_DEVICE, &start, fd),
			 -EOPNOTSUPP);
	start.flags = 0;
	ck_assert_int_eq(fs_mkdir(sf.fs, SCRATCH_ROOT, "dir", 0755, &who, &dir),
			 0);
	ck_assert_int_eq(xfer(&sf, &x, dir.node, PINFS_FROM_DEVICE, &start, fd),
			 -EISDIR);
	close(fd);
	ck_assert(scratch_fs_has(&sf, node, OLD, 0, 5000));
	ck_assert_uint_eq(scratch_fs_size(&sf, node), 5000);
	teardown(&sf);
}
END_TEST

/* --- a full pool (S6) ---------------------------------------------------- */

/* fill_up - all but about that many blocks */
static void fill_up(struct scratch_fs *sf, uint64_t blocks)
{
	uint64_t node = scratch_fs_file(sf, "fill"), off = 0, piece = 1u << 20;
	struct fs_file *file;
	uint8_t *buf = calloc(1, piece);
	ssize_t n;

	ck_assert_ptr_nonnull(buf);
	ck_assert_int_eq(fs_file_open(sf->fs, node, O_RDWR, &file), 0);
	while ((n = fs_write(sf->fs, file, buf, piece, off)) > 0)
		off += (uint64_t)n;
	fs_file_release(sf->fs, file);
	free(buf);
	ck_assert_int_eq(scratch_fs_change(sf, node, PINFS_CHANGE_TRUNCATE,
					   off - blocks * BLOCK, 0),
			 0);
}

START_TEST(no_space_no_harm)
{
	struct pinfs_dma_start start = xfer_range(_i, 3000, 1u << 20);
	int fd = device_file(NEW, 3000, 1u << 20);
	struct scratch_fs sf;
	uint64_t node, used;
	struct xfer x;

	setup(&sf);
	node = scratch_fs_file(&sf, "file");
	scratch_fs_write(&sf, node, OLD, 0, 5000);
	fill_up(&sf, 30);
	used = scratch_fs_free(&sf);
	ck_assert_int_eq(xfer(&sf, &x, node, PINFS_FROM_DEVICE, &start, fd),
			 -ENOSPC);
	ck_assert_uint_eq(x.done, 0);
	ck_assert_uint_eq(gate_count(&x.started), 0);
	ck_assert_uint_eq(scratch_fs_free(&sf), used);
	ck_assert_uint_eq(scratch_fs_size(&sf, node), 5000);
	ck_assert(scratch_fs_has(&sf, node, OLD, 0, 5000));
	/* Over what it has there is no need for any. */
	start.length = 1000;
	ck_assert_int_eq(xfer(&sf, &x, node, PINFS_FROM_DEVICE, &start, fd), 0);
	ck_assert(scratch_fs_has(&sf, node, NEW, 3000, 1000));
	/* It all fits, though nobody could know that. */
	close(fd);
	fd = device_file(NEW, 5000, 20 * BLOCK);
	start = xfer_all(_i, 5000);
	ck_assert_int_eq(xfer(&sf, &x, node, PINFS_FROM_DEVICE, &start, fd), 0);
	ck_assert_uint_eq(x.done, 20 * BLOCK);
	ck_assert(scratch_fs_has(&sf, node, NEW, 5000, 20 * BLOCK));
	close(fd);
	teardown(&sf);
}
END_TEST

/* As much as there is space for, of a device that does not end. */
START_TEST(endless_device)
{
	struct pinfs_dma_start start = xfer_all(_i, 5000);
	int fd = device_file(NEW, 5000, 8u << 20);
	struct scratch_fs sf;
	struct xfer x;
	uint64_t node;

	setup(&sf);
	node = scratch_fs_file(&sf, "file");
	fill_up(&sf, 500);
	ck_assert_int_eq(xfer(&sf, &x, node, PINFS_FROM_DEVICE, &start, fd),
			 -ENOSPC);
	ck_assert_uint_gt(x.done, 450 * BLOCK);
	ck_assert_uint_eq(scratch_fs_size(&sf, node), 5000 + x.done);
	ck_assert(scratch_fs_has(&sf, node, NEW, 5000, x.done));
	ck_assert(scratch_fs_is_zero(&sf, node, 0, 5000));
	/* A full pool can always delete. */
	ck_assert_int_eq(fs_unlink(sf.fs, SCRATCH_ROOT, "file"), 0);
	ck_assert_uint_gt(scratch_fs_free(&sf), 450);
	close(fd);
	teardown(&sf);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("transfer");

	rig_add(s, "fills a range", fills_a_range, ENGINES * BEFORES);
	rig_add(s, "drinks a pipe", drinks_a_pipe, ENGINES);
	rig_add(s, "short device", short_device, ENGINES);
	rig_add(s, "failing device", failing_device, ENGINES);
	rig_add(s, "holes to a device", holes_are_zeroes_to_a_device, ENGINES);
	rig_add(s, "what is refused", what_is_refused, ENGINES);
	rig_add(s, "no space", no_space_no_harm, ENGINES);
	rig_add(s, "endless device", endless_device, ENGINES);
	return rig_main(s);
}
