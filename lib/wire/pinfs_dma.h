/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a client and the daemon say on the DMA socket: SOCK_SEQPACKET, one
 * structure a message, one connection a DMA.
 *
 * The client sends struct pinfs_dma_start with the device's descriptor
 * (SCM_RIGHTS).  The daemon answers WAITING if a break comes first, STARTED
 * when the blocks are pinned, PROGRESS now and then, and DONE at the end, when
 * the pins have ended.  The client may send struct pinfs_dma_cancel; closing
 * the connection means the same, but for a detached DMA, which the daemon goes
 * on with alone.  The pins end when the kernel has finished the I/O (L11),
 * never earlier.
 */
#ifndef PINFS_DMA_WIRE_H
#define PINFS_DMA_WIRE_H

#include <stdint.h>

#define PINFS_DMA_WIRE_VERSION 1u

#define PINFS_DMA_NOWAIT   1u /* EAGAIN rather than waiting behind a break */
#define PINFS_DMA_LONGTERM 2u /* refused with EOPNOTSUPP (L13) */
#define PINFS_DMA_DETACH   4u
#define PINFS_DMA_ALL	   8u /* from a device of unknown size: until its end */

#define PINFS_DMA_MAX_DEPTH 256u
#define PINFS_DMA_MAX_CHUNK (64u << 20)

struct pinfs_dma_start {
	uint32_t version;
	uint32_t flags; /* PINFS_DMA_* */
	uint8_t ticket[16];
	uint64_t offset; /* in the file, bytes */
	uint64_t length; /* bytes; ignored with PINFS_DMA_ALL */
	uint64_t device_offset; /* bytes; 0 for pipes and sockets */
	uint32_t engine; /* enum pinfs_engine */
	uint32_t depth; /* chunks in flight, 0: the default */
	uint64_t chunk; /* bytes, 0: the default */
	uint64_t latency_ns; /* each chunk is held that much longer */
	uint64_t jitter_ns; /* and up to that much more */
	uint64_t bandwidth; /* bytes a second, 0: no limit */
	uint64_t fail_after; /* EIO after so many bytes, UINT64_MAX: never */
	uint64_t seed; /* of the jitter */
};

struct pinfs_dma_cancel {
	uint32_t version;
	uint32_t cancel; /* 1 */
};

enum pinfs_dma_event {
	PINFS_DMA_WAITING = 1,
	PINFS_DMA_STARTED = 2,
	PINFS_DMA_PROGRESS = 3,
	PINFS_DMA_DONE = 4,
};

struct pinfs_dma_msg {
	uint32_t event; /* enum pinfs_dma_event */
	int32_t err; /* DONE: 0 or a negative errno */
	uint64_t id; /* of the pin set */
	uint64_t done; /* bytes that arrived */
	uint64_t total; /* bytes asked for, 0 if not known */
	uint64_t elapsed_ns; /* since STARTED */
};

#endif
