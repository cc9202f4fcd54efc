/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The logical state of a file system: all names with types, link counts, sizes,
 * times, allocation, extended attributes, targets of links; and all contents.
 */
#ifndef PINFS_CRASH_STATE_H
#define PINFS_CRASH_STATE_H

#include "fs/fs.h"

#define STATE_MAX    18u /* states of a workload */
#define STATE_NODES  64u
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
	uint64_t blocks[STATE_NODES]; /* st_blocks of all names, in order */
	unsigned int nodes;
	uint64_t hash;
};

/* state_take - 0, or what a look-up or a read said */
int state_take(struct state *s, struct fs *fs);
void state_free(struct state *s);

/*
 * struct state_dma - a device that stores into a file, bytes 0xf0 to 0xff
 * @node: of the file; 0: there is none
 * @from, @to, @end: bytes of the file; what it stores behind end never counts
 * @first, @last: states in which it may store
 */
struct state_dma {
	uint64_t node;
	uint64_t from, to, end;
	unsigned int first, last;
};

/*
 * struct expect - which states an image may show: from low to high
 * @wrote: a node each state: a write of this file's data has led to it; 0: none
 * @slack: so many blocks more a file may have: nodes of its tree of extents,
 *         which grows in steps, and does not shrink when they are taken back
 *
 * That write alone may show in part in the state before: bytes of blocks that
 * held data before are old or new; all else of the state before is as it was.
 * With a file as the pool other operations may lie between; then a byte is old or
 * one that some write has written (bytes 0x80 to 0xdf are no others'). Where a
 * device stores a byte of a block that holds data is old, or the device's, until
 * the state in which all has arrived.
 */
struct expect {
	struct state *state;
	unsigned int low, high;
	uint64_t wrote[STATE_MAX];
	unsigned int slack;
	struct state_dma dma;
};

/* state_changed - the file that has other data in b than in a; 0: none */
uint64_t state_changed(const struct state *a, const struct state *b);

/* state_matches - is s one of them? Says in why what is nearest, if not. */
bool state_matches(const struct state *s, const struct expect *ex, char *why,
		   size_t size);

#endif
