// SPDX-License-Identifier: BSD-3-Clause
/*
 * Reading directories. A batch of names is copied under the directory's lock,
 * then handed out without it: attributes are behind other inodes' locks, which
 * may come before the directory's in their order.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/fs_i.h"
#include "fs/names.h"

#define COOKIE_DOTDOT 1u
#define COOKIE_NAMES  2u
#define BATCH	      32u

struct batch_entry {
	uint64_t key;
	uint64_t ino;
	uint8_t type;
	char name[PINFS_NAME_MAX + 1];
};

struct batch {
	unsigned int count;
	struct batch_entry entry[BATCH];
};

static int collect(void *arg, const struct dir_entry *e)
{
	struct batch *b = arg;
	struct batch_entry *to = &b->entry[b->count++];

	to->key = e->key;
	to->ino = e->ino;
	to->type = e->type;
	memcpy(to->name, e->name, e->name_len);
	to->name[e->name_len] = '\0';
	return b->count == BATCH;
}

static int read_batch(struct fs *fs, struct inode *dir, uint64_t from,
		      struct batch *b, uint64_t *parent)
{
	unsigned int guard = journal_enter(fs->vol->journal);
	int err = 0;

	b->count = 0;
	pthread_rwlock_rdlock(&dir->lock);
	if (dir->dead || !S_ISDIR(inode_mode(dir, NULL)))
		err = dir->dead ? -ESTALE : -ENOTDIR;
	if (!err) {
		*parent = le64_to_cpu(inode_read(dir, NULL)->parent);
		err = dir_iterate(dir, from, collect, b);
	}
	pthread_rwlock_unlock(&dir->lock);
	journal_leave(fs->vol->journal, guard);
	return err < 0 ? err : 0;
}

struct reading {
	struct fs *fs;
	bool attr;
	int (*fn)(void *arg, const struct fs_dirent *d);
	void *arg;
};

/* fill_attr - false if the entry has gone meanwhile, and is left out */
static bool fill_attr(struct fs *fs, struct fs_dirent *d)
{
	unsigned int guard;
	struct inode *ip;
	bool alive;

	if (inode_get(fs->vol, d->ino, INODE_ANY_GEN, &ip))
		return false;
	guard = inode_look(ip);
	alive = !ip->dead;
	if (alive)
		fs_fill_entry(ip, NULL, &d->entry);
	inode_look_end(ip, guard);
	inode_put(ip);
	d->has_entry = alive;
	return alive;
}

/* emit_batch - 1: there is no room for more */
static int emit_batch(const struct reading *r, const struct batch *b)
{
	for (unsigned int i = 0; i < b->count; i++) {
		struct fs_dirent d = {
			.name = b->entry[i].name,
			.next = b->entry[i].key + 1,
			.ino = b->entry[i].ino,
			.type = (uint32_t)b->entry[i].type << 12,
		};

		if (r->attr && !fill_attr(r->fs, &d))
			continue;
		if (r->fn(r->arg, &d))
			return 1;
	}
	return 0;
}

/* emit_dots - "." and ".."; 1: there is no room for more */
static int emit_dots(const struct reading *r, uint64_t cookie, uint64_t self,
		     uint64_t parent)
{
	struct fs_dirent dot = {
		.name = ".", .next = COOKIE_DOTDOT, .ino = self, .type = S_IFDIR
	};
	struct fs_dirent up = { .name = "..",
				.next = COOKIE_NAMES,
				.ino = parent,
				.type = S_IFDIR };

	if (cookie < COOKIE_DOTDOT && r->fn(r->arg, &dot))
		return 1;
	return cookie < COOKIE_NAMES && r->fn(r->arg, &up);
}

static int read_all(const struct reading *r, struct inode *dir, uint64_t cookie,
		    struct batch *b)
{
	uint64_t parent, from = cookie;
	int err = read_batch(r->fs, dir, from, b, &parent);

	if (err)
		return err;
	if (emit_dots(r, cookie, dir->ino, parent))
		return 0;
	while (b->count > 0) {
		if (emit_batch(r, b))
			return 0;
		if (b->count < BATCH)
			break;
		from = b->entry[b->count - 1].key + 1;
		err = read_batch(r->fs, dir, from, b, &parent);
		if (err)
			return err;
	}
	return 0;
}

int fs_readdir(struct fs *fs, uint64_t node, uint64_t cookie, bool attr,
	       int (*fn)(void *arg, const struct fs_dirent *d), void *arg)
{
	struct reading r = { fs, attr, fn, arg };
	struct batch *b = malloc(sizeof(*b));
	struct inode *dir;
	int err = b ? fs_inode(fs, node, &dir) : -ENOMEM;

	if (!err) {
		if (cookie == 0)
			fs_accessed(fs, dir);
		err = read_all(&r, dir, cookie, b);
		inode_put(dir);
	}
	free(b);
	return err;
}

/* --- paths, for messages ------------------------------------------------------------- */

struct name_search {
	uint64_t ino;
	char *name;
	bool found;
};

static int match_ino(void *arg, const struct dir_entry *e)
{
	struct name_search *s = arg;

	if (e->ino != s->ino)
		return 0;
	memcpy(s->name, e->name, e->name_len);
	s->name[e->name_len] = '\0';
	s->found = true;
	return 1;
}

static uint64_t parent_of(struct volume *vol, uint64_t ino)
{
	unsigned int guard;
	uint64_t parent = 0;
	struct inode *ip;

	if (inode_get(vol, ino, INODE_ANY_GEN, &ip))
		return 0;
	guard = inode_look(ip);
	if (!ip->dead && !ip->unlinked)
		parent = le64_to_cpu(inode_read(ip, NULL)->parent);
	inode_look_end(ip, guard);
	inode_put(ip);
	return parent;
}

static bool name_in(struct volume *vol, uint64_t parent, uint64_t ino,
		    char *name)
{
	struct name_search s = { .ino = ino, .name = name };
	unsigned int guard;
	struct inode *dir;

	if (inode_get(vol, parent, INODE_ANY_GEN, &dir))
		return false;
	guard = inode_look(dir);
	if (dir_check(dir) == 0)
		dir_iterate(dir, 0, match_ino, &s);
	inode_look_end(dir, guard);
	inode_put(dir);
	return s.found;
}

void fs_path(struct volume *vol, uint64_t ino, char *buf, size_t size)
{
	char name[PINFS_NAME_MAX + 1];
	size_t at = size - 1, len;

	buf[0] = '\0';
	buf[at] = '\0';
	while (ino != PINFS_ROOT_INO) {
		uint64_t parent = parent_of(vol, ino);

		if (!parent || !name_in(vol, parent, ino, name)) {
			at = size - 1;
			break;
		}
		len = strlen(name);
		if (len + 1 > at)
			break; /* as much of the end as there is room for */
		at -= len + 1;
		buf[at] = '/';
		memcpy(buf + at + 1, name, len);
		ino = parent;
	}
	memmove(buf, buf + at, size - at);
}
