// SPDX-License-Identifier: BSD-3-Clause
/*
 * Chunks in flight: cut the segments, keep the device busy, hold what arrives
 * for as long as the emulated device would need, count without gaps.
 *
 * The thread waits in one place, fly_once(), for whichever comes first of a
 * completion, the end of a hold, the time of a report and a cancel: no
 * polling.
 */
#include "dma/job.h"

#include <assert.h>
#include <errno.h>

#define PROGRESS_NS (NSEC_PER_SEC / 10)

static uint64_t add_capped(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* A Weyl sequence, its values mixed well enough for a jitter. */
static uint64_t draw(struct dma_job *job, uint64_t most)
{
	uint64_t v = job->random += 0x9e3779b97f4a7c15u;

	v = (v ^ v >> 32) * 0xd6e8feb86659fd93u;
	v = (v ^ v >> 32) * 0xd6e8feb86659fd93u;
	v ^= v >> 32;
	return most == UINT64_MAX ? v : v % (most + 1);
}

/* stop - nothing from pos on will arrive; the lowest such place counts */
static void stop(struct dma_job *job, uint64_t pos, int err)
{
	if (pos >= job->run.stop_pos)
		return;
	job->run.stop_pos = pos;
	job->run.stop_err = err;
}

static bool stopped(const struct dma_job *job)
{
	return job->run.stop_pos != UINT64_MAX || dma_cancelled(job);
}

/* arrived - bytes from the run's start to the first that is missing */
static uint64_t arrived(const struct dma_job *job)
{
	uint64_t end = min_u64(job->run.next, job->run.stop_pos);
	const struct chunk *c;

	list_for_each_entry(c, &job->flying, link)
		end = min_u64(end, c->pos + c->got);
	/* O_DIRECT may have taken more than the failing device would give. */
	return min_u64(end, job->run.limit);
}

static void report(struct dma_job *job)
{
	uint64_t now, done;

	if (!job->cb.progress)
		return;
	done = job->total + arrived(job);
	now = now_ns();
	job->report_due = done != job->reported;
	if (!job->report_due || now - job->reported_ns < PROGRESS_NS)
		return;
	job->report_due = false;
	job->reported = done;
	job->reported_ns = now;
	job->cb.progress(job->cb.arg, done);
}

/*
 * How long the next chunk is, 0 if there is none.  With O_DIRECT what goes
 * past the last whole block of a segment is a chunk of its own: whether it
 * can be transferred is the kernel's decision, and the rest is not lost by it.
 */
static size_t next_length(struct dma_job *job)
{
	struct dma_run *run = &job->run;
	uint64_t align = job->device.align;
	uint64_t length, limit;

	while (run->nseg && run->seg_at == run->seg->length) {
		run->seg++;
		run->nseg--;
		run->seg_at = 0;
	}
	/* An emulated failure inside a block comes after that block. */
	limit = run->limit > UINT64_MAX - align ?
			UINT64_MAX :
			round_up_u64(run->limit, align);
	if (!run->nseg || run->next >= limit)
		return 0;
	length = min_u64(job->chunk, run->seg->length - run->seg_at);
	length = min_u64(length, limit - run->next);
	if (length > align)
		length = round_down_u64(length, align);
	return (size_t)length;
}

static void submit(struct dma_job *job, struct chunk *c)
{
	c->io.mem = c->mem + c->got;
	c->io.length = c->length - c->got;
	c->io.offset = job->device.stream ?
			       0 :
			       job->run.device_offset + c->pos + c->got;
	list_add_tail(&c->link, &job->flying);
	job->ops->submit(job->be, &c->io);
}

static void cut(struct dma_job *job, size_t length)
{
	struct chunk *c = list_first_entry(&job->free, struct chunk, link);
	struct dma_run *run = &job->run;

	list_del(&c->link);
	c->mem = (char *)run->seg->mem + run->seg_at;
	c->length = length;
	c->got = 0;
	c->pos = run->next;
	c->cut_ns = now_ns();
	c->hold_ns =
		add_capped(job->opt.latency_ns, draw(job, job->opt.jitter_ns));
	c->io.poll_first = false;
	run->next += length;
	run->seg_at += length;
	submit(job, c);
}

static void cut_more(struct dma_job *job)
{
	size_t length;

	/* stopped() each time: submitting may have taken long. */
	while (!stopped(job) && !list_empty(&job->free)) {
		length = next_length(job);
		if (!length)
			return;
		cut(job, length);
	}
}

/* The emulated link carries one chunk after the other. */
static void pass_link(struct dma_job *job, const struct chunk *c)
{
	uint64_t start = max_u64(job->busy_until, c->cut_ns);

	/* got is below 2^26, NSEC_PER_SEC below 2^30: no overflow */
	job->busy_until = add_capped(start, div_round_up(c->got * NSEC_PER_SEC,
							 job->opt.bandwidth));
}

/* hold_or_free - the kernel has finished with c */
static void hold_or_free(struct dma_job *job, struct chunk *c)
{
	uint64_t now = now_ns();

	c->release_ns = now;
	if (c->got && job->opt.bandwidth) {
		pass_link(job, c);
		c->release_ns = max_u64(now, job->busy_until);
	}
	if (c->got)
		c->release_ns = add_capped(c->release_ns, c->hold_ns);
	if (c->release_ns > now)
		list_add_tail(&c->link, &job->held);
	else
		list_add_tail(&c->link, &job->free);
}

/* With O_DIRECT a read that ends inside a block has met the end. */
static bool met_end(const struct dma_job *job, const struct chunk *c)
{
	if (!c->io.result)
		return true;
	return !job->device.writes && c->got % job->device.align;
}

/* Past a stop nothing counts; before it, the gap is still worth filling. */
static bool may_go_on(const struct dma_job *job, const struct chunk *c)
{
	int64_t result = c->io.result;

	if (dma_cancelled(job) || c->pos >= job->run.stop_pos)
		return false;
	return result > 0 || result == -EINTR ||
	       (result == -EAGAIN && job->device.stream);
}

/* land - the kernel has answered c's request */
static void land(struct dma_job *job, struct chunk *c)
{
	int64_t result = c->io.result;

	list_del(&c->link);
	if (result > 0)
		c->got += (size_t)result;
	assert(c->got <= c->length);
	if (c->got < c->length) {
		if (result >= 0 && met_end(job, c)) {
			stop(job, c->pos + c->got, 0);
		} else if (may_go_on(job, c)) {
			c->io.poll_first = result == -EAGAIN;
			submit(job, c);
			return;
		} else {
			stop(job, c->pos + c->got,
			     dma_cancelled(job) ? -ECANCELED : (int)result);
		}
	}
	hold_or_free(job, c);
}

static void release_held(struct dma_job *job)
{
	bool all = dma_cancelled(job);
	struct chunk *c, *tmp;
	uint64_t now;

	if (list_empty(&job->held))
		return;
	now = now_ns();
	list_for_each_entry_safe(c, tmp, &job->held, link) {
		if (!all && c->release_ns > now)
			continue;
		list_del(&c->link);
		list_add_tail(&c->link, &job->free);
	}
}

/* next_deadline - when there is something to do though nothing happens */
static uint64_t next_deadline(const struct dma_job *job)
{
	uint64_t first = BACKEND_NEVER;
	const struct chunk *c;

	list_for_each_entry(c, &job->held, link)
		first = min_u64(first, c->release_ns);
	if (job->report_due)
		first = min_u64(first, job->reported_ns + PROGRESS_NS);
	return first;
}

static void tell_cancel(struct dma_job *job)
{
	struct chunk *c;

	if (job->cancel_told || !dma_cancelled(job))
		return;
	job->cancel_told = true;
	list_for_each_entry(c, &job->flying, link)
		job->ops->cancel(job->be, &c->io);
}

/* Each chunk is on exactly one list; at rest that is the free one. */
static void check_at_rest(const struct dma_job *job)
{
	const struct chunk *c;
	uint32_t n = 0;

	list_for_each_entry(c, &job->free, link)
		n++;
	assert(n == job->depth);
	(void)n;
}

static void fly_once(struct dma_job *job)
{
	struct list_head done = LIST_HEAD_INIT(done);
	struct chunk *c, *tmp;

	job->ops->wait(job->be, next_deadline(job), &done);
	list_for_each_entry_safe(c, tmp, &done, io.link)
		land(job, c);
	tell_cancel(job);
	release_held(job);
	report(job);
}

uint64_t dma_flight_run(struct dma_job *job)
{
	cut_more(job);
	/* L11: until the kernel has let go of every chunk */
	while (!list_empty(&job->flying) || !list_empty(&job->held)) {
		fly_once(job);
		cut_more(job);
	}
	check_at_rest(job);
	return arrived(job);
}
