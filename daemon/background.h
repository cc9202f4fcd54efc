/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Leaving the terminal: the command that was started returns when the mount is
 * live, with what went wrong before that on its standard error.
 */
#ifndef PINFSD_BACKGROUND_H
#define PINFSD_BACKGROUND_H

/*
 * background_start - go on in a child; before any thread or lock
 *
 * The parent does not return from this: it waits for background_ready(), or for
 * the child's end, and exits as that tells. Negative errno if there's no child.
 */
int background_start(void);

/*
 * background_ready - release the parent, and all that it lent; if started
 *
 * -EPIPE: whoever waited has given up.
 */
int background_ready(void);

#endif
