/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open files and directories as the kernel's handles, and their DMA tickets.
 *
 * All are remembered: when the connection to the kernel ends, releases that
 * were on their way are lost, and the files have to be put all the same.
 */
#ifndef PINFSD_HANDLE_H
#define PINFSD_HANDLE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/list.h"
#include "fs/fs.h"

#define TICKET_BYTES 16

struct handles;

/* struct handle - fi->fh; file stays as it is */
struct handle {
	struct fs_file *file;
	struct list_head node; /* shard's lock */
	struct list_head tickets; /* tickets' lock */
	atomic_uint ntickets; /* changed with tickets' lock held */
	atomic_bool tracing; /* it is a reader of the event stream */
	struct list_head pinsets; /* of a client's own: pinsets' lock */
	unsigned int npinsets; /* pinsets' lock */
};

struct handles *handles_new(void); /* NULL without memory */

/* handles_close - release what is still open: nobody asks for it any more */
void handles_close(struct handles *hs, struct fs *fs);

void handles_free(struct handles *hs); /* closed; NULL is fine */

/* handle_new - file is not known yet; NULL without memory */
struct handle *handle_new(struct handles *hs);

/* handle_free - release the file, if there is one, and drop its tickets */
void handle_free(struct handles *hs, struct fs *fs, struct handle *h);

static inline struct handle *handle_of(uint64_t fh)
{
	return (struct handle *)(uintptr_t)fh;
}

/*
 * ticket_new - the right to one DMA with an open file (pinfs_ioctl.h)
 *
 * An open file has a few that are not used yet; then the oldest is dropped.
 */
int ticket_new(struct handles *hs, struct handle *h,
	       enum pinfs_direction direction, uint8_t ticket[TICKET_BYTES]);

/* ticket_take - use it: the file (inode_put) and direction; -EACCES */
int ticket_take(struct handles *hs, const uint8_t ticket[TICKET_BYTES],
		struct inode **ip, enum pinfs_direction *direction);

#endif
