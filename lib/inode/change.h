/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Layout changes as the medium sees them: what truncate and fallocate do to a
 * file's extents, each all or nothing across a crash (S1). Whether the file is
 * idle is the business of the layer above (lib/layout).
 */
#ifndef PINFS_CHANGE_H
#define PINFS_CHANGE_H

#include "inode/inode.h"

/* struct inode_edge - bytes [from, to) of file block lblk are to be zero */
struct inode_edge {
	uint64_t lblk;
	uint32_t from;
	uint32_t to;
};

struct inode_change {
	enum pinfs_intent_op op;
	uint64_t first; /* blocks of the file */
	uint64_t count;
	uint64_t fill_first; /* holes in [fill_first, fill_end) become */
	uint64_t fill_end; /* unwritten blocks before op */
	bool set_size;
	uint64_t size; /* bytes */
	unsigned int edges; /* in edge[] */
	struct inode_edge edge[2];
	unsigned int touch; /* INODE_MTIME, INODE_CTIME */
	uint32_t clear_mode; /* mode bits to drop: setuid, setgid */
};

/*
 * inode_change - do it; ip is locked exclusively, no transaction is open
 *
 * Up to the first commit an error (-ENOSPC, -ENOMEM, -EUCLEAN) leaves the file
 * as it was. A change of many extents is logged as an intent there, and then
 * done step by step; recovery goes on with it. More holes than one transaction
 * fills (128) are filled before, in others, which recovery takes back.
 */
int inode_change(struct inode *ip, const struct inode_change *ch);

/*
 * inode_allocate - have [first, end) mapped; what was a hole is unwritten
 *
 * On -ENOSPC nothing is allocated. ip is locked exclusively, no transaction is
 * open.
 */
int inode_allocate(struct inode *ip, uint64_t first, uint64_t end);

/*
 * inode_is_unwritten_sealed - may unwritten blocks of ip be stored to?
 *
 * Not as long as a power failure can undo what has made data unwritten: it would
 * bring that data back. journal_sync() helps. Always true on persistent memory;
 * on a file now and then false because of another inode. ip is locked.
 */
bool inode_is_unwritten_sealed(struct inode *ip);

#endif
