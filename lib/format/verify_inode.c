// SPDX-License-Identifier: BSD-3-Clause
/* The verifier of inodes (S5). */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "format/csum.h"
#include "format/format_i.h"

#define NSEC_MAX 999999999u

static int bad(const char **why, const char *text)
{
	*why = text;
	return -EUCLEAN;
}

bool format_inode_is_free(const struct pinfs_inode *di)
{
	return !le32_to_cpu(di->mode);
}

/* maps_blocks - files and directories have a tree, the others none */
static bool maps_blocks(uint32_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode);
}

static int mode_verify(const struct pinfs_inode *di, const char **why)
{
	uint32_t mode = le32_to_cpu(di->mode);

	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	default:
		return bad(why, "inode of an unknown type");
	}
	if (mode & ~(uint32_t)(S_IFMT | 07777))
		return bad(why, "inode with an impossible mode");
	if (le64_to_cpu(di->flags) & ~PINFS_IFLAG_KNOWN)
		return bad(why, "inode with unknown flags");
	if (le32_to_cpu(di->gen) >> PINFS_GEN_BITS)
		return bad(why, "inode with an impossible generation");
	return 0;
}

static int times_verify(const struct pinfs_inode *di, const char **why)
{
	if (le32_to_cpu(di->atime_ns) > NSEC_MAX ||
	    le32_to_cpu(di->mtime_ns) > NSEC_MAX ||
	    le32_to_cpu(di->ctime_ns) > NSEC_MAX ||
	    le32_to_cpu(di->btime_ns) > NSEC_MAX)
		return bad(why, "inode with an impossible time");
	return 0;
}

static int symlink_verify(const struct pinfs_inode *di, const char **why)
{
	uint64_t size = le64_to_cpu(di->size);

	if (!size || size > PINFS_SYMLINK_MAX)
		return bad(why, "symbolic link of an impossible length");
	if ((size > PINFS_SYMLINK_INLINE) != !!le64_to_cpu(di->target))
		return bad(why, "symbolic link with its target misplaced");
	if (size <= PINFS_SYMLINK_INLINE && memchr(di->u.target, '\0', size))
		return bad(why, "symbolic link with a NUL in its target");
	return 0;
}

static int intent_verify(const struct pinfs_inode *di, const char **why)
{
	uint32_t op = le32_to_cpu(di->intent.op);
	uint64_t first = le64_to_cpu(di->intent.first);

	if (op > PINFS_INTENT_SETTLE)
		return bad(why, "inode with an unknown intent");
	if (op && first > UINT64_MAX - le64_to_cpu(di->intent.count))
		return bad(why, "inode with an impossible intent");
	return 0;
}

/* tree_verify - all but that blocks are in the pool, whose size is not known */
static int tree_verify(const struct pinfs_inode *di, const char **why)
{
	uint32_t mode = le32_to_cpu(di->mode);
	unsigned int level = le16_to_cpu(di->tree_level);
	unsigned int count = le16_to_cpu(di->tree_count);

	if (!maps_blocks(mode))
		return level || count ? bad(why, "inode with a stray tree") : 0;
	if (level > PINFS_TREE_MAX_LEVEL)
		return bad(why, "tree of an impossible height");
	if (level && (!count || count > PINFS_INLINE_INDEXES))
		return bad(why, "tree root with an impossible count");
	if (level)
		return format_index_list_verify(di->u.index, count,
						PINFS_MAX_BLOCKS, why);
	if (S_ISDIR(mode))
		return count ? bad(why, "directory without leaves") : 0;
	if (count > PINFS_INLINE_EXTENTS)
		return bad(why, "inode with an impossible count of extents");
	return format_extent_list_verify(di->u.extent, count, PINFS_MAX_BLOCKS,
					 why);
}

int format_inode_verify(const struct pinfs_inode *di, uint64_t ino,
			uint64_t seed, const char **why)
{
	uint32_t mode = le32_to_cpu(di->mode);
	int err;

	if (le32_to_cpu(di->magic) != PINFS_MAGIC_INODE)
		return bad(why, "inode with a wrong magic number");
	if (format_inode_csum_verify(di, seed))
		return bad(why, "inode with a wrong checksum");
	if (le64_to_cpu(di->ino) != ino)
		return bad(why, "inode from another place");
	if (le64_to_cpu(di->size) > INT64_MAX)
		return bad(why, "inode of an impossible size");
	err = mode_verify(di, why);
	if (!err)
		err = times_verify(di, why);
	if (!err)
		err = intent_verify(di, why);
	if (!err)
		err = tree_verify(di, why);
	if (!err && S_ISLNK(mode))
		err = symlink_verify(di, why);
	if (!err && !S_ISLNK(mode) && le64_to_cpu(di->target))
		err = bad(why, "inode with a stray target");
	if (!err && S_ISDIR(mode) &&
	    (!le64_to_cpu(di->parent) ||
	     le64_to_cpu(di->parent) >> PINFS_INO_BITS))
		err = bad(why, "directory with an impossible parent");
	return err;
}

int format_inode_map_verify(const struct pinfs_inode *di, uint64_t total_blocks,
			    const char **why)
{
	unsigned int count = le16_to_cpu(di->tree_count);

	if (le64_to_cpu(di->xattr) >= total_blocks - 1 ||
	    le64_to_cpu(di->target) >= total_blocks - 1)
		return bad(why, "inode's blob is out of the pool");
	if (!maps_blocks(le32_to_cpu(di->mode)))
		return 0;
	if (le16_to_cpu(di->tree_level))
		return format_index_list_verify(di->u.index, count,
						total_blocks, why);
	return format_extent_list_verify(di->u.extent, count, total_blocks,
					 why);
}
