// SPDX-License-Identifier: BSD-3-Clause
/* The table of findings (stable codes), and how they are printed. */
#include "findings.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "progress.h"

/* After that many of one code, the rest are counted only. */
#define PRINT_MAX 200

/* enum care - which repairs -p makes, too */
enum care {
	SAFE, /* it cannot lose anything */
	CAREFUL, /* it may have to give something up */
	NEVER, /* there is none */
};

/*
 * severity: "error" for what may cost data or make operations fail; "minor"
 * for what wastes space or shows wrong numbers.
 */
static const struct {
	const char *name;
	const char *severity;
	enum care care;
	const char *text;
	const char *repair;
} table[CODES] = {
	[SUPER_DAMAGED] = { "super-damaged", "error", CAREFUL,
			    "the superblock is damaged",
			    "write it anew from the backup" },
	[SUPER_BACKUP_DAMAGED] = { "super-backup-damaged", "error", SAFE,
				   "the backup superblock is damaged",
				   "write it anew from the superblock" },
	[SUPER_BACKUP_DIFFERS] = { "super-backup-differs", "minor", SAFE,
				   "the backup superblock is another one",
				   "write it anew from the superblock" },
	[SUPER_RO_COMPAT] = { "super-ro-compat", "minor", NEVER,
			      "features of a newer format are in use",
			      "none: a newer fsck.pinfs knows more" },
	[JOURNAL_STATE] = { "journal-state", "error", CAREFUL,
			    "both state blocks of the journal are damaged",
			    "start an empty journal, count anew" },
	[JOURNAL_REPLAY] = { "journal-replay", "error", CAREFUL,
			     "the journal cannot be replayed",
			     "drop its records, start an empty one, count anew" },
	[REPAIR_CUT] = { "repair-cut", "error", SAFE,
			 "a repair was cut while it was written",
			 "go on with it" },
	[ROOT_BLOCK] = { "root-block", "minor", SAFE,
			 "reserved bytes of the root block are in use",
			 "clear them" },
	[ITABLE_INODE] = { "itable-inode", "error", CAREFUL,
			   "the inode of the inode file is damaged",
			   "keep it if it makes sense, or search the pool for inodes" },
	[ITABLE_EXTENT] = { "itable-extent", "error", CAREFUL,
			    "the inode file has an impossible extent",
			    "mark it written if that is all, else drop it" },
	[IMAP_DAMAGED] = { "imap-damaged", "error", SAFE,
			   "a bitmap of inodes is damaged",
			   "make it anew from the inodes" },
	[IMAP_MISSING] = { "imap-missing", "error", CAREFUL,
			   "blocks of inodes without a bitmap",
			   "search the pool for it, or make it from the inodes" },
	[INODE_DAMAGED] = { "inode-damaged", "error", CAREFUL,
			    "an inode is damaged",
			    "keep it if it makes sense, or what its tree has, or free it" },
	[INODE_UNMAPPED] = { "inode-unmapped", "error", CAREFUL,
			     "inodes in use whose block is missing",
			     "search the pool for the block, or mark them free" },
	[INODE_UNMARKED] = { "inode-unmarked", "error", SAFE,
			     "an inode in use is marked free",
			     "mark it in use" },
	[INODE_BLOCKS] = { "inode-blocks", "minor", SAFE,
			   "an inode's count of blocks is wrong",
			   "set it to the blocks counted" },
	[INODE_NLINK] = { "inode-nlink", "error", SAFE,
			  "an inode's link count is wrong",
			  "set it to the names counted" },
	[INODE_UNREACHABLE] = { "inode-unreachable", "error", CAREFUL,
				"an inode without a name",
				"link it into lost+found" },
	[INODE_INTENT] = { "inode-intent", "error", SAFE,
			   "a change under way that recovery cannot find",
			   "put the inode on its orphan list" },
	[NODE_DAMAGED] = { "node-damaged", "error", CAREFUL,
			   "a block of a tree is damaged",
			   "build the tree anew from the leaves that are left" },
	[NODE_OWNER] = { "node-owner", "error", CAREFUL,
			 "a block of a tree belongs to another inode",
			 "build the tree anew from the leaves that are left" },
	[NODE_ORDER] = { "node-order", "error", CAREFUL,
			 "a tree's keys are out of order",
			 "build the tree anew from its leaves" },
	[EXTENT_ORDER] = { "extent-order", "error", CAREFUL,
			   "extents of a file overlap",
			   "drop what overlaps of the later one" },
	[BLOB_DAMAGED] = { "blob-damaged", "error", CAREFUL,
			   "a chain of attribute or target blocks is damaged",
			   "keep the attributes before the damage, remove a link" },
	[XATTR_DAMAGED] = { "xattr-damaged", "error", CAREFUL,
			    "extended attributes are damaged",
			    "keep those before the damage" },
	[SYMLINK_TARGET] = { "symlink-target", "error", CAREFUL,
			     "a symbolic link's target is damaged",
			     "remove the link" },
	[BLOCK_SHARED] = { "block-shared", "error", CAREFUL,
			   "blocks belong to two owners",
			   "give each file a copy, take metadata out of files" },
	[BLOCK_UNMARKED] = { "block-unmarked", "error", SAFE,
			     "blocks in use are marked free",
			     "mark them in use" },
	[BLOCK_LEAKED] = { "block-leaked", "minor", SAFE,
			   "blocks are marked in use, but nothing has them",
			   "mark them free" },
	[GROUP_DAMAGED] = { "group-damaged", "error", SAFE,
			    "a bitmap of blocks is damaged",
			    "make it anew from the blocks in use" },
	[COUNT_BLOCKS] = { "count-blocks", "minor", SAFE,
			   "the count of free blocks is wrong",
			   "set it to the blocks counted" },
	[COUNT_INODES] = { "count-inodes", "minor", SAFE,
			   "the count of inodes is wrong",
			   "set it to the inodes counted" },
	[DIR_HASH] = { "dir-hash", "error", CAREFUL,
		       "a name where lookup does not find it",
		       "enter it anew" },
	[DIR_DUPLICATE] = { "dir-duplicate", "error", CAREFUL,
			    "a name is twice in a directory",
			    "rename the second" },
	[DIR_DANGLING] = { "dir-dangling", "error", CAREFUL,
			   "a name of an inode that is not there",
			   "remove the name" },
	[DIR_TYPE] = { "dir-type", "minor", SAFE,
		       "a name says another type than its inode",
		       "set it to the inode's" },
	[DIR_TWICE] = { "dir-twice", "error", CAREFUL,
			"a directory has two names",
			"remove the one that is not its parent's" },
	[DIR_PARENT] = { "dir-parent", "error", SAFE,
			 "a directory's .. is not where its name is",
			 "set it to where the name is" },
	[DIR_CYCLE] = { "dir-cycle", "error", CAREFUL,
			"directories that cannot be reached from the root",
			"link one of them into lost+found" },
	[ROOT_DIR] = { "root-dir", "error", CAREFUL,
		       "there is no root directory",
		       "make it anew from what is left of its tree, or empty" },
	[ORPHAN_LINE] = { "orphan-line", "error", SAFE,
			  "an orphan line is damaged", "build the lists anew" },
	[ORPHAN_LIST] = { "orphan-list", "error", SAFE,
			  "an orphan list is linked wrongly",
			  "build the lists anew" },
	[ORPHAN_STRAY] = { "orphan-stray", "error", SAFE,
			   "an inode says it is on an orphan list, but is not",
			   "build the lists anew" },
};

struct findings {
	const char *path;
	bool json;
	bool verbose;
	enum fsck_mode mode;
	uint64_t count;
	uint64_t left; /* not to be repaired in this mode */
	bool repaired; /* and the pool has it */
	uint64_t by_code[CODES];
	json_t *list; /* with json only */
	json_t *notes;
};

struct findings *findings_new(const char *path, bool json, bool verbose)
{
	struct findings *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return NULL;
	fs->path = path;
	fs->json = json;
	fs->verbose = verbose;
	fs->list = json_array();
	fs->notes = json_object();
	return fs;
}

void findings_set_mode(struct findings *fs, enum fsck_mode mode)
{
	fs->mode = mode;
}

enum fsck_mode findings_mode(const struct findings *fs)
{
	return fs->mode;
}

static bool is_repaired(const struct findings *fs, enum code code)
{
	switch (fs->mode) {
	case FSCK_PREEN:
		return table[code].care == SAFE;
	case FSCK_REPAIR:
		return table[code].care != NEVER;
	default:
		return false;
	}
}

static void add_json(struct findings *fs, enum code code, uint64_t ino,
		     uint64_t blkno, const char *detail)
{
	json_t *o = json_pack("{ssssssssss}", "code", table[code].name,
			      "severity", table[code].severity, "text",
			      table[code].text, "detail", detail, "repair",
			      table[code].repair);

	if (ino != NOWHERE)
		json_object_set_new(o, "inode", json_integer((json_int_t)ino));
	if (blkno != NOWHERE)
		json_object_set_new(o, "block",
				    json_integer((json_int_t)blkno));
	json_array_append_new(fs->list, o);
}

static void print(struct findings *fs, enum code code, uint64_t ino,
		  uint64_t blkno, const char *detail)
{
	progress_end();
	printf("%s: %s: %s", fs->path, table[code].name, table[code].text);
	if (ino != NOWHERE)
		printf(", inode %" PRIu64, ino);
	if (blkno != NOWHERE)
		printf(", block %" PRIu64, blkno);
	if (detail[0])
		printf(": %s", detail);
	printf("\n");
	if (fs->verbose)
		printf("    repair: %s\n", table[code].repair);
}

bool found(struct findings *fs, enum code code, uint64_t ino, uint64_t blkno,
	   const char *fmt, ...)
{
	bool repaired = is_repaired(fs, code);
	char detail[512];
	va_list ap;

	fs->count++;
	fs->left += !repaired;
	if (fs->by_code[code]++ >= PRINT_MAX)
		return repaired;
	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	if (fs->json)
		add_json(fs, code, ino, blkno, detail);
	else
		print(fs, code, ino, blkno, detail);
	return repaired;
}

void findings_repaired(struct findings *fs)
{
	fs->repaired = true;
}

uint64_t findings_left(const struct findings *fs)
{
	return fs->left;
}

uint64_t findings_count(const struct findings *fs)
{
	return fs->count;
}

void findings_note(struct findings *fs, const char *name, uint64_t value)
{
	json_object_set_new(fs->notes, name, json_integer((json_int_t)value));
}

static void end_json(struct findings *fs, bool complete)
{
	json_t *counts = json_object();
	json_t *o;
	int i;

	for (i = 0; i < CODES; i++)
		if (fs->by_code[i])
			json_object_set_new(
				counts, table[i].name,
				json_integer((json_int_t)fs->by_code[i]));
	o = json_pack("{sssbsbsIsosOsO}", "pool", fs->path, "complete",
		      complete, "repaired", fs->repaired, "found",
		      (json_int_t)fs->count, "counts", counts, "summary",
		      fs->notes, "findings", fs->list);
	json_dumpf(o, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(o);
}

static void end_text(const struct findings *fs)
{
	const char *name;
	json_t *value;
	int i;

	for (i = 0; i < CODES; i++)
		if (fs->by_code[i] > PRINT_MAX)
			printf("%s: %s: and %" PRIu64 " more\n", fs->path,
			       table[i].name, fs->by_code[i] - PRINT_MAX);
	if (!fs->verbose)
		return;
	json_object_foreach(fs->notes, name, value)
		printf("%s: %s %" JSON_INTEGER_FORMAT "\n", fs->path, name,
		       json_integer_value(value));
}

void findings_end(struct findings *fs, bool complete)
{
	if (fs->json)
		end_json(fs, complete);
	else
		end_text(fs);
	json_decref(fs->list);
	json_decref(fs->notes);
	free(fs);
}

void findings_codes(void)
{
	int i;

	for (i = 0; i < CODES; i++)
		printf("%-21s %-6s %s\n%28s repair: %s\n", table[i].name,
		       table[i].severity, table[i].text, "", table[i].repair);
}
