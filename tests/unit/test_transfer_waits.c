// SPDX-License-Identifier: BSD-3-Clause
/* Transfers and all else that happens to the file meanwhile. */
#include "layout_rig.h"
#include "transfer_rig.h"

#include <fcntl.h>

#define OLD 3u
#define NEW 4u

#define FILE_BLOCKS 64u
#define FILE_BYTES  (FILE_BLOCKS * BLOCK)

/* struct busy - a file with a transfer under way, which a pipe holds up */
struct busy {
	struct scratch_fs sf;
	uint64_t node, other;
	struct feed feed;
	struct xfer x;
};

static void busy_setup(struct busy *b)
{
	scratch_fs_make(&b->sf, 32u << 20, NULL);
	b->node = scratch_fs_file(&b->sf, "busy");
	b->other = scratch_fs_file(&b->sf, "other");
	scratch_fs_write(&b->sf, b->node, OLD, 0, FILE_BYTES);
	scratch_fs_write(&b->sf, b->other, OLD, 0, FILE_BYTES);
}

/* busy_start - from the pipe into the file, from off on; pinned on return */
static void busy_start(struct busy *b, int engine, uint64_t off, uint64_t len)
{
	struct pinfs_dma_start start = xfer_range(engine, off, len);

	feed_open(&b->feed, NEW, off);
	ck_assert_int_eq(xfer_new(&b->sf, &b->x, b->node, PINFS_FROM_DEVICE,
				  &start, b->feed.device),
			 0);
	xfer_start(&b->x);
	gate_await(&b->x.started, 1);
}

static void busy_teardown(struct busy *b)
{
	struct pinfs_ioc_stats st;

	feed_close(&b->feed);
	fs_drain(b->sf.fs);
	fs_stats(b->sf.fs, &st);
	ck_assert_uint_eq(st.pins, st.unpins);
	ck_assert_uint_eq(st.pin_sets_live, 0);
	ck_assert_uint_eq(st.breaks_waiting, 0);
	scratch_fs_close(&b->sf);
}

/* --- changes wait -------------------------------------------------------- */

#define KINDS (PINFS_CHANGE_INSERT_RANGE + 1)

/* check_changed - the change was made, after what the device had brought */
static void check_changed(struct busy *b, enum pinfs_change kind)
{
	struct scratch_fs *sf = &b->sf;
	uint64_t size = scratch_fs_size(sf, b->node), moved = 16 * BLOCK;

	switch (kind) {
	case PINFS_CHANGE_TRUNCATE:
		ck_assert_uint_eq(size, moved);
		break;
	case PINFS_CHANGE_ALLOCATE:
		ck_assert_uint_eq(size, FILE_BYTES);
		break;
	case PINFS_CHANGE_PUNCH_HOLE:
	case PINFS_CHANGE_ZERO_RANGE:
		ck_assert(scratch_fs_is_zero(sf, b->node, moved, moved));
		break;
	case PINFS_CHANGE_COLLAPSE_RANGE:
		ck_assert_uint_eq(size, FILE_BYTES - moved);
		ck_assert(scratch_fs_has(sf, b->node, NEW, 0, moved));
		return;
	case PINFS_CHANGE_INSERT_RANGE:
		ck_assert_uint_eq(size, FILE_BYTES + moved);
		ck_assert(scratch_fs_is_zero(sf, b->node, moved, moved));
		break;
	}
	ck_assert(scratch_fs_has(sf, b->node, NEW, 0, moved));
}

static int begin_change(struct busy *b, struct xchange *c,
			enum pinfs_change kind)
{
	uint64_t off = 16 * BLOCK;

	xchange_start(&b->sf, c, b->node, kind, off,
		      kind == PINFS_CHANGE_TRUNCATE ? 0 : off);
	return (int)gate_count(&c->over);
}

/* L3, all kinds and both engines; the device decides when it is over. */
START_TEST(changes_wait_for_the_end)
{
	enum pinfs_change kind = (enum pinfs_change)(_i / ENGINES);
	struct pinfs_ioc_stats st;
	struct xchange c;
	struct busy b;

	busy_setup(&b);
	busy_start(&b, _i % ENGINES, 0, 32 * BLOCK);
	ck_assert_uint_eq(scratch_fs_pins(&b.sf, b.node), 32);
	ck_assert_int_eq(begin_change(&b, &c, kind), 0);
	feed_send(&b.feed, 31 * BLOCK);
	/* All is as it was, for reads too, and others go on. */
	ck_assert(scratch_fs_has(&b.sf, b.node, OLD, 32 * BLOCK, 32 * BLOCK));
	ck_assert_uint_eq(scratch_fs_size(&b.sf, b.node), FILE_BYTES);
	ck_assert_int_eq(scratch_fs_change(&b.sf, b.other, kind, BLOCK, BLOCK),
			 0);
	scratch_fs_write(&b.sf, b.node, NEW, 60 * BLOCK, 100);
	ck_assert(scratch_fs_has(&b.sf, b.node, NEW, 60 * BLOCK, 100));
	ck_assert_uint_eq(gate_count(&c.over), 0);
	ck_assert_uint_eq(gate_count(&b.x.over), 0);
	fs_stats(b.sf.fs, &st);
	ck_assert_uint_eq(st.breaks_waiting, 1);
	feed_send(&b.feed, BLOCK);
	ck_assert_int_eq(xfer_join(&b.x), 0);
	ck_assert_uint_eq(b.x.done, 32 * BLOCK);
	ck_assert_int_eq(xchange_join(&c), 0);
	check_changed(&b, kind);
	busy_teardown(&b);
}
END_TEST

#define LATENCY (400 * MSEC)

/* A slow device: how long, too. */
START_TEST(changes_wait_as_long)
{
	enum pinfs_change kind = _i / ENGINES ? PINFS_CHANGE_PUNCH_HOLE :
						PINFS_CHANGE_TRUNCATE;
	struct pinfs_dma_start start = xfer_range(_i % ENGINES, 0, 32 * BLOCK);
	int fd = device_file(NEW, 0, 32 * BLOCK);
	struct pinfs_ioc_stats st;
	struct xchange c;
	uint64_t went_ns;
	struct busy b;

	busy_setup(&b);
	feed_open(&b.feed, NEW, 0);
	start.latency_ns = LATENCY;
	ck_assert_int_eq(xfer_new(&b.sf, &b.x, b.node, PINFS_FROM_DEVICE,
				  &start, fd),
			 0);
	b.x.hold = true;
	xfer_start(&b.x);
	gate_await(&b.x.started, 1);
	ck_assert_int_eq(begin_change(&b, &c, kind), 0);
	went_ns = now_ns();
	gate_pass(&b.x.go);
	ck_assert_int_eq(xfer_join(&b.x), 0);
	ck_assert_int_eq(xchange_join(&c), 0);
	/* Its pins were there for that long after that, or longer. */
	ck_assert_uint_ge(c.ended_ns, went_ns + LATENCY);
	fs_stats(b.sf.fs, &st);
	ck_assert_uint_ge(st.wait_longest_ns, LATENCY);
	check_changed(&b, kind);
	close(fd);
	busy_teardown(&b);
}
END_TEST

/* The device reads the file: a pin for reading is one, too. */
START_TEST(truncate_waits_for_a_reader)
{
	struct pinfs_dma_start start = xfer_range(_i, 0, FILE_BYTES);
	static uint8_t buf[FILE_BYTES];
	size_t got = 0, same = 0;
	struct xchange c;
	struct busy b;
	int fd[2];

	busy_setup(&b);
	feed_open(&b.feed, NEW, 0);
	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	ck_assert_int_eq(xfer_new(&b.sf, &b.x, b.node, PINFS_TO_DEVICE, &start,
				  fd[1]),
			 0);
	xfer_start(&b.x);
	gate_await(&b.x.started, 1);
	xchange_start(&b.sf, &c, b.node, PINFS_CHANGE_TRUNCATE, 0, 0);
	/* A pipe takes less than the file: it can't be over. */
	ck_assert_uint_eq(gate_count(&c.over), 0);
	while (got < sizeof(buf)) {
		ssize_t n = read(fd[0], buf + got, sizeof(buf) - got);

		ck_assert_int_gt(n, 0);
		got += (size_t)n;
	}
	ck_assert_int_eq(xfer_join(&b.x), 0);
	ck_assert_int_eq(xchange_join(&c), 0);
	while (same < sizeof(buf) && buf[same] == scratch_byte(OLD, same))
		same++;
	ck_assert_uint_eq(same, sizeof(buf));
	ck_assert_uint_eq(scratch_fs_size(&b.sf, b.node), 0);
	close(fd[0]);
	close(fd[1]);
	busy_teardown(&b);
}
END_TEST

/* --- waiting behind a break ---------------------------------------------- */

START_TEST(second_waits_behind_truncate)
{
	struct pinfs_dma_start start = xfer_range(_i, BLOCK, 5000);
	int fd = device_file(NEW, BLOCK, 5000);
	struct xchange c;
	struct xfer second;
	struct busy b;

	busy_setup(&b);
	busy_start(&b, _i, 0, BLOCK);
	xchange_start(&b.sf, &c, b.node, PINFS_CHANGE_TRUNCATE, 100, 0);
	ck_assert_int_eq(xfer_new(&b.sf, &second, b.node, PINFS_FROM_DEVICE,
				  &start, fd),
			 0);
	xfer_start(&second);
	gate_await(&second.waiting, 1);
	ck_assert_uint_eq(gate_count(&second.started), 0);
	ck_assert_uint_eq(scratch_fs_pins(&b.sf, b.node), 1);
	feed_send(&b.feed, BLOCK);
	ck_assert_int_eq(xfer_join(&b.x), 0);
	ck_assert_int_eq(xfer_join(&second), 0);
	ck_assert_int_eq(xchange_join(&c), 0);
	ck_assert_uint_ge(second.started_ns, b.x.started_ns);
	/* The other way round the truncate would have taken the second's. */
	ck_assert_uint_eq(scratch_fs_size(&b.sf, b.node), BLOCK + 5000);
	ck_assert(scratch_fs_has(&b.sf, b.node, NEW, 0, 100));
	ck_assert(scratch_fs_is_zero(&b.sf, b.node, 100, BLOCK - 100));
	ck_assert(scratch_fs_has(&b.sf, b.node, NEW, BLOCK, 5000));
	close(fd);
	busy_teardown(&b);
}
END_TEST

START_TEST(nowait_does_not_wait)
{
	struct pinfs_dma_start start = xfer_range(_i, BLOCK, 5000);
	int fd = device_file(NEW, BLOCK, 5000);
	struct pinfs_ioc_stats st;
	struct xchange c;
	struct xfer x;
	struct busy b;

	busy_setup(&b);
	busy_start(&b, _i, 0, BLOCK);
	start.flags = PINFS_DMA_NOWAIT;
	/* Nothing to wait for. */
	ck_assert_int_eq(xfer(&b.sf, &x, b.node, PINFS_FROM_DEVICE, &start, fd),
			 0);
	xchange_start(&b.sf, &c, b.node, PINFS_CHANGE_TRUNCATE, 0, 0);
	ck_assert_int_eq(xfer(&b.sf, &x, b.node, PINFS_FROM_DEVICE, &start, fd),
			 -EAGAIN);
	ck_assert_uint_eq(x.done, 0);
	ck_assert_uint_eq(gate_count(&x.waiting), 0);
	fs_stats(b.sf.fs, &st);
	ck_assert_uint_eq(st.refused, 1);
	ck_assert_uint_eq(gate_count(&c.over), 0);
	feed_send(&b.feed, BLOCK);
	ck_assert_int_eq(xfer_join(&b.x), 0);
	ck_assert_int_eq(xchange_join(&c), 0);
	close(fd);
	busy_teardown(&b);
}
END_TEST

/* L5: begun before the truncate was asked for, so it does not wait for it. */
START_TEST(nowait_that_began_before)
{
	struct pinfs_dma_start start = xfer_range(_i, BLOCK, 5000);
	int fd = device_file(NEW, BLOCK, 5000);
	struct xchange c;
	struct xfer x;
	struct busy b;

	busy_setup(&b);
	busy_start(&b, _i, 0, BLOCK);
	start.flags = PINFS_DMA_NOWAIT;
	ck_assert_int_eq(
		xfer_new(&b.sf, &x, b.node, PINFS_FROM_DEVICE, &start, fd), 0);
	xchange_start(&b.sf, &c, b.node, PINFS_CHANGE_TRUNCATE, 0, 0);
	xfer_start(&x);
	ck_assert_int_eq(xfer_join(&x), 0);
	ck_assert_uint_eq(gate_count(&c.over), 0);
	feed_send(&b.feed, BLOCK);
	ck_assert_int_eq(xfer_join(&b.x), 0);
	ck_assert_int_eq(xchange_join(&c), 0);
	close(fd);
	busy_teardown(&b);
}
END_TEST

/* What a device may read is decided when it is let in, not when it asked. */
START_TEST(shrunk_while_it_waited)
{
	struct pinfs_dma_start start = xfer_range(_i, 0, 4000);
	int fd = device_file(9, 0, 4000);
	struct xchange c;
	struct xfer x;
	struct busy b;

	busy_setup(&b);
	busy_start(&b, _i, BLOCK, BLOCK);
	xchange_start(&b.sf, &c, b.node, PINFS_CHANGE_TRUNCATE, 100, 0);
	ck_assert_int_eq(
		xfer_new(&b.sf, &x, b.node, PINFS_TO_DEVICE, &start, fd), 0);
	xfer_start(&x);
	gate_await(&x.waiting, 1);
	feed_send(&b.feed, BLOCK);
	ck_assert_int_eq(xfer_join(&x), -ENXIO);
	ck_assert_int_eq(xchange_join(&c), 0);
	ck_assert_int_eq(xfer_join(&b.x), 0);
	/* Not a byte that the truncate took. */
	ck_assert(device_has(fd, 0, 9, 0, 4000));
	close(fd);
	busy_teardown(&b);
}
END_TEST

/* --- cancelling ---------------------------------------------------------- */

START_TEST(cancelled_before_it_runs)
{
	struct pinfs_dma_start start = xfer_range(_i, 0, 10 * BLOCK);
	int fd = device_file(NEW, 0, 10 * BLOCK);
	uint64_t node;
	struct xfer x;
	struct busy b;

	busy_setup(&b);
	feed_open(&b.feed, NEW, 0);
	node = scratch_fs_file(&b.sf, "new");
	ck_assert_int_eq(
		xfer_new(&b.sf, &x, node, PINFS_FROM_DEVICE, &start, fd), 0);
	transfer_cancel(x.t);
	xfer_start(&x);
	ck_assert_int_eq(xfer_join(&x), -ECANCELED);
	ck_assert_uint_eq(x.done, 0);
	ck_assert_uint_eq(scratch_fs_blocks(&b.sf, node), 0);
	/* Never run at all. */
	ck_assert_int_eq(
		xfer_new(&b.sf, &x, node, PINFS_FROM_DEVICE, &start, fd), 0);
	transfer_free(x.t);
	inode_put(x.ip);
	close(fd);
	busy_teardown(&b);
}
END_TEST

START_TEST(cancelled_in_the_queue)
{
	struct pinfs_dma_start start = xfer_range(_i, 0, BLOCK);
	int fd = device_file(NEW, 0, BLOCK);
	struct xchange c;
	struct xfer x;
	struct busy b;

	busy_setup(&b);
	busy_start(&b, _i, 0, BLOCK);
	xchange_start(&b.sf, &c, b.node, PINFS_CHANGE_TRUNCATE, 0, 0);
	ck_assert_int_eq(
		xfer_new(&b.sf, &x, b.node, PINFS_FROM_DEVICE, &start, fd), 0);
	xfer_start(&x);
	gate_await(&x.waiting, 1);
	ck_assert_int_eq(pin_set_cancel(fs_layouts(b.sf.fs), transfer_id(x.t),
					5, false),
			 0);
	ck_assert_int_eq(xfer_join(&x), -ECANCELED);
	ck_assert_uint_eq(gate_count(&x.started), 0);
	ck_assert_uint_eq(gate_count(&c.over), 0);
	feed_send(&b.feed, BLOCK);
	ck_assert_int_eq(xfer_join(&b.x), 0);
	ck_assert_int_eq(xchange_join(&c), 0);
	close(fd);
	busy_teardown(&b);
}
END_TEST

/* The pins end when the kernel has let go; what came before is the file's. */
START_TEST(cancelled_while_it_runs)
{
	struct xchange c;
	struct busy b;

	busy_setup(&b);
	busy_start(&b, _i, 0, FILE_BYTES);
	ck_assert_uint_eq(scratch_fs_pins(&b.sf, b.node), FILE_BLOCKS);
	xchange_start(&b.sf, &c, b.node, PINFS_CHANGE_PUNCH_HOLE, 60 * BLOCK,
		      BLOCK);
	ck_assert_uint_eq(gate_count(&c.over), 0);
	ck_assert_int_eq(pin_set_cancel(fs_layouts(b.sf.fs), transfer_id(b.x.t),
					0, false),
			 -EPERM);
	ck_assert_int_eq(pin_set_cancel(fs_layouts(b.sf.fs), transfer_id(b.x.t),
					0, true),
			 0);
	ck_assert_int_eq(xfer_join(&b.x), -ECANCELED);
	ck_assert_int_eq(xchange_join(&c), 0);
	ck_assert_uint_eq(scratch_fs_pins(&b.sf, b.node), 0);
	ck_assert_uint_eq(scratch_fs_size(&b.sf, b.node), FILE_BYTES);
	ck_assert(scratch_fs_has(&b.sf, b.node, OLD, b.x.done,
				 60 * BLOCK - b.x.done));
	busy_teardown(&b);
}
END_TEST

/* Grant and cancel at one time, many rounds: one end each, and no pin left. */
START_TEST(cancel_meets_grant)
{
	struct pinfs_dma_start start = xfer_range(_i, 0, 100);
	int fd = device_file(NEW, 0, 100);
	struct busy b;

	busy_setup(&b);
	feed_open(&b.feed, NEW, 0);
	for (int i = 0; i < 30; i++) {
		struct feed feed = b.feed;
		struct xchange c;
		struct xfer x;
		int err;

		busy_start(&b, _i, 0, 50);
		xchange_start(&b.sf, &c, b.node, PINFS_CHANGE_TRUNCATE,
			      FILE_BYTES, 0);
		ck_assert_int_eq(xfer_new(&b.sf, &x, b.node, PINFS_FROM_DEVICE,
					  &start, fd),
				 0);
		xfer_start(&x);
		gate_await(&x.waiting, 1);
		feed_send(&b.feed, 50);
		if (i % 2)
			gate_await(&b.x.over, 1);
		transfer_cancel(x.t);
		err = xfer_join(&x);
		ck_assert(err == 0 || err == -ECANCELED);
		ck_assert_int_eq(xfer_join(&b.x), 0);
		ck_assert_int_eq(xchange_join(&c), 0);
		ck_assert_uint_eq(scratch_fs_pins(&b.sf, b.node), 0);
		feed_close(&b.feed);
		b.feed = feed;
	}
	close(fd);
	busy_teardown(&b);
}
END_TEST

/* --- L10, L15 ------------------------------------------------------------ */

START_TEST(unlinked_while_it_runs)
{
	uint64_t used;
	struct fs_entry e;
	struct busy b;

	busy_setup(&b);
	used = scratch_fs_free(&b.sf);
	busy_start(&b, _i, 0, 32 * BLOCK);
	ck_assert_int_eq(fs_unlink(b.sf.fs, SCRATCH_ROOT, "busy"), 0);
	ck_assert_int_eq(fs_lookup(b.sf.fs, SCRATCH_ROOT, "busy", &e), -ENOENT);
	ck_assert_uint_eq(scratch_fs_free(&b.sf), used);
	feed_send(&b.feed, 32 * BLOCK);
	ck_assert_int_eq(xfer_join(&b.x), 0);
	ck_assert_uint_eq(b.x.done, 32 * BLOCK);
	ck_assert_uint_eq(scratch_fs_free(&b.sf), used + FILE_BLOCKS);
	busy_teardown(&b);
}
END_TEST

static void *closing(void *arg)
{
	struct busy *b = arg;

	fs_drain(b->sf.fs);
	ck_assert_int_eq(fs_close(b->sf.fs), 0);
	return NULL;
}

/* The instance can be closed at once when it has drained. */
START_TEST(drained_and_closed)
{
	struct pinfs_dma_start start = xfer_range(_i, 0, 10);
	struct layout_owner nobody = { 0 };
	struct transfer_events none = { 0 };
	struct transfer *t = NULL;
	pthread_t thread;
	struct inode *ip;
	struct busy b;
	int err;

	busy_setup(&b);
	busy_start(&b, _i, 0, FILE_BYTES);
	ip = scratch_fs_inode(&b.sf, b.other);
	ck_assert_int_eq(pthread_create(&thread, NULL, closing, &b), 0);
	do {
		err = transfer_new(b.sf.fs, ip, PINFS_FROM_DEVICE, &start,
				   b.feed.device, &nobody, &none, &t);
		if (!err)
			transfer_free(t);
	} while (!err);
	ck_assert_int_eq(err, -ESHUTDOWN);
	inode_put(ip);
	inode_put(b.x.ip);
	ck_assert_uint_eq(gate_count(&b.x.over), 0);
	feed_send(&b.feed, 2 * BLOCK);
	feed_end(&b.feed);
	pthread_join(b.x.thread, NULL);
	ck_assert_int_eq(b.x.err, 0);
	transfer_free(b.x.t);
	pthread_join(thread, NULL);
	pool_close(b.sf.pool);
	scratch_fs_open(&b.sf);
	ck_assert(scratch_fs_has(&b.sf, b.node, NEW, 0, 2 * BLOCK));
	ck_assert(scratch_fs_has(&b.sf, b.node, OLD, 2 * BLOCK,
				 FILE_BYTES - 2 * BLOCK));
	busy_teardown(&b);
}
END_TEST

/* --- C1, C2, C5 ---------------------------------------------------------- */

/* struct kernel - stands in for the kernel's page cache */
struct kernel {
	struct busy *b;
	struct gate calls;
	atomic_uint slots; /* of these, that calls have taken */
	pthread_t thread[8]; /* who called */
	uint64_t off[8], len[8];
	uint64_t pins[8]; /* of the file, at the call */
	unsigned int started[8]; /* had the transfer begun? */
	struct gate *until; /* sleeps until this is passed */
	unsigned int from; /* call that begins to */
};

static void invalidate(void *arg, uint64_t node, int64_t off, int64_t len)
{
	struct kernel *k = arg;
	unsigned int i = atomic_fetch_add(&k->slots, 1);

	ck_assert_uint_lt(i, 8);
	ck_assert_uint_eq(node, k->b->node);
	k->thread[i] = pthread_self();
	k->off[i] = (uint64_t)off;
	k->len[i] = (uint64_t)len;
	k->pins[i] = scratch_fs_pins(&k->b->sf, node);
	k->started[i] = gate_count(&k->b->x.started);
	gate_pass(&k->calls);
	if (k->until && i >= k->from)
		gate_await(k->until, 1);
}

static void kernel_setup(struct kernel *k, struct busy *b)
{
	struct fs_kernel fk = { invalidate, k };

	memset(k, 0, sizeof(*k));
	gate_init(&k->calls);
	k->b = b;
	fs_set_kernel(b->sf.fs, &fk);
}

START_TEST(caches_are_dropped)
{
	struct pinfs_ioc_stats st;
	struct kernel k;
	struct busy b;

	busy_setup(&b);
	kernel_setup(&k, &b);
	busy_start(&b, _i, 5000, 3 * BLOCK);
	/* C1: before it is let in. */
	ck_assert_uint_eq(gate_count(&k.calls), 1);
	ck_assert_uint_eq(k.off[0] + k.len[0] + k.pins[0] + k.started[0], 0);
	feed_send(&b.feed, 2 * BLOCK);
	feed_end(&b.feed);
	pthread_join(b.x.thread, NULL);
	ck_assert_int_eq(b.x.err, 0);
	/* C2: when the pins have ended, before its end is told. */
	ck_assert_uint_eq(gate_count(&k.calls), 2);
	ck_assert(pthread_equal(k.thread[1], b.x.thread));
	ck_assert_uint_eq(k.off[1], 5000);
	ck_assert_uint_eq(k.len[1], 2 * BLOCK);
	ck_assert_uint_eq(k.pins[1], 0);
	ck_assert_uint_eq(k.started[1], 1);
	transfer_free(b.x.t);
	inode_put(b.x.ip);
	fs_stats(b.sf.fs, &st);
	ck_assert_uint_eq(st.invalidations, 2);
	busy_teardown(&b);
}
END_TEST

/* The kernel writes back no page of a file while a truncate is unanswered. */
START_TEST(end_does_not_wait_for_the_truncate)
{
	struct xchange c;
	struct kernel k;
	struct busy b;

	busy_setup(&b);
	kernel_setup(&k, &b);
	busy_start(&b, _i, 0, BLOCK);
	k.until = &c.over;
	k.from = 1;
	xchange_start(&b.sf, &c, b.node, PINFS_CHANGE_TRUNCATE, 100, 0);
	feed_send(&b.feed, BLOCK);
	ck_assert_int_eq(xchange_join(&c), 0);
	ck_assert_int_eq(xfer_join(&b.x), 0);
	ck_assert_uint_eq(gate_count(&k.calls), 2);
	ck_assert_uint_eq(scratch_fs_size(&b.sf, b.node), 100);
	busy_teardown(&b);
}
END_TEST

/* The same at the beginning: who waits there holds nobody up. */
START_TEST(begin_does_not_hold_up_the_truncate)
{
	struct pinfs_dma_start start = xfer_range(_i, 0, 100);
	int fd = device_file(NEW, 0, 100);
	struct xchange c;
	struct kernel k;
	struct xfer x;
	struct busy b;

	busy_setup(&b);
	kernel_setup(&k, &b);
	busy_start(&b, _i, 0, BLOCK);
	k.until = &c.over;
	k.from = 1;
	/* It begins before the truncate, so it would be let in before it. */
	ck_assert_int_eq(
		xfer_new(&b.sf, &x, b.node, PINFS_FROM_DEVICE, &start, fd), 0);
	xchange_start(&b.sf, &c, b.node, PINFS_CHANGE_TRUNCATE, 50, 0);
	xfer_start(&x);
	gate_await(&k.calls, 2);
	feed_send(&b.feed, BLOCK);
	ck_assert_int_eq(xchange_join(&c), 0);
	ck_assert_int_eq(xfer_join(&b.x), 0);
	ck_assert_int_eq(xfer_join(&x), 0);
	ck_assert_uint_eq(scratch_fs_size(&b.sf, b.node), 100);
	close(fd);
	busy_teardown(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("transfer-waits");

	rig_add(s, "changes wait", changes_wait_for_the_end, ENGINES * KINDS);
	rig_add(s, "changes wait as long", changes_wait_as_long, ENGINES * 2);
	rig_add(s, "a reader", truncate_waits_for_a_reader, ENGINES);
	rig_add(s, "second", second_waits_behind_truncate, ENGINES);
	rig_add(s, "nowait", nowait_does_not_wait, ENGINES);
	rig_add(s, "nowait before", nowait_that_began_before, ENGINES);
	rig_add(s, "shrunk", shrunk_while_it_waited, ENGINES);
	rig_add(s, "cancelled before", cancelled_before_it_runs, ENGINES);
	rig_add(s, "cancelled in queue", cancelled_in_the_queue, ENGINES);
	rig_add(s, "cancelled running", cancelled_while_it_runs, ENGINES);
	rig_add(s, "cancel meets grant", cancel_meets_grant, ENGINES);
	rig_add(s, "unlinked", unlinked_while_it_runs, ENGINES);
	rig_add(s, "drained and closed", drained_and_closed, ENGINES);
	rig_add(s, "caches", caches_are_dropped, ENGINES);
	rig_add(s, "end and truncate", end_does_not_wait_for_the_truncate,
		ENGINES);
	rig_add(s, "begin and truncate", begin_does_not_hold_up_the_truncate,
		ENGINES);
	return rig_main(s);
}
