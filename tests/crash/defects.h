/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PINFS_CRASH_DEFECTS_H
#define PINFS_CRASH_DEFECTS_H

/* defects - try all of them; 0 if each was noticed, and nothing without any */
int defects(void);

#endif
