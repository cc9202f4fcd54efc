/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The explorer: builds the images that a log of stores may leave when the power
 * fails, and has each distinct one judged.
 *
 *   persistent memory  the unit is a line of 64 bytes. Whatever was stored to it
 *                      since it was durable last may be there, each version;
 *                      flushed before a fence, it is there after it.
 *   file               the unit is a page. Whatever was stored to it since the
 *                      last sync may be there, each version.
 *
 * The power fails before every fence or sync, before and after the return of
 * every operation, and at the end. If there are at most limit combinations of
 * versions there, all are tried. If not: none; all; each unit alone; all but
 * each; then combinations by chance, up to limit in all. On persistent memory
 * as many as a sixteenth of limit are torn inside of lines, too, at 8 bytes.
 */
#ifndef PINFS_CRASH_EXPLORE_H
#define PINFS_CRASH_EXPLORE_H

#include "record.h"
#include "state.h"

struct cell; /* a unit that is not durable as it is */

struct tally {
	uint64_t cuts; /* points where the power failed */
	uint64_t whole; /* of which with all combinations tried */
	uint64_t images; /* built */
	uint64_t distinct; /* judged */
	uint64_t recoveries; /* that were recorded and cut themselves */
	uint64_t recovery_images; /* judged; of distinct */
	uint64_t violations;
};

struct explorer {
	struct record *work; /* its pool holds the image */
	uint8_t *base; /* what the log begins with; also the pool does */
	uint8_t *settled; /* durable by now; equal to base when not at work */
	bool file;
	bool probe;
	bool quiet; /* counts violations, says nothing */
	bool stop; /* at the first violation */
	size_t limit;
	unsigned int recut_in; /* one in so many images has its recovery cut */
	struct explorer *inner; /* for that */
	bool is_inner;
	const char *name; /* of the workload */
	uint64_t seed;
	/* What the pool held at the end of the log; NULL: not known. */
	const uint8_t *final;
	struct tally tally;
	char first[1200]; /* violation */
	/* While at work: */
	struct expect ex;
	bool in_op;
	struct cell *cell;
	size_t cells, cell_room;
	uint32_t *cell_of; /* 1 + index; a unit each */
	uint64_t *seen; /* a set of hashes */
	size_t nseen, seen_room;
	uint64_t hash; /* of settled against base */
	size_t at; /* index of the event */
};

void explorer_init(struct explorer *x, struct record *work, bool file);
void explorer_free(struct explorer *x);

/*
 * explore - all of a log; from: operations at its beginning that are not cut
 *
 * states[i] is what there was after i operations. ex->low and ex->high are what
 * holds at the beginning.
 */
void explore(struct explorer *x, const struct record *log,
	     const struct expect *ex, unsigned int from);

#endif
