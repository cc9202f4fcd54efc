// SPDX-License-Identifier: BSD-3-Clause
/*
 * Scope range from many threads, beside a model of who has which block: nobody
 * has it while it is changed (L2, L3), no break is overtaken (L4), no circle of
 * waits (L5: the test ends), no pinned block is moved (L1).
 */
#include "range_rig.h"

#include <pthread.h>

#include "base/log.h"
#include "base/util.h"

#define FILES  2u
#define ROUNDS 1500u
#define BLOCKS 64u /* that are claimed and changed */

static uint64_t rnd(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* --- the model --------------------------------------------------------------- */

struct model_file {
	atomic_uint claims[BLOCKS];
	atomic_uint changing[BLOCKS];
	atomic_uint running; /* breaks */
	_Atomic uint64_t entered; /* greatest number of a set that was let in */
	_Atomic uint64_t last_break; /* number of the last one that ran */
};

struct stress {
	struct rig r;
	struct model_file file[FILES];
	atomic_uint wrong;
	_Atomic(const char *) what;
	atomic_bool stop;
	struct gate go; /* all workers are there */
};

static void wrong(struct stress *s, const char *what)
{
	atomic_store(&s->what, what);
	atomic_fetch_add(&s->wrong, 1);
}

struct claim {
	unsigned int file;
	uint64_t first, count;
};

static struct claim random_claim(uint64_t *seed)
{
	uint64_t first = rnd(seed) % BLOCKS;
	uint64_t most = rnd(seed) % 8 ? 6 : BLOCKS;

	return (struct claim){ (unsigned int)(rnd(seed) % FILES), first,
			       1 + rnd(seed) % min_u64(most, BLOCKS - first) };
}

static void atomic_max(_Atomic uint64_t *at, uint64_t v)
{
	uint64_t now = atomic_load(at);

	while (now < v && !atomic_compare_exchange_weak(at, &now, v))
		;
}

/* model_enter - the set has been let in: nobody changes what it has claimed */
static void model_enter(struct stress *s, const struct claim *c,
			uint64_t number)
{
	struct model_file *f = &s->file[c->file];

	for (uint64_t b = c->first; b < c->first + c->count; b++)
		atomic_fetch_add(&f->claims[b], 1);
	for (uint64_t b = c->first; b < c->first + c->count; b++)
		if (atomic_load(&f->changing[b]))
			wrong(s, "a claim of a block that is being changed");
	atomic_max(&f->entered, number);
}

static void model_leave(struct stress *s, const struct claim *c)
{
	for (uint64_t b = c->first; b < c->first + c->count; b++)
		atomic_fetch_sub(&s->file[c->file].claims[b], 1);
}

/* --- breaks -------------------------------------------------------------------- */

struct stress_break {
	struct layout_break brk;
	struct stress *s;
	struct model_file *file;
	struct gate *over;
};

static void model_run(struct stress_break *b)
{
	struct model_file *f = b->file;

	if (atomic_fetch_add(&f->running, 1))
		wrong(b->s, "two breaks of a file run at once");
	if (atomic_load(&f->last_break) > b->brk.number)
		wrong(b->s, "breaks ran out of order (L4)");
	atomic_store(&f->last_break, b->brk.number);
	if (atomic_load(&f->entered) > b->brk.number)
		wrong(b->s, "a set that began later was let in (L4)");
	for (uint64_t i = b->brk.first; i < b->brk.end; i++)
		atomic_store(&f->changing[i], 1);
	for (uint64_t i = b->brk.first; i < b->brk.end; i++)
		if (atomic_load(&f->claims[i]))
			wrong(b->s, "a change of a block that is claimed (L3)");
	sched_yield();
	for (uint64_t i = b->brk.first; i < b->brk.end; i++)
		atomic_store(&f->changing[i], 0);
	atomic_fetch_sub(&f->running, 1);
}

static void break_over(struct stress_break *b)
{
	gate_pass(b->over);
	free(b);
}

static void ran(struct layout_break *brk)
{
	struct stress_break *b = container_of(brk, struct stress_break, brk);

	model_run(b);
	layout_break_done(brk, 0);
	break_over(b);
}

static void failed(struct layout_break *brk, int err)
{
	struct stress_break *b = container_of(brk, struct stress_break, brk);

	if (err != -EBUSY)
		wrong(b->s, "a break failed with something else");
	break_over(b);
}

static void ask(struct stress *s, struct gate *over, uint64_t *seed)
{
	struct stress_break *b = calloc(1, sizeof(*b));
	struct claim c = random_claim(seed);

	must(b);
	b->s = s;
	b->file = &s->file[c.file];
	b->over = over;
	b->brk.run = ran;
	b->brk.fail = failed;
	b->brk.first = c.first;
	b->brk.end = rnd(seed) % 16 ? c.first + c.count : c.first;
	must(!layout_break_init(&b->brk, s->r.ls, s->r.ip[c.file]));
	layout_break(&b->brk);
}

struct worker {
	struct stress *s;
	uint64_t seed;
	unsigned int rounds;
	void *(*fn)(void *);
};

static void *breaking(void *arg)
{
	struct worker *w = arg;
	struct gate over;

	gate_init(&over);
	for (unsigned int i = 0; i < w->rounds; i++) {
		ask(w->s, &over, &w->seed);
		/* Up to four of them wait at a time. */
		if (i >= 4)
			gate_await(&over, i - 3);
	}
	gate_await(&over, w->rounds);
	return NULL;
}

/* --- pin sets --------------------------------------------------------------------- */

/* let_in - 0; or the set did not want to wait, or gave up */
static int let_in(struct pin_set *set, struct inode *ip, const struct claim *c,
		  uint64_t *seed)
{
	struct rig_wait w;
	int err = range_claim(set, ip, c->first, c->count, &w);

	if (err != -EINPROGRESS)
		return err;
	if (rnd(seed) % 8 == 0 && layout_admit_cancel(&w.a))
		return -ECANCELED;
	gate_await(&w.granted, 1);
	return 0;
}

static void check_blocks(struct stress *s, const struct claim *c,
			 const struct pinned_run *runs, size_t n)
{
	struct inode *ip = s->r.ip[c->file];

	for (size_t i = 0; i < n; i++)
		for (uint64_t b = 0; b < runs[i].count; b++)
			if (range_block(ip, runs[i].lblk + b) !=
			    runs[i].pblk + b)
				wrong(s, "a pinned block was moved (L1)");
}

/* pin_some - a set's life; claims of up to four ranges in any files */
static void pin_some(struct stress *s, uint64_t *seed)
{
	struct pin_set *set = rig_begin(&s->r, rnd(seed) % 4 ? 0 : PIN_NOWAIT);
	unsigned int n = 1 + rnd(seed) % 4, have = 0;
	struct claim c[4];

	for (; have < n; have++) {
		const struct pinned_run *runs;
		struct inode *ip;
		size_t nruns;

		c[have] = random_claim(seed);
		ip = s->r.ip[c[have].file];
		if (let_in(set, ip, &c[have], seed))
			break;
		model_enter(s, &c[have], pin_set_id(set));
		if (rnd(seed) % 4 == 0)
			continue;
		must(!layout_pin(set, ip, c[have].first, c[have].count, &runs,
				 &nruns));
		check_blocks(s, &c[have], runs, nruns);
	}
	sched_yield();
	while (have-- > 0)
		model_leave(s, &c[have]);
	pin_set_free(set);
}

static void *pinning(void *arg)
{
	struct worker *w = arg;

	for (unsigned int i = 0; i < w->rounds; i++)
		pin_some(w->s, &w->seed);
	return NULL;
}

/* looking - listings from outside, all the time */
static void *looking(void *arg)
{
	struct pinfs_ioc_breaks *breaks = calloc(1, sizeof(*breaks));
	struct pinfs_ioc_pins *pins = calloc(1, sizeof(*pins));
	struct worker *w = arg;

	must(breaks && pins);
	while (!atomic_load(&w->s->stop)) {
		pins->cursor = 0;
		breaks->cursor = 0;
		layout_list_pins(w->s->r.ls, 0, pins);
		layout_list_breaks(w->s->r.ls, 0, breaks);
		rig_stats(&w->s->r);
		sched_yield();
	}
	free(pins);
	free(breaks);
	return NULL;
}

/* --- running ------------------------------------------------------------------------ */

/* At once, or the first would be done before the last has come. */
static void *working(void *arg)
{
	struct worker *w = arg;

	gate_await(&w->s->go, 1);
	return w->fn(w);
}

static void start(struct stress *s, struct worker *w, pthread_t *thread,
		  unsigned int i, unsigned int rounds, void *(*fn)(void *))
{
	*w = (struct worker){ s, 0x9e3779b97f4a7c15ull * (i + 1), rounds, fn };
	must(!pthread_create(thread, NULL, working, w));
}

static void stress_setup(struct stress *s, uint64_t timeout)
{
	struct fs_options opt = { .scope_range = true,
				  .break_timeout_ns = timeout };

	memset(s, 0, sizeof(*s));
	gate_init(&s->go);
	rig_setup(&s->r, &opt);
	for (unsigned int i = 0; i < FILES; i++)
		scratch_fs_write(&s->r.sf, s->r.node[i], i, 0,
				 BLOCKS * PINFS_BLOCK_SIZE);
}

/* Second time: breaks that run out of time, while all else goes on. */
START_TEST(claims_and_breaks)
{
	static struct stress s;
	struct worker w[7];
	pthread_t thread[7];
	unsigned int i;

	log_set_level(LOG_LEVEL_ERROR);
	stress_setup(&s, _i ? 200000 : 0);
	for (i = 0; i < 4; i++)
		start(&s, &w[i], &thread[i], i, ROUNDS, pinning);
	for (; i < 6; i++)
		start(&s, &w[i], &thread[i], i, ROUNDS, breaking);
	start(&s, &w[i], &thread[i], i, 0, looking);
	gate_pass(&s.go);
	for (i = 0; i < 6; i++)
		pthread_join(thread[i], NULL);
	atomic_store(&s.stop, true);
	pthread_join(thread[6], NULL);
	ck_assert_msg(atomic_load(&s.wrong) == 0, "%u times: %s",
		      atomic_load(&s.wrong), atomic_load(&s.what));
	/* It has been a stress: much of it had to wait. */
	ck_assert_uint_gt(rig_stats(&s.r).breaks_waited, 20);
	ck_assert_uint_gt(rig_stats(&s.r).pin_waits, 20);
	ck_assert(_i == 0 || rig_stats(&s.r).timed_out > 0);
	rig_teardown(&s.r);
}
END_TEST

/* --- with real changes ------------------------------------------------------------- */

/* fill_some - as a device does, into blocks that are there or not */
static void fill_some(struct stress *s, uint64_t *seed)
{
	struct pin_set *set = rig_begin(&s->r, 0);
	struct claim c = random_claim(seed);
	struct inode *ip = s->r.ip[c.file];
	uint64_t off = c.first * PINFS_BLOCK_SIZE;
	uint64_t len = c.count * PINFS_BLOCK_SIZE;
	const struct pinned_run *runs;
	size_t n;

	if (!let_in(set, ip, &c, seed)) {
		must(!fs_dma_prepare(s->r.sf.fs, ip, off, len));
		must(!layout_pin(set, ip, c.first, c.count, &runs, &n));
		for (int i = 0; i < 3; i++) {
			check_blocks(s, &c, runs, n);
			sched_yield();
		}
		must(!fs_dma_finish(s->r.sf.fs, ip, off, len, off + len));
	}
	pin_set_free(set);
}

static void *filling(void *arg)
{
	struct worker *w = arg;

	for (unsigned int i = 0; i < w->rounds; i++)
		fill_some(w->s, &w->seed);
	return NULL;
}

static void change_some(struct stress *s, uint64_t *seed)
{
	static const enum pinfs_change kinds[] = {
		PINFS_CHANGE_TRUNCATE,	   PINFS_CHANGE_PUNCH_HOLE,
		PINFS_CHANGE_ZERO_RANGE,   PINFS_CHANGE_ALLOCATE,
		PINFS_CHANGE_INSERT_RANGE, PINFS_CHANGE_COLLAPSE_RANGE,
	};
	struct claim c = random_claim(seed);
	enum pinfs_change kind = kinds[rnd(seed) % ARRAY_SIZE(kinds)];
	uint64_t off = c.first * PINFS_BLOCK_SIZE;
	uint64_t len = c.count * PINFS_BLOCK_SIZE;
	int err;

	if (kind < PINFS_CHANGE_COLLAPSE_RANGE)
		off += rnd(seed) % 3 * 100;
	err = scratch_fs_change(&s->r.sf, s->r.node[c.file], kind, off, len);
	if (err && err != -EINVAL) /* collapse and insert past the end */
		wrong(s, "a change has failed");
}

static void *changing(void *arg)
{
	struct worker *w = arg;

	for (unsigned int i = 0; i < w->rounds; i++)
		change_some(w->s, &w->seed);
	return NULL;
}

START_TEST(real_changes)
{
	static struct stress s;
	struct worker w[4];
	pthread_t thread[4];

	stress_setup(&s, 0);
	for (unsigned int i = 0; i < 4; i++)
		start(&s, &w[i], &thread[i], i, ROUNDS / 2,
		      i < 2 ? filling : changing);
	gate_pass(&s.go);
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	ck_assert_msg(atomic_load(&s.wrong) == 0, "%u times: %s",
		      atomic_load(&s.wrong), atomic_load(&s.what));
	ck_assert_uint_gt(rig_stats(&s.r).breaks_waited, 0);
	/* Nobody else's bytes have been touched. */
	for (unsigned int i = FILES; i < RIG_FILES; i++)
		ck_assert(scratch_fs_has(&s.r.sf, s.r.node[i], i, 0,
					 RIG_BLOCKS * PINFS_BLOCK_SIZE));
	rig_teardown(&s.r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("layout-range-stress");

	rig_add(s, "claims and breaks", claims_and_breaks, 2);
	rig_add(s, "real changes", real_changes, 1);
	return rig_main(s);
}
