// SPDX-License-Identifier: BSD-3-Clause
/* The passes dirs and links: names, what they mean, and what has none. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "fsck.h"

#define SAME_HASH_MAX (1u << PINFS_DIR_KEY_BITS)
#define NAME_TEXT     (PINFS_NAME_MAX + 1)

/* struct dir_walk - a directory, and the names of the hash it is at */
struct dir_walk {
	struct walk walk;
	uint64_t last_key;
	const struct pinfs_dirent *same[SAME_HASH_MAX];
	unsigned int same_count;
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

static void bad_name(struct dir_walk *dw, enum code code, uint64_t blkno,
		     const struct pinfs_dirent *de)
{
	char text[NAME_TEXT];

	found(dw->walk.f->findings, code, dw->walk.ino, blkno,
	      "'%s', for inode %" PRIu64, name_text(de, text),
	      le64_to_cpu(de->ino));
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

/* check_subdir - a directory has one name, and knows where */
static void check_subdir(struct dir_walk *dw, uint64_t blkno,
			 const struct pinfs_dirent *de, struct ino_info *target)
{
	uint64_t ino = le64_to_cpu(de->ino), dir = dw->walk.ino;
	const struct pinfs_inode *di = inode_slot(dw->walk.f, ino);

	if (target->names > 1 || ino == PINFS_ROOT_INO) {
		bad_name(dw, DIR_TWICE, blkno, de);
		return;
	}
	target->found_in = dir;
	info_of(dw->walk.f, dir)->subdirs++;
	if (le64_to_cpu(di->parent) != dir)
		found(dw->walk.f->findings, DIR_PARENT, ino, NOWHERE,
		      "it says %" PRIu64 ", and is in %" PRIu64,
		      le64_to_cpu(di->parent), dir);
}

/*
 * no_target - nothing in use has that number; perhaps its bit is wrong
 *
 * In that case one finding does for all its names.
 */
static void no_target(struct dir_walk *dw, uint64_t blkno,
		      const struct pinfs_dirent *de, struct ino_info *target)
{
	struct fsck *f = dw->walk.f;
	uint64_t ino = le64_to_cpu(de->ino);
	const struct pinfs_inode *di = inode_slot(f, ino);
	const char *why;

	if (target && di && !format_inode_is_free(di) &&
	    !format_inode_verify(di, ino, f->seed, &why)) {
		target->damaged = true;
		found(f->findings, INODE_UNMARKED, ino, NOWHERE, "%s", "");
		return;
	}
	bad_name(dw, DIR_DANGLING, blkno, de);
}

static void check_entry(struct dir_walk *dw, uint64_t blkno,
			const struct pinfs_dirent *de)
{
	struct fsck *f = dw->walk.f;
	struct ino_info *target = info_of(f, le64_to_cpu(de->ino));

	if (hash_of(le64_to_cpu(de->key)) !=
	    format_name_hash((const char *)de->name, de->name_len,
			     le64_to_cpu(f->sb->hash_seed)))
		bad_name(dw, DIR_HASH, blkno, de);
	if (is_duplicate(dw, de))
		bad_name(dw, DIR_DUPLICATE, blkno, de);
	if (!target || (!target->type && !target->damaged)) {
		no_target(dw, blkno, de, target);
		return;
	}
	target->names++;
	if (target->damaged)
		return;
	if (target->type != de->type)
		bad_name(dw, DIR_TYPE, blkno, de);
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
		if (key < low || key >= high || key <= dw->last_key)
			found(w->f->findings, NODE_ORDER, w->ino, blkno, "%s",
			      "a name belongs into another leaf");
		dw->last_key = key;
		check_entry(dw, blkno, de);
	}
	return 0;
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

static void check_root_dir(struct fsck *f)
{
	const struct ino_info *info = info_of(f, PINFS_ROOT_INO);

	if (!info || info->type != DT_DIR) {
		found(f->findings, ROOT_DIR, PINFS_ROOT_INO, NOWHERE, "%s", "");
		return;
	}
	if (le64_to_cpu(inode_slot(f, PINFS_ROOT_INO)->parent) !=
	    PINFS_ROOT_INO)
		found(f->findings, DIR_PARENT, PINFS_ROOT_INO, NOWHERE, "%s",
		      "the root's is the root itself");
}

int pass_dirs(struct fsck *f)
{
	check_root_dir(f);
	return each_inode(f, check_dir);
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

static void check_nlink(struct fsck *f, uint64_t ino,
			const struct ino_info *info)
{
	uint32_t want = info->names;

	if (info->type == DT_DIR)
		want = info->names || ino == PINFS_ROOT_INO ?
			       2 + info->subdirs :
			       0;
	if (info->nlink != want)
		found(f->findings, INODE_NLINK, ino, NOWHERE,
		      "it says %" PRIu32 ", and should say %" PRIu32,
		      info->nlink, want);
}

static int check_links(struct fsck *f, uint64_t ino,
		       const struct pinfs_inode *di)
{
	const struct ino_info *info = info_of(f, ino);

	(void)di;
	if (!info || !info->type)
		return 0;
	/* Whether one without name and link is an orphan comes next. */
	if (!info->names && info->nlink && ino != PINFS_ROOT_INO) {
		found(f->findings, INODE_UNREACHABLE, ino, NOWHERE,
		      "its link count is %" PRIu32, info->nlink);
		return 0;
	}
	check_nlink(f, ino, info);
	if (info->type == DT_DIR && info->names &&
	    set_reach(f, ino) == REACH_NO)
		found(f->findings, DIR_CYCLE, ino, NOWHERE,
		      "its name is in %" PRIu64, info->found_in);
	return 0;
}

int pass_links(struct fsck *f)
{
	return each_inode(f, check_links);
}
