/* SPDX-License-Identifier: BSD-3-Clause */
/* A large set of numbers, which takes memory only where it has some. */
#ifndef PINFS_FSCK_BITS_H
#define PINFS_FSCK_BITS_H

#include <stdbool.h>
#include <stdbool.h>
#include <stdint.h>

struct bits {
	uint64_t *word;
	uint64_t count;
};

int bits_open(struct bits *b, uint64_t count);
void bits_close(struct bits *b);

static inline bool bits_has(const struct bits *b, uint64_t i)
{
	return b->word[i / 64] >> i % 64 & 1;
}

/*
 * bits_add - [first, first + len), which must be inside
 *
 * Returns how many were there already; *clash is the first of them.
 */
uint64_t bits_add(struct bits *b, uint64_t first, uint64_t len,
		  uint64_t *clash);

static inline void bits_drop(struct bits *b, uint64_t n)
{
	b->word[n / 64] &= ~(1ull << n % 64);
}

/* bits_clear - take all numbers out */
void bits_clear(struct bits *b);

/* bits_any - is one of [first, first + len) in it? */
bool bits_any(const struct bits *b, uint64_t first, uint64_t len);

/* bits_next - the first in [n, end) that is in it, or end, at most count */
uint64_t bits_next(const struct bits *b, uint64_t n, uint64_t end);

#endif
