// SPDX-License-Identifier: BSD-3-Clause
/* The DMA engine: jobs, and the frame of a run.  flight.c does the rest. */
#include "dma/dma.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dma/job.h"

/* struct pipe_guard - what keeps SIGPIPE from a caller who did not ask */
struct pipe_guard {
	sigset_t old;
	bool was_pending;
};

static const struct backend_ops *find_backend(enum pinfs_engine engine)
{
	switch (engine) {
	case PINFS_ENGINE_IO_URING:
		return &dma_backend_uring;
	case PINFS_ENGINE_AIO:
		return &dma_backend_aio;
	case PINFS_ENGINE_CLIENT:
		break;
	}
	return NULL;
}

static bool options_valid(const struct dma_options *opt)
{
	return find_backend(opt->engine) &&
	       (opt->direction == PINFS_TO_DEVICE ||
		opt->direction == PINFS_FROM_DEVICE) &&
	       opt->depth >= 1 && opt->depth <= PINFS_DMA_MAX_DEPTH &&
	       opt->chunk >= 1 && opt->chunk <= PINFS_DMA_MAX_CHUNK;
}

static int make_chunks(struct dma_job *job)
{
	uint32_t i;

	job->chunk = round_up_u64(job->opt.chunk, job->device.align);
	job->depth = job->device.serial ? 1 : job->opt.depth;
	job->chunks = calloc(job->depth, sizeof(*job->chunks));
	if (!job->chunks)
		return -ENOMEM;
	list_init(&job->free);
	list_init(&job->flying);
	list_init(&job->held);
	for (i = 0; i < job->depth; i++) {
		job->chunks[i].io.slot = i;
		list_add_tail(&job->chunks[i].link, &job->free);
	}
	return 0;
}

static int open_backend(struct dma_job *job, int pool_fd)
{
	struct backend_config cfg = {
		.device = &job->device,
		.depth = job->depth,
		.pool_fd = pool_fd,
		.wake = job->wake,
	};

	return job->ops->open(&cfg, &job->be);
}

static int open_parts(struct dma_job *job, int pool_fd)
{
	int err;

	err = make_chunks(job);
	if (err)
		return err;
	job->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (job->wake < 0) {
		err = -errno;
		goto err_chunks;
	}
	err = open_backend(job, pool_fd);
	if (err)
		goto err_wake;
	return 0;

err_wake:
	close(job->wake);
err_chunks:
	free(job->chunks);
	return err;
}

int dma_open(const struct dma_options *opt, int device, int pool_fd,
	     const struct dma_callbacks *cb, struct dma_job **out)
{
	struct dma_job *job;
	int err;

	if (!options_valid(opt))
		return -EINVAL;
	if (pool_fd != -1 && fcntl(pool_fd, F_GETFD) < 0)
		return -EBADF;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	job->opt = *opt;
	if (cb)
		job->cb = *cb;
	job->ops = find_backend(opt->engine);
	job->random = opt->seed;
	atomic_init(&job->cancelled, false);
	err = dma_device_probe(device, opt->direction, &job->device);
	if (err)
		goto err_free;
	err = open_parts(job, pool_fd);
	if (err)
		goto err_free;
	*out = job;
	return 0;

err_free:
	free(job);
	return err;
}

static bool pipe_pending(void)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, SIGPIPE) == 1;
}

/*
 * A write to a pipe or socket whose other end is gone is an error of this
 * job's device (EPIPE), no reason to end the process.
 */
static void guard_pipe(struct pipe_guard *guard)
{
	sigset_t set;

	guard->was_pending = pipe_pending();
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, &guard->old);
}

static void unguard_pipe(const struct pipe_guard *guard)
{
	const struct timespec at_once = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	if (!guard->was_pending && pipe_pending())
		while (sigtimedwait(&set, NULL, &at_once) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &guard->old, NULL);
}

static uint64_t bytes_until_failure(const struct dma_job *job)
{
	if (job->opt.fail_after == UINT64_MAX)
		return UINT64_MAX;
	/* no run counts more than this, so total never exceeds fail_after */
	return job->opt.fail_after - job->total;
}

static int run_result(const struct dma_job *job, uint64_t done)
{
	if (job->run.stop_err && job->run.stop_err != -ECANCELED)
		return job->run.stop_err;
	if (dma_cancelled(job))
		return -ECANCELED;
	return done >= job->run.limit ? -EIO : 0;
}

int dma_run(struct dma_job *job, const struct dma_segment *seg, size_t nseg,
	    uint64_t device_offset, uint64_t *done)
{
	struct pipe_guard guard;

	job->run = (struct dma_run){
		.seg = seg,
		.nseg = nseg,
		.device_offset = device_offset,
		.limit = bytes_until_failure(job),
		.stop_pos = UINT64_MAX,
	};
	guard_pipe(&guard);
	*done = dma_flight_run(job);
	unguard_pipe(&guard);
	job->total += *done;
	job->report_due = false;
	job->reported = job->total;
	job->reported_ns = now_ns();
	if (job->cb.progress)
		job->cb.progress(job->cb.arg, job->total);
	return run_result(job, *done);
}

void dma_cancel(struct dma_job *job)
{
	atomic_store(&job->cancelled, true);
	eventfd_write(job->wake, 1);
}

bool dma_cancelled(const struct dma_job *job)
{
	return atomic_load(&job->cancelled);
}

void dma_close(struct dma_job *job)
{
	if (!job)
		return;
	job->ops->close(job->be);
	close(job->wake);
	free(job->chunks);
	free(job);
}
