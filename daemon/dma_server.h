/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The DMA socket (lib/wire/pinfs_dma.h): an abstract unix socket, one
 * connection a DMA, one thread a connection.
 *
 * Anybody may connect. What counts is the ticket, which the ioctl gives to
 * those who have the file open in the right direction.
 */
#ifndef PINFSD_DMA_SERVER_H
#define PINFSD_DMA_SERVER_H

#include "daemon.h"

#define DMA_SOCKET_NAME 64

struct dma_server *dma_server_new(struct daemon *d); /* NULL without memory */

/* dma_server_start - d's file system, handles and crew are there */
int dma_server_start(struct dma_server *ds);

/* dma_server_name - without the leading NUL */
const char *dma_server_name(const struct dma_server *ds);

/* dma_server_cancel - cancel what runs; any thread, any time */
void dma_server_cancel(struct dma_server *ds);

/*
 * dma_server_stop - accept nothing new, wait for the end of what runs
 *
 * The file system has been drained, or this may take as long as that does. A
 * client that has not said what it wants holds up nothing.
 */
void dma_server_stop(struct dma_server *ds);

void dma_server_free(struct dma_server *ds); /* stopped; NULL is fine */

#endif
