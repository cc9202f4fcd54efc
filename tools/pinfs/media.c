// SPDX-License-Identifier: BSD-3-Clause
#include "media.h"

#include "base/util.h"

#define H(member, kind, label) \
	FIELD_LE(struct pinfs_blkhdr, member, kind, label)
#define S(member, kind, label) FIELD_LE(struct pinfs_super, member, kind, label)
#define J(member, kind, label) \
	FIELD_LE(struct pinfs_jstate, member, kind, label)
#define I(member, kind, label) FIELD_LE(struct pinfs_inode, member, kind, label)

const struct field media_blkhdr[] = {
	H(level, NUMBER, "level"), H(count, NUMBER, "count"),
	H(csum, HEX, "checksum"),  H(blkno, NUMBER, "own address"),
	H(owner, NUMBER, "owner"), FIELD_END,
};

const struct field media_super[] = {
	S(version, NUMBER, "format version"),
	S(block_size, NUMBER, "block size"),
	S(uuid, UUID, "UUID"),
	S(label, TEXT, "label"),
	S(compat, HEX, "compat features"),
	S(ro_compat, HEX, "ro-compat features"),
	S(incompat, HEX, "incompat features"),
	S(total_blocks, NUMBER, "blocks"),
	S(journal_start, NUMBER, "journal at block"),
	S(lanes, NUMBER, "journal lanes"),
	S(lane_blocks, NUMBER, "blocks a lane"),
	S(root_block, NUMBER, "root block"),
	S(groups_start, NUMBER, "groups at block"),
	S(groups, NUMBER, "groups"),
	S(first_free, NUMBER, "first free block"),
	S(csum_seed, HEX, "checksum seed"),
	S(hash_seed, HEX, "hash seed"),
	S(mkfs_time, TIME, "made"),
	FIELD_END,
};

static const char *const jstate_flags[] = { "clean", "volatile", NULL };

const struct field media_jstate[] = {
	J(update, NUMBER, "update"),
	J(checkpoint_seq, NUMBER, "checkpoint"),
	J(sealed_seq, NUMBER, "sealed"),
	FIELD_LE_NAMES(struct pinfs_jstate, flags, BITS, "flags", jstate_flags),
	J(free_blocks, NUMBER, "free blocks"),
	J(used_inodes, NUMBER, "inodes in use"),
	J(mount_count, NUMBER, "mounts"),
	J(mount_time, TIME, "last mounted"),
	J(change_time, TIME, "written"),
	J(boot_id, UUID, "boot id"),
	FIELD_END,
};

static const char *const inode_flags[] = { "dax",    "immutable", "append",
					   "nodump", "noatime",	  "sync",
					   NULL };

const struct field media_inode[] = {
	I(gen, NUMBER, "generation"),
	I(csum, HEX, "checksum"),
	I(ino, NUMBER, "inode"),
	I(mode, OCTAL, "mode"),
	I(nlink, NUMBER, "links"),
	I(uid, NUMBER, "uid"),
	I(gid, NUMBER, "gid"),
	I(size, NUMBER, "size"),
	I(blocks, NUMBER, "blocks"),
	FIELD_LE_NAMES(struct pinfs_inode, flags, BITS, "flags", inode_flags),
	I(atime, TIME, "accessed"),
	I(atime_ns, NUMBER, NULL),
	I(mtime, TIME, "modified"),
	I(mtime_ns, NUMBER, NULL),
	I(ctime, TIME, "changed"),
	I(ctime_ns, NUMBER, NULL),
	I(btime, TIME, "born"),
	I(btime_ns, NUMBER, NULL),
	I(rdev, HEX, "device"),
	I(parent, NUMBER, "parent"),
	I(xattr, NUMBER, "attributes at block"),
	I(target, NUMBER, "target at block"),
	I(tree_level, NUMBER, "tree level"),
	I(tree_count, NUMBER, "tree count"),
	FIELD_END,
};

static const char *const intents[] = { "none",	 "remove",  "collapse",
				       "insert", "unwrite", "unfill",
				       "settle", NULL };

const struct field media_intent[] = {
	FIELD_LE_NAMES(struct pinfs_intent, op, NAMED, "operation", intents),
	FIELD_LE(struct pinfs_intent, first, NUMBER, "first block"),
	FIELD_LE(struct pinfs_intent, count, NUMBER, "blocks"),
	FIELD_LE(struct pinfs_intent, cursor, NUMBER, "cursor"),
	FIELD_END,
};

const struct field media_orphan[] = {
	FIELD_LE(struct pinfs_orphan, on_list, NUMBER, "on the list"),
	FIELD_LE(struct pinfs_orphan, next, NUMBER, "next"),
	FIELD_LE(struct pinfs_orphan, prev, NUMBER, "previous"),
	FIELD_END,
};

static const char *const extent_flags[] = { "unwritten", "fresh", NULL };

const struct field media_extent[] = {
	FIELD_LE(struct pinfs_extent, lblk, NUMBER, "FILE-BLOCK"),
	FIELD_LE(struct pinfs_extent, pblk, NUMBER, "POOL-BLOCK"),
	FIELD_LE(struct pinfs_extent, len, NUMBER, "BLOCKS"),
	FIELD_LE_NAMES(struct pinfs_extent, flags, BITS, "FLAGS", extent_flags),
	FIELD_END,
};

const struct field media_index[] = {
	FIELD_LE(struct pinfs_index, key, NUMBER, "KEY"),
	FIELD_LE(struct pinfs_index, child, NUMBER, "CHILD"),
	FIELD_END,
};

/* By DT_*. */
static const char *const types[] = { "unknown", "fifo", "chr",	"3",   "dir",
				     "5",	"blk",	"7",	"reg", "9",
				     "lnk",	"11",	"sock", NULL };

const struct field media_dirent[] = {
	FIELD(struct media_dirent_row, key, HEX, "KEY"),
	FIELD(struct media_dirent_row, ino, NUMBER, "INODE"),
	FIELD_NAMES(struct media_dirent_row, type, NAMED, "TYPE", types),
	FIELD(struct media_dirent_row, name, TEXT, "NAME"),
	FIELD_END,
};

const char *media_magic_name(uint32_t magic)
{
	static const struct {
		uint32_t magic;
		const char *name;
	} names[] = {
		{ PINFS_MAGIC_SUPER, "superblock" },
		{ PINFS_MAGIC_JSTATE, "journal state" },
		{ PINFS_MAGIC_JREC, "journal record" },
		{ PINFS_MAGIC_GROUP, "group bitmap" },
		{ PINFS_MAGIC_IMAP, "inode bitmap" },
		{ PINFS_MAGIC_INODE, "inodes" },
		{ PINFS_MAGIC_INDEX, "index node" },
		{ PINFS_MAGIC_EXTENTS, "extent leaf" },
		{ PINFS_MAGIC_DIRENTS, "directory leaf" },
		{ PINFS_MAGIC_BLOB, "blob" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].magic == magic)
			return names[i].name;
	return NULL;
}
