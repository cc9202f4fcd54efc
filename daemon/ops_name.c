// SPDX-License-Identifier: BSD-3-Clause
/* Requests about names. */
#include <errno.h>

#include "ops.h"

static void reply_entry(fuse_req_t req, int err, const struct fs_entry *e)
{
	struct fuse_entry_param p;

	if (err) {
		ops_reply(req, err);
		return;
	}
	p = ops_entry(e);
	fuse_reply_entry(req, &p);
}

/* That there is no such name is worth remembering, too. */
static void reply_none(fuse_req_t req)
{
	const struct fuse_entry_param none = {
		.entry_timeout = ENTRY_TIMEOUT_S,
	};

	fuse_reply_entry(req, &none);
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs_entry e;
	int err = fs_lookup(daemon_of(req)->fs, parent, name, &e);

	if (err == -ENOENT)
		reply_none(req);
	else
		reply_entry(req, err, &e);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	      dev_t rdev)
{
	const struct fs_caller who = ops_caller(req);
	struct fs_entry e;
	int err = fs_mknod(daemon_of(req)->fs, parent, name, mode, rdev, &who,
			   &e, NULL, 0);

	reply_entry(req, err, &e);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	const struct fs_caller who = ops_caller(req);
	struct fs_entry e;
	int err = fs_mkdir(daemon_of(req)->fs, parent, name, mode, &who, &e);

	reply_entry(req, err, &e);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		const char *name)
{
	const struct fs_caller who = ops_caller(req);
	struct fs_entry e;
	int err =
		fs_symlink(daemon_of(req)->fs, parent, name, target, &who, &e);

	reply_entry(req, err, &e);
}

void op_link(fuse_req_t req, fuse_ino_t node, fuse_ino_t parent,
	     const char *name)
{
	struct fs_entry e;
	int err = fs_link(daemon_of(req)->fs, node, parent, name, &e);

	reply_entry(req, err, &e);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	ops_reply(req, fs_unlink(daemon_of(req)->fs, parent, name));
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	ops_reply(req, fs_rmdir(daemon_of(req)->fs, parent, name));
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
	       fuse_ino_t newparent, const char *newname, unsigned int flags)
{
	ops_reply(req, fs_rename(daemon_of(req)->fs, parent, name, newparent,
				 newname, flags));
}

void op_readlink(fuse_req_t req, fuse_ino_t node)
{
	char target[PINFS_SYMLINK_MAX + 1];
	int err = fs_readlink(daemon_of(req)->fs, node, target);

	if (err)
		ops_reply(req, err);
	else
		fuse_reply_readlink(req, target);
}
