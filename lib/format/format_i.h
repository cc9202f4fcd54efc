/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of lib/format share and nobody else sees. */
#ifndef PINFS_FORMAT_I_H
#define PINFS_FORMAT_I_H

#include "format/csum.h"

/* A file of 2^63 bytes ends at this block. */
#define FORMAT_MAX_LBLK (1ull << 51)

/* format_inode_csum_verify - 0 or -EUCLEAN */
int format_inode_csum_verify(const struct pinfs_inode *di, uint64_t seed);

/* format_extent_list_verify - in order, without overlap, in the pool */
int format_extent_list_verify(const struct pinfs_extent *e, unsigned int count,
			      uint64_t total_blocks, const char **why);

/* format_index_list_verify - keys ascend, children in the pool */
int format_index_list_verify(const struct pinfs_index *x, unsigned int count,
			     uint64_t total_blocks, const char **why);

#endif
