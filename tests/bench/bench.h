/* SPDX-License-Identifier: BSD-3-Clause */
/* What the programs here share. */
#ifndef PINFS_BENCH_H
#define PINFS_BENCH_H

#include "base/util.h"

/* now - monotonic time in seconds */
static inline double now(void)
{
	return (double)now_ns() / 1e9;
}

#endif
