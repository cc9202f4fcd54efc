// SPDX-License-Identifier: BSD-3-Clause
/* A client's pin sets, without the client: its I/O are the test's own stores. */
#include "layout_rig.h"
#include "transfer_rig.h"

#include "transfer/client.h"

#define OLD 3u
#define NEW 4u

#define FILE_BLOCKS 64u
#define FILE_BYTES  (FILE_BLOCKS * BLOCK)
#define SCOPES	    2
#define FILES	    2

/* struct stage - files, in one of the scopes */
struct stage {
	struct scratch_fs sf;
	uint64_t node[FILES];
	struct inode *ip[FILES];
	/* The kernel: a file's pages are not written back before a gate opens. */
	struct gate calls, written, released;
	uint64_t held_node;
};

static void setup(struct stage *s, int scope)
{
	const struct fs_options opt = { .workers = 2, .scope_range = scope };

	memset(s, 0, sizeof(*s));
	gate_init(&s->calls);
	gate_init(&s->written);
	gate_init(&s->released);
	scratch_fs_make(&s->sf, 32u << 20, &opt);
	for (size_t i = 0; i < FILES; i++) {
		s->node[i] = scratch_fs_file(&s->sf, i ? "second" : "first");
		scratch_fs_write(&s->sf, s->node[i], OLD, 0, FILE_BYTES);
		s->ip[i] = scratch_fs_inode(&s->sf, s->node[i]);
	}
}

static void teardown(struct stage *s)
{
	struct pinfs_ioc_stats st;

	for (size_t i = 0; i < FILES; i++)
		inode_put(s->ip[i]);
	fs_drain(s->sf.fs);
	fs_stats(s->sf.fs, &st);
	ck_assert_uint_eq(st.pins, st.unpins);
	ck_assert_uint_eq(st.pin_sets_live, 0);
	ck_assert_uint_eq(st.breaks_waiting, 0);
	scratch_fs_close(&s->sf);
}

static struct pinfs_ioc_stats stats(struct stage *s)
{
	struct pinfs_ioc_stats st;

	fs_stats(s->sf.fs, &st);
	return st;
}

/* --- sets ----------------------------------------------------------------- */

struct thread {
	void (*fn)(void *arg);
	void *arg;
};

static void *run_thread(void *arg)
{
	struct thread t = *(struct thread *)arg;

	free(arg);
	t.fn(t.arg);
	return NULL;
}

static int spawn(void *spawn_arg, void (*fn)(void *arg), void *arg)
{
	struct thread *t = malloc(sizeof(*t));
	pthread_t thread;

	(void)spawn_arg;
	*t = (struct thread){ fn, arg };
	ck_assert_int_eq(pthread_create(&thread, NULL, run_thread, t), 0);
	pthread_detach(thread);
	return 0;
}

static int no_threads(void *spawn_arg, void (*fn)(void *arg), void *arg)
{
	(void)spawn_arg;
	(void)fn;
	(void)arg;
	return -EAGAIN;
}

static int try_begin(struct stage *s, enum pinfs_direction direction,
		     unsigned int flags, struct client **c)
{
	const struct client_options opt = {
		.owner = { .pid = 77, .uid = 5, .comm = "client" },
		.direction = direction,
		.flags = flags,
		.spawn = spawn,
	};

	return client_new(s->sf.fs, &opt, c);
}

static struct client *begin(struct stage *s, enum pinfs_direction direction)
{
	struct client *c;

	ck_assert_int_eq(try_begin(s, direction, 0, &c), 0);
	return c;
}

static void on_waiting(void *arg)
{
	gate_pass(arg);
}

/* A set that says when it waits behind a break. */
static struct client *begin_told(struct stage *s, struct gate *waiting)
{
	const struct client_options opt = {
		.owner = { .pid = 77, .uid = 5, .comm = "client" },
		.direction = PINFS_FROM_DEVICE,
		.waiting = on_waiting,
		.arg = waiting,
		.spawn = spawn,
	};
	struct client *c;

	gate_init(waiting);
	ck_assert_int_eq(client_new(s->sf.fs, &opt, &c), 0);
	return c;
}

static int extend(struct client *c, struct inode *ip, uint64_t off,
		  uint64_t len)
{
	uint64_t from;

	return client_extend(c, ip, off, len, &from);
}

static int finish(struct client *c, uint64_t end, int why)
{
	int err = client_end(c, end, why);

	client_free(c);
	return err;
}

/* device_stores - what the client's I/O would do: bytes [off, end) arrive */
static void device_stores(struct stage *s, struct client *c, uint64_t off,
			  uint64_t end)
{
	uint8_t *base = fs_volume(s->sf.fs)->pool->base;
	struct pinfs_ioc_pinned ext;
	uint64_t from = 0;

	while (client_extents(c, &from, &ext, 1) == 1) {
		uint64_t at = max_u64(ext.logical, off);
		uint64_t stop = min_u64(ext.logical + ext.length, end);

		if (at < stop)
			scratch_bytes(base + ext.physical + (at - ext.logical),
				      NEW, at, stop - at);
	}
}

/* struct extending - one that waits, on a thread */
struct extending {
	struct client *c;
	struct inode *ip;
	uint64_t off, len;
	pthread_t thread;
	struct gate over;
	int err;
};

static void *run_extend(void *arg)
{
	struct extending *e = arg;

	e->err = extend(e->c, e->ip, e->off, e->len);
	gate_pass(&e->over);
	return NULL;
}

static void extend_start(struct extending *e, struct client *c,
			 struct inode *ip, uint64_t off, uint64_t len)
{
	*e = (struct extending){ .c = c, .ip = ip, .off = off, .len = len };
	gate_init(&e->over);
	ck_assert_int_eq(pthread_create(&e->thread, NULL, run_extend, e), 0);
}

static int extend_join(struct extending *e)
{
	pthread_join(e->thread, NULL);
	return e->err;
}

/* --- one set -------------------------------------------------------------- */

/* What the client stores is the file's, also behind its end and in holes. */
START_TEST(from_device)
{
	uint64_t off = FILE_BYTES - 5000, len = 3 * BLOCK + 100;
	struct client *c;
	struct stage s;

	setup(&s, _i);
	c = begin(&s, PINFS_FROM_DEVICE);
	ck_assert_int_eq(extend(c, s.ip[0], off, len), 0);
	ck_assert_uint_eq(scratch_fs_pins(&s.sf, s.node[0]), 4);
	ck_assert_uint_eq(scratch_fs_size(&s.sf, s.node[0]), FILE_BYTES);
	device_stores(&s, c, off, off + len);
	ck_assert_int_eq(finish(c, UINT64_MAX, 0), 0);
	ck_assert_uint_eq(scratch_fs_pins(&s.sf, s.node[0]), 0);
	ck_assert_uint_eq(scratch_fs_size(&s.sf, s.node[0]), off + len);
	ck_assert(scratch_fs_has(&s.sf, s.node[0], OLD, 0, off));
	ck_assert(scratch_fs_has(&s.sf, s.node[0], NEW, off, len));
	ck_assert_uint_eq(stats(&s).dma_bytes_in, len);
	teardown(&s);
}
END_TEST

/* What has not arrived is not there: zeroes behind the end of file (S4). */
START_TEST(from_device_in_part)
{
	uint64_t end = FILE_BYTES + BLOCK + 77;
	struct client *c;
	struct stage s;

	setup(&s, _i);
	scratch_fs_soil(&s.sf);
	c = begin(&s, PINFS_FROM_DEVICE);
	ck_assert_int_eq(extend(c, s.ip[0], FILE_BYTES, 2 * BLOCK), 0);
	ck_assert_int_eq(extend(c, s.ip[0], FILE_BYTES + 2 * BLOCK, BLOCK), 0);
	device_stores(&s, c, 0, UINT64_MAX);
	ck_assert_int_eq(finish(c, end, 0), 0);
	ck_assert_uint_eq(scratch_fs_size(&s.sf, s.node[0]), end);
	ck_assert(scratch_fs_has(&s.sf, s.node[0], NEW, FILE_BYTES,
				 end - FILE_BYTES));
	ck_assert_int_eq(scratch_fs_change(&s.sf, s.node[0],
					   PINFS_CHANGE_TRUNCATE,
					   end + 4 * BLOCK, 0),
			 0);
	ck_assert(scratch_fs_is_zero(&s.sf, s.node[0], end, 4 * BLOCK));
	ck_assert_uint_eq(stats(&s).dma_bytes_in, BLOCK + 77);
	teardown(&s);
}
END_TEST

/* Its owner is gone: nothing counts as arrived, and nothing is held. */
START_TEST(released_without_end)
{
	struct client *c;
	struct xchange ch;
	struct stage s;

	setup(&s, _i);
	c = begin(&s, PINFS_FROM_DEVICE);
	ck_assert_int_eq(extend(c, s.ip[0], FILE_BYTES, BLOCK), 0);
	ck_assert_int_eq(extend(c, s.ip[0], 0, BLOCK), 0);
	device_stores(&s, c, 0, UINT64_MAX);
	xchange_start(&s.sf, &ch, s.node[0], PINFS_CHANGE_TRUNCATE, BLOCK / 2,
		      0);
	ck_assert_uint_eq(gate_count(&ch.over), 0);
	ck_assert_int_eq(finish(c, 0, -ECANCELED), 0);
	ck_assert_int_eq(xchange_join(&ch), 0);
	ck_assert_uint_eq(scratch_fs_size(&s.sf, s.node[0]), BLOCK / 2);
	ck_assert_uint_eq(stats(&s).dma_bytes_in, 0);
	teardown(&s);
}
END_TEST

/* Extents are the bytes asked for, holes apart, in pages of any size. */
START_TEST(extents_to_device)
{
	const uint8_t *base;
	struct pinfs_ioc_pinned ext[8];
	uint64_t from = 0, at;
	struct client *c;
	struct stage s;
	size_t n = 0;

	setup(&s, _i);
	base = fs_volume(s.sf.fs)->pool->base;
	ck_assert_int_eq(scratch_fs_change(&s.sf, s.node[0],
					   PINFS_CHANGE_PUNCH_HOLE, 2 * BLOCK,
					   BLOCK),
			 0);
	c = begin(&s, PINFS_TO_DEVICE);
	ck_assert_int_eq(client_extend(c, s.ip[0], 100, 4 * BLOCK, &at), 0);
	ck_assert_uint_eq(at, 0);
	ck_assert_int_eq(client_extend(c, s.ip[1], 7, 1, &at), 0);
	ck_assert_uint_eq(at, 2);
	while (client_extents(c, &from, &ext[n], 1) == 1)
		n++;
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(ext[0].logical, 100);
	ck_assert_uint_eq(ext[0].length, 2 * BLOCK - 100);
	ck_assert_uint_eq(ext[1].logical, 3 * BLOCK);
	ck_assert_uint_eq(ext[1].length, BLOCK + 100);
	ck_assert_uint_eq(ext[2].logical, 7);
	ck_assert_uint_eq(ext[2].length, 1);
	for (size_t i = 0; i < n; i++)
		for (uint64_t b = 0; b < ext[i].length; b++)
			ck_assert_uint_eq(base[ext[i].physical + b],
					  scratch_byte(OLD,
						       ext[i].logical + b));
	from = 0;
	ck_assert_uint_eq(client_extents(c, &from, ext, 8), 3);
	ck_assert_uint_eq(client_extents(c, &from, ext, 8), 0);
	from = UINT64_MAX;
	ck_assert_uint_eq(client_extents(c, &from, ext, 8), 0);
	ck_assert_int_eq(finish(c, UINT64_MAX, 0), 0);
	ck_assert_uint_eq(stats(&s).dma_bytes_out, 4 * BLOCK + 1);
	teardown(&s);
}
END_TEST

START_TEST(listed)
{
	struct pinfs_ioc_pins pins = { .scope = PINFS_SCOPE_MOUNT };
	struct client *c;
	struct stage s;

	setup(&s, _i);
	c = begin(&s, PINFS_FROM_DEVICE);
	ck_assert_int_eq(extend(c, s.ip[0], 0, 2 * BLOCK), 0);
	layout_list_pins(fs_layouts(s.sf.fs), 0, &pins);
	ck_assert_uint_eq(pins.count, 1);
	ck_assert_uint_eq(pins.pin[0].id, client_id(c));
	ck_assert_uint_eq(pins.pin[0].engine, PINFS_ENGINE_CLIENT);
	ck_assert_uint_eq(pins.pin[0].direction, PINFS_FROM_DEVICE);
	ck_assert_uint_eq(pins.pin[0].pid, 77);
	ck_assert_uint_eq(pins.pin[0].blocks, 2);
	ck_assert_uint_eq(pins.pin[0].cancelled, 0);
	/* L11: its I/O can't be stopped from here; the pins stay. */
	ck_assert_int_eq(
		pin_set_cancel(fs_layouts(s.sf.fs), client_id(c), 5, false), 0);
	pins.cursor = 0;
	layout_list_pins(fs_layouts(s.sf.fs), 0, &pins);
	ck_assert_uint_eq(pins.count, 1);
	ck_assert_uint_eq(pins.pin[0].cancelled, 1);
	ck_assert_uint_eq(scratch_fs_pins(&s.sf, s.node[0]), 2);
	ck_assert_int_eq(extend(c, s.ip[0], 2 * BLOCK, BLOCK), -ECANCELED);
	ck_assert_int_eq(finish(c, UINT64_MAX, 0), 0);
	teardown(&s);
}
END_TEST

/* --- what is refused ------------------------------------------------------ */

START_TEST(refused)
{
	struct inode *root;
	struct client *c;
	struct stage s;

	setup(&s, _i);
	root = scratch_fs_inode(&s.sf, SCRATCH_ROOT);
	ck_assert_int_eq(try_begin(&s, PINFS_TO_DEVICE, PIN_LONGTERM, &c),
			 -EOPNOTSUPP); /* L13 */
	c = begin(&s, PINFS_TO_DEVICE);
	ck_assert_int_eq(extend(c, s.ip[0], 0, BLOCK), 0);
	ck_assert_int_eq(extend(c, s.ip[0], 0, 0), -EINVAL);
	ck_assert_int_eq(extend(c, root, 0, 1), -EISDIR);
	ck_assert_int_eq(extend(c, s.ip[0], INT64_MAX, 1), -EFBIG);
	ck_assert_int_eq(extend(c, s.ip[0], UINT64_MAX, 2), -EFBIG);
	ck_assert_int_eq(extend(c, s.ip[0], 1, UINT64_MAX), -EFBIG);
	ck_assert_int_eq(extend(c, s.ip[1], FILE_BYTES, 1), -ENXIO);
	/* All or nothing: what was pinned before is, and no more. */
	ck_assert_uint_eq(scratch_fs_pins(&s.sf, s.node[0]), 1);
	ck_assert(!layout_is_pinned(s.ip[1]));
	ck_assert_int_eq(finish(c, UINT64_MAX, 0), 0);
	inode_put(root);
	teardown(&s);
}
END_TEST

/* More than there is space for; the set lives on, the other file is free. */
START_TEST(out_of_space)
{
	struct client *c;
	struct stage s;

	setup(&s, _i);
	c = begin(&s, PINFS_FROM_DEVICE);
	ck_assert_int_eq(extend(c, s.ip[0], 0, BLOCK), 0);
	ck_assert_int_eq(extend(c, s.ip[1], 0, 1u << 30), -ENOSPC);
	ck_assert(!layout_is_pinned(s.ip[1]));
	ck_assert_int_eq(scratch_fs_change(&s.sf, s.node[1],
					   PINFS_CHANGE_TRUNCATE, 0, 0),
			 0);
	/* Of a file that stays pinned, the range alone is given back. */
	ck_assert_int_eq(extend(c, s.ip[0], BLOCK, 1u << 30), -ENOSPC);
	if (_i)
		ck_assert_int_eq(scratch_fs_change(&s.sf, s.node[0],
						   PINFS_CHANGE_TRUNCATE, BLOCK,
						   0),
				 0);
	ck_assert_uint_eq(scratch_fs_pins(&s.sf, s.node[0]), 1);
	ck_assert_int_eq(extend(c, s.ip[1], 0, BLOCK), 0);
	ck_assert_int_eq(finish(c, UINT64_MAX, 0), 0);
	teardown(&s);
}
END_TEST

START_TEST(too_many_ranges)
{
	struct client *c;
	struct stage s;

	setup(&s, _i);
	c = begin(&s, PINFS_TO_DEVICE);
	for (unsigned int i = 0; i < CLIENT_RANGES_MAX; i++)
		ck_assert_int_eq(extend(c, s.ip[0], i, 1), 0);
	ck_assert_int_eq(extend(c, s.ip[0], 0, 1), -E2BIG);
	ck_assert_int_eq(extend(c, s.ip[1], 0, 1), -E2BIG);
	ck_assert_int_eq(finish(c, UINT64_MAX, 0), 0);
	teardown(&s);
}
END_TEST

/* Without a thread to be had, nothing is begun, but what is begun ends. */
START_TEST(no_threads_left)
{
	const struct client_options opt = { .direction = PINFS_FROM_DEVICE,
					    .spawn = no_threads };
	struct client *c;
	struct stage s;

	setup(&s, _i);
	ck_assert_int_eq(client_new(s.sf.fs, &opt, &c), 0);
	ck_assert_int_eq(extend(c, s.ip[0], 0, BLOCK), -ENOMEM);
	ck_assert(!layout_is_pinned(s.ip[0]));
	ck_assert_int_eq(finish(c, UINT64_MAX, 0), 0);
	teardown(&s);
}
END_TEST

/* --- waits ---------------------------------------------------------------- */

/* L5: the truncate waits for A, yet the set pins B, of that file or another. */
START_TEST(pins_on_while_a_truncate_waits)
{
	struct client *c;
	struct xchange ch[FILES];
	struct stage s;

	setup(&s, _i);
	c = begin(&s, PINFS_FROM_DEVICE);
	ck_assert_int_eq(extend(c, s.ip[0], 0, BLOCK), 0);
	xchange_start(&s.sf, &ch[0], s.node[0], PINFS_CHANGE_TRUNCATE, 0, 0);
	xchange_start(&s.sf, &ch[1], s.node[1], PINFS_CHANGE_TRUNCATE, 5, 0);
	ck_assert_int_eq(xchange_join(&ch[1]), 0); /* nothing pinned yet */
	ck_assert_int_eq(extend(c, s.ip[0], 8 * BLOCK, BLOCK), 0);
	ck_assert_int_eq(extend(c, s.ip[1], 8 * BLOCK, BLOCK), 0);
	xchange_start(&s.sf, &ch[1], s.node[1], PINFS_CHANGE_TRUNCATE, 6, 0);
	ck_assert_int_eq(extend(c, s.ip[1], 4 * BLOCK, BLOCK), 0);
	ck_assert_uint_eq(stats(&s).breaks_waiting, 2);
	ck_assert_uint_eq(gate_count(&ch[0].over), 0);
	ck_assert_uint_eq(gate_count(&ch[1].over), 0);
	ck_assert_int_eq(finish(c, UINT64_MAX, 0), 0);
	ck_assert_int_eq(xchange_join(&ch[0]), 0);
	ck_assert_int_eq(xchange_join(&ch[1]), 0);
	ck_assert_uint_eq(scratch_fs_size(&s.sf, s.node[0]), 0);
	ck_assert_uint_eq(scratch_fs_size(&s.sf, s.node[1]), 6);
	teardown(&s);
}
END_TEST

/* L5: two sets and two truncates over two files, crossing: no circle. */
START_TEST(crossing)
{
	struct client *c[FILES];
	struct xchange ch[FILES];
	struct stage s;
	size_t i;

	setup(&s, _i);
	for (i = 0; i < FILES; i++) {
		c[i] = begin(&s, i ? PINFS_TO_DEVICE : PINFS_FROM_DEVICE);
		ck_assert_int_eq(extend(c[i], s.ip[i], 0, BLOCK), 0);
	}
	for (i = 0; i < FILES; i++)
		xchange_start(&s.sf, &ch[i], s.node[i], PINFS_CHANGE_TRUNCATE,
			      0, 0);
	for (i = 0; i < FILES; i++)
		ck_assert_int_eq(extend(c[i], s.ip[1 - i], BLOCK, BLOCK), 0);
	ck_assert_uint_eq(stats(&s).breaks_waiting, FILES);
	ck_assert_int_eq(finish(c[0], UINT64_MAX, 0), 0);
	ck_assert_uint_eq(gate_count(&ch[0].over) + gate_count(&ch[1].over), 0);
	ck_assert_int_eq(finish(c[1], UINT64_MAX, 0), 0);
	for (i = 0; i < FILES; i++)
		ck_assert_int_eq(xchange_join(&ch[i]), 0);
	teardown(&s);
}
END_TEST

/* L4: begun after the truncate was asked for, so it waits; not with NOWAIT. */
START_TEST(later_set_waits)
{
	struct client *c, *later, *nowait;
	struct extending e;
	struct xchange ch;
	struct gate told;
	struct stage s;

	setup(&s, _i);
	c = begin(&s, PINFS_TO_DEVICE);
	ck_assert_int_eq(extend(c, s.ip[0], 0, BLOCK), 0);
	xchange_start(&s.sf, &ch, s.node[0], PINFS_CHANGE_TRUNCATE, 100, 0);
	later = begin_told(&s, &told);
	ck_assert_int_eq(extend(later, s.ip[1], 0, BLOCK), 0);
	extend_start(&e, later, s.ip[0], 0, 2 * BLOCK);
	gate_await(&told, 1);
	ck_assert_int_eq(try_begin(&s, PINFS_FROM_DEVICE, PIN_NOWAIT, &nowait),
			 0);
	ck_assert_int_eq(extend(nowait, s.ip[0], 0, BLOCK), -EAGAIN);
	ck_assert_int_eq(extend(nowait, s.ip[1], 0, BLOCK), 0);
	ck_assert_int_eq(finish(nowait, UINT64_MAX, 0), 0);
	ck_assert_uint_eq(gate_count(&e.over), 0);
	ck_assert_int_eq(finish(c, UINT64_MAX, 0), 0);
	ck_assert_int_eq(xchange_join(&ch), 0);
	ck_assert_int_eq(extend_join(&e), 0);
	ck_assert_uint_eq(scratch_fs_pins(&s.sf, s.node[0]), 2);
	ck_assert_int_eq(finish(later, UINT64_MAX, 0), 0);
	ck_assert_uint_eq(scratch_fs_size(&s.sf, s.node[0]), 2 * BLOCK);
	teardown(&s);
}
END_TEST

/* EINTR is this once, a cancel is for good; the pins stay in either case. */
START_TEST(wait_is_called_off)
{
	struct client *c, *later;
	struct extending e;
	struct xchange ch;
	struct gate told;
	struct stage s;

	setup(&s, _i);
	c = begin(&s, PINFS_TO_DEVICE);
	ck_assert_int_eq(extend(c, s.ip[0], 0, BLOCK), 0);
	xchange_start(&s.sf, &ch, s.node[0], PINFS_CHANGE_TRUNCATE, 100, 0);
	later = begin_told(&s, &told);
	ck_assert_int_eq(extend(later, s.ip[1], 0, BLOCK), 0);
	extend_start(&e, later, s.ip[0], 0, BLOCK);
	gate_await(&told, 1);
	client_interrupt(later);
	ck_assert_int_eq(extend_join(&e), -EINTR);
	client_resume(later);
	ck_assert_int_eq(extend(later, s.ip[1], BLOCK, BLOCK), 0);
	extend_start(&e, later, s.ip[0], 0, BLOCK);
	gate_await(&told, 2);
	ck_assert_int_eq(pin_set_cancel(fs_layouts(s.sf.fs), client_id(later),
					5, false),
			 0);
	ck_assert_int_eq(extend_join(&e), -ECANCELED);
	client_resume(later);
	ck_assert_int_eq(extend(later, s.ip[1], 2 * BLOCK, BLOCK), -ECANCELED);
	ck_assert_uint_eq(scratch_fs_pins(&s.sf, s.node[1]), 2);
	ck_assert_int_eq(finish(later, UINT64_MAX, 0), 0);
	ck_assert_uint_eq(gate_count(&ch.over), 0);
	ck_assert_int_eq(finish(c, UINT64_MAX, 0), 0);
	ck_assert_int_eq(xchange_join(&ch), 0);
	teardown(&s);
}
END_TEST

/* --- the kernel's pages --------------------------------------------------- */

/* The kernel does not get through with one file before it is released. */
static void invalidate(void *arg, uint64_t node, int64_t off, int64_t len)
{
	struct stage *s = arg;

	(void)off;
	(void)len;
	gate_pass(&s->calls);
	if (node == s->held_node)
		gate_await(&s->released, 1);
	gate_pass(&s->written);
}

static void hold_pages(struct stage *s, uint64_t node)
{
	const struct fs_kernel kernel = { invalidate, s };

	s->held_node = node;
	fs_set_kernel(s->sf.fs, &kernel);
}

/* C1 once a file, before there are pins; C2 at the end, once a file. */
START_TEST(pages_are_dropped)
{
	struct client *c;
	struct stage s;

	setup(&s, _i);
	hold_pages(&s, 0);
	c = begin(&s, PINFS_FROM_DEVICE);
	ck_assert_int_eq(extend(c, s.ip[0], 0, BLOCK), 0);
	ck_assert_uint_eq(gate_count(&s.written), 1);
	ck_assert_int_eq(extend(c, s.ip[0], BLOCK, BLOCK), 0);
	ck_assert_uint_eq(gate_count(&s.calls), 1);
	ck_assert_int_eq(extend(c, s.ip[1], BLOCK, BLOCK), 0);
	ck_assert_uint_eq(gate_count(&s.written), 2);
	ck_assert_int_eq(finish(c, UINT64_MAX, 0), 0);
	ck_assert_uint_eq(gate_count(&s.written), 4);
	teardown(&s);
}
END_TEST

/*
 * L5: the kernel keeps a file's dirty pages while a truncate of it waits, and
 * that may be for the very set that asks for them: it gets an error in time.
 */
START_TEST(pages_that_wait_for_the_set)
{
	struct client *c;
	struct stage s;

	setup(&s, _i % SCOPES);
	hold_pages(&s, s.node[1]);
	c = begin(&s, PINFS_FROM_DEVICE);
	ck_assert_int_eq(extend(c, s.ip[0], 0, BLOCK), 0);
	ck_assert_int_eq(extend(c, s.ip[1], 0, BLOCK), -EDEADLK);
	/* Once more: it waits for the same write back, and begins no other. */
	ck_assert_int_eq(extend(c, s.ip[1], 0, BLOCK), -EDEADLK);
	ck_assert_uint_eq(gate_count(&s.calls), 2);
	ck_assert(!layout_is_pinned(s.ip[1]));
	if (_i / SCOPES) { /* Nor does its end wait for that. */
		ck_assert_int_eq(finish(c, UINT64_MAX, 0), 0);
		ck_assert(!layout_is_pinned(s.ip[0]));
		gate_pass(&s.released);
	} else {
		gate_pass(&s.released);
		ck_assert_int_eq(extend(c, s.ip[1], 0, BLOCK), 0);
		ck_assert_int_eq(finish(c, UINT64_MAX, 0), 0);
	}
	teardown(&s);
}
END_TEST

/* A set without pins waits as long as it takes, but can be called off. */
START_TEST(pages_and_interrupt)
{
	struct extending e;
	struct client *c;
	struct stage s;

	setup(&s, _i);
	hold_pages(&s, s.node[0]);
	c = begin(&s, PINFS_FROM_DEVICE);
	extend_start(&e, c, s.ip[0], 0, BLOCK);
	gate_await(&s.calls, 1);
	client_interrupt(c);
	ck_assert_int_eq(extend_join(&e), -EINTR);
	ck_assert_uint_eq(gate_count(&s.written), 0);
	/* The set goes while the kernel is at it; the mount ends after both. */
	ck_assert_int_eq(finish(c, UINT64_MAX, 0), 0);
	ck_assert_uint_eq(stats(&s).pin_sets_live, 1);
	gate_pass(&s.released);
	teardown(&s);
	ck_assert_uint_eq(gate_count(&s.written), 1);
}
END_TEST

struct ending {
	struct client *c;
	pthread_t thread;
	int err;
};

static void *run_end(void *arg)
{
	struct ending *e = arg;

	e->err = client_end(e->c, UINT64_MAX, 0);
	return NULL;
}

/* C2: the pins go first, then the pages; whoever waits for those can leave. */
START_TEST(end_and_interrupt)
{
	struct ending e;
	struct stage s;

	setup(&s, _i);
	e.c = begin(&s, PINFS_FROM_DEVICE);
	ck_assert_int_eq(extend(e.c, s.ip[0], 0, BLOCK), 0);
	hold_pages(&s, s.node[0]);
	ck_assert_int_eq(pthread_create(&e.thread, NULL, run_end, &e), 0);
	gate_await(&s.calls, 1);
	ck_assert_int_eq(scratch_fs_change(&s.sf, s.node[0],
					   PINFS_CHANGE_TRUNCATE, 0, 0),
			 0);
	client_interrupt(e.c);
	pthread_join(e.thread, NULL);
	ck_assert_int_eq(e.err, -EINTR);
	client_free(e.c);
	ck_assert_uint_eq(stats(&s).pin_sets_live, 1);
	gate_pass(&s.released);
	teardown(&s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client");

	rig_add(s, "from device", from_device, SCOPES);
	rig_add(s, "in part", from_device_in_part, SCOPES);
	rig_add(s, "released", released_without_end, SCOPES);
	rig_add(s, "extents", extents_to_device, SCOPES);
	rig_add(s, "listed", listed, SCOPES);
	rig_add(s, "refused", refused, SCOPES);
	rig_add(s, "out of space", out_of_space, SCOPES);
	rig_add(s, "too many", too_many_ranges, SCOPES);
	rig_add(s, "no threads", no_threads_left, SCOPES);
	rig_add(s, "pins on", pins_on_while_a_truncate_waits, SCOPES);
	rig_add(s, "crossing", crossing, SCOPES);
	rig_add(s, "later set", later_set_waits, SCOPES);
	rig_add(s, "called off", wait_is_called_off, SCOPES);
	rig_add(s, "pages", pages_are_dropped, SCOPES);
	rig_add(s, "pages wait", pages_that_wait_for_the_set, 2 * SCOPES);
	rig_add(s, "pages, interrupt", pages_and_interrupt, SCOPES);
	rig_add(s, "end, interrupt", end_and_interrupt, SCOPES);
	return rig_main(s);
}
