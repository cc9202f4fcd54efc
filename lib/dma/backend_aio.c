// SPDX-License-Identifier: BSD-3-Clause
/*
 * DMA over Linux AIO.
 *
 * The kernel drains a process's AIO contexts before it closes its files, so
 * the claim of an owner that is killed lasts until its I/O has landed without
 * anything done here (L12).
 *
 * io_submit() blocks on what is not a disk opened with O_DIRECT.  For streams,
 * which may block for ever, a request is therefore kept back until poll(2)
 * calls the device ready, and submitted so that it cannot block.
 */
#include "dma/backend.h"

#include <errno.h>
#include <libaio.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define BATCH 32

struct backend {
	io_context_t ctx;
	const struct dma_device *device;
	int wake;
	bool woken;
	bool may_block; /* the device knows no RWF_NOWAIT */
	int landed; /* eventfd that the kernel signals with each completion */
	struct iocb *iocb; /* by slot */
	struct backend_io *kept; /* waits until the device is ready */
	struct list_head failed; /* that the kernel did not take */
};

static int aio_open(const struct backend_config *cfg, struct backend **out)
{
	struct backend *be;
	int err;

	be = calloc(1, sizeof(*be));
	if (!be)
		return -ENOMEM;
	be->device = cfg->device;
	be->wake = cfg->wake;
	list_init(&be->failed);
	be->iocb = calloc(cfg->depth, sizeof(*be->iocb));
	if (!be->iocb) {
		err = -ENOMEM;
		goto err_free;
	}
	be->landed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (be->landed < 0) {
		err = -errno;
		goto err_iocb;
	}
	err = io_setup((int)cfg->depth, &be->ctx);
	if (err)
		goto err_landed;
	*out = be;
	return 0;

err_landed:
	close(be->landed);
err_iocb:
	free(be->iocb);
err_free:
	free(be);
	return err;
}

/*
 * How much a ready stream takes without blocking, if it cannot be told not to
 * block: a pipe PIPE_BUF bytes, a terminal one.  Reads take what is there.
 */
static size_t ready_length(const struct backend *be, size_t length)
{
	if (!be->device->stream || !be->may_block || !be->device->writes)
		return length;
	return be->device->pipe ? min_u64(length, PIPE_BUF) : 1;
}

static int give(struct backend *be, struct backend_io *io)
{
	struct iocb *iocb = &be->iocb[io->slot];
	size_t length = ready_length(be, io->length);
	int ret;

	if (be->device->writes)
		io_prep_pwrite(iocb, be->device->fd, io->mem, length,
			       (long long)io->offset);
	else
		io_prep_pread(iocb, be->device->fd, io->mem, length,
			      (long long)io->offset);
	if (be->device->stream && !be->may_block)
		iocb->aio_rw_flags = RWF_NOWAIT;
	iocb->data = io;
	io_set_eventfd(iocb, be->landed);
	ret = io_submit(be->ctx, 1, &iocb);
	return ret < 0 ? ret : 0;
}

static void fail(struct backend *be, struct backend_io *io, int err)
{
	io->result = err;
	list_add_tail(&io->link, &be->failed);
}

static void give_or_fail(struct backend *be, struct backend_io *io)
{
	int err = give(be, io);

	if ((err == -EOPNOTSUPP || err == -EINVAL) && be->device->stream &&
	    !be->may_block) {
		be->may_block = true;
		err = give(be, io);
	}
	if (err)
		fail(be, io, err);
}

static void aio_submit(struct backend *be, struct backend_io *io)
{
	if (be->device->stream)
		be->kept = io; /* a stream has one request at a time */
	else
		give_or_fail(be, io);
}

static void take_completions(struct backend *be, struct list_head *done)
{
	struct timespec at_once = { 0 };
	struct io_event ev[BATCH];
	struct backend_io *io;
	int i, n;

	list_splice_tail(&be->failed, done);
	do {
		n = io_getevents(be->ctx, 0, BATCH, ev, &at_once);
		for (i = 0; i < n; i++) {
			io = ev[i].data;
			io->result = (int64_t)ev[i].res;
			list_add_tail(&io->link, done);
		}
	} while (n == BATCH);
}

static void wait_event(struct backend *be, uint64_t deadline_ns)
{
	struct timespec ts, *timeout = NULL;
	struct pollfd pfd[] = {
		{ .fd = be->landed, .events = POLLIN },
		/* poll(2) passes over negative descriptors */
		{ .fd = be->woken ? -1 : be->wake, .events = POLLIN },
		{ .fd = be->kept ? be->device->fd : -1,
		  .events = be->device->writes ? POLLOUT : POLLIN },
	};
	struct backend_io *io = be->kept;
	eventfd_t count;
	uint64_t left;

	if (deadline_ns != BACKEND_NEVER) {
		left = backend_time_left(deadline_ns);
		ts.tv_sec = (time_t)(left / NSEC_PER_SEC);
		ts.tv_nsec = (long)(left % NSEC_PER_SEC);
		timeout = &ts;
	}
	if (ppoll(pfd, ARRAY_SIZE(pfd), timeout, NULL) <= 0)
		return;
	if (pfd[0].revents)
		eventfd_read(be->landed, &count);
	if (pfd[1].revents)
		be->woken = true;
	if (pfd[2].revents) {
		be->kept = NULL;
		give_or_fail(be, io);
	}
}

static void aio_wait(struct backend *be, uint64_t deadline_ns,
		     struct list_head *done)
{
	if (list_empty(&be->failed))
		wait_event(be, deadline_ns);
	take_completions(be, done);
}

static void aio_cancel(struct backend *be, struct backend_io *io)
{
	struct io_event unused;

	if (be->kept == io) {
		be->kept = NULL;
		fail(be, io, -ECANCELED);
		return;
	}
	/*
	 * Few devices can; for the others the request goes on, and is waited
	 * for.  In either case its completion is an event.
	 */
	io_cancel(be->ctx, &be->iocb[io->slot], &unused);
}

static void aio_close(struct backend *be)
{
	io_destroy(be->ctx);
	close(be->landed);
	free(be->iocb);
	free(be);
}

const struct backend_ops dma_backend_aio = {
	.open = aio_open,
	.submit = aio_submit,
	.wait = aio_wait,
	.cancel = aio_cancel,
	.close = aio_close,
};
