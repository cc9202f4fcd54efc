/* SPDX-License-Identifier: BSD-3-Clause */
/* Recognising what a pool-to-be holds already. */
#ifndef PINFS_MKFS_PROBE_H
#define PINFS_MKFS_PROBE_H

#include <stddef.h>

#include "pool/pool.h"

/*
 * probe_content - a file system or partition table that is there
 *
 * Returns 1 with what it is in text, 0 if nothing was recognised, or a
 * negative errno.
 */
int probe_content(const struct pool *pool, char *text, size_t size);

#endif
