/* SPDX-License-Identifier: BSD-3-Clause */
/* What fsck.pinfs, of the same build, says of a pool. */
#ifndef PINFS_TEST_SCRATCH_FSCK_H
#define PINFS_TEST_SCRATCH_FSCK_H

#include "scratch.h"

/* scratch_fsck - fails the test unless there is nothing to say; pool is closed */
void scratch_fsck(enum scratch_kind kind);

#endif
