// SPDX-License-Identifier: BSD-3-Clause
/*
 * The inode file, found and planted anew.
 *
 * Its blocks tell what they are: a bitmap has its index, an inode its number,
 * both with checksums seeded for this file system.  Blocks of the inode file
 * are never given back, so what looks like one, and is in use, is one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "progress.h"
#include "repair.h"

/* is_inode_block - *ino is the number of its first inode */
static bool is_inode_block(const struct fsck *f, const struct pinfs_inode *di,
			   uint64_t *ino)
{
	const char *why;
	uint64_t n;
	int i;

	for (i = 0; i < (int)PINFS_INODES_PER_BLOCK; i++, di++) {
		n = le64_to_cpu(di->ino);
		if (le32_to_cpu(di->magic) != PINFS_MAGIC_INODE ||
		    n % PINFS_INODES_PER_BLOCK != (uint64_t)i ||
		    n >> PINFS_INO_BITS || format_inode_is_free(di) ||
		    format_inode_verify(di, n, f->seed, &why))
			continue;
		*ino = n - (uint64_t)i;
		return true;
	}
	return false;
}

/* lblk_of - where in the inode file a block belongs; false: nowhere */
static bool lblk_of(const struct fsck *f, uint64_t blkno, uint64_t *lblk)
{
	const struct pinfs_bitmap *b = block_at(f, blkno);
	uint64_t index, ino;
	const char *why;

	if (le32_to_cpu(b->hdr.magic) == PINFS_MAGIC_IMAP) {
		index = le64_to_cpu(b->hdr.spec[0]);
		*lblk = index * PINFS_IMAP_BLOCKS;
		return index <= (1ull << PINFS_INO_BITS) / PINFS_IMAP_INODES &&
		       !format_bitmap_verify(b, PINFS_MAGIC_IMAP, index, blkno,
					     f->seed, &why);
	}
	if (!is_inode_block(f, (const void *)b, &ino))
		return false;
	*lblk = inode_lblk(ino);
	return true;
}

/* by_lblk - those that were there first come first */
static int by_lblk(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	if (x->lblk != y->lblk)
		return x->lblk < y->lblk ? -1 : 1;
	return x->len > y->len ? -1 : x->len < y->len;
}

/*
 * itable_join - in order, without overlap, and as few as can be
 *
 * Each place has one block: the one that the inode file itself had there, since
 * its runs are longer, or the first that was found.
 */
void itable_join(struct fsck *f)
{
	size_t i, n = 0;
	struct run *r = f->itable, *last;

	qsort(r, f->itable_runs, sizeof(*r), by_lblk);
	for (i = 0; i < f->itable_runs; i++) {
		last = n ? &r[n - 1] : NULL;
		if (last && r[i].lblk < last->lblk + last->len)
			continue;
		if (last && r[i].lblk == last->lblk + last->len &&
		    r[i].pblk == last->pblk + last->len &&
		    last->len + r[i].len <= PINFS_EXTENT_MAX_LEN)
			last->len += r[i].len;
		else
			r[n++] = r[i];
	}
	f->itable_runs = n;
}

/* is_mapped - has the inode file, as far as it was known, a block there? */
static bool is_mapped(const struct run *r, size_t n, uint64_t lblk)
{
	size_t low = 0, mid;

	while (low < n) {
		mid = (low + n) / 2;
		if (lblk >= r[mid].lblk + r[mid].len)
			low = mid + 1;
		else if (lblk < r[mid].lblk)
			n = mid;
		else
			return true;
	}
	return false;
}

int itable_search(struct fsck *f)
{
	uint64_t at = le64_to_cpu(f->sb->first_free), lblk, clash;
	size_t known = f->itable_runs;
	int err;

	for (; at < f->total - 1; at++) {
		if (at % 4096 == 0) {
			progress_at(at, f->total);
			if (fsck_is_cancelled())
				return -ECANCELED;
		}
		if (bits_has(&f->used, at) || !on_medium(f, at) ||
		    !lblk_of(f, at, &lblk) || is_mapped(f->itable, known, lblk))
			continue;
		bits_add(&f->used, at, 1, &clash);
		bits_add(&f->meta, at, 1, &clash);
		err = itable_add_run(f, lblk, at, 1);
		if (err)
			return err;
	}
	if (f->itable_runs == known)
		return 0;
	f->rep->replant = true;
	itable_join(f);
	return 0;
}

/* --- planting ------------------------------------------------------------- */

struct planting {
	struct fsck *f;
	uint64_t nodes;
	struct pinfs_index *index; /* of the level that has been built */
	size_t count;
};

static void *new_node(struct planting *p, uint32_t magic, unsigned int level,
		      unsigned int count, uint64_t *blkno)
{
	struct pinfs_blkhdr *hdr;

	if (take_free(p->f, blkno))
		return NULL;
	p->nodes++;
	hdr = edit_at(p->f, *blkno);
	hdr->magic = cpu_to_le32(magic);
	hdr->level = cpu_to_le16((uint16_t)level);
	hdr->count = cpu_to_le16((uint16_t)count);
	return hdr;
}

static struct pinfs_extent extent_of(const struct run *r)
{
	return (struct pinfs_extent){ cpu_to_le64(r->lblk),
				      cpu_to_le64(r->pblk),
				      cpu_to_le32((uint32_t)r->len),
				      { 0 } };
}

static int plant_leaves(struct planting *p)
{
	const struct run *r = p->f->itable;
	size_t left = p->f->itable_runs, n, i;
	struct pinfs_extent_node *node;
	uint64_t blkno;

	p->index = calloc(div_round_up(left, PINFS_NODE_EXTENTS),
			  sizeof(*p->index));
	if (!p->index)
		return -ENOMEM;
	for (; left; left -= n, r += n) {
		n = min_u64(left, PINFS_NODE_EXTENTS);
		node = new_node(p, PINFS_MAGIC_EXTENTS, 0, (unsigned int)n,
				&blkno);
		if (!node)
			return -ENOSPC;
		for (i = 0; i < n; i++)
			node->extent[i] = extent_of(&r[i]);
		format_block_seal(&node->hdr, blkno, p->f->seed);
		p->index[p->count++] =
			(struct pinfs_index){ cpu_to_le64(r->lblk),
					      cpu_to_le64(blkno) };
	}
	return 0;
}

/* plant_level - nodes above those that p->index names, which it then does */
static int plant_level(struct planting *p, unsigned int level)
{
	size_t at, n, up = 0;
	struct pinfs_index_node *node;
	uint64_t blkno;

	for (at = 0; at < p->count; at += n) {
		n = min_u64(p->count - at, PINFS_NODE_INDEXES);
		node = new_node(p, PINFS_MAGIC_INDEX, level, (unsigned int)n,
				&blkno);
		if (!node)
			return -ENOSPC;
		memcpy(node->index, &p->index[at], n * sizeof(*node->index));
		format_block_seal(&node->hdr, blkno, p->f->seed);
		p->index[up++] = (struct pinfs_index){ p->index[at].key,
						       cpu_to_le64(blkno) };
	}
	p->count = up;
	return 0;
}

static int plant_tree(struct planting *p, struct pinfs_inode *di)
{
	unsigned int level = 1;
	int err = plant_leaves(p);

	while (!err && p->count > PINFS_INLINE_INDEXES)
		err = plant_level(p, level++);
	if (err)
		return err;
	/* Whatever is less than the second belongs to the first. */
	p->index[0].key = cpu_to_le64(0);
	memcpy(di->u.index, p->index, p->count * sizeof(*p->index));
	di->tree_level = cpu_to_le16((uint16_t)level);
	di->tree_count = cpu_to_le16((uint16_t)p->count);
	return 0;
}

/* place_spares - blocks for the bitmaps that had none */
static int place_spares(struct fsck *f)
{
	const struct spare_map *s = f->rep->spare;
	struct pinfs_bitmap *b;
	uint64_t blkno;
	size_t i;
	int err;

	for (i = 0; i < f->rep->spares; i++, s++) {
		err = take_free(f, &blkno);
		if (err)
			return err;
		b = edit_at(f, blkno);
		*b = *s->map;
		format_block_seal(&b->hdr, blkno, f->seed);
		err = itable_add_run(f, s->index * PINFS_IMAP_BLOCKS, blkno, 1);
		if (err)
			return err;
	}
	return 0;
}

int itable_plant(struct fsck *f)
{
	const struct pinfs_root *root =
		block_at(f, le64_to_cpu(f->sb->root_block));
	struct pinfs_inode *di = &((struct pinfs_root *)edit(f, root))->itable;
	struct planting p = { .f = f };
	uint64_t blocks = 0, end = 0;
	int err = place_spares(f);
	size_t i;

	if (err)
		return err;
	itable_join(f);
	memset(di->u.bytes, 0, sizeof(di->u.bytes));
	di->tree_level = cpu_to_le16(0);
	di->tree_count = cpu_to_le16((uint16_t)f->itable_runs);
	for (i = 0; i < f->itable_runs; i++) {
		blocks += f->itable[i].len;
		end = f->itable[i].lblk + f->itable[i].len;
		if (f->itable_runs <= PINFS_INLINE_EXTENTS)
			di->u.extent[i] = extent_of(&f->itable[i]);
	}
	if (f->itable_runs > PINFS_INLINE_EXTENTS)
		err = plant_tree(&p, di);
	free(p.index);
	di->blocks = cpu_to_le64(blocks + p.nodes);
	if (le64_to_cpu(di->size) < end << PINFS_BLOCK_SHIFT)
		di->size = cpu_to_le64(end << PINFS_BLOCK_SHIFT);
	seal_inode(f, di);
	return err;
}
