// SPDX-License-Identifier: BSD-3-Clause
/*
 * L4: a constant stream of DMA on a file, never a moment without, cannot starve
 * a truncate of it. L5: nor does a DMA that goes on to pin, while a truncate waits
 * for what it has pinned, wait for that.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storm.h"

#define STREAMS	  8u
#define TRUNCATES 4u
#define HOLD_MS	  30u
#define LENGTH	  (256u << 10)

static int open_file(const struct storm *st)
{
	return openat(st->dir, "starve", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static void stream(struct proc *p)
{
	struct target t = { .fd = open_file(p->st) };

	if (t.fd < 0)
		broken(p, "starve: %s", strerror(errno));
	while (!p->st->shared->stop) {
		p->st->shared->done[p->index - 1]++;
		if (dma_hold(p, &t, LENGTH, HOLD_MS + p->index, p->index % 2) ==
		    DONE)
			sem_post(&p->st->shared->stream);
	}
	target_close(&t);
}

/* truncate_once - for no longer than it may take, and say how long, ms */
static uint64_t truncate_once(struct proc *p, int fd, unsigned int round)
{
	unsigned int most = p->st->truncate_ms;
	struct itimerval when = {
		.it_value = { most / 1000 + 1, 0 },
		.it_interval = { 1, 0 },
	};
	uint64_t began = now_us();

	setitimer(ITIMER_REAL, &when, NULL);
	if (ftruncate(fd, round % 2 ? 0 : 2 * LENGTH) && errno != EINTR)
		broken(p, "truncate in a stream of DMA: %s", strerror(errno));
	memset(&when, 0, sizeof(when));
	setitimer(ITIMER_REAL, &when, NULL);
	return (now_us() - began) / 1000;
}

/* await_stream - until as many more DMAs are over as it has at a time */
static void await_stream(struct shared *sh)
{
	unsigned int n = 0;

	while (!sem_trywait(&sh->stream))
		;
	while (n < STREAMS && !sh->stop)
		n += sem_wait(&sh->stream) == 0;
}

/* The truncates, each in the midst of the stream. */
static void cut(struct proc *p)
{
	struct storm *st = p->st;
	int fd = open_file(st);
	uint64_t ms;

	ops_catch_signals();
	for (unsigned int i = 0; i < TRUNCATES; i++) {
		await_stream(st->shared);
		ms = truncate_once(p, fd, i);
		if (ms > st->truncate_ms)
			broken(p,
			       "a truncate in a stream of DMA took %llu ms, "
			       "not %u or less (L4)",
			       (unsigned long long)ms, st->truncate_ms);
	}
	close(fd);
}

int starve(struct storm *st)
{
	struct shared *sh = st->shared;
	int status, failed = 0;
	unsigned int live = 0;
	pid_t cutter, pid;

	sem_init(&sh->stream, 1, 0);
	for (unsigned int i = 0; i < STREAMS; i++)
		live += proc_run(st, i + 1, stream) != 0;
	cutter = proc_run(st, STREAMS + 1, cut);
	live += cutter != 0;
	while (live && (pid = wait(&status)) > 0) {
		live--;
		failed |= status != 0;
		if (pid == cutter || status)
			sh->stop = 1;
		sem_post(&sh->stream); /* nobody waits for those that ended */
	}
	memset((void *)sh->done, 0, sizeof(sh->done));
	sh->stop = 0;
	return failed;
}
