// SPDX-License-Identifier: BSD-3-Clause
/*
 * Operations on different files and directories, by one thread and by two.
 *
 * By the clock, so on a machine with other work what two threads gain is told
 * beside what two get that share nothing at all; and by the threads' own processor
 * time, which other work leaves alone, but not a line that both store to.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scale.h"

#define THREADS	    2u
#define FILE_BLOCKS 4096u

struct worker {
	struct rig *rig;
	pthread_t thread;
	pthread_barrier_t *start;
	void (*fn)(struct worker *w);
	uint64_t dir;
	struct fs_file *file;
	uint64_t random;
	unsigned int ops;
	uint64_t begun, ended; /* by the clock */
	uint64_t cpu; /* ns */
	char buf[PINFS_BLOCK_SIZE];
};

static uint64_t next_block(struct worker *w)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return (w->random >> 33) % FILE_BLOCKS;
}

static void names(struct worker *w)
{
	for (unsigned int i = 0; i < w->ops; i++)
		rig_name(w->rig, w->dir, i);
}

static void reads(struct worker *w)
{
	static _Thread_local struct fs_read rd;

	for (unsigned int i = 0; i < w->ops; i++) {
		must(fs_read_begin(w->rig->fs, w->file,
				   next_block(w) * PINFS_BLOCK_SIZE,
				   PINFS_BLOCK_SIZE, &rd),
		     "read");
		memcpy(w->buf, rd.iov[0].iov_base, rd.iov[0].iov_len);
		fs_read_end(&rd);
	}
}

static void writes(struct worker *w)
{
	for (unsigned int i = 0; i < w->ops; i++)
		must((int)fs_write(w->rig->fs, w->file, w->buf,
				   PINFS_BLOCK_SIZE,
				   next_block(w) * PINFS_BLOCK_SIZE),
		     "write");
}

/* alone - the like, without anything that two could share */
static void alone(struct worker *w)
{
	char other[PINFS_BLOCK_SIZE];

	for (unsigned int i = 0; i < w->ops; i++) {
		memcpy(other, w->buf, sizeof(other));
		w->buf[next_block(w)] = other[next_block(w)];
	}
}

static void *run(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(w->start);
	w->begun = now_ns();
	w->cpu = cpu_ns();
	w->fn(w);
	w->cpu = cpu_ns() - w->cpu;
	w->ended = now_ns();
	return NULL;
}

static const struct {
	const char *what;
	void (*fn)(struct worker *w);
	unsigned int ops; /* of each thread: some tenths of a second */
} kinds[] = {
	{ "nothing shared, no file system", alone, 2000000 },
	{ "create, each in its directory", names, 20000 },
	{ "read 4 KiB, each its file", reads, 400000 },
	{ "overwrite 4 KiB, each its file", writes, 200000 },
};

/* measure - operations a second of so many threads together, and ns of each */
static void measure(struct worker *w, unsigned int threads, unsigned int k,
		    double *each_second, double *ns)
{
	pthread_barrier_t start;
	uint64_t begun = UINT64_MAX, ended = 0, cpu = 0;
	double ops = (double)threads * kinds[k].ops;

	pthread_barrier_init(&start, NULL, threads);
	for (unsigned int i = 0; i < threads; i++) {
		w[i].start = &start;
		w[i].fn = kinds[k].fn;
		w[i].ops = kinds[k].ops;
		must(-pthread_create(&w[i].thread, NULL, run, &w[i]), "thread");
	}
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(w[i].thread, NULL);
		begun = min_u64(begun, w[i].begun);
		ended = max_u64(ended, w[i].ended);
		cpu += w[i].cpu;
	}
	pthread_barrier_destroy(&start);
	*each_second = ops * 1e9 / (double)(ended - begun);
	*ns = (double)cpu / ops;
}

static void prepare(struct rig *r, struct worker *w)
{
	static const char *const dir[] = { "d0", "d1" };
	static const char *const file[] = { "f0", "f1" };

	for (unsigned int i = 0; i < THREADS; i++) {
		w[i] = (struct worker){ .rig = r, .random = i + 1 };
		w[i].dir = rig_dir(r, dir[i]);
		w[i].file = rig_file(r, file[i]);
		for (uint64_t b = 0; b < FILE_BLOCKS; b++)
			must((int)fs_write(r->fs, w[i].file, w[i].buf,
					   PINFS_BLOCK_SIZE,
					   b * PINFS_BLOCK_SIZE),
			     "write");
	}
}

static void remove_names(struct worker *w, unsigned int threads)
{
	for (unsigned int i = 0; i < threads; i++)
		for (unsigned int n = 0; n < w[i].ops; n++)
			rig_unname(w[i].rig, w[i].dir, n);
}

/* tell - what is in s, of the chart's kind */
static void tell(const char *chart, struct samples *s, const char *unit)
{
	static const double threads[THREADS] = { 1, 2 };

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		char series[80];

		snprintf(series, sizeof(series), "%s/%s", chart, kinds[k].what);
		put_samples(series, threads, THREADS, &s[k], unit);
	}
}

void scale_parallel(void)
{
	static struct samples s[ARRAY_SIZE(kinds)], cpu[ARRAY_SIZE(kinds)];
	static struct worker w[THREADS];
	struct rig r;

	rig_make(&r, 0, 4 * GIB);
	rig_mount(&r);
	prepare(&r, w);
	for (unsigned int round = 0; round < rounds; round++) {
		for (unsigned int k = 0; k < ARRAY_SIZE(kinds); k++) {
			for (unsigned int n = 1; n <= THREADS; n++) {
				measure(w, n, k, &s[k].v[n - 1][round],
					&cpu[k].v[n - 1][round]);
				if (kinds[k].fn == names)
					remove_names(w, n);
			}
		}
	}
	for (unsigned int i = 0; i < THREADS; i++)
		fs_file_release(r.fs, w[i].file);
	rig_unmount(&r);
	rig_remove(&r);
	put_chart("parallel", "Operations a second, by the clock", "threads");
	tell("parallel", s, "/s");
	put_chart("parallel-cpu", "One operation, in processor time",
		  "threads");
	tell("parallel-cpu", cpu, "ns");
}
