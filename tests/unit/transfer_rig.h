/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of transfers share: devices, and transfers on threads. */
#ifndef PINFS_TEST_TRANSFER_RIG_H
#define PINFS_TEST_TRANSFER_RIG_H

#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "gate.h"
#include "scratch_fs.h"
#include "transfer/transfer.h"

#define BLOCK	((uint64_t)PINFS_BLOCK_SIZE)
#define MSEC	1000000ull
#define ENGINES 2

/* --- devices ------------------------------------------------------------- */

/* device_file - scratch_bytes() of a seed, from pos on */
int device_file(unsigned int seed, uint64_t pos, size_t size);

/* device_has - [at, at + len) of the device is the seed's from pos on */
bool device_has(int fd, uint64_t at, unsigned int seed, uint64_t pos,
		size_t len);
bool device_is_zero(int fd, uint64_t at, size_t len);
uint64_t device_size(int fd);

/* struct feed - a pipe, whose far end says when something comes */
struct feed {
	int device; /* for the transfer */
	int end;
	unsigned int seed;
	uint64_t pos;
};

void feed_open(struct feed *f, unsigned int seed, uint64_t pos);

/* feed_send - the next bytes; sleeps while the pipe is full */
void feed_send(struct feed *f, size_t len);

/* feed_end - no more will come */
void feed_end(struct feed *f);
void feed_close(struct feed *f);

/* --- transfers ----------------------------------------------------------- */

struct xfer {
	struct scratch_fs *sf;
	struct transfer *t;
	struct inode *ip;
	pthread_t thread;
	struct gate waiting, started, over;
	struct gate go; /* awaited when it has started, if hold is set */
	bool hold;
	uint64_t done;
	uint64_t reported; /* the most that progress said */
	bool backwards; /* progress was told less than before */
	uint64_t started_ns, ended_ns;
	int err;
};

/* xfer_all - options for all of the device, into the file from off on */
struct pinfs_dma_start xfer_all(int engine, uint64_t off);
struct pinfs_dma_start xfer_range(int engine, uint64_t off, uint64_t len);

/* xfer_new - what transfer_new() says */
int xfer_new(struct scratch_fs *sf, struct xfer *x, uint64_t node,
	     enum pinfs_direction direction,
	     const struct pinfs_dma_start *start, int device);

/* xfer_start - run it on a thread of its own */
void xfer_start(struct xfer *x);

/* xfer_join - what transfer_run() said; the transfer is gone */
int xfer_join(struct xfer *x);

/* xfer - all of it: from new to join */
int xfer(struct scratch_fs *sf, struct xfer *x, uint64_t node,
	 enum pinfs_direction direction, const struct pinfs_dma_start *start,
	 int device);

/* --- changes ------------------------------------------------------------- */

struct xchange {
	struct fs_change ch;
	struct gate over;
	uint64_t began_ns, ended_ns;
	int err;
};

void xchange_start(struct scratch_fs *sf, struct xchange *c, uint64_t node,
		   enum pinfs_change kind, uint64_t off, uint64_t len);
int xchange_join(struct xchange *c);

#endif
