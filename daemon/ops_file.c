// SPDX-License-Identifier: BSD-3-Clause
/* Requests about open files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "crew.h"
#include "handshake.h"
#include "notify.h"
#include "ops.h"
#include "pinsets.h"

/* --- opening -------------------------------------------------------------- */

/*
 * Who opens with O_DIRECT has the file uncached by us, too: else the kernel lets in
 * one write at a time. Where such a file cannot be mapped shared it stays as it is.
 */
static bool is_direct(struct daemon *d, const struct handle *h,
		      const struct fuse_file_info *fi)
{
	return fs_file_is_dax(d->fs, h->file) ||
	       (d->maps_direct && fi->flags & O_DIRECT);
}

/*
 * The kernel keeps no pages of a file that is DAX (C4). It is not to drop at once
 * those that it may have, though: for dirty ones an open would wait until they
 * are written, that is for a truncate that waits (L6).
 */
static void set_caching(struct daemon *d, const struct handle *h,
			struct fuse_file_info *fi)
{
	fi->fh = (uintptr_t)h;
	fi->noflush = !layouts_omit_l11(fs_layouts(d->fs));
	fi->keep_cache = 1;
	fi->direct_io = is_direct(d, h, fi);
}

void op_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct daemon *d = daemon_of(req);
	struct handle *h = handle_new(d->handles);
	int err;

	if (!h) {
		ops_reply(req, -ENOMEM);
		return;
	}
	err = fs_file_open(d->fs, node, fi->flags, &h->file);
	if (err) {
		handle_free(d->handles, d->fs, h);
		ops_reply(req, err);
		return;
	}
	set_caching(d, h, fi);
	/* Who was interrupted while opening sends no release. */
	if (handshake_reply_open(req, fi) == -ENOENT)
		handle_free(d->handles, d->fs, h);
}

/* create - name NULL: a file that has none */
static void create(fuse_req_t req, fuse_ino_t parent, const char *name,
		   mode_t mode, struct fuse_file_info *fi)
{
	const struct fs_caller who = ops_caller(req);
	struct daemon *d = daemon_of(req);
	struct handle *h = handle_new(d->handles);
	struct fuse_entry_param p;
	struct fs_entry e;
	int err = -ENOMEM;

	if (h && name)
		err = fs_mknod(d->fs, parent, name, S_IFREG | (mode & 07777), 0,
			       &who, &e, &h->file, fi->flags);
	else if (h)
		err = fs_tmpfile(d->fs, parent, mode, &who, &e, &h->file,
				 fi->flags);
	if (err) {
		if (h)
			handle_free(d->handles, d->fs, h);
		ops_reply(req, err);
		return;
	}
	p = ops_entry(&e);
	set_caching(d, h, fi);
	if (fuse_reply_create(req, &p, fi) == -ENOENT)
		handle_free(d->handles, d->fs, h);
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	create(req, parent, handshake_is_tmpfile(name) ? NULL : name, mode, fi);
}

void op_tmpfile(fuse_req_t req, fuse_ino_t parent, mode_t mode,
		struct fuse_file_info *fi)
{
	create(req, parent, NULL, mode, fi);
}

void op_release(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct daemon *d = daemon_of(req);

	(void)node;
	pinsets_release(d->pinsets, handle_of(fi->fh)); /* L11 */
	handle_free(d->handles, d->fs, handle_of(fi->fh));
	ops_reply(req, 0);
}

/* --- reading and writing -------------------------------------------------- */

/* Straight from the pool's memory to the reader's. */
void op_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
	     struct fuse_file_info *fi)
{
	struct fs_read r;
	int err;

	(void)node;
	err = fs_read_begin(daemon_of(req)->fs, handle_of(fi->fh)->file,
			    (uint64_t)off, size, &r);
	if (err) {
		ops_reply(req, err);
		return;
	}
	fuse_reply_iov(req, r.iov, r.count);
	fs_read_end(&r);
}

/* Of direct writes the kernel leaves it to us to see that they are synced. */
static int sync_if_asked(struct daemon *d, struct fs_file *file,
			 const struct fuse_file_info *fi)
{
	if (fi->writepage || !(fi->flags & O_DSYNC))
		return 0;
	return fs_fsync(d->fs, file);
}

/* struct errand - an answer that has to wait until the kernel has been told */
struct errand {
	struct daemon *d;
	fuse_req_t req;
	fuse_ino_t node;
	size_t written;
};

/* The kernel must not go on to honour set-id bits that have gone (C5). */
static void tell_and_answer(void *arg)
{
	struct errand *e = arg;

	notify_invalidate(e->d, e->node, -1, 0);
	fuse_reply_write(e->req, e->written);
	free(e);
}

static void answer_written(struct daemon *d, fuse_req_t req, fuse_ino_t node,
			   struct fs_file *file, size_t written)
{
	struct errand *e;

	if (!fs_file_dropped_privs(file)) {
		fuse_reply_write(req, written);
		return;
	}
	e = malloc(sizeof(*e));
	if (e) {
		*e = (struct errand){ d, req, node, written };
		if (crew_spawn(d->crew, tell_and_answer, e) == 0)
			return;
	}
	free(e);
	fuse_reply_write(req, written); /* it will hear of it in a second */
}

/*
 * short_direct - what to say of a direct write that found no space for all
 *
 * The kernel makes EIO of it if less was written, and hands on an error.
 */
static ssize_t short_direct(ssize_t n, size_t size,
			    const struct fuse_file_info *fi)
{
	if (n > 0 && (size_t)n < size && fi->flags & O_DIRECT)
		return -ENOSPC;
	return n;
}

void op_write(fuse_req_t req, fuse_ino_t node, const char *buf, size_t size,
	      off_t off, struct fuse_file_info *fi)
{
	struct fs_file *file = handle_of(fi->fh)->file;
	struct daemon *d = daemon_of(req);
	ssize_t n;
	int err = 0;

	n = fs_write(d->fs, file, buf, size, (uint64_t)off);
	if (n > 0)
		err = sync_if_asked(d, file, fi);
	n = short_direct(n, size, fi);
	if (n < 0 || err)
		ops_reply(req, n < 0 ? (int)n : err);
	else
		answer_written(d, req, node, file, (size_t)n);
}

void op_flush(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct daemon *d = daemon_of(req);

	(void)node;
	/* A descriptor is closed: the file may be open all the same. */
	if (layouts_omit_l11(fs_layouts(d->fs)))
		pinsets_release(d->pinsets, handle_of(fi->fh));
	ops_reply(req, 0);
}

/*
 * op_fsync - also of directories
 *
 * Where what has returned is durable (S2) a first fsync is told so, by ENOSYS: the
 * kernel then writes back what it has itself, and asks no more.
 */
void op_fsync(fuse_req_t req, fuse_ino_t node, int datasync,
	      struct fuse_file_info *fi)
{
	struct daemon *d = daemon_of(req);
	int err = fs_fsync(d->fs, handle_of(fi->fh)->file);

	(void)node;
	(void)datasync;
	if (!err && pool_is_persistent(d->pool))
		err = -ENOSYS;
	ops_reply(req, err);
}

void op_lseek(fuse_req_t req, fuse_ino_t node, off_t off, int whence,
	      struct fuse_file_info *fi)
{
	int64_t at;

	(void)node;
	at = fs_lseek(daemon_of(req)->fs, handle_of(fi->fh)->file,
		      (uint64_t)off, whence);
	if (at < 0)
		ops_reply(req, (int)at);
	else
		fuse_reply_lseek(req, at);
}

void op_copy_range(fuse_req_t req, fuse_ino_t in, off_t off_in,
		   struct fuse_file_info *fi_in, fuse_ino_t out, off_t off_out,
		   struct fuse_file_info *fi_out, size_t len, int flags)
{
	ssize_t n;

	(void)in;
	(void)out;
	if (flags) {
		ops_reply(req, -EINVAL);
		return;
	}
	n = fs_copy_range(daemon_of(req)->fs, handle_of(fi_in->fh)->file,
			  (uint64_t)off_in, handle_of(fi_out->fh)->file,
			  (uint64_t)off_out, len);
	if (n < 0)
		ops_reply(req, (int)n);
	else
		fuse_reply_write(req, (size_t)n);
}
