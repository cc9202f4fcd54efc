// SPDX-License-Identifier: BSD-3-Clause
/*
 * storm - do anything at all with the files of a mount, and look at the bytes
 *
 *   storm [--seed N] [--seconds S] [--procs P] [--files F] [--limit S]
 *         [--truncate-ms MS] MNT [SLOWDEV]
 *
 * Exit code 0: all is well; 1: a guarantee is broken, and it says which, or an
 * operation has not come back; 2: bad usage.
 */
#include "storm.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

/* --- for all processes ------------------------------------------------------- */

void broken(const struct proc *p, const char *fmt, ...)
{
	char text[512];
	va_list args;
	int n;

	n = snprintf(text, sizeof(text),
		     "storm: seed %" PRIu64 ": process %u: ", p->st->seed,
		     p->index);
	va_start(args, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, args);
	va_end(args);
	p->st->shared->stop = 1;
	fprintf(stderr, "%s\n", text); /* in one piece */
	_exit(1);
}

uint64_t now_us(void)
{
	return now_ns() / 1000;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t draw(struct proc *p, uint64_t below)
{
	return next_random(&p->random) % below;
}

bool chance(struct proc *p, unsigned int percent)
{
	return draw(p, 100) < percent;
}

uint64_t draw_sectors(struct proc *p, uint64_t most)
{
	return (1 + draw(p, most / SECTOR)) * SECTOR;
}

struct proc *proc_new(struct storm *st, unsigned int index)
{
	struct proc *p = calloc(1, sizeof(*p));

	if (!p || posix_memalign((void **)&p->buf, BLOCK, BUF_SIZE)) {
		fprintf(stderr, "storm: out of memory\n");
		exit(1);
	}
	p->st = st;
	p->index = index;
	p->random = st->seed ^ (uint64_t)index << 32;
	return p;
}

pid_t proc_run(struct storm *st, unsigned int index, void (*fn)(struct proc *))
{
	pid_t pid = fork();

	if (pid < 0)
		fprintf(stderr, "storm: fork: %s\n", strerror(errno));
	if (pid != 0)
		return pid > 0 ? pid : 0;
	/* Its parent stands for it: who ends that, ends it. */
	fn(proc_new(st, index));
	_exit(0);
}

/* --- the storm --------------------------------------------------------------- */

static void rage(struct proc *p)
{
	ops_catch_signals();
	while (!p->st->shared->stop)
		ops_one(p);
}

/* stuck - a process whose operation has taken longer than any may, or -1 */
static int stuck(const struct storm *st)
{
	uint64_t now = now_ns();

	for (unsigned int i = 0; i < st->procs; i++) {
		uint64_t since = st->shared->slot[i].since_ns;

		if (since && now > since &&
		    (now - since) / NSEC_PER_SEC >= st->limit_s)
			return (int)i;
	}
	return -1;
}

struct crowd {
	pid_t pid[PROCS_MAX];
	unsigned int live;
	int failed;
};

static void reap(struct storm *st, struct crowd *c)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned int i = 0; i < st->procs; i++)
			if (c->pid[i] == pid)
				c->pid[i] = 0;
		c->live--;
		if (status == 0)
			continue;
		st->shared->stop = 1;
		c->failed = 1;
		if (WIFSIGNALED(status))
			fprintf(stderr,
				"storm: seed %" PRIu64
				": a process died of signal %d\n",
				st->seed, WTERMSIG(status));
	}
}

static void give_up(struct storm *st, struct crowd *c, int who)
{
	const struct slot *s = &st->shared->slot[who];

	fprintf(stderr,
		"storm: seed %" PRIu64 ": process %d: %s has not come "
		"back for %u s (L5, L8)\n",
		st->seed, who + 1, s->what, st->limit_s);
	for (unsigned int i = 0; i < st->procs; i++)
		if (c->pid[i])
			kill(c->pid[i], SIGKILL);
	exit(1);
}

/* watch - until all have ended, which they begin to when the time is over */
static void watch(struct storm *st, struct crowd *c)
{
	uint64_t end = now_ns() + st->seconds * NSEC_PER_SEC;
	const struct timespec a_while = { .tv_nsec = 100000000 };
	sigset_t child;
	int who;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	while (c->live) {
		(void)sigtimedwait(&child, NULL, &a_while);
		reap(st, c);
		if (now_ns() >= end)
			st->shared->stop = 1;
		who = stuck(st);
		if (who >= 0)
			give_up(st, c, who);
	}
}

static int run(struct storm *st)
{
	struct crowd c = { .live = 0 };

	for (unsigned int i = 0; i < st->procs; i++) {
		c.pid[i] = proc_run(st, i + 1, rage);
		c.live += c.pid[i] != 0;
	}
	watch(st, &c);
	ops_report(st);
	return c.failed;
}

static int check_all(struct storm *st)
{
	struct proc *p = proc_new(st, 0);

	ops_check_all(p);
	free(p->buf);
	free(p);
	return 0;
}

/* --- beginning --------------------------------------------------------------- */

static int set_up(struct storm *st)
{
	int mnt = open(st->mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sigset_t child;

	if (mnt < 0 || (mkdirat(mnt, "storm", 0755) && errno != EEXIST)) {
		fprintf(stderr, "storm: %s: %s\n", st->mnt, strerror(errno));
		return -1;
	}
	st->dir = openat(mnt, "storm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	st->shared = mmap(NULL, sizeof(*st->shared), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	close(mnt);
	if (st->dir < 0 || st->shared == MAP_FAILED) {
		perror("storm");
		return -1;
	}
	st->epoch = (uint64_t)time(NULL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	return 0;
}

static int usage(FILE *to)
{
	fprintf(to, "usage: storm [--seed N] [--seconds S] [--procs P] "
		    "[--files F] [--limit S]\n"
		    "             [--truncate-ms MS] MNT [SLOWDEV]\n");
	return 2;
}

static int take_options(struct storm *st, int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 's' },
		{ "procs", required_argument, NULL, 'p' },
		{ "files", required_argument, NULL, 'f' },
		{ "limit", required_argument, NULL, 'l' },
		{ "truncate-ms", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned long long n = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (c) {
		case 'r':
			st->seed = n;
			break;
		case 's':
			st->seconds = (unsigned int)n;
			break;
		case 'p':
			st->procs = (unsigned int)n;
			break;
		case 'f':
			st->files = (unsigned int)n;
			break;
		case 'l':
			st->limit_s = (unsigned int)n;
			break;
		case 't':
			st->truncate_ms = (unsigned int)n;
			break;
		default:
			return usage(stderr);
		}
	}
	if (argc - optind < 1 || argc - optind > 2 || !st->files ||
	    !st->procs || st->procs >= PROCS_MAX)
		return usage(stderr);
	st->mnt = argv[optind];
	st->slowdev = argv[optind + 1];
	return 0;
}

int main(int argc, char **argv)
{
	struct storm st = {
		.seed = (uint64_t)time(NULL),
		.seconds = 10,
		.procs = 16,
		.files = 6,
		.limit_s = 30,
		.truncate_ms = 2000,
	};
	int err = take_options(&st, argc, argv);

	if (err)
		return err;
	if (set_up(&st))
		return 1;
	printf("seed %" PRIu64 "\n", st.seed);
	fflush(stdout);
	err = starve(&st);
	if (!err)
		err = run(&st);
	if (!err)
		err = check_all(&st);
	return err;
}
