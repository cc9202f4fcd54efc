/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Repairing: what a repair notes, and the steps of it.
 *
 * All of it happens in the private mapping of the pool.  A repair goes in
 * rounds, each of them all passes, until one finds nothing and changes nothing:
 * that one is the proof of the others.
 */
#ifndef PINFS_FSCK_REPAIR_H
#define PINFS_FSCK_REPAIR_H

#include "fsck.h"

struct volume;

/* struct piece - blocks of a file that is built anew */
struct piece {
	uint64_t lblk;
	uint64_t pblk;
	uint32_t len;
	bool unwritten;
	bool copy; /* somebody else has these blocks, too */
};

/* struct broken - an inode that is to be built anew */
struct broken {
	uint64_t ino;
	bool search; /* leaves of it may lie about in the pool */
	bool remake; /* the inode itself is lost */
	uint8_t type; /* DT_REG or DT_DIR; remake: 0 until a leaf is found */
	struct piece *piece; /* of a file */
	const struct pinfs_dirent **name; /* of a directory; in the mapping */
	size_t count; /* of either */
	uint8_t *xattr; /* attributes to be written, or NULL */
	size_t xattr_len;
};

/* struct spare_map - a bitmap of inodes that has no block yet */
struct spare_map {
	uint64_t index;
	struct pinfs_bitmap *map;
};

/* struct repair - all but the first four are of one round */
struct repair {
	struct bits dirty; /* blocks that are not as in the pool */
	/*
	 * Blocks that were in use when the repair began, by a bitmap or a
	 * reference.  They are not allocated, so that nothing is overwritten
	 * which the next run would need if this one is cut.
	 */
	struct bits before;
	bool searched; /* the pool, for blocks of the inode file */
	bool settled; /* the bitmaps are this repair's own */
	bool hold; /* settle(): what was in use before counts as in use */
	bool emptied; /* the journal is void, and its lanes to be wiped */

	bool changed;
	uint64_t seen_group; /* + 1, of the group that seen_good is about */
	bool seen_good;
	bool search; /* do that in the next round */
	bool replant; /* the inode file's tree is not what f->itable says */
	bool remap; /* the bitmaps of blocks are to be made anew */
	bool relist; /* the orphan lists are to be built anew */
	uint64_t last_taken;
	struct spare_map *spare;
	size_t spares;
	struct broken *broken;
	size_t brokens;
	uint64_t *lost; /* inodes for lost+found */
	size_t losts;
};

/* repair_open - from now on f's findings are repaired; 0 or -ENOMEM */
int repair_open(struct fsck *f);
void repair_close(struct fsck *f); /* harmless if it is not open */

/*
 * fsck_repair - check and repair, until nothing is found
 *
 * -EUCLEAN if it does not come to an end; -ENOSPC, -ECANCELED; what
 * fsck_check() returns.
 */
int fsck_repair(struct fsck *f);

/* fsck_forget - what one round has noted */
void fsck_forget(struct fsck *f);

/*
 * fsck_write - bring what a repair has made to the pool, mapped shared and
 *              claimed for writing
 *
 * Brings the journal home first, as a mount would.  Before the first block
 * changes, the journal's state says that a repair is under way, so that a cut
 * leaves nothing that could be mounted.  -ENOSPC: the disk is full, and nothing
 * was changed.
 */
int fsck_write(struct fsck *f, struct pool *to);

/* is_repairing - all that can be, not only what can be without a loss */
bool is_repairing(const struct fsck *f);

/* repair_is_due - must a rebuild follow before the passes behind this one? */
bool repair_is_due(const struct fsck *f, int (*pass)(struct fsck *f));

/* edit - the block that p is in is going to be changed: p, to be stored to */
void *edit(struct fsck *f, const void *p);

/* edit_at - the same for a block by number */
void *edit_at(struct fsck *f, uint64_t blkno);

/* edit_inode, seal_inode - around every change of an inode */
struct pinfs_inode *edit_inode(struct fsck *f, uint64_t ino);
void seal_inode(const struct fsck *f, struct pinfs_inode *di);

/*
 * inode_mend - believe an inode but for its magic number, its own number and its
 *              checksum, if all else in it makes sense; false: it is as it was
 */
bool inode_mend(const struct fsck *f, uint64_t ino, struct pinfs_inode *di);

/* imap_edit - mark ino used or free; true if that is possible */
bool imap_mark(struct fsck *f, uint64_t ino, bool used);

/* note_broken - ino, which has an info, is to be built anew; NULL: no memory */
struct broken *note_broken(struct fsck *f, uint64_t ino);
int note_lost(struct fsck *f, uint64_t ino);

/* grown - an array of count with room for one more; NULL without memory */
void *grown(void *array, size_t count, size_t size);

/* take_free - a block that nobody has or had; -ENOSPC */
int take_free(struct fsck *f, uint64_t *blkno);

/* group_is_good - the bitmap of a group; looked at again after settle() */
bool group_is_good(const struct fsck *f, uint64_t g);

/* on_medium - is a block in use, as its bitmap says?  No, if that is damaged. */
bool on_medium(const struct fsck *f, uint64_t blkno);

/* read_boot_id - of the running kernel */
int read_boot_id(uint8_t id[16]);

/* The steps. */
void empty_journal(struct fsck *f);
int itable_search(struct fsck *f);
int itable_plant(struct fsck *f);
int itable_add_run(struct fsck *f, uint64_t lblk, uint64_t pblk, uint64_t len);
/* itable_join - have the runs in order again when some were added */
void itable_join(struct fsck *f);

/* itable_make_slot - a block of the inode file for ino, where it has none */
int itable_make_slot(struct fsck *f, uint64_t ino);
void inode_clear(struct fsck *f, uint64_t ino);
int salvage(struct fsck *f); /* find what is to be built anew, and of what */
int rebuild(struct fsck *f);
void settle(struct fsck *f); /* have bitmaps and counts be as known by now */

#endif
