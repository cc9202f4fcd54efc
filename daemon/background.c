// SPDX-License-Identifier: BSD-3-Clause
#include "background.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

#define BY_SIGNAL 128 /* added to its number, in an exit status */

static int ready_fd = -1; /* main thread only */

static int await_end(pid_t child)
{
	int status = 0;

	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? BY_SIGNAL + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

/* A byte: it is live. The end of file: it has ended, and has said why. */
static void wait_for_child(int fd, pid_t child)
{
	int status;
	ssize_t n;
	char c;

	do {
		n = read(fd, &c, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(EXIT_SUCCESS);
	status = await_end(child);
	if (status > BY_SIGNAL)
		log_error("ended by signal %d before the mount was live",
			  status - BY_SIGNAL);
	_exit(status && status < BY_SIGNAL ? status : EXIT_FAILURE);
}

/* leave_terminal - what is started from here keeps nothing of it busy */
static void leave_terminal(void)
{
	int null, i;

	if (chdir("/"))
		log_warn("cannot leave the working directory");
	log_to_syslog();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (i = 0; null >= 0 && i <= STDERR_FILENO; i++)
		dup2(null, i);
	if (null > STDERR_FILENO)
		close(null);
}

/*
 * watch - until the daemon ends, and say so if nobody else can: one that was killed
 * leaves a mount on which all says "not connected", and no word of why
 */
static void watch(pid_t daemon, const char *mountpoint)
{
	int status;

	/* It ends with the daemon. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_NAME, "pinfsd-watch");
	leave_terminal();
	status = await_end(daemon);
	if (status > BY_SIGNAL)
		log_error("%s: the daemon, process %d, was ended by signal %d "
			  "(%s); run fusermount3 -u %s, then mount the pool "
			  "again: it recovers by itself",
			  mountpoint, (int)daemon, status - BY_SIGNAL,
			  strsignal(status - BY_SIGNAL), mountpoint);
	_exit(status);
}

/* split - the child goes on; the parent has its number */
static int split(pid_t *child)
{
	*child = fork();
	return *child < 0 ? -errno : 0;
}

int background_start(const char *mountpoint)
{
	pid_t child;
	int fd[2], err;

	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	err = split(&child);
	if (err) {
		close(fd[0]);
		close(fd[1]);
		return err;
	}
	if (child > 0) {
		close(fd[1]);
		wait_for_child(fd[0], child);
	}
	close(fd[0]);
	setsid();
	err = split(&child);
	if (!err && child > 0) {
		close(fd[1]);
		watch(child, mountpoint);
	}
	ready_fd = fd[1];
	return err;
}

int background_ready(void)
{
	int err = 0;

	if (ready_fd < 0)
		return 0;
	leave_terminal();
	if (write(ready_fd, "", 1) != 1)
		err = -EPIPE;
	close(ready_fd);
	ready_fd = -1;
	return err;
}
