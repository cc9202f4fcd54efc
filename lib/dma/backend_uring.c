// SPDX-License-Identifier: BSD-3-Clause
/*
 * DMA over io_uring: a ring a job.
 *
 * The ring registers the descriptor that holds the pool's claim, and the
 * device.  A ring is torn down only when its last request has ended, and keeps
 * what it registered until then: so the claim of an owner that is killed lasts
 * until its I/O has landed (L12), and an open file of this file system that is
 * the device is not released earlier (L11).
 */
#include "dma/backend.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>

#define DEVICE_INDEX 0 /* in the registered files */

struct backend {
	struct io_uring ring;
	const struct dma_device *device;
	int wake;
	bool wake_armed; /* a poll of the wake descriptor is in the ring */
	bool woken; /* and it has fired */
	bool cancelling;
	bool *polling; /* by slot: what is in flight is the poll before */
};

static int register_files(struct backend *be, const struct backend_config *cfg)
{
	int fds[2] = { cfg->device->fd, cfg->pool_fd };

	return io_uring_register_files(&be->ring, fds,
				       cfg->pool_fd < 0 ? 1 : 2);
}

static int uring_open(const struct backend_config *cfg, struct backend **out)
{
	struct backend *be;
	int err;

	be = calloc(1, sizeof(*be));
	if (!be)
		return -ENOMEM;
	be->device = cfg->device;
	be->wake = cfg->wake;
	be->polling = calloc(cfg->depth, sizeof(*be->polling));
	if (!be->polling) {
		err = -ENOMEM;
		goto err_free;
	}
	/* Room for each request, its cancellation and the wake-up. */
	err = io_uring_queue_init(2 * cfg->depth + 1, &be->ring, 0);
	if (err)
		goto err_polling;
	err = register_files(be, cfg);
	if (err)
		goto err_ring;
	*out = be;
	return 0;

err_ring:
	io_uring_queue_exit(&be->ring);
err_polling:
	free(be->polling);
err_free:
	free(be);
	return err;
}

static struct io_uring_sqe *get_sqe(struct backend *be)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&be->ring);

	/* The ring was made for all that can be in it. */
	assert(sqe);
	return sqe;
}

static void prep_transfer(struct backend *be, struct backend_io *io)
{
	struct io_uring_sqe *sqe = get_sqe(be);
	unsigned int length = (unsigned int)io->length;

	if (be->device->writes)
		io_uring_prep_write(sqe, DEVICE_INDEX, io->mem, length,
				    io->offset);
	else
		io_uring_prep_read(sqe, DEVICE_INDEX, io->mem, length,
				   io->offset);
	sqe->flags |= IOSQE_FIXED_FILE;
	if (be->device->async)
		sqe->flags |= IOSQE_ASYNC;
	io_uring_sqe_set_data(sqe, io);
}

static void prep_poll(struct backend *be, struct backend_io *io)
{
	struct io_uring_sqe *sqe = get_sqe(be);

	io_uring_prep_poll_add(sqe, DEVICE_INDEX,
			       be->device->writes ? POLLOUT : POLLIN);
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data(sqe, io);
}

static void uring_submit(struct backend *be, struct backend_io *io)
{
	be->polling[io->slot] = io->poll_first;
	if (io->poll_first)
		prep_poll(be, io);
	else
		prep_transfer(be, io);
}

/*
 * The poll belongs to the thread that made it.  If that has ended since, it
 * comes back cancelled instead of fired, and is made anew.
 */
static void arm_wake(struct backend *be)
{
	struct io_uring_sqe *sqe;

	if (be->wake_armed || be->woken)
		return;
	sqe = get_sqe(be);
	io_uring_prep_poll_add(sqe, be->wake, POLLIN);
	io_uring_sqe_set_data(sqe, be);
	be->wake_armed = true;
}

static void finish(struct backend *be, struct backend_io *io, int result,
		   struct list_head *done)
{
	if (be->polling[io->slot] && result >= 0) {
		be->polling[io->slot] = false;
		if (!be->cancelling) {
			prep_transfer(be, io);
			return;
		}
		/* The cancellation came too late for the poll. */
		result = -ECANCELED;
	}
	io->result = result;
	list_add_tail(&io->link, done);
}

static void take_completions(struct backend *be, struct list_head *done)
{
	struct io_uring_cqe *cqe;
	void *data;

	while (!io_uring_peek_cqe(&be->ring, &cqe)) {
		int result = cqe->res;

		data = cqe->user_data == LIBURING_UDATA_TIMEOUT ?
			       NULL :
			       io_uring_cqe_get_data(cqe);
		io_uring_cqe_seen(&be->ring, cqe);
		if (data == be) {
			be->wake_armed = false;
			be->woken = result >= 0;
		} else if (data) {
			finish(be, data, result, done);
		}
	}
}

static void uring_wait(struct backend *be, uint64_t deadline_ns,
		       struct list_head *done)
{
	struct __kernel_timespec ts, *timeout = NULL;
	struct io_uring_cqe *cqe;
	uint64_t left;
	int err;

	arm_wake(be);
	if (deadline_ns != BACKEND_NEVER) {
		left = backend_time_left(deadline_ns);
		ts.tv_sec = (long long)(left / NSEC_PER_SEC);
		ts.tv_nsec = (long long)(left % NSEC_PER_SEC);
		timeout = &ts;
	}
	err = io_uring_submit_and_wait_timeout(&be->ring, &cqe, 1, timeout,
					       NULL);
	/* Short of memory: what was not submitted stays in the ring. */
	assert(err >= 0 || err == -ETIME || err == -EINTR || err == -EAGAIN ||
	       err == -EBUSY || err == -ENOMEM);
	(void)err;
	take_completions(be, done);
}

static void uring_cancel(struct backend *be, struct backend_io *io)
{
	struct io_uring_sqe *sqe = get_sqe(be);

	be->cancelling = true;
	io_uring_prep_cancel(sqe, io, 0);
	io_uring_sqe_set_data(sqe, NULL);
}

/*
 * The kernel takes a ring apart some time after it was closed; unregistering
 * first lets go of the claim at once.
 */
static void uring_close(struct backend *be)
{
	io_uring_unregister_files(&be->ring);
	io_uring_queue_exit(&be->ring);
	free(be->polling);
	free(be);
}

const struct backend_ops dma_backend_uring = {
	.open = uring_open,
	.submit = uring_submit,
	.wait = uring_wait,
	.cancel = uring_cancel,
	.close = uring_close,
};
