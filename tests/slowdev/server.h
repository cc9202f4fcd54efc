/* SPDX-License-Identifier: BSD-3-Clause */
/* The FUSE side of the slow device: a directory with the files dev and ctl. */
#ifndef SLOWDEV_SERVER_H
#define SLOWDEV_SERVER_H

#include "device.h"

/* The operations; a session's user data is a struct device. */
extern const struct fuse_lowlevel_ops server_ops;

#endif
