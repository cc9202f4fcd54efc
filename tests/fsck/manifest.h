/* SPDX-License-Identifier: BSD-3-Clause */
/* What a file system holds, path by path, to be compared. */
#ifndef PINFS_TEST_MANIFEST_H
#define PINFS_TEST_MANIFEST_H

#include <stddef.h>

struct manifest {
	struct manifest_line {
		char *path;
		char *what; /* type, mode, links, size, contents, attributes */
	} * line; /* ordered by path */
	size_t count;
};

/* manifest_take - of the pool at path, by the library; as a mount would open it */
void manifest_take(struct manifest *m, const char *path);
void manifest_free(struct manifest *m);

/*
 * manifest_diff - "-/gone ~/changed +/new", ordered by path
 *
 * More than 8 of a kind are counted only: "-12". Returns text.
 */
char *manifest_diff(const struct manifest *was, const struct manifest *is,
		    char *text, size_t size);

#endif
