/* SPDX-License-Identifier: BSD-3-Clause */
/* A pool in a scratch folder with a journal, and with free space if wanted. */
#ifndef PINFS_TEST_JRIG_H
#define PINFS_TEST_JRIG_H

#include "journal/journal.h"
#include "scratch.h"
#include "space/space.h"

#define JRIG_SMALL (16ull << 20) /* 4 lanes of 256 KiB, one group */

/* struct jrig - what is open of it; as_file, flags and boot may be changed */
struct jrig {
	char path[320];
	bool as_file; /* treat memory like a file on a disk */
	unsigned int flags; /* of jrig_open_journal() */
	uint8_t boot[16]; /* another one: the power has failed */
	struct pool *pool;
	struct pinfs_super sb;
	struct journal *j;
	struct space *sp;
	struct journal_recovery rec; /* of the last jrig_open_journal() */
};

/* jrig_make - a new pool with an empty file system, opened */
void jrig_make(struct jrig *r, enum scratch_kind kind, uint64_t size);

/* jrig_make_file - the same, of memory that counts as a file on a disk */
void jrig_make_file(struct jrig *r, uint64_t size, unsigned int flags);

/* jrig_at - for a pool that is there already, not opened */
void jrig_at(struct jrig *r, const char *path);

void jrig_open_pool(struct jrig *r);
int jrig_try_journal(struct jrig *r, unsigned int flags);
void jrig_open_journal(struct jrig *r);
void jrig_open(struct jrig *r);
void jrig_open_space(struct jrig *r);

int jrig_close(struct jrig *r); /* returns what journal_close() says */
void jrig_crash(struct jrig *r); /* as when the process is killed */
void jrig_power_cut(struct jrig *r); /* the same, and another kernel boots */

/* Blocks that a test of the journal alone may use as it likes. */
uint64_t jrig_block(const struct jrig *r, unsigned int i);
uint64_t jrig_bitmap(const struct jrig *r); /* of the first group */

const struct pinfs_jstate *jrig_state(const struct jrig *r);

/* jrig_write - commit one line of a block, full of value; what it returned */
int jrig_write(struct jrig *r, uint64_t blkno, unsigned int line,
	       uint64_t value);

/* jrig_read - that value; all of the line has to be of it */
uint64_t jrig_read(struct jrig *r, uint64_t blkno, unsigned int line);

/* jrig_plain - tx_seal_fn for lines without a checksum */
void jrig_plain(void *lines, uint64_t blkno, uint64_t seed);

/*
 * jrig_check_space - every bitmap is whole at home, and the journal's count of
 *                   free blocks is theirs
 */
void jrig_check_space(struct jrig *r);

int64_t jrig_free_blocks(struct jrig *r);

#endif
