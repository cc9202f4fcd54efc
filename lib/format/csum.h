/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checksums and verifiers of the media format (S5).
 *
 * A verifier looks at one structure only and never asserts: what a medium says
 * is an answer, not a fact.  It returns 0 or -EUCLEAN, and in *why where it
 * failed, a static string.
 */
#ifndef PINFS_FORMAT_CSUM_H
#define PINFS_FORMAT_CSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/pinfs_format.h"

/* format_csum - XXH3-64 of n bytes with the 8 bytes at csum_off taken as 0 */
uint64_t format_csum(const void *buf, size_t n, size_t csum_off, uint64_t seed);

/* format_block_seal - set blkno, owner stays; then the checksum */
void format_block_seal(struct pinfs_blkhdr *hdr, uint64_t blkno, uint64_t seed);

/* format_block_verify - magic, address and checksum of a 4 KiB block */
int format_block_verify(const struct pinfs_blkhdr *hdr, uint32_t magic,
			uint64_t blkno, uint64_t seed, const char **why);

void format_inode_seal(struct pinfs_inode *di, uint64_t seed);

/*
 * format_inode_verify - the 448 bytes of an inode, its orphan line apart
 *
 * Checks the checksum, ino, mode, tree, sizes and intent, but nothing that
 * another block says.  A free slot (format_inode_is_free) is not verified.
 */
int format_inode_verify(const struct pinfs_inode *di, uint64_t ino,
			uint64_t seed, const char **why);

bool format_inode_is_free(const struct pinfs_inode *di);

void format_orphan_seal(struct pinfs_orphan *o, uint64_t seed);

/* format_orphan_verify - a line of zeroes counts as an empty one */
int format_orphan_verify(const struct pinfs_orphan *o, uint64_t seed,
			 const char **why);

/*
 * format_super_verify - a superblock at blkno of a pool of pool_blocks
 *
 * -EMEDIUMTYPE: no pinfs there; -EUCLEAN: damaged; -ENOSPC: the pool is shorter
 * than the superblock says; -EOPNOTSUPP: a newer version or an unknown incompat
 * feature.
 */
int format_super_verify(const struct pinfs_super *sb, uint64_t blkno,
			uint64_t pool_blocks, const char **why);

void format_super_seal(struct pinfs_super *sb, uint64_t blkno);

/* format_feature_name - of an incompat bit, known or not; a static string */
const char *format_feature_name(unsigned int bit);

/*
 * format_inode_map_verify - what an inode points to lies in the pool
 *
 * That its inline entries are in order, format_inode_verify() has checked.
 */
int format_inode_map_verify(const struct pinfs_inode *di, uint64_t total_blocks,
			    const char **why);

/* The nodes of trees, bitmaps and blobs, with all that their entries promise. */
int format_index_verify(const struct pinfs_index_node *n, uint64_t blkno,
			uint64_t total_blocks, uint64_t seed, const char **why);
int format_extents_verify(const struct pinfs_extent_node *n, uint64_t blkno,
			  uint64_t total_blocks, uint64_t seed,
			  const char **why);
int format_dirents_verify(const struct pinfs_dirent_node *n, uint64_t blkno,
			  uint64_t seed, const char **why);
int format_blob_verify(const struct pinfs_blob *b, uint64_t blkno,
		       uint64_t total_blocks, uint64_t seed, const char **why);

/* format_bitmap_verify - magic is PINFS_MAGIC_GROUP or PINFS_MAGIC_IMAP */
int format_bitmap_verify(const struct pinfs_bitmap *b, uint32_t magic,
			 uint64_t index, uint64_t blkno, uint64_t seed,
			 const char **why);

/* format_jstate_pick - the state in force of A and B, or NULL */
const struct pinfs_jstate *format_jstate_pick(const struct pinfs_jstate *a,
					      const struct pinfs_jstate *b,
					      uint64_t a_blkno, uint64_t seed);

/* format_dirent_size - bytes that a name takes in its leaf */
static inline size_t format_dirent_size(size_t name_len)
{
	return (PINFS_DIRENT_HEAD + name_len + 7) & ~(size_t)7;
}

/* format_name_hash - 63-bit key of a name with its low 7 bits clear */
uint64_t format_name_hash(const char *name, size_t len, uint64_t hash_seed);

/* struct format_geometry - where mkfs puts things, from the pool's size alone */
struct format_geometry {
	uint64_t total_blocks;
	uint64_t journal_start;
	uint32_t lanes;
	uint32_t lane_blocks;
	uint64_t root_block;
	uint64_t groups_start;
	uint64_t groups;
	uint64_t first_free;
};

/* format_geometry - -ENOSPC below PINFS_MIN_BLOCKS, -EFBIG above the maximum */
int format_geometry(uint64_t total_blocks, struct format_geometry *g);

#endif
