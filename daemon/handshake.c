// SPDX-License-Identifier: BSD-3-Clause
/*
 * Two things are agreed on with the kernel, in the answer to its greeting, that
 * libfuse can say only since 3.17: that a file that it keeps no pages of (C4) may
 * be mapped shared, and that we drop set-id bits and capabilities ourselves. For
 * an older libfuse the bits are set here, in its answer as it passes by; greeting
 * and answer are the kernel's stable interface (fuse(4)), and a bit is set only
 * if the kernel has offered it.
 */
#include "handshake.h"

#include <errno.h>
#include <linux/fuse.h>
#include <stddef.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/util.h"

#if defined(HAVE_FUSE_DIRECT_IO_ALLOW_MMAP) && \
	defined(HAVE_FUSE_HANDLE_KILLPRIV_V2)

int handshake_join(struct fuse_session *se)
{
	(void)se;
	return 0;
}

#else

/* Newer than some headers; the upper half of the flags is flags2. */
#define DIRECT_IO_ALLOW_MMAP (1u << (36 - 32))

#define FIELD_END(type, member) \
	(offsetof(type, member) + sizeof(((type *)0)->member))

/* A process has one mount. */
static atomic_bool greeted; /* there has been a first request */
static _Atomic uint64_t answer_to; /* request to be answered so, 0: none */
static _Atomic uint32_t offered; /* FUSE_HANDLE_KILLPRIV_V2, if it was */
static _Atomic uint32_t offered2; /* DIRECT_IO_ALLOW_MMAP, if it was */

static void hear_greeting(const uint8_t *buf, size_t size)
{
	struct fuse_in_header head;
	struct fuse_init_in init;

	if (size < sizeof(head) + sizeof(init))
		return;
	memcpy(&head, buf, sizeof(head));
	memcpy(&init, buf + sizeof(head), sizeof(init));
	if (head.opcode != FUSE_INIT || !(init.flags & FUSE_INIT_EXT))
		return;
	atomic_store(&offered, init.flags & FUSE_HANDLE_KILLPRIV_V2);
	atomic_store(&offered2, init.flags2 & DIRECT_IO_ALLOW_MMAP);
	atomic_store(&answer_to, head.unique);
}

static void amend_answer(const struct iovec *iov, int count)
{
	const struct fuse_out_header *head = iov[0].iov_base;
	struct fuse_init_out *init;

	if (head->unique != atomic_load(&answer_to))
		return;
	atomic_store(&answer_to, 0);
	if (head->error || count < 2 ||
	    iov[1].iov_len < FIELD_END(struct fuse_init_out, flags2))
		return;
	init = iov[1].iov_base;
	init->flags |= FUSE_INIT_EXT | atomic_load(&offered);
	init->flags2 |= atomic_load(&offered2);
}

static ssize_t read_request(int fd, void *buf, size_t size, void *arg)
{
	ssize_t n = read(fd, buf, size);

	(void)arg;
	if (n > 0 && !atomic_load(&greeted) && !atomic_exchange(&greeted, true))
		hear_greeting(buf, (size_t)n);
	return n;
}

static ssize_t write_answer(int fd, struct iovec *iov, int count, void *arg)
{
	(void)arg;
	if (atomic_load(&answer_to))
		amend_answer(iov, count);
	return writev(fd, iov, count);
}

int handshake_join(struct fuse_session *se)
{
	static const struct fuse_custom_io io = {
		.read = read_request,
		.writev = write_answer,
	};

	return fuse_session_custom_io(se, &io, fuse_session_fd(se));
}

#endif
