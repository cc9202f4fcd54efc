// SPDX-License-Identifier: BSD-3-Clause
/*
 * Listings of what lives. One shard of the registry is looked at at a time, so
 * nothing is stopped; a call begins with the smallest number above the cursor.
 */
#include "layout/layout_i.h"

#include <string.h>

static void name_of(struct layouts *ls, uint64_t ino, char *buf, size_t size)
{
	buf[0] = '\0';
	if (ls->opt.name_of)
		ls->opt.name_of(ls->vol, ino, buf, size);
}

/*
 * A cursor is the shard, in the top byte, and the number in it that was listed
 * last; a shard's list ascends.
 */
#define CURSOR_SHARD_SHIFT 56
#define CURSOR_NUMBER_MASK ((1ull << CURSOR_SHARD_SHIFT) - 1)

/* registry_insert - in the order of numbers; mostly that is at the end */
#define registry_insert(sh, item, type)                         \
	do {                                                    \
		struct list_head *at = (sh)->list.prev;         \
                                                                \
		while (at != &(sh)->list &&                     \
		       list_entry(at, type, registry)->number > \
			       (item)->number)                  \
			at = at->prev;                          \
		list_add(&(item)->registry, at);                \
	} while (0)

void registry_add_set(struct layouts *ls, struct pin_set *set)
{
	struct registry_shard *sh = &ls->sets[set->number % REGISTRY_SHARDS];

	pthread_mutex_lock(&sh->lock);
	registry_insert(sh, set, struct pin_set);
	pthread_mutex_unlock(&sh->lock);
}

void registry_add_break(struct layouts *ls, struct layout_break *brk)
{
	struct registry_shard *sh = &ls->breaks[brk->number % REGISTRY_SHARDS];

	pthread_mutex_lock(&sh->lock);
	registry_insert(sh, brk, struct layout_break);
	pthread_mutex_unlock(&sh->lock);
}

/* --- pin sets ------------------------------------------------------------ */

static void fill_set(const struct pin_set *set, struct pinfs_ioc_pin *out)
{
	memset(out, 0, sizeof(*out));
	out->id = set->number;
	out->begin = set->number;
	out->age_ns = now_ns() - set->began_ns;
	out->done = atomic_load(&set->done);
	out->pid = set->opt.owner.pid;
	out->uid = set->opt.owner.uid;
	out->direction = (uint8_t)set->opt.direction;
	out->engine = (uint8_t)set->opt.engine;
	out->cancelled = set->cancelled;
	memcpy(out->comm, set->opt.owner.comm, sizeof(out->comm));
}

/* struct line - ranges of a hold that continue each other are one */
struct line {
	uint64_t first;
	uint64_t count;
	uint64_t blocks; /* of it, that are pinned */
};

/* next_line - from *at, NULL at the end; the newest ranges come first */
static struct line next_line(const struct pinned_range **at)
{
	const struct pinned_range *r = *at;
	struct line l = { 0 };

	for (; r; r = r->next) {
		if (l.count > 0 && r->first + r->count != l.first)
			break;
		l.first = r->first;
		l.count += r->count;
		for (size_t i = 0; i < r->nruns; i++)
			l.blocks += r->run[i].count;
	}
	*at = r;
	return l;
}

static uint32_t lines_of_hold(const struct hold *h)
{
	const struct pinned_range *r = h->ranges;
	uint32_t n = 0;

	do {
		next_line(&r);
		n++;
	} while (r);
	return n;
}

/* lines_of - lines that a set takes in a listing of ino; set.lock is held */
static uint32_t lines_of(const struct pin_set *set, uint64_t ino)
{
	const struct hold *h;
	uint32_t n = 0;

	list_for_each_entry(h, &set->holds, in_set)
		if (ino == 0 || h->ip->ino == ino)
			n += lines_of_hold(h);
	return n || ino ? n : 1;
}

static void add_line(struct pinfs_ioc_pins *io, const struct pin_set *set,
		     const struct hold *h, const struct line *l)
{
	struct pinfs_ioc_pin *out;

	if (io->count == PINFS_PINS_PER_CALL)
		return;
	out = &io->pin[io->count++];
	fill_set(set, out);
	if (!h)
		return;
	out->ino = h->ip->ino;
	out->waiting = atomic_load(&h->state) == HOLD_QUEUED;
	out->offset = l->first << PINFS_BLOCK_SHIFT;
	out->length = l->count << PINFS_BLOCK_SHIFT;
	out->blocks = l->blocks;
}

static void list_hold(struct pinfs_ioc_pins *io, const struct pin_set *set,
		      const struct hold *h)
{
	const struct pinned_range *r = h->ranges;

	do {
		struct line l = next_line(&r);

		add_line(io, set, h, &l);
	} while (r);
}

/*
 * list_set - a line for each range; false if the page has no room for the set
 *
 * One that alone is more than a page shows what fits.
 */
static bool list_set(struct pinfs_ioc_pins *io, struct pin_set *set,
		     uint64_t ino)
{
	const struct hold *h;
	uint32_t lines;

	pthread_mutex_lock(&set->lock);
	lines = lines_of(set, ino);
	if (io->count > 0 && io->count + lines > PINFS_PINS_PER_CALL) {
		pthread_mutex_unlock(&set->lock);
		return false;
	}
	if (list_empty(&set->holds) && ino == 0)
		add_line(io, set, NULL, NULL);
	list_for_each_entry(h, &set->holds, in_set)
		if (ino == 0 || h->ip->ino == ino)
			list_hold(io, set, h);
	pthread_mutex_unlock(&set->lock);
	return true;
}

static bool list_pin_shard(struct layouts *ls, uint64_t shard, uint64_t after,
			   uint64_t ino, struct pinfs_ioc_pins *io)
{
	struct registry_shard *sh = &ls->sets[shard];
	struct pin_set *set;
	bool all = true;

	pthread_mutex_lock(&sh->lock);
	list_for_each_entry(set, &sh->list, registry) {
		if (set->number <= after)
			continue;
		all = list_set(io, set, ino);
		if (!all)
			break;
		io->cursor = shard << CURSOR_SHARD_SHIFT | set->number;
	}
	pthread_mutex_unlock(&sh->lock);
	return all;
}

void layout_list_pins(struct layouts *ls, uint64_t ino,
		      struct pinfs_ioc_pins *io)
{
	uint64_t shard = io->cursor >> CURSOR_SHARD_SHIFT;
	uint64_t after = io->cursor & CURSOR_NUMBER_MASK;

	io->count = 0;
	for (; shard < REGISTRY_SHARDS; shard++, after = 0)
		if (!list_pin_shard(ls, shard, after, ino, io))
			break;
	/* Names are looked up without any lock held. */
	for (uint32_t i = 0; i < io->count; i++)
		name_of(ls, io->pin[i].ino, io->pin[i].name,
			sizeof(io->pin[i].name));
}

/* --- breaks -------------------------------------------------------------- */

static void fill_break(const struct layout_break *brk,
		       struct pinfs_ioc_break *out)
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
	memcpy(out->comm, brk->owner.comm, sizeof(out->comm));
}

static bool list_break_shard(struct layouts *ls, uint64_t shard, uint64_t after,
			     uint64_t ino, struct pinfs_ioc_breaks *io)
{
	struct registry_shard *sh = &ls->breaks[shard];
	struct layout_break *brk;
	bool all = true;

	pthread_mutex_lock(&sh->lock);
	list_for_each_entry(brk, &sh->list, registry) {
		if (brk->number <= after || (ino && brk->ip->ino != ino))
			continue;
		all = io->count < PINFS_BREAKS_PER_CALL;
		if (!all)
			break;
		fill_break(brk, &io->brk[io->count++]);
		io->cursor = shard << CURSOR_SHARD_SHIFT | brk->number;
	}
	pthread_mutex_unlock(&sh->lock);
	return all;
}

/* add_waits_for - what is ahead of a listed break, if it still waits */
static void add_waits_for(struct layout *lo, struct pinfs_ioc_break *out)
{
	const struct layout_break *brk;
	const struct hold *h;

	pthread_mutex_lock(&lo->lock);
	list_for_each_entry(brk, &lo->breaks, node) {
		if (brk->number >= out->id) {
			out->state = brk->step == LAYOUT_BREAK_RUNNING ?
					     PINFS_BREAK_RUNNING :
					     PINFS_BREAK_WAITING;
			break;
		}
		out->waits_for = brk->number;
		out->ahead++;
	}
	out->waits_for_pins = lo->admitted;
	if (!list_empty(&lo->holds)) {
		h = list_first_entry(&lo->holds, struct hold, in_layout);
		out->waits_for = h->set->number;
	}
	pthread_mutex_unlock(&lo->lock);
}

void layout_list_breaks(struct layouts *ls, uint64_t ino,
			struct pinfs_ioc_breaks *io)
{
	uint64_t shard = io->cursor >> CURSOR_SHARD_SHIFT;
	uint64_t after = io->cursor & CURSOR_NUMBER_MASK;

	io->count = 0;
	for (; shard < REGISTRY_SHARDS; shard++, after = 0)
		if (!list_break_shard(ls, shard, after, ino, io))
			break;
	for (uint32_t i = 0; i < io->count; i++) {
		struct pinfs_ioc_break *b = &io->brk[i];
		struct inode *ip;

		name_of(ls, b->ino, b->name, sizeof(b->name));
		if (inode_get(ls->vol, b->ino, INODE_ANY_GEN, &ip))
			continue;
		if (atomic_load(&ip->layout))
			add_waits_for(atomic_load(&ip->layout), b);
		inode_put(ip);
	}
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

void layout_stats(struct layouts *ls, struct pinfs_ioc_stats *st)
{
	const struct counters *c = &ls->count;

	st->pins = atomic_load(&c->pins);
	st->unpins = atomic_load(&c->unpins);
	st->pin_sets = atomic_load(&c->pin_sets);
	st->pin_sets_live = atomic_load(&c->pin_sets_live);
	st->pin_waits = atomic_load(&c->pin_waits);
	st->breaks = atomic_load(&c->breaks);
	st->breaks_waited = atomic_load(&c->breaks_waited);
	st->breaks_waiting = atomic_load(&c->breaks_waiting);
	st->wait_total_ns = atomic_load(&c->wait_total_ns);
	st->wait_longest_ns = atomic_load(&c->wait_longest_ns);
	st->idle_events = atomic_load(&c->idle_events);
	st->interrupted = atomic_load(&c->interrupted);
	st->timed_out = atomic_load(&c->timed_out);
	st->refused = atomic_load(&c->refused);
	st->retries = atomic_load(&c->retries);
}
