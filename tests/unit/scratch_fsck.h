/* SPDX-License-Identifier: BSD-3-Clause */
/* What fsck.pinfs, of the same build, says of a pool. */
#ifndef PINFS_TEST_SCRATCH_FSCK_H
#define PINFS_TEST_SCRATCH_FSCK_H

#include <stddef.h>

#include "scratch.h"

/* scratch_fsck - fails the test unless there is nothing to say; pool is closed */
void scratch_fsck(enum scratch_kind kind);

/* scratch_fsck_run - its exit code; what it printed is in out */
int scratch_fsck_run(const char *option, const char *pool, char *out,
		     size_t size);

/* scratch_fsck_codes - of a check: "code code ...", in the order of the table */
int scratch_fsck_codes(const char *pool, char *text, size_t size);

#endif
