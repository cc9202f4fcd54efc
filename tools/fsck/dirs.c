// SPDX-License-Identifier: BSD-3-Clause
/* The passes dirs and links: names, what they mean, and what has none. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "fsck.h"
#include "repair.h"

#define SAME_HASH_MAX (1u << PINFS_DIR_KEY_BITS)
#define NAME_TEXT     (PINFS_NAME_MAX + 1)

/* struct dir_walk - a directory, and the names of the hash it is at */
struct dir_walk {
	struct walk walk;
	uint64_t last_key;
	const struct pinfs_dirent *same[SAME_HASH_MAX];
	unsigned int same_count;
	int err;
};

static uint64_t hash_of(uint64_t key)
{
	return key & ~(uint64_t)(SAME_HASH_MAX - 1);
}

/* name_text - a name that can be printed */
static const char *name_text(const struct pinfs_dirent *de, char buf[NAME_TEXT])
{
	unsigned int i;

	for (i = 0; i < de->name_len; i++)
		buf[i] = isprint(de->name[i]) ? (char)de->name[i] : '?';
	buf[i] = '\0';
	return buf;
}

static bool bad_name(struct dir_walk *dw, enum code code, uint64_t blkno,
		     const struct pinfs_dirent *de)
{
	char text[NAME_TEXT];

	return found(dw->walk.f->findings, code, dw->walk.ino, blkno,
		     "'%s', for inode %" PRIu64, name_text(de, text),
		     le64_to_cpu(de->ino));
}

/* enter_anew - have dir built anew, of the names that have a right to be there */
static void enter_anew(struct dir_walk *dw, uint64_t dir)
{
	struct broken *b = note_broken(dw->walk.f, dir);

	if (b)
		b->type = DT_DIR;
	else
		dw->err = -ENOMEM;
}

/* is_duplicate - the names of one hash follow each other */
static bool is_duplicate(struct dir_walk *dw, const struct pinfs_dirent *de)
{
	uint64_t key = le64_to_cpu(de->key);
	unsigned int i;

	if (dw->same_count &&
	    hash_of(le64_to_cpu(dw->same[0]->key)) != hash_of(key))
		dw->same_count = 0;
	for (i = 0; i < dw->same_count; i++)
		if (dw->same[i]->name_len == de->name_len &&
		    !memcmp(dw->same[i]->name, de->name, de->name_len))
			return true;
	if (dw->same_count < SAME_HASH_MAX)
		dw->same[dw->same_count++] = de;
	return false;
}

static void set_parent(struct fsck *f, uint64_t ino, uint64_t parent)
{
	struct pinfs_inode *di = edit_inode(f, ino);

	di->parent = cpu_to_le64(parent);
	seal_inode(f, di);
}

/* second_name - which of a directory's two names goes?  Not its parent's. */
static void second_name(struct dir_walk *dw, uint64_t ino,
			struct ino_info *target)
{
	struct fsck *f = dw->walk.f;
	uint64_t dir = dw->walk.ino, first = target->found_in;

	if (ino != PINFS_ROOT_INO && first != dir &&
	    le64_to_cpu(inode_slot(f, ino)->parent) == dir) {
		target->found_in = dir;
		enter_anew(dw, first);
	} else {
		enter_anew(dw, dir);
	}
}

/* check_subdir - a directory has one name, and knows where */
static void check_subdir(struct dir_walk *dw, uint64_t blkno,
			 const struct pinfs_dirent *de, struct ino_info *target)
{
	uint64_t ino = le64_to_cpu(de->ino), dir = dw->walk.ino;
	struct fsck *f = dw->walk.f;
	const struct pinfs_inode *di = inode_slot(f, ino);

	if (target->names > 1 || ino == PINFS_ROOT_INO) {
		if (bad_name(dw, DIR_TWICE, blkno, de))
			second_name(dw, ino, target);
		return;
	}
	target->found_in = dir;
	info_of(f, dir)->subdirs++;
	if (le64_to_cpu(di->parent) == dir)
		return;
	if (found(f->findings, DIR_PARENT, ino, NOWHERE,
		  "it says %" PRIu64 ", and is in %" PRIu64,
		  le64_to_cpu(di->parent), dir))
		target->misplaced = true;
}

static void set_type(struct dir_walk *dw, uint64_t blkno,
		     const struct pinfs_dirent *de, uint8_t type)
{
	struct fsck *f = dw->walk.f;

	((struct pinfs_dirent *)edit(f, de))->type = type;
	format_block_seal(edit_at(f, blkno), blkno, f->seed);
}

static void check_entry(struct dir_walk *dw, uint64_t blkno,
			const struct pinfs_dirent *de)
{
	struct fsck *f = dw->walk.f;
	struct ino_info *target = info_of(f, le64_to_cpu(de->ino));
	bool anew = false;

	if (hash_of(le64_to_cpu(de->key)) !=
	    format_name_hash((const char *)de->name, de->name_len,
			     le64_to_cpu(f->sb->hash_seed)))
		anew = bad_name(dw, DIR_HASH, blkno, de);
	if (is_duplicate(dw, de))
		anew |= bad_name(dw, DIR_DUPLICATE, blkno, de);
	if (!target || (!target->type && !target->damaged))
		anew |= bad_name(dw, DIR_DANGLING, blkno, de);
	if (anew)
		enter_anew(dw, dw->walk.ino);
	if (!target || (!target->type && !target->damaged))
		return;
	target->names++;
	if (target->damaged)
		return;
	if (target->type != de->type && bad_name(dw, DIR_TYPE, blkno, de))
		set_type(dw, blkno, de, target->type);
	if (target->type == DT_DIR)
		check_subdir(dw, blkno, de, target);
}

static int check_leaf(struct walk *w, uint64_t blkno, uint64_t low,
		      uint64_t high)
{
	const struct pinfs_dirent_node *n = block_at(w->f, blkno);
	struct dir_walk *dw = w->arg;
	const struct pinfs_dirent *de;
	unsigned int i;
	uint64_t key;

	for (i = 0; i < le16_to_cpu(n->hdr.count); i++) {
		de = (const void *)((const uint8_t *)n +
				    le16_to_cpu(n->slot[i]));
		key = le64_to_cpu(de->key);
		if ((key < low || key >= high || key <= dw->last_key) &&
		    found(w->f->findings, NODE_ORDER, w->ino, blkno, "%s",
			  "a name belongs into another leaf"))
			enter_anew(dw, w->ino);
		dw->last_key = key;
		check_entry(dw, blkno, de);
	}
	return dw->err;
}

static int check_dir(struct fsck *f, uint64_t ino, const struct pinfs_inode *di)
{
	struct dir_walk dw = {
		.walk = {
			.f = f,
			.ino = ino,
			.walked = &f->walked,
			.leaf_magic = PINFS_MAGIC_DIRENTS,
			.leaf = check_leaf,
		},
	};
	const struct ino_info *info = info_of(f, ino);

	if (!info || info->type != DT_DIR || !le16_to_cpu(di->tree_level))
		return 0;
	dw.walk.arg = &dw;
	return walk_tree(&dw.walk, di);
}

/* make_root - of what is left of it; nothing must be in the way */
static int make_root(struct fsck *f)
{
	struct broken *b;
	int err;

	if (!inode_slot(f, PINFS_ROOT_INO)) {
		err = itable_make_slot(f, PINFS_ROOT_INO);
		if (err)
			return err;
	}
	if (!f->info)
		return 0;
	b = note_broken(f, PINFS_ROOT_INO);
	if (!b)
		return -ENOMEM;
	b->remake = true;
	b->search = true;
	return 0;
}

static int check_root_dir(struct fsck *f)
{
	const struct ino_info *info = info_of(f, PINFS_ROOT_INO);

	if (!info || info->type != DT_DIR)
		return found(f->findings, ROOT_DIR, PINFS_ROOT_INO, NOWHERE,
			     "%s", "") ?
			       make_root(f) :
			       0;
	if (le64_to_cpu(inode_slot(f, PINFS_ROOT_INO)->parent) !=
		    PINFS_ROOT_INO &&
	    found(f->findings, DIR_PARENT, PINFS_ROOT_INO, NOWHERE, "%s",
		  "the root's is the root itself"))
		set_parent(f, PINFS_ROOT_INO, PINFS_ROOT_INO);
	return 0;
}

/* place - .. of a directory that has moved; by now all names are known */
static int place(struct fsck *f, uint64_t ino, const struct pinfs_inode *di)
{
	const struct ino_info *info = info_of(f, ino);

	if (info && info->misplaced && info->type == DT_DIR &&
	    le64_to_cpu(di->parent) != info->found_in)
		set_parent(f, ino, info->found_in);
	return 0;
}

int pass_dirs(struct fsck *f)
{
	int err = check_root_dir(f);

	if (!err)
		err = each_inode(f, check_dir);
	if (!err && f->rep)
		err = each_inode(f, place);
	f->names_known = true;
	return err;
}

/* --- links --------------------------------------------------------------- */

/*
 * set_reach - of ino and all on the way up from it
 *
 * First up to one whose answer is known, or that has been met on this very
 * way; then once more to write the answer down.
 */
static enum reach set_reach(struct fsck *f, uint64_t ino)
{
	enum reach answer = REACH_NO;
	struct ino_info *info;
	uint64_t at = ino;

	for (;;) {
		info = info_of(f, at);
		if (!info || info->type != DT_DIR)
			break;
		if (at == PINFS_ROOT_INO || info->reach == REACH_YES)
			answer = REACH_YES;
		if (at == PINFS_ROOT_INO || info->reach != REACH_UNKNOWN)
			break;
		info->reach = REACH_ON_PATH;
		if (!info->names)
			break;
		at = info->found_in;
	}
	for (at = ino;; at = info->found_in) {
		info = info_of(f, at);
		if (!info || info->reach != REACH_ON_PATH)
			return answer;
		info->reach = (uint8_t)answer;
	}
}

static void set_nlink(struct fsck *f, uint64_t ino, uint32_t nlink)
{
	struct pinfs_inode *di = edit_inode(f, ino);

	di->nlink = cpu_to_le32(nlink);
	seal_inode(f, di);
	info_of(f, ino)->nlink = nlink;
}

static void check_nlink(struct fsck *f, uint64_t ino,
			const struct ino_info *info)
{
	uint32_t want = info->names;

	if (info->type == DT_DIR)
		want = info->names || ino == PINFS_ROOT_INO ?
			       2 + info->subdirs :
			       0;
	if (info->nlink != want &&
	    found(f->findings, INODE_NLINK, ino, NOWHERE,
		  "it says %" PRIu32 ", and should say %" PRIu32, info->nlink,
		  want))
		set_nlink(f, ino, want);
}

/*
 * break_circle - a directory that is above itself goes to lost+found; all the
 *                others of the circle can be reached then
 *
 * If the way up ends at one without a name, that one goes there already.
 */
static int break_circle(struct fsck *f, uint64_t ino)
{
	struct ino_info *info;
	struct broken *b = NULL;
	uint64_t at = ino;

	for (info = info_of(f, at); info->names && info->way == WAY_NEW;
	     info = info_of(f, at)) {
		info->way = WAY_MET;
		at = info->found_in;
	}
	if (info->names && info->way == WAY_MET) {
		info->detach = true;
		b = note_broken(f, info->found_in);
		if (!b || note_lost(f, at))
			return -ENOMEM;
		b->type = DT_DIR;
	}
	for (at = ino; info_of(f, at)->way == WAY_MET;
	     at = info_of(f, at)->found_in)
		info_of(f, at)->way = WAY_DONE;
	return 0;
}

static int check_links(struct fsck *f, uint64_t ino,
		       const struct pinfs_inode *di)
{
	const struct ino_info *info = info_of(f, ino);

	(void)di;
	if (!info || !info->type)
		return 0;
	/* Whether one without name and link is an orphan comes next. */
	if (!info->names && info->nlink && ino != PINFS_ROOT_INO)
		return found(f->findings, INODE_UNREACHABLE, ino, NOWHERE,
			     "its link count is %" PRIu32, info->nlink) ?
			       note_lost(f, ino) :
			       0;
	check_nlink(f, ino, info);
	if (info->type == DT_DIR && info->names &&
	    set_reach(f, ino) == REACH_NO &&
	    found(f->findings, DIR_CYCLE, ino, NOWHERE,
		  "its name is in %" PRIu64, info->found_in))
		return break_circle(f, ino);
	return 0;
}

int pass_links(struct fsck *f)
{
	return each_inode(f, check_links);
}
