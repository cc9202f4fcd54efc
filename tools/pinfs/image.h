/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool looked at from outside: read-only, without a claim, and with belief
 * in nothing that it says.  Blocks are copied before they are looked at, for
 * the pool may be mounted and change meanwhile.
 */
#ifndef PINFS_IMAGE_H
#define PINFS_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "format/pinfs_format.h"
#include "pool/pool.h"

/* struct image_super - one of the two superblocks, and what is wrong with it */
struct image_super {
	struct pinfs_super sb;
	uint64_t blkno;
	int err; /* format_super_verify()'s answer */
	const char *why; /* NULL: nothing is wrong */
};

struct image {
	struct pool *pool;
	uint64_t blocks; /* of the pool: what bounds every address */
	struct image_super super[2]; /* primary and backup */
	const struct image_super *best; /* NULL: no pinfs there */
	uint64_t seed; /* of checksums */
};

/*
 * image_open - map the pool at path; complains
 *
 * Damaged superblocks are no error here, but -EMEDIUMTYPE is, if there is
 * nothing of a pinfs in either place.
 */
int image_open(const char *path, struct image *img);
void image_close(struct image *img);

/* image_read - a copy of a block; -ERANGE outside the pool */
int image_read(const struct image *img, uint64_t blkno, void *buf);

/* image_jstates - copies of both; *live: which is in force, -1 if none is */
int image_jstates(const struct image *img, struct pinfs_jstate st[2],
		  int *live);

#endif
