/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inodes in memory.
 *
 * struct inode is the handle of an inode that somebody uses: an open file, a
 * request, a pin set, a break; some stay for a while when nobody does. Its
 * contents are where they belong, on the medium, and are looked at with
 * inode_read() and changed with inode_edit().
 *
 * Locks. inode->lock is taken shared to look at contents, tree, entries; taken
 * exclusively, and held until tx_commit() has returned, to change them. Several
 * inodes are locked in ascending order of their numbers (inode_lock_all), then
 * an orphan list's, then the inode file's. A free inode that somebody still
 * has a handle of is marked dead: look after locking.
 */
#ifndef PINFS_INODE_H
#define PINFS_INODE_H

#include <pthread.h>
#include <stdatomic.h>

#include "inode/volume.h"

struct inode {
	struct volume *vol;
	uint64_t ino;
	uint32_t gen;
	unsigned int line; /* first of its 8 lines in blkno */
	uint64_t blkno; /* block of the inode file that it is in */
	pthread_rwlock_t lock;
	/* lock and, for writing, icache's: freed, and found by nobody any more */
	bool dead;
	bool unlinked; /* lock: nlink is 0; freed when the last handle goes */
	bool linkable; /* lock: it never had a name, and may be given one */
	/*
	 * Grows with each change that moves or frees a mapped block (L2);
	 * written with lock held exclusively.
	 */
	_Atomic uint64_t layout_seq;
	/* The layout layer's, NULL while the file has never been pinned. */
	_Atomic(void *) layout;
	/*
	 * Descriptors open: raised with lock held at least shared, so stable
	 * for who holds it exclusively, but for going down.
	 */
	_Atomic uint32_t opens;
	/*
	 * Handles. The first is given out, and the last goes, with icache's
	 * bucket lock held; who has one takes and drops others without.
	 */
	_Atomic uint32_t refs;
	struct inode *next; /* icache's bucket lock */
};

#define INODE_ANY_GEN UINT32_MAX

/*
 * inode_get - a handle of inode ino
 * @gen: generation that it must have, or INODE_ANY_GEN
 *
 * Returns -ESTALE if it is free or of another generation, -EUCLEAN if it is
 * damaged (logged), -ENOMEM.
 */
int inode_get(struct volume *vol, uint64_t ino, uint32_t gen,
	      struct inode **out);

/* inode_hold - one more handle for one who has one */
struct inode *inode_hold(struct inode *ip);

/*
 * inode_put - drop a handle; NULL is fine
 *
 * The last one of an unlinked inode frees its blocks and the inode (L10), so
 * this may take a while; no lock is held and no transaction open.
 */
void inode_put(struct inode *ip);

/* inode_lock_all - sorts ip[] by number, drops doubles, locks; returns how many */
unsigned int inode_lock_all(struct inode **ip, unsigned int n);
void inode_unlock_all(struct inode **ip, unsigned int n);

/*
 * inode_look - have ip stay as it is, to be looked at: its lock, shared, and a
 * guard of the journal's (journal_enter), for inode_look_end()
 */
static inline unsigned int inode_look(struct inode *ip)
{
	unsigned int guard = journal_enter(ip->vol->journal);

	pthread_rwlock_rdlock(&ip->lock);
	return guard;
}

static inline void inode_look_end(struct inode *ip, unsigned int guard)
{
	pthread_rwlock_unlock(&ip->lock);
	journal_leave(ip->vol->journal, guard);
}

/* inode_read - contents, the orphan line excepted; tx may be NULL */
const struct pinfs_inode *inode_read(struct inode *ip, struct tx *tx);

/* inode_edit - the same for change; NULL without memory; locked exclusively */
struct pinfs_inode *inode_edit(struct inode *ip, struct tx *tx);

static inline uint32_t inode_mode(struct inode *ip, struct tx *tx)
{
	return le32_to_cpu(inode_read(ip, tx)->mode);
}

static inline uint64_t inode_size(struct inode *ip, struct tx *tx)
{
	return le64_to_cpu(inode_read(ip, tx)->size);
}

/* inode_add_blocks - account for blocks given or taken; tx has ip's contents */
int inode_add_blocks(struct inode *ip, struct tx *tx, int64_t n);

/* struct inode_init - what a new inode begins with */
struct inode_init {
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t nlink;
	uint64_t rdev;
	uint64_t parent;
	uint64_t flags;
};

/*
 * inode_new - allocate an inode in tx
 *
 * The handle is locked exclusively: unlock it when tx has ended. If tx is
 * aborted, inode_new_undo() drops the handle.
 */
int inode_new(struct volume *vol, struct tx *tx, const struct inode_init *init,
	      struct inode **out);
void inode_new_undo(struct inode *ip);

/*
 * inode_free - the inode, without links, blocks and blobs, is free with tx
 *
 * Locked exclusively; dead once tx has committed.
 */
int inode_free(struct inode *ip, struct tx *tx);

/*
 * inode_drop_link - the last name is gone: free the inode with tx if it is small
 *                   and nobody uses it, else make it an orphan (L10)
 * @in_use: somebody has it open or pinned
 *
 * Locked exclusively. Sets unlinked when tx commits; inode_put() does the rest.
 */
int inode_drop_link(struct inode *ip, struct tx *tx, bool in_use);

/* inode_touch - set times to now: a set of INODE_* */
#define INODE_ATIME 1u
#define INODE_MTIME 2u
#define INODE_CTIME 4u
int inode_touch(struct inode *ip, struct tx *tx, unsigned int which);

/* inode_now - the clock that all times come from, with its granularity */
struct timespec inode_now(void);

/*
 * orphan_add, orphan_remove - on its list, for recovery to find (orphan.c)
 *
 * The list stays locked until tx ends, so at most one of them a transaction.
 */
int orphan_add(struct inode *ip, struct tx *tx);
int orphan_remove(struct inode *ip, struct tx *tx);
bool orphan_is_on_list(struct inode *ip);

/*
 * inode_reclaim - free all that an unlinked inode has, then the inode (L10)
 *
 * In several transactions; it is on its orphan list, so a crash in between is
 * no loss. Stops when somebody else gets a handle: his inode_put() goes on. No
 * lock held.
 */
int inode_reclaim(struct inode *ip);

/*
 * inode_finish_intent - go on with a change that needs more transactions
 *
 * Returns when the intent is done and off the orphan list. Locked exclusively,
 * no transaction open. What it does can't fail for want of space.
 */
int inode_finish_intent(struct inode *ip);

#endif
