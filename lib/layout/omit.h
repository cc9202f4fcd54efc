/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checks of the protocol that a build can be told to leave out, to see that the
 * tests notice. Only with -DPINFS_OMISSIONS=ON, and then only what PINFS_OMIT
 * in the environment names when the pool is mounted: L1, L2, L4, L5 or L11.
 */
#ifndef PINFS_LAYOUT_OMIT_H
#define PINFS_LAYOUT_OMIT_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct omissions {
	bool l1; /* a break does not wait for pins, nor is a free checked */
	bool l2; /* pins are taken while a break runs, without a second look */
	bool l4; /* pin sets do not wait behind breaks */
	bool l5; /* pin sets wait for every break, also for a later one */
	bool l11; /* pins end when it is asked for, not when the I/O has ended */
};

#ifdef PINFS_OMISSIONS
static inline void omissions_read(struct omissions *o)
{
	const char *s = getenv("PINFS_OMIT");

	o->l1 = s && !strcmp(s, "L1");
	o->l2 = s && !strcmp(s, "L2");
	o->l4 = s && !strcmp(s, "L4");
	o->l5 = s && !strcmp(s, "L5");
	o->l11 = s && !strcmp(s, "L11");
}
#define OMIT(ls, what) ((ls)->omit.what)
#else
static inline void omissions_read(struct omissions *o)
{
	memset(o, 0, sizeof(*o));
}
#define OMIT(ls, what) false
#endif

#endif
