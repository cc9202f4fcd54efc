/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file system of some size, made by the library:
 *
 *   /many     TREE_FILES files of a block each, with attributes here and there
 *   /pieces   a file of TREE_PIECES extents
 *   /docs     directories in directories, down to a file and a link
 */
#ifndef PINFS_TEST_TREE_H
#define PINFS_TEST_TREE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "pool/pool.h"

#define TREE_FILES  1500
#define TREE_PIECES 400

/* must - making an image cannot fail, also where no test runs */
#define must(what)                                                         \
	do {                                                               \
		if (!(what)) {                                             \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, \
				#what);                                    \
			abort();                                           \
		}                                                          \
	} while (0)

/* tree_make - in the pool at path, which has an empty file system */
void tree_make(const char *path);

/* tree_fill - a block with bytes that say whose it is */
void tree_fill(void *block, uint64_t ino, uint64_t lblk);

#endif
