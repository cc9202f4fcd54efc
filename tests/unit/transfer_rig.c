// SPDX-License-Identifier: BSD-3-Clause
/* What the tests of transfers share. */
#include "transfer_rig.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* --- devices ------------------------------------------------------------- */

int device_file(unsigned int seed, uint64_t pos, size_t size)
{
	int fd = memfd_create("device", MFD_CLOEXEC);
	uint8_t *buf = malloc(size + 1);

	ck_assert_int_ge(fd, 0);
	ck_assert_ptr_nonnull(buf);
	scratch_bytes(buf, seed, pos, size);
	ck_assert_int_eq(pwrite(fd, buf, size, 0), (ssize_t)size);
	free(buf);
	return fd;
}

static uint8_t *device_read(int fd, uint64_t at, size_t len)
{
	uint8_t *buf = calloc(1, len + 1);

	ck_assert_ptr_nonnull(buf);
	ck_assert_int_eq(pread(fd, buf, len, (off_t)at), (ssize_t)len);
	return buf;
}

bool device_has(int fd, uint64_t at, unsigned int seed, uint64_t pos,
		size_t len)
{
	uint8_t *buf = device_read(fd, at, len);
	bool same = true;

	for (size_t i = 0; i < len && same; i++)
		same = buf[i] == scratch_byte(seed, pos + i);
	free(buf);
	return same;
}

bool device_is_zero(int fd, uint64_t at, size_t len)
{
	uint8_t *buf = device_read(fd, at, len);
	bool zero = true;

	for (size_t i = 0; i < len && zero; i++)
		zero = buf[i] == 0;
	free(buf);
	return zero;
}

uint64_t device_size(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return (uint64_t)st.st_size;
}

void feed_open(struct feed *f, unsigned int seed, uint64_t pos)
{
	int fd[2];

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	*f = (struct feed){ fd[0], fd[1], seed, pos };
}

void feed_send(struct feed *f, size_t len)
{
	uint8_t *buf = malloc(len + 1);
	size_t at = 0;

	ck_assert_ptr_nonnull(buf);
	scratch_bytes(buf, f->seed, f->pos, len);
	while (at < len) {
		ssize_t n = write(f->end, buf + at, len - at);

		ck_assert_int_gt(n, 0);
		at += (size_t)n;
	}
	f->pos += len;
	free(buf);
}

void feed_end(struct feed *f)
{
	if (f->end >= 0)
		close(f->end);
	f->end = -1;
}

void feed_close(struct feed *f)
{
	feed_end(f);
	close(f->device);
}

/* --- transfers ----------------------------------------------------------- */

struct pinfs_dma_start xfer_range(int engine, uint64_t off, uint64_t len)
{
	return (struct pinfs_dma_start){
		.version = PINFS_DMA_WIRE_VERSION,
		.offset = off,
		.length = len,
		.engine = engine ? PINFS_ENGINE_AIO : PINFS_ENGINE_IO_URING,
		.chunk = 64 << 10,
		.fail_after = UINT64_MAX,
	};
}

struct pinfs_dma_start xfer_all(int engine, uint64_t off)
{
	struct pinfs_dma_start start = xfer_range(engine, off, 0);

	start.flags = PINFS_DMA_ALL;
	return start;
}

static void on_waiting(void *arg, uint64_t id)
{
	struct xfer *x = arg;

	ck_assert_uint_eq(id, transfer_id(x->t));
	gate_pass(&x->waiting);
}

static void on_started(void *arg, uint64_t id)
{
	struct xfer *x = arg;

	ck_assert_uint_eq(id, transfer_id(x->t));
	x->started_ns = now_ns();
	gate_pass(&x->started);
	if (x->hold)
		gate_await(&x->go, 1);
}

static void on_progress(void *arg, uint64_t id, uint64_t done)
{
	struct xfer *x = arg;

	(void)id;
	x->backwards |= done < x->reported;
	x->reported = max_u64(x->reported, done);
}

int xfer_new(struct scratch_fs *sf, struct xfer *x, uint64_t node,
	     enum pinfs_direction direction,
	     const struct pinfs_dma_start *start, int device)
{
	const struct layout_owner owner = { .pid = 77,
					    .uid = 5,
					    .comm = "xfer" };
	const struct transfer_events events = {
		.waiting = on_waiting,
		.started = on_started,
		.progress = on_progress,
		.arg = x,
	};
	int err;

	memset(x, 0, sizeof(*x));
	gate_init(&x->waiting);
	gate_init(&x->started);
	gate_init(&x->over);
	gate_init(&x->go);
	x->sf = sf;
	x->ip = scratch_fs_inode(sf, node);
	err = transfer_new(sf->fs, x->ip, direction, start, device, &owner,
			   &events, &x->t);
	if (err)
		inode_put(x->ip);
	return err;
}

static void *running(void *arg)
{
	struct xfer *x = arg;

	x->err = transfer_run(x->t, &x->done);
	x->ended_ns = now_ns();
	gate_pass(&x->over);
	return NULL;
}

void xfer_start(struct xfer *x)
{
	ck_assert_int_eq(pthread_create(&x->thread, NULL, running, x), 0);
}

int xfer_join(struct xfer *x)
{
	pthread_join(x->thread, NULL);
	transfer_free(x->t);
	inode_put(x->ip);
	ck_assert(!x->backwards);
	ck_assert_uint_le(x->reported, x->done);
	return x->err;
}

int xfer(struct scratch_fs *sf, struct xfer *x, uint64_t node,
	 enum pinfs_direction direction, const struct pinfs_dma_start *start,
	 int device)
{
	int err = xfer_new(sf, x, node, direction, start, device);

	if (err)
		return err;
	xfer_start(x);
	return xfer_join(x);
}

/* --- changes ------------------------------------------------------------- */

static void change_over(struct fs_change *ch, int err)
{
	struct xchange *c = container_of(ch, struct xchange, ch);

	c->ended_ns = now_ns();
	c->err = err;
	gate_pass(&c->over);
}

void xchange_start(struct scratch_fs *sf, struct xchange *c, uint64_t node,
		   enum pinfs_change kind, uint64_t off, uint64_t len)
{
	memset(c, 0, sizeof(*c));
	gate_init(&c->over);
	c->ch.kind = kind;
	c->ch.offset = off;
	c->ch.length = len;
	c->ch.done = change_over;
	ck_assert_int_eq(fs_change_init(sf->fs, node, &c->ch), 0);
	c->began_ns = now_ns();
	fs_change_start(&c->ch);
}

int xchange_join(struct xchange *c)
{
	gate_await(&c->over, 1);
	return c->err;
}
