// SPDX-License-Identifier: BSD-3-Clause
/* Pools to measure on, and the lines that say what was measured. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format/make.h"
#include "scale.h"

unsigned int rounds = 5;
const struct fs_caller root = { 0 };

static const struct fs_options options = { .workers = 2 };

/* Pools that there are, for a program that ends early. */
static struct rig *made[MAX_SIZES];
static pid_t maker;

void must(int err, const char *what)
{
	if (err >= 0)
		return;
	fprintf(stderr, "scale: %s: %s\n", what, strerror(-err));
	for (unsigned int i = 0; i < MAX_SIZES; i++)
		if (made[i] && getpid() == maker)
			unlink(made[i]->path);
	exit(1);
}

uint64_t below(uint64_t n)
{
	static _Thread_local uint64_t x = 1;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x % n;
}

uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

double ms_since(uint64_t start_ns)
{
	return (double)(now_ns() - start_ns) / 1e6;
}

/* --- figures -------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void put(const char *series, double size, double figure, const char *unit)
{
	printf("%s\t%.12g\t%.4g\t%s\n", series, size, figure, unit);
	fflush(stdout);
}

void put_samples(const char *series, const double *size, unsigned int sizes,
		 struct samples *s, const char *unit)
{
	for (unsigned int i = 0; i < sizes; i++) {
		qsort(s->v[i], rounds, sizeof(s->v[i][0]), by_value);
		put(series, size[i], s->v[i][rounds / 2], unit);
	}
}

void put_chart(const char *chart, const char *title, const char *x)
{
	printf("#chart\t%s\t%s\t%s\n", chart, title, x);
	fflush(stdout);
}

/* --- pools ---------------------------------------------------------------------------- */

static const char *directory;

void rig_init(const char *dir)
{
	directory = dir;
	maker = getpid();
}

void rig_make(struct rig *r, unsigned int n, uint64_t size)
{
	struct format_options opt;

	snprintf(r->path, sizeof(r->path), "%s/scale.%d.%u", directory,
		 (int)maker, n);
	made[n] = r;
	unlink(r->path);
	must(pool_create(r->path, size), r->path);
	must(pool_open(r->path, 0, &r->pool, NULL), r->path);
	must(format_options_init(&opt), "random numbers");
	must(format_make(r->pool, &opt), "mkfs");
	pool_close(r->pool);
}

void rig_mount(struct rig *r)
{
	must(pool_open(r->path, 0, &r->pool, NULL), r->path);
	/* Nobody stores to most of the blocks that are given out here. */
	r->pool->sparse = false;
	must(fs_open(r->pool, &options, &r->fs), "mount");
}

void rig_unmount(struct rig *r)
{
	fs_drain(r->fs);
	must(fs_close(r->fs), "unmount");
	pool_close(r->pool);
}

void rig_remove(struct rig *r)
{
	for (unsigned int i = 0; i < MAX_SIZES; i++)
		if (made[i] == r)
			made[i] = NULL;
	unlink(r->path);
}

void rig_take_all(struct rig *r)
{
	struct volume *vol = fs_volume(r->fs);
	struct space_run run;
	int err = 0;

	while (!err) {
		unsigned int guard = journal_enter(vol->journal);
		struct tx *tx = tx_begin(vol->journal);

		for (unsigned int i = 0; i < 50 && !err; i++)
			err = space_alloc(vol->space, tx, 0, ~0u, SPACE_RESERVE,
					  &run);
		must(err == -ENOSPC ? 0 : err, "fill");
		must(tx_commit(tx), "fill");
		journal_leave(vol->journal, guard);
	}
}

void in_child(void (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();
	int status;

	must(pid < 0 ? -errno : 0, "fork");
	if (!pid) {
		fn(arg);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -ECHILD,
	     "a child");
}

double resident_kib(bool anonymous)
{
	const char *field = anonymous ? "RssAnon: %lf" : "VmRSS: %lf";
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	double kib = -1;

	while (f && kib < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, field, &kib) != 1)
			kib = -1;
	must(kib < 0 ? -EIO : 0, "/proc/self/status");
	fclose(f);
	return kib;
}

struct fs_file *rig_file(struct rig *r, const char *name)
{
	struct fs_file *file;
	struct fs_entry e;

	must(fs_mknod(r->fs, 1, name, S_IFREG | 0644, 0, &root, &e, &file,
		      O_RDWR),
	     name);
	return file;
}

uint64_t rig_dir(struct rig *r, const char *name)
{
	struct fs_entry e;

	must(fs_mkdir(r->fs, 1, name, 0755, &root, &e), "mkdir");
	return e.node;
}

void rig_name(struct rig *r, uint64_t dir, unsigned int i)
{
	struct fs_entry e;
	char name[32];

	snprintf(name, sizeof(name), "name-%u", i);
	must(fs_mknod(r->fs, dir, name, S_IFREG | 0644, 0, &root, &e, NULL, 0),
	     "create");
}

void rig_unname(struct rig *r, uint64_t dir, unsigned int i)
{
	char name[32];

	snprintf(name, sizeof(name), "name-%u", i);
	must(fs_unlink(r->fs, dir, name), "unlink");
}
