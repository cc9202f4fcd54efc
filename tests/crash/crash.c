// SPDX-License-Identifier: BSD-3-Clause
/*
 * crash: crash safety, shown state by state (S1 to S4).
 *
 *   crash --quick      every operation, and some pairs: in seconds
 *   crash --full       every operation and every pair, many more images
 *   crash --defects    stores, flushes, fences and syncs that go wrong: each
 *                      kind must be noticed
 *
 * It exits with 0 if nothing was wrong, and all defects were noticed.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/util.h"
#include "explore.h"
#include "format/make.h"
#include "../unit/scratch.h"
#include "verdict.h"
#include "work.h"

#define POOL_SIZE (16ull << 20)
#define MAX_OPS	  6u

/* struct scene - two pools alike: one to record on, one to judge images in */
struct scene {
	bool file;
	struct record rec;
	struct record work;
	uint8_t *clean; /* the tree, unmounted */
	struct explorer x, in;
	struct state state[MAX_OPS + 1];
};

struct extent_of_search {
	size_t limit; /* images a cut, of single operations */
	size_t pair_limit;
	unsigned int pair_in; /* one in so many pairs; 0: none */
	unsigned int recut_in;
};

static bool verbose;

/* --- scenes --------------------------------------------------------------------- */

static struct pool *open_pool(const char *path)
{
	struct pool *pool;
	int err = pool_open(path, 0, &pool, NULL);

	if (err)
		die("%s: %s", path, strerror(-err));
	return pool;
}

static struct fs *open_fs(struct pool *pool)
{
	struct fs_options opt = { .workers = 1 };
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

static void make_tree(const char *path)
{
	struct format_options opt;
	struct pool *pool;
	struct fs *fs;

	if (pool_create(path, POOL_SIZE) || format_options_init(&opt))
		die("%s: cannot be made", path);
	opt.hash_seed = 42;
	pool = open_pool(path);
	if (format_make(pool, &opt))
		die("%s: cannot be formatted", path);
	fs = open_fs(pool);
	work_prepare(fs);
	close_fs(fs);
	pool_close(pool);
}

static void scene_open(struct scene *s, bool file, const char *name)
{
	const char *path = scratch_path(SCRATCH_MEMORY, name);
	struct pool *pool;
	char other[400];

	memset(s, 0, sizeof(*s));
	s->file = file;
	make_tree(path);
	pool = open_pool(path);
	record_attach(&s->rec, pool);
	s->clean = malloc(pool->size);
	if (!s->clean)
		die("out of memory");
	memcpy(s->clean, pool->base, pool->size);
	snprintf(other, sizeof(other), "%s.work", path);
	if (pool_create(other, POOL_SIZE))
		die("%s: cannot be made", other);
	pool = open_pool(other);
	memcpy(pool->base, s->clean, pool->size);
	record_attach(&s->work, pool);
	if (file)
		s->rec.pool->kind = s->work.pool->kind = POOL_FILE;
	explorer_init(&s->x, &s->work, file);
	explorer_init(&s->in, &s->work, file);
	s->in.is_inner = true;
	s->x.inner = &s->in;
	s->x.final = s->rec.pool->base;
}

static void scene_close(struct scene *s)
{
	for (unsigned int i = 0; i <= MAX_OPS; i++)
		state_free(&s->state[i]);
	explorer_free(&s->x);
	explorer_free(&s->in);
	record_free(&s->work);
	pool_close(s->work.pool);
	record_free(&s->rec);
	pool_close(s->rec.pool);
	free(s->clean);
}

/* --- recording ------------------------------------------------------------------- */

/* mounted - what mounting has changed is part of what the log begins with */
static void mounted(struct scene *s)
{
	for (size_t i = 0; i < s->rec.ndirty; i++) {
		size_t at = (size_t)s->rec.dirty[i] * PINFS_BLOCK_SIZE;
		const uint8_t *from = s->rec.pool->base + at;

		memcpy(s->x.base + at, from, PINFS_BLOCK_SIZE);
		memcpy(s->x.settled + at, from, PINFS_BLOCK_SIZE);
		memcpy(s->work.pool->base + at, from, PINFS_BLOCK_SIZE);
	}
}

static void take(struct scene *s, struct fs *fs, unsigned int i)
{
	int err = state_take(&s->state[i], fs);

	if (err)
		die("state %u: %s", i, strerror(-err));
}

/* run_one - as operation number i */
static void run_one(struct scene *s, struct fs *fs, const struct work_op *op,
		    unsigned int i)
{
	bool sync = strcmp(op->name, "fsync") == 0;
	int err;

	record_mark(&s->rec, EVENT_BEGIN);
	err = op->run(fs, op);
	record_mark(&s->rec, sync && !err ? EVENT_SYNCED : EVENT_END);
	take(s, fs, i + 1);
	/* The first operation of a pair may have left the second no object. */
	if (err && (i == 0 || s->state[i + 1].hash != s->state[i].hash))
		die("%s: %s", op->name, strerror(-err));
}

static unsigned int record_ops(struct scene *s, const struct work_op **op,
			       unsigned int n, enum defect defect)
{
	struct fs *fs = open_fs(s->rec.pool);

	/* Reading may set access times, once. */
	take(s, fs, 0);
	mounted(s);
	record_start(&s->rec, defect);
	for (unsigned int i = 0; i < n; i++)
		run_one(s, fs, op[i], i);
	if (s->file) {
		record_mark(&s->rec, EVENT_BEGIN);
		if (fs_sync(fs))
			die("sync fails");
		record_mark(&s->rec, EVENT_SYNCED);
		take(s, fs, ++n);
	}
	close_fs(fs);
	record_stop(&s->rec);
	return n;
}

/* explore_ops - record the operations, and explore from number from on */
static void explore_ops(struct scene *s, const struct work_op **op,
			unsigned int n, unsigned int from, enum defect defect)
{
	struct expect ex = { .state = s->state };
	struct tally was = s->x.tally;
	char name[100] = "";

	for (unsigned int i = 0; i < n; i++) {
		snprintf(name + strlen(name), sizeof(name) - strlen(name),
			 "%s%s", i ? "+" : "", op[i]->name);
		ex.writes |= (unsigned int)op[i]->writes << (i + 1);
	}
	s->x.name = name;
	s->x.probe = ex.writes != 0;
	s->in.probe = s->x.probe;
	record_ops(s, op, n, defect);
	explore(&s->x, &s->rec, &ex, from);
	record_restore(&s->rec, s->clean);
	if (verbose)
		printf("%-6s %-34s events %5zu cuts %4llu whole %4llu distinct "
		       "%6llu violations %llu\n",
		       s->file ? "file" : "pmem", name, s->rec.events,
		       (unsigned long long)(s->x.tally.cuts - was.cuts),
		       (unsigned long long)(s->x.tally.whole - was.whole),
		       (unsigned long long)(s->x.tally.distinct - was.distinct),
		       (unsigned long long)(s->x.tally.violations -
					    was.violations));
}

static const struct work_op *op_named(const char *name)
{
	for (unsigned int i = 0; i < work_count; i++)
		if (!strcmp(work_ops[i].name, name))
			return &work_ops[i];
	die("no operation is called %s", name);
}

/* --- what is explored --------------------------------------------------------------- */

static void show(const struct scene *s, const char *what, unsigned int count)
{
	const struct tally *t = &s->x.tally;

	printf("%s: %s: %u workloads, %llu power failures (%llu with all "
	       "combinations), %llu images, %llu distinct; %llu recoveries "
	       "recorded and cut, %llu images of them; %llu violations\n",
	       s->file ? "file" : "persistent memory", what, count,
	       (unsigned long long)t->cuts, (unsigned long long)t->whole,
	       (unsigned long long)t->images, (unsigned long long)t->distinct,
	       (unsigned long long)t->recoveries,
	       (unsigned long long)t->recovery_images,
	       (unsigned long long)t->violations);
	if (state_zeroed)
		printf("  %llu images with zeroes as docs/CRASH.md says\n",
		       (unsigned long long)state_zeroed);
	state_zeroed = 0;
	fflush(stdout);
}

static uint64_t singles(struct scene *s, const struct extent_of_search *e)
{
	memset(&s->x.tally, 0, sizeof(s->x.tally));
	s->x.limit = e->limit;
	s->x.recut_in = e->recut_in;
	for (unsigned int i = 0; i < work_count; i++) {
		const struct work_op *op = &work_ops[i];

		explore_ops(s, &op, 1, 0, DEFECT_NONE);
	}
	show(s, "single operations", work_count);
	return s->x.tally.violations;
}

/* pairs - of the second operation, after the first one */
static uint64_t pairs(struct scene *s, const struct extent_of_search *e)
{
	unsigned int count = 0, all = work_count * work_count;

	memset(&s->x.tally, 0, sizeof(s->x.tally));
	s->x.limit = e->pair_limit;
	s->x.recut_in = 0;
	for (unsigned int k = 0; e->pair_in && k < all / e->pair_in; k++) {
		/* A prime, so that few pairs are of all sorts. */
		unsigned int p = k * 7919 % all;
		const struct work_op *op[] = {
			&work_ops[p / work_count],
			&work_ops[p % work_count],
		};

		explore_ops(s, op, 2, s->file ? 0 : 2, DEFECT_NONE);
		count++;
	}
	show(s, "pairs", count);
	return s->x.tally.violations;
}

/* large - changes in several transactions, of a file of many extents */
static uint64_t large(struct scene *s, const struct extent_of_search *e)
{
	memset(&s->x.tally, 0, sizeof(s->x.tally));
	s->x.limit = e->pair_limit * 2;
	s->x.recut_in = e->recut_in;
	for (unsigned int i = 0; i < work_large_count; i++) {
		const struct work_op *op[] = {
			&work_many,
			&work_fill,
			op_named("fsync"),
			&work_large[i],
		};

		explore_ops(s, op, 4, 4, DEFECT_NONE);
	}
	show(s, "changes with an intent", work_large_count);
	return s->x.tally.violations;
}

static int search(const struct extent_of_search *e, const char *kind)
{
	uint64_t violations = 0;
	struct scene s;

	for (int file = 0; file < 2; file++) {
		if (kind && strcmp(kind, file ? "file" : "pmem"))
			continue;
		scene_open(&s, file, file ? "file" : "pmem");
		violations += singles(&s, e);
		violations += pairs(&s, e);
		violations += large(&s, e);
		scene_close(&s);
	}
	return violations ? 1 : 0;
}

/* --- defects ---------------------------------------------------------------------- */

static const struct {
	enum defect defect;
	bool file;
	const char *op;
	const char *what;
} seeded[] = {
	{ DEFECT_NONE, false, "mkdir", NULL },
	{ DEFECT_NO_FLUSH, false, "creat", "nothing is flushed" },
	{ DEFECT_NO_FLUSH_LANES, false, "mkdir", "records are not flushed" },
	{ DEFECT_NO_FLUSH_PAYLOAD, false, "write-extend",
	  "new data is not flushed" },
	{ DEFECT_NO_FLUSH_HOME, false, "creat",
	  "home locations are not flushed" },
	{ DEFECT_NO_FENCE, false, "creat", "no fences" },
	{ DEFECT_NO_FENCE_PAYLOAD, false, "write-new",
	  "no fence between payload and record" },
	{ DEFECT_NO_FENCE_COMMIT, false, "mkdir",
	  "no fence between record and home" },
	{ DEFECT_NO_FENCE_HOME, false, "mkdir",
	  "no fence between home and the record's end" },
	{ DEFECT_NONE, true, "mkdir", NULL },
	{ DEFECT_NO_SYNC, true, "creat", "syncs do nothing" },
	{ DEFECT_NO_FIRST_SYNC, true, "write-extend",
	  "no sync before the seal" },
	{ DEFECT_EARLY_SYNC, true, "creat", "no sync behind the seal" },
};

/* try_defect - true if it is as it should be: noticed, if there is one */
static bool try_defect(struct scene *s, size_t i)
{
	const struct work_op *op = op_named(seeded[i].op);
	bool noticed;

	memset(&s->x.tally, 0, sizeof(s->x.tally));
	s->x.first[0] = '\0';
	s->x.limit = 256;
	s->x.quiet = true;
	s->x.stop = true;
	explore_ops(s, &op, 1, 0, seeded[i].defect);
	noticed = s->x.tally.violations != 0;
	printf("%s: %s: %s after %llu images\n  %s\n",
	       s->file ? "file" : "persistent memory",
	       seeded[i].what ? seeded[i].what : "no defect",
	       noticed ? "NOTICED" : "nothing noticed",
	       (unsigned long long)s->x.tally.distinct, s->x.first);
	fflush(stdout);
	return noticed == (seeded[i].what != NULL);
}

static int defects(void)
{
	unsigned int bad = 0;
	struct scene s;

	for (int file = 0; file < 2; file++) {
		scene_open(&s, file, file ? "file" : "pmem");
		for (size_t i = 0; i < ARRAY_SIZE(seeded); i++)
			if (seeded[i].file == file)
				bad += !try_defect(&s, i);
		scene_close(&s);
	}
	printf("%u of %zu are not as they should be\n", bad,
	       ARRAY_SIZE(seeded));
	return bad ? 1 : 0;
}

/* --- the program --------------------------------------------------------------------- */

static void usage(void)
{
	fprintf(stderr, "usage: crash [-v] [--kind pmem|file] [--limit N] "
			"[--pair-limit N] [--pair-in N] [--recut-in N] "
			"--quick|--full|--defects\n");
	exit(2);
}

static size_t number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!*text || *end)
		usage();
	return n;
}

static const struct option options[] = {
	{ "quick", no_argument, NULL, 'q' },
	{ "full", no_argument, NULL, 'f' },
	{ "defects", no_argument, NULL, 'd' },
	{ "limit", required_argument, NULL, 'l' },
	{ "pair-limit", required_argument, NULL, 'p' },
	{ "pair-in", required_argument, NULL, 'i' },
	{ "recut-in", required_argument, NULL, 'r' },
	{ "kind", required_argument, NULL, 'k' },
	{ NULL, 0, NULL, 0 },
};

int main(int argc, char **argv)
{
	struct extent_of_search e = { 0 };
	const char *kind = NULL;
	int opt, mode = 0;

	/* Recoveries, and defects, would say a lot. */
	log_set_level((enum log_level)(-1));
	while ((opt = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		if (opt == 'v')
			verbose = true;
		else if (opt == 'q')
			e = (struct extent_of_search){ 40, 6, 13, 150 };
		else if (opt == 'f')
			e = (struct extent_of_search){ 512, 16, 1, 300 };
		else if (opt == 'l')
			e.limit = number(optarg);
		else if (opt == 'p')
			e.pair_limit = number(optarg);
		else if (opt == 'i')
			e.pair_in = (unsigned int)number(optarg);
		else if (opt == 'r')
			e.recut_in = (unsigned int)number(optarg);
		else if (opt == 'k')
			kind = optarg;
		else if (opt != 'd')
			usage();
		mode = strchr("qfd", opt) ? opt : mode;
	}
	if (!mode || optind != argc)
		usage();
	scratch_setup();
	atexit(scratch_teardown);
	return mode == 'd' ? defects() : search(&e, kind);
}
