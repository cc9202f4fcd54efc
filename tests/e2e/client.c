// SPDX-License-Identifier: BSD-3-Clause
/*
 * client - pin sets of a client's own, and its own I/O, as it is told
 *
 *   client FILE IN OUT
 *
 * Opens FILE for reading and writing, maps its pool, and takes commands, a line
 * each, from the fifo IN; each is answered in OUT by a line: "ok ...", or an
 * errno's name. SET is a slot from 0 on.
 *
 *   begin SET from|to [nowait|longterm]     on FILE; says the set's id
 *   begin-on SET from|to PATH MODE          on another file, open as MODE: r, w
 *   extend SET OFF LEN                      of FILE
 *   extend-of SET OFF LEN PATH MODE         of another file
 *   extents SET                             logical:physical:length ...
 *   fill SET BYTE                           all of the last extend, in memory
 *   save SET OUT                            the same, to a file
 *   ring SET SOURCE                         submit reads of SOURCE into it
 *   reap SET                                await them; says how many bytes
 *   end SET BYTES|all
 *   many N                                  begin sets until one fails
 *   raw                                     ioctls that make no sense, and why not
 *   quit
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <liburing.h>
#include <pinfs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "wire/pinfs_ioctl.h"

#define SETS   8
#define IOVECS 1024

struct slot {
	pinfs_pin *pin;
	int fd; /* of begin-on, or -1 */
	struct io_uring ring;
	unsigned int in_flight;
	struct iovec iov[IOVECS];
	ssize_t niov;
};

static struct slot slots[SETS];
static pinfs_pool *pool;
static int file;
static FILE *out;

struct command {
	char name[16];
	struct slot *slot;
	char arg[3][256];
};

static uint64_t number(const char *s)
{
	char *end;
	uint64_t n = strtoull(s, &end, 0);

	return *end == 'K' ? n << 10 : *end == 'M' ? n << 20 : n;
}

static int open_as(const char *path, const char *mode)
{
	int fd = open(path, (*mode == 'r' ? O_RDONLY : O_WRONLY) | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* --- sets ----------------------------------------------------------------- */

static int begin_on(struct slot *s, int fd, const char *way, unsigned int flags)
{
	int direction = strcmp(way, "from") == 0 ? PINFS_PIN_FROM_DEVICE :
						   PINFS_PIN_TO_DEVICE;
	int err = pinfs_pin_begin(fd, direction, flags, &s->pin);

	if (!err)
		fprintf(out, "ok %" PRIu64 "\n", pinfs_pin_id(s->pin));
	return err ? err : 1;
}

static int do_begin(struct command *c)
{
	unsigned int flags = 0;

	if (strcmp(c->arg[1], "nowait") == 0)
		flags = PINFS_BEGIN_NOWAIT;
	else if (strcmp(c->arg[1], "longterm") == 0)
		flags = PINFS_BEGIN_LONGTERM;
	c->slot->fd = -1;
	return begin_on(c->slot, file, c->arg[0], flags);
}

static int do_begin_on(struct command *c)
{
	c->slot->fd = open_as(c->arg[1], c->arg[2]);
	if (c->slot->fd < 0)
		return c->slot->fd;
	return begin_on(c->slot, c->slot->fd, c->arg[0], 0);
}

/* extend-of: the path and the mode are in the last argument */
static int do_extend(struct command *c)
{
	uint64_t off = number(c->arg[0]), len = number(c->arg[1]);
	char *mode = strrchr(c->arg[2], ' ');
	int fd = file, err;

	if (mode) {
		*mode++ = '\0';
		fd = open_as(c->arg[2], mode);
	}
	if (fd < 0)
		return fd;
	err = pinfs_pin_extend(c->slot->pin, fd, off, len);
	if (fd != file)
		close(fd);
	if (err)
		return err;
	c->slot->niov =
		pinfs_pin_iovec(c->slot->pin, pool, c->slot->iov, IOVECS);
	return c->slot->niov > IOVECS ? -E2BIG :
	       c->slot->niov < 0      ? (int)c->slot->niov :
					0;
}

static int do_extents(struct command *c)
{
	const struct pinfs_extent *ext;
	size_t n;
	int err = pinfs_pin_extents(c->slot->pin, &ext, &n);

	if (err)
		return err;
	fprintf(out, "ok");
	for (size_t i = 0; i < n; i++)
		fprintf(out, " %" PRIu64 ":%" PRIu64 ":%" PRIu64,
			ext[i].logical, ext[i].physical, ext[i].length);
	fprintf(out, "\n");
	return 1;
}

static int do_end(struct command *c)
{
	uint64_t end = strcmp(c->arg[0], "all") == 0 ? PINFS_ALL :
						       number(c->arg[0]);
	int err = pinfs_pin_end(c->slot->pin, end);

	if (c->slot->fd >= 0)
		close(c->slot->fd);
	return err;
}

static int do_many(struct command *c)
{
	pinfs_pin *pin[2048];
	size_t want = number(c->arg[0]), n = 0;
	int err = 0;

	while (n < want && n < ARRAY_SIZE(pin)) {
		err = pinfs_pin_begin(file, PINFS_PIN_TO_DEVICE, 0, &pin[n]);
		if (err)
			break;
		n++;
	}
	for (size_t i = 0; i < n; i++)
		pinfs_pin_end(pin[i], PINFS_ALL);
	fprintf(out, "ok %zu %s\n", n, err ? strerrorname_np(-err) : "0");
	return 1;
}

/* --- I/O ------------------------------------------------------------------ */

static int do_fill(struct command *c)
{
	for (ssize_t i = 0; i < c->slot->niov; i++)
		memset(c->slot->iov[i].iov_base, (int)number(c->arg[0]),
		       c->slot->iov[i].iov_len);
	return 0;
}

static int do_save(struct command *c)
{
	FILE *f = fopen(c->arg[0], "w");

	if (!f)
		return -errno;
	for (ssize_t i = 0; i < c->slot->niov; i++)
		fwrite(c->slot->iov[i].iov_base, 1, c->slot->iov[i].iov_len, f);
	return fclose(f) ? -errno : 0;
}

/* The source is opened as late as can be: the ring takes it along. */
static int do_ring(struct command *c)
{
	struct slot *s = c->slot;
	int files[PINFS_RING_FILES + 1], fd, err;
	uint64_t at = 0;

	fd = open(c->arg[0], O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = io_uring_queue_init(IOVECS, &s->ring, 0);
	if (err)
		return err;
	pinfs_ring_files(s->pin, pool, files);
	files[PINFS_RING_FILES] = fd;
	err = io_uring_register_files(&s->ring, files, PINFS_RING_FILES + 1);
	if (err)
		return err;
	for (s->in_flight = 0; s->in_flight < s->niov; s->in_flight++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);
		struct iovec *v = &s->iov[s->in_flight];

		io_uring_prep_read(sqe, PINFS_RING_FILES, v->iov_base,
				   (unsigned int)v->iov_len, at);
		sqe->flags |= IOSQE_FIXED_FILE;
		at += v->iov_len;
	}
	close(fd);
	err = io_uring_submit(&s->ring);
	return err < 0 ? err : 0;
}

static int do_reap(struct command *c)
{
	struct slot *s = c->slot;
	struct io_uring_cqe *cqe;
	int sum = 0, err = 0;

	for (; s->in_flight > 0; s->in_flight--) {
		int e = io_uring_wait_cqe(&s->ring, &cqe);

		if (e)
			return e;
		if (cqe->res < 0)
			err = cqe->res;
		else
			sum += cqe->res;
		io_uring_cqe_seen(&s->ring, cqe);
	}
	io_uring_unregister_files(&s->ring);
	io_uring_queue_exit(&s->ring);
	if (err)
		return err;
	fprintf(out, "ok %d\n", sum);
	return 1;
}

/* --- nonsense ------------------------------------------------------------- */

static void try(const char *what, unsigned long request, void *arg)
{
	int err = ioctl(file, request, arg) ? errno : 0;

	fprintf(out, " %s=%s", what, err ? strerrorname_np(err) : "0");
}

static struct pinfs_ioc_pin_begin a_set(void)
{
	struct pinfs_ioc_pin_begin b = { .direction = PINFS_TO_DEVICE };

	ioctl(file, PINFS_IOC_PIN_BEGIN, &b);
	return b;
}

static void raw_begin(void)
{
	struct pinfs_ioc_pin_begin b[5] = { 0 };

	b[0].direction = 2;
	b[1].flags = 4;
	b[2].key = 1;
	b[3].id = 1;
	b[4].reserved[1] = 1;
	for (int i = 0; i < 5; i++)
		try("begin", PINFS_IOC_PIN_BEGIN, &b[i]);
}

static void raw_extend(const struct pinfs_ioc_pin_begin *b)
{
	static struct pinfs_ioc_pin_extend e[7];
	const unsigned long page = PINFS_IOC_PIN_EXTENTS;

	memset(e, 0, sizeof(e));
	for (int i = 0; i < 7; i++) {
		e[i].id = b->id;
		e[i].key = b->key;
	}
	e[0].count = 1;
	e[1].more = 1;
	e[2].cursor = 1;
	e[3].reserved[0] = 1;
	for (int i = 0; i < 4; i++)
		try("extend", PINFS_IOC_PIN_EXTEND, &e[i]);
	e[4].offset = 1;
	try("extents", page, &e[4]);
	e[5].key ^= 1;
	try("key", PINFS_IOC_PIN_EXTEND, &e[5]);
	try("key", page, &e[5]);
	e[6].id = UINT64_MAX;
	try("id", PINFS_IOC_PIN_EXTEND, &e[6]);
	try("id", page, &e[6]);
}

static void raw_end(const struct pinfs_ioc_pin_begin *b)
{
	struct pinfs_ioc_pin_end e = { .id = b->id, .key = b->key };

	e.reserved[0] = 1;
	try("end", PINFS_IOC_PIN_END, &e);
	e.reserved[0] = 0;
	e.key ^= 1;
	try("key", PINFS_IOC_PIN_END, &e);
	e.key ^= 1;
	try("good", PINFS_IOC_PIN_END, &e);
	try("id", PINFS_IOC_PIN_END, &e);
}

static int do_raw(struct command *c)
{
	struct pinfs_ioc_pin_begin b = a_set();

	(void)c;
	fprintf(out, "ok");
	raw_begin();
	raw_extend(&b);
	raw_end(&b);
	fprintf(out, "\n");
	return 1;
}

/* --- commands ------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*fn)(struct command *c); /* 1: has answered */
} commands[] = {
	{ "begin", do_begin },	   { "begin-on", do_begin_on },
	{ "extend", do_extend },   { "extend-of", do_extend },
	{ "extents", do_extents }, { "fill", do_fill },
	{ "save", do_save },	   { "ring", do_ring },
	{ "reap", do_reap },	   { "end", do_end },
};

static int run(char *line)
{
	struct command c = { .name = "" };
	unsigned int slot = 0;

	if (sscanf(line, "many %255s", c.arg[0]) == 1)
		return do_many(&c);
	if (strncmp(line, "raw", 3) == 0)
		return do_raw(&c);
	sscanf(line, "%15s %u %255s %255s %255[^\n]", c.name, &slot, c.arg[0],
	       c.arg[1], c.arg[2]);
	if (slot >= SETS)
		return -ENXIO;
	c.slot = &slots[slot];
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, c.name) == 0)
			return commands[i].fn(&c);
	return -ENOSYS;
}

static void on_signal(int sig)
{
	(void)sig;
}

int main(int argc, char **argv)
{
	const struct sigaction act = { .sa_handler = on_signal };
	char line[1024];
	FILE *in;
	int err;

	if (argc != 4)
		return 2;
	sigaction(SIGINT, &act, NULL);
	in = fopen(argv[2], "re");
	out = fopen(argv[3], "we");
	file = open(argv[1], O_RDWR | O_CLOEXEC);
	if (!in || !out || file < 0)
		return 2;
	err = pinfs_pool_map(file, PROT_READ | PROT_WRITE, &pool);
	if (err) {
		fprintf(stderr, "client: %s\n", strerror(-err));
		return 1;
	}
	while (fgets(line, sizeof(line), in) && strcmp(line, "quit\n") != 0) {
		err = run(line);
		if (err <= 0)
			fprintf(out, "%s\n",
				err ? strerrorname_np(-err) : "ok");
		fflush(out);
	}
	pinfs_pool_unmap(pool);
	return 0;
}
