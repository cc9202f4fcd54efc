// SPDX-License-Identifier: BSD-3-Clause
/*
 * Files: find, append, read, overwrite, by the number of extents.
 *
 * All files but the first have the same million blocks, in so many extents with
 * holes of one to three blocks between them. One extent lies in one group, of
 * 126 MiB, so the first has 25,000. The same number of blocks is touched in each:
 * the data's own cache misses are the same then.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inode/extent.h"
#include "scale.h"

#define TOUCHED 25000u
#define FINDS	50000u
#define APPENDS 2000u
#define ONE	25000u /* blocks of the file with one extent */

static const unsigned int all_sizes[] = { 1, 40, 1000, 10000, 100000, MILLION };

struct map {
	struct fs_file *file;
	uint64_t extents;
	uint64_t len; /* blocks of each */
	uint64_t *block; /* TOUCHED file blocks in random order */
};

/* start_of - the first file block of extent i: an odd one begins where it may */
static uint64_t start_of(uint64_t len, uint64_t i)
{
	uint64_t x = (i + 1) * 0x9e3779b97f4a7c15u;

	return i * (len + 2) + (x >> 63);
}

/* put_extent - or two, where a group of the pool ends */
static void put_extent(struct inode *ip, struct tx *tx, uint64_t lblk,
		       uint64_t len)
{
	for (struct extent e = { .lblk = lblk }; len > 0; len -= e.len) {
		struct space_run run;

		must(space_alloc(ip->vol->space, tx, 0, len, 0, &run), "alloc");
		e.pblk = run.first;
		e.len = run.count;
		must(extent_add(ip, tx, &e), "extent");
		e.lblk += e.len;
		inode_edit(ip, tx)->size =
			cpu_to_le64(e.lblk << PINFS_BLOCK_SHIFT);
	}
}

/* add - extents [from, to), so many in a transaction */
static void add(struct rig *r, const struct map *m, uint64_t from, uint64_t to,
		unsigned int in_one)
{
	struct inode *ip = fs_file_inode(m->file);
	struct volume *vol = fs_volume(r->fs);

	while (from < to) {
		unsigned int guard = journal_enter(vol->journal);
		uint64_t end = min_u64(to, from + in_one);
		struct tx *tx;

		pthread_rwlock_wrlock(&ip->lock);
		tx = tx_begin(vol->journal);
		for (; from < end; from++)
			put_extent(ip, tx, start_of(m->len, from), m->len);
		must(tx_commit(tx), "commit");
		pthread_rwlock_unlock(&ip->lock);
		journal_leave(vol->journal, guard);
	}
}

/* shorten - to the extents that it had */
static void shorten(struct rig *r, const struct map *m)
{
	struct inode *ip = fs_file_inode(m->file);
	struct volume *vol = fs_volume(r->fs);
	uint64_t end = start_of(m->len, m->extents);
	int err = -EAGAIN;

	while (err == -EAGAIN) {
		unsigned int guard = journal_enter(vol->journal);
		unsigned int budget = 50;
		struct tx *tx;

		pthread_rwlock_wrlock(&ip->lock);
		tx = tx_begin(vol->journal);
		err = extent_remove(ip, tx, end, EXTENT_END, &budget);
		must(err == -EAGAIN ? 0 : err, "remove");
		inode_edit(ip, tx)->size =
			cpu_to_le64(end << PINFS_BLOCK_SHIFT);
		must(tx_commit(tx), "commit");
		pthread_rwlock_unlock(&ip->lock);
		journal_leave(vol->journal, guard);
	}
}

/* appends - nanoseconds for one more extent; they are taken away again */
static double appends(struct rig *r, const struct map *m)
{
	uint64_t n = min_u64(APPENDS, m->extents < 10 ? 9 : m->extents / 10);
	uint64_t total = 0;

	for (uint64_t done = 0; done < APPENDS; done += n) {
		uint64_t start = cpu_ns();

		add(r, m, m->extents, m->extents + n, 1);
		total += cpu_ns() - start;
		shorten(r, m);
	}
	return (double)total / (double)(div_round_up(APPENDS, n) * n);
}

/* finds - nanoseconds to find the block of a random extent */
static double finds(struct rig *r, const struct map *m)
{
	struct inode *ip = fs_file_inode(m->file);
	unsigned int guard = inode_look(ip);
	uint64_t start = cpu_ns();

	(void)r;
	for (unsigned int i = 0; i < FINDS; i++) {
		uint64_t k = below(m->extents);
		struct extent e;

		must(extent_find(ip, NULL, start_of(m->len, k), &e), "find");
	}
	start = cpu_ns() - start;
	inode_look_end(ip, guard);
	return (double)start / FINDS;
}

static double reads(struct rig *r, const struct map *m, char *buf)
{
	static struct fs_read rd;
	uint64_t start = cpu_ns();

	for (unsigned int i = 0; i < TOUCHED; i++) {
		must(fs_read_begin(r->fs, m->file,
				   m->block[i] * PINFS_BLOCK_SIZE,
				   PINFS_BLOCK_SIZE, &rd),
		     "read");
		memcpy(buf, rd.iov[0].iov_base, rd.iov[0].iov_len);
		fs_read_end(&rd);
	}
	return (double)(cpu_ns() - start) / TOUCHED;
}

static double writes(struct rig *r, const struct map *m, const char *buf)
{
	uint64_t start = cpu_ns();

	for (unsigned int i = 0; i < TOUCHED; i++)
		must((int)fs_write(r->fs, m->file, buf, PINFS_BLOCK_SIZE,
				   m->block[i] * PINFS_BLOCK_SIZE),
		     "write");
	return (double)(cpu_ns() - start) / TOUCHED;
}

static void make(struct rig *r, struct map *m, unsigned int extents)
{
	static unsigned int number;
	char name[32];

	snprintf(name, sizeof(name), "f%u", number++);
	m->file = rig_file(r, name);
	m->extents = extents;
	m->len = extents == 1 ? ONE : MILLION / extents;
	m->block = calloc(TOUCHED, sizeof(*m->block));
	must(m->block ? 0 : -ENOMEM, "blocks");
	add(r, m, 0, extents, 50);
	/* The step has no factor in common with the number: no block twice. */
	for (uint64_t i = 0; i < TOUCHED; i++) {
		uint64_t k = i * 618033 % (extents * m->len);

		m->block[i] = start_of(m->len, k / m->len) + k % m->len;
	}
}

struct costs {
	struct samples find, append, read, write;
};

static void measure(struct rig *r, const struct map *m, unsigned int files,
		    struct costs *c)
{
	static char buf[PINFS_BLOCK_SIZE] = { 1 };

	for (unsigned int i = 0; i < files; i++)
		writes(r, &m[i], buf); /* its pages are there from now on */
	for (unsigned int k = 0; k < rounds; k++) {
		for (unsigned int i = 0; i < files; i++) {
			c->find.v[i][k] = finds(r, &m[i]);
			c->read.v[i][k] = reads(r, &m[i], buf);
			c->write.v[i][k] = writes(r, &m[i], buf);
			c->append.v[i][k] = appends(r, &m[i]);
		}
	}
}

void scale_extents(void)
{
	static struct costs c;
	struct map m[ARRAY_SIZE(all_sizes)];
	double size[ARRAY_SIZE(all_sizes)];
	unsigned int n = 0;
	struct rig r;

	rig_make(&r, 0, 64 * GIB);
	rig_mount(&r);
	for (; n < ARRAY_SIZE(all_sizes) && all_sizes[n] <= max_things; n++) {
		size[n] = all_sizes[n];
		make(&r, &m[n], all_sizes[n]);
	}
	measure(&r, m, n, &c);
	for (unsigned int i = 0; i < n; i++) {
		fs_file_release(r.fs, m[i].file);
		free(m[i].block);
	}
	rig_unmount(&r);
	rig_remove(&r);
	put_chart("extents", "One operation in a file", "extents of the file");
	put_samples("extents/find an extent", size, n, &c.find, "ns");
	put_samples("extents/append an extent", size, n, &c.append, "ns");
	put_samples("extents/read 4 KiB", size, n, &c.read, "ns");
	put_samples("extents/overwrite 4 KiB", size, n, &c.write, "ns");
}
