// SPDX-License-Identifier: BSD-3-Clause
/* The table of requests, and what the kernel and we agree on at the start. */
#include "ops.h"

#include "handshake.h"
#include "session.h"

#define IO_MAX	   (1u << 20)
#define BACKGROUND 256u /* asynchronous requests in flight at most */

struct fs_caller ops_caller(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	return (struct fs_caller){
		.uid = ctx->uid,
		.gid = ctx->gid,
		.pid = (uint32_t)ctx->pid,
		.umask = ctx->umask,
	};
}

void ops_reply(fuse_req_t req, int err)
{
	fuse_reply_err(req, -err);
}

struct fuse_entry_param ops_entry(const struct fs_entry *e)
{
	return (struct fuse_entry_param){
		.ino = e->node,
		.generation = e->gen,
		.attr = e->st,
		.attr_timeout = ATTR_TIMEOUT_S,
		.entry_timeout = ENTRY_TIMEOUT_S,
	};
}

/* --- capabilities --------------------------------------------------------- */

static void want(struct fuse_conn_info *conn, uint64_t cap)
{
#ifdef HAVE_FUSE_SET_FEATURE_FLAG
	fuse_set_feature_flag(conn, cap);
#else
	conn->want |= conn->capable & (unsigned int)cap;
#endif
}

static void refuse(struct fuse_conn_info *conn, uint64_t cap)
{
#ifdef HAVE_FUSE_SET_FEATURE_FLAG
	fuse_unset_feature_flag(conn, cap);
#else
	conn->want &= ~(unsigned int)cap;
#endif
}

static const uint64_t wanted[] = {
	FUSE_CAP_ASYNC_READ,
	FUSE_CAP_ASYNC_DIO,
	FUSE_CAP_PARALLEL_DIROPS,
	FUSE_CAP_READDIRPLUS,
	FUSE_CAP_READDIRPLUS_AUTO,
	FUSE_CAP_EXPORT_SUPPORT,
	FUSE_CAP_IOCTL_DIR,
	FUSE_CAP_CACHE_SYMLINKS,
	/* Default ACLs take the umask's place, so the kernel must not apply it. */
	FUSE_CAP_POSIX_ACL,
	FUSE_CAP_DONT_MASK,
	/*
	 * The kernel knows of every change but a DMA's, and is told of that;
	 * dropping its pages whenever a time has changed would drop them with
	 * each write of its own.
	 */
	FUSE_CAP_EXPLICIT_INVAL_DATA,
#ifdef HAVE_FUSE_DIRECT_IO_ALLOW_MMAP
	FUSE_CAP_DIRECT_IO_ALLOW_MMAP,
#endif
/*
	 * lib/fs drops set-id bits and capabilities itself: else the kernel asks
	 * for the capability before each write.
	 */
#ifdef HAVE_FUSE_HANDLE_KILLPRIV_V2
	FUSE_CAP_HANDLE_KILLPRIV_V2,
#endif
};

static const uint64_t refused[] = {
	/* O_TRUNC is to arrive as what it is, a layout change that may wait. */
	FUSE_CAP_ATOMIC_O_TRUNC,
	FUSE_CAP_AUTO_INVAL_DATA,
	/* The first version of it, which is superseded. */
	FUSE_CAP_HANDLE_KILLPRIV,
	/* What is written is in the pool when write(2) returns (S2). */
	FUSE_CAP_WRITEBACK_CACHE,
	/* Bytes go from and to the pool's memory in one copy as it is. */
	FUSE_CAP_SPLICE_READ,
	FUSE_CAP_SPLICE_WRITE,
	FUSE_CAP_SPLICE_MOVE,
};

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct daemon *d = userdata;
	size_t i;

	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		want(conn, wanted[i]);
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		refuse(conn, refused[i]);
	ring_agree(d->ring, conn);
	conn->max_write = IO_MAX;
	conn->max_background = BACKGROUND;
	conn->congestion_threshold = BACKGROUND / 4 * 3;
	conn->time_gran = 1;
	d->maps_direct = handshake_maps_direct(conn);
	session_told(d->session);
}

/*
 * Without an entry here: forget (nothing is remembered, see lib/fs/fs.h),
 * access (default_permissions), locks (the kernel's own: it is the only one
 * who opens files), poll.
 */
const struct fuse_lowlevel_ops daemon_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.release = op_release,
	.fsync = op_fsync,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.releasedir = op_release,
	.fsyncdir = op_fsync,
	.statfs = op_statfs,
	.setxattr = op_setxattr,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.removexattr = op_removexattr,
	.create = op_create,
#ifdef HAVE_FUSE_TMPFILE
	.tmpfile = op_tmpfile,
#endif
#ifdef HAVE_FUSE_STATX
	.statx = op_statx,
#endif
	.ioctl = op_ioctl,
	.fallocate = op_fallocate,
	.copy_file_range = op_copy_range,
	.lseek = op_lseek,
};
