// SPDX-License-Identifier: BSD-3-Clause
#include "inode/extent.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/search.h"
#include "base/util.h"
#include "inode/tree.h"

/*
 * Keys of leaves are exact: the first extent's lblk. A bound that is only lower
 * would not do, since the extent before may grow past it.
 *
 * struct cursor - a place in the sequence of a file's extents
 *
 * pos may be the leaf's count: behind its last extent. A cursor is good until
 * something is inserted or removed elsewhere.
 */
struct cursor {
	struct inode *ip;
	struct tx *tx;
	bool in_tree; /* else the extents are in the inode */
	unsigned int pos;
	uint64_t sought; /* the file block that seek() was for */
	struct tree_path path;
};

/* struct leaf - the extents around a cursor */
struct leaf {
	struct pinfs_extent *e;
	unsigned int count;
	unsigned int room;
	le16 *count_at;
};

/* leaf_load - without edit, e and count_at must not be stored to */
static int leaf_load(const struct cursor *c, bool edit, struct leaf *l)
{
	struct pinfs_extent_node *node;
	struct pinfs_inode *di;
	int err;

	*l = (struct leaf){
		.room = c->in_tree ? PINFS_NODE_EXTENTS : PINFS_INLINE_EXTENTS,
	};
	if (!c->in_tree) {
		di = edit ? inode_edit(c->ip, c->tx) :
			    (void *)inode_read(c->ip, c->tx);
		if (!di)
			return -ENOMEM;
		l->e = di->u.extent;
		l->count_at = &di->tree_count;
	} else {
		node = edit ? meta_edit(c->ip->vol, c->tx, c->path.leaf,
					PINFS_MAGIC_EXTENTS, c->ip->ino, &err) :
			      (void *)meta_read(c->ip->vol, c->tx, c->path.leaf,
						PINFS_MAGIC_EXTENTS, c->ip->ino,
						&err);
		if (!node)
			return err;
		l->e = node->extent;
		l->count_at = &node->hdr.count;
	}
	l->count = le16_to_cpu(*l->count_at);
	/* Verified once, but a damaged map may have files stored to it (S5). */
	return l->count <= l->room ? 0 : -EUCLEAN;
}

static void leaf_set_count(struct leaf *l, unsigned int count)
{
	*l->count_at = cpu_to_le16((uint16_t)count);
	l->count = count;
}

static struct extent decode(const struct pinfs_extent *e)
{
	uint32_t flags = le32_to_cpu(e->flags);

	return (struct extent){
		.lblk = le64_to_cpu(e->lblk),
		.pblk = le64_to_cpu(e->pblk),
		.len = le32_to_cpu(e->len),
		.unwritten = flags & PINFS_EXTENT_UNWRITTEN,
		.fresh = flags & PINFS_EXTENT_FRESH,
	};
}

static struct pinfs_extent encode(const struct extent *e)
{
	uint32_t flags = (e->unwritten ? PINFS_EXTENT_UNWRITTEN : 0) |
			 (e->fresh ? PINFS_EXTENT_FRESH : 0);

	return (struct pinfs_extent){
		cpu_to_le64(e->lblk),
		cpu_to_le64(e->pblk),
		cpu_to_le32((uint32_t)e->len),
		cpu_to_le32(flags),
	};
}

static uint64_t end_of(const struct extent *e)
{
	return e->lblk + e->len;
}

/* guess - which of n extents in the cursor's leaf, of a tree, the sought one may be */
static unsigned int guess(const struct cursor *c, unsigned int n)
{
	uint64_t size = le64_to_cpu(inode_read(c->ip, c->tx)->size);

	return tree_guess(&c->path, c->sought, size >> PINFS_BLOCK_SHIFT, n);
}

/* fetch - what leaf_find() will look at first, while leaf_load() waits for the head */
static void fetch(const struct cursor *c)
{
	unsigned int i = guess(c, PINFS_NODE_EXTENTS);

	meta_fetch(c->ip->vol, c->path.leaf,
		   offsetof(struct pinfs_extent_node, extent) +
			   i * sizeof(struct pinfs_extent));
}

/* leaf_find - the first extent that ends behind lblk, or count */
static unsigned int leaf_find(const struct leaf *l, uint64_t lblk,
			      unsigned int guessed)
{
	struct search s;

	for (search_begin(&s, l->count, guessed); s.lo < s.hi;) {
		struct extent e = decode(&l->e[s.mid]);

		search_step(&s, end_of(&e) <= lblk);
	}
	return s.lo;
}

/* seek - to the first extent that ends behind lblk, or where it would be */
static int seek(struct cursor *c, struct inode *ip, struct tx *tx,
		uint64_t lblk)
{
	struct leaf l;
	int err = 0;

	c->ip = ip;
	c->tx = tx;
	c->sought = lblk;
	c->in_tree = le16_to_cpu(inode_read(ip, tx)->tree_level) > 0;
	if (c->in_tree)
		err = tree_descend(ip, tx, lblk, &c->path);
	if (!err && c->in_tree)
		fetch(c);
	if (!err)
		err = leaf_load(c, false, &l);
	if (err)
		return err;
	c->pos = leaf_find(&l, lblk,
			   c->in_tree ? guess(c, l.count) : l.count / 2);
	return 0;
}

/*
 * get - the extent at the cursor; -ENOENT behind the last
 *
 * Moves on to the next leaf if it stands behind the last of its own.  Each
 * leaf's extents are in order, but on a damaged medium the next one's may be
 * before those: who goes through a file must not be led back (S5).
 */
static int get(struct cursor *c, struct extent *e)
{
	struct leaf l;
	int err = leaf_load(c, false, &l);

	if (!err && c->pos >= l.count) {
		if (!c->in_tree)
			return -ENOENT;
		err = tree_next(c->ip, c->tx, &c->path);
		if (!err)
			err = leaf_load(c, false, &l);
		if (!err && l.count == 0)
			err = -EUCLEAN;
		c->pos = 0;
	}
	if (err)
		return err;
	*e = decode(&l.e[c->pos]);
	if (end_of(e) > c->sought)
		return 0;
	log_error("%s: inode %llu: its extents are out of order: unmount and "
		  "run fsck.pinfs",
		  c->ip->vol->pool->path, (unsigned long long)c->ip->ino);
	return -EUCLEAN;
}

/* get_before - the extent before the cursor, without moving it; -ENOENT */
static int get_before(const struct cursor *c, struct extent *e)
{
	struct cursor prev = *c;
	struct leaf l;
	int err = 0;

	if (prev.pos == 0) {
		if (!prev.in_tree)
			return -ENOENT;
		err = tree_prev(c->ip, c->tx, &prev.path);
		if (!err)
			err = leaf_load(&prev, false, &l);
		if (!err && l.count == 0)
			err = -EUCLEAN;
		if (!err)
			*e = decode(&l.e[l.count - 1]);
		return err;
	}
	err = leaf_load(&prev, false, &l);
	if (!err)
		*e = decode(&l.e[prev.pos - 1]);
	return err;
}

/* put - change the extent at the cursor; its order among the others stays */
static int put(struct cursor *c, const struct extent *e)
{
	struct leaf l;
	int err = leaf_load(c, true, &l);

	if (err)
		return err;
	l.e[c->pos] = encode(e);
	if (c->in_tree && c->pos == 0)
		err = tree_set_key(c->ip, c->tx, &c->path, e->lblk);
	return err;
}

/* spill - the inode's extents move into a first leaf */
static int spill(struct cursor *c)
{
	struct pinfs_extent_node *node;
	struct leaf l;
	uint64_t blkno;
	int err = leaf_load(c, false, &l);

	if (err)
		return err;
	node = meta_alloc(c->ip->vol, c->tx,
			  l.count ? le64_to_cpu(l.e[0].pblk) : 0,
			  PINFS_MAGIC_EXTENTS, c->ip->ino, &blkno, &err);
	if (!node)
		return err;
	memcpy(node->extent, l.e, l.count * sizeof(*l.e));
	node->hdr.count = cpu_to_le16((uint16_t)l.count);
	err = inode_add_blocks(c->ip, c->tx, 1);
	if (!err)
		err = tree_plant(c->ip, c->tx, blkno);
	return err;
}

/* split_leaf - the full leaf at the cursor in two */
static int split_leaf(struct cursor *c)
{
	struct pinfs_extent_node *node;
	struct leaf l;
	unsigned int half;
	uint64_t blkno;
	int err;

	node = meta_alloc(c->ip->vol, c->tx, c->path.leaf, PINFS_MAGIC_EXTENTS,
			  c->ip->ino, &blkno, &err);
	if (!node)
		return err;
	err = inode_add_blocks(c->ip, c->tx, 1);
	if (!err)
		err = leaf_load(c, true, &l);
	if (err)
		return err;
	/* A file that grows at its end leaves full leaves behind. */
	half = c->pos == l.count ? l.count - 1 : l.count / 2;
	memcpy(node->extent, &l.e[half], (l.count - half) * sizeof(*l.e));
	node->hdr.count = cpu_to_le16((uint16_t)(l.count - half));
	memset(&l.e[half], 0, (l.count - half) * sizeof(*l.e));
	leaf_set_count(&l, half);
	return tree_link(c->ip, c->tx, &c->path,
			 le64_to_cpu(node->extent[0].lblk), blkno);
}

/* insert - e, which overlaps nothing, where it belongs */
static int insert(struct inode *ip, struct tx *tx, const struct extent *e)
{
	struct cursor c;
	struct leaf l;
	int err = seek(&c, ip, tx, e->lblk);

	if (!err)
		err = leaf_load(&c, false, &l);
	if (!err && l.count == l.room) {
		err = c.in_tree ? split_leaf(&c) : spill(&c);
		if (!err)
			err = seek(&c, ip, tx, e->lblk);
	}
	if (!err)
		err = leaf_load(&c, true, &l);
	if (err)
		return err;
	assert(l.count < l.room);
	memmove(&l.e[c.pos + 1], &l.e[c.pos], (l.count - c.pos) * sizeof(*l.e));
	l.e[c.pos] = encode(e);
	leaf_set_count(&l, l.count + 1);
	return 0;
}

/* erase - the extent at the cursor, which is void afterwards */
static int erase(struct cursor *c)
{
	struct leaf l;
	int err = leaf_load(c, true, &l);

	if (err)
		return err;
	memmove(&l.e[c->pos], &l.e[c->pos + 1],
		(l.count - c->pos - 1) * sizeof(*l.e));
	memset(&l.e[l.count - 1], 0, sizeof(*l.e));
	leaf_set_count(&l, l.count - 1);
	if (!c->in_tree)
		return 0;
	if (l.count == 0)
		return tree_unlink(c->ip, c->tx, &c->path);
	if (c->pos == 0)
		err = tree_set_key(c->ip, c->tx, &c->path,
				   le64_to_cpu(l.e[0].lblk));
	return err;
}

/* --- what others call -------------------------------------------------------- */

int extent_find(struct inode *ip, struct tx *tx, uint64_t lblk,
		struct extent *out)
{
	struct cursor c;
	struct extent e;
	int err = seek(&c, ip, tx, lblk);

	if (!err)
		err = get(&c, &e);
	if (err && err != -ENOENT)
		return err;
	if (err == -ENOENT || e.lblk > lblk) {
		uint64_t end = err ? EXTENT_END : e.lblk;

		*out = (struct extent){ .lblk = lblk, .len = end - lblk };
		return 0;
	}
	*out = e;
	out->lblk = lblk;
	out->pblk += lblk - e.lblk;
	out->len -= lblk - e.lblk;
	return 0;
}

static bool continues(const struct extent *a, const struct extent *b)
{
	return end_of(a) == b->lblk && a->pblk + a->len == b->pblk &&
	       a->unwritten == b->unwritten && a->fresh == b->fresh &&
	       a->len + b->len <= PINFS_EXTENT_MAX_LEN;
}

/*
 * join_before, join_behind - grow the neighbour at the cursor instead
 *
 * Return 1 if it was done, 0 if they do not continue each other.
 */
static int join_behind(struct inode *ip, struct tx *tx, const struct extent *e)
{
	struct cursor c;
	struct extent next;
	int err = seek(&c, ip, tx, e->lblk);

	if (!err)
		err = get(&c, &next);
	if (err)
		return err == -ENOENT ? 0 : err;
	if (!continues(e, &next))
		return 0;
	next.lblk = e->lblk;
	next.pblk = e->pblk;
	next.len += e->len;
	err = put(&c, &next);
	return err ? err : 1;
}

static int join_before(struct inode *ip, struct tx *tx, const struct extent *e)
{
	struct cursor c;
	struct extent prev;
	int err;

	if (e->lblk == 0)
		return 0;
	/* The extent that ends where e begins also ends behind e - 1. */
	err = seek(&c, ip, tx, e->lblk - 1);
	if (!err)
		err = get(&c, &prev);
	if (err)
		return err == -ENOENT ? 0 : err;
	if (!continues(&prev, e))
		return 0;
	prev.len += e->len;
	err = put(&c, &prev);
	return err ? err : 1;
}

int extent_add(struct inode *ip, struct tx *tx, const struct extent *e)
{
	int err = inode_add_blocks(ip, tx, (int64_t)e->len);

	if (err)
		return err;
	err = join_before(ip, tx, e);
	if (err == 0)
		err = join_behind(ip, tx, e);
	if (err == 0)
		err = insert(ip, tx, e);
	return err < 0 ? err : 0;
}

int extent_cut(struct inode *ip, struct tx *tx, uint64_t lblk)
{
	struct cursor c;
	struct extent e, right;
	int err = seek(&c, ip, tx, lblk);

	if (!err)
		err = get(&c, &e);
	if (err || e.lblk >= lblk)
		return err == -ENOENT ? 0 : err;
	right = e;
	right.lblk = lblk;
	right.pblk += lblk - e.lblk;
	right.len -= lblk - e.lblk;
	e.len = lblk - e.lblk;
	err = put(&c, &e);
	return err ? err : insert(ip, tx, &right);
}

static int free_blocks(struct inode *ip, struct tx *tx, uint64_t pblk,
		       uint64_t len)
{
	int err = space_free(ip->vol->space, tx, pblk, len);

	return err ? err : inode_add_blocks(ip, tx, -(int64_t)len);
}

/* remove_head - the first len blocks of the extent at the cursor */
static int remove_head(struct cursor *c, struct extent *e, uint64_t len)
{
	int err = free_blocks(c->ip, c->tx, e->pblk, len);

	if (err)
		return err;
	if (len == e->len)
		return erase(c);
	e->lblk += len;
	e->pblk += len;
	e->len -= len;
	return put(c, e);
}

/* first_piece - blocks of e before end that may go in one step */
static uint64_t first_piece(const struct extent *e, uint64_t end)
{
	return min_u64(min_u64(e->len, end - e->lblk), PINFS_GROUP_BLOCKS);
}

int extent_remove(struct inode *ip, struct tx *tx, uint64_t lblk, uint64_t end,
		  unsigned int *budget)
{
	int err = extent_cut(ip, tx, lblk);

	while (!err) {
		struct cursor c;
		struct extent e;

		err = seek(&c, ip, tx, lblk);
		if (!err)
			err = get(&c, &e);
		if (err || e.lblk >= end)
			return err == -ENOENT ? 0 : err;
		if (*budget == 0)
			return -EAGAIN;
		--*budget;
		err = remove_head(&c, &e, first_piece(&e, end));
	}
	return err;
}

int extent_remove_fresh(struct inode *ip, struct tx *tx, uint64_t *lblk,
			uint64_t end, unsigned int *budget)
{
	while (*lblk < end) {
		struct extent e;
		int err = extent_find(ip, tx, *lblk, &e);

		if (!err && e.fresh)
			err = extent_remove(ip, tx, e.lblk,
					    min_u64(e.lblk + e.len, end),
					    budget);
		if (err)
			return err;
		*lblk += e.len;
	}
	return 0;
}

/* join - the extent that begins at lblk with the one before, if it continues it */
static int join(struct inode *ip, struct tx *tx, uint64_t lblk)
{
	struct extent e, prev;
	struct cursor c;
	int err = seek(&c, ip, tx, lblk);

	if (!err)
		err = get(&c, &e);
	if (!err && e.lblk == lblk)
		err = get_before(&c, &prev);
	if (err || e.lblk != lblk || !continues(&prev, &e))
		return err == -ENOENT ? 0 : err;
	err = erase(&c);
	if (!err)
		err = seek(&c, ip, tx, prev.lblk);
	prev.len += e.len;
	return err ? err : put(&c, &prev);
}

int extent_mark(struct inode *ip, struct tx *tx, uint64_t *lblk, uint64_t end,
		bool unwritten, unsigned int *budget)
{
	int err = extent_cut(ip, tx, *lblk);

	if (!err)
		err = extent_cut(ip, tx, end);
	while (!err) {
		struct cursor c;
		struct extent e;

		err = seek(&c, ip, tx, *lblk);
		if (!err)
			err = get(&c, &e);
		if (err || e.lblk >= end)
			break;
		if (*budget == 0)
			return -EAGAIN;
		--*budget;
		*lblk = end_of(&e);
		e.unwritten = unwritten;
		e.fresh = false;
		err = put(&c, &e);
		if (!err)
			err = join(ip, tx, e.lblk);
	}
	if (!err || err == -ENOENT)
		err = join(ip, tx, end);
	return err;
}

int extent_settle(struct inode *ip, struct tx *tx, uint64_t *lblk, uint64_t end,
		  unsigned int *budget)
{
	int err = 0;

	while (!err) {
		struct cursor c;
		struct extent e;

		err = seek(&c, ip, tx, *lblk);
		if (!err)
			err = get(&c, &e);
		if (err || e.lblk >= end)
			return err == -ENOENT ? 0 : err;
		if (e.fresh && *budget == 0)
			return -EAGAIN;
		*lblk = end_of(&e);
		if (!e.fresh)
			continue;
		--*budget;
		e.fresh = false;
		err = put(&c, &e);
		if (!err)
			err = join(ip, tx, e.lblk);
		if (!err)
			err = join(ip, tx, end_of(&e));
	}
	return err;
}

int extent_shift_down(struct inode *ip, struct tx *tx, uint64_t *cursor,
		      uint64_t by, unsigned int *budget)
{
	int err = 0;

	while (!err) {
		struct cursor c;
		struct extent e;

		err = seek(&c, ip, tx, *cursor);
		if (!err)
			err = get(&c, &e);
		if (err)
			return err == -ENOENT ? 0 : err;
		if (*budget == 0)
			return -EAGAIN;
		if (e.lblk < by)
			return -EUCLEAN; /* an intent that makes no sense */
		--*budget;
		*cursor = end_of(&e);
		e.lblk -= by;
		err = put(&c, &e);
	}
	return err;
}

int extent_shift_up(struct inode *ip, struct tx *tx, uint64_t first,
		    uint64_t *cursor, uint64_t by, unsigned int *budget)
{
	int err = 0;

	while (!err) {
		struct cursor c;
		struct extent e;

		/* The last extent that begins before *cursor. */
		err = seek(&c, ip, tx, *cursor);
		if (!err)
			err = get_before(&c, &e);
		if (err || e.lblk < first)
			return err == -ENOENT ? 0 : err;
		if (*budget == 0)
			return -EAGAIN;
		if (by > EXTENT_END - end_of(&e))
			return -EUCLEAN;
		--*budget;
		*cursor = e.lblk;
		/* Not the extent at the cursor, but the one before it. */
		err = seek(&c, ip, tx, e.lblk);
		e.lblk += by;
		if (!err)
			err = put(&c, &e);
	}
	return err;
}

int extent_last(struct inode *ip, struct tx *tx, uint64_t *end)
{
	struct cursor c;
	struct extent e;
	int err = seek(&c, ip, tx, EXTENT_END);

	*end = 0;
	if (!err)
		err = get_before(&c, &e);
	if (!err)
		*end = end_of(&e);
	return err == -ENOENT ? 0 : err;
}

unsigned int extent_count_upto(struct inode *ip, struct tx *tx, uint64_t lblk,
			       uint64_t end, unsigned int max, int *err)
{
	uint64_t n = 0;
	struct cursor c;
	struct extent e;

	*err = seek(&c, ip, tx, lblk);
	while (!*err && n < max) {
		*err = get(&c, &e);
		if (*err || e.lblk >= end)
			break;
		n += div_round_up(min_u64(e.len, end - e.lblk),
				  PINFS_GROUP_BLOCKS);
		c.pos++;
	}
	if (*err == -ENOENT)
		*err = 0;
	return (unsigned int)min_u64(n, max);
}
