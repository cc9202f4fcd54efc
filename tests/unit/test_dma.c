// SPDX-License-Identifier: BSD-3-Clause
/* The DMA engine, with both kernel interfaces and each kind of device. */
#include "dma_devices.h"

enum medium { IN_MEMORY, ON_DISK, MEDIA };

static int medium_file(enum medium medium)
{
	int fd = medium == IN_MEMORY ? memfd_create("pool", MFD_CLOEXEC) :
				       disk_file();

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, POOL), 0);
	return fd;
}

static unsigned char *map_pool(int fd)
{
	unsigned char *mem =
		mmap(NULL, POOL, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	ck_assert_ptr_ne(mem, MAP_FAILED);
	memset(mem, CANARY, POOL);
	return mem;
}

/* --- every combination --------------------------------------------------- */

#define NSEG 7

/*
 * Pieces of the pool, out of order, with gaps.  Lengths that are no multiple
 * of a disk's block only where the device takes them.
 */
static size_t scatter(unsigned char *pool, enum device kind,
		      struct dma_segment *seg)
{
	static const unsigned int block[NSEG] = { 100, 3, 200, 50, 300, 52, 9 };
	static const unsigned int blocks[NSEG] = { 17, 1, 40, 1, 33, 2, 8 };
	size_t total = 0, odd;
	int i;

	for (i = 0; i < NSEG; i++) {
		odd = kind == FILE_DIRECT ? 0 : (size_t)i * 77;
		seg[i].mem = pool + block[i] * BLOCK + odd;
		seg[i].length = blocks[i] * BLOCK - odd;
		total += seg[i].length;
	}
	return total;
}

static void fill_segments(const struct dma_segment *seg)
{
	uint64_t pos = 0;
	int i;

	for (i = 0; i < NSEG; pos += seg[i++].length)
		fill(seg[i].mem, pos, seg[i].length);
}

/* The segments have the pattern, and all around them is as it was. */
static void check_pool(unsigned char *pool, const struct dma_segment *seg)
{
	uint64_t pos = 0;
	int i;

	for (i = 0; i < NSEG; pos += seg[i++].length) {
		ck_assert(filled(seg[i].mem, pos, seg[i].length));
		memset(seg[i].mem, CANARY, seg[i].length);
	}
	ck_assert(all(pool, CANARY, POOL));
}

static void check_from(const struct dma_options *opt, enum device kind,
		       unsigned char *pool)
{
	struct far_end far = { .fd = -1 };
	struct dma_segment seg[NSEG];
	size_t total = scatter(pool, kind, seg);
	struct dma_job *job;
	uint64_t done;
	int near, file;

	if (kind == PIPE || kind == SOCKET) {
		far.size = total;
		stream_pair(kind, opt->direction, &near, &far.fd);
		start(&far, send_pattern);
	} else {
		file = pattern_file(total);
		near = reopen(file, kind == FILE_DIRECT ? O_RDONLY | O_DIRECT :
							  O_RDONLY);
		close(file);
	}
	job = open_job(opt, near);
	ck_assert_int_eq(dma_run(job, seg, NSEG, 0, &done), 0);
	ck_assert_uint_eq(done, total);
	dma_close(job);
	close(near);
	if (far.fd >= 0)
		finish(&far);
	check_pool(pool, seg);
}

static void check_to(const struct dma_options *opt, enum device kind,
		     unsigned char *pool)
{
	struct far_end far = { .fd = -1 };
	struct dma_segment seg[NSEG];
	size_t total = scatter(pool, kind, seg);
	struct dma_job *job;
	uint64_t done;
	int near, file = -1;

	far.size = total;
	far.buf = malloc(total);
	fill_segments(seg);
	if (kind == PIPE || kind == SOCKET) {
		stream_pair(kind, opt->direction, &near, &far.fd);
		start(&far, receive);
	} else {
		file = disk_file();
		near = reopen(file, kind == FILE_DIRECT ? O_WRONLY | O_DIRECT :
							  O_WRONLY);
	}
	job = open_job(opt, near);
	ck_assert_int_eq(dma_run(job, seg, NSEG, 0, &done), 0);
	ck_assert_uint_eq(done, total);
	dma_close(job);
	close(near);
	if (file >= 0) {
		ck_assert_int_eq(pread(file, far.buf, total, 0),
				 (ssize_t)total);
		close(file);
	} else {
		finish(&far);
		ck_assert_uint_eq(far.got, total);
	}
	ck_assert(filled(far.buf, 0, total));
	free(far.buf);
	check_pool(pool, seg);
}

static void check_depths(enum pinfs_engine engine, enum device kind,
			 unsigned char *pool)
{
	static const uint32_t depths[] = { 1, 8, 64 };
	static const uint64_t chunks[] = { 5003, 60000, 1 << 20 };
	struct dma_options opt;
	size_t d, c;

	for (d = 0; d < ARRAY_SIZE(depths); d++) {
		for (c = 0; c < ARRAY_SIZE(chunks); c++) {
			opt = options(engine, PINFS_FROM_DEVICE);
			opt.depth = depths[d];
			opt.chunk = chunks[c];
			check_from(&opt, kind, pool);
			opt.direction = PINFS_TO_DEVICE;
			check_to(&opt, kind, pool);
		}
	}
}

START_TEST(transfers)
{
	enum medium medium = (enum medium)(_i % MEDIA);
	enum device kind = (enum device)(_i / MEDIA % DEVICES);
	int fd = medium_file(medium);
	unsigned char *pool = map_pool(fd);

	check_depths(engines[_i / MEDIA / DEVICES], kind, pool);
	munmap(pool, POOL);
	close(fd);
}
END_TEST

/* --- the edges of a device ----------------------------------------------- */

/* A run goes on where the caller says, and counts from there. */
START_TEST(several_runs)
{
	struct dma_options opt = options(engines[_i], PINFS_FROM_DEVICE);
	unsigned char *mem = malloc(100000);
	int file = pattern_file(100000);
	struct dma_job *job = open_job(&opt, file);
	struct dma_segment seg[] = { { mem, 40000 },
				     { mem + 40000, 0 },
				     { mem + 40000, 60000 } };
	uint64_t done;

	ck_assert_int_eq(dma_run(job, seg, 1, 0, &done), 0);
	ck_assert_uint_eq(done, 40000);
	ck_assert_int_eq(dma_run(job, seg + 1, 2, 40000, &done), 0);
	ck_assert_uint_eq(done, 60000);
	ck_assert(filled(mem, 0, 100000));
	ck_assert_int_eq(dma_run(job, NULL, 0, 0, &done), 0);
	ck_assert_uint_eq(done, 0);
	dma_close(job);
	close(file);
	free(mem);
}
END_TEST

/* Nothing past the segment changes; past the end in it with O_DIRECT may. */
static void check_end(const struct dma_options *opt, int device, size_t size,
		      bool direct)
{
	unsigned char *mem = aligned_alloc(BLOCK, POOL);
	size_t rest = direct ? POOL / 2 : size;
	uint64_t done;

	memset(mem, CANARY, POOL);
	ck_assert_int_eq(run_once(opt, device, mem, POOL / 2, &done), 0);
	ck_assert_uint_eq(done, size);
	ck_assert(filled(mem, 0, size));
	ck_assert(all(mem + rest, CANARY, POOL - rest));
	free(mem);
}

START_TEST(end_of_device)
{
	struct dma_options opt = options(engines[_i], PINFS_FROM_DEVICE);
	static const size_t size[] = { 0, 300001, 5 << 16 };
	struct far_end far;
	size_t i;
	int fd, direct;

	for (i = 0; i < ARRAY_SIZE(size); i++) {
		fd = pattern_file(size[i]);
		check_end(&opt, fd, size[i], false);
		/* also with O_DIRECT, since the segment has room */
		direct = reopen(fd, O_RDONLY | O_DIRECT);
		check_end(&opt, direct, size[i], true);
		close(direct);
		close(fd);
		far.size = size[i];
		stream_pair(PIPE, PINFS_FROM_DEVICE, &fd, &far.fd);
		start(&far, send_pattern);
		check_end(&opt, fd, size[i], false);
		finish(&far);
		close(fd);
	}
}
END_TEST

/* Whole blocks arrive; the tail is up to the kernel; nothing lies past it. */
static void check_tail(const struct dma_options *opt, int device)
{
	const size_t whole = 25 * BLOCK, length = whole + 100;
	unsigned char *mem = aligned_alloc(BLOCK, POOL);
	uint64_t done;
	int err;

	memset(mem, CANARY, POOL);
	err = run_once(opt, device, mem, length, &done);
	if (err) {
		ck_assert_int_eq(err, -EINVAL);
		ck_assert_uint_eq(done, whole);
	} else {
		ck_assert_uint_eq(done, length);
	}
	ck_assert(filled(mem, 0, done));
	ck_assert(all(mem + length, CANARY, POOL - length));
	free(mem);
}

START_TEST(direct_tail)
{
	struct dma_options opt = options(engines[_i], PINFS_FROM_DEVICE);
	int file = pattern_file(POOL), fd = reopen(file, O_RDONLY | O_DIRECT);

	check_tail(&opt, fd);
	/* a chunk is never shorter than the device's block */
	opt.chunk = 100;
	check_tail(&opt, fd);
	close(fd);
	close(file);
}
END_TEST

START_TEST(appends)
{
	struct dma_options opt = options(engines[_i], PINFS_TO_DEVICE);
	unsigned char *mem = malloc(POOL), *back = malloc(POOL);
	int file = disk_file(), fd = reopen(file, O_WRONLY | O_APPEND);
	uint64_t done;

	fill(mem, 0, POOL);
	ck_assert_int_eq(run_once(&opt, fd, mem, POOL, &done), 0);
	ck_assert_int_eq(pread(file, back, POOL, 0), (ssize_t)POOL);
	ck_assert_int_eq(memcmp(mem, back, POOL), 0);
	close(fd);
	close(file);
	free(back);
	free(mem);
}
END_TEST

/* --- errors -------------------------------------------------------------- */

START_TEST(bad_options)
{
	const struct dma_options good = options(engines[_i], PINFS_TO_DEVICE);
	struct dma_options opt[6] = { good, good, good, good, good, good };
	int fd = disk_file();
	struct dma_job *job = NULL;
	size_t i;

	opt[0].engine = PINFS_ENGINE_CLIENT;
	opt[1].direction = (enum pinfs_direction)2;
	opt[2].depth = 0;
	opt[3].depth = PINFS_DMA_MAX_DEPTH + 1;
	opt[4].chunk = 0;
	opt[5].chunk = PINFS_DMA_MAX_CHUNK + 1;
	for (i = 0; i < ARRAY_SIZE(opt); i++)
		ck_assert_int_eq(dma_open(&opt[i], fd, -1, NULL, &job),
				 -EINVAL);
	ck_assert_int_eq(dma_open(&good, -1, -1, NULL, &job), -EBADF);
	ck_assert_int_eq(dma_open(&good, fd, 9999, NULL, &job), -EBADF);
	ck_assert_ptr_null(job);
	close(fd);
	dma_close(NULL);
}
END_TEST

START_TEST(wrong_way)
{
	struct dma_options opt = options(engines[_i], PINFS_FROM_DEVICE);
	struct dma_job *job = NULL;
	int file = disk_file(), fd, pair[2];

	fd = reopen(file, O_WRONLY);
	ck_assert_int_eq(dma_open(&opt, fd, -1, NULL, &job), -EBADF);
	close(fd);
	opt.direction = PINFS_TO_DEVICE;
	fd = reopen(file, O_RDONLY);
	ck_assert_int_eq(dma_open(&opt, fd, -1, NULL, &job), -EBADF);
	close(fd);
	fd = reopen(file, O_PATH);
	ck_assert_int_eq(dma_open(&opt, fd, -1, NULL, &job), -EBADF);
	close(fd);
	close(file);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	ck_assert_int_eq(dma_open(&opt, pair[0], -1, NULL, &job),
			 -ESOCKTNOSUPPORT);
	close(pair[0]);
	close(pair[1]);
	ck_assert_ptr_null(job);
}
END_TEST

START_TEST(device_errors)
{
	struct dma_options opt = options(engines[_i], PINFS_TO_DEVICE);
	unsigned char *mem = calloc(1, POOL);
	uint64_t done = 1;
	int fd, far, err;

	fd = open("/dev/full", O_WRONLY);
	/* the kernel's AIO does not know this device */
	ck_assert_int_eq(run_once(&opt, fd, mem, POOL, &done),
			 opt.engine == PINFS_ENGINE_AIO ? -EINVAL : -ENOSPC);
	ck_assert_uint_eq(done, 0);
	close(fd);
	/* SIGPIPE would end the test */
	stream_pair(PIPE, PINFS_TO_DEVICE, &fd, &far);
	close(far);
	ck_assert_int_eq(run_once(&opt, fd, mem, POOL, &done), -EPIPE);
	ck_assert_uint_eq(done, 0);
	close(fd);
	stream_pair(SOCKET, PINFS_TO_DEVICE, &fd, &far);
	close(far);
	ck_assert_int_eq(run_once(&opt, fd, mem, POOL, &done), -EPIPE);
	close(fd);
	opt.direction = PINFS_FROM_DEVICE;
	fd = open("/", O_RDONLY | O_DIRECTORY);
	err = run_once(&opt, fd, mem, POOL, &done);
	ck_assert(err == -EISDIR || err == -EINVAL);
	ck_assert_uint_eq(done, 0);
	close(fd);
	free(mem);
}
END_TEST

/* A hole in the middle: what arrives past it does not count. */
START_TEST(no_gap)
{
	struct dma_options opt = options(engines[_i], PINFS_FROM_DEVICE);
	unsigned char *mem = mmap(NULL, POOL, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int file = pattern_file(POOL), fd = reopen(file, O_RDONLY | O_DIRECT);
	struct dma_segment seg[] = { { mem, 10 * BLOCK },
				     { mem + 10 * BLOCK, BLOCK },
				     { mem + 20 * BLOCK, 10 * BLOCK } };
	struct dma_job *job;
	uint64_t done;

	ck_assert_int_eq(mprotect(mem + 10 * BLOCK, BLOCK, PROT_NONE), 0);
	opt.chunk = BLOCK;
	opt.depth = 64;
	job = open_job(&opt, fd);
	ck_assert_int_eq(dma_run(job, seg, 3, 0, &done), -EFAULT);
	ck_assert_uint_eq(done, 10 * BLOCK);
	ck_assert(filled(mem, 0, done));
	dma_close(job);
	close(fd);
	close(file);
	munmap(mem, POOL);
}
END_TEST

static void check_fail_after(struct dma_options *opt, int device, void *mem,
			     uint64_t after)
{
	uint64_t done;

	opt->fail_after = after;
	ck_assert_int_eq(run_once(opt, device, mem, POOL / 2, &done),
			 after <= POOL / 2 ? -EIO : 0);
	ck_assert_uint_eq(done, min_u64(after, POOL / 2));
	ck_assert(filled(mem, 0, done));
}

START_TEST(fails_after)
{
	static const uint64_t after[] = { 0, 1, 70001, POOL / 2, POOL / 2 + 1 };
	struct dma_options opt = options(engines[_i], PINFS_FROM_DEVICE);
	unsigned char *mem = aligned_alloc(BLOCK, POOL);
	int file = pattern_file(POOL), fd = reopen(file, O_RDONLY | O_DIRECT);
	struct dma_segment seg = { mem, 10000 };
	struct dma_job *job;
	uint64_t done;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(after); i++) {
		check_fail_after(&opt, file, mem, after[i]);
		check_fail_after(&opt, fd, mem, after[i]);
	}
	/* counted over the job's runs; the memory past it stays as it was */
	memset(mem, CANARY, POOL);
	opt.fail_after = 15000;
	job = open_job(&opt, file);
	ck_assert_int_eq(dma_run(job, &seg, 1, 0, &done), 0);
	ck_assert_int_eq(dma_run(job, &seg, 1, 10000, &done), -EIO);
	ck_assert_uint_eq(done, 5000);
	ck_assert_int_eq(dma_run(job, &seg, 1, 0, &done), -EIO);
	ck_assert_uint_eq(done, 0);
	ck_assert(filled(mem, 10000, 5000));
	ck_assert(filled(mem + 5000, 5000, 5000));
	dma_close(job);
	close(fd);
	close(file);
	free(mem);
}
END_TEST

/* --- the claim ----------------------------------------------------------- */

/* L12: after a clean end the claim is free at once, not when the ring is */
START_TEST(claim_freed)
{
	struct dma_options opt = options(engines[_i], PINFS_FROM_DEVICE);
	int file = pattern_file(POOL), other, owner, i;
	unsigned char *mem = malloc(POOL);
	struct dma_segment seg = { mem, POOL };
	struct dma_job *job;
	uint64_t done;

	other = disk_file();
	for (i = 0; i < 20; i++) {
		owner = reopen(other, O_RDWR);
		ck_assert_int_eq(try_lock(owner), 0);
		ck_assert_int_eq(try_lock(other), -EAGAIN);
		ck_assert_int_eq(dma_open(&opt, file, owner, NULL, &job), 0);
		ck_assert_int_eq(dma_run(job, &seg, 1, 0, &done), 0);
		dma_close(job);
		close(owner);
		ck_assert_int_eq(try_lock(other), 0);
		close(other);
		other = disk_file();
	}
	close(other);
	close(file);
	free(mem);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dma");

	add_test(s, "transfers", transfers, ENGINES * MEDIA * DEVICES);
	add_test(s, "several_runs", several_runs, ENGINES);
	add_test(s, "end_of_device", end_of_device, ENGINES);
	add_test(s, "direct_tail", direct_tail, ENGINES);
	add_test(s, "appends", appends, ENGINES);
	add_test(s, "bad_options", bad_options, ENGINES);
	add_test(s, "wrong_way", wrong_way, ENGINES);
	add_test(s, "device_errors", device_errors, ENGINES);
	add_test(s, "no_gap", no_gap, ENGINES);
	add_test(s, "fails_after", fails_after, ENGINES);
	add_test(s, "claim_freed", claim_freed, ENGINES);
	return run_suite(s);
}
