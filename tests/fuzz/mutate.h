/* SPDX-License-Identifier: BSD-3-Clause */
/* What the mutators draw from. */
#ifndef PINFS_FUZZ_MUTATE_H
#define PINFS_FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's own */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

static inline unsigned int draw(uint64_t *random, unsigned int below)
{
	*random = *random * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)((*random >> 33) % below);
}

/* any_value - small, large, or a bit */
static inline uint64_t any_value(uint64_t *random)
{
	switch (draw(random, 6)) {
	case 0:
		return draw(random, 16);
	case 1:
		return UINT64_MAX - draw(random, 16);
	case 2:
		return 1ull << draw(random, 64);
	case 3:
		return draw(random, 40000);
	case 4:
		return (1ull << draw(random, 64)) - 1 - draw(random, 2);
	default:
		return (uint64_t)draw(random, 1u << 31) << draw(random, 34);
	}
}

#endif
