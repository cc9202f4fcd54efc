// SPDX-License-Identifier: BSD-3-Clause
/* The changes of an input, made and sealed. */
#include <string.h>

#include "base/util.h"
#include "format/csum.h"
#include "image_i.h"

/* struct spot - what an item is about, in bytes of the pool */
struct spot {
	enum target target;
	uint64_t off;
	uint32_t len;
	uint64_t ino; /* inodes */
	bool seal, count;
};

/* struct fresh - the record that ENTRY items add to, and COMMIT writes */
struct fresh {
	struct pinfs_jrec head;
	struct pinfs_jentry entry[ITEMS_MAX];
	le64 value[ITEMS_MAX]; /* for the entries' lines */
	uint32_t entries;
};

static uint64_t choose(const struct atlas *a, enum target t, uint64_t index)
{
	const struct places *p = &a->of[t > TARGET_ANY ? TARGET_ANY : t];

	return p->at[index % p->count];
}

static uint64_t ino_of(const struct atlas *a, uint64_t index)
{
	return a->ino[index % a->of[TARGET_INODE].count];
}

/* block_of - number of the block that a place of this kind is in */
static uint64_t block_of(const struct atlas *a, enum target t, uint64_t index)
{
	uint64_t at = choose(a, t, index);

	if (t == TARGET_INODE)
		return at / PINFS_INODES_PER_BLOCK;
	if (t == TARGET_RECORD)
		return at / PINFS_LINES_PER_BLOCK;
	return at;
}

static struct spot spot_of(const struct atlas *a, const struct pool *pool,
			   const struct item *it)
{
	struct spot s = {
		.target = it->target & TARGET_MASK,
		.seal = !(it->target & TARGET_RAW),
		.count = it->change & CHANGE_COUNT,
		.len = PINFS_BLOCK_SIZE,
	};
	uint64_t index = le16_to_cpu(it->index);
	uint64_t at = choose(a, s.target, index);
	const struct pinfs_jrec *rec;

	switch (s.target) {
	case TARGET_INODE:
		s.ino = ino_of(a, index);
		s.len = PINFS_INODE_SIZE;
		s.off = at * PINFS_INODE_SIZE;
		break;
	case TARGET_RECORD:
		s.off = at * PINFS_LINE_SIZE;
		rec = (const void *)(pool->base + s.off);
		s.len = le32_to_cpu(rec->length);
		/* An earlier item may have changed it. */
		if (s.len < sizeof(*rec) || s.len > 65536)
			s.len = sizeof(*rec);
		break;
	default:
		s.off = at * PINFS_BLOCK_SIZE;
	}
	return s;
}

/* --- changing --------------------------------------------------------------- */

static void store(uint8_t *to, uint32_t room, uint64_t value, uint32_t size)
{
	le64 v = cpu_to_le64(value);

	memcpy(to, &v, min_u64(min_u64(size, sizeof(v)), room));
}

static void add(uint8_t *to, uint32_t room, uint64_t value, uint32_t size)
{
	uint32_t n = (uint32_t)min_u64(min_u64(size, sizeof(le64)), room);
	le64 was = { 0 };

	memcpy(&was, to, n);
	store(to, room, le64_to_cpu(was) + value, n);
}

static void change(const struct atlas *a, struct pool *pool,
		   const struct spot *s, const struct item *it)
{
	uint64_t value = le64_to_cpu(it->value);
	uint32_t at = le16_to_cpu(it->at) % s->len, room = s->len - at;
	uint8_t *to = pool->base + s->off + at;
	enum target ref = it->ref & TARGET_MASK;

	switch ((it->change & CHANGE_MASK) % CHANGES) {
	case CHANGE_STORE:
		store(to, room, value, it->size);
		break;
	case CHANGE_BLOCK:
		store(to, room, block_of(a, ref, value), sizeof(le64));
		break;
	case CHANGE_INO:
		store(to, room, ino_of(a, value), sizeof(le64));
		break;
	case CHANGE_ADD:
		add(to, room, value, it->size);
		break;
	case CHANGE_FILL:
		memset(to, (int)(value & 255), min_u64(it->size * 16u, room));
		break;
	case CHANGE_COPY:
		memmove(pool->base + s->off,
			pool->base + block_of(a, ref, value) * PINFS_BLOCK_SIZE,
			min_u64(s->len, PINFS_BLOCK_SIZE));
		break;
	}
}

/* --- sealing ----------------------------------------------------------------- */

static void seal_inode(struct pinfs_inode *di, uint64_t seed)
{
	format_inode_seal(di, seed);
	format_orphan_seal(&di->orphan, seed);
}

static void seal_root(struct pinfs_root *root, uint64_t seed)
{
	seal_inode(&root->itable, seed);
	for (unsigned int i = 0; i < PINFS_ORPHAN_LISTS; i++)
		format_orphan_seal(&root->head[i], seed);
}

static void count_clear(struct pinfs_bitmap *b)
{
	uint64_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(b->bits); i++)
		n += (unsigned int)__builtin_popcountll(
			~le64_to_cpu(b->bits[i]));
	b->hdr.spec[1] = cpu_to_le64(n);
}

static void seal_record(struct pinfs_jrec *rec, uint32_t len, uint64_t seed)
{
	uint32_t now = le32_to_cpu(rec->length);

	/* As long as it says, if that can be. */
	if (now >= sizeof(*rec) && now <= 65536)
		len = now;
	rec->csum = cpu_to_le64(
		format_csum(rec, len, offsetof(struct pinfs_jrec, csum), seed));
}

static void seal(struct pool *pool, const struct spot *s, uint64_t seed)
{
	void *p = pool->base + s->off;

	switch (s->target) {
	case TARGET_ANY:
		break;
	case TARGET_SUPER:
		format_super_seal(p, s->off / PINFS_BLOCK_SIZE);
		break;
	case TARGET_ROOT:
		seal_root(p, seed);
		break;
	case TARGET_INODE:
		seal_inode(p, seed);
		break;
	case TARGET_RECORD:
		seal_record(p, s->len, seed);
		break;
	case TARGET_GROUP:
	case TARGET_IMAP:
		if (s->count)
			count_clear(p);
		/* fall through */
	default:
		format_block_seal(p, s->off / PINFS_BLOCK_SIZE, seed);
	}
}

/* --- new records ----------------------------------------------------------------- */

static void new_entry(const struct atlas *a, struct fresh *f,
		      const struct item *it)
{
	uint64_t blkno =
		block_of(a, it->ref & TARGET_MASK, le16_to_cpu(it->index));
	struct pinfs_jentry *e;

	if (f->entries == ITEMS_MAX)
		return;
	e = &f->entry[f->entries];
	e->target = cpu_to_le64(blkno | (uint64_t)(it->change & CHANGE_MASK)
						<< PINFS_JENTRY_KIND_SHIFT);
	e->first = cpu_to_le32(le16_to_cpu(it->at));
	e->count = cpu_to_le32(it->size);
	f->value[f->entries++] = it->value;
}

/* lines_of - how many lines an entry brings */
static uint32_t lines_of(const struct pinfs_jentry *e)
{
	uint64_t kind = le64_to_cpu(e->target) >> PINFS_JENTRY_KIND_SHIFT;

	return kind == PINFS_JENTRY_LINES ? le32_to_cpu(e->count) : 0;
}

/* put_lines - as they are now, but for the first bytes of each entry's */
static uint8_t *put_lines(struct pool *pool, const struct pinfs_jentry *e,
			  le64 value, uint8_t *to, const uint8_t *end)
{
	uint64_t at = (le64_to_cpu(e->target) & PINFS_JENTRY_BLOCK_MASK) *
			      PINFS_BLOCK_SIZE +
		      (uint64_t)le32_to_cpu(e->first) * PINFS_LINE_SIZE;
	uint64_t n = (uint64_t)lines_of(e) * PINFS_LINE_SIZE;

	if (!n || n > (uint64_t)(end - to))
		return to;
	if (at < IMAGE_SIZE && n <= IMAGE_SIZE - at)
		memmove(to, pool->base + at, n);
	memcpy(to, &value, sizeof(value));
	return to + n;
}

static void commit(const struct atlas *a, struct pool *pool, struct fresh *f,
		   const struct item *it)
{
	uint32_t lane = le16_to_cpu(it->index) % a->lanes;
	uint32_t size = a->lane_blocks * PINFS_BLOCK_SIZE;
	uint32_t offset = a->lane[lane].offset;
	uint64_t value = le64_to_cpu(it->value), lines = 0;
	uint64_t start = (a->lanes_start + (uint64_t)lane * a->lane_blocks) *
				 PINFS_BLOCK_SIZE +
			 offset;
	uint8_t *to = pool->base + start, *end = to + size - offset;
	uint32_t head = (uint32_t)round_up_u64(
		sizeof(f->head) + f->entries * sizeof(*f->entry),
		PINFS_LINE_SIZE);

	for (uint32_t i = 0; i < f->entries; i++)
		lines += lines_of(&f->entry[i]);
	if (head + lines * PINFS_LINE_SIZE > size - offset)
		return;
	f->head = (struct pinfs_jrec){
		.magic = cpu_to_le32(PINFS_MAGIC_JREC),
		.flags = cpu_to_le32(it->change & 1),
		.seq = cpu_to_le64(a->last_seq + 1 + le16_to_cpu(it->at)),
		.length =
			cpu_to_le32((uint32_t)(head + lines * PINFS_LINE_SIZE)),
		.entries = cpu_to_le32(f->entries),
		.free_delta = cpu_to_le64(value),
		.inode_delta = cpu_to_le64(value >> 32),
		.lane = cpu_to_le32(lane),
	};
	memset(to, 0, head);
	memcpy(to, &f->head, sizeof(f->head));
	memcpy(to + sizeof(f->head), f->entry, f->entries * sizeof(*f->entry));
	to += head;
	for (uint32_t i = 0; i < f->entries; i++)
		to = put_lines(pool, &f->entry[i], f->value[i], to, end);
	seal_record((void *)(pool->base + start), head, a->seed);
	f->entries = 0;
}

void patch(const struct atlas *a, struct pool *pool, const struct item *item,
	   size_t count)
{
	struct spot spot[ITEMS_MAX];
	struct fresh fresh = { .entries = 0 };
	size_t spots = 0;

	for (size_t i = 0; i < count; i++) {
		struct spot *s = &spot[spots];

		*s = spot_of(a, pool, &item[i]);
		if (s->target >= TARGET_ENTRY)
			continue;
		change(a, pool, s, &item[i]);
		spots += s->seal;
	}
	for (size_t i = 0; i < spots; i++)
		seal(pool, &spot[i], a->seed);
	for (size_t i = 0; i < count; i++) {
		if ((item[i].target & TARGET_MASK) == TARGET_ENTRY)
			new_entry(a, &fresh, &item[i]);
		else if ((item[i].target & TARGET_MASK) == TARGET_COMMIT)
			commit(a, pool, &fresh, &item[i]);
	}
}
