/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Leaving the terminal: the command that was started returns when the mount is
 * live, with what went wrong before that on its standard error.
 */
#ifndef PINFSD_BACKGROUND_H
#define PINFSD_BACKGROUND_H

/*
 * background_start - go on in a grandchild; before any thread or lock is there, and
 *                    before the pool is open
 *
 * The parent does not return from this: it waits for background_ready(), or for
 * the end, and exits as that tells. Nor does the child: it stays, and tells the
 * system's log if a signal ends the daemon. Negative errno without a process.
 */
int background_start(const char *mountpoint);

/*
 * background_ready - release the parent, and all that it lent; if started
 *
 * -EPIPE: whoever waited has given up.
 */
int background_ready(void);

#endif
