// SPDX-License-Identifier: BSD-3-Clause
/* Pins and their blocks: L1, L2, L10, L13, L15. */
#include "layout_rig.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "inode/change.h"
#include "inode/extent.h"

static uint64_t block_of(struct inode *ip, uint64_t lblk)
{
	struct extent e;

	pthread_rwlock_rdlock(&ip->lock);
	ck_assert_int_eq(extent_find(ip, NULL, lblk, &e), 0);
	pthread_rwlock_unlock(&ip->lock);
	return e.pblk;
}

static uint64_t pins_of(struct rig *r, uint64_t pblk)
{
	uint64_t pinned, pins;

	layout_count_pins(r->ls, pblk, 1, &pinned, &pins);
	ck_assert_uint_eq(pinned, pins > 0);
	return pins;
}

/* --- counting ------------------------------------------------------------ */

START_TEST(pins_are_counted)
{
	struct pin_set *one, *two;
	uint64_t blk;
	struct rig r;

	rig_setup(&r, NULL);
	blk = block_of(r.ip[0], 3);
	one = rig_hold(&r, r.ip[0]);
	two = rig_begin(&r, 0);
	rig_pin(two, r.ip[0], 3, 2);
	rig_pin(two, r.ip[0], 3, 1);
	ck_assert_uint_eq(pins_of(&r, blk), 3);
	ck_assert_uint_eq(scratch_fs_pins(&r.sf, r.node[0]), RIG_BLOCKS + 3);
	ck_assert_uint_eq(scratch_fs_pins(&r.sf, r.node[1]), 0);
	pin_set_unpin(two);
	ck_assert_uint_eq(pins_of(&r, blk), 1);
	ck_assert_uint_eq(rig_stats(&r).idle_events, 0);
	ck_assert(layout_is_pinned(r.ip[0]));
	pin_set_free(one);
	ck_assert_uint_eq(pins_of(&r, blk), 0);
	ck_assert(!layout_is_pinned(r.ip[0]));
	ck_assert_uint_eq(rig_stats(&r).idle_events, RIG_BLOCKS);
	ck_assert_uint_eq(rig_stats(&r).pins, RIG_BLOCKS + 3);
	pin_set_free(two);
	rig_teardown(&r);
}
END_TEST

/* make_gaps - blocks 2, 6 and 7 are holes, 10 is unwritten */
static void make_gaps(struct rig *r)
{
	struct scratch_fs *sf = &r->sf;

	ck_assert_int_eq(scratch_fs_change(sf, r->node[0],
					   PINFS_CHANGE_PUNCH_HOLE, 2 * 4096,
					   4096),
			 0);
	ck_assert_int_eq(scratch_fs_change(sf, r->node[0],
					   PINFS_CHANGE_PUNCH_HOLE, 6 * 4096,
					   2 * 4096),
			 0);
	ck_assert_int_eq(scratch_fs_change(sf, r->node[0],
					   PINFS_CHANGE_ZERO_RANGE, 10 * 4096,
					   4096),
			 0);
}

static struct pin_set *begin_reading(struct rig *r)
{
	struct pin_options opt = { .direction = PINFS_TO_DEVICE };
	struct pin_set *set;

	ck_assert_int_eq(pin_set_begin(r->ls, &opt, &set), 0);
	return set;
}

/* To a device only what there is to be read is pinned, in the file's order. */
START_TEST(runs_are_the_files)
{
	struct pin_set *set;
	const struct pinned_run *runs;
	uint64_t count = 0, at = 1;
	size_t n;
	struct rig r;

	rig_setup(&r, NULL);
	make_gaps(&r);
	set = begin_reading(&r);
	rig_admit_waiting(set, r.ip[0]);
	ck_assert_int_eq(
		layout_pin(set, r.ip[0], 1, RIG_BLOCKS + 50, &runs, &n), 0);
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_ge(runs[i].lblk, at);
		at = runs[i].lblk + runs[i].count;
		for (uint64_t b = 0; b < runs[i].count; b++) {
			ck_assert_uint_eq(block_of(r.ip[0], runs[i].lblk + b),
					  runs[i].pblk + b);
			ck_assert_uint_eq(pins_of(&r, runs[i].pblk + b), 1);
		}
		count += runs[i].count;
	}
	ck_assert_uint_eq(count, RIG_BLOCKS - 1 - 4);
	ck_assert_uint_eq(pins_of(&r, block_of(r.ip[0], 10)), 0);
	pin_set_free(set);
	rig_teardown(&r);
}
END_TEST

/* L2: all or nothing. */
START_TEST(a_hole_pins_nothing)
{
	const struct pinned_run *runs;
	struct pin_set *set;
	size_t n;
	struct rig r;

	rig_setup(&r, NULL);
	make_gaps(&r);
	set = rig_begin(&r, 0);
	ck_assert_int_eq(layout_pin(set, r.ip[0], 0, 1, &runs, &n), -EINVAL);
	rig_admit_waiting(set, r.ip[0]);
	ck_assert_int_eq(layout_pin(set, r.ip[0], 0, RIG_BLOCKS, &runs, &n),
			 -ENXIO);
	ck_assert_int_eq(layout_pin(set, r.ip[0], 0, 0, &runs, &n), -EINVAL);
	ck_assert_uint_eq(scratch_fs_pins(&r.sf, r.node[0]), 0);
	ck_assert_uint_eq(rig_stats(&r).pins, rig_stats(&r).unpins);
	/* An unwritten block can be filled. */
	rig_pin(set, r.ip[0], 8, 4);
	ck_assert_uint_eq(pins_of(&r, block_of(r.ip[0], 10)), 1);
	pin_set_free(set);
	rig_teardown(&r);
}
END_TEST

/* --- L1 ------------------------------------------------------------------ */

static int remove_block(struct inode *ip, uint64_t lblk)
{
	struct inode_change ch = {
		.op = PINFS_INTENT_REMOVE,
		.first = lblk,
		.count = 1,
	};
	int err;

	pthread_rwlock_wrlock(&ip->lock);
	err = inode_change(ip, &ch);
	pthread_rwlock_unlock(&ip->lock);
	return err;
}

/* Past the protocol, as no request can: the last line holds. */
START_TEST(a_pinned_block_is_not_freed)
{
	struct pin_set *set;
	uint64_t blk;
	struct rig r;

	rig_setup(&r, NULL);
	blk = block_of(r.ip[0], 6);
	set = rig_begin(&r, 0);
	rig_pin(set, r.ip[0], 5, 2);
	/* Its neighbours may go. */
	ck_assert_int_eq(remove_block(r.ip[0], 4), 0);
	ck_assert_int_eq(remove_block(r.ip[0], 7), 0);
	ck_assert_int_eq(remove_block(r.ip[0], 6), -EUCLEAN);
	ck_assert_uint_eq(block_of(r.ip[0], 6), blk);
	pin_set_unpin(set);
	ck_assert_int_eq(remove_block(r.ip[0], 6), 0);
	pin_set_free(set);
	rig_teardown(&r);
}
END_TEST

/* alias - what damage does: file 1 has file 0's blocks, and its own are lost */
static void alias(struct rig *r)
{
	struct extent e;
	struct tx *tx;

	pthread_rwlock_rdlock(&r->ip[0]->lock);
	ck_assert_int_eq(extent_find(r->ip[0], NULL, 0, &e), 0);
	pthread_rwlock_unlock(&r->ip[0]->lock);
	ck_assert_uint_eq(e.len, RIG_BLOCKS);
	tx = tx_begin(r->ip[1]->vol->journal);
	ck_assert_ptr_nonnull(tx);
	pthread_rwlock_wrlock(&r->ip[1]->lock);
	inode_edit(r->ip[1], tx)->u.extent[0].pblk = cpu_to_le64(e.pblk);
	ck_assert_int_eq(tx_commit(tx), 0);
	pthread_rwlock_unlock(&r->ip[1]->lock);
	ck_assert_uint_eq(block_of(r->ip[1], 3), e.pblk + 3);
}

/* A DMA goes through one file; the other is truncated, punched and deleted. */
START_TEST(a_shared_block_stays_pinned)
{
	struct pin_set *set;
	struct rig r;

	rig_setup(&r, NULL);
	alias(&r);
	set = rig_begin(&r, 0);
	rig_pin(set, r.ip[0], 3, 2);
	ck_assert_int_eq(scratch_fs_change(&r.sf, r.node[1],
					   PINFS_CHANGE_TRUNCATE, 0, 0),
			 -EUCLEAN);
	ck_assert_int_eq(scratch_fs_change(&r.sf, r.node[1],
					   PINFS_CHANGE_PUNCH_HOLE, 4 * 4096,
					   4096),
			 -EUCLEAN);
	ck_assert_int_eq(fs_unlink(r.sf.fs, SCRATCH_ROOT, "f1"), -EUCLEAN);
	ck_assert_uint_eq(pins_of(&r, block_of(r.ip[0], 3)), 1);
	/* Nobody gets them, though all that is free be asked for. */
	scratch_fs_soil(&r.sf);
	ck_assert(scratch_fs_has(&r.sf, r.node[0], 0, 3 * 4096, 2 * 4096));
	pin_set_free(set);
	rig_teardown(&r);
}
END_TEST

/* free_in_bitmap - what damage does: file 0's blocks count as free */
static void free_in_bitmap(struct rig *r, uint64_t pblk)
{
	const struct volume *vol = r->ip[0]->vol;
	struct tx *tx = tx_begin(vol->journal);

	ck_assert_ptr_nonnull(tx);
	ck_assert_int_eq(space_free(vol->space, tx, pblk, RIG_BLOCKS), 0);
	ck_assert_int_eq(tx_commit(tx), 0);
}

START_TEST(a_pinned_block_is_not_given_out)
{
	struct space_run run;
	struct pin_set *set;
	uint64_t blk;
	struct rig r;
	struct tx *tx;

	rig_setup(&r, NULL);
	blk = block_of(r.ip[0], 3);
	free_in_bitmap(&r, blk - 3);
	set = rig_begin(&r, 0);
	rig_pin(set, r.ip[0], 3, 2);
	tx = tx_begin(r.ip[0]->vol->journal);
	ck_assert_ptr_nonnull(tx);
	/* Once it is an error; from then on other blocks are found. */
	ck_assert_int_eq(space_alloc(r.ip[0]->vol->space, tx, blk, 2,
				     SPACE_EXACT, &run),
			 -EUCLEAN);
	for (unsigned int i = 0; i < 100; i++) {
		ck_assert_int_eq(space_alloc(r.ip[0]->vol->space, tx, blk, 2, 0,
					     &run),
				 0);
		ck_assert(run.first + run.count <= blk || run.first > blk + 1);
	}
	tx_abort(tx);
	pin_set_free(set);
	rig_teardown(&r);
}
END_TEST

/* --- L2 ------------------------------------------------------------------ */

struct shaker {
	struct rig *r;
	atomic_bool stop;
};

/* shaking - has it look as if the layout changed all the time */
static void *shaking(void *arg)
{
	struct shaker *s = arg;

	while (!atomic_load(&s->stop) && rig_stats(s->r).retries < 10)
		atomic_fetch_add(&s->r->ip[0]->layout_seq, 1);
	return NULL;
}

START_TEST(pin_looks_again)
{
	struct pin_set *set;
	pthread_t thread;
	struct shaker s;
	uint64_t pinned;
	struct rig r;

	rig_setup(&r, NULL);
	s = (struct shaker){ .r = &r };
	ck_assert_int_eq(pthread_create(&thread, NULL, shaking, &s), 0);
	while (rig_stats(&r).retries < 10) {
		set = rig_hold(&r, r.ip[0]);
		pinned = scratch_fs_pins(&r.sf, r.node[0]);
		ck_assert_uint_eq(pinned, RIG_BLOCKS);
		pin_set_free(set);
	}
	pthread_join(thread, NULL);
	ck_assert_uint_gt(rig_stats(&r).pins, rig_stats(&r).retries);
	rig_teardown(&r);
}
END_TEST

/* --- L10 ----------------------------------------------------------------- */

/* let_go - the rig's own handle, too; the set's stays */
static void let_go(struct rig *r, unsigned int i)
{
	inode_put(r->ip[i]);
	r->ip[i] = NULL;
}

START_TEST(unlink_does_not_wait)
{
	struct pin_set *set;
	struct fs_entry e;
	struct rig_break b;
	uint64_t used, blk;
	struct rig r;

	rig_setup(&r, NULL);
	used = scratch_fs_free(&r.sf);
	blk = block_of(r.ip[0], 0);
	set = rig_hold(&r, r.ip[0]);
	if (_i == 0) {
		ck_assert_int_eq(fs_unlink(r.sf.fs, SCRATCH_ROOT, "f0"), 0);
	} else {
		ck_assert_int_eq(fs_rename(r.sf.fs, SCRATCH_ROOT, "f1",
					   SCRATCH_ROOT, "f0", 0),
				 0);
		ck_assert_int_eq(fs_lookup(r.sf.fs, SCRATCH_ROOT, "f0", &e), 0);
		ck_assert_uint_eq(e.node, r.node[1]);
	}
	let_go(&r, 0);
	ck_assert_int_eq(fs_lookup(r.sf.fs, SCRATCH_ROOT, _i ? "f1" : "f0", &e),
			 -ENOENT);
	/* Used until then, for statfs and for who wants space. */
	ck_assert_uint_eq(scratch_fs_free(&r.sf), used);
	ck_assert_uint_eq(volume_orphans(fs_volume(r.sf.fs)), 1);
	ck_assert_uint_eq(pins_of(&r, blk), 1);
	scratch_fs_soil(&r.sf);
	pin_set_unpin(set);
	ck_assert_uint_eq(scratch_fs_free(&r.sf), used + RIG_BLOCKS);
	ck_assert_uint_eq(volume_orphans(fs_volume(r.sf.fs)), 0);
	pin_set_free(set);
	ck_assert(rig_break(&r, &b, r.ip[1]));
	rig_teardown(&r);
}
END_TEST

/* The last close of an unlinked file is no wait either. */
START_TEST(last_close_does_not_wait)
{
	struct fs_file *file;
	struct pin_set *set;
	uint64_t used;
	struct rig r;

	rig_setup(&r, NULL);
	used = scratch_fs_free(&r.sf);
	ck_assert_int_eq(fs_file_open(r.sf.fs, r.node[0], O_RDWR, &file), 0);
	let_go(&r, 0);
	ck_assert_int_eq(fs_unlink(r.sf.fs, SCRATCH_ROOT, "f0"), 0);
	set = rig_hold(&r, fs_file_inode(file));
	fs_file_release(r.sf.fs, file);
	ck_assert_uint_eq(scratch_fs_free(&r.sf), used);
	pin_set_free(set);
	ck_assert_uint_eq(scratch_fs_free(&r.sf), used + RIG_BLOCKS);
	rig_teardown(&r);
}
END_TEST

/* A break that waits for a file that loses its name meanwhile. */
START_TEST(break_of_unlinked)
{
	struct rig_break b;
	struct pin_set *set;
	uint64_t used;
	struct rig r;

	rig_setup(&r, NULL);
	used = scratch_fs_free(&r.sf);
	set = rig_hold(&r, r.ip[0]);
	ck_assert(!rig_break(&r, &b, r.ip[0]));
	ck_assert_int_eq(fs_unlink(r.sf.fs, SCRATCH_ROOT, "f0"), 0);
	ck_assert_uint_eq(scratch_fs_free(&r.sf), used);
	pin_set_free(set);
	rig_break_ran(&b);
	let_go(&r, 0);
	fs_drain(r.sf.fs);
	ck_assert_uint_eq(scratch_fs_free(&r.sf), used + RIG_BLOCKS);
	rig_teardown(&r);
}
END_TEST

/* gone_pin - a set that comes to a file that has gone */
START_TEST(pin_of_a_dead_file)
{
	const struct pinned_run *runs;
	struct pin_set *set;
	struct rig_wait w;
	size_t n;
	struct rig r;

	rig_setup(&r, NULL);
	ck_assert_int_eq(fs_unlink(r.sf.fs, SCRATCH_ROOT, "f0"), 0);
	set = rig_begin(&r, 0);
	ck_assert_int_eq(rig_admit(set, r.ip[0], &w), 0);
	ck_assert_int_eq(layout_pin(set, r.ip[0], 0, 1, &runs, &n), -ESTALE);
	pin_set_free(set);
	rig_teardown(&r);
}
END_TEST

/* die_pinned - a daemon that is killed with the file unlinked and pinned */
static void die_pinned(uint64_t *free_blocks)
{
	struct rig r;

	rig_setup(&r, NULL);
	rig_hold(&r, r.ip[0]);
	ck_assert_int_eq(fs_unlink(r.sf.fs, SCRATCH_ROOT, "f0"), 0);
	*free_blocks = scratch_fs_free(&r.sf);
	_exit(0);
}

START_TEST(next_mount_frees)
{
	uint64_t *free_blocks = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct scratch_fs sf = { .opt = { .workers = 1 } };
	struct fs_entry e;
	int status;
	pid_t pid;

	ck_assert_ptr_ne(free_blocks, MAP_FAILED);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		die_pinned(free_blocks);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	scratch_fs_open(&sf);
	ck_assert_uint_eq(scratch_fs_free(&sf), *free_blocks + RIG_BLOCKS);
	ck_assert_uint_eq(volume_orphans(fs_volume(sf.fs)), 0);
	ck_assert_int_eq(fs_lookup(sf.fs, SCRATCH_ROOT, "f0", &e), -ENOENT);
	ck_assert_int_eq(fs_lookup(sf.fs, SCRATCH_ROOT, "f1", &e), 0);
	ck_assert(scratch_fs_has(&sf, e.node, 1, 0, RIG_BLOCKS * 4096));
	scratch_fs_close(&sf);
	munmap(free_blocks, 4096);
}
END_TEST

/* --- L13, L15 ------------------------------------------------------------ */

START_TEST(long_term_is_refused)
{
	struct pin_options opt = { .flags = PIN_LONGTERM };
	struct pin_set *set;
	struct rig r;

	rig_setup(&r, NULL);
	ck_assert_int_eq(pin_set_begin(r.ls, &opt, &set), -EOPNOTSUPP);
	ck_assert_uint_eq(rig_stats(&r).refused, 1);
	ck_assert_uint_eq(rig_stats(&r).pin_sets, 0);
	rig_teardown(&r);
}
END_TEST

struct drainer {
	struct rig *r;
	struct gate over;
	unsigned int tick;
};

static void *draining(void *arg)
{
	struct drainer *d = arg;

	layouts_drain(d->r->ls);
	d->tick = rig_tick();
	gate_pass(&d->over);
	return NULL;
}

/* is_draining - no new pin sets? */
static bool is_draining(struct rig *r)
{
	struct pin_options opt = { 0 };
	struct pin_set *set;
	int err = pin_set_begin(r->ls, &opt, &set);

	if (!err)
		pin_set_free(set);
	else
		ck_assert_int_eq(err, -ESHUTDOWN);
	return err;
}

START_TEST(drain_refuses_and_waits)
{
	struct pin_set *runs, *comes;
	struct rig_break b, later;
	struct drainer d;
	pthread_t thread;
	struct rig r;
	unsigned int tick;

	rig_setup(&r, NULL);
	runs = rig_hold(&r, r.ip[0]);
	comes = rig_begin(&r, 0);
	ck_assert(!rig_break(&r, &b, r.ip[0]));
	d = (struct drainer){ .r = &r };
	gate_init(&d.over);
	ck_assert_int_eq(pthread_create(&thread, NULL, draining, &d), 0);
	while (!is_draining(&r))
		;
	/* Who lives goes on, to other files too, and so do changes. */
	rig_pin(comes, r.ip[1], 0, 1);
	rig_pin(runs, r.ip[1], 0, 1);
	ck_assert(!rig_break(&r, &later, r.ip[1]));
	ck_assert_uint_eq(gate_count(&d.over), 0);
	pin_set_free(runs);
	rig_break_ran(&b);
	pin_set_unpin(comes);
	rig_break_ran(&later);
	rig_settle(&r);
	/* Its owner is not done with it. */
	ck_assert_uint_eq(gate_count(&d.over), 0);
	tick = rig_tick();
	pin_set_free(comes);
	pthread_join(thread, NULL);
	ck_assert_uint_gt(d.tick, tick);
	rig_teardown(&r);
}
END_TEST

/* A break alone is waited for as well. */
START_TEST(drain_waits_for_breaks)
{
	struct pin_set *set;
	struct drainer d;
	struct rig_break b;
	pthread_t thread;
	struct rig r;

	rig_setup(&r, NULL);
	set = rig_hold(&r, r.ip[0]);
	rig_break_init(&r, &b, r.ip[0]);
	b.hold = true;
	layout_break(&b.brk);
	pin_set_free(set);
	gate_await(&b.running, 1);
	d = (struct drainer){ .r = &r };
	gate_init(&d.over);
	ck_assert_int_eq(pthread_create(&thread, NULL, draining, &d), 0);
	while (!is_draining(&r))
		;
	ck_assert_uint_eq(gate_count(&d.over), 0);
	gate_pass(&b.go);
	pthread_join(thread, NULL);
	ck_assert_uint_gt(d.tick, b.tick);
	rig_teardown(&r);
}
END_TEST

/* --- admission and its end ----------------------------------------------- */

START_TEST(admission_can_be_given_up)
{
	struct pin_set *holds, *gives_up, *stays;
	struct rig_wait w, v;
	struct rig_break b;
	struct rig r;

	rig_setup(&r, NULL);
	holds = rig_hold(&r, r.ip[0]);
	ck_assert(!rig_break(&r, &b, r.ip[0]));
	gives_up = rig_begin(&r, 0);
	stays = rig_begin(&r, 0);
	ck_assert_int_eq(rig_admit(gives_up, r.ip[0], &w), -EINPROGRESS);
	ck_assert_int_eq(rig_admit(stays, r.ip[0], &v), -EINPROGRESS);
	ck_assert(layout_admit_cancel(&w.a));
	pin_set_free(gives_up);
	pin_set_free(holds);
	gate_await(&v.granted, 1);
	rig_break_ran(&b);
	/* Too late. */
	ck_assert(!layout_admit_cancel(&v.a));
	ck_assert_uint_eq(gate_count(&w.granted), 0);
	ck_assert(rig_break(&r, &b, r.ip[1]));
	rig_pin(stays, r.ip[0], 0, 1);
	pin_set_free(stays);
	rig_teardown(&r);
}
END_TEST

/* Oldest first, whatever the order in which they came to the file. */
START_TEST(older_sets_are_let_in_first)
{
	struct pin_set *holds, *set[8];
	struct rig_wait w[8];
	struct rig_break b[9];
	struct rig r;

	rig_setup(&r, NULL);
	holds = rig_hold(&r, r.ip[0]);
	for (int i = 0; i < 8; i++) {
		ck_assert(!rig_break(&r, &b[i], r.ip[0]));
		set[i] = rig_begin(&r, 0);
	}
	ck_assert(!rig_break(&r, &b[8], r.ip[0]));
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(rig_admit(set[i * 3 % 8], r.ip[0],
					   &w[i * 3 % 8]),
				 -EINPROGRESS);
	pin_set_free(holds);
	for (int i = 0; i < 8; i++) {
		rig_break_ran(&b[i]);
		gate_await(&w[i].granted, 1);
		rig_settle(&r);
		ck_assert_uint_eq(gate_count(&b[i + 1].running), 0);
		pin_set_free(set[i]);
	}
	rig_break_ran(&b[8]);
	rig_teardown(&r);
}
END_TEST

static void note_cancel(void *arg)
{
	gate_pass(arg);
}

START_TEST(cancel_asks_the_owner)
{
	struct gate asked;
	struct pin_options opt = {
		.owner = { .uid = 7 },
		.cancel = note_cancel,
		.cancel_arg = &asked,
	};
	struct pin_set *set, *mute;
	uint64_t id;
	struct rig r;

	rig_setup(&r, NULL);
	gate_init(&asked);
	ck_assert_int_eq(pin_set_begin(r.ls, &opt, &set), 0);
	mute = rig_begin(&r, 0);
	ck_assert_int_eq(pin_set_announce(set, r.ip[0]), 0);
	ck_assert_int_eq(pin_set_announce(mute, r.ip[1]), 0);
	id = pin_set_id(set);
	ck_assert_int_eq(pin_set_cancel(r.ls, id, 8, false), -EPERM);
	ck_assert_uint_eq(gate_count(&asked), 0);
	ck_assert_int_eq(pin_set_cancel(r.ls, id, 7, false), 0);
	ck_assert_int_eq(pin_set_cancel(r.ls, id, 8, true), 0);
	ck_assert_uint_eq(gate_count(&asked), 2);
	ck_assert_int_eq(pin_set_cancel(r.ls, pin_set_id(mute), 7, false), 0);
	pin_set_no_cancel(set);
	ck_assert_int_eq(pin_set_cancel(r.ls, id, 7, false), 0);
	ck_assert_uint_eq(gate_count(&asked), 2);
	pin_set_free(set);
	pin_set_free(mute);
	ck_assert_int_eq(pin_set_cancel(r.ls, id, 7, true), -ESRCH);
	rig_teardown(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("layout-pins");

	rig_add(s, "pins are counted", pins_are_counted, 1);
	rig_add(s, "runs are the file's", runs_are_the_files, 1);
	rig_add(s, "a hole pins nothing", a_hole_pins_nothing, 1);
	rig_add(s, "freeing pinned", a_pinned_block_is_not_freed, 1);
	rig_add(s, "sharing pinned", a_shared_block_stays_pinned, 1);
	rig_add(s, "allocating pinned", a_pinned_block_is_not_given_out, 1);
	rig_add(s, "pin looks again", pin_looks_again, 1);
	rig_add(s, "unlink does not wait", unlink_does_not_wait, 2);
	rig_add(s, "last close does not wait", last_close_does_not_wait, 1);
	rig_add(s, "break of unlinked", break_of_unlinked, 1);
	rig_add(s, "pin of a dead file", pin_of_a_dead_file, 1);
	rig_add(s, "next mount frees", next_mount_frees, 1);
	rig_add(s, "long-term is refused", long_term_is_refused, 1);
	rig_add(s, "drain", drain_refuses_and_waits, 1);
	rig_add(s, "drain and breaks", drain_waits_for_breaks, 1);
	rig_add(s, "giving up admission", admission_can_be_given_up, 1);
	rig_add(s, "oldest first", older_sets_are_let_in_first, 1);
	rig_add(s, "cancel", cancel_asks_the_owner, 1);
	return rig_main(s);
}
