/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The logical state of a file system: all names with types, link counts, sizes,
 * times, allocation, extended attributes, targets of links; and all contents.
 */
#ifndef PINFS_CRASH_STATE_H
#define PINFS_CRASH_STATE_H

#include "fs/fs.h"

#define STATE_FILES  32u
#define STATE_BLOCKS 512u /* of a file */
#define ROOT_NODE    1u

struct state_file {
	uint64_t node;
	size_t at; /* in data[] */
	size_t size;
	bool mapped[STATE_BLOCKS]; /* the block holds data */
};

struct state {
	uint8_t *meta;
	size_t nmeta, meta_room;
	uint8_t *data;
	size_t ndata, data_room;
	struct state_file file[STATE_FILES];
	unsigned int files;
	uint64_t hash;
};

/* state_take - 0, or what a look-up or a read said */
int state_take(struct state *s, struct fs *fs);
void state_free(struct state *s);

/*
 * struct expect - which states an image may show: from low to high
 * @writes: a bit each state: a write of data has led to it
 *
 * That write alone may show in part in the state before: bytes of blocks that
 * held data before are old or new; all else of the state before is as it was.
 * With a file as the pool other operations may lie between; then a byte is old or
 * one that some write has written (bytes 0x80 to 0xdf are no others').
 */
struct expect {
	struct state *state;
	unsigned int low, high;
	unsigned int writes;
};

/*
 * state_zeroed - images that were accepted with zeroes in place of old bytes
 *
 * Known of files as pools: before a file grows, the rest of its last block is
 * zeroed in place, even if the truncate that has made it the last is not sealed
 * yet. If the power fails then, the longer file is back, with these zeroes.
 */
extern uint64_t state_zeroed;

/* state_matches - is s one of them? Says in why what is nearest, if not. */
bool state_matches(const struct state *s, const struct expect *ex, char *why,
		   size_t size);

#endif
