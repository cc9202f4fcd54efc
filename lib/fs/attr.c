// SPDX-License-Identifier: BSD-3-Clause
/* Attributes, extended attributes and flags. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "fs/acl.h"
#include "fs/fs_i.h"
#include "inode/xattr.h"

static struct timespec time_of(le64 sec, le32 ns)
{
	return (struct timespec){
		.tv_sec = (time_t)le64_to_cpu(sec),
		.tv_nsec = (long)le32_to_cpu(ns),
	};
}

void fs_fill_stat(struct inode *ip, struct tx *tx, struct stat *st)
{
	const struct pinfs_inode *di = inode_read(ip, tx);
	uint64_t rdev = le64_to_cpu(di->rdev);

	memset(st, 0, sizeof(*st));
	st->st_ino = ip->ino;
	st->st_mode = le32_to_cpu(di->mode);
	st->st_nlink = le32_to_cpu(di->nlink);
	st->st_uid = le32_to_cpu(di->uid);
	st->st_gid = le32_to_cpu(di->gid);
	st->st_rdev = makedev((unsigned int)(rdev >> 32), (unsigned int)rdev);
	st->st_size = (off_t)le64_to_cpu(di->size);
	st->st_blksize = PINFS_BLOCK_SIZE;
	st->st_blocks =
		(blkcnt_t)(le64_to_cpu(di->blocks) * (PINFS_BLOCK_SIZE / 512));
	st->st_atim = time_of(di->atime, di->atime_ns);
	st->st_mtim = time_of(di->mtime, di->mtime_ns);
	st->st_ctim = time_of(di->ctime, di->ctime_ns);
}

void fs_fill_entry(struct inode *ip, struct tx *tx, struct fs_entry *out)
{
	out->node = fs_node(ip);
	out->gen = ip->gen;
	fs_fill_stat(ip, tx, &out->st);
}

int fs_getattr_birth(struct fs *fs, uint64_t node, struct stat *st,
		     struct timespec *birth)
{
	const struct pinfs_inode *di;
	unsigned int guard;
	struct inode *ip;
	int err = fs_inode(fs, node, &ip);

	if (err)
		return err;
	guard = inode_look(ip);
	if (ip->dead) {
		err = -ESTALE;
	} else {
		fs_fill_stat(ip, NULL, st);
		di = inode_read(ip, NULL);
		*birth = time_of(di->btime, di->btime_ns);
	}
	inode_look_end(ip, guard);
	inode_put(ip);
	return err;
}

int fs_getattr(struct fs *fs, uint64_t node, struct stat *st)
{
	struct timespec birth;

	return fs_getattr_birth(fs, node, st, &birth);
}

/* --- privileges -------------------------------------------------------------- */

static const char capability[] = "security.capability";

static uint32_t setid_bits(uint32_t mode)
{
	uint32_t bits = mode & S_ISUID;

	if (!S_ISREG(mode))
		return 0;
	/* Without the right to be executed it once meant mandatory locking. */
	return mode & S_IXGRP ? bits | (mode & S_ISGID) : bits;
}

static bool has_capability(struct inode *ip)
{
	return inode_read(ip, NULL)->xattr.raw != 0 &&
	       xattr_get(ip, capability, NULL, 0) >= 0;
}

bool fs_has_privs(struct inode *ip)
{
	return setid_bits(inode_mode(ip, NULL)) || has_capability(ip);
}

int fs_drop_privs(struct inode *ip, struct tx *tx)
{
	uint32_t mode = inode_mode(ip, tx);
	struct pinfs_inode *di;

	if (setid_bits(mode)) {
		di = inode_edit(ip, tx);
		if (!di)
			return -ENOMEM;
		di->mode = cpu_to_le32(mode & ~setid_bits(mode));
	}
	return has_capability(ip) ? xattr_remove(ip, tx, capability) : 0;
}

/* --- changing ---------------------------------------------------------------- */

static void set_time(le64 *sec, le32 *ns, const struct timespec *ts)
{
	*sec = cpu_to_le64((uint64_t)ts->tv_sec);
	*ns = cpu_to_le32((uint32_t)ts->tv_nsec);
}

static int apply_attr(struct inode *ip, struct tx *tx, const struct stat *attr,
		      unsigned int set)
{
	struct timespec now = inode_now();
	struct pinfs_inode *di;
	int err = 0;

	if (set & (FS_SET_UID | FS_SET_GID | FS_SET_NOTHING))
		err = fs_drop_privs(ip, tx);
	di = err ? NULL : inode_edit(ip, tx);
	if (!di)
		return err ? err : -ENOMEM;
	if (set & FS_SET_MODE)
		di->mode = cpu_to_le32((le32_to_cpu(di->mode) & S_IFMT) |
				       (attr->st_mode & 07777));
	if (set & FS_SET_UID)
		di->uid = cpu_to_le32(attr->st_uid);
	if (set & FS_SET_GID)
		di->gid = cpu_to_le32(attr->st_gid);
	if (set & (FS_SET_ATIME | FS_SET_ATIME_NOW))
		set_time(&di->atime, &di->atime_ns,
			 set & FS_SET_ATIME_NOW ? &now : &attr->st_atim);
	if (set & (FS_SET_MTIME | FS_SET_MTIME_NOW))
		set_time(&di->mtime, &di->mtime_ns,
			 set & FS_SET_MTIME_NOW ? &now : &attr->st_mtim);
	set_time(&di->ctime, &di->ctime_ns,
		 set & FS_SET_CTIME ? &attr->st_ctim : &now);
	return set & FS_SET_MODE ? acl_chmod(ip, tx) : 0;
}

/* change_inode - run fn on a locked inode in a transaction */
typedef int (*change_fn)(struct inode *ip, struct tx *tx, void *arg);

static int change_once(struct fs *fs, struct inode *ip, change_fn fn, void *arg,
		       struct stat *out)
{
	struct op op;
	int err;

	pthread_rwlock_wrlock(&ip->lock);
	err = op_begin(&op, fs);
	if (!err && ip->dead)
		err = -ESTALE;
	if (!err)
		err = fn(ip, op.tx, arg);
	if (!err && out)
		fs_fill_stat(ip, op.tx, out);
	err = op_end(&op, err);
	pthread_rwlock_unlock(&ip->lock);
	return err;
}

static int change_inode(struct fs *fs, uint64_t node, change_fn fn, void *arg,
			struct stat *out)
{
	struct inode *ip;
	int tries = 0, err = fs_inode(fs, node, &ip);

	if (err)
		return err;
	do {
		err = change_once(fs, ip, fn, arg, out);
	} while (fs_try_again(fs, err, &tries));
	inode_put(ip);
	return err;
}

struct attr_arg {
	const struct stat *attr;
	unsigned int set;
};

static int attr_change(struct inode *ip, struct tx *tx, void *arg)
{
	const struct attr_arg *a = arg;
	uint64_t refuse = PINFS_IFLAG_IMMUTABLE;
	int err;

	if (a->set & ~(FS_SET_ATIME_NOW | FS_SET_MTIME_NOW))
		refuse = FS_FIXED;
	/* These are the kernel's, of writes through its cache. */
	if (a->set & FS_SET_CTIME)
		refuse = 0;
	err = fs_refuse(ip, refuse);
	return err ? err : apply_attr(ip, tx, a->attr, a->set);
}

int fs_setattr(struct fs *fs, uint64_t node, const struct stat *attr,
	       unsigned int set, struct stat *out)
{
	struct attr_arg arg = { attr, set };

	return change_inode(fs, node, attr_change, &arg, out);
}

/* --- extended attributes -------------------------------------------------------------- */

/* read_xattr - value of name, or the list of names if name is NULL */
static ssize_t read_xattr(struct fs *fs, uint64_t node, const char *name,
			  void *buf, size_t size)
{
	unsigned int guard;
	struct inode *ip;
	ssize_t n = fs_inode(fs, node, &ip);

	if (n)
		return n;
	guard = inode_look(ip);
	if (ip->dead)
		n = -ESTALE;
	else if (name)
		n = xattr_get(ip, name, buf, size);
	else
		n = xattr_list(ip, buf, size);
	inode_look_end(ip, guard);
	inode_put(ip);
	return n;
}

ssize_t fs_getxattr(struct fs *fs, uint64_t node, const char *name, void *value,
		    size_t size)
{
	return read_xattr(fs, node, name, value, size);
}

ssize_t fs_listxattr(struct fs *fs, uint64_t node, char *list, size_t size)
{
	return read_xattr(fs, node, NULL, list, size);
}

struct xattr_arg {
	const char *name;
	const void *value;
	size_t size;
	int flags;
};

static int xattr_change(struct inode *ip, struct tx *tx, void *arg)
{
	const struct xattr_arg *a = arg;
	int err = fs_refuse(ip, FS_FIXED);

	if (err)
		return err;
	err = a->value ?
		      xattr_set(ip, tx, a->name, a->value, a->size, a->flags) :
		      xattr_remove(ip, tx, a->name);
	return err ? err : inode_touch(ip, tx, INODE_CTIME);
}

int fs_setxattr(struct fs *fs, uint64_t node, const char *name,
		const void *value, size_t size, int flags)
{
	struct xattr_arg arg = { name, value ? value : "", size, flags };

	return change_inode(fs, node, xattr_change, &arg, NULL);
}

int fs_removexattr(struct fs *fs, uint64_t node, const char *name)
{
	struct xattr_arg arg = { .name = name };

	return change_inode(fs, node, xattr_change, &arg, NULL);
}

struct acl_arg {
	const char *name;
	const void *value;
	size_t size;
	bool drop_sgid;
};

static int acl_change(struct inode *ip, struct tx *tx, void *arg)
{
	const struct acl_arg *a = arg;
	int err = fs_refuse(ip, FS_FIXED);

	if (!err)
		err = acl_set(ip, tx, a->name, a->value, a->size, a->drop_sgid);
	return err ? err : inode_touch(ip, tx, INODE_CTIME);
}

int fs_set_acl(struct fs *fs, uint64_t node, const char *name,
	       const void *value, size_t size, bool drop_sgid)
{
	struct acl_arg arg = { name, value, size, drop_sgid };

	return change_inode(fs, node, acl_change, &arg, NULL);
}

/* --- flags --------------------------------------------------------------------------- */

int fs_get_flags(struct fs *fs, uint64_t node, uint64_t *flags)
{
	unsigned int guard;
	struct inode *ip;
	int err = fs_inode(fs, node, &ip);

	if (err)
		return err;
	guard = inode_look(ip);
	if (ip->dead)
		err = -ESTALE;
	else
		*flags = le64_to_cpu(inode_read(ip, NULL)->flags);
	inode_look_end(ip, guard);
	inode_put(ip);
	return err;
}

static int flags_change(struct inode *ip, struct tx *tx, void *arg)
{
	struct pinfs_inode *di = inode_edit(ip, tx);

	if (!di)
		return -ENOMEM;
	di->flags = cpu_to_le64(*(uint64_t *)arg);
	return inode_touch(ip, tx, INODE_CTIME);
}

int fs_set_flags(struct fs *fs, uint64_t node, uint64_t flags)
{
	if (flags & ~PINFS_IFLAG_KNOWN)
		return -EOPNOTSUPP;
	return change_inode(fs, node, flags_change, &flags, NULL);
}
