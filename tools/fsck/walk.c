// SPDX-License-Identifier: BSD-3-Clause
/*
 * Walking trees without recursion.  A level less at each step bounds the
 * depth; that no node is entered twice bounds the rest.
 */
#include <errno.h>
#include <inttypes.h>

#include "fsck.h"
#include "repair.h"

struct frame {
	const struct pinfs_index *index;
	unsigned int count;
	unsigned int pos;
	unsigned int level;
	uint64_t low, high; /* keys below are in [low, high) */
};

void walk_bad(struct walk *w, enum code code, uint64_t blkno, const char *why)
{
	w->broken = true;
	if (w->claiming)
		found(w->f->findings, code, w->ino, blkno, "%s", why);
}

/* enter - may this node be looked at? */
static bool enter(struct walk *w, uint64_t blkno)
{
	uint64_t clash;

	if (!block_at(w->f, blkno))
		return false;
	if (w->claiming && !claim_meta(w->f, w->ino, blkno)) {
		w->broken = true;
		return false;
	}
	if (w->walked && bits_add(w->walked, blkno, 1, &clash))
		return false;
	w->nodes++;
	return true;
}

static int verify_leaf(const struct walk *w, uint64_t blkno, const char **why)
{
	const void *b = block_at(w->f, blkno);

	if (w->leaf_magic == PINFS_MAGIC_DIRENTS)
		return format_dirents_verify(b, blkno, w->f->seed, why);
	return format_extents_verify(b, blkno, w->f->total, w->f->seed, why);
}

/* node_is_good - and reported if it is not */
static bool node_is_good(struct walk *w, uint64_t blkno, unsigned int level)
{
	const struct pinfs_blkhdr *hdr = block_at(w->f, blkno);
	const char *why = "";
	int err;

	if (level)
		err = format_index_verify((const void *)hdr, blkno, w->f->total,
					  w->f->seed, &why);
	else
		err = verify_leaf(w, blkno, &why);
	if (!err && le16_to_cpu(hdr->level) != level) {
		why = "it is of another level";
		err = -EUCLEAN;
	}
	if (err) {
		walk_bad(w, NODE_DAMAGED, blkno, why);
		return false;
	}
	if (le64_to_cpu(hdr->owner) != w->ino) {
		walk_bad(w, NODE_OWNER, blkno, "");
		return false;
	}
	return true;
}

/* child_bounds - of the child at fr->pos; false if they make no sense */
static bool child_bounds(const struct frame *fr, uint64_t *low, uint64_t *high)
{
	*low = fr->low;
	*high = fr->high;
	if (fr->pos)
		*low = le64_to_cpu(fr->index[fr->pos].key);
	if (fr->pos + 1 < fr->count)
		*high = le64_to_cpu(fr->index[fr->pos + 1].key);
	return *low >= fr->low && *high <= fr->high && *low <= *high;
}

static void push(struct walk *w, struct frame *fr, uint64_t blkno,
		 unsigned int level)
{
	const struct pinfs_index_node *n = block_at(w->f, blkno);

	fr->index = n->index;
	fr->count = le16_to_cpu(n->hdr.count);
	fr->pos = 0;
	fr->level = level;
}

static int bad_node(struct walk *w, uint64_t blkno, unsigned int level)
{
	/* It may be somebody else's. */
	if (w->claiming)
		bits_drop(&w->f->meta, blkno);
	return !level && w->bad_leaf ? w->bad_leaf(w, blkno) : 0;
}

int walk_tree(struct walk *w, const struct pinfs_inode *di)
{
	struct frame stack[PINFS_TREE_MAX_LEVEL + 1] = { {
		.index = di->u.index,
		.count = le16_to_cpu(di->tree_count),
		.level = le16_to_cpu(di->tree_level),
		.high = UINT64_MAX,
	} };
	uint64_t child, low, high;
	struct frame *fr = stack;
	int err;

	while (fr >= stack) {
		if (fr->pos == fr->count) {
			fr--;
			continue;
		}
		child = le64_to_cpu(fr->index[fr->pos].child);
		if (!child_bounds(fr, &low, &high))
			walk_bad(w, NODE_ORDER, child,
				 "its keys are not where its parent's are");
		fr->pos++;
		if (fsck_is_cancelled())
			return -ECANCELED;
		if (!enter(w, child))
			continue;
		if (!node_is_good(w, child, fr->level - 1)) {
			err = bad_node(w, child, fr->level - 1);
			if (err)
				return err;
			continue;
		}
		if (fr->level > 1) {
			push(w, fr + 1, child, fr->level - 1);
			fr++;
			fr->low = low;
			fr->high = high;
			continue;
		}
		err = w->leaf(w, child, low, high);
		if (err)
			return err;
	}
	return 0;
}

/* --- extents ------------------------------------------------------------- */

static int take_extent(struct extent_walk *ew, const struct pinfs_extent *e,
		       uint64_t where)
{
	uint64_t lblk = le64_to_cpu(e->lblk);
	uint32_t len = le32_to_cpu(e->len);

	ew->bad = lblk < ew->last_end;
	if (ew->bad)
		walk_bad(&ew->walk, EXTENT_ORDER, where, "");
	ew->last_end = lblk + len;
	ew->blocks += len;
	if (ew->walk.claiming &&
	    !claim_blocks(ew->walk.f, ew->walk.ino, le64_to_cpu(e->pblk), len))
		ew->bad = true;
	return ew->fn ? ew->fn(ew, e) : 0;
}

static int extent_leaf(struct walk *w, uint64_t blkno, uint64_t low,
		       uint64_t high)
{
	struct extent_walk *ew = w->arg;
	const struct pinfs_extent_node *n = block_at(w->f, blkno);
	unsigned int i;
	uint64_t lblk;
	int err;

	for (i = 0; i < le16_to_cpu(n->hdr.count); i++) {
		lblk = le64_to_cpu(n->extent[i].lblk);
		if (lblk < low || lblk >= high)
			walk_bad(w, NODE_ORDER, blkno,
				 "an extent belongs into another leaf");
		err = take_extent(ew, &n->extent[i], blkno);
		if (err)
			return err;
	}
	return 0;
}

int walk_extents(struct extent_walk *ew, const struct pinfs_inode *di)
{
	unsigned int i;
	int err = 0;

	ew->walk.leaf_magic = PINFS_MAGIC_EXTENTS;
	ew->walk.leaf = extent_leaf;
	ew->walk.arg = ew;
	if (le16_to_cpu(di->tree_level)) {
		err = walk_tree(&ew->walk, di);
		ew->blocks += ew->walk.nodes;
		return err;
	}
	for (i = 0; i < le16_to_cpu(di->tree_count) && !err; i++)
		err = take_extent(ew, &di->u.extent[i], NOWHERE);
	return err;
}
