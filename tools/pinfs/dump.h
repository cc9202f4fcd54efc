/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of pinfs dump; each adds to the report what it finds. */
#ifndef PINFS_DUMP_H
#define PINFS_DUMP_H

#include "image.h"
#include "media.h"
#include "out.h"

/* dump_verdict - "damage": null or what is wrong */
void dump_verdict(struct out *o, const char *why);

/* dump_hex - n bytes; people see "all zeroes" if they are */
void dump_hex(struct out *o, const void *buf, size_t n);

/* dump_dirents - the entries of a leaf, as far as they lie inside it */
void dump_dirents(struct out *o, const struct pinfs_dirent_node *leaf);

/* Each: 0 or a negative errno, with what to complain about in *why. */
int dump_journal(struct out *o, const struct image *img, const char **why);
int dump_inode(struct out *o, const struct image *img, uint64_t ino,
	       const char **why);
int dump_dir(struct out *o, const struct image *img, uint64_t ino,
	     const char **why);
int dump_block(struct out *o, const struct image *img, uint64_t blkno, bool hex,
	       const char **why);

#endif
