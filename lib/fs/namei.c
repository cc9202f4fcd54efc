// SPDX-License-Identifier: BSD-3-Clause
/* Names: lookup, link, unlink. */
#include <errno.h>
#include <string.h>

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

/* --- symbolic links ----------------------------------------------------------------- */

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
	fs_accessed(fs, ip);
	guard = inode_look(ip);
	err = read_target(ip, buf);
	inode_look_end(ip, guard);
	inode_put(ip);
	return err;
}

/* --- links --------------------------------------------------------------------------- */

/* struct naming - a nameless inode has its first name when the transaction commits */
struct naming {
	struct tx_hook hook;
	struct inode *ip;
};

static void mark_named(struct tx_hook *hook, bool committed)
{
	struct naming *n = container_of(hook, struct naming, hook);

	if (committed) {
		n->ip->unlinked = false;
		n->ip->linkable = false;
	}
	free(n);
}

/*
 * name_orphan - it is not to be freed any more (L10), unless it is on its list for
 *               a change of its layout that is to be finished
 */
static int name_orphan(struct inode *ip, struct tx *tx)
{
	struct naming *n = malloc(sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->ip = ip;
	n->hook.fn = mark_named;
	tx_on_end(tx, &n->hook);
	if (le32_to_cpu(inode_read(ip, NULL)->intent.op) != PINFS_INTENT_NONE)
		return 0;
	return orphan_remove(ip, tx);
}

/* check_link - may ip get one more name? */
static int check_link(struct inode *ip, struct inode *dir)
{
	int err = dir_check(dir);

	if (err)
		return err;
	if (ip->dead || (ip->unlinked && !ip->linkable))
		return -ENOENT;
	if (S_ISDIR(inode_mode(ip, NULL)))
		return -EPERM;
	if (le32_to_cpu(inode_read(ip, NULL)->nlink) >= LINK_MAX_PINFS)
		return -EMLINK;
	err = fs_refuse(ip, FS_FIXED);
	return err ? err : fs_refuse(dir, PINFS_IFLAG_IMMUTABLE);
}

static int count_link(struct inode *ip, struct tx *tx, struct inode *dir)
{
	struct pinfs_inode *di = inode_edit(ip, tx);

	if (!di)
		return -ENOMEM;
	di->nlink = cpu_to_le32(le32_to_cpu(di->nlink) + 1);
	di->parent = cpu_to_le64(dir->ino);
	return inode_touch(ip, tx, INODE_CTIME);
}

static int link_locked(struct fs *fs, struct inode *ip, struct inode *dir,
		       const char *name, size_t len, struct fs_entry *out)
{
	struct op op;
	int err = op_begin(&op, fs);

	if (!err)
		err = check_link(ip, dir);
	if (!err)
		err = dir_add(dir, op.tx, name, len, ip->ino,
			      fs_dtype(inode_mode(ip, NULL)));
	if (!err && ip->unlinked)
		err = name_orphan(ip, op.tx);
	if (!err)
		err = count_link(ip, op.tx, dir);
	if (!err)
		err = inode_touch(dir, op.tx, INODE_MTIME | INODE_CTIME);
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
		err = fs_refuse(dir, FS_FIXED);
	if (!err)
		err = fs_refuse(ip, FS_FIXED);
	if (!err)
		err = check_removable(ip, rmdir);
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
