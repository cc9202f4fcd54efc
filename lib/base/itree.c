// SPDX-License-Identifier: BSD-3-Clause
#include "base/itree.h"

#include <stddef.h>

#include "base/util.h"

/* xorshift, Marsaglia 2003: weights need only be spread */
static uint32_t next_weight(struct itree *t)
{
	uint32_t x = t->seed ? t->seed : 2463534242u;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return t->seed = x;
}

static void update(struct itree_node *n)
{
	n->reach = n->last;
	if (n->left)
		n->reach = max_u64(n->reach, n->left->reach);
	if (n->right)
		n->reach = max_u64(n->reach, n->right->reach);
}

/* is_before - equal beginnings are told apart by where the nodes are */
static bool is_before(const struct itree_node *a, const struct itree_node *b)
{
	return a->first != b->first ? a->first < b->first : a < b;
}

/* split - what is before n, and what is not */
static void split(struct itree_node *t, const struct itree_node *n,
		  struct itree_node **before, struct itree_node **after)
{
	if (!t) {
		*before = NULL;
		*after = NULL;
	} else if (is_before(t, n)) {
		split(t->right, n, &t->right, after);
		update(t);
		*before = t;
	} else {
		split(t->left, n, before, &t->left);
		update(t);
		*after = t;
	}
}

/* join - all of a is before all of b */
static struct itree_node *join(struct itree_node *a, struct itree_node *b)
{
	if (!a || !b)
		return a ? a : b;
	if (a->weight > b->weight) {
		a->right = join(a->right, b);
		update(a);
		return a;
	}
	b->left = join(a, b->left);
	update(b);
	return b;
}

static void insert(struct itree_node **at, struct itree_node *n)
{
	struct itree_node *t = *at;

	if (t && t->weight >= n->weight) {
		insert(is_before(n, t) ? &t->left : &t->right, n);
		update(t);
		return;
	}
	split(t, n, &n->left, &n->right);
	update(n);
	*at = n;
}

static void delete (struct itree_node **at, struct itree_node *n)
{
	struct itree_node *t = *at;

	if (t == n) {
		*at = join(n->left, n->right);
		return;
	}
	delete (is_before(n, t) ? &t->left : &t->right, n);
	update(t);
}

void itree_insert(struct itree *t, struct itree_node *n)
{
	n->left = NULL;
	n->right = NULL;
	n->weight = next_weight(t);
	insert(&t->root, n);
}

void itree_remove(struct itree *t, struct itree_node *n)
{
	delete (&t->root, n);
	n->left = NULL;
	n->right = NULL;
}

static bool any(const struct itree_node *n, uint64_t first, uint64_t last,
		bool (*fn)(const struct itree_node *n, void *arg), void *arg)
{
	if (!n || n->reach < first)
		return false;
	if (any(n->left, first, last, fn, arg))
		return true;
	if (n->first > last)
		return false;
	if (n->last >= first && fn(n, arg))
		return true;
	return any(n->right, first, last, fn, arg);
}

bool itree_any(const struct itree *t, uint64_t first, uint64_t last,
	       bool (*fn)(const struct itree_node *n, void *arg), void *arg)
{
	return any(t->root, first, last, fn, arg);
}
