/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the scale benchmark share. */
#ifndef PINFS_BENCH_SCALE_H
#define PINFS_BENCH_SCALE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/util.h"
#include "fs/fs.h"
#include "inode/volume.h"
#include "pool/pool.h"

#define GIB	   (1ull << 30)
#define MILLION	   1000000u
#define MAX_ROUNDS 99u
#define MAX_SIZES  8u

/* Rounds of each figure, of which the median is told; -r. */
extern unsigned int rounds;

/* The most names and extents; -m. */
extern unsigned int max_things;

/* Who does it all. */
extern const struct fs_caller root;

/* must - err, a negative errno, ends the program: what says at what */
void must(int err, const char *what);

/* below - a random number less than n, the same ones in each run */
uint64_t below(uint64_t n);

/* cpu_ns - of this thread: the machine may have others to serve, too */
uint64_t cpu_ns(void);

double ms_since(uint64_t start_ns);

/*
 * struct samples - of figures at several sizes, one for each round
 *
 * Rounds go through all sizes in turn, so what else the machine does strikes
 * all of them.
 */
struct samples {
	double v[MAX_SIZES][MAX_ROUNDS];
};

/* put_samples - the median of each size's rounds, as a line */
void put_samples(const char *series, const double *size, unsigned int sizes,
		 struct samples *s, const char *unit);

/* put - a line of a series: size, figure, unit */
void put(const char *series, double size, double figure, const char *unit);

/* put_chart - the series that begin with chart/ follow; x: what their sizes are */
void put_chart(const char *chart, const char *title, const char *x);

/* --- pools: all in the directory that was given, removed at the end ---------------- */

struct rig {
	char path[4096];
	struct pool *pool;
	struct fs *fs;
};

/* rig_init - the directory for them, which stays the caller's */
void rig_init(const char *dir);

/* rig_make - a new pool, sparse; n tells it from others of this program */
void rig_make(struct rig *r, unsigned int n, uint64_t size);
void rig_mount(struct rig *r);
void rig_unmount(struct rig *r);
void rig_remove(struct rig *r);

/* rig_take_all - all of the pool's blocks; with the groups' bitmaps in memory */
void rig_take_all(struct rig *r);

/* in_child - fn(arg), which does not return, in a process of its own */
void in_child(void (*fn)(void *arg), void *arg);

/* resident_kib - memory of this process: all, or what no file is behind */
double resident_kib(bool anonymous);

/* rig_file - a new file of the root directory, open */
struct fs_file *rig_file(struct rig *r, const char *name);
uint64_t rig_dir(struct rig *r, const char *name);

/* rig_name, rig_unname - file number i of a directory */
void rig_name(struct rig *r, uint64_t dir, unsigned int i);
void rig_unname(struct rig *r, uint64_t dir, unsigned int i);

/* --- the parts ------------------------------------------------------------------------ */

void scale_names(void);
void scale_extents(void);
void scale_space(void);
void scale_mounts(void);
void scale_memory(void);
void scale_parallel(void);

#endif
