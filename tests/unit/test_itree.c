// SPDX-License-Identifier: BSD-3-Clause
/* Intervals, beside a list of them that is searched from end to end. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/itree.h"
#include "base/util.h"
#include "scratch.h"

/* As ck_assert(), which costs a system call also when all is well. */
#define must(cond)                                      \
	do {                                            \
		if (!(cond))                            \
			ck_abort_msg("not: %s", #cond); \
	} while (0)

static uint64_t rnd(void)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* --- what must be true of a tree ------------------------------------------ */

struct shape {
	size_t nodes;
	unsigned int depth;
};

/* check_node - order, weights and reach of a subtree; returns its reach */
static uint64_t check_node(const struct itree_node *n, unsigned int depth,
			   struct shape *sh)
{
	uint64_t reach = n->last;

	sh->nodes++;
	if (depth > sh->depth)
		sh->depth = depth;
	if (n->left) {
		must(n->left->first <= n->first);
		must(n->weight >= n->left->weight);
		reach = max_u64(reach, check_node(n->left, depth + 1, sh));
	}
	if (n->right) {
		must(n->right->first >= n->first);
		must(n->weight >= n->right->weight);
		reach = max_u64(reach, check_node(n->right, depth + 1, sh));
	}
	must(n->reach == reach);
	return reach;
}

static struct shape check_tree(const struct itree *t)
{
	struct shape sh = { 0 };

	if (t->root)
		check_node(t->root, 1, &sh);
	return sh;
}

/* --- looking ---------------------------------------------------------------- */

#define MANY 300u

struct item {
	struct itree_node node;
	bool in;
	bool seen;
};

struct found {
	unsigned int count;
	uint64_t first; /* of the last one seen */
	unsigned int stop_at; /* say true of the n-th; 0: of none */
};

static bool see(const struct itree_node *n, void *arg)
{
	struct item *it =
		(struct item *)container_of(n, const struct item, node);
	struct found *f = arg;

	must(it->in && !it->seen);
	must(n->first >= f->first);
	f->first = n->first;
	it->seen = true;
	return ++f->count == f->stop_at;
}

/* expect_overlaps - each that overlaps is seen, once, in order; no other is */
static unsigned int expect_overlaps(struct itree *t, struct item *it, size_t n,
				    uint64_t first, uint64_t last)
{
	struct found f = { 0 };

	for (size_t i = 0; i < n; i++)
		it[i].seen = false;
	must(!itree_any(t, first, last, see, &f));
	for (size_t i = 0; i < n; i++) {
		bool overlaps = it[i].in && it[i].node.first <= last &&
				it[i].node.last >= first;

		if (it[i].seen != overlaps)
			ck_abort_msg("[%lu, %lu] and [%lu, %lu]: %s",
				     it[i].node.first, it[i].node.last, first,
				     last, it[i].seen ? "seen" : "not seen");
	}
	return f.count;
}

static bool yes(const struct itree_node *n, void *arg)
{
	(void)n;
	(void)arg;
	return true;
}

static void put(struct itree *t, struct item *it, uint64_t first, uint64_t last)
{
	it->node.first = first;
	it->node.last = last;
	it->in = true;
	itree_insert(t, &it->node);
}

static void take(struct itree *t, struct item *it)
{
	it->in = false;
	itree_remove(t, &it->node);
}

/* --- tests -------------------------------------------------------------------- */

START_TEST(empty)
{
	struct itree t = { 0 };
	struct item it = { 0 };

	ck_assert(!itree_any(&t, 0, UINT64_MAX, yes, NULL));
	put(&t, &it, 5, 9);
	take(&t, &it);
	ck_assert_ptr_null(t.root);
	ck_assert(!itree_any(&t, 0, UINT64_MAX, yes, NULL));
}
END_TEST

/* Both ends belong to it, and what touches them does not overlap. */
START_TEST(edges_of_one)
{
	static const struct {
		uint64_t first, last;
		bool overlaps;
	} ask[] = {
		{ 0, 9, false },   { 0, 10, true },	    { 10, 10, true },
		{ 12, 13, true },  { 20, 20, true },	    { 20, 99, true },
		{ 21, 99, false }, { 9, 21, true },	    { 9, 9, false },
		{ 21, 21, false }, { 0, UINT64_MAX, true },
	};
	struct itree t = { 0 };
	struct item it = { 0 };

	put(&t, &it, 10, 20);
	for (size_t i = 0; i < ARRAY_SIZE(ask); i++)
		ck_assert(itree_any(&t, ask[i].first, ask[i].last, yes, NULL) ==
			  ask[i].overlaps);
}
END_TEST

START_TEST(ends_of_the_numbers)
{
	struct itree t = { 0 };
	struct item it[3];

	memset(it, 0, sizeof(it));
	put(&t, &it[0], 0, 0);
	put(&t, &it[1], UINT64_MAX, UINT64_MAX);
	put(&t, &it[2], 0, UINT64_MAX);
	ck_assert_uint_eq(expect_overlaps(&t, it, 3, 0, 0), 2);
	ck_assert_uint_eq(expect_overlaps(&t, it, 3, 7, 7), 1);
	ck_assert_uint_eq(expect_overlaps(&t, it, 3, UINT64_MAX, UINT64_MAX),
			  2);
	take(&t, &it[2]);
	ck_assert_uint_eq(expect_overlaps(&t, it, 3, 1, UINT64_MAX - 1), 0);
	ck_assert_uint_eq(expect_overlaps(&t, it, 3, 0, UINT64_MAX), 2);
}
END_TEST

/* All the same: each is found, and goes by itself. */
START_TEST(equal_ones)
{
	static struct item it[MANY];
	struct itree t = { 0 };

	for (size_t i = 0; i < MANY; i++)
		put(&t, &it[i], 100, 200);
	for (size_t i = 0; i < MANY; i++) {
		size_t at = i * 7 % MANY;

		ck_assert_uint_eq(check_tree(&t).nodes, MANY - i);
		ck_assert_uint_eq(expect_overlaps(&t, it, MANY, 150, 150),
				  MANY - i);
		take(&t, &it[at]);
	}
	ck_assert_ptr_null(t.root);
}
END_TEST

/* Each within the one before it: all but the innermost reach past others. */
START_TEST(nested_ones)
{
	static struct item it[MANY];
	struct itree t = { 0 };

	for (uint64_t i = 0; i < MANY; i++)
		put(&t, &it[i], i, 2 * MANY - i);
	check_tree(&t);
	for (uint64_t i = 0; i < MANY; i++) {
		ck_assert_uint_eq(expect_overlaps(&t, it, MANY, i, i), i + 1);
		ck_assert_uint_eq(expect_overlaps(&t, it, MANY, 2 * MANY - i,
						  2 * MANY - i),
				  i + 1);
	}
	ck_assert_uint_eq(
		expect_overlaps(&t, it, MANY, 2 * MANY + 1, UINT64_MAX), 0);
}
END_TEST

/* The question ends with the first yes, and the first is asked of first. */
START_TEST(stops_at_yes)
{
	static struct item it[MANY];
	struct itree t = { 0 };

	for (uint64_t i = 0; i < MANY; i++)
		put(&t, &it[i], 10 * i, 10 * i + 9);
	for (unsigned int n = 1; n < 20; n++) {
		struct found f = { .stop_at = n };

		for (size_t i = 0; i < MANY; i++)
			it[i].seen = false;
		ck_assert(itree_any(&t, 55, 99999, see, &f));
		ck_assert_uint_eq(f.count, n);
		ck_assert_uint_eq(f.first, 10 * (5 + n - 1));
	}
}
END_TEST

/* A span of any length, most of them short, anywhere below limit. */
static void span(uint64_t limit, uint64_t *first, uint64_t *last)
{
	*first = rnd() % limit;
	*last = *first + rnd() % (rnd() % 8 ? 4 : limit);
}

START_TEST(as_a_list)
{
	static struct item it[MANY];
	uint64_t limit = (uint64_t[]){ 8, 100, 5000, UINT64_MAX / 4 }[_i];
	struct itree t = { 0 };
	uint64_t first, last;
	size_t in = 0;

	memset(it, 0, sizeof(it));
	for (int i = 0; i < 6000; i++) {
		struct item *at = &it[rnd() % MANY];

		/* Fuller and emptier in turns, down to nothing. */
		if (at->in && (i / 1000 % 2 || rnd() % 4 == 0)) {
			take(&t, at);
			in--;
		} else if (!at->in && (i / 1000 % 2 == 0 || rnd() % 8 == 0)) {
			span(limit, &first, &last);
			put(&t, at, first, last);
			in++;
		}
		span(limit, &first, &last);
		expect_overlaps(&t, it, MANY, first, last);
		if (i % 16 == 0)
			must(check_tree(&t).nodes == in);
	}
}
END_TEST

/* --- how deep ------------------------------------------------------------------- */

#define LOTS 100000u

/* where - the n-th interval of LOTS, in orders that a plain tree suffers from */
static uint64_t where(int order, uint64_t n)
{
	switch (order) {
	case 0:
		return n; /* ascending */
	case 1:
		return LOTS - n; /* descending */
	case 2:
		return n % 2 ? n : 2 * LOTS - n; /* from both ends */
	case 3:
		return 7; /* all at one place */
	default:
		return rnd() % LOTS;
	}
}

/* A random tree of n is about 2 ln n deep on the average, 4.3 ln n the deepest. */
START_TEST(depth_is_logarithmic)
{
	struct item *it = calloc(LOTS, sizeof(*it));
	struct itree t = { 0 };
	struct shape sh;

	ck_assert_ptr_nonnull(it);
	for (uint64_t i = 0; i < LOTS; i++) {
		uint64_t at = where(_i, i);

		put(&t, &it[i], at, at + i % 3);
	}
	sh = check_tree(&t);
	ck_assert_uint_eq(sh.nodes, LOTS);
	ck_assert_uint_lt(sh.depth, 60);
	/* And stays so as others go. */
	for (uint64_t i = 0; i < LOTS; i++)
		if (i % 10)
			take(&t, &it[i]);
	sh = check_tree(&t);
	ck_assert_uint_eq(sh.nodes, LOTS / 10);
	ck_assert_uint_lt(sh.depth, 50);
	for (uint64_t i = 0; i < LOTS; i += 10)
		take(&t, &it[i]);
	ck_assert_ptr_null(t.root);
	free(it);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("itree");
	TCase *tc = tcase_create("itree");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, empty);
	tcase_add_test(tc, edges_of_one);
	tcase_add_test(tc, ends_of_the_numbers);
	tcase_add_test(tc, equal_ones);
	tcase_add_test(tc, nested_ones);
	tcase_add_test(tc, stops_at_yes);
	tcase_add_loop_test(tc, as_a_list, 0, 4);
	tcase_add_loop_test(tc, depth_is_logarithmic, 0, 5);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
