/* SPDX-License-Identifier: BSD-3-Clause */
/* FUSE over io_uring: what it takes beside libfuse's part. */
#ifndef PINFSD_RING_H
#define PINFSD_RING_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/work.h"

struct daemon;
struct ring;

/* struct ring_wait - a request that is not answered by its handler */
struct ring_wait {
	struct list_head node; /* ring's lock: of those that can be interrupted */
	fuse_req_t req;
	unsigned int *held; /* its queue's count; NULL: has come another way */
	uint32_t pid; /* thread that waits for the answer */
	void (*interrupt)(struct ring_wait *w); /* must not answer */
	void (*answer)(struct ring_wait *w); /* ring_answer()'s */
	struct work work;
};

/*
 * ring_new - ask libfuse for it, if it was asked for and can be had
 *
 * If it cannot, one line says why and what to do, and the mount goes on without.
 * Before session_new(). -ENOMEM.
 */
int ring_new(struct daemon *d);

/* ring_start - before the mount, when there may be threads; -ENOMEM */
int ring_start(struct ring *r);

/* ring_agree - the kernel has made its offer: say which way it will be */
void ring_agree(struct ring *r, const struct fuse_conn_info *conn);

/* ring_adopt - the calling thread handles a request; once a thread */
void ring_adopt(fuse_req_t req);

/*
 * ring_hold - the request is going to be answered later: it keeps its place in
 *             the ring
 *
 * By the request's handler. -EBUSY: too many do already, so it must be answered
 * before the handler returns; -ENOTCONN: the same, it is the end. With must, it
 * is not too many. Each has to be dropped.
 */
int ring_hold(struct ring *r, struct ring_wait *w, fuse_req_t req, bool must);

/*
 * ring_listen - interrupt may be called from now on, by any thread; at once if that
 *               has happened. With the ring or, come another way, the request locked.
 */
void ring_listen(struct ring *r, struct ring_wait *w);

/* ring_look - were those that this thread waits for interrupted before that? */
void ring_look(struct ring *r, uint32_t pid);

/* ring_unlisten - interrupt is not called any more, nor running */
void ring_unlisten(struct ring *r, struct ring_wait *w);

/*
 * ring_answer - have answer(w) called, which answers and drops
 *
 * For errands: when a thread ends the kernel takes back what it has submitted, and
 * that is the answer, and the entry of the ring with it. So one that stays does it.
 */
void ring_answer(struct ring *r, struct ring_wait *w,
		 void (*answer)(struct ring_wait *w));

/* ring_drop - it has been answered */
void ring_drop(struct ring *r, struct ring_wait *w);

/* ring_takes - was this one for us rather than for libfuse? */
bool ring_takes(struct ring *r, const struct fuse_buf *buf);

/*
 * ring_stop - have libfuse's threads end and its rings go
 *
 * When no pins are left to wait for. Waits until all have been dropped: the
 * requests are a part of the rings.
 */
void ring_stop(struct ring *r);

void ring_free(struct ring *r);

#endif
