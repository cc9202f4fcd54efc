// SPDX-License-Identifier: BSD-3-Clause
/* The pass orphans: what the next mount will free or finish, it must find. */
#include <dirent.h>
#include <inttypes.h>

#include "fsck.h"

static bool line_is_good(struct fsck *f, uint64_t ino,
			 const struct pinfs_orphan *o)
{
	const char *why = "";

	if (!format_orphan_verify(o, f->seed, &why))
		return true;
	found(f->findings, ORPHAN_LINE, ino, NOWHERE, "%s", why);
	return false;
}

/*
 * take - ino is met on the way; false where the list cannot be followed
 *
 * What is met is on the list, however badly: one finding is enough.
 */
static bool take(struct fsck *f, unsigned int list, uint64_t ino, uint64_t prev,
		 uint64_t *next)
{
	struct ino_info *info = info_of(f, ino);
	const struct pinfs_inode *di = inode_slot(f, ino);
	const char *why = NULL;

	if (!info || !info->type || !di)
		why = "an inode that is not in use";
	else if (info->on_list)
		why = "an inode that was met before";
	else if (ino % PINFS_ORPHAN_LISTS != list)
		why = "an inode of another list";
	if (why) {
		found(f->findings, ORPHAN_LIST, ino, NOWHERE, "list %u: %s",
		      list, why);
		return false;
	}
	info->on_list = true;
	if (!line_is_good(f, ino, &di->orphan))
		return false;
	if (le64_to_cpu(di->orphan.on_list) != 1 ||
	    le64_to_cpu(di->orphan.prev) != prev)
		found(f->findings, ORPHAN_LIST, ino, NOWHERE,
		      "list %u: its predecessor is not the one it says", list);
	*next = le64_to_cpu(di->orphan.next);
	return true;
}

static void check_list(struct fsck *f, unsigned int list,
		       const struct pinfs_orphan *head)
{
	uint64_t prev = 0, ino, next = 0;

	if (!line_is_good(f, NOWHERE, head))
		return;
	for (ino = le64_to_cpu(head->next); ino; ino = next) {
		if (!take(f, list, ino, prev, &next))
			return;
		prev = ino;
	}
}

static int check_inode(struct fsck *f, uint64_t ino,
		       const struct pinfs_inode *di)
{
	const struct ino_info *info = info_of(f, ino);

	if (!info || !info->type || info->on_list)
		return 0;
	if (!line_is_good(f, ino, &di->orphan))
		return 0;
	if (le64_to_cpu(di->orphan.on_list))
		found(f->findings, ORPHAN_STRAY, ino, NOWHERE, "%s", "");
	else if (le32_to_cpu(di->intent.op))
		found(f->findings, INODE_INTENT, ino, NOWHERE, "%s", "");
	else if (!info->nlink && !info->names)
		found(f->findings, INODE_UNREACHABLE, ino, NOWHERE, "%s",
		      "unlinked, but on no orphan list");
	return 0;
}

int pass_orphans(struct fsck *f)
{
	const struct pinfs_root *root =
		block_at(f, le64_to_cpu(f->sb->root_block));
	unsigned int i;

	for (i = 0; i < PINFS_ORPHAN_LISTS; i++)
		check_list(f, i, &root->head[i]);
	return each_inode(f, check_inode);
}
