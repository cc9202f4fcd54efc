// SPDX-License-Identifier: BSD-3-Clause
/* The pass orphans: what the next mount will free or finish, it must find. */
#include <dirent.h>
#include <inttypes.h>
#include <string.h>

#include "fsck.h"
#include "format/csum.h"
#include "repair.h"

static void relist(struct fsck *f, bool repair)
{
	if (repair)
		f->rep->relist = true;
}

static bool line_is_good(struct fsck *f, uint64_t ino,
			 const struct pinfs_orphan *o)
{
	const char *why = "";

	if (!format_orphan_verify(o, f->seed, &why))
		return true;
	relist(f, found(f->findings, ORPHAN_LINE, ino, NOWHERE, "%s", why));
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
		relist(f, found(f->findings, ORPHAN_LIST, ino, NOWHERE,
				"list %u: %s", list, why));
		return false;
	}
	info->on_list = true;
	if (!line_is_good(f, ino, &di->orphan))
		return false;
	if (le64_to_cpu(di->orphan.on_list) != 1 ||
	    le64_to_cpu(di->orphan.prev) != prev)
		relist(f, found(f->findings, ORPHAN_LIST, ino, NOWHERE,
				"list %u: its predecessor is not the one it "
				"says",
				list));
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

/* keep - an inode without name and link that nobody was about to free */
static int keep(struct fsck *f, uint64_t ino)
{
	struct ino_info *info = info_of(f, ino);
	struct pinfs_inode *di = edit_inode(f, ino);

	info->nlink = info->type == DT_DIR ? 2 + info->subdirs : 1;
	di->nlink = cpu_to_le32(info->nlink);
	seal_inode(f, di);
	return note_lost(f, ino);
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
		relist(f, found(f->findings, ORPHAN_STRAY, ino, NOWHERE, "%s",
				""));
	else if (le32_to_cpu(di->intent.op))
		relist(f, found(f->findings, INODE_INTENT, ino, NOWHERE, "%s",
				""));
	else if (!info->nlink && !info->names &&
		 found(f->findings, INODE_UNREACHABLE, ino, NOWHERE, "%s",
		       "unlinked, but on no orphan list"))
		return keep(f, ino);
	return 0;
}

/* --- lists anew ----------------------------------------------------------- */

static void set_line(struct fsck *f, struct pinfs_orphan *o, uint64_t next,
		     uint64_t prev, bool on_list)
{
	memset(o, 0, sizeof(*o));
	o->next = cpu_to_le64(next);
	o->prev = cpu_to_le64(prev);
	o->on_list = cpu_to_le64(on_list);
	if (next || prev || on_list)
		format_orphan_seal(o, f->seed);
}

/* list_one - in front of its list, if the next mount has to look at it */
static int list_one(struct fsck *f, uint64_t ino, const struct pinfs_inode *old)
{
	struct ino_info *info = info_of(f, ino);
	struct pinfs_inode *di;
	struct pinfs_root *root;
	struct pinfs_orphan *head;
	uint64_t next;

	if (!info || !info->type)
		return 0;
	di = edit(f, old);
	if (info->nlink && !le32_to_cpu(di->intent.op)) {
		set_line(f, &di->orphan, 0, 0, false);
		return 0;
	}
	root = edit_at(f, le64_to_cpu(f->sb->root_block));
	head = &root->head[ino % PINFS_ORPHAN_LISTS];
	next = le64_to_cpu(head->next);
	set_line(f, &di->orphan, next, 0, true);
	set_line(f, head, ino, 0, false);
	if (next) {
		di = edit_inode(f, next);
		set_line(f, &di->orphan, le64_to_cpu(di->orphan.next), ino,
			 true);
	}
	return 0;
}

static int build_lists(struct fsck *f)
{
	struct pinfs_root *root = edit_at(f, le64_to_cpu(f->sb->root_block));

	memset(root->head, 0, sizeof(root->head));
	return each_inode(f, list_one);
}

int pass_orphans(struct fsck *f)
{
	const struct pinfs_root *root =
		block_at(f, le64_to_cpu(f->sb->root_block));
	unsigned int i;
	int err;

	for (i = 0; i < PINFS_ORPHAN_LISTS; i++)
		check_list(f, i, &root->head[i]);
	err = each_inode(f, check_inode);
	if (!err && f->rep && f->rep->relist)
		err = build_lists(f);
	return err;
}
