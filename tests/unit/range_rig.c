// SPDX-License-Identifier: BSD-3-Clause
/* What the tests of scope range share. */
#include "range_rig.h"

#include "base/util.h"
#include "inode/extent.h"

void range_setup(struct rig *r)
{
	struct fs_options opt = { .scope_range = true };

	rig_setup(r, &opt);
	ck_assert(layouts_scope_is_range(r->ls));
}

static void granted(struct admission *a)
{
	struct rig_wait *w = container_of(a, struct rig_wait, a);

	w->tick = rig_tick();
	gate_pass(&w->granted);
}

int range_claim(struct pin_set *set, struct inode *ip, uint64_t first,
		uint64_t count, struct rig_wait *w)
{
	memset(w, 0, sizeof(*w));
	gate_init(&w->granted);
	w->a.granted = granted;
	return layout_admit(set, ip, first, count, &w->a);
}

void range_pin(struct pin_set *set, struct inode *ip, uint64_t first,
	       uint64_t count)
{
	const struct pinned_run *runs;
	struct rig_wait w;
	size_t n;

	ck_assert_int_eq(range_claim(set, ip, first, count, &w), 0);
	ck_assert_int_eq(layout_pin(set, ip, first, count, &runs, &n), 0);
}

struct pin_set *range_hold(struct rig *r, struct inode *ip, uint64_t first,
			   uint64_t count)
{
	struct pin_set *set = rig_begin(r, 0);

	range_pin(set, ip, first, count);
	return set;
}

struct pin_set *range_begin_to_device(struct rig *r)
{
	struct pin_options opt = { .direction = PINFS_TO_DEVICE };
	struct pin_set *set;

	ck_assert_int_eq(pin_set_begin(r->ls, &opt, &set), 0);
	return set;
}

/* --- breaks ------------------------------------------------------------------- */

bool range_break(struct rig *r, struct rig_break *b, struct inode *ip,
		 uint64_t first, uint64_t end)
{
	rig_break_init(r, b, ip);
	b->brk.first = first;
	b->brk.end = end;
	layout_break(&b->brk);
	return gate_count(&b->over) > 0;
}

void range_break_waits(struct rig *r, struct rig_break *b, struct inode *ip,
		       uint64_t first, uint64_t end)
{
	ck_assert(!range_break(r, b, ip, first, end));
	rig_settle(r);
	ck_assert_uint_eq(gate_count(&b->running), 0);
}

void range_break_runs(struct rig *r, struct inode *ip, uint64_t first,
		      uint64_t end)
{
	struct rig_break b;

	ck_assert_msg(range_break(r, &b, ip, first, end),
		      "[%lu, %lu) has to wait", first, end);
	range_break_over(&b, 0);
}

void range_break_over(struct rig_break *b, int err)
{
	gate_await(&b->over, 1);
	ck_assert_int_eq(b->err, err);
	ck_assert_uint_eq(gate_count(&b->running), err ? 0 : 1);
}

uint64_t range_block(struct inode *ip, uint64_t lblk)
{
	unsigned int guard = journal_enter(ip->vol->journal);
	struct extent e;
	int err;

	pthread_rwlock_rdlock(&ip->lock);
	err = extent_find(ip, NULL, lblk, &e);
	pthread_rwlock_unlock(&ip->lock);
	journal_leave(ip->vol->journal, guard);
	must(err == 0);
	return e.pblk;
}

/* --- a real change -------------------------------------------------------------- */

static void change_over(struct fs_change *ch, int err)
{
	struct range_change *c = container_of(ch, struct range_change, ch);

	c->err = err;
	gate_pass(&c->over);
}

void range_change_init(struct rig *r, struct range_change *c, unsigned int file,
		       enum pinfs_change kind, uint64_t off, uint64_t len)
{
	memset(c, 0, sizeof(*c));
	gate_init(&c->over);
	c->ch.kind = kind;
	c->ch.offset = off;
	c->ch.length = len;
	c->ch.done = change_over;
	ck_assert_int_eq(fs_change_init(r->sf.fs, r->node[file], &c->ch), 0);
}

bool range_change(struct rig *r, struct range_change *c, unsigned int file,
		  enum pinfs_change kind, uint64_t off, uint64_t len)
{
	range_change_init(r, c, file, kind, off, len);
	fs_change_start(&c->ch);
	return gate_count(&c->over) > 0;
}
