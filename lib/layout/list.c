// SPDX-License-Identifier: BSD-3-Clause
/*
 * Listings of what lives. One file is looked at at a time, so nothing is
 * stopped; a page has the smallest numbers above the cursor.
 */
#include "layout/layout_i.h"

#include <string.h>

static void name_of(struct layouts *ls, uint64_t ino, char *buf, size_t size)
{
	buf[0] = '\0';
	if (ls->opt.name_of)
		ls->opt.name_of(ls->vol, ino, buf, size);
}

/* --- pin sets ------------------------------------------------------------ */

/*
 * struct pin_page - lines in ascending order of sets
 *
 * The lines of one set are in one page; of a set that alone has more than a
 * page takes, those that fit are shown.
 */
struct pin_page {
	struct pinfs_ioc_pins *io;
	uint64_t ino; /* 0: all files */
	uint64_t after;
	uint64_t dropped; /* smallest number of a line that found no room */
};

static void fill_line(struct pinfs_ioc_pin *out, const struct hold *h)
{
	const struct pin_set *set = h->set;

	memset(out, 0, sizeof(*out));
	out->id = set->number;
	out->begin = set->number;
	out->ino = h->ip->ino;
	out->age_ns = now_ns() - set->began_ns;
	out->done = atomic_load(&set->done);
	out->pid = set->opt.owner.pid;
	out->uid = set->opt.owner.uid;
	out->direction = (uint8_t)set->opt.direction;
	out->engine = (uint8_t)set->opt.engine;
	out->cancelled = atomic_load(&set->cancelled);
	out->waiting = !h->admitted || h->queued;
	memcpy(out->comm, set->opt.owner.comm, sizeof(out->comm));
}

/* room_for - a line of set number, behind others of it; NULL: not in this page */
static struct pinfs_ioc_pin *room_for(struct pin_page *p, uint64_t number)
{
	struct pinfs_ioc_pins *io = p->io;
	uint32_t at = io->count;

	while (at > 0 && io->pin[at - 1].id > number)
		at--;
	if (at == PINFS_PINS_PER_CALL) {
		p->dropped = min_u64(p->dropped, number);
		return NULL;
	}
	if (io->count == PINFS_PINS_PER_CALL)
		p->dropped = min_u64(p->dropped, io->pin[--io->count].id);
	memmove(&io->pin[at + 1], &io->pin[at],
		(io->count - at) * sizeof(io->pin[0]));
	io->count++;
	return &io->pin[at];
}

/* struct line - ranges of a hold that continue each other are one */
struct line {
	uint64_t first;
	uint64_t count;
	uint64_t blocks; /* of it, that are pinned */
};

/* next_line - from *at, NULL at the end; the newest ranges come first */
static struct line next_line(const struct pin_range **at)
{
	const struct pin_range *r = *at;
	struct line l = { 0 };

	for (; r; r = r->next) {
		if (l.count > 0 && r->first + r->count != l.first)
			break;
		l.first = r->first;
		l.count += r->count;
		for (size_t i = 0; r->pinned && i < r->nruns; i++)
			l.blocks += r->run[i].count;
	}
	*at = r;
	return l;
}

static void list_hold(struct pin_page *p, const struct hold *h)
{
	const struct pin_range *r = h->ranges;

	do {
		struct line l = next_line(&r);
		struct pinfs_ioc_pin *out = room_for(p, h->set->number);

		if (!out)
			return;
		fill_line(out, h);
		out->offset = l.first << PINFS_BLOCK_SHIFT;
		out->length = l.count << PINFS_BLOCK_SHIFT;
		out->blocks = l.blocks;
	} while (r);
}

static bool list_pins_of(struct layout *lo, void *arg)
{
	struct pin_page *p = arg;
	struct hold *h;

	if (p->ino && lo->ino != p->ino)
		return true;
	list_for_each_entry(h, &lo->holds, in_layout)
		if (h->set->number > p->after)
			list_hold(p, h);
	return true;
}

/* end_page - a set that is there in part comes in the next page as a whole */
static void end_page(struct pin_page *p)
{
	struct pinfs_ioc_pins *io = p->io;

	if (io->count > 0 && io->pin[0].id < p->dropped)
		while (io->pin[io->count - 1].id >= p->dropped)
			io->count--;
	if (io->count > 0)
		io->cursor = io->pin[io->count - 1].id;
}

void layout_list_pins(struct layouts *ls, uint64_t ino,
		      struct pinfs_ioc_pins *io)
{
	struct pin_page p = { io, ino, io->cursor, UINT64_MAX };

	io->count = 0;
	layouts_each(ls, list_pins_of, &p);
	end_page(&p);
	/* Names are looked up without any lock held. */
	for (uint32_t i = 0; i < io->count; i++)
		name_of(ls, io->pin[i].ino, io->pin[i].name,
			sizeof(io->pin[i].name));
}

/* --- breaks -------------------------------------------------------------- */

struct break_page {
	struct pinfs_ioc_breaks *io;
	uint64_t ino;
	uint64_t after;
};

static void fill_break(struct pinfs_ioc_break *out,
		       const struct layout_break *brk)
{
	memset(out, 0, sizeof(*out));
	out->id = brk->number;
	out->ino = brk->ip->ino;
	out->offset = brk->offset;
	out->length = brk->length;
	out->age_ns = now_ns() - brk->asked_ns;
	out->pid = brk->owner.pid;
	out->uid = brk->owner.uid;
	out->change = (uint8_t)brk->change;
	out->state = brk->step == LAYOUT_BREAK_RUNNING ? PINFS_BREAK_RUNNING :
							 PINFS_BREAK_WAITING;
	memcpy(out->comm, brk->owner.comm, sizeof(out->comm));
}

/* add_waits_for - pin sets that are in its way, else the break before it */
static void add_waits_for(struct pinfs_ioc_break *out, const struct layout *lo,
			  const struct layout_break *brk,
			  const struct layout_break *before, uint32_t ahead)
{
	struct hold *h;

	out->ahead = ahead;
	if (before)
		out->waits_for = before->number;
	list_for_each_entry(h, &lo->holds, in_layout)
		if (hold_obstructs(h, brk) && out->waits_for_pins++ == 0)
			out->waits_for = h->set->number;
}

static struct pinfs_ioc_break *room_for_break(struct pinfs_ioc_breaks *io,
					      uint64_t number)
{
	uint32_t at = io->count;

	while (at > 0 && io->brk[at - 1].id > number)
		at--;
	if (at == PINFS_BREAKS_PER_CALL)
		return NULL;
	if (io->count == PINFS_BREAKS_PER_CALL)
		io->count--;
	memmove(&io->brk[at + 1], &io->brk[at],
		(io->count - at) * sizeof(io->brk[0]));
	io->count++;
	return &io->brk[at];
}

static bool list_breaks_of(struct layout *lo, void *arg)
{
	const struct layout_break *before = NULL;
	struct break_page *p = arg;
	struct layout_break *brk;
	uint32_t ahead = 0;

	if (p->ino && lo->ino != p->ino)
		return true;
	list_for_each_entry(brk, &lo->breaks, node) {
		struct pinfs_ioc_break *out;

		/* One that never had to wait is none that was deferred. */
		if (brk->number > p->after && brk->waited) {
			out = room_for_break(p->io, brk->number);
			if (!out)
				break;
			fill_break(out, brk);
			add_waits_for(out, lo, brk, before, ahead);
		}
		before = brk;
		ahead++;
	}
	return true;
}

void layout_list_breaks(struct layouts *ls, uint64_t ino,
			struct pinfs_ioc_breaks *io)
{
	struct break_page p = { io, ino, io->cursor };

	io->count = 0;
	layouts_each(ls, list_breaks_of, &p);
	if (io->count > 0)
		io->cursor = io->brk[io->count - 1].id;
	for (uint32_t i = 0; i < io->count; i++)
		name_of(ls, io->brk[i].ino, io->brk[i].name,
			sizeof(io->brk[i].name));
}

/* --- figures ------------------------------------------------------------- */

void layout_count_pins(struct layouts *ls, uint64_t pblk, uint64_t count,
		       uint64_t *pinned, uint64_t *pins)
{
	*pinned = 0;
	*pins = 0;
	for (uint64_t b = pblk; b < pblk + count; b++) {
		uint32_t n = atomic_load(&ls->block_pins[b]);

		*pinned += n > 0;
		*pins += n;
	}
}

static void add_counters(struct pinfs_ioc_stats *st, const struct counters *c)
{
	st->pins += atomic_load(&c->pins);
	st->unpins += atomic_load(&c->unpins);
	st->pin_sets += atomic_load(&c->pin_sets);
	st->pin_sets_live +=
		atomic_load(&c->pin_sets) - atomic_load(&c->pin_sets_ended);
	st->pin_waits += atomic_load(&c->pin_waits);
	st->breaks += atomic_load(&c->breaks);
	st->breaks_waited += atomic_load(&c->breaks_waited);
	st->breaks_waiting += atomic_load(&c->breaks_waited) -
			      atomic_load(&c->breaks_waited_enough);
	st->wait_total_ns += atomic_load(&c->wait_total_ns);
	st->idle_events += atomic_load(&c->idle_events);
	st->interrupted += atomic_load(&c->interrupted);
	st->timed_out += atomic_load(&c->timed_out);
	st->refused += atomic_load(&c->refused);
	st->retries += atomic_load(&c->retries);
}

void layout_stats(struct layouts *ls, struct pinfs_ioc_stats *st)
{
	/* Those of differences may pass zero until all shards are added. */
	for (unsigned int i = 0; i < COUNTER_SHARDS; i++)
		add_counters(st, &ls->count[i]);
	st->wait_longest_ns = atomic_load(&ls->wait_longest_ns);
}
