/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside libpinfs. Of lib/ it uses headers only: the wire and the format. */
#ifndef LIBPINFS_INTERNAL_H
#define LIBPINFS_INTERNAL_H

#include "pinfs.h"
#include "wire/pinfs_ioctl.h"

struct pinfs_pool {
	uint8_t *base;
	uint64_t size;
	int fd;
};

/* pinfs__ask_info - PINFS_IOC_INFO; -ENOTTY, -EPROTO */
int pinfs__ask_info(int fd, struct pinfs_ioc_info *info);

#endif
