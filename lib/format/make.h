/* SPDX-License-Identifier: BSD-3-Clause */
/* Making an empty file system in a pool: what mkfs.pinfs and tests do. */
#ifndef PINFS_FORMAT_MAKE_H
#define PINFS_FORMAT_MAKE_H

#include <stdint.h>
#include <time.h>

#include "pool/pool.h"

/* struct format_options - what a new file system is to be like */
struct format_options {
	const char *label; /* at most PINFS_LABEL_MAX bytes; NULL: none */
	uint8_t uuid[16];
	uint64_t csum_seed; /* random: what is left of an older file system */
	uint64_t hash_seed; /* must not look like a part of the new one */
	uint32_t uid, gid; /* of the root directory */
	struct timespec now;
};

/* format_options_init - random identity, the caller's ids, the time */
int format_options_init(struct format_options *opt);

/*
 * format_make - make an empty file system that fills the pool
 *
 * The pool is writable and claimed.  Until all is on the medium no superblock
 * is valid, so that a cut leaves no file system rather than half of one.
 *
 * Returns 0; -EINVAL for a label that is too long; what format_geometry()
 * says of the size; or what the medium says.
 */
int format_make(struct pool *pool, const struct format_options *opt);

#endif
