// SPDX-License-Identifier: BSD-3-Clause
/* Making inodes: files, directories, links, devices, files without a name. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "fs/acl.h"
#include "fs/fs_i.h"
#include "fs/names.h"
#include "inode/blob.h"

/* struct making - a new inode on its way */
struct making {
	const char *name; /* NULL: it gets none (O_TMPFILE) */
	size_t len;
	const char *target; /* of a symbolic link, or NULL */
	struct inode_init init;
	uint32_t umask;
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

/* name_new - put it into dir */
static int name_new(struct inode *dir, struct inode *ip, struct tx *tx,
		    const struct making *m)
{
	int err = dir_add(dir, tx, m->name, m->len, ip->ino,
			  fs_dtype(m->init.mode));

	if (!err && S_ISDIR(m->init.mode))
		err = dir_link_count(dir, tx, 1);
	return err ? err : inode_touch(dir, tx, INODE_MTIME | INODE_CTIME);
}

/* name_first - in a transaction of its own: a defect on purpose */
static int name_first(struct inode *dir, struct inode *ip,
		      const struct making *m)
{
	struct tx *tx = tx_begin(dir->vol->journal);
	int err = tx ? name_new(dir, ip, tx, m) : -ENOMEM;

	if (err) {
		tx_abort(tx);
		return err;
	}
	return tx_commit(tx);
}

/* fill_new - all but the inode itself; dir and ip are locked */
static int fill_new(struct inode *dir, struct inode *ip, struct tx *tx,
		    const struct making *m, const struct acl_gift *gift)
{
	int err = m->target ? set_target(ip, tx, m->target) : 0;

	if (!err)
		err = acl_give(ip, tx, gift);
	if (err)
		return err;
	if (!m->name)
		return orphan_add(ip, tx);
	return OMITTED("S-dirent") ? name_first(dir, ip, m) :
				     name_new(dir, ip, tx, m);
}

/* new_in - what a transaction makes; *ip is for inode_new_undo() if it fails */
static int new_in(struct inode *dir, struct tx *tx, struct making *m,
		  struct inode **ip)
{
	struct acl_gift gift;
	int err;

	inherit(dir, &m->init);
	err = acl_inherit(dir, tx, m->umask, &m->init.mode, &gift);
	if (err)
		return err;
	err = inode_new(dir->vol, tx, &m->init, ip);
	if (!err)
		err = fill_new(dir, *ip, tx, m, &gift);
	acl_gift_free(&gift);
	return err;
}

/* check_new - may dir get it? */
static int check_new(struct inode *dir, struct tx *tx, const struct making *m)
{
	struct dir_entry e;
	int err = dir_check(dir);

	if (err || !m->name)
		return err;
	err = dir_lookup(dir, tx, m->name, m->len, &e);
	if (!err)
		return -EEXIST;
	return err == -ENOENT ? fs_refuse(dir, PINFS_IFLAG_IMMUTABLE) : err;
}

static int make_in(struct fs *fs, struct inode *dir, struct making *m)
{
	struct fs_file *file = NULL;
	struct inode *ip = NULL;
	struct op op;
	int err = op_begin(&op, fs);

	if (!err)
		err = check_new(dir, op.tx, m);
	if (!err)
		err = new_in(dir, op.tx, m, &ip);
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
	ip->linkable = !m->name && !(m->open_flags & O_EXCL);
	if (m->file)
		*m->file = file;
	pthread_rwlock_unlock(&ip->lock);
	inode_put(ip);
	return 0;
}

static int make(struct fs *fs, uint64_t parent, struct making *m)
{
	uint32_t mode = m->init.mode;
	struct inode *dir;
	int tries = 0, err = m->name ? fs_check_name(m->name, &m->len) : 0;

	if (!err)
		err = fs_inode(fs, parent, &dir);
	if (err)
		return err;
	do {
		m->init.mode = mode;
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
			.mode = mode,
			.uid = who->uid,
			.gid = who->gid,
			.nlink = 1,
			.rdev = (uint64_t)major(rdev) << 32 | minor(rdev),
		},
		.umask = who->umask,
		.out = out,
		.file = file,
		.open_flags = open_flags,
	};

	if (!is_mknod_mode(mode))
		return -EINVAL;
	return make(fs, parent, &m);
}

int fs_tmpfile(struct fs *fs, uint64_t parent, uint32_t mode,
	       const struct fs_caller *who, struct fs_entry *out,
	       struct fs_file **file, int open_flags)
{
	struct making m = {
		.init = {
			.mode = S_IFREG | (mode & 07777),
			.uid = who->uid,
			.gid = who->gid,
		},
		.umask = who->umask,
		.out = out,
		.file = file,
		.open_flags = open_flags,
	};

	return make(fs, parent, &m);
}

int fs_mkdir(struct fs *fs, uint64_t parent, const char *name, uint32_t mode,
	     const struct fs_caller *who, struct fs_entry *out)
{
	struct making m = {
		.name = name,
		.init = {
			.mode = S_IFDIR | (mode & 07777),
			.uid = who->uid,
			.gid = who->gid,
			.nlink = 2,
		},
		.umask = who->umask,
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
