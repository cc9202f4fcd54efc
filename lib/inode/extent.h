/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file's extents: which pool block holds which block of the file. Up to ten
 * are in the inode, more in a B+tree. The caller holds the inode's lock,
 * exclusively for changes.
 */
#ifndef PINFS_EXTENT_H
#define PINFS_EXTENT_H

#include "inode/inode.h"

/* struct extent - blocks [lblk, lblk + len) of the file; a hole if pblk is 0 */
struct extent {
	uint64_t lblk;
	uint64_t pblk;
	uint64_t len;
	bool unwritten; /* allocated, reads as zeroes */
	bool fresh; /* of a change that may be taken back (PINFS_INTENT_UNFILL) */
};

#define EXTENT_END (1ull << 51) /* no file block has this number: 2^63 bytes */

/* extent_is_data - are there bytes to be read? */
static inline bool extent_is_data(const struct extent *e)
{
	return e->pblk != 0 && !e->unwritten;
}

/*
 * extent_find - what is at lblk: the extent from lblk on, or the hole up to the
 *               next extent (to EXTENT_END behind the last)
 */
int extent_find(struct inode *ip, struct tx *tx, uint64_t lblk,
		struct extent *out);

/* extent_add - map a part of a hole; joins what continues */
int extent_add(struct inode *ip, struct tx *tx, const struct extent *e);

/*
 * extent_remove - unmap [lblk, end) and free the blocks, from lblk upwards
 * @budget: pieces it may free; what is left of it afterwards
 *
 * A piece is an extent, or as much of a longer one as there are blocks in a
 * group: each group's bits take room in the transaction's record.
 *
 * Returns 0 when nothing is mapped there any more, -EAGAIN when the budget is
 * used up: commit, and call again.
 */
int extent_remove(struct inode *ip, struct tx *tx, uint64_t lblk, uint64_t end,
		  unsigned int *budget);

/*
 * extent_remove_fresh - extent_remove(), but only of fresh extents
 *
 * *lblk takes the point that it goes on from.
 */
int extent_remove_fresh(struct inode *ip, struct tx *tx, uint64_t *lblk,
			uint64_t end, unsigned int *budget);

/* extent_settle - the same range, but what is fresh becomes ordinary */
int extent_settle(struct inode *ip, struct tx *tx, uint64_t *lblk, uint64_t end,
		  unsigned int *budget);

/*
 * extent_mark - have all extents in [lblk, end) written or unwritten, none fresh
 *
 * As extent_remove(), but counts whole extents; *lblk takes the point that it
 * goes on from.
 */
int extent_mark(struct inode *ip, struct tx *tx, uint64_t *lblk, uint64_t end,
		bool unwritten, unsigned int *budget);

/* extent_cut - have an extent begin at lblk if one crosses it */
int extent_cut(struct inode *ip, struct tx *tx, uint64_t lblk);

/*
 * extent_shift_down - extents from *cursor on begin by blocks earlier
 * extent_shift_up - extents from first to the last begin by blocks later,
 *                   the last first; *cursor is the end of what is left
 *
 * None crosses the boundary (extent_cut). As extent_remove().
 */
int extent_shift_down(struct inode *ip, struct tx *tx, uint64_t *cursor,
		      uint64_t by, unsigned int *budget);
int extent_shift_up(struct inode *ip, struct tx *tx, uint64_t first,
		    uint64_t *cursor, uint64_t by, unsigned int *budget);

/* extent_last - where the last extent ends; 0 if there is none */
int extent_last(struct inode *ip, struct tx *tx, uint64_t *end);

/* extent_count_upto - pieces, see extent_remove(), in [lblk, end), at most max */
unsigned int extent_count_upto(struct inode *ip, struct tx *tx, uint64_t lblk,
			       uint64_t end, unsigned int max, int *err);

#endif
