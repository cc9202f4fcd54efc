// SPDX-License-Identifier: BSD-3-Clause
/* A repair: its rounds, and what they note. */
#include "repair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "pool/persist.h"

/*
 * Damage hides behind damage, by a few layers: the inode file, trees, names,
 * links, bitmaps.  This is more than there are.
 */
#define MAX_ROUNDS 24

/* --- edits ---------------------------------------------------------------- */

static void mark(struct fsck *f, const void *p, size_t n)
{
	uint64_t off = (uint64_t)((const uint8_t *)p - f->pool->base);
	uint64_t first = off >> PINFS_BLOCK_SHIFT, clash;

	bits_add(&f->rep->dirty, first,
		 ((off + n - 1) >> PINFS_BLOCK_SHIFT) - first + 1, &clash);
	f->rep->changed = true;
}

void *edit(struct fsck *f, const void *p)
{
	mark(f, p, 1);
	return (void *)(uintptr_t)p;
}

void *edit_at(struct fsck *f, uint64_t blkno)
{
	return edit(f, f->pool->base + (blkno << PINFS_BLOCK_SHIFT));
}

struct pinfs_inode *edit_inode(struct fsck *f, uint64_t ino)
{
	return edit(f, inode_slot(f, ino));
}

void seal_inode(const struct fsck *f, struct pinfs_inode *di)
{
	format_inode_seal(di, f->seed);
}

bool inode_mend(const struct fsck *f, uint64_t ino, struct pinfs_inode *di)
{
	struct pinfs_inode copy = *di;
	const char *why;

	copy.magic = cpu_to_le32(PINFS_MAGIC_INODE);
	copy.ino = cpu_to_le64(ino);
	format_inode_seal(&copy, f->seed);
	if (format_inode_is_free(&copy) ||
	    format_inode_verify(&copy, ino, f->seed, &why) ||
	    format_inode_map_verify(&copy, f->total, &why))
		return false;
	*di = copy;
	return true;
}

/* The library's stores go by this table, so that they are noted, too. */

static void noted_copy(struct pool *p, void *dst, const void *src, size_t n)
{
	mark(p->persist_arg, dst, n);
	memcpy(dst, src, n);
}

static void noted_set(struct pool *p, void *dst, int c, size_t n)
{
	mark(p->persist_arg, dst, n);
	memset(dst, c, n);
}

static void no_flush(struct pool *p, const void *addr, size_t n)
{
	(void)p;
	(void)addr;
	(void)n;
}

static void no_fence(struct pool *p)
{
	(void)p;
}

static int no_sync(struct pool *p)
{
	(void)p;
	return 0;
}

static const struct persist_ops noted = {
	.copy = noted_copy,
	.set = noted_set,
	.copy_flush = noted_copy,
	.set_flush = noted_set,
	.flush = no_flush,
	.fence = no_fence,
	.sync = no_sync,
};

/* --- what is noted -------------------------------------------------------- */

int repair_open(struct fsck *f)
{
	uint64_t blocks = f->pool->size >> PINFS_BLOCK_SHIFT;
	struct repair *rep = calloc(1, sizeof(*rep));
	int err;

	if (!rep)
		return -ENOMEM;
	err = bits_open(&rep->dirty, blocks);
	if (!err)
		err = bits_open(&rep->before, blocks);
	f->rep = rep;
	f->pool->persist = &noted;
	f->pool->persist_arg = f;
	/* It is nobody else's: what is committed may be home at once. */
	f->pool->kind = POOL_MEMORY;
	return err;
}

/* forget_round - all but what is of the whole repair */
static void forget_round(struct repair *rep)
{
	size_t i;

	for (i = 0; i < rep->brokens; i++) {
		free(rep->broken[i].piece);
		free(rep->broken[i].name);
		free(rep->broken[i].xattr);
	}
	for (i = 0; i < rep->spares; i++)
		free(rep->spare[i].map);
	free(rep->broken);
	free(rep->spare);
	free(rep->lost);
	*rep = (struct repair){
		.dirty = rep->dirty,
		.before = rep->before,
		.searched = rep->searched,
		.settled = rep->settled,
		.emptied = rep->emptied,
		.search = rep->search,
	};
}

void repair_close(struct fsck *f)
{
	if (!f->rep)
		return;
	forget_round(f->rep);
	bits_close(&f->rep->dirty);
	bits_close(&f->rep->before);
	free(f->rep);
	f->rep = NULL;
}

bool is_repairing(const struct fsck *f)
{
	return f->rep && findings_mode(f->findings) == FSCK_REPAIR;
}

void *grown(void *array, size_t count, size_t size)
{
	/* At each power of two its room doubles. */
	if (count & (count - 1))
		return array;
	return reallocarray(array, count ? 2 * count : 1, size);
}

struct broken *note_broken(struct fsck *f, uint64_t ino)
{
	struct ino_info *info = info_of(f, ino);
	struct repair *rep = f->rep;
	struct broken *b;

	if (info->broken)
		return &rep->broken[info->broken - 1];
	b = grown(rep->broken, rep->brokens, sizeof(*b));
	if (!b || rep->brokens == UINT32_MAX)
		return NULL;
	rep->broken = b;
	b += rep->brokens++;
	*b = (struct broken){ .ino = ino };
	info->broken = (uint32_t)rep->brokens;
	return b;
}

int note_lost(struct fsck *f, uint64_t ino)
{
	struct repair *rep = f->rep;
	uint64_t *lost = grown(rep->lost, rep->losts, sizeof(*lost));

	if (!lost)
		return -ENOMEM;
	rep->lost = lost;
	lost[rep->losts++] = ino;
	return 0;
}

/* --- rounds --------------------------------------------------------------- */

bool repair_is_due(const struct fsck *f, int (*pass)(struct fsck *f))
{
	const struct repair *rep = f->rep;

	if (!is_repairing(f))
		return false;
	/* Names are looked at when links and orphans have found all. */
	if (pass == pass_inodes)
		return rep->brokens || rep->replant || rep->spares ||
		       (rep->search && !rep->searched) || f->clashes;
	if (pass == pass_dirs)
		return rep->brokens || rep->replant;
	return pass == pass_orphans && (rep->brokens || rep->losts);
}

/* round - all passes, and the rebuild that they ask for */
static int one_round(struct fsck *f)
{
	struct repair *rep = f->rep;
	int err = fsck_check(f);

	if (err || !is_repairing(f))
		return err;
	if (rep->search && !rep->searched)
		return 0;
	if (rep->replant || rep->spares)
		err = itable_plant(f);
	if (!err && (rep->brokens || rep->losts || f->clashes))
		err = salvage(f);
	if (!err && (rep->brokens || rep->losts))
		err = rebuild(f);
	return err;
}

int fsck_repair(struct fsck *f)
{
	uint64_t found_before;
	unsigned int i;
	int err;

	for (i = 0; i < MAX_ROUNDS; i++) {
		found_before = findings_count(f->findings);
		f->rep->changed = false;
		err = one_round(f);
		if (err)
			return err;
		if (findings_left(f->findings) ||
		    (!f->rep->changed &&
		     findings_count(f->findings) == found_before))
			return 0;
		fsck_forget(f);
		forget_round(f->rep);
	}
	return -EUCLEAN;
}

/* --- free blocks ---------------------------------------------------------- */

bool group_is_good(const struct fsck *f, uint64_t g)
{
	uint64_t at = le64_to_cpu(f->sb->groups_start) + g;
	const char *why;

	if (f->rep->seen_group != g + 1) {
		f->rep->seen_group = g + 1;
		f->rep->seen_good = !format_bitmap_verify(block_at(f, at),
							  PINFS_MAGIC_GROUP, g,
							  at, f->seed, &why);
	}
	return f->rep->seen_good;
}

bool on_medium(const struct fsck *f, uint64_t blkno)
{
	uint64_t g = blkno / PINFS_GROUP_BLOCKS, i = blkno % PINFS_GROUP_BLOCKS;
	const struct pinfs_bitmap *b =
		block_at(f, le64_to_cpu(f->sb->groups_start) + g);

	return group_is_good(f, g) &&
	       (le64_to_cpu(b->bits[i / 64]) >> i % 64 & 1);
}

int take_free(struct fsck *f, uint64_t *blkno)
{
	uint64_t at = max_u64(f->rep->last_taken,
			      le64_to_cpu(f->sb->first_free)),
		 clash;

	for (; at < f->total - 1; at++) {
		if (bits_has(&f->used, at) || bits_has(&f->rep->before, at) ||
		    on_medium(f, at))
			continue;
		f->rep->last_taken = at + 1;
		bits_add(&f->used, at, 1, &clash);
		bits_add(&f->meta, at, 1, &clash);
		memset(edit_at(f, at), 0, PINFS_BLOCK_SIZE);
		*blkno = at;
		return 0;
	}
	return -ENOSPC;
}
