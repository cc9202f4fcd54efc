// SPDX-License-Identifier: BSD-3-Clause
/* The slow device's bytes; the memory of unwritten pages is never touched. */
#include "media.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"

#define PAGE_BYTES 4096u

int media_init(struct media *m, uint64_t size, uint64_t seed)
{
	uint64_t pages = div_round_up(size, PAGE_BYTES);

	m->size = size;
	m->seed = seed;
	m->written = calloc(div_round_up(pages, 64), sizeof(uint64_t));
	if (!m->written)
		return -ENOMEM;
	m->mem = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->mem == MAP_FAILED) {
		free(m->written);
		return -ENOMEM;
	}
	return 0;
}

void media_destroy(struct media *m)
{
	munmap(m->mem, round_up_u64(m->size, PAGE_BYTES));
	free(m->written);
}

void media_pattern(uint64_t seed, uint64_t off, size_t n, void *buf)
{
	uint8_t *out = buf;

	while (n) {
		uint64_t word = htole64(round_down_u64(off, 8) ^ seed);
		size_t skip = off % 8;
		size_t len = min_u64(n, 8 - skip);

		memcpy(out, (uint8_t *)&word + skip, len);
		out += len;
		off += len;
		n -= len;
	}
}

static bool page_is_written(const struct media *m, uint64_t page)
{
	return m->written[page / 64] >> page % 64 & 1;
}

/* The part of [off, off + n) that lies in the page of off. */
static size_t part_in_page(uint64_t off, size_t n)
{
	return min_u64(n, PAGE_BYTES - off % PAGE_BYTES);
}

void media_read(const struct media *m, uint64_t off, size_t n, void *buf)
{
	uint8_t *out = buf;

	while (n) {
		size_t len = part_in_page(off, n);

		if (page_is_written(m, off / PAGE_BYTES))
			memcpy(out, m->mem + off, len);
		else
			media_pattern(m->seed, off, len, out);
		out += len;
		off += len;
		n -= len;
	}
}

void media_write(struct media *m, uint64_t off, size_t n, const void *buf)
{
	const uint8_t *in = buf;

	while (n) {
		size_t len = part_in_page(off, n);
		uint64_t page = off / PAGE_BYTES;

		if (!page_is_written(m, page)) {
			media_pattern(m->seed, page * PAGE_BYTES, PAGE_BYTES,
				      m->mem + page * PAGE_BYTES);
			m->written[page / 64] |= 1ull << page % 64;
		}
		memcpy(m->mem + off, in, len);
		in += len;
		off += len;
		n -= len;
	}
}
