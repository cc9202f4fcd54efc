// SPDX-License-Identifier: BSD-3-Clause
/*
 * What must not grow with the file system's size, measured below FUSE: names,
 * extents, free space, mounts.
 *
 *   scale DIR     makes its pools, all sparse, in DIR, which is best in memory
 *
 * Nothing that a pool holds only as numbers is backed by memory, so 2 GiB are
 * enough. Prints a table; a figure is the median of several rounds: of names and
 * extents the thread's own time, of allocations and mounts the clock's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "format/make.h"
#include "fs/fs.h"
#include "inode/change.h"
#include "inode/extent.h"
#include "inode/volume.h"

#define GIB	(1ull << 30)
#define MILLION 1000000u
#define ROUNDS	5u
#define HUGE	512u /* blocks of 2 MiB */

static const char *path;

static void must(int err, const char *what)
{
	if (err >= 0)
		return;
	fprintf(stderr, "scale: %s: %s\n", what, strerror(-err));
	unlink(path);
	exit(1);
}

static uint64_t below(uint64_t n)
{
	static uint64_t x = 1;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x % n;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *v, unsigned int n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

static int digits(double v)
{
	return v < 10 ? 2 : v < 100 ? 1 : 0;
}

static void row(const char *what, double small, double large, const char *unit)
{
	printf("| %s | %.*f %s | %.*f %s | %.2f |\n", what, digits(small),
	       small, unit, digits(large), large, unit, large / small);
	fflush(stdout);
}

/* cpu_ns - of this thread: the machine may have others to serve, too */
static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* --- pools ---------------------------------------------------------------------- */

static struct pool *pool;
static struct fs *fs;

static void mount_it(void)
{
	const struct fs_options opt = { .workers = 2 };

	must(pool_open(path, 0, &pool, NULL), path);
	/* Nobody stores to most of the blocks that are given out here. */
	pool->sparse = false;
	must(fs_open(pool, &opt, &fs), "mount");
}

static void unmount_it(void)
{
	fs_drain(fs);
	must(fs_close(fs), "unmount");
	pool_close(pool);
}

static void make_pool(uint64_t size)
{
	struct format_options opt;

	unlink(path);
	must(pool_create(path, size), path);
	must(pool_open(path, 0, &pool, NULL), path);
	must(format_options_init(&opt), "random numbers");
	must(format_make(pool, &opt), "mkfs");
	pool_close(pool);
}

/* --- names ---------------------------------------------------------------------- */

static const struct fs_caller root = { 0 };

static void create(uint64_t dir, unsigned int i)
{
	struct fs_entry e;
	char name[32];

	snprintf(name, sizeof(name), "name-%u", i);
	must(fs_mknod(fs, dir, name, S_IFREG | 0644, 0, &root, &e, NULL, 0),
	     "create");
}

static uint64_t directory(const char *name, unsigned int n)
{
	struct fs_entry e;

	must(fs_mkdir(fs, 1, name, 0755, &root, &e), "mkdir");
	for (unsigned int i = 0; i < n; i++)
		create(e.node, i);
	return e.node;
}

struct name_cost {
	double lookup, create, unlink; /* ns */
};

#define NAME_OPS 20000u

static double lookups(uint64_t dir, unsigned int n)
{
	uint64_t start = cpu_ns();

	for (unsigned int i = 0; i < NAME_OPS; i++) {
		struct fs_entry e;
		char name[32];

		snprintf(name, sizeof(name), "name-%u", (unsigned int)below(n));
		must(fs_lookup(fs, dir, name, &e), "lookup");
	}
	return (double)(cpu_ns() - start) / NAME_OPS;
}

static void names_round(uint64_t dir, unsigned int n, struct name_cost *c)
{
	uint64_t start;
	char name[32];

	c->lookup = lookups(dir, n);
	c->create = c->unlink = 0;
	/* Some come and go at a time, so that a small one stays small. */
	for (unsigned int k = 0; k < NAME_OPS / 100; k++) {
		start = cpu_ns();
		for (unsigned int i = 0; i < 100; i++)
			create(dir, n + i);
		c->create += (double)(cpu_ns() - start) / NAME_OPS;
		start = cpu_ns();
		for (unsigned int i = 0; i < 100; i++) {
			snprintf(name, sizeof(name), "name-%u", n + i);
			must(fs_unlink(fs, dir, name), "unlink");
		}
		c->unlink += (double)(cpu_ns() - start) / NAME_OPS;
	}
}

static void names_of(uint64_t dir, unsigned int n, struct name_cost *out)
{
	double v[3][ROUNDS];

	for (unsigned int r = 0; r < ROUNDS; r++) {
		struct name_cost c;

		names_round(dir, n, &c);
		v[0][r] = c.lookup;
		v[1][r] = c.create;
		v[2][r] = c.unlink;
	}
	*out = (struct name_cost){ median(v[0], ROUNDS), median(v[1], ROUNDS),
				   median(v[2], ROUNDS) };
}

static void names(void)
{
	struct name_cost few, many;
	uint64_t dir;

	make_pool(16 * GIB);
	mount_it();
	dir = directory("few", 1000);
	names_of(dir, 1000, &few);
	dir = directory("many", MILLION);
	names_of(dir, MILLION, &many);
	unmount_it();
	row("look up, 1,000 names : 1,000,000", few.lookup, many.lookup, "ns");
	row("create", few.create, many.create, "ns");
	row("unlink", few.unlink, many.unlink, "ns");
}

/* --- extents --------------------------------------------------------------------- */

/* append - extents [from, to) of one block each, at every other block */
static void append(struct inode *ip, uint64_t from, uint64_t to)
{
	struct volume *vol = fs_volume(fs);

	for (uint64_t i = from; i < to; i++) {
		unsigned int guard = journal_enter(vol->journal);
		struct space_run run;
		struct extent e;
		struct tx *tx;

		pthread_rwlock_wrlock(&ip->lock);
		tx = tx_begin(vol->journal);
		must(space_alloc(vol->space, tx, 0, 1, 0, &run), "alloc");
		e = (struct extent){ 2 * i, run.first, 1, false, false };
		must(extent_add(ip, tx, &e), "extent");
		inode_edit(ip, tx)->size =
			cpu_to_le64((2 * i + 1) * PINFS_BLOCK_SIZE);
		must(tx_commit(tx), "commit");
		pthread_rwlock_unlock(&ip->lock);
		journal_leave(vol->journal, guard);
	}
}

static struct fs_file *open_new(const char *name)
{
	struct fs_file *file;
	struct fs_entry e;

	must(fs_mknod(fs, 1, name, S_IFREG | 0644, 0, &root, &e, &file, O_RDWR),
	     name);
	return file;
}

static struct fs_file *with_extents(const char *name, uint64_t n, double *ns)
{
	struct fs_file *file = open_new(name);
	uint64_t start, last = min_u64(n, 10000);

	append(fs_file_inode(file), 0, n - last);
	start = cpu_ns();
	append(fs_file_inode(file), n - last, n);
	*ns = (double)(cpu_ns() - start) / (double)last;
	return file;
}

#define EXTENT_OPS 50000u
/* So many blocks of a file are touched. */
#define TOUCHED 50000u

/* found - the block of a random one of n extents: nanoseconds to find it */
static double found(struct fs_file *file, uint64_t n)
{
	struct inode *ip = fs_file_inode(file);
	struct volume *vol = fs_volume(fs);
	unsigned int guard = journal_enter(vol->journal);
	uint64_t start;

	pthread_rwlock_rdlock(&ip->lock);
	start = cpu_ns();
	for (unsigned int i = 0; i < EXTENT_OPS; i++) {
		struct extent e;

		must(extent_find(ip, NULL, 2 * below(n), &e), "find");
	}
	start = cpu_ns() - start;
	pthread_rwlock_unlock(&ip->lock);
	journal_leave(vol->journal, guard);
	return (double)start / EXTENT_OPS;
}

/* blocks - numbers of file blocks that have data, in random order */
static uint64_t *blocks(uint64_t n, uint64_t stride)
{
	uint64_t *b = calloc(TOUCHED, sizeof(*b));

	must(b ? 0 : -ENOMEM, "blocks");
	for (unsigned int i = 0; i < TOUCHED; i++)
		b[i] = stride * below(n);
	return b;
}

static double read_blocks(struct fs_file *file, const uint64_t *b, char *buf)
{
	static struct fs_read r;
	uint64_t start = cpu_ns();

	for (unsigned int i = 0; i < TOUCHED; i++) {
		must(fs_read_begin(fs, file, b[i] * PINFS_BLOCK_SIZE,
				   PINFS_BLOCK_SIZE, &r),
		     "read");
		memcpy(buf, r.iov[0].iov_base, r.iov[0].iov_len);
		fs_read_end(&r);
	}
	return (double)(cpu_ns() - start) / TOUCHED;
}

static double write_blocks(struct fs_file *file, const uint64_t *b,
			   const char *buf)
{
	uint64_t start = cpu_ns();

	for (unsigned int i = 0; i < TOUCHED; i++)
		must((int)fs_write(fs, file, buf, PINFS_BLOCK_SIZE,
				   b[i] * PINFS_BLOCK_SIZE),
		     "write");
	return (double)(cpu_ns() - start) / TOUCHED;
}

struct file_cost {
	double append, find, read, write;
};

static void measure_file(struct fs_file *file, uint64_t n, uint64_t stride,
			 struct file_cost *c)
{
	uint64_t *b = blocks(n, stride);
	char buf[PINFS_BLOCK_SIZE] = { 1 };
	double v[3][ROUNDS];

	write_blocks(file, b, buf); /* and the pages are there from now on */
	for (unsigned int r = 0; r < ROUNDS; r++) {
		v[0][r] = stride == 2 ? found(file, n) : 0;
		v[1][r] = read_blocks(file, b, buf);
		v[2][r] = write_blocks(file, b, buf);
	}
	c->find = median(v[0], ROUNDS);
	c->read = median(v[1], ROUNDS);
	c->write = median(v[2], ROUNDS);
	free(b);
}

/* one_extent - a file of n blocks, in as few pieces as the groups allow */
static struct fs_file *one_extent(const char *name, uint64_t n)
{
	struct fs_file *file = open_new(name);
	struct inode *ip = fs_file_inode(file);
	struct volume *vol = fs_volume(fs);
	unsigned int guard = journal_enter(vol->journal);
	struct space_run run;
	struct extent e;
	struct tx *tx;

	pthread_rwlock_wrlock(&ip->lock);
	tx = tx_begin(vol->journal);
	for (uint64_t at = 0; at < n; at += run.count) {
		must(space_alloc(vol->space, tx, 0, n - at, 0, &run), "alloc");
		e = (struct extent){ at, run.first, run.count, false, false };
		must(extent_add(ip, tx, &e), "extent");
	}
	inode_edit(ip, tx)->size = cpu_to_le64(n * PINFS_BLOCK_SIZE);
	must(tx_commit(tx), "commit");
	pthread_rwlock_unlock(&ip->lock);
	journal_leave(vol->journal, guard);
	return file;
}

static void extents(void)
{
	struct file_cost one = { 0 }, ten, many;
	struct fs_file *file;

	make_pool(32 * GIB);
	mount_it();
	file = one_extent("one", MILLION);
	measure_file(file, MILLION, 1, &one);
	fs_file_release(fs, file);
	file = with_extents("ten", 10, &ten.append);
	measure_file(file, 10, 2, &ten);
	fs_file_release(fs, file);
	file = with_extents("many", MILLION, &many.append);
	measure_file(file, MILLION, 2, &many);
	fs_file_release(fs, file);
	unmount_it();
	row("find an extent, of 10 : of 1,000,000", ten.find, many.find, "ns");
	row("append an extent", ten.append, many.append, "ns");
	row("read 4 KiB at random of 4 GB, in 32 extents : in 1,000,000",
	    one.read, many.read, "ns");
	row("overwrite 4 KiB", one.write, many.write, "ns");
}

/* --- free space ----------------------------------------------------------------- */

#define ALLOCS 2000u

/* allocations - of want blocks, given back at once, behind random goals or none */
static double allocations(uint64_t want, unsigned int flags, bool goals,
			  unsigned int *aligned)
{
	struct volume *vol = fs_volume(fs);
	uint64_t total = 0;

	*aligned = 0;
	for (unsigned int i = 0; i < ALLOCS; i++) {
		unsigned int guard = journal_enter(vol->journal);
		uint64_t goal = goals ? below(vol->total_blocks) : 0;
		struct tx *tx = tx_begin(vol->journal);
		uint64_t start = now_ns();
		struct space_run run;

		must(space_alloc(vol->space, tx, goal, want, flags, &run),
		     "alloc");
		total += now_ns() - start;
		*aligned += run.first % HUGE == 0 && run.count >= want;
		tx_abort(tx);
		journal_leave(vol->journal, guard);
	}
	return (double)total / ALLOCS;
}

static const struct {
	const char *what;
	uint64_t want;
	unsigned int flags;
	bool goals;
} kinds[] = {
	{ "allocate a block anywhere, pool empty : so full", 1, 0, false },
	{ "allocate a block near a random one", 1, 0, true },
	{ "allocate 2 MiB, aligned", HUGE, SPACE_ALIGN, false },
	{ "allocate 2 MiB near a random block", HUGE, 0, true },
};

static void measure_space(double *ns, unsigned int *aligned)
{
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		double v[ROUNDS];

		for (unsigned int r = 0; r < ROUNDS; r++)
			v[r] = allocations(kinds[k].want, kinds[k].flags,
					   kinds[k].goals, &aligned[k]);
		ns[k] = median(v, ROUNDS);
	}
}

static void take_all(void)
{
	struct volume *vol = fs_volume(fs);
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

/*
 * fragment - free 5 % again, by 2 MiB: whole pieces for one in 40, or for none, and
 * of the others some blocks that lie apart
 */
static void fragment(bool whole)
{
	struct volume *vol = fs_volume(fs);
	uint64_t at = round_up_u64(le64_to_cpu(vol->super.first_free), HUGE);

	for (; at + HUGE < vol->total_blocks; at += HUGE) {
		unsigned int guard = journal_enter(vol->journal);
		struct tx *tx = tx_begin(vol->journal);
		uint64_t n = whole && below(40) == 0 ? HUGE : 1;
		uint64_t step = n == HUGE ? n : whole ? 39 : 20;

		for (uint64_t i = 0; i + n <= HUGE; i += step)
			must(space_free(vol->space, tx, at + i, n), "free");
		must(tx_commit(tx), "free");
		journal_leave(vol->journal, guard);
	}
}

static double free_share(void)
{
	struct volume *vol = fs_volume(fs);

	return 100.0 * (double)space_available(vol->space) /
	       (double)vol->total_blocks;
}

static void space(bool whole)
{
	unsigned int before[ARRAY_SIZE(kinds)], after[ARRAY_SIZE(kinds)];
	double empty[ARRAY_SIZE(kinds)], full[ARRAY_SIZE(kinds)];
	double share;

	make_pool(16 * GIB);
	mount_it();
	measure_space(empty, before);
	take_all();
	fragment(whole);
	share = free_share();
	measure_space(full, after);
	unmount_it();
	printf("| *%.1f %% free, %s* | | | |\n", share,
	       whole ? "half of it 2 MiB pieces" : "all of it single blocks");
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		row(kinds[k].what, empty[k], full[k], "ns");
		if (kinds[k].want == HUGE && whole)
			printf("| - of %u on a 2 MiB boundary | %u | %u | |\n",
			       ALLOCS, before[k], after[k]);
	}
}

/* --- mounting ------------------------------------------------------------------- */

/* struct mount_cost - of one mount, in a process of its own */
struct mount_cost {
	double open, mount, unmount; /* ms */
	double kib; /* resident memory that it added */
	double cut; /* ms; with a journal to recover */
};

static double ms_since(uint64_t start)
{
	return (double)(now_ns() - start) / 1e6;
}

static double resident_kib(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	must(f && fscanf(f, "%*s %lu", &pages) == 1 ? 0 : -EIO, "statm");
	fclose(f);
	return (double)pages * 4;
}

/* leave_dirty - as many transactions as the journal holds, and no unmounting */
static void leave_dirty(void)
{
	const struct fs_options opt = { .workers = 2 };
	struct stat attr = { .st_mode = 0755 };

	must(pool_open(path, 0, &pool, NULL), path);
	pool->sparse = false;
	must(fs_open(pool, &opt, &fs), "mount");
	for (unsigned int i = 0; i < 100000; i++)
		must(fs_setattr(fs, 1, &attr, FS_SET_MODE, NULL), "chmod");
	_exit(0);
}

static void in_child(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	must(pid < 0 ? -errno : 0, "fork");
	if (!pid)
		fn();
	must(waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -ECHILD,
	     "a child");
}

static int mount_pipe;

/* mount_once - the child: tell what it took */
static void mount_once(void)
{
	const struct fs_options opt = { .workers = 2 };
	double before = resident_kib();
	struct mount_cost c = { 0 };
	uint64_t start = now_ns();

	must(pool_open(path, 0, &pool, NULL), path);
	c.open = ms_since(start);
	start = now_ns();
	must(fs_open(pool, &opt, &fs), "mount");
	c.mount = ms_since(start);
	c.kib = resident_kib() - before;
	start = now_ns();
	unmount_it();
	c.unmount = ms_since(start);
	_exit(write(mount_pipe, &c, sizeof(c)) != sizeof(c));
}

static struct mount_cost mount_round(int out)
{
	struct mount_cost c;

	in_child(mount_once);
	must(read(out, &c, sizeof(c)) == sizeof(c) ? 0 : -EIO, "pipe");
	return c;
}

static struct mount_cost mounts(void)
{
	double v[5][ROUNDS];
	int ends[2];

	must(pipe(ends) ? -errno : 0, "pipe");
	mount_pipe = ends[1];
	for (unsigned int r = 0; r < ROUNDS; r++) {
		struct mount_cost c = mount_round(ends[0]);

		v[0][r] = c.open;
		v[1][r] = c.mount;
		v[2][r] = c.unmount;
		v[3][r] = c.kib;
		in_child(leave_dirty);
		v[4][r] = mount_round(ends[0]).mount;
	}
	close(ends[0]);
	close(ends[1]);
	return (struct mount_cost){ median(v[0], ROUNDS), median(v[1], ROUNDS),
				    median(v[2], ROUNDS), median(v[3], ROUNDS),
				    median(v[4], ROUNDS) };
}

static void fill_it(void)
{
	mount_it();
	take_all();
	unmount_it();
	_exit(0);
}

static void mounting(void)
{
	struct mount_cost small, empty, full;
	double mkfs[2];
	uint64_t start = now_ns();

	make_pool(GIB);
	mkfs[0] = ms_since(start);
	small = mounts();
	start = now_ns();
	make_pool(1024 * GIB);
	mkfs[1] = ms_since(start);
	empty = mounts();
	in_child(fill_it);
	full = mounts();
	row("mkfs, 1 GiB : 1 TiB, both sparse", mkfs[0], mkfs[1], "ms");
	row("claim and map", small.open, empty.open, "ms");
	row("mount", small.mount, empty.mount, "ms");
	row("mount with a full journal to recover", small.cut, empty.cut, "ms");
	row("unmount", small.unmount, empty.unmount, "ms");
	row("memory that a mount takes", small.kib, empty.kib, "KiB");
	row("mount, 1 TiB empty : full", empty.mount, full.mount, "ms");
	row("mount with a full journal to recover", empty.cut, full.cut, "ms");
	row("memory that a mount takes", empty.kib, full.kib, "KiB");
}

int main(int argc, char **argv)
{
	char name[4096];

	if (argc != 2) {
		fprintf(stderr, "usage: scale DIR\n");
		return 2;
	}
	log_init("scale");
	log_set_level(LOG_LEVEL_ERROR);
	snprintf(name, sizeof(name), "%s/scale.%d", argv[1], (int)getpid());
	path = name;
	printf("| | small | large | ratio |\n|---|---|---|---|\n");
	mounting();
	space(true);
	space(false);
	extents();
	names();
	unlink(path);
	return 0;
}
