/* SPDX-License-Identifier: BSD-3-Clause */
/* A volume in a scratch folder, and its root directory. */
#ifndef PINFS_TEST_SCRATCH_VOLUME_H
#define PINFS_TEST_SCRATCH_VOLUME_H

#include "inode/inode.h"
#include "scratch.h"

/* struct scratch_volume - of a test; all changes go to one inode, the root's */
struct scratch_volume {
	enum scratch_kind kind;
	struct pool *pool;
	struct volume *vol;
	struct inode *root;
	int64_t free_blocks; /* when it was new */
	unsigned int guard; /* of the transaction that is open */
};

/* scratch_volume_make - a new pool with an empty file system, opened */
void scratch_volume_make(struct scratch_volume *sv, enum scratch_kind kind,
			 uint64_t size);
void scratch_volume_close(struct scratch_volume *sv);

/* scratch_volume_open - what scratch_volume_close() has closed */
void scratch_volume_open(struct scratch_volume *sv);
void scratch_volume_reopen(struct scratch_volume *sv);

/* scratch_begin - lock the root and begin a transaction */
struct tx *scratch_begin(struct scratch_volume *sv);

/* scratch_end - commit if err is 0, else abort; returns err, or the commit's */
int scratch_end(struct scratch_volume *sv, struct tx *tx, int err);

/* scratch_enter, scratch_leave - lock the root to look at it */
void scratch_enter(struct scratch_volume *sv);
void scratch_leave(struct scratch_volume *sv);

int64_t scratch_free_blocks(struct scratch_volume *sv);

/* scratch_raw_root - the root's inode in a pool without a volume */
struct pinfs_inode *scratch_raw_root(const struct pool *pool);

/* scratch_fill - take free blocks until left are free, of all that there are */
void scratch_fill(struct scratch_volume *sv, int64_t left);

/* scratch_random - the next of a sequence that is the same in each run */
uint64_t scratch_random(uint64_t *state);

#endif
