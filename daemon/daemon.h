/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pinfsd: the FUSE edge. It decodes requests, calls the library and answers;
 * errors are negative everywhere but in the answers.
 *
 * Threads, and what each of them may wait for:
 *   main          the mount's life: start-up, drain, unmount (main.c)
 *   signals       SIGTERM and its like, and deadly faults (signals.c)
 *   workers       requests; never for a pin (session.c, L9)
 *   rings         the same, over io_uring (ring.c)
 *   DMA server    accept, watcher, one a connection (dma_server.c)
 *   errands       invalidations around an ioctl (crew.c, C5), and what a
 *                 client's pins have to wait for (pinsets.c)
 * and those of the library: deferred changes, timers.
 */
#ifndef PINFSD_DAEMON_H
#define PINFSD_DAEMON_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "crew.h"
#include "fs/fs.h"
#include "handle.h"
#include "options.h"
#include "ring.h"

#define PROGRAM "pinfsd"

struct dma_server;
struct pinsets;
struct session;

/* struct daemon - set before the first request, and as it is from then on */
struct daemon {
	struct options opt;
	char *mountpoint; /* absolute */
	uid_t owner; /* who mounted it */
	struct pool *pool;
	struct fs *fs;
	struct session *session;
	struct fuse_session *se;
	struct handles *handles;
	struct pinsets *pinsets;
	struct ring *ring; /* over io_uring */
	struct crew *crew; /* errands; all done before fs is closed */
	struct dma_server *dma;
	bool maps_direct; /* see handshake_maps_direct(); from the greeting on */
	atomic_bool ending; /* asked to end, or unmounted */
};

extern _Thread_local bool ring_adopted;

/* daemon_of - called by each handler that does anything */
static inline struct daemon *daemon_of(fuse_req_t req)
{
	if (!ring_adopted)
		ring_adopt(req);
	return fuse_req_userdata(req);
}

#endif
