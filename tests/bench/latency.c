// SPDX-License-Identifier: BSD-3-Clause
/*
 * latency - how long single operations take, the slowest ones too
 *
 *   latency [-w N] [-n N] DIR TITLE
 *
 * One thread reads and writes 4 KiB of a file past the page cache, asks the server
 * for a file's attributes, and creates a file, in turn, -n times each. Prints a
 * line of a table for each: median, 99th percentile, 99.9th, longest, in
 * microseconds, by the clock. With -w, N truncates wait meanwhile, each for the pin
 * set of a file of its own. What else is to go on is the caller's business.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pinfs.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "wire/pinfs_ioctl.h"

#define BLOCK	     4096
#define FILE_BLOCKS  16384 /* 64 MiB */
#define THREAD_STACK (64 << 10)

static const char *dir;
static unsigned int count = 20000;

/* --- what waits --------------------------------------------------------------------- */

struct waiter {
	char path[4096];
	int fd;
	pinfs_pin *set;
	pthread_t thread;
	int result; /* errno of the truncate */
};

static struct waiter *waiter;
static unsigned int waiters;

/* must - what libpinfs returned for this waiter's file */
static void must(const struct waiter *w, int result)
{
	if (result < 0)
		errx(1, "%s: pin set: %s", w->path, strerror(-result));
}

static void *cut(void *arg)
{
	struct waiter *w = arg;

	w->result = truncate(w->path, 0) ? errno : 0;
	return NULL;
}

static void start(struct waiter *w, unsigned int i)
{
	static const char block[BLOCK] = "pinned";
	pthread_attr_t attr;

	snprintf(w->path, sizeof(w->path), "%s/waiter%u", dir, i);
	w->fd = open(w->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (w->fd < 0 || write(w->fd, block, BLOCK) != BLOCK)
		err(1, "%s", w->path);
	must(w, pinfs_pin_begin(w->fd, PINFS_PIN_TO_DEVICE, 0, &w->set));
	must(w, pinfs_pin_extend(w->set, w->fd, 0, BLOCK));
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	errno = pthread_create(&w->thread, &attr, cut, w);
	if (errno)
		err(1, "thread");
	pthread_attr_destroy(&attr);
}

/* await_waiting - read the event stream, which is open, until all of them wait */
static void await_waiting(int fd, struct pinfs_ioc_trace *page)
{
	unsigned int waiting = 0;

	while (waiting < waiters) {
		if (ioctl(fd, PINFS_IOC_TRACE, page))
			err(1, "PINFS_IOC_TRACE");
		if (page->lost)
			errx(1, "events were lost");
		for (uint32_t i = 0; i < page->count; i++)
			waiting += page->event[i].kind ==
				   PINFS_EVENT_BREAK_WAITING;
	}
}

static void start_waiters(void)
{
	static struct pinfs_ioc_trace page;
	struct rlimit files = { waiters + 64, waiters + 64 };
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || setrlimit(RLIMIT_NOFILE, &files))
		err(1, "%s", dir);
	waiter = calloc(waiters, sizeof(*waiter));
	if (!waiter)
		err(1, "memory");
	if (ioctl(fd, PINFS_IOC_TRACE, &page)) /* from now on */
		err(1, "PINFS_IOC_TRACE");
	for (unsigned int i = 0; i < waiters; i++)
		start(&waiter[i], i);
	await_waiting(fd, &page);
	close(fd);
}

/* end_waiters - all of them still waited, or the figures are of something else */
static void end_waiters(void)
{
	struct pinfs_ioc_stats stats;

	if (ioctl(waiter[0].fd, PINFS_IOC_STATS, &stats))
		err(1, "PINFS_IOC_STATS");
	if (stats.breaks_waiting != waiters)
		errx(1, "%llu wait, not %u",
		     (unsigned long long)stats.breaks_waiting, waiters);
	for (unsigned int i = 0; i < waiters; i++) {
		struct waiter *w = &waiter[i];

		must(w, pinfs_pin_end(w->set, PINFS_ALL));
		pthread_join(w->thread, NULL);
		if (w->result)
			errx(1, "%s: %s", w->path, strerror(w->result));
		close(w->fd);
		unlink(w->path);
	}
	free(waiter);
}

/* --- what is measured ---------------------------------------------------------------- */

static int file = -1;
static char *buf;
static char file_path[4096], new_path[4096];

static off_t random_block(void)
{
	static uint64_t x = 1;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (off_t)(x % FILE_BLOCKS * BLOCK);
}

static void read_one(void)
{
	if (pread(file, buf, BLOCK, random_block()) != BLOCK)
		err(1, "read");
}

static void write_one(void)
{
	if (pwrite(file, buf, BLOCK, random_block()) != BLOCK)
		err(1, "write");
}

static void stat_one(void)
{
	struct statx st;

	/* Else the kernel would answer from what it remembers. */
	if (statx(AT_FDCWD, file_path, AT_STATX_FORCE_SYNC, STATX_ALL, &st))
		err(1, "statx");
}

static void create_one(void)
{
	int fd = open(new_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		err(1, "create");
	close(fd);
}

static void uncreate(void)
{
	if (unlink(new_path))
		err(1, "unlink");
}

/* --- and what the machine itself takes to wake a thread up, twice ------------------- */

static int there[2], back[2];

static void *echo(void *arg)
{
	char c;

	while (read(there[0], &c, 1) == 1)
		if (write(back[1], &c, 1) != 1)
			err(1, "pipe");
	return arg;
}

static void wake_one(void)
{
	char c = 0;

	if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
		err(1, "pipe");
}

static void start_echo(void)
{
	pthread_t thread;

	if (pipe2(there, O_CLOEXEC) || pipe2(back, O_CLOEXEC))
		err(1, "pipe");
	errno = pthread_create(&thread, NULL, echo, NULL);
	if (errno)
		err(1, "thread");
	pthread_detach(thread);
}

static struct {
	const char *what;
	void (*fn)(void);
	void (*undo)(void); /* not timed */
	uint64_t *ns;
} ops[] = {
	{ "4 KiB read", read_one, NULL, NULL },
	{ "4 KiB write", write_one, NULL, NULL },
	{ "stat", stat_one, NULL, NULL },
	{ "create, close", create_one, uncreate, NULL },
	{ "*a byte to a thread and back*", wake_one, NULL, NULL },
};

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void prepare(void)
{
	buf = aligned_alloc(BLOCK, BLOCK);
	if (!buf)
		err(1, "memory");
	memset(buf, 'x', BLOCK);
	snprintf(file_path, sizeof(file_path), "%s/latency", dir);
	snprintf(new_path, sizeof(new_path), "%s/latency.new", dir);
	file = open(file_path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
	if (file < 0)
		err(1, "%s", file_path);
	for (off_t at = 0; at < FILE_BLOCKS; at++)
		if (pwrite(file, buf, BLOCK, at * BLOCK) != BLOCK)
			err(1, "%s", file_path);
	for (size_t k = 0; k < ARRAY_SIZE(ops); k++) {
		ops[k].ns = calloc(count, sizeof(*ops[k].ns));
		if (!ops[k].ns)
			err(1, "memory");
	}
}

static void measure(void)
{
	for (unsigned int i = 0; i < count; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(ops); k++) {
			uint64_t begun = now_ns();

			ops[k].fn();
			ops[k].ns[i] = now_ns() - begun;
			if (ops[k].undo)
				ops[k].undo();
		}
	}
}

/* us - the p-th part of sorted figures, in microseconds */
static double us(const uint64_t *ns, double p)
{
	size_t at = (size_t)(p * count);

	return (double)ns[at < count ? at : count - 1] / 1000;
}

static void tell(const char *title)
{
	for (size_t k = 0; k < ARRAY_SIZE(ops); k++) {
		uint64_t *ns = ops[k].ns;

		qsort(ns, count, sizeof(*ns), by_value);
		printf("| %s | %s | %.0f | %.0f | %.0f | %.0f |\n", ops[k].what,
		       title, us(ns, 0.5), us(ns, 0.99), us(ns, 0.999),
		       us(ns, 1));
	}
}

int main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "w:n:")) != -1) {
		if ((c == 'w' && sscanf(optarg, "%u", &waiters) == 1) ||
		    (c == 'n' && sscanf(optarg, "%u", &count) == 1 && count))
			continue;
		fprintf(stderr, "usage: latency [-w N] [-n N] DIR TITLE\n");
		return 2;
	}
	if (argc - optind != 2) {
		fprintf(stderr, "usage: latency [-w N] [-n N] DIR TITLE\n");
		return 2;
	}
	dir = argv[optind];
	prepare();
	start_echo();
	if (waiters)
		start_waiters();
	measure();
	if (waiters)
		end_waiters();
	tell(argv[optind + 1]);
	return 0;
}
