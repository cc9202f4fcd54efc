// SPDX-License-Identifier: BSD-3-Clause
/*
 * Transactions: private copies until tx_commit() turns them into a record.
 */
#include "journal/journal_i.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* struct tx_page - a private copy of count lines of a block from first on */
struct tx_page {
	uint64_t blkno;
	uint8_t *data;
	tx_seal_fn seal; /* NULL: pinfs_blkhdr */
	uint8_t first;
	uint8_t count;
	bool fresh; /* goes home by itself, before the record */
};

struct tx_bits {
	uint64_t blkno;
	uint32_t first;
	uint32_t count;
	unsigned int kind;
};

#define TX_PAGES_INLINE 16u
#define TX_BITS_INLINE	16u

struct tx {
	struct journal *j;
	struct tx_page *page;
	size_t pages, page_room;
	struct tx_bits *bits;
	size_t nbits, bits_room;
	int64_t free_delta;
	int64_t inode_delta;
	struct tx_hook *hooks, **hooks_end;
	int err; /* the first failure to note something */
	struct tx_page page_inline[TX_PAGES_INLINE];
	struct tx_bits bits_inline[TX_BITS_INLINE];
};

struct tx *tx_begin(struct journal *j)
{
	struct tx *tx = malloc(sizeof(*tx));

	if (!tx)
		return NULL;
	tx->j = j;
	tx->page = tx->page_inline;
	tx->pages = 0;
	tx->page_room = TX_PAGES_INLINE;
	tx->bits = tx->bits_inline;
	tx->nbits = 0;
	tx->bits_room = TX_BITS_INLINE;
	tx->free_delta = 0;
	tx->inode_delta = 0;
	tx->hooks = NULL;
	tx->hooks_end = &tx->hooks;
	tx->err = 0;
	return tx;
}

static void tx_end(struct tx *tx, bool committed)
{
	struct tx_hook *hook = tx->hooks;

	while (hook) {
		struct tx_hook *next = hook->next;

		hook->fn(hook, committed);
		hook = next;
	}
	for (size_t i = 0; i < tx->pages; i++)
		free(tx->page[i].data);
	if (tx->page != tx->page_inline)
		free(tx->page);
	if (tx->bits != tx->bits_inline)
		free(tx->bits);
	free(tx);
}

void tx_abort(struct tx *tx)
{
	if (tx)
		tx_end(tx, false);
}

struct journal *tx_journal(struct tx *tx)
{
	return tx->j;
}

void tx_on_end(struct tx *tx, struct tx_hook *hook)
{
	hook->next = NULL;
	*tx->hooks_end = hook;
	tx->hooks_end = &hook->next;
}

void tx_count(struct tx *tx, int64_t free_blocks, int64_t used_inodes)
{
	tx->free_delta += free_blocks;
	tx->inode_delta += used_inodes;
}

/* --- pages ---------------------------------------------------------------- */

static struct tx_page *find_page(struct tx *tx, uint64_t blkno,
				 unsigned int first)
{
	for (size_t i = tx->pages; i-- > 0;)
		if (tx->page[i].blkno == blkno && tx->page[i].first == first)
			return &tx->page[i];
	return NULL;
}

/* grow - make room for one more element of an array that began inline */
static void *grow(void *old, const void *inline_room, size_t used, size_t *room,
		  size_t size)
{
	void *p;

	if (used < *room)
		return old;
	p = realloc(old == inline_room ? NULL : old, *room * 2 * size);
	if (!p)
		return NULL;
	if (old == inline_room)
		memcpy(p, old, used * size);
	*room *= 2;
	return p;
}

static struct tx_page *add_page(struct tx *tx, uint64_t blkno,
				unsigned int first, unsigned int count)
{
	struct tx_page *page;
	uint8_t *data = malloc((size_t)count * PINFS_LINE_SIZE);

	if (!data)
		goto err_memory;
	page = grow(tx->page, tx->page_inline, tx->pages, &tx->page_room,
		    sizeof(*page));
	if (!page)
		goto err_data;
	tx->page = page;
	page = &tx->page[tx->pages++];
	page->blkno = blkno;
	page->data = data;
	page->seal = NULL;
	page->first = (uint8_t)first;
	page->count = (uint8_t)count;
	page->fresh = false;
	return page;

err_data:
	free(data);
err_memory:
	tx->err = -ENOMEM;
	return NULL;
}

void *tx_lines(struct tx *tx, uint64_t blkno, unsigned int first,
	       unsigned int count, tx_seal_fn seal)
{
	struct tx_page *page = find_page(tx, blkno, first);
	const uint8_t *now;

	assert(first + count <= PINFS_LINES_PER_BLOCK);
	if (page) {
		assert(page->count == count);
		return page->data;
	}
	page = add_page(tx, blkno, first, count);
	if (!page)
		return NULL;
	now = journal_read(tx->j, blkno);
	memcpy(page->data, now + first * PINFS_LINE_SIZE,
	       (size_t)count * PINFS_LINE_SIZE);
	page->seal = seal;
	return page->data;
}

void *tx_block(struct tx *tx, uint64_t blkno)
{
	return tx_lines(tx, blkno, 0, PINFS_LINES_PER_BLOCK, NULL);
}

void *tx_block_new(struct tx *tx, uint64_t blkno)
{
	struct tx_page *page = find_page(tx, blkno, 0);

	if (!page)
		page = add_page(tx, blkno, 0, PINFS_LINES_PER_BLOCK);
	if (!page)
		return NULL;
	assert(page->count == PINFS_LINES_PER_BLOCK);
	memset(page->data, 0, PINFS_BLOCK_SIZE);
	page->fresh = true;
	return page->data;
}

void tx_forget(struct tx *tx, uint64_t blkno)
{
	for (size_t i = tx->pages; i-- > 0;) {
		if (tx->page[i].blkno != blkno)
			continue;
		free(tx->page[i].data);
		tx->page[i] = tx->page[--tx->pages];
	}
}

const void *tx_read(struct journal *j, struct tx *tx, uint64_t blkno)
{
	struct tx_page *page = tx ? find_page(tx, blkno, 0) : NULL;

	if (page && page->count == PINFS_LINES_PER_BLOCK)
		return page->data;
	return journal_read(j, blkno);
}

const void *tx_read_lines(struct journal *j, struct tx *tx, uint64_t blkno,
			  unsigned int first)
{
	struct tx_page *page = tx ? find_page(tx, blkno, first) : NULL;

	if (page)
		return page->data;
	return (const uint8_t *)journal_read(j, blkno) +
	       first * PINFS_LINE_SIZE;
}

/* --- bits ----------------------------------------------------------------- */

static int add_bits(struct tx *tx, uint64_t blkno, uint32_t first,
		    uint32_t count, unsigned int kind)
{
	struct tx_bits *b = grow(tx->bits, tx->bits_inline, tx->nbits,
				 &tx->bits_room, sizeof(*b));

	assert(first + count <= PINFS_GROUP_BLOCKS);
	if (!b) {
		tx->err = -ENOMEM;
		return -ENOMEM;
	}
	tx->bits = b;
	tx->bits[tx->nbits++] = (struct tx_bits){ blkno, first, count, kind };
	return 0;
}

int tx_set_bits(struct tx *tx, uint64_t blkno, uint32_t first, uint32_t count)
{
	return add_bits(tx, blkno, first, count, PINFS_JENTRY_SET);
}

int tx_clear_bits(struct tx *tx, uint64_t blkno, uint32_t first, uint32_t count)
{
	return add_bits(tx, blkno, first, count, PINFS_JENTRY_CLEAR);
}

/* --- the record ----------------------------------------------------------- */

size_t journal_max_weight(struct journal *j)
{
	return lane_capacity(j);
}

size_t tx_weight(const struct tx *tx)
{
	size_t weight = sizeof(struct pinfs_jrec) + PINFS_LINE_SIZE +
			tx->nbits * sizeof(struct pinfs_jentry);

	for (size_t i = 0; i < tx->pages; i++)
		if (!tx->page[i].fresh)
			weight += tx->page[i].count *
				  (size_t)(PINFS_LINE_SIZE +
					   sizeof(struct pinfs_jentry));
	return weight;
}

/* struct builder - a record in the making */
struct builder {
	struct pinfs_jrec *rec;
	struct pinfs_jentry *entry;
	uint32_t entries;
	uint8_t *lines; /* gathered apart: their place depends on the entries */
	size_t nlines;
};

static void add_entry(struct builder *b, uint64_t blkno, unsigned int kind,
		      uint32_t first, uint32_t count)
{
	b->entry[b->entries++] = (struct pinfs_jentry){
		cpu_to_le64(blkno | (uint64_t)kind << PINFS_JENTRY_KIND_SHIFT),
		cpu_to_le32(first),
		cpu_to_le32(count),
	};
}

/*
 * add_changed_lines - runs of lines that differ from what is committed
 *
 * The lines are this transaction's alone (journal.h), so that what is committed
 * can't change under the comparison.
 */
static void add_changed_lines(struct builder *b, struct journal *j,
			      const struct tx_page *page)
{
	const uint8_t *now = journal_read(j, page->blkno);
	uint32_t i = 0, n;

	now += page->first * PINFS_LINE_SIZE;
	while (i < page->count) {
		for (n = 0; i + n < page->count; n++)
			if (memcmp(page->data + (i + n) * PINFS_LINE_SIZE,
				   now + (i + n) * PINFS_LINE_SIZE,
				   PINFS_LINE_SIZE) == 0)
				break;
		if (n > 0) {
			add_entry(b, page->blkno, PINFS_JENTRY_LINES,
				  page->first + i, n);
			memcpy(b->lines + b->nlines * PINFS_LINE_SIZE,
			       page->data + i * PINFS_LINE_SIZE,
			       n * PINFS_LINE_SIZE);
			b->nlines += n;
		}
		i += n ? n : 1;
	}
}

static void seal_page(const struct tx *tx, struct tx_page *page)
{
	if (page->seal)
		page->seal(page->data, page->blkno, tx->j->seed);
	else
		format_block_seal((struct pinfs_blkhdr *)page->data,
				  page->blkno, tx->j->seed);
}

/* lay_out - put head, entries and lines together; sets the record's length */
static void lay_out(struct builder *b, const struct tx *tx)
{
	size_t lines = b->nlines * PINFS_LINE_SIZE;
	size_t used = b->entries * sizeof(struct pinfs_jentry);
	uint8_t *at;

	b->rec->magic = cpu_to_le32(PINFS_MAGIC_JREC);
	b->rec->entries = cpu_to_le32(b->entries);
	b->rec->free_delta = cpu_to_le64((uint64_t)tx->free_delta);
	b->rec->inode_delta = cpu_to_le64((uint64_t)tx->inode_delta);
	at = (uint8_t *)(uintptr_t)jrec_lines(b->rec);
	memset((uint8_t *)(b->rec + 1) + used, 0,
	       (size_t)(at - (uint8_t *)(b->rec + 1)) - used);
	memmove(at, b->lines, lines);
	b->rec->length = cpu_to_le32((uint32_t)(at - (uint8_t *)b->rec) +
				     (uint32_t)lines);
}

/* build - the record, in memory that the caller frees; NULL without memory */
static struct pinfs_jrec *build(struct tx *tx)
{
	struct builder b = { 0 };
	size_t lines = 0, entries = tx->nbits;

	for (size_t i = 0; i < tx->pages; i++) {
		lines += tx->page[i].fresh ? 0 : tx->page[i].count;
		entries += tx->page[i].fresh ? 0 : (tx->page[i].count + 1u) / 2;
	}
	entries = (entries + 3) / 4 * 4;
	b.rec = calloc(1, sizeof(*b.rec) + entries * sizeof(*b.entry) +
				  lines * PINFS_LINE_SIZE);
	if (!b.rec)
		return NULL;
	b.entry = (struct pinfs_jentry *)(b.rec + 1);
	b.lines = (uint8_t *)(b.entry + entries);
	for (size_t i = 0; i < tx->nbits; i++)
		add_entry(&b, tx->bits[i].blkno, tx->bits[i].kind,
			  tx->bits[i].first, tx->bits[i].count);
	for (size_t i = 0; i < tx->pages; i++)
		if (!tx->page[i].fresh)
			add_changed_lines(&b, tx->j, &tx->page[i]);
	lay_out(&b, tx);
	return b.rec;
}

static void write_fresh(struct tx *tx)
{
	for (size_t i = 0; i < tx->pages; i++)
		if (tx->page[i].fresh)
			persist_copy_flush(tx->j->pool,
					   journal_home(tx->j,
							tx->page[i].blkno),
					   tx->page[i].data, PINFS_BLOCK_SIZE);
}

/* unreserve_overlay - of the first n entries */
static void unreserve_overlay(struct journal *j, const struct pinfs_jrec *rec,
			      uint32_t n)
{
	const struct pinfs_jentry *e = jrec_entries(rec);

	for (uint32_t i = 0; i < n; i++)
		if (jentry_kind(&e[i]) == PINFS_JENTRY_LINES)
			overlay_store(j, jentry_block(&e[i]), 0, 0, NULL, 0);
}

/* reserve_overlay - all that could fail after the commit, before it */
static int reserve_overlay(struct journal *j, const struct pinfs_jrec *rec)
{
	const struct pinfs_jentry *e = jrec_entries(rec);
	uint32_t i;
	int err;

	for (i = 0; i < le32_to_cpu(rec->entries); i++) {
		if (jentry_kind(&e[i]) != PINFS_JENTRY_LINES)
			continue;
		err = overlay_reserve(j, jentry_block(&e[i]));
		if (err)
			goto err_unreserve;
	}
	return 0;

err_unreserve:
	unreserve_overlay(j, rec, i);
	return err;
}

static void apply_overlay(struct journal *j, const struct pinfs_jrec *rec)
{
	const struct pinfs_jentry *e = jrec_entries(rec);
	const uint8_t *lines = jrec_lines(rec);

	for (uint32_t i = 0; i < le32_to_cpu(rec->entries); i++, e++) {
		if (jentry_kind(e) != PINFS_JENTRY_LINES)
			continue;
		overlay_store(j, jentry_block(e), le32_to_cpu(e->first),
			      le32_to_cpu(e->count), lines,
			      le64_to_cpu(rec->seq));
		lines += le32_to_cpu(e->count) * PINFS_LINE_SIZE;
	}
}

/*
 * commit_record - write the record to a lane and the changes to their places
 *
 * The order is that of S1: what the record makes reachable is fenced before;
 * lane_append()'s fence is behind the record, and the commit; then the changes,
 * fenced before anybody may build on them (the caller's locks) and before the
 * record's room is used again.
 */
static int commit_record(struct journal *j, struct pinfs_jrec *rec)
{
	struct lane *lane = lane_get(j);
	int err = lane_append(j, lane, rec);

	if (err) {
		if (j->overlay)
			unreserve_overlay(j, rec, le32_to_cpu(rec->entries));
		goto out_lane;
	}
	if (j->overlay) {
		apply_overlay(j, rec);
	} else {
		apply_home(j, rec);
		persist_fence(j->pool);
	}
	atomic_fetch_add(&j->free_blocks,
			 (int64_t)le64_to_cpu(rec->free_delta));
	atomic_fetch_add(&j->used_inodes,
			 (int64_t)le64_to_cpu(rec->inode_delta));
	atomic_fetch_add(&j->transactions, 1);
	lane_done(j, lane);
out_lane:
	lane_put(lane);
	return err;
}

static int tx_write(struct tx *tx)
{
	struct pinfs_jrec *rec;
	int err = tx->err ? tx->err : atomic_load(&tx->j->error);

	if (err)
		return err;
	if (tx->j->read_only)
		return -EROFS;
	if (tx->pages == 0 && tx->nbits == 0)
		return 0;
	for (size_t i = 0; i < tx->pages; i++)
		seal_page(tx, &tx->page[i]);
	rec = build(tx);
	if (!rec)
		return -ENOMEM;
	if (!OMITTED("S-payload"))
		write_fresh(tx);
	/*
	 * What the record makes reachable, fresh blocks and data that the
	 * caller stored, is there before any part of the record can be (S1,
	 * S4).
	 */
	persist_fence(tx->j->pool);
	/* What is as it was needs no record: the times of a moment, say. */
	if (le32_to_cpu(rec->entries) == 0)
		goto out;
	if (tx->j->overlay)
		err = reserve_overlay(tx->j, rec);
	if (!err)
		err = commit_record(tx->j, rec);
	if (OMITTED("S-payload"))
		write_fresh(tx);
out:
	free(rec);
	return err;
}

int tx_commit(struct tx *tx)
{
	int err = tx_write(tx);

	tx_end(tx, err == 0);
	return err;
}
