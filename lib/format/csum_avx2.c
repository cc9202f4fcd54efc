// SPDX-License-Identifier: BSD-3-Clause
/* The checksum for processors with AVX2; compiled for them, see CMakeLists.txt. */
#include "format/hash.h"

#ifdef HAVE_AVX2
uint64_t hash_with_hole_avx2(const uint8_t *b, size_t n, size_t hole,
			     uint64_t seed)
{
	return hash_with_hole(b, n, hole, seed);
}
#endif
