/* SPDX-License-Identifier: BSD-3-Clause */
/* What fsck can find, and how it says so. */
#ifndef PINFS_FSCK_FINDINGS_H
#define PINFS_FSCK_FINDINGS_H

#include <stdbool.h>
#include <stdint.h>

/* The names in findings.c are what is stable; the order here is not. */
enum code {
	SUPER_DAMAGED,
	SUPER_BACKUP_DAMAGED,
	SUPER_BACKUP_DIFFERS,
	SUPER_RO_COMPAT,
	JOURNAL_STATE,
	JOURNAL_REPLAY,
	REPAIR_CUT,
	ROOT_BLOCK,
	ITABLE_INODE,
	ITABLE_EXTENT,
	IMAP_DAMAGED,
	IMAP_MISSING,
	INODE_DAMAGED,
	INODE_UNMAPPED,
	INODE_UNMARKED,
	INODE_BLOCKS,
	INODE_NLINK,
	INODE_UNREACHABLE,
	INODE_INTENT,
	NODE_DAMAGED,
	NODE_OWNER,
	NODE_ORDER,
	EXTENT_ORDER,
	BLOB_DAMAGED,
	XATTR_DAMAGED,
	SYMLINK_TARGET,
	BLOCK_SHARED,
	BLOCK_UNMARKED,
	BLOCK_LEAKED,
	GROUP_DAMAGED,
	COUNT_BLOCKS,
	COUNT_INODES,
	DIR_HASH,
	DIR_DUPLICATE,
	DIR_DANGLING,
	DIR_TYPE,
	DIR_TWICE,
	DIR_PARENT,
	DIR_CYCLE,
	ROOT_DIR,
	ORPHAN_LINE,
	ORPHAN_LIST,
	ORPHAN_STRAY,
	CODES,
};

#define NOWHERE UINT64_MAX

struct findings;

/* findings_new - of the pool at path; NULL without memory */
struct findings *findings_new(const char *path, bool json, bool verbose);

/* enum fsck_mode - which findings are repaired; the table says how careful */
enum fsck_mode {
	FSCK_CHECK, /* none */
	FSCK_PREEN, /* those whose repair cannot lose anything */
	FSCK_REPAIR, /* all that can be */
};

void findings_set_mode(struct findings *fs, enum fsck_mode mode);
enum fsck_mode findings_mode(const struct findings *fs);

/*
 * found - add one; ino and blkno say where, NOWHERE if it is of neither
 *
 * Returns whether it is to be repaired.
 */
bool found(struct findings *fs, enum code code, uint64_t ino, uint64_t blkno,
	   const char *fmt, ...) __attribute__((format(printf, 5, 6)));

uint64_t findings_count(const struct findings *fs);

/* findings_left - of them, those that were not to be repaired */
uint64_t findings_left(const struct findings *fs);

/* findings_repaired - all of them are, and the pool says so */
void findings_repaired(struct findings *fs);

/* findings_note - a number of the summary; name is a JSON name */
void findings_note(struct findings *fs, const char *name, uint64_t value);

/* findings_end - print what is left to print, and free */
void findings_end(struct findings *fs, bool complete);

/* findings_codes - print the table of codes */
void findings_codes(void);

#endif
