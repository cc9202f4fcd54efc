// SPDX-License-Identifier: BSD-3-Clause
/* The explorer: one image, and what becomes of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/util.h"
#include "explore_i.h"
#include "verdict.h"

#define PAGE PINFS_BLOCK_SIZE

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

uint64_t unit_hash(const struct explorer *x, uint32_t unit,
		   const uint8_t *bytes)
{
	return XXH3_64bits_withSeed(bytes, unit_size(x), unit);
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
	uint64_t key = x->hash + kill + 2 * x->late;
	uint8_t bytes[PAGE];

	for (size_t i = 0; i < x->cells; i++) {
		const struct cell *c = &x->cell[i];

		if (!c->pick)
			continue;
		picked(x, c, bytes);
		key ^= unit_hash(x, c->unit, settled_unit(x, c->unit)) ^
		       unit_hash(x, c->unit, bytes);
	}
	return key ^ x->ex.state[x->ex.low].hash * 3 ^
	       x->ex.state[x->ex.high].hash * 5;
}

/* --- judging an image --------------------------------------------------------- */

/* put_late - the first stores of the device that come after the death */
static void put_late(struct explorer *x)
{
	size_t left = x->late;

	for (size_t i = x->at; left > 0; i++) {
		const struct event *e = &x->log->event[i];

		if (e->kind != EVENT_DEVICE)
			continue;
		record_touch(x->work, e->off, e->len);
		memcpy(x->work->pool->base + e->off, x->log->bytes + e->bytes,
		       e->len);
		left--;
	}
}

void put_image(struct explorer *x, bool kill)
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
	put_late(x);
	if (x->file && !kill)
		verdict_reboot(x->work);
}

static void complain(struct explorer *x, bool kill, const char *why)
{
	static const char *const where[] = { "", " of recovery",
					     " of recovery of recovery" };
	size_t there = 0, torn = 0;
	char text[1200];

	for (size_t i = 0; i < x->cells; i++) {
		there += x->cell[i].pick != 0;
		torn += x->cell[i].torn != 0;
	}
	snprintf(text, sizeof(text),
		 "%s: event %zu%s%s: %zu of %zu units, %zu torn, %zu late, "
		 "states %u to %u: %s",
		 x->name, x->at, where[x->depth], kill ? ", killed" : "", there,
		 x->cells, torn, x->late, x->ex.low, x->ex.high, why);
	if (x->tally.violations++ == 0)
		memcpy(x->first, text, sizeof(text));
	if (!x->quiet && x->tally.violations < 10)
		printf("VIOLATION: %s\n", text);
}

static void add_tally(struct explorer *x, const struct tally *from)
{
	struct tally *to = &x->tally;

	to->cuts += from->cuts;
	to->whole += from->whole;
	to->subsets += from->subsets;
	to->images += from->images;
	to->distinct += from->distinct;
	to->violations += from->violations;
	to->recoveries[0]++;
	to->recovery_images[0] += from->distinct - from->recovery_images[0];
	to->recoveries[1] += from->recoveries[0];
	to->recovery_images[1] += from->recovery_images[0];
}

/* record_recovery - of the image in work, which is there again afterwards */
static struct record record_recovery(struct explorer *x, const uint8_t *image)
{
	struct record log;

	record_start(x->work, DEFECT_NONE);
	if (verdict_recover(x->work))
		die("%s: does not recover twice", x->name);
	record_stop(x->work);
	record_restore(x->work, image);
	log = *x->work;
	x->work->event = NULL;
	x->work->bytes = NULL;
	x->work->event_room = 0;
	x->work->byte_room = 0;
	return log;
}

/*
 * recut - record the recovery of the image in work, and explore that log
 *
 * Of what the daemon's death has left the power may yet take what was not sealed.
 */
static void recut(struct explorer *x, const struct expect *ex)
{
	struct explorer *in = x->inner;
	size_t size = x->work->pool->size;
	struct record log;

	memcpy(in->base, x->work->pool->base, size);
	memcpy(in->settled, in->base, size);
	log = record_recovery(x, in->base);
	memset(&in->tally, 0, sizeof(in->tally));
	memset(in->seen, 0, in->seen_room * sizeof(*in->seen));
	in->nseen = 0;
	in->name = x->name;
	in->probe = x->probe;
	in->quiet = x->quiet;
	explore(in, &log, ex, 0);
	free(log.event);
	free(log.bytes);
	add_tally(x, &in->tally);
	if (in->tally.violations && !x->first[0])
		snprintf(x->first, sizeof(x->first), "%s", in->first);
	memcpy(x->work->pool->base, x->settled, size);
}

static bool is_recut(struct explorer *x)
{
	return x->inner && x->recut_in && dice(x) % x->recut_in == 0;
}

void judge(struct explorer *x, bool kill)
{
	struct expect whole = x->ex;
	const char *why;

	x->tally.images++;
	/* The daemon's death takes nothing that had returned (S2). */
	if (kill && x->depth == 0)
		x->ex.low = x->returned;
	if ((x->stop && x->tally.violations) || !is_new(x, image_key(x, kill)))
		goto out;
	x->tally.distinct++;
	put_image(x, kill);
	why = verdict(x->work, &x->ex, x->probe);
	record_restore(x->work, x->settled);
	if (why) {
		complain(x, kill, why);
	} else if (is_recut(x)) {
		put_image(x, kill);
		recut(x, &whole);
	}
out:
	x->ex = whole;
}
