// SPDX-License-Identifier: BSD-3-Clause
/* Requests about attributes that are not layout changes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ops.h"

void op_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct stat st;
	int err;

	(void)fi;
	err = fs_getattr(daemon_of(req)->fs, node, &st);
	if (err)
		ops_reply(req, err);
	else
		fuse_reply_attr(req, &st, ATTR_TIMEOUT_S);
}

void op_statfs(fuse_req_t req, fuse_ino_t node)
{
	struct statvfs st;
	int err;

	(void)node;
	err = fs_statfs(daemon_of(req)->fs, &st);
	if (err)
		ops_reply(req, err);
	else
		fuse_reply_statfs(req, &st);
}

/* --- extended attributes -------------------------------------------------- */

/* ACLs and the like, which would have to be enforced. */
static bool is_system(const char *name)
{
	return strncmp(name, "system.", 7) == 0;
}

void op_setxattr(fuse_req_t req, fuse_ino_t node, const char *name,
		 const char *value, size_t size, int flags)
{
	ops_reply(req, is_system(name) ? -EOPNOTSUPP :
					 fs_setxattr(daemon_of(req)->fs, node,
						     name, value, size, flags));
}

void op_removexattr(fuse_req_t req, fuse_ino_t node, const char *name)
{
	ops_reply(req, is_system(name) ?
			       -EOPNOTSUPP :
			       fs_removexattr(daemon_of(req)->fs, node, name));
}

/* A value, or without a name the list of names; size 0 asks how long it is. */
static void reply_xattr(fuse_req_t req, fuse_ino_t node, const char *name,
			size_t size)
{
	struct fs *fs = daemon_of(req)->fs;
	char *buf = NULL;
	ssize_t n;

	if (size > 0) {
		buf = malloc(size);
		if (!buf) {
			ops_reply(req, -ENOMEM);
			return;
		}
	}
	n = name ? fs_getxattr(fs, node, name, buf, size) :
		   fs_listxattr(fs, node, buf, size);
	if (n < 0)
		ops_reply(req, (int)n);
	else if (size == 0)
		fuse_reply_xattr(req, (size_t)n);
	else
		fuse_reply_buf(req, buf, (size_t)n);
	free(buf);
}

void op_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size)
{
	if (is_system(name))
		ops_reply(req, -EOPNOTSUPP);
	else
		reply_xattr(req, node, name, size);
}

void op_listxattr(fuse_req_t req, fuse_ino_t node, size_t size)
{
	reply_xattr(req, node, NULL, size);
}
