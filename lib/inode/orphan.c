// SPDX-License-Identifier: BSD-3-Clause
/*
 * Orphan lists: inodes that a mount after a crash has to look at, because they
 * have no name but descriptors or pins had them (L10), or because a change of
 * their layout was not finished. Doubly linked through a line of its own in
 * each inode, so that neither end of it ever needs a block (S6).
 *
 * A list's lock is held from the change until the transaction has ended; it is
 * the last lock that a request takes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/omit.h"
#include "base/util.h"
#include "format/csum.h"
#include "inode/inode_i.h"
#include "inode/itable.h"
#include "inode/orphan_i.h"

#define ORPHAN_LINE_OF_INODE (PINFS_INODE_CSUM_BYTES / PINFS_LINE_SIZE)
#define LINES_PER_INODE	     (PINFS_INODE_SIZE / PINFS_LINE_SIZE)

/* struct place - where an orphan line is */
struct place {
	uint64_t blkno;
	unsigned int line;
};

struct unlock_hook {
	struct tx_hook hook;
	struct orphans *orphans;
	pthread_mutex_t *lock;
	int64_t delta; /* of the lists' lengths, if it commits */
};

static unsigned int list_of(uint64_t ino)
{
	return (unsigned int)(ino % PINFS_ORPHAN_LISTS);
}

static struct place head_place(struct volume *vol, unsigned int list)
{
	return (struct place){
		le64_to_cpu(vol->super.root_block),
		(unsigned int)(offsetof(struct pinfs_root, head) /
			       PINFS_LINE_SIZE) +
			list,
	};
}

static int inode_place(struct volume *vol, uint64_t ino, struct place *p)
{
	p->line =
		(unsigned int)(ino % PINFS_INODES_PER_BLOCK) * LINES_PER_INODE +
		ORPHAN_LINE_OF_INODE;
	return itable_locate(vol, ino, &p->blkno);
}

static void seal_orphan(void *line, uint64_t blkno, uint64_t seed)
{
	(void)blkno;
	format_orphan_seal(line, seed);
}

/* line_edit - a verified orphan line, to be changed; NULL with *err */
static struct pinfs_orphan *line_edit(struct volume *vol, struct tx *tx,
				      struct place p, int *err)
{
	const struct pinfs_orphan *o =
		tx_read_lines(vol->journal, tx, p.blkno, p.line);
	const char *why;

	*err = format_orphan_verify(o, vol->seed, &why);
	if (*err) {
		log_error("%s: orphan list: block %llu, line %u: %s: unmount "
			  "and run fsck.pinfs",
			  vol->pool->path, (unsigned long long)p.blkno, p.line,
			  why);
		return NULL;
	}
	o = tx_lines(tx, p.blkno, p.line, 1, seal_orphan);
	if (!o)
		*err = -ENOMEM;
	return (struct pinfs_orphan *)(uintptr_t)o;
}

static void unlock_list(struct tx_hook *hook, bool committed)
{
	struct unlock_hook *u = container_of(hook, struct unlock_hook, hook);

	if (committed)
		atomic_fetch_add(&u->orphans->count, u->delta);
	pthread_mutex_unlock(u->lock);
	free(u);
}

/* lock_list - until tx ends, which makes the list longer by delta */
static int lock_list(struct volume *vol, struct tx *tx, unsigned int list,
		     int64_t delta)
{
	struct unlock_hook *u = malloc(sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->hook.fn = unlock_list;
	u->orphans = vol->orphans;
	u->lock = &vol->orphans->lock[list];
	u->delta = delta;
	pthread_mutex_lock(u->lock);
	tx_on_end(tx, &u->hook);
	return 0;
}

/* edit_of - the line of inode ino, or of the list's head if ino is 0 */
static struct pinfs_orphan *edit_of(struct volume *vol, struct tx *tx,
				    uint64_t ino, unsigned int list, int *err)
{
	struct place p = head_place(vol, list);

	*err = ino ? inode_place(vol, ino, &p) : 0;
	if (*err == -ESTALE)
		*err = -EUCLEAN;
	return *err ? NULL : line_edit(vol, tx, p, err);
}

bool orphan_is_on_list(struct inode *ip)
{
	pthread_mutex_t *lock = &ip->vol->orphans->lock[list_of(ip->ino)];
	const struct pinfs_orphan *o;
	bool is;

	/* Its neighbours in the list change the line, too. */
	pthread_mutex_lock(lock);
	o = tx_read_lines(ip->vol->journal, NULL, ip->blkno,
			  ip->line + ORPHAN_LINE_OF_INODE);
	is = le64_to_cpu(o->on_list) != 0;
	pthread_mutex_unlock(lock);
	return is;
}

int orphan_add(struct inode *ip, struct tx *tx)
{
	struct volume *vol = ip->vol;
	unsigned int list = list_of(ip->ino);
	struct pinfs_orphan *head, *own, *next;
	uint64_t first;
	int err = lock_list(vol, tx, list, 1);

	if (err)
		return err;
	head = edit_of(vol, tx, 0, list, &err);
	own = head ? edit_of(vol, tx, ip->ino, list, &err) : NULL;
	if (!own)
		return err;
	first = le64_to_cpu(head->next);
	if (first) {
		next = edit_of(vol, tx, first, list, &err);
		if (!next)
			return err;
		next->prev = cpu_to_le64(ip->ino);
	}
	own->next = cpu_to_le64(first);
	own->prev = cpu_to_le64(0);
	own->on_list = cpu_to_le64(1);
	head->next = cpu_to_le64(ip->ino);
	return 0;
}

int orphan_remove(struct inode *ip, struct tx *tx)
{
	struct volume *vol = ip->vol;
	unsigned int list = list_of(ip->ino);
	struct pinfs_orphan *own, *prev, *next;
	int err = lock_list(vol, tx, list, -1);

	if (err)
		return err;
	own = edit_of(vol, tx, ip->ino, list, &err);
	prev = own ? edit_of(vol, tx, le64_to_cpu(own->prev), list, &err) :
		     NULL;
	if (!prev)
		return err;
	if (le64_to_cpu(own->on_list) == 0 ||
	    le64_to_cpu(prev->next) != ip->ino)
		return -EUCLEAN;
	prev->next = own->next;
	if (le64_to_cpu(own->next)) {
		next = edit_of(vol, tx, le64_to_cpu(own->next), list, &err);
		if (!next)
			return err;
		next->prev = own->prev;
	}
	memset(own, 0, sizeof(*own));
	return 0;
}

/* --- recovery ---------------------------------------------------------------- */

static uint64_t list_first(struct volume *vol, unsigned int list)
{
	unsigned int guard = journal_enter(vol->journal);
	struct place p = head_place(vol, list);
	const struct pinfs_orphan *o =
		tx_read_lines(vol->journal, NULL, p.blkno, p.line);
	uint64_t first = le64_to_cpu(o->next);

	journal_leave(vol->journal, guard);
	return first;
}

static int take_off(struct inode *ip)
{
	struct tx *tx = tx_begin(ip->vol->journal);
	int err = tx ? orphan_remove(ip, tx) : -ENOMEM;

	if (err) {
		tx_abort(tx);
		return err;
	}
	return tx_commit(tx);
}

/* recover_one - after it the inode is off its list */
static int recover_one(struct volume *vol, uint64_t ino)
{
	const struct pinfs_inode *di;
	unsigned int guard;
	struct inode *ip;
	int err = inode_get(vol, ino, INODE_ANY_GEN, &ip);

	if (err)
		return err == -ESTALE ? -EUCLEAN : err;
	guard = journal_enter(vol->journal);
	pthread_rwlock_wrlock(&ip->lock);
	di = inode_read(ip, NULL);
	if (le32_to_cpu(di->intent.op) != PINFS_INTENT_NONE &&
	    !OMITTED("S-intent"))
		err = inode_finish_intent(ip);
	else if (!ip->unlinked)
		err = take_off(ip);
	pthread_rwlock_unlock(&ip->lock);
	journal_leave(vol->journal, guard);
	inode_put(ip); /* frees an unlinked one */
	return err;
}

int orphan_recover(struct volume *vol)
{
	for (unsigned int list = 0; list < PINFS_ORPHAN_LISTS; list++) {
		uint64_t ino;

		while ((ino = list_first(vol, list)) != 0) {
			int err = recover_one(vol, ino);

			/* What does not leave the list would hold us up. */
			if (!err && list_first(vol, list) == ino)
				err = -EUCLEAN;
			if (err) {
				log_error("%s: orphan list %u, inode %llu: %s: "
					  "run fsck.pinfs",
					  vol->pool->path, list,
					  (unsigned long long)ino,
					  strerror(-err));
				return err;
			}
		}
	}
	/* Those that left the lists had not been counted. */
	atomic_store(&vol->orphans->count, 0);
	return 0;
}

uint64_t volume_orphans(struct volume *vol)
{
	int64_t n = atomic_load(&vol->orphans->count);

	return n > 0 ? (uint64_t)n : 0;
}

int orphan_open(struct volume *vol)
{
	vol->orphans = calloc(1, sizeof(*vol->orphans));
	if (!vol->orphans)
		return -ENOMEM;
	for (unsigned int i = 0; i < PINFS_ORPHAN_LISTS; i++)
		pthread_mutex_init(&vol->orphans->lock[i], NULL);
	return 0;
}

void orphan_close(struct volume *vol)
{
	if (!vol->orphans)
		return;
	for (unsigned int i = 0; i < PINFS_ORPHAN_LISTS; i++)
		pthread_mutex_destroy(&vol->orphans->lock[i]);
	free(vol->orphans);
	vol->orphans = NULL;
}
