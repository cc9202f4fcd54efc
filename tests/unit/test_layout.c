// SPDX-License-Identifier: BSD-3-Clause
/* The layout protocol's order: who waits for whom, and who does not. */
#include "layout_rig.h"

#include <dirent.h>
#include <stdio.h>

#include "base/util.h"

/* --- L3: a break waits for an idle file ---------------------------------- */

START_TEST(idle_runs_at_once)
{
	struct rig_break b;
	struct rig r;

	rig_setup(&r, NULL);
	ck_assert(rig_break(&r, &b, r.ip[0]));
	rig_break_ran(&b);
	ck_assert(pthread_equal(b.thread, pthread_self()));
	ck_assert_uint_eq(rig_stats(&r).breaks, 1);
	ck_assert_uint_eq(rig_stats(&r).breaks_waited, 0);
	rig_teardown(&r);
}
END_TEST

START_TEST(busy_waits_for_the_last)
{
	struct pin_set *set[3];
	struct rig_break b;
	unsigned int tick;
	struct rig r;

	rig_setup(&r, NULL);
	/* One that has pinned, one that only holds the layout, one of both. */
	set[0] = rig_hold(&r, r.ip[0]);
	set[1] = rig_begin(&r, 0);
	rig_admit_waiting(set[1], r.ip[0]);
	set[2] = rig_hold(&r, r.ip[0]);
	ck_assert(!rig_break(&r, &b, r.ip[0]));
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(rig_stats(&r).breaks_waiting, 1);
		rig_settle(&r);
		ck_assert_uint_eq(gate_count(&b.running), 0);
		tick = rig_tick();
		pin_set_unpin(set[i]);
	}
	rig_break_ran(&b);
	ck_assert_uint_gt(b.tick, tick);
	for (int i = 0; i < 3; i++)
		pin_set_free(set[i]);
	rig_teardown(&r);
}
END_TEST

/* L3, L6: pins of one file are nothing to another's breaks. */
START_TEST(other_files_do_not_wait)
{
	struct rig_break waits, other;
	struct pin_set *set;
	struct rig r;

	rig_setup(&r, NULL);
	set = rig_hold(&r, r.ip[0]);
	ck_assert(!rig_break(&r, &waits, r.ip[0]));
	ck_assert(rig_break(&r, &other, r.ip[1]));
	rig_break_ran(&other);
	pin_set_free(set);
	rig_break_ran(&waits);
	rig_teardown(&r);
}
END_TEST

/* L6: what waits holds no lock that reading, looking up or pinning needs. */
START_TEST(waiting_locks_nothing)
{
	struct pin_set *set;
	struct fs_entry e;
	struct rig_break b;
	struct rig r;

	rig_setup(&r, NULL);
	set = rig_hold(&r, r.ip[0]);
	ck_assert(!rig_break(&r, &b, r.ip[0]));
	ck_assert_int_eq(pthread_rwlock_trywrlock(&r.ip[0]->lock), 0);
	pthread_rwlock_unlock(&r.ip[0]->lock);
	ck_assert(scratch_fs_has(&r.sf, r.node[0], 0, 0,
				 RIG_BLOCKS * PINFS_BLOCK_SIZE));
	scratch_fs_write(&r.sf, r.node[0], 5, 100, 9000);
	ck_assert_int_eq(fs_lookup(r.sf.fs, SCRATCH_ROOT, "f0", &e), 0);
	rig_pin(set, r.ip[0], 1, 2);
	ck_assert_uint_eq(gate_count(&b.running), 0);
	pin_set_free(set);
	rig_break_ran(&b);
	rig_teardown(&r);
}
END_TEST

/* --- L4: progress for breaks --------------------------------------------- */

START_TEST(breaks_run_in_order)
{
	struct rig_break b[50];
	struct rig_wait w;
	struct pin_set *set, *late;
	struct rig r;

	rig_setup(&r, NULL);
	set = rig_hold(&r, r.ip[0]);
	for (size_t i = 0; i < ARRAY_SIZE(b); i++)
		ck_assert(!rig_break(&r, &b[i], r.ip[0]));
	late = rig_begin(&r, 0);
	ck_assert_int_eq(rig_admit(late, r.ip[0], &w), -EINPROGRESS);
	pin_set_free(set);
	gate_await(&w.granted, 1);
	for (size_t i = 0; i < ARRAY_SIZE(b); i++) {
		rig_break_ran(&b[i]);
		if (i > 0)
			ck_assert_uint_gt(b[i].tick, b[i - 1].tick);
	}
	ck_assert_uint_gt(w.tick, b[ARRAY_SIZE(b) - 1].tick);
	ck_assert_uint_eq(rig_stats(&r).pin_waits, 1);
	pin_set_free(late);
	rig_teardown(&r);
}
END_TEST

struct stream {
	struct rig *r;
	struct gate *gate; /* sets that have been admitted */
	atomic_bool stop;
	_Atomic(struct rig_break *) waiting; /* a break that has to wait */
	atomic_uint overtook; /* sets that began later and were let in */
};

/* streaming - one set after the other, so that the file is never idle */
static void *streaming(void *arg)
{
	struct stream *s = arg;
	struct pin_set *set = NULL;

	while (!atomic_load(&s->stop)) {
		struct pin_set *next = rig_begin(s->r, 0);
		struct rig_break *b;
		struct rig_wait w;
		int err = rig_admit(next, s->r->ip[0], &w);

		/* Who has to wait lets go of what it had, as DMA ends. */
		if (err == -EINPROGRESS) {
			pin_set_free(set);
			gate_await(&w.granted, 1);
			set = NULL;
		}
		b = atomic_load(&s->waiting);
		if (b && pin_set_id(next) > b->brk.number &&
		    !gate_count(&b->running))
			atomic_fetch_add(&s->overtook, 1);
		rig_pin(next, s->r->ip[0], 0, 4);
		gate_pass(s->gate);
		pin_set_free(set);
		set = next;
	}
	pin_set_free(set);
	return NULL;
}

/* A stream whose sets overlap, so that without L4 the file were never idle. */
START_TEST(stream_does_not_starve)
{
	static struct rig_break b[200];
	pthread_t thread[4];
	struct stream s;
	struct gate gate;
	struct rig r;

	rig_setup(&r, NULL);
	memset(&s, 0, sizeof(s));
	gate_init(&gate);
	s.r = &r;
	s.gate = &gate;
	for (size_t i = 0; i < ARRAY_SIZE(thread); i++)
		ck_assert_int_eq(
			pthread_create(&thread[i], NULL, streaming, &s), 0);
	for (size_t i = 0; i < ARRAY_SIZE(b); i++) {
		gate_await(&gate, gate_count(&gate) + 4);
		if (rig_break(&r, &b[i], r.ip[0]))
			continue;
		atomic_store(&s.waiting, &b[i]);
		rig_break_ran(&b[i]);
	}
	ck_assert_uint_eq(atomic_load(&s.overtook), 0);
	atomic_store(&s.stop, true);
	for (size_t i = 0; i < ARRAY_SIZE(thread); i++)
		pthread_join(thread[i], NULL);
	ck_assert_uint_gt(rig_stats(&r).breaks_waited, 0);
	rig_teardown(&r);
}
END_TEST

/* --- L5: progress for pins ----------------------------------------------- */

START_TEST(set_extends_while_break_waits)
{
	struct pin_set *set;
	struct rig_break b;
	struct rig r;

	rig_setup(&r, NULL);
	set = rig_begin(&r, 0);
	rig_pin(set, r.ip[0], 0, 1);
	ck_assert(!rig_break(&r, &b, r.ip[0]));
	rig_pin(set, r.ip[0], 7, 2);
	ck_assert_uint_eq(scratch_fs_pins(&r.sf, r.node[0]), 3);
	ck_assert_uint_eq(gate_count(&b.running), 0);
	pin_set_free(set);
	rig_break_ran(&b);
	rig_teardown(&r);
}
END_TEST

/* Two sets and two breaks that wait across: a circle without begin numbers. */
START_TEST(two_files_crossing)
{
	struct pin_set *one, *two;
	struct rig_break a, b;
	struct rig r;

	rig_setup(&r, NULL);
	one = rig_hold(&r, r.ip[0]);
	two = rig_hold(&r, r.ip[1]);
	ck_assert(!rig_break(&r, &a, r.ip[0]));
	ck_assert(!rig_break(&r, &b, r.ip[1]));
	rig_pin(one, r.ip[1], 0, RIG_BLOCKS);
	rig_pin(two, r.ip[0], 0, RIG_BLOCKS);
	pin_set_free(one);
	rig_settle(&r);
	ck_assert_uint_eq(gate_count(&a.over) + gate_count(&b.over), 0);
	pin_set_free(two);
	rig_break_ran(&a);
	rig_break_ran(&b);
	rig_teardown(&r);
}
END_TEST

/* A set that began before the break, and comes to the file only now. */
START_TEST(older_set_is_let_in)
{
	struct pin_set *holds, *older, *younger;
	struct rig_wait w;
	struct rig_break b;
	struct rig r;

	rig_setup(&r, NULL);
	holds = rig_hold(&r, r.ip[0]);
	older = rig_begin(&r, PIN_NOWAIT);
	ck_assert(!rig_break(&r, &b, r.ip[0]));
	younger = rig_begin(&r, PIN_NOWAIT);
	rig_pin(older, r.ip[0], 0, 1);
	ck_assert_int_eq(rig_admit(younger, r.ip[0], &w), -EAGAIN);
	ck_assert_uint_eq(rig_stats(&r).refused, 1);
	pin_set_free(holds);
	rig_settle(&r);
	ck_assert_uint_eq(gate_count(&b.running), 0);
	pin_set_free(older);
	rig_break_ran(&b);
	pin_set_free(younger);
	rig_teardown(&r);
}
END_TEST

START_TEST(set_between_two_breaks)
{
	struct pin_set *holds, *between;
	struct rig_break first, second;
	struct rig_wait w;
	struct rig r;

	rig_setup(&r, NULL);
	holds = rig_hold(&r, r.ip[0]);
	ck_assert(!rig_break(&r, &first, r.ip[0]));
	between = rig_begin(&r, 0);
	ck_assert(!rig_break(&r, &second, r.ip[0]));
	ck_assert_int_eq(rig_admit(between, r.ip[0], &w), -EINPROGRESS);
	pin_set_free(holds);
	gate_await(&w.granted, 1);
	rig_break_ran(&first);
	ck_assert_uint_gt(w.tick, first.tick);
	rig_settle(&r);
	ck_assert_uint_eq(gate_count(&second.running), 0);
	rig_pin(between, r.ip[0], 0, RIG_BLOCKS);
	pin_set_free(between);
	rig_break_ran(&second);
	rig_teardown(&r);
}
END_TEST

/* A running break waits for nobody, so that all may wait for it. */
START_TEST(running_break_keeps_all_out)
{
	struct pin_set *older, *holds;
	struct rig_break b, next;
	struct rig_wait w;
	struct rig r;

	rig_setup(&r, NULL);
	older = rig_begin(&r, 0);
	holds = rig_hold(&r, r.ip[0]);
	rig_break_init(&r, &b, r.ip[0]);
	b.hold = true;
	layout_break(&b.brk);
	ck_assert(!rig_break(&r, &next, r.ip[0]));
	pin_set_free(holds);
	gate_await(&b.running, 1);
	ck_assert_int_eq(rig_admit(older, r.ip[0], &w), -EINPROGRESS);
	/* The same set again: not let in twice, and not in either. */
	ck_assert_int_ne(rig_admit(older, r.ip[0], &(struct rig_wait){ 0 }), 0);
	ck_assert_uint_eq(gate_count(&next.running), 0);
	gate_pass(&b.go);
	gate_await(&w.granted, 1);
	rig_settle(&r);
	ck_assert_uint_eq(gate_count(&next.running), 0);
	rig_pin(older, r.ip[0], 0, 1);
	pin_set_free(older);
	rig_break_ran(&b);
	rig_break_ran(&next);
	rig_teardown(&r);
}
END_TEST

/* --- many at a time ------------------------------------------------------ */

#define ROUNDS 400u

struct crowd {
	struct rig *r;
	struct gate *asked; /* passed with the first breaks asked for */
	unsigned int seed;
	unsigned int mine; /* breaks that ran with a pin there */
};

static unsigned int draw(unsigned int *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16;
}

/* pinning - sets over all files, in any order: circles, if there can be any */
static void *pinning(void *arg)
{
	struct crowd *c = arg;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct pin_set *set = rig_begin(c->r, 0);
		unsigned int at = draw(&c->seed), by = draw(&c->seed) % 2;

		for (unsigned int k = 0; k < RIG_FILES; k++) {
			struct inode *ip = c->r->ip[at % RIG_FILES];

			rig_admit_waiting(set, ip);
			rig_pin(set, ip, draw(&c->seed) % 8, 8);
			at += by ? 1 : RIG_FILES - 1;
		}
		pin_set_free(set);
	}
	return NULL;
}

static void *breaking(void *arg)
{
	struct crowd *c = arg;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct rig_break b[3];

		for (size_t k = 0; k < ARRAY_SIZE(b); k++)
			rig_break(c->r, &b[k],
				  c->r->ip[draw(&c->seed) % RIG_FILES]);
		if (i == 0)
			gate_pass(c->asked);
		for (size_t k = 0; k < ARRAY_SIZE(b); k++) {
			gate_await(&b[k].over, 1);
			c->mine += b[k].was_pinned || b[k].err;
		}
	}
	return NULL;
}

/* L5, L8: nobody waits for ever; L3: no break meets a pin. */
START_TEST(crowd)
{
	struct crowd c[6];
	pthread_t thread[ARRAY_SIZE(c)];
	struct pin_set *first;
	struct gate asked;
	struct rig r;

	rig_setup(&r, NULL);
	gate_init(&asked);
	/* Nobody is done before the others have begun. */
	first = rig_begin(&r, 0);
	for (size_t i = 0; i < RIG_FILES; i++)
		rig_admit_waiting(first, r.ip[i]);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		c[i] = (struct crowd){
			.r = &r,
			.asked = &asked,
			.seed = (unsigned int)i + 1,
		};
		ck_assert_int_eq(pthread_create(&thread[i], NULL,
						i % 2 ? pinning : breaking,
						&c[i]),
				 0);
	}
	gate_await(&asked, ARRAY_SIZE(c) / 2);
	pin_set_free(first);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		pthread_join(thread[i], NULL);
		ck_assert_uint_eq(c[i].mine, 0);
	}
	ck_assert_uint_eq(rig_stats(&r).breaks, 3 * 3 * ROUNDS);
	ck_assert_uint_ge(rig_stats(&r).breaks_waited, 3 * 3);
	rig_teardown(&r);
}
END_TEST

#define HAMMER_ROUNDS 20000u

static void *hammering(void *arg)
{
	struct rig *r = arg;

	for (unsigned int i = 0; i < HAMMER_ROUNDS; i++) {
		struct pin_set *set = rig_begin(r, 0);

		rig_admit_waiting(set, r->ip[0]);
		pin_set_free(set);
	}
	return NULL;
}

/* L8: a last pin that goes while a break comes; a lost wake-up hangs here. */
START_TEST(no_wakeup_is_lost)
{
	pthread_t thread[2];
	struct rig r;

	rig_setup(&r, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(thread); i++)
		ck_assert_int_eq(
			pthread_create(&thread[i], NULL, hammering, &r), 0);
	for (unsigned int i = 0; i < HAMMER_ROUNDS; i++) {
		struct rig_break b;

		rig_break(&r, &b, r.ip[0]);
		rig_break_ran(&b);
	}
	for (size_t i = 0; i < ARRAY_SIZE(thread); i++)
		pthread_join(thread[i], NULL);
	rig_teardown(&r);
}
END_TEST

/* --- L9: waiting is free ------------------------------------------------- */

#define MANY 10000u

static unsigned int threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned int n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* many_wait - MANY breaks of files 0 to files - 1, which are held */
static struct rig_break *many_wait(struct rig *r, unsigned int files)
{
	struct rig_break *b = calloc(MANY, sizeof(*b));
	unsigned int at_once = 0;

	ck_assert_ptr_nonnull(b);
	for (unsigned int i = 0; i < MANY; i++)
		at_once += rig_break(r, &b[i], r->ip[i % files]);
	ck_assert_uint_eq(at_once, 0);
	return b;
}

START_TEST(ten_thousand_wait)
{
	struct rig_break *b, other;
	struct pin_set *set;
	unsigned int before;
	struct rig r;

	rig_setup(&r, NULL);
	set = rig_begin(&r, 0);
	rig_pin(set, r.ip[0], 0, 1);
	rig_pin(set, r.ip[1], 0, 1);
	rig_settle(&r);
	before = threads();
	b = many_wait(&r, 2);
	ck_assert_uint_eq(threads(), before);
	ck_assert_uint_eq(rig_stats(&r).breaks_waiting, MANY);
	/* Another file: no wait, and the workers are free for its deferred. */
	ck_assert(rig_break(&r, &other, r.ip[2]));
	for (int i = 0; i < 100; i++) {
		struct pin_set *brief = rig_hold(&r, r.ip[3]);

		ck_assert(!rig_break(&r, &other, r.ip[3]));
		pin_set_free(brief);
		rig_break_ran(&other);
	}
	ck_assert_int_eq(scratch_fs_change(&r.sf, r.node[2],
					   PINFS_CHANGE_TRUNCATE, 0, 0),
			 0);
	ck_assert_uint_eq(rig_stats(&r).breaks_waiting, MANY);
	pin_set_free(set);
	for (unsigned int i = 0; i < MANY; i++) {
		rig_break_ran(&b[i]);
		if (i > 1)
			ck_assert_uint_gt(b[i].tick, b[i - 2].tick);
	}
	free(b);
	rig_teardown(&r);
}
END_TEST

/* As many sets behind as many breaks: one's cost must not grow with them. */
START_TEST(ten_thousand_sets_behind_them)
{
	struct rig_wait *w = calloc(MANY, sizeof(*w));
	struct pin_set **set = calloc(MANY, sizeof(struct pin_set *));
	struct pin_set *holds;
	struct rig_break *b;
	struct rig r;

	ck_assert(w && set);
	rig_setup(&r, NULL);
	holds = rig_hold(&r, r.ip[0]);
	b = many_wait(&r, 1);
	for (unsigned int i = 0; i < MANY; i++) {
		set[i] = rig_begin(&r, 0);
		ck_assert_int_eq(rig_admit(set[i], r.ip[0], &w[i]),
				 -EINPROGRESS);
	}
	pin_set_free(holds);
	for (unsigned int i = 0; i < MANY; i++) {
		rig_break_ran(&b[i]);
		gate_await(&w[i].granted, 1);
		ck_assert_uint_gt(w[i].tick, b[MANY - 1].tick);
	}
	for (unsigned int i = 0; i < MANY; i++)
		pin_set_free(set[i]);
	free(set);
	free(w);
	free(b);
	rig_teardown(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("layout");

	rig_add(s, "idle runs at once", idle_runs_at_once, 1);
	rig_add(s, "busy waits for the last", busy_waits_for_the_last, 1);
	rig_add(s, "other files do not wait", other_files_do_not_wait, 1);
	rig_add(s, "waiting locks nothing", waiting_locks_nothing, 1);
	rig_add(s, "breaks run in order", breaks_run_in_order, 1);
	rig_add(s, "a stream does not starve", stream_does_not_starve, 1);
	rig_add(s, "a set extends", set_extends_while_break_waits, 1);
	rig_add(s, "two files crossing", two_files_crossing, 1);
	rig_add(s, "an older set is let in", older_set_is_let_in, 1);
	rig_add(s, "between two breaks", set_between_two_breaks, 1);
	rig_add(s, "a running break", running_break_keeps_all_out, 1);
	rig_add(s, "crowd", crowd, 1);
	rig_add(s, "no wake-up is lost", no_wakeup_is_lost, 1);
	rig_add(s, "ten thousand wait", ten_thousand_wait, 1);
	rig_add(s, "sets behind them", ten_thousand_sets_behind_them, 1);
	return rig_main(s);
}
