/* SPDX-License-Identifier: BSD-3-Clause */
/* What the engine has to know of the descriptor that plays the device. */
#ifndef PINFS_DMA_DEVICE_H
#define PINFS_DMA_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/pinfs_ioctl.h"

struct dma_device {
	int fd;
	bool writes; /* the engine writes to it: PINFS_TO_DEVICE */
	bool stream; /* has no offsets: pipe, socket, terminal */
	bool pipe; /* a stream that is a pipe */
	bool serial; /* the order of requests matters: one at a time */
	bool async; /* submitting blocks, and threads can do it side by side */
	uint32_t align; /* of O_DIRECT offsets and lengths; 1 without it */
};

/*
 * dma_device_probe - look at fd; asks no file server anything
 *
 * Returns 0, -EBADF if fd is not open in that direction, -ESOCKTNOSUPPORT for
 * a socket that is no byte stream: reads that do not fit a message lose bytes.
 */
int dma_device_probe(int fd, enum pinfs_direction direction,
		     struct dma_device *dev);

#endif
