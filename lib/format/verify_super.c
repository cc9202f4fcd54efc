// SPDX-License-Identifier: BSD-3-Clause
/* The verifier of superblocks (S5, S7). */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "format/csum.h"

static int bad(const char **why, const char *text)
{
	*why = text;
	return -EUCLEAN;
}

#define UNKNOWN(n) "unknown incompat feature, bit " #n
#define UNKNOWN8(a, b, c, d, e, f, g, h)                            \
	UNKNOWN(a), UNKNOWN(b), UNKNOWN(c), UNKNOWN(d), UNKNOWN(e), \
		UNKNOWN(f), UNKNOWN(g), UNKNOWN(h)

const char *format_feature_name(unsigned int bit)
{
	static const char *const name[64] = {
		UNKNOWN8(0, 1, 2, 3, 4, 5, 6, 7),
		UNKNOWN8(8, 9, 10, 11, 12, 13, 14, 15),
		UNKNOWN8(16, 17, 18, 19, 20, 21, 22, 23),
		UNKNOWN8(24, 25, 26, 27, 28, 29, 30, 31),
		UNKNOWN8(32, 33, 34, 35, 36, 37, 38, 39),
		UNKNOWN8(40, 41, 42, 43, 44, 45, 46, 47),
		UNKNOWN8(48, 49, 50, 51, 52, 53, 54, 55),
		UNKNOWN8(56, 57, 58, 59, 60, 61, 62, 63),
	};

	return bit < ARRAY_SIZE(name) ? name[bit] : "no such feature bit";
}

static int features_verify(const struct pinfs_super *sb, const char **why)
{
	uint64_t unknown = le64_to_cpu(sb->incompat) & ~PINFS_INCOMPAT_KNOWN;

	if (le32_to_cpu(sb->version) != PINFS_VERSION) {
		*why = "another version of the format";
		return -EOPNOTSUPP;
	}
	if (unknown) {
		*why = format_feature_name(
			(unsigned int)__builtin_ctzll(unknown));
		return -EOPNOTSUPP;
	}
	return 0;
}

/* places_verify - the fixed areas follow each other and fit */
static int places_verify(const struct pinfs_super *sb, uint64_t total,
			 const char **why)
{
	uint64_t journal = le64_to_cpu(sb->journal_start);
	uint64_t root = le64_to_cpu(sb->root_block);
	uint64_t groups_start = le64_to_cpu(sb->groups_start);
	uint64_t groups = le64_to_cpu(sb->groups);
	uint64_t first_free = le64_to_cpu(sb->first_free);
	uint64_t lanes = le32_to_cpu(sb->lanes);
	uint64_t lane_blocks = le32_to_cpu(sb->lane_blocks);

	if (!lanes || lanes > PINFS_MAX_LANES || !lane_blocks ||
	    lane_blocks > UINT32_MAX / PINFS_BLOCK_SIZE)
		return bad(why, "superblock: impossible journal");
	/* Each is below 2^40 before it enters a sum. */
	if (journal >= total || root >= total || groups_start >= total ||
	    first_free >= total)
		return bad(why, "superblock: places out of the pool");
	if (groups != div_round_up(total, PINFS_GROUP_BLOCKS))
		return bad(why, "superblock: wrong count of groups");
	if (!journal || root < journal + 2 + lanes * lane_blocks ||
	    groups_start <= root || first_free < groups_start + groups)
		return bad(why, "superblock: areas overlap");
	return 0;
}

int format_super_verify(const struct pinfs_super *sb, uint64_t blkno,
			uint64_t pool_blocks, const char **why)
{
	uint64_t total = le64_to_cpu(sb->total_blocks);
	int err;

	if (memcmp(sb->magic, PINFS_SUPER_MAGIC, sizeof(sb->magic)) ||
	    le32_to_cpu(sb->hdr.magic) != PINFS_MAGIC_SUPER) {
		*why = "not a pinfs superblock";
		return -EMEDIUMTYPE;
	}
	err = format_block_verify(&sb->hdr, PINFS_MAGIC_SUPER, blkno, 0, why);
	if (err)
		return err;
	err = features_verify(sb, why);
	if (err)
		return err;
	if (le32_to_cpu(sb->block_size) != PINFS_BLOCK_SIZE)
		return bad(why, "superblock: impossible block size");
	if (total < PINFS_MIN_BLOCKS || total > PINFS_MAX_BLOCKS)
		return bad(why, "superblock: impossible size");
	if (blkno && blkno != total - 1)
		return bad(why, "superblock: not at the pool's end");
	err = places_verify(sb, total, why);
	if (err)
		return err;
	if (total > pool_blocks) {
		*why = "the pool is shorter than its file system";
		return -ENOSPC;
	}
	return 0;
}
