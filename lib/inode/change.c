// SPDX-License-Identifier: BSD-3-Clause
/*
 * A change that fits one transaction is one. Another begins with a transaction
 * that cuts the extents at the boundaries, sets the size, notes the intent in
 * the inode and puts the inode on an orphan list; then come steps, each a
 * transaction that also moves the intent's cursor. Only the first can run out
 * of space: removing, moving and marking whole extents needs no new blocks.
 *
 * A change that fills more holes than fit a transaction fills them before that
 * first one, in others, which are taken back if it does not come to it:
 *
 *   none --fill_step--> UNFILL --begin--> SETTLE or UNWRITE --end_intent--> none
 *                         |  recovery, or no space                            ^
 *                         +------------------- fresh_step, end_intent -------+
 */
#include "inode/change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "inode/extent.h"
#include "pool/persist.h"

/* Extents of one transaction, and of a change that needs no intent. */
#define STEP_BUDGET 128u

/* --- steps ------------------------------------------------------------------- */

static int collapse_step(struct inode *ip, struct tx *tx,
			 struct pinfs_intent *in, unsigned int *budget)
{
	uint64_t first = le64_to_cpu(in->first), count = le64_to_cpu(in->count);
	uint64_t cursor = le64_to_cpu(in->cursor);
	int err;

	if (cursor == 0) {
		err = extent_remove(ip, tx, first, first + count, budget);
		if (err)
			return err;
		cursor = first + count;
	}
	err = extent_shift_down(ip, tx, &cursor, count, budget);
	in->cursor = cpu_to_le64(cursor);
	return err;
}

static int insert_step(struct inode *ip, struct tx *tx, struct pinfs_intent *in,
		       unsigned int *budget)
{
	uint64_t cursor = le64_to_cpu(in->cursor);
	int err;

	if (cursor == 0)
		cursor = EXTENT_END;
	err = extent_shift_up(ip, tx, le64_to_cpu(in->first), &cursor,
			      le64_to_cpu(in->count), budget);
	in->cursor = cpu_to_le64(cursor);
	return err;
}

static int unwrite_step(struct inode *ip, struct tx *tx,
			struct pinfs_intent *in, unsigned int *budget)
{
	uint64_t first = le64_to_cpu(in->first), count = le64_to_cpu(in->count);
	uint64_t cursor = max_u64(le64_to_cpu(in->cursor), first);
	int err;

	err = extent_mark(ip, tx, &cursor, first + count, true, budget);
	in->cursor = cpu_to_le64(cursor);
	return err;
}

/* fresh_step - what a change that did not begin, or did, has mapped before */
static int fresh_step(struct inode *ip, struct tx *tx, struct pinfs_intent *in,
		      bool keep, unsigned int *budget)
{
	uint64_t first = le64_to_cpu(in->first), count = le64_to_cpu(in->count);
	uint64_t cursor = max_u64(le64_to_cpu(in->cursor), first);
	int err;

	err = (keep ? extent_settle : extent_remove_fresh)(
		ip, tx, &cursor, first + count, budget);
	in->cursor = cpu_to_le64(cursor);
	return err;
}

/* step - go on with the intent; -EAGAIN when the budget is used up */
static int step(struct inode *ip, struct tx *tx, struct pinfs_intent *in,
		unsigned int *budget)
{
	uint64_t first = le64_to_cpu(in->first), count = le64_to_cpu(in->count);

	switch (le32_to_cpu(in->op)) {
	case PINFS_INTENT_NONE:
		return 0;
	case PINFS_INTENT_REMOVE:
		return extent_remove(ip, tx, first, first + count, budget);
	case PINFS_INTENT_COLLAPSE:
		return collapse_step(ip, tx, in, budget);
	case PINFS_INTENT_INSERT:
		return insert_step(ip, tx, in, budget);
	case PINFS_INTENT_UNWRITE:
		return unwrite_step(ip, tx, in, budget);
	case PINFS_INTENT_UNFILL:
		return fresh_step(ip, tx, in, false, budget);
	case PINFS_INTENT_SETTLE:
		return fresh_step(ip, tx, in, true, budget);
	default:
		return -EUCLEAN;
	}
}

/* end_intent - the change is complete */
static int end_intent(struct inode *ip, struct tx *tx)
{
	struct pinfs_inode *di = inode_edit(ip, tx);

	if (!di)
		return -ENOMEM;
	memset(&di->intent, 0, sizeof(di->intent));
	if (le32_to_cpu(di->nlink) > 0)
		return orphan_remove(ip, tx);
	return 0;
}

static int finish_step(struct inode *ip)
{
	unsigned int budget = STEP_BUDGET;
	struct tx *tx = tx_begin(ip->vol->journal);
	struct pinfs_intent in;
	struct pinfs_inode *di;
	int err, more = 0;

	if (!tx)
		return -ENOMEM;
	in = inode_read(ip, tx)->intent;
	err = step(ip, tx, &in, &budget);
	if (err == -EAGAIN) {
		more = -EAGAIN;
		di = inode_edit(ip, tx);
		err = di ? 0 : -ENOMEM;
		if (di)
			di->intent = in;
	} else if (!err) {
		err = end_intent(ip, tx);
	}
	if (err) {
		tx_abort(tx);
		return err;
	}
	err = tx_commit(tx);
	return err ? err : more;
}

int inode_finish_intent(struct inode *ip)
{
	int err;

	do {
		unsigned int guard = journal_enter(ip->vol->journal);

		err = finish_step(ip);
		journal_leave(ip->vol->journal, guard);
	} while (err == -EAGAIN);
	if (err)
		log_error("%s: inode %llu: finishing a change of its layout: "
			  "%s; %s",
			  ip->vol->pool->path, (unsigned long long)ip->ino,
			  strerror(-err),
			  err == -EUCLEAN ? "unmount and run fsck.pinfs" :
					    "the next mount tries again");
	return err;
}

static bool has_intent(struct inode *ip)
{
	return le32_to_cpu(inode_read(ip, NULL)->intent.op) !=
	       PINFS_INTENT_NONE;
}

/* --- the first transaction ------------------------------------------------------- */

/* settle_block - it was mapped for this change, and is outside of op's range */
static int settle_block(struct inode *ip, struct tx *tx, uint64_t lblk)
{
	unsigned int budget = 1;

	return extent_mark(ip, tx, &lblk, lblk + 1, true, &budget);
}

/*
 * zero_edge - a part of a block becomes zero, by a copy that takes its place
 *
 * In place it could be half done after a crash. The copy may come from the
 * reserve: punching must work on a full pool (S6).
 */
static int zero_edge(struct inode *ip, struct tx *tx,
		     const struct inode_edge *edge)
{
	struct volume *vol = ip->vol;
	unsigned int budget = 1;
	struct space_run run;
	struct extent e;
	uint8_t copy[PINFS_BLOCK_SIZE];
	int err = extent_find(ip, tx, edge->lblk, &e);

	if (err)
		return err;
	if (e.fresh)
		return settle_block(ip, tx, edge->lblk);
	if (!extent_is_data(&e))
		return 0;
	if (!volume_has(vol, e.pblk, 1))
		return -EUCLEAN;
	err = space_alloc(vol->space, tx, e.pblk, 1, SPACE_RESERVE, &run);
	if (err)
		return err;
	memcpy(copy, volume_block(vol, e.pblk), sizeof(copy));
	memset(copy + edge->from, 0, edge->to - edge->from);
	persist_copy_flush(vol->pool, volume_block(vol, run.first), copy,
			   sizeof(copy));
	err = extent_cut(ip, tx, edge->lblk + 1);
	if (!err)
		err = extent_remove(ip, tx, edge->lblk, edge->lblk + 1,
				    &budget);
	e = (struct extent){ .lblk = edge->lblk, .pblk = run.first, .len = 1 };
	return err ? err : extent_add(ip, tx, &e);
}

static int apply_attributes(struct inode *ip, struct tx *tx,
			    const struct inode_change *ch)
{
	struct pinfs_inode *di = inode_edit(ip, tx);

	if (!di)
		return -ENOMEM;
	if (ch->set_size)
		di->size = cpu_to_le64(ch->size);
	di->mode = cpu_to_le32(le32_to_cpu(di->mode) & ~ch->clear_mode);
	return inode_touch(ip, tx, ch->touch);
}

static int cut_boundaries(struct inode *ip, struct tx *tx,
			  const struct inode_change *ch)
{
	int err = 0;

	if (ch->op == PINFS_INTENT_NONE)
		return 0;
	err = extent_cut(ip, tx, ch->first);
	if (!err && ch->op != PINFS_INTENT_INSERT)
		err = extent_cut(ip, tx, ch->first + ch->count);
	return err;
}

/* is_small - so few extents that one transaction does it? */
static bool is_small(struct inode *ip, struct tx *tx,
		     const struct inode_change *ch, int *err)
{
	uint64_t end = ch->first + ch->count;

	*err = 0;
	if (ch->op == PINFS_INTENT_NONE)
		return true;
	if (ch->op == PINFS_INTENT_COLLAPSE || ch->op == PINFS_INTENT_INSERT)
		end = EXTENT_END;
	return extent_count_upto(ip, tx, ch->first, end, STEP_BUDGET, err) <
	       STEP_BUDGET;
}

/* intent_of - op also settles what is fresh in its range */
static struct pinfs_intent intent_of(const struct inode_change *ch)
{
	if (ch->op == PINFS_INTENT_NONE)
		return (struct pinfs_intent){
			.op = cpu_to_le32(PINFS_INTENT_SETTLE),
			.first = cpu_to_le64(ch->fill_first),
			.count = cpu_to_le64(ch->fill_end - ch->fill_first),
		};
	return (struct pinfs_intent){
		.op = cpu_to_le32(ch->op),
		.first = cpu_to_le64(ch->first),
		.count = cpu_to_le64(ch->count),
	};
}

/* note_intent - for the steps to come, and for recovery */
static int note_intent(struct inode *ip, struct tx *tx,
		       const struct pinfs_intent *in)
{
	struct pinfs_inode *di = inode_edit(ip, tx);

	if (!di)
		return -ENOMEM;
	di->intent = *in;
	return orphan_is_on_list(ip) ? 0 : orphan_add(ip, tx);
}

/* check_room - nothing may move behind the last block that a file can have */
static int check_room(struct inode *ip, struct tx *tx,
		      const struct inode_change *ch)
{
	uint64_t end;
	int err;

	if (ch->op != PINFS_INTENT_INSERT)
		return 0;
	err = extent_last(ip, tx, &end);
	if (err || end <= ch->first)
		return err;
	return end > EXTENT_END - ch->count ? -EFBIG : 0;
}

/* begin - the first transaction; *small says whether it was all */
static int begin(struct inode *ip, struct tx *tx, const struct inode_change *ch,
		 bool *small)
{
	struct pinfs_intent in = intent_of(ch);
	unsigned int budget = 2 * STEP_BUDGET;
	int err = check_room(ip, tx, ch);

	for (unsigned int i = 0; i < ch->edges && !err; i++)
		err = zero_edge(ip, tx, &ch->edge[i]);
	if (!err)
		err = cut_boundaries(ip, tx, ch);
	if (!err)
		err = apply_attributes(ip, tx, ch);
	if (err)
		return err;
	*small = !has_intent(ip) && is_small(ip, tx, ch, &err);
	if (err)
		return err;
	if (!*small)
		return note_intent(ip, tx, &in);
	return ch->op ? step(ip, tx, &in, &budget) : 0;
}

/* begin_change - commit the first transaction */
static int begin_change(struct inode *ip, const struct inode_change *ch,
			bool *small)
{
	struct tx *tx = tx_begin(ip->vol->journal);
	int err = tx ? begin(ip, tx, ch, small) : -ENOMEM;

	if (err) {
		tx_abort(tx);
		return err;
	}
	return tx_commit(tx);
}

/* --- filling holes before ---------------------------------------------------------- */

/* fill_hole - map a part of the hole at e, as large as there is a run for */
static int fill_hole(struct inode *ip, struct tx *tx, const struct extent *hole,
		     uint64_t goal, bool fresh, struct extent *e)
{
	struct space_run run;
	int err = space_alloc(ip->vol->space, tx, goal, hole->len, 0, &run);

	if (err)
		return err;
	*e = (struct extent){
		.lblk = hole->lblk,
		.pblk = run.first,
		.len = run.count,
		.unwritten = true,
		.fresh = fresh,
	};
	return extent_add(ip, tx, e);
}

/* fill_some - holes from *at on; -EAGAIN when there are more than a few */
static int fill_some(struct inode *ip, struct tx *tx, uint64_t *at,
		     uint64_t end, bool fresh)
{
	unsigned int budget = STEP_BUDGET;
	uint64_t goal = 0;

	while (*at < end && budget-- > 0) {
		struct extent hole, e;
		int err = extent_find(ip, tx, *at, &hole);

		if (err)
			return err;
		if (hole.pblk) {
			*at += hole.len;
			goal = hole.pblk + hole.len;
			continue;
		}
		hole.len = min_u64(hole.len, end - *at);
		err = fill_hole(ip, tx, &hole, goal, fresh, &e);
		if (err)
			return err;
		*at += e.len;
		goal = e.pblk + e.len;
	}
	return *at < end ? -EAGAIN : 0;
}

/* fill_at_once - with the whole change in one transaction; -EAGAIN: too many */
static int fill_at_once(struct inode *ip, const struct inode_change *ch,
			bool *small)
{
	struct tx *tx = tx_begin(ip->vol->journal);
	uint64_t at = ch->fill_first;
	int err = tx ? fill_some(ip, tx, &at, ch->fill_end, false) : -ENOMEM;

	if (!err)
		err = begin(ip, tx, ch, small);
	if (err) {
		tx_abort(tx);
		return err;
	}
	return tx_commit(tx);
}

/* fill_step - one of several transactions; the first notes how to undo them */
static int fill_step(struct inode *ip, const struct inode_change *ch,
		     uint64_t *at)
{
	const struct pinfs_intent undo = {
		.op = cpu_to_le32(PINFS_INTENT_UNFILL),
		.first = cpu_to_le64(ch->fill_first),
		.count = cpu_to_le64(ch->fill_end - ch->fill_first),
	};
	struct tx *tx = tx_begin(ip->vol->journal);
	int err = tx ? fill_some(ip, tx, at, ch->fill_end, true) : -ENOMEM;
	int more = err == -EAGAIN ? err : 0;

	if (err == more && !has_intent(ip))
		err = note_intent(ip, tx, &undo);
	if (err && err != -EAGAIN) {
		tx_abort(tx);
		return err;
	}
	err = tx_commit(tx);
	return err ? err : more;
}

/*
 * fill_in_steps - what they map is fresh until the transaction that begins the
 *                 change; before that, recovery unmaps it again (S1)
 */
static int fill_in_steps(struct inode *ip, const struct inode_change *ch,
			 bool *small)
{
	struct journal *j = ip->vol->journal;
	uint64_t at = ch->fill_first;
	unsigned int guard;
	int err;

	do {
		guard = journal_enter(j);
		err = fill_step(ip, ch, &at);
		journal_leave(j, guard);
	} while (err == -EAGAIN);
	guard = journal_enter(j);
	if (!err)
		err = begin_change(ip, ch, small);
	if (err && has_intent(ip))
		inode_finish_intent(ip);
	journal_leave(j, guard);
	return err;
}

static int fill(struct inode *ip, const struct inode_change *ch, bool *small)
{
	unsigned int guard = journal_enter(ip->vol->journal);
	int err = fill_at_once(ip, ch, small);

	journal_leave(ip->vol->journal, guard);
	return err == -EAGAIN ? fill_in_steps(ip, ch, small) : err;
}

/* --- unwritten blocks -------------------------------------------------------------- */

static _Atomic uint64_t *unwritten_at(struct inode *ip)
{
	return &ip->vol->unwritten_at[ip->ino % VOLUME_UNWRITTEN];
}

bool inode_is_unwritten_sealed(struct inode *ip)
{
	return journal_is_sealed(ip->vol->journal,
				 atomic_load(unwritten_at(ip)));
}

/* --- a whole change --------------------------------------------------------------- */

/* start - up to the commit that decides; *small: that was all */
static int start(struct inode *ip, const struct inode_change *ch, bool *small)
{
	unsigned int guard = journal_enter(ip->vol->journal);
	bool fills = ch->fill_first < ch->fill_end;
	int err = 0;

	/* One that ran out of memory: its place is wanted for the next. */
	if (has_intent(ip))
		err = inode_finish_intent(ip);
	if (!err && !fills)
		err = begin_change(ip, ch, small);
	journal_leave(ip->vol->journal, guard);
	return err || !fills ? err : fill(ip, ch, small);
}

int inode_change(struct inode *ip, const struct inode_change *ch)
{
	bool small;
	int err = start(ip, ch, &small);

	if (err)
		return err;
	if (ch->op == PINFS_INTENT_UNWRITE)
		atomic_store(unwritten_at(ip),
			     journal_youngest(ip->vol->journal));
	atomic_fetch_add(&ip->layout_seq, 1);
	return small ? 0 : inode_finish_intent(ip);
}

int inode_allocate(struct inode *ip, uint64_t first, uint64_t end)
{
	const struct inode_change ch = { .fill_first = first, .fill_end = end };
	bool small = true;
	int err = first < end ? start(ip, &ch, &small) : 0;

	return err || small ? err : inode_finish_intent(ip);
}
