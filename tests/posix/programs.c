// SPDX-License-Identifier: BSD-3-Clause
/* Programs that are run from the mount. */
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "posix.h"

static void copy(const char *from, const char *to, mode_t mode)
{
	int in = FD(open(from, O_RDONLY)), out;
	char buf[65536];
	ssize_t n;

	out = FD(open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	while ((n = OK(read(in, buf, sizeof(buf)))) > 0)
		EQ(n, OK(write(out, buf, (size_t)n)));
	OK(fchmod(out, mode));
	OK(close(in));
	OK(close(out));
}

/* run - its exit status, or the errno of exec plus 1000 */
static int run(const char *path, const char *arg)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		execl(path, path, arg, NULL);
		_exit(errno == EACCES ? 201 : errno == ETXTBSY ? 202 : 203);
	}
	OK(waitpid(pid, &status, 0));
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void run_at_all(void)
{
	int fd;

	copy("/bin/true", "true", 0755);
	copy("/bin/false", "false", 0700);
	EQ(0, run("./true", NULL));
	EQ(1, run("./false", NULL));
	OK(chmod("true", 0644));
	EQ(201, run("./true", NULL));
	AS(ALICE)
	{
		EQ(201, run("./false", NULL));
	}
	make_file("script", 0755, 0);
	fd = FD(open("script", O_WRONLY));
	EQ(20, OK(write(fd, "#!/bin/sh\nexit $1\n\n\n", 20)));
	OK(close(fd));
	EQ(7, run("./script", "7"));
	OK(mkdir("d", 0755));
	EQ(201, run("./d", NULL));
}

static void busy(void)
{
	int fd, p[2];
	pid_t pid;

	copy("/bin/cat", "cat", 0755);
	fd = FD(open("cat", O_WRONLY));
	EQ(202, run("./cat", "/dev/null")); /* open for writing */
	OK(close(fd));
	EQ(0, run("./cat", "/dev/null"));
	OK(pipe2(p, 0));
	fflush(NULL);
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		OK(dup2(p[0], 0));
		close(p[1]);
		execl("./cat", "cat", NULL);
		_exit(1);
	}
	/* It runs once it has read what we wrote: then the pipe is empty. */
	OK(close(p[0]));
	EQ(1, OK(write(p[1], "\n", 1)));
	for (;;) {
		char path[64], exe[256] = "";

		snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
		if (readlink(path, exe, sizeof(exe) - 1) > 0 &&
		    strstr(exe, "/cat"))
			break;
		OK(usleep(1000));
	}
	ERR(ETXTBSY, open("cat", O_WRONLY));
	ERR(ETXTBSY, truncate("cat", 0));
	OK(open("cat", O_RDONLY));
	OK(unlink("cat")); /* which is no writing */
	OK(close(p[1]));
	OK(waitpid(pid, NULL, 0));
}

/* what_id_says - as whom ./id runs for Alice, by its option */
static long what_id_says(const char *option)
{
	char said[32] = "";
	int p[2];

	OK(pipe(p));
	AS(ALICE)
	{
		OK(dup2(p[1], 1));
		EQ(0, run("./id", option));
	}
	OK(read(p[0], said, sizeof(said) - 1));
	return atol(said);
}

static void set_ids(void)
{
	struct statvfs st;
	bool honoured;

	copy("/usr/bin/id", "id", 0755);
	OK(chown("id", BOB_ID, BOB_ID));
	OK(chmod("id", 06755));
	OK(statvfs("id", &st));
	honoured = !(st.f_flag & ST_NOSUID);
	EQ(honoured ? BOB_ID : ALICE_ID, what_id_says("-u"));
	EQ(honoured ? BOB_ID : ALICE_ID, what_id_says("-g"));
	EQ(ALICE_ID, what_id_says("-ru"));
}

const struct posix_case programs_cases[] = {
	CASE(run_at_all),
	CASE(busy),
	CASE(set_ids),
	NO_CASE,
};
