// SPDX-License-Identifier: BSD-3-Clause
/* The explorer. */
#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/util.h"
#include "verdict.h"

#define PAGE PINFS_BLOCK_SIZE

struct cell {
	uint32_t unit;
	uint32_t versions;
	uint32_t flushed; /* so many of them, at least, are after a fence */
	uint32_t pick; /* of the image in work: 0 settled, else the version */
	uint8_t torn; /* words that are of the version before */
	uint8_t *bytes; /* of all versions */
	size_t room;
};

static size_t unit_size(const struct explorer *x)
{
	return x->file ? PAGE : PINFS_LINE_SIZE;
}

static uint64_t dice(struct explorer *x)
{
	uint64_t z = (x->seed += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

void explorer_init(struct explorer *x, struct record *work, bool file)
{
	size_t size = work->pool->size;

	memset(x, 0, sizeof(*x));
	x->work = work;
	x->file = file;
	x->base = malloc(size);
	x->settled = malloc(size);
	x->cell_of = calloc(size / unit_size(x), sizeof(*x->cell_of));
	x->seen_room = 1u << 16;
	x->seen = calloc(x->seen_room, sizeof(*x->seen));
	if (!x->base || !x->settled || !x->cell_of || !x->seen)
		die("out of memory");
	memcpy(x->base, work->pool->base, size);
	memcpy(x->settled, work->pool->base, size);
}

void explorer_free(struct explorer *x)
{
	free(x->base);
	free(x->settled);
	free(x->cell_of);
	free(x->cell);
	free(x->seen);
}

/* --- distinct images --------------------------------------------------------- */

static bool seen_add(struct explorer *x, uint64_t key)
{
	size_t i = key & (x->seen_room - 1);

	key |= !key;
	while (x->seen[i] && x->seen[i] != key)
		i = (i + 1) & (x->seen_room - 1);
	if (x->seen[i])
		return false;
	x->seen[i] = key;
	x->nseen++;
	return true;
}

/* is_new - not judged yet with the same states to expect */
static bool is_new(struct explorer *x, uint64_t key)
{
	if (x->nseen * 2 > x->seen_room) {
		uint64_t *old = x->seen;
		size_t room = x->seen_room;

		x->seen_room *= 2;
		x->nseen = 0;
		x->seen = calloc(x->seen_room, sizeof(*x->seen));
		if (!x->seen)
			die("out of memory");
		for (size_t i = 0; i < room; i++)
			if (old[i])
				seen_add(x, old[i]);
		free(old);
	}
	return seen_add(x, key);
}

static uint64_t unit_hash(const struct explorer *x, uint32_t unit,
			  const uint8_t *bytes)
{
	return XXH3_64bits_withSeed(bytes, unit_size(x), unit);
}

static const uint8_t *settled_unit(const struct explorer *x, uint32_t unit)
{
	return x->settled + unit * unit_size(x);
}

/* version_of - what version n of the cell holds; 0: what is settled */
static const uint8_t *version_of(const struct explorer *x, const struct cell *c,
				 uint32_t n)
{
	return n ? c->bytes + (n - 1) * unit_size(x) : settled_unit(x, c->unit);
}

/* picked - what the image in work has of the cell */
static void picked(const struct explorer *x, const struct cell *c, uint8_t *to)
{
	memcpy(to, version_of(x, c, c->pick), unit_size(x));
	if (!c->torn || !c->pick)
		return;
	for (size_t i = 0; i < 8; i++)
		if (c->torn >> i & 1)
			memcpy(to + i * 8,
			       version_of(x, c, c->pick - 1) + i * 8, 8);
}

static uint64_t image_key(const struct explorer *x, bool kill)
{
	uint64_t key = x->hash + kill;
	uint8_t bytes[PAGE];

	for (size_t i = 0; i < x->cells; i++) {
		const struct cell *c = &x->cell[i];

		if (!c->pick)
			continue;
		picked(x, c, bytes);
		key ^= unit_hash(x, c->unit, settled_unit(x, c->unit)) ^
		       unit_hash(x, c->unit, bytes);
	}
	return key;
}

/* --- judging an image --------------------------------------------------------- */

static void put_image(struct explorer *x, bool kill)
{
	size_t unit = unit_size(x);
	uint8_t bytes[PAGE];

	for (size_t i = 0; i < x->cells; i++) {
		const struct cell *c = &x->cell[i];

		if (!c->pick)
			continue;
		picked(x, c, bytes);
		record_touch(x->work, c->unit * unit, unit);
		memcpy(x->work->pool->base + c->unit * unit, bytes, unit);
	}
	if (x->file && !kill)
		verdict_reboot(x->work);
}

static void complain(struct explorer *x, bool kill, const char *why)
{
	size_t there = 0, torn = 0;

	for (size_t i = 0; i < x->cells; i++) {
		there += x->cell[i].pick != 0;
		torn += x->cell[i].torn != 0;
	}
	if (x->tally.violations++ == 0)
		snprintf(x->first, sizeof(x->first),
			 "%s: event %zu%s%s: %zu of %zu units, %zu torn, "
			 "states %u to %u: %s",
			 x->name, x->at, x->is_inner ? " of recovery" : "",
			 kill ? ", killed" : "", there, x->cells, torn,
			 x->ex.low, x->ex.high, why);
	if (!x->quiet && x->tally.violations < 10)
		printf("VIOLATION: %s: event %zu%s%s: %zu of %zu units, %zu "
		       "torn, states %u to %u: %s\n",
		       x->name, x->at, x->is_inner ? " of recovery" : "",
		       kill ? ", killed" : "", there, x->cells, torn, x->ex.low,
		       x->ex.high, why);
}

static void add_tally(struct tally *to, const struct tally *from)
{
	to->cuts += from->cuts;
	to->whole += from->whole;
	to->images += from->images;
	to->distinct += from->distinct;
	to->recovery_images += from->distinct;
	to->violations += from->violations;
}

/* recut - record the recovery of the image in work, and explore that log */
static void recut(struct explorer *x)
{
	struct explorer *in = x->inner;
	size_t size = x->work->pool->size;
	struct record log;

	memcpy(in->base, x->work->pool->base, size);
	memcpy(in->settled, in->base, size);
	record_start(x->work, DEFECT_NONE);
	if (verdict_recover(x->work))
		die("%s: does not recover twice", x->name);
	record_stop(x->work);
	record_restore(x->work, in->base);
	log = *x->work;
	x->work->event = NULL;
	x->work->bytes = NULL;
	x->work->event_room = 0;
	x->work->byte_room = 0;
	memset(&in->tally, 0, sizeof(in->tally));
	memset(in->seen, 0, in->seen_room * sizeof(*in->seen));
	in->nseen = 0;
	in->name = x->name;
	in->quiet = x->quiet;
	in->limit = x->limit;
	explore(in, &log, &x->ex, 0);
	free(log.event);
	free(log.bytes);
	add_tally(&x->tally, &in->tally);
	if (in->tally.violations && !x->first[0])
		snprintf(x->first, sizeof(x->first), "%s", in->first);
	x->tally.recoveries++;
	memcpy(x->work->pool->base, x->settled, size);
}

static void judge(struct explorer *x, bool kill)
{
	struct expect whole = x->ex;
	uint64_t key = image_key(x, kill);
	const char *why;

	x->tally.images++;
	if (kill && !x->is_inner)
		x->ex.low = x->in_op ? x->ex.high - 1 : x->ex.high;
	key ^= x->ex.state[x->ex.low].hash * 3 +
	       x->ex.state[x->ex.high].hash * 5;
	if ((x->stop && x->tally.violations) || !is_new(x, key))
		goto out;
	x->tally.distinct++;
	put_image(x, kill);
	why = verdict(x->work, &x->ex, x->probe);
	record_restore(x->work, x->settled);
	if (why)
		complain(x, kill, why);
	else if (!kill && x->recut_in && dice(x) % x->recut_in == 0) {
		put_image(x, kill);
		recut(x);
	}
out:
	x->ex = whole;
}

/* --- choosing images ------------------------------------------------------------ */

static void pick_all(struct explorer *x, bool there)
{
	for (size_t i = 0; i < x->cells; i++) {
		x->cell[i].pick = there ? x->cell[i].versions : 0;
		x->cell[i].torn = 0;
	}
}

/* pick_next - counts through all combinations; false after the last */
static bool pick_next(struct explorer *x)
{
	for (size_t i = 0; i < x->cells; i++) {
		if (x->cell[i].pick++ < x->cell[i].versions)
			return true;
		x->cell[i].pick = 0;
	}
	return false;
}

static bool fits(const struct explorer *x)
{
	size_t product = 1;

	for (size_t i = 0; i < x->cells && product <= x->limit; i++)
		product *= x->cell[i].versions + 1;
	return product <= x->limit;
}

/* pick_one - one unit differs from all others; of many units a few by chance */
static void pick_one(struct explorer *x, bool there)
{
	size_t most = x->limit / 3 + 1;
	bool few = x->cells <= most;

	for (size_t k = 0; k < (few ? x->cells : most); k++) {
		size_t i = few ? k : dice(x) % x->cells;

		pick_all(x, !there);
		x->cell[i].pick = there ? x->cell[i].versions : 0;
		judge(x, false);
	}
}

static void pick_by_chance(struct explorer *x, bool torn)
{
	uint64_t share = 1 + dice(x) % 15;

	for (size_t i = 0; i < x->cells; i++) {
		struct cell *c = &x->cell[i];

		c->pick = 0;
		c->torn = 0;
		if (dice(x) % 16 >= share || c->versions == 0)
			continue;
		c->pick = dice(x) % 2 ? c->versions :
					1 + (uint32_t)(dice(x) % c->versions);
		if (torn)
			c->torn = (uint8_t)dice(x);
	}
	judge(x, false);
}

static void pick_some(struct explorer *x)
{
	uint64_t before = x->tally.images, tries = x->limit;

	pick_all(x, false);
	judge(x, false);
	pick_all(x, true);
	judge(x, false);
	pick_one(x, true);
	pick_one(x, false);
	while (x->tally.images - before < x->limit && tries-- > 0)
		pick_by_chance(x, false);
}

/* cut - the power fails here */
static void cut(struct explorer *x)
{
	x->tally.cuts++;
	pick_all(x, false);
	if (fits(x)) {
		x->tally.whole++;
		do
			judge(x, false);
		while (pick_next(x));
	} else {
		pick_some(x);
	}
	for (size_t i = 0; !x->file && x->cells && i < x->limit / 16; i++)
		pick_by_chance(x, true);
	pick_all(x, true);
	if (x->file)
		judge(x, true);
}

/* --- following the log ------------------------------------------------------------ */

static struct cell *cell_at(struct explorer *x, uint32_t unit)
{
	struct cell *c;

	if (x->cell_of[unit])
		return &x->cell[x->cell_of[unit] - 1];
	x->cell = grow(x->cell, x->cells + 1, &x->cell_room, sizeof(*x->cell));
	c = &x->cell[x->cells++];
	memset(c, 0, sizeof(*c));
	c->unit = unit;
	x->cell_of[unit] = (uint32_t)x->cells;
	return c;
}

static void on_store(struct explorer *x, const struct event *e,
		     const uint8_t *bytes)
{
	size_t size = unit_size(x), at = e->off, end = e->off + (size_t)e->len;

	while (at < end) {
		struct cell *c = cell_at(x, (uint32_t)(at / size));
		size_t n = min_u64(size - at % size, end - at);
		uint8_t *to;

		c->bytes =
			grow(c->bytes, (c->versions + 1) * size, &c->room, 1);
		to = c->bytes + c->versions * size;
		memcpy(to, version_of(x, c, c->versions), size);
		memcpy(to + at % size, bytes, n);
		/* What was there already is no version of its own. */
		if (memcmp(to, version_of(x, c, c->versions), size))
			c->versions++;
		bytes += n;
		at += n;
	}
}

static void on_flush(struct explorer *x, const struct event *e)
{
	size_t size = unit_size(x);

	for (size_t u = e->off / size; u <= (e->off + e->len - 1) / size; u++)
		if (x->cell_of[u])
			x->cell[x->cell_of[u] - 1].flushed =
				x->cell[x->cell_of[u] - 1].versions;
}

/* settle_cell - so many versions of it have become durable */
static void settle_cell(struct explorer *x, struct cell *c, uint32_t n)
{
	size_t size = unit_size(x), at = c->unit * size;
	const uint8_t *is = version_of(x, c, n);

	x->hash ^= unit_hash(x, c->unit, settled_unit(x, c->unit)) ^
		   unit_hash(x, c->unit, is);
	memcpy(x->settled + at, is, size);
	memcpy(x->work->pool->base + at, is, size);
	c->versions -= n;
	memmove(c->bytes, c->bytes + n * size, c->versions * size);
	c->flushed = 0;
}

static void settle(struct explorer *x, bool all)
{
	size_t left = 0;

	for (size_t i = 0; i < x->cells; i++) {
		struct cell *c = &x->cell[i];

		x->cell_of[c->unit] = 0;
		if (all || c->flushed)
			settle_cell(x, c, all ? c->versions : c->flushed);
		if (c->versions == 0) {
			free(c->bytes);
			continue;
		}
		x->cell[left++] = *c;
		x->cell_of[c->unit] = (uint32_t)left;
	}
	x->cells = left;
}

static void on_mark(struct explorer *x, enum event_kind kind, bool look)
{
	if (look)
		cut(x);
	if (kind == EVENT_BEGIN) {
		x->ex.high++;
		x->in_op = true;
		return;
	}
	x->in_op = false;
	if (!x->file || kind == EVENT_SYNCED)
		x->ex.low = x->ex.high;
	if (look)
		cut(x);
}

static void follow(struct explorer *x, const struct record *log,
		   const struct event *e, bool look)
{
	switch (e->kind) {
	case EVENT_STORE:
		on_store(x, e, log->bytes + e->bytes);
		break;
	case EVENT_FLUSH:
		if (!x->file)
			on_flush(x, e);
		break;
	case EVENT_FENCE:
	case EVENT_SYNC:
		if (x->file && e->kind == EVENT_FENCE)
			break;
		if (look)
			cut(x);
		settle(x, x->file);
		break;
	default:
		on_mark(x, e->kind, look);
	}
}

/* rewind_to_base - as it was before the log */
static void rewind_to_base(struct explorer *x, const struct record *log)
{
	for (size_t i = 0; i < x->cells; i++) {
		x->cell_of[x->cell[i].unit] = 0;
		free(x->cell[i].bytes);
	}
	x->cells = 0;
	for (size_t i = 0; i < log->events; i++) {
		const struct event *e = &log->event[i];
		size_t at = e->off / PAGE * PAGE;
		size_t n = round_up_u64(e->off + e->len, PAGE) - at;

		if (e->kind != EVENT_STORE)
			continue;
		memcpy(x->settled + at, x->base + at, n);
		memcpy(x->work->pool->base + at, x->base + at, n);
	}
}

/* check_complete - has every store gone through the table? */
static void check_complete(struct explorer *x)
{
	pick_all(x, true);
	put_image(x, true);
	if (memcmp(x->work->pool->base, x->final, x->work->pool->size))
		die("%s: a store has not gone through the table", x->name);
	record_restore(x->work, x->settled);
}

void explore(struct explorer *x, const struct record *log,
	     const struct expect *ex, unsigned int from)
{
	unsigned int begun = 0;

	x->ex = *ex;
	x->in_op = false;
	x->hash = 0;
	for (x->at = 0; x->at < log->events; x->at++) {
		const struct event *e = &log->event[x->at];

		begun += e->kind == EVENT_BEGIN;
		follow(x, log, e, begun >= from);
	}
	cut(x);
	if (x->final)
		check_complete(x);
	rewind_to_base(x, log);
}
