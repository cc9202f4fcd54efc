// SPDX-License-Identifier: BSD-3-Clause
/* Transactions: what is visible when, side by side, and when the disk fails. */
#include <check.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"
#include "format/csum.h"
#include "gate.h"
#include "medium.h"
#include "jrig.h"
#include "scratch.h"

#define THREADS 4u

static struct jrig r;

/* Tests with _i run on memory and on a disk. */
static void make(int kind)
{
	jrig_make(&r, (enum scratch_kind)kind, JRIG_SMALL);
}

static void end(void)
{
	ck_assert_int_eq(jrig_close(&r), 0);
	jrig_open(&r);
	ck_assert(r.rec.was_clean);
	ck_assert_uint_eq(r.rec.replayed, 0);
}

/* --- visible when committed, forgotten when not --------------------------- */

START_TEST(copies_are_private)
{
	uint64_t blk, *p;
	unsigned int guard;
	struct tx *tx;

	make(_i);
	blk = jrig_block(&r, 0);
	ck_assert_int_eq(jrig_write(&r, blk, 3, 7), 0);
	guard = journal_enter(r.j);
	tx = tx_begin(r.j);
	p = tx_lines(tx, blk, 3, 1, jrig_plain);
	ck_assert_uint_eq(p[0], 7);
	for (unsigned int i = 0; i < 8; i++)
		p[i] = 8;
	ck_assert_uint_eq(jrig_read(&r, blk, 3), 7);
	/* The transaction sees it, and gets the same copy again. */
	ck_assert_ptr_eq(tx_lines(tx, blk, 3, 1, jrig_plain), p);
	ck_assert_ptr_eq(tx_read_lines(r.j, tx, blk, 3), p);
	ck_assert_uint_eq(*(const uint64_t *)tx_read_lines(r.j, NULL, blk, 3),
			  7);
	ck_assert_int_eq(tx_commit(tx), 0);
	journal_leave(r.j, guard);
	ck_assert_uint_eq(jrig_read(&r, blk, 3), 8);
	end();
	ck_assert_uint_eq(jrig_read(&r, blk, 3), 8);
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

struct ended {
	struct tx_hook hook;
	int committed;
	unsigned int place;
};

static unsigned int ended_count;

static void on_end(struct tx_hook *hook, bool committed)
{
	struct ended *e = container_of(hook, struct ended, hook);

	e->committed = committed;
	e->place = ++ended_count;
}

START_TEST(abort_forgets)
{
	struct ended e[3] = { 0 };
	struct journal_counts before, after;
	uint64_t blk;
	struct tx *tx;

	make(_i);
	ended_count = 0;
	blk = jrig_block(&r, 0);
	journal_counts(r.j, &before);
	tx = tx_begin(r.j);
	memset(tx_lines(tx, blk, 0, 2, jrig_plain), 0xff, 128);
	ck_assert_ptr_nonnull(tx_block(tx, jrig_bitmap(&r)));
	ck_assert_int_eq(tx_set_bits(tx, jrig_bitmap(&r), 3000, 5), 0);
	tx_count(tx, -5, 1);
	for (unsigned int i = 0; i < 3; i++) {
		e[i].hook.fn = on_end;
		e[i].committed = -1;
		tx_on_end(tx, &e[i].hook);
	}
	tx_abort(tx);
	tx_abort(NULL);
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert_int_eq(e[i].committed, 0);
		ck_assert_uint_eq(e[i].place, i + 1);
	}
	ck_assert_uint_eq(jrig_read(&r, blk, 0), 0);
	journal_counts(r.j, &after);
	ck_assert_mem_eq(&before, &after, sizeof(before));
	end();
	jrig_check_space(&r);
	ck_assert_int_eq(jrig_free_blocks(&r), before.free_blocks);
	ck_assert_uint_eq(jrig_read(&r, blk, 0), 0);
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

START_TEST(commit_counts)
{
	struct journal_counts before, after;
	struct ended e = { .hook.fn = on_end, .committed = -1 };
	struct tx *tx;

	make(_i);
	journal_counts(r.j, &before);
	tx = tx_begin(r.j);
	ck_assert_int_eq(tx_set_bits(tx, jrig_bitmap(&r), 3001, 6), 0);
	/* In order, of one transaction: the middle is free again. */
	ck_assert_int_eq(tx_clear_bits(tx, jrig_bitmap(&r), 3002, 2), 0);
	tx_count(tx, -4, 3);
	tx_on_end(tx, &e.hook);
	ck_assert_int_eq(tx_commit(tx), 0);
	ck_assert_int_eq(e.committed, 1);
	journal_counts(r.j, &after);
	ck_assert_int_eq(after.free_blocks, before.free_blocks - 4);
	ck_assert_int_eq(after.used_inodes, before.used_inodes + 3);
	ck_assert_uint_eq(after.transactions, before.transactions + 1);
	end();
	jrig_check_space(&r);
	journal_counts(r.j, &after);
	ck_assert_int_eq(after.free_blocks, before.free_blocks - 4);
	ck_assert_int_eq(after.used_inodes, before.used_inodes + 3);
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

/* A fresh block, sealed; then changed by lines, forgotten, and read. */
START_TEST(blocks_are_sealed)
{
	uint64_t blk, seed, *p;
	unsigned int guard;
	const char *why = "";
	struct tx *tx;

	make(_i);
	blk = jrig_block(&r, 1);
	seed = le64_to_cpu(r.sb.csum_seed);
	for (unsigned int i = 0; i < 3; i++) {
		guard = journal_enter(r.j);
		tx = tx_begin(r.j);
		p = i ? tx_block(tx, blk) : tx_block_new(tx, blk);
		ck_assert_ptr_eq(tx_read(r.j, tx, blk), p);
		((struct pinfs_blkhdr *)p)->magic =
			cpu_to_le32(PINFS_MAGIC_BLOB);
		p[300] = i;
		if (i == 2)
			tx_forget(tx, blk);
		ck_assert_int_eq(tx_commit(tx), 0);
		p = (uint64_t *)(uintptr_t)journal_read(r.j, blk);
		ck_assert_int_eq(format_block_verify((void *)p,
						     PINFS_MAGIC_BLOB, blk,
						     seed, &why),
				 0);
		ck_assert_uint_eq(p[300], i == 2 ? 1 : i);
		journal_leave(r.j, guard);
	}
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

/* --- sizes ---------------------------------------------------------------- */

/* change - every second line of n blocks: the most entries that there can be */
static struct tx *change(unsigned int n)
{
	struct tx *tx = tx_begin(r.j);

	for (unsigned int i = 0; i < n; i++) {
		uint8_t *p = tx_lines(tx, jrig_block(&r, i), 0,
				      PINFS_LINES_PER_BLOCK, jrig_plain);

		for (unsigned int k = 0; k < PINFS_LINES_PER_BLOCK; k += 2)
			memset(p + k * PINFS_LINE_SIZE, 0x5a, 64);
	}
	return tx;
}

START_TEST(what_weighs_too_much_is_refused)
{
	size_t most;
	struct tx *tx;
	unsigned int n = 0, guard;

	make(_i);
	most = journal_max_weight(r.j);
	do {
		tx = change(++n);
		if (tx_weight(tx) > most)
			break;
		tx_abort(tx);
	} while (n < 1000);
	ck_assert_uint_gt(tx_weight(tx), most);
	tx_abort(tx);
	/* What weighs less is taken, several times around the lane. */
	for (unsigned int i = 0; i < 12; i++) {
		guard = journal_enter(r.j);
		ck_assert_int_eq(tx_commit(change(n - 1)), 0);
		for (unsigned int k = 0; k < n; k++)
			ck_assert_int_eq(
				jrig_write(&r, jrig_block(&r, k), 0, i), 0);
		journal_leave(r.j, guard);
	}
	guard = journal_enter(r.j);
	ck_assert_int_eq(tx_commit(change(4 * n)), -EFBIG);
	journal_leave(r.j, guard);
	/* Nothing has changed, and all goes on. */
	ck_assert_uint_eq(jrig_read(&r, jrig_block(&r, 4 * n - 1), 0), 0);
	ck_assert_uint_eq(jrig_read(&r, jrig_block(&r, 0), 0), 11);
	ck_assert_int_eq(jrig_write(&r, jrig_block(&r, 0), 0, 12), 0);
	end();
	ck_assert_uint_eq(jrig_read(&r, jrig_block(&r, 0), 0), 12);
	ck_assert_uint_eq(jrig_read(&r, jrig_block(&r, 4 * n - 1), 0), 0);
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

START_TEST(many_parts)
{
	struct tx *tx;

	/* More than have their place in struct tx. */
	make(_i);
	tx = tx_begin(r.j);
	for (unsigned int i = 0; i < 100; i++) {
		uint64_t *p =
			tx_lines(tx, jrig_block(&r, i), i % 64, 1, jrig_plain);

		for (unsigned int k = 0; k < 8; k++)
			p[k] = i + 1;
		ck_assert_int_eq(
			tx_set_bits(tx, jrig_bitmap(&r), 1000 + 2 * i, 1), 0);
	}
	tx_count(tx, -100, 0);
	ck_assert_int_eq(tx_commit(tx), 0);
	end();
	for (unsigned int i = 0; i < 100; i++)
		ck_assert_uint_eq(jrig_read(&r, jrig_block(&r, i), i % 64),
				  i + 1);
	jrig_check_space(&r);
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

/* --- side by side --------------------------------------------------------- */

#define ROUNDS 4000u
#define SHARED 3u /* blocks of which each thread has some lines */

struct worker {
	pthread_t thread;
	unsigned int index;
	unsigned int bit; /* that it has set */
	_Atomic uint64_t done;
};

/*
 * work_once - value to this thread's line of each block, and its bit goes on;
 *             the bits of all threads lie in the same words
 */
static int work_once(struct worker *w, uint64_t value)
{
	unsigned int guard = journal_enter(r.j), next = (w->bit + 1) % 512;
	struct tx *tx = tx_begin(r.j);
	uint64_t map = jrig_bitmap(&r);
	int err;

	for (unsigned int i = 0; i < SHARED; i++) {
		uint64_t *p = tx_lines(tx, jrig_block(&r, i), w->index * 9 + i,
				       1, jrig_plain);

		for (unsigned int k = 0; k < 8; k++)
			p[k] = value;
	}
	tx_set_bits(tx, map, 1024 + next * THREADS + w->index, 1);
	tx_clear_bits(tx, map, 1024 + w->bit * THREADS + w->index, 1);
	if (value % 64 == 0)
		tx_count(tx, 0, 1);
	err = tx_commit(tx);
	journal_leave(r.j, guard);
	w->bit = next;
	return err;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (uint64_t i = 1; i <= ROUNDS; i++) {
		int err = work_once(w, i);

		if (err)
			ck_abort_msg("commit: %d", err);
		atomic_store(&w->done, i);
	}
	return NULL;
}

static void first_bits(struct worker *w)
{
	struct tx *tx = tx_begin(r.j);

	for (unsigned int i = 0; i < THREADS; i++) {
		w[i].index = i;
		tx_set_bits(tx, jrig_bitmap(&r), 1024 + i, 1);
	}
	tx_count(tx, -(int64_t)THREADS, 0);
	ck_assert_int_eq(tx_commit(tx), 0);
}

static void check_work(const struct worker *w, int64_t inodes)
{
	const struct pinfs_bitmap *map;
	struct journal_counts counts;

	for (unsigned int i = 0; i < THREADS; i++)
		for (unsigned int k = 0; k < SHARED; k++)
			ck_assert_uint_eq(jrig_read(&r, jrig_block(&r, k),
						    i * 9 + k),
					  ROUNDS);
	jrig_check_space(&r);
	map = (const void *)(r.pool->base + jrig_bitmap(&r) * PINFS_BLOCK_SIZE);
	for (unsigned int i = 0; i < 512 * THREADS; i++) {
		const struct worker *own = &w[i % THREADS];
		unsigned int bit = 1024 + i;

		if ((le64_to_cpu(map->bits[bit / 64]) >> bit % 64 & 1) !=
		    (i / THREADS == own->bit))
			ck_abort_msg("bit %u of thread %u", i, own->index);
	}
	journal_counts(r.j, &counts);
	ck_assert_int_eq(counts.used_inodes,
			 inodes + ROUNDS / 64 * (int64_t)THREADS);
}

/* _i & 1: memory or disk; _i & 2: close or crash */
START_TEST(threads_go_around_the_lanes)
{
	struct worker w[THREADS] = { 0 };
	struct journal_counts before;

	make(_i & 1);
	first_bits(w);
	journal_counts(r.j, &before);
	for (unsigned int i = 0; i < THREADS; i++)
		ck_assert_int_eq(
			pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(w[i].thread, NULL);
	if (_i & 2) {
		jrig_crash(&r);
		jrig_open(&r);
		ck_assert(!r.rec.was_clean);
		/* On a disk all may be home by chance. */
		if (pool_is_persistent(r.pool))
			ck_assert_uint_gt(r.rec.replayed, 0);
		/* Not all of them: lanes have gone around. */
		ck_assert_uint_lt(r.rec.replayed, ROUNDS * THREADS);
	} else {
		end();
	}
	check_work(w, before.used_inodes);
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

/* --- the order of stores -------------------------------------------------- */

/* never_together - lines of a record, and others, on their way to the medium */
static void never_together(struct medium *m, void *arg)
{
	uint64_t from = le64_to_cpu(r.sb.journal_start);
	uint64_t to = le64_to_cpu(r.sb.root_block);
	bool lane = false, other = false;

	for (size_t k = 0; k < m->nchanged; k++) {
		uint64_t blk = m->changed[k] / PINFS_LINES_PER_BLOCK;

		if (blk >= from + 2 && blk < to)
			lane = true;
		else
			other = true;
	}
	if (lane && other)
		ck_abort_msg("a record and what belongs before or behind it");
	*(bool *)arg |= lane;
}

/*
 * On persistent memory fences stand between what a record makes reachable, the
 * record, and its changes (S1, S4): stores between two fences have no order.
 */
START_TEST(records_go_alone)
{
	uint64_t blk, value = 5;
	bool seen = false;
	struct medium m;
	struct tx *tx;

	make(SCRATCH_MEMORY);
	ck_assert_int_eq(jrig_close(&r), 0);
	jrig_open_pool(&r);
	medium_attach(&m, r.pool, 1);
	jrig_open_journal(&r);
	medium_watch(&m, never_together, &seen);
	/* Until lanes are reclaimed, too. */
	for (unsigned int i = 1; i < 1500; i++) {
		tx = tx_begin(r.j);
		blk = jrig_block(&r, 2 * i);
		((uint64_t *)tx_block_new(tx, blk))[9] = i;
		/* What a caller stores in a block that it allocated. */
		persist_copy_flush(r.pool,
				   r.pool->base + (blk + 1) * PINFS_BLOCK_SIZE,
				   &value, sizeof(value));
		*(uint64_t *)tx_lines(tx, jrig_block(&r, 0), 3, 1, jrig_plain) =
			blk;
		tx_set_bits(tx, jrig_bitmap(&r), 1000 + i, 2);
		ck_assert_int_eq(tx_commit(tx), 0);
		ck_assert_uint_eq(m.nchanged, 0); /* durable (S2) */
	}
	ck_assert(seen);
	medium_watch(&m, NULL, NULL);
	ck_assert_int_eq(jrig_close(&r), 0);
	medium_detach(&m);
}
END_TEST

/* --- home ----------------------------------------------------------------- */

struct waiting {
	struct journal_waiter waiter;
	struct gate called;
};

static void is_home(struct journal_waiter *w)
{
	gate_pass(&container_of(w, struct waiting, waiter)->called);
}

static void waiting_init(struct waiting *w)
{
	memset(w, 0, sizeof(*w));
	w->waiter.fn = is_home;
	gate_init(&w->called);
}

START_TEST(waiters_are_called)
{
	struct waiting w[3];
	const uint64_t *home;
	uint64_t blk;

	make(_i);
	blk = jrig_block(&r, 0);
	home = (const void *)(r.pool->base + blk * PINFS_BLOCK_SIZE);
	for (unsigned int i = 0; i < 3; i++)
		waiting_init(&w[i]);
	ck_assert_int_eq(jrig_write(&r, blk, 0, 1), 0);
	journal_when_home(r.j, &w[0].waiter);
	journal_when_home(r.j, &w[1].waiter);
	if (pool_is_persistent(r.pool))
		ck_assert_uint_eq(gate_count(&w[0].called), 1);
	ck_assert_int_eq(journal_bring_home(r.j), 0);
	gate_await(&w[0].called, 1);
	gate_await(&w[1].called, 1);
	ck_assert_uint_eq(home[0], 1);
	ck_assert_uint_eq(le64_to_cpu(jrig_state(&r)->checkpoint_seq) <=
				  le64_to_cpu(jrig_state(&r)->sealed_seq),
			  1);
	/* Who is left is called at the end. */
	ck_assert_int_eq(jrig_write(&r, blk, 0, 2), 0);
	journal_when_home(r.j, &w[2].waiter);
	ck_assert_int_eq(jrig_close(&r), 0);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_uint_eq(gate_count(&w[i].called), 1);
}
END_TEST

/* On a file home stays as it is until the record is sealed (S2). */
START_TEST(home_waits_for_the_seal)
{
	const uint64_t *home;
	uint64_t blk;

	make(SCRATCH_DISK);
	blk = jrig_block(&r, 0);
	home = (const void *)(r.pool->base + blk * PINFS_BLOCK_SIZE);
	for (uint64_t i = 1; i < 20; i++) {
		uint64_t sealed = le64_to_cpu(jrig_state(&r)->sealed_seq);
		uint64_t now;

		ck_assert_int_eq(jrig_write(&r, blk, 0, i), 0);
		ck_assert_uint_eq(jrig_read(&r, blk, 0), i);
		now = home[0];
		if (sealed == le64_to_cpu(jrig_state(&r)->sealed_seq))
			ck_assert_uint_lt(now, i);
		if (i % 5 == 0) {
			ck_assert_int_eq(journal_bring_home(r.j), 0);
			ck_assert_uint_eq(home[0], i);
		}
	}
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

/* --- the overlay under readers -------------------------------------------- */

#define READ_BLOCKS 8u

struct readers {
	pthread_rwlock_t lock[READ_BLOCKS]; /* what callers have: inode locks */
	_Atomic bool stop;
	_Atomic uint64_t reads;
};

static void read_one(struct readers *rd, unsigned int i)
{
	unsigned int guard = journal_enter(r.j);
	const uint64_t *p;
	uint64_t first;

	pthread_rwlock_rdlock(&rd->lock[i]);
	p = journal_read(r.j, jrig_block(&r, i));
	first = p[0];
	/* The checkpointer may take the page out meanwhile. */
	for (unsigned int k = 0; k < PINFS_BLOCK_SIZE / 8; k++)
		if (p[k] != first)
			ck_abort_msg("torn at %u", k);
	pthread_rwlock_unlock(&rd->lock[i]);
	journal_leave(r.j, guard);
	atomic_fetch_add(&rd->reads, 1);
}

static void *read_all(void *arg)
{
	struct readers *rd = arg;

	while (!atomic_load(&rd->stop))
		for (unsigned int i = 0; i < READ_BLOCKS; i++)
			read_one(rd, i);
	return NULL;
}

static void write_one(struct readers *rd, unsigned int i, uint64_t value)
{
	unsigned int guard = journal_enter(r.j);
	struct tx *tx = tx_begin(r.j);
	uint64_t *p;

	pthread_rwlock_wrlock(&rd->lock[i]);
	p = tx_lines(tx, jrig_block(&r, i), 0, PINFS_LINES_PER_BLOCK,
		     jrig_plain);
	for (unsigned int k = 0; k < PINFS_BLOCK_SIZE / 8; k++)
		p[k] = value;
	ck_assert_int_eq(tx_commit(tx), 0);
	pthread_rwlock_unlock(&rd->lock[i]);
	journal_leave(r.j, guard);
}

START_TEST(readers_see_whole_blocks)
{
	struct readers rd = { 0 };
	pthread_t thread[2];

	make(SCRATCH_DISK);
	for (unsigned int i = 0; i < READ_BLOCKS; i++)
		pthread_rwlock_init(&rd.lock[i], NULL);
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_int_eq(
			pthread_create(&thread[i], NULL, read_all, &rd), 0);
	for (uint64_t i = 1; i <= 60; i++) {
		for (unsigned int k = 0; k < READ_BLOCKS; k++)
			write_one(&rd, k, i);
		if (i % 2)
			ck_assert_int_eq(journal_bring_home(r.j), 0);
	}
	atomic_store(&rd.stop, true);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	ck_assert_uint_gt(rd.reads, 0);
	end();
	for (unsigned int i = 0; i < READ_BLOCKS; i++)
		ck_assert_uint_eq(jrig_read(&r, jrig_block(&r, i), 63), 60);
	ck_assert_int_eq(jrig_close(&r), 0);
}
END_TEST

static void *bring_home(void *arg)
{
	gate_pass(arg);
	return (void *)(intptr_t)journal_bring_home(r.j);
}

/*
 * Pages that somebody may look at stay, and who waits for them to go does not
 * keep the disk busy meanwhile.
 */
START_TEST(a_long_reader_keeps_its_pages)
{
	struct timespec pause = { .tv_nsec = 150 * 1000000 };
	unsigned int guard, before;
	const uint64_t *p;
	uint64_t left;
	struct medium m;
	struct gate asks;
	pthread_t thread;
	void *err;

	/* What is given back to free() is not what it was. */
	mallopt(M_PERTURB, 0xa5);
	make(SCRATCH_MEMORY);
	ck_assert_int_eq(jrig_close(&r), 0);
	r.as_file = true;
	jrig_open_pool(&r);
	medium_attach(&m, r.pool, 1);
	jrig_open_journal(&r);
	ck_assert_int_eq(jrig_write(&r, jrig_block(&r, 0), 0, 1), 0);
	guard = journal_enter(r.j);
	p = journal_read(r.j, jrig_block(&r, 0));
	ck_assert_int_eq(journal_bring_home(r.j), 0);
	ck_assert_int_eq(jrig_write(&r, jrig_block(&r, 0), 0, 2), 0);
	ck_assert_uint_eq(p[0], 1);

	gate_init(&asks);
	ck_assert_int_eq(pthread_create(&thread, NULL, bring_home, &asks), 0);
	gate_await(&asks, 1);
	/* Records go on to be sealed. */
	ck_assert_int_eq(jrig_write(&r, jrig_block(&r, 1), 0, 3), 0);
	ck_assert_int_eq(journal_sync(r.j), 0);
	/* The first of these rounds is over when the second begins. */
	ck_assert_int_eq(journal_sync(r.j), 0);
	ck_assert_uint_eq(p[0], 1);
	/* Not to wait for anything: a while in which nothing has to be done. */
	before = atomic_load(&m.syncs);
	nanosleep(&pause, NULL);
	ck_assert_uint_le(atomic_load(&m.syncs) - before, 12);
	ck_assert_uint_eq(p[0], 1);
	left = now_ns();
	journal_leave(r.j, guard);
	pthread_join(thread, &err);
	ck_assert_ptr_null(err);
	/* At once, not when the checkpointer comes around by itself. */
	ck_assert_uint_lt(now_ns() - left, 3 * NSEC_PER_SEC);
	ck_assert_int_eq(jrig_close(&r), 0);
	medium_detach(&m);
}
END_TEST

/* --- sync ----------------------------------------------------------------- */

/* Data stored in place has no record, but has to be on the medium as well. */
START_TEST(sync_takes_data_along)
{
	uint64_t value = 77, blk;
	struct medium m;

	make(SCRATCH_MEMORY);
	ck_assert_int_eq(jrig_close(&r), 0);
	r.as_file = true;
	jrig_open_pool(&r);
	medium_attach(&m, r.pool, 1);
	jrig_open_journal(&r);
	blk = jrig_block(&r, 5);
	ck_assert_int_eq(jrig_write(&r, jrig_block(&r, 0), 0, 1), 0);
	ck_assert_int_eq(journal_sync(r.j), 0);
	persist_copy_flush(r.pool, r.pool->base + blk * PINFS_BLOCK_SIZE,
			   &value, sizeof(value));
	persist_fence(r.pool);
	ck_assert_mem_ne(m.image + blk * PINFS_BLOCK_SIZE, &value, 8);
	ck_assert_int_eq(journal_sync(r.j), 0);
	ck_assert_mem_eq(m.image + blk * PINFS_BLOCK_SIZE, &value, 8);
	ck_assert_int_eq(jrig_close(&r), 0);
	medium_detach(&m);
}
END_TEST

struct syncer {
	struct medium *m;
	pthread_t thread;
	unsigned int index;
};

/* sync_data - stores in place and syncs, again and again */
static void *sync_data(void *arg)
{
	struct syncer *s = arg;
	size_t at = jrig_block(&r, 40 + s->index) * PINFS_BLOCK_SIZE;

	for (uint64_t i = 1; i <= 300; i++) {
		bool there;

		persist_copy_flush(r.pool, r.pool->base + at, &i, 8);
		if (journal_sync(r.j))
			ck_abort_msg("sync failed");
		pthread_mutex_lock(&s->m->lock);
		there = memcmp(s->m->image + at, &i, 8) == 0;
		pthread_mutex_unlock(&s->m->lock);
		if (!there)
			ck_abort_msg("thread %u: %llu is not there", s->index,
				     (unsigned long long)i);
	}
	return NULL;
}

/* The same while a round of the checkpointer, begun before, is at work. */
START_TEST(sync_takes_late_data_along)
{
	struct syncer s[THREADS];
	struct medium m;

	make(SCRATCH_MEMORY);
	ck_assert_int_eq(jrig_close(&r), 0);
	r.as_file = true;
	jrig_open_pool(&r);
	medium_attach(&m, r.pool, 1);
	jrig_open_journal(&r);
	for (unsigned int i = 0; i < THREADS; i++) {
		s[i].m = &m;
		s[i].index = i;
		ck_assert_int_eq(pthread_create(&s[i].thread, NULL, sync_data,
						&s[i]),
				 0);
	}
	for (uint64_t i = 0; i < 3000; i++)
		ck_assert_int_eq(jrig_write(&r, jrig_block(&r, 0), 0, i), 0);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(s[i].thread, NULL);
	ck_assert_int_eq(jrig_close(&r), 0);
	medium_detach(&m);
}
END_TEST

/* --- a disk that fails ---------------------------------------------------- */

static void *fill_until_error(void *arg)
{
	struct worker *w = arg;
	int err = 0;

	for (uint64_t i = 1; !err; i++)
		err = work_once(w, i);
	return (void *)(intptr_t)err;
}

/* Nothing hangs: not who waits for room, not who syncs, not the end. */
START_TEST(failed_sync_stops_all)
{
	struct worker w[THREADS] = { 0 };
	struct waiting waiting;
	struct medium m;
	void *err;

	make(SCRATCH_MEMORY);
	ck_assert_int_eq(jrig_close(&r), 0);
	r.as_file = true;
	jrig_open_pool(&r);
	medium_attach(&m, r.pool, 1);
	jrig_open_journal(&r);
	first_bits(w);
	ck_assert_int_eq(journal_sync(r.j), 0);
	waiting_init(&waiting);
	atomic_store(&m.sync_error, -EIO);
	/* Behind what a round that is still at work has sealed. */
	ck_assert_int_eq(jrig_write(&r, jrig_block(&r, 9), 0, 1), 0);
	journal_when_home(r.j, &waiting.waiter);
	for (unsigned int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&w[i].thread, NULL,
						fill_until_error, &w[i]),
				 0);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, &err);
		ck_assert_int_eq((int)(intptr_t)err, -EIO);
	}
	/* The disk may come back: that heals nothing. */
	atomic_store(&m.sync_error, 0);
	ck_assert_int_eq(journal_error(r.j), -EIO);
	ck_assert_int_eq(journal_sync(r.j), -EIO);
	ck_assert_int_eq(journal_bring_home(r.j), -EIO);
	ck_assert_int_eq(jrig_write(&r, jrig_block(&r, 0), 0, 1), -EIO);
	ck_assert_uint_eq(gate_count(&waiting.called), 0);
	ck_assert_int_eq(jrig_close(&r), -EIO);
	ck_assert_uint_eq(gate_count(&waiting.called), 1);
	medium_detach(&m);
}
END_TEST

/* A sync of data alone that fails is no less an error. */
START_TEST(failed_sync_of_data_stops_all)
{
	struct medium m;

	make(SCRATCH_MEMORY);
	ck_assert_int_eq(jrig_close(&r), 0);
	r.as_file = true;
	jrig_open_pool(&r);
	medium_attach(&m, r.pool, 1);
	jrig_open_journal(&r);
	atomic_store(&m.sync_error, -EIO);
	ck_assert_int_eq(journal_sync(r.j), -EIO);
	atomic_store(&m.sync_error, 0);
	ck_assert_int_eq(jrig_write(&r, jrig_block(&r, 0), 0, 1), -EIO);
	ck_assert_int_eq(jrig_close(&r), -EIO);
	medium_detach(&m);
}
END_TEST

START_TEST(failed_open_leaves_nothing)
{
	struct medium m;

	make(SCRATCH_MEMORY);
	jrig_crash(&r);
	r.as_file = true;
	jrig_open_pool(&r);
	medium_attach(&m, r.pool, 1);
	atomic_store(&m.sync_error, -EIO);
	ck_assert_int_eq(jrig_try_journal(&r, 0), -EIO);
	atomic_store(&m.sync_error, 0);
	ck_assert_int_eq(jrig_try_journal(&r, 0), 0);
	ck_assert_int_eq(jrig_close(&r), 0);
	medium_detach(&m);
}
END_TEST

static TCase *tcase_plain(void)
{
	TCase *tc = tcase_create("plain");

	tcase_add_loop_test(tc, copies_are_private, 0, SCRATCH_KINDS);
	tcase_add_loop_test(tc, abort_forgets, 0, SCRATCH_KINDS);
	tcase_add_loop_test(tc, commit_counts, 0, SCRATCH_KINDS);
	tcase_add_loop_test(tc, blocks_are_sealed, 0, SCRATCH_KINDS);
	tcase_add_loop_test(tc, what_weighs_too_much_is_refused, 0,
			    SCRATCH_KINDS);
	tcase_add_loop_test(tc, many_parts, 0, SCRATCH_KINDS);
	tcase_add_loop_test(tc, threads_go_around_the_lanes, 0, 4);
	tcase_add_test(tc, records_go_alone);
	return tc;
}

static TCase *tcase_home(void)
{
	TCase *tc = tcase_create("home");

	tcase_add_loop_test(tc, waiters_are_called, 0, SCRATCH_KINDS);
	tcase_add_test(tc, home_waits_for_the_seal);
	tcase_add_test(tc, readers_see_whole_blocks);
	tcase_add_test(tc, a_long_reader_keeps_its_pages);
	tcase_add_test(tc, sync_takes_data_along);
	tcase_add_test(tc, sync_takes_late_data_along);
	tcase_add_test(tc, failed_sync_stops_all);
	tcase_add_test(tc, failed_sync_of_data_stops_all);
	tcase_add_test(tc, failed_open_leaves_nothing);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("journal");
	TCase *tc[] = { tcase_plain(), tcase_home() };

	for (unsigned int i = 0; i < ARRAY_SIZE(tc); i++) {
		tcase_add_unchecked_fixture(tc[i], scratch_setup,
					    scratch_teardown);
		tcase_set_timeout(tc[i], 20);
		suite_add_tcase(s, tc[i]);
	}
	return scratch_run(s);
}
