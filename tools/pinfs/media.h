/* SPDX-License-Identifier: BSD-3-Clause */
/* The structures of the media format as tables of fields. */
#ifndef PINFS_MEDIA_H
#define PINFS_MEDIA_H

#include "field.h"
#include "format/pinfs_format.h"

extern const struct field media_blkhdr[];
extern const struct field media_super[];
extern const struct field media_jstate[];
extern const struct field media_inode[];
extern const struct field media_intent[];
extern const struct field media_orphan[];
extern const struct field media_extent[];
extern const struct field media_index[];

/* struct media_dirent_row - an entry of a directory in a fixed size */
struct media_dirent_row {
	uint64_t key;
	uint64_t ino;
	uint8_t type;
	char name[PINFS_NAME_MAX + 1];
};

extern const struct field media_dirent[];

/* media_magic_name - what a block with that magic is; NULL: unknown */
const char *media_magic_name(uint32_t magic);

#endif
