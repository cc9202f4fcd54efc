/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A folder of a test's own, in memory and on the disk.
 *
 * To be set up and removed by unchecked fixtures: those run in the parent of
 * the process that a test may crash.
 */
#ifndef PINFS_TEST_SCRATCH_H
#define PINFS_TEST_SCRATCH_H

#include <check.h>
#include <stdint.h>

enum scratch_kind {
	SCRATCH_MEMORY, /* tmpfs */
	SCRATCH_DISK,
	SCRATCH_KINDS,
};

void scratch_setup(void);
void scratch_teardown(void);

/* scratch_path - of a file there; a static buffer, one for each kind */
const char *scratch_path(enum scratch_kind kind, const char *name);

/* scratch_run - all of a suite, which it frees; returns what main() is to */
int scratch_run(Suite *s);

#endif
