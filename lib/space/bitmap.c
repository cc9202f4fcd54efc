// SPDX-License-Identifier: BSD-3-Clause
#include "space/bitmap.h"

#include "base/util.h"

void bitmap_load(uint64_t *bits, const struct pinfs_bitmap *from)
{
	for (uint32_t i = 0; i < BITMAP_WORDS; i++)
		bits[i] = le64_to_cpu(from->bits[i]);
}

/* word_mask - the part of a run that lies in first's word; *n is its length */
static uint64_t word_mask(uint32_t first, uint32_t count, uint32_t *n)
{
	uint32_t bit = first % 64;

	*n = 64 - bit < count ? 64 - bit : count;
	return (*n == 64 ? ~0ull : (1ull << *n) - 1) << bit;
}

void bitmap_set(uint64_t *bits, uint32_t first, uint32_t count)
{
	for (uint32_t n; count > 0; first += n, count -= n)
		bits[first / 64] |= word_mask(first, count, &n);
}

uint32_t bitmap_clear(uint64_t *bits, uint32_t first, uint32_t count)
{
	uint32_t were = 0;

	for (uint32_t n; count > 0; first += n, count -= n) {
		uint64_t mask = word_mask(first, count, &n);

		were += (uint32_t)__builtin_popcountll(bits[first / 64] & mask);
		bits[first / 64] &= ~mask;
	}
	return were;
}

uint32_t bitmap_count_clear(const uint64_t *bits)
{
	uint32_t clear = 0;

	for (uint32_t i = 0; i < BITMAP_WORDS; i++)
		clear += 64u - (uint32_t)__builtin_popcountll(bits[i]);
	return clear;
}

/* next_bit - the first bit at or after from whose value differs from skip's */
static uint32_t next_bit(const uint64_t *bits, uint32_t from, uint64_t skip)
{
	uint32_t word = from / 64;
	uint64_t w;

	if (from >= BITMAP_BITS)
		return BITMAP_BITS;
	w = (bits[word] ^ skip) & (~0ull << from % 64);
	while (w == 0) {
		if (++word == BITMAP_WORDS)
			return BITMAP_BITS;
		w = bits[word] ^ skip;
	}
	return word * 64 + (uint32_t)__builtin_ctzll(w);
}

uint32_t bitmap_next_clear(const uint64_t *bits, uint32_t from)
{
	return next_bit(bits, from, ~0ull);
}

uint32_t bitmap_next_set(const uint64_t *bits, uint32_t from)
{
	return next_bit(bits, from, 0);
}

uint32_t bitmap_run_around(const uint64_t *bits, uint32_t at)
{
	uint32_t w = at / 64;
	uint64_t below = bits[w] & ((2ull << (at % 64)) - 1);

	while (below == 0 && w > 0)
		below = bits[--w];
	if (below == 0)
		return bitmap_next_set(bits, at);
	return bitmap_next_set(bits, at) -
	       (w * 64 + 64 - (uint32_t)__builtin_clzll(below));
}

bool bitmap_all_set(const uint64_t *bits, uint32_t first, uint32_t count)
{
	return bitmap_next_clear(bits, first) >= first + count;
}

bool bitmap_all_clear(const uint64_t *bits, uint32_t first, uint32_t count)
{
	return bitmap_next_set(bits, first) >= first + count;
}

struct bitmap_run bitmap_find_run(const uint64_t *bits, uint32_t from,
				  uint32_t want)
{
	struct bitmap_run best = { 0, 0 };
	uint32_t at = bitmap_next_clear(bits, from);

	while (at < BITMAP_BITS) {
		uint32_t end = bitmap_next_set(bits, at);

		if (end - at >= want)
			return (struct bitmap_run){ at, want };
		if (end - at > best.count)
			best = (struct bitmap_run){ at, end - at };
		at = bitmap_next_clear(bits, end);
	}
	return best;
}

struct bitmap_run bitmap_find_chunks(const uint64_t *bits, uint32_t from,
				     uint32_t want)
{
	struct bitmap_run best = { 0, 0 };
	uint32_t at = (uint32_t)round_up_u64(from, PINFS_CHUNK_BLOCKS);

	while (at < BITMAP_BITS) {
		uint32_t end = bitmap_next_set(bits, at);
		uint32_t whole =
			(uint32_t)round_down_u64(end - at, PINFS_CHUNK_BLOCKS);

		/* The last piece need not fill its chunk. */
		if (end - at >= want)
			return (struct bitmap_run){ at, want };
		if (whole > best.count)
			best = (struct bitmap_run){ at, whole };
		at = (uint32_t)round_up_u64(end + 1, PINFS_CHUNK_BLOCKS);
	}
	return best;
}
