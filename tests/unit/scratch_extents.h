/* SPDX-License-Identifier: BSD-3-Clause */
/* A file in a scratch volume, and a model of its extents. */
#ifndef PINFS_TEST_SCRATCH_EXTENTS_H
#define PINFS_TEST_SCRATCH_EXTENTS_H

#include "scratch_volume.h"

#define SCRATCH_SOME UINT64_MAX

/*
 * struct scratch_cell - what a block of the file has; a hole if pblk is 0, any
 *                       block, not known which, if it is SCRATCH_SOME
 */
struct scratch_cell {
	uint64_t pblk;
	bool unwritten;
};

struct scratch_extents {
	struct scratch_volume sv;
	struct inode *ip; /* of /f */
	uint64_t ino;
	int64_t empty_free; /* free blocks with the file empty */
	uint64_t cells;
	struct scratch_cell *model; /* cells of them; malloc()ed */
};

void scratch_extents_make(struct scratch_extents *se, enum scratch_kind kind,
			  uint64_t size, uint64_t cells);
void scratch_extents_open(struct scratch_extents *se);
void scratch_extents_close(struct scratch_extents *se); /* keeps the model */

/* scratch_extents_begin - lock the file exclusively and begin a transaction */
struct tx *scratch_extents_begin(struct scratch_extents *se);
void scratch_extents_end(struct scratch_extents *se, struct tx *tx,
			 bool commit);

/* scratch_extents_equal - does the file have what the model says, none fresh? */
bool scratch_extents_equal(struct scratch_extents *se,
			   const struct scratch_cell *model);

/* scratch_extents_compare - fails the test if not */
void scratch_extents_compare(struct scratch_extents *se);

/* What collapse and insert do to the model; its end is filled, or cut off. */
void scratch_model_collapse(struct scratch_extents *se, uint64_t first,
			    uint64_t count);
void scratch_model_insert(struct scratch_extents *se, uint64_t first,
			  uint64_t count);

#endif
