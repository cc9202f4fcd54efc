/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The DMA engine: the emulated device.  It moves bytes between a device's
 * descriptor and memory of the mapped pool with real asynchronous kernel I/O,
 * without a bounce buffer, and says when the kernel has let go of the memory.
 *
 * It knows nothing of files, pins or breaks: whoever calls it holds the pins
 * of the segments until dma_run() returns, and that is all that L11 needs,
 * for dma_run() never returns while the kernel may still touch a segment.
 */
#ifndef PINFS_DMA_H
#define PINFS_DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/pinfs_dma.h"
#include "wire/pinfs_ioctl.h"

struct dma_job;

/* struct dma_segment - one piece of pool memory, in file order */
struct dma_segment {
	void *mem;
	size_t length;
};

/* struct dma_options - what the emulated device is like */
struct dma_options {
	enum pinfs_engine engine;
	enum pinfs_direction direction;
	uint32_t depth; /* chunks in flight, 1 to PINFS_DMA_MAX_DEPTH */
	uint64_t chunk; /* bytes of a chunk, 1 to PINFS_DMA_MAX_CHUNK; with
			   O_DIRECT rounded up to the device's blocks */
	uint64_t latency_ns; /* a chunk's pins are held that much longer */
	uint64_t jitter_ns; /* and up to that much more, drawn with seed */
	uint64_t bandwidth; /* bytes a second over the whole job, 0: no limit */
	uint64_t fail_after; /* -EIO once the job's runs have brought so many
				bytes, even if no more were asked for;
				UINT64_MAX: never */
	uint64_t seed;
};

/*
 * bandwidth models a link that carries one chunk after the other: a chunk is
 * held until its bytes are through, and for its latency after that.  Holds end
 * at once when the job is cancelled.
 */

/*
 * struct dma_callbacks - called on the thread that is in dma_run()
 *
 * progress: so many bytes have arrived in all; called at most ten times a
 * second and at the end of each dma_run().  May be NULL.
 */
struct dma_callbacks {
	void (*progress)(void *arg, uint64_t done);
	void *arg;
};

/*
 * dma_open - make a job's device: a ring or an AIO context of its own
 * @device: the device's descriptor; stays the caller's, open until dma_close()
 * @pool_fd: descriptor that holds the pool's claim; the ring registers it, so
 *           that a killed owner's claim lasts until its I/O has landed (L12);
 *           -1 for none
 *
 * The device, too, may stay open in the kernel until dma_close().
 *
 * Returns 0, or -EINVAL for options out of range, -EBADF for a descriptor
 * not open in the right direction, -ESOCKTNOSUPPORT for a socket that is no
 * byte stream (messages would be cut), or what the kernel said.  Asks no file
 * server anything, so a stuck device does not hold it up.
 */
int dma_open(const struct dma_options *opt, int device, int pool_fd,
	     const struct dma_callbacks *cb, struct dma_job **out);

/*
 * dma_run - transfer the segments, in order, from or to device_offset
 * @done: bytes that arrived, counted without a gap from the first segment's
 *        start; set on every return
 *
 * Past done, what the segments of a transfer from the device hold is not
 * defined: chunks further on may have landed, and the kernel zeroes what an
 * O_DIRECT request asks for past a file's end.  Nothing else is ever touched.
 *
 * Device offsets are ignored for pipes, sockets and character devices that
 * cannot seek: there only one chunk is in flight at a time, as for a device
 * opened with O_APPEND.  Where submitting would block (AIO on a device opened
 * without O_DIRECT), only the calling thread does; a job has one, no worker of
 * the file system ever waits in here.
 *
 * O_DIRECT: a chunk ends inside a device's block only at the end of a segment,
 * where the rest is a request of its own.  If the kernel refuses it (EINVAL),
 * all before it has been transferred and counted; O_DIRECT is never dropped
 * silently.  To read a file whose size is no multiple of the block to its end,
 * give segments with room for the whole last block: the read ends at the
 * file's end, and done says where.  To write such a tail, use a descriptor
 * opened without O_DIRECT.
 *
 * After an error nothing new begins, what is in flight is waited for, and the
 * error of the lowest place is the one returned.  A write to a pipe that
 * nobody reads is -EPIPE and raises no signal.
 *
 * May be called again, to go on with further segments.  Returns 0 when all
 * bytes have been transferred or the device's end was met (done says how far),
 * -ECANCELED after dma_cancel(), -EIO from fail_after, or the device's error.
 * When it returns the kernel holds no segment any more.
 */
int dma_run(struct dma_job *job, const struct dma_segment *seg, size_t nseg,
	    uint64_t device_offset, uint64_t *done);

/*
 * dma_cancel - ask the kernel to drop what is in flight; any thread, any time
 *
 * Uses IORING_OP_ASYNC_CANCEL, or io_cancel where the kernel can; dma_run()
 * returns when the kernel has finished each request, cancelled or not.
 */
void dma_cancel(struct dma_job *job);

/* dma_cancelled - has dma_cancel() been called? */
bool dma_cancelled(const struct dma_job *job);

/* dma_close - free the job; NULL is fine; never while dma_run() runs */
void dma_close(struct dma_job *job);

#endif
