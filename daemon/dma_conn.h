/* SPDX-License-Identifier: BSD-3-Clause */
/* One connection of the DMA socket. */
#ifndef PINFSD_DMA_CONN_H
#define PINFSD_DMA_CONN_H

#include <pthread.h>
#include <stdbool.h>

#include "base/list.h"
#include "daemon.h"
#include "transfer/transfer.h"

/*
 * struct conn - from accept(2) to the end of its DMA
 *
 * In the server's list, whose lock guards what says so; the rest is the
 * connection's thread's.
 */
struct conn {
	struct daemon *d;
	struct dma_server *server;
	int sock;
	uint64_t number; /* for the watcher's epoll */
	struct list_head node; /* server's lock */
	struct transfer *transfer; /* server's lock: set while it runs */
	bool cancelled; /* server's lock: is not to begin one any more */
	/* The thread's own; as they are once there is a transfer. */
	struct pinfs_dma_start start;
	bool detached; /* runs on without its client */
	uint64_t started_ns;
};

/* conn_run - the whole of it, up to DONE */
void conn_run(struct conn *c);

/* conn_heard - a message, or the end, has come; server's lock held */
void conn_heard(struct conn *c, bool *hung_up);

/* --- the server's part, for conn_run() ------------------------------------ */

/* dma_watch - have conn_heard() called; c->transfer is there; -ECANCELED */
int dma_watch(struct conn *c, struct transfer *t);

/* dma_unwatch - the transfer is about to go */
void dma_unwatch(struct conn *c);

#endif
