// SPDX-License-Identifier: BSD-3-Clause
/*
 * A FUSE server that does nothing: the ceiling for what any can reach.
 *
 * Its root has a file "f" of a size given, whose reads come from one buffer and
 * whose writes go nowhere; files can be created, opened and unlinked, and
 * nothing is remembered of them. Mount options and capabilities are pinfsd's.
 *
 *   nullfs SIZE_BYTES MOUNTPOINT     in the foreground, until unmounted
 */
#define FUSE_USE_VERSION 312

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INO_F	      2u
#define CACHE_SECONDS 3600.0

static uint64_t file_size;
static char buffer[1 << 20];
static _Atomic fuse_ino_t next_ino = 3;

static struct stat attr_of(fuse_ino_t ino)
{
	struct stat st = { .st_ino = ino, .st_nlink = 1, .st_blksize = 4096 };

	st.st_mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
	st.st_size = ino == INO_F ? (off_t)file_size : 0;
	return st;
}

static struct fuse_entry_param entry_of(fuse_ino_t ino)
{
	return (struct fuse_entry_param){
		.ino = ino,
		.attr = attr_of(ino),
		.attr_timeout = CACHE_SECONDS,
		.entry_timeout = CACHE_SECONDS,
	};
}

static void null_init(void *data, struct fuse_conn_info *conn)
{
	(void)data;
	conn->max_write = sizeof(buffer);
	conn->want |= conn->capable &
		      (FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ASYNC_READ |
		       FUSE_CAP_ASYNC_DIO);
}

static void null_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = entry_of(INO_F);

	(void)parent;
	if (strcmp(name, "f"))
		fuse_reply_err(req, ENOENT);
	else
		fuse_reply_entry(req, &e);
}

static void null_getattr(fuse_req_t req, fuse_ino_t ino,
			 struct fuse_file_info *fi)
{
	struct stat st = attr_of(ino);

	(void)fi;
	fuse_reply_attr(req, &st, CACHE_SECONDS);
}

static void null_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
			 int set, struct fuse_file_info *fi)
{
	(void)attr;
	(void)set;
	null_getattr(req, ino, fi);
}

static void null_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->keep_cache = 1;
	fuse_reply_open(req, fi);
}

static void null_create(fuse_req_t req, fuse_ino_t parent, const char *name,
			mode_t mode, struct fuse_file_info *fi)
{
	struct fuse_entry_param e = entry_of(atomic_fetch_add(&next_ino, 1));

	(void)parent;
	(void)name;
	(void)mode;
	fuse_reply_create(req, &e, fi);
}

static void null_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		      struct fuse_file_info *fi)
{
	(void)ino;
	(void)off;
	(void)fi;
	fuse_reply_buf(req, buffer,
		       size < sizeof(buffer) ? size : sizeof(buffer));
}

static void null_write(fuse_req_t req, fuse_ino_t ino, const char *buf,
		       size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)ino;
	(void)buf;
	(void)off;
	(void)fi;
	fuse_reply_write(req, size);
}

static void null_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	(void)name;
	fuse_reply_err(req, 0);
}

static void null_done(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	fuse_reply_err(req, 0);
}

static void null_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	(void)ino;
	(void)nlookup;
	fuse_reply_none(req);
}

static const struct fuse_lowlevel_ops ops = {
	.init = null_init,
	.lookup = null_lookup,
	.forget = null_forget,
	.getattr = null_getattr,
	.setattr = null_setattr,
	.open = null_open,
	.create = null_create,
	.read = null_read,
	.write = null_write,
	.unlink = null_unlink,
	.flush = null_done,
	.release = null_done,
};

static int serve(struct fuse_session *se, const char *mountpoint)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int err = config ? 0 : -ENOMEM;

	if (!err && fuse_session_mount(se, mountpoint))
		err = -EIO;
	if (!err) {
		err = fuse_session_loop_mt(se, config);
		fuse_session_unmount(se);
	}
	fuse_loop_cfg_destroy(config);
	return err;
}

int main(int argc, char **argv)
{
	char *args[] = { argv[0], "-odefault_permissions,fsname=null" };
	struct fuse_args fa = FUSE_ARGS_INIT(2, args);
	struct fuse_session *se;
	int err;

	if (argc != 3) {
		fprintf(stderr, "usage: nullfs SIZE_BYTES MOUNTPOINT\n");
		return 2;
	}
	file_size = strtoull(argv[1], NULL, 10);
	memset(buffer, 'x', sizeof(buffer));
	se = fuse_session_new(&fa, &ops, sizeof(ops), NULL);
	if (!se)
		return 1;
	if (fuse_set_signal_handlers(se))
		return 1;
	err = serve(se, argv[2]);
	fuse_remove_signal_handlers(se);
	fuse_session_destroy(se);
	return err < 0;
}
