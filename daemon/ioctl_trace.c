// SPDX-License-Identifier: BSD-3-Clause
/*
 * PINFS_IOC_TRACE: a reader of the event stream (lib/layout/trace.h).
 *
 * While there is nothing to be read, there is the unanswered request and the
 * structure here, and no thread:
 *
 *   trace_read()      events, or on_wake() will be called, once
 *   on_interrupt()    any time: has on_wake() called
 *   on_wake()         waits for who has begun the reading to let go, answers
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/util.h"
#include "ioctl.h"

struct reader {
	struct trace_waiter waiter;
	struct trace *trace;
	struct ring *ring;
	struct ring_wait held;
	fuse_req_t req;
	atomic_bool interrupted;
	pthread_mutex_t begun; /* held until it has been left waiting */
	struct pinfs_ioc_trace io;
};

/* answer - n events, or negative errno; the reader is over */
static void answer(struct reader *r, int n)
{
	ring_unlisten(r->ring, &r->held);
	r->io.count = n > 0 ? (uint32_t)n : 0;
	if (n < 0)
		ops_reply(r->req, n);
	else
		fuse_reply_ioctl(r->req, 0, &r->io, sizeof(r->io));
	ring_drop(r->ring, &r->held);
	pthread_mutex_destroy(&r->begun);
	free(r);
}

static int read_events(struct reader *r, struct trace_waiter *w)
{
	return trace_read(r->trace, &r->io.cursor, r->io.event,
			  PINFS_TRACE_PER_CALL, &r->io.lost, w);
}

static void on_wake(struct trace_waiter *w)
{
	struct reader *r = container_of(w, struct reader, waiter);
	int n;

	pthread_mutex_lock(&r->begun);
	pthread_mutex_unlock(&r->begun);
	n = read_events(r, NULL);
	answer(r, n == 0 ? -EINTR : n);
}

static void on_interrupt(struct ring_wait *w)
{
	struct reader *r = container_of(w, struct reader, held);

	atomic_store(&r->interrupted, true);
	trace_cancel(r->trace, &r->waiter);
}

static void begin(struct reader *r)
{
	uint32_t pid = (uint32_t)fuse_req_ctx(r->req)->pid;
	struct ring *ring = r->ring;
	int n;

	ring_listen(ring, &r->held);
	pthread_mutex_lock(&r->begun);
	n = read_events(r, &r->waiter);
	/* What came before it was left waiting has found nobody to wake. */
	if (n == 0 && atomic_load(&r->interrupted))
		trace_cancel(r->trace, &r->waiter);
	pthread_mutex_unlock(&r->begun);
	if (n != 0)
		answer(r, n);
	ring_look(ring, pid);
}

/* first_call - have events recorded from here on */
static int first_call(struct ioc *io, struct trace *tr)
{
	struct pinfs_ioc_trace out = { .count = 0 };
	int err = trace_open(tr, &out.cursor);

	if (!err)
		return ioc_reply(io, &out, sizeof(out));
	atomic_store(&io->h->tracing, false);
	return err;
}

int ioc_trace(struct ioc *io)
{
	const struct pinfs_ioc_trace *in = io->in;
	struct trace *tr = layouts_trace(fs_layouts(io->d->fs));
	struct reader *r;
	int err;

	if (!ioc_is_owner(io))
		return -EPERM;
	if (in->reserved || io->out_size < sizeof(r->io))
		return -EINVAL;
	if (!atomic_exchange(&io->h->tracing, true))
		return first_call(io, tr);
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	err = ring_hold(io->d->ring, &r->held, io->req, false);
	if (err) {
		free(r);
		return err;
	}
	r->held.interrupt = on_interrupt;
	r->ring = io->d->ring;
	r->trace = tr;
	r->req = io->req;
	r->io.cursor = in->cursor;
	r->waiter.wake = on_wake;
	pthread_mutex_init(&r->begun, NULL);
	begin(r);
	return IOC_ANSWERED;
}
