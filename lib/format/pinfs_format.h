/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The media format of pinfs, version 1 (S7).  docs/FORMAT.md describes every
 * byte in prose; format_assert.c pins every size and offset at compile time.
 *
 * A pool is an array of 4 KiB blocks.  Block 0 is the superblock, the last
 * block its backup.  In between, in this order:
 *
 *   journal   two state blocks (A, B), then LANES lanes of records
 *   root      the inode of the inode file and the heads of the orphan lists
 *   groups    one bitmap block for each 32,256 blocks of the pool
 *   blocks    everything else: data, tree nodes, blobs, the inode file
 *
 * Every metadata block but the root block and those of the inode file starts
 * with struct pinfs_blkhdr, whose checksum covers the block.  Those two hold
 * independently changing parts, each with a checksum of its own.
 *
 * All fields are little-endian; every reserved field is zero.
 */
#ifndef PINFS_FORMAT_H
#define PINFS_FORMAT_H

#include "format/le.h"

#define PINFS_BLOCK_SHIFT     12
#define PINFS_BLOCK_SIZE      (1u << PINFS_BLOCK_SHIFT)
#define PINFS_CHUNK_BLOCKS    512u /* 2 MiB: what one huge page maps */
#define PINFS_LINE_SIZE	      64u /* unit of the journal's records */
#define PINFS_LINES_PER_BLOCK (PINFS_BLOCK_SIZE / PINFS_LINE_SIZE)

#define PINFS_MIN_BLOCKS 4096u /* 16 MiB */
#define PINFS_MAX_BLOCKS (1ull << 40) /* 4 PiB */

#define PINFS_VERSION 1u

/* Magic numbers read as text in a dump of the pool. */
#define PINFS_MAGIC32(a, b, c, d)                                   \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | \
	 (uint32_t)(d) << 24)
#define PINFS_MAGIC_SUPER   PINFS_MAGIC32('P', 'I', 'S', 'B')
#define PINFS_MAGIC_JSTATE  PINFS_MAGIC32('P', 'I', 'J', 'S')
#define PINFS_MAGIC_JREC    PINFS_MAGIC32('P', 'I', 'J', 'R')
#define PINFS_MAGIC_GROUP   PINFS_MAGIC32('P', 'I', 'B', 'M')
#define PINFS_MAGIC_IMAP    PINFS_MAGIC32('P', 'I', 'I', 'M')
#define PINFS_MAGIC_INODE   PINFS_MAGIC32('P', 'I', 'N', 'O')
#define PINFS_MAGIC_INDEX   PINFS_MAGIC32('P', 'I', 'I', 'X')
#define PINFS_MAGIC_EXTENTS PINFS_MAGIC32('P', 'I', 'E', 'X')
#define PINFS_MAGIC_DIRENTS PINFS_MAGIC32('P', 'I', 'D', 'E')
#define PINFS_MAGIC_BLOB    PINFS_MAGIC32('P', 'I', 'B', 'L')

/*
 * struct pinfs_blkhdr - first 64 bytes of a metadata block
 *
 * csum is XXH3-64, seeded with the superblock's csum_seed, of the block's
 * 4,096 bytes with csum itself taken as zero.  blkno is the block's own
 * address, so that a misplaced block is found out; owner is the inode that
 * the block belongs to, 0 for the file system itself.  spec depends on magic.
 */
struct pinfs_blkhdr {
	le32 magic;
	le16 level; /* tree nodes: 0 is a leaf */
	le16 count; /* tree nodes: entries in use */
	le64 csum;
	le64 blkno;
	le64 owner;
	le64 spec[4];
};

/* --- superblock ---------------------------------------------------------- */

#define PINFS_SUPER_MAGIC "pinfs\0\r\n"
#define PINFS_LABEL_MAX	  64

/* A bit not listed here, if set in a pool, is one of a newer format. */
#define PINFS_COMPAT_KNOWN    0ull
#define PINFS_RO_COMPAT_KNOWN 0ull
#define PINFS_INCOMPAT_KNOWN  0ull

/*
 * struct pinfs_super - block 0, and a copy in the pool's last block
 *
 * Written by mkfs; afterwards only label and uuid ever change.  An unknown
 * bit in incompat refuses the pool, one in ro_compat refuses to write to it,
 * one in compat is ignored.
 */
struct pinfs_super {
	struct pinfs_blkhdr hdr;
	uint8_t magic[8]; /* PINFS_SUPER_MAGIC */
	le32 version;
	le32 block_size;
	le64 compat;
	le64 ro_compat;
	le64 incompat;
	uint8_t uuid[16];
	uint8_t label[PINFS_LABEL_MAX]; /* NUL-padded */
	le64 total_blocks; /* of the pool, the backup included */
	le64 journal_start; /* block numbers */
	le32 lanes;
	le32 lane_blocks;
	le64 root_block;
	le64 groups_start;
	le64 groups;
	le64 first_free; /* first block that is not fixed metadata */
	le64 csum_seed;
	le64 hash_seed; /* of directory hashes */
	le64 mkfs_time; /* seconds since the epoch */
	uint8_t reserved[3832];
};

/* --- journal ------------------------------------------------------------- */

#define PINFS_MAX_LANES 64u

#define PINFS_JSTATE_CLEAN    1u /* nothing to replay, counters exact */
#define PINFS_JSTATE_VOLATILE 2u /* records after sealed_seq need boot_id */
/* fsck.pinfs is writing a repair: such a state is never in force. */
#define PINFS_JSTATE_REPAIR 4u

/*
 * struct pinfs_jstate - the journal's state, blocks A and B in turn
 *
 * The valid one with the higher update is in force, so that a write of the
 * other can be torn at will.  Records up to checkpoint_seq are in their home
 * locations; the counters are as of checkpoint_seq, and each record carries
 * what it adds to them.
 */
struct pinfs_jstate {
	struct pinfs_blkhdr hdr;
	le64 update;
	le64 checkpoint_seq;
	le64 sealed_seq; /* records up to here are on the medium */
	le64 free_blocks;
	le64 used_inodes;
	le32 flags; /* PINFS_JSTATE_* */
	le32 mount_count;
	le64 mount_time; /* seconds since the epoch */
	le64 change_time; /* when this state was written */
	uint8_t boot_id[16]; /* of the kernel that wrote it */
	le32 tail[PINFS_MAX_LANES]; /* byte offset of a lane's oldest record */
	uint8_t reserved[3696];
};

/* Entry kinds, in the top byte of pinfs_jentry.target. */
#define PINFS_JENTRY_LINES	1u
#define PINFS_JENTRY_SET	2u
#define PINFS_JENTRY_CLEAR	3u
#define PINFS_JENTRY_KIND_SHIFT 56
#define PINFS_JENTRY_BLOCK_MASK ((1ull << PINFS_JENTRY_KIND_SHIFT) - 1)

/*
 * struct pinfs_jentry - one change of one block
 *
 * LINES: first and count are 64-byte lines; their contents follow the entries.
 * SET, CLEAR: first and count are bits of the bitmap block.
 */
struct pinfs_jentry {
	le64 target; /* kind and block number */
	le32 first;
	le32 count;
};

#define PINFS_JREC_WRAP 1u /* nothing here: go on at the lane's start */

/*
 * struct pinfs_jrec - head of a transaction's record, at a multiple of 64
 *
 * Followed by the entries, zeroes up to a multiple of 64, then the lines in
 * the entries' order.  csum covers all of it with csum itself taken as zero:
 * a record is committed when its checksum is right.
 */
struct pinfs_jrec {
	le32 magic;
	le32 flags;
	le64 csum;
	le64 seq; /* position in the order of all transactions */
	le32 length; /* bytes, head included; a multiple of 64 */
	le32 entries;
	le64 free_delta; /* signed: blocks freed less allocated */
	le64 inode_delta; /* signed: inodes allocated less freed */
	le32 lane;
	uint8_t reserved[12];
};

/* --- free space ---------------------------------------------------------- */

#define PINFS_BITMAP_BYTES (PINFS_BLOCK_SIZE - 64u)
#define PINFS_GROUP_BLOCKS (PINFS_BITMAP_BYTES * 8u) /* 63 chunks of 2 MiB */

/*
 * struct pinfs_bitmap - a bitmap block; a set bit is in use
 *
 * PINFS_MAGIC_GROUP: bit i of group g is block g * PINFS_GROUP_BLOCKS + i.
 * PINFS_MAGIC_IMAP: bit i of map g is inode g * PINFS_GROUP_BLOCKS + i.
 * Bits for which there is no block or inode are set.  spec[0] is g,
 * spec[1] the number of clear bits.
 */
struct pinfs_bitmap {
	struct pinfs_blkhdr hdr;
	le64 bits[PINFS_BITMAP_BYTES / 8];
};

/* --- inodes -------------------------------------------------------------- */

#define PINFS_ITABLE_INO       0u /* the inode file itself */
#define PINFS_ROOT_INO	       1u
#define PINFS_INO_BITS	       40
#define PINFS_GEN_BITS	       24
#define PINFS_INODE_SIZE       512u
#define PINFS_INODES_PER_BLOCK (PINFS_BLOCK_SIZE / PINFS_INODE_SIZE)
/*
 * The inode file is a sparse file of maps: a bitmap block, then the blocks of
 * the inodes that it stands for.
 */
#define PINFS_IMAP_INODES PINFS_GROUP_BLOCKS
#define PINFS_IMAP_BLOCKS (1u + PINFS_IMAP_INODES / PINFS_INODES_PER_BLOCK)

#define PINFS_IFLAG_DAX	      1ull /* FS_XFLAG_DAX */
#define PINFS_IFLAG_IMMUTABLE 2ull
#define PINFS_IFLAG_APPEND    4ull
#define PINFS_IFLAG_NODUMP    8ull
#define PINFS_IFLAG_NOATIME   16ull
#define PINFS_IFLAG_SYNC      32ull
#define PINFS_IFLAG_KNOWN     63ull

/* A change that takes more than one transaction, finished by recovery. */
enum pinfs_intent_op {
	PINFS_INTENT_NONE = 0,
	PINFS_INTENT_REMOVE = 1, /* unmap [first, first + count) */
	PINFS_INTENT_COLLAPSE = 2, /* the same, then move the rest down */
	PINFS_INTENT_INSERT = 3, /* move [first, end) up by count */
	PINFS_INTENT_UNWRITE = 4, /* mark [first, first + count) unwritten */
	PINFS_INTENT_UNFILL = 5, /* unmap what is fresh in it */
	PINFS_INTENT_SETTLE = 6, /* what is fresh in it stays */
};

struct pinfs_intent {
	le32 op; /* enum pinfs_intent_op */
	le32 reserved;
	le64 first; /* in blocks of the file */
	le64 count;
	le64 cursor; /* where the steps go on; 0: at the beginning */
};

#define PINFS_INLINE_BYTES 256u

/* struct pinfs_extent - len blocks from file block lblk at pool block pblk */
struct pinfs_extent {
	le64 lblk;
	le64 pblk;
	le32 len;
	le32 flags; /* PINFS_EXTENT_* */
};

#define PINFS_EXTENT_UNWRITTEN 1u /* reads as zeroes */
#define PINFS_EXTENT_FRESH     2u /* a change that has not ended has mapped it */
#define PINFS_EXTENT_KNOWN     3u
#define PINFS_EXTENT_MAX_LEN   (1u << 30)

/* struct pinfs_index - one child of an inner tree node */
struct pinfs_index {
	le64 key; /* no key below the child is less; a node's first is moot */
	le64 child;
};

#define PINFS_INLINE_EXTENTS 10u
#define PINFS_INLINE_INDEXES (PINFS_INLINE_BYTES / sizeof(struct pinfs_index))
#define PINFS_TREE_MAX_LEVEL 8u
#define PINFS_SYMLINK_INLINE PINFS_INLINE_BYTES
#define PINFS_SYMLINK_MAX    4095u

/*
 * struct pinfs_orphan - a 64-byte line that links orphans
 *
 * In an inode: its neighbours in the list ino % PINFS_ORPHAN_LISTS.  In the
 * root block: the list's head (next is the first, prev 0).  0 ends a list.
 */
struct pinfs_orphan {
	le64 csum; /* of this line, csum taken as zero */
	le64 next;
	le64 prev;
	le64 on_list; /* 1 while the inode is on its list */
	uint8_t reserved[32];
};

#define PINFS_ORPHAN_LISTS 32u

/*
 * struct pinfs_inode - 512 bytes
 *
 * csum is XXH3-64, seeded as in pinfs_blkhdr, of the first 448 bytes with
 * csum itself taken as zero; the orphan line has its own.  A slot of zeroes,
 * or one with mode 0, is free; gen survives in it and grows with each use.
 *
 * u holds, for files with tree_level 0, tree_count extents; with a higher
 * level, and for directories, tree_count indexes; for symbolic links of at
 * most 256 bytes, the target.
 */
struct pinfs_inode {
	le32 magic;
	le32 gen; /* 24 bits */
	le64 csum;
	le64 ino;
	le32 mode; /* S_IF* and permissions */
	le32 nlink;
	le32 uid;
	le32 gid;
	le64 size; /* bytes */
	le64 blocks; /* all that it owns: data, nodes, blobs */
	le64 flags; /* PINFS_IFLAG_* */
	le64 atime; /* signed seconds since the epoch */
	le64 mtime;
	le64 ctime;
	le64 btime;
	le32 atime_ns;
	le32 mtime_ns;
	le32 ctime_ns;
	le32 btime_ns;
	le64 rdev; /* major << 32 | minor */
	le64 parent; /* directories: the inode of .. */
	le64 xattr; /* first block of the blob, or 0 */
	le64 target; /* long symbolic links: first block of the blob */
	struct pinfs_intent intent;
	le16 tree_level;
	le16 tree_count;
	le32 reserved0;
	le64 reserved1;
	union {
		struct pinfs_extent extent[PINFS_INLINE_EXTENTS];
		struct pinfs_index index[PINFS_INLINE_INDEXES];
		uint8_t target[PINFS_SYMLINK_INLINE];
		uint8_t bytes[PINFS_INLINE_BYTES];
	} u;
	struct pinfs_orphan orphan;
};

#define PINFS_INODE_CSUM_BYTES 448u

/* struct pinfs_root - the root block */
struct pinfs_root {
	struct pinfs_inode itable;
	struct pinfs_orphan head[PINFS_ORPHAN_LISTS];
	uint8_t reserved[1536];
};

/* --- trees --------------------------------------------------------------- */

#define PINFS_NODE_BYTES   (PINFS_BLOCK_SIZE - 64u)
#define PINFS_NODE_INDEXES (PINFS_NODE_BYTES / 16u)
#define PINFS_NODE_EXTENTS (PINFS_NODE_BYTES / 24u)

/* struct pinfs_index_node - inner node, level 1 and up; keys ascend */
struct pinfs_index_node {
	struct pinfs_blkhdr hdr;
	struct pinfs_index index[PINFS_NODE_INDEXES];
};

/* struct pinfs_extent_node - leaf of a file's tree; sorted, no overlaps */
struct pinfs_extent_node {
	struct pinfs_blkhdr hdr;
	struct pinfs_extent extent[PINFS_NODE_EXTENTS];
};

/*
 * struct pinfs_dirent - one name, at a multiple of 8 in its leaf
 *
 * key is (hash of the name, 56 bits) << 7 | a number that tells names of the
 * same hash apart; it is unique in the directory, and the offset that
 * readdir gives.  Its top bit is 0 and it is at least PINFS_DIR_FIRST_KEY.
 */
struct pinfs_dirent {
	le64 key;
	le64 ino;
	uint8_t type; /* DT_* */
	uint8_t name_len; /* 1 to 255 */
	uint8_t name[];
};

#define PINFS_NAME_MAX	    255u
#define PINFS_DIR_FIRST_KEY 128ull
#define PINFS_DIR_KEY_BITS  7
#define PINFS_DIRENT_HEAD   18u

/*
 * struct pinfs_dirent_node - leaf of a directory's tree
 *
 * slot[0 .. hdr.count) are the entries' offsets in the block, ordered by key.
 * Entries lie anywhere from heap to the block's end, each with its length
 * rounded up to 8.  spec[0] is heap, the lowest offset that an entry uses, or
 * 4096 without entries; spec[1] counts the bytes from heap on that no entry
 * uses.
 */
struct pinfs_dirent_node {
	struct pinfs_blkhdr hdr;
	le16 slot[PINFS_NODE_BYTES / 2];
};

/* --- blobs --------------------------------------------------------------- */

#define PINFS_BLOB_BYTES (PINFS_BLOCK_SIZE - 64u)
#define PINFS_BLOB_MAX	 (1u << 20)

/*
 * struct pinfs_blob - a part of a byte string: extended attributes, a target
 *
 * spec[0] is the next block or 0, spec[1] the bytes used here, spec[2] those
 * of the whole string.
 */
struct pinfs_blob {
	struct pinfs_blkhdr hdr;
	uint8_t bytes[PINFS_BLOB_BYTES];
};

/*
 * struct pinfs_xattr - one attribute; the blob is a sequence of them
 *
 * Followed by name (with its prefix, no NUL) and value; no padding.
 */
struct pinfs_xattr {
	le16 name_len; /* 1 to 255 */
	le16 reserved;
	le32 value_len; /* 0 to 65,536 */
};

#endif
