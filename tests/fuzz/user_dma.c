// SPDX-License-Identifier: BSD-3-Clause
/* What a user says on the DMA socket, and the devices that come with it. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../crash/record.h"
#include "base/util.h"
#include "dma_server.h"
#include "user.h"
#include "wire/pinfs_dma.h"

#define CONNECTIONS 4u
#define FDS_MAX	    4u
#define DEVICE_SIZE (256u << 10)

/* struct peer - one connection, and the far ends of its devices */
struct peer {
	bool open;
	int sock;
	int far[2];
};

static struct peer peers[CONNECTIONS];

static void close_if_open(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void hang_up(struct peer *p)
{
	if (!p->open)
		return;
	close(p->sock);
	close_if_open(&p->far[0]);
	close_if_open(&p->far[1]);
	p->open = false;
}

static void dial(struct peer *p, const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				    strlen(name));

	memcpy(at.sun_path + 1, name, strlen(name));
	p->sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (p->sock < 0 || connect(p->sock, (struct sockaddr *)&at, len))
		die("the DMA socket does not answer");
	p->open = true;
	p->far[0] = p->far[1] = -1;
}

/* device_of - one of each kind that there is; far ends are kept open */
static int device_of(struct peer *p, unsigned int kind)
{
	int fd[2] = { -1, -1 };

	switch (kind % 7) {
	case 0:
	case 1:
		fd[0] = memfd_create("device", MFD_CLOEXEC);
		if (fd[0] >= 0 && ftruncate(fd[0], DEVICE_SIZE))
			die("no memory for a device");
		break;
	case 2:
		fd[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
		break;
	case 3:
		if (pipe2(fd, O_CLOEXEC))
			die("no pipe");
		break;
	case 4:
		if (pipe2(fd, O_CLOEXEC))
			die("no pipe");
		p->far[1] = fd[0];
		return fd[1];
	case 5:
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
			die("no sockets");
		break;
	default:
		fd[0] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	close_if_open(&p->far[0]);
	p->far[0] = fd[1];
	return fd[0];
}

static void say(struct peer *p, const void *bytes, size_t size, const int *fds,
		size_t nfds)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { (void *)bytes, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nfds) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, nfds * sizeof(int));
	}
	(void)sendmsg(p->sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* start_of - a message that is right but for what the command has else */
static struct pinfs_dma_start start_of(const struct command *c,
				       const uint8_t ticket[16])
{
	struct pinfs_dma_start s = {
		.version = PINFS_DMA_WIRE_VERSION,
		.flags = le32_to_cpu(c->size) >> 24,
		.offset = le64_to_cpu(c->number[0]),
		.length = le64_to_cpu(c->number[1]),
		.device_offset = le64_to_cpu(c->number[2]),
		.engine = c->text[1] & 3,
		.depth = c->text[2],
		.chunk = le64_to_cpu(c->number[3]),
		.latency_ns = le64_to_cpu(c->number[4]),
		.bandwidth = c->text[3] & 1 ? le64_to_cpu(c->number[5]) : 0,
		.fail_after = c->text[3] & 2 ? le64_to_cpu(c->number[5]) :
					       UINT64_MAX,
		.jitter_ns = c->text[3] & 4 ? le64_to_cpu(c->number[5]) : 0,
	};

	memcpy(s.ticket, ticket, sizeof(s.ticket));
	if (c->text[3] & 8) /* any byte of it */
		((uint8_t *)&s)[c->text[4] % sizeof(s)] ^= c->text[5];
	return s;
}

void user_dma(struct daemon *d, const struct command *c,
	      const uint8_t ticket[16])
{
	struct pinfs_dma_start start = start_of(c, ticket);
	struct peer *p = &peers[c->file % CONNECTIONS];
	size_t nfds = c->text[0] ? c->text[0] % (FDS_MAX + 1) : 1;
	size_t size = sizeof(start);
	int fds[FDS_MAX];

	hang_up(p);
	dial(p, dma_server_name(d->dma));
	for (size_t i = 0; i < nfds; i++)
		fds[i] = device_of(p, c->which + (unsigned int)i);
	if (c->text[3] & 16)
		size = c->text[6] % (sizeof(start) + 1);
	say(p, &start, size, fds, nfds);
	for (size_t i = 0; i < nfds; i++)
		close_if_open(&fds[i]);
}

void user_dma_cancel(const struct command *c)
{
	struct pinfs_dma_cancel msg = { PINFS_DMA_WIRE_VERSION, 1 };
	struct peer *p = &peers[c->file % CONNECTIONS];

	if (c->which & 1)
		msg.version = (uint32_t)le64_to_cpu(c->number[0]);
	if (c->which & 2)
		msg.cancel = (uint32_t)le64_to_cpu(c->number[1]);
	if (p->open)
		say(p, &msg,
		    c->which & 4 ? c->text[0] % sizeof(msg) : sizeof(msg), NULL,
		    0);
}

void user_dma_hang_up(const struct command *c)
{
	hang_up(&peers[c->file % CONNECTIONS]);
}

void user_dma_end(void)
{
	for (unsigned int i = 0; i < CONNECTIONS; i++)
		hang_up(&peers[i]);
}
