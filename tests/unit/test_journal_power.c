// SPDX-License-Identifier: BSD-3-Clause
/*
 * Power cuts at any store of transactions and of recovery (S1, S2, S3).
 *
 * Ledgers work on a pool, a thread each. A ledger owns one line, its page: it
 * names a metadata block and a data block, which are new with some of its
 * transactions, and changed or left alone by the others. Whatever image the
 * medium holds, each ledger must be as after one of its transactions.
 */
#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "format/csum.h"
#include "medium.h"
#include "jrig.h"
#include "scratch_volume.h"
#include "scratch.h"

#define MAGIC	PINFS_MAGIC32('L', 'E', 'D', 'G')
#define LEDGERS 4u
#define FILL	12u /* blocks that a ledger fills now and then: long records */
#define ENOUGH	30u

/* struct page - a ledger's line; gen 0: nothing yet */
struct page {
	uint64_t gen;
	uint64_t made; /* the gen that took the blocks */
	uint64_t meta;
	uint64_t data;
	uint64_t filled; /* the gen that filled its blocks */
	uint64_t rest[3];
};

struct ledger {
	struct world *w;
	unsigned int index;
	uint64_t rounds;
	uint64_t fill; /* first of its blocks */
	_Atomic uint64_t begun;
	_Atomic uint64_t done; /* committed */
	_Atomic uint64_t safe; /* and synced */
};

struct world {
	struct jrig r;
	struct medium m;
	struct ledger ledger[LEDGERS];
	uint64_t pages; /* block of the ledgers' lines */
	int64_t free_blocks; /* without ledgers */
	unsigned int one_in, order_in; /* events that are looked at */
	unsigned int fill_in; /* transactions that fill */
	uint64_t enough_ns; /* after that only until ENOUGH have been */
	unsigned int looked, kills, recut, replayed;
	uint64_t seed;
};

/* struct bounds - what a ledger's gen has to be in an image */
struct bounds {
	uint64_t from[LEDGERS], to[LEDGERS];
};

/* --- what a ledger does --------------------------------------------------- */

static int renew(struct ledger *l, struct tx *tx, struct page *page)
{
	struct space *sp = l->w->r.sp;
	uint64_t words[PINFS_BLOCK_SIZE / 8];
	struct space_run meta, data;
	struct pinfs_blkhdr *hdr;
	int err;

	err = space_alloc(sp, tx, 0, 1, SPACE_EXACT, &meta);
	if (!err)
		err = space_alloc(sp, tx, 0, 1, SPACE_EXACT, &data);
	if (!err && page->meta) {
		tx_forget(tx, page->meta);
		err = space_free(sp, tx, page->meta, 1);
	}
	if (!err && page->data)
		err = space_free(sp, tx, page->data, 1);
	if (err)
		return err;
	hdr = tx_block_new(tx, meta.first);
	hdr->magic = cpu_to_le32(MAGIC);
	hdr->owner = cpu_to_le64(page->gen);
	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = page->gen * LEDGERS + l->index;
	persist_copy_flush(l->w->r.pool,
			   l->w->r.pool->base + data.first * PINFS_BLOCK_SIZE,
			   words, sizeof(words));
	page->made = page->gen;
	page->meta = meta.first;
	page->data = data.first;
	return 0;
}

static void fill(struct tx *tx, uint64_t blkno, uint64_t gen)
{
	uint64_t *p = tx_lines(tx, blkno, 0, PINFS_LINES_PER_BLOCK, jrig_plain);

	for (unsigned int i = 0; i < PINFS_BLOCK_SIZE / 8; i++)
		p[i] = gen;
}

static int turn(struct ledger *l, struct tx *tx, uint64_t gen)
{
	struct page *page = tx_lines(tx, l->w->pages, l->index, 1, jrig_plain);
	uint64_t *meta;

	page->gen = gen;
	if (gen % l->w->fill_in == 0) {
		page->filled = gen;
		for (unsigned int i = 0; i < FILL; i++)
			fill(tx, l->fill + i, gen);
	}
	if (page->meta == 0 || gen % 3 == 0)
		return renew(l, tx, page);
	meta = tx_block(tx, page->meta);
	meta[100] = gen; /* two runs of lines */
	meta[300] = gen;
	return 0;
}

static void one_round(struct ledger *l)
{
	struct journal *j = l->w->r.j;
	uint64_t gen = atomic_load(&l->done) + 1;
	int err;

	for (int tries = 0; tries < 2; tries++) {
		unsigned int guard = journal_enter(j);
		struct tx *tx = tx_begin(j);

		atomic_store(&l->begun, gen);
		err = turn(l, tx, gen);
		if (err)
			tx_abort(tx);
		else
			err = tx_commit(tx);
		journal_leave(j, guard);
		if (err != -ENOSPC)
			break;
		ck_assert_int_eq(journal_bring_home(j), 0);
	}
	ck_assert_int_eq(err, 0);
	atomic_store(&l->done, gen);
	if (pool_is_persistent(l->w->r.pool)) {
		atomic_store(&l->safe, gen);
	} else if (gen % 16 == 0) {
		ck_assert_int_eq(journal_sync(j), 0);
		atomic_store(&l->safe, gen);
	}
}

static void *work(void *arg)
{
	struct ledger *l = arg;

	for (uint64_t i = 0; i < l->rounds; i++)
		one_round(l);
	return NULL;
}

/* --- what an image must be ------------------------------------------------ */

static void check_ledger(struct jrig *r, const struct page *page,
			 uint64_t index, uint64_t from, uint64_t to)
{
	const uint64_t *meta, *data;
	const char *why = "";
	uint64_t touched;

	ck_assert_uint_ge(page->gen, from);
	ck_assert_uint_le(page->gen, to);
	if (page->gen == 0)
		return;
	meta = (const void *)(r->pool->base + page->meta * PINFS_BLOCK_SIZE);
	data = (const void *)(r->pool->base + page->data * PINFS_BLOCK_SIZE);
	if (format_block_verify((const void *)meta, MAGIC, page->meta,
				le64_to_cpu(r->sb.csum_seed), &why))
		ck_abort_msg("ledger %d, gen %d: %s", (int)index,
			     (int)page->gen, why);
	ck_assert_uint_eq(
		le64_to_cpu(((const struct pinfs_blkhdr *)meta)->owner),
		page->made);
	touched = page->gen == page->made ? 0 : page->gen;
	ck_assert_uint_eq(meta[100], touched);
	ck_assert_uint_eq(meta[300], touched);
	for (unsigned int i = 0; i < PINFS_BLOCK_SIZE / 8; i++)
		if (data[i] != page->made * LEDGERS + index)
			ck_abort_msg("ledger %d, gen %d: stale data",
				     (int)index, (int)page->gen);
}

static void check_fill(struct jrig *r, const struct ledger *l, uint64_t gen)
{
	const uint64_t *p =
		(const void *)(r->pool->base + l->fill * PINFS_BLOCK_SIZE);

	for (unsigned int i = 0; i < FILL * PINFS_BLOCK_SIZE / 8; i++)
		if (p[i] != gen)
			ck_abort_msg("ledger %u, filled by %d: %d at %u",
				     l->index, (int)gen, (int)p[i], i);
}

/* check_image - all ledgers, and that exactly their blocks are in use */
static void check_image(struct world *w, struct jrig *r, const struct bounds *b)
{
	const struct page *page =
		(const void *)(r->pool->base + w->pages * PINFS_BLOCK_SIZE);
	const struct pinfs_bitmap *map =
		(const void *)(r->pool->base +
			       jrig_bitmap(r) * PINFS_BLOCK_SIZE);
	int64_t used = 0;

	for (unsigned int i = 0; i < LEDGERS; i++) {
		check_ledger(r, &page[i], i, b->from[i], b->to[i]);
		check_fill(r, &w->ledger[i], page[i].filled);
		if (page[i].gen == 0)
			continue;
		used += 2;
		ck_assert(le64_to_cpu(map->bits[page[i].meta / 64]) >>
				  page[i].meta % 64 &
			  1);
		ck_assert(le64_to_cpu(map->bits[page[i].data / 64]) >>
				  page[i].data % 64 &
			  1);
	}
	jrig_check_space(r);
	ck_assert_int_eq(jrig_free_blocks(r), w->free_blocks - used);
}

/* struct second - a recovery that is cut itself */
struct second {
	struct jrig r;
	uint64_t event, at;
	bool in_order; /* count fences and syncs only */
	char path[340];
	bool cut;
};

static void cut_recovery(struct medium *m, void *arg)
{
	struct second *s = arg;

	if ((s->in_order && !m->ordering) || s->event++ != s->at)
		return;
	medium_cut(m, s->path);
	s->cut = true;
}

/* recover_in_parts - recover, with cuts in the midst of it; false: none cut */
static bool recover_in_parts(struct world *w, struct jrig *r)
{
	struct second s = { .in_order = scratch_random(&w->seed) % 2 };
	struct medium m;

	s.at = scratch_random(&w->seed) % (s.in_order ? 9 : 300);
	snprintf(s.path, sizeof(s.path), "%s.again", r->path);
	jrig_open_pool(r);
	medium_attach(&m, r->pool, scratch_random(&w->seed));
	medium_watch(&m, cut_recovery, &s);
	ck_assert_int_eq(jrig_try_journal(r, JOURNAL_NO_THREAD), 0);
	jrig_crash(r);
	medium_detach(&m);
	if (s.cut)
		ck_assert_int_eq(rename(s.path, r->path), 0);
	return s.cut;
}

static void check_copy(struct world *w, const char *path, bool killed,
		       const struct bounds *b)
{
	uint64_t replayed = 0;
	struct jrig r;

	jrig_at(&r, path);
	r.as_file = w->r.as_file;
	if (!killed)
		r.boot[0]++;
	for (int i = 0; i < 3 && recover_in_parts(w, &r); i++) {
		w->recut++;
		replayed += r.rec.replayed;
	}
	replayed += r.rec.replayed;
	jrig_open_pool(&r);
	ck_assert_int_eq(jrig_try_journal(&r, JOURNAL_NO_THREAD), 0);
	w->replayed += replayed + r.rec.replayed > 0;
	check_image(w, &r, b);
	ck_assert_int_eq(jrig_close(&r), 0);
}

/* look - the medium's on_event: every now and then, the power fails */
static void look(struct medium *m, void *arg)
{
	struct world *w = arg;
	struct bounds b;
	bool killed;

	/* Fences and syncs are where it matters most. */
	if (scratch_random(&w->seed) % (m->ordering ? w->order_in : w->one_in))
		return;
	if (w->looked >= ENOUGH && now_ns() > w->enough_ns)
		return;
	killed = w->looked % 4 == 0;
	for (unsigned int i = 0; i < LEDGERS; i++) {
		b.from[i] = killed ? atomic_load(&w->ledger[i].done) :
				     atomic_load(&w->ledger[i].safe);
		b.to[i] = atomic_load(&w->ledger[i].begun);
	}
	if (killed)
		medium_kill(m, scratch_path(SCRATCH_MEMORY, "cut"));
	else
		medium_cut(m, scratch_path(SCRATCH_MEMORY, "cut"));
	w->looked++;
	w->kills += killed;
	check_copy(w, scratch_path(SCRATCH_MEMORY, "cut"), killed, &b);
}

/* --- the tests ------------------------------------------------------------ */

static void world_make(struct world *w, bool as_file, uint64_t seed)
{
	struct space_run run;
	struct tx *tx;

	memset(w, 0, sizeof(*w));
	jrig_make(&w->r, SCRATCH_MEMORY, JRIG_SMALL);
	jrig_open_space(&w->r);
	tx = tx_begin(w->r.j);
	ck_assert_int_eq(space_alloc(w->r.sp, tx, 0, 1 + LEDGERS * FILL,
				     SPACE_EXACT, &run),
			 0);
	persist_set_flush(w->r.pool,
			  w->r.pool->base + run.first * PINFS_BLOCK_SIZE, 0,
			  run.count * PINFS_BLOCK_SIZE);
	ck_assert_int_eq(tx_commit(tx), 0);
	w->pages = run.first;
	w->free_blocks = jrig_free_blocks(&w->r);
	ck_assert_int_eq(jrig_close(&w->r), 0);

	w->seed = seed;
	w->enough_ns = now_ns() + 3 * NSEC_PER_SEC / 2;
	w->r.as_file = as_file;
	jrig_open_pool(&w->r);
	medium_attach(&w->m, w->r.pool, seed + 1);
	jrig_open_journal(&w->r);
	jrig_open_space(&w->r);
	for (unsigned int i = 0; i < LEDGERS; i++) {
		w->ledger[i].w = w;
		w->ledger[i].fill = w->pages + 1 + i * FILL;
		w->ledger[i].index = i;
	}
	medium_watch(&w->m, look, w);
}

static void world_end(struct world *w)
{
	struct bounds b;

	for (unsigned int i = 0; i < LEDGERS; i++)
		b.from[i] = b.to[i] = atomic_load(&w->ledger[i].done);
	medium_watch(&w->m, NULL, NULL);
	ck_assert_int_eq(jrig_close(&w->r), 0);
	medium_detach(&w->m);
	/* Enough has been seen, and of all kinds. */
	ck_assert_uint_ge(w->looked, ENOUGH / 2);
	ck_assert_uint_ge(w->kills, 1);
	ck_assert_uint_ge(w->recut, 3);
	ck_assert_uint_ge(w->replayed, 5);
	jrig_open(&w->r);
	ck_assert(w->r.rec.was_clean);
	check_image(w, &w->r, &b);
	ck_assert_int_eq(jrig_close(&w->r), 0);
}

static void run_threads(struct world *w, uint64_t rounds)
{
	pthread_t thread[LEDGERS];

	for (unsigned int i = 0; i < LEDGERS; i++) {
		w->ledger[i].rounds = rounds;
		ck_assert_int_eq(pthread_create(&thread[i], NULL, work,
						&w->ledger[i]),
				 0);
	}
	for (unsigned int i = 0; i < LEDGERS; i++)
		pthread_join(thread[i], NULL);
}

/* one_after_another - each round by a new thread, that takes another lane */
static void one_after_another(struct world *w, uint64_t rounds)
{
	uint64_t seed = 3;

	for (uint64_t i = 0; i < rounds; i++) {
		struct ledger *l = &w->ledger[scratch_random(&seed) % 2];
		pthread_t thread;

		l->rounds = 1;
		ck_assert_int_eq(pthread_create(&thread, NULL, work, l), 0);
		pthread_join(thread, NULL);
	}
}

/* _i: persistent memory or file */
START_TEST(power_single)
{
	struct world w;

	world_make(&w, _i == 1, 1000 + (uint64_t)_i);
	/* Four of the long records fill a lane. */
	w.one_in = 60;
	w.order_in = _i ? 2 : 4;
	w.fill_in = 2;
	one_after_another(&w, 120);
	world_end(&w);
}
END_TEST

START_TEST(power_threads)
{
	struct world w;

	world_make(&w, _i == 1, 2000 + (uint64_t)_i);
	w.one_in = 5000;
	w.order_in = _i ? 8 : 1000;
	w.fill_in = 50;
	/* Several times around all lanes. */
	run_threads(&w, 2500);
	world_end(&w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("power");
	TCase *tc = tcase_create("power");

	suite_add_tcase(s, tc);
	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, power_single, 0, 2);
	tcase_add_loop_test(tc, power_threads, 0, 2);
	return scratch_run(s);
}
