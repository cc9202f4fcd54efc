// SPDX-License-Identifier: BSD-3-Clause
/* The DMA engine: cancelling, signals, and the emulated device's time. */
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

#include "dma_devices.h"

#define MS   1000000ull
#define HOUR (3600 * NSEC_PER_SEC)

/* --- cancelling ---------------------------------------------------------- */

/* A run on a thread of its own, which tells when bytes have arrived. */
struct runner {
	pthread_t thread;
	struct dma_job *job;
	struct dma_segment seg;
	sem_t progress;
	_Atomic uint64_t told;
	uint64_t done;
	int err;
};

static void note_progress(void *arg, uint64_t done)
{
	struct runner *r = arg;

	atomic_store(&r->told, done);
	if (done)
		sem_post(&r->progress);
}

static void *run(void *arg)
{
	struct runner *r = arg;

	r->err = dma_run(r->job, &r->seg, 1, 0, &r->done);
	return NULL;
}

static void runner_open(struct runner *r, const struct dma_options *opt,
			int device)
{
	struct dma_callbacks cb = { note_progress, r };

	sem_init(&r->progress, 0, 0);
	atomic_init(&r->told, 0);
	r->seg.mem = aligned_alloc(BLOCK, POOL);
	r->seg.length = POOL;
	memset(r->seg.mem, 0, POOL);
	ck_assert_int_eq(dma_open(opt, device, -1, &cb, &r->job), 0);
}

static void runner_start(struct runner *r)
{
	ck_assert_int_eq(pthread_create(&r->thread, NULL, run, r), 0);
}

static void runner_join(struct runner *r)
{
	ck_assert_int_eq(pthread_join(r->thread, NULL), 0);
}

static void runner_close(struct runner *r)
{
	dma_close(r->job);
	free(r->seg.mem);
	sem_destroy(&r->progress);
}

static void await_progress(struct runner *r)
{
	while (sem_wait(&r->progress) < 0)
		ck_assert_int_eq(errno, EINTR);
}

static void cancel_and_join(struct runner *r)
{
	ck_assert(!dma_cancelled(r->job));
	dma_cancel(r->job);
	runner_join(r);
	ck_assert_int_eq(r->err, -ECANCELED);
	ck_assert(dma_cancelled(r->job));
}

/* kind: PIPE or SOCKET, its descriptor perhaps with O_NONBLOCK */
static void check_cancel_empty(enum pinfs_engine engine, enum device kind,
			       int flags)
{
	struct dma_options opt = options(engine, PINFS_FROM_DEVICE);
	struct runner r;
	int near, far;

	stream_pair(kind, PINFS_FROM_DEVICE, &near, &far);
	ck_assert_int_eq(fcntl(near, F_SETFL, flags), 0);
	runner_open(&r, &opt, near);
	ck_assert_int_eq(write(far, "abc", 3), 3);
	runner_start(&r);
	await_progress(&r);
	cancel_and_join(&r);
	ck_assert_uint_eq(r.done, 3);
	ck_assert_int_eq(memcmp(r.seg.mem, "abc", 3), 0);
	/* nothing is left in flight that would take what comes now */
	ck_assert_int_eq(write(far, "d", 1), 1);
	ck_assert_int_eq(((char *)r.seg.mem)[3], 0);
	runner_close(&r);
	close(near);
	close(far);
}

START_TEST(cancel_empty)
{
	check_cancel_empty(engines[_i], PIPE, 0);
	check_cancel_empty(engines[_i], PIPE, O_NONBLOCK);
	check_cancel_empty(engines[_i], SOCKET, 0);
	check_cancel_empty(engines[_i], SOCKET, O_NONBLOCK);
}
END_TEST

static void check_cancel_full(enum pinfs_engine engine, enum device kind)
{
	struct dma_options opt = options(engine, PINFS_TO_DEVICE);
	struct far_end far = { .size = POOL, .buf = malloc(POOL) };
	struct runner r;
	int near;

	stream_pair(kind, PINFS_TO_DEVICE, &near, &far.fd);
	runner_open(&r, &opt, near);
	fill(r.seg.mem, 0, POOL);
	runner_start(&r);
	await_progress(&r);
	cancel_and_join(&r);
	ck_assert_uint_lt(r.done, POOL);
	/* what the job counted is what the other end gets, once closed */
	runner_close(&r);
	close(near);
	receive(&far);
	ck_assert_uint_eq(far.got, r.done);
	ck_assert(filled(far.buf, 0, far.got));
	free(far.buf);
}

START_TEST(cancel_full)
{
	check_cancel_full(engines[_i], PIPE);
	check_cancel_full(engines[_i], SOCKET);
}
END_TEST

/* done_when_cancelled - bytes of a file, cancelled when that many were told of */
static uint64_t done_when_cancelled(const struct dma_options *opt,
				    uint64_t told)
{
	int file = pattern_file(POOL);
	struct runner r;

	runner_open(&r, opt, file);
	runner_start(&r);
	while (atomic_load(&r.told) < told)
		await_progress(&r);
	cancel_and_join(&r);
	ck_assert(filled(r.seg.mem, 0, r.done));
	runner_close(&r);
	close(file);
	return r.done;
}

START_TEST(cancel_hold)
{
	struct dma_options opt = options(engines[_i], PINFS_FROM_DEVICE);
	uint64_t done;

	opt.latency_ns = HOUR;
	opt.jitter_ns = UINT64_MAX;
	done = done_when_cancelled(&opt, 1);
	/* A chunk that had not arrived yet has been cancelled. */
	ck_assert_uint_ge(done, opt.chunk);
	ck_assert_uint_le(done, opt.depth * opt.chunk);
}
END_TEST

START_TEST(cancel_first)
{
	struct dma_options opt = options(engines[_i], PINFS_FROM_DEVICE);
	int file = pattern_file(POOL);
	struct runner r;

	runner_open(&r, &opt, file);
	dma_cancel(r.job);
	dma_cancel(r.job);
	run(&r);
	ck_assert_int_eq(r.err, -ECANCELED);
	ck_assert_uint_eq(r.done, 0);
	ck_assert(all(r.seg.mem, 0, POOL));
	runner_close(&r);
	close(file);
}
END_TEST

/* Whenever it comes, the run ends, and what it counted is there. */
START_TEST(cancel_anywhere)
{
	struct dma_options opt = options(engines[_i], PINFS_FROM_DEVICE);
	int file = pattern_file(POOL), fd = reopen(file, O_RDONLY | O_DIRECT);
	struct runner r;
	unsigned int spin;
	int i;

	opt.chunk = BLOCK;
	for (i = 0; i < 100; i++) {
		runner_open(&r, &opt, fd);
		runner_start(&r);
		for (spin = 0; spin < (unsigned int)i * 4000; spin++)
			__asm__ volatile("");
		dma_cancel(r.job);
		runner_join(&r);
		ck_assert(r.err == -ECANCELED || (!r.err && r.done == POOL));
		ck_assert(filled(r.seg.mem, 0, r.done));
		runner_close(&r);
	}
	close(fd);
	close(file);
}
END_TEST

/* The thread of an earlier run has ended: a later one is woken all the same. */
START_TEST(cancel_later_thread)
{
	struct dma_options opt = options(engines[_i], PINFS_FROM_DEVICE);
	struct runner r;
	int near, far;

	stream_pair(PIPE, PINFS_FROM_DEVICE, &near, &far);
	runner_open(&r, &opt, near);
	r.seg.length = 3;
	ck_assert_int_eq(write(far, "abc", 3), 3);
	runner_start(&r);
	runner_join(&r);
	ck_assert_int_eq(r.err, 0);
	while (!sem_trywait(&r.progress))
		;
	r.seg.length = POOL;
	ck_assert_int_eq(write(far, "def", 3), 3);
	runner_start(&r);
	await_progress(&r);
	cancel_and_join(&r);
	runner_close(&r);
	close(near);
	close(far);
}
END_TEST

#ifdef __SANITIZE_THREAD__
#define SIGNALS_COME 0
#else
#define SIGNALS_COME 1
#endif

static sem_t signalled;

static void note_signal(int sig)
{
	(void)sig;
	sem_post(&signalled);
}

static void signal_often(pthread_t thread)
{
	sem_init(&signalled, 0, 0);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(pthread_kill(thread, SIGUSR1), 0);
		while (sem_wait(&signalled) < 0)
			ck_assert_int_eq(errno, EINTR);
	}
}

/* Signals to the waiting thread are no reason to end. */
START_TEST(survives_signals)
{
	struct dma_options opt = options(engines[_i], PINFS_FROM_DEVICE);
	struct sigaction sa = { .sa_handler = note_signal };
	struct runner r;
	int near, far;

	sigaction(SIGUSR1, &sa, NULL);
	stream_pair(PIPE, PINFS_FROM_DEVICE, &near, &far);
	runner_open(&r, &opt, near);
	ck_assert_int_eq(write(far, "abc", 3), 3);
	runner_start(&r);
	await_progress(&r);
	signal_often(r.thread);
	ck_assert_int_eq(write(far, "def", 3), 3);
	close(far);
	runner_join(&r);
	ck_assert_int_eq(r.err, 0);
	ck_assert_uint_eq(r.done, 6);
	ck_assert_int_eq(memcmp(r.seg.mem, "abcdef", 6), 0);
	runner_close(&r);
	close(near);
}
END_TEST

/* --- time ---------------------------------------------------------------- */

static uint64_t timed(const struct dma_options *opt, size_t length)
{
	unsigned char *mem = aligned_alloc(BLOCK, POOL);
	int file = pattern_file(length);
	uint64_t begin = now_ns(), done;

	ck_assert_int_eq(run_once(opt, file, mem, length, &done), 0);
	begin = now_ns() - begin;
	ck_assert_uint_eq(done, length);
	close(file);
	free(mem);
	return begin;
}

START_TEST(latency)
{
	struct dma_options opt = options(engines[_i], PINFS_FROM_DEVICE);

	opt.latency_ns = 20 * MS;
	opt.chunk = BLOCK;
	opt.depth = 1;
	ck_assert_uint_ge(timed(&opt, 10 * BLOCK), 200 * MS);
}
END_TEST

/* No more than depth in flight, and really that many. */
START_TEST(depth)
{
	struct dma_options opt = options(engines[_i], PINFS_FROM_DEVICE);

	opt.latency_ns = HOUR;
	opt.chunk = BLOCK;
	opt.depth = 5;
	ck_assert_uint_eq(done_when_cancelled(&opt, 5 * BLOCK), 5 * BLOCK);
}
END_TEST

START_TEST(jitter)
{
	struct dma_options opt = options(engines[_i], PINFS_FROM_DEVICE);

	opt.jitter_ns = 20 * MS;
	opt.chunk = BLOCK;
	opt.depth = 1;
	/* What seed 1 draws: 196.2 ms in all. */
	ck_assert_uint_ge(timed(&opt, 20 * BLOCK), 196 * MS);
}
END_TEST

START_TEST(bandwidth)
{
	struct dma_options opt = options(engines[_i], PINFS_FROM_DEVICE);

	opt.bandwidth = 4 << 20;
	ck_assert_uint_ge(timed(&opt, 1 << 20), 250 * MS);
}
END_TEST

struct counter {
	unsigned int calls;
	uint64_t last;
	bool back;
};

static void count_progress(void *arg, uint64_t done)
{
	struct counter *n = arg;

	n->calls++;
	n->back |= done < n->last;
	n->last = done;
}

START_TEST(progress)
{
	struct dma_options opt = options(engines[_i], PINFS_FROM_DEVICE);
	struct counter n = { 0 };
	struct dma_callbacks cb = { count_progress, &n };
	unsigned char *mem = malloc(POOL);
	struct dma_segment seg = { mem, POOL };
	int file = pattern_file(POOL);
	uint64_t begin = now_ns(), done;
	struct dma_job *job;

	opt.chunk = BLOCK;
	opt.bandwidth = 4 << 20;
	ck_assert_int_eq(dma_open(&opt, file, -1, &cb, &job), 0);
	ck_assert_int_eq(dma_run(job, &seg, 1, 0, &done), 0);
	ck_assert_uint_eq(n.last, POOL);
	ck_assert(!n.back);
	/* the first, then ten a second, and the end */
	ck_assert_uint_ge(n.calls, 3);
	ck_assert_uint_le(n.calls, 2 + (now_ns() - begin) / (100 * MS));
	/* in all, not of the run */
	ck_assert_int_eq(dma_run(job, &seg, 1, POOL, &done), 0);
	ck_assert_uint_eq(n.last, POOL);
	seg.length = BLOCK;
	ck_assert_int_eq(dma_run(job, &seg, 1, 0, &done), 0);
	ck_assert_uint_eq(n.last, POOL + BLOCK);
	dma_close(job);
	close(file);
	free(mem);
}
END_TEST

/* What arrives right after a report is told soon, though nothing follows. */
START_TEST(late_progress)
{
	struct dma_options opt = options(engines[_i], PINFS_FROM_DEVICE);
	struct runner r;
	int near, far;

	stream_pair(PIPE, PINFS_FROM_DEVICE, &near, &far);
	runner_open(&r, &opt, near);
	ck_assert_int_eq(write(far, "abc", 3), 3);
	runner_start(&r);
	await_progress(&r);
	ck_assert_int_eq(write(far, "def", 3), 3);
	await_progress(&r);
	cancel_and_join(&r);
	ck_assert_uint_eq(r.done, 6);
	runner_close(&r);
	close(near);
	close(far);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dma_time");

	add_test(s, "cancel_empty", cancel_empty, ENGINES);
	add_test(s, "cancel_full", cancel_full, ENGINES);
	add_test(s, "cancel_hold", cancel_hold, ENGINES);
	add_test(s, "cancel_first", cancel_first, ENGINES);
	add_test(s, "cancel_anywhere", cancel_anywhere, ENGINES);
	add_test(s, "cancel_later_thread", cancel_later_thread, ENGINES);
	if (SIGNALS_COME)
		add_test(s, "survives_signals", survives_signals, ENGINES);
	else
		puts("survives_signals is skipped: ThreadSanitizer keeps "
		     "signals back from a thread that waits for I/O");
	add_test(s, "latency", latency, ENGINES);
	add_test(s, "depth", depth, ENGINES);
	add_test(s, "jitter", jitter, ENGINES);
	add_test(s, "bandwidth", bandwidth, ENGINES);
	add_test(s, "progress", progress, ENGINES);
	add_test(s, "late_progress", late_progress, ENGINES);
	return run_suite(s);
}
