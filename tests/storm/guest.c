// SPDX-License-Identifier: BSD-3-Clause
/*
 * A client with pins and a ring of its own (libpinfs): it reads from the slow
 * device right into blocks of a file, and as often as not is killed while the
 * kernel still does so and a truncate of the file waits. Whoever gets the blocks
 * must get them after that (L11).
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pinfs.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storm.h"

#define RANGE_MOST (8u * BLOCK)
#define RANGES	   2u
/* A place on the device rests for so many rounds: late I/O still reads it. */
#define PLACES	    16u
#define PLACE_BYTES (RANGES * RANGE_MOST)
#define READS_MOST  (PLACE_BYTES / BLOCK)

struct guest {
	struct proc *p;
	struct target *t;
	uint64_t off[RANGES], len; /* of the file */
	uint64_t place; /* of the device */
	int file; /* a description of its own: what the set belongs to */
	int device;
	pinfs_pool *pool;
	pinfs_pin *pin;
	struct io_uring ring;
	unsigned int reads; /* under way */
};

/* --- the client -------------------------------------------------------------- */

/* must - a result that is negative is an error, and ends the storm */
static void must(const struct guest *g, int err, const char *what)
{
	if (err < 0)
		broken(g->p, "a client's %s: %s", what, strerror(-err));
}

static int or_errno(int result)
{
	return result < 0 ? -errno : result;
}

static void set_up(struct guest *g)
{
	int keep[PINFS_RING_FILES];
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", g->t->fd);
	g->file = open(path, O_RDWR | O_CLOEXEC);
	must(g, or_errno(g->file), "file");
	close(g->t->fd);
	g->device = open(g->p->st->slowdev, O_RDONLY | O_DIRECT | O_CLOEXEC);
	must(g, or_errno(g->device), "device");
	must(g, pinfs_pool_map(g->file, PROT_READ | PROT_WRITE, &g->pool),
	     "mapping of the pool");
	must(g, pinfs_pin_begin(g->file, PINFS_PIN_FROM_DEVICE, 0, &g->pin),
	     "pin set");
	must(g, io_uring_queue_init(READS_MOST, &g->ring, 0), "ring");
	/* The ring keeps the file and the pool until its I/O is over. */
	pinfs_ring_files(g->pin, g->pool, keep);
	must(g, io_uring_register_files(&g->ring, keep, PINFS_RING_FILES),
	     "registration");
}

static void submit(struct guest *g, unsigned int range)
{
	uint64_t from = g->place + range * g->len;
	struct iovec iov[READS_MOST];
	ssize_t n = pinfs_pin_iovec(g->pin, g->pool, iov, READS_MOST);

	must(g, (int)n, "memory");
	for (ssize_t i = 0; i < n; i++) {
		io_uring_prep_read(io_uring_get_sqe(&g->ring), g->device,
				   iov[i].iov_base,
				   (unsigned int)iov[i].iov_len, from);
		from += iov[i].iov_len;
	}
	must(g, io_uring_submit(&g->ring), "I/O");
	g->reads += (unsigned int)n;
}

/*
 * transfer - the ranges one after the other, I/O of the first while the second
 *            is pinned, be there a truncate that waits for the first (L5)
 *
 * EDEADLK: that has the kernel keep the file's dirty pages from being written.
 */
static void transfer(struct guest *g)
{
	static const int may_be[] = { ENOSPC, EINTR, EDEADLK, 0 };
	int err;

	for (unsigned int i = 0; i < RANGES; i++) {
		err = pinfs_pin_extend(g->pin, g->file, g->off[i], g->len);
		if (!err)
			submit(g, i);
		else if (!allowed(-err, may_be))
			must(g, err, "pins");
	}
	if (!g->reads)
		_exit(2); /* no space */
}

/* The pins have ended all the same, but some cached pages had not gone yet. */
static void finish(struct guest *g)
{
	static const int may_be[] = { EINTR, EDEADLK, 0 };
	struct io_uring_cqe *cqe;
	int err;

	for (; g->reads; g->reads--) {
		must(g, io_uring_wait_cqe(&g->ring, &cqe), "wait");
		must(g, cqe->res, "I/O");
		io_uring_cqe_seen(&g->ring, cqe);
	}
	err = pinfs_pin_end(g->pin, PINFS_ALL);
	if (!allowed(-err, may_be))
		must(g, err, "end");
	io_uring_queue_exit(&g->ring);
	pinfs_pool_unmap(g->pool);
}

__attribute__((noreturn)) static void be_guest(struct guest *g, int tell,
					       bool stay)
{
	set_up(g);
	transfer(g);
	must(g, or_errno((int)write(tell, "", 1)), "word");
	while (stay)
		pause();
	finish(g);
	_exit(0);
}

/* --- who started it ------------------------------------------------------------ */

static pid_t start_cut(struct guest *g)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(ftruncate(g->t->fd, 0) && errno != ENOSPC);
	return pid;
}

/* wait_for - its exit status; a signal's number counts as well */
static int wait_for(const struct guest *g, pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		must(g, errno == EINTR ? 0 : -errno, "end");
	return status;
}

/*
 * kill_it - with a truncate that waits, or one that comes at once; and then
 *           somebody else gets the blocks
 */
static void kill_it(struct guest *g, pid_t pid)
{
	bool first = chance(g->p, 50);
	pid_t cut = first ? start_cut(g) : 0;

	usleep((useconds_t)draw(g->p, 2000));
	kill(pid, SIGKILL);
	if (!first) {
		usleep((useconds_t)draw(g->p, 2000));
		cut = start_cut(g);
	}
	must(g, or_errno(cut), "truncate");
	if (wait_for(g, cut))
		broken(g->p, "a truncate after a client's death has failed");
	ops_write_around(g->p);
	(void)wait_for(g, pid);
}

static enum outcome watch_it(struct guest *g, pid_t pid, int heard, bool stay)
{
	char word;
	int status;

	if (read(heard, &word, 1) != 1)
		stay = false; /* it has found no space */
	if (stay) {
		kill_it(g, pid);
		return DONE;
	}
	status = wait_for(g, pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		return REFUSED;
	if (status)
		broken(g->p, "a client ended with status %#x", status);
	return DONE;
}

/* fill_place - the device has there what the file is to get */
static void fill_place(struct guest *g)
{
	struct proc *p = g->p;
	int device = open(p->st->slowdev, O_WRONLY | O_DIRECT | O_CLOEXEC);

	g->place = (STORM_PLACE * PROCS_MAX) +
		   (p->index * PLACES + p->made_guests++ % PLACES) *
			   (uint64_t)PLACE_BYTES;
	for (unsigned int i = 0; i < RANGES; i++)
		sector_fill(p, g->t->id, g->off[i], p->buf + i * g->len,
			    g->len);
	must(g, or_errno(device), "device");
	must(g,
	     or_errno((int)pwrite(device, p->buf, RANGES * g->len,
				  (off_t)g->place)),
	     "device");
	close(device);
}

enum outcome guest(struct proc *p)
{
	struct guest g = { .p = p };
	bool stay = chance(p, 60);
	enum outcome how;
	struct target t;
	int word[2];
	pid_t pid;

	if (!p->st->slowdev || !target_open(p, O_RDWR, &t))
		return REFUSED;
	g.t = &t;
	g.len = (1 + draw(p, RANGE_MOST / BLOCK)) * BLOCK;
	for (unsigned int i = 0; i < RANGES; i++)
		g.off[i] = draw(p, FILE_MOST / BLOCK) * BLOCK;
	if (g.off[1] < g.off[0] + g.len)
		g.off[1] = g.off[0] + g.len; /* not twice the same block */
	fill_place(&g);
	must(&g, or_errno(pipe2(word, O_CLOEXEC)), "pipe");
	pid = fork();
	must(&g, or_errno(pid), "process");
	if (pid == 0)
		be_guest(&g, word[1], stay);
	close(word[1]);
	how = watch_it(&g, pid, word[0], stay);
	close(word[0]);
	target_close(&t);
	return how;
}
