// SPDX-License-Identifier: BSD-3-Clause
/*
 * A client with pins and a ring of its own: it reads from the slow device right
 * into blocks of a file, and as often as not is killed while the kernel still
 * does so and a truncate of the file waits. Whoever gets the blocks must get
 * them after that (L11).
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storm.h"
#include "wire/pinfs_ioctl.h"

#define BLOCKS_MOST 16u
/* A place on the device rests for so many rounds: late I/O still reads it. */
#define PLACES	    16u
#define PLACE_BYTES (BLOCKS_MOST * BLOCK)

struct guest {
	struct proc *p;
	struct target *t;
	uint64_t off, len; /* of the file */
	uint64_t place; /* of the device */
	int file; /* a description of its own: what the set belongs to */
	int pool;
	uint8_t *mem; /* the pool */
	struct pinfs_ioc_pin_begin set;
	struct pinfs_ioc_pin_extend range;
	struct io_uring ring;
};

/* --- the client -------------------------------------------------------------- */

static void must(const struct guest *g, bool is_so, const char *what)
{
	if (!is_so)
		broken(g->p, "a client's %s: %s", what, strerror(errno));
}

/* refuse - end the client: there was no space, or a signal */
static void refuse_if(bool refused)
{
	if (refused)
		_exit(2);
}

static void pin(struct guest *g)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", g->t->fd);
	g->file = open(path, O_RDWR | O_CLOEXEC);
	must(g, g->file >= 0, "file");
	close(g->t->fd);
	g->set.direction = PINFS_FROM_DEVICE;
	must(g, !ioctl(g->file, PINFS_IOC_PIN_BEGIN, &g->set), "pin set");
	g->range.id = g->set.id;
	g->range.key = g->set.key;
	g->range.offset = g->off;
	g->range.length = g->len;
	if (!ioctl(g->file, PINFS_IOC_PIN_EXTEND, &g->range))
		return;
	refuse_if(errno == ENOSPC || errno == EINTR);
	must(g, false, "pins");
}

/* map_pool - and have the pool's next owner wait for us (L12) */
static void map_pool(struct guest *g)
{
	struct flock lock = {
		.l_type = F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = PINFS_GUEST_BYTE,
		.l_len = 1,
	};
	struct pinfs_ioc_info info;
	struct stat st;

	must(g, !ioctl(g->file, PINFS_IOC_INFO, &info), "question");
	g->pool = open(info.pool, O_RDWR | O_CLOEXEC);
	must(g, g->pool >= 0 && !fstat(g->pool, &st), "pool");
	must(g, !fcntl(g->pool, F_OFD_SETLK, &lock), "lock of the pool");
	g->mem = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
		      MAP_SHARED, g->pool, 0);
	must(g, g->mem != MAP_FAILED, "mapping of the pool");
}

/* submit - one read an extent; the ring keeps both descriptions alive (L11) */
static void submit(struct guest *g)
{
	const int keep[] = { g->file, g->pool };
	int device = open(g->p->st->slowdev, O_RDONLY | O_DIRECT | O_CLOEXEC);

	must(g, device >= 0, "device");
	errno = -io_uring_queue_init(BLOCKS_MOST, &g->ring, 0);
	must(g, errno == 0, "ring");
	errno = -io_uring_register_files(&g->ring, keep, 2);
	must(g, errno == 0, "registration");
	for (uint32_t i = 0; i < g->range.count; i++) {
		const struct pinfs_ioc_pinned *e = &g->range.extent[i];
		struct io_uring_sqe *sqe = io_uring_get_sqe(&g->ring);

		io_uring_prep_read(sqe, device, g->mem + e->physical,
				   (unsigned int)e->length,
				   g->place + (e->logical - g->off));
	}
	must(g, io_uring_submit(&g->ring) == (int)g->range.count, "I/O");
}

static void finish(struct guest *g)
{
	struct pinfs_ioc_pin_end end = {
		.id = g->set.id,
		.key = g->set.key,
		.end = PINFS_PIN_END_ALL,
	};
	struct io_uring_cqe *cqe;

	for (uint32_t i = 0; i < g->range.count; i++) {
		errno = -io_uring_wait_cqe(&g->ring, &cqe);
		must(g, errno == 0, "wait");
		errno = -cqe->res;
		must(g, cqe->res > 0, "I/O");
		io_uring_cqe_seen(&g->ring, cqe);
	}
	must(g, !ioctl(g->file, PINFS_IOC_PIN_END, &end) || errno == EINTR,
	     "end");
}

__attribute__((noreturn)) static void be_guest(struct guest *g, int tell,
					       bool stay)
{
	pin(g);
	map_pool(g);
	submit(g);
	must(g, write(tell, "", 1) == 1, "word");
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
		must(g, errno == EINTR, "end");
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
	must(g, cut > 0 && wait_for(g, cut) == 0, "truncate");
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
	sector_fill(p, g->t->id, g->off, p->buf, g->len);
	must(g,
	     device >= 0 && pwrite(device, p->buf, g->len, (off_t)g->place) ==
				    (ssize_t)g->len,
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
	g.off = draw(p, FILE_MOST / BLOCK) * BLOCK;
	g.len = (1 + draw(p, BLOCKS_MOST)) * BLOCK;
	fill_place(&g);
	must(&g, !pipe2(word, O_CLOEXEC), "pipe");
	pid = fork();
	must(&g, pid >= 0, "process");
	if (pid == 0)
		be_guest(&g, word[1], stay);
	close(word[1]);
	how = watch_it(&g, pid, word[0], stay);
	close(word[0]);
	target_close(&t);
	return how;
}
