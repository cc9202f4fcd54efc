/* SPDX-License-Identifier: BSD-3-Clause */
/* Is an image one that a crash may leave: opened, compared, checked by fsck. */
#ifndef PINFS_CRASH_VERDICT_H
#define PINFS_CRASH_VERDICT_H

#include "record.h"
#include "state.h"

/*
 * verdict - of the image that is mapped as r's pool; NULL if all is well
 * @probe: let files grow, too, to see what lies behind their ends (S4)
 *
 * The text is static. The pool changes: record_restore() undoes it.
 */
const char *verdict(struct record *r, const struct expect *ex, bool probe);

/* verdict_recover - recovery alone, and a clean unmount; 0, or what it said */
int verdict_recover(struct record *r);

/* verdict_reboot - have the image be from before this kernel was started */
void verdict_reboot(struct record *r);

#endif
