// SPDX-License-Identifier: BSD-3-Clause
/*
 * op - do one thing with a file, and say when it began and ended
 *
 *   op [-r | -i] [-w FIFO] OPERATION FILE [ARG...]
 *
 * Prints "START END RESULT SIGNALS": milliseconds of the realtime clock, 0 or
 * an errno's name, and how many SIGUSR1 came. What has to be opened or mapped
 * first is, before START. -w has it wait then, until FIFO, which it opens, has a
 * byte: who has opened FIFO for writing knows that all is prepared. -i installs a handler for SIGUSR1 and SIGINT without
 * SA_RESTART, -r one with it.
 *
 * Exit code 0: done, 1: the operation failed, 2: bad usage.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

struct job {
	const char *path;
	char **arg;
	int fd;
	char *map;
	size_t size;
};

static volatile sig_atomic_t signals;

/* Bytes, K or M. */
static long long number(const struct job *j, int i)
{
	char *end;
	long long n = strtoll(j->arg[i], &end, 0);

	return *end == 'M' ? n << 20 : *end == 'K' ? n << 10 : n;
}

static int or_errno(long long n)
{
	return n < 0 ? -errno : 0;
}

/* --- layout changes ---------------------------------------------------------- */

static int op_truncate(struct job *j)
{
	return or_errno(truncate(j->path, number(j, 0)));
}

static int op_ftruncate(struct job *j)
{
	return or_errno(ftruncate(j->fd, number(j, 0)));
}

static int op_open_trunc(struct job *j)
{
	return or_errno(open(j->path, O_WRONLY | O_TRUNC));
}

static int op_creat(struct job *j)
{
	return or_errno(creat(j->path, 0644));
}

static int allocate(struct job *j, int mode)
{
	return or_errno(fallocate(j->fd, mode, number(j, 0), number(j, 1)));
}

static int op_allocate(struct job *j)
{
	return allocate(j, 0);
}

static int op_keep_size(struct job *j)
{
	return allocate(j, FALLOC_FL_KEEP_SIZE);
}

static int op_punch(struct job *j)
{
	return allocate(j, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

static int op_zero(struct job *j)
{
	return allocate(j, FALLOC_FL_ZERO_RANGE);
}

static int op_zero_keep(struct job *j)
{
	return allocate(j, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE);
}

static int op_madv_remove(struct job *j)
{
	return or_errno(madvise(j->map + number(j, 0), (size_t)number(j, 1),
				MADV_REMOVE));
}

/* --- what is none ------------------------------------------------------------- */

static int op_write(struct job *j)
{
	size_t n = (size_t)number(j, 1);
	char *buf = malloc(n);
	int err;

	if (!buf)
		return -ENOMEM;
	memset(buf, 'w', n);
	err = or_errno(pwrite(j->fd, buf, n, number(j, 0)));
	free(buf);
	return err;
}

static int op_read(struct job *j)
{
	size_t n = (size_t)number(j, 1);
	char *buf = malloc(n);
	int err;

	if (!buf)
		return -ENOMEM;
	err = or_errno(pread(j->fd, buf, n, number(j, 0)));
	free(buf);
	return err;
}

static int op_fsync(struct job *j)
{
	return or_errno(fsync(j->fd));
}

static int op_syncfs(struct job *j)
{
	return or_errno(syncfs(j->fd));
}

static int op_msync(struct job *j)
{
	return or_errno(msync(j->map, j->size, MS_SYNC));
}

static int op_fault(struct job *j)
{
	size_t i;

	for (i = 0; i < j->size; i += 4096)
		(void)*(volatile char *)(j->map + i);
	return 0;
}

static int op_mmap(struct job *j)
{
	void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, j->fd, 0);

	return p == MAP_FAILED ? -errno : 0;
}

static int op_dontneed(struct job *j)
{
	return -posix_fadvise(j->fd, 0, 0, POSIX_FADV_DONTNEED);
}

static int op_fchmod(struct job *j)
{
	return or_errno(fchmod(j->fd, 0640));
}

static int op_chmod(struct job *j)
{
	return or_errno(chmod(j->path, 0600));
}

static int op_stat(struct job *j)
{
	struct stat st;

	return or_errno(stat(j->path, &st));
}

static int op_statfs(struct job *j)
{
	struct statvfs st;

	return or_errno(statvfs(j->path, &st));
}

static int op_open(struct job *j)
{
	return or_errno(open(j->path, O_RDWR));
}

static int op_readdir(struct job *j)
{
	DIR *d = opendir(j->path);

	if (!d)
		return -errno;
	while (readdir(d))
		;
	closedir(d);
	return 0;
}

static int op_link(struct job *j)
{
	return or_errno(link(j->path, j->arg[0]));
}

static int op_rename(struct job *j)
{
	return or_errno(rename(j->path, j->arg[0]));
}

static int op_unlink(struct job *j)
{
	return or_errno(unlink(j->path));
}

/* Until then the file is open: the last close of an unlinked one (L10). */
static int op_unlink_close(struct job *j)
{
	int err = or_errno(unlink(j->path));

	close(j->fd);
	return err;
}

static int op_munmap_ftruncate(struct job *j)
{
	munmap(j->map, j->size);
	return op_ftruncate(j);
}

static int op_munmap_punch(struct job *j)
{
	munmap(j->map, j->size);
	return op_punch(j);
}

/* --- long-term pins -------------------------------------------------------------- */

/* begin_longterm - register memory as a fixed buffer, which pins it for long */
static int begin_longterm(struct io_uring *ring, char *map, size_t size)
{
	const struct iovec iov = { map, size };
	int err = io_uring_queue_init(1, ring, 0);

	if (err)
		return err;
	err = io_uring_register_buffers(ring, &iov, 1);
	if (err)
		io_uring_queue_exit(ring);
	return err;
}

static int op_uring(struct job *j)
{
	struct io_uring ring;
	int err = io_uring_queue_init(1, &ring, 0);

	(void)j;
	if (!err)
		io_uring_queue_exit(&ring);
	return err;
}

static int op_register(struct job *j)
{
	struct io_uring ring;
	int err = begin_longterm(&ring, j->map, j->size);

	if (!err)
		io_uring_queue_exit(&ring);
	return err;
}

/* With pins on pages of the process's own, that were the file's. */
static int op_register_private_ftruncate(struct job *j)
{
	char *map = mmap(NULL, j->size, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			 j->fd, 0);
	struct io_uring ring;
	int err;

	if (map == MAP_FAILED)
		return -errno;
	err = begin_longterm(&ring, map, j->size);
	if (err)
		return err;
	err = op_ftruncate(j);
	io_uring_queue_exit(&ring);
	return err;
}

/* --- the table ------------------------------------------------------------------ */

enum { OPEN = 1, MAP = 2, DIRTY = 4 };

static const struct op {
	const char *name;
	int args;
	int before;
	int (*fn)(struct job *j);
} ops[] = {
	{ "truncate", 1, 0, op_truncate },
	{ "ftruncate", 1, OPEN, op_ftruncate },
	{ "open-trunc", 0, 0, op_open_trunc },
	{ "creat", 0, 0, op_creat },
	{ "allocate", 2, OPEN, op_allocate },
	{ "keep-size", 2, OPEN, op_keep_size },
	{ "punch", 2, OPEN, op_punch },
	{ "zero", 2, OPEN, op_zero },
	{ "zero-keep", 2, OPEN, op_zero_keep },
	{ "madv-remove", 2, OPEN | MAP, op_madv_remove },
	{ "munmap-ftruncate", 1, OPEN | MAP | DIRTY, op_munmap_ftruncate },
	{ "munmap-punch", 2, OPEN | MAP | DIRTY, op_munmap_punch },
	{ "write", 2, OPEN, op_write },
	{ "read", 2, OPEN, op_read },
	{ "fsync", 0, OPEN, op_fsync },
	{ "syncfs", 0, OPEN, op_syncfs },
	{ "msync", 0, OPEN | MAP | DIRTY, op_msync },
	{ "fault", 0, OPEN | MAP, op_fault },
	{ "mmap", 0, OPEN, op_mmap },
	{ "dontneed", 0, OPEN, op_dontneed },
	{ "fchmod", 0, OPEN, op_fchmod },
	{ "chmod", 0, 0, op_chmod },
	{ "stat", 0, 0, op_stat },
	{ "statfs", 0, 0, op_statfs },
	{ "open", 0, 0, op_open },
	{ "readdir", 0, 0, op_readdir },
	{ "link", 1, 0, op_link },
	{ "rename", 1, 0, op_rename },
	{ "unlink", 0, 0, op_unlink },
	{ "unlink-close", 0, OPEN, op_unlink_close },
	{ "register", 0, OPEN | MAP, op_register },
	{ "register-private-ftruncate", 1, OPEN | MAP,
	  op_register_private_ftruncate },
	{ "uring", 0, 0, op_uring },
};

static void on_signal(int sig)
{
	if (sig == SIGUSR1)
		signals++;
}

static void handle_signals(int flags)
{
	const struct sigaction sa = { .sa_handler = on_signal,
				      .sa_flags = flags };

	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

static int prepare(struct job *j, int before)
{
	struct stat st;

	if (!(before & OPEN))
		return 0;
	j->fd = open(j->path, O_RDWR);
	if (j->fd < 0 || fstat(j->fd, &st))
		return -errno;
	if (!(before & MAP))
		return 0;
	j->size = (size_t)st.st_size;
	j->map = mmap(NULL, j->size, PROT_READ | PROT_WRITE, MAP_SHARED, j->fd,
		      0);
	if (j->map == MAP_FAILED)
		return -errno;
	if (before & DIRTY)
		j->map[j->size - 1] = 'm';
	return 0;
}

static int wait_for(const char *fifo)
{
	int fd = open(fifo, O_RDONLY);
	char go;

	if (fd < 0 || read(fd, &go, 1) != 1)
		return -errno;
	close(fd);
	return 0;
}

static const struct op *find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (!strcmp(ops[i].name, name))
			return &ops[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct op *op = NULL;
	const char *fifo = NULL;
	struct job j = { .fd = -1 };
	long long start;
	int opt, err;

	while ((opt = getopt(argc, argv, "riw:")) != -1) {
		if (opt == 'w')
			fifo = optarg;
		else
			handle_signals(opt == 'r' ? SA_RESTART : 0);
	}
	if (argc - optind >= 2)
		op = find(argv[optind]);
	if (!op || argc - optind - 2 != op->args) {
		fprintf(stderr, "usage: op [-r|-i] [-w FIFO] OPERATION FILE "
				"[ARG...]\n");
		return 2;
	}
	j.path = argv[optind + 1];
	j.arg = argv + optind + 2;
	err = prepare(&j, op->before);
	if (!err && fifo)
		err = wait_for(fifo);
	if (err) {
		fprintf(stderr, "op: %s: %s\n", j.path, strerror(-err));
		return 2;
	}
	start = now_ms();
	puts("begun");
	fflush(stdout);
	err = op->fn(&j);
	printf("%lld %lld %s %d\n", start, now_ms(),
	       err ? strerrorname_np(-err) : "0", (int)signals);
	return err ? 1 : 0;
}
