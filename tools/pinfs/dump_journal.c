// SPDX-License-Identifier: BSD-3-Clause
/* pinfs dump POOL journal: both states, and the records of each lane. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "dump.h"
#include "format/csum.h"

struct row {
	uint64_t seq;
	uint32_t offset;
	uint32_t length;
	uint32_t entries;
	int64_t free_delta;
	int64_t inode_delta;
	uint8_t live; /* to be applied by a recovery */
};

#define R(member, kind, label) FIELD(struct row, member, kind, label)

static const struct field fields[] = {
	R(seq, NUMBER, "SEQUENCE"),	R(offset, NUMBER, "OFFSET"),
	R(length, NUMBER, "LENGTH"),	R(entries, NUMBER, "ENTRIES"),
	R(free_delta, SIGNED, "FREED"), R(inode_delta, SIGNED, "INODES"),
	R(live, BOOL, "LIVE"),		FIELD_END,
};

/* struct lane - a private copy of one, and the rows found in it */
struct lane {
	uint8_t *buf;
	uint32_t size;
	uint64_t seed;
	uint64_t checkpoint;
	struct row *row;
	size_t rows;
};

/* A record at off whose checksum is right, or NULL: the end. */
static const struct pinfs_jrec *record_at(const struct lane *l, uint32_t off)
{
	const struct pinfs_jrec *rec = (const void *)(l->buf + off);
	uint32_t length;

	if (off > l->size - sizeof(*rec))
		return NULL;
	length = le32_to_cpu(rec->length);
	if (le32_to_cpu(rec->magic) != PINFS_MAGIC_JREC ||
	    length < sizeof(*rec) || length % PINFS_LINE_SIZE ||
	    length > l->size - off)
		return NULL;
	if (format_csum(rec, length, offsetof(struct pinfs_jrec, csum),
			l->seed) != le64_to_cpu(rec->csum))
		return NULL;
	return rec;
}

static void add_row(struct lane *l, const struct pinfs_jrec *rec, uint32_t off)
{
	uint64_t seq = le64_to_cpu(rec->seq);

	l->row[l->rows++] = (struct row){
		.seq = seq,
		.offset = off,
		.length = le32_to_cpu(rec->length),
		.entries = le32_to_cpu(rec->entries),
		.free_delta = (int64_t)le64_to_cpu(rec->free_delta),
		.inode_delta = (int64_t)le64_to_cpu(rec->inode_delta),
		.live = seq > l->checkpoint,
	};
}

/*
 * From the tail on, once around at most, until the numbers stop growing: what
 * lies there is of an earlier time.  A wrap has the number of the record that
 * it leads to.
 */
static void find_records(struct lane *l, uint32_t tail)
{
	const struct pinfs_jrec *rec;
	uint64_t last = 0, walked = 0;
	uint32_t off = tail;

	while (walked < l->size) {
		rec = record_at(l, off);
		if (!rec || le64_to_cpu(rec->seq) <= last)
			return;
		if (le32_to_cpu(rec->flags) & PINFS_JREC_WRAP) {
			walked += l->size - off;
			off = 0;
			continue;
		}
		last = le64_to_cpu(rec->seq);
		add_row(l, rec, off);
		walked += le32_to_cpu(rec->length);
		off = (off + le32_to_cpu(rec->length)) % l->size;
	}
}

static int read_lane(const struct image *img, uint32_t i, struct lane *l)
{
	const struct pinfs_super *sb = &img->best->sb;
	uint32_t blocks = le32_to_cpu(sb->lane_blocks);
	uint64_t at = le64_to_cpu(sb->journal_start) + 2 + (uint64_t)i * blocks;
	uint32_t b;
	int err;

	for (b = 0; b < blocks; b++) {
		err = image_read(img, at + b,
				 l->buf + (size_t)b * PINFS_BLOCK_SIZE);
		if (err)
			return err;
	}
	return 0;
}

static int dump_lane(struct out *o, const struct image *img, uint32_t i,
		     uint32_t tail, struct lane *l)
{
	char title[32];
	int err;

	err = read_lane(img, i, l);
	if (err)
		return err;
	l->rows = 0;
	if (tail < l->size && tail % PINFS_LINE_SIZE == 0)
		find_records(l, tail);
	snprintf(title, sizeof(title), "lane %" PRIu32, i);
	out_item(o, "lanes", title);
	out_number(o, "lane", NULL, i);
	out_number(o, "tail", "tail", tail);
	out_number(o, "count", "records", l->rows);
	out_rows(o, "records", fields, l->row, l->rows, sizeof(*l->row));
	out_end(o);
	return 0;
}

static int dump_lanes(struct out *o, const struct image *img,
		      const struct pinfs_jstate *st)
{
	uint64_t blocks = le32_to_cpu(img->best->sb.lane_blocks);
	uint32_t i, lanes = le32_to_cpu(img->best->sb.lanes);
	struct lane l = {
		.seed = img->seed,
		.checkpoint = le64_to_cpu(st->checkpoint_seq),
	};
	int err = -ENOMEM;

	/* A damaged superblock may say anything. */
	if (!lanes || lanes > PINFS_MAX_LANES || !blocks ||
	    blocks > img->blocks || blocks > UINT32_MAX / PINFS_BLOCK_SIZE)
		return -EUCLEAN;
	l.size = (uint32_t)blocks * PINFS_BLOCK_SIZE;
	l.buf = malloc(l.size);
	l.row = malloc((size_t)(l.size / PINFS_LINE_SIZE + 1) * sizeof(*l.row));
	if (l.buf && l.row)
		err = 0;
	for (i = 0; i < lanes && !err; i++)
		err = dump_lane(o, img, i, le32_to_cpu(st->tail[i]), &l);
	free(l.row);
	free(l.buf);
	return err;
}

int dump_journal(struct out *o, const struct image *img, const char **why)
{
	uint64_t at = le64_to_cpu(img->best->sb.journal_start);
	struct pinfs_jstate st[2];
	const char *bad;
	int i, live, err;

	err = image_jstates(img, st, &live);
	if (err) {
		*why = "its place is out of the pool";
		return err;
	}
	for (i = 0; i < 2; i++) {
		bad = NULL;
		format_block_verify(&st[i].hdr, PINFS_MAGIC_JSTATE,
				    at + (uint64_t)i, img->seed, &bad);
		out_item(o, "states", i ? "state B" : "state A");
		out_number(o, "block", "block", at + (uint64_t)i);
		out_bool(o, "in_force", "in force", i == live);
		dump_verdict(o, bad);
		out_fields(o, media_jstate, &st[i]);
		out_end(o);
	}
	/* Without a state nobody knows where the lanes begin. */
	if (live < 0)
		return 0;
	err = dump_lanes(o, img, &st[live]);
	if (err == -EUCLEAN || err == -ERANGE)
		*why = "the superblock gives it an impossible size";
	return err;
}
