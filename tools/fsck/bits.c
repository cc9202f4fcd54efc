// SPDX-License-Identifier: BSD-3-Clause
/* A large set of numbers. */
#include "bits.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include "base/util.h"

static size_t bytes_of(uint64_t count)
{
	return (size_t)(div_round_up(count, 64) * 8);
}

int bits_open(struct bits *b, uint64_t count)
{
	void *m = mmap(NULL, bytes_of(count), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (m == MAP_FAILED)
		return -ENOMEM;
	b->word = m;
	b->count = count;
	return 0;
}

void bits_close(struct bits *b)
{
	if (b->word)
		munmap(b->word, bytes_of(b->count));
	b->word = NULL;
}

uint64_t bits_add(struct bits *b, uint64_t first, uint64_t len, uint64_t *clash)
{
	uint64_t i = first, end = first + len, clashes = 0, n, mask, both;

	while (i < end) {
		n = min_u64(64 - i % 64, end - i);
		mask = (n == 64 ? UINT64_MAX : (1ull << n) - 1) << i % 64;
		both = b->word[i / 64] & mask;
		if (both && !clashes)
			*clash = i / 64 * 64 + (unsigned)__builtin_ctzll(both);
		clashes += (unsigned)__builtin_popcountll(both);
		b->word[i / 64] |= mask;
		i += n;
	}
	return clashes;
}

void bits_clear(struct bits *b)
{
	/* Gives the memory back as well: it reads as zeroes again. */
	if (b->word)
		madvise(b->word, bytes_of(b->count), MADV_DONTNEED);
}

bool bits_any(const struct bits *b, uint64_t first, uint64_t len)
{
	return bits_next(b, first, first + len) < first + len;
}

uint64_t bits_next(const struct bits *b, uint64_t n, uint64_t end)
{
	uint64_t word;

	end = min_u64(end, b->count);
	while (n < end) {
		word = b->word[n / 64] >> n % 64;
		if (word)
			return min_u64(n + (unsigned)__builtin_ctzll(word),
				       end);
		n = (n / 64 + 1) * 64;
	}
	return end;
}
