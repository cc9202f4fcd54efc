// SPDX-License-Identifier: BSD-3-Clause
/*
 * Directories.
 *
 * Names of one hash have consecutive keys, but for the gaps that removed ones
 * left; such a run may go on in the next leaf. Entries of one leaf never reach
 * into the key range of the next, and no leaf of a tree is empty: a tree that
 * breaks this is damaged. So a walk's keys ascend, and it ends even in a tree
 * whose nodes share their children (S5).
 */
#include "inode/dir.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "format/csum.h"
#include "inode/dir_i.h"
#include "inode/tree.h"

/* A leaf that uses less is merged with a neighbour, */
#define LEAF_UNDERFULL (PINFS_NODE_BYTES / 4)
/* if the result has room for some names before it must be split again. */
#define LEAF_MERGED (PINFS_NODE_BYTES / 4 * 3)

static int damaged(struct inode *dir, const char *why)
{
	log_error("%s: inode %llu: %s: unmount and run fsck.pinfs",
		  dir->vol->pool->path, (unsigned long long)dir->ino, why);
	return -EUCLEAN;
}

static const struct pinfs_dirent_node *
leaf_read(struct inode *dir, struct tx *tx, uint64_t blkno, int *err)
{
	const struct pinfs_dirent_node *n;

	n = meta_read(dir->vol, tx, blkno, PINFS_MAGIC_DIRENTS, dir->ino, err);
	if (n && dir_leaf_count(n) == 0) {
		*err = damaged(dir, "an empty directory leaf");
		return NULL;
	}
	return n;
}

static struct pinfs_dirent_node *leaf_edit(struct inode *dir, struct tx *tx,
					   uint64_t blkno, int *err)
{
	return meta_edit(dir->vol, tx, blkno, PINFS_MAGIC_DIRENTS, dir->ino,
			 err);
}

/* leaf_new - not from the blocks kept for deleting: only adding needs one (S6) */
static struct pinfs_dirent_node *leaf_new(struct inode *dir, struct tx *tx,
					  uint64_t goal, uint64_t *blkno,
					  int *err)
{
	struct pinfs_dirent_node *n;

	if (space_available(dir->vol->space) == 0) {
		*err = -ENOSPC;
		return NULL;
	}
	n = meta_alloc(dir->vol, tx, goal, PINFS_MAGIC_DIRENTS, dir->ino, blkno,
		       err);
	if (!n)
		return NULL;
	*err = inode_add_blocks(dir, tx, 1);
	if (*err)
		return NULL;
	dir_leaf_init(n);
	return n;
}

bool dir_is_empty(struct inode *dir, struct tx *tx)
{
	return le16_to_cpu(inode_read(dir, tx)->tree_level) == 0;
}

/* --- walking ----------------------------------------------------------------- */

/* struct walk - over entries in the order of their keys */
struct walk {
	struct inode *dir;
	struct tx *tx;
	struct tree_path path;
	const struct pinfs_dirent_node *leaf;
	unsigned int slot; /* of the entry that comes next */
	uint64_t from; /* no key that is still to come is less */
};

/* fetch_slots - of a leaf that leaf_read() is about to wait for the head of */
static void fetch_slots(struct inode *dir, uint64_t blkno)
{
	for (size_t line = 1; line <= 3; line++)
		meta_fetch(dir->vol, blkno, line * PINFS_LINE_SIZE);
}

/* walk_begin - walk_step() gives keys from from on; -ENOENT: it's empty */
static int walk_begin(struct walk *w, struct inode *dir, struct tx *tx,
		      uint64_t from)
{
	unsigned int guess;
	int err;

	w->dir = dir;
	w->tx = tx;
	w->from = from;
	if (dir_is_empty(dir, tx))
		return -ENOENT;
	err = tree_descend(dir, tx, from, &w->path);
	if (err)
		return err;
	fetch_slots(dir, w->path.leaf);
	w->leaf = leaf_read(dir, tx, w->path.leaf, &err);
	if (!w->leaf)
		return err;
	guess = tree_guess(&w->path, from, DIR_KEYS_END,
			   dir_leaf_count(w->leaf));
	dir_leaf_fetch(w->leaf, guess);
	w->slot = dir_leaf_lower(w->leaf, from, guess);
	return 0;
}

static int walk_next_leaf(struct walk *w)
{
	int err;

	err = tree_next(w->dir, w->tx, &w->path);
	if (err)
		return err;
	w->leaf = leaf_read(w->dir, w->tx, w->path.leaf, &err);
	if (!w->leaf)
		return err;
	if (dir_leaf_key(w->leaf, 0) < w->from)
		return damaged(w->dir, "directory leaves out of order");
	w->slot = 0;
	return 0;
}

/* walk_step - the next entry, at slot - 1 afterwards; -ENOENT: no more */
static int walk_step(struct walk *w, const struct pinfs_dirent **de)
{
	int err;

	if (w->slot == dir_leaf_count(w->leaf)) {
		err = walk_next_leaf(w);
		if (err)
			return err;
	}
	*de = dir_leaf_entry(w->leaf, w->slot++);
	w->from = le64_to_cpu((*de)->key) + 1;
	return 0;
}

static void fill_entry(struct dir_entry *e, const struct pinfs_dirent *de)
{
	e->key = le64_to_cpu(de->key);
	e->ino = le64_to_cpu(de->ino);
	e->type = de->type;
	e->name_len = de->name_len;
	e->name = (const char *)de->name;
}

int dir_iterate(struct inode *dir, uint64_t from,
		int (*fn)(void *arg, const struct dir_entry *e), void *arg)
{
	const struct pinfs_dirent *de;
	struct dir_entry e;
	struct walk w;
	int err;

	err = walk_begin(&w, dir, NULL, from);
	while (!err) {
		err = walk_step(&w, &de);
		if (err)
			break;
		fill_entry(&e, de);
		err = fn(arg, &e);
		if (err)
			return err;
	}
	return err == -ENOENT ? 0 : err;
}

/* --- names ------------------------------------------------------------------- */

static struct dir_name make_name(struct inode *dir, const char *s, size_t len)
{
	uint64_t seed = le64_to_cpu(dir->vol->super.hash_seed);

	return (struct dir_name){ s, len, format_name_hash(s, len, seed) };
}

static bool is_name(const struct pinfs_dirent *de, const struct dir_name *nm)
{
	return de->name_len == nm->len && !memcmp(de->name, nm->s, nm->len);
}

/* check_name - the rules that format_dirents_verify() goes by */
static int check_name(const struct dir_name *nm)
{
	const char *s = nm->s;

	if (nm->len > PINFS_NAME_MAX)
		return -ENAMETOOLONG;
	if (nm->len == 0 || memchr(s, '/', nm->len) || memchr(s, 0, nm->len))
		return -EINVAL;
	if (s[0] == '.' && (nm->len == 1 || (nm->len == 2 && s[1] == '.')))
		return -EINVAL;
	return 0;
}

/* find - the name's entry, at slot - 1 of the walk's leaf; -ENOENT */
static int find(struct walk *w, struct inode *dir, struct tx *tx,
		const struct dir_name *nm, const struct pinfs_dirent **out)
{
	const struct pinfs_dirent *de;
	int err;

	if (nm->len > PINFS_NAME_MAX)
		return -ENAMETOOLONG;
	err = walk_begin(w, dir, tx, nm->hash);
	while (!err) {
		err = walk_step(w, &de);
		if (err)
			break;
		if (le64_to_cpu(de->key) > nm->hash + DIR_LAST_NUMBER)
			return -ENOENT;
		if (is_name(de, nm)) {
			*out = de;
			return 0;
		}
	}
	return err;
}

int dir_lookup_name(struct inode *dir, struct tx *tx, const struct dir_name *nm,
		    struct dir_entry *out)
{
	const struct pinfs_dirent *de;
	struct walk w;
	int err;

	err = find(&w, dir, tx, nm, &de);
	if (!err)
		fill_entry(out, de);
	return err;
}

int dir_lookup(struct inode *dir, struct tx *tx, const char *name, size_t len,
	       struct dir_entry *out)
{
	struct dir_name nm = make_name(dir, name, len);

	return dir_lookup_name(dir, tx, &nm, out);
}

int dir_replace(struct inode *dir, struct tx *tx, const char *name, size_t len,
		uint64_t ino, uint8_t type)
{
	struct dir_name nm = make_name(dir, name, len);
	const struct pinfs_dirent *de;
	struct pinfs_dirent_node *n;
	struct walk w;
	int err;

	err = find(&w, dir, tx, &nm, &de);
	if (err)
		return err;
	n = leaf_edit(dir, tx, w.path.leaf, &err);
	if (!n)
		return err;
	dir_leaf_set(n, w.slot - 1, ino, type);
	return 0;
}

/* add_size - the directory's size is what its entries take */
static int add_size(struct inode *dir, struct tx *tx, int64_t n)
{
	struct pinfs_inode *di = inode_edit(dir, tx);

	if (!di)
		return -ENOMEM;
	di->size = cpu_to_le64(le64_to_cpu(di->size) + (uint64_t)n);
	return 0;
}

/* --- adding ------------------------------------------------------------------ */

/* choose_key - with the lowest number that no name of this hash has */
static int choose_key(struct inode *dir, struct tx *tx,
		      const struct dir_name *nm, uint64_t *key)
{
	const struct pinfs_dirent *de;
	struct walk w;
	int err;

	*key = nm->hash;
	err = walk_begin(&w, dir, tx, nm->hash);
	while (!err) {
		err = walk_step(&w, &de);
		if (err || le64_to_cpu(de->key) > nm->hash + DIR_LAST_NUMBER)
			break;
		if (is_name(de, nm))
			return -EEXIST;
		if (le64_to_cpu(de->key) == *key)
			(*key)++;
	}
	if (err && err != -ENOENT)
		return err;
	return *key > nm->hash + DIR_LAST_NUMBER ? -ENOSPC : 0;
}

/* plant - the first entry of an empty directory, in its first leaf */
static int plant(struct inode *dir, struct tx *tx, const struct dir_entry *e)
{
	struct pinfs_dirent_node *n;
	uint64_t blkno;
	int err;

	n = leaf_new(dir, tx, dir->blkno, &blkno, &err);
	if (!n)
		return err;
	dir_leaf_insert(n, e);
	return tree_plant(dir, tx, blkno);
}

/* split - path's leaf n, of which path is void afterwards */
static int split(struct inode *dir, struct tx *tx, struct tree_path *path,
		 struct pinfs_dirent_node *n)
{
	struct pinfs_dirent_node *right;
	uint64_t blkno;
	int err;

	right = leaf_new(dir, tx, path->leaf, &blkno, &err);
	if (!right)
		return err;
	dir_leaf_split(n, right);
	return tree_link(dir, tx, path, dir_leaf_key(right, 0), blkno);
}

static int insert(struct inode *dir, struct tx *tx, const struct dir_entry *e)
{
	struct pinfs_dirent_node *n;
	struct tree_path path;
	int tries, err;

	if (dir_is_empty(dir, tx))
		return plant(dir, tx, e);
	/* Either half of a leaf that was split has room. */
	for (tries = 0; tries < 2; tries++) {
		err = tree_descend(dir, tx, e->key, &path);
		if (err)
			return err;
		n = leaf_edit(dir, tx, path.leaf, &err);
		if (!n)
			return err;
		if (dir_leaf_insert(n, e))
			return 0;
		err = split(dir, tx, &path, n);
		if (err)
			return err;
	}
	return damaged(dir, "a directory leaf with another one's keys");
}

int dir_add_name(struct inode *dir, struct tx *tx, const struct dir_name *nm,
		 uint64_t ino, uint8_t type)
{
	struct dir_entry e = {
		.ino = ino,
		.type = type,
		.name_len = (uint8_t)nm->len,
		.name = nm->s,
	};
	int err;

	err = check_name(nm);
	if (err)
		return err;
	err = choose_key(dir, tx, nm, &e.key);
	if (err)
		return err;
	err = insert(dir, tx, &e);
	if (err)
		return err;
	return add_size(dir, tx, (int64_t)format_dirent_size(nm->len));
}

int dir_add(struct inode *dir, struct tx *tx, const char *name, size_t len,
	    uint64_t ino, uint8_t type)
{
	struct dir_name nm = make_name(dir, name, len);

	return dir_add_name(dir, tx, &nm, ino, type);
}

/* --- removing ---------------------------------------------------------------- */

/*
 * merge - the right leaf's entries into its neighbour left, if they fit well
 *
 * tree_unlink() leaves the right one's key range to the left one, even across
 * inner nodes. A damaged neighbour is only one that can't be merged with: it
 * must not keep a name from being removed. Returns 1 if it was done.
 */
static int merge(struct inode *dir, struct tx *tx, uint64_t left,
		 struct tree_path *right)
{
	const struct pinfs_dirent_node *l, *r;
	struct pinfs_dirent_node *n;
	int err;

	l = leaf_read(dir, tx, left, &err);
	r = l ? leaf_read(dir, tx, right->leaf, &err) : NULL;
	if (!r || dir_leaf_used(l) + dir_leaf_used(r) > LEAF_MERGED)
		return 0;
	if (dir_leaf_key(l, dir_leaf_count(l) - 1) >= dir_leaf_key(r, 0))
		return 0;
	n = leaf_edit(dir, tx, left, &err);
	if (!n)
		return err;
	dir_leaf_append(n, r);
	err = tree_unlink(dir, tx, right);
	return err ? err : 1;
}

static int merge_with_neighbour(struct inode *dir, struct tx *tx,
				struct tree_path *path)
{
	struct tree_path other = *path;
	int err = 0;

	if (tree_next(dir, tx, &other) == 0)
		err = merge(dir, tx, path->leaf, &other);
	if (err)
		return err < 0 ? err : 0;
	other = *path;
	if (tree_prev(dir, tx, &other) == 0)
		err = merge(dir, tx, other.leaf, path);
	return err < 0 ? err : 0;
}

int dir_remove_name(struct inode *dir, struct tx *tx, const struct dir_name *nm)
{
	const struct pinfs_dirent *de;
	struct pinfs_dirent_node *n;
	struct walk w;
	int err;

	err = find(&w, dir, tx, nm, &de);
	if (err)
		return err;
	n = leaf_edit(dir, tx, w.path.leaf, &err);
	if (!n)
		return err;
	dir_leaf_drop(n, w.slot - 1);
	if (dir_leaf_count(n) == 0)
		err = tree_unlink(dir, tx, &w.path);
	else if (dir_leaf_used(n) < LEAF_UNDERFULL)
		err = merge_with_neighbour(dir, tx, &w.path);
	if (err)
		return err;
	return add_size(dir, tx, -(int64_t)format_dirent_size(nm->len));
}

int dir_remove(struct inode *dir, struct tx *tx, const char *name, size_t len)
{
	struct dir_name nm = make_name(dir, name, len);

	return dir_remove_name(dir, tx, &nm);
}
