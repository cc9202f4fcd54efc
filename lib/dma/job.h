/* SPDX-License-Identifier: BSD-3-Clause */
/* A DMA job's state, shared by the files of lib/dma. */
#ifndef PINFS_DMA_JOB_H
#define PINFS_DMA_JOB_H

#include <stdatomic.h>

#include "dma/backend.h"
#include "dma/dma.h"

/*
 * struct chunk - a piece of a segment on its way
 *
 * It is on one of its job's lists, which is its state:
 *
 *          cut()                land()               release_held()
 *   FREE --------> FLYING ---------------> HELD ---------------------> FREE
 *                   |  ^ \                                              ^
 *                   +--+  +---------------------------------------------+
 *            short, go on              land(), nothing to hold
 *
 * FLYING: the kernel may touch the memory.  HELD: it does not any more, but
 * the emulated device is not that fast; held ones end at once on a cancel.
 */
struct chunk {
	struct list_head link; /* in the list that is its state */
	struct backend_io io;
	char *mem;
	size_t length;
	size_t got; /* of length, has arrived */
	uint64_t pos; /* bytes from the start of the run */
	uint64_t cut_ns; /* when it was cut */
	uint64_t hold_ns; /* latency and jitter */
	uint64_t release_ns; /* HELD: until then */
};

/* struct dma_run - what one dma_run() is at */
struct dma_run {
	const struct dma_segment *seg; /* that is cut next */
	size_t nseg; /* that one and those after it */
	size_t seg_at; /* bytes of it that have been cut */
	uint64_t device_offset; /* of the run's start */
	uint64_t next; /* bytes cut in all */
	uint64_t limit; /* bytes until the emulated failure */
	uint64_t stop_pos; /* nothing past it counts; UINT64_MAX: not met */
	int stop_err; /* why: 0 is the device's end */
};

/*
 * Only the thread in dma_run() uses a job's fields, but for those that
 * dma_cancel() needs: wake does not change, cancelled is atomic.
 */
struct dma_job {
	struct dma_options opt;
	struct dma_callbacks cb;
	struct dma_device device;
	const struct backend_ops *ops;
	struct backend *be;
	int wake; /* eventfd, readable once cancelled */
	atomic_bool cancelled;
	bool cancel_told; /* the backend knows */
	uint64_t chunk; /* opt.chunk, aligned for the device */
	uint32_t depth; /* opt.depth, 1 if the device needs that */
	struct chunk *chunks; /* depth of them */
	struct list_head free, flying, held;
	uint64_t random; /* state of the jitter's generator */
	uint64_t busy_until; /* bandwidth: the emulated link is taken */
	uint64_t total; /* bytes of all earlier runs */
	uint64_t reported; /* what progress was told last */
	uint64_t reported_ns; /* and when */
	bool report_due; /* there is more, but it is too early to tell */
	struct dma_run run;
};

/*
 * dma_flight_run - transfer what job->run says
 *
 * Returns with nothing in flight; how it went is in job->run.  Gives the bytes
 * that arrived without a gap.
 */
uint64_t dma_flight_run(struct dma_job *job);

#endif
