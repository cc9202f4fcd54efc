// SPDX-License-Identifier: BSD-3-Clause
/* Runs of bits, against a slow and plain idea of them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "scratch_volume.h"
#include "space/bitmap.h"
#include "scratch.h"

#define CHUNK PINFS_CHUNK_BLOCKS

struct pair {
	uint64_t bits[BITMAP_WORDS];
	bool plain[BITMAP_BITS];
	uint64_t seed;
};

static uint32_t below(struct pair *p, uint32_t n)
{
	return (uint32_t)(scratch_random(&p->seed) % n);
}

/* same - one check that fails is enough, one that holds costs nothing */
static void same(uint64_t got, uint64_t want)
{
	if (got != want)
		ck_assert_uint_eq(got, want);
}

static uint32_t plain_count(const struct pair *p, uint32_t first,
			    uint32_t count)
{
	uint32_t n = 0;

	for (uint32_t k = first; k < first + count; k++)
		n += p->plain[k];
	return n;
}

/* plain_around - clear ones side by side at a clear one */
static uint32_t plain_around(const struct pair *p, uint32_t at)
{
	uint32_t first = at, end = at;

	while (first > 0 && !p->plain[first - 1])
		first--;
	while (end < BITMAP_BITS && !p->plain[end])
		end++;
	return end - first;
}

/* scribble - runs of all lengths, at edges of words, too */
static void scribble(struct pair *p, unsigned int runs)
{
	for (unsigned int i = 0; i < runs; i++) {
		uint32_t first = below(p, BITMAP_BITS), count, most;
		bool set = below(p, 2);

		if (below(p, 3) == 0)
			first = first / 64 * 64;
		most = below(p, 4) ? 200 : BITMAP_BITS;
		count = (uint32_t)min_u64(below(p, most), BITMAP_BITS - first);
		if (set)
			bitmap_set(p->bits, first, count);
		else
			same(bitmap_clear(p->bits, first, count),
			     plain_count(p, first, count));
		for (uint32_t k = first; k < first + count; k++)
			p->plain[k] = set;
	}
}

static uint32_t plain_next(const struct pair *p, uint32_t from, bool set)
{
	while (from < BITMAP_BITS && p->plain[from] != set)
		from++;
	return from;
}

static void compare(struct pair *p)
{
	uint32_t clear = 0;

	for (uint32_t i = 0; i < BITMAP_BITS; i++) {
		same(p->bits[i / 64] >> i % 64 & 1, p->plain[i]);
		clear += !p->plain[i];
	}
	same(bitmap_count_clear(p->bits), clear);
	for (unsigned int i = 0; i < 300; i++) {
		uint32_t at = below(p, BITMAP_BITS + 1);
		uint32_t n;

		same(bitmap_next_clear(p->bits, at), plain_next(p, at, false));
		same(bitmap_next_set(p->bits, at), plain_next(p, at, true));
		if (at == BITMAP_BITS)
			continue;
		if (!p->plain[at])
			same(bitmap_run_around(p->bits, at),
			     plain_around(p, at));
		n = below(p, BITMAP_BITS - at) + 1;
		same(bitmap_all_clear(p->bits, at, n),
		     plain_next(p, at, true) >= at + n);
		same(bitmap_all_set(p->bits, at, n),
		     plain_next(p, at, false) >= at + n);
	}
}

/* plain_run - the first of want bits from from on, else the first longest */
static struct bitmap_run plain_run(const struct pair *p, uint32_t from,
				   uint32_t want, uint32_t unit)
{
	struct bitmap_run best = { 0, 0 };
	uint32_t at = (from + unit - 1) / unit * unit;

	while (at < BITMAP_BITS) {
		uint32_t n = plain_next(p, at, true) - at;

		if (n >= want)
			return (struct bitmap_run){ at, want };
		n = n / unit * unit;
		if (n > best.count)
			best = (struct bitmap_run){ at, n };
		at += n + unit;
	}
	return best;
}

static void compare_runs(struct pair *p, uint32_t from, uint32_t want)
{
	struct bitmap_run got, ref;

	got = bitmap_find_run(p->bits, from, want);
	ref = plain_run(p, from, want, 1);
	same(got.count, ref.count);
	if (ref.count)
		same(got.first, ref.first);
	got = bitmap_find_chunks(p->bits, from, want);
	ref = plain_run(p, from, want, CHUNK);
	same(got.count, ref.count);
	if (ref.count)
		same(got.first, ref.first);
}

START_TEST(bits_are_the_plain_ones)
{
	static struct pair p;

	p.seed = 77;
	for (unsigned int i = 0; i < 12; i++) {
		scribble(&p, i < 6 ? 5 : 400);
		compare(&p);
	}
	ck_assert_uint_eq(p.seed != 77, 1);
}
END_TEST

START_TEST(runs_are_the_plain_ones)
{
	static struct pair p;

	for (unsigned int i = 0; i < 24; i++) {
		memset(&p, 0, sizeof(p));
		p.seed = i;
		scribble(&p, i % 6 * i % 6 * 3);
		for (unsigned int k = 0; k < 3; k++) {
			compare_runs(&p, below(&p, BITMAP_BITS),
				     below(&p, 4000) + 1);
			compare_runs(&p, 0, below(&p, 70) + 1);
		}
		compare_runs(&p, 0, BITMAP_BITS);
	}
}
END_TEST

START_TEST(edges)
{
	static uint64_t bits[BITMAP_WORDS];
	struct bitmap_run run;

	memset(bits, 0xff, sizeof(bits));
	ck_assert_uint_eq(bitmap_count_clear(bits), 0);
	ck_assert_uint_eq(bitmap_find_run(bits, 0, 1).count, 0);
	ck_assert_uint_eq(bitmap_find_chunks(bits, 0, 1).count, 0);
	ck_assert_uint_eq(bitmap_next_clear(bits, 0), BITMAP_BITS);
	/* The very last bit, and the very last chunk. */
	bitmap_clear(bits, BITMAP_BITS - 1, 1);
	run = bitmap_find_run(bits, 0, 5);
	ck_assert_uint_eq(run.first, BITMAP_BITS - 1);
	ck_assert_uint_eq(run.count, 1);
	bitmap_clear(bits, BITMAP_BITS - CHUNK, CHUNK);
	run = bitmap_find_chunks(bits, 3, BITMAP_BITS);
	ck_assert_uint_eq(run.first, BITMAP_BITS - CHUNK);
	ck_assert_uint_eq(run.count, CHUNK);
	/* Its last piece need not fill a chunk. */
	run = bitmap_find_chunks(bits, 3, 10);
	ck_assert_uint_eq(run.count, 10);
	ck_assert_uint_eq(run.first % CHUNK, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bitmap");
	TCase *tc = tcase_create("bitmap");

	tcase_add_test(tc, bits_are_the_plain_ones);
	tcase_add_test(tc, runs_are_the_plain_ones);
	tcase_add_test(tc, edges);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
