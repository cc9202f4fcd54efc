/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The journal: transactions over the pool's metadata (S1).
 *
 * A transaction collects private copies of what it changes. tx_commit() writes
 * them as one checksummed record; until the record is whole nothing is visible,
 * so aborting is forgetting. Then the changes go to their home locations:
 *
 *   persistent memory  at once, before tx_commit() returns;
 *   ordinary file      to an overlay in memory. A thread, the checkpointer,
 *                      brings records home after it has *sealed* them: made
 *                      data and records durable, in this order, for the kernel
 *                      may write any page of a shared mapping back at any
 *                      time (S2).
 *
 * Records lie in lanes, so that threads commit side by side; a global number
 * orders them. Two transactions that run at once never change the same 64-byte
 * line: the caller's locks, held until tx_commit() returns, see to that. Bits
 * of bitmaps are changed bit by bit, so that a bitmap block may be shared.
 */
#ifndef PINFS_JOURNAL_H
#define PINFS_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/pinfs_format.h"
#include "pool/pool.h"

struct journal;
struct tx;

/* struct journal_counts - what statfs needs, exact for committed state */
struct journal_counts {
	int64_t free_blocks;
	int64_t used_inodes;
	uint64_t transactions;
	uint64_t checkpoints;
};

/* struct journal_recovery - what opening the journal had to do */
struct journal_recovery {
	bool was_clean;
	uint64_t replayed; /* records brought home */
	uint64_t dropped; /* records that power loss had left unsealed */
};

#define JOURNAL_READ_ONLY 1u /* recover nothing, refuse to begin */
#define JOURNAL_NO_THREAD 2u /* recover only, for one who then closes */

/*
 * journal_open - recover what the last owner left, and begin (S3)
 * @sb: stays the caller's, must outlive the journal
 * @boot_id: 16 bytes, of the running kernel; zeroes if that is not known
 *
 * With JOURNAL_READ_ONLY, -EUCLEAN if there is something to recover; else
 * -EUCLEAN for a damaged journal, or what pool_sync() said.
 */
int journal_open(struct pool *pool, const struct pinfs_super *sb,
		 const uint8_t *boot_id, unsigned int flags,
		 struct journal **out, struct journal_recovery *rec);

/* journal_replay_private - apply all records to a private mapping, for fsck */
int journal_replay_private(struct pool *pool, const struct pinfs_super *sb,
			   const uint8_t *boot_id,
			   struct journal_recovery *rec);

/* journal_close - bring all home and mark the pool clean; NULL is fine */
int journal_close(struct journal *j);

/* journal_abandon - free the journal as a crash would leave it; for tests */
void journal_abandon(struct journal *j);

/*
 * journal_sync - all that is committed now, and all that was stored in place
 *                before, survives power loss on return
 *
 * Nothing to do on persistent memory. Never called between journal_enter() and
 * journal_leave().
 */
int journal_sync(struct journal *j);

/* journal_youngest - the number of the record that was written last */
uint64_t journal_youngest(struct journal *j);

/* journal_is_sealed - do records up to this number survive power loss? */
bool journal_is_sealed(struct journal *j, uint64_t seq);

/*
 * journal_enter, journal_leave - frame every use of journal_read()'s pointers
 *
 * Pointers, and transactions, live until journal_leave(), which takes what
 * journal_enter() returned. Costs nothing on persistent memory.
 */
unsigned int journal_enter(struct journal *j);
void journal_leave(struct journal *j, unsigned int guard);

/* journal_read - a block's committed contents; blkno is inside the pool */
const void *journal_read(struct journal *j, uint64_t blkno);

/* journal_fetch - a hint that the block will be read at off; blkno is inside */
void journal_fetch(struct journal *j, uint64_t blkno, size_t off);

void journal_counts(struct journal *j, struct journal_counts *counts);

/* journal_error - 0, or the error after which nothing more is written */
int journal_error(struct journal *j);

struct pool *journal_pool(struct journal *j);
const struct pinfs_super *journal_super(struct journal *j);

/*
 * journal_when_home - call fn once all that is committed now is home and sealed
 *
 * Blocks that were freed may be used again then, not before. At once on
 * persistent memory. On a file the checkpointer calls it, holding no lock, and
 * journal_close() calls what is left. The caller keeps the memory until then.
 */
struct journal_waiter {
	struct journal_waiter *next;
	uint64_t seq;
	void (*fn)(struct journal_waiter *w);
};

void journal_when_home(struct journal *j, struct journal_waiter *w);

/* journal_bring_home - do it now, and wait; not between enter and leave */
int journal_bring_home(struct journal *j);

/* --- transactions --------------------------------------------------------- */

/* tx_begin - NULL if there is no memory */
struct tx *tx_begin(struct journal *j);

/*
 * tx_commit - make it happen; the transaction is gone whatever it returns
 *
 * Returns 0, -EFBIG for a record larger than a lane takes, -EROFS, or the error
 * that stopped the journal; except for 0 nothing has changed.
 */
int tx_commit(struct tx *tx);

/* tx_abort - forget it; NULL is fine */
void tx_abort(struct tx *tx);

struct journal *tx_journal(struct tx *tx);

/* Seals the checksums of lines before they are written. */
typedef void (*tx_seal_fn)(void *lines, uint64_t blkno, uint64_t seed);

/*
 * tx_lines - a private copy of lines, to be changed; NULL without memory
 *
 * The same copy on every call with the same blkno and first.
 */
void *tx_lines(struct tx *tx, uint64_t blkno, unsigned int first,
	       unsigned int count, tx_seal_fn seal);

/* tx_block - the same for a whole block that begins with pinfs_blkhdr */
void *tx_block(struct tx *tx, uint64_t blkno);

/*
 * tx_block_new - a block of zeroes for one that this transaction allocated
 *
 * It goes straight to its home location before the record commits: nobody can
 * see it until then.
 */
void *tx_block_new(struct tx *tx, uint64_t blkno);

/* tx_forget - blkno is freed by this very transaction: do not write it */
void tx_forget(struct tx *tx, uint64_t blkno);

/* tx_read - journal_read() that sees tx's own changes; tx may be NULL */
const void *tx_read(struct journal *j, struct tx *tx, uint64_t blkno);

/* tx_read_lines - the same for lines that tx_lines() takes */
const void *tx_read_lines(struct journal *j, struct tx *tx, uint64_t blkno,
			  unsigned int first);

/* tx_set_bits, tx_clear_bits - of the bitmap block blkno, when it commits */
int tx_set_bits(struct tx *tx, uint64_t blkno, uint32_t first, uint32_t count);
int tx_clear_bits(struct tx *tx, uint64_t blkno, uint32_t first,
		  uint32_t count);

/* tx_count - change the counters by so much when it commits */
void tx_count(struct tx *tx, int64_t free_blocks, int64_t used_inodes);

/*
 * struct tx_hook - called when the transaction has ended, in order of adding
 *
 * committed says how; with it, changes are visible and, on persistent memory,
 * durable. The caller keeps the memory until then.
 */
struct tx_hook {
	struct tx_hook *next;
	void (*fn)(struct tx_hook *hook, bool committed);
};

void tx_on_end(struct tx *tx, struct tx_hook *hook);

/* tx_weight - bytes that the record takes at most by now */
size_t tx_weight(const struct tx *tx);

/* journal_max_weight - a tx_weight() that a commit surely takes */
size_t journal_max_weight(struct journal *j);

#endif
