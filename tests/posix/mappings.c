// SPDX-License-Identifier: BSD-3-Clause
/* Mappings of files: what they show, what becomes of stores, where they end. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "posix.h"

#define SIZE 65536

static volatile uint8_t *map(int fd, int flags, int prot, size_t size)
{
	void *p = mmap(NULL, size, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		FAIL("mmap: %s", strerrorname_np(errno));
	return p;
}

static int file(void)
{
	make_file("f", 0644, SIZE);
	return FD(open("f", O_RDWR));
}

static int byte_of(int fd, off_t off)
{
	uint8_t c;

	EQ(1, OK(pread(fd, &c, 1, off)));
	return c;
}

static void shared(void)
{
	int fd = file();
	volatile uint8_t *p = map(fd, MAP_SHARED, PROT_READ | PROT_WRITE, SIZE);

	EQ(pattern_at(5000), p[5000]);
	p[5000] = 1;
	EQ(1, byte_of(fd, 5000));
	EQ(1, OK(pwrite(fd, "\2", 1, 5001)));
	EQ(2, p[5001]);
	p[SIZE - 1] = 3;
	EQ(3, byte_of(fd, SIZE - 1));
	CHILD
	{
		volatile uint8_t *q = map(FD(open("f", O_RDWR)), MAP_SHARED,
					  PROT_READ | PROT_WRITE, SIZE);

		EQ(1, q[5000]);
		q[20000] = 4;
	}
	EQ(4, p[20000]);
	EQ(4, byte_of(fd, 20000));
	OK(msync((void *)p, SIZE, MS_SYNC));
	OK(msync((void *)p, SIZE, MS_ASYNC));
	ERR(EINVAL, msync((char *)p + 1, 1, MS_SYNC));
	OK(munmap((void *)p, SIZE));
	OK(fsync(fd));
	EQ(1, byte_of(fd, 5000));
}

static void private(void)
{
	int fd = file();
	volatile uint8_t *p =
		map(fd, MAP_PRIVATE, PROT_READ | PROT_WRITE, SIZE);

	EQ(pattern_at(0), p[0]);
	p[0] = 77;
	EQ(pattern_at(0), byte_of(fd, 0));
	EQ(1, OK(pwrite(fd, "\5", 1, 8192)));
	EQ(5, p[8192]); /* a page that was not stored to */
	EQ(77, p[0]);
	/* For which to read the file is right enough. */
	p = map(FD(open("f", O_RDONLY)), MAP_PRIVATE, PROT_READ | PROT_WRITE,
		SIZE);
	p[1] = 1;
	EQ(pattern_at(1), byte_of(fd, 1));
}

static void rights(void)
{
	int fd;

	file();
	fd = FD(open("f", O_RDONLY));
	CHECK(mmap(NULL, SIZE, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	EQ(EACCES, errno);
	CHECK(mmap(NULL, SIZE, PROT_READ, MAP_SHARED, FD(open("f", O_WRONLY)),
		   0) == MAP_FAILED);
	EQ(EACCES, errno);
	ERR(EACCES, mprotect((void *)map(fd, MAP_SHARED, PROT_READ, SIZE), SIZE,
			     PROT_READ | PROT_WRITE));
	CHECK(mmap(NULL, SIZE, PROT_READ, MAP_SHARED, FD(open(".", O_RDONLY)),
		   0) == MAP_FAILED);
	EQ(ENODEV, errno);
}

/* dies_by - the access ends in SIGBUS */
static void dies(volatile uint8_t *at, bool store)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		signal(SIGBUS, SIG_DFL);
		if (store)
			*at = 1;
		_exit(*at & 0);
	}
	OK(waitpid(pid, &status, 0));
	CHECK(WIFSIGNALED(status));
	EQ(SIGBUS, WTERMSIG(status));
}

static void past_the_end(void)
{
	int fd = file();
	volatile uint8_t *p =
		map(fd, MAP_SHARED, PROT_READ | PROT_WRITE, 2 * SIZE);

	dies(p + SIZE, false);
	dies(p + SIZE, true);
	OK(ftruncate(fd, 10000));
	EQ(pattern_at(9999), p[9999]);
	EQ(0, p[10000]); /* the rest of the page */
	dies(p + 12288, false);
	EQ(10000, stat_of("f").st_size);
	OK(ftruncate(fd, SIZE));
	EQ(0, p[12288]);
	EQ(0, p[20000]);
	/* What was stored behind the end does not come to light, with most. */
	OK(ftruncate(fd, 10000));
	p[10100] = 9;
	OK(ftruncate(fd, SIZE));
	EQ(on_pinfs() ? 9 : 0, byte_of(fd, 10100)); /* docs/LIMITS.md */
}

static void of_holes(void)
{
	int fd = FD(open("f", O_RDWR | O_CREAT, 0644));
	volatile uint8_t *p;

	OK(ftruncate(fd, SIZE));
	p = map(fd, MAP_SHARED, PROT_READ | PROT_WRITE, SIZE);
	EQ(0, p[30000]);
	p[30000] = 1;
	EQ(0, p[29999]);
	OK(msync((void *)p, SIZE, MS_SYNC));
	OK(munmap((void *)p, SIZE));
	OK(fsync(fd));
	EQ(28672, OK(lseek(fd, 0, SEEK_DATA)));
	EQ(1, byte_of(fd, 30000));
	p = map(fd, MAP_SHARED, PROT_READ | PROT_WRITE, SIZE);
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 28672,
		     4096));
	EQ(0, p[30000]);
}

/* It lasts as long as it is mapped, whatever becomes of name and descriptor. */
static void outlive_the_name(void)
{
	int fd = file();
	volatile uint8_t *p = map(fd, MAP_SHARED, PROT_READ | PROT_WRITE, SIZE);

	OK(close(fd));
	OK(unlink("f"));
	make_file("f", 0644, SIZE);
	EQ(pattern_at(40000), p[40000]);
	p[40000] = 1;
	OK(msync((void *)p, SIZE, MS_SYNC));
	EQ(1, p[40000]);
	fd = FD(open("f", O_RDONLY));
	EQ(pattern_at(40000), byte_of(fd, 40000));
}

static void advice(void)
{
	int fd = file();
	volatile uint8_t *p = map(fd, MAP_SHARED, PROT_READ | PROT_WRITE, SIZE);

	p[100] = 1;
	OK(madvise((void *)p, SIZE, MADV_DONTNEED));
	EQ(1, p[100]);
	OK(madvise((void *)p, 4096, MADV_REMOVE));
	EQ(0, p[100]);
	EQ(0, byte_of(fd, 100));
	EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
	EQ(pattern_at(5000), p[5000]);
}

static void count_up(unsigned int k)
{
	_Atomic uint32_t *c = (void *)map(FD(open("f", O_RDWR)), MAP_SHARED,
					  PROT_READ | PROT_WRITE, 4096);

	for (k = 0; k < 20000; k++)
		(*c)++;
}

/* Several processes add to a counter in one page, by atomic stores. */
static void counters(void)
{
	int fd = file(), n;

	OK(ftruncate(fd, 0));
	OK(ftruncate(fd, 4096));
	together(3, count_up);
	EQ(4, OK(pread(fd, &n, 4, 0)));
	EQ(60000, n);
}

const struct posix_case mappings_cases[] = {
	CASE(shared),	    CASE(private),  CASE(rights),
	CASE(past_the_end), CASE(of_holes), CASE(outlive_the_name),
	CASE(advice),	    CASE(counters), NO_CASE,
};
