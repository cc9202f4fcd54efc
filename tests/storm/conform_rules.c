// SPDX-License-Identifier: BSD-3-Clause
/*
 * The rules of the layout protocol, as far as the events tell: L1 to L5, L7, L8,
 * and L11's balance of beginnings and ends.
 *
 * What began before the stream did is not known here, and let pass, unless the
 * stream is said to be complete.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "conform.h"

const char *const kind_names[KINDS] = {
	[KIND_PIN_BEGIN] = "pin-begin",
	[KIND_PIN_WAIT] = "pin-wait",
	[KIND_PIN_ADMIT] = "pin-admit",
	[KIND_PIN] = "pin",
	[KIND_UNPIN] = "unpin",
	[KIND_PIN_END] = "pin-end",
	[KIND_PIN_CANCEL] = "pin-cancel",
	[KIND_BREAK_ASKED] = "break-asked",
	[KIND_BREAK_WAITING] = "break-waiting",
	[KIND_BREAK_RUNNING] = "break-running",
	[KIND_BREAK_DONE] = "break-done",
	[KIND_BREAK_FAILED] = "break-failed",
	[KIND_BREAK_WARN] = "break-warn",
	[KIND_FREED] = "freed",
};

const char *const change_names[CHANGES] = {
	[CHANGE_TRUNCATE] = "truncate",	      [CHANGE_ALLOCATE] = "allocate",
	[CHANGE_PUNCH] = "punch-hole",	      [CHANGE_ZERO] = "zero-range",
	[CHANGE_COLLAPSE] = "collapse-range", [CHANGE_INSERT] = "insert-range",
};

/* violation - event ev, or the stream's end, breaks a rule: that is the end */
__attribute__((format(printf, 3, 4), noreturn)) static void
violation(const struct event *ev, const char *rule, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "conform: event %" PRIu64 " (%s): %s: ", ev->number,
		kind_names[ev->kind], rule);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

/* --- what a break stands in the way of --------------------------------------- */

static struct brk *running(const struct file *f)
{
	struct brk *brk = f->breaks;

	while (brk && !brk->runs)
		brk = brk->next;
	return brk;
}

/* older - a queued break of the file that was asked for before set id began */
static const struct brk *older(const struct file *f, uint64_t id)
{
	const struct brk *brk = f->breaks;

	while (brk && (brk->runs || brk->id > id))
		brk = brk->next;
	return brk;
}

/*
 * span_of - blocks [*first, *end) that a change must not unmap or move while
 *           they are pinned: what the rule says, no more
 */
static void span_of(const struct brk *brk, uint64_t *first, uint64_t *end)
{
	uint64_t stop = brk->offset + brk->length;

	*first = brk->offset / BLOCK;
	*end = NO_LIMIT;
	switch (brk->change) {
	case CHANGE_TRUNCATE:
		*first = (brk->offset + BLOCK - 1) / BLOCK;
		break;
	case CHANGE_PUNCH:
	case CHANGE_ZERO:
		*end = (stop + BLOCK - 1) / BLOCK;
		break;
	case CHANGE_ALLOCATE:
		*end = *first;
		break;
	default:
		break;
	}
}

static bool hits(const struct brk *brk, uint64_t first, uint64_t count)
{
	uint64_t from, to;

	span_of(brk, &from, &to);
	return from < to && first < to && first + count > from;
}

/* --- pin sets ------------------------------------------------------------------ */

/* set_of - NULL if it began before the stream */
static struct set *set_of(struct book *b, const struct event *ev)
{
	struct set *s = table_get(&b->sets, ev->id);

	if (s == OVER)
		violation(ev, "L11", "set %" PRIu64 " has ended before",
			  ev->id);
	if (!s && b->complete)
		violation(ev, "L11", "set %" PRIu64 " has not begun", ev->id);
	return s;
}

static void pin_begin(struct book *b, const struct event *ev)
{
	struct set *s;

	if (table_get(&b->sets, ev->id))
		violation(ev, "L11", "set %" PRIu64 " has begun before",
			  ev->id);
	s = get_memory(sizeof(*s));
	s->id = ev->id;
	table_put(&b->sets, ev->id, s);
	b->count.sets++;
	b->count.live_sets++;
}

/* L5: a set waits for a break that runs, or for one that is older than it */
static void pin_wait(struct book *b, const struct event *ev)
{
	struct file *f = book_file(b, ev->ino);
	struct set *s = set_of(b, ev);

	if (s && !running(f) && !older(f, ev->id))
		violation(ev, "L5",
			  "set %" PRIu64 " waits on inode %" PRIu64
			  " for nothing that began before it%s",
			  ev->id, ev->ino,
			  f->breaks ? ": all breaks there came later" : "");
}

static void pin_admit(struct book *b, const struct event *ev)
{
	struct file *f = book_file(b, ev->ino);
	struct set *s = set_of(b, ev);
	const struct brk *brk = running(f);
	struct hold *h;

	if (brk)
		violation(ev, "L2",
			  "set %" PRIu64 " is admitted to inode %" PRIu64
			  " while break %" PRIu64 " runs",
			  ev->id, ev->ino, brk->id);
	if (!s)
		return;
	h = book_hold(s, f);
	if (h->admitted)
		violation(ev, "L11", "set %" PRIu64 " has been admitted before",
			  ev->id);
	brk = older(f, ev->id);
	if (brk)
		violation(ev, "L4",
			  "set %" PRIu64 " is admitted to inode %" PRIu64
			  " before break %" PRIu64 ", which is older",
			  ev->id, ev->ino, brk->id);
	h->admitted = true;
	f->admitted++;
}

static void pin(struct book *b, const struct event *ev)
{
	struct file *f = book_file(b, ev->ino);
	struct set *s = set_of(b, ev);
	const struct brk *brk = running(f);
	struct hold *h;

	if (brk &&
	    (!b->range || hits(brk, ev->offset / BLOCK, ev->length / BLOCK)))
		violation(ev, "L2",
			  "set %" PRIu64 " pins bytes %" PRIu64 " to %" PRIu64
			  " of inode %" PRIu64 " while break %" PRIu64 " runs",
			  ev->id, ev->offset, ev->offset + ev->length, ev->ino,
			  brk->id);
	if (!s)
		return;
	h = book_hold(s, f);
	if (!h->admitted && b->complete)
		violation(ev, "L11",
			  "set %" PRIu64 " pins blocks of inode %" PRIu64
			  ", to which it is not admitted",
			  ev->id, ev->ino);
	book_pin(b, h, ev);
}

static void unpin(struct book *b, const struct event *ev)
{
	struct file *f = book_file(b, ev->ino);
	struct set *s = set_of(b, ev);
	struct hold *h;

	if (!s)
		return;
	h = book_hold(s, f);
	if (!h->admitted && b->complete)
		violation(ev, "L11",
			  "set %" PRIu64 " leaves inode %" PRIu64
			  ", to which it was not admitted",
			  ev->id, ev->ino);
	book_unpin(b, h);
	f->admitted -= h->admitted;
	book_hold_free(h);
	/* L8: in the same moment somebody goes on. */
	f->must_go_on = b->complete && !b->range && f->admitted == 0 &&
			f->breaks && !running(f);
}

static void pin_end(struct book *b, const struct event *ev)
{
	struct set *s = set_of(b, ev);

	if (!s)
		return;
	while (s->holds) {
		if (s->holds->admitted)
			violation(ev, "L11",
				  "set %" PRIu64
				  " ends, and has not left inode %" PRIu64,
				  ev->id, s->holds->file->ino);
		book_hold_free(s->holds);
	}
	table_put(&b->sets, ev->id, OVER);
	b->count.live_sets--;
	free(s);
}

/* --- breaks -------------------------------------------------------------------- */

/* brk_of - NULL if it was asked for before the stream began */
static struct brk *brk_of(struct book *b, const struct event *ev)
{
	struct brk *brk = table_get(&b->breaks, ev->id);

	if (brk == OVER)
		violation(ev, "L7", "break %" PRIu64 " is over", ev->id);
	if (!brk && b->complete)
		violation(ev, "L7", "break %" PRIu64 " was never asked for",
			  ev->id);
	if (brk && brk->file->ino != ev->ino)
		violation(ev, "L7",
			  "break %" PRIu64 " was of inode %" PRIu64
			  " and now is of %" PRIu64,
			  ev->id, brk->file->ino, ev->ino);
	return brk;
}

static void break_asked(struct book *b, const struct event *ev)
{
	struct file *f = book_file(b, ev->ino);
	struct brk *brk, **at = &f->breaks;

	if (table_get(&b->breaks, ev->id))
		violation(ev, "L7", "break %" PRIu64 " has been asked for",
			  ev->id);
	brk = get_memory(sizeof(*brk));
	brk->id = ev->id;
	brk->file = f;
	brk->change = ev->change;
	brk->offset = ev->offset;
	brk->length = ev->length;
	for (; *at; at = &(*at)->next)
		if ((*at)->id > ev->id)
			violation(ev, "L4",
				  "break %" PRIu64 " comes behind %" PRIu64
				  ", which is younger",
				  ev->id, (*at)->id);
	*at = brk;
	table_put(&b->breaks, ev->id, brk);
	b->count.breaks++;
	b->count.live_breaks++;
}

static void break_waiting(struct book *b, const struct event *ev)
{
	struct brk *brk = brk_of(b, ev);

	if (!brk)
		return;
	/* A truncate may find when it runs that it takes one block more. */
	if (brk->runs && !(b->range && brk->change == CHANGE_TRUNCATE))
		violation(ev, "L7", "break %" PRIu64 " runs", ev->id);
	if (brk->waits && !brk->runs)
		violation(ev, "L7", "break %" PRIu64 " waits already", ev->id);
	brk->runs = false;
	brk->waits = true;
	b->count.waited++;
}

/* L3, scope range: nothing that the change unmaps or moves is pinned */
static void check_pins(const struct event *ev, const struct brk *brk)
{
	for (const struct hold *h = brk->file->holds; h; h = h->next_of_file)
		for (const struct pin *p = h->pins; p; p = p->next)
			if (hits(brk, p->first, p->count))
				violation(ev, "L3",
					  "break %" PRIu64 " (%s) runs while "
					  "set %" PRIu64 " has pinned blocks "
					  "%" PRIu64 " to %" PRIu64
					  " of inode %" PRIu64,
					  brk->id, change_names[brk->change],
					  h->set->id, p->first,
					  p->first + p->count, ev->ino);
}

static void break_running(struct book *b, const struct event *ev)
{
	struct file *f = book_file(b, ev->ino);
	struct brk *brk = brk_of(b, ev);
	const struct brk *other = running(f);

	if (other && other != brk)
		violation(ev, "L4",
			  "break %" PRIu64 " runs together with %" PRIu64,
			  ev->id, other->id);
	if (!brk)
		return;
	if (brk->runs)
		violation(ev, "L7", "break %" PRIu64 " runs already", ev->id);
	if (f->breaks != brk)
		violation(ev, "L4",
			  "break %" PRIu64 " runs before %" PRIu64
			  ", which was asked for first",
			  ev->id, f->breaks->id);
	if (!b->range && f->admitted)
		violation(ev, "L3",
			  "break %" PRIu64 " (%s) runs while %u sets are "
			  "admitted to inode %" PRIu64,
			  ev->id, change_names[brk->change], f->admitted,
			  ev->ino);
	if (b->range)
		check_pins(ev, brk);
	brk->runs = true;
}

static void break_over(struct book *b, const struct event *ev)
{
	struct brk *brk = brk_of(b, ev), **at;

	if (!brk)
		return;
	if (ev->kind == KIND_BREAK_DONE && !brk->runs)
		violation(ev, "L7", "break %" PRIu64 " never ran", ev->id);
	if (ev->kind == KIND_BREAK_FAILED && brk->runs)
		violation(ev, "L7", "break %" PRIu64 " has run", ev->id);
	if (ev->kind == KIND_BREAK_FAILED && !brk->waits)
		violation(ev, "L7", "break %" PRIu64 " did not wait", ev->id);
	if (ev->kind == KIND_BREAK_FAILED && ev->err != -EINTR &&
	    ev->err != -EBUSY)
		violation(ev, "L7",
			  "break %" PRIu64 " failed with error %d, which is "
			  "neither EINTR nor EBUSY",
			  ev->id, ev->err);
	for (at = &brk->file->breaks; *at != brk;)
		at = &(*at)->next;
	*at = brk->next;
	table_put(&b->breaks, ev->id, OVER);
	b->count.live_breaks--;
	free(brk);
}

static void break_warn(struct book *b, const struct event *ev)
{
	struct brk *brk = brk_of(b, ev);

	if (brk && (!brk->waits || brk->runs))
		violation(ev, "L7", "break %" PRIu64 " does not wait", ev->id);
}

/* --- all of them --------------------------------------------------------------- */

static void freed(struct book *b, const struct event *ev)
{
	uint64_t count = (ev->length + BLOCK - 1) / BLOCK;
	uint64_t at = book_pinned(b, ev->physical / BLOCK, count);

	if (at != NO_LIMIT)
		violation(ev, "L1",
			  "physical block %" PRIu64 " is freed and has %u pins",
			  at, b->pins[at]);
	b->count.freed += count;
}

/* L8: nothing else of this file happens before somebody has gone on */
static void check_went_on(struct book *b, const struct event *ev)
{
	struct file *f = book_file(b, ev->ino);

	if (!f->must_go_on)
		return;
	f->must_go_on = false;
	if (ev->kind == KIND_PIN_ADMIT ||
	    (ev->kind == KIND_BREAK_RUNNING && f->breaks->id == ev->id))
		return;
	violation(ev, "L8",
		  "inode %" PRIu64 " was idle, and break %" PRIu64
		  " has not been woken",
		  ev->ino, f->breaks->id);
}

void conform_event(struct book *b, const struct event *ev)
{
	static void (*const take[KINDS])(struct book *,
					 const struct event *) = {
		[KIND_PIN_BEGIN] = pin_begin,
		[KIND_PIN_WAIT] = pin_wait,
		[KIND_PIN_ADMIT] = pin_admit,
		[KIND_PIN] = pin,
		[KIND_UNPIN] = unpin,
		[KIND_PIN_END] = pin_end,
		[KIND_BREAK_ASKED] = break_asked,
		[KIND_BREAK_WAITING] = break_waiting,
		[KIND_BREAK_RUNNING] = break_running,
		[KIND_BREAK_DONE] = break_over,
		[KIND_BREAK_FAILED] = break_over,
		[KIND_BREAK_WARN] = break_warn,
		[KIND_FREED] = freed,
	};

	b->count.events++;
	if (ev->ino)
		check_went_on(b, ev);
	if (ev->kind == KIND_PIN_CANCEL)
		(void)set_of(b, ev);
	else
		take[ev->kind](b, ev);
}

void conform_end(const struct book *b, uint64_t last_number)
{
	struct event end = { .number = last_number, .kind = KIND_PIN_END };

	if (!b->complete)
		return;
	if (b->count.live_sets)
		violation(&end, "L11",
			  "at the end of the stream %" PRIu64
			  " sets have not ended",
			  b->count.live_sets);
	end.kind = KIND_BREAK_DONE;
	if (b->count.live_breaks)
		violation(&end, "L7",
			  "at the end of the stream %" PRIu64
			  " breaks are not over",
			  b->count.live_breaks);
}
