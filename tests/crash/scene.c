// SPDX-License-Identifier: BSD-3-Clause
/* Scenes: making the pools, and recording what operations store. */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/scratch.h"
#include "clock.h"
#include "format/make.h"

#define POOL_SIZE (16ull << 20)

/* --- pools ---------------------------------------------------------------------- */

static struct pool *open_pool(const char *path)
{
	struct pool *pool;
	int err = pool_open(path, 0, &pool, NULL);

	if (err)
		die("%s: %s", path, strerror(-err));
	return pool;
}

static struct fs *open_fs(struct pool *pool, bool range)
{
	struct fs_options opt = { .workers = 1, .scope_range = range };
	struct fs *fs;
	int err = fs_open(pool, &opt, &fs);

	if (err)
		die("the tree: %s", strerror(-err));
	return fs;
}

static void close_fs(struct fs *fs)
{
	int err;

	fs_drain(fs);
	err = fs_close(fs);
	if (err)
		die("unmount: %s", strerror(-err));
}

static void make_tree(const char *path, bool full)
{
	struct format_options opt;
	struct pool *pool;
	struct fs *fs;

	remove(path);
	if (pool_create(path, POOL_SIZE) || format_options_init(&opt))
		die("%s: cannot be made", path);
	opt.hash_seed = 42;
	pool = open_pool(path);
	if (format_make(pool, &opt))
		die("%s: cannot be formatted", path);
	fs = open_fs(pool, false);
	work_prepare(fs, full);
	close_fs(fs);
	pool_close(pool);
}

void scene_open(struct scene *s, bool file, bool full)
{
	const char *path = scratch_path(SCRATCH_MEMORY, "pool");
	struct pool *pool;
	char other[400];

	memset(s, 0, sizeof(*s));
	s->file = file;
	s->full = full;
	make_tree(path, full);
	pool = open_pool(path);
	record_attach(&s->rec, pool);
	s->clean = malloc(pool->size);
	if (!s->clean)
		die("out of memory");
	memcpy(s->clean, pool->base, pool->size);
	snprintf(other, sizeof(other), "%s.work", path);
	remove(other);
	if (pool_create(other, POOL_SIZE))
		die("%s: cannot be made", other);
	pool = open_pool(other);
	memcpy(pool->base, s->clean, pool->size);
	record_attach(&s->work, pool);
	if (file)
		s->rec.pool->kind = s->work.pool->kind = POOL_FILE;
	explorer_init(&s->x, &s->work, file, 0);
	s->x.final = s->rec.pool->base;
}

void scene_close(struct scene *s)
{
	for (unsigned int i = 0; i < STATE_MAX; i++)
		state_free(&s->state[i]);
	explorer_free(&s->x);
	record_free(&s->work);
	pool_close(s->work.pool);
	record_free(&s->rec);
	pool_close(s->rec.pool);
	free(s->clean);
}

void scene_picks(struct scene *s, const struct picks *picks,
		 const struct picks *inner, unsigned int recut_in,
		 unsigned int again_in)
{
	s->x.picks = *picks;
	s->x.recut_in = recut_in;
	s->x.inner->picks = *inner;
	s->x.inner->recut_in = again_in;
	s->x.inner->inner->picks = *inner;
}

/* --- recording ------------------------------------------------------------------- */

/* settle - all is sealed, and home */
static void settle(struct fs *fs)
{
	if (fs_sync(fs) || journal_bring_home(fs_volume(fs)->journal))
		die("sync fails");
}

/* begin_with - the pages that have changed are in the log's beginning as here */
static void begin_with(struct scene *s, const uint8_t *image)
{
	for (size_t i = 0; i < s->rec.ndirty; i++) {
		size_t at = (size_t)s->rec.dirty[i] * PINFS_BLOCK_SIZE;

		memcpy(s->x.base + at, image + at, PINFS_BLOCK_SIZE);
		memcpy(s->x.settled + at, image + at, PINFS_BLOCK_SIZE);
		memcpy(s->work.pool->base + at, image + at, PINFS_BLOCK_SIZE);
	}
}

/* alive - something is wrong before the power has failed */
static void alive(struct scene *s, unsigned int n, const char *why)
{
	if (s->x.tally.violations++ == 0)
		snprintf(s->x.first, sizeof(s->x.first),
			 "%s: after %u operations, alive: %s", s->x.name, n,
			 why);
	if (!s->x.quiet)
		printf("VIOLATION: %s: after %u operations, alive: %s\n",
		       s->x.name, n, why);
}

/* check_bytes - of deleted files, or a device's where it has pinned nothing */
static void check_bytes(struct scene *s, const struct expect *ex,
			unsigned int n)
{
	const struct state *now = &s->state[n];
	char why[100];

	for (unsigned int i = 0; i < now->files; i++) {
		const struct state_file *f = &now->file[i];
		bool device = f->node == ex->dma.node;

		for (size_t k = f->at; k < f->at + f->size; k++) {
			uint8_t is = now->data[k];

			if (is != 0xee && (is < 0xf0 || device))
				continue;
			snprintf(why, sizeof(why),
				 "file %u, byte %zu is 0x%02x, another's", i,
				 k - f->at, is);
			alive(s, n, why);
			return;
		}
	}
}

static void take(struct scene *s, struct fs *fs, const struct expect *ex,
		 unsigned int n)
{
	int err;

	if (n >= STATE_MAX)
		die("more states than there is room for");
	err = state_take(&s->state[n], fs);
	if (err)
		alive(s, n, strerror(-err));
	check_bytes(s, ex, n);
}

/* run_step - returns the number of the state after it */
static unsigned int run_step(struct scene *s, struct fs *fs,
			     const struct work_op *op, struct expect *ex,
			     unsigned int n)
{
	enum event_kind end = op->flags & WORK_SYNCS ? EVENT_SYNCED : EVENT_END;
	int err;

	if (op->flags & WORK_QUIET) {
		err = op->run(fs, op);
		if (err)
			alive(s, n, strerror(-err));
		record_note(&s->rec, EVENT_LOOK);
		return n;
	}
	record_mark(&s->rec, EVENT_BEGIN);
	err = op->run(fs, op);
	record_mark(&s->rec, err ? EVENT_END : end);
	if (op->flags & WORK_PINS)
		ex->dma = pinned_dma();
	take(s, fs, ex, ++n);
	if (err && (!s->lenient || s->state[n].hash != s->state[n - 1].hash))
		alive(s, n, strerror(-err));
	if (op->flags & WORK_WRITES) {
		ex->wrote[n] = state_changed(&s->state[n - 1], &s->state[n]);
		s->x.probe = true;
	}
	if (op->flags & WORK_PINS) {
		s->x.probe = true;
		ex->dma.first = n;
		ex->dma.last = STATE_MAX;
	}
	if (op->flags & WORK_ARRIVES) {
		ex->dma.end = pinned_dma().end;
		ex->dma.last = n - 1;
	}
	return n;
}

static void run_steps(struct scene *s, struct fs *fs, const struct script *sc)
{
	for (unsigned int i = 0; i < sc->before; i++) {
		int err = sc->step[i]->run(fs, sc->step[i]);

		if (err && !s->lenient)
			alive(s, 0, strerror(-err));
	}
}

/*
 * begin_quietly - what was stored by now is what the log begins with
 *
 * False if the checkpointer was at work meanwhile: then it is of no moment.
 */
static bool begin_quietly(struct scene *s, struct fs *fs,
			  const struct script *sc, const struct expect *ex,
			  unsigned int n)
{
	unsigned int syncs;

	settle(fs);
	if (sc->unsynced && fs_sync(fs)) /* has the lanes' room taken back */
		die("sync fails");
	syncs = record_syncs(&s->rec);
	if (sc->unsynced)
		run_steps(s, fs, sc);
	take(s, fs, ex, n);
	begin_with(s, s->rec.pool->base);
	return record_syncs(&s->rec) == syncs;
}

/* run_before - what is not recorded; returns the number of the state after it */
static unsigned int run_before(struct scene *s, struct fs *fs,
			       const struct script *sc, struct expect *ex)
{
	unsigned int n = sc->unsynced ? 1 : 0, tries = 0;

	/* Reading may set access times, once. */
	take(s, fs, ex, 0);
	if (!sc->unsynced)
		run_steps(s, fs, sc);
	while (!begin_quietly(s, fs, sc, ex, n))
		if (++tries == 10)
			die("%s: the checkpointer does not rest", s->x.name);
	ex->low = s->file ? 0 : n;
	ex->high = n;
	return n;
}

/*
 * next_clock - from one where an operation is done within a tick, as on a fast
 * machine, to one that ticks at every reading, as on a very slow one
 */
static void next_clock(struct scene *s)
{
	static const unsigned int reads_per_tick[SCENE_CLOCKS] = { 1024, 16, 4,
								   1 };

	clock_next(reads_per_tick[s->recordings++ % SCENE_CLOCKS]);
}

static void record_script(struct scene *s, const struct script *sc,
			  struct expect *ex, enum defect defect)
{
	struct fs *fs = open_fs(s->rec.pool, sc->range);
	unsigned int n = run_before(s, fs, sc, ex);

	record_start(&s->rec, defect);
	for (unsigned int i = sc->before; i < SCRIPT_STEPS && sc->step[i]; i++)
		n = run_step(s, fs, sc->step[i], ex, n);
	if (s->file) {
		record_mark(&s->rec, EVENT_BEGIN);
		if (fs_sync(fs))
			die("sync fails");
		record_mark(&s->rec, EVENT_SYNCED);
		take(s, fs, ex, ++n);
	}
	close_fs(fs);
	record_stop(&s->rec);
}

static void name_of(const struct script *sc, char *name, size_t size)
{
	size_t n = (size_t)snprintf(name, size, "%s", sc->name ? sc->name : "");

	for (unsigned int i = 0; i < SCRIPT_STEPS && sc->step[i]; i++)
		if (n < size)
			n += (size_t)snprintf(name + n, size - n, "%s%s",
					      n ? "+" : "", sc->step[i]->name);
}

static void say(const struct scene *s, const struct tally *was)
{
	const struct tally *t = &s->x.tally;

	printf("%s %s: events %zu cuts %llu whole %llu subsets %llu distinct "
	       "%llu violations %llu\n",
	       s->file ? "file" : "pmem", s->x.name, s->rec.events,
	       (unsigned long long)(t->cuts - was->cuts),
	       (unsigned long long)(t->whole - was->whole),
	       (unsigned long long)(t->subsets - was->subsets),
	       (unsigned long long)(t->distinct - was->distinct),
	       (unsigned long long)(t->violations - was->violations));
}

void scene_explore(struct scene *s, const struct script *sc, enum defect defect)
{
	struct expect ex = { .state = s->state, .slack = sc->slack };
	struct tally was = s->x.tally;

	name_of(sc, s->name, sizeof(s->name));
	s->x.name = s->name;
	if (s->only && !strstr(s->name, s->only))
		return;
	s->x.probe = false;
	next_clock(s);
	record_script(s, sc, &ex, defect);
	explore(&s->x, &s->rec, &ex, sc->from);
	begin_with(s, s->clean);
	record_restore(&s->rec, s->clean);
	if (s->verbose)
		say(s, &was);
}
