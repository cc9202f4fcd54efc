/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Crashes: a process of its own works on the pool and ends in the midst of a
 * store. What it stored before stays, as when a daemon is killed.
 */
#ifndef PINFS_TEST_SCRATCH_CUT_H
#define PINFS_TEST_SCRATCH_CUT_H

#include <stdbool.h>

#include "pool/pool.h"
#include "scratch.h"

/*
 * scratch_cut_after - end this process, by _exit(), in the midst of the store
 *                     that comes after so many others, of whatever thread
 */
void scratch_cut_after(struct pool *pool, long stores);

/*
 * scratch_cut - run fn in a child; true if it came to its end before the cut
 *
 * fn opens the pool itself, calls scratch_cut_after() and closes nothing. If
 * it returns an error, the test fails.
 */
bool scratch_cut(int (*fn)(void *arg, long stores), void *arg, long stores);

/* scratch_keep, scratch_restore - a copy of the pool as it is, closed */
void scratch_keep(enum scratch_kind kind);
void scratch_restore(enum scratch_kind kind);

#endif
