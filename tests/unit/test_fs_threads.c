// SPDX-License-Identifier: BSD-3-Clause
/*
 * Threads that do everything to the same few names and files at once: nobody
 * waits for ever, only sensible errors come back, and fsck finds nothing.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "fs_rig.h"
#include "scratch_fsck.h"
#include "scratch_scale.h"
#include "scratch_volume.h"
#include "scratch.h"

#define MIB	(1ull << 20)
#define BLOCK	((uint64_t)PINFS_BLOCK_SIZE)
#define THREADS 6u
#define DIRS	4u
#define NAMES	5u

/*
 * Bytes inside a file are stored in place under its shared lock: who reads them
 * meanwhile may get some old and some new ones. Nothing else may race.
 */
__attribute__((visibility("default"))) const char *
__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
	return "race:^store_data$\n";
}

static const enum scratch_kind kinds[] = { SCRATCH_MEMORY, SCRATCH_DISK };

static struct fs_rig r;
static uint64_t dirs[DIRS];

/* struct worker - a thread; what it finds wrong it notes, for the main one */
struct worker {
	pthread_t thread;
	uint64_t seed;
	unsigned int rounds;
	unsigned int done[16]; /* by kind of operation */
	const char *wrong;
	int err;
};

static struct worker worker[THREADS];

static uint64_t below(struct worker *w, uint64_t n)
{
	return scratch_random(&w->seed) % n;
}

static void expect(struct worker *w, const char *what, int err, const int *may)
{
	while (err && *may && *may != err)
		may++;
	if (!err || *may || w->wrong)
		return;
	w->wrong = what;
	w->err = err;
}

#define EXPECT(w, call, ...) \
	expect(w, #call, call, (const int[]){ __VA_ARGS__, 0 })

static void run(unsigned int threads, void *(*fn)(void *arg),
		unsigned int rounds)
{
	memset(worker, 0, sizeof(worker));
	for (unsigned int i = 0; i < threads; i++) {
		worker[i].seed = i;
		worker[i].rounds = rounds;
		ck_assert_int_eq(pthread_create(&worker[i].thread, NULL, fn,
						&worker[i]),
				 0);
	}
	for (unsigned int i = 0; i < threads; i++) {
		ck_assert_int_eq(pthread_join(worker[i].thread, NULL), 0);
		if (worker[i].wrong)
			ck_abort_msg("%s: %s", worker[i].wrong,
				     strerror(-worker[i].err));
	}
}

static void set_up(void)
{
	fs_rig_make(&r, SCRATCH_MEMORY, 64 * MIB);
}

static void tear_down(void)
{
	fs_rig_close(&r);
	scratch_fsck(r.kind);
}

static void make_dirs(enum scratch_kind kind)
{
	char name[8];

	fs_rig_close(&r);
	fs_rig_make(&r, kind, 64 * MIB);
	for (unsigned int i = 0; i < DIRS; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		dirs[i] = rig_dir(&r, name);
	}
}

/* --- names --------------------------------------------------------------------- */

struct where {
	uint64_t dir;
	char name[8];
};

/*
 * somewhere - a name in one of the directories, or in one that is below: which
 * may be gone, or elsewhere, by the time that it is used
 */
static struct where somewhere(struct worker *w)
{
	struct where at = { .dir = dirs[below(w, DIRS)] };
	struct fs_entry e;

	for (unsigned int depth = 0; below(w, 2) && depth < 4; depth++) {
		snprintf(at.name, sizeof(at.name), "n%u",
			 (unsigned int)below(w, NAMES));
		if (fs_lookup(r.fs, at.dir, at.name, &e) ||
		    !S_ISDIR(e.st.st_mode))
			break;
		at.dir = e.node;
	}
	snprintf(at.name, sizeof(at.name), "n%u",
		 (unsigned int)below(w, NAMES));
	return at;
}

static int see_entry(void *arg, const struct fs_dirent *d)
{
	(void)d;
	++*(unsigned int *)arg;
	return 0;
}

static void rename_something(struct worker *w)
{
	struct where a = somewhere(w), b = somewhere(w);
	unsigned int flags = (unsigned int)below(w, 3);

	EXPECT(w, fs_rename(r.fs, a.dir, a.name, b.dir, b.name, flags), -ENOENT,
	       -EEXIST, -EISDIR, -ENOTDIR, -ENOTEMPTY, -EINVAL, -ESTALE);
}

static void link_something(struct worker *w)
{
	struct where a = somewhere(w), b = somewhere(w);
	struct fs_entry e;

	if (fs_lookup(r.fs, a.dir, a.name, &e) == 0)
		EXPECT(w, fs_link(r.fs, e.node, b.dir, b.name, &e), -ENOENT,
		       -EEXIST, -EPERM, -ESTALE);
}

static void look_around(struct worker *w)
{
	struct where at = somewhere(w);
	unsigned int n = 0;
	struct fs_entry e;
	struct stat st;
	char path[256];

	EXPECT(w, fs_readdir(r.fs, at.dir, 0, true, see_entry, &n), -ESTALE);
	EXPECT(w, fs_lookup(r.fs, at.dir, at.name, &e), -ENOENT, -ESTALE);
	EXPECT(w, fs_lookup(r.fs, at.dir, "..", &e), -ENOENT, -ESTALE);
	EXPECT(w, fs_getattr(r.fs, at.dir, &st), -ESTALE);
	fs_path(fs_volume(r.fs), e.st.st_ino, path, sizeof(path));
}

static void *change_names(void *arg)
{
	struct worker *w = arg;

	for (unsigned int i = 0; i < w->rounds && !w->wrong; i++) {
		struct where at = somewhere(w);
		unsigned int what = (unsigned int)below(w, 8);

		w->done[what]++;
		switch (what) {
		case 0:
			EXPECT(w, rig_create(&r, at.dir, at.name, NULL),
			       -EEXIST, -ENOENT, -ESTALE);
			break;
		case 1:
			EXPECT(w, rig_mkdir(&r, at.dir, at.name, NULL), -EEXIST,
			       -ENOENT, -ESTALE);
			break;
		case 2:
			EXPECT(w, fs_unlink(r.fs, at.dir, at.name), -ENOENT,
			       -EISDIR, -ESTALE);
			break;
		case 3:
			EXPECT(w, fs_rmdir(r.fs, at.dir, at.name), -ENOENT,
			       -ENOTDIR, -ENOTEMPTY, -ESTALE);
			break;
		case 4:
			link_something(w);
			break;
		case 5:
			look_around(w);
			break;
		default:
			rename_something(w);
		}
	}
	return NULL;
}

START_TEST(names)
{
	make_dirs(kinds[_i]);
	run(THREADS, change_names, scratch_scale(6000u, 700u));
}
END_TEST

static pthread_barrier_t together;
static int moved[2]; /* what each of two threads' renames said */

/* Two directories that two threads each want to have below the other. */
static void *move_below(void *arg)
{
	struct worker *w = arg;
	unsigned int i = (unsigned int)(w - worker);
	const char *name = i ? "d0" : "d1";

	for (unsigned int k = 0; k < w->rounds; k++) {
		pthread_barrier_wait(&together);
		moved[i] = fs_rename(r.fs, ROOT, name, dirs[i], "x", 0);
		pthread_barrier_wait(&together);
		/* One of them is, and then the other can't be. */
		if (i == 0 && moved[0] + moved[1] != -EINVAL)
			w->wrong = "a circle of directories";
		pthread_barrier_wait(&together);
		if (moved[i] == 0)
			EXPECT(w, fs_rename(r.fs, dirs[i], "x", ROOT, name, 0),
			       0);
	}
	return NULL;
}

START_TEST(no_circles)
{
	make_dirs(SCRATCH_MEMORY);
	pthread_barrier_init(&together, NULL, 2);
	run(2, move_below, scratch_scale(10000u, 1000u));
	pthread_barrier_destroy(&together);
}
END_TEST

/* --- bytes ---------------------------------------------------------------------- */

/* Blocks that are only ever written, or punched, as a whole. */
#define FILE_BLOCKS 16u

static uint64_t shared_file;

static void write_block(struct worker *w, struct fs_file *file)
{
	uint8_t block[PINFS_BLOCK_SIZE];
	ssize_t n;

	memset(block, 1 + (int)(w - worker), sizeof(block));
	n = fs_write(r.fs, file, block, BLOCK, below(w, FILE_BLOCKS) * BLOCK);
	EXPECT(w, n == (ssize_t)BLOCK ? 0 : (int)n, -ENOSPC);
}

/* read_block - zeroes or some thread's bytes: never another file's (C3) */
static void read_block(struct worker *w, struct fs_file *file)
{
	uint8_t block[PINFS_BLOCK_SIZE];
	ssize_t n =
		rig_read(&r, file, block, BLOCK, below(w, FILE_BLOCKS) * BLOCK);

	if (n < 0) {
		EXPECT(w, (int)n, -ESTALE);
		return;
	}
	for (ssize_t i = 0; i < n; i++)
		if (block[i] > THREADS)
			EXPECT(w, -EBADMSG, -ENODATA);
}

static void change_layout(struct worker *w)
{
	static const enum pinfs_change kind[] = {
		PINFS_CHANGE_TRUNCATE,	     PINFS_CHANGE_ALLOCATE,
		PINFS_CHANGE_PUNCH_HOLE,     PINFS_CHANGE_ZERO_RANGE,
		PINFS_CHANGE_COLLAPSE_RANGE, PINFS_CHANGE_INSERT_RANGE,
	};
	enum pinfs_change k = kind[below(w, ARRAY_SIZE(kind))];
	uint64_t off = below(w, FILE_BLOCKS) * BLOCK;

	EXPECT(w, rig_change(&r, shared_file, k, off, BLOCK, 0), -EINVAL);
}

static void replace_file(struct worker *w, struct fs_file *file)
{
	uint8_t foreign[PINFS_BLOCK_SIZE];
	struct fs_file *other;
	char name[16];
	uint64_t node;

	(void)file;
	snprintf(name, sizeof(name), "own%u", (unsigned int)(w - worker));
	EXPECT(w, rig_create(&r, ROOT, name, &node), -ENOSPC);
	if (w->wrong || fs_file_open(r.fs, node, O_RDWR, &other))
		return;
	memset(foreign, 0xee, sizeof(foreign));
	for (uint64_t i = 0; i < 8; i++)
		fs_write(r.fs, other, foreign, BLOCK, i * BLOCK);
	EXPECT(w, fs_unlink(r.fs, ROOT, name), -ENOENT);
	fs_file_release(r.fs, other);
}

static void *change_bytes(void *arg)
{
	struct worker *w = arg;
	struct fs_file *file;

	for (unsigned int i = 0; i < w->rounds && !w->wrong; i++) {
		if (fs_file_open(r.fs, shared_file, O_RDWR, &file)) {
			w->wrong = "fs_file_open";
			break;
		}
		switch (below(w, 6)) {
		case 0:
		case 1:
			write_block(w, file);
			break;
		case 2:
			change_layout(w);
			break;
		case 3:
			replace_file(w, file);
			break;
		case 4:
			EXPECT(w, i % 16 ? 0 : fs_fsync(r.fs, file), -EIO);
			break;
		default:
			read_block(w, file);
		}
		fs_file_release(r.fs, file);
	}
	return NULL;
}

START_TEST(bytes)
{
	make_dirs(kinds[_i]);
	shared_file = rig_file(&r, "shared");
	run(THREADS, change_bytes,
	    kinds[_i] == SCRATCH_DISK ? scratch_scale(400u, 100u) :
					scratch_scale(8000u, 1500u));
}
END_TEST

/* --- open and unlink ---------------------------------------------------------------- */

/* Everybody opens one name, and takes it away or puts a new file there. */
static void *open_and_unlink(void *arg)
{
	struct worker *w = arg;

	for (unsigned int i = 0; i < w->rounds && !w->wrong; i++) {
		struct fs_file *file;
		struct fs_entry e;
		char c = 'x';

		EXPECT(w, rig_create(&r, ROOT, "f", NULL), -EEXIST);
		if (fs_lookup(r.fs, ROOT, "f", &e) ||
		    fs_file_open(r.fs, e.node, O_RDWR, &file))
			continue;
		w->done[0]++;
		if (below(w, 2))
			EXPECT(w, fs_unlink(r.fs, ROOT, "f"), -ENOENT);
		/* L10: it is open, so it is there. */
		if (fs_write(r.fs, file, &c, 1, below(w, 20) * BLOCK) != 1)
			w->wrong = "fs_write to an open file";
		if (rig_read(&r, file, &c, 1, 0) != 1)
			w->wrong = "fs_read of an open file";
		fs_file_release(r.fs, file);
	}
	return NULL;
}

START_TEST(open_files_stay)
{
	struct pinfs_ioc_stats st;

	make_dirs(kinds[_i]);
	run(THREADS, open_and_unlink, scratch_scale(4000u, 600u));
	for (unsigned int i = 0; i < THREADS; i++)
		ck_assert_uint_gt(worker[i].done[0], 0);
	fs_stats(r.fs, &st);
	ck_assert_uint_eq(st.orphans, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_threads");
	TCase *tc = tcase_create("fs_threads");

	log_set_level(LOG_LEVEL_WARN);
	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, names, 0, ARRAY_SIZE(kinds));
	tcase_add_test(tc, no_circles);
	tcase_add_loop_test(tc, bytes, 0, ARRAY_SIZE(kinds));
	tcase_add_loop_test(tc, open_files_stay, 0, ARRAY_SIZE(kinds));
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
