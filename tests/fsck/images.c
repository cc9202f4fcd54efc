// SPDX-License-Identifier: BSD-3-Clause
/* The list of damaged images. */
#include "images.h"

#include <string.h>
#include <unistd.h>

#include "../unit/scratch.h"
#include "base/util.h"
#include "format/make.h"

#define MIB (1ull << 20)

#define FORGED(name, found, cure, differs)                       \
	{                                                        \
#name, damage_##name, NULL, found, cure, differs \
	}
#define TREE(name, found, cure, differs)                         \
	{                                                        \
#name, NULL, damage_##name, found, cure, differs \
	}

const struct image images[] = {
	{ "nothing", NULL, NULL, "", PREENED, "" },
	FORGED(super, "super-damaged", REPAIRED, ""),
	FORGED(backup, "super-backup-damaged", PREENED, ""),
	FORGED(backup_differs, "super-backup-differs", PREENED, ""),
	FORGED(ro_compat, "super-ro-compat", LEFT, ""),
	FORGED(jstate, "journal-state", REPAIRED, ""),
	FORGED(root_reserved, "root-block", PREENED, ""),
	FORGED(itable_csum,
	       "itable-inode block-leaked count-inodes root-dir orphan-list",
	       REPAIRED, ""),
	FORGED(itable_unwritten,
	       "itable-extent block-leaked count-inodes root-dir orphan-list",
	       REPAIRED, ""),
	FORGED(itable_short,
	       "inode-unmapped inode-blocks block-leaked orphan-list", REPAIRED,
	       ""),
	FORGED(imap_csum,
	       "imap-damaged block-leaked count-inodes root-dir orphan-list",
	       PREENED, ""),
	FORGED(imap_hole,
	       "imap-missing inode-blocks block-leaked count-inodes root-dir orphan-list",
	       REPAIRED, ""),
	FORGED(inode_csum, "inode-damaged", REPAIRED, ""),
	FORGED(inode_zeroed, "inode-damaged", REPAIRED, "-/short"),
	FORGED(inode_unmarked, "inode-unmarked", PREENED, ""),
	FORGED(inode_blocks, "inode-blocks", PREENED, ""),
	FORGED(inode_nlink, "inode-nlink", PREENED, ""),
	FORGED(dir_nlink, "inode-nlink", PREENED, ""),
	FORGED(inode_nameless, "inode-unreachable", REPAIRED,
	       "+/lost+found +/lost+found/#8"),
	FORGED(intent_unlisted, "inode-intent", PREENED, ""),
	FORGED(leaf_csum, "inode-blocks node-damaged block-leaked", REPAIRED,
	       "~/file ~/hard"),
	FORGED(node_level,
	       "inode-blocks inode-nlink inode-unreachable node-damaged block-leaked",
	       REPAIRED, ""),
	FORGED(node_owner, "inode-blocks node-owner block-leaked", REPAIRED,
	       "~/file ~/hard"),
	FORGED(two_leaves, "", PREENED, ""),
	FORGED(node_order, "node-order", REPAIRED, ""),
	FORGED(name_order, "node-order", REPAIRED, ""),
	FORGED(extent_order, "extent-order", REPAIRED, ""),
	FORGED(tree_cycle,
	       "inode-blocks inode-nlink inode-unreachable block-shared block-leaked",
	       REPAIRED, ""),
	FORGED(blob_part, "blob-damaged", REPAIRED, "-/long"),
	FORGED(blob_short, "blob-damaged", REPAIRED, "-/long"),
	FORGED(blob_cycle, "block-shared", REPAIRED, "-/long"),
	FORGED(blob_endless, "inode-blocks blob-damaged block-leaked", REPAIRED,
	       "-/long"),
	FORGED(xattr_long, "xattr-damaged", REPAIRED, "~/file ~/hard"),
	FORGED(symlink_nul, "symlink-target", REPAIRED, "-/long"),
	FORGED(shared, "block-shared block-leaked", REPAIRED, ""),
	FORGED(shared_with_fixed, "block-shared block-leaked", REPAIRED, ""),
	FORGED(unmarked, "block-unmarked", PREENED, ""),
	FORGED(leaked, "block-leaked", PREENED, ""),
	FORGED(beyond_the_end, "block-unmarked", PREENED, ""),
	FORGED(group_csum, "group-damaged", PREENED, ""),
	FORGED(count_blocks, "count-blocks", PREENED, ""),
	FORGED(count_inodes, "count-inodes", PREENED, ""),
	FORGED(dir_hash, "dir-hash", REPAIRED, ""),
	FORGED(dir_duplicate, "dir-duplicate", REPAIRED,
	       "~/file ~/hard +/sub/same +/sub/same~1"),
	FORGED(dir_dangling, "dir-dangling", REPAIRED, ""),
	FORGED(dir_type, "dir-type", PREENED, ""),
	FORGED(dir_twice, "dir-twice", REPAIRED, ""),
	FORGED(dir_root_again, "dir-twice", REPAIRED, ""),
	FORGED(dir_parent, "dir-parent", PREENED, ""),
	FORGED(dir_cycle, "dir-cycle", REPAIRED,
	       "-/sub -/sub/deep +/lost+found +/lost+found/#3 +/lost+found/#3/deep"),
	FORGED(root_is_file,
	       "inode-nlink inode-unreachable block-leaked dir-cycle root-dir",
	       REPAIRED, ""),
	FORGED(orphan_line, "orphan-line", PREENED, ""),
	FORGED(orphan_prev, "orphan-list", PREENED, ""),
	FORGED(orphan_circle, "orphan-list", PREENED, ""),
	FORGED(orphan_stray, "orphan-stray", PREENED, ""),
	FORGED(orphan_head, "orphan-line orphan-stray", PREENED, ""),
	FORGED(jstate_tail, "journal-replay", REPAIRED, ""),
	FORGED(repair_cut, "repair-cut", PREENED, ""),
	FORGED(itable_zeroed,
	       "itable-inode block-leaked count-inodes root-dir orphan-list",
	       REPAIRED, ""),
	FORGED(imap_moved,
	       "imap-missing inode-blocks block-leaked count-inodes root-dir orphan-list",
	       REPAIRED, ""),
	FORGED(inode_block,
	       "inode-damaged block-leaked root-dir orphan-list orphan-stray",
	       REPAIRED, "-/long -/short -/sub/deep ~/file ~/hard ~/sub"),
	FORGED(root_zeroed,
	       "inode-damaged inode-unreachable block-leaked dir-cycle root-dir",
	       REPAIRED, ""),
	FORGED(shared_with_nodes, "inode-unreachable block-shared block-leaked",
	       REPAIRED, "+/lost+found +/lost+found/#7"),
	FORGED(shared_files, "inode-unreachable block-shared block-leaked",
	       REPAIRED, "+/lost+found +/lost+found/#7"),
	FORGED(dir_leaf_csum,
	       "inode-nlink inode-unreachable node-damaged dir-cycle", REPAIRED,
	       "-/file ~/hard"),
	FORGED(nlink_zero, "inode-nlink", PREENED, ""),
	FORGED(orphan_alone, "inode-unreachable", REPAIRED,
	       "+/lost+found +/lost+found/#7"),
	FORGED(orphan_unlisted, "inode-unreachable", REPAIRED,
	       "+/lost+found +/lost+found/#7"),
	TREE(tree_index,
	     "inode-blocks inode-unreachable node-damaged block-leaked",
	     REPAIRED, ""),
	TREE(tree_inode_blocks,
	     "inode-damaged inode-unreachable block-leaked root-dir", REPAIRED,
	     "-/docs/chapter/chapter/chapter/chapter/chapter -/docs/chapter/chapter/chapter/chapter/page -/docs/chapter/chapter/chapter/page -/docs/chapter/chapter/page -/docs/chapter/page -/docs/page -/many/0000000000 ~/docs ~/many ~/pieces"),
	TREE(tree_itable, "itable-inode block-leaked count-inodes root-dir",
	     REPAIRED, ""),
	TREE(tree_itable_leaf,
	     "inode-blocks node-damaged block-leaked count-inodes root-dir",
	     REPAIRED, ""),
	TREE(tree_extents, "inode-blocks node-damaged block-leaked", REPAIRED,
	     "~/pieces"),
	TREE(tree_dir_leaf, "inode-unreachable node-damaged", REPAIRED,
	     "-26 +27"),
	TREE(tree_names, "inode-unreachable node-damaged", REPAIRED,
	     "-/many/0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000 +/lost+found +/lost+found/#1012"),
};

const unsigned int image_count = ARRAY_SIZE(images);

static struct pool *format(const char *path)
{
	struct format_options opt;
	struct pool *pool;

	unlink(path);
	must(pool_create(path, 16 * MIB) == 0);
	must(pool_open(path, 0, &pool, NULL) == 0);
	must(format_options_init(&opt) == 0);
	/* The same each time: the same hashes, so the same trees. */
	opt.hash_seed = 42;
	opt.csum_seed = 43;
	must(format_make(pool, &opt) == 0);
	return pool;
}

static void make_forged(const struct image *im, const char *path)
{
	struct forge fg;
	uint64_t i;

	forge_make(&fg, format(path));
	for (i = 0; i < 3; i++)
		tree_fill(forge_block(&fg, fg.data + i), 2, i);
	if (im)
		im->forged(&fg);
	pool_close(fg.pool);
}

static void make_tree(const struct image *im, const char *path)
{
	struct pool *pool;

	pool_close(format(path));
	tree_make(path);
	if (!im)
		return;
	must(pool_open(path, 0, &pool, NULL) == 0);
	im->tree(pool);
	pool_close(pool);
}

void image_make_at(const struct image *im, bool tree, const char *path)
{
	if (im && !im->forged && !im->tree)
		im = NULL;
	if (tree)
		make_tree(im, path);
	else
		make_forged(im, path);
}

const char *image_make(const struct image *im, bool tree)
{
	const char *path = scratch_path(SCRATCH_MEMORY, "pool");

	image_make_at(im, tree, path);
	return path;
}
