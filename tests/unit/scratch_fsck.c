// SPDX-License-Identifier: BSD-3-Clause
/* fsck.pinfs on the pool of a test. */
#include "scratch_fsck.h"

#include <check.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *fsck_program(void)
{
	static char path[PATH_MAX + 32];
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	ck_assert_int_gt(n, 0);
	self[n] = '\0';
	snprintf(path, sizeof(path), "%s/../fsck.pinfs", dirname(self));
	return path;
}

int scratch_fsck_run(const char *option, const char *pool, char *out,
		     size_t size)
{
	const char *program = fsck_program();
	int fds[2], status;
	size_t have = 0;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execl(program, "fsck.pinfs", option, pool, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	while ((n = read(fds[0], out + have, size - 1 - have)) > 0)
		have += (size_t)n;
	out[have] = '\0';
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "killed by %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

int scratch_fsck_codes(const char *pool, char *text, size_t size)
{
	static char out[1 << 20];
	int code = scratch_fsck_run("--json", pool, out, sizeof(out));
	json_t *o, *value;
	const char *name;
	json_error_t e;

	o = json_loads(out, 0, &e);
	ck_assert_msg(o != NULL, "%s: %s", e.text, out);
	ck_assert(json_is_true(json_object_get(o, "complete")));
	text[0] = '\0';
	json_object_foreach(json_object_get(o, "counts"), name, value)
	{
		strncat(text, text[0] ? " " : "", size - strlen(text) - 1);
		strncat(text, name, size - strlen(text) - 1);
	}
	json_decref(o);
	return code;
}

void scratch_fsck(enum scratch_kind kind)
{
	static char out[1 << 20];
	int code;

	code = scratch_fsck_run("-n", scratch_path(kind, "pool"), out,
				sizeof(out));
	ck_assert_msg(!code, "%d: %s", code, out);
}
