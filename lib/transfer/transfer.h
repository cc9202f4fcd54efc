/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A transfer: one emulated DMA between a device and a file of a mounted volume,
 * from the pin set's beginning to its end. It is where the layers meet: pins
 * (lib/layout), the file (lib/fs) and the device (lib/dma).
 *
 *   begin a pin set -> invalidate (C1) -> be admitted -> prepare -> pin
 *   -> DMA -> unpin -> invalidate (C2) -> end
 */
#ifndef PINFS_TRANSFER_H
#define PINFS_TRANSFER_H

#include "fs/fs.h"
#include "wire/pinfs_dma.h"

struct transfer;

/* struct transfer_events - called on the thread that is in transfer_run() */
struct transfer_events {
	void (*waiting)(void *arg, uint64_t id); /* behind a break */
	void (*started)(void *arg, uint64_t id); /* the blocks are pinned */
	void (*progress)(void *arg, uint64_t id, uint64_t done);
	void *arg;
};

/*
 * transfer_new - check what is asked for and begin the pin set
 * @ip: held by the transfer until transfer_free()
 * @device: stays the caller's
 *
 * -EINVAL, -EOPNOTSUPP (long-term, L13), -ESHUTDOWN (draining, L15), -EISDIR,
 * -ENXIO (a range past the end of file, to a device), -EFBIG, -ENOMEM.
 */
int transfer_new(struct fs *fs, struct inode *ip,
		 enum pinfs_direction direction,
		 const struct pinfs_dma_start *start, int device,
		 const struct layout_owner *owner,
		 const struct transfer_events *events, struct transfer **out);

uint64_t transfer_id(const struct transfer *t);

/*
 * transfer_run - do it; returns when the pins have ended
 * @done: bytes that arrived
 *
 * On a thread that serves no request and holds no lock (C5). 0, -ECANCELED, or
 * why it ended.
 */
int transfer_run(struct transfer *t, uint64_t *done);

/* transfer_cancel - any thread, also before transfer_run() */
void transfer_cancel(struct transfer *t);

void transfer_free(struct transfer *t);

#endif
