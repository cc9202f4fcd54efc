// SPDX-License-Identifier: BSD-3-Clause
/*
 * DMA through the daemon, with a pipe as the device: so it is the storm that
 * decides when bytes arrive, if ever. The protocol is spoken here directly.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/util.h"
#include "storm.h"
#include "wire/pinfs_dma.h"
#include "wire/pinfs_ioctl.h"

#define UNIT	 4096u /* PIPE_BUF: so much goes into a pipe whole or not */
#define LATE_MAX (64u << 10) /* what comes after a client has hung up */
#define NEVER	 UINT64_MAX

/* What may happen in the middle of a DMA. */
enum turn {
	TURN_NONE,
	TURN_HANG_UP,
	TURN_CANCEL_MESSAGE,
	TURN_CANCEL_IOCTL,
	TURN_CLOSE, /* the device ends */
	TURN_PAUSE,
	TURN_READ, /* the file, so that the kernel caches what is not final */
};

struct transfer {
	struct proc *p;
	struct target *t;
	bool in; /* from the device */
	uint64_t off;
	uint64_t len; /* bytes that the device has, or that are asked for */
	struct pinfs_dma_start start;
	int sock; /* -1: hung up */
	int pipe; /* our end of the device; -1: closed, or it is no pipe */
	int device; /* its other end, until the daemon has it */
	uint64_t pos; /* bytes that have gone through our end */
	enum turn turn;
	uint64_t turn_at;
	unsigned int pause_ms;
	uint64_t resume_us; /* nothing goes through before */
	uint8_t *exact; /* bytes to feed, or where to put them; or NULL */
	uint64_t set; /* the daemon's number, once known */
	bool over;
	bool hung_up;
	int err; /* positive */
	uint64_t moved;
};

/* --- beginning --------------------------------------------------------------- */

static int connect_to(const struct pinfs_ioc_dma *ticket)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = strnlen(ticket->socket, sizeof(ticket->socket));
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	memcpy(to.sun_path + 1, ticket->socket, len);
	len += offsetof(struct sockaddr_un, sun_path) + 1;
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, (socklen_t)len)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void send_start(struct transfer *d)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { &d->start, sizeof(d->start) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &d->device, sizeof(int));
	if (sendmsg(d->sock, &msg, MSG_NOSIGNAL) < 0)
		broken(d->p, "sending a DMA's start: %s", strerror(errno));
	close(d->device);
	d->device = -1;
}

static void open_pipe(struct transfer *d)
{
	int end[2];

	if (pipe2(end, O_CLOEXEC))
		broken(d->p, "pipe: %s", strerror(errno));
	d->device = end[d->in ? 0 : 1];
	d->pipe = end[d->in ? 1 : 0];
	if (fcntl(d->pipe, F_SETFL, O_NONBLOCK))
		broken(d->p, "pipe: %s", strerror(errno));
}

/* begin - d->device has been opened */
static void begin(struct transfer *d)
{
	struct pinfs_ioc_dma ticket = {
		.direction = d->in ? PINFS_FROM_DEVICE : PINFS_TO_DEVICE,
	};

	if (ioctl(d->t->fd, PINFS_IOC_DMA, &ticket))
		broken(d->p, "a ticket: %s", strerror(errno));
	d->sock = connect_to(&ticket);
	if (d->sock < 0)
		broken(d->p, "the DMA socket: %s", strerror(errno));
	d->start.version = PINFS_DMA_WIRE_VERSION;
	d->start.offset = d->off;
	d->start.length = d->len;
	d->start.fail_after = UINT64_MAX;
	memcpy(d->start.ticket, ticket.ticket, sizeof(ticket.ticket));
	send_start(d);
}

/* --- in the middle ----------------------------------------------------------- */

static void hang_up(struct transfer *d)
{
	close(d->sock);
	d->sock = -1;
	d->hung_up = true;
	/* What comes now must not get into anything but this file. */
	if (d->in)
		d->len = min_u64(d->len, d->pos + LATE_MAX);
	else
		d->over = true;
}

static void close_pipe(struct transfer *d)
{
	if (d->pipe >= 0)
		close(d->pipe);
	d->pipe = -1;
	d->over |= d->sock < 0;
}

static void cancel_by_message(struct transfer *d)
{
	const struct pinfs_dma_cancel cancel = {
		.version = PINFS_DMA_WIRE_VERSION,
		.cancel = 1,
	};

	(void)send(d->sock, &cancel, sizeof(cancel), MSG_NOSIGNAL);
}

static void cancel_by_ioctl(struct transfer *d)
{
	struct pinfs_ioc_cancel cancel = { .id = d->set };

	/* ESRCH: it has just ended. */
	if (d->set && ioctl(d->t->fd, PINFS_IOC_CANCEL, &cancel) &&
	    errno != ESRCH)
		broken(d->p, "cancelling: %s", strerror(errno));
}

static void read_meanwhile(struct transfer *d)
{
	ssize_t n = pread(d->t->fd, d->p->buf + BUF_SIZE / 2,
			  min_u64(d->len, BUF_SIZE / 2), (off_t)d->off);

	if (n < 0)
		broken(d->p, "read in a DMA: %s", strerror(errno));
	sector_check(d->p, "read in a DMA", d->t->id, d->off,
		     d->p->buf + BUF_SIZE / 2, (size_t)n);
}

static void take_turn(struct transfer *d)
{
	d->turn_at = NEVER;
	switch (d->turn) {
	case TURN_NONE:
		break;
	case TURN_HANG_UP:
		hang_up(d);
		break;
	case TURN_CANCEL_MESSAGE:
		cancel_by_message(d);
		break;
	case TURN_CANCEL_IOCTL:
		cancel_by_ioctl(d);
		break;
	case TURN_CLOSE:
		close_pipe(d);
		break;
	case TURN_PAUSE:
		d->resume_us = now_us() + d->pause_ms * 1000;
		break;
	case TURN_READ:
		read_meanwhile(d);
		break;
	}
}

/* feed - UNIT bytes or less into the pipe; false: no room, or nobody reads */
static bool feed(struct transfer *d)
{
	uint64_t n = min_u64(UNIT, d->len - d->pos);
	const uint8_t *from = d->p->buf;
	ssize_t put;

	if (n == 0) {
		close_pipe(d);
		return false;
	}
	if (d->exact)
		from = d->exact + d->pos;
	else
		sector_fill(d->p, d->t->id, d->off + d->pos, d->p->buf, n);
	put = write(d->pipe, from, n);
	if (put < 0 && errno == EPIPE)
		close_pipe(d);
	else if (put < 0 && errno != EAGAIN && errno != EINTR)
		broken(d->p, "feeding a DMA: %s", strerror(errno));
	if (put < 0)
		return false;
	d->pos += (uint64_t)put;
	return true;
}

/* drain - take from the pipe what the device was given */
static bool drain(struct transfer *d)
{
	uint8_t *to = d->exact ? d->exact + d->pos : d->p->buf;
	uint64_t room = d->exact ? d->len - d->pos : UNIT;
	ssize_t got = room ? read(d->pipe, to, room) : 0;

	if (got == 0)
		close_pipe(d);
	else if (got < 0 && errno != EAGAIN && errno != EINTR)
		broken(d->p, "a DMA's pipe: %s", strerror(errno));
	if (got <= 0)
		return false;
	if (!d->exact)
		sector_check(d->p, "DMA to a device", d->t->id, d->off + d->pos,
			     to, (size_t)got);
	d->pos += (uint64_t)got;
	return true;
}

static void move_bytes(struct transfer *d)
{
	do {
		if (d->pos >= d->turn_at)
			take_turn(d);
	} while (d->pipe >= 0 && now_us() >= d->resume_us &&
		 (d->in ? feed(d) : drain(d)));
}

static void take_message(struct transfer *d)
{
	struct pinfs_dma_msg msg;
	ssize_t n = recv(d->sock, &msg, sizeof(msg), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof(msg))
		broken(d->p, "the daemon has hung up in a DMA: %s",
		       n < 0 ? strerror(errno) : "no message");
	d->set = msg.id;
	if (msg.event != PINFS_DMA_DONE)
		return;
	d->over = true;
	d->err = -msg.err;
	d->moved = msg.done;
}

/* talk - until the DMA is over, or nobody is left to hear that it is */
static void talk(struct transfer *d)
{
	while (!d->over) {
		uint64_t now = now_us();
		bool rests = now < d->resume_us;
		short want = d->in ? POLLOUT : POLLIN;
		struct pollfd fd[] = {
			{ .fd = d->sock, .events = POLLIN },
			{ .fd = rests ? -1 : d->pipe, .events = want },
		};
		int wait_ms = rests ? (int)((d->resume_us - now) / 1000 + 1) :
				      -1;

		if (poll(fd, 2, wait_ms) < 0)
			continue;
		if (fd[0].revents)
			take_message(d);
		if (!d->over && d->pipe >= 0)
			move_bytes(d);
	}
}

/* --- the end ----------------------------------------------------------------- */

static void end(struct transfer *d)
{
	/* What is left in the pipe has been written before the daemon ended. */
	while (!d->in && d->pipe >= 0 && d->sock >= 0 && !d->err && drain(d))
		;
	if (d->pipe >= 0)
		close(d->pipe);
	if (d->sock >= 0)
		close(d->sock);
	d->pipe = d->sock = -1;
}

/* check_end - is that how it may end? */
static enum outcome check_end(const struct transfer *d)
{
	static const int may_be[] = { ECANCELED, ENOSPC, ENXIO, 0 };
	bool nowait = d->start.flags & PINFS_DMA_NOWAIT;
	bool cut = d->turn != TURN_NONE && d->turn < TURN_PAUSE;

	if (d->err == 0) {
		if (d->moved != d->pos && !cut)
			broken(d->p, "a DMA says %llu bytes, and were %llu",
			       (unsigned long long)d->moved,
			       (unsigned long long)d->pos);
		return DONE;
	}
	if (allowed(d->err, may_be) || (d->err == EAGAIN && nowait) ||
	    (d->err == EPIPE && !d->in && d->turn == TURN_CLOSE))
		return REFUSED;
	broken(d->p, "DMA %s a device, offset %llu, length %llu: %s",
	       d->in ? "from" : "to", (unsigned long long)d->off,
	       (unsigned long long)d->len, strerror(d->err));
}

static enum outcome transfer(struct transfer *d)
{
	open_pipe(d);
	begin(d);
	talk(d);
	end(d);
	return d->hung_up ? DONE : check_end(d);
}

/* --- what the storm does ------------------------------------------------------- */

static void draw_style(struct proc *p, struct transfer *d)
{
	static const uint64_t chunks[] = { 0, 4096, 16384, 65536, 7 * SECTOR };

	d->start.engine = chance(p, 50) ? PINFS_ENGINE_IO_URING :
					  PINFS_ENGINE_AIO;
	d->start.chunk = chunks[draw(p, ARRAY_SIZE(chunks))];
	d->start.depth = (uint32_t)draw(p, 9);
	if (chance(p, 20))
		d->start.latency_ns = draw(p, 5000000);
	if (chance(p, 10))
		d->start.flags |= PINFS_DMA_NOWAIT;
	d->turn = chance(p, 40) ? TURN_HANG_UP + (enum turn)draw(p, 5) :
				  TURN_NONE;
	d->turn_at = draw(p, d->len + 1);
	d->pause_ms = 1 + (unsigned int)draw(p, 20);
	d->sock = d->pipe = d->device = -1;
}

/* draw_length - mostly small, so that there are many */
static uint64_t draw_length(struct proc *p)
{
	return draw_sectors(p, chance(p, 20) ? 1u << 20 : 96u << 10);
}

enum outcome dma_in(struct proc *p)
{
	struct transfer d = { .p = p, .in = true };
	enum outcome how;
	struct target t;

	if (!target_open(p, O_RDWR, &t))
		return REFUSED;
	d.t = &t;
	d.off = draw(p, FILE_MOST / SECTOR) * SECTOR;
	d.len = draw_length(p);
	draw_style(p, &d);
	if (chance(p, 25))
		d.start.flags |= PINFS_DMA_ALL;
	if (chance(p, 5))
		d.start.flags |= PINFS_DMA_DETACH;
	how = transfer(&d);
	target_close(&t);
	return how;
}

enum outcome dma_out(struct proc *p)
{
	struct transfer d = { .p = p };
	enum outcome how = REFUSED;
	struct target t;

	if (!target_open(p, O_RDONLY, &t))
		return REFUSED;
	d.t = &t;
	if (t.size >= SECTOR) {
		d.off = draw(p, t.size / SECTOR) * SECTOR;
		d.len = min_u64(draw_length(p), t.size - d.off);
		draw_style(p, &d);
		how = transfer(&d);
	}
	target_close(&t);
	return how;
}

/*
 * dma_slow - from the slow device, where it is the kernel that holds the blocks,
 *            whatever becomes of who asked
 */
enum outcome dma_slow(struct proc *p)
{
	uint64_t at = (uint64_t)p->index * STORM_PLACE;
	struct transfer d = { .p = p, .in = true };
	enum outcome how;
	struct target t;

	if (!p->st->slowdev || !target_open(p, O_RDWR, &t))
		return REFUSED;
	d.t = &t;
	d.off = draw(p, FILE_MOST / BLOCK) * BLOCK;
	d.len = (1 + draw(p, 16)) * BLOCK;
	draw_style(p, &d);
	d.start.chunk = 0;
	/* The place on the device is to be free again: no hanging up. */
	if (d.turn == TURN_HANG_UP || d.turn == TURN_CLOSE)
		d.turn = TURN_CANCEL_MESSAGE;
	d.start.device_offset = at;
	d.device = open(p->st->slowdev, O_RDWR | O_DIRECT | O_CLOEXEC);
	sector_fill(p, t.id, d.off, p->buf, d.len);
	if (d.device < 0 ||
	    pwrite(d.device, p->buf, d.len, (off_t)at) != (ssize_t)d.len)
		broken(p, "%s: %s", p->st->slowdev, strerror(errno));
	begin(&d);
	if (d.turn == TURN_CANCEL_MESSAGE)
		cancel_by_message(&d);
	talk(&d);
	end(&d);
	d.pos = d.moved; /* nobody has counted */
	how = check_end(&d);
	target_close(&t);
	return how;
}

enum outcome dma_hold(struct proc *p, struct target *t, uint64_t len,
		      unsigned int hold_ms, bool piecewise)
{
	struct transfer d = {
		.p = p,
		.t = t,
		.in = true,
		.len = len,
		.turn = TURN_PAUSE,
		.turn_at = len / 8,
		.pause_ms = hold_ms,
	};

	if (piecewise)
		d.start.flags = PINFS_DMA_ALL;

	return transfer(&d);
}

bool dma_exactly(struct proc *p, struct target *t, bool in, uint64_t off,
		 uint8_t *buf, uint64_t len)
{
	struct transfer d = {
		.p = p,
		.t = t,
		.in = in,
		.off = off,
		.len = len,
		.exact = buf,
		.turn = TURN_READ,
		.turn_at = in ? len / 2 / SECTOR * SECTOR : NEVER,
	};

	return transfer(&d) == DONE && d.moved == len;
}
