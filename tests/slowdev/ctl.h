/* SPDX-License-Identifier: BSD-3-Clause */
/* The slow device's control file: what it says, and what it is told. */
#ifndef SLOWDEV_CTL_H
#define SLOWDEV_CTL_H

#include <stdbool.h>

#include "device.h"

#define CTL_TEXT_MAX 512

/* struct ctl_session - what one opening of the control file is about */
struct ctl_session {
	struct list_head link; /* of the device's */
	struct device_goal goal; /* of a read to come; no name: none */
	size_t n;
	char text[CTL_TEXT_MAX]; /* the state when it was last read from 0 on */
};

/* ctl_open - NULL if there is no memory */
struct ctl_session *ctl_open(struct device *d);
void ctl_close(struct ctl_session *s);

/* ctl_close_all - of those that the kernel will not close any more */
void ctl_close_all(struct device *d);

/*
 * ctl_command - carry out one command; 0 or a positive errno
 *
 *   delay MS        answer each request so long after it arrives
 *   fail OFF        EIO for requests that cover byte OFF;  stop-fail
 *   hang OFF        do not answer requests that reach past byte OFF
 *   stop-hang       but leave unanswered what hangs
 *   release         answer all that is held now, and stop to hang
 *   release N       answer the N requests that have hung longest
 *   await NAME N    the next read of this opening returns when the counter
 *                   NAME is at least N; not the write itself, for the kernel
 *                   lets one write to a file wait for another
 */
int ctl_command(struct device *d, struct ctl_session *s, const char *buf,
		size_t n);

/* ctl_read - answer req with the state, a line "NAME VALUE" each, or await */
void ctl_read(struct device *d, struct ctl_session *s, fuse_req_t req, size_t n,
	      uint64_t off);

/* parse_size - bytes, with K, M, G or T; parse_ms - milliseconds, or with s */
bool parse_size(const char *text, uint64_t *size);
bool parse_ms(const char *text, uint64_t *ns);

#endif
