// SPDX-License-Identifier: BSD-3-Clause
/*
 * posix - do calls do what programs expect of them?
 *
 *   posix [--long] [--topic NAME] [--case NAME] [--pinfs] DIR
 *   posix handles save DIR FILE       remember files of DIR by their handles
 *   posix handles check DIR FILE      they lead there still, or are stale
 *   posix held FILE                   FILE has pins, and a truncate waits for it
 *
 * Runs the cases of all topics in new directories below DIR, and says which
 * failed. --pinfs: DIR is on pinfs. Needs root.
 *
 * Exit code 0: all passed; 1: not; 2: bad usage.
 */
#include <ftw.h>
#include <getopt.h>
#include <grp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "posix.h"
#include "commands.h"

#define TOGETHER_MAX   8
#define POSIX_ENTRY(t) { #t, t##_cases },
static const struct posix_topic topics[] = { POSIX_TOPICS(POSIX_ENTRY) };

static bool pinfs;

bool on_pinfs(void)
{
	return pinfs;
}

void posix_fail(const char *file, int line, const char *fmt, ...)
{
	const char *base = strrchr(file, '/');
	va_list ap;

	fprintf(stderr, "  %s:%d: ", base ? base + 1 : file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(1);
}

long long posix_ok(const char *file, int line, const char *text, long long r)
{
	if (r == -1)
		posix_fail(file, line, "%s: %s", text, strerrorname_np(errno));
	return r;
}

void posix_err(const char *file, int line, const char *text, int want,
	       long long r)
{
	if (r != -1)
		posix_fail(file, line, "%s: succeeded, want %s", text,
			   strerrorname_np(want));
	if (errno != want)
		posix_fail(file, line, "%s: %s, want %s", text,
			   strerrorname_np(errno), strerrorname_np(want));
}

void posix_eq(const char *file, int line, const char *text, long long want,
	      long long got)
{
	if (want != got)
		posix_fail(file, line, "%s: %lld (%#llo), want %lld (%#llo)",
			   text, got, (unsigned long long)got, want,
			   (unsigned long long)want);
}

/* --- users ------------------------------------------------------------------------ */

static void become(enum posix_user user)
{
	const gid_t shared = SHARED_ID;
	uid_t id = user == ALICE ? ALICE_ID : BOB_ID;

	OK(setgroups(user == ALICE, &shared));
	OK(setresgid(id, id, id));
	OK(setresuid(id, id, id));
}

int posix_as(enum posix_user user)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		if (user != ROOT)
			become(user);
		return 1;
	}
	OK(waitpid(pid, &status, 0));
	if (status)
		_exit(1); /* it has said why */
	return 0;
}

void posix_done(void)
{
	fflush(NULL);
	_exit(0);
}

/* --- what most cases need ------------------------------------------------------------ */

void make_file(const char *path, mode_t mode, size_t size)
{
	int fd = FD(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	uint8_t buf[4096];
	size_t at = 0, n, i;

	while (at < size) {
		n = size - at < sizeof(buf) ? size - at : sizeof(buf);
		for (i = 0; i < n; i++)
			buf[i] = pattern_at(at + i);
		EQ(n, OK(write(fd, buf, n)));
		at += n;
	}
	OK(fchmod(fd, mode));
	OK(close(fd));
}

void make_dir(const char *path, mode_t mode)
{
	OK(mkdir(path, 0700));
	OK(chmod(path, mode));
}

void make_many(const char *dir, unsigned int n)
{
	int at = FD(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	char name[16];

	for (unsigned int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%u", i);
		OK(mknodat(at, name, S_IFREG | 0600, 0));
	}
	OK(close(at));
}

struct stat stat_of(const char *path)
{
	struct stat st;

	OK(lstat(path, &st));
	return st;
}

mode_t mode_of(const char *path)
{
	return stat_of(path).st_mode & 07777;
}

bool exists(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		return true;
	EQ(ENOENT, errno);
	return false;
}

void together(unsigned int n, void (*fn)(unsigned int k))
{
	pid_t pid[TOGETHER_MAX];
	int go[2], status;
	unsigned int i;
	char c;

	CHECK(n <= TOGETHER_MAX);
	OK(pipe(go));
	for (i = 0; i < n; i++) {
		fflush(NULL);
		pid[i] = (pid_t)OK(fork());
		if (pid[i])
			continue;
		/* It ends when nobody is left who was to be waited for. */
		OK(close(go[1]));
		EQ(0, OK(read(go[0], &c, 1)));
		fn(i);
		posix_done();
	}
	OK(close(go[0]));
	OK(close(go[1]));
	for (i = 0; i < n; i++) {
		OK(waitpid(pid[i], &status, 0));
		EQ(0, status);
	}
}

/* File times have the granularity of this clock, no finer. */
void wait_tick(void)
{
	struct timespec res, a, b;

	OK(clock_getres(CLOCK_REALTIME_COARSE, &res));
	OK(clock_gettime(CLOCK_REALTIME_COARSE, &a));
	do {
		OK(clock_nanosleep(CLOCK_REALTIME, 0, &res, NULL));
		OK(clock_gettime(CLOCK_REALTIME_COARSE, &b));
	} while (!is_before(a, b));
}

bool is_before(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec :
				      a.tv_nsec < b.tv_nsec;
}

/* --- running -------------------------------------------------------------------------- */

struct options {
	bool is_long;
	const char *topic;
	const char *name;
};

static unsigned int passed, failed;

static int child(const struct posix_case *c, const char *dir)
{
	umask(022);
	OK(mkdir(dir, 0755));
	OK(chdir(dir));
	c->run();
	fflush(NULL);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* A case that passed leaves nothing that cannot be removed. */
static int remove_dir(const char *dir)
{
	if (nftw(dir, remove_one, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0)
		return 0;
	fprintf(stderr, "  %s: cannot be removed: %s\n", dir,
		strerrorname_np(errno));
	return -1;
}

static void run_case(const struct posix_topic *t, const struct posix_case *c)
{
	struct timespec from, to;
	char dir[256];
	int status;
	pid_t pid;

	snprintf(dir, sizeof(dir), "%s.%s", t->name, c->name);
	fflush(NULL);
	clock_gettime(CLOCK_MONOTONIC, &from);
	pid = (pid_t)OK(fork());
	if (pid == 0)
		_exit(child(c, dir));
	OK(waitpid(pid, &status, 0));
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (status == 0 && remove_dir(dir) == 0) {
		passed++;
	} else {
		failed++;
		fprintf(stderr, "FAILED: %s", dir);
		if (WIFSIGNALED(status))
			fprintf(stderr, " by signal %d", WTERMSIG(status));
		fputc('\n', stderr);
	}
	if (getenv("POSIX_VERBOSE"))
		printf("%5lld ms %s\n",
		       (long long)(to.tv_sec - from.tv_sec) * 1000 +
			       (to.tv_nsec - from.tv_nsec) / 1000000,
		       dir);
}

static void run_topic(const struct posix_topic *t, const struct options *o)
{
	const struct posix_case *c;

	for (c = t->cases; c->name; c++) {
		if (c->is_long && !o->is_long)
			continue;
		if (!o->name || strcmp(o->name, c->name) == 0)
			run_case(t, c);
	}
}

static int run_all(const char *dir, const struct options *o)
{
	size_t i;

	OK(chdir(dir));
	for (i = 0; i < ARRAY_SIZE(topics); i++)
		if (!o->topic || strcmp(o->topic, topics[i].name) == 0)
			run_topic(&topics[i], o);
	printf("%u passed, %u failed\n", passed, failed);
	return failed || !passed;
}

static int usage(void)
{
	fprintf(stderr, "usage: posix [--long] [--topic NAME] [--case NAME] "
			"[--pinfs] DIR\n"
			"       posix handles save|check DIR FILE\n"
			"       posix held FILE\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{ "long", no_argument, NULL, 'l' },
		{ "topic", required_argument, NULL, 't' },
		{ "case", required_argument, NULL, 'c' },
		{ "pinfs", no_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .topic = NULL };
	int key;

	if (argc == 5 && strcmp(argv[1], "handles") == 0)
		return handles_command(argv + 2);
	if (argc == 3 && strcmp(argv[1], "held") == 0)
		return held_command(argv[2]);
	while ((key = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (key == 'l')
			o.is_long = true;
		else if (key == 't')
			o.topic = optarg;
		else if (key == 'c')
			o.name = optarg;
		else if (key == 'p')
			pinfs = true;
		else
			return usage();
	}
	if (optind != argc - 1)
		return usage();
	return run_all(argv[optind], &o);
}
