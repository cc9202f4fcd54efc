// SPDX-License-Identifier: BSD-3-Clause
/* pinfs dump POOL inode N, and dir N. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"
#include "dump.h"
#include "format/csum.h"
#include "tree.h"

/* struct found - what a walk of a tree has gathered */
struct found {
	struct out *o;
	struct pinfs_extent *extent;
	size_t extents;
};

static void on_damage(void *arg, uint64_t blkno, const char *why)
{
	struct found *f = arg;
	char title[40];

	snprintf(title, sizeof(title), "damage in block %" PRIu64, blkno);
	out_item(f->o, "tree_damage", title);
	out_number(f->o, "block", NULL, blkno);
	out_text(f->o, "why", "verdict", why);
	out_end(f->o);
}

static int keep_extents(struct found *f, const struct pinfs_extent *e, size_t n)
{
	struct pinfs_extent *all;

	if (!n)
		return 0;
	all = reallocarray(f->extent, f->extents + n, sizeof(*all));
	if (!all)
		return -ENOMEM;
	memcpy(all + f->extents, e, n * sizeof(*e));
	f->extent = all;
	f->extents += n;
	return 0;
}

static int extent_leaf(void *arg, uint64_t blkno,
		       const struct pinfs_blkhdr *hdr, const char *why)
{
	const struct pinfs_extent_node *leaf = (const void *)hdr;
	struct found *f = arg;

	(void)why;
	if (le32_to_cpu(hdr->magic) != PINFS_MAGIC_EXTENTS) {
		on_damage(f, blkno, "a directory's leaf in a file's tree");
		return 0;
	}
	return keep_extents(f, leaf->extent,
			    min_u64(le16_to_cpu(hdr->count),
				    PINFS_NODE_EXTENTS));
}

static int dump_file_tree(struct out *o, const struct image *img,
			  const struct pinfs_inode *di)
{
	struct found f = { .o = o };
	const struct tree_visitor v = {
		.leaf = extent_leaf,
		.damage = on_damage,
		.arg = &f,
	};
	int err;

	err = keep_extents(&f, di->u.extent, tree_extents(di));
	if (!err)
		err = tree_walk(img, di, &v);
	if (!err)
		out_rows(o, "extents", media_extent, f.extent, f.extents,
			 sizeof(*f.extent));
	free(f.extent);
	return err;
}

static void dump_orphan(struct out *o, const struct image *img,
			const struct pinfs_orphan *line)
{
	const char *why = NULL;

	format_orphan_verify(line, img->seed, &why);
	out_section(o, "orphan", "orphan line");
	dump_verdict(o, why);
	out_fields(o, media_orphan, line);
	out_end(o);
}

static void dump_fields(struct out *o, const struct image *img,
			const struct pinfs_inode *di)
{
	char target[PINFS_SYMLINK_INLINE + 1] = "";
	uint64_t size = le64_to_cpu(di->size);

	out_fields(o, media_inode, di);
	if (S_ISLNK(le32_to_cpu(di->mode)) && size <= PINFS_SYMLINK_INLINE) {
		memcpy(target, di->u.target, size);
		out_text(o, "target_text", "target", target);
	}
	if (le32_to_cpu(di->intent.op) || o->json) {
		out_section(o, "intent", "unfinished change");
		out_fields(o, media_intent, &di->intent);
		out_end(o);
	}
	dump_orphan(o, img, &di->orphan);
}

/* Where an inode is, or why there is none; the same for inode and dir. */
static int find_inode(struct out *o, const struct image *img, uint64_t ino,
		      struct pinfs_inode *di, const char **why)
{
	const char *bad;
	uint64_t blkno;
	int err;

	err = tree_inode(img, ino, di, &blkno, &bad);
	if (err) {
		*why = err == -ENOENT ? "there is none: the inode file has a "
					"hole there" :
		       bad	      ? bad :
					"its place is out of the pool";
		return err;
	}
	out_number(o, "number", "number", ino);
	out_number(o, "block", "in block", blkno);
	out_bool(o, "free", "free", format_inode_is_free(di));
	dump_verdict(o, bad);
	return 0;
}

int dump_inode(struct out *o, const struct image *img, uint64_t ino,
	       const char **why)
{
	struct pinfs_inode di;
	int err;

	err = find_inode(o, img, ino, &di, why);
	if (err)
		return err;
	dump_fields(o, img, &di);
	if (S_ISREG(le32_to_cpu(di.mode)))
		return dump_file_tree(o, img, &di);
	if (S_ISDIR(le32_to_cpu(di.mode)))
		out_rows(o, "indexes", media_index, di.u.index,
			 tree_indexes(&di), sizeof(di.u.index[0]));
	return 0;
}

/* One entry, if all of it lies inside the leaf. */
static bool take_dirent(const struct pinfs_dirent_node *leaf, size_t off,
			struct media_dirent_row *row)
{
	const uint8_t *block = (const uint8_t *)leaf;
	struct pinfs_dirent de;

	if (off < sizeof(leaf->hdr) ||
	    off > PINFS_BLOCK_SIZE - PINFS_DIRENT_HEAD)
		return false;
	memcpy(&de, block + off, PINFS_DIRENT_HEAD);
	if (de.name_len > PINFS_BLOCK_SIZE - PINFS_DIRENT_HEAD - off)
		return false;
	*row = (struct media_dirent_row){
		.key = le64_to_cpu(de.key),
		.ino = le64_to_cpu(de.ino),
		.type = de.type,
	};
	memcpy(row->name, block + off + PINFS_DIRENT_HEAD, de.name_len);
	return true;
}

void dump_dirents(struct out *o, const struct pinfs_dirent_node *leaf)
{
	size_t i, n = 0, count = le16_to_cpu(leaf->hdr.count);
	struct media_dirent_row *row;

	count = min_u64(count, ARRAY_SIZE(leaf->slot));
	row = calloc(count + 1, sizeof(*row));
	if (!row) {
		o->err = -ENOMEM;
		return;
	}
	for (i = 0; i < count; i++)
		n += take_dirent(leaf, le16_to_cpu(leaf->slot[i]), &row[n]);
	out_rows(o, "entries", media_dirent, row, n, sizeof(*row));
	free(row);
}

static int dirent_leaf(void *arg, uint64_t blkno,
		       const struct pinfs_blkhdr *hdr, const char *why)
{
	struct found *f = arg;
	char title[40];

	if (le32_to_cpu(hdr->magic) != PINFS_MAGIC_DIRENTS) {
		on_damage(f, blkno, "a file's leaf in a directory's tree");
		return 0;
	}
	snprintf(title, sizeof(title), "leaf in block %" PRIu64, blkno);
	out_item(f->o, "leaves", title);
	out_number(f->o, "block", NULL, blkno);
	dump_verdict(f->o, why);
	dump_dirents(f->o, (const void *)hdr);
	out_end(f->o);
	return 0;
}

int dump_dir(struct out *o, const struct image *img, uint64_t ino,
	     const char **why)
{
	struct found f = { .o = o };
	const struct tree_visitor v = {
		.leaf = dirent_leaf,
		.damage = on_damage,
		.arg = &f,
	};
	struct pinfs_inode di;
	int err;

	err = find_inode(o, img, ino, &di, why);
	if (err)
		return err;
	if (!S_ISDIR(le32_to_cpu(di.mode))) {
		*why = "not a directory";
		return -ENOTDIR;
	}
	out_number(o, "parent", "parent", le64_to_cpu(di.parent));
	return tree_walk(img, &di, &v);
}
