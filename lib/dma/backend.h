/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a kernel interface for asynchronous I/O has to offer to the DMA engine.
 * Private to lib/dma.  A backend belongs to one job and is used by one thread
 * at a time.
 */
#ifndef PINFS_DMA_BACKEND_H
#define PINFS_DMA_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/util.h"
#include "dma/device.h"

#define BACKEND_NEVER UINT64_MAX /* a deadline that does not come */

/* A wait is cut to this, so that it fits every time structure of the kernel. */
#define BACKEND_LONGEST_NS (1000000000ull * NSEC_PER_SEC)

/* struct backend_io - one request; it stays in place until wait() returns it */
struct backend_io {
	struct list_head link; /* of those that wait() returns */
	void *mem;
	size_t length;
	uint64_t offset; /* in the device, 0 for a stream */
	uint32_t slot; /* below config.depth, of this request alone */
	bool poll_first; /* the device has said EAGAIN: wait for it first */
	int64_t result; /* bytes, or a negative errno */
};

struct backend_config {
	const struct dma_device *device;
	uint32_t depth; /* requests in flight */
	int pool_fd; /* -1: none */
	int wake; /* eventfd; once it is readable, wait() returns */
};

struct backend;

struct backend_ops {
	int (*open)(const struct backend_config *cfg, struct backend **out);
	/* Take io; a failure is io's result, and comes out of wait(), too. */
	void (*submit)(struct backend *be, struct backend_io *io);
	/*
	 * Block until a request has finished, the wake descriptor became
	 * readable (told once only), a signal came or the deadline has
	 * passed, whichever is first.  Finished requests go to done; the
	 * kernel does not touch their memory any more.
	 */
	void (*wait)(struct backend *be, uint64_t deadline_ns,
		     struct list_head *done);
	/* Ask for io's end; it comes out of wait() all the same. */
	void (*cancel)(struct backend *be, struct backend_io *io);
	/* Only while nothing is in flight. */
	void (*close)(struct backend *be);
};

extern const struct backend_ops dma_backend_uring;
extern const struct backend_ops dma_backend_aio;

/* backend_time_left - from now to the deadline, in what wait calls can take */
static inline uint64_t backend_time_left(uint64_t deadline_ns)
{
	uint64_t now = now_ns();

	if (deadline_ns <= now)
		return 0;
	return min_u64(deadline_ns - now, BACKEND_LONGEST_NS);
}

#endif
