/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checks of the protocol that a build can be told to leave out (base/omit.h):
 * L1, L2, L4, L5 or L11, looked up when the pool is mounted.
 */
#ifndef PINFS_LAYOUT_OMIT_H
#define PINFS_LAYOUT_OMIT_H

#include <stdbool.h>

#include "base/omit.h"

struct omissions {
	bool l1; /* a break does not wait for pins, nor is a free checked */
	bool l2; /* pins are taken while a break runs, without a second look */
	bool l4; /* pin sets do not wait behind breaks */
	bool l5; /* pin sets wait for every break, also for a later one */
	bool l11; /* pins end when it is asked for, not when the I/O has ended */
};

static inline void omissions_read(struct omissions *o)
{
	o->l1 = OMITTED("L1");
	o->l2 = OMITTED("L2");
	o->l4 = OMITTED("L4");
	o->l5 = OMITTED("L5");
	o->l11 = OMITTED("L11");
}

#ifdef PINFS_OMISSIONS
#define OMIT(ls, what) ((ls)->omit.what)
#else
#define OMIT(ls, what) false
#endif

#endif
