// SPDX-License-Identifier: BSD-3-Clause
/* Times: which operation changes which, what can be given, and how exactly. */
#include <sys/xattr.h>

#include "posix.h"

static void given(void)
{
	static const struct timespec want[] = {
		{ 0, 0 },
		{ 1, 1 },
		{ 0, 999999999 },
		{ 2147483647, 5 },
		{ 2147483648, 6 },
		{ -1, 500000000 },
		{ -2147483000, 123 },
		{ 4102444800, 7 },
		{ 10000000000, 8 },
	};
	struct timespec t[2];
	struct stat st;
	size_t i;

	make_file("f", 0644, 0);
	OK(symlink("f", "l"));
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		t[0] = want[i];
		t[1] = want[ARRAY_SIZE(want) - 1 - i];
		OK(utimensat(AT_FDCWD, "f", t, 0));
		st = stat_of("f");
		EQ(t[0].tv_sec, st.st_atim.tv_sec);
		EQ(t[0].tv_nsec, st.st_atim.tv_nsec);
		EQ(t[1].tv_sec, st.st_mtim.tv_sec);
		EQ(t[1].tv_nsec, st.st_mtim.tv_nsec);
		CHECK(st.st_ctim.tv_sec > 1000000000);
	}
	t[0] = t[1] = (struct timespec){ 77, 7 };
	OK(utimensat(AT_FDCWD, "l", t, AT_SYMLINK_NOFOLLOW));
	EQ(77, stat_of("l").st_mtim.tv_sec);
	CHECK(stat_of("f").st_mtim.tv_sec != 77);
	t[0].tv_nsec = 1000000000;
	ERR(EINVAL, utimensat(AT_FDCWD, "f", t, 0));
}

static void now_and_omitted(void)
{
	struct timespec t[2] = { { 5, 5 }, { 6, 6 } };
	struct stat before, st;

	make_file("f", 0644, 0);
	OK(utimensat(AT_FDCWD, "f", t, 0));
	t[0].tv_nsec = UTIME_OMIT;
	t[1].tv_nsec = UTIME_NOW;
	OK(utimensat(AT_FDCWD, "f", t, 0));
	st = stat_of("f");
	EQ(5, st.st_atim.tv_sec);
	EQ(5, st.st_atim.tv_nsec);
	CHECK(st.st_mtim.tv_sec > 1000000000);
	t[0] = (struct timespec){ 0, UTIME_NOW };
	t[1] = (struct timespec){ 9, 9 };
	OK(utimensat(AT_FDCWD, "f", t, 0));
	st = stat_of("f");
	EQ(9, st.st_mtim.tv_sec);
	CHECK(st.st_atim.tv_sec > 1000000000);
	before = st;
	wait_tick();
	t[0].tv_nsec = t[1].tv_nsec = UTIME_OMIT;
	OK(utimensat(AT_FDCWD, "f", t, 0));
	st = stat_of("f");
	CHECK(!memcmp(&before.st_atim, &st.st_atim, sizeof(st.st_atim)));
	CHECK(!memcmp(&before.st_mtim, &st.st_mtim, sizeof(st.st_mtim)));
	CHECK(!memcmp(&before.st_ctim, &st.st_ctim, sizeof(st.st_ctim)));
}

/* --- what changes which ----------------------------------------------------------- */

#define M 1 /* mtime */
#define C 2 /* ctime */

/* changed - which times of a file are later than in before */
static int changed(const struct stat *before, const char *path)
{
	struct stat st = stat_of(path);

	return (is_before(before->st_mtim, st.st_mtim) ? M : 0) |
	       (is_before(before->st_ctim, st.st_ctim) ? C : 0);
}

/* MOVES - the call changes exactly these times of path */
#define MOVES(want, path, call)                   \
	do {                                      \
		struct stat was_ = stat_of(path); \
		wait_tick();                      \
		OK(call);                         \
		EQ(want, changed(&was_, path));   \
	} while (0)

static void of_files(void)
{
	const struct timespec t[2] = { { 5, 5 }, { 2000000000, 6 } };
	int fd, out;

	make_file("f", 0644, 10000);
	make_file("g", 0644, 10000);
	fd = FD(open("f", O_RDWR));
	out = FD(open("g", O_RDWR));
	MOVES(M | C, "f", pwrite(fd, "x", 1, 0));
	MOVES(M | C, "f", pwrite(fd, "x", 1, 20000));
	MOVES(0, "f", pwrite(fd, "x", 0, 0));
	MOVES(M | C, "f", ftruncate(fd, 100));
	MOVES(M | C, "f", truncate("f", 200));
	MOVES(M | C, "f", close(FD(open("f", O_WRONLY | O_TRUNC))));
	MOVES(M | C, "f", close(FD(open("f", O_WRONLY | O_TRUNC))));
	MOVES(M | C, "f", fallocate(fd, 0, 0, 8192));
	MOVES(M | C, "f",
	      fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 9));
	MOVES(M | C, "g", copy_file_range(fd, NULL, out, NULL, 100, 0));
	MOVES(C, "f", chmod("f", 0600));
	MOVES(C, "f", chown("f", 1, 1));
	MOVES(C, "f", chown("f", SAME_ID, SAME_ID));
	MOVES(C, "f", setxattr("f", "user.a", "x", 1, 0));
	MOVES(C, "f", removexattr("f", "user.a"));
	MOVES(C, "f", link("f", "f2"));
	MOVES(C, "f", rename("f2", "f3"));
	MOVES(C, "f", unlink("f3"));
	MOVES(M | C, "f", utimensat(AT_FDCWD, "f", t, 0));
	MOVES(0, "f", close(FD(open("f", O_RDWR))));
	MOVES(0, "f", fsync(fd));
	MOVES(0, "f", access("f", R_OK));
	MOVES(0, "f", lseek(fd, 0, SEEK_END));
}

static void of_directories(void)
{
	make_dir("d", 0755);
	make_dir("e", 0755);
	MOVES(M | C, "d", close(FD(open("d/f", O_CREAT | O_WRONLY, 0644))));
	MOVES(0, "d", close(FD(open("d/f", O_CREAT | O_WRONLY, 0644))));
	MOVES(M | C, "d", mkdir("d/sub", 0755));
	MOVES(M | C, "d", symlink("x", "d/l"));
	MOVES(M | C, "d", mkfifo("d/p", 0644));
	MOVES(M | C, "d", link("d/f", "d/g"));
	MOVES(M | C, "d", rename("d/g", "d/h"));
	MOVES(M | C, "e", rename("d/h", "e/h"));
	MOVES(M | C, "d", rename("e/h", "d/h"));
	MOVES(M | C, "d", unlink("d/h"));
	MOVES(M | C, "d", rmdir("d/sub"));
	MOVES(C, "d", chmod("d", 0700));
	MOVES(0, "d", chmod("d/f", 0600)); /* the name stays */
	MOVES(0, "d", truncate("d/f", 10));
	MOVES(C, "d", rename("d", "d2") ? -1 : rename("d2", "d"));
}

/* relatime: the first read after a change moves it, the next do not. */
static void access_time(void)
{
	const struct timespec day[2] = {
		{ time(NULL) - 100000, 0 },
		{ time(NULL) - 200000, 0 },
	};
	struct stat st, later;
	char buf[10];
	void *block;
	int fd;

	CHECK(posix_memalign(&block, 4096, 8192) == 0);
	make_file("f", 0644, 5000);
	OK(symlink("f", "l"));
	make_dir("d", 0755);
	make_file("d/f", 0644, 0);
	wait_tick();
	fd = FD(open("f", O_RDONLY | O_DIRECT)); /* past the page cache */
	OK(read(fd, block, 8192));
	st = stat_of("f");
	CHECK(is_before(st.st_mtim, st.st_atim));
	wait_tick();
	OK(pread(fd, block, 8192, 0));
	later = stat_of("f");
	CHECK(!memcmp(&st.st_atim, &later.st_atim, sizeof(st.st_atim)));
	OK(utimensat(AT_FDCWD, "f", day, 0));
	OK(pread(fd, block, 8192, 0));
	CHECK(stat_of("f").st_atim.tv_sec > day[0].tv_sec);
	/* From the page cache alone the kernel reads without telling: LIMITS.md */
	make_file("cached", 0644, 4096);
	wait_tick();
	OK(read(FD(open("cached", O_RDONLY)), block, 4096));
	st = stat_of("cached");
	CHECK(is_before(st.st_mtim, st.st_atim) || on_pinfs());
	/* Names in a directory, and a link, are read as well. */
	OK(readlink("l", buf, sizeof(buf)));
	st = stat_of("l");
	CHECK(is_before(st.st_mtim, st.st_atim));
	EQ(0, system("ls d >/dev/null"));
	st = stat_of("d");
	CHECK(is_before(st.st_mtim, st.st_atim));
}

static void birth(void)
{
	const struct timespec t[2] = { { 5, 5 }, { 6, 6 } };
	struct timespec from, to;
	struct statx stx;

	clock_gettime(CLOCK_REALTIME_COARSE, &from);
	make_file("f", 0644, 100);
	clock_gettime(CLOCK_REALTIME, &to); /* some are finer */
	wait_tick();
	OK(utimensat(AT_FDCWD, "f", t, 0));
	OK(chmod("f", 0600));
	OK(rename("f", "g"));
	OK(statx(AT_FDCWD, "g", 0, STATX_BASIC_STATS | STATX_BTIME, &stx));
	CHECK(stx.stx_mask & STATX_BTIME);
	CHECK(!is_before((struct timespec){ stx.stx_btime.tv_sec,
					    stx.stx_btime.tv_nsec },
			 from));
	CHECK(!is_before(to, (struct timespec){ stx.stx_btime.tv_sec,
						stx.stx_btime.tv_nsec }));
	/* And all else with it. */
	EQ(100, stx.stx_size);
	EQ(0100600, stx.stx_mode);
	EQ(1, stx.stx_nlink);
	EQ(6, stx.stx_mtime.tv_sec);
	EQ(6, stx.stx_mtime.tv_nsec);
	EQ(5, stx.stx_atime.tv_sec);
	EQ(stat_of("g").st_ino, stx.stx_ino);
	EQ(stat_of("g").st_blocks, stx.stx_blocks);
	OK(mknod("n", S_IFCHR | 0600, 0x1234));
	OK(statx(AT_FDCWD, "n", 0, STATX_BASIC_STATS | STATX_BTIME, &stx));
	EQ(0x12, stx.stx_rdev_major);
	EQ(0x34, stx.stx_rdev_minor);
	OK(statx(FD(open("g", O_RDONLY)), "", AT_EMPTY_PATH, STATX_BTIME,
		 &stx));
	CHECK(stx.stx_mask & STATX_BTIME);
}

/* A new file, and its directory, have the time of now. */
static void of_new(void)
{
	struct timespec from, to;
	struct stat st;

	clock_gettime(CLOCK_REALTIME_COARSE, &from);
	make_dir("d", 0755);
	OK(mknod("d/f", S_IFREG | 0644, 0));
	st = stat_of("d/f");
	clock_gettime(CLOCK_REALTIME, &to); /* some are finer */
	CHECK(!is_before(st.st_atim, from) && !is_before(to, st.st_atim));
	CHECK(!is_before(st.st_mtim, from) && !is_before(to, st.st_mtim));
	CHECK(!is_before(st.st_ctim, from) && !is_before(to, st.st_ctim));
}

const struct posix_case times_cases[] = {
	CASE(given),	   CASE(now_and_omitted),
	CASE(of_files),	   CASE(of_directories),
	CASE(access_time), CASE(birth),
	CASE(of_new),	   NO_CASE,
};
