// SPDX-License-Identifier: BSD-3-Clause
/*
 * Recovery: bring home the records that the last owner left (S3).
 *
 * On persistent memory a whole record is a durable one, and those that are
 * missing touch nothing that a present one builds on: all are replayed. On an
 * ordinary file records after sealed_seq count only if the kernel that took
 * them is still running (its page cache is what they were written to); after
 * power loss they may be there without the data that they speak of (S4), or
 * with gaps.
 *
 * The time it takes is bounded by the lanes. It can be cut anywhere: until
 * checkpoint_seq moves, the same records are there to be replayed.
 */
#include "journal/journal_i.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* entry_is_sane - inside the pool and the block (S5) */
static bool entry_is_sane(const struct journal *j, const struct pinfs_jentry *e)
{
	uint64_t first = le32_to_cpu(e->first), count = le32_to_cpu(e->count);
	uint64_t blkno = jentry_block(e);

	if (blkno < le64_to_cpu(j->sb->root_block) ||
	    blkno >= le64_to_cpu(j->sb->total_blocks) - 1 || count == 0)
		return false;
	switch (jentry_kind(e)) {
	case PINFS_JENTRY_LINES:
		return first + count <= PINFS_LINES_PER_BLOCK;
	case PINFS_JENTRY_SET:
	case PINFS_JENTRY_CLEAR:
		return first + count <= PINFS_GROUP_BLOCKS;
	default:
		return false;
	}
}

static bool entries_are_sane(const struct journal *j,
			     const struct pinfs_jrec *rec)
{
	const struct pinfs_jentry *e = jrec_entries(rec);
	uint64_t entries = le32_to_cpu(rec->entries);
	uint64_t length = le32_to_cpu(rec->length), lines = 0;

	if (sizeof(*rec) + entries * sizeof(*e) > length)
		return false;
	for (uint64_t i = 0; i < entries; i++) {
		if (!entry_is_sane(j, &e[i]))
			return false;
		if (jentry_kind(&e[i]) == PINFS_JENTRY_LINES)
			lines += le32_to_cpu(e[i].count);
	}
	return (uint64_t)(jrec_lines(rec) - (const uint8_t *)rec) +
		       lines * PINFS_LINE_SIZE ==
	       length;
}

/* record_at - the whole record at offset, or NULL if there is none */
static const struct pinfs_jrec *
record_at(const struct journal *j, const struct lane *lane, uint32_t offset)
{
	const struct pinfs_jrec *rec = (const void *)(lane->base + offset);
	uint32_t length;

	if (le32_to_cpu(rec->magic) != PINFS_MAGIC_JREC)
		return NULL;
	length = le32_to_cpu(rec->length);
	if (length < sizeof(*rec) || length % PINFS_LINE_SIZE != 0 ||
	    length > lane->size - offset)
		return NULL;
	if (le64_to_cpu(rec->csum) != jrec_csum(j, rec))
		return NULL;
	return rec;
}

/* struct walk - over the records of one lane */
struct walk {
	uint32_t offset;
	uint32_t walked; /* bytes, so that it ends */
	uint64_t seq; /* of the record before */
};

/* walk_next - the next record in the lane's order; 0: there is none */
static int walk_next(const struct journal *j, const struct lane *lane,
		     struct walk *w, const struct pinfs_jrec **out)
{
	while (w->walked < lane->size) {
		const struct pinfs_jrec *rec = record_at(j, lane, w->offset);

		if (!rec || le32_to_cpu(rec->lane) != lane->index ||
		    le64_to_cpu(rec->seq) <= w->seq)
			return 0;
		if (le32_to_cpu(rec->flags) & PINFS_JREC_WRAP) {
			w->walked += lane->size - w->offset;
			w->offset = 0;
			continue;
		}
		if (!entries_are_sane(j, rec) ||
		    le64_to_cpu(rec->seq) > JOURNAL_MAX_SEQ) {
			log_error("%s: journal: lane %u: the record at %u is "
				  "not one that pinfs wrote",
				  j->pool->path, lane->index, w->offset);
			return -EUCLEAN;
		}
		w->seq = le64_to_cpu(rec->seq);
		w->walked += le32_to_cpu(rec->length);
		w->offset = (w->offset + le32_to_cpu(rec->length)) % lane->size;
		*out = rec;
		return 1;
	}
	return 0;
}

/* struct found - what the lanes hold */
struct found {
	struct record_set set;
	uint64_t last_seq;
	uint64_t dropped;
	uint64_t free_delta; /* in two's complement, as the records have them */
	uint64_t inode_delta;
};

static int find_in_lane(struct journal *j, const struct lane *lane,
			uint64_t limit, struct found *f)
{
	struct walk w = {
		.offset = le32_to_cpu(j->state.tail[lane->index]),
		.seq = le64_to_cpu(j->state.checkpoint_seq),
	};
	const struct pinfs_jrec *rec = NULL;
	int err;

	while ((err = walk_next(j, lane, &w, &rec)) > 0) {
		f->last_seq = w.seq > f->last_seq ? w.seq : f->last_seq;
		if (w.seq > limit) {
			f->dropped++;
			continue;
		}
		f->free_delta += le64_to_cpu(rec->free_delta);
		f->inode_delta += le64_to_cpu(rec->inode_delta);
		err = record_set_add(&f->set, rec);
		if (err)
			return err;
	}
	return err;
}

/* replay_limit - the youngest record that may be replayed */
static uint64_t replay_limit(const struct journal *j)
{
	static const uint8_t unknown[sizeof(j->boot_id)];
	const struct pinfs_jstate *s = &j->state;

	if (!(le32_to_cpu(s->flags) & PINFS_JSTATE_VOLATILE))
		return UINT64_MAX;
	if (memcmp(s->boot_id, j->boot_id, sizeof(s->boot_id)) == 0 &&
	    memcmp(s->boot_id, unknown, sizeof(unknown)) != 0)
		return UINT64_MAX;
	return le64_to_cpu(s->sealed_seq);
}

/*
 * finish - the state after the replay: empty lanes
 *
 * Numbers go on beyond any record that may still lie somewhere behind a gap,
 * so that none of them is ever taken for a young one: no more than fill the
 * lanes can have been given out since the last one that was found.
 */
static int finish(struct journal *j, const struct found *f)
{
	struct pinfs_jstate *s = &j->state;
	uint64_t gap = (uint64_t)j->lanes * (j->lane[0].size / PINFS_LINE_SIZE);

	s->checkpoint_seq = cpu_to_le64(f->last_seq + gap);
	s->sealed_seq = s->checkpoint_seq;
	s->free_blocks =
		cpu_to_le64(le64_to_cpu(s->free_blocks) + f->free_delta);
	s->used_inodes =
		cpu_to_le64(le64_to_cpu(s->used_inodes) + f->inode_delta);
	memset(s->tail, 0, sizeof(s->tail));
	return jstate_write(j);
}

/* seal_found - make records that only the page cache may hold durable */
static int seal_found(struct journal *j, const struct found *f)
{
	int err = pool_sync(j->pool);

	if (err)
		return err;
	j->state.sealed_seq = cpu_to_le64(f->last_seq);
	err = jstate_write(j);
	return err ? err : pool_sync(j->pool);
}

static int apply_found(struct journal *j, const struct found *f)
{
	int err;

	j->recovering = true;
	err = apply_set(j, &f->set);
	j->recovering = false;
	return err;
}

/*
 * replay - home locations may change only when the records are durable, for
 * the power may fail in here too
 */
static int replay(struct journal *j, const struct found *f, uint64_t limit)
{
	int err = 0;

	if (j->pool->kind == POOL_FILE && f->set.count > 0 &&
	    limit == UINT64_MAX)
		err = seal_found(j, f);
	if (!err && OMITTED("S-finish"))
		err = finish(j, f);
	if (!err)
		err = apply_found(j, f);
	if (err)
		return err;
	err = pool_sync(j->pool);
	if (!err && !OMITTED("S-finish"))
		err = finish(j, f);
	if (!err)
		err = pool_sync(j->pool);
	return err;
}

/* counts_are_sane - what the counters are with the records that were found (S5) */
static bool counts_are_sane(const struct journal *j, const struct found *f)
{
	uint64_t free_blocks =
		le64_to_cpu(j->state.free_blocks) + f->free_delta;
	uint64_t used_inodes =
		le64_to_cpu(j->state.used_inodes) + f->inode_delta;

	if (free_blocks <= le64_to_cpu(j->sb->total_blocks) &&
	    used_inodes <= 1ull << PINFS_INO_BITS)
		return true;
	log_error("%s: journal: %lld free blocks and %lld inodes cannot be; "
		  "run fsck.pinfs",
		  j->pool->path, (long long)free_blocks,
		  (long long)used_inodes);
	return false;
}

/* journal_recover - j->state is loaded, the lanes are set up and idle */
int journal_recover(struct journal *j, struct journal_recovery *rec)
{
	struct found f = { .last_seq = le64_to_cpu(j->state.sealed_seq) };
	uint64_t limit = replay_limit(j);
	int err = 0;

	rec->was_clean = le32_to_cpu(j->state.flags) & PINFS_JSTATE_CLEAN;
	rec->replayed = 0;
	rec->dropped = 0;
	if (rec->was_clean)
		return counts_are_sane(j, &f) ? 0 : -EUCLEAN;
	if (f.last_seq < le64_to_cpu(j->state.checkpoint_seq))
		f.last_seq = le64_to_cpu(j->state.checkpoint_seq);
	for (uint32_t i = 0; i < j->lanes && !err; i++)
		err = find_in_lane(j, &j->lane[i], limit, &f);
	if (!err && !counts_are_sane(j, &f))
		err = -EUCLEAN;
	if (!err && j->read_only)
		err = f.set.count > 0 ? -EUCLEAN : 0;
	else if (!err)
		err = replay(j, &f, limit);
	rec->replayed = f.set.count;
	rec->dropped = f.dropped;
	free(f.set.rec);
	return err;
}
