/* SPDX-License-Identifier: BSD-3-Clause */
/* A whole file system instance in a scratch folder, and files of it. */
#ifndef PINFS_TEST_SCRATCH_FS_H
#define PINFS_TEST_SCRATCH_FS_H

#include <stdbool.h>

#include "fs/fs.h"
#include "scratch.h"

#define SCRATCH_ROOT 1u /* the root's node */

struct scratch_fs {
	struct pool *pool;
	struct fs *fs;
	struct fs_options opt;
};

/* scratch_fs_make - a new pool in memory; opt NULL: two workers, no limits */
void scratch_fs_make(struct scratch_fs *sf, uint64_t size,
		     const struct fs_options *opt);
void scratch_fs_open(struct scratch_fs *sf);

/* scratch_fs_close - drains first */
void scratch_fs_close(struct scratch_fs *sf);

/* scratch_fs_file - a new, empty file in the root; its node */
uint64_t scratch_fs_file(struct scratch_fs *sf, const char *name);

/* scratch_fs_inode - a handle; the caller's */
struct inode *scratch_fs_inode(struct scratch_fs *sf, uint64_t node);

/* scratch_byte - what a file with that seed has at pos; never 0 */
uint8_t scratch_byte(unsigned int seed, uint64_t pos);
void scratch_bytes(void *buf, unsigned int seed, uint64_t pos, size_t len);

/* scratch_fs_write - scratch_bytes() of the seed, all of them */
void scratch_fs_write(struct scratch_fs *sf, uint64_t node, unsigned int seed,
		      uint64_t off, size_t len);

/* scratch_fs_has - are [off, off + len) in the file, and the seed's? */
bool scratch_fs_has(struct scratch_fs *sf, uint64_t node, unsigned int seed,
		    uint64_t off, size_t len);

/* scratch_fs_is_zero - are they there, and zero? */
bool scratch_fs_is_zero(struct scratch_fs *sf, uint64_t node, uint64_t off,
			size_t len);

uint64_t scratch_fs_size(struct scratch_fs *sf, uint64_t node);

/* scratch_fs_blocks - that the file has been given */
uint64_t scratch_fs_blocks(struct scratch_fs *sf, uint64_t node);

uint64_t scratch_fs_free(struct scratch_fs *sf);

/* scratch_fs_pins - pins of the file's blocks, all together */
uint64_t scratch_fs_pins(struct scratch_fs *sf, uint64_t node);

/* scratch_fs_change - a change of an idle file, done when it returns */
int scratch_fs_change(struct scratch_fs *sf, uint64_t node,
		      enum pinfs_change kind, uint64_t off, uint64_t len);

/* scratch_fs_soil - leave bytes of a deleted file in all free blocks (S4) */
void scratch_fs_soil(struct scratch_fs *sf);

#endif
