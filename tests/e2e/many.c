// SPDX-License-Identifier: BSD-3-Clause
/*
 * many - so many operations deferred at once (L9)
 *
 *   many files COUNT DIR    a pin set and a waiting truncate on each of COUNT files
 *   many breaks COUNT DIR   COUNT inserts that wait for one pin set of one file
 *
 * When all of them wait, it does things with other files, then ends the pin
 * sets and sees that all complete, in order (L4, L8). Prints a JSON object:
 * the processor time that an operation on another file took the daemon before
 * and meanwhile (creating, writing, reading and unlinking it, in the cheapest of
 * the rounds: what else the machine does is not in it), and by how much the
 * daemon's memory grew for each waiting operation. Knows when an operation waits
 * from the event stream, so it must be the mount's owner or root.
 *
 * Exit code 0: as it should be, 1: not.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "wire/pinfs_ioctl.h"

#define BLOCK	     4096
#define THREAD_STACK (64 << 10)
#define ROUNDS	     9
#define OPS	     200

struct victim {
	char path[4096];
	int fd;
	uint64_t ino;
	struct pinfs_ioc_pin_begin set;
	pthread_t thread;
	int result; /* errno of the operation that waited */
};

static struct victim *victim;
static unsigned int count;
static int dir = -1;

/* --- the event stream ------------------------------------------------------------- */

static struct pinfs_ioc_trace page;
static uint32_t at; /* next event of the page */

static void trace_open(void)
{
	if (ioctl(dir, PINFS_IOC_TRACE, &page))
		err(1, "PINFS_IOC_TRACE");
	at = page.count;
}

static const struct pinfs_ioc_event *next_event(void)
{
	if (at == page.count) {
		page.lost = 0;
		if (ioctl(dir, PINFS_IOC_TRACE, &page))
			err(1, "PINFS_IOC_TRACE");
		if (page.lost)
			errx(1, "%llu events were lost",
			     (unsigned long long)page.lost);
		at = 0;
	}
	return &page.event[at++];
}

/* await_events - until n of this kind have come; order: their inodes or ids */
static void await_events(enum pinfs_event kind, unsigned int n, uint64_t *order,
			 int by_id)
{
	unsigned int got = 0;

	while (got < n) {
		const struct pinfs_ioc_event *ev = next_event();

		if (ev->kind != kind)
			continue;
		if (order)
			order[got] = by_id ? ev->id : ev->ino;
		got++;
	}
}

/* --- pin sets --------------------------------------------------------------------- */

static void make_file(struct victim *v, const char *name, unsigned int i)
{
	char block[BLOCK];
	struct stat st;

	memset(block, 'x', sizeof(block));
	snprintf(v->path, sizeof(v->path), "%s/v%u", name, i);
	v->fd = open(v->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (v->fd < 0 || write(v->fd, block, BLOCK) != BLOCK ||
	    fstat(v->fd, &st))
		err(1, "%s", v->path);
	v->ino = st.st_ino;
}

static void pin(struct victim *v)
{
	static struct pinfs_ioc_pin_extend ext;

	v->set.direction = PINFS_TO_DEVICE;
	if (ioctl(v->fd, PINFS_IOC_PIN_BEGIN, &v->set))
		err(1, "%s: PINFS_IOC_PIN_BEGIN", v->path);
	memset(&ext, 0, sizeof(ext));
	ext.id = v->set.id;
	ext.key = v->set.key;
	ext.length = BLOCK;
	if (ioctl(v->fd, PINFS_IOC_PIN_EXTEND, &ext))
		err(1, "%s: PINFS_IOC_PIN_EXTEND", v->path);
}

static void unpin(struct victim *v)
{
	struct pinfs_ioc_pin_end end = { .id = v->set.id, .key = v->set.key };

	if (ioctl(v->fd, PINFS_IOC_PIN_END, &end))
		err(1, "%s: PINFS_IOC_PIN_END", v->path);
}

/* --- what the daemon takes, in memory and time ------------------------------------------- */

static long daemon_kib(void)
{
	struct pinfs_ioc_info info;
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	if (ioctl(dir, PINFS_IOC_INFO, &info))
		err(1, "PINFS_IOC_INFO");
	snprintf(path, sizeof(path), "/proc/%u/status", info.daemon_pid);
	f = fopen(path, "re");
	if (!f)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	fclose(f);
	return kib;
}

/* daemon_cpu - the clock of the processor time that the daemon has used */
static clockid_t daemon_cpu(void)
{
	struct pinfs_ioc_info info;
	clockid_t clock;

	if (ioctl(dir, PINFS_IOC_INFO, &info))
		err(1, "PINFS_IOC_INFO");
	errno = clock_getcpuclockid((pid_t)info.daemon_pid, &clock);
	if (errno)
		err(1, "the daemon's clock");
	return clock;
}

static double now(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		err(1, "the daemon's clock");
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void one_operation(const char *path)
{
	char block[BLOCK] = "other";
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

	if (fd < 0 || pwrite(fd, block, BLOCK, 0) != BLOCK ||
	    pread(fd, block, BLOCK, 0) != BLOCK || close(fd) || unlink(path))
		err(1, "%s", path);
}

/* operation_ns - that an operation on another file costs the daemon */
static double operation_ns(const char *name)
{
	clockid_t clock = daemon_cpu();
	char path[4096];
	double best = 0;

	snprintf(path, sizeof(path), "%s/other", name);
	for (int i = 0; i < ROUNDS; i++) {
		double ns = now(clock);

		for (int n = 0; n < OPS; n++)
			one_operation(path);
		ns = (now(clock) - ns) / OPS;
		if (i == 0 || ns < best)
			best = ns;
	}
	return best;
}

/* --- the two scenes ------------------------------------------------------------------ */

static void *cut(void *arg)
{
	struct victim *v = arg;

	v->result = truncate(v->path, 0) ? errno : 0;
	return NULL;
}

static void *insert(void *arg)
{
	struct pinfs_ioc_range range = { .length = BLOCK };
	struct victim *v = arg;

	v->result = ioctl(v->fd, PINFS_IOC_INSERT, &range) ? errno : 0;
	return NULL;
}

static void start(struct victim *v, void *(*fn)(void *arg))
{
	pthread_attr_t attr;
	int e;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	e = pthread_create(&v->thread, &attr, fn, v);
	pthread_attr_destroy(&attr);
	if (e) {
		errno = e;
		err(1, "thread");
	}
}

/* start_all - they wait when this returns; prints what they cost */
static void start_all(const char *name, void *(*fn)(void *arg))
{
	double before, meanwhile;
	long kib;

	before = operation_ns(name);
	kib = daemon_kib();
	trace_open();
	for (unsigned int i = 0; i < count; i++)
		start(&victim[i], fn);
	await_events(PINFS_EVENT_BREAK_WAITING, count, NULL, 0);
	kib = daemon_kib() - kib;
	meanwhile = operation_ns(name);
	printf("{\"waiting\": %u, \"before_ns\": %.0f, \"meanwhile_ns\": %.0f, "
	       "\"ratio\": %.3f, \"bytes_each\": %ld}\n",
	       count, before, meanwhile, meanwhile / before,
	       kib * 1024 / (long)count);
}

static void join_all(void)
{
	for (unsigned int i = 0; i < count; i++) {
		pthread_join(victim[i].thread, NULL);
		if (victim[i].result)
			errx(1, "operation %u: %s", i,
			     strerror(victim[i].result));
	}
}

static void many_files(const char *name, uint64_t *order)
{
	struct stat st;

	for (unsigned int i = 0; i < count; i++) {
		make_file(&victim[i], name, i);
		pin(&victim[i]);
	}
	start_all(name, cut);
	for (unsigned int i = 0; i < count; i++)
		unpin(&victim[i]);
	await_events(PINFS_EVENT_BREAK_RUNNING, count, order, 0);
	join_all();
	for (unsigned int i = 0; i < count; i++) {
		if (order[i] != victim[i].ino)
			errx(1,
			     "truncate %u was not the one whose DMA ended "
			     "then",
			     i);
		if (fstat(victim[i].fd, &st) || st.st_size != 0)
			errx(1, "%s: %lld bytes", victim[i].path,
			     (long long)st.st_size);
	}
}

static void many_breaks(const char *name, uint64_t *order)
{
	struct stat st;

	make_file(&victim[0], name, 0);
	pin(&victim[0]);
	for (unsigned int i = 1; i < count; i++)
		victim[i].fd = victim[0].fd;
	start_all(name, insert);
	unpin(&victim[0]);
	await_events(PINFS_EVENT_BREAK_RUNNING, count, order, 1);
	join_all();
	for (unsigned int i = 1; i < count; i++)
		if (order[i] <= order[i - 1])
			errx(1, "break %llu ran after %llu (L4)",
			     (unsigned long long)order[i],
			     (unsigned long long)order[i - 1]);
	if (fstat(victim[0].fd, &st) ||
	    st.st_size != (off_t)(count + 1) * BLOCK)
		errx(1, "%s: %lld bytes", victim[0].path,
		     (long long)st.st_size);
}

int main(int argc, char **argv)
{
	struct rlimit files;
	uint64_t *order;

	if (argc != 4 || sscanf(argv[2], "%u", &count) != 1 || count == 0) {
		fprintf(stderr, "usage: many files|breaks COUNT DIR\n");
		return 2;
	}
	victim = calloc(count, sizeof(*victim));
	order = calloc(count, sizeof(*order));
	files.rlim_cur = files.rlim_max = count + 64;
	if (!victim || !order || setrlimit(RLIMIT_NOFILE, &files))
		err(1, "%u files", count);
	dir = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		err(1, "%s", argv[3]);
	if (!strcmp(argv[1], "files"))
		many_files(argv[3], order);
	else
		many_breaks(argv[3], order);
	return 0;
}
