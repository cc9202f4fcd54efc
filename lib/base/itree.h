/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Intervals of numbers, and which of them overlap a given one.
 *
 * A treap (Seidel and Aragon, 1996) ordered by where intervals begin; each node
 * knows how far those below it reach, so that a search skips what ends too
 * early. Insertion, removal and the search for the first overlap take a time
 * that grows with the logarithm of the number of intervals. Memory is the
 * caller's, as are locks.
 */
#ifndef PINFS_BASE_ITREE_H
#define PINFS_BASE_ITREE_H

#include <stdbool.h>
#include <stdint.h>

/* struct itree_node - [first, last], both included; a member of what it is of */
struct itree_node {
	uint64_t first, last;
	uint64_t reach; /* greatest last of this node and those below */
	uint32_t weight; /* not less than those of the nodes below */
	struct itree_node *left, *right;
};

/* struct itree - zeroed: empty */
struct itree {
	struct itree_node *root;
	uint32_t seed;
};

/* itree_insert - first and last are set; equal intervals may be there */
void itree_insert(struct itree *t, struct itree_node *n);

/* itree_remove - n is in the tree */
void itree_remove(struct itree *t, struct itree_node *n);

/*
 * itree_any - is there an overlapping interval that fn says true of?
 *
 * fn is asked in the order in which they begin, until it says true.
 */
bool itree_any(const struct itree *t, uint64_t first, uint64_t last,
	       bool (*fn)(const struct itree_node *n, void *arg), void *arg);

#endif
