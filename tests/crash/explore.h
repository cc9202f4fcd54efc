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
 * every operation, where the log says so, and at the end. The daemon dies there,
 * too, with a file, and while a device stores: then all stores are there, and
 * what the device had still to store may come.
 */
#ifndef PINFS_CRASH_EXPLORE_H
#define PINFS_CRASH_EXPLORE_H

#include "record.h"
#include "state.h"

#define EXPLORE_DEPTH 2u /* a recovery is cut, and the recovery from that */

struct cell; /* a unit that is not durable as it is */

struct tally {
	uint64_t cuts; /* points where the power failed */
	uint64_t whole; /* of which with all combinations tried */
	uint64_t subsets; /* of the others, with all subsets of the units */
	uint64_t images; /* built */
	uint64_t distinct; /* judged */
	uint64_t recoveries[EXPLORE_DEPTH]; /* recorded and cut themselves */
	uint64_t recovery_images[EXPLORE_DEPTH]; /* judged; of distinct */
	uint64_t violations;
};

/*
 * struct picks - which images are built at one point
 *
 * All combinations of versions, if there are at most @all. Else, of at most
 * @lines units, all subsets, each unit with its last version; each other version
 * alone; and @sample combinations by chance. Of more units: none; all; each
 * alone, in each version; all but each; each two; and @sample by chance. Where
 * there are more than @ones, or @twos, of a sort, so many by chance. On
 * persistent memory @torn more by chance are torn inside of lines, at 8 bytes.
 */
struct picks {
	size_t all, lines, ones, twos, sample, torn;
};

struct explorer {
	struct record *work; /* its pool holds the image */
	uint8_t *base; /* what the log begins with; also the pool does */
	uint8_t *settled; /* durable by now; equal to base when not at work */
	bool file;
	bool probe;
	bool quiet; /* counts violations, says nothing */
	bool stop; /* at the first violation */
	struct picks picks;
	unsigned int recut_in; /* one in so many images has its recovery cut */
	struct explorer *inner; /* for that; NULL: no deeper */
	unsigned int depth; /* 0: not of a recovery */
	const char *name; /* of the workload */
	uint64_t seed;
	/* What the pool held at the end of the log; NULL: not known. */
	const uint8_t *final;
	struct tally tally;
	char first[1200]; /* violation */
	/* While at work: */
	const struct record *log;
	struct expect ex;
	unsigned int returned; /* ex.high as it was when an operation returned */
	bool pinned; /* a device may store */
	size_t late; /* stores of the device after the death in this image */
	struct cell *cell;
	size_t cells, cell_room;
	uint32_t *cell_of; /* 1 + index; a unit each */
	uint64_t *seen; /* a set of hashes */
	size_t nseen, seen_room;
	uint64_t hash; /* of settled against base */
	size_t at; /* index of the event */
};

/* explorer_init - depth 0; with explorers of recoveries below it */
void explorer_init(struct explorer *x, struct record *work, bool file,
		   unsigned int depth);
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
