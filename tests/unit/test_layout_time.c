// SPDX-License-Identifier: BSD-3-Clause
/* Breaks that end before they run, and what is said of others: L7, L14. */
#include "layout_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"

#define MSEC 1000000ull
#define HOUR (3600 * NSEC_PER_SEC)

/* --- L7: cancelled ------------------------------------------------------- */

START_TEST(cancelled_before_it_began)
{
	struct pin_set *set;
	struct rig_break b;
	struct rig r;

	rig_setup(&r, NULL);
	set = rig_hold(&r, r.ip[0]);
	rig_break_init(&r, &b, r.ip[0]);
	layout_break_cancel(&b.brk, -EINTR);
	layout_break_cancel(&b.brk, -EINTR);
	layout_break(&b.brk);
	gate_await(&b.over, 1);
	ck_assert_int_eq(b.err, -EINTR);
	ck_assert_uint_eq(gate_count(&b.running), 0);
	ck_assert_uint_eq(rig_stats(&r).interrupted, 1);
	pin_set_free(set);
	rig_teardown(&r);
}
END_TEST

/* What need not wait is not interrupted. */
START_TEST(cancelled_though_idle)
{
	struct rig_break b;
	struct rig r;

	rig_setup(&r, NULL);
	rig_break_init(&r, &b, r.ip[0]);
	layout_break_cancel(&b.brk, -EINTR);
	layout_break(&b.brk);
	rig_break_ran(&b);
	ck_assert_uint_eq(rig_stats(&r).interrupted, 0);
	rig_teardown(&r);
}
END_TEST

/* Whom the cancelled one kept out goes on: sets and breaks. */
START_TEST(cancelled_while_it_waits)
{
	struct pin_set *set, *late;
	struct rig_break b, next;
	struct rig_wait w;
	struct rig r;

	rig_setup(&r, NULL);
	set = rig_hold(&r, r.ip[0]);
	ck_assert(!rig_break(&r, &b, r.ip[0]));
	late = rig_begin(&r, 0);
	ck_assert_int_eq(rig_admit(late, r.ip[0], &w), -EINPROGRESS);
	ck_assert(!rig_break(&r, &next, r.ip[0]));
	layout_break_cancel(&b.brk, -EINTR);
	gate_await(&b.over, 1);
	ck_assert_int_eq(b.err, -EINTR);
	ck_assert_uint_eq(gate_count(&b.running), 0);
	gate_await(&w.granted, 1);
	ck_assert_uint_eq(rig_stats(&r).breaks_waiting, 1);
	ck_assert_uint_eq(rig_stats(&r).interrupted, 1);
	pin_set_free(set);
	rig_settle(&r);
	ck_assert_uint_eq(gate_count(&next.running), 0);
	pin_set_free(late);
	rig_break_ran(&next);
	rig_teardown(&r);
}
END_TEST

START_TEST(cancelled_while_it_runs)
{
	struct pin_set *set;
	struct rig_break b;
	struct rig r;

	rig_setup(&r, NULL);
	set = rig_hold(&r, r.ip[0]);
	rig_break_init(&r, &b, r.ip[0]);
	b.hold = true;
	layout_break(&b.brk);
	pin_set_free(set);
	gate_await(&b.running, 1);
	layout_break_cancel(&b.brk, -EINTR);
	gate_pass(&b.go);
	rig_break_ran(&b);
	ck_assert_uint_eq(rig_stats(&r).interrupted, 0);
	rig_teardown(&r);
}
END_TEST

struct canceller {
	struct rig_break *b;
	struct gate start;
	bool first;
	unsigned int pause; /* turns that the first one waits */
};

/* set_off - the other one sleeps until the first has; that is a while, too */
static void set_off(struct canceller *c, bool first)
{
	if (!first) {
		gate_await(&c->start, 1);
		return;
	}
	gate_pass(&c->start);
	for (volatile unsigned int i = 0; i < c->pause; i++)
		;
}

static void *cancelling(void *arg)
{
	struct canceller *c = arg;

	set_off(c, c->first);
	layout_break_cancel(&c->b->brk, -EINTR);
	return NULL;
}

/* The last pin goes while the cancel comes: one of the two, and once. */
START_TEST(cancelled_at_the_last_moment)
{
	unsigned int ran = 0, failed = 0;
	struct rig r;

	rig_setup(&r, NULL);
	for (int i = 0; i < 2000; i++) {
		struct pin_set *set = rig_hold(&r, r.ip[0]);
		struct rig_break b;
		struct canceller c = { .b = &b,
				       .first = i % 2,
				       .pause = (unsigned int)i * 97 % 60000 };
		pthread_t thread;

		ck_assert(!rig_break(&r, &b, r.ip[0]));
		gate_init(&c.start);
		ck_assert_int_eq(pthread_create(&thread, NULL, cancelling, &c),
				 0);
		set_off(&c, !c.first);
		pin_set_free(set);
		gate_await(&b.over, 1);
		pthread_join(thread, NULL);
		ck_assert_uint_eq(gate_count(&b.over), 1);
		ck_assert_uint_eq(gate_count(&b.running), b.err == 0);
		ran += b.err == 0;
		failed += b.err == -EINTR;
	}
	ck_assert_uint_eq(ran + failed, 2000);
	ck_assert_uint_gt(ran, 0);
	ck_assert_uint_gt(failed, 0);
	ck_assert_uint_eq(rig_stats(&r).interrupted, failed);
	rig_teardown(&r);
}
END_TEST

/* --- L7: interrupted or out of time, a file is as it was ----------------- */

struct change {
	struct fs_change ch;
	struct gate over;
	int err;
};

static void change_over(struct fs_change *ch, int err)
{
	struct change *c = container_of(ch, struct change, ch);

	c->err = err;
	gate_pass(&c->over);
}

static void change_flagged(struct rig *r, struct change *c,
			   enum pinfs_change kind, unsigned int flags)
{
	memset(c, 0, sizeof(*c));
	gate_init(&c->over);
	c->ch.kind = kind;
	c->ch.flags = flags;
	c->ch.offset = kind == PINFS_CHANGE_TRUNCATE ? 0 : PINFS_BLOCK_SIZE;
	c->ch.length = 4 * PINFS_BLOCK_SIZE;
	c->ch.who.pid = (uint32_t)getpid();
	c->ch.done = change_over;
	ck_assert_int_eq(fs_change_init(r->sf.fs, r->node[0], &c->ch), 0);
	fs_change_start(&c->ch);
}

static void change_start(struct rig *r, struct change *c,
			 enum pinfs_change kind)
{
	change_flagged(r, c, kind, 0);
}

static void check_unchanged(struct rig *r)
{
	ck_assert(scratch_fs_has(&r->sf, r->node[0], 0, 0,
				 RIG_BLOCKS * PINFS_BLOCK_SIZE));
	ck_assert_uint_eq(scratch_fs_size(&r->sf, r->node[0]),
			  RIG_BLOCKS * PINFS_BLOCK_SIZE);
	ck_assert_uint_eq(scratch_fs_blocks(&r->sf, r->node[0]), RIG_BLOCKS);
}

/* All kinds of changes, _i is one. */
START_TEST(interrupted_changes_nothing)
{
	struct pin_set *set;
	struct change c;
	uint64_t used;
	struct rig r;

	rig_setup(&r, NULL);
	set = rig_hold(&r, r.ip[0]);
	used = scratch_fs_free(&r.sf);
	change_start(&r, &c, (enum pinfs_change)_i);
	ck_assert_uint_eq(gate_count(&c.over), 0);
	fs_change_interrupt(&c.ch);
	gate_await(&c.over, 1);
	ck_assert_int_eq(c.err, -EINTR);
	pin_set_free(set);
	rig_settle(&r);
	check_unchanged(&r);
	ck_assert_uint_eq(scratch_fs_free(&r.sf), used);
	rig_teardown(&r);
}
END_TEST

START_TEST(timeout_changes_nothing)
{
	const struct fs_options opt = { .break_timeout_ns = 50 * MSEC };
	uint64_t asked = now_ns();
	struct pin_set *set, *late;
	struct rig_wait w;
	struct change c;
	struct rig r;

	rig_setup(&r, &opt);
	log_set_level(LOG_LEVEL_ERROR);
	set = rig_hold(&r, r.ip[0]);
	rig_clock_stop(&r);
	change_start(&r, &c, PINFS_CHANGE_TRUNCATE);
	late = rig_begin(&r, 0);
	ck_assert_int_eq(rig_admit(late, r.ip[0], &w), -EINPROGRESS);
	rig_clock_go(&r);
	gate_await(&c.over, 1);
	ck_assert_int_eq(c.err, -EBUSY);
	ck_assert_uint_ge(now_ns() - asked, 50 * MSEC);
	ck_assert_uint_eq(rig_stats(&r).timed_out, 1);
	ck_assert_uint_eq(rig_stats(&r).interrupted, 0);
	ck_assert_uint_ge(rig_stats(&r).wait_longest_ns, 50 * MSEC);
	/* The set it kept out is let in, though the pins are still there. */
	gate_await(&w.granted, 1);
	check_unchanged(&r);
	pin_set_free(set);
	pin_set_free(late);
	rig_settle(&r);
	check_unchanged(&r);
	rig_teardown(&r);
}
END_TEST

/* A change that must not wait fails before it has begun to, or is made. */
START_TEST(no_wait_is_over_at_once)
{
	struct pin_set *set;
	struct change c;
	struct rig r;

	rig_setup(&r, NULL);
	set = rig_hold(&r, r.ip[0]);
	change_flagged(&r, &c, (enum pinfs_change)_i, FS_CHANGE_NO_WAIT);
	ck_assert_uint_eq(gate_count(&c.over), 1);
	ck_assert_int_eq(c.err, -EBUSY);
	ck_assert_uint_eq(rig_stats(&r).timed_out, 1);
	ck_assert_uint_eq(rig_stats(&r).breaks_waited, 0);
	check_unchanged(&r);
	pin_set_free(set);
	change_flagged(&r, &c, (enum pinfs_change)_i, FS_CHANGE_NO_WAIT);
	ck_assert_uint_eq(gate_count(&c.over), 1);
	ck_assert_int_eq(c.err, 0);
	rig_teardown(&r);
}
END_TEST

/* Many that run out of time at once, over two files, as their pins go. */
START_TEST(timeouts_and_pins_race)
{
	const struct fs_options opt = { .break_timeout_ns = 2 * MSEC };
	unsigned int ran = 0, late = 0;
	struct rig r;

	rig_setup(&r, &opt);
	log_set_level(LOG_LEVEL_ERROR);
	for (int i = 0; i < 100; i++) {
		struct pin_set *set = rig_hold(&r, r.ip[0]);
		struct rig_break b[8];

		rig_pin(set, r.ip[1], 0, 1);
		for (int k = 0; k < 8; k++)
			rig_break(&r, &b[k], r.ip[k % 2]);
		/* About when they are due. */
		while (now_ns() < b[i % 8].brk.asked_ns + 2 * MSEC)
			sched_yield();
		pin_set_free(set);
		for (int k = 0; k < 8; k++) {
			gate_await(&b[k].over, 1);
			ck_assert_uint_eq(gate_count(&b[k].running),
					  b[k].err == 0);
			ran += b[k].err == 0;
			late += b[k].err == -EBUSY;
		}
	}
	ck_assert_uint_eq(ran + late, 800);
	ck_assert_uint_eq(rig_stats(&r).timed_out, late);
	rig_teardown(&r);
}
END_TEST

/* --- L14: what is said --------------------------------------------------- */

struct ear {
	FILE *f; /* what goes to stderr */
	int old;
};

static void listen_in(struct ear *ear)
{
	int fd[2];

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	ear->old = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	dup2(fd[1], STDERR_FILENO);
	close(fd[1]);
	ear->f = fdopen(fd[0], "r");
	ck_assert_ptr_nonnull(ear->f);
}

static void stop_listening(struct ear *ear)
{
	dup2(ear->old, STDERR_FILENO);
	close(ear->old);
	fclose(ear->f);
}

/* hear - the next line has all of these in it */
static void hear(struct ear *ear, const char *const *words, size_t n)
{
	char line[2048];

	ck_assert_ptr_nonnull(fgets(line, sizeof(line), ear->f));
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(strstr(line, words[i]), "no \"%s\" in: %s",
			      words[i], line);
}

static double seconds_heard(struct ear *ear)
{
	char line[2048], *at;

	ck_assert_ptr_nonnull(fgets(line, sizeof(line), ear->f));
	at = strstr(line, "has waited ");
	ck_assert_msg(at, "no time in: %s", line);
	return strtod(at + strlen("has waited "), NULL);
}

/* struct stuck - a truncate that pins keep waiting, and what is said of it */
struct stuck {
	struct rig r;
	struct pin_set *set;
	struct change c;
	struct ear ear;
};

static void stuck_begin(struct stuck *s, const struct fs_options *opt)
{
	rig_setup(&s->r, opt);
	s->set = rig_begin(&s->r, 0);
	rig_pin(s->set, s->r.ip[0], 8, 2);
	rig_pin(s->set, s->r.ip[0], 1, 1);
	listen_in(&s->ear);
	change_start(&s->r, &s->c, PINFS_CHANGE_TRUNCATE);
}

static void stuck_end(struct stuck *s, int err)
{
	pin_set_free(s->set);
	gate_await(&s->c.over, 1);
	ck_assert_int_eq(s->c.err, err);
	stop_listening(&s->ear);
	rig_teardown(&s->r);
}

START_TEST(stuck_dma_is_named)
{
	const struct fs_options opt = { .break_warn_ns = 20 * MSEC,
					.break_timeout_ns = HOUR };
	char comm[PINFS_COMM_LEN + 2], pid[32];
	const char *waited[] = { "/f0",
				 "truncate",
				 "has waited",
				 "pin set",
				 "pid 4711 (holder)",
				 "bytes 4096 to 40960",
				 "from a device",
				 pid,
				 comm };
	struct layout_owner me = layout_owner_of((uint32_t)getpid(), 0);
	struct stuck s;

	snprintf(pid, sizeof(pid), "pid %d ", getpid());
	snprintf(comm, sizeof(comm), "(%s)", me.comm);
	stuck_begin(&s, &opt);
	hear(&s.ear, waited, ARRAY_SIZE(waited));
	hear(&s.ear, waited, ARRAY_SIZE(waited));
	stuck_end(&s, 0);
}
END_TEST

START_TEST(giving_up_is_named)
{
	const struct fs_options opt = { .break_warn_ns = HOUR,
					.break_timeout_ns = 70 * MSEC };
	const char *gave_up[] = { "/f0", "truncate", "EBUSY", "pid 4711" };
	struct stuck s;

	stuck_begin(&s, &opt);
	hear(&s.ear, gave_up, ARRAY_SIZE(gave_up));
	stuck_end(&s, -EBUSY);
}
END_TEST

/* Again each time the wait has doubled. */
START_TEST(said_again_when_it_doubles)
{
	const struct fs_options opt = { .break_warn_ns = 100 * MSEC };
	struct pin_set *set;
	struct rig_break b;
	struct ear ear;
	struct rig r;

	rig_setup(&r, &opt);
	set = rig_hold(&r, r.ip[0]);
	listen_in(&ear);
	ck_assert(!rig_break(&r, &b, r.ip[0]));
	ck_assert_double_ge(seconds_heard(&ear), 0.1);
	ck_assert_double_ge(seconds_heard(&ear), 0.2);
	ck_assert_double_ge(seconds_heard(&ear), 0.4);
	stop_listening(&ear);
	pin_set_free(set);
	rig_break_ran(&b);
	ck_assert_uint_eq(rig_stats(&r).timed_out, 0);
	rig_teardown(&r);
}
END_TEST

/* No pin is in the way, but the change that was asked for before. */
START_TEST(running_change_is_named)
{
	const struct fs_options opt = { .break_warn_ns = 20 * MSEC };
	const char *words[] = { "/f0", "punch hole", "held by truncate",
				"pid 42 (waiter)" };
	struct rig_break first;
	struct pin_set *set;
	struct change c;
	struct ear ear;
	struct rig r;

	rig_setup(&r, &opt);
	log_set_level(LOG_LEVEL_ERROR);
	set = rig_hold(&r, r.ip[0]);
	rig_break_init(&r, &first, r.ip[0]);
	first.hold = true;
	layout_break(&first.brk);
	pin_set_free(set);
	gate_await(&first.running, 1);
	listen_in(&ear);
	log_set_level(LOG_LEVEL_WARN);
	change_start(&r, &c, PINFS_CHANGE_PUNCH_HOLE);
	hear(&ear, words, ARRAY_SIZE(words));
	stop_listening(&ear);
	log_set_level(LOG_LEVEL_ERROR);
	gate_pass(&first.go);
	rig_break_ran(&first);
	gate_await(&c.over, 1);
	ck_assert_int_eq(c.err, 0);
	rig_teardown(&r);
}
END_TEST

/* --- listings ------------------------------------------------------------ */

#define LISTED 100

/* list_pins - all pages; calls see() for each line */
static unsigned int list_pins(struct rig *r, uint64_t ino,
			      struct pinfs_ioc_pin *out, unsigned int room)
{
	struct pinfs_ioc_pins *io = calloc(1, sizeof(*io));
	unsigned int n = 0;

	ck_assert_ptr_nonnull(io);
	for (;;) {
		layout_list_pins(r->ls, ino, io);
		if (io->count == 0)
			break;
		ck_assert_uint_le(io->count, PINFS_PINS_PER_CALL);
		ck_assert_uint_le(n + io->count, room);
		memcpy(out + n, io->pin, io->count * sizeof(*out));
		n += io->count;
	}
	free(io);
	return n;
}

static unsigned int list_breaks(struct rig *r, uint64_t ino,
				struct pinfs_ioc_break *out, unsigned int room)
{
	struct pinfs_ioc_breaks *io = calloc(1, sizeof(*io));
	unsigned int n = 0;

	ck_assert_ptr_nonnull(io);
	for (;;) {
		layout_list_breaks(r->ls, ino, io);
		if (io->count == 0)
			break;
		ck_assert_uint_le(n + io->count, room);
		memcpy(out + n, io->brk, io->count * sizeof(*out));
		n += io->count;
	}
	free(io);
	return n;
}

static struct pinfs_ioc_pin *pin_line(struct pinfs_ioc_pin *line,
				      unsigned int n, uint64_t id)
{
	struct pinfs_ioc_pin *found = NULL;

	for (unsigned int i = 0; i < n; i++) {
		if (line[i].id != id)
			continue;
		ck_assert_msg(!found, "set %llu twice", (unsigned long long)id);
		found = &line[i];
	}
	ck_assert_msg(found, "set %llu is missing", (unsigned long long)id);
	return found;
}

START_TEST(sets_are_listed_by_pages)
{
	static struct pinfs_ioc_pin line[4 * LISTED];
	struct pin_set *set[LISTED], *bare;
	unsigned int n;
	struct rig r;

	rig_setup(&r, NULL);
	for (unsigned int i = 0; i < LISTED; i++) {
		set[i] = rig_begin(&r, 0);
		rig_pin(set[i], r.ip[i % 3], i % 5, 2);
		pin_set_progress(set[i], 1000 + i);
	}
	bare = rig_begin(&r, 0);
	ck_assert_int_eq(pin_set_announce(bare, r.ip[0]), 0);
	n = list_pins(&r, 0, line, ARRAY_SIZE(line));
	ck_assert_uint_eq(n, LISTED + 1);
	for (unsigned int i = 0; i < LISTED; i++) {
		struct pinfs_ioc_pin *p = pin_line(line, n, pin_set_id(set[i]));

		ck_assert_uint_eq(p->ino, r.ip[i % 3]->ino);
		ck_assert_uint_eq(p->offset, i % 5 * 4096);
		ck_assert_uint_eq(p->length, 2 * 4096);
		ck_assert_uint_eq(p->blocks, 2);
		ck_assert_uint_eq(p->done, 1000 + i);
		ck_assert_uint_eq(p->pid, 4711);
		ck_assert_uint_eq(p->uid, 7);
		ck_assert_str_eq(p->comm, "holder");
		ck_assert_uint_eq(p->direction, PINFS_FROM_DEVICE);
		ck_assert(!p->waiting && !p->cancelled);
	}
	ck_assert_str_eq(pin_line(line, n, pin_set_id(set[1]))->name, "/f1");
	ck_assert_uint_eq(pin_line(line, n, pin_set_id(bare))->blocks, 0);
	ck_assert_uint_eq(list_pins(&r, r.ip[2]->ino, line, ARRAY_SIZE(line)),
			  LISTED / 3);
	ck_assert_uint_eq(list_pins(&r, r.ip[3]->ino, line, ARRAY_SIZE(line)),
			  0);
	for (unsigned int i = 0; i < LISTED; i++)
		pin_set_free(set[i]);
	pin_set_free(bare);
	ck_assert_uint_eq(list_pins(&r, 0, line, ARRAY_SIZE(line)), 0);
	rig_teardown(&r);
}
END_TEST

/* Ranges that continue each other are one line; what is apart has its own. */
START_TEST(ranges_are_listed)
{
	static struct pinfs_ioc_pin line[64];
	struct pin_set *set, *waits;
	struct rig_wait w;
	struct rig_break b;
	unsigned int n;
	struct rig r;

	rig_setup(&r, NULL);
	set = rig_begin(&r, 0);
	rig_pin(set, r.ip[0], 0, 1);
	rig_pin(set, r.ip[0], 1, 2);
	rig_pin(set, r.ip[0], 3, 1);
	rig_pin(set, r.ip[0], 8, 4);
	rig_pin(set, r.ip[1], 5, 1);
	ck_assert(!rig_break(&r, &b, r.ip[0]));
	waits = rig_begin(&r, 0);
	ck_assert_int_eq(rig_admit(waits, r.ip[0], &w), -EINPROGRESS);
	n = list_pins(&r, r.ip[0]->ino, line, ARRAY_SIZE(line));
	ck_assert_uint_eq(n, 3);
	ck_assert(pin_line(line, n, pin_set_id(waits))->waiting);
	for (unsigned int i = 0; i < n; i++) {
		if (line[i].id != pin_set_id(set))
			continue;
		ck_assert(!line[i].waiting);
		ck_assert_uint_eq(line[i].length, 4 * 4096);
		ck_assert_uint_eq(line[i].blocks, 4);
		ck_assert(line[i].offset == 0 || line[i].offset == 8 * 4096);
	}
	ck_assert_uint_ne(line[0].offset, line[1].offset);
	ck_assert_uint_eq(list_pins(&r, 0, line, ARRAY_SIZE(line)), 4);
	pin_set_free(set);
	gate_await(&w.granted, 1);
	pin_set_free(waits);
	rig_break_ran(&b);
	rig_teardown(&r);
}
END_TEST

/* A set of more ranges than a page has lines does not stop the listing. */
START_TEST(a_set_of_many_ranges)
{
	static struct pinfs_ioc_pin line[2 * PINFS_PINS_PER_CALL + 8];
	struct pin_set *before, *set, *after;
	unsigned int n, of_set = 0;
	struct rig r;

	rig_setup(&r, NULL);
	before = rig_hold(&r, r.ip[1]);
	set = rig_begin(&r, 0);
	for (int i = 0; i < 2 * PINFS_PINS_PER_CALL; i++)
		rig_pin(set, r.ip[0], (uint64_t)i * 2 % RIG_BLOCKS, 1);
	after = rig_hold(&r, r.ip[1]);
	n = list_pins(&r, 0, line, ARRAY_SIZE(line));
	pin_line(line, n, pin_set_id(before));
	pin_line(line, n, pin_set_id(after));
	for (unsigned int i = 0; i < n; i++)
		of_set += line[i].id == pin_set_id(set);
	ck_assert_uint_eq(of_set, PINFS_PINS_PER_CALL);
	pin_set_free(before);
	pin_set_free(set);
	pin_set_free(after);
	rig_teardown(&r);
}
END_TEST

START_TEST(breaks_are_listed_by_pages)
{
	static struct pinfs_ioc_break line[2 * LISTED];
	struct rig_break b[LISTED];
	struct pin_set *set, *second;
	unsigned int n, heads = 0;
	struct rig r;

	rig_setup(&r, NULL);
	set = rig_hold(&r, r.ip[0]);
	second = rig_begin(&r, 0);
	rig_pin(second, r.ip[0], 0, 1);
	rig_pin(second, r.ip[1], 0, 1);
	for (unsigned int i = 0; i < LISTED; i++) {
		rig_break_init(&r, &b[i], r.ip[i % 2]);
		b[i].brk.offset = i;
		layout_break(&b[i].brk);
	}
	n = list_breaks(&r, 0, line, ARRAY_SIZE(line));
	ck_assert_uint_eq(n, LISTED);
	for (unsigned int i = 0; i < n; i++) {
		struct pinfs_ioc_break *l = &line[i];

		ck_assert_uint_lt(l->offset, LISTED);
		ck_assert_uint_eq(l->id, b[l->offset].brk.number);
		ck_assert_uint_eq(l->ino, r.ip[l->offset % 2]->ino);
		ck_assert_str_eq(l->name, l->offset % 2 ? "/f1" : "/f0");
		ck_assert_str_eq(l->comm, "waiter");
		ck_assert_uint_eq(l->ahead, l->offset / 2);
		ck_assert_uint_eq(l->waits_for_pins, l->offset % 2 ? 1 : 2);
		ck_assert_uint_eq(l->waits_for,
				  pin_set_id(l->offset % 2 ? second : set));
		ck_assert_uint_eq(l->state, PINFS_BREAK_WAITING);
		ck_assert_uint_eq(l->change, PINFS_CHANGE_TRUNCATE);
		for (unsigned int k = 0; k < i; k++)
			ck_assert_uint_ne(line[k].id, l->id);
		heads += l->ahead == 0;
	}
	ck_assert_uint_eq(heads, 2);
	ck_assert_uint_eq(list_breaks(&r, r.ip[1]->ino, line, LISTED),
			  LISTED / 2);
	ck_assert_uint_eq(list_breaks(&r, r.ip[2]->ino, line, LISTED), 0);
	pin_set_free(set);
	pin_set_free(second);
	for (unsigned int i = 0; i < LISTED; i++)
		rig_break_ran(&b[i]);
	ck_assert_uint_eq(list_breaks(&r, 0, line, LISTED), 0);
	rig_teardown(&r);
}
END_TEST

struct lister {
	struct rig *r;
	atomic_bool stop;
	unsigned int pages;
};

static void *listing(void *arg)
{
	struct lister *l = arg;
	struct pinfs_ioc_breaks *b = calloc(1, sizeof(*b));
	struct pinfs_ioc_pins *p = calloc(1, sizeof(*p));

	while (!atomic_load(&l->stop)) {
		p->cursor = 0;
		b->cursor = 0;
		layout_list_pins(l->r->ls, 0, p);
		layout_list_breaks(l->r->ls, 0, b);
		l->pages++;
	}
	free(p);
	free(b);
	return NULL;
}

/* Nothing is stopped for a listing, and nothing that has gone is looked at. */
START_TEST(listed_while_they_come_and_go)
{
	struct lister l;
	pthread_t thread;
	struct rig r;

	rig_setup(&r, NULL);
	l = (struct lister){ .r = &r };
	ck_assert_int_eq(pthread_create(&thread, NULL, listing, &l), 0);
	for (int i = 0; i < 3000; i++) {
		struct pin_set *set = rig_hold(&r, r.ip[0]);
		struct rig_break b;

		rig_break(&r, &b, r.ip[0]);
		rig_pin(set, r.ip[1], 1, 1);
		pin_set_free(set);
		rig_break_ran(&b);
	}
	atomic_store(&l.stop, true);
	pthread_join(thread, NULL);
	ck_assert_uint_gt(l.pages, 0);
	rig_teardown(&r);
}
END_TEST

/* --- figures ------------------------------------------------------------- */

START_TEST(waits_are_counted)
{
	struct pinfs_ioc_stats st;
	struct rig_break b[3];
	struct pin_set *set;
	struct rig r;

	rig_setup(&r, NULL);
	ck_assert(rig_break(&r, &b[0], r.ip[0]));
	set = rig_hold(&r, r.ip[0]);
	ck_assert(!rig_break(&r, &b[1], r.ip[0]));
	ck_assert(!rig_break(&r, &b[2], r.ip[0]));
	st = rig_stats(&r);
	ck_assert_uint_eq(st.pin_sets, 1);
	ck_assert_uint_eq(st.pin_sets_live, 1);
	ck_assert_uint_eq(st.breaks, 3);
	ck_assert_uint_eq(st.breaks_waited, 2);
	ck_assert_uint_eq(st.breaks_waiting, 2);
	ck_assert_uint_eq(st.wait_total_ns, 0);
	pin_set_free(set);
	rig_break_ran(&b[1]);
	rig_break_ran(&b[2]);
	st = rig_stats(&r);
	ck_assert_uint_eq(st.breaks_waiting, 0);
	ck_assert_uint_gt(st.wait_longest_ns, 0);
	ck_assert_uint_ge(st.wait_total_ns, st.wait_longest_ns);
	ck_assert_uint_le(st.wait_total_ns, 2 * st.wait_longest_ns);
	ck_assert_uint_eq(st.retries + st.refused + st.interrupted, 0);
	rig_teardown(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("layout-time");

	rig_add(s, "cancelled before", cancelled_before_it_began, 1);
	rig_add(s, "cancelled though idle", cancelled_though_idle, 1);
	rig_add(s, "cancelled while waiting", cancelled_while_it_waits, 1);
	rig_add(s, "cancelled while running", cancelled_while_it_runs, 1);
	rig_add(s, "cancelled at last", cancelled_at_the_last_moment, 1);
	rig_add(s, "interrupted", interrupted_changes_nothing,
		PINFS_CHANGE_INSERT_RANGE + 1);
	rig_add(s, "timeout", timeout_changes_nothing, 1);
	rig_add(s, "no wait", no_wait_is_over_at_once,
		PINFS_CHANGE_INSERT_RANGE + 1);
	rig_add(s, "timeouts race", timeouts_and_pins_race, 1);
	rig_add(s, "stuck DMA is named", stuck_dma_is_named, 1);
	rig_add(s, "giving up is named", giving_up_is_named, 1);
	rig_add(s, "said again", said_again_when_it_doubles, 1);
	rig_add(s, "running change", running_change_is_named, 1);
	rig_add(s, "sets by pages", sets_are_listed_by_pages, 1);
	rig_add(s, "ranges", ranges_are_listed, 1);
	rig_add(s, "many ranges", a_set_of_many_ranges, 1);
	rig_add(s, "breaks by pages", breaks_are_listed_by_pages, 1);
	rig_add(s, "listed while", listed_while_they_come_and_go, 1);
	rig_add(s, "waits are counted", waits_are_counted, 1);
	return rig_main(s);
}
