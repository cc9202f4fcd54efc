// SPDX-License-Identifier: BSD-3-Clause
/*
 * Signatures. A unit of 32 bytes has four words: a magic number, the file's id,
 * the sector's offset, and a number of the writing. Each word by itself is zero
 * or right, so that a reader who comes in the middle of a write is not misled.
 */
#include <inttypes.h>
#include <string.h>

#include "storm.h"

#define MAGIC UINT64_C(0x6d726f7473666e70)

enum { WORD_MAGIC, WORD_ID, WORD_OFFSET, WORD_SEQUENCE, WORDS };

static const char *const word_names[WORDS] = { "magic", "file id", "offset",
					       "sequence" };

void sector_fill(struct proc *p, uint64_t id, uint64_t off, void *buf,
		 size_t len)
{
	uint64_t *word = buf;

	p->sequence++;
	for (size_t i = 0; i < len / sizeof(*word); i += WORDS) {
		word[i + WORD_MAGIC] = MAGIC;
		word[i + WORD_ID] = id;
		word[i + WORD_OFFSET] = (off + i * sizeof(*word)) &
					~(uint64_t)(SECTOR - 1);
		word[i + WORD_SEQUENCE] = (uint64_t)p->index << 48 |
					  p->sequence;
	}
}

/* is_right - a word that is not zero, at offset off of the file */
static bool is_right(uint64_t id, uint64_t off, unsigned int which,
		     uint64_t word, uint64_t *want)
{
	uint64_t sector = off & ~(uint64_t)(SECTOR - 1);

	switch (which) {
	case WORD_MAGIC:
		*want = MAGIC;
		return word == MAGIC;
	case WORD_ID:
		*want = id;
		return word == id;
	case WORD_OFFSET:
		*want = sector;
		/* Whole blocks move. */
		if (id & ID_SHIFTS)
			return (word - sector) % BLOCK == 0;
		return word == sector;
	default:
		return true;
	}
}

void sector_check(const struct proc *p, const char *how, uint64_t id,
		  uint64_t off, const void *buf, size_t len)
{
	for (size_t i = 0; i + sizeof(uint64_t) <= len; i += sizeof(uint64_t)) {
		unsigned int which = (unsigned int)((off + i) / 8 % WORDS);
		uint64_t word, want;

		memcpy(&word, (const uint8_t *)buf + i, sizeof(word));
		if (word == 0 || is_right(id, off + i, which, word, &want))
			continue;
		broken(p,
		       "%s of file %#" PRIx64 " at offset %" PRIu64
		       ": found %s %#" PRIx64 ", expected %#" PRIx64
		       " or zero (C3)",
		       how, id, off + i, word_names[which], word, want);
	}
}
