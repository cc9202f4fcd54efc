/* SPDX-License-Identifier: BSD-3-Clause */
/* Looking at all that a file system has, and changing some of it. */
#ifndef PINFS_FUZZ_WALK_H
#define PINFS_FUZZ_WALK_H

#include "fs/fs.h"

#define WALK_NODES 64u

/* struct walk - what was found: some of the nodes, each once or more */
struct walk {
	struct fs *fs;
	uint64_t node[WALK_NODES]; /* the root first */
	unsigned int nodes;
	uint64_t names; /* that were seen */
	uint64_t errors; /* of all that was tried */
	uint64_t sum; /* of all bytes that were read */
};

/* walk - from the root: names, attributes, contents */
void walk(struct walk *w, struct fs *fs);

/* walk_change - some operations on what was found, chosen by seed */
void walk_change(struct walk *w, uint64_t seed);

#endif
