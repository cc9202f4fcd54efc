/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * XXH3-64 with the code of the library's header, for the vector instructions that
 * the file is compiled for. Included by csum.c and, for AVX2, by csum_avx2.c: the
 * shared library is compiled for the least that a processor has, and takes 900 ns
 * for 4 KiB where this takes 400, and 150 with AVX2.
 */
#ifndef PINFS_FORMAT_HASH_H
#define PINFS_FORMAT_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define XXH_INLINE_ALL
#ifdef PINFS_DEBUG
#define XXH_NO_INLINE_HINTS 1 /* -Og inlines too little for them */
#endif
#include <xxhash.h>

/* What is shorter than this is copied, so that it need not be taken in parts. */
#define HASH_COPY_MAX 512u

/* hash_with_hole - of n bytes, of which the 8 at hole are taken as 0 */
static inline uint64_t hash_with_hole(const uint8_t *b, size_t n, size_t hole,
				      uint64_t seed)
{
	static const uint8_t zero[8];
	uint8_t copy[HASH_COPY_MAX];
	XXH3_state_t state;

	if (n <= sizeof(copy)) {
		memcpy(copy, b, n);
		memset(copy + hole, 0, sizeof(zero));
		return XXH3_64bits_withSeed(copy, n, seed);
	}
	XXH3_INITSTATE(&state);
	XXH3_64bits_reset_withSeed(&state, seed);
	XXH3_64bits_update(&state, b, hole);
	XXH3_64bits_update(&state, zero, sizeof(zero));
	XXH3_64bits_update(&state, b + hole + sizeof(zero),
			   n - hole - sizeof(zero));
	return XXH3_64bits_digest(&state);
}

#ifdef HAVE_AVX2
uint64_t hash_with_hole_avx2(const uint8_t *b, size_t n, size_t hole,
			     uint64_t seed);
#endif

#endif
