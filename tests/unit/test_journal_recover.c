// SPDX-License-Identifier: BSD-3-Clause
/* What recovery takes for committed, and what it does not (S1, S3, S5). */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "format/csum.h"
#include "jrig.h"
#include "journal/journal_i.h"
#include "scratch_cut.h"
#include "scratch.h"

static struct jrig r;

static void make(enum scratch_kind kind)
{
	jrig_make(&r, kind, JRIG_SMALL);
}

static void write_all(unsigned int from, unsigned int to)
{
	for (unsigned int i = from; i < to; i++)
		ck_assert_int_eq(jrig_write(&r, jrig_block(&r, 0), i % 64, i),
				 0);
}

static void reopen(void)
{
	jrig_crash(&r);
	jrig_open(&r);
}

static uint8_t *lane_at(unsigned int lane, size_t offset)
{
	uint64_t blk = le64_to_cpu(r.sb.journal_start) + 2 +
		       (uint64_t)lane * le32_to_cpu(r.sb.lane_blocks);

	return r.pool->base + blk * PINFS_BLOCK_SIZE + offset;
}

static size_t lane_bytes(void)
{
	return (size_t)le32_to_cpu(r.sb.lane_blocks) * PINFS_BLOCK_SIZE;
}

static void seal_record(struct pinfs_jrec *rec)
{
	rec->csum = cpu_to_le64(format_csum(rec, le32_to_cpu(rec->length),
					    offsetof(struct pinfs_jrec, csum),
					    le64_to_cpu(r.sb.csum_seed)));
}

/* find_record - with that number; NULL: nowhere */
static struct pinfs_jrec *find_record(uint64_t seq)
{
	for (unsigned int i = 0; i < le32_to_cpu(r.sb.lanes); i++)
		for (size_t at = 0; at < lane_bytes(); at += 64) {
			struct pinfs_jrec *rec = (void *)lane_at(i, at);

			if (le32_to_cpu(rec->magic) == PINFS_MAGIC_JREC &&
			    le64_to_cpu(rec->seq) == seq &&
			    !(le32_to_cpu(rec->flags) & PINFS_JREC_WRAP))
				return rec;
		}
	return NULL;
}

/* edit_state - change the state in force, and seal it */
static struct pinfs_jstate *state(void)
{
	return (struct pinfs_jstate *)(uintptr_t)jrig_state(&r);
}

static void seal_state(struct pinfs_jstate *s)
{
	format_block_seal(&s->hdr,
			  (uint64_t)((uint8_t *)s - r.pool->base) /
				  PINFS_BLOCK_SIZE,
			  le64_to_cpu(r.sb.csum_seed));
}

/* --- what survives which crash -------------------------------------------- */

START_TEST(killed_daemon_loses_nothing)
{
	uint64_t last = 0;

	make((enum scratch_kind)_i);
	for (unsigned int round = 0; round < 5; round++) {
		for (unsigned int i = 0; i < 64; i++)
			ck_assert_int_eq(jrig_write(&r, jrig_block(&r, 0), i,
						    ++last),
					 0);
		reopen();
		ck_assert(!r.rec.was_clean);
		ck_assert_uint_eq(r.rec.dropped, 0);
		for (unsigned int i = 0; i < 64; i++)
			ck_assert_uint_eq(jrig_read(&r, jrig_block(&r, 0), i),
					  last - 63 + i);
	}
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

/*
 * prefix - all lines are as of one moment, and return which; line i gets the
 *          values i, i + 64, ...
 */
static uint64_t prefix(uint64_t most)
{
	uint64_t last = 0, at;

	for (unsigned int i = 0; i < 64; i++) {
		at = jrig_read(&r, jrig_block(&r, 0), i);
		last = at > last ? at : last;
	}
	ck_assert_uint_le(last, most);
	for (unsigned int i = 0; i < 64; i++) {
		uint64_t want = last < i ? 0 : last - (last - i) % 64;

		ck_assert_uint_eq(jrig_read(&r, jrig_block(&r, 0), i), want);
	}
	return last;
}

/* Exactly what was sealed survives a power cut; the rest never comes back. */
START_TEST(power_cut_leaves_the_sealed_prefix)
{
	uint64_t first, sealed, last;

	jrig_make_file(&r, JRIG_SMALL, 0);
	/* Line i takes i, i + 64, ...; record numbers go along. */
	first = le64_to_cpu(jrig_state(&r)->checkpoint_seq);
	write_all(1, 100);
	ck_assert_int_eq(journal_sync(r.j), 0);
	write_all(100, 180);
	journal_abandon(r.j);
	sealed = le64_to_cpu(jrig_state(&r)->sealed_seq) - first;
	ck_assert_uint_ge(sealed, 99);
	pool_close(r.pool);
	r.boot[0]++;

	jrig_open(&r);
	ck_assert(!r.rec.was_clean);
	/* The checkpointer may have had its time on a slow machine. */
	ck_assert_uint_eq(r.rec.dropped, 179 - sealed);
	last = prefix(179);
	ck_assert_uint_eq(last, sealed);
	/* No more after more commits and crashes of either kind. */
	for (unsigned int i = 0; i < 40; i++) {
		ck_assert_int_eq(jrig_write(&r, jrig_block(&r, 1), 0, i), 0);
		if (i % 3 == 0)
			ck_assert_int_eq(journal_sync(r.j), 0);
		if (i % 2)
			jrig_crash(&r);
		else
			jrig_power_cut(&r);
		jrig_open(&r);
		ck_assert_uint_eq(prefix(179), last);
	}
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

/*
 * The same where it is hard: a lane of records of one length, from which the
 * power cut takes one in the middle. What is behind it must not be taken for
 * the successor of the new record that gets the place before it.
 */
START_TEST(numbers_skip_what_may_lie_behind_a_gap)
{
	uint64_t first;
	struct pinfs_jrec *rec;

	for (unsigned int hole = 1; hole < 8; hole++) {
		/* Nothing is sealed. */
		jrig_make_file(&r, JRIG_SMALL, JOURNAL_NO_THREAD);
		first = le64_to_cpu(jrig_state(&r)->checkpoint_seq);
		write_all(1, 20);
		jrig_crash(&r);
		jrig_open_pool(&r);
		rec = find_record(first + hole);
		ck_assert_ptr_nonnull(rec);
		memset(rec, 0, 64);
		r.boot[0]++;
		jrig_open_journal(&r);
		ck_assert_uint_eq(r.rec.replayed, 0);
		ck_assert_uint_eq(r.rec.dropped, hole - 1);
		ck_assert_uint_eq(prefix(0), 0);
		/* As long as those: one ends where an old one begins. */
		for (unsigned int i = 0; i < hole; i++)
			ck_assert_int_eq(
				jrig_write(&r, jrig_block(&r, 1), 0, i + 1), 0);
		reopen();
		ck_assert_uint_eq(r.rec.replayed, hole);
		ck_assert_uint_eq(prefix(0), 0);
		ck_assert_uint_eq(jrig_read(&r, jrig_block(&r, 1), 0), hole);
		ck_assert_int_eq(jrig_close(&r), 0);
	}
}
END_TEST

/* A kernel that does not say which one it is may be any. */
START_TEST(unknown_boot_is_another_one)
{
	jrig_make_file(&r, JRIG_SMALL, 0);
	ck_assert_int_eq(jrig_close(&r), 0);
	memset(r.boot, 0, sizeof(r.boot));
	jrig_open(&r);
	write_all(1, 5);
	ck_assert_int_eq(journal_sync(r.j), 0);
	r.flags = JOURNAL_NO_THREAD; /* what comes now is never sealed */
	reopen();
	ck_assert_uint_eq(prefix(4), 4);
	write_all(5, 9);
	reopen();
	ck_assert_uint_eq(prefix(8), 4);
	ck_assert_uint_eq(r.rec.dropped, 4);
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

/* A byte of a record, wherever: it never happened. All before it did. */
START_TEST(torn_record_is_none)
{
	uint64_t first, length;

	make(SCRATCH_MEMORY);
	first = le64_to_cpu(jrig_state(&r)->checkpoint_seq);
	write_all(1, 11);
	length = le32_to_cpu(find_record(first + 10)->length);
	for (size_t byte = 0; byte < length; byte += 5) {
		uint64_t seq;
		uint8_t *rec;
		uint8_t *home =
			r.pool->base + jrig_block(&r, 0) * PINFS_BLOCK_SIZE;

		seq = le64_to_cpu(jrig_state(&r)->checkpoint_seq);
		/* What is there already would need no record. */
		memset(home + 11 * 64, 0, 64);
		write_all(11, 13);
		journal_abandon(r.j);
		/* As it was before, for commits on memory are home. */
		rec = (uint8_t *)find_record(seq + (byte ? 2 : 12));
		ck_assert_ptr_nonnull(rec);
		memset(home + 12 * 64, 0, 64);
		rec[byte] ^= 0x10;
		jrig_open_journal(&r);
		ck_assert_uint_eq(r.rec.replayed, byte ? 1 : 11);
		ck_assert_uint_eq(prefix(11), 11);
	}
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

/* Either state block may be lost while it is written. */
START_TEST(torn_state_is_the_one_before)
{
	make((enum scratch_kind)_i);
	write_all(1, 30);
	jrig_crash(&r);
	jrig_open_pool(&r);
	/* Recover: the state is written several times. */
	for (unsigned int i = 0; i < 4; i++) {
		struct pinfs_jstate *s;

		jrig_open_journal(&r);
		ck_assert_uint_eq(prefix(29), 29);
		journal_abandon(r.j);
		s = state();
		s->reserved[100 * i] ^= 1;
	}
	/* Both: there is nothing to go by. */
	state()->reserved[7] ^= 1;
	ck_assert_int_eq(jrig_try_journal(&r, 0), -EUCLEAN);
	pool_close(r.pool);
}
END_TEST

START_TEST(read_only_changes_nothing)
{
	uint8_t *before = malloc(JRIG_SMALL);

	make((enum scratch_kind)_i);
	write_all(1, 30);
	jrig_crash(&r);
	jrig_open_pool(&r);
	memcpy(before, r.pool->base, JRIG_SMALL);
	ck_assert_int_eq(jrig_try_journal(&r, JOURNAL_READ_ONLY), -EUCLEAN);
	ck_assert_mem_eq(before, r.pool->base, JRIG_SMALL);
	jrig_open_journal(&r);
	ck_assert_int_eq(jrig_close(&r), 0);
	jrig_open_pool(&r);
	memcpy(before, r.pool->base, JRIG_SMALL);
	ck_assert_int_eq(jrig_try_journal(&r, JOURNAL_READ_ONLY), 0);
	ck_assert_uint_eq(prefix(29), 29);
	ck_assert_int_eq(jrig_write(&r, jrig_block(&r, 0), 0, 1), -EROFS);
	ck_assert_int_eq(journal_sync(r.j), 0);
	ck_assert_int_eq(jrig_close(&r), 0);
	jrig_open_pool(&r);
	ck_assert_mem_eq(before, r.pool->base, JRIG_SMALL);
	pool_close(r.pool);
	free(before);
}
END_TEST

/* --- blocks that became something else ------------------------------------ */

/* free_block - in the transaction, as lib/space does */
static void free_block(struct tx *tx, uint64_t blkno)
{
	tx_forget(tx, blkno);
	ck_assert_int_eq(tx_clear_bits(tx, jrig_bitmap(&r), (uint32_t)blkno, 1),
			 0);
	tx_count(tx, 1, 0);
}

static void take_block(uint64_t blkno)
{
	struct tx *tx = tx_begin(r.j);
	uint64_t *p = tx_block_new(tx, blkno);

	p[100] = 1;
	ck_assert_int_eq(tx_set_bits(tx, jrig_bitmap(&r), (uint32_t)blkno, 1),
			 0);
	tx_count(tx, -1, 0);
	ck_assert_int_eq(tx_commit(tx), 0);
}

static void touch_block(uint64_t blkno, uint64_t value)
{
	unsigned int guard = journal_enter(r.j);
	struct tx *tx = tx_begin(r.j);
	uint64_t *p = tx_block(tx, blkno);

	p[100] = value;
	ck_assert_int_eq(tx_commit(tx), 0);
	journal_leave(r.j, guard);
}

/* _i: memory; a file, killed; one whose transaction touches what it frees */
START_TEST(replay_spares_what_was_freed)
{
	uint64_t blk, data[PINFS_BLOCK_SIZE / 8];
	unsigned int guard;
	struct tx *tx;

	if (_i == 1)
		jrig_make_file(&r, JRIG_SMALL, 0);
	else
		make(SCRATCH_MEMORY);
	blk = jrig_block(&r, 9);
	take_block(blk);
	touch_block(blk, 2);
	guard = journal_enter(r.j);
	tx = tx_begin(r.j);
	if (_i != 2)
		free_block(tx, blk);
	((uint64_t *)tx_block(tx, blk))[100] = 3;
	if (_i == 2) {
		ck_assert_int_eq(tx_clear_bits(tx, jrig_bitmap(&r),
					       (uint32_t)blk, 1),
				 0);
		tx_count(tx, 1, 0);
	} else {
		tx_forget(tx, blk);
	}
	ck_assert_int_eq(tx_commit(tx), 0);
	journal_leave(r.j, guard);
	if (_i == 1)
		ck_assert_int_eq(journal_bring_home(r.j), 0);
	/* It is data now, and then metadata again, and changed as such. */
	memset(data, 0xdd, sizeof(data));
	persist_copy_flush(r.pool, r.pool->base + blk * PINFS_BLOCK_SIZE, data,
			   sizeof(data));
	reopen();
	ck_assert_uint_ge(r.rec.replayed, 1);
	ck_assert_mem_eq(r.pool->base + blk * PINFS_BLOCK_SIZE, data,
			 sizeof(data));
	take_block(blk);
	touch_block(blk, 5);
	reopen();
	ck_assert_uint_eq(((const uint64_t *)journal_read(r.j, blk))[100], 5);
	ck_assert_int_eq(journal_bring_home(r.j), 0);
	jrig_check_space(&r);
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

/* A large range that is freed, and few lines: the other way to look them up. */
START_TEST(replay_spares_what_a_large_free_held)
{
	uint64_t blk, data[PINFS_BLOCK_SIZE / 8];
	struct tx *tx;

	make(SCRATCH_MEMORY);
	blk = jrig_block(&r, 9);
	tx = tx_begin(r.j);
	tx_set_bits(tx, jrig_bitmap(&r), (uint32_t)blk - 5, 1000);
	tx_count(tx, -1000, 0);
	ck_assert_int_eq(tx_commit(tx), 0);
	touch_block(blk, 1);
	touch_block(blk + 994, 1);
	touch_block(blk + 995, 1); /* not freed */
	tx = tx_begin(r.j);
	tx_clear_bits(tx, jrig_bitmap(&r), (uint32_t)blk - 5, 1000);
	tx_count(tx, 1000, 0);
	ck_assert_int_eq(tx_commit(tx), 0);
	memset(data, 0xdd, sizeof(data));
	for (unsigned int i = 0; i < 3; i++)
		persist_copy_flush(r.pool,
				   r.pool->base + (blk + (i ? 993 + i : 0)) *
							  PINFS_BLOCK_SIZE,
				   data, sizeof(data));
	reopen();
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_mem_eq(r.pool->base +
					 (blk + i * 994) * PINFS_BLOCK_SIZE,
				 data, sizeof(data));
	ck_assert_uint_eq(((const uint64_t *)journal_read(r.j, blk + 995))[100],
			  1);
	jrig_check_space(&r);
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

/* --- lanes ---------------------------------------------------------------- */

/*
 * Two threads may reclaim at once, one of which has looked earlier: the number
 * never goes back, or an empty lane's dead records would come to life.
 */
START_TEST(checkpoint_never_goes_back)
{
	uint64_t seq;

	make(SCRATCH_MEMORY);
	write_all(1, 30);
	seq = atomic_load(&r.j->next_seq) - 1;
	ck_assert_int_eq(lanes_reclaim(r.j, seq, seq), 0);
	ck_assert_int_eq(lanes_reclaim(r.j, seq - 20, seq - 20), 0);
	ck_assert_uint_eq(le64_to_cpu(jrig_state(&r)->checkpoint_seq), seq);
	write_all(30, 35);
	reopen();
	ck_assert_uint_eq(r.rec.replayed, 5);
	ck_assert_uint_eq(prefix(34), 34);
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

static int failing_sync(struct pool *p)
{
	(void)p;
	return -EIO;
}

/* A state that can't be written gives no room back: records may be needed. */
START_TEST(room_comes_with_the_state_only)
{
	struct persist_ops ops = persist_file;
	uint32_t used = 0, after = 0;

	jrig_make_file(&r, JRIG_SMALL, 0);
	write_all(1, 30);
	ck_assert_int_eq(journal_bring_home(r.j), 0);
	ops.sync = failing_sync;
	checkpointer_stop(r.j);
	for (unsigned int i = 0; i < r.j->lanes; i++)
		used += atomic_load(&r.j->lane[i].used);
	ck_assert_uint_gt(used, 0);
	r.pool->persist = &ops;
	ck_assert_int_eq(checkpoint_round(r.j), -EIO);
	ck_assert_int_eq(lanes_reclaim(r.j, r.j->applied_seq, r.j->applied_seq),
			 -EIO);
	for (unsigned int i = 0; i < r.j->lanes; i++)
		after += atomic_load(&r.j->lane[i].used);
	ck_assert_uint_eq(after, used);
	ck_assert_int_eq(jrig_write(&r, jrig_block(&r, 0), 0, 1), -EIO);
	ck_assert_int_eq(jrig_close(&r), -EIO);
}
END_TEST

/* --- hostile records ------------------------------------------------------ */

/* A record with a right checksum that pinfs would not have written. */
static const struct hostile {
	const char *what;
	unsigned int kind;
	uint64_t blkno; /* 0: the first free one */
	uint32_t first, count;
	uint32_t entries; /* 0: 1 */
	uint32_t length; /* 0: 192 */
	uint64_t seq; /* 0: the next */
} hostile[] = {
	{ "kind", 0, 0, 0, 1, 0, 0, 0 },
	{ "kind", 9, 0, 0, 1, 0, 0, 0 },
	{ "lines past the block", PINFS_JENTRY_LINES, 0, 64, 1, 0, 0, 0 },
	{ "lines past the block", PINFS_JENTRY_LINES, 0, UINT32_MAX, 1, 0, 0,
	  0 },
	{ "lines past the block", PINFS_JENTRY_LINES, 0, 1, UINT32_MAX, 0, 0,
	  0 },
	{ "no lines", PINFS_JENTRY_LINES, 0, 1, 0, 0, 0, 0 },
	{ "fewer lines", PINFS_JENTRY_LINES, 0, 0, 2, 0, 0, 0 },
	{ "superblock", PINFS_JENTRY_LINES, UINT64_MAX, 0, 1, 0, 0, 0 },
	{ "journal", PINFS_JENTRY_LINES, 1, 0, 1, 0, 0, 0 },
	{ "backup", PINFS_JENTRY_LINES, 4095, 0, 1, 0, 0, 0 },
	{ "past the pool", PINFS_JENTRY_LINES, 4096, 0, 1, 0, 0, 0 },
	{ "far past it", PINFS_JENTRY_LINES, PINFS_JENTRY_BLOCK_MASK - 1, 0, 1,
	  0, 0, 0 },
	{ "bits past the map", PINFS_JENTRY_SET, 260, PINFS_GROUP_BLOCKS, 1, 0,
	  128, 0 },
	{ "bits past the map", PINFS_JENTRY_CLEAR, 260, UINT32_MAX, UINT32_MAX,
	  0, 128, 0 },
	{ "more entries", PINFS_JENTRY_SET, 260, 3000, 1, 9, 128, 0 },
	{ "more entries", PINFS_JENTRY_SET, 260, 3000, 1, UINT32_MAX, 128, 0 },
	{ "more entries", PINFS_JENTRY_SET, 260, 3000, 1, 1u << 28, 128, 0 },
	{ "longer", PINFS_JENTRY_SET, 260, 3000, 1, 0, 256, 0 },
	{ "number", PINFS_JENTRY_SET, 260, 3000, 1, 0, 128, UINT64_MAX },
};

static struct pinfs_jrec *forge_record(unsigned int lane, uint64_t seq,
				       uint64_t target, uint32_t first,
				       uint32_t count, uint32_t length)
{
	struct pinfs_jrec *rec = (void *)lane_at(lane, 0);
	struct pinfs_jentry *e = (void *)(rec + 1);

	memset(rec, 0, 512);
	rec->magic = cpu_to_le32(PINFS_MAGIC_JREC);
	rec->lane = cpu_to_le32(lane);
	rec->seq = cpu_to_le64(seq);
	rec->entries = cpu_to_le32(1);
	rec->length = cpu_to_le32(length);
	e->target = cpu_to_le64(target);
	e->first = cpu_to_le32(first);
	e->count = cpu_to_le32(count);
	seal_record(rec);
	return rec;
}

/* empty_lanes - a pool left by a crash, with nothing in its lanes */
static void empty_lanes(void)
{
	struct pinfs_jstate *s;

	make(SCRATCH_MEMORY);
	jrig_crash(&r);
	jrig_open_pool(&r);
	s = state();
	memset(s->tail, 0, sizeof(s->tail));
	seal_state(s);
}

START_TEST(hostile_record_is_refused)
{
	const struct hostile *h = &hostile[_i];
	uint64_t blkno = h->blkno == UINT64_MAX ? 0 : h->blkno, seq;
	uint8_t *before = malloc(JRIG_SMALL);
	struct pinfs_jrec *rec;

	empty_lanes();
	if (h->blkno == 0)
		blkno = jrig_block(&r, 0);
	seq = h->seq ? h->seq : le64_to_cpu(state()->checkpoint_seq) + 1;
	rec = forge_record(1, seq,
			   blkno | (uint64_t)h->kind << PINFS_JENTRY_KIND_SHIFT,
			   h->first, h->count, h->length ? h->length : 192);
	if (h->entries) {
		rec->entries = cpu_to_le32(h->entries);
		seal_record(rec);
	}
	memcpy(before, r.pool->base, JRIG_SMALL);
	if (jrig_try_journal(&r, 0) != -EUCLEAN)
		ck_abort_msg("taken: %s", h->what);
	ck_assert_mem_eq(before, r.pool->base, JRIG_SMALL);
	pool_close(r.pool);
	free(before);
}
END_TEST

/* The forged record itself is fine, or the test above would show nothing. */
START_TEST(forged_record_is_taken)
{
	uint64_t seq, blk;

	empty_lanes();
	blk = jrig_block(&r, 0);
	seq = le64_to_cpu(state()->checkpoint_seq) + 1;
	forge_record(1, seq,
		     blk | (uint64_t)PINFS_JENTRY_LINES
				     << PINFS_JENTRY_KIND_SHIFT,
		     3, 1, 192);
	memset(lane_at(1, 128), 0x77, 64);
	seal_record((void *)lane_at(1, 0));
	jrig_open_journal(&r);
	ck_assert_uint_eq(r.rec.replayed, 1);
	ck_assert_uint_eq(jrig_read(&r, blk, 3), 0x7777777777777777ull);
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

/*
 * Sane entries to the very end of the pool: only the count says that they are
 * not the record's.
 */
START_TEST(entries_end_with_the_record)
{
	struct pinfs_jrec *rec;
	struct pinfs_jentry *e;
	uint64_t seq, target;

	empty_lanes();
	seq = le64_to_cpu(state()->checkpoint_seq) + 1;
	target = jrig_bitmap(&r) | (uint64_t)PINFS_JENTRY_SET
					   << PINFS_JENTRY_KIND_SHIFT;
	rec = forge_record(3, seq, target, 3000, 1, 128);
	rec->entries = cpu_to_le32(UINT32_MAX);
	for (e = (void *)(rec + 1); pool_contains(r.pool, e); e++) {
		e->target = cpu_to_le64(target);
		e->first = cpu_to_le32(3000);
		e->count = cpu_to_le32(1);
	}
	seal_record(rec);
	ck_assert_int_eq(jrig_try_journal(&r, 0), -EUCLEAN);
	pool_close(r.pool);
}
END_TEST

/* A lane that ends with what is no record, or goes in circles */
START_TEST(lane_ends_at_what_is_no_record)
{
	struct pinfs_jrec *rec;
	uint64_t seq, target;

	empty_lanes();
	seq = le64_to_cpu(state()->checkpoint_seq) + 1;
	target = jrig_block(&r, 0) | (uint64_t)PINFS_JENTRY_LINES
					     << PINFS_JENTRY_KIND_SHIFT;
	rec = forge_record(0, seq, target, 0, 1, 192);
	switch (_i) {
	case 0: /* longer than the lane */
		rec->length = cpu_to_le32((uint32_t)lane_bytes() + 64);
		break;
	case 1:
		rec->length = cpu_to_le32(0);
		break;
	case 2:
		rec->length = cpu_to_le32(UINT32_MAX);
		break;
	case 3: /* another lane's */
		rec->lane = cpu_to_le32(2);
		seal_record(rec);
		break;
	case 4: /* an old one */
		rec->seq = cpu_to_le64(seq - 1);
		seal_record(rec);
		break;
	case 5: /* from the start to the start, for ever */
		rec->flags = cpu_to_le32(PINFS_JREC_WRAP);
		seal_record(rec);
		break;
	default: /* not at a multiple of 64 */
		rec->length = cpu_to_le32(190);
		seal_record(rec);
	}
	jrig_open_journal(&r);
	ck_assert_uint_eq(r.rec.replayed, 0);
	ck_assert_uint_eq(jrig_read(&r, jrig_block(&r, 0), 0), 0);
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

START_TEST(hostile_state_is_refused)
{
	struct pinfs_jstate *s;

	empty_lanes();
	s = state();
	switch (_i) {
	case 0:
		s->tail[1] = cpu_to_le32((uint32_t)lane_bytes());
		break;
	case 1:
		s->tail[3] = cpu_to_le32(UINT32_MAX - 63);
		break;
	case 2:
		s->checkpoint_seq = cpu_to_le64(UINT64_MAX);
		break;
	case 3:
		s->sealed_seq = cpu_to_le64(UINT64_MAX - 1);
		break;
	case 4: /* counters: of the state alone */
		s->free_blocks = cpu_to_le64(1ull << 63);
		break;
	case 5:
		s->used_inodes = cpu_to_le64(UINT64_MAX);
		break;
	case 6:
		s->flags = cpu_to_le32(PINFS_JSTATE_CLEAN);
		s->free_blocks = cpu_to_le64(UINT64_MAX);
		break;
	case 7: /* and with what a record adds */
		forge_record(1, le64_to_cpu(s->checkpoint_seq) + 1,
			     jrig_block(&r, 0) |
				     (uint64_t)PINFS_JENTRY_LINES
					     << PINFS_JENTRY_KIND_SHIFT,
			     3, 1, 192)
			->free_delta = cpu_to_le64(1ull << 63);
		seal_record((void *)lane_at(1, 0));
		break;
	default:
		s->update = cpu_to_le64(UINT64_MAX);
	}
	seal_state(s);
	ck_assert_int_eq(jrig_try_journal(&r, 0), -EUCLEAN);
	ck_assert_int_eq(jrig_try_journal(&r, JOURNAL_READ_ONLY), -EUCLEAN);
	pool_close(r.pool);
}
END_TEST

/* --- recovery in a process that is killed in it --------------------------- */

static void write_everywhere(void)
{
	struct tx *tx;

	for (unsigned int i = 0; i < 200; i++) {
		unsigned int guard = journal_enter(r.j);

		tx = tx_begin(r.j);
		for (unsigned int k = 0; k < 3; k++) {
			uint64_t *p = tx_lines(tx, jrig_block(&r, k), i % 64, 1,
					       jrig_plain);

			for (unsigned int w = 0; w < 8; w++)
				p[w] = i + 1;
		}
		tx_set_bits(tx, jrig_bitmap(&r), 1000 + i, 1);
		tx_count(tx, -1, 1);
		ck_assert_int_eq(tx_commit(tx), 0);
		journal_leave(r.j, guard);
	}
}

static int recover_to_the_cut(void *arg, long stores)
{
	(void)arg;
	jrig_open_pool(&r);
	scratch_cut_after(r.pool, stores);
	return jrig_try_journal(&r, JOURNAL_NO_THREAD);
}

/* _i: memory or file. Cut after ever more stores until it gets to its end. */
START_TEST(recovery_can_be_killed)
{
	long stores = 0;
	int64_t free_blocks;

	if (_i)
		jrig_make_file(&r, JRIG_SMALL, 0);
	else
		make(SCRATCH_MEMORY);
	free_blocks = jrig_free_blocks(&r);
	write_everywhere();
	jrig_crash(&r);
	while (!scratch_cut(recover_to_the_cut, NULL, stores))
		stores += stores / 4 + 1;
	ck_assert_int_gt(stores, 100);
	/* The last one was not closed either. */
	jrig_open(&r);
	for (unsigned int i = 136; i < 200; i++)
		for (unsigned int k = 0; k < 3; k++)
			ck_assert_uint_eq(jrig_read(&r, jrig_block(&r, k),
						    i % 64),
					  i + 1);
	ck_assert_int_eq(journal_bring_home(r.j), 0);
	jrig_check_space(&r);
	ck_assert_int_eq(jrig_free_blocks(&r), free_blocks - 200);
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

static TCase *tcase_crashes(void)
{
	TCase *tc = tcase_create("crashes");

	tcase_add_loop_test(tc, killed_daemon_loses_nothing, 0, SCRATCH_KINDS);
	tcase_add_test(tc, power_cut_leaves_the_sealed_prefix);
	tcase_add_test(tc, numbers_skip_what_may_lie_behind_a_gap);
	tcase_add_test(tc, unknown_boot_is_another_one);
	tcase_add_test(tc, torn_record_is_none);
	tcase_add_loop_test(tc, torn_state_is_the_one_before, 0, SCRATCH_KINDS);
	tcase_add_loop_test(tc, read_only_changes_nothing, 0, SCRATCH_KINDS);
	tcase_add_loop_test(tc, replay_spares_what_was_freed, 0, 3);
	tcase_add_test(tc, replay_spares_what_a_large_free_held);
	tcase_add_test(tc, checkpoint_never_goes_back);
	tcase_add_test(tc, room_comes_with_the_state_only);
	tcase_add_loop_test(tc, recovery_can_be_killed, 0, 2);
	return tc;
}

static TCase *tcase_hostile(void)
{
	TCase *tc = tcase_create("hostile");

	tcase_add_loop_test(tc, hostile_record_is_refused, 0,
			    (int)ARRAY_SIZE(hostile));
	tcase_add_test(tc, forged_record_is_taken);
	tcase_add_test(tc, entries_end_with_the_record);
	tcase_add_loop_test(tc, lane_ends_at_what_is_no_record, 0, 7);
	tcase_add_loop_test(tc, hostile_state_is_refused, 0, 9);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("journal_recover");
	TCase *tc[] = { tcase_crashes(), tcase_hostile() };

	for (unsigned int i = 0; i < ARRAY_SIZE(tc); i++) {
		tcase_add_unchecked_fixture(tc[i], scratch_setup,
					    scratch_teardown);
		tcase_set_timeout(tc[i], 20);
		suite_add_tcase(s, tc[i]);
	}
	return scratch_run(s);
}
