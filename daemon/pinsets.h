/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Clients' own pin sets (lib/transfer/client.h), by id and key.
 *
 * A set belongs to the open file that it began on, and ends with it at the
 * latest (L11). What may take time, an extend and each end, is an errand
 * (crew.h): it waits for the kernel, and for breaks (C5, L9).
 */
#ifndef PINFSD_PINSETS_H
#define PINFSD_PINSETS_H

#include "daemon.h"
#include "ioctl.h"

struct pinsets;

struct pinsets *pinsets_new(struct daemon *d); /* NULL without memory */
void pinsets_free(struct pinsets *ps); /* there are none left; NULL is fine */

/* --- ioctl(2): the handlers of PINFS_IOC_PIN_* ---------------------------- */

int ioc_pin_begin(struct ioc *io);
int ioc_pin_extend(struct ioc *io);
int ioc_pin_extents(struct ioc *io);
int ioc_pin_end(struct ioc *io);

/* --- their end ------------------------------------------------------------ */

/* pinsets_release - end what h has: nothing can refer to its file any more */
void pinsets_release(struct pinsets *ps, struct handle *h);

/* pinsets_stop - extends that wait fail; what is pinned, stays */
void pinsets_stop(struct pinsets *ps);

/*
 * pinsets_cut - there is no connection any more: no call will come, no release
 *
 * The sets end when no client has the pool mapped any more: if the connection
 * was cut, with files open, that is what can still be known of their I/O (L1).
 */
void pinsets_cut(struct pinsets *ps);

#endif
