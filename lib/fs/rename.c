// SPDX-License-Identifier: BSD-3-Clause
/*
 * Rename. Up to four inodes take part: the two directories, what is moved, and
 * what was at the new name. They are looked up, locked in the order of their
 * numbers, and looked up again: if a name has come to mean something else in
 * between, it starts over.
 */
#include <errno.h>
#include <string.h>

#include "fs/fs_i.h"
#include "fs/names.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1u
#endif
#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2u
#endif

struct place {
	struct inode *dir;
	const char *name;
	size_t len;
	struct inode *ip; /* NULL: no such name */
};

struct renaming {
	struct fs *fs;
	struct place from, to;
	unsigned int flags;
};

static bool is_dir(struct inode *ip)
{
	return S_ISDIR(inode_mode(ip, NULL));
}

/* set_parent - a directory's "..", for others a hint where their name is */
static int set_parent(struct inode *ip, struct tx *tx, struct inode *dir)
{
	struct pinfs_inode *di = inode_edit(ip, tx);

	if (!di)
		return -ENOMEM;
	di->parent = cpu_to_le64(dir->ino);
	return inode_touch(ip, tx, INODE_CTIME);
}

/* move_count - ip, a directory, leaves one directory for another */
static int move_count(struct inode *ip, struct tx *tx, struct inode *from,
		      struct inode *to)
{
	int err;

	if (!is_dir(ip) || from == to)
		return 0;
	err = dir_link_count(from, tx, -1);
	return err ? err : dir_link_count(to, tx, 1);
}

static int touch_dirs(const struct renaming *r, struct tx *tx)
{
	int err = inode_touch(r->from.dir, tx, INODE_MTIME | INODE_CTIME);

	return err ? err :
		     inode_touch(r->to.dir, tx, INODE_MTIME | INODE_CTIME);
}

static int point_to(const struct place *p, struct tx *tx, struct inode *ip)
{
	return dir_replace(p->dir, tx, p->name, p->len, ip->ino,
			   fs_dtype(inode_mode(ip, NULL)));
}

static int do_exchange(const struct renaming *r, struct tx *tx)
{
	int err = point_to(&r->from, tx, r->to.ip);

	if (!err)
		err = point_to(&r->to, tx, r->from.ip);
	if (!err)
		err = set_parent(r->from.ip, tx, r->to.dir);
	if (!err)
		err = set_parent(r->to.ip, tx, r->from.dir);
	if (!err)
		err = move_count(r->from.ip, tx, r->from.dir, r->to.dir);
	if (!err)
		err = move_count(r->to.ip, tx, r->to.dir, r->from.dir);
	return err;
}

/* replace - what was at the new name goes */
static int replace(const struct renaming *r, struct tx *tx)
{
	int err = point_to(&r->to, tx, r->from.ip);

	if (!err && is_dir(r->to.ip))
		err = dir_link_count(r->to.dir, tx, -1);
	return err ? err : drop_one(r->to.ip, tx);
}

static int do_move(const struct renaming *r, struct tx *tx)
{
	int err;

	if (r->to.ip)
		err = replace(r, tx);
	else
		err = dir_add(r->to.dir, tx, r->to.name, r->to.len,
			      r->from.ip->ino,
			      fs_dtype(inode_mode(r->from.ip, NULL)));
	if (!err)
		err = dir_remove(r->from.dir, tx, r->from.name, r->from.len);
	if (!err)
		err = move_count(r->from.ip, tx, r->from.dir, r->to.dir);
	return err ? err : set_parent(r->from.ip, tx, r->to.dir);
}

/* check_replace - may what is moved take the place of what is there? */
static int check_replace(const struct renaming *r)
{
	if (is_dir(r->from.ip) && !is_dir(r->to.ip))
		return -ENOTDIR;
	if (!is_dir(r->from.ip) && is_dir(r->to.ip))
		return -EISDIR;
	if (is_dir(r->to.ip) && !dir_is_empty(r->to.ip, NULL))
		return -ENOTEMPTY;
	return 0;
}

/* check_flags - may the names go, and the new one come? */
static int check_flags(const struct renaming *r)
{
	int err = fs_refuse(r->from.dir, FS_FIXED);

	if (!err)
		err = fs_refuse(r->from.ip, FS_FIXED);
	if (!err)
		err = fs_refuse(r->to.dir,
				r->to.ip ? FS_FIXED : PINFS_IFLAG_IMMUTABLE);
	if (!err && r->to.ip)
		err = fs_refuse(r->to.ip, FS_FIXED);
	return err;
}

static bool names_are_as_found(const struct renaming *r)
{
	return entry_is(r->from.dir, r->from.name, r->from.len, r->from.ip) &&
	       entry_is(r->to.dir, r->to.name, r->to.len, r->to.ip);
}

static int rename_locked(const struct renaming *r)
{
	struct op op;
	int err = op_begin(&op, r->fs);

	if (!err)
		err = dir_check(r->from.dir);
	if (!err)
		err = dir_check(r->to.dir);
	if (!err)
		err = names_are_as_found(r) ? 0 : -EAGAIN;
	if (!err && r->to.ip && r->flags & RENAME_NOREPLACE)
		err = -EEXIST;
	if (!err && r->from.ip == r->to.ip)
		return op_end(&op, 0); /* two names of one inode stay */
	if (!err)
		err = check_flags(r);
	if (!err && r->flags & RENAME_EXCHANGE)
		err = r->to.ip ? do_exchange(r, op.tx) : -ENOENT;
	else if (!err) {
		err = r->to.ip ? check_replace(r) : 0;
		if (!err)
			err = do_move(r, op.tx);
	}
	if (!err)
		err = touch_dirs(r, op.tx);
	return op_end(&op, err);
}

/* is_below - is dir ip, or below it? rename_lock is held */
static bool is_below(struct fs *fs, struct inode *dir, const struct inode *ip)
{
	uint64_t ino = dir->ino, steps = 0;

	while (ino != PINFS_ROOT_INO && ino != ip->ino) {
		unsigned int guard;
		struct inode *at;

		/* Damage may have made a circle of them. */
		if (steps++ > PATH_STEPS_MAX ||
		    inode_get(fs->vol, ino, INODE_ANY_GEN, &at))
			return true;
		guard = journal_enter(fs->vol->journal);
		pthread_rwlock_rdlock(&at->lock);
		ino = le64_to_cpu(inode_read(at, NULL)->parent);
		pthread_rwlock_unlock(&at->lock);
		journal_leave(fs->vol->journal, guard);
		inode_put(at);
	}
	return ino == ip->ino;
}

/* check_circle - no directory may become part of itself */
static int check_circle(const struct renaming *r)
{
	if (r->from.ip->ino == PINFS_ROOT_INO)
		return -EBUSY;
	/* What stays in its directory, or comes to nothing, makes none. */
	if (r->from.dir == r->to.dir ||
	    (r->to.ip && r->flags & RENAME_NOREPLACE))
		return 0;
	if (is_below(r->fs, r->to.dir, r->from.ip))
		return -EINVAL;
	if (!r->to.ip || !is_below(r->fs, r->from.dir, r->to.ip))
		return 0;
	return r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
}

static int rename_found(struct renaming *r)
{
	struct inode *all[4];
	unsigned int n = 0;
	int err = check_circle(r);

	if (err)
		return err;
	all[n++] = r->from.dir;
	all[n++] = r->to.dir;
	all[n++] = r->from.ip;
	if (r->to.ip)
		all[n++] = r->to.ip;
	n = inode_lock_all(all, n);
	err = rename_locked(r);
	inode_unlock_all(all, n);
	return err;
}

/* rename_once - find what the names mean now, and do it; -EAGAIN: start over */
static int rename_once(struct renaming *r)
{
	int err = entry_of(r->fs, r->from.dir, r->from.name, r->from.len,
			   &r->from.ip);

	if (err)
		return err;
	r->to.ip = NULL;
	err = entry_of(r->fs, r->to.dir, r->to.name, r->to.len, &r->to.ip);
	if (err == -ENOENT)
		err = 0;
	if (!err)
		err = rename_found(r);
	inode_put(r->to.ip);
	inode_put(r->from.ip);
	return err;
}

int fs_rename(struct fs *fs, uint64_t parent, const char *name,
	      uint64_t newparent, const char *newname, unsigned int flags)
{
	struct renaming r = {
		.fs = fs,
		.from.name = name,
		.to.name = newname,
		.flags = flags,
	};
	bool crosses = parent != newparent;
	int tries = 0, err;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
	    flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	err = fs_check_name(name, &r.from.len);
	if (!err)
		err = fs_check_name(newname, &r.to.len);
	if (!err)
		err = fs_inode(fs, parent, &r.from.dir);
	if (err)
		return err;
	err = fs_inode(fs, newparent, &r.to.dir);
	if (err)
		goto out_from;
	if (crosses)
		pthread_mutex_lock(&fs->rename_lock);
	do {
		err = rename_once(&r);
	} while (err == -EAGAIN || fs_try_again(fs, err, &tries));
	if (crosses)
		pthread_mutex_unlock(&fs->rename_lock);
	inode_put(r.to.dir);
out_from:
	inode_put(r.from.dir);
	return err;
}
