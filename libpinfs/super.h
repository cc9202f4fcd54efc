/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LIBPINFS_SUPER_H
#define LIBPINFS_SUPER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * pinfs__super_is - is this the first block of the pool with that UUID? A copy has the
 * same one, but it would have to stand at the mounted pool's very path
 */
bool pinfs__super_is(const void *block, const uint8_t uuid[16]);

#endif
