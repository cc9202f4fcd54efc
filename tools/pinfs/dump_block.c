// SPDX-License-Identifier: BSD-3-Clause
/* pinfs dump POOL block N: what a block seems to be, and what is in it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "dump.h"
#include "format/csum.h"
#include "tree.h"

union block {
	struct pinfs_blkhdr hdr;
	struct pinfs_super super;
	struct pinfs_jstate jstate;
	struct pinfs_bitmap bitmap;
	struct pinfs_inode inode[PINFS_INODES_PER_BLOCK];
	struct pinfs_index_node index;
	struct pinfs_extent_node extents;
	struct pinfs_dirent_node dirents;
	struct pinfs_blob blob;
	uint8_t bytes[PINFS_BLOCK_SIZE];
};

#define I(member, kind, label) FIELD_LE(struct pinfs_inode, member, kind, label)

static const struct field inode_row[] = {
	I(ino, NUMBER, "INODE"),
	I(gen, NUMBER, "GENERATION"),
	I(mode, OCTAL, "MODE"),
	I(nlink, NUMBER, "LINKS"),
	I(size, NUMBER, "SIZE"),
	I(blocks, NUMBER, "BLOCKS"),
	FIELD_END,
};

static bool all_zero(const uint8_t *p, size_t n)
{
	return !p[0] && !memcmp(p, p + 1, n - 1);
}

static void hex_lines(unsigned int indent, const uint8_t *p, size_t n)
{
	size_t i, k;

	for (i = 0; i < n; i += 16) {
		printf("%*s%04zx ", (int)indent, "", i);
		for (k = 0; k < 16; k++)
			printf(" %02x", p[i + k]);
		printf("  ");
		for (k = 0; k < 16; k++)
			putchar(p[i + k] >= ' ' && p[i + k] < 0x7f ? p[i + k] :
								     '.');
		putchar('\n');
	}
}

void dump_hex(struct out *o, const void *buf, size_t n)
{
	char text[2 * PINFS_BLOCK_SIZE + 1];
	const uint8_t *p = buf;
	size_t i;

	if (!o->json && all_zero(p, n)) {
		printf("all zeroes\n");
	} else if (!o->json) {
		hex_lines(0, p, n);
	} else {
		for (i = 0; i < n; i++)
			sprintf(text + 2 * i, "%02x", p[i]);
		out_text(o, "hex", NULL, text);
	}
}

/* What the verifier for a block of its kind says; NULL: nothing against it. */
static const char *verify(const struct image *img, uint64_t blkno,
			  const union block *b, uint32_t magic)
{
	const char *why = NULL;

	switch (magic) {
	case PINFS_MAGIC_SUPER:
		format_super_verify(&b->super, blkno, img->blocks, &why);
		break;
	case PINFS_MAGIC_GROUP:
	case PINFS_MAGIC_IMAP:
		/* Which one it is has only itself to say. */
		format_bitmap_verify(&b->bitmap, magic,
				     le64_to_cpu(b->hdr.spec[0]), blkno,
				     img->seed, &why);
		break;
	case PINFS_MAGIC_BLOB:
		format_blob_verify(&b->blob, blkno, img->blocks, img->seed,
				   &why);
		break;
	case PINFS_MAGIC_JSTATE:
		format_block_verify(&b->hdr, magic, blkno, img->seed, &why);
		break;
	default:
		tree_verify(img, blkno, b, &why);
	}
	return why;
}

/* The contents by kind; false: they are best seen as bytes. */
static bool contents(struct out *o, const union block *b, uint32_t magic)
{
	uint64_t count = le16_to_cpu(b->hdr.count);

	switch (magic) {
	case PINFS_MAGIC_SUPER:
		out_fields(o, media_super, b);
		return true;
	case PINFS_MAGIC_JSTATE:
		out_fields(o, media_jstate, b);
		return true;
	case PINFS_MAGIC_GROUP:
	case PINFS_MAGIC_IMAP:
		out_number(o, "index", "index", le64_to_cpu(b->hdr.spec[0]));
		out_number(o, "clear", "clear bits",
			   le64_to_cpu(b->hdr.spec[1]));
		return true;
	case PINFS_MAGIC_INDEX:
		out_rows(o, "indexes", media_index, b->index.index,
			 min_u64(count, PINFS_NODE_INDEXES),
			 sizeof(b->index.index[0]));
		return true;
	case PINFS_MAGIC_EXTENTS:
		out_rows(o, "extents", media_extent, b->extents.extent,
			 min_u64(count, PINFS_NODE_EXTENTS),
			 sizeof(b->extents.extent[0]));
		return true;
	case PINFS_MAGIC_DIRENTS:
		dump_dirents(o, &b->dirents);
		return true;
	case PINFS_MAGIC_BLOB:
		out_number(o, "next", "next", le64_to_cpu(b->hdr.spec[0]));
		out_number(o, "used", "bytes here",
			   le64_to_cpu(b->hdr.spec[1]));
		out_number(o, "total", "bytes in all",
			   le64_to_cpu(b->hdr.spec[2]));
		return false;
	default:
		return false;
	}
}

static bool is_root(const struct image *img, uint64_t blkno)
{
	return blkno == le64_to_cpu(img->best->sb.root_block);
}

int dump_block(struct out *o, const struct image *img, uint64_t blkno, bool hex,
	       const char **why)
{
	const char *kind;
	union block b;
	uint32_t magic;
	int err;

	err = image_read(img, blkno, &b);
	if (err) {
		*why = "past the pool's end";
		return err;
	}
	magic = le32_to_cpu(b.hdr.magic);
	kind = is_root(img, blkno) ? "root block" : media_magic_name(magic);
	out_number(o, "block", "block", blkno);
	/* Any file may contain what looks like metadata. */
	out_text(o, "kind", "looks like", kind ? kind : "data");
	if (is_root(img, blkno) || magic == PINFS_MAGIC_INODE) {
		out_rows(o, "inodes", inode_row, b.inode,
			 is_root(img, blkno) ? 1 : PINFS_INODES_PER_BLOCK,
			 sizeof(b.inode[0]));
	} else if (!kind || magic == PINFS_MAGIC_JREC) {
		hex = true;
	} else {
		dump_verdict(o, verify(img, blkno, &b, magic));
		out_fields(o, media_blkhdr, &b.hdr);
		hex |= !contents(o, &b, magic);
	}
	if (hex)
		dump_hex(o, &b, sizeof(b));
	return 0;
}
