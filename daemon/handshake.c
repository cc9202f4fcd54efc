// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the kernel offers and an older libfuse does not know: fuse(4), the kernel's
 * interface, is stable, so we look at requests before libfuse reads them.
 *
 * In the answer to the greeting two things are agreed on that libfuse can say only
 * since 3.17: that a file that the kernel keeps no pages of (C4) may be mapped
 * shared, and that we drop set-id bits and capabilities ourselves. A bit is set
 * only if the kernel has offered it.
 *
 * Two requests are given the number of one that libfuse knows, and has the same
 * form: FUSE_TMPFILE that of FUSE_CREATE, with the name "/", which no file can have;
 * FUSE_STATX that of FUSE_GETATTR, with a handle that no file has. The answer to the
 * first is the same, the second has one of its own.
 */
#include "handshake.h"

#include <errno.h>
#include <linux/fuse.h>
#include <stddef.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/util.h"

#define STATX_HANDLE UINT64_MAX

bool handshake_is_tmpfile(const char *name)
{
	return strcmp(name, "/") == 0;
}

bool handshake_is_statx(const struct fuse_file_info *fi)
{
	return fi && fi->fh == STATX_HANDLE;
}

/* --- the answer to statx --------------------------------------------------------- */

/* Newer than some headers: those of Linux 6.6 have them, as fuse_sx_time etc. */
struct statx_time {
	int64_t sec;
	uint32_t ns;
	int32_t reserved;
};

struct statx_answer {
	uint64_t valid_s;
	uint32_t valid_ns;
	uint32_t flags;
	uint64_t spare[2];
	uint32_t mask;
	uint32_t blksize;
	uint64_t attributes;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint16_t mode;
	uint16_t spare0;
	uint64_t ino;
	uint64_t size;
	uint64_t blocks;
	uint64_t attributes_mask;
	struct statx_time atime;
	struct statx_time btime;
	struct statx_time ctime;
	struct statx_time mtime;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint64_t spare2[14];
};

_Static_assert(sizeof(struct statx_answer) == 288, "fuse_statx_out");

static struct statx_time statx_time(const struct timespec *ts)
{
	return (struct statx_time){ .sec = ts->tv_sec,
				    .ns = (uint32_t)ts->tv_nsec };
}

void handshake_reply_statx(fuse_req_t req, const struct stat *st,
			   const struct timespec *birth, double timeout)
{
	struct statx_answer a = {
		.valid_s = (uint64_t)timeout,
		.mask = STATX_BASIC_STATS | STATX_BTIME,
		.blksize = (uint32_t)st->st_blksize,
		.nlink = (uint32_t)st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mode = (uint16_t)st->st_mode,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.blocks = (uint64_t)st->st_blocks,
		.atime = statx_time(&st->st_atim),
		.btime = statx_time(birth),
		.ctime = statx_time(&st->st_ctim),
		.mtime = statx_time(&st->st_mtim),
		.rdev_major = major(st->st_rdev),
		.rdev_minor = minor(st->st_rdev),
	};

	fuse_reply_buf(req, (const char *)&a, sizeof(a));
}

/* --- the answer to open ---------------------------------------------------------- */

#ifdef HAVE_FUSE_PARALLEL_DIRECT_WRITES

int handshake_reply_open(fuse_req_t req, struct fuse_file_info *fi)
{
	fi->parallel_direct_writes = fi->direct_io;
	return fuse_reply_open(req, fi);
}

#else

int handshake_reply_open(fuse_req_t req, struct fuse_file_info *fi)
{
	struct fuse_open_out out = {
		.fh = fi->fh,
		.open_flags = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES,
	};

	if (!fi->direct_io)
		return fuse_reply_open(req, fi);
	if (fi->noflush)
		out.open_flags |= FOPEN_NOFLUSH;
	if (fi->keep_cache)
		out.open_flags |= FOPEN_KEEP_CACHE;
	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

#endif

#if defined(HAVE_FUSE_DIRECT_IO_ALLOW_MMAP) &&                                 \
	defined(HAVE_FUSE_HANDLE_KILLPRIV_V2) && defined(HAVE_FUSE_TMPFILE) && \
	defined(HAVE_FUSE_STATX)

int handshake_join(struct fuse_session *se)
{
	(void)se;
	return 0;
}

bool handshake_maps_direct(const struct fuse_conn_info *conn)
{
	return conn->capable_ext & FUSE_CAP_DIRECT_IO_ALLOW_MMAP;
}

#else

/* --- the greeting ------------------------------------------------------------------ */

/* Newer than some headers; the upper half of the flags is flags2. */
#define DIRECT_IO_ALLOW_MMAP (1u << (36 - 32))
#define STATX		     52u
#define TMPFILE		     51u

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

bool handshake_maps_direct(const struct fuse_conn_info *conn)
{
	(void)conn;
	return atomic_load(&offered2) & DIRECT_IO_ALLOW_MMAP;
}

/* --- requests ---------------------------------------------------------------------- */

/*
 * The kernel names a file without a name "/" itself. A request of statx begins as
 * one of getattr does.
 */
static void translate(void *buf, size_t size)
{
	struct fuse_in_header *head = buf;
	struct fuse_getattr_in *get = (struct fuse_getattr_in *)(head + 1);

	if (size < sizeof(*head))
		return;
	if (head->opcode == TMPFILE)
		head->opcode = FUSE_CREATE;
	if (head->opcode != STATX || size < sizeof(*head) + sizeof(*get))
		return;
	head->opcode = FUSE_GETATTR;
	get->getattr_flags = FUSE_GETATTR_FH;
	get->fh = STATX_HANDLE;
}

static ssize_t read_request(int fd, void *buf, size_t size, void *arg)
{
	ssize_t n = read(fd, buf, size);

	(void)arg;
	if (n > 0 && !atomic_load(&greeted) && !atomic_exchange(&greeted, true))
		hear_greeting(buf, (size_t)n);
	if (n > 0)
		translate(buf, (size_t)n);
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
