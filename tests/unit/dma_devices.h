/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the DMA engine share: devices, and what is on them. */
#ifndef PINFS_TEST_DMA_DEVICES_H
#define PINFS_TEST_DMA_DEVICES_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "dma/dma.h"

#define BLOCK  4096ul
#define POOL   (512 * BLOCK)
#define CANARY 0xa5

#define ENGINES 2

static const enum pinfs_engine engines[ENGINES] = { PINFS_ENGINE_IO_URING,
						    PINFS_ENGINE_AIO };

enum device { FILE_CACHED, FILE_DIRECT, PIPE, SOCKET, DEVICES };

/* What is at pos of each device or job: differs between nearby places. */
static inline unsigned char pattern(uint64_t pos)
{
	return (unsigned char)((pos * 0x9e3779b1u) >> 17 ^ pos >> 12);
}

static inline void fill(unsigned char *mem, uint64_t pos, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		mem[i] = pattern(pos + i);
}

static inline bool filled(const unsigned char *mem, uint64_t pos, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (mem[i] != pattern(pos + i))
			return false;
	return true;
}

static inline bool all(const unsigned char *mem, unsigned char c, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (mem[i] != c)
			return false;
	return true;
}

/* --- the pool and the devices -------------------------------------------- */

/* A file without a name: nothing is left behind, however a test ends. */
static inline int disk_file(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	ck_assert_msg(fd >= 0, "O_TMPFILE: %s", strerror(errno));
	return fd;
}

static inline int reopen(int fd, int flags)
{
	char path[64];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags | O_CLOEXEC);
	ck_assert_msg(again >= 0, "reopen: %s", strerror(errno));
	return again;
}

/* A disk file with that many bytes of the pattern. */
static inline int pattern_file(size_t size)
{
	unsigned char *buf = malloc(size + 1);
	int fd = disk_file();

	ck_assert_ptr_nonnull(buf);
	fill(buf, 0, size);
	ck_assert_int_eq(pwrite(fd, buf, size, 0), (ssize_t)size);
	free(buf);
	return fd;
}

static inline struct dma_options options(enum pinfs_engine engine,
					 enum pinfs_direction direction)
{
	return (struct dma_options){
		.engine = engine,
		.direction = direction,
		.depth = 8,
		.chunk = 64 << 10,
		.fail_after = UINT64_MAX,
		.seed = 1,
	};
}

static inline struct dma_job *open_job(const struct dma_options *opt,
				       int device)
{
	struct dma_job *job;

	ck_assert_int_eq(dma_open(opt, device, -1, NULL, &job), 0);
	return job;
}

/* One job of one run over one segment. */
static inline int run_once(const struct dma_options *opt, int device, void *mem,
			   size_t length, uint64_t *done)
{
	struct dma_segment seg = { mem, length };
	struct dma_job *job = open_job(opt, device);
	int err = dma_run(job, &seg, 1, 0, done);

	dma_close(job);
	return err;
}

/* --- the far end of a stream --------------------------------------------- */

struct far_end {
	pthread_t thread;
	int fd;
	size_t size; /* bytes to send, or that buf holds */
	size_t got;
	unsigned char *buf;
};

/* In odd pieces, so that no read is filled by one write. */
static inline void *send_pattern(void *arg)
{
	struct far_end *far = arg;
	unsigned char piece[3001];
	size_t at, n;

	for (at = 0; at < far->size; at += n) {
		ssize_t ret;

		n = min_u64(sizeof(piece), far->size - at);
		fill(piece, at, n);
		ret = write(far->fd, piece, n);
		if (ret <= 0)
			break;
		n = (size_t)ret;
	}
	close(far->fd);
	return NULL;
}

static inline void *receive(void *arg)
{
	struct far_end *far = arg;
	ssize_t n;

	while (far->got < far->size) {
		n = read(far->fd, far->buf + far->got, far->size - far->got);
		if (n <= 0)
			break;
		far->got += (size_t)n;
	}
	close(far->fd);
	return NULL;
}

static inline void start(struct far_end *far, void *(*fn)(void *))
{
	ck_assert_int_eq(pthread_create(&far->thread, NULL, fn, far), 0);
}

static inline void finish(struct far_end *far)
{
	ck_assert_int_eq(pthread_join(far->thread, NULL), 0);
}

/* near is the engine's end */
static inline void stream_pair(enum device kind, enum pinfs_direction direction,
			       int *near, int *far)
{
	int fd[2], writer;

	if (kind == PIPE)
		ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	else
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC,
					    0, fd),
				 0);
	writer = direction == PINFS_TO_DEVICE ? 1 : 0;
	*near = fd[writer];
	*far = fd[!writer];
}

static inline int try_lock(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &lock) ? -errno : 0;
}

/* add_test - a case of its own, run for _i from 0 to n - 1 */
static inline void add_test(Suite *s, const char *name, const TTest *fn, int n)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, fn, 0, n);
	suite_add_tcase(s, tc);
}

static inline int run_suite(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}

#endif
