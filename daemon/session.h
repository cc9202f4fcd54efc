/* SPDX-License-Identifier: BSD-3-Clause */
/* The connection to the kernel, and the threads that serve it. */
#ifndef PINFSD_SESSION_H
#define PINFSD_SESSION_H

#include "daemon.h"

/*
 * session_new - connect the options to libfuse; nothing is mounted yet
 *
 * -EINVAL: there is an option that nobody knows, and it has been named.
 */
int session_new(struct daemon *d, struct session **out);

/* session_mount - make the mount, start to serve; says what is wrong */
int session_mount(struct session *s);

enum session_event {
	SESSION_LIVE, /* the kernel and we agree */
	SESSION_STOP, /* session_ask_stop() was called */
	SESSION_OVER, /* unmounted, or cut off; told again and again */
};

/* session_wait - the next of them; LIVE and STOP are told once */
enum session_event session_wait(struct session *s);

/* session_note_mount - it is live: set it up, remember which is to be unmounted */
void session_note_mount(struct session *s);

/* session_told - the kernel's greeting is being answered: by op_init() */
void session_told(struct session *s);

/* session_ask_stop - any thread */
void session_ask_stop(struct session *s);

/*
 * session_unmount - by main, while requests are served
 *
 * What is open stays open if need be, and fails from the session's end on; all
 * that its users have stored until now is written back.
 */
void session_unmount(struct session *s);

/* session_end - have the threads end; requests in work are finished */
void session_end(struct session *s);

/* session_free - ended, and everything that waits for an answer has it */
void session_free(struct session *s);

#endif
