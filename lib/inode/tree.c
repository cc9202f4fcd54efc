// SPDX-License-Identifier: BSD-3-Clause
#include "inode/tree.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

/* struct node - the entries of an inner node, or of the root in the inode */
struct node {
	struct pinfs_index *index;
	unsigned int count;
	unsigned int room;
	struct pinfs_blkhdr *hdr; /* NULL: the root */
	struct pinfs_inode *di; /* the root's */
};

static unsigned int level_of(const struct tree_path *path, unsigned int step)
{
	return path->level - step;
}

static int damaged(struct inode *ip, const char *why)
{
	log_error("%s: inode %llu: %s: unmount and run fsck.pinfs",
		  ip->vol->pool->path, (unsigned long long)ip->ino, why);
	return -EUCLEAN;
}

/*
 * node_load - the node of a step; edit asks for a private copy
 *
 * Without edit the entries must not be stored to, whatever their type says.
 */
static int node_load(struct inode *ip, struct tx *tx,
		     const struct tree_path *path, unsigned int step, bool edit,
		     struct node *n)
{
	uint64_t blkno = path->step[step].blkno;
	struct pinfs_index_node *in;
	int err;

	if (step == 0) {
		n->di = edit ? inode_edit(ip, tx) : (void *)inode_read(ip, tx);
		if (!n->di)
			return -ENOMEM;
		n->hdr = NULL;
		n->index = n->di->u.index;
		n->count = le16_to_cpu(n->di->tree_count);
		n->room = PINFS_INLINE_INDEXES;
		return n->count <= n->room ? 0 : -EUCLEAN;
	}
	in = edit ? meta_edit(ip->vol, tx, blkno, PINFS_MAGIC_INDEX, ip->ino,
			      &err) :
		    (void *)meta_read(ip->vol, tx, blkno, PINFS_MAGIC_INDEX,
				      ip->ino, &err);
	if (!in)
		return err;
	if (le16_to_cpu(in->hdr.level) != level_of(path, step))
		return damaged(ip, "a tree node is on the wrong level");
	n->hdr = &in->hdr;
	n->di = NULL;
	n->index = in->index;
	n->count = le16_to_cpu(in->hdr.count);
	n->room = PINFS_NODE_INDEXES;
	/* Verified once, but a damaged map may have files stored to it (S5). */
	if (n->count > n->room)
		return damaged(ip, "a tree node has an impossible count");
	return 0;
}

static void node_set_count(struct node *n, unsigned int count)
{
	if (n->hdr)
		n->hdr->count = cpu_to_le16((uint16_t)count);
	else
		n->di->tree_count = cpu_to_le16((uint16_t)count);
	n->count = count;
}

/* node_find - the last child whose key is not above key; the first if none is */
static unsigned int node_find(const struct node *n, uint64_t key)
{
	unsigned int lo = 0, hi = n->count;

	while (hi - lo > 1) {
		unsigned int mid = (lo + hi) / 2;

		if (le64_to_cpu(n->index[mid].key) <= key)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static void node_insert(struct node *n, unsigned int pos, uint64_t key,
			uint64_t child)
{
	memmove(&n->index[pos + 1], &n->index[pos],
		(n->count - pos) * sizeof(*n->index));
	n->index[pos].key = cpu_to_le64(key);
	n->index[pos].child = cpu_to_le64(child);
	node_set_count(n, n->count + 1);
}

static void node_remove(struct node *n, unsigned int pos)
{
	memmove(&n->index[pos], &n->index[pos + 1],
		(n->count - pos - 1) * sizeof(*n->index));
	memset(&n->index[n->count - 1], 0, sizeof(*n->index));
	node_set_count(n, n->count - 1);
}

/* --- finding ------------------------------------------------------------------ */

/* choose - the child at pos of a step's node; true if it is the leaf */
static bool choose(struct tree_path *path, unsigned int step,
		   const struct node *n, unsigned int pos)
{
	uint64_t child = le64_to_cpu(n->index[pos].child);

	path->step[step].pos = pos;
	path->from = le64_to_cpu(n->index[pos].key);
	if (pos + 1 < n->count)
		path->to = le64_to_cpu(n->index[pos + 1].key);
	if (level_of(path, step) == 1) {
		path->leaf = child;
		return true;
	}
	path->step[step + 1].blkno = child;
	return false;
}

/*
 * go_down - from the child of step on, by key, or by the first or last child
 *
 * The number of levels is bounded by the inode's verifier, each node's level
 * is checked: no cycle of damaged nodes can hold it up.
 */
enum way { WAY_KEY, WAY_FIRST, WAY_LAST };

static int go_down(struct inode *ip, struct tx *tx, struct tree_path *path,
		   unsigned int step, enum way way, uint64_t key)
{
	for (;; step++) {
		unsigned int pos = 0;
		struct node n;
		int err = node_load(ip, tx, path, step, false, &n);

		if (err)
			return err;
		if (n.count == 0)
			return damaged(ip, "a tree node is empty");
		if (way == WAY_KEY)
			pos = node_find(&n, key);
		else if (way == WAY_LAST)
			pos = n.count - 1;
		if (choose(path, step, &n, pos))
			return 0;
	}
}

int tree_descend(struct inode *ip, struct tx *tx, uint64_t key,
		 struct tree_path *path)
{
	path->level = le16_to_cpu(inode_read(ip, tx)->tree_level);
	path->step[0].blkno = 0;
	path->to = UINT64_MAX;
	if (path->level == 0 || path->level > PINFS_TREE_MAX_LEVEL)
		return damaged(ip, "its tree has no such depth");
	return go_down(ip, tx, path, 0, WAY_KEY, key);
}

unsigned int tree_guess(const struct tree_path *path, uint64_t key,
			uint64_t end, unsigned int n)
{
	uint64_t to = path->to == UINT64_MAX ? end : path->to;
	double part;
	unsigned int i;

	if (n == 0 || key <= path->from || to <= path->from)
		return 0;
	if (key >= to)
		return n - 1;
	part = (double)(key - path->from) / (double)(to - path->from);
	i = (unsigned int)(part * n);
	return i < n ? i : n - 1;
}

/* take_child - path's child at step becomes pos; then down along way */
static int take_child(struct inode *ip, struct tx *tx, struct tree_path *path,
		      unsigned int step, const struct node *n, unsigned int pos,
		      enum way way)
{
	if (choose(path, step, n, pos))
		return 0;
	return go_down(ip, tx, path, step + 1, way, 0);
}

int tree_next(struct inode *ip, struct tx *tx, struct tree_path *path)
{
	for (unsigned int step = path->level; step-- > 0;) {
		unsigned int pos = path->step[step].pos + 1;
		struct node n;
		int err = node_load(ip, tx, path, step, false, &n);

		if (err)
			return err;
		if (pos < n.count)
			return take_child(ip, tx, path, step, &n, pos,
					  WAY_FIRST);
	}
	return -ENOENT;
}

int tree_prev(struct inode *ip, struct tx *tx, struct tree_path *path)
{
	for (unsigned int step = path->level; step-- > 0;) {
		unsigned int pos = path->step[step].pos;
		struct node n;
		int err = node_load(ip, tx, path, step, false, &n);

		if (err)
			return err;
		if (pos > 0)
			return take_child(ip, tx, path, step, &n, pos - 1,
					  WAY_LAST);
	}
	return -ENOENT;
}

/* --- growing -------------------------------------------------------------------- */

int tree_plant(struct inode *ip, struct tx *tx, uint64_t leaf)
{
	struct pinfs_inode *di = inode_edit(ip, tx);

	if (!di)
		return -ENOMEM;
	memset(di->u.bytes, 0, sizeof(di->u.bytes));
	di->tree_level = cpu_to_le16(1);
	di->tree_count = cpu_to_le16(1);
	di->u.index[0].child = cpu_to_le64(leaf);
	return 0;
}

/* new_node - an empty inner node of that level */
static struct pinfs_index_node *new_node(struct inode *ip, struct tx *tx,
					 uint64_t near, unsigned int level,
					 uint64_t *blkno, int *err)
{
	struct pinfs_index_node *in;

	in = meta_alloc(ip->vol, tx, near, PINFS_MAGIC_INDEX, ip->ino, blkno,
			err);
	if (!in)
		return NULL;
	in->hdr.level = cpu_to_le16((uint16_t)level);
	*err = inode_add_blocks(ip, tx, 1);
	return *err ? NULL : in;
}

/* grow_root - the root is full: its entries move into a node below it */
static int grow_root(struct inode *ip, struct tx *tx, struct tree_path *path)
{
	struct pinfs_index_node *in;
	struct node root;
	uint64_t blkno;
	int err;

	if (path->level == PINFS_TREE_MAX_LEVEL)
		return -EFBIG;
	in = new_node(ip, tx, path->leaf, path->level, &blkno, &err);
	if (!in)
		return err;
	err = node_load(ip, tx, path, 0, true, &root);
	if (err)
		return err;
	memcpy(in->index, root.index, root.count * sizeof(*root.index));
	in->hdr.count = cpu_to_le16((uint16_t)root.count);
	memset(root.index, 0, PINFS_INLINE_BYTES);
	root.index[0].child = cpu_to_le64(blkno);
	node_set_count(&root, 1);
	root.di->tree_level = cpu_to_le16((uint16_t)(path->level + 1));

	memmove(&path->step[1], &path->step[0],
		path->level * sizeof(path->step[0]));
	path->level++;
	path->step[0].pos = 0;
	path->step[0].blkno = 0;
	path->step[1].blkno = blkno;
	return 0;
}

static int insert_at(struct inode *ip, struct tx *tx, struct tree_path *path,
		     unsigned int level, uint64_t key, uint64_t child);

/* split - the full node of that level in two; path goes on to lead where it did */
static int split(struct inode *ip, struct tx *tx, struct tree_path *path,
		 unsigned int level)
{
	unsigned int step = path->level - level;
	unsigned int pos = path->step[step].pos, half;
	struct pinfs_index_node *in;
	struct node n;
	uint64_t blkno;
	int err;

	in = new_node(ip, tx, path->step[step].blkno, level, &blkno, &err);
	if (!in)
		return err;
	err = node_load(ip, tx, path, step, true, &n);
	if (err)
		return err;
	/* Appending leaves full nodes behind, not half-full ones. */
	half = pos == n.count - 1 ? n.count - 1 : n.count / 2;
	memcpy(in->index, &n.index[half], (n.count - half) * sizeof(*n.index));
	in->hdr.count = cpu_to_le16((uint16_t)(n.count - half));
	memset(&n.index[half], 0, (n.count - half) * sizeof(*n.index));
	node_set_count(&n, half);
	err = insert_at(ip, tx, path, level + 1, le64_to_cpu(in->index[0].key),
			blkno);
	if (err || pos < half)
		return err;
	step = path->level - level; /* the root may have grown */
	path->step[step].blkno = blkno;
	path->step[step].pos = pos - half;
	return 0;
}

/*
 * insert_at - key and child behind the child that path takes at that level
 *
 * Splits and grows as it must. Afterwards path's steps above are of no use,
 * those from this level down still lead where they led.
 */
static int insert_at(struct inode *ip, struct tx *tx, struct tree_path *path,
		     unsigned int level, uint64_t key, uint64_t child)
{
	struct node n;
	int err = node_load(ip, tx, path, path->level - level, false, &n);

	if (!err && n.count == n.room)
		err = level == path->level ? grow_root(ip, tx, path) :
					     split(ip, tx, path, level);
	if (!err)
		err = node_load(ip, tx, path, path->level - level, true, &n);
	if (!err)
		node_insert(&n, path->step[path->level - level].pos + 1, key,
			    child);
	return err;
}

int tree_link(struct inode *ip, struct tx *tx, struct tree_path *path,
	      uint64_t key, uint64_t leaf)
{
	return insert_at(ip, tx, path, 1, key, leaf);
}

/* --- shrinking ------------------------------------------------------------------ */

static int free_node(struct inode *ip, struct tx *tx, uint64_t blkno)
{
	int err = meta_free(ip->vol, tx, blkno);

	return err ? err : inode_add_blocks(ip, tx, -1);
}

/* lower_root - a root with one inner child that fits takes its entries */
static int lower_root(struct inode *ip, struct tx *tx, struct tree_path *path)
{
	struct node root, child;
	uint64_t blkno;
	int err = node_load(ip, tx, path, 0, false, &root);

	if (err || root.count != 1 || path->level < 2)
		return err;
	blkno = le64_to_cpu(root.index[0].child);
	path->step[1].blkno = blkno;
	err = node_load(ip, tx, path, 1, false, &child);
	if (err || child.count > PINFS_INLINE_INDEXES)
		return err;
	err = node_load(ip, tx, path, 0, true, &root);
	if (err)
		return err;
	memcpy(root.index, child.index, child.count * sizeof(*child.index));
	node_set_count(&root, child.count);
	root.di->tree_level = cpu_to_le16((uint16_t)(path->level - 1));
	return free_node(ip, tx, blkno);
}

static int uproot(struct inode *ip, struct tx *tx)
{
	struct pinfs_inode *di = inode_edit(ip, tx);

	if (!di)
		return -ENOMEM;
	di->tree_level = cpu_to_le16(0);
	return 0;
}

/* is_first - do the steps down to this one all take the first child? */
static bool is_first(const struct tree_path *path, unsigned int step)
{
	for (unsigned int i = 0; i <= step; i++)
		if (path->step[i].pos > 0)
			return false;
	return true;
}

/*
 * set_key_above - the first key below step has become key
 *
 * The keys of the tree's very first children stay 0: lower keys belong there too,
 * and what a split links behind one must not be less.
 */
static int set_key_above(struct inode *ip, struct tx *tx,
			 struct tree_path *path, unsigned int step,
			 uint64_t key)
{
	while (step-- > 0) {
		unsigned int pos = path->step[step].pos;
		struct node n;
		int err = node_load(ip, tx, path, step, true, &n);

		if (err)
			return err;
		if (is_first(path, step))
			key = 0;
		n.index[pos].key = cpu_to_le64(key);
		if (pos > 0)
			break;
	}
	return 0;
}

/*
 * lower_first - the first children, from the root down, count as 0 again
 *
 * Else a key below theirs, which belongs there, would be less than its node's
 * own lower bound, and what a split links behind it out of order.
 */
static int lower_first(struct inode *ip, struct tx *tx, struct tree_path *path)
{
	for (unsigned int step = 0; step < path->level; step++) {
		struct node n;
		int err = node_load(ip, tx, path, step, false, &n);

		if (!err && le64_to_cpu(n.index[0].key) != 0) {
			err = node_load(ip, tx, path, step, true, &n);
			if (!err)
				n.index[0].key = cpu_to_le64(0);
		}
		if (err)
			return err;
		path->step[step + 1].blkno = le64_to_cpu(n.index[0].child);
	}
	return 0;
}

/* lost_first - if the node of step lost its first child, its own key has risen */
static int lost_first(struct inode *ip, struct tx *tx, struct tree_path *path,
		      unsigned int step, const struct node *n)
{
	if (path->step[step].pos > 0)
		return 0;
	if (is_first(path, step))
		return lower_first(ip, tx, path);
	return set_key_above(ip, tx, path, step, le64_to_cpu(n->index[0].key));
}

int tree_unlink(struct inode *ip, struct tx *tx, struct tree_path *path)
{
	int err = free_node(ip, tx, path->leaf);

	for (unsigned int step = path->level; step-- > 0 && !err;) {
		struct node n;

		err = node_load(ip, tx, path, step, true, &n);
		if (err)
			break;
		node_remove(&n, path->step[step].pos);
		if (n.count > 0) {
			err = lost_first(ip, tx, path, step, &n);
			return err ? err : lower_root(ip, tx, path);
		}
		if (step == 0)
			return uproot(ip, tx);
		err = free_node(ip, tx, path->step[step].blkno);
	}
	return err;
}

int tree_set_key(struct inode *ip, struct tx *tx, struct tree_path *path,
		 uint64_t key)
{
	return set_key_above(ip, tx, path, path->level, key);
}
