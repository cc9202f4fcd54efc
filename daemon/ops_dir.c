// SPDX-License-Identifier: BSD-3-Clause
/* Requests about the contents of directories. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "ops.h"

void op_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	op_open(req, node, fi);
}

struct page {
	fuse_req_t req;
	char *buf;
	size_t size;
	size_t used;
};

static int add(void *arg, const struct fs_dirent *d)
{
	struct page *p = arg;
	struct stat st = { .st_ino = d->ino, .st_mode = d->type };
	size_t room = p->size - p->used;
	size_t n = fuse_add_direntry(p->req, p->buf + p->used, room, d->name,
				     &st, (off_t)d->next);

	if (n > room)
		return 1;
	p->used += n;
	return 0;
}

static int add_plus(void *arg, const struct fs_dirent *d)
{
	/* Without a node it is a name only, for the kernel to look up. */
	struct fuse_entry_param e = {
		.attr = { .st_ino = d->ino, .st_mode = d->type },
	};
	struct page *p = arg;
	size_t room = p->size - p->used, n;

	if (d->has_entry)
		e = ops_entry(&d->entry);
	n = fuse_add_direntry_plus(p->req, p->buf + p->used, room, d->name, &e,
				   (off_t)d->next);
	if (n > room)
		return 1;
	p->used += n;
	return 0;
}

static void read_page(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
		      bool plus)
{
	struct page p = { .req = req, .size = size };
	int err;

	p.buf = malloc(size);
	if (!p.buf) {
		ops_reply(req, -ENOMEM);
		return;
	}
	err = fs_readdir(daemon_of(req)->fs, node, (uint64_t)off, plus,
			 plus ? add_plus : add, &p);
	/* The names before a damaged place can still be had. */
	if (err && p.used == 0)
		ops_reply(req, err);
	else
		fuse_reply_buf(req, p.buf, p.used);
	free(p.buf);
}

void op_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
		struct fuse_file_info *fi)
{
	(void)fi;
	read_page(req, node, size, off, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	(void)fi;
	read_page(req, node, size, off, true);
}
