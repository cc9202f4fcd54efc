// SPDX-License-Identifier: BSD-3-Clause
/* Requests about attributes that are not layout changes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/acl.h"
#include "handshake.h"
#include "ops.h"

void op_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct stat st;
	int err;

	if (handshake_is_statx(fi)) {
		op_statx(req, node, 0, 0, NULL);
		return;
	}
	err = fs_getattr(daemon_of(req)->fs, node, &st);
	if (err)
		ops_reply(req, err);
	else
		fuse_reply_attr(req, &st, ATTR_TIMEOUT_S);
}

/* What it is asked for is all that there is. */
void op_statx(fuse_req_t req, fuse_ino_t node, int flags, int mask,
	      struct fuse_file_info *fi)
{
	struct timespec birth;
	struct stat st;
	int err;

	(void)flags;
	(void)mask;
	(void)fi;
	err = fs_getattr_birth(daemon_of(req)->fs, node, &st, &birth);
	if (err)
		ops_reply(req, err);
	else
		handshake_reply_statx(req, &st, &birth, ATTR_TIMEOUT_S);
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

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool is_acl(const char *name)
{
	return strcmp(name, ACL_ACCESS) == 0 || strcmp(name, ACL_DEFAULT) == 0;
}

/*
 * check_name - is it of a kind that there is here?
 *
 * Who may have which, the kernel has seen to. -EINVAL: nothing behind the prefix.
 */
static int check_name(const char *name)
{
	static const char *const prefix[] = { "user.", "trusted.",
					      "security." };
	size_t i;

	for (i = 0; i < sizeof(prefix) / sizeof(prefix[0]); i++)
		if (has_prefix(name, prefix[i]))
			return name[strlen(prefix[i])] ? 0 : -EINVAL;
	return is_acl(name) ? 0 : -EOPNOTSUPP;
}

/* list_has - is the number in a line of them? */
static bool list_has(const char *list, gid_t gid)
{
	char *end;

	for (;; list = end) {
		unsigned long n = strtoul(list, &end, 10);

		if (end == list)
			return false;
		if (n == gid)
			return true;
	}
}

/*
 * in_group - is the caller in the group? What cannot be found out, he is not.
 *
 * fuse_req_getgroups() would tell, but 3.14 of it reads past its buffer's end.
 */
static bool in_group(fuse_req_t req, gid_t gid)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	char path[64], *line = NULL;
	bool found = false;
	size_t room = 0;
	FILE *f;

	if (ctx->uid == 0 || ctx->gid == gid)
		return true;
	snprintf(path, sizeof(path), "/proc/%ld/status", (long)ctx->pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && getline(&line, &room, f) > 0)
		found = has_prefix(line, "Groups:") &&
			list_has(line + strlen("Groups:"), gid);
	free(line);
	fclose(f);
	return found;
}

static int set_acl(fuse_req_t req, fuse_ino_t node, const char *name,
		   const char *value, size_t size)
{
	struct fs *fs = daemon_of(req)->fs;
	struct stat st;
	int err = fs_getattr(fs, node, &st);

	if (err)
		return err;
	return fs_set_acl(fs, node, name, value, size,
			  st.st_mode & S_ISGID && !in_group(req, st.st_gid));
}

void op_setxattr(fuse_req_t req, fuse_ino_t node, const char *name,
		 const char *value, size_t size, int flags)
{
	int err = check_name(name);

	if (!err && is_acl(name))
		err = set_acl(req, node, name, value, size);
	else if (!err)
		err = fs_setxattr(daemon_of(req)->fs, node, name, value, size,
				  flags);
	ops_reply(req, err);
}

void op_removexattr(fuse_req_t req, fuse_ino_t node, const char *name)
{
	int err = check_name(name);

	if (!err)
		err = fs_removexattr(daemon_of(req)->fs, node, name);
	ops_reply(req, err);
}

/* reply_bytes - n of them, to one who has room for size, or asks how many for 0 */
static void reply_bytes(fuse_req_t req, size_t size, const char *buf, ssize_t n)
{
	if (n < 0)
		ops_reply(req, (int)n);
	else if (size == 0)
		fuse_reply_xattr(req, (size_t)n);
	else if ((size_t)n > size)
		ops_reply(req, -ERANGE);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

void op_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size)
{
	int err = check_name(name);
	char *buf = malloc(size + 1);

	if (!err && !buf)
		err = -ENOMEM;
	if (err)
		ops_reply(req, err);
	else
		reply_bytes(req, size, buf,
			    fs_getxattr(daemon_of(req)->fs, node, name, buf,
					size));
	free(buf);
}

/* drop_trusted - from a list of names; returns how long it is then */
static ssize_t drop_trusted(char *list, ssize_t n)
{
	char *from = list, *to = list;

	while (from < list + n) {
		size_t len = strlen(from) + 1;

		if (!has_prefix(from, "trusted.")) {
			memmove(to, from, len);
			to += len;
		}
		from += len;
	}
	return to - list;
}

void op_listxattr(fuse_req_t req, fuse_ino_t node, size_t size)
{
	struct fs *fs = daemon_of(req)->fs;
	char *list = NULL;
	ssize_t n;

	/* It may have grown since it was asked for its length. */
	do {
		free(list);
		list = NULL;
		n = fs_listxattr(fs, node, NULL, 0);
		if (n <= 0)
			break;
		list = malloc((size_t)n);
		n = list ? fs_listxattr(fs, node, list, (size_t)n) : -ENOMEM;
	} while (n == -ERANGE);
	if (n > 0 && fuse_req_ctx(req)->uid != 0)
		n = drop_trusted(list, n);
	reply_bytes(req, size, list, n);
	free(list);
}
