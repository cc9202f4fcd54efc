/* SPDX-License-Identifier: BSD-3-Clause */
/* The wall clock of the library under test. */
#ifndef PINFS_CRASH_CLOCK_H
#define PINFS_CRASH_CLOCK_H

/* clock_next - a later second; from there it ticks at every n-th reading, n > 0 */
void clock_next(unsigned int n);

#endif
