// SPDX-License-Identifier: BSD-3-Clause
/*
 * The wall clock of the library under test, which the linker has put in the place
 * of the system's (--wrap). How many lines a change takes depends on the times it
 * sets, so with the system's clock a workload would lie in the journal as fast as
 * the machine happens to be. Other clocks are the system's.
 */
#include "clock.h"

#include <stdatomic.h>
#include <time.h>

#define START	1790000000l /* in 2026 */
#define TICK_NS 4000000l /* of CLOCK_REALTIME_COARSE with 250 Hz */
#define TICKS	250ul /* in a second */

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);

static atomic_ulong second, reads;
static unsigned int reads_per_tick = 1;

void clock_next(unsigned int n)
{
	atomic_fetch_add(&second, atomic_exchange(&reads, 0) / TICKS + 1);
	reads_per_tick = n;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	unsigned long ticks;

	if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)
		return __real_clock_gettime(id, ts);
	ticks = atomic_fetch_add(&reads, 1) / reads_per_tick;
	ts->tv_sec = START + (time_t)(atomic_load(&second) + ticks / TICKS);
	ts->tv_nsec = (long)(ticks % TICKS) * TICK_NS;
	return 0;
}
