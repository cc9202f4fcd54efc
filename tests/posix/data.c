// SPDX-License-Identifier: BSD-3-Clause
/* Contents of files: reading, writing, holes, copies, limits. */
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "posix.h"

#define KIB 1024
#define MIB (1024 * 1024)

static int new_file(const char *path)
{
	return FD(open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
}

/* is_pattern - bytes [off, off + n) of fd are make_file()'s from `from` on */
static void is_pattern(int fd, off_t off, size_t n, uint64_t from)
{
	uint8_t buf[4096];
	size_t at, part, i;

	for (at = 0; at < n; at += part) {
		part = n - at < sizeof(buf) ? n - at : sizeof(buf);
		EQ(part, OK(pread(fd, buf, part, off + (off_t)at)));
		for (i = 0; i < part; i++)
			if (buf[i] != pattern_at(from + at + i))
				FAIL("byte %zu: %d, want %d",
				     (size_t)off + at + i, buf[i],
				     pattern_at(from + at + i));
	}
}

static void is_zero(int fd, off_t off, size_t n)
{
	uint8_t buf[4096];
	size_t at, part, i;

	for (at = 0; at < n; at += part) {
		part = n - at < sizeof(buf) ? n - at : sizeof(buf);
		EQ(part, OK(pread(fd, buf, part, off + (off_t)at)));
		for (i = 0; i < part; i++)
			if (buf[i])
				FAIL("byte %zu is %d, not 0",
				     (size_t)off + at + i, buf[i]);
	}
}

/* Writes that begin before, at and after each boundary, over holes and data. */
static void boundaries(void)
{
	static const off_t edge[] = { 4096, 65536, 128 * KIB, 2 * MIB };
	uint8_t buf[9001];
	size_t e, i;
	off_t off;
	int fd = new_file("f");

	for (i = 0; i < sizeof(buf); i++)
		buf[i] = pattern_at(i);
	for (e = 0; e < ARRAY_SIZE(edge); e++) {
		for (off = edge[e] - 4095; off < edge[e] + 2; off += 2049) {
			OK(ftruncate(fd, 0));
			OK(ftruncate(fd, edge[e] * 2 + 16384));
			EQ(sizeof(buf), OK(pwrite(fd, buf, sizeof(buf), off)));
			is_pattern(fd, off, sizeof(buf), 0);
			is_zero(fd, off < 4096 ? 0 : off - 4096,
				off < 4096 ? (size_t)off : 4096);
			is_zero(fd, off + (off_t)sizeof(buf), 4096);
			EQ(edge[e] * 2 + 16384, stat_of("f").st_size);
		}
	}
}

static void holes(void)
{
	int fd = new_file("f");

	ERR(ENXIO, lseek(fd, 0, SEEK_DATA)); /* it is empty */
	ERR(ENXIO, lseek(fd, 0, SEEK_HOLE));
	EQ(4, OK(pwrite(fd, "data", 4, 10 * MIB)));
	OK(ftruncate(fd, 30 * MIB));
	EQ(10 * MIB, OK(lseek(fd, 0, SEEK_DATA)));
	EQ(10 * MIB + 2, OK(lseek(fd, 10 * MIB + 2, SEEK_DATA)));
	EQ(0, OK(lseek(fd, 0, SEEK_HOLE)));
	EQ(10 * MIB + 4096, OK(lseek(fd, 10 * MIB, SEEK_HOLE)));
	EQ(20 * MIB, OK(lseek(fd, 20 * MIB, SEEK_HOLE)));
	ERR(ENXIO, lseek(fd, 10 * MIB + 4096, SEEK_DATA));
	ERR(ENXIO, lseek(fd, 30 * MIB, SEEK_HOLE));
	ERR(ENXIO, lseek(fd, -1, SEEK_DATA));
	CHECK(stat_of("f").st_blocks < 100);
	is_zero(fd, 10 * MIB - 4096, 4096);
	is_zero(fd, 10 * MIB + 4, 4092);
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8192)); /* reads as a hole */
	EQ(10 * MIB, OK(lseek(fd, 0, SEEK_DATA)));
	EQ(4, OK(pwrite(fd, "more", 4, 4096)));
	EQ(4096, OK(lseek(fd, 0, SEEK_DATA)));
	EQ(8192, OK(lseek(fd, 4096, SEEK_HOLE)));
	/* To the end of what is full there is a hole at the end. */
	OK(ftruncate(fd, 8000));
	EQ(8000, OK(lseek(fd, 5000, SEEK_HOLE)));
}

static void truncating(void)
{
	int fd;

	make_file("f", 0644, 10000);
	fd = FD(open("f", O_RDWR));
	OK(ftruncate(fd, 5000));
	OK(ftruncate(fd, 20000));
	is_pattern(fd, 0, 5000, 0);
	is_zero(fd, 5000, 15000);
	EQ(20000, stat_of("f").st_size);
	OK(lseek(fd, 0, SEEK_END));
	EQ(1, OK(write(fd, "x", 1)));
	EQ(20001, stat_of("f").st_size);
	OK(truncate("f", 0));
	EQ(0, OK(read(fd, (char[1]){ 0 }, 1)));
	EQ(0, stat_of("f").st_blocks);
	/* Behind the end: a hole up to where it is written. */
	EQ(1, OK(pwrite(fd, "y", 1, 9999)));
	is_zero(fd, 0, 9999);
	EQ(0, OK(pwrite(fd, "y", 0, 50000)));
	EQ(10000, stat_of("f").st_size);
}

static void vectors(void)
{
	char a[3], b[5];
	struct iovec out[3] = { { (void *)"one", 3 },
				{ NULL, 0 },
				{ (void *)"three", 5 } };
	struct iovec in[2] = { { a, 3 }, { b, 5 } };
	int fd = new_file("f");

	EQ(8, OK(pwritev(fd, out, 3, 4093)));
	EQ(8, OK(preadv(fd, in, 2, 4093)));
	CHECK(!memcmp(a, "one", 3) && !memcmp(b, "three", 5));
	EQ(8, OK(pwritev2(fd, out, 3, 0, RWF_SYNC)));
	EQ(8, OK(pwritev2(fd, out, 3, 0, RWF_APPEND)));
	EQ(4093 + 16, stat_of("f").st_size);
}

#define WRITERS 4
#define LINES	250

static void append(unsigned int w)
{
	int fd = FD(open("f", O_WRONLY | O_APPEND));
	char line[16];

	for (unsigned int k = 0; k < LINES; k++) {
		snprintf(line, sizeof(line), "%u %06u\n", w, k);
		EQ(9, OK(write(fd, line, 9)));
	}
}

/* Each write of each is there, whole, and in its writer's order. */
static void appenders(void)
{
	unsigned int next[WRITERS] = { 0 }, n = 0, w, k;
	char line[16];
	FILE *f;

	make_file("f", 0644, 0);
	together(WRITERS, append);
	EQ(WRITERS * LINES * 9, stat_of("f").st_size);
	f = fopen("f", "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		CHECK(sscanf(line, "%u %u", &w, &k) == 2 && w < WRITERS);
		EQ(next[w]++, k);
		n++;
	}
	EQ(WRITERS * LINES, n);
	fclose(f);
}

/* The offset given to pwrite does not count (pwrite(2), BUGS). */
static void append_and_offsets(void)
{
	int fd;

	make_file("f", 0644, 100);
	fd = FD(open("f", O_RDWR | O_APPEND));
	EQ(1, OK(pwrite(fd, "x", 1, 0)));
	EQ(101, stat_of("f").st_size);
	is_pattern(fd, 0, 100, 0);
	EQ(0, OK(lseek(fd, 0, SEEK_CUR)));
	OK(lseek(fd, 10, SEEK_SET));
	EQ(1, OK(write(fd, "y", 1)));
	EQ(102, OK(lseek(fd, 0, SEEK_CUR)));
}

static void direct(void)
{
	uint8_t *buf;
	size_t i;
	int fd;

	CHECK(posix_memalign((void **)&buf, 4096, 3 * 4096) == 0);
	for (i = 0; i < 3 * 4096; i++)
		buf[i] = pattern_at(i);
	fd = FD(open("f", O_RDWR | O_CREAT | O_DIRECT, 0644));
	EQ(3 * 4096, OK(pwrite(fd, buf, 3 * 4096, 4096)));
	memset(buf, 0, 3 * 4096);
	EQ(2 * 4096, OK(pread(fd, buf, 2 * 4096, 8192)));
	for (i = 0; i < 2 * 4096; i++)
		EQ(pattern_at(4096 + i), buf[i]);
	EQ(0, OK(pread(fd, buf, 4096, 16384)));
	/* What was written past the cache, and what through it, is the same. */
	is_pattern(FD(open("f", O_RDONLY)), 4096, 3 * 4096, 0);
	EQ(1, OK(pwrite(FD(open("f", O_WRONLY)), "z", 1, 5000)));
	EQ(4096, OK(pread(fd, buf, 4096, 4096)));
	EQ('z', buf[5000 - 4096]);
	free(buf);
}

/* direct_mapped - mapped, what is read and written past the cache is the same */
static void direct_mapped(void)
{
	uint8_t *buf, *map, byte;
	int fd;

	make_file("f", 0644, 3 * 4096);
	fd = FD(open("f", O_RDWR | O_DIRECT));
	CHECK(posix_memalign((void **)&buf, 4096, 4096) == 0);
	map = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	EQ(pattern_at(5000), map[5000]);
	map[4096] = 'm';
	EQ(4096, OK(pread(fd, buf, 4096, 4096)));
	EQ('m', buf[0]);
	buf[1] = 'd';
	EQ(4096, OK(pwrite(fd, buf, 4096, 4096)));
	EQ('m', map[4096]);
	EQ('d', map[4097]);
	EQ(1, OK(pread(FD(open("f", O_RDONLY)), &byte, 1, 4097)));
	EQ('d', byte);
	OK(munmap(map, 3 * 4096));
	free(buf);
}

static void synchronous(void)
{
	int fd = FD(open("f", O_RDWR | O_CREAT | O_SYNC, 0644));

	EQ(5, OK(write(fd, "hello", 5)));
	fd = FD(open("f", O_RDWR | O_DSYNC | O_APPEND));
	EQ(5, OK(write(fd, "world", 5)));
	CHECK(fcntl(fd, F_GETFL) & O_DSYNC);
	EQ(10, stat_of("f").st_size);
	OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	OK(syncfs(fd));
}

static void unlinked(void)
{
	struct stat st;
	char path[32];
	int fd, again;

	make_file("f", 0644, 5000);
	fd = FD(open("f", O_RDWR));
	OK(unlink("f"));
	CHECK(!exists("f"));
	OK(fstat(fd, &st));
	EQ(0, st.st_nlink);
	is_pattern(fd, 0, 5000, 0);
	EQ(1, OK(pwrite(fd, "x", 1, 20000)));
	OK(ftruncate(fd, 30000));
	OK(fchmod(fd, 0600));
	make_file("f", 0644, 10); /* another one */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = FD(open(path, O_RDONLY)); /* opened once more */
	is_pattern(again, 0, 5000, 0);
	OK(fstat(fd, &st));
	EQ(30000, st.st_size);
	EQ(0600, st.st_mode & 07777);
	EQ(10, stat_of("f").st_size);
	ERR(ENOENT, linkat(fd, "", AT_FDCWD, "g", AT_EMPTY_PATH));
}

static void copying(void)
{
	off_t from = 1000, to = 5;
	int in, out;

	make_file("a", 0644, 300 * KIB);
	in = FD(open("a", O_RDWR));
	out = new_file("b");
	EQ(200 * KIB, OK(copy_file_range(in, &from, out, &to, 200 * KIB, 0)));
	EQ(1000 + 200 * KIB, from);
	EQ(5 + 200 * KIB, to);
	is_zero(out, 0, 5);
	is_pattern(out, 5, 200 * KIB, 1000);
	EQ(5 + 200 * KIB, stat_of("b").st_size);
	/* To the end, and no further. */
	from = 299 * KIB;
	to = 0;
	EQ(KIB, OK(copy_file_range(in, &from, out, &to, 10 * KIB, 0)));
	EQ(0, OK(copy_file_range(in, &from, out, &to, 10 * KIB, 0)));
	/* Within a file, apart and not. */
	from = 0;
	to = 400 * KIB;
	EQ(10 * KIB, OK(copy_file_range(in, &from, in, &to, 10 * KIB, 0)));
	is_pattern(in, 400 * KIB, 10 * KIB, 0);
	is_zero(in, 300 * KIB, 100 * KIB);
	from = 0;
	to = 100;
	ERR(EINVAL, copy_file_range(in, &from, in, &to, 1000, 0));
	ERR(EBADF,
	    copy_file_range(in, NULL, FD(open("b", O_RDONLY)), NULL, 1, 0));
	ERR(EBADF, copy_file_range(in, NULL, FD(open("b", O_WRONLY | O_APPEND)),
				   NULL, 1, 0));
}

static void between_kernel_and_file(void)
{
	off_t off = 100;
	int in, out, p[2];

	make_file("a", 0644, 20000);
	in = FD(open("a", O_RDONLY));
	out = new_file("b");
	EQ(10000, OK(sendfile(out, in, &off, 10000)));
	EQ(10100, off);
	is_pattern(out, 0, 10000, 100);
	OK(pipe(p));
	off = 0;
	EQ(4096, OK(splice(in, &off, p[1], NULL, 4096, 0)));
	off = 50000;
	EQ(4096, OK(splice(p[0], NULL, out, &off, 4096, 0)));
	is_pattern(out, 50000, 4096, 0);
	is_zero(out, 10000, 40000);
}

/* limited - no file may grow beyond n bytes */
static void limited(rlim_t n)
{
	const struct rlimit limit = { n, n };

	signal(SIGXFSZ, SIG_IGN);
	OK(setrlimit(RLIMIT_FSIZE, &limit));
}

static void size_limit(void)
{
	char buf[5000] = { 1 };
	int fd;

	make_file("big", 0644, 20000);
	CHILD
	{
		off_t from = 0, to = 9000;

		limited(10000);
		fd = new_file("f");
		EQ(5000, OK(pwrite(fd, buf, 5000, 0)));
		EQ(1000, OK(pwrite(fd, buf, 5000, 9000))); /* as much as may */
		ERR(EFBIG, pwrite(fd, buf, 1, 10000));
		ERR(EFBIG, ftruncate(fd, 10001));
		ERR(EFBIG, truncate("f", 10001));
		OK(ftruncate(fd, 10000));
		ERR(EFBIG, fallocate(fd, 0, 0, 10001));
		OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 10001));
		fd = FD(open("big", O_RDWR));
		ERR(EFBIG, pwrite(fd, buf, 1, 15000)); /* also inside */
		EQ(1000, OK(copy_file_range(fd, &from, FD(open("f", O_RDWR)),
					    &to, 5000, 0)));
		OK(ftruncate(fd, 100));
	}
}

static void size_limit_signal(void)
{
	const struct rlimit limit = { 10, 10 };
	int status;
	pid_t pid;

	make_file("f", 0644, 0);
	fflush(NULL);
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		OK(setrlimit(RLIMIT_FSIZE, &limit));
		OK(pwrite(FD(open("f", O_RDWR)), "x", 1, 10));
		_exit(0);
	}
	OK(waitpid(pid, &status, 0));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

/* The last byte that there can be, and none behind it. */
static void largest(void)
{
	const off_t most = INT64_MAX;
	int fd = new_file("f");
	char buf[4] = { 0 };

	if (!on_pinfs()) {
		ERR(EFBIG, pwrite(fd, "x", 1, most - 1)); /* ext4: 16 TiB */
		return;
	}
	EQ(1, OK(pwrite(fd, "x", 1, most - 1)));
	EQ(most, stat_of("f").st_size);
	EQ(1, OK(pread(fd, buf, 1, most - 1)));
	EQ('x', buf[0]);
	EQ(2, OK(pread(fd, buf, 2, most - 2)));
	EQ('x', buf[1]);
	EQ(0, OK(pread(fd, buf, 0, most)));
	ERR(EINVAL, pread(fd, buf, 2, most - 1)); /* no such range */
	ERR(EINVAL, pwrite(fd, "yz", 2, most - 1));
	EQ(most / 4096 * 4096, OK(lseek(fd, 1, SEEK_DATA)));
	EQ(0, OK(lseek(fd, 0, SEEK_HOLE)));
	EQ(most, OK(lseek(fd, 0, SEEK_END)));
	ERR(EINVAL, lseek(fd, 1, SEEK_END));
	OK(ftruncate(fd, most - 1));
	OK(ftruncate(fd, most));
	EQ(1, OK(pread(fd, buf, 1, most - 1)));
	EQ(0, buf[0]);
	EQ(1, OK(pwrite(fd, "q", 1, most / 2)));
	EQ(0, OK(close(fd)));
	CHECK(stat_of("f").st_blocks < 64);
	OK(unlink("f"));
}

static void sparse_offsets(void)
{
	off_t off;
	int fd = new_file("f"), bits;
	char c;

	for (bits = 12; bits <= (on_pinfs() ? 62 : 43); bits++) {
		off = ((off_t)1 << bits) - 1; /* across each power of two */
		EQ(2, OK(pwrite(fd, "ab", 2, off)));
		EQ(off + 2, stat_of("f").st_size);
	}
	for (bits = 12; bits <= (on_pinfs() ? 62 : 43); bits++) {
		off = (off_t)1 << bits;
		EQ(1, OK(pread(fd, &c, 1, off)));
		EQ('b', c);
		EQ(1, OK(pread(fd, &c, 1, off - 1)));
		EQ('a', c);
		EQ(1, OK(pread(fd, &c, 1, off - 2)));
		EQ(0, c);
	}
	OK(ftruncate(fd, 0));
	EQ(0, stat_of("f").st_blocks);
}

const struct posix_case data_cases[] = {
	CASE(boundaries),  CASE(holes),
	CASE(truncating),  CASE(vectors),
	CASE(appenders),   CASE(append_and_offsets),
	CASE(direct),	   CASE(direct_mapped),
	CASE(synchronous), CASE(unlinked),
	CASE(copying),	   CASE(between_kernel_and_file),
	CASE(size_limit),  CASE(size_limit_signal),
	CASE(largest),	   CASE(sparse_offsets),
	NO_CASE,
};
