// SPDX-License-Identifier: BSD-3-Clause
/*
 * What can be kept of inodes that are to be built anew: the extents and names in
 * the leaves that their trees still lead to, and in those that got lost.
 *
 * A leaf that got lost is one that says whose it is, with a good checksum, in a
 * block that is in use, says the bitmap, but that nothing refers to: a leaf that
 * was given up has had its bit cleared.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/util.h"
#include "progress.h"
#include "repair.h"

/* struct stray - a leaf that nothing refers to */
struct stray {
	uint64_t ino;
	uint64_t blkno;
	uint32_t magic;
};

struct salvage {
	struct fsck *f;
	struct bits taken; /* of the shared blocks, those that have an owner */
	struct stray *stray;
	size_t strays;
};

/* --- files with blocks of others ------------------------------------------ */

static int find_shared(struct extent_walk *ew, const struct pinfs_extent *e)
{
	bool *shares = ew->arg;

	*shares |= bits_any(&ew->walk.f->shared, le64_to_cpu(e->pblk),
			    le32_to_cpu(e->len));
	return 0;
}

static int find_sharer(struct fsck *f, uint64_t ino,
		       const struct pinfs_inode *di)
{
	const struct ino_info *info = info_of(f, ino);
	bool shares = false;
	struct extent_walk ew = {
		.walk = { .f = f, .ino = ino, .walked = &f->walked },
		.fn = find_shared,
		.arg = &shares,
	};
	struct broken *b;
	int err;

	if (!info || info->type != DT_REG)
		return 0;
	err = walk_extents(&ew, di);
	if (err || !shares)
		return err;
	b = note_broken(f, ino);
	if (!b)
		return -ENOMEM;
	b->type = DT_REG;
	return 0;
}

/* --- leaves that got lost ------------------------------------------------- */

static bool is_stray(const struct fsck *f, uint64_t blkno)
{
	const struct pinfs_blkhdr *hdr = block_at(f, blkno);
	const struct ino_info *info;
	const char *why;

	switch (le32_to_cpu(hdr->magic)) {
	case PINFS_MAGIC_EXTENTS:
	case PINFS_MAGIC_DIRENTS:
		break;
	default:
		return false;
	}
	info = info_of((struct fsck *)(uintptr_t)f, le64_to_cpu(hdr->owner));
	if (!info || !info->broken || !f->rep->broken[info->broken - 1].search)
		return false;
	if (le32_to_cpu(hdr->magic) == PINFS_MAGIC_DIRENTS)
		return !format_dirents_verify((const void *)hdr, blkno, f->seed,
					      &why);
	return !format_extents_verify((const void *)hdr, blkno, f->total,
				      f->seed, &why);
}

static int add_stray(struct salvage *s, uint64_t blkno)
{
	const struct pinfs_blkhdr *hdr = block_at(s->f, blkno);
	struct stray *to = grown(s->stray, s->strays, sizeof(*to));

	if (!to)
		return -ENOMEM;
	s->stray = to;
	to[s->strays++] = (struct stray){ le64_to_cpu(hdr->owner), blkno,
					  le32_to_cpu(hdr->magic) };
	return 0;
}

static int find_strays(struct salvage *s)
{
	struct fsck *f = s->f;
	uint64_t at = le64_to_cpu(f->sb->first_free);
	int err;

	for (; at < f->total - 1; at++) {
		if (at % 4096 == 0) {
			progress_at(at, f->total);
			if (fsck_is_cancelled())
				return -ECANCELED;
		}
		if (bits_has(&f->used, at) || !on_medium(f, at) ||
		    !is_stray(f, at))
			continue;
		err = add_stray(s, at);
		if (err)
			return err;
	}
	return 0;
}

static int by_owner(const void *a, const void *b)
{
	const struct stray *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return x->blkno < y->blkno ? -1 : x->blkno > y->blkno;
}

/* first_stray - of an inode, or where it would be */
static size_t first_stray(const struct salvage *s, uint64_t ino)
{
	size_t low = 0, high = s->strays, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (s->stray[mid].ino < ino)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* --- pieces of files ------------------------------------------------------ */

static int add_piece(struct broken *b, const struct piece *p)
{
	struct piece *to = grown(b->piece, b->count, sizeof(*to));

	if (!to)
		return -ENOMEM;
	b->piece = to;
	to[b->count++] = *p;
	return 0;
}

/* shared_run - blocks from at on of which the same becomes; what, in *copy */
static uint64_t shared_run(struct salvage *s, uint64_t at, uint64_t end,
			   bool *copy, bool *drop)
{
	struct fsck *f = s->f;
	uint64_t from = at, clash;

	*drop = bits_has(&f->meta, at);
	*copy = !*drop && bits_has(&s->taken, at);
	while (at < end && bits_has(&f->shared, at) &&
	       bits_has(&f->meta, at) == *drop &&
	       (*drop || bits_has(&s->taken, at) == *copy)) {
		if (!*drop && !*copy)
			bits_add(&s->taken, at, 1, &clash);
		at++;
	}
	return at - from;
}

/* add_pieces - of an extent: metadata is left out, what is another's is copied */
static int add_pieces(struct salvage *s, struct broken *b,
		      const struct pinfs_extent *e)
{
	uint64_t pblk = le64_to_cpu(e->pblk), at = pblk, n;
	uint64_t end = pblk + le32_to_cpu(e->len);
	bool drop, copy;
	int err;

	for (; at < end; at += n) {
		drop = copy = false;
		if (!s->taken.word || !bits_has(&s->f->shared, at))
			n = (s->taken.word ? bits_next(&s->f->shared, at, end) :
					     end) -
			    at;
		else
			n = shared_run(s, at, end, &copy, &drop);
		if (drop)
			continue;
		err = add_piece(
			b, &(struct piece){
				   .lblk = le64_to_cpu(e->lblk) + (at - pblk),
				   .pblk = at,
				   .len = (uint32_t)n,
				   .unwritten = le32_to_cpu(e->flags) &
						PINFS_EXTENT_UNWRITTEN,
				   .copy = copy,
			   });
		if (err)
			return err;
	}
	return 0;
}

struct gather {
	struct salvage *s;
	struct broken *b;
};

static int gather_extent(struct extent_walk *ew, const struct pinfs_extent *e)
{
	struct gather *g = ew->arg;

	return add_pieces(g->s, g->b, e);
}

/* stray_extents - those whose blocks are nobody's; they become ours */
static int stray_extents(struct salvage *s, struct broken *b, uint64_t blkno)
{
	const struct pinfs_extent_node *n = block_at(s->f, blkno);
	const struct pinfs_extent *e = n->extent;
	uint64_t pblk, len, clash;
	unsigned int i;
	int err;

	for (i = 0; i < le16_to_cpu(n->hdr.count); i++, e++) {
		pblk = le64_to_cpu(e->pblk);
		len = le32_to_cpu(e->len);
		if (bits_any(&s->f->used, pblk, len))
			continue;
		bits_add(&s->f->used, pblk, len, &clash);
		err = add_pieces(s, b, e);
		if (err)
			return err;
	}
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	return x->lblk < y->lblk ? -1 : x->lblk > y->lblk;
}

/* trim_pieces - in order; of two that overlap the earlier one is left whole */
static void trim_pieces(struct broken *b)
{
	uint64_t end = 0, cut;
	size_t i, n = 0;
	struct piece p;

	if (b->count)
		qsort(b->piece, b->count, sizeof(*b->piece), by_place);
	for (i = 0; i < b->count; i++) {
		p = b->piece[i];
		cut = p.lblk < end ? end - p.lblk : 0;
		if (cut >= p.len)
			continue;
		p.lblk += cut;
		p.pblk += cut;
		p.len -= (uint32_t)cut;
		end = p.lblk + p.len;
		b->piece[n++] = p;
	}
	b->count = n;
}

static int gather_file(struct salvage *s, struct broken *b)
{
	struct gather g = { s, b };
	struct extent_walk ew = {
		.walk = { .f = s->f, .ino = b->ino, .walked = &s->f->walked },
		.fn = gather_extent,
		.arg = &g,
	};
	size_t i = first_stray(s, b->ino);
	int err = 0;

	if (!b->remake)
		err = walk_extents(&ew, inode_slot(s->f, b->ino));
	for (; !err && i < s->strays && s->stray[i].ino == b->ino; i++)
		if (s->stray[i].magic == PINFS_MAGIC_EXTENTS)
			err = stray_extents(s, b, s->stray[i].blkno);
	trim_pieces(b);
	return err;
}

/* --- names ---------------------------------------------------------------- */

/*
 * is_kept - has the name a right to be there, as far as that is known?
 *
 * A directory has one name: where the pass dirs has found it.
 */
static bool is_kept(struct fsck *f, uint64_t dir, const struct pinfs_dirent *de)
{
	struct ino_info *target = info_of(f, le64_to_cpu(de->ino));

	if (!f->names_known)
		return true;
	if (!target || !target->type)
		return false;
	if (target->type != DT_DIR)
		return true;
	/* That pass does not see what is in leaves that got lost. */
	if (le64_to_cpu(de->ino) == PINFS_ROOT_INO || target->detach ||
	    target->kept || (target->names && target->found_in != dir))
		return false;
	target->kept = true;
	return true;
}

static int gather_name(struct walk *w, const struct pinfs_dirent *de)
{
	struct broken *b = w->arg;
	const struct pinfs_dirent **to;

	if (!is_kept(w->f, w->ino, de))
		return 0;
	to = grown(b->name, b->count, sizeof(*to));
	if (!to)
		return -ENOMEM;
	b->name = to;
	to[b->count++] = de;
	return 0;
}

static int gather_names(struct walk *w, uint64_t blkno, uint64_t low,
			uint64_t high)
{
	const struct pinfs_dirent_node *n = block_at(w->f, blkno);
	unsigned int i;
	int err = 0;

	(void)low;
	(void)high;
	for (i = 0; i < le16_to_cpu(n->hdr.count) && !err; i++)
		err = gather_name(w, (const void *)((const uint8_t *)n +
						    le16_to_cpu(n->slot[i])));
	return err;
}

/* is_whole - an entry of a damaged leaf: does it all fit together? */
static bool is_whole(struct fsck *f, const struct pinfs_dirent_node *n,
		     size_t off)
{
	const struct pinfs_dirent *de;
	const struct ino_info *target;

	if (off % 8 || off < sizeof(n->hdr) ||
	    off > PINFS_BLOCK_SIZE - PINFS_DIRENT_HEAD)
		return false;
	de = (const void *)((const uint8_t *)n + off);
	if (off + format_dirent_size(de->name_len) > PINFS_BLOCK_SIZE)
		return false;
	target = info_of(f, le64_to_cpu(de->ino));
	/* The key has 56 bits of the name's hash: it is as good as a checksum. */
	return target && target->type && target->type == de->type &&
	       le64_to_cpu(de->key) >> PINFS_DIR_KEY_BITS ==
		       format_name_hash((const char *)de->name, de->name_len,
					le64_to_cpu(f->sb->hash_seed)) >>
			       PINFS_DIR_KEY_BITS;
}

/* gather_readable - those names of a damaged leaf that are whole */
static int gather_readable(struct walk *w, uint64_t blkno)
{
	const struct pinfs_dirent_node *n = block_at(w->f, blkno);
	unsigned int i, count = le16_to_cpu(n->hdr.count);
	size_t off;
	int err = 0;

	if (le32_to_cpu(n->hdr.magic) != PINFS_MAGIC_DIRENTS ||
	    le64_to_cpu(n->hdr.blkno) != blkno ||
	    le64_to_cpu(n->hdr.owner) != w->ino)
		return 0;
	for (i = 0; i < min_u64(count, ARRAY_SIZE(n->slot)) && !err; i++) {
		off = le16_to_cpu(n->slot[i]);
		if (is_whole(w->f, n, off))
			err = gather_name(
				w, (const void *)((const uint8_t *)n + off));
	}
	return err;
}

static int gather_dir(struct salvage *s, struct broken *b)
{
	struct walk w = {
		.f = s->f,
		.ino = b->ino,
		.walked = &s->f->walked,
		.leaf_magic = PINFS_MAGIC_DIRENTS,
		.leaf = gather_names,
		.bad_leaf = gather_readable,
		.arg = b,
	};
	const struct pinfs_inode *di = inode_slot(s->f, b->ino);
	size_t i = first_stray(s, b->ino);
	int err = 0;

	if (!b->remake && le16_to_cpu(di->tree_level))
		err = walk_tree(&w, di);
	for (; !err && i < s->strays && s->stray[i].ino == b->ino; i++)
		if (s->stray[i].magic == PINFS_MAGIC_DIRENTS)
			err = gather_names(&w, s->stray[i].blkno, 0, 0);
	return err;
}

/* --- inodes --------------------------------------------------------------- */

/* remake - an inode of which nothing is left; what its tree held comes later */
static void remake(struct fsck *f, const struct broken *b)
{
	struct pinfs_inode *di = edit_inode(f, b->ino);
	uint32_t gen = le32_to_cpu(di->gen) & ((1u << PINFS_GEN_BITS) - 1);
	le64 now = cpu_to_le64((uint64_t)time(NULL));
	bool dir = b->type == DT_DIR;
	const struct piece *last;

	memset(di, 0, sizeof(*di));
	di->magic = cpu_to_le32(PINFS_MAGIC_INODE);
	di->gen = cpu_to_le32(gen);
	di->ino = cpu_to_le64(b->ino);
	di->mode = cpu_to_le32(dir ? S_IFDIR | 0700 : S_IFREG | 0600);
	di->nlink = cpu_to_le32(dir ? 2 : 1);
	di->atime = di->mtime = di->ctime = di->btime = now;
	if (dir)
		di->parent = cpu_to_le64(PINFS_ROOT_INO);
	if (b->ino == PINFS_ROOT_INO)
		di->mode = cpu_to_le32(S_IFDIR | 0755);
	if (!dir && b->count) {
		last = &b->piece[b->count - 1];
		di->size = cpu_to_le64(min_u64(last->lblk + last->len,
					       INT64_MAX >> PINFS_BLOCK_SHIFT)
				       << PINFS_BLOCK_SHIFT);
	}
	seal_inode(f, di);
	imap_mark(f, b->ino, true);
}

/* choose_type - of an inode that is lost: what its leaves are */
static void choose_type(const struct salvage *s, struct broken *b)
{
	size_t i = first_stray(s, b->ino);

	if (b->ino == PINFS_ROOT_INO)
		b->type = DT_DIR;
	else if (i < s->strays && s->stray[i].ino == b->ino)
		b->type = s->stray[i].magic == PINFS_MAGIC_DIRENTS ? DT_DIR :
								     DT_REG;
}

static int gather(struct salvage *s, struct broken *b)
{
	int err = 0;

	if (b->remake)
		choose_type(s, b);
	if (b->type == DT_REG)
		err = gather_file(s, b);
	else if (b->type == DT_DIR)
		err = gather_dir(s, b);
	if (err || !b->remake)
		return err;
	if (b->type)
		remake(s->f, b);
	else
		inode_clear(s->f, b->ino);
	return 0;
}

static bool want_strays(const struct repair *rep)
{
	size_t i;

	for (i = 0; i < rep->brokens; i++)
		if (rep->broken[i].search)
			return true;
	return false;
}

int salvage(struct fsck *f)
{
	struct salvage s = { .f = f };
	int err = 0;
	size_t i;

	progress_begin("salvage");
	bits_clear(&f->walked);
	if (f->clashes) {
		err = bits_open(&s.taken, f->total);
		if (!err)
			err = each_inode(f, find_sharer);
		bits_clear(&f->walked);
	}
	if (!err && want_strays(f->rep))
		err = find_strays(&s);
	if (s.strays)
		qsort(s.stray, s.strays, sizeof(*s.stray), by_owner);
	for (i = 0; !err && i < f->rep->brokens; i++)
		err = gather(&s, &f->rep->broken[i]);
	bits_close(&s.taken);
	free(s.stray);
	progress_end();
	return err;
}
