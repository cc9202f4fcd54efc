// SPDX-License-Identifier: BSD-3-Clause
/* Locks on files, leases, and events of them. */
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/wait.h>

#include "posix.h"

static int lock(int fd, int cmd, short type, off_t start, off_t len)
{
	struct flock l = { .l_type = type,
			   .l_whence = SEEK_SET,
			   .l_start = start,
			   .l_len = len };

	return fcntl(fd, cmd, &l);
}

static void whole_file(void)
{
	int a, b;

	make_file("f", 0644, 0);
	a = FD(open("f", O_RDONLY));
	b = FD(open("f", O_RDWR));
	OK(flock(a, LOCK_SH));
	OK(flock(b, LOCK_SH | LOCK_NB));
	ERR(EWOULDBLOCK, flock(a, LOCK_EX | LOCK_NB));
	OK(flock(b, LOCK_UN));
	OK(flock(a, LOCK_EX | LOCK_NB));
	ERR(EWOULDBLOCK, flock(b, LOCK_SH | LOCK_NB));
	CHILD /* has the same open file */
	{
		OK(flock(a, LOCK_EX | LOCK_NB));
		ERR(EWOULDBLOCK,
		    flock(FD(open("f", O_RDONLY)), LOCK_SH | LOCK_NB));
	}
	OK(close(a));
	OK(flock(b, LOCK_EX | LOCK_NB));
}

static void records(void)
{
	int fd, again;

	make_file("f", 0644, 100);
	fd = FD(open("f", O_RDWR));
	OK(lock(fd, F_SETLK, F_WRLCK, 0, 10));
	OK(lock(fd, F_SETLK, F_RDLCK, 20, 10));
	OK(lock(fd, F_SETLK, F_WRLCK, INT64_MAX, 0));
	CHILD
	{
		struct flock l = { .l_type = F_WRLCK,
				   .l_start = 5,
				   .l_len = 20 };
		int mine = FD(open("f", O_RDWR));

		ERR(EAGAIN, lock(mine, F_SETLK, F_RDLCK, 9, 1));
		ERR(EAGAIN, lock(mine, F_SETLK, F_WRLCK, 25, 1));
		ERR(EAGAIN, lock(mine, F_SETLK, F_WRLCK, INT64_MAX, 1));
		OK(lock(mine, F_SETLK, F_RDLCK, 25, 1));
		OK(lock(mine, F_SETLK, F_WRLCK, 10, 10));
		OK(fcntl(mine, F_GETLK, &l));
		EQ(F_WRLCK, l.l_type);
		EQ(getppid(), l.l_pid);
		EQ(0, l.l_start);
		EQ(10, l.l_len);
	}
	/* Split, and read where it was. */
	OK(lock(fd, F_SETLK, F_UNLCK, 4, 2));
	CHILD
	{
		int mine = FD(open("f", O_RDWR));

		OK(lock(mine, F_SETLK, F_WRLCK, 4, 2));
		ERR(EAGAIN, lock(mine, F_SETLK, F_WRLCK, 3, 1));
		ERR(EAGAIN, lock(mine, F_SETLK, F_WRLCK, 6, 1));
	}
	/* Closed is any descriptor of the file: gone are all locks. */
	again = FD(open("f", O_RDONLY));
	ERR(EBADF, lock(again, F_SETLK, F_WRLCK, 0, 1));
	ERR(EOVERFLOW, lock(fd, F_SETLK, F_RDLCK, INT64_MAX, 2));
	ERR(EINVAL, lock(fd, F_SETLK, F_RDLCK, -1, 2));
	OK(close(again));
	CHILD
	{
		OK(lock(FD(open("f", O_RDWR)), F_SETLK, F_WRLCK, 0, 0));
	}
}

static void open_file_descriptions(void)
{
	int a, b, c;

	make_file("f", 0644, 100);
	a = FD(open("f", O_RDWR));
	b = FD(open("f", O_RDWR));
	c = dup(a);
	OK(lock(a, F_OFD_SETLK, F_WRLCK, 0, 10));
	ERR(EAGAIN, lock(b, F_OFD_SETLK, F_RDLCK, 0, 1));
	ERR(EAGAIN, lock(b, F_SETLK, F_RDLCK, 0, 1)); /* of the same process */
	OK(lock(b, F_OFD_SETLK, F_WRLCK, 10, 10));
	OK(close(FD(open("f", O_RDWR)))); /* which takes none away */
	OK(close(a));
	ERR(EAGAIN, lock(b, F_OFD_SETLK, F_RDLCK, 0, 1));
	OK(close(c));
	OK(lock(b, F_OFD_SETLK, F_RDLCK, 0, 1));
}

/* until_it_waits - the kernel lists those who wait for a lock with an arrow */
static void until_it_waits(pid_t pid)
{
	char line[256], want[32];
	bool found = false;
	FILE *f;

	snprintf(want, sizeof(want), " %d ", (int)pid);
	while (!found) {
		f = fopen("/proc/locks", "r");
		CHECK(f);
		while (fgets(line, sizeof(line), f))
			found |= strstr(line, "-> POSIX") && strstr(line, want);
		fclose(f);
		sched_yield();
	}
}

/* Who waits gets it when it is let go; and a circle is refused. */
static void waiting(void)
{
	int fd, p[2];
	pid_t pid;
	char c;

	make_file("f", 0644, 100);
	fd = FD(open("f", O_RDWR));
	OK(pipe(p));
	OK(lock(fd, F_SETLK, F_WRLCK, 0, 1));
	fflush(NULL);
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		int mine = FD(open("f", O_RDWR));

		OK(lock(mine, F_SETLK, F_WRLCK, 1, 1));
		OK(write(p[1], "1", 1));
		OK(lock(mine, F_SETLKW, F_WRLCK, 0, 1));
		OK(write(p[1], "2", 1));
		posix_done();
	}
	EQ(1, OK(read(p[0], &c, 1)));
	until_it_waits(pid);
	ERR(EDEADLK, lock(fd, F_SETLKW, F_WRLCK, 1, 1));
	OK(lock(fd, F_SETLK, F_UNLCK, 0, 1));
	EQ(1, OK(read(p[0], &c, 1)));
	EQ('2', c);
	EQ(pid, OK(waitpid(pid, NULL, 0)));
}

static void leases(void)
{
	sigset_t set;
	siginfo_t info;
	int fd, w;

	make_file("f", 0644, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	w = FD(open("f", O_RDWR));
	fd = FD(open("f", O_RDONLY));
	ERR(EAGAIN, fcntl(fd, F_SETLEASE, F_RDLCK)); /* w is open */
	OK(close(w));
	OK(fcntl(fd, F_SETSIG, SIGRTMIN));
	OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	EQ(F_RDLCK, OK(fcntl(fd, F_GETLEASE)));
	ERR(EWOULDBLOCK, open("f", O_WRONLY | O_NONBLOCK));
	EQ(SIGRTMIN, sigwaitinfo(&set, &info));
	EQ(fd, info.si_fd);
	OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	OK(close(FD(open("f", O_WRONLY | O_NONBLOCK))));
}

/* --- events ------------------------------------------------------------------------ */

/* next - the next event must be this one */
static uint32_t next(int in, uint32_t mask, const char *name)
{
	static char buf[4096];
	static size_t at, have;
	struct inotify_event *e;

	if (at == have) {
		have = (size_t)OK(read(in, buf, sizeof(buf)));
		at = 0;
	}
	e = (void *)(buf + at);
	at += sizeof(*e) + e->len;
	if (!(e->mask & mask))
		FAIL("event %#x, want %#x", e->mask, mask);
	if (name && strcmp(e->len ? e->name : "", name) != 0)
		FAIL("event of %s, want %s", e->len ? e->name : "", name);
	return e->cookie;
}

static void events(void)
{
	int in = FD(inotify_init1(IN_CLOEXEC)), fd;
	uint32_t cookie;

	make_dir("d", 0755);
	OK(inotify_add_watch(in, "d", IN_ALL_EVENTS));
	fd = FD(open("d/f", O_CREAT | O_RDWR, 0644));
	next(in, IN_CREATE, "f");
	next(in, IN_OPEN, "f");
	EQ(1, OK(write(fd, "x", 1)));
	next(in, IN_MODIFY, "f");
	EQ(1, OK(pread(fd, &(char){ 0 }, 1, 0)));
	next(in, IN_ACCESS, "f");
	OK(fchmod(fd, 0600));
	next(in, IN_ATTRIB, "f");
	OK(ftruncate(fd, 10));
	next(in, IN_MODIFY, "f");
	OK(close(fd));
	next(in, IN_CLOSE_WRITE, "f");
	OK(rename("d/f", "d/g"));
	cookie = next(in, IN_MOVED_FROM, "f");
	EQ(cookie, next(in, IN_MOVED_TO, "g"));
	OK(link("d/g", "d/h"));
	next(in, IN_CREATE, "h");
	OK(mkdir("d/sub", 0755));
	next(in, IN_CREATE | IN_ISDIR, "sub");
	OK(rmdir("d/sub"));
	next(in, IN_DELETE | IN_ISDIR, "sub");
	OK(unlink("d/h"));
	next(in, IN_DELETE, "h");
	OK(unlink("d/g"));
	OK(rmdir("d"));
}

static void end_of_watch(void)
{
	int in = FD(inotify_init1(IN_CLOEXEC));

	make_file("f", 0644, 0);
	OK(inotify_add_watch(in, "f",
			     IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB));
	OK(rename("f", "g"));
	next(in, IN_MOVE_SELF, NULL);
	OK(unlink("g"));
	next(in, IN_ATTRIB, NULL);
	next(in, IN_DELETE_SELF, NULL);
	next(in, IN_IGNORED, NULL);
}

const struct posix_case locks_cases[] = {
	CASE(whole_file),   CASE(records), CASE(open_file_descriptions),
	CASE(waiting),	    CASE(leases),  CASE(events),
	CASE(end_of_watch), NO_CASE,
};
