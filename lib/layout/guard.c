// SPDX-License-Identifier: BSD-3-Clause
/*
 * The last line of L1: a block with a pin is neither freed nor given out.
 *
 * On a sound medium the protocol makes both impossible. A damaged one may have
 * two files share a block, so that a change of one meets the pins of the other,
 * or a file with blocks that count as free. Either is refused, and the change
 * that asked for it undone.
 */
#include "layout/layout_i.h"

#include <errno.h>

#include "base/log.h"

/* struct search - for whom a block is pinned */
struct search {
	uint64_t pblk;
	uint64_t ino; /* 0: not found */
};

static bool range_has(const struct pin_range *r, uint64_t pblk)
{
	for (size_t i = 0; r->pinned && i < r->nruns; i++)
		if (pblk - r->run[i].pblk < r->run[i].count)
			return true;
	return false;
}

static bool look_in(struct layout *lo, void *arg)
{
	struct search *s = arg;
	struct hold *h;

	list_for_each_entry(h, &lo->holds, in_layout)
		for (const struct pin_range *r = h->ranges; r; r = r->next)
			if (range_has(r, s->pblk))
				s->ino = lo->ino;
	return s->ino == 0;
}

/* check - -EUCLEAN, and says so, if one of the blocks is pinned */
static int check(struct layouts *ls, uint64_t first, uint64_t count,
		 const char *what)
{
	struct search s = { .pblk = first };

	/* A set is counted before it pins anything. */
	if (OMIT(ls, l1) || OMITTED("L10") || atomic_load(&ls->live) < LIVE_ONE)
		return 0;
	for (; s.pblk < first + count; s.pblk++)
		if (atomic_load(&ls->block_pins[s.pblk]))
			break;
	if (s.pblk == first + count)
		return 0;
	layouts_each(ls, look_in, &s);
	log_error("%s: block %llu is pinned, by a DMA of inode %llu, and %s: "
		  "refused (L1), for two things claim this block; unmount and "
		  "run fsck.pinfs",
		  ls->vol->pool->path, (unsigned long long)s.pblk,
		  (unsigned long long)s.ino, what);
	return -EUCLEAN;
}

int guard_free(void *arg, uint64_t first, uint64_t count)
{
	int err = check(arg, first, count, "was to be freed");

	if (!err)
		trace_freed(arg, first, count);
	return err;
}

int guard_take(void *arg, uint64_t first, uint64_t count)
{
	return check(arg, first, count, "counts as free");
}
