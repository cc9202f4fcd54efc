// SPDX-License-Identifier: BSD-3-Clause
/* The explorer: which images are built where the power fails. */
#include "explore_i.h"

uint64_t dice(struct explorer *x)
{
	uint64_t z = (x->seed += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

void pick_all(struct explorer *x, bool there)
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

static void pick_every(struct explorer *x)
{
	pick_all(x, false);
	do
		judge(x, false);
	while (pick_next(x));
}

/* combinations - of all units' versions; at most is enough to know */
static size_t combinations(const struct explorer *x, size_t most)
{
	size_t product = 1;

	for (size_t i = 0; i < x->cells && product <= most; i++)
		product *= x->cell[i].versions + 1;
	return product;
}

static void pick_subsets(struct explorer *x)
{
	for (size_t set = 0; set < (size_t)1 << x->cells; set++) {
		pick_all(x, false);
		for (size_t i = 0; i < x->cells; i++)
			if (set >> i & 1)
				x->cell[i].pick = x->cell[i].versions;
		judge(x, false);
	}
}

/* pick_one - unit i alone, in each version but, if it is not to be, the last */
static void pick_one(struct explorer *x, size_t i, bool last)
{
	pick_all(x, false);
	for (uint32_t n = 1; n + !last <= x->cell[i].versions; n++) {
		x->cell[i].pick = n;
		judge(x, false);
	}
}

static void pick_all_but(struct explorer *x, size_t i)
{
	pick_all(x, true);
	x->cell[i].pick = 0;
	judge(x, false);
}

static void pick_two(struct explorer *x, size_t i, size_t k)
{
	pick_all(x, false);
	x->cell[i].pick = x->cell[i].versions;
	x->cell[k].pick = x->cell[k].versions;
	judge(x, false);
}

static void pick_ones(struct explorer *x)
{
	bool few = x->cells <= x->picks.ones;

	for (size_t n = 0; n < (few ? x->cells : x->picks.ones); n++)
		pick_one(x, few ? n : dice(x) % x->cells, true);
	for (size_t n = 0; n < (few ? x->cells : x->picks.ones); n++)
		pick_all_but(x, few ? n : dice(x) % x->cells);
}

static void pick_twos(struct explorer *x)
{
	if (x->cells * (x->cells - 1) / 2 > x->picks.twos) {
		for (size_t n = 0; n < x->picks.twos; n++)
			pick_two(x, dice(x) % x->cells, dice(x) % x->cells);
		return;
	}
	for (size_t i = 0; i < x->cells; i++)
		for (size_t k = i + 1; k < x->cells; k++)
			pick_two(x, i, k);
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
	if (x->cells <= x->picks.lines) {
		x->tally.subsets++;
		pick_subsets(x);
		for (size_t i = 0; i < x->cells; i++)
			pick_one(x, i, false);
	} else {
		pick_all(x, false);
		judge(x, false);
		pick_all(x, true);
		judge(x, false);
		pick_ones(x);
		pick_twos(x);
	}
	for (size_t i = 0; i < x->picks.sample; i++)
		pick_by_chance(x, false);
}

/* stores_to_come - of the device, behind where the log is followed to */
static size_t stores_to_come(const struct explorer *x)
{
	size_t n = 0;

	for (size_t i = x->at; i < x->log->events; i++)
		n += x->log->event[i].kind == EVENT_DEVICE;
	return n;
}

/* kill_here - the daemon dies; what its device has in flight lands, or not */
void kill_here(struct explorer *x)
{
	size_t come = x->pinned ? stores_to_come(x) : 0;
	const size_t late[] = { 0, come / 2, come };

	pick_all(x, true);
	for (size_t i = 0; i < (come ? 3 : 1); i++) {
		x->late = late[i];
		judge(x, true);
	}
	x->late = 0;
	pick_all(x, true);
}

/* cut - the power fails here */
void cut(struct explorer *x)
{
	x->tally.cuts++;
	if (combinations(x, x->picks.all) <= x->picks.all) {
		x->tally.whole++;
		pick_every(x);
	} else {
		pick_some(x);
	}
	for (size_t i = 0; !x->file && x->cells && i < x->picks.torn; i++)
		pick_by_chance(x, true);
	if (x->file || x->pinned)
		kill_here(x);
	pick_all(x, true);
}
