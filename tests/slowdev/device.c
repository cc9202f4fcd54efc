// SPDX-License-Identifier: BSD-3-Clause
/* The slow device; see device.h. */
#include "device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"

#define NEVER UINT64_MAX

/* struct held - one request that has not been answered */
struct held {
	struct list_head link;
	fuse_req_t req;
	bool is_write;
	uint64_t due; /* monotonic nanoseconds, NEVER: it hangs */
	uint64_t off;
	size_t n;
	uint8_t data[]; /* of a write; room for the answer of a read */
};

/* struct waiter - a client that waits for a counter */
struct waiter {
	struct list_head link;
	fuse_req_t req;
	struct device_goal goal;
};

int device_init(struct device *d, uint64_t size, uint64_t seed)
{
	memset(d, 0, sizeof(*d));
	d->fail_at = DEVICE_NOWHERE;
	d->hang_from = DEVICE_NOWHERE;
	list_init(&d->held);
	list_init(&d->waiters);
	list_init(&d->sessions);
	return media_init(&d->media, size, seed);
}

static void waiter_end(struct device *d, struct waiter *w, int err)
{
	char line[64];
	int n;

	list_del(&w->link);
	d->n_awaiting--;
	if (err) {
		fuse_reply_err(w->req, err);
	} else {
		n = snprintf(line, sizeof(line), "%s %" PRIu64 "\n",
			     w->goal.name, *w->goal.counter);
		fuse_reply_buf(w->req, line, (size_t)n);
	}
	free(w);
}

static void wake_waiters(struct device *d)
{
	struct waiter *w, *tmp;

	list_for_each_entry_safe(w, tmp, &d->waiters, link) {
		if (*w->goal.counter >= w->goal.want)
			waiter_end(d, w, 0);
	}
}

static void waiter_interrupted(fuse_req_t req, void *arg)
{
	waiter_end(fuse_req_userdata(req), arg, EINTR);
}

void device_await(struct device *d, fuse_req_t req,
		  const struct device_goal *goal)
{
	struct waiter *w;

	/* Past this line the interrupt comes from the event loop only. */
	if (fuse_req_interrupted(req)) {
		fuse_reply_err(req, EINTR);
		return;
	}
	w = malloc(sizeof(*w));
	if (!w) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	w->req = req;
	w->goal = *goal;
	list_add_tail(&w->link, &d->waiters);
	d->n_awaiting++;
	fuse_req_interrupt_func(req, waiter_interrupted, w);
	wake_waiters(d);
}

static uint64_t realtime_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool must_fail(const struct device *d, const struct held *h)
{
	return d->fail_at >= h->off && d->fail_at - h->off < h->n;
}

/* The client's pages are the kernel's until the reply in here. */
static void answer(struct device *d, struct held *h, int err)
{
	list_del(&h->link);
	d->n_held--;
	if (h->due == NEVER)
		d->n_hung--;
	if (!err && must_fail(d, h))
		err = EIO;
	d->n_answered++;
	d->last_answer_ms = realtime_ms();
	if (err) {
		d->n_failed++;
		fuse_reply_err(h->req, err);
	} else if (h->is_write) {
		media_write(&d->media, h->off, h->n, h->data);
		fuse_reply_write(h->req, h->n);
	} else {
		media_read(&d->media, h->off, h->n, h->data);
		fuse_reply_buf(h->req, (char *)h->data, h->n);
	}
	free(h);
}

/* Keep the list in order of due time; most requests belong at its end. */
static void hold(struct device *d, struct held *h)
{
	struct held *before;
	struct list_head *at = d->held.prev;

	while (at != &d->held) {
		before = list_entry(at, struct held, link);
		if (before->due <= h->due)
			break;
		at = at->prev;
	}
	list_add(&h->link, at);
	d->n_held++;
	if (h->due == NEVER)
		d->n_hung++;
	wake_waiters(d);
}

static struct held *held_new(const struct device *d, fuse_req_t req,
			     uint64_t off, size_t n)
{
	struct held *h = malloc(sizeof(*h) + n);
	uint64_t now = now_ns();

	if (!h)
		return NULL;
	h->req = req;
	h->due = now + min_u64(d->delay_ns, NEVER - 1 - now);
	if (d->hang_from != DEVICE_NOWHERE && off + n > d->hang_from)
		h->due = NEVER;
	h->off = off;
	h->n = n;
	return h;
}

void device_read(struct device *d, fuse_req_t req, uint64_t off, size_t n)
{
	struct held *h;

	n = off < d->media.size ? min_u64(n, d->media.size - off) : 0;
	if (!n) {
		fuse_reply_buf(req, NULL, 0);
		return;
	}
	h = held_new(d, req, off, n);
	if (!h) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	h->is_write = false;
	d->n_reads++;
	hold(d, h);
}

void device_write(struct device *d, fuse_req_t req, uint64_t off, size_t n,
		  const void *buf)
{
	struct held *h;

	n = off < d->media.size ? min_u64(n, d->media.size - off) : 0;
	if (!n) {
		fuse_reply_err(req, ENOSPC);
		return;
	}
	h = held_new(d, req, off, n);
	if (!h) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	h->is_write = true;
	d->n_writes++;
	memcpy(h->data, buf, n);
	hold(d, h);
}

uint64_t device_next_due(const struct device *d)
{
	if (list_empty(&d->held))
		return NEVER;
	return list_first_entry(&d->held, struct held, link)->due;
}

void device_answer_due(struct device *d, uint64_t now)
{
	struct held *h, *tmp;

	list_for_each_entry_safe(h, tmp, &d->held, link) {
		if (h->due > now)
			break;
		answer(d, h, 0);
	}
	wake_waiters(d);
}

void device_release(struct device *d)
{
	struct held *h, *tmp;

	d->hang_from = DEVICE_NOWHERE;
	list_for_each_entry_safe(h, tmp, &d->held, link)
		answer(d, h, 0);
	wake_waiters(d);
}

void device_release_oldest(struct device *d, uint64_t n)
{
	struct held *h, *tmp;

	list_for_each_entry_safe(h, tmp, &d->held, link) {
		if (h->due != NEVER)
			continue;
		if (!n--)
			break;
		answer(d, h, 0);
	}
	wake_waiters(d);
}

void device_abort(struct device *d)
{
	struct held *h, *next;
	struct waiter *w, *tmp;

	list_for_each_entry_safe(h, next, &d->held, link)
		answer(d, h, EIO);
	list_for_each_entry_safe(w, tmp, &d->waiters, link)
		waiter_end(d, w, EIO);
}

void device_destroy(struct device *d)
{
	media_destroy(&d->media);
}
