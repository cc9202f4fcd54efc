// SPDX-License-Identifier: BSD-3-Clause
/*
 * A FUSE server that answers from memory and does nothing else: the ceiling for
 * what any can reach. Its mount options and capabilities are pinfsd's, its loop is
 * libfuse's own.
 *
 *   ceiling [--store] FILE MOUNTPOINT    in the foreground, until unmounted
 *
 * Its root has a file "f", which is FILE, mapped: it is read from there. What is
 * written goes nowhere, or with --store is copied there. A directory "large" has
 * LARGE names. Names can be created, opened, renamed and unlinked anywhere, and
 * nothing is remembered of them: the kernel does, for as long as it is told to.
 */
#define FUSE_USE_VERSION 312

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define INO_F	      2u
#define INO_LARGE     3u
#define LARGE	      10000u
#define FIRST_LARGE   1000u /* their inode numbers */
#define FIRST_FREE    (FIRST_LARGE + LARGE)
#define DIRECTORY     (1ull << 40) /* inode numbers from here on */
#define CACHE_SECONDS 3600.0
#define IO_MAX	      (1u << 20)
#define BACKGROUND    256u

static char *file;
static size_t file_size;
static int stores;
static _Atomic fuse_ino_t next_ino = FIRST_FREE;

static struct stat attr_of(fuse_ino_t ino)
{
	struct stat st = { .st_ino = ino, .st_nlink = 1, .st_blksize = 4096 };
	int is_dir = ino == FUSE_ROOT_ID || ino == INO_LARGE ||
		     ino >= DIRECTORY;

	st.st_mode = is_dir ? S_IFDIR | 0755 : S_IFREG | 0644;
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

static void ceil_init(void *data, struct fuse_conn_info *conn)
{
	(void)data;
	conn->want |= conn->capable &
		      (FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO |
		       FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS |
		       FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_EXPORT_SUPPORT |
		       FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_DONT_MASK |
		       FUSE_CAP_POSIX_ACL | FUSE_CAP_EXPLICIT_INVAL_DATA);
	conn->want &= ~(
		unsigned int)(FUSE_CAP_ATOMIC_O_TRUNC |
			      FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_SPLICE_READ |
			      FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
	conn->max_write = IO_MAX;
	conn->max_background = BACKGROUND;
	conn->congestion_threshold = BACKGROUND / 4 * 3;
	conn->time_gran = 1;
}

/* --- names ---------------------------------------------------------------------- */

static fuse_ino_t find(fuse_ino_t parent, const char *name)
{
	unsigned int i;

	if (parent == FUSE_ROOT_ID && !strcmp(name, "f"))
		return INO_F;
	if (parent == FUSE_ROOT_ID && !strcmp(name, "large"))
		return INO_LARGE;
	if (parent == INO_LARGE && sscanf(name, "n%u", &i) == 1 && i < LARGE)
		return FIRST_LARGE + i;
	return 0;
}

static void ceil_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	fuse_ino_t ino = find(parent, name);
	struct fuse_entry_param e = entry_of(ino);

	if (!ino)
		fuse_reply_err(req, ENOENT);
	else
		fuse_reply_entry(req, &e);
}

static void ceil_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		       mode_t mode)
{
	struct fuse_entry_param e =
		entry_of(DIRECTORY + atomic_fetch_add(&next_ino, 1));

	(void)parent;
	(void)name;
	(void)mode;
	fuse_reply_entry(req, &e);
}

static void ceil_create(fuse_req_t req, fuse_ino_t parent, const char *name,
			mode_t mode, struct fuse_file_info *fi)
{
	struct fuse_entry_param e = entry_of(atomic_fetch_add(&next_ino, 1));

	(void)parent;
	(void)name;
	(void)mode;
	fi->noflush = 1;
	fuse_reply_create(req, &e, fi);
}

static void ceil_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	(void)name;
	fuse_reply_err(req, 0);
}

static void ceil_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
			fuse_ino_t to, const char *new_name, unsigned int flags)
{
	(void)parent;
	(void)name;
	(void)to;
	(void)new_name;
	(void)flags;
	fuse_reply_err(req, 0);
}

static void ceil_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	(void)ino;
	(void)nlookup;
	fuse_reply_none(req);
}

/* list - names of "large" from off on, as many as go into size bytes */
static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		 int plus)
{
	unsigned int n = ino == INO_LARGE ? LARGE : 0;
	char *buf = malloc(size), name[16];
	size_t used = 0, more;

	for (unsigned int i = (unsigned int)off; buf && i < n; i++) {
		struct fuse_entry_param e = entry_of(FIRST_LARGE + i);

		snprintf(name, sizeof(name), "n%u", i);
		more = plus ? fuse_add_direntry_plus(req, buf + used,
						     size - used, name, &e,
						     (off_t)i + 1) :
			      fuse_add_direntry(req, buf + used, size - used,
						name, &e.attr, (off_t)i + 1);
		if (more > size - used)
			break;
		used += more;
	}
	if (buf)
		fuse_reply_buf(req, buf, used);
	else
		fuse_reply_err(req, ENOMEM);
	free(buf);
}

static void ceil_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			 struct fuse_file_info *fi)
{
	(void)fi;
	list(req, ino, size, off, 0);
}

static void ceil_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size,
			     off_t off, struct fuse_file_info *fi)
{
	(void)fi;
	list(req, ino, size, off, 1);
}

/* --- files ---------------------------------------------------------------------- */

static void ceil_getattr(fuse_req_t req, fuse_ino_t ino,
			 struct fuse_file_info *fi)
{
	struct stat st = attr_of(ino);

	(void)fi;
	fuse_reply_attr(req, &st, CACHE_SECONDS);
}

static void ceil_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
			 int set, struct fuse_file_info *fi)
{
	(void)attr;
	(void)set;
	ceil_getattr(req, ino, fi);
}

static void ceil_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->keep_cache = 1;
	fi->noflush = 1;
	/* This libfuse does not know of parallel writes. */
	if (fi->flags & O_DIRECT) {
		struct fuse_open_out out = {
			.open_flags = FOPEN_DIRECT_IO | FOPEN_KEEP_CACHE |
				      FOPEN_NOFLUSH |
				      FOPEN_PARALLEL_DIRECT_WRITES,
		};

		fuse_reply_buf(req, (const char *)&out, sizeof(out));
		return;
	}
	fuse_reply_open(req, fi);
}

static void ceil_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		      struct fuse_file_info *fi)
{
	size_t at = (size_t)off, left = at < file_size ? file_size - at : 0;

	(void)fi;
	if (ino != INO_F)
		left = 0;
	fuse_reply_buf(req, left ? file + at : NULL, size < left ? size : left);
}

static void ceil_write(fuse_req_t req, fuse_ino_t ino, const char *buf,
		       size_t size, off_t off, struct fuse_file_info *fi)
{
	size_t at = (size_t)off, left = at < file_size ? file_size - at : 0;

	(void)fi;
	if (stores && ino == INO_F)
		memcpy(file + at, buf, size < left ? size : left);
	fuse_reply_write(req, size);
}

static void ceil_done(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	fuse_reply_err(req, 0);
}

static void ceil_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		       struct fuse_file_info *fi)
{
	(void)datasync;
	ceil_done(req, ino, fi);
}

static const struct fuse_lowlevel_ops ops = {
	.init = ceil_init,
	.lookup = ceil_lookup,
	.forget = ceil_forget,
	.getattr = ceil_getattr,
	.setattr = ceil_setattr,
	.mkdir = ceil_mkdir,
	.rmdir = ceil_unlink,
	.create = ceil_create,
	.unlink = ceil_unlink,
	.rename = ceil_rename,
	.open = ceil_open,
	.opendir = ceil_open,
	.readdir = ceil_readdir,
	.readdirplus = ceil_readdirplus,
	.read = ceil_read,
	.write = ceil_write,
	.fsync = ceil_fsync,
	.release = ceil_done,
	.releasedir = ceil_done,
};

static void map_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		err(1, "%s", path);
	file_size = (size_t)st.st_size;
	file = mmap(NULL, file_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (file == MAP_FAILED)
		err(1, "%s", path);
	close(fd);
}

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
	char *args[] = { argv[0],
			 "-odefault_permissions,allow_other,fsname=ceiling" };
	struct fuse_args fa = FUSE_ARGS_INIT(2, args);
	struct fuse_session *se;
	int err;

	stores = argc > 1 && !strcmp(argv[1], "--store");
	if (argc != 3 + stores) {
		fprintf(stderr, "usage: ceiling [--store] FILE MOUNTPOINT\n");
		return 2;
	}
	map_file(argv[1 + stores]);
	se = fuse_session_new(&fa, &ops, sizeof(ops), NULL);
	if (!se)
		return 1;
	if (fuse_set_signal_handlers(se))
		return 1;
	err = serve(se, argv[2 + stores]);
	fuse_remove_signal_handlers(se);
	fuse_session_destroy(se);
	return err < 0;
}
