// SPDX-License-Identifier: BSD-3-Clause
/* fsck.pinfs on the pool of a test. */
#include "scratch_fsck.h"

#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void scratch_fsck(enum scratch_kind kind)
{
	const char *pool = scratch_path(kind, "pool");
	char self[PATH_MAX], path[PATH_MAX + 16];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int status;
	pid_t pid;

	ck_assert_int_gt(n, 0);
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(path, sizeof(path), "%s/../fsck.pinfs", self);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		execl(path, "fsck.pinfs", "-n", pool, (char *)NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
