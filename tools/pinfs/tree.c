// SPDX-License-Identifier: BSD-3-Clause
#include "tree.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"
#include "format/csum.h"

union node {
	struct pinfs_blkhdr hdr;
	struct pinfs_index_node index;
	struct pinfs_extent_node extents;
	struct pinfs_dirent_node dirents;
	struct pinfs_root root;
	struct pinfs_inode inode[PINFS_INODES_PER_BLOCK];
};

static uint32_t magic_of(const union node *n)
{
	return le32_to_cpu(n->hdr.magic);
}

static unsigned int count_of(const union node *n, unsigned int most)
{
	return (unsigned int)min_u64(le16_to_cpu(n->hdr.count), most);
}

unsigned int tree_extents(const struct pinfs_inode *di)
{
	if (le16_to_cpu(di->tree_level) || !S_ISREG(le32_to_cpu(di->mode)))
		return 0;
	return (unsigned int)min_u64(le16_to_cpu(di->tree_count),
				     PINFS_INLINE_EXTENTS);
}

unsigned int tree_indexes(const struct pinfs_inode *di)
{
	uint32_t mode = le32_to_cpu(di->mode);

	if (!S_ISDIR(mode) && !(S_ISREG(mode) && le16_to_cpu(di->tree_level)))
		return 0;
	return (unsigned int)min_u64(le16_to_cpu(di->tree_count),
				     PINFS_INLINE_INDEXES);
}

void tree_verify(const struct image *img, uint64_t blkno, const void *block,
		 const char **why)
{
	const union node *n = block;

	*why = NULL;
	switch (magic_of(n)) {
	case PINFS_MAGIC_INDEX:
		format_index_verify(&n->index, blkno, img->blocks, img->seed,
				    why);
		break;
	case PINFS_MAGIC_EXTENTS:
		format_extents_verify(&n->extents, blkno, img->blocks,
				      img->seed, why);
		break;
	case PINFS_MAGIC_DIRENTS:
		format_dirents_verify(&n->dirents, blkno, img->seed, why);
		break;
	default:
		*why = "neither an index node nor a leaf";
	}
}

/* --- walking ------------------------------------------------------------- */

struct walk {
	const struct image *img;
	const struct tree_visitor *v;
	void *seen; /* of tsearch(3): addresses of visited blocks */
};

static int compare(const void *a, const void *b)
{
	return (uintptr_t)a < (uintptr_t)b ? -1 : (uintptr_t)a > (uintptr_t)b;
}

/* The addresses are the keys themselves: addresses fit into a pointer. */
static int first_visit(struct walk *w, uint64_t blkno)
{
	void *key = (void *)(uintptr_t)blkno;

	_Static_assert(sizeof(void *) >= sizeof(uint64_t), "64-bit pointers");
	if (tfind(key, &w->seen, compare))
		return -EEXIST;
	return tsearch(key, &w->seen, compare) ? 0 : -ENOMEM;
}

static void forget(void *key)
{
	(void)key;
}

/* Its address, its place in the tree, its contents: can it be looked at? */
static int enter(struct walk *w, uint64_t blkno, unsigned int depth,
		 union node *n)
{
	const char *why = NULL;
	int err = 0;

	if (depth > PINFS_TREE_MAX_LEVEL)
		why = "tree deeper than the format allows";
	else if (image_read(w->img, blkno, n))
		why = "address out of the pool";
	else
		err = first_visit(w, blkno);
	if (err == -EEXIST)
		why = "block twice in one tree";
	if (!why)
		return err;
	w->v->damage(w->v->arg, blkno, why);
	return -EEXIST;
}

static int walk_node(struct walk *w, uint64_t blkno, unsigned int depth)
{
	unsigned int i, count;
	const char *why;
	union node n;
	int err;

	err = enter(w, blkno, depth, &n);
	if (err)
		return err == -EEXIST ? 0 : err;
	tree_verify(w->img, blkno, &n, &why);
	if (why)
		w->v->damage(w->v->arg, blkno, why);
	if (magic_of(&n) == PINFS_MAGIC_EXTENTS ||
	    magic_of(&n) == PINFS_MAGIC_DIRENTS)
		return w->v->leaf(w->v->arg, blkno, &n.hdr, why);
	if (magic_of(&n) != PINFS_MAGIC_INDEX)
		return 0;
	count = count_of(&n, PINFS_NODE_INDEXES);
	for (i = 0; i < count && !err; i++)
		err = walk_node(w, le64_to_cpu(n.index.index[i].child),
				depth + 1);
	return err;
}

int tree_walk(const struct image *img, const struct pinfs_inode *di,
	      const struct tree_visitor *v)
{
	struct walk w = { .img = img, .v = v };
	unsigned int i, count = tree_indexes(di);
	int err = 0;

	for (i = 0; i < count && !err; i++)
		err = walk_node(&w, le64_to_cpu(di->u.index[i].child), 0);
	tdestroy(w.seen, forget);
	return err;
}

/* --- finding inodes ------------------------------------------------------ */

/* The last child whose key is not above lblk; the first if there is none. */
static uint64_t child_of(const struct pinfs_index *x, unsigned int count,
			 uint64_t lblk)
{
	unsigned int i;

	for (i = 1; i < count; i++)
		if (le64_to_cpu(x[i].key) > lblk)
			break;
	return le64_to_cpu(x[i - 1].child);
}

static int find_extent(const struct pinfs_extent *e, unsigned int count,
		       uint64_t lblk, uint64_t *pblk)
{
	unsigned int i;
	uint64_t into;

	for (i = 0; i < count; i++) {
		into = lblk - le64_to_cpu(e[i].lblk);
		if (into < le32_to_cpu(e[i].len)) {
			*pblk = le64_to_cpu(e[i].pblk) + into;
			return 0;
		}
	}
	return -ENOENT;
}

/* Which pool block is block lblk of a file? */
static int lookup(const struct image *img, const struct pinfs_inode *di,
		  uint64_t lblk, uint64_t *pblk, const char **why)
{
	unsigned int depth, count = tree_indexes(di);
	uint64_t blkno;
	union node n;

	if (!count)
		return find_extent(di->u.extent, tree_extents(di), lblk, pblk);
	blkno = child_of(di->u.index, count, lblk);
	for (depth = 0; depth <= PINFS_TREE_MAX_LEVEL; depth++) {
		if (image_read(img, blkno, &n)) {
			*why = "inode file: address out of the pool";
			return -EUCLEAN;
		}
		tree_verify(img, blkno, &n, why);
		if (magic_of(&n) == PINFS_MAGIC_EXTENTS)
			return find_extent(n.extents.extent,
					   count_of(&n, PINFS_NODE_EXTENTS),
					   lblk, pblk);
		count = count_of(&n, PINFS_NODE_INDEXES);
		if (magic_of(&n) != PINFS_MAGIC_INDEX || !count)
			break;
		blkno = child_of(n.index.index, count, lblk);
	}
	*why = "inode file: its tree leads nowhere";
	return -EUCLEAN;
}

/*
 * The inode file is made of parts: the bitmap of PINFS_IMAP_INODES inodes,
 * then their blocks.
 */
static uint64_t inode_lblk(uint64_t ino)
{
	return ino / PINFS_IMAP_INODES * PINFS_IMAP_BLOCKS + 1 +
	       ino % PINFS_IMAP_INODES / PINFS_INODES_PER_BLOCK;
}

int tree_inode(const struct image *img, uint64_t ino, struct pinfs_inode *di,
	       uint64_t *blkno, const char **why)
{
	const char *bad = NULL;
	union node n;
	int err;

	*why = NULL;
	*blkno = le64_to_cpu(img->best->sb.root_block);
	err = image_read(img, *blkno, &n);
	if (err)
		return err;
	*di = n.root.itable;
	format_inode_verify(di, PINFS_ITABLE_INO, img->seed, why);
	if (ino == PINFS_ITABLE_INO)
		return 0;
	err = lookup(img, di, inode_lblk(ino), blkno, why);
	if (!err)
		err = image_read(img, *blkno, &n);
	if (err)
		return err;
	*di = n.inode[ino % PINFS_INODES_PER_BLOCK];
	if (!format_inode_is_free(di))
		format_inode_verify(di, ino, img->seed, &bad);
	/* What is wrong with the inode itself is said first. */
	if (bad)
		*why = bad;
	return 0;
}
