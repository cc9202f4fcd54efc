/* SPDX-License-Identifier: BSD-3-Clause */
/* How far fsck is, on a terminal; otherwise all of this does nothing. */
#ifndef PINFS_FSCK_PROGRESS_H
#define PINFS_FSCK_PROGRESS_H

#include <stdint.h>

/* progress_enable - if standard error is a terminal */
void progress_enable(void);

void progress_begin(const char *pass);
void progress_at(uint64_t done, uint64_t all);

/* progress_end - clear the line, for what is printed next */
void progress_end(void);

#endif
