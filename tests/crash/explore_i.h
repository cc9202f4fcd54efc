/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the explorer: explore.c follows, pick.c chooses, image.c judges. */
#ifndef PINFS_CRASH_EXPLORE_I_H
#define PINFS_CRASH_EXPLORE_I_H

#include "explore.h"

struct cell {
	uint32_t unit;
	uint32_t versions;
	uint32_t flushed; /* so many of them, at least, are after a fence */
	uint32_t pick; /* of the image in work: 0 settled, else the version */
	uint8_t torn; /* words that are of the version before */
	uint8_t *bytes; /* of all versions */
	size_t room;
};

static inline size_t unit_size(const struct explorer *x)
{
	return x->file ? PINFS_BLOCK_SIZE : PINFS_LINE_SIZE;
}

static inline const uint8_t *settled_unit(const struct explorer *x,
					  uint32_t unit)
{
	return x->settled + unit * unit_size(x);
}

/* version_of - what version n of the cell holds; 0: what is settled */
static inline const uint8_t *version_of(const struct explorer *x,
					const struct cell *c, uint32_t n)
{
	return n ? c->bytes + (n - 1) * unit_size(x) : settled_unit(x, c->unit);
}

/* image.c */
uint64_t unit_hash(const struct explorer *x, uint32_t unit,
		   const uint8_t *bytes);
void put_image(struct explorer *x, bool kill);
void judge(struct explorer *x, bool kill);

/* pick.c */
uint64_t dice(struct explorer *x);
void pick_all(struct explorer *x, bool there);
void cut(struct explorer *x);
void kill_here(struct explorer *x);

#endif
