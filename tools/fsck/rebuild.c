// SPDX-License-Identifier: BSD-3-Clause
/*
 * Building anew, with the library that built it once: trees from what salvage()
 * has found, and lost+found.
 *
 * The image is sane enough for that when all blocks that something refers to are
 * known: settle() has the bitmaps say so.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/util.h"
#include "inode/blob.h"
#include "inode/dir.h"
#include "inode/extent.h"
#include "pool/persist.h"
#include "progress.h"
#include "repair.h"

/* So many names with a number behind them are tried before one is given up. */
#define NAME_TRIES 1000u

struct rebuild {
	struct fsck *f;
	struct volume *vol;
	struct inode *lost; /* lost+found, once it is wanted */
};

/* --- transactions --------------------------------------------------------- */

struct change {
	struct inode *ip[2]; /* locked exclusively; NULL, or both the same */
	struct tx *tx;
	unsigned int guard;
};

static int change_begin(struct rebuild *r, struct change *c, struct inode *a,
			struct inode *b)
{
	c->ip[0] = a;
	c->ip[1] = b;
	c->guard = journal_enter(r->vol->journal);
	pthread_rwlock_wrlock(&a->lock);
	if (b)
		pthread_rwlock_wrlock(&b->lock);
	c->tx = tx_begin(r->vol->journal);
	return c->tx ? 0 : -ENOMEM;
}

static int change_end(struct rebuild *r, struct change *c, int err)
{
	if (err)
		tx_abort(c->tx);
	else
		err = tx_commit(c->tx);
	if (c->ip[1])
		pthread_rwlock_unlock(&c->ip[1]->lock);
	pthread_rwlock_unlock(&c->ip[0]->lock);
	journal_leave(r->vol->journal, c->guard);
	return err;
}

/* --- files ---------------------------------------------------------------- */

static int map_piece(struct rebuild *r, struct inode *ip, const struct piece *p,
		     uint64_t pblk, uint64_t len)
{
	struct extent e = {
		.lblk = p->lblk,
		.pblk = pblk,
		.len = len,
		.unwritten = p->unwritten,
	};
	struct change c;
	int err = change_begin(r, &c, ip, NULL);

	if (!err)
		err = extent_add(ip, c.tx, &e);
	return change_end(r, &c, err);
}

/* copy_some - of the piece's blocks, as many as a run of free ones takes */
static int copy_some(struct rebuild *r, struct inode *ip, struct piece *p)
{
	struct volume *vol = r->vol;
	struct space_run run;
	struct extent e;
	struct change c;
	int err = change_begin(r, &c, ip, NULL);

	if (!err)
		err = space_alloc(vol->space, c.tx, 0, p->len, 0, &run);
	if (!err) {
		persist_copy_flush(vol->pool, volume_block(vol, run.first),
				   volume_block(vol, p->pblk),
				   run.count << PINFS_BLOCK_SHIFT);
		e = (struct extent){
			.lblk = p->lblk,
			.pblk = run.first,
			.len = run.count,
			.unwritten = p->unwritten,
		};
		err = extent_add(ip, c.tx, &e);
	}
	err = change_end(r, &c, err);
	if (err)
		return err;
	p->lblk += run.count;
	p->pblk += run.count;
	p->len -= (uint32_t)run.count;
	return 0;
}

static int build_file(struct rebuild *r, struct inode *ip,
		      const struct broken *b)
{
	struct piece p;
	int err = 0;
	size_t i;

	for (i = 0; i < b->count && !err; i++) {
		p = b->piece[i];
		if (!p.copy)
			err = map_piece(r, ip, &p, p.pblk, p.len);
		while (p.copy && p.len && !err)
			err = copy_some(r, ip, &p);
	}
	return err;
}

static int put_xattrs(struct rebuild *r, struct inode *ip,
		      const struct broken *b)
{
	struct pinfs_inode *di;
	uint64_t first;
	struct change c;
	int err = change_begin(r, &c, ip, NULL);

	if (!err)
		err = blob_write(ip, c.tx, b->xattr, b->xattr_len, &first);
	if (!err) {
		di = inode_edit(ip, c.tx);
		if (di)
			di->xattr = cpu_to_le64(first);
		else
			err = -ENOMEM;
	}
	return change_end(r, &c, err);
}

/* --- names ---------------------------------------------------------------- */

/* numbered - the name with "~N" behind it, cut if it would be too long */
static size_t numbered(char *to, const char *name, size_t len, unsigned int n)
{
	char tail[16];
	size_t tail_len = (size_t)snprintf(tail, sizeof(tail), "~%u", n);

	len = min_u64(len, PINFS_NAME_MAX - tail_len);
	memcpy(to, name, len);
	memcpy(to + len, tail, tail_len);
	return len + tail_len;
}

/* try_name - in a transaction of its own; with ip its parent is set, too */
static int try_name(struct rebuild *r, struct inode *dir, struct inode *ip,
		    const char *name, size_t len, uint64_t ino, uint8_t type)
{
	struct pinfs_inode *di;
	struct change c;
	int err = change_begin(r, &c, dir, ip);

	if (!err)
		err = dir_add(dir, c.tx, name, len, ino, type);
	if (!err && ip) {
		di = inode_edit(ip, c.tx);
		if (!di)
			err = -ENOMEM;
		else if (type == DT_DIR)
			di->parent = cpu_to_le64(dir->ino);
		else
			di->nlink = cpu_to_le32(1);
	}
	if (!err && ip && type == DT_DIR) {
		di = inode_edit(dir, c.tx);
		if (di)
			di->nlink = cpu_to_le32(le32_to_cpu(di->nlink) + 1);
		else
			err = -ENOMEM;
	}
	return change_end(r, &c, err);
}

/*
 * enter_name - under that name, or one like it
 *
 * A directory takes no more than 128 names of one hash, a number changes it.
 */
static int enter_name(struct rebuild *r, struct inode *dir, struct inode *ip,
		      const char *name, size_t len, uint64_t ino, uint8_t type)
{
	char other[PINFS_NAME_MAX];
	size_t other_len;
	unsigned int n;
	int err = try_name(r, dir, ip, name, len, ino, type);

	for (n = 1; n <= NAME_TRIES; n++) {
		if (err != -EEXIST &&
		    (err != -ENOSPC || !space_available(r->vol->space)))
			return err;
		other_len = numbered(other, name, len, n);
		err = try_name(r, dir, ip, other, other_len, ino, type);
	}
	return err;
}

static int build_dir(struct rebuild *r, struct inode *dir,
		     const struct broken *b)
{
	const struct pinfs_dirent *de;
	size_t i;
	int err;

	for (i = 0; i < b->count; i++) {
		de = b->name[i];
		progress_at(i, b->count);
		err = enter_name(r, dir, NULL, (const char *)de->name,
				 de->name_len, le64_to_cpu(de->ino), de->type);
		if (err)
			return err;
	}
	return 0;
}

/* --- one inode ------------------------------------------------------------ */

/*
 * uproot - an empty tree; the inode counts as linked while it is worked at
 *
 * Else the library would free it when the handle goes.
 */
static void uproot(struct fsck *f, const struct broken *b, bool tree)
{
	struct pinfs_inode *di = edit_inode(f, b->ino);

	if (!le32_to_cpu(di->nlink))
		di->nlink = cpu_to_le32(1);
	if (tree) {
		memset(di->u.bytes, 0, sizeof(di->u.bytes));
		di->tree_level = cpu_to_le16(0);
		di->tree_count = cpu_to_le16(0);
		di->blocks = cpu_to_le64(info_of(f, b->ino)->blobs);
		if (b->type == DT_DIR)
			di->size = cpu_to_le64(0);
	}
	seal_inode(f, di);
}

static int build_one(struct rebuild *r, const struct broken *b)
{
	struct fsck *f = r->f;
	const struct pinfs_inode *di = inode_slot(f, b->ino);
	bool tree = b->type == DT_REG || b->type == DT_DIR;
	bool unlinked;
	struct inode *ip;
	int err;

	if (format_inode_is_free(di))
		return 0;
	unlinked = !le32_to_cpu(di->nlink);
	uproot(f, b, tree);
	err = inode_get(r->vol, b->ino, INODE_ANY_GEN, &ip);
	if (err)
		return err;
	if (b->type == DT_REG)
		err = build_file(r, ip, b);
	else if (b->type == DT_DIR)
		err = build_dir(r, ip, b);
	if (!err && b->xattr)
		err = put_xattrs(r, ip, b);
	inode_put(ip);
	if (!err && unlinked) {
		edit_inode(f, b->ino)->nlink = cpu_to_le32(0);
		seal_inode(f, edit_inode(f, b->ino));
	}
	return err;
}

/* --- lost+found ----------------------------------------------------------- */

static int make_lost(struct rebuild *r, struct inode *root)
{
	const struct inode_init init = {
		.mode = S_IFDIR | 0700,
		.nlink = 2,
		.parent = PINFS_ROOT_INO,
	};
	struct inode *ip = NULL;
	struct pinfs_inode *di;
	struct change c;
	int err = change_begin(r, &c, root, NULL);

	if (!err)
		err = inode_new(r->vol, c.tx, &init, &ip);
	if (!err)
		err = dir_add(root, c.tx, "lost+found", 10, ip->ino, DT_DIR);
	if (!err) {
		di = inode_edit(root, c.tx);
		if (di)
			di->nlink = cpu_to_le32(le32_to_cpu(di->nlink) + 1);
		else
			err = -ENOMEM;
	}
	err = change_end(r, &c, err);
	if (!ip)
		return err;
	if (err) {
		inode_new_undo(ip);
		return err;
	}
	pthread_rwlock_unlock(&ip->lock);
	r->lost = ip;
	return 0;
}

/* find_lost - lost+found, made if need be; a file of that name makes way */
static int find_lost(struct rebuild *r)
{
	struct dir_entry e = { 0 };
	struct inode *root;
	int err = inode_get(r->vol, PINFS_ROOT_INO, INODE_ANY_GEN, &root);

	if (err)
		return err;
	err = dir_lookup(root, NULL, "lost+found", 10, &e);
	if (!err && e.type == DT_DIR) {
		err = inode_get(r->vol, e.ino, INODE_ANY_GEN, &r->lost);
	} else if (!err) {
		r->lost = inode_hold(root);
	} else if (err == -ENOENT) {
		err = make_lost(r, root);
	}
	inode_put(root);
	return err;
}

static int link_lost(struct rebuild *r, uint64_t ino)
{
	struct inode *ip;
	char name[32];
	int err = r->lost ? 0 : find_lost(r);

	if (err || r->lost->ino == ino)
		return err;
	err = inode_get(r->vol, ino, INODE_ANY_GEN, &ip);
	if (err)
		return err;
	snprintf(name, sizeof(name), "#%" PRIu64, ino);
	err = enter_name(r, r->lost, ip, name, strlen(name), ino,
			 info_of(r->f, ino)->type);
	inode_put(ip);
	return err;
}

/* --- all of it ------------------------------------------------------------ */

static int build_all(struct rebuild *r)
{
	const struct repair *rep = r->f->rep;
	size_t i;
	int err = 0;

	for (i = 0; i < rep->brokens && !err; i++) {
		err = build_one(r, &rep->broken[i]);
		if (!err && fsck_is_cancelled())
			err = -ECANCELED;
	}
	for (i = 0; i < rep->losts && !err; i++) {
		err = link_lost(r, rep->lost[i]);
		if (!err && fsck_is_cancelled())
			err = -ECANCELED;
	}
	inode_put(r->lost);
	return err;
}

/*
 * rebuild - the orphan lists are hidden meanwhile: opening the volume would
 * follow them, and they are the business of a later pass, and of the next mount
 */
int rebuild(struct fsck *f)
{
	struct pinfs_orphan head[PINFS_ORPHAN_LISTS];
	uint64_t at = le64_to_cpu(f->sb->root_block);
	struct pinfs_root *root = edit_at(f, at);
	struct rebuild r = { .f = f };
	int err;

	settle(f);
	memcpy(head, root->head, sizeof(head));
	memset(root->head, 0, sizeof(head));
	progress_begin("rebuild");
	err = volume_open(f->pool, 0, &r.vol);
	if (!err) {
		err = build_all(&r);
		if (err)
			volume_abandon(r.vol);
		else
			err = volume_close(r.vol);
	}
	progress_end();
	memcpy(root->head, head, sizeof(head));
	return err;
}
