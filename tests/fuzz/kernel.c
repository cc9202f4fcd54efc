// SPDX-License-Identifier: BSD-3-Clause
/* A kernel's end of a FUSE connection. */
#include "kernel.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

#include "../crash/record.h"
#include "base/util.h"

#define REQUESTS    512u /* of one connection */
#define REQUEST_MAX (1u << 17)

static struct {
	struct fuse_session *se;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	uint64_t last; /* request; they are numbered from 1 */
	unsigned int open; /* lock: not answered */
	bool is_open[REQUESTS + 1]; /* lock */
	bool is_interrupt[REQUESTS + 1]; /* of a request; answered or not */
	struct kernel_answer recent[4]; /* lock: the latest ones */
	unsigned int answers; /* lock */
} kernel = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.wake = PTHREAD_COND_INITIALIZER,
};

static void note_answer(const struct fuse_out_header *head,
			const struct iovec *iov, int count)
{
	struct kernel_answer *a =
		&kernel.recent[kernel.answers++ % ARRAY_SIZE(kernel.recent)];

	a->unique = head->unique;
	a->err = head->error;
	a->size = 0;
	for (int i = 1; i < count; i++) {
		size_t n = min_u64(iov[i].iov_len, KERNEL_ANSWER - a->size);

		memcpy(a->bytes + a->size, iov[i].iov_base, n);
		a->size += n;
	}
}

static ssize_t hear(int fd, struct iovec *iov, int count, void *arg)
{
	const struct fuse_out_header *head = iov[0].iov_base;
	ssize_t n = 0;

	(void)fd;
	(void)arg;
	for (int i = 0; i < count; i++)
		n += (ssize_t)iov[i].iov_len;
	if (head->unique == 0) { /* told without having been asked */
		errno = ENOENT;
		return -1;
	}
	if (head->unique > REQUESTS || (size_t)n != head->len)
		die("an answer that no kernel takes");
	/* The request that it was about had just been answered. */
	if (kernel.is_interrupt[head->unique])
		return n;
	pthread_mutex_lock(&kernel.lock);
	if (!kernel.is_open[head->unique])
		die("a second answer to one request");
	note_answer(head, iov, count);
	kernel.is_open[head->unique] = false;
	kernel.open--;
	pthread_cond_signal(&kernel.wake);
	pthread_mutex_unlock(&kernel.lock);
	return n;
}

static ssize_t nothing(int fd, void *buf, size_t size, void *arg)
{
	(void)fd;
	(void)buf;
	(void)size;
	(void)arg;
	return 0;
}

static uint64_t ask(uint32_t opcode, uint64_t node, const void *head,
		    size_t head_size, const void *body, size_t body_size,
		    bool answered)
{
	static uint8_t mem[REQUEST_MAX];
	struct fuse_in_header in = {
		.len = (uint32_t)(sizeof(in) + head_size + body_size),
		.opcode = opcode,
		.unique = kernel.last + 1,
		.nodeid = node,
		.pid = 1,
	};
	struct fuse_buf buf = { .mem = mem, .size = in.len };

	if (in.len > REQUEST_MAX || kernel.last == REQUESTS)
		return 0;
	kernel.last++;
	memcpy(mem, &in, sizeof(in));
	if (head_size)
		memcpy(mem + sizeof(in), head, head_size);
	if (body_size)
		memcpy(mem + sizeof(in) + head_size, body, body_size);
	pthread_mutex_lock(&kernel.lock);
	kernel.is_open[in.unique] = answered;
	kernel.is_interrupt[in.unique] = !answered;
	kernel.open += answered;
	pthread_mutex_unlock(&kernel.lock);
	fuse_session_process_buf(kernel.se, &buf);
	return in.unique;
}

uint64_t kernel_ask(uint32_t opcode, uint64_t node, const void *head,
		    size_t head_size, const void *body, size_t body_size)
{
	return ask(opcode, node, head, head_size, body, body_size, true);
}

bool kernel_answer(uint64_t unique, struct kernel_answer *out)
{
	bool has = false;

	pthread_mutex_lock(&kernel.lock);
	for (size_t i = 0; i < ARRAY_SIZE(kernel.recent) && !has; i++) {
		has = unique && kernel.recent[i].unique == unique;
		if (has)
			*out = kernel.recent[i];
	}
	pthread_mutex_unlock(&kernel.lock);
	return has;
}

void kernel_interrupt(uint64_t unique)
{
	struct fuse_interrupt_in in = { .unique = unique };
	bool open;

	pthread_mutex_lock(&kernel.lock);
	open = kernel.is_open[unique];
	pthread_mutex_unlock(&kernel.lock);
	if (open)
		ask(FUSE_INTERRUPT, 0, &in, sizeof(in), NULL, 0, false);
}

void kernel_interrupt_all(void)
{
	for (uint64_t i = kernel.last; i > 0; i--)
		kernel_interrupt(i);
	pthread_mutex_lock(&kernel.lock);
	while (kernel.open)
		pthread_cond_wait(&kernel.wake, &kernel.lock);
	pthread_mutex_unlock(&kernel.lock);
}

void kernel_connect(struct daemon *d)
{
	static const struct fuse_custom_io io = { .read = nothing,
						  .writev = hear };
	struct fuse_init_in in = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = 1u << 20,
		.flags = INT32_MAX, /* all but FUSE_INIT_RESERVED */
	};
	int fd = eventfd(0, EFD_CLOEXEC);

	kernel.se = d->se;
	kernel.last = 0;
	kernel.answers = 0;
	memset(kernel.recent, 0, sizeof(kernel.recent));
	if (fd < 0 || fuse_session_custom_io(d->se, &io, fd))
		die("no connection");
	kernel_ask(FUSE_INIT, 0, &in, sizeof(in), NULL, 0);
}

void kernel_disconnect(void)
{
	if (kernel.open)
		die("a request without an answer");
	fuse_session_exit(kernel.se);
}
