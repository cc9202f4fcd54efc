// SPDX-License-Identifier: BSD-3-Clause
/* Checksums, geometry and verifiers, with hostile input (S5). */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"
#include "format/csum.h"
#include "scratch.h"

#define SEED  0x1234567890abcdefull
#define TOTAL 100000ull
#define BLKNO 777ull

/* union any - one structure of each kind, sealed anew after each change */
union any {
	struct pinfs_blkhdr hdr;
	struct pinfs_super super;
	struct pinfs_index_node index;
	struct pinfs_extent_node extents;
	struct pinfs_dirent_node dirents;
	struct pinfs_blob blob;
	struct pinfs_bitmap bitmap;
	struct pinfs_inode inode;
	struct pinfs_orphan orphan;
	uint8_t bytes[PINFS_BLOCK_SIZE];
};

/* struct kind - how to make, seal and verify a structure */
struct kind {
	void (*make)(union any *u);
	void (*seal)(union any *u);
	int (*verify)(const union any *u, const char **why);
	size_t size;
};

static void seal_block(union any *u)
{
	format_block_seal(&u->hdr, BLKNO, SEED);
}

/* --- one good structure of each kind ------------------------------------- */

static void make_super(union any *u)
{
	struct format_geometry g;

	ck_assert_int_eq(format_geometry(TOTAL, &g), 0);
	memcpy(u->super.magic, PINFS_SUPER_MAGIC, 8);
	u->super.version = cpu_to_le32(PINFS_VERSION);
	u->super.block_size = cpu_to_le32(PINFS_BLOCK_SIZE);
	u->super.total_blocks = cpu_to_le64(TOTAL);
	u->super.journal_start = cpu_to_le64(g.journal_start);
	u->super.lanes = cpu_to_le32(g.lanes);
	u->super.lane_blocks = cpu_to_le32(g.lane_blocks);
	u->super.root_block = cpu_to_le64(g.root_block);
	u->super.groups_start = cpu_to_le64(g.groups_start);
	u->super.groups = cpu_to_le64(g.groups);
	u->super.first_free = cpu_to_le64(g.first_free);
	u->super.hdr.magic = cpu_to_le32(PINFS_MAGIC_SUPER);
}

static void seal_super(union any *u)
{
	format_block_seal(&u->hdr, 0, 0);
}

static int verify_super(const union any *u, const char **why)
{
	return format_super_verify(&u->super, 0, TOTAL, why);
}

static void make_index(union any *u)
{
	static const uint64_t key[] = { 0, 0, 10, UINT64_MAX };
	unsigned int i;

	u->hdr.magic = cpu_to_le32(PINFS_MAGIC_INDEX);
	u->hdr.level = cpu_to_le16(1);
	u->hdr.count = cpu_to_le16(ARRAY_SIZE(key));
	for (i = 0; i < ARRAY_SIZE(key); i++) {
		u->index.index[i].key = cpu_to_le64(key[i]);
		u->index.index[i].child = cpu_to_le64(TOTAL - 2 - i);
	}
}

static int verify_index(const union any *u, const char **why)
{
	return format_index_verify(&u->index, BLKNO, TOTAL, SEED, why);
}

static void set_extent(struct pinfs_extent *e, uint64_t lblk, uint64_t pblk,
		       uint32_t len)
{
	e->lblk = cpu_to_le64(lblk);
	e->pblk = cpu_to_le64(pblk);
	e->len = cpu_to_le32(len);
}

static void make_extents(union any *u)
{
	u->hdr.magic = cpu_to_le32(PINFS_MAGIC_EXTENTS);
	u->hdr.count = cpu_to_le16(3);
	set_extent(&u->extents.extent[0], 0, 1, 10);
	set_extent(&u->extents.extent[1], 10, TOTAL - 11, 10);
	set_extent(&u->extents.extent[2], (1ull << 51) - 1, 5000, 1);
	u->extents.extent[2].flags = cpu_to_le32(PINFS_EXTENT_UNWRITTEN);
}

static int verify_extents(const union any *u, const char **why)
{
	return format_extents_verify(&u->extents, BLKNO, TOTAL, SEED, why);
}

static struct pinfs_dirent *dirent_at(union any *u, size_t off)
{
	return (void *)(u->bytes + off);
}

static void put_dirent(union any *u, unsigned int slot, size_t off,
		       uint64_t key, const char *name)
{
	struct pinfs_dirent *de = dirent_at(u, off);

	u->dirents.slot[slot] = cpu_to_le16((uint16_t)off);
	de->key = cpu_to_le64(key);
	de->ino = cpu_to_le64(1000 + slot);
	de->type = DT_REG;
	de->name_len = (uint8_t)strlen(name);
	memcpy(u->bytes + off + PINFS_DIRENT_HEAD, name, de->name_len);
}

/* Three names, and 8 bytes between them that nobody uses. */
static void make_dirents(union any *u)
{
	u->hdr.magic = cpu_to_le32(PINFS_MAGIC_DIRENTS);
	u->hdr.count = cpu_to_le16(3);
	put_dirent(u, 0, 4072, 128, "abcdef"); /* to the block's end */
	put_dirent(u, 1, 4008, 129, "x");
	put_dirent(u, 2, 4032, INT64_MAX, "a longer name"); /* to 4064 */
	u->hdr.spec[0] = cpu_to_le64(4008);
	u->hdr.spec[1] = cpu_to_le64(8);
}

static int verify_dirents(const union any *u, const char **why)
{
	return format_dirents_verify(&u->dirents, BLKNO, SEED, why);
}

static void make_blob(union any *u)
{
	u->hdr.magic = cpu_to_le32(PINFS_MAGIC_BLOB);
	u->hdr.spec[0] = cpu_to_le64(TOTAL - 2);
	u->hdr.spec[1] = cpu_to_le64(PINFS_BLOB_BYTES);
	u->hdr.spec[2] = cpu_to_le64(PINFS_BLOB_MAX);
}

static int verify_blob(const union any *u, const char **why)
{
	return format_blob_verify(&u->blob, BLKNO, TOTAL, SEED, why);
}

static void make_bitmap(union any *u)
{
	u->hdr.magic = cpu_to_le32(PINFS_MAGIC_IMAP);
	u->hdr.spec[0] = cpu_to_le64(3);
	u->hdr.spec[1] = cpu_to_le64(PINFS_GROUP_BLOCKS - 3);
	u->bitmap.bits[0] = cpu_to_le64(3);
	u->bitmap.bits[503] = cpu_to_le64(1ull << 63);
}

static int verify_bitmap(const union any *u, const char **why)
{
	return format_bitmap_verify(&u->bitmap, PINFS_MAGIC_IMAP, 3, BLKNO,
				    SEED, why);
}

static void make_file(union any *u)
{
	struct pinfs_inode *di = &u->inode;

	di->ino = cpu_to_le64(42);
	di->mode = cpu_to_le32(S_IFREG | 07777);
	di->gen = cpu_to_le32((1u << PINFS_GEN_BITS) - 1);
	di->size = cpu_to_le64(INT64_MAX);
	di->atime_ns = cpu_to_le32(999999999);
	di->tree_count = cpu_to_le16(2);
	set_extent(&di->u.extent[0], 5, TOTAL - 4, 3);
	set_extent(&di->u.extent[1], 8, 20, 1);
}

static void make_dir(union any *u)
{
	struct pinfs_inode *di = &u->inode;

	di->ino = cpu_to_le64(42);
	di->mode = cpu_to_le32(S_IFDIR | 0755);
	di->parent = cpu_to_le64(1);
	di->tree_level = cpu_to_le16(1);
	di->tree_count = cpu_to_le16(1);
	di->u.index[0].child = cpu_to_le64(TOTAL - 2);
}

static void make_symlink(union any *u)
{
	struct pinfs_inode *di = &u->inode;

	di->ino = cpu_to_le64(42);
	di->mode = cpu_to_le32(S_IFLNK | 0777);
	di->size = cpu_to_le64(256);
	memset(di->u.target, 'x', 256);
}

static void seal_inode(union any *u)
{
	format_inode_seal(&u->inode, SEED);
}

static int verify_inode(const union any *u, const char **why)
{
	int err = format_inode_verify(&u->inode, 42, SEED, why);

	return err ? err : format_inode_map_verify(&u->inode, TOTAL, why);
}

static void make_orphan(union any *u)
{
	u->orphan.next = cpu_to_le64((1ull << PINFS_INO_BITS) - 1);
	u->orphan.on_list = cpu_to_le64(1);
}

static void seal_orphan(union any *u)
{
	format_orphan_seal(&u->orphan, SEED);
}

static int verify_orphan(const union any *u, const char **why)
{
	return format_orphan_verify(&u->orphan, SEED, why);
}

static const struct kind super = { make_super, seal_super, verify_super, 4096 };
static const struct kind index_node = { make_index, seal_block, verify_index,
					4096 };
static const struct kind extents = { make_extents, seal_block, verify_extents,
				     4096 };
static const struct kind dirents = { make_dirents, seal_block, verify_dirents,
				     4096 };
static const struct kind blob = { make_blob, seal_block, verify_blob, 4096 };
static const struct kind bitmap = { make_bitmap, seal_block, verify_bitmap,
				    4096 };
static const struct kind file = { make_file, seal_inode, verify_inode, 448 };
static const struct kind dir = { make_dir, seal_inode, verify_inode, 448 };
static const struct kind symlink_kind = { make_symlink, seal_inode,
					  verify_inode, 448 };
static const struct kind orphan = { make_orphan, seal_orphan, verify_orphan,
				    64 };

static const struct kind *const kinds[] = {
	&super,	 &index_node, &extents, &dirents,      &blob,
	&bitmap, &file,	      &dir,	&symlink_kind, &orphan,
};

static void make_good(const struct kind *k, union any *u)
{
	memset(u, 0, sizeof(*u));
	k->make(u);
	k->seal(u);
}

START_TEST(good_ones_pass)
{
	const char *why = "none given";
	union any u;

	make_good(kinds[_i], &u);
	ck_assert_msg(!kinds[_i]->verify(&u, &why), "%s", why);
}
END_TEST

/* Any one bit that changes is found out. */
START_TEST(every_bit_is_covered)
{
	const struct kind *k = kinds[_i];
	const char *why;
	union any u;
	size_t bit;

	make_good(k, &u);
	for (bit = 0; bit < k->size * 8; bit++) {
		u.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		why = NULL;
		if (!k->verify(&u, &why) || !why)
			ck_abort_msg("kind %d, bit %zu", _i, bit);
		u.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_int_eq(k->verify(&u, &why), 0);
}
END_TEST

/* --- changes that a right checksum makes believable ---------------------- */

/* struct lie - store value of width bytes at off, then seal again */
struct lie {
	const struct kind *kind;
	size_t off;
	size_t width;
	uint64_t value;
	int err;
};

#define HDR(m) \
	offsetof(struct pinfs_blkhdr, m), sizeof(((struct pinfs_blkhdr *)0)->m)
#define SPEC(i) 32 + 8 * (i), 8
#define SB(m) \
	offsetof(struct pinfs_super, m), sizeof(((struct pinfs_super *)0)->m)
#define IN(m) \
	offsetof(struct pinfs_inode, m), sizeof(((struct pinfs_inode *)0)->m)
#define KEY(i)	 64 + 16 * (i), 8
#define CHILD(i) 72 + 16 * (i), 8
#define LBLK(i)	 64 + 24 * (i), 8
#define PBLK(i)	 72 + 24 * (i), 8
#define LEN(i)	 80 + 24 * (i), 4
#define FLAGS(i) 84 + 24 * (i), 4
#define SLOT(i)	 64 + 2 * (i), 2

static const struct lie lies[] = {
	{ &super, SB(magic), 0, -EMEDIUMTYPE },
	{ &super, SB(version), 2, -EOPNOTSUPP },
	{ &super, SB(incompat), 1ull << 63, -EOPNOTSUPP },
	{ &super, SB(block_size), 512, -EUCLEAN },
	{ &super, SB(total_blocks), TOTAL + 1, -ENOSPC },
	{ &super, SB(total_blocks), 4095, -EUCLEAN },
	{ &super, SB(total_blocks), UINT64_MAX, -EUCLEAN },
	{ &super, SB(journal_start), 0, -EUCLEAN },
	{ &super, SB(journal_start), 2, -EUCLEAN },
	{ &super, SB(journal_start), UINT64_MAX - 1, -EUCLEAN },
	{ &super, SB(lanes), 0, -EUCLEAN },
	{ &super, SB(lanes), 65, -EUCLEAN },
	{ &super, SB(lane_blocks), 0, -EUCLEAN },
	{ &super, SB(lane_blocks), UINT32_MAX, -EUCLEAN },
	{ &super, SB(root_block), 3, -EUCLEAN },
	{ &super, SB(root_block), UINT64_MAX, -EUCLEAN },
	{ &super, SB(groups_start), 0, -EUCLEAN },
	{ &super, SB(groups_start), TOTAL - 1, -EUCLEAN },
	{ &super, SB(groups), 0, -EUCLEAN },
	{ &super, SB(groups), 1000, -EUCLEAN },
	{ &super, SB(first_free), 0, -EUCLEAN },
	{ &super, SB(first_free), TOTAL, -EUCLEAN },

	{ &index_node, HDR(level), 0, -EUCLEAN },
	{ &index_node, HDR(level), PINFS_TREE_MAX_LEVEL, -EUCLEAN },
	{ &index_node, HDR(count), 0, -EUCLEAN },
	{ &index_node, HDR(count), 253, -EUCLEAN },
	{ &index_node, HDR(count), 65535, -EUCLEAN },
	{ &index_node, KEY(0), 1, -EUCLEAN },
	{ &index_node, KEY(2), 0, -EUCLEAN },
	{ &index_node, KEY(3), 10, -EUCLEAN },
	{ &index_node, KEY(3), 9, -EUCLEAN },
	{ &index_node, CHILD(0), 0, -EUCLEAN },
	{ &index_node, CHILD(3), TOTAL - 1, -EUCLEAN },
	{ &index_node, CHILD(3), UINT64_MAX, -EUCLEAN },

	{ &extents, HDR(level), 1, -EUCLEAN },
	{ &extents, HDR(count), 169, -EUCLEAN },
	{ &extents, LEN(0), 0, -EUCLEAN },
	{ &extents, LEN(0), 11, -EUCLEAN },
	{ &extents, LEN(0), UINT32_MAX, -EUCLEAN },
	{ &extents, LBLK(1), 9, -EUCLEAN },
	{ &extents, LBLK(2), 1ull << 51, -EUCLEAN },
	{ &extents, LBLK(2), UINT64_MAX, -EUCLEAN },
	{ &extents, PBLK(0), 0, -EUCLEAN },
	{ &extents, PBLK(1), TOTAL - 10, -EUCLEAN },
	{ &extents, PBLK(1), UINT64_MAX, -EUCLEAN },
	{ &extents, PBLK(1), UINT64_MAX - 5, -EUCLEAN },
	{ &extents, FLAGS(2), 4, -EUCLEAN },

	{ &dirents, HDR(level), 1, -EUCLEAN },
	{ &dirents, HDR(count), 2017, -EUCLEAN },
	{ &dirents, HDR(count), 65535, -EUCLEAN },
	{ &dirents, HDR(count), 4, -EUCLEAN }, /* slot 3 is 0 */
	{ &dirents, SPEC(0), 4000, -EUCLEAN },
	{ &dirents, SPEC(1), 0, -EUCLEAN },
	{ &dirents, SLOT(0), 64, -EUCLEAN }, /* in the slots */
	{ &dirents, SLOT(0), 4073, -EUCLEAN }, /* misaligned */
	{ &dirents, SLOT(0), 4080, -EUCLEAN }, /* head past the end */
	{ &dirents, SLOT(0), 65528, -EUCLEAN },
	{ &dirents, SLOT(0), 4008, -EUCLEAN }, /* that of slot 1 */
	{ &dirents, 4072 + 17, 1, 7, -EUCLEAN }, /* name past the end */
	{ &dirents, 4072 + 17, 1, 255, -EUCLEAN },
	{ &dirents, 4072 + 17, 1, 0, -EUCLEAN },
	{ &dirents, 4008 + 17, 1, 7, -EUCLEAN }, /* name into the next */
	{ &dirents, 4072, 8, 127, -EUCLEAN }, /* key below the first */
	{ &dirents, 4072, 8, 129, -EUCLEAN }, /* that of the next */
	{ &dirents, 4072, 8, 130, -EUCLEAN }, /* out of order */
	{ &dirents, 4032, 8, 1ull << 63, -EUCLEAN },
	{ &dirents, 4072 + 8, 8, 0, -EUCLEAN },
	{ &dirents, 4072 + 8, 8, 1ull << PINFS_INO_BITS, -EUCLEAN },
	{ &dirents, 4072 + 16, 1, DT_UNKNOWN, -EUCLEAN },
	{ &dirents, 4072 + 16, 1, DT_WHT, -EUCLEAN },
	{ &dirents, 4072 + 20, 1, '/', -EUCLEAN },
	{ &dirents, 4072 + 20, 1, 0, -EUCLEAN },
	{ &dirents, 4008 + 18, 1, '.', -EUCLEAN },

	{ &blob, SPEC(0), TOTAL - 1, -EUCLEAN },
	{ &blob, SPEC(0), UINT64_MAX, -EUCLEAN },
	{ &blob, SPEC(1), 0, -EUCLEAN },
	{ &blob, SPEC(1), PINFS_BLOB_BYTES + 1, -EUCLEAN },
	{ &blob, SPEC(2), PINFS_BLOB_BYTES - 1, -EUCLEAN },
	{ &blob, SPEC(2), PINFS_BLOB_MAX + 1, -EUCLEAN },

	{ &bitmap, HDR(magic), PINFS_MAGIC_GROUP, -EUCLEAN },
	{ &bitmap, SPEC(0), 2, -EUCLEAN },
	{ &bitmap, SPEC(1), 5, -EUCLEAN },

	{ &file, IN(ino), 43, -EUCLEAN },
	{ &file, IN(size), 1ull << 63, -EUCLEAN },
	{ &file, IN(mode), S_IFMT, -EUCLEAN },
	{ &file, IN(mode), 0644, -EUCLEAN },
	{ &file, IN(mode), S_IFREG | 1u << 16, -EUCLEAN },
	{ &file, IN(mode), S_IFIFO, -EUCLEAN }, /* with a tree */
	{ &file, IN(mode), S_IFDIR, -EUCLEAN }, /* with extents */
	{ &file, IN(gen), 1u << PINFS_GEN_BITS, -EUCLEAN },
	{ &file, IN(flags), 64, -EUCLEAN },
	{ &file, IN(mtime_ns), 1000000000, -EUCLEAN },
	{ &file, IN(target), 5, -EUCLEAN },
	{ &file, IN(xattr), TOTAL - 1, -EUCLEAN },
	{ &file, IN(xattr), UINT64_MAX, -EUCLEAN },
	{ &file, IN(intent.op), 7, -EUCLEAN },
	{ &file, IN(tree_count), 11, -EUCLEAN },
	{ &file, IN(tree_count), 65535, -EUCLEAN },
	{ &file, IN(tree_level), 9, -EUCLEAN },
	{ &file, IN(tree_level), 1, -EUCLEAN },
	{ &file, IN(u.extent[0].lblk), 6, -EUCLEAN },
	{ &file, IN(u.extent[0].pblk), TOTAL - 3, -EUCLEAN },
	{ &file, IN(u.extent[1].pblk), 0, -EUCLEAN },
	{ &file, IN(u.extent[1].len), 0, -EUCLEAN },

	{ &dir, IN(parent), 0, -EUCLEAN },
	{ &dir, IN(parent), 1ull << PINFS_INO_BITS, -EUCLEAN },
	{ &dir, IN(tree_level), 0, -EUCLEAN },
	{ &dir, IN(tree_count), 0, -EUCLEAN },
	{ &dir, IN(tree_count), 17, -EUCLEAN },
	{ &dir, IN(u.index[0].child), TOTAL - 1, -EUCLEAN },

	{ &symlink_kind, IN(size), 0, -EUCLEAN },
	{ &symlink_kind, IN(size), 257, -EUCLEAN }, /* and no blob */
	{ &symlink_kind, IN(size), PINFS_SYMLINK_MAX + 1, -EUCLEAN },
	{ &symlink_kind, IN(target), 9, -EUCLEAN }, /* and inline */
	{ &symlink_kind, 192 + 255, 1, 0, -EUCLEAN },
	{ &symlink_kind, IN(tree_level), 1, -EUCLEAN },

	{ &orphan, offsetof(struct pinfs_orphan, next), 8,
	  1ull << PINFS_INO_BITS, -EUCLEAN },
	{ &orphan, offsetof(struct pinfs_orphan, on_list), 8, 2, -EUCLEAN },
};

START_TEST(lies_are_refused)
{
	const struct lie *l = &lies[_i];
	uint64_t value = htole64(l->value);
	const char *why = NULL;
	union any u;
	int err;

	make_good(l->kind, &u);
	ck_assert_uint_le(l->width, 8);
	memcpy(u.bytes + l->off, &value, l->width);
	l->kind->seal(&u);
	err = l->kind->verify(&u, &why);
	ck_assert_msg(err == l->err, "lie %d: %d", _i, err);
	ck_assert_ptr_nonnull(why);
}
END_TEST

/*
 * Lies that fit together: all figures agree, and only one check stands in the
 * way of an access out of bounds.
 */
static void leaf_in_its_slots(union any *u)
{
	memset(u, 0, sizeof(*u));
	u->hdr.magic = cpu_to_le32(PINFS_MAGIC_DIRENTS);
	u->hdr.count = cpu_to_le16(1);
	/* The slot is the low half of the key's low word. */
	put_dirent(u, 0, 64, 1 << 16 | 64, "x");
	u->hdr.spec[0] = cpu_to_le64(64);
	u->hdr.spec[1] = cpu_to_le64(4096 - 64 - 24);
}

static void leaf_past_its_end(union any *u)
{
	make_dirents(u);
	dirent_at(u, 4072)->name_len = 7;
	u->hdr.spec[1] = cpu_to_le64(0);
}

static void leaf_with_overlap(union any *u)
{
	make_dirents(u);
	dirent_at(u, 4008)->name_len = 7;
	memset(u->bytes + 4008 + PINFS_DIRENT_HEAD, 'y', 7);
	/* Its last byte is the first of the next entry's key. */
	dirent_at(u, 4032)->key = cpu_to_le64((uint64_t)INT64_MAX - 255 + 'y');
	u->hdr.spec[1] = cpu_to_le64(0);
}

static void inode_past_its_list(union any *u)
{
	struct pinfs_inode *di = &u->inode;
	struct pinfs_extent *e;
	unsigned int i;

	make_file(u);
	for (i = 0; i < 11; i++) {
		e = (void *)(di->u.bytes + i * sizeof(*e));
		set_extent(e, 10 + 2 * i, 1000 + i, 1);
	}
	e->flags = cpu_to_le32(0);
	di->tree_count = cpu_to_le16(11);
}

static const struct {
	const struct kind *kind;
	void (*make)(union any *u);
} schemes[] = {
	{ &dirents, leaf_in_its_slots },
	{ &dirents, leaf_past_its_end },
	{ &dirents, leaf_with_overlap },
	{ &file, inode_past_its_list },
};

START_TEST(schemes_are_refused)
{
	struct {
		union any u;
		char after[64];
	} s;
	const char *why = NULL;

	memset(&s.u, 0, sizeof(s.u));
	memset(s.after, 'z', sizeof(s.after));
	schemes[_i].make(&s.u);
	schemes[_i].kind->seal(&s.u);
	ck_assert_int_eq(schemes[_i].kind->verify(&s.u, &why), -EUCLEAN);
	ck_assert_ptr_nonnull(why);
}
END_TEST

/* Noise under a right checksum: no verifier reads out of its structure. */
START_TEST(noise_is_harmless)
{
	const struct kind *k = kinds[_i];
	union any *u = malloc(k->size); /* for a sanitizer to watch */
	unsigned int round, i;
	const char *why;
	union any good;

	srandom(1);
	make_good(k, &good);
	for (round = 0; round < 20000; round++) {
		memcpy(u, &good, k->size);
		for (i = 0; i < 8; i++)
			u->bytes[(size_t)random() % k->size] =
				(uint8_t)(random() >> 7);
		for (i = 0; i < 4; i++)
			u->bytes[(size_t)random() % min_u64(k->size, 100)] =
				(uint8_t)(random() >> 7);
		memcpy(u, &good, 4);
		k->seal(u);
		k->verify(u, &why);
	}
	free(u);
}
END_TEST

START_TEST(misplaced_blocks_are_found)
{
	const char *why = NULL;
	union any u;

	make_good(&extents, &u);
	ck_assert_int_eq(format_extents_verify(&u.extents, BLKNO + 1, TOTAL,
					       SEED, &why),
			 -EUCLEAN);
	ck_assert_int_eq(format_extents_verify(&u.extents, BLKNO, TOTAL,
					       SEED + 1, &why),
			 -EUCLEAN);
	ck_assert_int_eq(format_super_verify(&u.super, 0, TOTAL, &why),
			 -EMEDIUMTYPE);
	make_good(&super, &u);
	ck_assert_int_eq(format_super_verify(&u.super, TOTAL - 1, TOTAL, &why),
			 -EUCLEAN);
	format_super_seal(&u.super, TOTAL - 1);
	ck_assert_int_eq(format_super_verify(&u.super, TOTAL - 1, TOTAL, &why),
			 0);
	/* A backup is one at the end that the superblock speaks of. */
	format_super_seal(&u.super, TOTAL);
	ck_assert_int_eq(format_super_verify(&u.super, TOTAL, TOTAL + 1, &why),
			 -EUCLEAN);
}
END_TEST

START_TEST(free_and_empty)
{
	const char *why;
	union any u = { 0 };

	ck_assert(format_inode_is_free(&u.inode));
	u.inode.gen = cpu_to_le32(7);
	ck_assert(format_inode_is_free(&u.inode));
	memset(&u, 0, sizeof(u));
	ck_assert_int_eq(format_orphan_verify(&u.orphan, SEED, &why), 0);
	make_good(&file, &u);
	ck_assert(!format_inode_is_free(&u.inode));
}
END_TEST

START_TEST(unknown_features_are_named)
{
	const char *why = NULL;
	union any u;

	make_good(&super, &u);
	u.super.incompat = cpu_to_le64(1ull << 37);
	seal_super(&u);
	ck_assert_int_eq(verify_super(&u, &why), -EOPNOTSUPP);
	ck_assert_ptr_nonnull(strstr(why, "bit 37"));
	/* The others are for whoever mounts. */
	u.super.incompat = cpu_to_le64(0);
	u.super.compat = u.super.ro_compat = cpu_to_le64(UINT64_MAX);
	seal_super(&u);
	ck_assert_int_eq(verify_super(&u, &why), 0);
	ck_assert_ptr_nonnull(strstr(format_feature_name(63), "bit 63"));
	ck_assert_ptr_nonnull(format_feature_name(64));
}
END_TEST

static void make_jstate(struct pinfs_jstate *s, uint64_t blkno, uint64_t update)
{
	memset(s, 0, sizeof(*s));
	s->hdr.magic = cpu_to_le32(PINFS_MAGIC_JSTATE);
	s->update = cpu_to_le64(update);
	format_block_seal(&s->hdr, blkno, SEED);
}

START_TEST(jstate_in_force)
{
	static struct pinfs_jstate a, b;

	make_jstate(&a, 1, 4);
	make_jstate(&b, 2, 5);
	ck_assert_ptr_eq(format_jstate_pick(&a, &b, 1, SEED), &b);
	make_jstate(&a, 1, 6);
	ck_assert_ptr_eq(format_jstate_pick(&a, &b, 1, SEED), &a);
	/* The newer one torn: the older counts. */
	a.reserved[3000] = 1;
	ck_assert_ptr_eq(format_jstate_pick(&a, &b, 1, SEED), &b);
	b.tail[0] = cpu_to_le32(1);
	format_block_seal(&b.hdr, 2, SEED);
	ck_assert_ptr_null(format_jstate_pick(&a, &b, 1, SEED));
	/* B's state where A's belongs. */
	make_jstate(&a, 2, 6);
	ck_assert_ptr_null(format_jstate_pick(&a, &b, 1, SEED));
	make_jstate(&a, 1, 6);
	a.flags = cpu_to_le32(4);
	format_block_seal(&a.hdr, 1, SEED);
	ck_assert_ptr_null(format_jstate_pick(&a, &b, 1, SEED));
}
END_TEST

START_TEST(csum_skips_itself)
{
	uint8_t buf[4096];
	uint64_t c;
	size_t i;

	for (i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 7);
	memset(buf + 8, 0, 8);
	c = format_csum(buf, sizeof(buf), 8, SEED);
	memset(buf + 8, 0xff, 8);
	ck_assert_uint_eq(format_csum(buf, sizeof(buf), 8, SEED), c);
	ck_assert_uint_ne(format_csum(buf, sizeof(buf), 8, SEED + 1), c);
	ck_assert_uint_ne(format_csum(buf, sizeof(buf) - 1, 8, SEED), c);
	ck_assert_uint_ne(format_csum(buf, sizeof(buf), 16, SEED), c);
	/* XXH3-64 of 64 zero bytes: the value of the reference library. */
	memset(buf, 0, 64);
	ck_assert_uint_eq(format_csum(buf, 64, 8, 0), 0x2ffb6918c12c256eull);
}
END_TEST

START_TEST(name_hash_is_a_key)
{
	char name[8];
	uint64_t key;
	int i;

	for (i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		key = format_name_hash(name, strlen(name), SEED);
		ck_assert(!(key >> 63) && !(key & 127) &&
			  key >= PINFS_DIR_FIRST_KEY);
	}
	ck_assert_uint_eq(format_name_hash("abc", 3, SEED),
			  format_name_hash("abcd", 3, SEED));
	ck_assert_uint_ne(format_name_hash("abc", 3, SEED),
			  format_name_hash("abc", 3, SEED + 1));
}
END_TEST

START_TEST(dirent_sizes)
{
	ck_assert_uint_eq(format_dirent_size(1), 24);
	ck_assert_uint_eq(format_dirent_size(6), 24);
	ck_assert_uint_eq(format_dirent_size(7), 32);
	ck_assert_uint_eq(format_dirent_size(255), 280);
}
END_TEST

START_TEST(geometry_fits)
{
	static const uint64_t sizes[] = {
		4096,	   16383,	  16384,	 262143,
		262144,	   1ull << 28,	  1ull << 32,	 PINFS_MAX_BLOCKS,
		32256 * 3, 32256 * 3 + 1, 32256 * 3 - 1,
	};
	static const uint32_t lanes[] = { 4, 4, 8, 8, 16, 16 };
	struct format_geometry g;
	size_t i;

	ck_assert_int_eq(format_geometry(4095, &g), -ENOSPC);
	ck_assert_int_eq(format_geometry(PINFS_MAX_BLOCKS + 1, &g), -EFBIG);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ck_assert_int_eq(format_geometry(sizes[i], &g), 0);
		ck_assert_uint_eq(g.root_block,
				  3 + (uint64_t)g.lanes * g.lane_blocks);
		ck_assert_uint_eq(g.groups_start, g.root_block + 1);
		ck_assert_uint_eq(g.first_free, g.groups_start + g.groups);
		ck_assert_uint_ge(g.groups * PINFS_GROUP_BLOCKS, sizes[i]);
		ck_assert_uint_lt((g.groups - 1) * PINFS_GROUP_BLOCKS,
				  sizes[i]);
		ck_assert_uint_lt(g.first_free, sizes[i] / 8);
		if (i < ARRAY_SIZE(lanes))
			ck_assert_uint_eq(g.lanes, lanes[i]);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("format");
	TCase *tc = tcase_create("format");

	tcase_add_loop_test(tc, good_ones_pass, 0, ARRAY_SIZE(kinds));
	tcase_add_loop_test(tc, every_bit_is_covered, 0, ARRAY_SIZE(kinds));
	tcase_add_loop_test(tc, lies_are_refused, 0, ARRAY_SIZE(lies));
	tcase_add_loop_test(tc, schemes_are_refused, 0, ARRAY_SIZE(schemes));
	tcase_add_loop_test(tc, noise_is_harmless, 0, ARRAY_SIZE(kinds));
	tcase_add_test(tc, misplaced_blocks_are_found);
	tcase_add_test(tc, free_and_empty);
	tcase_add_test(tc, unknown_features_are_named);
	tcase_add_test(tc, jstate_in_force);
	tcase_add_test(tc, csum_skips_itself);
	tcase_add_test(tc, name_hash_is_a_key);
	tcase_add_test(tc, dirent_sizes);
	tcase_add_test(tc, geometry_fits);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
