// SPDX-License-Identifier: BSD-3-Clause
/* Inodes: numbers and generations, handles, the inode file, orphans. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/util.h"
#include "format/csum.h"
#include "inode/dir.h"
#include "inode/extent.h"
#include "inode/xattr.h"
#include "scratch_cut.h"
#include "scratch_fsck.h"
#include "scratch_scale.h"
#include "scratch_volume.h"
#include "scratch.h"

#define MIB (1ull << 20)

static struct scratch_volume sv;

/* --- making and unmaking ------------------------------------------------------ */

static size_t name_of(char *buf, size_t room, unsigned int i)
{
	return (size_t)snprintf(buf, room, "name-%u", i);
}

/* make - inode number i of the test, a file with a name; a handle of it */
static struct inode *make(unsigned int i)
{
	struct inode_init init = { .mode = S_IFREG | 0600, .nlink = 1 };
	struct tx *tx = scratch_begin(&sv);
	struct inode *ip;
	char name[32];
	size_t len = name_of(name, sizeof(name), i);

	ck_assert_int_eq(inode_new(sv.vol, tx, &init, &ip), 0);
	ck_assert_int_eq(dir_add(sv.root, tx, name, len, ip->ino, DT_REG), 0);
	ck_assert_int_eq(scratch_end(&sv, tx, 0), 0);
	pthread_rwlock_unlock(&ip->lock);
	return ip;
}

/* unmake - take its name away; what becomes of ip depends on in_use */
static int unmake(struct inode *ip, unsigned int i, bool in_use)
{
	unsigned int guard = journal_enter(sv.vol->journal);
	struct inode *all[2] = { sv.root, ip };
	unsigned int n = inode_lock_all(all, 2);
	struct tx *tx = tx_begin(sv.vol->journal);
	char name[32];
	size_t len = name_of(name, sizeof(name), i);
	int err = dir_remove(sv.root, tx, name, len);

	if (!err) {
		inode_edit(ip, tx)->nlink = cpu_to_le32(0);
		err = inode_drop_link(ip, tx, in_use);
	}
	if (err)
		tx_abort(tx);
	else
		err = tx_commit(tx);
	inode_unlock_all(all, n);
	journal_leave(sv.vol->journal, guard);
	return err;
}

/* fill_some - blocks [first, end), but only the even ones, in one transaction */
static int fill_some(struct inode *ip, uint64_t first, uint64_t end)
{
	unsigned int guard = journal_enter(sv.vol->journal);
	struct tx *tx;
	int err = 0;

	pthread_rwlock_wrlock(&ip->lock);
	tx = tx_begin(sv.vol->journal);
	for (uint64_t i = first; i < end && !err; i += 2) {
		struct space_run run;
		struct extent e;

		err = space_alloc(sv.vol->space, tx, 0, 1, 0, &run);
		e = (struct extent){ i, run.first, 1, true, false };
		if (!err)
			err = extent_add(ip, tx, &e);
	}
	if (err)
		tx_abort(tx);
	else
		err = tx_commit(tx);
	pthread_rwlock_unlock(&ip->lock);
	journal_leave(sv.vol->journal, guard);
	return err;
}

/* fill - so many blocks, none beside another */
static int fill(struct inode *ip, uint64_t n)
{
	int err = 0;

	for (uint64_t at = 0; at < 2 * n && !err; at += 100) {
		uint64_t end = min_u64(at + 100, 2 * n);

		err = fill_some(ip, at, end);
		if (err != -ENOSPC)
			continue;
		/* What was freed may have to come home first. */
		ck_assert_int_eq(journal_bring_home(sv.vol->journal), 0);
		err = fill_some(ip, at, end);
	}
	return err;
}

static int64_t used_inodes(void)
{
	struct journal_counts c;

	journal_counts(sv.vol->journal, &c);
	return c.used_inodes;
}

static void set_up(void)
{
	scratch_volume_make(&sv, SCRATCH_MEMORY, 64 * MIB);
}

static void tear_down(void)
{
	scratch_volume_close(&sv);
	scratch_fsck(sv.kind);
}

/* --- numbers and generations ---------------------------------------------------- */

START_TEST(generations)
{
	struct inode *ip = make(0), *other;
	uint64_t ino = ip->ino;
	uint32_t gen = ip->gen;

	ck_assert_int_eq(inode_get(sv.vol, ino, gen, &other), 0);
	ck_assert_ptr_eq(other, ip);
	inode_put(other);
	ck_assert_int_eq(inode_get(sv.vol, ino, gen + 1, &other), -ESTALE);
	ck_assert_int_eq(unmake(ip, 0, false), 0);
	ck_assert(ip->dead);
	inode_put(ip);
	ck_assert_int_eq(inode_get(sv.vol, ino, INODE_ANY_GEN, &other),
			 -ESTALE);
	scratch_volume_reopen(&sv);
	ck_assert_int_eq(inode_get(sv.vol, ino, gen, &other), -ESTALE);

	/* The number comes again, the generation does not. */
	ip = make(1);
	ck_assert_uint_eq(ip->ino, ino);
	ck_assert_uint_eq(ip->gen, gen + 1);
	ck_assert_int_eq(inode_get(sv.vol, ino, gen, &other), -ESTALE);
	inode_put(ip);
}
END_TEST

START_TEST(no_such_inode)
{
	static const uint64_t ino[] = { 0,
					100,
					1ull << 30,
					(1ull << PINFS_INO_BITS) - 1,
					1ull << PINFS_INO_BITS,
					UINT64_MAX };
	struct inode *ip;

	for (size_t i = 0; i < ARRAY_SIZE(ino); i++)
		ck_assert_int_eq(inode_get(sv.vol, ino[i], INODE_ANY_GEN, &ip),
				 -ESTALE);
}
END_TEST

/* A handle of a freed inode, and one of who has its number now. */
START_TEST(old_handle)
{
	struct inode *old = make(0), *ip, *found;
	uint64_t ino = old->ino;

	ck_assert_int_eq(unmake(old, 0, false), 0);
	/* The lowest free number is the next. */
	ip = make(1);
	ck_assert_uint_eq(ip->ino, ino);
	ck_assert_ptr_ne(ip, old);
	ck_assert(old->dead && !ip->dead);
	ck_assert_int_eq(inode_get(sv.vol, ino, INODE_ANY_GEN, &found), 0);
	ck_assert_ptr_eq(found, ip);
	inode_put(found);
	inode_put(ip);
	/* Nor does it hide the new one when nobody has that at the moment. */
	ck_assert_int_eq(inode_get(sv.vol, ino, old->gen + 1, &found), 0);
	ck_assert_ptr_ne(found, old);
	ck_assert(!found->dead);
	inode_put(found);
	inode_put(old);
}
END_TEST

START_TEST(aborted_new)
{
	struct inode_init init = { .mode = S_IFREG | 0600, .nlink = 1 };
	int64_t used = used_inodes();
	struct tx *tx = scratch_begin(&sv);
	struct inode *ip, *other;
	uint64_t ino;

	ck_assert_int_eq(inode_new(sv.vol, tx, &init, &ip), 0);
	ino = ip->ino;
	ck_assert_int_eq(scratch_end(&sv, tx, -EINTR), -EINTR);
	inode_new_undo(ip);
	ck_assert_int_eq(inode_get(sv.vol, ino, INODE_ANY_GEN, &other),
			 -ESTALE);
	ck_assert_int_eq(used_inodes(), used);
}
END_TEST

/* --- many ------------------------------------------------------------------------- */

/* More than one map of the inode file stands for. */
START_TEST(many_inodes)
{
	unsigned int n = scratch_scale(PINFS_IMAP_INODES + 700, 3000);
	uint64_t *ino = calloc(n, sizeof(*ino)), highest = 0;
	int64_t used = used_inodes();
	struct inode *ip;

	for (unsigned int i = 0; i < n; i++) {
		ip = make(i);
		ino[i] = ip->ino;
		highest = max_u64(highest, ip->ino);
		inode_put(ip);
	}
	ck_assert_uint_ge(highest, n);
	ck_assert_int_eq(used_inodes(), used + n);
	scratch_volume_close(&sv);
	scratch_fsck(sv.kind);
	scratch_volume_open(&sv);
	ck_assert_int_eq(used_inodes(), used + n);
	for (unsigned int i = 0; i < n; i += 2) {
		ck_assert_int_eq(inode_get(sv.vol, ino[i], 1, &ip), 0);
		ck_assert_int_eq(unmake(ip, i, false), 0);
		inode_put(ip);
	}
	/* What was freed is used again before the file grows. */
	for (unsigned int i = 0; i < n; i += 2) {
		ip = make(i);
		ck_assert_uint_le(ip->ino, highest);
		inode_put(ip);
	}
	ck_assert_int_eq(used_inodes(), used + n);
	free(ino);
}
END_TEST

/* leave_single_blocks - a pool that is full but for 300 blocks, all apart */
static void leave_single_blocks(void)
{
	struct tx *tx;
	uint64_t last;

	scratch_fill(&sv, 0);
	tx = scratch_begin(&sv);
	last = sv.vol->total_blocks - 2; /* scratch_fill() took it */
	for (unsigned int i = 0; i < 300; i++)
		ck_assert_int_eq(space_free(sv.vol->space, tx, last - 2 * i, 1),
				 0);
	ck_assert_int_eq(scratch_end(&sv, tx, 0), 0);
}

/* S6: there is space, if not much in one piece. */
START_TEST(fragmented_pool)
{
	struct inode *ip;

	leave_single_blocks();
	for (unsigned int i = 0; i < 400; i++) {
		ip = make(i);
		inode_put(ip);
	}
	scratch_volume_reopen(&sv);
	for (unsigned int i = 0; i < 400; i++) {
		struct dir_entry e;
		char name[32];
		size_t len = name_of(name, sizeof(name), i);

		scratch_enter(&sv);
		ck_assert_int_eq(dir_lookup(sv.root, NULL, name, len, &e), 0);
		scratch_leave(&sv);
		ck_assert_int_eq(inode_get(sv.vol, e.ino, 1, &ip), 0);
		ck_assert_int_eq(unmake(ip, i, false), 0);
		inode_put(ip);
	}
	inode_put(sv.root);
	ck_assert_int_eq(volume_close(sv.vol), 0);
	pool_close(sv.pool);
	/* scratch_fill()'s blocks are nobody's: nothing for fsck. */
	scratch_volume_make(&sv, SCRATCH_MEMORY, 64 * MIB);
}
END_TEST

START_TEST(full_pool)
{
	struct inode_init init = { .mode = S_IFREG | 0600, .nlink = 1 };
	struct inode *ip;
	uint64_t last = 0;
	struct tx *tx;
	int err = 0;

	scratch_fill(&sv, 0);
	/* What is mapped can be had; then there is nothing to map. */
	for (unsigned int i = 0; i < 1000 && !err; i++) {
		tx = scratch_begin(&sv);
		err = inode_new(sv.vol, tx, &init, &ip);
		scratch_end(&sv, tx, err);
		if (err)
			break;
		pthread_rwlock_unlock(&ip->lock);
		last = ip->ino;
		inode_put(ip);
	}
	ck_assert_int_eq(err, -ENOSPC);
	ck_assert_uint_gt(last, 100);
	/* And again once one is given back. */
	ck_assert_int_eq(inode_get(sv.vol, last, INODE_ANY_GEN, &ip), 0);
	tx = scratch_begin(&sv);
	pthread_rwlock_wrlock(&ip->lock);
	ck_assert_int_eq(inode_drop_link(ip, tx, false), 0);
	ck_assert_int_eq(scratch_end(&sv, tx, 0), 0);
	pthread_rwlock_unlock(&ip->lock);
	inode_put(ip);
	tx = scratch_begin(&sv);
	ck_assert_int_eq(inode_new(sv.vol, tx, &init, &ip), 0);
	ck_assert_uint_eq(ip->ino, last);
	scratch_end(&sv, tx, -EINTR);
	inode_new_undo(ip);
	scratch_volume_close(&sv);
	scratch_volume_make(&sv, SCRATCH_MEMORY, 64 * MIB);
}
END_TEST

/* --- unlinked inodes ----------------------------------------------------------------- */

#define ORPHANS 100u

static const unsigned int sizes[] = { 0, 3, 10, 11, 400, 1500 };

static uint64_t size_of(unsigned int i)
{
	return sizes[i % ARRAY_SIZE(sizes)];
}

START_TEST(put_reclaims)
{
	int64_t free_blocks, used = used_inodes();
	struct inode *ip = make(0), *more;
	uint64_t ino = ip->ino;

	free_blocks = scratch_free_blocks(&sv);
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		bool in_use = i >= ARRAY_SIZE(sizes);

		ck_assert_int_eq(fill(ip, size_of(i)), 0);
		more = inode_hold(ip);
		ck_assert_int_eq(unmake(ip, i, in_use), 0);
		ck_assert_uint_eq(volume_orphans(sv.vol),
				  in_use || size_of(i) > 10);
		inode_put(ip);
		/* L10: not before the last handle goes. */
		ck_assert(more->dead || more->unlinked);
		ck_assert(more->dead || used_inodes() == used + 1);
		inode_put(more);
		ck_assert_uint_eq(volume_orphans(sv.vol), 0);
		ck_assert_int_eq(used_inodes(), used);
		ck_assert_int_eq(inode_get(sv.vol, ino, INODE_ANY_GEN, &more),
				 -ESTALE);
		ip = make(i + 1);
		ino = ip->ino;
		ck_assert_int_eq(scratch_free_blocks(&sv), free_blocks);
	}
	inode_put(ip);
}
END_TEST

/* The child: unlink files in use, on all lists, and die. */
static int leave_orphans(void *arg, long stores)
{
	static struct inode *ip[ORPHANS];

	(void)arg;
	(void)stores;
	scratch_volume_open(&sv);
	for (unsigned int i = 0; i < ORPHANS; i++) {
		ip[i] = make(i);
		if (fill(ip[i], i % 10 ? size_of(i) : 200))
			return -ENOSPC;
	}
	for (unsigned int i = 0; i < ORPHANS; i++)
		if (unmake(ip[i * 37 % ORPHANS], i * 37 % ORPHANS, true))
			return -EINVAL;
	/* Some leave the middle of their lists, others stay. */
	for (unsigned int i = 0; i < ORPHANS; i += 3)
		inode_put(ip[i]);
	return volume_orphans(sv.vol) == ORPHANS - ORPHANS / 3 - 1 ? 0 : -1;
}

static const enum scratch_kind kinds[] = { SCRATCH_MEMORY, SCRATCH_DISK };

START_TEST(orphans_after_a_crash)
{
	int64_t used;
	struct inode *ip;

	scratch_volume_close(&sv);
	scratch_volume_make(&sv, kinds[_i], 256 * MIB);
	used = used_inodes();
	scratch_volume_close(&sv);
	ck_assert(scratch_cut(leave_orphans, NULL, 0));
	/* S3: before, and after. */
	scratch_fsck(sv.kind);
	scratch_volume_open(&sv);
	ck_assert_int_eq(used_inodes(), used);
	/* All but what the inode file has grown by. */
	ck_assert_int_ge(scratch_free_blocks(&sv), sv.free_blocks - 16);
	ck_assert_uint_eq(volume_orphans(sv.vol), 0);
	/* It counts from there. */
	ip = make(0);
	ck_assert_int_eq(unmake(ip, 0, true), 0);
	ck_assert_uint_eq(volume_orphans(sv.vol), 1);
	inode_put(ip);
	ck_assert_uint_eq(volume_orphans(sv.vol), 0);
}
END_TEST

/* The child: unlink a file of many extents, and free it. */
static int unlink_big(void *arg, long stores)
{
	uint64_t ino = *(uint64_t *)arg;
	struct inode *ip;
	int err;

	scratch_volume_open(&sv);
	err = inode_get(sv.vol, ino, INODE_ANY_GEN, &ip);
	if (err)
		return err;
	scratch_cut_after(sv.pool, stores);
	err = unmake(ip, 0, false);
	inode_put(ip);
	return err;
}

START_TEST(cut_off)
{
	long step = scratch_scale(1, 9), gone = 0, there = 0;
	bool over = false;
	struct inode *ip;
	struct tx *tx;
	uint64_t ino;
	int64_t used;

	scratch_volume_close(&sv);
	scratch_volume_make(&sv, kinds[_i], 16 * MIB);
	used = used_inodes();
	ip = make(0);
	ino = ip->ino;
	ck_assert_int_eq(fill(ip, 1000), 0);
	tx = scratch_begin(&sv);
	pthread_rwlock_wrlock(&ip->lock);
	ck_assert_int_eq(xattr_set(ip, tx, "user.x", "y", 1, 0), 0);
	ck_assert_int_eq(scratch_end(&sv, tx, 0), 0);
	pthread_rwlock_unlock(&ip->lock);
	inode_put(ip);
	scratch_volume_close(&sv);
	scratch_keep(sv.kind);
	for (long stores = 0; !over; stores += step + stores / 20) {
		scratch_restore(sv.kind);
		over = scratch_cut(unlink_big, &ino, stores);
		scratch_volume_open(&sv);
		if (inode_get(sv.vol, ino, INODE_ANY_GEN, &ip) == 0) {
			ck_assert(!ip->unlinked && gone == 0);
			ck_assert_int_eq(used_inodes(), used + 1);
			inode_put(ip);
			there++;
		} else {
			ck_assert_int_eq(used_inodes(), used);
			ck_assert_int_ge(scratch_free_blocks(&sv),
					 sv.free_blocks - 16);
			gone++;
		}
		ck_assert_uint_eq(volume_orphans(sv.vol), 0);
		scratch_volume_close(&sv);
		scratch_fsck(sv.kind);
	}
	ck_assert_int_gt(there, 0);
	ck_assert_int_gt(gone, 0);
	scratch_volume_open(&sv);
}
END_TEST

/* --- damage ---------------------------------------------------------------------------- */

static void damage(void (*fn)(struct pinfs_inode *di))
{
	struct pinfs_inode *di;
	uint64_t seed = sv.vol->seed;

	inode_put(sv.root);
	ck_assert_int_eq(volume_close(sv.vol), 0);
	di = scratch_raw_root(sv.pool) + 1; /* the first that make() makes */
	ck_assert_uint_eq(le32_to_cpu(di->magic), PINFS_MAGIC_INODE);
	fn(di);
	format_inode_seal(di, seed);
	ck_assert_int_eq(volume_open(sv.pool, 0, &sv.vol), 0);
	ck_assert_int_eq(
		inode_get(sv.vol, PINFS_ROOT_INO, INODE_ANY_GEN, &sv.root), 0);
}

static void extent_outside(struct pinfs_inode *di)
{
	di->tree_count = cpu_to_le16(1);
	di->u.extent[0] = (struct pinfs_extent){
		cpu_to_le64(0),
		cpu_to_le64(64 * MIB / PINFS_BLOCK_SIZE + 1000),
		cpu_to_le32(1),
		cpu_to_le32(0),
	};
}

static void blob_outside(struct pinfs_inode *di)
{
	di->xattr = cpu_to_le64(1ull << 39);
}

static void (*const damages[])(struct pinfs_inode *di) = { extent_outside,
							   blob_outside };

/* S5: nothing outside of the pool is ever looked at. */
START_TEST(points_out_of_the_pool)
{
	struct inode *ip = make(0);
	uint64_t ino = ip->ino;

	inode_put(ip);
	ck_assert_uint_eq(ino, PINFS_ROOT_INO + 1);
	damage(damages[_i]);
	ck_assert_int_eq(inode_get(sv.vol, ino, INODE_ANY_GEN, &ip), -EUCLEAN);
	scratch_volume_close(&sv);
	scratch_volume_make(&sv, SCRATCH_MEMORY, 64 * MIB);
}
END_TEST

/* --- threads ----------------------------------------------------------------------------- */

#define THREADS	  4u
#define PER_ROUND 50u

/* churn - a thread's inodes: made, filled, unlinked while in use or not */
static void *churn(void *arg)
{
	unsigned int base = *(unsigned int *)arg;
	struct inode_init init = { .mode = S_IFREG | 0600, .nlink = 1 };

	for (unsigned int r = 0; r < scratch_scale(40, 8); r++) {
		struct inode *ip[PER_ROUND];

		for (unsigned int i = 0; i < PER_ROUND; i++) {
			unsigned int guard = journal_enter(sv.vol->journal);
			struct tx *tx = tx_begin(sv.vol->journal);

			ck_assert_int_eq(inode_new(sv.vol, tx, &init, &ip[i]),
					 0);
			ck_assert_int_eq(tx_commit(tx), 0);
			pthread_rwlock_unlock(&ip[i]->lock);
			journal_leave(sv.vol->journal, guard);
			ck_assert_int_eq(fill(ip[i], (base + i) % 14), 0);
		}
		for (unsigned int i = 0; i < PER_ROUND; i++) {
			unsigned int guard = journal_enter(sv.vol->journal);
			struct tx *tx = tx_begin(sv.vol->journal);

			pthread_rwlock_wrlock(&ip[i]->lock);
			inode_edit(ip[i], tx)->nlink = cpu_to_le32(0);
			ck_assert_int_eq(inode_drop_link(ip[i], tx, i % 3 == 0),
					 0);
			ck_assert_int_eq(tx_commit(tx), 0);
			pthread_rwlock_unlock(&ip[i]->lock);
			journal_leave(sv.vol->journal, guard);
			inode_put(ip[i]);
		}
	}
	return NULL;
}

START_TEST(parallel_churn)
{
	unsigned int base[THREADS];
	pthread_t thread[THREADS];
	int64_t used;

	scratch_volume_close(&sv);
	scratch_volume_make(&sv, kinds[_i], 64 * MIB);
	used = used_inodes();
	for (unsigned int i = 0; i < THREADS; i++) {
		base[i] = i;
		ck_assert_int_eq(
			pthread_create(&thread[i], NULL, churn, &base[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
	ck_assert_int_eq(used_inodes(), used);
	ck_assert_uint_eq(volume_orphans(sv.vol), 0);
	ck_assert_int_ge(scratch_free_blocks(&sv), sv.free_blocks - 64);
}
END_TEST

/*
 * struct late - somebody gets a handle of an unlinked inode while the last one
 * of before is on its way out
 */
struct late {
	struct inode *ip;
	uint64_t ino;
	uint32_t gen;
	unsigned int pause; /* turns that the late comer waits */
	pthread_barrier_t start;
	pthread_barrier_t looked; /* the late comer has, and main */
	pthread_barrier_t over; /* the last handle of before is put */
	bool came; /* in time to find it alive */
	bool kept;
};

static void *put_last(void *arg)
{
	struct late *l = arg;

	pthread_barrier_wait(&l->start);
	inode_put(l->ip);
	pthread_barrier_wait(&l->over);
	return NULL;
}

static void *come_late(void *arg)
{
	struct late *l = arg;
	struct inode *ip = NULL;

	pthread_barrier_wait(&l->start);
	for (volatile unsigned int i = 0; i < l->pause; i++)
		;
	/* Main has the lock: dead stays as it is. */
	if (inode_get(sv.vol, l->ino, l->gen, &ip) == 0)
		l->came = !ip->dead;
	pthread_barrier_wait(&l->looked);
	pthread_barrier_wait(&l->over);
	/* L10: who found it alive has it until he is done. */
	if (l->came) {
		pthread_rwlock_rdlock(&ip->lock);
		l->kept = !ip->dead;
		pthread_rwlock_unlock(&ip->lock);
	}
	inode_put(ip);
	return NULL;
}

START_TEST(late_comers)
{
	unsigned int came = 0;
	int64_t used = used_inodes();

	for (unsigned int i = 0; i < scratch_scale(2000u, 400u); i++) {
		struct late l = { .ip = make(i), .pause = i * 97 % 3000 };
		pthread_t put, come;

		l.ino = l.ip->ino;
		l.gen = l.ip->gen;
		ck_assert_int_eq(fill(l.ip, 12), 0);
		ck_assert_int_eq(unmake(l.ip, i, true), 0);
		pthread_barrier_init(&l.start, NULL, 3);
		pthread_barrier_init(&l.looked, NULL, 2);
		pthread_barrier_init(&l.over, NULL, 2);
		ck_assert_int_eq(pthread_create(&put, NULL, put_last, &l), 0);
		ck_assert_int_eq(pthread_create(&come, NULL, come_late, &l), 0);
		/* Whoever wants to free it waits for us. */
		pthread_rwlock_rdlock(&l.ip->lock);
		pthread_barrier_wait(&l.start);
		pthread_barrier_wait(&l.looked);
		pthread_rwlock_unlock(&l.ip->lock);
		ck_assert_int_eq(pthread_join(put, NULL), 0);
		ck_assert_int_eq(pthread_join(come, NULL), 0);
		ck_assert(l.kept == l.came);
		came += l.came;
		ck_assert_int_eq(used_inodes(), used);
		pthread_barrier_destroy(&l.start);
		pthread_barrier_destroy(&l.looked);
		pthread_barrier_destroy(&l.over);
	}
	ck_assert_uint_gt(came, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("inode");
	TCase *tc = tcase_create("inode");

	log_set_level(LOG_LEVEL_WARN);
	tcase_set_timeout(tc, 60);
	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, generations);
	tcase_add_test(tc, no_such_inode);
	tcase_add_test(tc, old_handle);
	tcase_add_test(tc, aborted_new);
	tcase_add_test(tc, many_inodes);
	tcase_add_test(tc, fragmented_pool);
	tcase_add_test(tc, full_pool);
	tcase_add_test(tc, put_reclaims);
	tcase_add_loop_test(tc, orphans_after_a_crash, 0, ARRAY_SIZE(kinds));
	tcase_add_loop_test(tc, cut_off, 0, ARRAY_SIZE(kinds));
	tcase_add_loop_test(tc, points_out_of_the_pool, 0, ARRAY_SIZE(damages));
	tcase_add_loop_test(tc, parallel_churn, 0, ARRAY_SIZE(kinds));
	tcase_add_test(tc, late_comers);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
