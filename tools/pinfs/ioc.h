/* SPDX-License-Identifier: BSD-3-Clause */
/* A mounted pinfs, asked through an open descriptor. */
#ifndef PINFS_IOC_H
#define PINFS_IOC_H

#include <stddef.h>
#include <stdint.h>

#include "wire/pinfs_ioctl.h"

/*
 * ioc_open - open a file or directory to ask about it; complains
 *
 * Opens whatever is allowed, for reading or else for writing: a listing needs
 * neither.  Refuses devices and pipes, where an ioctl might mean anything.
 * Returns the descriptor, or a negative errno.
 */
int ioc_open(const char *path);

/* ioc_scope - what a listing asked for on fd covers: a file or the mount */
uint32_t ioc_scope(int fd);

/* ioc_complain - say on stderr why asking about path has failed with err */
void ioc_complain(const char *path, int err);

/* ioc_info - 0, -ENOTTY if fd is on no pinfs mount, or a negative errno */
int ioc_info(int fd, struct pinfs_ioc_info *info);

/* struct ioc_list - what a paged listing gave, in memory */
struct ioc_list {
	void *item;
	size_t count;
};

/*
 * ioc_list_map, _pins, _breaks - all pages of a listing
 *
 * 0 or a negative errno.  -EPROTO if what answers is no pinfs.  The list is
 * freed with ioc_list_free(), also after an error.
 */
int ioc_list_map(int fd, struct ioc_list *list);
int ioc_list_pins(int fd, uint32_t scope, struct ioc_list *list);
int ioc_list_breaks(int fd, uint32_t scope, struct ioc_list *list);
void ioc_list_free(struct ioc_list *list);

#endif
