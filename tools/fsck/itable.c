// SPDX-License-Identifier: BSD-3-Clause
/* The pass itable: where the inodes are, and which are in use. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/util.h"
#include "fsck.h"
#include "progress.h"
#include "repair.h"

#define MAX_INODES (1ull << PINFS_INO_BITS)

int itable_add_run(struct fsck *f, uint64_t lblk, uint64_t pblk, uint64_t len)
{
	struct run *runs;

	if (!(f->itable_runs & (f->itable_runs + 1))) {
		runs = realloc(f->itable,
			       (2 * f->itable_runs + 2) * sizeof(*runs));
		if (!runs)
			return -ENOMEM;
		f->itable = runs;
	}
	f->itable[f->itable_runs++] = (struct run){ lblk, pblk, len };
	return 0;
}

static int keep_run(struct extent_walk *ew, const struct pinfs_extent *e)
{
	struct fsck *f = ew->walk.f;
	uint64_t pblk = le64_to_cpu(e->pblk), len = le32_to_cpu(e->len), clash;
	bool past = ew->last_end > div_round_up(MAX_INODES, PINFS_IMAP_INODES) *
					   PINFS_IMAP_BLOCKS;
	bool mend = false;

	if (past || le32_to_cpu(e->flags) & PINFS_EXTENT_UNWRITTEN) {
		mend = found(f->findings, ITABLE_EXTENT, PINFS_ITABLE_INO, pblk,
			     "%s", "unwritten, or past the last inode");
		if (past || !mend)
			ew->bad = true;
	}
	if (is_repairing(f) && (ew->bad || mend))
		f->rep->replant = true;
	if (past ||
	    (ew->bad && (mend || is_repairing(f) ||
			 le32_to_cpu(e->flags) & PINFS_EXTENT_UNWRITTEN)))
		return 0;
	bits_add(&f->meta, pblk, len, &clash);
	return itable_add_run(f, le64_to_cpu(e->lblk), pblk, len);
}

/* itable_block - of the inode file, found by halving; NULL for a hole */
static const void *itable_block(const struct fsck *f, uint64_t lblk,
				uint64_t *blkno)
{
	size_t low = 0, high = f->itable_runs, mid;
	const struct run *r;

	while (low < high) {
		mid = (low + high) / 2;
		r = &f->itable[mid];
		if (lblk >= r->lblk + r->len) {
			low = mid + 1;
		} else if (lblk < r->lblk) {
			high = mid;
		} else {
			*blkno = r->pblk + (lblk - r->lblk);
			return block_at(f, *blkno);
		}
	}
	return NULL;
}

uint64_t inode_lblk(uint64_t ino)
{
	uint64_t index = ino / PINFS_IMAP_INODES, in = ino % PINFS_IMAP_INODES;

	return index * PINFS_IMAP_BLOCKS + 1 + in / PINFS_INODES_PER_BLOCK;
}

const struct pinfs_inode *inode_slot(const struct fsck *f, uint64_t ino)
{
	uint64_t blkno;
	const struct pinfs_inode *b = itable_block(f, inode_lblk(ino), &blkno);

	return b ? b + ino % PINFS_INODES_PER_BLOCK : NULL;
}

/* --- bitmaps -------------------------------------------------------------- */

static int by_index(const void *key, const void *spare)
{
	uint64_t a = *(const uint64_t *)key;
	uint64_t b = ((const struct spare_map *)spare)->index;

	return a < b ? -1 : a > b;
}

static struct pinfs_bitmap *spare_at(const struct fsck *f, uint64_t index)
{
	const struct spare_map *s;

	if (!f->rep || !f->rep->spares)
		return NULL;
	s = bsearch(&index, f->rep->spare, f->rep->spares, sizeof(*s),
		    by_index);
	return s ? s->map : NULL;
}

/* look_for_map - *b is its block, or NULL; 0 if it is a bitmap */
static int look_for_map(const struct fsck *f, uint64_t index,
			const struct pinfs_bitmap **b, uint64_t *blkno,
			const char **why)
{
	*why = "";
	*blkno = NOWHERE;
	*b = itable_block(f, index * PINFS_IMAP_BLOCKS, blkno);
	if (!*b)
		return -ENOENT;
	return format_bitmap_verify(*b, PINFS_MAGIC_IMAP, index, *blkno,
				    f->seed, why);
}

const struct pinfs_bitmap *imap_at(struct fsck *f, uint64_t index)
{
	const struct pinfs_bitmap *b;
	const char *why;
	uint64_t blkno;

	if (!look_for_map(f, index, &b, &blkno, &why))
		return b;
	return spare_at(f, index);
}

static void imap_seal(const struct fsck *f, struct pinfs_bitmap *b,
		      uint64_t index, uint64_t blkno)
{
	uint64_t clear = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(b->bits); i++)
		clear += (unsigned int)__builtin_popcountll(
			~le64_to_cpu(b->bits[i]));
	memset(&b->hdr, 0, sizeof(b->hdr));
	b->hdr.magic = cpu_to_le32(PINFS_MAGIC_IMAP);
	b->hdr.spec[0] = cpu_to_le64(index);
	b->hdr.spec[1] = cpu_to_le64(clear);
	format_block_seal(&b->hdr, blkno, f->seed);
}

bool imap_mark(struct fsck *f, uint64_t ino, bool used)
{
	uint64_t index = ino / PINFS_IMAP_INODES, i = ino % PINFS_IMAP_INODES;
	uint64_t bit = 1ull << i % 64, blkno, word;
	const struct pinfs_bitmap *old;
	struct pinfs_bitmap *b;
	const char *why;

	if (!look_for_map(f, index, &old, &blkno, &why))
		b = edit(f, old);
	else
		b = spare_at(f, index);
	if (!b)
		return false;
	word = le64_to_cpu(b->bits[i / 64]);
	b->bits[i / 64] = cpu_to_le64(used ? word | bit : word & ~bit);
	imap_seal(f, b, index, blkno);
	return true;
}

/*
 * each_inode_block - fn for the blocks of inodes in [lblk, end) of the inode
 *                    file, each with the number of its first
 */
static int each_inode_block(struct fsck *f, uint64_t lblk, uint64_t end,
			    int (*fn)(struct fsck *f, uint64_t ino,
				      const struct pinfs_inode *di, void *arg),
			    void *arg)
{
	const struct run *r;
	uint64_t at, ino;
	size_t i;
	int err;

	for (i = 0; i < f->itable_runs; i++) {
		r = &f->itable[i];
		for (at = max_u64(r->lblk, lblk);
		     at < min_u64(r->lblk + r->len, end); at++) {
			if (at % PINFS_IMAP_BLOCKS == 0)
				continue;
			ino = at / PINFS_IMAP_BLOCKS * PINFS_IMAP_INODES +
			      (at % PINFS_IMAP_BLOCKS - 1) *
				      PINFS_INODES_PER_BLOCK;
			err = fn(f, ino, block_at(f, r->pblk + (at - r->lblk)),
				 arg);
			if (err)
				return err;
		}
	}
	return 0;
}

static int mark_used(struct fsck *f, uint64_t ino, const struct pinfs_inode *di,
		     void *arg)
{
	struct pinfs_bitmap *b = arg;
	uint64_t i, at;

	(void)f;
	for (i = 0; i < PINFS_INODES_PER_BLOCK; i++) {
		at = (ino + i) % PINFS_IMAP_INODES;
		if (!format_inode_is_free(&di[i]) || !(ino + i))
			b->bits[at / 64].raw |= htole64(1ull << at % 64);
	}
	return 0;
}

/* fill_map - from the inodes; those that cannot be are marked, too */
static int fill_map(struct fsck *f, struct pinfs_bitmap *b, uint64_t index,
		    uint64_t blkno)
{
	uint64_t first = index * PINFS_IMAP_INODES, i;
	int err;

	memset(b->bits, 0, sizeof(b->bits));
	err = each_inode_block(f, index * PINFS_IMAP_BLOCKS,
			       (index + 1) * PINFS_IMAP_BLOCKS, mark_used, b);
	for (i = 0; i < PINFS_IMAP_INODES; i++)
		if (first + i >= MAX_INODES)
			b->bits[i / 64].raw |= htole64(1ull << i % 64);
	imap_seal(f, b, index, blkno);
	return err;
}

/* add_spare - maps come in ascending order */
static int add_spare(struct fsck *f, uint64_t index)
{
	struct repair *rep = f->rep;
	struct spare_map *s =
		reallocarray(rep->spare, rep->spares + 1, sizeof(*s));
	struct pinfs_bitmap *b = calloc(1, sizeof(*b));

	if (s)
		rep->spare = s;
	if (!s || !b) {
		free(b);
		return -ENOMEM;
	}
	s[rep->spares++] = (struct spare_map){ index, b };
	return fill_map(f, b, index, 0);
}

static int check_map(struct fsck *f, uint64_t index, void *arg)
{
	const struct pinfs_bitmap *b;
	const char *why;
	uint64_t blkno;

	(void)arg;
	if (!look_for_map(f, index, &b, &blkno, &why))
		return 0;
	if (!found(f->findings, b ? IMAP_DAMAGED : IMAP_MISSING, NOWHERE, blkno,
		   "for inodes from %" PRIu64 " on%s%s",
		   index * PINFS_IMAP_INODES, why[0] ? ": " : "", why))
		return 0;
	return b ? fill_map(f, edit(f, b), index, blkno) : add_spare(f, index);
}

/* add_block - an empty one of the inode file */
static int add_block(struct fsck *f, uint64_t lblk, uint64_t *blkno)
{
	int err = take_free(f, blkno);

	if (!err)
		err = itable_add_run(f, lblk, *blkno, 1);
	if (!err)
		itable_join(f);
	return err;
}

int itable_make_slot(struct fsck *f, uint64_t ino)
{
	uint64_t index = ino / PINFS_IMAP_INODES, blkno;
	int err;

	f->rep->replant = true;
	err = add_block(f, inode_lblk(ino), &blkno);
	if (err || imap_at(f, index))
		return err;
	err = add_block(f, index * PINFS_IMAP_BLOCKS, &blkno);
	return err ? err : fill_map(f, edit_at(f, blkno), index, blkno);
}

static bool is_marked(const struct pinfs_bitmap *b, uint64_t ino)
{
	uint64_t i = ino % PINFS_IMAP_INODES;

	return le64_to_cpu(b->bits[i / 64]) >> i % 64 & 1;
}

/* find_unmarked - an inode is free in its slot as soon as in the bitmap (S1) */
static int find_unmarked(struct fsck *f, uint64_t ino,
			 const struct pinfs_inode *di, void *arg)
{
	const struct pinfs_bitmap *b = imap_at(f, ino / PINFS_IMAP_INODES);
	const char *why;
	uint64_t end = ino + PINFS_INODES_PER_BLOCK;

	(void)arg;
	for (; b && ino < end; ino++, di++) {
		if (format_inode_is_free(di) || is_marked(b, ino) ||
		    format_inode_verify(di, ino, f->seed, &why))
			continue;
		if (found(f->findings, INODE_UNMARKED, ino, NOWHERE, "%s", ""))
			imap_mark(f, ino, true);
		else
			info_of(f, ino)->damaged = true;
	}
	return 0;
}

/* --- all inodes ----------------------------------------------------------- */

/* each_of_block - the inodes of one block whose bits are set in mask */
static int each_of_block(struct fsck *f, uint64_t first, uint8_t mask,
			 int (*fn)(struct fsck *f, uint64_t ino,
				   const struct pinfs_inode *di))
{
	const struct pinfs_inode *di = inode_slot(f, first);
	unsigned int i;
	int err;

	for (i = 0; i < PINFS_INODES_PER_BLOCK; i++) {
		/* Inode 0 is in the root block; its slot here is empty. */
		if (!(mask >> i & 1) || first + i == PINFS_ITABLE_INO)
			continue;
		err = fn(f, first + i, di ? di + i : NULL);
		if (err)
			return err;
	}
	return 0;
}

static int each_of_map(struct fsck *f, uint64_t index,
		       const struct pinfs_bitmap *map,
		       int (*fn)(struct fsck *f, uint64_t ino,
				 const struct pinfs_inode *di))
{
	const uint8_t *byte = (const uint8_t *)map->bits;
	uint64_t i;
	int err;

	for (i = 0; i < PINFS_BITMAP_BYTES; i++) {
		if (!byte[i])
			continue;
		progress_at(index * PINFS_BITMAP_BYTES + i,
			    f->inodes / PINFS_IMAP_INODES * PINFS_BITMAP_BYTES);
		if (fsck_is_cancelled())
			return -ECANCELED;
		err = each_of_block(f, index * PINFS_IMAP_INODES + i * 8,
				    byte[i], fn);
		if (err)
			return err;
	}
	return 0;
}

/*
 * each_map - fn for each map that has a block
 *
 * Goes by the runs, so that a hole of many maps costs nothing.
 */
static int each_map(struct fsck *f,
		    int (*fn)(struct fsck *f, uint64_t index, void *arg),
		    void *arg)
{
	uint64_t next = 0, index, last;
	size_t i;
	int err;

	for (i = 0; i < f->itable_runs; i++) {
		const struct run *r = &f->itable[i];

		last = (r->lblk + r->len - 1) / PINFS_IMAP_BLOCKS;
		for (index = max_u64(next, r->lblk / PINFS_IMAP_BLOCKS);
		     index <= last; index++) {
			err = fn(f, index, arg);
			if (err)
				return err;
		}
		next = last + 1;
	}
	return 0;
}

struct each {
	int (*fn)(struct fsck *f, uint64_t ino, const struct pinfs_inode *di);
};

static int each_inode_of(struct fsck *f, uint64_t index, void *arg)
{
	const struct pinfs_bitmap *map = imap_at(f, index);
	const struct each *each = arg;

	return map ? each_of_map(f, index, map, each->fn) : 0;
}

int each_inode(struct fsck *f, int (*fn)(struct fsck *f, uint64_t ino,
					 const struct pinfs_inode *di))
{
	struct each each = { fn };

	return each_map(f, each_inode_of, &each);
}

static int open_info(struct fsck *f)
{
	const struct run *last;
	void *m;

	if (!f->itable_runs)
		return 0;
	last = &f->itable[f->itable_runs - 1];
	f->inodes = div_round_up(last->lblk + last->len, PINFS_IMAP_BLOCKS) *
		    PINFS_IMAP_INODES;
	f->info_bytes = f->inodes * sizeof(*f->info);
	m = mmap(NULL, f->info_bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED)
		return -ENOMEM;
	f->info = m;
	return 0;
}

static void check_root_block(struct fsck *f, const struct pinfs_root *root)
{
	size_t i;

	for (i = 0; i < sizeof(root->reserved) && !root->reserved[i]; i++)
		;
	if (i < sizeof(root->reserved) &&
	    found(f->findings, ROOT_BLOCK, NOWHERE,
		  le64_to_cpu(f->sb->root_block), "%s", ""))
		memset(((struct pinfs_root *)edit(f, root))->reserved, 0,
		       sizeof(root->reserved));
}

static int verify_file(const struct fsck *f, const struct pinfs_inode *di,
		       const char **why)
{
	int err = format_inode_verify(di, PINFS_ITABLE_INO, f->seed, why);

	if (!err)
		err = format_inode_map_verify(di, f->total, why);
	if (!err && !S_ISREG(le32_to_cpu(di->mode))) {
		*why = "it is no file";
		err = -EUCLEAN;
	}
	return err;
}

/* empty_file - an inode file with nothing in it, for what is found to go to */
static void empty_file(struct fsck *f, struct pinfs_inode *di)
{
	memset(di, 0, PINFS_INODE_CSUM_BYTES);
	di->magic = cpu_to_le32(PINFS_MAGIC_INODE);
	di->mode = cpu_to_le32(S_IFREG | 0600);
	di->nlink = cpu_to_le32(1);
	seal_inode(f, di);
}

/*
 * mend_file - the inode's other contents, if they lead to a bitmap of inodes,
 *             which says where it is, else none
 */
static void mend_file(struct fsck *f, const struct pinfs_inode *old)
{
	struct pinfs_inode *di = edit(f, old);
	uint64_t at = le64_to_cpu(di->u.extent[0].pblk);
	const char *why;

	f->rep->search = true;
	if (!inode_mend(f, PINFS_ITABLE_INO, di) || verify_file(f, di, &why) ||
	    (!le16_to_cpu(di->tree_level) &&
	     (!block_at(f, at) ||
	      format_bitmap_verify(block_at(f, at), PINFS_MAGIC_IMAP, 0, at,
				   f->seed, &why))))
		empty_file(f, di);
}

/* walk_file - where its blocks are, as its inode and tree say */
static int walk_file(struct fsck *f, const struct pinfs_inode *di)
{
	struct extent_walk ew = {
		.walk = {
			.f = f,
			.ino = PINFS_ITABLE_INO,
			.claiming = true,
		},
		.fn = keep_run,
	};
	int err = walk_extents(&ew, di);

	if (err)
		return err;
	if (ew.walk.broken && is_repairing(f)) {
		f->rep->replant = true;
		f->rep->search = true;
	}
	if (ew.blocks != le64_to_cpu(di->blocks) &&
	    found(f->findings, INODE_BLOCKS, PINFS_ITABLE_INO, NOWHERE,
		  "it says %" PRIu64 ", and has %" PRIu64,
		  le64_to_cpu(di->blocks), ew.blocks)) {
		((struct pinfs_inode *)edit(f, di))->blocks =
			cpu_to_le64(ew.blocks);
		seal_inode(f, edit(f, di));
	}
	return 0;
}

/* check_size - it covers all blocks, and tells of no more maps than there can be */
static void check_size(struct fsck *f, const struct pinfs_inode *old)
{
	uint64_t max = (MAX_INODES / PINFS_IMAP_INODES + 1) * PINFS_IMAP_BLOCKS;
	uint64_t size = le64_to_cpu(old->size), end = 1;
	struct pinfs_inode *di;

	if (f->itable_runs)
		end = f->itable[f->itable_runs - 1].lblk +
		      f->itable[f->itable_runs - 1].len;
	if (size >= end << PINFS_BLOCK_SHIFT &&
	    size <= max << PINFS_BLOCK_SHIFT)
		return;
	if (!found(f->findings, ITABLE_INODE, PINFS_ITABLE_INO, NOWHERE, "%s",
		   "its size is not that of its blocks"))
		return;
	di = edit(f, old);
	di->size = cpu_to_le64(end << PINFS_BLOCK_SHIFT);
	seal_inode(f, di);
}

static int want_map(struct fsck *f, uint64_t index, void *arg)
{
	uint64_t blkno;

	(void)arg;
	if (!itable_block(f, index * PINFS_IMAP_BLOCKS, &blkno))
		f->rep->search = true;
	return 0;
}

/* search - for blocks of the inode file that it has lost, once in a repair */
static int search(struct fsck *f)
{
	int err;

	if (!is_repairing(f) || f->rep->searched)
		return 0;
	err = each_map(f, want_map, NULL);
	if (err || !f->rep->search)
		return err;
	f->rep->searched = true;
	return itable_search(f);
}

int pass_itable(struct fsck *f)
{
	uint64_t at = le64_to_cpu(f->sb->root_block);
	const struct pinfs_root *root = block_at(f, at);
	const struct pinfs_inode *di = &root->itable;
	const char *why = "";
	int err;

	check_root_block(f, root);
	if (verify_file(f, di, &why)) {
		if (!found(f->findings, ITABLE_INODE, PINFS_ITABLE_INO, at,
			   "%s", why))
			return 0;
		mend_file(f, di);
	}
	err = walk_file(f, di);
	if (!err)
		err = search(f);
	if (err)
		return err;
	check_size(f, di);
	err = open_info(f);
	if (!err)
		err = each_map(f, check_map, NULL);
	if (!err && f->info)
		err = each_inode_block(f, 0, UINT64_MAX, find_unmarked, NULL);
	return err;
}
