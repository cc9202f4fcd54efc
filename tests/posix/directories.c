// SPDX-License-Identifier: BSD-3-Clause
/* Reading directories: what is there, once, also while it changes. */
#include <dirent.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "posix.h"

static DIR *open_dir(const char *path)
{
	DIR *d = opendir(path);

	if (!d)
		FAIL("%s: %s", path, strerrorname_np(errno));
	return d;
}

static void types(void)
{
	static const struct {
		const char *name;
		int type;
	} want[] = { { ".", DT_DIR },  { "..", DT_DIR }, { "f", DT_REG },
		     { "d", DT_DIR },  { "l", DT_LNK },	 { "p", DT_FIFO },
		     { "s", DT_SOCK }, { "c", DT_CHR },	 { "b", DT_BLK } };
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "s" };
	unsigned int seen = 0;
	struct dirent *de;
	size_t i;
	DIR *d;

	make_file("f", 0644, 0);
	make_dir("d", 0755);
	OK(symlink("f", "l"));
	OK(mkfifo("p", 0644));
	OK(mknod("c", S_IFCHR | 0600, makedev(1, 3)));
	OK(mknod("b", S_IFBLK | 0600, makedev(7, 0)));
	OK(bind(FD(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&addr,
		sizeof(addr)));
	d = open_dir(".");
	while ((de = readdir(d))) {
		for (i = 0; i < ARRAY_SIZE(want); i++)
			if (!strcmp(de->d_name, want[i].name))
				break;
		CHECK(i < ARRAY_SIZE(want));
		EQ(want[i].type, de->d_type);
		EQ(stat_of(de->d_name).st_ino, de->d_ino);
		seen++;
	}
	EQ(ARRAY_SIZE(want), seen);
	closedir(d);
}

/* --- while it changes: 0 to n - 1 stay, others come and go --------------------- */

struct seen {
	unsigned int n;
	uint8_t *times;
};

static struct seen seen_new(unsigned int n)
{
	struct seen s = { n, calloc(n, 1) };

	CHECK(s.times);
	return s;
}

static void see(struct seen *s, const char *name)
{
	unsigned long i = strtoul(name, NULL, 10);

	if (name[0] < '0' || name[0] > '9' || i >= s->n)
		return;
	if (s->times[i]++)
		FAIL("%s: read twice", name);
}

static void saw_all(struct seen *s)
{
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (!s->times[i])
			FAIL("%u: not read, though it stayed", i);
	free(s->times);
}

/* churn - make names and take them away; says so, until fd has it that it is enough */
static void churn(const char *dir, int ready, int fd)
{
	int at = FD(open(dir, O_RDONLY | O_DIRECTORY)), i;
	char name[32], to[32];

	for (i = 0;; i++) {
		char c;

		snprintf(name, sizeof(name), "churn%d", i % 300);
		snprintf(to, sizeof(to), "moved%d", i % 200);
		mknodat(at, name, S_IFREG | 0600, 0);
		if (i % 3 == 0)
			renameat(at, name, at, to);
		if (i % 2 == 0)
			unlinkat(at, name, 0);
		unlinkat(at, to, 0);
		if (i == 16)
			OK(write(ready, "", 1));
		if (i % 16 == 0 && read(fd, &c, 1) != -1)
			posix_done();
	}
}

static void stable_of(unsigned int n, unsigned int rounds)
{
	struct dirent *de;
	struct seen s;
	int p[2], ready[2], status;
	pid_t pid;
	char c;
	DIR *d;

	make_dir("d", 0755);
	make_many("d", n);
	OK(pipe2(p, O_NONBLOCK));
	OK(pipe(ready));
	fflush(NULL);
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		OK(close(p[1]));
		churn("d", ready[1], p[0]);
	}
	OK(close(ready[1]));
	EQ(1, OK(read(ready[0], &c, 1)));
	while (rounds--) {
		d = open_dir("d");
		s = seen_new(n);
		while ((de = readdir(d)))
			see(&s, de->d_name);
		saw_all(&s);
		closedir(d);
	}
	OK(close(p[1]));
	OK(waitpid(pid, &status, 0));
	EQ(0, status);
}

static void stable(void)
{
	stable_of(2000, 5);
}

/* Positions that telldir gave lead to the same entries, in any order, also when
 * those around them have gone, and in another stream of the directory. */
static void positions(void)
{
	enum { N = 500 };
	long at[N + 2];
	char name[N + 2][16];
	struct dirent *de;
	int n = 0, i;
	DIR *d;

	make_dir("d", 0755);
	make_many("d", N);
	d = open_dir("d");
	for (;;) {
		at[n] = telldir(d);
		de = readdir(d);
		if (!de)
			break;
		CHECK(n < N + 1);
		snprintf(name[n++], sizeof(name[0]), "%.15s", de->d_name);
		if (n == N + 1)
			break;
	}
	OK(chdir("d"));
	for (i = 0; i < n; i += 3)
		if (name[i][0] != '.')
			OK(unlink(name[i]));
	for (i = n - 1; i > 0; i -= 7) {
		int want = i % 3 ? i : i + 1;

		if (want >= n)
			continue;
		seekdir(d, at[i]);
		de = readdir(d);
		CHECK(de);
		if (strcmp(de->d_name, name[want]) != 0)
			FAIL("%d: %s, want %s", i, de->d_name, name[want]);
		seekdir(d, at[i]);
		EQ(at[i], telldir(d));
	}
	rewinddir(d);
	for (n = 0; readdir(d); n++)
		;
	CHECK(n > N / 2 && n < N);
	closedir(d);
}

/* What is removed while it is read: all of it goes. */
static void removing(void)
{
	struct dirent *de;
	unsigned int n = 0;
	DIR *d;

	make_dir("d", 0755);
	make_many("d", 3000);
	d = open_dir("d");
	while ((de = readdir(d))) {
		if (de->d_name[0] == '.')
			continue;
		OK(unlinkat(dirfd(d), de->d_name, 0));
		n++;
	}
	EQ(3000, n);
	closedir(d);
	OK(rmdir("d"));
}

static void empty_and_removed(void)
{
	DIR *d;

	make_dir("d", 0755);
	d = open_dir("d");
	CHECK(readdir(d) && readdir(d) && !readdir(d));
	rewinddir(d);
	make_file("d/f", 0644, 0);
	rewinddir(d);
	CHECK(readdir(d) && readdir(d) && readdir(d) && !readdir(d));
	OK(unlink("d/f"));
	OK(rmdir("d"));
	rewinddir(d);
	errno = 0;
	(void)!readdir(d); /* nothing, or an error: but it returns */
	closedir(d);
}

/* --- long ----------------------------------------------------------------------- */

static void million(void)
{
	enum { N = 1000000 };
	struct dirent *de;
	struct seen s = seen_new(N);
	char name[16];
	unsigned int i;
	DIR *d;

	make_dir("d", 0755);
	make_many("d", N);
	d = open_dir("d");
	while ((de = readdir(d)))
		see(&s, de->d_name);
	saw_all(&s);
	closedir(d);
	OK(chdir("d"));
	for (i = 0; i < N; i += 997) {
		snprintf(name, sizeof(name), "%u", i);
		CHECK(exists(name));
	}
	CHECK(!exists("1000000"));
	for (i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "%u", i);
		OK(unlink(name));
	}
	OK(chdir(".."));
	OK(rmdir("d"));
}

static void stable_large(void)
{
	stable_of(100000, 10);
}

const struct posix_case directories_cases[] = {
	CASE(types),
	CASE(stable),
	CASE(positions),
	CASE(removing),
	CASE(empty_and_removed),
	LONG_CASE(stable_large),
	LONG_CASE(million),
	NO_CASE,
};
