/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A search in a sorted array that begins at a guess.
 *
 * It goes from there in steps that double (Bentley and Yao, 1976), but no further
 * than to the middle of what is left. What is looked at may be a cache miss each
 * time, and near a good guess there are one or two; a bad guess costs at most twice
 * what halving does.
 *
 *	for (search_begin(&s, n, guess); s.lo < s.hi;)
 *		search_step(&s, element s.mid is before what is sought);
 *
 * Then lo is the first element that is not before it, or n.
 */
#ifndef PINFS_SEARCH_H
#define PINFS_SEARCH_H

#include <stdbool.h>

struct search {
	unsigned int lo, hi; /* it is in [lo, hi] */
	unsigned int mid; /* to be looked at next, in [lo, hi) */
	unsigned int step;
};

/* search_begin - among n elements; guess < n, unless there are none */
static inline void search_begin(struct search *s, unsigned int n,
				unsigned int guess)
{
	*s = (struct search){ .hi = n, .mid = guess };
}

static inline void search_step(struct search *s, bool before)
{
	unsigned int off;

	if (before)
		s->lo = s->mid + 1;
	else
		s->hi = s->mid;
	off = (s->hi - s->lo) / 2;
	if (off > s->step)
		off = s->step;
	s->mid = before ? s->lo + off : s->hi - 1 - off;
	s->step = 2 * s->step + 1;
}

#endif
