/* SPDX-License-Identifier: BSD-3-Clause */
/* One ioctl(2) on its way through its handler. */
#ifndef PINFSD_IOCTL_H
#define PINFSD_IOCTL_H

#include <linux/fs.h>
#include <sys/ioctl.h>

#include "ops.h"

struct ioc {
	struct daemon *d;
	fuse_req_t req;
	fuse_ino_t node;
	struct handle *h;
	bool is_dir;
	const void *in; /* of the size that the table asks for, or more */
	size_t out_size; /* room for an answer */
};

/* Handlers return 0, a negative errno, or that they have answered, or will. */
#define IOC_ANSWERED 1

/* ioc_is_owner - root, or who mounted it */
bool ioc_is_owner(const struct ioc *io);

/* ioc_reply - answer with data; returns IOC_ANSWERED */
int ioc_reply(struct ioc *io, const void *out, size_t size);

/* --- ioctl_trace.c: the event stream -------------------------------------- */

int ioc_trace(struct ioc *io);

/* --- ioctl_flags.c: what lsattr, chattr and xfs_io know ------------------- */

int ioc_getflags(struct ioc *io);
int ioc_setflags(struct ioc *io);
int ioc_getxflags(struct ioc *io);
int ioc_setxflags(struct ioc *io);

#endif
