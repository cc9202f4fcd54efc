/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Damaged images, each made from a short input.
 *
 * One valid image of everything that the format knows is made when the program
 * starts. An input is a list of changes to it; what was changed is sealed again,
 * so that it gets past the checksums, unless the input says that it is not to be.
 * Around the pool lies memory that nobody may touch (S5).
 */
#ifndef PINFS_FUZZ_IMAGE_H
#define PINFS_FUZZ_IMAGE_H

#include "format/pinfs_format.h"
#include "pool/pool.h"

/* What an item is about: blocks of a kind, of which index chooses one. */
enum target {
	TARGET_SUPER, /* and its backup */
	TARGET_JSTATE,
	TARGET_ROOT,
	TARGET_GROUP,
	TARGET_IMAP,
	TARGET_INODE, /* one inode; 0 is the inode file */
	TARGET_INDEX,
	TARGET_EXTENTS,
	TARGET_DIRENTS,
	TARGET_BLOB,
	TARGET_RECORD, /* one record of the journal */
	TARGET_ANY, /* block number index, never sealed */
	TARGET_ENTRY, /* one more entry for a new record */
	TARGET_COMMIT, /* the new record: to the end of lane index */
	TARGETS,
};

#define TARGET_MASK 15u
#define TARGET_RAW  128u /* leave it without a right checksum */

enum change {
	CHANGE_STORE, /* size bytes of value */
	CHANGE_BLOCK, /* the number of block value of kind ref */
	CHANGE_INO, /* the number of inode value */
	CHANGE_ADD, /* value, to a number of size bytes */
	CHANGE_FILL, /* 16 * size bytes with the value's first */
	CHANGE_COPY, /* all of it, from block value of kind ref */
	CHANGES,
};

#define CHANGE_MASK  7u
#define CHANGE_COUNT 128u /* of bitmaps: have the number of clear bits right */

/* struct item - one change; numbers are little-endian, sizes up to 8 */
struct item {
	uint8_t target;
	uint8_t change;
	le16 index;
	le16 at; /* bytes from the start of the target */
	uint8_t size;
	uint8_t ref; /* enum target */
	le64 value;
};

#define INPUT_FILE	1u /* an ordinary file rather than persistent memory */
#define INPUT_RANGE	2u /* layout_scope=range */
#define INPUT_READ_ONLY 4u
#define INPUT_CLEAN	8u /* an image that was unmounted */
#define INPUT_ABANDON	16u /* end it as a crash would */

/* struct input - what an input begins with; items follow */
struct input {
	uint8_t flags; /* INPUT_* */
	uint8_t seed; /* of what is done with it */
	uint8_t unused[6];
};

#define ITEMS_MAX 64u

/* image_init - make the valid image; ends the program if it is not one */
void image_init(void);

/*
 * image_take - the pool as an input has it; NULL if the input is too short
 *
 * It is one and the same each time, and what was done to it before is undone.
 */
struct pool *image_take(const uint8_t *data, size_t size, struct input *in);

/* image_twin - a second pool with the same contents */
struct pool *image_twin(const uint8_t *data, size_t size);

#endif
