// SPDX-License-Identifier: BSD-3-Clause
/*
 * A repair, brought to the pool.
 *
 *   1  the disk allocates all that is going to be written
 *   2  the journal's records go home, as with a mount
 *   3  both state blocks of the journal say REPAIR, one after the other: from
 *      here on nothing mounts the pool, and fsck.pinfs goes on if this is cut
 *   4  blocks that were free before
 *   5  all others
 *   6  state A says CLEAN, with the counts; it is the only one in force
 *
 * Each step is on the medium before the next one begins.  Blocks of step 4 are
 * new: what a cut step 5 leaves still has all that it refers to.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal.h"
#include "pool/persist.h"
#include "progress.h"
#include "repair.h"

static int settle_medium(struct pool *to)
{
	persist_fence(to);
	return pool_sync(to);
}

static const void *home_of(const struct pool *p, uint64_t blkno)
{
	return p->base + (blkno << PINFS_BLOCK_SHIFT);
}

static void put(struct pool *to, uint64_t blkno, const void *block)
{
	persist_copy_flush(to, (void *)(uintptr_t)home_of(to, blkno), block,
			   PINFS_BLOCK_SIZE);
}

/* is_journal - its blocks are written by steps of their own */
static bool is_journal(const struct fsck *f, uint64_t blkno)
{
	return blkno >= le64_to_cpu(f->sb->journal_start) &&
	       blkno < le64_to_cpu(f->sb->root_block);
}

/* each_dirty - fn for each block that has changed, the journal's apart */
static int each_dirty(struct fsck *f, struct pool *to,
		      int (*fn)(struct fsck *f, struct pool *to,
				uint64_t blkno))
{
	const struct bits *dirty = &f->rep->dirty;
	uint64_t at;
	int err;

	for (at = bits_next(dirty, 0, f->total); at < f->total;
	     at = bits_next(dirty, at + 1, f->total)) {
		if (is_journal(f, at))
			continue;
		err = fn(f, to, at);
		if (err)
			return err;
	}
	return 0;
}

static int back_one(struct fsck *f, struct pool *to, uint64_t blkno)
{
	(void)f;
	return pool_back(to, blkno << PINFS_BLOCK_SHIFT, PINFS_BLOCK_SIZE);
}

static bool was_free(const struct fsck *f, uint64_t blkno)
{
	return f->rep->settled && !bits_has(&f->rep->before, blkno);
}

static int put_new(struct fsck *f, struct pool *to, uint64_t blkno)
{
	if (was_free(f, blkno))
		put(to, blkno, home_of(f->pool, blkno));
	return 0;
}

static int put_old(struct fsck *f, struct pool *to, uint64_t blkno)
{
	progress_at(blkno, f->total);
	if (!was_free(f, blkno))
		put(to, blkno, home_of(f->pool, blkno));
	return 0;
}

static int bring_home(struct fsck *f, struct pool *to)
{
	struct journal_recovery rec;
	uint8_t boot_id[16];
	struct journal *j;
	int err;

	if (f->was_clean || f->rep->emptied)
		return 0;
	err = read_boot_id(boot_id);
	if (!err)
		err = journal_open(to, f->sb, boot_id, JOURNAL_NO_THREAD, &j,
				   &rec);
	return err ? err : journal_close(j);
}

/* put_state - in slot A or B, with an even or an odd number */
static int put_state(struct fsck *f, struct pool *to, uint64_t update,
		     uint32_t flags)
{
	uint64_t at = le64_to_cpu(f->sb->journal_start) + update % 2;
	struct pinfs_jstate s = *f->state;

	s.update = cpu_to_le64(update);
	s.flags = cpu_to_le32(flags);
	format_block_seal(&s.hdr, at, f->seed);
	put(to, at, &s);
	return settle_medium(to);
}

static void wipe_lanes(struct fsck *f, struct pool *to)
{
	uint64_t at = le64_to_cpu(f->sb->journal_start) + 2;
	uint64_t n = (uint64_t)le32_to_cpu(f->sb->lanes) *
		     le32_to_cpu(f->sb->lane_blocks);

	if (f->rep->emptied)
		persist_set_flush(to, (void *)(uintptr_t)home_of(to, at), 0,
				  n << PINFS_BLOCK_SHIFT);
}

/* in_force - the pool's state, or NULL */
static const struct pinfs_jstate *in_force(const struct fsck *f,
					   const struct pool *to)
{
	uint64_t at = le64_to_cpu(f->sb->journal_start);

	return format_jstate_pick(home_of(to, at), home_of(to, at + 1), at,
				  f->seed);
}

static int put_all(struct fsck *f, struct pool *to)
{
	const struct pinfs_jstate *now = in_force(f, to);
	uint64_t last = le64_to_cpu(f->state->update), update, odd;
	int err;

	if (now && le64_to_cpu(now->update) > last)
		last = le64_to_cpu(now->update);
	/* The next even number, and room for the two states before it. */
	update = (last + 4) & ~1ull;
	/* The state in force goes last: until then it stays what it is. */
	odd = now && le64_to_cpu(now->update) % 2;
	err = put_state(f, to, update - 2 + !odd, PINFS_JSTATE_REPAIR);
	if (!err)
		err = put_state(f, to, update - 2 + odd, PINFS_JSTATE_REPAIR);
	if (err)
		return err;
	wipe_lanes(f, to);
	each_dirty(f, to, put_new);
	err = settle_medium(to);
	if (err)
		return err;
	each_dirty(f, to, put_old);
	err = settle_medium(to);
	return err ? err : put_state(f, to, update, PINFS_JSTATE_CLEAN);
}

int fsck_write(struct fsck *f, struct pool *to)
{
	bool any = bits_next(&f->rep->dirty, 0, f->total) < f->total;
	int err;

	if (!any && f->was_clean)
		return 0;
	progress_begin("write");
	err = any ? each_dirty(f, to, back_one) : 0;
	if (!err)
		err = pool_back(to, 0,
				le64_to_cpu(f->sb->first_free)
					<< PINFS_BLOCK_SHIFT);
	if (!err)
		err = bring_home(f, to);
	if (!err && any)
		err = put_all(f, to);
	progress_end();
	return err;
}
