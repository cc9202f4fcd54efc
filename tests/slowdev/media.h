/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the slow device stores: a pattern, until somebody writes over it.
 *
 * The pattern's little-endian 64-bit word at each offset that is a multiple
 * of 8 is that offset xor the seed.  So every word says where it belongs.
 */
#ifndef SLOWDEV_MEDIA_H
#define SLOWDEV_MEDIA_H

#include <stddef.h>
#include <stdint.h>

/* No word of the pattern is zero with it, nor like a short text or a count. */
#define MEDIA_DEFAULT_SEED 0xa5c35ac3f00f6996ull

struct media {
	uint8_t *mem; /* what was written, by page */
	uint64_t *written; /* bit a page */
	uint64_t size;
	uint64_t seed;
};

/* media_init - size bytes of pattern; 0 or -ENOMEM */
int media_init(struct media *m, uint64_t size, uint64_t seed);
void media_destroy(struct media *m);

/* media_read, media_write - [off, off + n) lies within the media's size */
void media_read(const struct media *m, uint64_t off, size_t n, void *buf);
void media_write(struct media *m, uint64_t off, size_t n, const void *buf);

/* media_pattern - the n bytes of the pattern from off on */
void media_pattern(uint64_t seed, uint64_t off, size_t n, void *buf);

#endif
