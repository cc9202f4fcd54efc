// SPDX-License-Identifier: BSD-3-Clause
#include "background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

static int ready_fd = -1; /* main thread only */

/* A byte: it is live. The end of file: it has ended, and has said why. */
static void wait_for_child(int fd, pid_t child)
{
	int status = 0;
	ssize_t n;
	char c;

	do {
		n = read(fd, &c, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(EXIT_SUCCESS);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		log_error("ended by signal %d before the mount was live",
			  WTERMSIG(status));
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		_exit(WEXITSTATUS(status));
	_exit(EXIT_FAILURE);
}

int background_start(void)
{
	int fd[2], err;
	pid_t child;

	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	child = fork();
	if (child < 0) {
		err = -errno;
		close(fd[0]);
		close(fd[1]);
		return err;
	}
	if (child > 0) {
		close(fd[1]);
		wait_for_child(fd[0], child);
	}
	close(fd[0]);
	ready_fd = fd[1];
	setsid();
	return 0;
}

int background_ready(void)
{
	int null, i, err = 0;

	if (ready_fd < 0)
		return 0;
	/* What is mounted from here is not to keep a directory busy. */
	if (chdir("/"))
		log_warn("cannot leave the working directory");
	log_to_syslog();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (i = 0; null >= 0 && i <= STDERR_FILENO; i++)
		dup2(null, i);
	if (null > STDERR_FILENO)
		close(null);
	if (write(ready_fd, "", 1) != 1)
		err = -EPIPE;
	close(ready_fd);
	ready_fd = -1;
	return err;
}
