// SPDX-License-Identifier: BSD-3-Clause
/*
 * One DMA for one client:
 *
 *              start message, ticket           transfer_run()
 *   ACCEPTED --------------------> RUNNING --------------------> DONE
 *      |                            |   ^
 *      | hang-up, nonsense          +---+ cancel, hang-up: DONE when the
 *      v                                  kernel has let go (L11)
 *     end
 *
 * Nothing that a client does, or leaves undone, holds up the DMA: messages are
 * never waited with. Progress is only told while there is room, so that the few
 * others always find some.
 */
#include "dma_conn.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"

#define START_FLAGS                                                 \
	(PINFS_DMA_NOWAIT | PINFS_DMA_LONGTERM | PINFS_DMA_DETACH | \
	 PINFS_DMA_ALL)
#define UNREAD_MAX 32768 /* bytes of a socket's buffer, kernel's own included */
#define FDS_MAX	   8 /* that a message could bring; one is right */

/* --- hearing -------------------------------------------------------------- */

/* Take the descriptors; only exactly one is right. */
static int take_device(struct msghdr *msg, int *device)
{
	struct cmsghdr *cmsg;
	int fd, n = 0;
	size_t i, count;

	*device = -1;
	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET ||
		    cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count; i++, n++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int),
			       sizeof(int));
			if (n == 0)
				*device = fd;
			else
				close(fd);
		}
	}
	if (n == 1 && !(msg->msg_flags & MSG_CTRUNC))
		return 0;
	if (*device >= 0)
		close(*device);
	*device = -1;
	return -EBADF;
}

static int check_start(const struct pinfs_dma_start *start)
{
	if (start->version != PINFS_DMA_WIRE_VERSION)
		return -EPROTO;
	return start->flags & ~START_FLAGS ? -EINVAL : 0;
}

/* -ECONNRESET: nobody is there to answer to */
static int recv_start(struct conn *c, int *device)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { &c->start, sizeof(c->start) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;
	int err;

	do {
		n = recvmsg(c->sock, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return -ECONNRESET;
	err = take_device(&msg, device);
	if (n != sizeof(c->start) || (msg.msg_flags & MSG_TRUNC))
		err = -EPROTO;
	if (!err)
		err = check_start(&c->start);
	if (err && *device >= 0)
		close(*device);
	return err;
}

void conn_heard(struct conn *c, bool *hung_up)
{
	struct pinfs_dma_cancel msg;
	ssize_t n = recv(c->sock, &msg, sizeof(msg), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	*hung_up = n <= 0;
	if (n <= 0 && c->detached)
		return;
	/* What is not a cancel message is none that this version knows. */
	if (n > 0 && (n != sizeof(msg) ||
		      msg.version != PINFS_DMA_WIRE_VERSION || !msg.cancel))
		return;
	transfer_cancel(c->transfer);
}

/* --- telling -------------------------------------------------------------- */

static void tell(struct conn *c, enum pinfs_dma_event event, uint64_t id,
		 uint64_t done, int err)
{
	const struct pinfs_dma_msg msg = {
		.event = event,
		.err = err,
		.id = id,
		.done = done,
		.total = c->start.flags & PINFS_DMA_ALL ? 0 : c->start.length,
		.elapsed_ns = c->started_ns ? now_ns() - c->started_ns : 0,
	};

	/* Who does not listen any more misses nothing. */
	(void)send(c->sock, &msg, sizeof(msg), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void on_waiting(void *arg, uint64_t id)
{
	tell(arg, PINFS_DMA_WAITING, id, 0, 0);
}

static void on_started(void *arg, uint64_t id)
{
	struct conn *c = arg;

	c->started_ns = now_ns();
	tell(c, PINFS_DMA_STARTED, id, 0, 0);
}

static void on_progress(void *arg, uint64_t id, uint64_t done)
{
	struct conn *c = arg;
	int unread = 0;

	if (!ioctl(c->sock, SIOCOUTQ, &unread) && unread < UNREAD_MAX)
		tell(c, PINFS_DMA_PROGRESS, id, done, 0);
}

/* --- the DMA -------------------------------------------------------------- */

static struct layout_owner owner_of(int sock)
{
	struct ucred who = { .pid = 0, .uid = UINT32_MAX };
	socklen_t len = sizeof(who);

	(void)getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &who, &len);
	return layout_owner_of((uint32_t)who.pid, who.uid);
}

static int run(struct conn *c, int device, uint64_t *id, uint64_t *done)
{
	const struct layout_owner owner = owner_of(c->sock);
	const struct transfer_events events = {
		.waiting = on_waiting,
		.started = on_started,
		.progress = on_progress,
		.arg = c,
	};
	enum pinfs_direction direction;
	struct transfer *t;
	struct inode *ip;
	int err;

	err = ticket_take(c->d->handles, c->start.ticket, &ip, &direction);
	if (err)
		return err;
	err = transfer_new(c->d->fs, ip, direction, &c->start, device, &owner,
			   &events, &t);
	inode_put(ip);
	if (err)
		return err;
	*id = transfer_id(t);
	c->detached = c->start.flags & PINFS_DMA_DETACH;
	err = dma_watch(c, t);
	if (!err) {
		err = transfer_run(t, done);
		dma_unwatch(c);
	}
	transfer_free(t);
	return err;
}

/*
 * leave - nothing more is heard or said
 *
 * A cancel that has come too late must not be left unread: then the client would
 * be told of a reset connection, before the answer that waits for it.
 */
static void leave(struct conn *c)
{
	struct pinfs_dma_cancel msg;

	shutdown(c->sock, SHUT_RD);
	while (recv(c->sock, &msg, sizeof(msg), MSG_DONTWAIT) > 0)
		;
}

void conn_run(struct conn *c)
{
	uint64_t id = 0, done = 0;
	int device = -1, err;

	err = recv_start(c, &device);
	if (err == -ECONNRESET)
		return;
	if (!err) {
		err = run(c, device, &id, &done);
		close(device);
	}
	tell(c, PINFS_DMA_DONE, id, done, err);
	leave(c);
}
