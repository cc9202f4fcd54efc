// SPDX-License-Identifier: BSD-3-Clause
/* fallocate(2) in all its modes, and pinfs's own collapse and insert. */
#include <linux/falloc.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include "posix.h"
#include "wire/pinfs_ioctl.h"

#define SIZE 40000 /* of the files here, not a whole number of blocks */

/* The file's bytes as they must be, changed beside it. */
static uint8_t model[4 * SIZE];
static size_t model_size;
static int fd = -1;

static void begin(void)
{
	size_t i;

	if (fd >= 0)
		close(fd);
	unlink("f");
	make_file("f", 0644, SIZE);
	fd = FD(open("f", O_RDWR));
	memset(model, 0, sizeof(model));
	for (i = 0; i < SIZE; i++)
		model[i] = pattern_at(i);
	model_size = SIZE;
}

static void compare(void)
{
	static uint8_t got[sizeof(model)];
	size_t i;

	EQ(model_size, stat_of("f").st_size);
	EQ(model_size, OK(pread(fd, got, sizeof(got), 0)));
	for (i = 0; i < model_size; i++)
		if (got[i] != model[i])
			FAIL("byte %zu: %d, want %d", i, got[i], model[i]);
}

static void zero(size_t off, size_t len)
{
	if (off < model_size)
		memset(model + off, 0,
		       off + len > model_size ? model_size - off : len);
}

/* Ranges with ends in every relation to blocks and to the end of the file. */
static const struct {
	size_t off, len;
} ranges[] = {
	{ 0, 1 },	  { 0, 4096 },	    { 0, SIZE },     { 1, 4095 },
	{ 1, 4096 },	  { 4095, 2 },	    { 4096, 8192 },  { 100, 200 },
	{ 5000, 9000 },	  { 8192, SIZE },   { 36864, 3136 }, { 36864, 4096 },
	{ 39999, 1 },	  { 39999, 5000 },  { SIZE, 4096 },  { SIZE - 1, 2 },
	{ 45056, 10000 }, { 50001, 12345 }, { 0, 2 * SIZE },
};

static void punching(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		begin();
		OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			     (off_t)ranges[i].off, (off_t)ranges[i].len));
		zero(ranges[i].off, ranges[i].len);
		compare();
	}
	/* One on top of the other, and all of it: nothing is left. */
	begin();
	for (i = 0; i < SIZE; i += 3000) {
		OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			     (off_t)i, 5000));
		zero(i, 5000);
		compare();
	}
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 40960));
	EQ(0, stat_of("f").st_blocks);
	ERR(ENXIO, lseek(fd, 0, SEEK_DATA));
}

static void zeroing(void)
{
	size_t i, end;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		begin();
		OK(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
			     (off_t)ranges[i].off, (off_t)ranges[i].len));
		zero(ranges[i].off, ranges[i].len);
		compare();
		begin();
		OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, (off_t)ranges[i].off,
			     (off_t)ranges[i].len));
		zero(ranges[i].off, ranges[i].len);
		end = ranges[i].off + ranges[i].len;
		if (end > model_size)
			model_size = end;
		compare();
	}
	/* What is zero is there to be written. */
	begin();
	OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, SIZE));
	EQ(80, stat_of("f").st_blocks);
}

static void reserving(void)
{
	size_t i, end;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		begin();
		OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)ranges[i].off,
			     (off_t)ranges[i].len));
		compare();
		OK(fallocate(fd, 0, (off_t)ranges[i].off,
			     (off_t)ranges[i].len));
		end = ranges[i].off + ranges[i].len;
		if (end > model_size)
			model_size = end;
		compare();
		CHECK((size_t)stat_of("f").st_blocks * 512 >=
		      end - ranges[i].off);
	}
	/* Blocks behind the end go with a truncate, also to the same size. */
	begin();
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, SIZE, 100000));
	CHECK(stat_of("f").st_blocks > 250);
	OK(ftruncate(fd, SIZE));
	if (on_pinfs()) /* ext4 leaves them */
		EQ(80, stat_of("f").st_blocks);
	/* In holes. */
	OK(ftruncate(fd, 0));
	OK(ftruncate(fd, 100000));
	EQ(0, stat_of("f").st_blocks);
	OK(fallocate(fd, 0, 0, 100000));
	EQ(200, stat_of("f").st_blocks);
	EQ(0, posix_fallocate(fd, 0, 200000));
	EQ(200000, stat_of("f").st_size);
}

static void refusals(void)
{
	begin();
	ERR(EINVAL, fallocate(fd, 0, 0, 0));
	ERR(EINVAL, fallocate(fd, 0, -1, 10));
	ERR(EINVAL, fallocate(fd, 0, 0, -10));
	ERR(EFBIG, fallocate(fd, 0, INT64_MAX - 5, 10));
	ERR(EOPNOTSUPP, fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10));
	ERR(EOPNOTSUPP,
	    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE, 0, 10));
	ERR(EOPNOTSUPP, fallocate(fd, 0x800, 0, 10));
	ERR(ESPIPE, fallocate(({
				      int p[2];

				      OK(pipe(p));
				      p[1];
			      }),
			      0, 0, 10));
	ERR(ENODEV, fallocate(FD(open("/dev/null", O_WRONLY)), 0, 0, 10));
	compare();
	if (!on_pinfs())
		return;
	/* These the kernel does not hand on (docs/LIMITS.md). */
	ERR(EOPNOTSUPP, fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096));
	ERR(EOPNOTSUPP, fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, 4096));
	ERR(EOPNOTSUPP,
	    fallocate(fd, FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE, 0,
		      4096));
}

/* move - collapse or insert, by what there is for it */
static int move(int mode, uint64_t off, uint64_t len)
{
	struct pinfs_ioc_range range = { .offset = off, .length = len };

	if (!on_pinfs())
		return fallocate(fd, mode, (off_t)off, (off_t)len);
	return ioctl(fd,
		     mode == FALLOC_FL_COLLAPSE_RANGE ? PINFS_IOC_COLLAPSE :
							PINFS_IOC_INSERT,
		     &range);
}

static void collapsing(void)
{
	size_t off;

	for (off = 0; off < 28672; off += 4096) {
		begin();
		OK(move(FALLOC_FL_COLLAPSE_RANGE, off, 8192));
		memmove(model + off, model + off + 8192,
			model_size - off - 8192);
		model_size -= 8192;
		compare();
	}
	begin();
	ERR(EINVAL, move(FALLOC_FL_COLLAPSE_RANGE, 0, 100));
	ERR(EINVAL, move(FALLOC_FL_COLLAPSE_RANGE, 100, 4096));
	ERR(EINVAL, move(FALLOC_FL_COLLAPSE_RANGE, 36864, 4096));
	ERR(EINVAL, move(FALLOC_FL_COLLAPSE_RANGE, 0, 0));
	ERR(EINVAL, move(FALLOC_FL_COLLAPSE_RANGE, 0, 81920));
	compare();
}

static void inserting(void)
{
	size_t off;

	for (off = 0; off < SIZE; off += 8192) {
		begin();
		OK(move(FALLOC_FL_INSERT_RANGE, off, 8192));
		memmove(model + off + 8192, model + off, model_size - off);
		memset(model + off, 0, 8192);
		model_size += 8192;
		compare();
		EQ(off, OK(lseek(fd, (off_t)off, SEEK_HOLE)));
	}
	begin();
	ERR(EINVAL, move(FALLOC_FL_INSERT_RANGE, 0, 100));
	ERR(EINVAL, move(FALLOC_FL_INSERT_RANGE, 100, 4096));
	ERR(EINVAL, move(FALLOC_FL_INSERT_RANGE, 40960, 4096));
	ERR(EFBIG, move(FALLOC_FL_INSERT_RANGE, 0, INT64_MAX / 4096 * 4096));
	compare();
}

static void ignore(int sig)
{
	(void)sig;
}

/* Signals end no change that need not wait; on a disk none of them does. */
static void signalled(void)
{
	const struct itimerval often = { { 0, 70 }, { 0, 70 } }, off = { 0 };
	struct sigaction sa = { .sa_handler = ignore };

	begin();
	OK(sigaction(SIGALRM, &sa, NULL));
	OK(setitimer(ITIMER_REAL, &often, NULL));
	for (int i = 0; i < 4000; i++) {
		OK(ftruncate(fd, i % 2 ? SIZE : 100));
		if (i % 8 == 0)
			OK(fallocate(fd,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     0, 4096));
	}
	OK(setitimer(ITIMER_REAL, &off, NULL));
}

const struct posix_case allocation_cases[] = {
	CASE(punching),	  CASE(zeroing),   CASE(reserving), CASE(refusals),
	CASE(collapsing), CASE(inserting), CASE(signalled), NO_CASE,
};
