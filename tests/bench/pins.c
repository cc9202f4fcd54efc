// SPDX-License-Identifier: BSD-3-Clause
/*
 * What pins and waits cost in the library, below FUSE and without a device.
 *
 *   pins [-r REPETITIONS] [-t SECONDS] [-f WORD] [DIR]
 *
 * Makes a pool in DIR (/dev/shm) and prints, for each benchmark whose name has
 * WORD in it, medians of the repetitions: the wall time of one operation as a
 * thread sees it, the processor time of all threads by operation, and how many
 * there were in a repetition. Of what cannot be done in a loop the times of single
 * ones are taken.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "format/make.h"
#include "fs/fs.h"

#define ROOT	    1u
#define FILES	    3u
#define FILE_BYTES  (8ull << 20)
#define MAX_THREADS 2
#define MAX_REPEAT  99

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "pins: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* must - of something that returns 0 or negative errno */
static void must(int err, const char *what)
{
	errno = -err;
	check(err == 0, what);
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* --- a file system with some files ------------------------------------------- */

struct bed {
	struct pool *pool;
	struct fs *fs;
	struct layouts *ls;
	uint64_t node[FILES];
	struct inode *ip[FILES];
	struct fs_file *file[FILES];
};

static char pool_path[4096];

static void fill(struct bed *b, struct fs_file *file, uint64_t bytes)
{
	static char buf[1 << 20];

	memset(buf, 'p', sizeof(buf));
	for (uint64_t off = 0; off < bytes; off += sizeof(buf))
		check(fs_write(b->fs, file, buf,
			       min_u64(bytes - off, sizeof(buf)), off) > 0,
		      "write");
}

static void make_file(struct bed *b, unsigned int i)
{
	struct fs_caller who = { 0 };
	struct fs_entry e;
	char name[8];

	snprintf(name, sizeof(name), "f%u", i);
	must(fs_mknod(b->fs, ROOT, name, S_IFREG | 0644, 0, &who, &e, NULL, 0),
	     "mknod");
	b->node[i] = e.node;
	must(fs_inode(b->fs, e.node, &b->ip[i]), "inode");
	must(fs_file_open(b->fs, e.node, O_RDWR, &b->file[i]), "open");
	fill(b, b->file[i], FILE_BYTES);
}

static void bed_make(struct bed *b, bool scope_range)
{
	struct fs_options opt = { .workers = 2, .scope_range = scope_range };
	struct format_options fopt;

	unlink(pool_path);
	must(pool_create(pool_path, 128u << 20), pool_path);
	must(pool_open(pool_path, 0, &b->pool, NULL), pool_path);
	must(format_options_init(&fopt), "options");
	must(format_make(b->pool, &fopt), "format");
	pool_close(b->pool);
	must(pool_open(pool_path, 0, &b->pool, NULL), pool_path);
	must(fs_open(b->pool, &opt, &b->fs), "open");
	b->ls = fs_layouts(b->fs);
	for (unsigned int i = 0; i < FILES; i++)
		make_file(b, i);
}

static void bed_end(struct bed *b)
{
	fs_drain(b->fs);
	for (unsigned int i = 0; i < FILES; i++) {
		inode_put(b->ip[i]);
		fs_file_release(b->fs, b->file[i]);
	}
	must(fs_close(b->fs), "close");
	pool_close(b->pool);
	unlink(pool_path);
}

/* --- loops -------------------------------------------------------------------- */

struct shape {
	const char *name;
	uint64_t blocks;
	bool scope_range;
	bool own_files; /* each thread has a file of its own */
	int threads;
};

/* struct loop - one thread's part of a benchmark; fn does its operation n times */
struct loop {
	const struct shape *shape;
	struct bed *bed;
	unsigned int at; /* its file */
	uint64_t n;
	void (*fn)(struct loop *l);
	pthread_t thread;
};

struct result {
	double wall, cpu; /* nanoseconds of an operation */
	uint64_t n;
};

static void *loop_thread(void *arg)
{
	struct loop *l = arg;

	l->fn(l);
	return NULL;
}

/* run_once - n operations in each thread */
static struct result run_once(struct bed *b, const struct shape *s,
			      void (*fn)(struct loop *l), uint64_t n)
{
	uint64_t wall = now_ns(), cpu = cpu_ns();
	struct loop l[MAX_THREADS];
	double ops = (double)n * s->threads;

	for (int i = 0; i < s->threads; i++) {
		l[i] = (struct loop){
			.shape = s,
			.bed = b,
			.at = s->own_files ? (unsigned int)i : 0,
			.n = n,
			.fn = fn,
		};
		check(!pthread_create(&l[i].thread, NULL, loop_thread, &l[i]),
		      "thread");
	}
	for (int i = 0; i < s->threads; i++)
		pthread_join(l[i].thread, NULL);
	wall = now_ns() - wall;
	cpu = cpu_ns() - cpu;
	return (struct result){ (double)wall / (double)n, (double)cpu / ops,
				n };
}

static int by_wall(const void *a, const void *b)
{
	const struct result *x = a, *y = b;

	return (x->wall > y->wall) - (x->wall < y->wall);
}

static int by_cpu(const void *a, const void *b)
{
	const struct result *x = a, *y = b;

	return (x->cpu > y->cpu) - (x->cpu < y->cpu);
}

/* medians - of each of the two times by itself */
static struct result medians(struct result *r, int count)
{
	struct result m;

	qsort(r, (size_t)count, sizeof(r[0]), by_cpu);
	m = r[count / 2];
	qsort(r, (size_t)count, sizeof(r[0]), by_wall);
	m.wall = r[count / 2].wall;
	return m;
}

static double seconds = 0.2;
static int repetitions = 7;
static const char *wanted = "";

/* measure - as many operations as take that long, some times; the median */
static struct result measure(struct bed *b, const struct shape *s,
			     void (*fn)(struct loop *l))
{
	struct result r[MAX_REPEAT];
	uint64_t n = 1, start;

	do {
		n *= 4;
		start = cpu_ns();
		run_once(b, s, fn, n);
	} while ((double)(cpu_ns() - start) < seconds * 1e9 / 4);
	for (int i = 0; i < repetitions; i++)
		r[i] = run_once(b, s, fn, 4 * n);
	return medians(r, repetitions);
}

static void print_result(const char *name, const struct result *r)
{
	printf("%-54s %10.1f ns %10.1f ns %10lu\n", name, r->wall, r->cpu,
	       r->n);
	fflush(stdout);
}

/* --- pin and unpin --------------------------------------------------------------- */

static void never(struct admission *a)
{
	(void)a;
	abort(); /* there is no break in these */
}

static struct pin_set *begin(struct bed *b)
{
	struct pin_options opt = { .direction = PINFS_FROM_DEVICE };
	struct pin_set *set;

	must(pin_set_begin(b->ls, &opt, &set), "begin");
	return set;
}

static void pin(struct pin_set *set, struct inode *ip, uint64_t first,
		uint64_t count)
{
	struct admission a = { .granted = never };
	const struct pinned_run *runs;
	size_t n;

	must(layout_admit(set, ip, first, count, &a), "admit");
	must(layout_pin(set, ip, first, count, &runs, &n), "pin");
}

/* the whole life of a set of one range */
static void set_life(struct loop *l)
{
	struct inode *ip = l->bed->ip[l->at];

	for (uint64_t i = 0; i < l->n; i++) {
		struct pin_set *set = begin(l->bed);

		pin(set, ip, 0, l->shape->blocks);
		pin_set_free(set);
	}
}

/* without the set's own beginning and end */
static void pin_unpin(struct loop *l)
{
	struct inode *ip = l->bed->ip[l->at];
	struct pin_set *set = begin(l->bed);

	for (uint64_t i = 0; i < l->n; i++) {
		pin(set, ip, 0, l->shape->blocks);
		pin_set_unpin(set);
	}
	pin_set_free(set);
}

/* one more range of a set that has up to 256, one after the other in the file */
static void extend(struct loop *l)
{
	struct inode *ip = l->bed->ip[l->at];
	struct pin_set *set = begin(l->bed);

	for (uint64_t i = 0; i < l->n; i++) {
		pin(set, ip, i % 256, l->shape->blocks);
		if (i % 256 == 255)
			pin_set_unpin(set);
	}
	pin_set_free(set);
}

/* --- the idle check ------------------------------------------------------------------ */

struct bench_break {
	struct layout_break brk;
	pthread_mutex_t lock;
	pthread_cond_t over;
	bool is_over;
};

static void break_over(struct bench_break *b)
{
	pthread_mutex_lock(&b->lock);
	b->is_over = true;
	pthread_cond_signal(&b->over);
	pthread_mutex_unlock(&b->lock);
}

static void break_ran(struct layout_break *brk)
{
	layout_break_done(brk, 0);
	break_over(container_of(brk, struct bench_break, brk));
}

static void break_failed(struct layout_break *brk, int err)
{
	(void)err;
	break_over(container_of(brk, struct bench_break, brk));
}

static void break_ask(struct bed *b, struct bench_break *bb, unsigned int file,
		      uint64_t first, uint64_t end)
{
	memset(bb, 0, sizeof(*bb));
	pthread_mutex_init(&bb->lock, NULL);
	pthread_cond_init(&bb->over, NULL);
	bb->brk.first = first;
	bb->brk.end = end;
	bb->brk.run = break_ran;
	bb->brk.fail = break_failed;
	must(layout_break_init(&bb->brk, b->ls, b->ip[file]), "break");
	layout_break(&bb->brk);
}

static void break_await(struct bench_break *bb)
{
	pthread_mutex_lock(&bb->lock);
	while (!bb->is_over)
		pthread_cond_wait(&bb->over, &bb->lock);
	pthread_mutex_unlock(&bb->lock);
}

/* hold_others - pin sets, a block each, of blocks 0 to 1023 again and again */
static struct pin_set **hold_others(struct bed *b, unsigned int count)
{
	struct pin_set **set = calloc(count, sizeof(*set));

	check(set != NULL, "memory");
	for (unsigned int i = 0; i < count; i++) {
		set[i] = begin(b);
		pin(set[i], b->ip[0], i % 1024, 1);
	}
	return set;
}

static void free_others(struct pin_set **set, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		pin_set_free(set[i]);
	free(set);
}

/* a change of a block that none of the sets has: scope range only */
static void break_beside(struct loop *l)
{
	struct bench_break bb;

	for (uint64_t i = 0; i < l->n; i++) {
		break_ask(l->bed, &bb, 0, 1024 + i % 1024, 1025 + i % 1024);
		check(bb.is_over, "it waits");
	}
}

static const unsigned int crowds[] = { 1, 100, 10000 };

static void beside_others(unsigned int others)
{
	struct shape s = { "break_beside", 1, true, false, 1 };
	struct pin_set **set;
	struct result r;
	char name[80];
	struct bed b;

	snprintf(name, sizeof(name), "%s/scope:range/sets:%u", s.name, others);
	if (!strstr(name, wanted))
		return;
	bed_make(&b, true);
	set = hold_others(&b, others);
	r = measure(&b, &s, break_beside);
	print_result(name, &r);
	free_others(set, others);
	bed_end(&b);
}

/* --- single times ------------------------------------------------------------------------ */

#define ROUNDS 4000u

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void print_times(const char *name, uint64_t *ns, unsigned int count)
{
	qsort(ns, count, sizeof(ns[0]), by_value);
	printf("%-54s %10lu ns, p99 %lu ns %10u\n", name, ns[count / 2],
	       ns[count * 99 / 100], count);
	fflush(stdout);
}

/*
 * one_unpin - of one set of others, while a change waits for all of them: it
 * asks whether it may run now
 */
static uint64_t one_unpin(struct bed *b)
{
	struct pin_set *set = begin(b);
	struct bench_break bb;
	uint64_t ns;

	pin(set, b->ip[0], 1500, 1);
	break_ask(b, &bb, 0, 0, 2048);
	ns = now_ns();
	pin_set_unpin(set);
	ns = now_ns() - ns;
	layout_break_cancel(&bb.brk, -EINTR);
	break_await(&bb);
	pin_set_free(set);
	return ns;
}

static void unpin_before_break(bool scope_range, unsigned int others)
{
	static uint64_t ns[ROUNDS];
	struct pin_set **set;
	char name[80];
	struct bed b;

	snprintf(name, sizeof(name), "unpin_before_break/scope:%s/sets:%u",
		 scope_range ? "range" : "file", others);
	if (!strstr(name, wanted))
		return;
	bed_make(&b, scope_range);
	set = hold_others(&b, others);
	for (unsigned int i = 0; i < ROUNDS; i++)
		ns[i] = one_unpin(&b);
	print_times(name, ns, ROUNDS);
	free_others(set, others);
	bed_end(&b);
}

/* from the last unpin to the truncate's end */

struct bench_change {
	struct fs_change ch;
	pthread_mutex_t lock;
	pthread_cond_t over;
	bool is_over;
	uint64_t over_ns;
};

static void change_over(struct fs_change *ch, int err)
{
	struct bench_change *c = container_of(ch, struct bench_change, ch);

	must(err, "truncate");
	c->over_ns = now_ns();
	pthread_mutex_lock(&c->lock);
	c->is_over = true;
	pthread_cond_signal(&c->over);
	pthread_mutex_unlock(&c->lock);
}

/* one_wait - nanoseconds from the last unpin on */
static uint64_t one_wait(struct bed *b)
{
	struct bench_change c = {
		.ch = { .kind = PINFS_CHANGE_TRUNCATE, .done = change_over },
	};
	struct pin_set *set;
	uint64_t start;

	pthread_mutex_init(&c.lock, NULL);
	pthread_cond_init(&c.over, NULL);
	fill(b, b->file[0], 4096);
	set = begin(b);
	pin(set, b->ip[0], 0, 1);
	must(fs_change_init(b->fs, b->node[0], &c.ch), "truncate");
	fs_change_start(&c.ch);
	check(!c.is_over, "it has not waited");
	start = now_ns();
	pin_set_unpin(set);
	pthread_mutex_lock(&c.lock);
	while (!c.is_over)
		pthread_cond_wait(&c.over, &c.lock);
	pthread_mutex_unlock(&c.lock);
	pin_set_free(set);
	return c.over_ns - start;
}

static void last_unpin(bool scope_range)
{
	static uint64_t ns[ROUNDS];
	char name[80];
	struct bed b;

	snprintf(name, sizeof(name), "last_unpin_to_truncated/scope:%s",
		 scope_range ? "range" : "file");
	if (!strstr(name, wanted))
		return;
	bed_make(&b, scope_range);
	for (unsigned int i = 0; i < ROUNDS; i++)
		ns[i] = one_wait(&b);
	print_times(name, ns, ROUNDS);
	bed_end(&b);
}

/* --- reads and writes beside all that ---------------------------------------------------- */

static void reading(struct loop *l)
{
	static _Thread_local struct fs_read r;
	static _Thread_local char buf[4096];

	for (uint64_t i = 0; i < l->n; i++) {
		must(fs_read_begin(l->bed->fs, l->bed->file[l->at],
				   i * 5 % 2048 * 4096, 4096, &r),
		     "read");
		memcpy(buf, r.iov[0].iov_base, 4096);
		fs_read_end(&r);
	}
}

static void writing(struct loop *l)
{
	static _Thread_local char buf[4096];

	for (uint64_t i = 0; i < l->n; i++)
		check(fs_write(l->bed->fs, l->bed->file[l->at], buf, 4096,
			       i * 5 % 2048 * 4096) == 4096,
		      "write");
}

/*
 * beside_pins - of a file that has never been pinned, one that has been, and one
 * that is; in turns, so that the machine is the same for all
 */
static void beside_pins(const char *what, void (*fn)(struct loop *l))
{
	static const char *const files[] = { "never", "before", "now" };
	struct result r[FILES][MAX_REPEAT], median;
	struct shape s = { what, 1, false, true, 1 };
	struct pin_set *set;
	char name[80];
	struct bed b;
	int k;

	if (!strstr(what, wanted))
		return;
	bed_make(&b, false);
	for (int i = 0; i < 1000; i++) {
		set = begin(&b);
		pin(set, b.ip[1], 0, 2048);
		pin_set_free(set);
	}
	set = begin(&b);
	pin(set, b.ip[2], 0, 2048);
	for (k = 0; k < 3 * repetitions && k < MAX_REPEAT; k++)
		for (unsigned int at = 0; at < FILES; at++) {
			/* Nobody is always the first, with a cold cache. */
			unsigned int i = (at + (unsigned int)k) % FILES;
			struct loop l = { &s, &b, i, 40000, fn, 0 };
			uint64_t wall = now_ns(), cpu = cpu_ns();

			fn(&l);
			r[i][k].wall = (double)(now_ns() - wall) / 40000;
			r[i][k].cpu = (double)(cpu_ns() - cpu) / 40000;
			r[i][k].n = 40000;
		}
	for (unsigned int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "%s/pinned:%s", what, files[i]);
		median = medians(r[i], k);
		print_result(name, &median);
	}
	pin_set_free(set);
	bed_end(&b);
}

/* --- all of them ----------------------------------------------------------------------------- */

static void run_shape(const struct shape *s, void (*fn)(struct loop *l))
{
	char name[80];
	struct result r;
	struct bed b;

	snprintf(name, sizeof(name), "%s/%lu/scope:%s%s/threads:%d", s->name,
		 s->blocks * 4096, s->scope_range ? "range" : "file",
		 s->threads == 1 ? "" :
		 s->own_files	 ? "/own_file" :
				   "/one_file",
		 s->threads);
	if (!strstr(name, wanted))
		return;
	bed_make(&b, s->scope_range);
	r = measure(&b, s, fn);
	print_result(name, &r);
	bed_end(&b);
}

static void all_shapes(const char *what, void (*fn)(struct loop *l), bool large)
{
	for (int range = 0; range < 2; range++)
		for (uint64_t blocks = 1; blocks <= (large ? 512 : 1);
		     blocks *= 512) {
			struct shape s = { what, blocks, range, true, 1 };

			run_shape(&s, fn);
			s.threads = 2;
			run_shape(&s, fn);
			s.own_files = false;
			run_shape(&s, fn);
		}
}

static void all(void)
{
	printf("%-54s %13s %13s %10s\n", "Benchmark", "Time", "CPU",
	       "Iterations");
	all_shapes("set_life", set_life, true);
	all_shapes("pin_unpin", pin_unpin, true);
	all_shapes("extend", extend, false);
	last_unpin(false);
	last_unpin(true);
	for (size_t i = 0; i < ARRAY_SIZE(crowds); i++) {
		unpin_before_break(false, crowds[i]);
		unpin_before_break(true, crowds[i]);
		beside_others(crowds[i]);
	}
	beside_pins("fs_read_4k", reading);
	beside_pins("fs_write_4k", writing);
}

int main(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "r:t:f:")) != -1) {
		if (opt == 'r')
			repetitions = atoi(optarg);
		else if (opt == 't')
			seconds = atof(optarg);
		else if (opt == 'f')
			wanted = optarg;
		else
			goto usage;
	}
	if (repetitions < 1 || repetitions > MAX_REPEAT || argc - optind > 1)
		goto usage;
	snprintf(pool_path, sizeof(pool_path), "%s/pinfs-bench-pins.%d",
		 optind < argc ? argv[optind] : "/dev/shm", (int)getpid());
	log_set_level(LOG_LEVEL_ERROR);
	all();
	return 0;

usage:
	fprintf(stderr, "usage: pins [-r REPETITIONS] [-t SECONDS] [-f WORD] "
			"[DIR]\n");
	return 2;
}
