// SPDX-License-Identifier: BSD-3-Clause
/*
 * The signals' thread, and what a fault of the pool's memory comes to.
 *
 * SIGBUS means that the medium has failed, or that somebody cut the pool off.
 * Whoever ran into it may hold any lock, so that nothing can be finished: the
 * handler hands the address to the signals' thread, which needs none of these
 * locks, and that one says what has happened and ends the process. The pool is
 * as a crash would leave it, and that is something it recovers from (S3).
 */
#include "signals.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"

#define SIG_FAULT SIGRTMIN
#define SIG_END	  (SIGRTMIN + 1)

/* A process has one set of handlers. */
static struct {
	pthread_t thread;
	sigset_t set;
	void (*stop)(void *arg, int sig);
	void *arg;
	_Atomic(const struct pool *) pool;
} signals;

static const int stops[] = { SIGTERM, SIGINT, SIGHUP };

static void fault(const void *at)
{
	const struct pool *pool = atomic_load(&signals.pool);

	if (pool && pool_contains(pool, at))
		log_error("%s: the pool's memory failed at offset %" PRIu64
			  ": cut off, or a failure of its medium; run "
			  "fsck.pinfs before it is mounted again",
			  pool->path,
			  (uint64_t)((const uint8_t *)at - pool->base));
	else
		log_error("memory failed at %p, which is not the pool's", at);
	_exit(EXIT_FAILURE);
}

static void *take_signals(void *arg)
{
	siginfo_t si;

	(void)arg;
	for (;;) {
		if (sigwaitinfo(&signals.set, &si) < 0)
			continue;
		if (si.si_signo == SIG_FAULT)
			fault(si.si_value.sival_ptr);
		if (si.si_signo == SIG_END)
			return NULL;
		signals.stop(signals.arg, si.si_signo);
	}
}

static void on_fault(int sig, siginfo_t *si, void *context)
{
	union sigval at = { .sival_ptr = si->si_addr };

	(void)sig;
	(void)context;
	if (sigqueue(getpid(), SIG_FAULT, at))
		_exit(EXIT_FAILURE);
	for (;;)
		pause();
}

static int catch_faults(void)
{
	struct sigaction sa = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO,
	};

	sigfillset(&sa.sa_mask);
	return sigaction(SIGBUS, &sa, NULL) ? -errno : 0;
}

int signals_start(void (*stop)(void *arg, int sig), void *arg)
{
	size_t i;
	int err;

	signals.stop = stop;
	signals.arg = arg;
	sigemptyset(&signals.set);
	for (i = 0; i < ARRAY_SIZE(stops); i++)
		sigaddset(&signals.set, stops[i]);
	sigaddset(&signals.set, SIG_FAULT);
	sigaddset(&signals.set, SIG_END);
	/* Every thread inherits this: they come to sigwaitinfo() only. */
	pthread_sigmask(SIG_BLOCK, &signals.set, NULL);
	signal(SIGPIPE, SIG_IGN);
	err = catch_faults();
	if (err)
		return err;
	return -pthread_create(&signals.thread, NULL, take_signals, NULL);
}

void signals_watch(const struct pool *pool)
{
	atomic_store(&signals.pool, pool);
}

void signals_end(void)
{
	const union sigval none = { .sival_int = 0 };

	/* Queued behind those that came before. */
	if (sigqueue(getpid(), SIG_END, none))
		return;
	pthread_join(signals.thread, NULL);
}
