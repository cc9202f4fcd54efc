// SPDX-License-Identifier: BSD-3-Clause
/* Names: lookup, create, link, unlink. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "fs/fs_i.h"
#include "fs/names.h"
#include "inode/blob.h"

#define LINK_MAX_PINFS 0x7fffffffu

/* dir_check - is this locked inode a directory that is still there? */
int dir_check(struct inode *dir)
{
	if (dir->dead || dir->unlinked)
		return -ENOENT;
	return S_ISDIR(inode_mode(dir, NULL)) ? 0 : -ENOTDIR;
}

/* find - the entry under a shared lock of the directory, taken here */
static int find(struct inode *dir, const char *name, size_t len,
		struct dir_entry *e)
{
	unsigned int guard = inode_look(dir);
	int err;

	err = dir_check(dir);
	if (!err)
		err = dir_lookup(dir, NULL, name, len, e);
	inode_look_end(dir, guard);
	return err;
}

/* get_entry - handle of what an entry leads to, and its attributes */
static int get_entry(struct fs *fs, uint64_t ino, struct fs_entry *out)
{
	unsigned int guard;
	struct inode *ip;
	int err = inode_get(fs->vol, ino, INODE_ANY_GEN, &ip);

	if (err)
		return err;
	guard = inode_look(ip);
	if (ip->dead)
		err = -ESTALE;
	else
		fs_fill_entry(ip, NULL, out);
	inode_look_end(ip, guard);
	inode_put(ip);
	return err;
}

/*
 * An entry may go, and its inode be freed, between the two locks: then the
 * name has to be looked up again. What stays is a name without an inode, and
 * that is damage.
 */
#define LOOKUP_TRIES 100

static int lookup_in(struct fs *fs, struct inode *dir, const char *name,
		     size_t len, struct fs_entry *out)
{
	int err = -ESTALE;

	for (int i = 0; i < LOOKUP_TRIES && err == -ESTALE; i++) {
		struct dir_entry e;

		err = find(dir, name, len, &e);
		if (err)
			return err;
		err = get_entry(fs, e.ino, out);
	}
	return err == -ESTALE ? -EUCLEAN : err;
}

/* lookup_dot - "." and "..", which only file handles are looked up by */
static int lookup_dot(struct fs *fs, struct inode *dir, bool up,
		      struct fs_entry *out)
{
	unsigned int guard = inode_look(dir);
	uint64_t ino = dir->ino;
	int err = 0;

	if (up) {
		err = dir_check(dir);
		ino = le64_to_cpu(inode_read(dir, NULL)->parent);
	}
	inode_look_end(dir, guard);
	return err ? err : get_entry(fs, ino, out);
}

int fs_lookup(struct fs *fs, uint64_t parent, const char *name,
	      struct fs_entry *out)
{
	bool dot = strcmp(name, ".") == 0, up = strcmp(name, "..") == 0;
	struct inode *dir;
	size_t len;
	int err = dot || up ? 0 : fs_check_name(name, &len);

	if (!err)
		err = fs_inode(fs, parent, &dir);
	if (err)
		return err;
	err = dot || up ? lookup_dot(fs, dir, up, out) :
			  lookup_in(fs, dir, name, len, out);
	inode_put(dir);
	return err;
}

/* --- creating ----------------------------------------------------------------------- */

/* struct making - a new inode on its way */
struct making {
	const char *name;
	size_t len;
	const char *target; /* of a symbolic link, or NULL */
	struct inode_init init;
	struct fs_entry *out;
	struct fs_file **file; /* to be opened too, or NULL */
	int open_flags;
};

static int set_target(struct inode *ip, struct tx *tx, const char *target)
{
	struct pinfs_inode *di = inode_edit(ip, tx);
	size_t len = strlen(target);
	uint64_t first;
	int err;

	if (!di)
		return -ENOMEM;
	di->size = cpu_to_le64(len);
	if (len <= PINFS_SYMLINK_INLINE) {
		memcpy(di->u.target, target, len);
		return 0;
	}
	err = blob_write(ip, tx, target, len, &first);
	if (!err)
		di->target = cpu_to_le64(first);
	return err;
}

/* inherit - what a new inode takes from its directory */
static void inherit(struct inode *dir, struct inode_init *init)
{
	const struct pinfs_inode *di = inode_read(dir, NULL);

	init->parent = dir->ino;
	init->flags = le64_to_cpu(di->flags) & PINFS_IFLAG_DAX;
	if (!(le32_to_cpu(di->mode) & S_ISGID))
		return;
	init->gid = le32_to_cpu(di->gid);
	if (S_ISDIR(init->mode))
		init->mode |= S_ISGID;
}

/* dir_link_count - a directory gains or loses a subdirectory */
int dir_link_count(struct inode *dir, struct tx *tx, int by)
{
	struct pinfs_inode *di = inode_edit(dir, tx);

	if (!di)
		return -ENOMEM;
	if (by > 0 && le32_to_cpu(di->nlink) >= LINK_MAX_PINFS)
		return -EMLINK;
	di->nlink = cpu_to_le32(le32_to_cpu(di->nlink) + (uint32_t)by);
	return 0;
}

/* fill_new - all but the inode itself; dir and ip are locked */
static int fill_new(struct inode *dir, struct inode *ip, struct tx *tx,
		    const struct making *m)
{
	int err = m->target ? set_target(ip, tx, m->target) : 0;

	if (!err)
		err = dir_add(dir, tx, m->name, m->len, ip->ino,
			      fs_dtype(m->init.mode));
	if (!err && S_ISDIR(m->init.mode))
		err = dir_link_count(dir, tx, 1);
	if (!err)
		err = inode_touch(dir, tx, INODE_MTIME | INODE_CTIME);
	return err;
}

/* name_first - fill_new() in a transaction of its own: a defect on purpose */
static int name_first(struct fs *fs, struct inode *dir, struct inode *ip,
		      const struct making *m)
{
	struct op op;
	int err = op_begin(&op, fs);

	if (!err)
		err = fill_new(dir, ip, op.tx, m);
	return op_end(&op, err);
}

static int make_in(struct fs *fs, struct inode *dir, struct making *m)
{
	struct fs_file *file = NULL;
	struct inode *ip = NULL;
	struct dir_entry e;
	struct op op;
	int err = op_begin(&op, fs);

	if (!err)
		err = dir_check(dir);
	if (!err)
		err = dir_lookup(dir, op.tx, m->name, m->len, &e);
	if (!err)
		err = -EEXIST;
	if (err == -ENOENT && !dir->dead && !dir->unlinked)
		err = fs_refuse(dir, PINFS_IFLAG_IMMUTABLE);
	if (!err) {
		inherit(dir, &m->init);
		err = inode_new(fs->vol, op.tx, &m->init, &ip);
	}
	if (!err)
		err = OMITTED("S-dirent") ? name_first(fs, dir, ip, m) :
					    fill_new(dir, ip, op.tx, m);
	if (!err)
		fs_fill_entry(ip, op.tx, m->out);
	if (!err && m->file)
		err = fs_file_new(ip, m->open_flags, &file);
	err = op_end(&op, err);
	if (err && ip) {
		fs_file_release(fs, file);
		inode_new_undo(ip);
	}
	if (err)
		return err;
	if (m->file)
		*m->file = file;
	pthread_rwlock_unlock(&ip->lock);
	inode_put(ip);
	return 0;
}

static int make(struct fs *fs, uint64_t parent, struct making *m)
{
	struct inode *dir;
	int tries = 0, err = fs_check_name(m->name, &m->len);

	if (!err)
		err = fs_inode(fs, parent, &dir);
	if (err)
		return err;
	do {
		pthread_rwlock_wrlock(&dir->lock);
		err = make_in(fs, dir, m);
		pthread_rwlock_unlock(&dir->lock);
	} while (fs_try_again(fs, err, &tries));
	inode_put(dir);
	return err;
}

/* is_mknod_mode - directories and links have calls of their own */
static bool is_mknod_mode(uint32_t mode)
{
	if (mode & ~(uint32_t)(S_IFMT | 07777))
		return false;
	return S_ISREG(mode) || S_ISFIFO(mode) || S_ISSOCK(mode) ||
	       S_ISCHR(mode) || S_ISBLK(mode);
}

int fs_mknod(struct fs *fs, uint64_t parent, const char *name, uint32_t mode,
	     uint64_t rdev, const struct fs_caller *who, struct fs_entry *out,
	     struct fs_file **file, int open_flags)
{
	struct making m = {
		.name = name,
		.init = {
			.mode = mode & ~(who->umask & 0777),
			.uid = who->uid,
			.gid = who->gid,
			.nlink = 1,
			.rdev = (uint64_t)major(rdev) << 32 | minor(rdev),
		},
		.out = out,
		.file = file,
		.open_flags = open_flags,
	};

	if (!is_mknod_mode(mode))
		return -EINVAL;
	return make(fs, parent, &m);
}

int fs_mkdir(struct fs *fs, uint64_t parent, const char *name, uint32_t mode,
	     const struct fs_caller *who, struct fs_entry *out)
{
	struct making m = {
		.name = name,
		.init = {
			.mode = S_IFDIR | (mode & ~(who->umask & 0777) & 07777),
			.uid = who->uid,
			.gid = who->gid,
			.nlink = 2,
		},
		.out = out,
	};

	return make(fs, parent, &m);
}

int fs_symlink(struct fs *fs, uint64_t parent, const char *name,
	       const char *target, const struct fs_caller *who,
	       struct fs_entry *out)
{
	size_t len = strlen(target);
	struct making m = {
		.name = name,
		.target = target,
		.init = {
			.mode = S_IFLNK | 0777,
			.uid = who->uid,
			.gid = who->gid,
			.nlink = 1,
		},
		.out = out,
	};

	if (len == 0)
		return -ENOENT;
	if (len > PINFS_SYMLINK_MAX)
		return -ENAMETOOLONG;
	return make(fs, parent, &m);
}

static int read_target(struct inode *ip, char *buf)
{
	const struct pinfs_inode *di = inode_read(ip, NULL);
	uint64_t size = le64_to_cpu(di->size);
	void *blob;
	size_t len;
	int err;

	if (ip->dead)
		return -ESTALE;
	if (!S_ISLNK(le32_to_cpu(di->mode)))
		return -EINVAL;
	if (size > PINFS_SYMLINK_MAX)
		return -EUCLEAN;
	if (size <= PINFS_SYMLINK_INLINE) {
		memcpy(buf, di->u.target, size);
		buf[size] = '\0';
		return 0;
	}
	err = blob_read(ip, NULL, le64_to_cpu(di->target), &blob, &len);
	if (err)
		return err;
	if (len == size) {
		memcpy(buf, blob, len);
		buf[len] = '\0';
	} else {
		err = -EUCLEAN;
	}
	free(blob);
	return err;
}

int fs_readlink(struct fs *fs, uint64_t node, char *buf)
{
	unsigned int guard;
	struct inode *ip;
	int err = fs_inode(fs, node, &ip);

	if (err)
		return err;
	guard = inode_look(ip);
	err = read_target(ip, buf);
	inode_look_end(ip, guard);
	inode_put(ip);
	return err;
}

/* --- links --------------------------------------------------------------------------- */

static int link_locked(struct fs *fs, struct inode *ip, struct inode *dir,
		       const char *name, size_t len, struct fs_entry *out)
{
	struct pinfs_inode *di;
	struct op op;
	int err = op_begin(&op, fs);

	if (!err)
		err = dir_check(dir);
	if (!err && (ip->dead || ip->unlinked))
		err = -ENOENT;
	if (!err && S_ISDIR(inode_mode(ip, NULL)))
		err = -EPERM;
	if (!err && le32_to_cpu(inode_read(ip, NULL)->nlink) >= LINK_MAX_PINFS)
		err = -EMLINK;
	if (!err)
		err = fs_refuse(ip, FS_FIXED);
	if (!err)
		err = fs_refuse(dir, PINFS_IFLAG_IMMUTABLE);
	if (!err)
		err = dir_add(dir, op.tx, name, len, ip->ino,
			      fs_dtype(inode_mode(ip, NULL)));
	if (!err) {
		di = inode_edit(ip, op.tx);
		err = di ? inode_touch(ip, op.tx, INODE_CTIME) : -ENOMEM;
	}
	if (!err) {
		di->nlink = cpu_to_le32(le32_to_cpu(di->nlink) + 1);
		di->parent = cpu_to_le64(dir->ino);
		err = inode_touch(dir, op.tx, INODE_MTIME | INODE_CTIME);
	}
	if (!err)
		fs_fill_entry(ip, op.tx, out);
	return op_end(&op, err);
}

int fs_link(struct fs *fs, uint64_t node, uint64_t parent, const char *name,
	    struct fs_entry *out)
{
	struct inode *ip, *dir, *all[2];
	size_t len;
	unsigned int n;
	int tries = 0, err = fs_check_name(name, &len);

	if (!err)
		err = fs_inode(fs, node, &ip);
	if (err)
		return err;
	err = fs_inode(fs, parent, &dir);
	if (err)
		goto out_inode;
	do {
		all[0] = ip;
		all[1] = dir;
		n = inode_lock_all(all, 2);
		err = link_locked(fs, ip, dir, name, len, out);
		inode_unlock_all(all, n);
	} while (fs_try_again(fs, err, &tries));
	inode_put(dir);
out_inode:
	inode_put(ip);
	return err;
}

int entry_of(struct fs *fs, struct inode *dir, const char *name, size_t len,
	     struct inode **out)
{
	int err = -ESTALE;

	for (int i = 0; i < LOOKUP_TRIES && err == -ESTALE; i++) {
		struct dir_entry e;

		err = find(dir, name, len, &e);
		if (err)
			return err;
		err = inode_get(fs->vol, e.ino, INODE_ANY_GEN, out);
	}
	return err == -ESTALE ? -EUCLEAN : err;
}

bool entry_is(struct inode *dir, const char *name, size_t len,
	      const struct inode *ip)
{
	struct dir_entry e;
	int err = dir_check(dir);

	if (!err)
		err = dir_lookup(dir, NULL, name, len, &e);
	return ip ? !err && e.ino == ip->ino && !ip->dead : err == -ENOENT;
}

/* --- unlinking ------------------------------------------------------------------------ */

/* drop_one - ip loses one of its names; in a directory's case, all it has */
int drop_one(struct inode *ip, struct tx *tx)
{
	struct pinfs_inode *di = inode_edit(ip, tx);
	uint32_t nlink;
	int err;

	if (!di)
		return -ENOMEM;
	nlink = le32_to_cpu(di->nlink);
	nlink = S_ISDIR(le32_to_cpu(di->mode)) || nlink == 0 ? 0 : nlink - 1;
	di->nlink = cpu_to_le32(nlink);
	err = inode_touch(ip, tx, INODE_CTIME);
	if (!err && nlink == 0)
		err = inode_drop_link(ip, tx, fs_in_use(ip));
	return err;
}

static int check_removable(struct inode *ip, bool dir)
{
	if (!dir)
		return S_ISDIR(inode_mode(ip, NULL)) ? -EISDIR : 0;
	if (!S_ISDIR(inode_mode(ip, NULL)))
		return -ENOTDIR;
	return dir_is_empty(ip, NULL) ? 0 : -ENOTEMPTY;
}

static int remove_locked(struct fs *fs, struct inode *dir, struct inode *ip,
			 const char *name, size_t len, bool rmdir)
{
	struct op op;
	int err = op_begin(&op, fs);

	if (!err)
		err = entry_is(dir, name, len, ip) ? 0 : -EAGAIN;
	if (!err)
		err = check_removable(ip, rmdir);
	if (!err)
		err = fs_refuse(dir, FS_FIXED);
	if (!err)
		err = fs_refuse(ip, FS_FIXED);
	if (!err)
		err = dir_remove(dir, op.tx, name, len);
	if (!err && rmdir)
		err = dir_link_count(dir, op.tx, -1);
	if (!err)
		err = inode_touch(dir, op.tx, INODE_MTIME | INODE_CTIME);
	if (!err)
		err = drop_one(ip, op.tx);
	return op_end(&op, err);
}

/* remove_in - -EAGAIN if the name came to mean something else meanwhile */
static int remove_in(struct fs *fs, struct inode *dir, const char *name,
		     size_t len, bool rmdir)
{
	struct inode *ip, *all[2];
	unsigned int n;
	int err = entry_of(fs, dir, name, len, &ip);

	if (err)
		return err;
	all[0] = dir;
	all[1] = ip;
	n = inode_lock_all(all, 2);
	err = remove_locked(fs, dir, ip, name, len, rmdir);
	inode_unlock_all(all, n);
	inode_put(ip);
	return err;
}

static int remove_name(struct fs *fs, uint64_t parent, const char *name,
		       bool rmdir)
{
	struct inode *dir;
	size_t len;
	int err = fs_check_name(name, &len);

	if (!err)
		err = fs_inode(fs, parent, &dir);
	if (err)
		return err;
	do {
		err = remove_in(fs, dir, name, len, rmdir);
	} while (err == -EAGAIN);
	inode_put(dir);
	return err;
}

int fs_unlink(struct fs *fs, uint64_t parent, const char *name)
{
	return remove_name(fs, parent, name, false);
}

int fs_rmdir(struct fs *fs, uint64_t parent, const char *name)
{
	return remove_name(fs, parent, name, true);
}
