// SPDX-License-Identifier: BSD-3-Clause
/*
 * crash: crash safety, shown state by state (S1 to S4).
 *
 *   crash --quick      some of all: in seconds
 *   crash --full       all of all, pairs and longer ones by sampling
 *   crash --exhaustive pairs as single operations: that takes hours
 *   crash --defects    what goes wrong on purpose: each must be noticed
 *
 * It exits with 0 if nothing was wrong, and all defects were noticed.
 */
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/scratch.h"
#include "base/log.h"
#include "defects.h"
#include "scene.h"

/* struct group - a sort of workloads: how many of them, and images of each */
struct group {
	struct picks picks;
	unsigned int in; /* one in so many workloads; 0: none */
	unsigned int recut_in; /* one in so many images; 0: none */
};

struct extent_of_search {
	struct group single, triple, script, large, pinned, full;
	struct group pair, pair_file; /* by the kind of pool */
	struct picks inner; /* of recoveries */
	unsigned int again_in; /* one in so many of those is cut again */
};

#define ALL ((size_t)-1)

/* No bound but on what is by chance. */
#define TO_THE_LETTER                       \
	{                                   \
		4096, 12, ALL, ALL, 512, 32 \
	}

static const struct extent_of_search quick = {
	.single = { { 24, 0, 6, 3, 8, 1 }, 1, 500 },
	.pair = { { 6, 0, 1, 0, 2, 0 }, 23, 800 },
	.pair_file = { { 6, 0, 1, 0, 2, 0 }, 23, 800 },
	.triple = { { 6, 0, 1, 0, 2, 0 }, 61, 800 },
	.script = { { 6, 0, 1, 1, 3, 1 }, 1, 800 },
	.large = { { 4, 0, 1, 1, 2, 0 }, 1, 800 },
	.pinned = { { 3, 0, 1, 1, 1, 0 }, 1, 1500 },
	.full = { { 6, 0, 1, 0, 2, 0 }, 3, 800 },
	.inner = { 8, 0, 2, 1, 3, 1 },
	.again_in = 60,
};

#define FULL                                               \
	.single = { TO_THE_LETTER, 1, 400 },               \
	.triple = { { 64, 6, 8, 8, 16, 2 }, 1, 4000 },     \
	.script = { { 512, 9, 64, 64, 128, 16 }, 1, 400 }, \
	.large = { { 512, 9, 64, 64, 128, 16 }, 1, 2000 }, \
	.pinned = { { 512, 9, 64, 64, 128, 16 }, 1, 400 }, \
	.full = { TO_THE_LETTER, 1, 400 },                 \
	.pair_file = { TO_THE_LETTER, 1, 2000 },           \
	.inner = { 256, 8, 32, 32, 64, 4 }, .again_in = 500

static const struct extent_of_search full = {
	FULL,
	.pair = { { 4096, 12, ALL, 64, 64, 4 }, 1, 2000 },
};

static const struct extent_of_search exhaustive = {
	FULL,
	.pair = { TO_THE_LETTER, 1, 2000 },
};

static const struct extent_of_search *extent;
static bool verbose;
static const char *only;
static uint64_t cuts; /* of all groups */

static uint64_t show(struct scene *s, const char *what, unsigned int count)
{
	const struct tally *t = &s->x.tally;

	cuts += t->cuts;
	if (only && !t->cuts)
		return 0;
	printf("%s: %s: %u workloads, %llu power failures (%llu with all "
	       "combinations, %llu with all subsets), %llu images, %llu "
	       "distinct; %llu recoveries cut, %llu images; %llu of those cut "
	       "again, %llu images; %llu violations\n",
	       s->file ? "file" : "persistent memory", what, count,
	       (unsigned long long)t->cuts, (unsigned long long)t->whole,
	       (unsigned long long)t->subsets, (unsigned long long)t->images,
	       (unsigned long long)t->distinct,
	       (unsigned long long)t->recoveries[0],
	       (unsigned long long)t->recovery_images[0],
	       (unsigned long long)t->recoveries[1],
	       (unsigned long long)t->recovery_images[1],
	       (unsigned long long)t->violations);
	fflush(stdout);
	return t->violations;
}

/* begin_group - false if there is nothing to do */
static bool begin_group(struct scene *s, const struct group *g)
{
	memset(&s->x.tally, 0, sizeof(s->x.tally));
	s->verbose = verbose;
	s->only = only;
	scene_picks(s, &g->picks, &extent->inner, g->recut_in,
		    extent->again_in);
	return g->in != 0;
}

/* singles - every operation; on a pool without space they may fail */
static uint64_t singles(struct scene *s, const struct group *g)
{
	unsigned int count = 0;

	if (!begin_group(s, g))
		return 0;
	s->lenient = s->full;
	for (unsigned int i = 0; i < work_count; i += g->in) {
		const struct script sc = { .step = { &work_ops[i] } };

		scene_explore(s, &sc, DEFECT_NONE);
		count++;
	}
	return show(s,
		    s->full ? "operations without space" : "single operations",
		    count);
}

/*
 * pairs - of the second operation, after the first one
 *
 * On persistent memory what the first has stored is durable, so it need not be
 * recorded.
 */
static uint64_t pairs(struct scene *s)
{
	const struct group *g = s->file ? &extent->pair_file : &extent->pair;
	unsigned int count = 0, all = work_count * work_count;

	if (!begin_group(s, g))
		return 0;
	s->lenient = true;
	for (unsigned int k = 0; k < all / g->in; k++) {
		/* A prime, so that few pairs are of all sorts. */
		unsigned int p = k * 7919 % all;
		const struct script sc = {
			.step = { &work_ops[p / work_count],
				  &work_ops[p % work_count] },
			.before = s->file ? 0 : 1,
			.from = s->file ? 2 : 0,
		};

		scene_explore(s, &sc, DEFECT_NONE);
		count++;
	}
	return show(s, "pairs", count);
}

static uint64_t triples(struct scene *s)
{
	const struct group *g = &extent->triple;
	unsigned int n = work_reduced_count, count = 0;

	if (!begin_group(s, g))
		return 0;
	s->lenient = true;
	for (unsigned int k = 0; k < n * n * n; k += g->in) {
		const struct script sc = {
			.step = { work_op_named(work_reduced[k / n / n]),
				  work_op_named(work_reduced[k / n % n]),
				  work_op_named(work_reduced[k % n]) },
			.before = s->file ? 0 : 2,
			.from = s->file ? 3 : 0,
		};

		scene_explore(s, &sc, DEFECT_NONE);
		count++;
	}
	return show(s, "rows of three", count);
}

static uint64_t scripts(struct scene *s, const struct script_list *list,
			const struct group *g)
{
	if (!begin_group(s, g))
		return 0;
	s->lenient = false;
	for (unsigned int i = 0; i < list->count; i++)
		scene_explore(s, &list->script[i], DEFECT_NONE);
	return show(s, list->what, list->count);
}

static uint64_t search_kind(bool file)
{
	uint64_t violations = 0;
	struct scene s;

	scene_open(&s, file, false);
	violations += singles(&s, &extent->single);
	violations += pairs(&s);
	violations += triples(&s);
	violations += scripts(&s, &scripts_large, &extent->large);
	violations += scripts(&s, &scripts_files, &extent->script);
	violations += scripts(&s, &scripts_reuse, &extent->script);
	violations += scripts(&s, &scripts_lanes, &extent->script);
	violations += scripts(&s, &scripts_pinned, &extent->pinned);
	violations += scripts(&s, &scripts_range, &extent->pinned);
	scene_close(&s);
	scene_open(&s, file, true);
	violations += singles(&s, &extent->full);
	scene_close(&s);
	return violations;
}

static int search(const char *kind)
{
	uint64_t violations = 0;

	if (!kind || !strcmp(kind, "pmem"))
		violations += search_kind(false);
	if (!kind || !strcmp(kind, "file"))
		violations += search_kind(true);
	if (cuts == 0)
		die("no workload has \"%s\" in its name", only ? only : "");
	return violations ? 1 : 0;
}

/* one_cpu - each image starts and ends threads: on one CPU that is cheap */
static void one_cpu(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* clean_up - a signal ends the program, but not before its files are gone */
static void *clean_up(void *arg)
{
	int sig;

	sigwait(arg, &sig);
	scratch_teardown();
	_exit(1);
}

static void catch_signals(void)
{
	static sigset_t set;
	pthread_t thread;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (pthread_create(&thread, NULL, clean_up, &set))
		die("no thread for signals");
	pthread_detach(thread);
}

static void usage(void)
{
	fprintf(stderr, "usage: crash [-v] [--kind pmem|file] [--only NAME] "
			"--quick|--full|--exhaustive|--defects\n");
	exit(2);
}

static const struct option options[] = {
	{ "quick", no_argument, NULL, 'q' },
	{ "full", no_argument, NULL, 'f' },
	{ "exhaustive", no_argument, NULL, 'e' },
	{ "defects", no_argument, NULL, 'd' },
	{ "kind", required_argument, NULL, 'k' },
	{ "only", required_argument, NULL, 'o' },
	{ NULL, 0, NULL, 0 },
};

int main(int argc, char **argv)
{
	const char *kind = NULL;
	int opt, mode = 0;

	/* Recoveries, and defects, would say a lot. */
	log_set_level((enum log_level)(-1));
	while ((opt = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		if (opt == 'v')
			verbose = true;
		else if (opt == 'k')
			kind = optarg;
		else if (opt == 'o')
			only = optarg;
		else if (strchr("qfed", opt))
			mode = opt;
		else
			usage();
	}
	if (!mode || optind != argc ||
	    (kind && strcmp(kind, "pmem") && strcmp(kind, "file")))
		usage();
	extent = mode == 'f' ? &full : mode == 'e' ? &exhaustive : &quick;
	one_cpu();
	scratch_setup();
	atexit(scratch_teardown);
	catch_signals();
	return mode == 'd' ? defects() : search(kind);
}
