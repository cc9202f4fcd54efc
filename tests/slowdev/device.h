/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The slow device: requests that it holds, and what makes it answer them.
 *
 * A request arrives, is held, and is answered when it is due.  Requests do not
 * wait for each other; a client's death changes nothing, as with a real
 * device.  Everything happens on one thread, so there are no locks.
 */
#ifndef SLOWDEV_DEVICE_H
#define SLOWDEV_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "base/list.h"
#include "media.h"

#define DEVICE_NOWHERE UINT64_MAX /* as fail_at or hang_from: off */

struct device {
	struct media media;
	uint64_t delay_ns;
	uint64_t fail_at; /* EIO for requests that cover this byte */
	uint64_t hang_from; /* requests that reach past it are never due */
	struct list_head held; /* by due time, those that hang last */
	struct list_head waiters; /* for a counter to reach a value */
	struct list_head sessions; /* openings of the control file, ctl.h */
	uint64_t n_held;
	uint64_t n_hung; /* of those held */
	uint64_t n_reads; /* arrived */
	uint64_t n_writes;
	uint64_t n_answered;
	uint64_t n_failed; /* of those answered */
	uint64_t n_awaiting; /* waiters */
	uint64_t last_answer_ms; /* of the realtime clock; 0: none yet */
};

int device_init(struct device *d, uint64_t size, uint64_t seed);

void device_destroy(struct device *d);

/* device_abort - answer what is held, and those who wait for it, with EIO */
void device_abort(struct device *d);

/*
 * device_read, device_write - take a request; it is answered some time later
 *
 * Those past the end are answered at once and count for nothing.
 */
void device_read(struct device *d, fuse_req_t req, uint64_t off, size_t n);
void device_write(struct device *d, fuse_req_t req, uint64_t off, size_t n,
		  const void *buf);

/* device_next_due - when device_answer_due() has to be called, or UINT64_MAX */
uint64_t device_next_due(const struct device *d);
void device_answer_due(struct device *d, uint64_t now);

/* device_release - answer everything that is held, and stop to hang */
void device_release(struct device *d);

/* device_release_oldest - answer the n that have hung longest, go on hanging */
void device_release_oldest(struct device *d, uint64_t n);

/* struct device_goal - a counter that shall be at least want */
struct device_goal {
	const char *name;
	const uint64_t *counter;
	uint64_t want;
};

/*
 * device_await - answer req, a read, with "NAME VALUE" once the goal is
 * reached; with EINTR if the caller is interrupted
 */
void device_await(struct device *d, fuse_req_t req,
		  const struct device_goal *goal);

#endif
