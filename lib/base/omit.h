/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Things that a build can be told to leave out, to see that the tests notice.
 * Only with -DPINFS_OMISSIONS=ON, and then only what PINFS_OMIT in the
 * environment names; in other builds OMITTED() is false, and costs nothing.
 */
#ifndef PINFS_OMIT_H
#define PINFS_OMIT_H

#include <stdbool.h>

/* omissions_built - does this build know of any? */
bool omissions_built(void);

/* omission_asked - does PINFS_OMIT name it? OMITTED() asks it */
bool omission_asked(const char *what);

#ifdef PINFS_OMISSIONS
#define OMITTED(what) omission_asked(what)
#else
#define OMITTED(what) false
#endif

#endif
