// SPDX-License-Identifier: BSD-3-Clause
/*
 * await - wait for what a shell cannot wait for without polling
 *
 *   await MS mount DIR PID   until something is mounted on DIR
 *   await MS exit PID        until the process is gone
 *
 * Exit code 0: it came about; 1: MS milliseconds passed without, or, for a
 * mount, the process PID that should make it is gone; 2: bad usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"

#define NSEC_PER_MSEC UINT64_C(1000000)

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "await: %s: %s\n", what, why);
	return 1;
}

/* The pid's descriptor, which becomes readable when the process ends. */
static int open_process(const char *pid)
{
	return (int)syscall(SYS_pidfd_open, atoi(pid), 0);
}

static int left_ms(uint64_t deadline)
{
	uint64_t now = now_ns();

	return now >= deadline ? 0 :
				 (int)((deadline - now) / NSEC_PER_MSEC) + 1;
}

static int await_exit(const char *pid, uint64_t deadline)
{
	struct pollfd p = { .fd = open_process(pid), .events = POLLIN };
	int n;

	if (p.fd < 0)
		return errno == ESRCH ? 0 : fail(pid, strerror(errno));
	do {
		n = poll(&p, 1, left_ms(deadline));
	} while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : fail(pid, "the process has not ended in time");
}

/*
 * Is dir a mount point?  Asks the kernel without asking the file system that
 * is mounted there, which may not answer.
 */
static int is_mounted(const char *dir, bool *mounted)
{
	struct statx stx;

	if (statx(AT_FDCWD, dir, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		  STATX_TYPE, &stx) != 0)
		return -errno;
	*mounted = stx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
	return 0;
}

static int await_mount(const char *dir, const char *pid, uint64_t deadline)
{
	struct pollfd p[2] = {
		/* The list of mounts says POLLPRI when it has changed. */
		{ .fd = open("/proc/self/mountinfo", O_RDONLY),
		  .events = POLLPRI },
		{ .fd = open_process(pid), .events = POLLIN },
	};
	bool mounted = false;
	int err, n = 1;

	if (p[0].fd < 0)
		return fail("mountinfo", strerror(errno));
	if (p[1].fd < 0)
		return fail(pid, "the process has ended");
	for (;;) {
		err = is_mounted(dir, &mounted);
		if (err)
			return fail(dir, strerror(-err));
		if (mounted)
			return 0;
		if (n == 0)
			return fail(dir, "not mounted in time");
		if (p[1].revents)
			return fail(pid, "the process ended without mounting");
		n = poll(p, 2, left_ms(deadline));
		if (n < 0 && errno != EINTR)
			return fail("poll", strerror(errno));
	}
}

int main(int argc, char **argv)
{
	uint64_t deadline;

	if (argc > 1)
		deadline =
			now_ns() + strtoull(argv[1], NULL, 10) * NSEC_PER_MSEC;
	if (argc == 4 && strcmp(argv[2], "exit") == 0)
		return await_exit(argv[3], deadline);
	if (argc == 5 && strcmp(argv[2], "mount") == 0)
		return await_mount(argv[3], argv[4], deadline);
	fprintf(stderr, "usage: await MS mount DIR PID | await MS exit PID\n");
	return 2;
}
