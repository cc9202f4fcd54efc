// SPDX-License-Identifier: BSD-3-Clause
/* The explorer: what is durable, and what may be, along a log. */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "explore_i.h"

#define PAGE PINFS_BLOCK_SIZE

void explorer_init(struct explorer *x, struct record *work, bool file,
		   unsigned int depth)
{
	size_t size = work->pool->size;

	memset(x, 0, sizeof(*x));
	x->work = work;
	x->file = file;
	x->depth = depth;
	x->base = malloc(size);
	x->settled = malloc(size);
	x->cell_of = calloc(size / unit_size(x), sizeof(*x->cell_of));
	x->seen_room = 1u << 16;
	x->seen = calloc(x->seen_room, sizeof(*x->seen));
	if (depth < EXPLORE_DEPTH)
		x->inner = malloc(sizeof(*x->inner));
	if (!x->base || !x->settled || !x->cell_of || !x->seen ||
	    (depth < EXPLORE_DEPTH && !x->inner))
		die("out of memory");
	memcpy(x->base, work->pool->base, size);
	memcpy(x->settled, work->pool->base, size);
	if (x->inner)
		explorer_init(x->inner, work, file, depth + 1);
}

void explorer_free(struct explorer *x)
{
	if (x->inner)
		explorer_free(x->inner);
	free(x->inner);
	free(x->base);
	free(x->settled);
	free(x->cell_of);
	free(x->cell);
	free(x->seen);
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
		return;
	}
	x->returned = x->ex.high;
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
	case EVENT_DEVICE:
		on_store(x, e, log->bytes + e->bytes);
		break;
	case EVENT_FLUSH:
		if (!x->file)
			on_flush(x, e);
		break;
	case EVENT_FENCE:
	case EVENT_SYNC:
		if (x->file && e->kind == EVENT_FENCE) {
			if (look)
				kill_here(x);
			break;
		}
		if (look)
			cut(x);
		settle(x, x->file);
		break;
	case EVENT_PINNED:
	case EVENT_UNPINNED:
		x->pinned = e->kind == EVENT_PINNED;
		break;
	case EVENT_LOOK:
		if (look)
			cut(x);
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

		if (e->kind != EVENT_STORE && e->kind != EVENT_DEVICE)
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

	x->log = log;
	x->ex = *ex;
	x->returned = ex->high;
	x->pinned = false;
	x->late = 0;
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
