// SPDX-License-Identifier: BSD-3-Clause
/* The FUSE side of the slow device. */
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "ctl.h"

#define TIMEOUT_S    3600.0 /* nothing here changes behind the kernel's back */
#define BACKGROUND   4096u /* asynchronous requests in flight at most */
#define BLOCK_BYTES  4096u
#define SECTOR_BYTES 512u

enum { INO_ROOT = FUSE_ROOT_ID, INO_DEV, INO_CTL };

static const struct node {
	const char *name;
	mode_t mode;
} nodes[] = {
	[INO_ROOT] = { ".", S_IFDIR | 0755 },
	[INO_DEV] = { "dev", S_IFREG | 0666 },
	[INO_CTL] = { "ctl", S_IFREG | 0666 },
};

static struct device *device_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static struct stat node_stat(const struct device *d, fuse_ino_t ino)
{
	struct stat st = { 0 };

	st.st_ino = ino;
	st.st_mode = nodes[ino].mode;
	st.st_nlink = ino == INO_ROOT ? 2 : 1;
	st.st_uid = getuid();
	st.st_gid = getgid();
	st.st_blksize = BLOCK_BYTES;
	if (ino == INO_DEV) {
		st.st_size = (off_t)d->media.size;
		st.st_blocks = st.st_size / SECTOR_BYTES;
	}
	return st;
}

static void server_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->max_background = BACKGROUND;
	conn->congestion_threshold = BACKGROUND;
	conn->want |= conn->capable &
		      (FUSE_CAP_ASYNC_DIO | FUSE_CAP_ASYNC_READ);
}

static void server_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = { .attr_timeout = TIMEOUT_S,
				      .entry_timeout = TIMEOUT_S };
	fuse_ino_t ino;

	(void)parent;
	for (ino = INO_DEV; ino < ARRAY_SIZE(nodes); ino++) {
		if (strcmp(nodes[ino].name, name) != 0)
			continue;
		e.ino = ino;
		e.attr = node_stat(device_of(req), ino);
		fuse_reply_entry(req, &e);
		return;
	}
	fuse_reply_err(req, ENOENT);
}

static void server_getattr(fuse_req_t req, fuse_ino_t ino,
			   struct fuse_file_info *fi)
{
	struct stat st = node_stat(device_of(req), ino);

	(void)fi;
	fuse_reply_attr(req, &st, TIMEOUT_S);
}

/* As with a device node, O_TRUNC and times are taken and change nothing. */
static void server_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
			   int to_set, struct fuse_file_info *fi)
{
	(void)attr;
	(void)to_set;
	server_getattr(req, ino, fi);
}

static struct ctl_session *session_of(const struct fuse_file_info *fi)
{
	return (struct ctl_session *)(uintptr_t)fi->fh;
}

static void server_open(fuse_req_t req, fuse_ino_t ino,
			struct fuse_file_info *fi)
{
	struct ctl_session *s = NULL;

	if (ino == INO_CTL) {
		s = ctl_open(device_of(req));
		if (!s) {
			fuse_reply_err(req, ENOMEM);
			return;
		}
	}
	fi->fh = (uintptr_t)s;
	fi->direct_io = 1;
#ifdef HAVE_FUSE_PARALLEL_DIRECT_WRITES
	fi->parallel_direct_writes = 1;
#endif
	/* An opener that was interrupted sends no release. */
	if (fuse_reply_open(req, fi) != 0 && s)
		ctl_close(s);
}

static void server_release(fuse_req_t req, fuse_ino_t ino,
			   struct fuse_file_info *fi)
{
	if (ino == INO_CTL)
		ctl_close(session_of(fi));
	fuse_reply_err(req, 0);
}

static void server_read(fuse_req_t req, fuse_ino_t ino, size_t n, off_t off,
			struct fuse_file_info *fi)
{
	struct device *d = device_of(req);

	if (ino == INO_CTL)
		ctl_read(d, session_of(fi), req, n, (uint64_t)off);
	else
		device_read(d, req, (uint64_t)off, n);
}

static void server_write(fuse_req_t req, fuse_ino_t ino, const char *buf,
			 size_t n, off_t off, struct fuse_file_info *fi)
{
	struct device *d = device_of(req);
	int err;

	if (ino == INO_DEV) {
		device_write(d, req, (uint64_t)off, n, buf);
		return;
	}
	err = ctl_command(d, session_of(fi), buf, n);
	if (err)
		fuse_reply_err(req, err);
	else
		fuse_reply_write(req, n);
}

/* Nothing is held back by the device itself, so there is nothing to flush. */
static void server_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
			 struct fuse_file_info *fi)
{
	(void)ino;
	(void)datasync;
	(void)fi;
	fuse_reply_err(req, 0);
}

static void server_readdir(fuse_req_t req, fuse_ino_t ino, size_t size,
			   off_t off, struct fuse_file_info *fi)
{
	fuse_ino_t i = (fuse_ino_t)off + INO_ROOT;
	char buf[256];
	size_t n = 0;

	(void)ino;
	(void)fi;
	size = min_u64(size, sizeof(buf));
	for (; i < ARRAY_SIZE(nodes); i++) {
		struct stat st = node_stat(device_of(req), i);
		size_t len = fuse_add_direntry(req, buf + n, size - n,
					       nodes[i].name, &st, (off_t)i);

		if (len > size - n)
			break;
		n += len;
	}
	fuse_reply_buf(req, buf, n);
}

const struct fuse_lowlevel_ops server_ops = {
	.init = server_init,
	.lookup = server_lookup,
	.getattr = server_getattr,
	.setattr = server_setattr,
	.open = server_open,
	.release = server_release,
	.read = server_read,
	.write = server_write,
	.fsync = server_fsync,
	.readdir = server_readdir,
};
