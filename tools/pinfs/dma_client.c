// SPDX-License-Identifier: BSD-3-Clause
/*
 * The client's side of a DMA, after the ticket:
 *
 *              start_send()
 *                   |
 *   +----------- begun ----- WAITING: waits behind a break, begun as before
 *   |               |
 *   | DONE          | STARTED
 *   |               v
 *   |            running --- PROGRESS: running as before
 *   |               |    \
 *   |               |     \ STARTED of a detached DMA: left alone, end
 *   |          DONE |
 *   +-------------> v
 *                  end
 *
 * A signal in begun or running sends a cancel and changes no state: the end
 * is the DONE that the daemon sends once the kernel has let go of the blocks
 * (L11).  A second signal ends it at once; the daemon goes on cancelling.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dma.h"

struct client {
	const struct dma_args *args;
	struct dma_result *res;
	int sock;
	int sigfd;
	bool cancelled;
	bool end;
};

static int connect_daemon(const struct pinfs_ioc_dma *dma)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = strnlen(dma->socket, sizeof(dma->socket));
	int fd, err;

	/* An abstract name: a NUL comes first, and none at the end. */
	memcpy(to.sun_path + 1, dma->socket, len);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	len += offsetof(struct sockaddr_un, sun_path) + 1;
	if (!connect(fd, (struct sockaddr *)&to, (socklen_t)len))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* The start message, and with it the device's descriptor. */
static int start_send(int sock, const struct pinfs_dma_start *start, int device)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct pinfs_dma_start copy = *start;
	struct iovec iov = { .iov_base = &copy, .iov_len = sizeof(copy) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &device, sizeof(int));
	return sendmsg(sock, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int take_signal(struct client *c)
{
	const struct pinfs_dma_cancel cancel = {
		.version = PINFS_DMA_WIRE_VERSION,
		.cancel = 1,
	};
	struct signalfd_siginfo si;

	if (read(c->sigfd, &si, sizeof(si)) != sizeof(si))
		return 0;
	if (c->cancelled)
		return -EINTR;
	c->cancelled = true;
	/* If the daemon is past caring, its DONE is on the way. */
	(void)send(c->sock, &cancel, sizeof(cancel), MSG_NOSIGNAL);
	return 0;
}

static int take_message(struct client *c)
{
	struct pinfs_dma_msg msg;
	ssize_t n;

	n = recv(c->sock, &msg, sizeof(msg), MSG_TRUNC);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	if (n != sizeof(msg) || msg.err > 0)
		return -EPROTO;
	c->res->pinset = msg.id;
	c->res->bytes = msg.done;
	c->res->elapsed_ns = msg.elapsed_ns;
	dma_progress(c->args, &msg);
	switch (msg.event) {
	case PINFS_DMA_WAITING:
		c->res->waited = true;
		return 0;
	case PINFS_DMA_STARTED:
		c->res->detached = c->args->start.flags & PINFS_DMA_DETACH;
		c->end = c->res->detached && !c->cancelled;
		return 0;
	case PINFS_DMA_PROGRESS:
		return 0;
	case PINFS_DMA_DONE:
		c->end = true;
		return msg.err;
	default:
		return -EPROTO;
	}
}

static int talk(struct client *c)
{
	struct pollfd p[] = {
		{ .fd = c->sock, .events = POLLIN },
		{ .fd = c->sigfd, .events = POLLIN },
	};
	int err = 0;

	while (!err && !c->end) {
		if (poll(p, 2, -1) < 0) {
			if (errno != EINTR)
				err = -errno;
			continue;
		}
		if (p[0].revents)
			err = take_message(c);
		if (!err && !c->end && p[1].revents)
			err = take_signal(c);
	}
	dma_progress_end();
	return err;
}

/* Signals come by descriptor from here on, so that none is ever missed. */
static int catch_signals(sigset_t *before)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, before))
		return -errno;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int dma_transfer(const struct dma_args *args, const struct dma_ends *ends,
		 struct dma_result *res)
{
	struct pinfs_ioc_dma dma = { .direction = args->direction };
	struct pinfs_dma_start start = args->start;
	struct client c = { .args = args, .res = res };
	sigset_t before;
	int err;

	*res = (struct dma_result){ .pinset = 0 };
	if (ioctl(ends->file, PINFS_IOC_DMA, &dma))
		return -errno;
	/* An empty source: there is nothing to pin and nothing to say. */
	if (!start.length && !(start.flags & PINFS_DMA_ALL))
		return 0;
	memcpy(start.ticket, dma.ticket, sizeof(start.ticket));
	c.sock = connect_daemon(&dma);
	if (c.sock < 0)
		return c.sock;
	c.sigfd = catch_signals(&before);
	if (c.sigfd < 0) {
		err = -errno;
		goto out_sock;
	}
	err = start_send(c.sock, &start, ends->device);
	if (!err)
		err = talk(&c);
	close(c.sigfd);
	sigprocmask(SIG_SETMASK, &before, NULL);
out_sock:
	close(c.sock);
	return err;
}
