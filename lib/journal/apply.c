// SPDX-License-Identifier: BSD-3-Clause
/*
 * Bringing records to their home locations: one at once on persistent memory,
 * a set of them, in order, for the checkpointer and for recovery. Doing it
 * twice does no harm, so both may be cut anywhere and repeated (S3).
 */
#include "journal/journal_i.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* bits_change - set or clear a run; returns by how many clear ones grew */
static int64_t bits_change(struct pinfs_bitmap *b, uint32_t first,
			   uint32_t count, bool set)
{
	int64_t grown = 0;

	while (count > 0) {
		uint32_t word = first / 64, bit = first % 64;
		uint32_t n = 64 - bit < count ? 64 - bit : count;
		uint64_t mask = (n == 64 ? ~0ull : (1ull << n) - 1) << bit;
		uint64_t old = le64_to_cpu(b->bits[word]);
		uint64_t new = set ? old | mask : old & ~mask;

		grown += __builtin_popcountll(old) - __builtin_popcountll(new);
		b->bits[word] = cpu_to_le64(new);
		first += n;
		count -= n;
	}
	return grown;
}

/*
 * count_clear - for recovery, where the header may be older than the bits: the
 * crash may have come between the stores of apply_bits()
 */
static uint64_t count_clear(const struct pinfs_bitmap *b)
{
	uint64_t clear = 0;

	for (size_t i = 0; i < PINFS_BITMAP_BYTES / 8; i++)
		clear += 64u - (unsigned int)__builtin_popcountll(
				       le64_to_cpu(b->bits[i]));
	return clear;
}

static void flush_bits(struct journal *j, struct pinfs_bitmap *b,
		       uint32_t first, uint32_t count)
{
	size_t from = first / 64 * 8,
	       to = ((size_t)first + count + 63) / 64 * 8;

	persist_flush(j->pool, (uint8_t *)b->bits + from, to - from);
	persist_flush(j->pool, &b->hdr, sizeof(b->hdr));
}

/*
 * apply_bits - of a bitmap block at home
 *
 * Two transactions may share the block, hence the lock. The stores go straight
 * to the pool, unlike all others: they are covered by the record, and the
 * flush below is the table's.
 */
static void apply_bits(struct journal *j, const struct pinfs_jentry *e)
{
	uint64_t blkno = jentry_block(e);
	struct pinfs_bitmap copy, *home = journal_home(j, blkno);
	pthread_mutex_t *lock = &j->bitmap_lock[blkno % BITMAP_LOCKS];
	uint32_t first = le32_to_cpu(e->first), count = le32_to_cpu(e->count);
	int64_t grown;

	pthread_mutex_lock(lock);
	copy = *home;
	grown = bits_change(&copy, first, count,
			    jentry_kind(e) == PINFS_JENTRY_SET);
	copy.hdr.spec[1] = cpu_to_le64(j->recovering && !OMITTED("S-count") ?
					       count_clear(&copy) :
					       le64_to_cpu(copy.hdr.spec[1]) +
						       (uint64_t)grown);
	format_block_seal(&copy.hdr, blkno, j->seed);
	j->pool->persist->copy(j->pool, (uint8_t *)home->bits + first / 64 * 8,
			       (uint8_t *)copy.bits + first / 64 * 8,
			       ((size_t)first + count + 63) / 64 * 8 -
				       first / 64 * 8);
	j->pool->persist->copy(j->pool, &home->hdr, &copy.hdr,
			       sizeof(copy.hdr));
	flush_bits(j, home, first, count);
	pthread_mutex_unlock(lock);
}

static void apply_lines(struct journal *j, const struct pinfs_jentry *e,
			const uint8_t *lines)
{
	uint8_t *home = journal_home(j, jentry_block(e));

	persist_copy_flush(j->pool,
			   home + le32_to_cpu(e->first) * PINFS_LINE_SIZE,
			   lines, le32_to_cpu(e->count) * PINFS_LINE_SIZE);
}

/* apply_home - one record, flushed; the caller fences */
void apply_home(struct journal *j, const struct pinfs_jrec *rec)
{
	const struct pinfs_jentry *e = jrec_entries(rec);
	const uint8_t *lines = jrec_lines(rec);

	for (uint32_t i = 0; i < le32_to_cpu(rec->entries); i++, e++) {
		if (jentry_kind(e) != PINFS_JENTRY_LINES) {
			apply_bits(j, e);
			continue;
		}
		apply_lines(j, e, lines);
		lines += le32_to_cpu(e->count) * PINFS_LINE_SIZE;
	}
}

int record_set_add(struct record_set *set, const struct pinfs_jrec *rec)
{
	if (set->count == set->room) {
		size_t room = set->room ? set->room * 2 : 64;
		const struct pinfs_jrec **p;

		p = realloc(set->rec, room * sizeof(*p));
		if (!p)
			return -ENOMEM;
		set->rec = p;
		set->room = room;
	}
	set->rec[set->count++] = rec;
	return 0;
}

/*
 * struct revoked - the last transaction in the set that freed a block
 *
 * A block that was metadata, was freed and serves as something else by now must
 * not get its old lines back. Only blocks that the set has lines for matter.
 */
struct revoked {
	uint64_t blkno; /* 0: empty slot */
	uint64_t seq;
};

struct revoke_table {
	struct revoked *slot;
	size_t mask;
};

static struct revoked *revoke_slot(struct revoke_table *t, uint64_t blkno)
{
	size_t i = (size_t)(blkno * 0x9e3779b97f4a7c15ull >> 20) & t->mask;

	while (t->slot[i].blkno && t->slot[i].blkno != blkno)
		i = (i + 1) & t->mask;
	return &t->slot[i];
}

static void revoke_range(struct revoke_table *t, uint64_t first, uint64_t count,
			 uint64_t seq)
{
	if (count <= t->mask) {
		for (uint64_t b = first; b < first + count; b++) {
			struct revoked *r = revoke_slot(t, b);

			if (r->blkno && r->seq < seq)
				r->seq = seq;
		}
		return;
	}
	for (size_t i = 0; i <= t->mask; i++) {
		struct revoked *r = &t->slot[i];

		if (r->blkno >= first && r->blkno - first < count && r->blkno &&
		    r->seq < seq)
			r->seq = seq;
	}
}

typedef void (*entry_fn)(struct journal *j, struct revoke_table *t,
			 const struct pinfs_jentry *e, uint64_t seq);

static void for_each_entry(struct journal *j, struct revoke_table *t,
			   const struct record_set *set, entry_fn fn)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct pinfs_jentry *e = jrec_entries(set->rec[i]);

		for (uint32_t k = 0; k < le32_to_cpu(set->rec[i]->entries); k++)
			fn(j, t, &e[k], le64_to_cpu(set->rec[i]->seq));
	}
}

static void note_lines(struct journal *j, struct revoke_table *t,
		       const struct pinfs_jentry *e, uint64_t seq)
{
	(void)j;
	(void)seq;
	if (jentry_kind(e) == PINFS_JENTRY_LINES)
		revoke_slot(t, jentry_block(e))->blkno = jentry_block(e);
}

static void note_free(struct journal *j, struct revoke_table *t,
		      const struct pinfs_jentry *e, uint64_t seq)
{
	uint64_t start = le64_to_cpu(j->sb->groups_start);
	uint64_t blkno = jentry_block(e);

	if (jentry_kind(e) != PINFS_JENTRY_CLEAR || blkno < start ||
	    blkno - start >= le64_to_cpu(j->sb->groups))
		return;
	revoke_range(
		t, (blkno - start) * PINFS_GROUP_BLOCKS + le32_to_cpu(e->first),
		le32_to_cpu(e->count), seq);
}

static int revoke_build(struct journal *j, struct revoke_table *t,
			const struct record_set *set)
{
	size_t entries = 0, size = 64;

	for (size_t i = 0; i < set->count; i++)
		entries += le32_to_cpu(set->rec[i]->entries);
	while (size < 2 * entries)
		size *= 2;
	t->slot = calloc(size, sizeof(*t->slot));
	if (!t->slot)
		return -ENOMEM;
	t->mask = size - 1;
	for_each_entry(j, t, set, note_lines);
	for_each_entry(j, t, set, note_free);
	return 0;
}

static void apply_unrevoked(struct journal *j, struct revoke_table *t,
			    const struct pinfs_jrec *rec)
{
	const struct pinfs_jentry *e = jrec_entries(rec);
	const uint8_t *lines = jrec_lines(rec);
	uint64_t seq = le64_to_cpu(rec->seq);

	for (uint32_t i = 0; i < le32_to_cpu(rec->entries); i++, e++) {
		if (jentry_kind(e) != PINFS_JENTRY_LINES) {
			apply_bits(j, e);
			continue;
		}
		if (revoke_slot(t, jentry_block(e))->seq < seq ||
		    OMITTED("S-revoke"))
			apply_lines(j, e, lines);
		lines += le32_to_cpu(e->count) * PINFS_LINE_SIZE;
	}
}

static int by_seq(const void *a, const void *b)
{
	const struct pinfs_jrec *const *x = a, *const *y = b;
	uint64_t i = le64_to_cpu((*x)->seq), k = le64_to_cpu((*y)->seq);

	return i < k ? -1 : i > k;
}

/* apply_set - all records of the set in order; the caller makes durable */
int apply_set(struct journal *j, const struct record_set *set)
{
	struct revoke_table t;
	int err;

	if (set->count == 0)
		return 0;
	qsort(set->rec, set->count, sizeof(*set->rec), by_seq);
	err = revoke_build(j, &t, set);
	if (err)
		return err;
	for (size_t i = 0; i < set->count; i++) {
		size_t at = OMITTED("S-replay") ? set->count - 1 - i : i;

		apply_unrevoked(j, &t, set->rec[at]);
	}
	persist_fence(j->pool);
	free(t.slot);
	return 0;
}
