// SPDX-License-Identifier: BSD-3-Clause
/*
 * FUSE over io_uring (Linux 6.14, libfuse 3.18): requests come through a ring a
 * CPU, each with a thread of libfuse's, which handles one after the other. What
 * is different for us:
 *
 *   - A request keeps its entry of the ring until it is answered, and with none
 *     left nothing at all goes on. So what is answered later is counted, queue
 *     by queue; with three quarters of the entries taken, what would have to
 *     wait as well fails with EBUSY at once, as after a break_timeout of
 *     nothing. The mount lives whatever is deferred, and up to there it is L9.
 *   - An answer is submitted by the thread that gives it, and cancelled with it:
 *     the errands, which end, leave theirs to a thread of the ring's own.
 *   - Interrupts come through /dev/fuse, with the number of a request that
 *     libfuse does not find; so they are ours. Which one is meant is seen by
 *     its thread: it has a signal that it does not block (L7).
 *   - libfuse starts the rings' threads with the greeting, and ends them in
 *     fuse_session_loop_mt() only. There they are cancelled, so a thread that
 *     has once handled a request cannot be: it ends when it comes back. Then
 *     the rings are freed, with the requests in them.
 *
 * Lock: one, for the counts and the list. Nothing is waited for with it held;
 * interrupt() takes the layout's.
 */
#include "ring.h"

#include <errno.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "daemon.h"

#define PARAMETER "/sys/module/fuse/parameters/enable_uring"

struct ring {
	struct daemon *d;
	struct work_queue *answers; /* of one thread; NULL: not asked for */
	unsigned int limit; /* of what may wait in each queue, 0: not asked for */
	atomic_bool live; /* a request has come through it */
	pthread_mutex_t lock;
	pthread_cond_t idle;
	struct list_head waits; /* lock: can be interrupted */
	unsigned int count; /* lock: held in all queues */
	bool stopping; /* lock */
	bool said_full; /* lock */
};

_Thread_local bool ring_adopted;

/* Of the queue that this thread serves; the ring's lock. */
static _Thread_local unsigned int held_here;

/* --- can it be had? ------------------------------------------------------- */

#ifdef HAVE_FUSE_OVER_IO_URING

static bool is_uring(fuse_req_t req)
{
	return fuse_req_is_uring(req);
}

static bool was_offered(const struct fuse_conn_info *conn)
{
	return conn->capable_ext & FUSE_CAP_OVER_IO_URING;
}

/*
 * Built without liburing, as Debian's is, libfuse takes the option and leaves it
 * at that. It tells by what it says of a request that came another way, and
 * such is one of zeroes.
 */
static bool libfuse_has_it(void)
{
	static char nobody[4096] __attribute__((aligned(64)));
	size_t size;
	char *payload;

	return fuse_req_get_payload((fuse_req_t)(void *)nobody, &payload, &size,
				    NULL) != -ENOTSUP;
}

#else

static bool is_uring(fuse_req_t req)
{
	(void)req;
	return false;
}

static bool was_offered(const struct fuse_conn_info *conn)
{
	(void)conn;
	return false;
}

static bool libfuse_has_it(void)
{
	return false;
}

#endif

static char parameter(void)
{
	FILE *f = fopen(PARAMETER, "re");
	int c = EOF;

	if (f) {
		c = fgetc(f);
		fclose(f);
	}
	return c == EOF ? '\0' : (char)c;
}

/* NULL: nothing is in the way. */
static const char *obstacle(void)
{
#ifndef HAVE_FUSE_OVER_IO_URING
	return "pinfsd was built with a libfuse older than 3.18";
#endif
	if (!libfuse_has_it())
		return "libfuse was built without it (it needs liburing and "
		       "libnuma when it is built)";
	switch (parameter()) {
	case '\0':
		return "this kernel's FUSE does not have it (Linux 6.14 does)";
	case 'N':
		return "the fuse module has it switched off; root can run "
		       "'echo Y >" PARAMETER "' and mount again";
	default:
		return NULL;
	}
}

static int add_options(struct daemon *d)
{
	char depth[16];
	int err = options_add(&d->opt, "io_uring", NULL);

	snprintf(depth, sizeof(depth), "%u", d->opt.io_uring_depth);
	return err ? err : options_add(&d->opt, "io_uring_q_depth=", depth);
}

int ring_new(struct daemon *d)
{
	const char *why = d->opt.io_uring ? obstacle() : NULL;
	struct ring *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->d = d;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->idle, NULL);
	list_init(&r->waits);
	d->ring = r;
	if (why)
		log_warn("%s: not over io_uring: %s", d->mountpoint, why);
	if (!d->opt.io_uring || why)
		return 0;
	r->limit = d->opt.io_uring_depth / 4 * 3;
	return add_options(d);
}

int ring_start(struct ring *r)
{
	if (r->limit)
		r->answers = work_queue_new(1);
	return r->limit && !r->answers ? -ENOMEM : 0;
}

void ring_agree(struct ring *r, const struct fuse_conn_info *conn)
{
	if (!r->limit)
		return;
	if (was_offered(conn))
		log_info("%s: over io_uring: of each CPU's truncates and the "
			 "like %u can wait for pins; what would wait beyond "
			 "that fails with EBUSY (io_uring_q_depth=%u)",
			 r->d->mountpoint, r->limit, r->d->opt.io_uring_depth);
	else
		log_warn("%s: not over io_uring: the kernel does not offer it",
			 r->d->mountpoint);
}

/* --- requests that keep their place --------------------------------------- */

void ring_adopt(fuse_req_t req)
{
	struct daemon *d = fuse_req_userdata(req);
	int state;

	ring_adopted = true;
	if (!is_uring(req))
		return;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	atomic_store(&d->ring->live, true);
}

/* Once is enough for the log. lock is held. */
static void say_full(struct ring *r)
{
	if (!r->said_full)
		log_warn("%s: %u operations of one CPU wait for pins: further "
			 "ones fail with EBUSY; a larger io_uring_q_depth lets "
			 "more of them wait",
			 r->d->mountpoint, r->limit);
	r->said_full = true;
}

int ring_hold(struct ring *r, struct ring_wait *w, fuse_req_t req, bool must)
{
	int err = 0;

	list_init(&w->node);
	w->req = req;
	w->held = NULL;
	if (!is_uring(req))
		return 0;
	pthread_mutex_lock(&r->lock);
	if (r->stopping) {
		err = -ENOTCONN;
	} else if (held_here >= r->limit && !must) {
		say_full(r);
		err = -EBUSY;
	} else {
		w->held = &held_here;
		held_here++;
		r->count++;
	}
	pthread_mutex_unlock(&r->lock);
	return err;
}

static void run_answer(struct work *work)
{
	struct ring_wait *w = container_of(work, struct ring_wait, work);

	w->answer(w);
}

void ring_answer(struct ring *r, struct ring_wait *w,
		 void (*answer)(struct ring_wait *w))
{
	if (!w->held) {
		answer(w);
		return;
	}
	w->answer = answer;
	w->work.fn = run_answer;
	work_post(r->answers, &w->work);
}

void ring_drop(struct ring *r, struct ring_wait *w)
{
	if (!w->held)
		return;
	pthread_mutex_lock(&r->lock);
	--*w->held;
	if (--r->count == 0)
		pthread_cond_broadcast(&r->idle);
	pthread_mutex_unlock(&r->lock);
}

/* --- interrupts ----------------------------------------------------------- */

/* One of the masks of signals in /proc/PID/status; 0 if it is not there. */
static uint64_t mask_of(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	return at ? strtoull(at + strlen(name), NULL, 16) : 0;
}

/* Has this thread a signal that is pending and not blocked? */
static bool has_signal(uint32_t pid)
{
	char path[32], status[4096];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(status, 1, sizeof(status) - 1, f);
	fclose(f);
	status[n] = '\0';
	return (mask_of(status, "\nSigPnd:") | mask_of(status, "\nShdPnd:")) &
	       ~mask_of(status, "\nSigBlk:");
}

/* Of requests that libfuse finds when they are interrupted. */
static void on_interrupt(fuse_req_t req, void *arg)
{
	struct ring_wait *w = arg;

	(void)req;
	w->interrupt(w);
}

void ring_listen(struct ring *r, struct ring_wait *w)
{
	if (!w->held) {
		fuse_req_interrupt_func(w->req, on_interrupt, w);
		return;
	}
	w->pid = (uint32_t)fuse_req_ctx(w->req)->pid;
	pthread_mutex_lock(&r->lock);
	list_add_tail(&w->node, &r->waits);
	pthread_mutex_unlock(&r->lock);
}

void ring_unlisten(struct ring *r, struct ring_wait *w)
{
	if (!w->held) {
		fuse_req_interrupt_func(w->req, NULL, NULL);
		return;
	}
	pthread_mutex_lock(&r->lock);
	list_del(&w->node);
	pthread_mutex_unlock(&r->lock);
}

/* of_pid - all of them if it is 0 */
static void look(struct ring *r, uint32_t of_pid)
{
	struct ring_wait *w;

	pthread_mutex_lock(&r->lock);
	list_for_each_entry(w, &r->waits, node)
		if ((!of_pid || of_pid == w->pid) && has_signal(w->pid))
			w->interrupt(w);
	pthread_mutex_unlock(&r->lock);
}

void ring_look(struct ring *r, uint32_t pid)
{
	if (pid && atomic_load(&r->live))
		look(r, pid);
}

/* Libfuse would keep what it does not find, for ever. */
bool ring_takes(struct ring *r, const struct fuse_buf *buf)
{
	struct fuse_in_header head;

	if (!atomic_load(&r->live) || buf->size < sizeof(head))
		return false;
	memcpy(&head, buf->mem, sizeof(head));
	if (head.opcode != FUSE_INTERRUPT)
		return false;
	look(r, 0);
	return true;
}

/* --- the end -------------------------------------------------------------- */

void ring_stop(struct ring *r)
{
	struct fuse_loop_config *config;

	if (!r->limit)
		return;
	pthread_mutex_lock(&r->lock);
	r->stopping = true;
	while (r->count > 0)
		pthread_cond_wait(&r->idle, &r->lock);
	pthread_mutex_unlock(&r->lock);
	/* The session has ended, so all that the loop does is to clean up. */
	config = fuse_loop_cfg_create();
	if (!config) {
		log_error("no memory to end with");
		abort();
	}
	fuse_session_exit(r->d->se);
	fuse_session_loop_mt(r->d->se, config);
	fuse_loop_cfg_destroy(config);
}

void ring_free(struct ring *r)
{
	if (!r)
		return;
	work_queue_free(r->answers);
	pthread_cond_destroy(&r->idle);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
