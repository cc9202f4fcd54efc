// SPDX-License-Identifier: BSD-3-Clause
/*
 * ENOSPC at every allocation of every operation (S6): the operation is undone,
 * all else goes on working, and what gives space back never fails for want of it.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "fs/acl.h"
#include "fs_rig.h"
#include "inode/volume.h"
#include "scratch_cut.h"
#include "scratch_fsck.h"
#include "scratch_scale.h"
#include "space/space.h"
#include "scratch.h"

#define MIB   (1ull << 20)
#define BLOCK ((uint64_t)PINFS_BLOCK_SIZE)

#define BIG	 400u /* blocks of "big", every second a hole */
#define OWN	 16u /* blocks of the inode file that are mapped at once */
#define LONGNAME 200

static struct fs_rig r;
static uint8_t buf[MIB];

/* --- the hook ----------------------------------------------------------------- */

enum mode {
	FROM_NTH, /* all from the n-th on: a pool that has become full */
	ONLY_NTH, /* another gives space back right after it */
	FULL, /* none but from the reserve: a pool that is full */
	MODES,
};

static struct {
	enum mode mode;
	unsigned int n; /* 1: the first */
	unsigned int seen;
	unsigned int refused;
} hook;

static int on_alloc(void *arg, unsigned int flags)
{
	bool refuse;

	(void)arg;
	hook.seen++;
	refuse = hook.mode == FROM_NTH ? hook.seen >= hook.n :
		 hook.mode == ONLY_NTH ? hook.seen == hook.n :
					 !(flags & SPACE_RESERVE);
	hook.refused += refuse;
	return refuse ? -ENOSPC : 0;
}

static void hook_set(enum mode mode, unsigned int n)
{
	hook.mode = mode;
	hook.n = n;
	hook.seen = 0;
	hook.refused = 0;
	space_on_alloc(fs_volume(r.fs)->space, on_alloc, NULL);
}

static void hook_clear(void)
{
	space_on_alloc(fs_volume(r.fs)->space, NULL, NULL);
}

/* --- what there is ------------------------------------------------------------- */

/* struct scene - all that an operation that fails must leave as it is */
struct scene {
	uint64_t digest;
	uint64_t blocks; /* of all files */
	uint64_t free_blocks;
	uint64_t available; /* what is held in memory counts, too */
	uint64_t inodes;
	uint64_t orphans;
};

static uint64_t mix(uint64_t digest, const void *p, size_t n)
{
	const uint8_t *at = p;
	uint64_t word;

	for (; n >= sizeof(word); at += sizeof(word), n -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		digest = (digest ^ word) * 0x9e3779b97f4a7c15u;
		digest ^= digest >> 29;
	}
	for (; n > 0; at++, n--)
		digest = (digest ^ *at) * 0x100000001b3u;
	return digest;
}

static uint64_t mix_contents(uint64_t digest, uint64_t node)
{
	struct fs_file *file = rig_open(&r, node);
	struct pinfs_ioc_map *map = calloc(1, sizeof(*map));
	uint64_t at = 0;
	ssize_t n;

	while ((n = rig_read(&r, file, buf, sizeof(buf), at)) > 0) {
		digest = mix(digest, buf, (size_t)n);
		at += (uint64_t)n;
	}
	ck_assert_int_eq(n, 0);
	/* Where blocks are, and which are unwritten. */
	ck_assert_ptr_nonnull(map);
	do {
		ck_assert_int_eq(fs_map(r.fs, file, map), 0);
		for (uint32_t i = 0; i < map->count; i++)
			digest = mix(digest, &map->extent[i],
				     sizeof(map->extent[i]));
	} while (map->count > 0);
	free(map);
	fs_file_release(r.fs, file);
	return digest;
}

static uint64_t mix_xattrs(uint64_t digest, uint64_t node)
{
	static char list[4096], value[65536];
	ssize_t n = fs_listxattr(r.fs, node, list, sizeof(list)), size;

	ck_assert_int_ge(n, 0);
	for (char *p = list; p < list + n; p += strlen(p) + 1) {
		size = fs_getxattr(r.fs, node, p, value, sizeof(value));
		ck_assert_int_ge(size, 0);
		digest = mix(mix(digest, p, strlen(p)), value, (size_t)size);
	}
	return digest;
}

static uint64_t mix_node(uint64_t digest, uint64_t node, uint64_t *blocks)
{
	struct stat st = rig_stat(&r, node);
	char target[PINFS_SYMLINK_MAX + 1];

	*blocks += (uint64_t)st.st_blocks / (BLOCK / 512);
	st.st_blocks = 0;
	/* Reading sets it. */
	st.st_atim = (struct timespec){ 0 };
	digest = mix(digest, &st, sizeof(st));
	digest = mix_xattrs(digest, node);
	if (S_ISREG(st.st_mode))
		return mix_contents(digest, node);
	if (!S_ISLNK(st.st_mode))
		return digest;
	ck_assert_int_eq(fs_readlink(r.fs, node, target), 0);
	return mix(digest, target, strlen(target));
}

struct walk {
	uint64_t digest;
	uint64_t dirs[8];
	unsigned int ndirs;
	uint64_t nodes[1024];
	unsigned int nnodes;
};

static int walk_one(void *arg, const struct fs_dirent *d)
{
	struct walk *w = arg;

	/* "probe" is where it is tried whether all else works. */
	if (!d->has_entry || !strcmp(d->name, "probe"))
		return 0;
	w->digest = mix(w->digest, d->name, strlen(d->name));
	ck_assert_uint_lt(w->nnodes, ARRAY_SIZE(w->nodes));
	w->nodes[w->nnodes++] = d->entry.node;
	if (d->type == S_IFDIR) {
		ck_assert_uint_lt(w->ndirs, ARRAY_SIZE(w->dirs));
		w->dirs[w->ndirs++] = d->entry.node;
	}
	return 0;
}

static struct scene look(void)
{
	static struct walk w;
	struct pinfs_ioc_stats st;
	struct statvfs vfs;
	uint64_t blocks = 0;

	memset(&w, 0, sizeof(w));
	w.dirs[w.ndirs++] = ROOT;
	w.nodes[w.nnodes++] = ROOT;
	for (unsigned int i = 0; i < w.ndirs; i++)
		ck_assert_int_eq(
			fs_readdir(r.fs, w.dirs[i], 0, true, walk_one, &w), 0);
	for (unsigned int i = 0; i < w.nnodes; i++)
		w.digest = mix_node(w.digest, w.nodes[i], &blocks);
	fs_stats(r.fs, &st);
	ck_assert_int_eq(fs_statfs(r.fs, &vfs), 0);
	return (struct scene){ w.digest,     blocks,	     rig_free(&r),
			       vfs.f_bavail, rig_inodes(&r), st.orphans };
}

/*
 * check_same - undone, but that the inode file keeps what it has grown to, for it
 *              grows by itself, before an inode is made; and that what has been
 *              split of a tree of extents stays so
 */
static void check_same(const struct scene *was, uint64_t grown, uint64_t split)
{
	struct scene now = look();
	uint64_t more = now.blocks - was->blocks;

	ck_assert_uint_eq(now.digest, was->digest);
	ck_assert_uint_eq(now.inodes, was->inodes);
	ck_assert_uint_eq(now.orphans, was->orphans);
	ck_assert_uint_le(more, split);
	ck_assert_uint_ge(now.available + more + grown, was->available);
	ck_assert_uint_le(now.free_blocks + more, was->free_blocks);
	ck_assert_uint_ge(now.free_blocks + more + grown, was->free_blocks);
}

/* check_works - something else, of each sort, that leaves nothing behind */
static void check_works(void)
{
	uint64_t dir = rig_look(&r, ROOT, "probe"), node;
	uint64_t had = rig_free(&r);
	struct fs_file *file;

	ck_assert_int_eq(rig_create(&r, dir, "x", &node), 0);
	file = rig_open(&r, node);
	memset(buf, 0x33, 10 * BLOCK);
	ck_assert_int_eq(fs_write(r.fs, file, buf, 10 * BLOCK, 0), 10 * BLOCK);
	ck_assert_int_eq(rig_truncate(&r, node, BLOCK + 1), 0);
	ck_assert_int_eq(rig_read(&r, file, buf, MIB, 0), BLOCK + 1);
	fs_file_release(r.fs, file);
	ck_assert_int_eq(fs_rename(r.fs, dir, "x", dir, "y", 0), 0);
	ck_assert_int_eq(fs_unlink(r.fs, dir, "y"), 0);
	ck_assert_uint_le(rig_free(&r), had);
	ck_assert_uint_ge(rig_free(&r) + OWN, had);
}

/* --- the scene: files of all shapes ---------------------------------------------- */

static uint64_t node_of(const char *name)
{
	uint64_t node = rig_look(&r, ROOT, name);

	ck_assert_uint_ne(node, 0);
	return node;
}

static void write_blocks(const char *name, uint64_t at, unsigned int count,
			 uint64_t len)
{
	struct fs_file *file = rig_open(&r, node_of(name));

	/* From the end, so that no two are made of one run. */
	for (unsigned int i = count; i-- > 0;) {
		memset(buf, (int)(1 + i % 250), len);
		ck_assert_int_eq(fs_write(r.fs, file, buf, len,
					  (at + 2ull * i) * BLOCK),
				 (ssize_t)len);
	}
	fs_file_release(r.fs, file);
}

/* set_acl - one with a named user */
static int set_acl(const char *file, const char *name)
{
	const uint8_t acl[] = {
		2,  0, 0, 0, /* version */
		1,  0, 7, 0, 0, 0, 0, 0, /* owner */
		2,  0, 7, 0, 9, 9, 0, 0, /* user 2313 */
		4,  0, 7, 0, 0, 0, 0, 0, /* group */
		16, 0, 7, 0, 0, 0, 0, 0, /* mask */
		32, 0, 0, 0, 0, 0, 0, 0, /* others */
	};

	return fs_set_acl(r.fs, node_of(file), name, acl, sizeof(acl), false);
}

static const char *long_name(unsigned int i)
{
	static char names[2][LONGNAME + 1];
	static unsigned int turn;
	char *name = names[turn ^= 1];

	memset(name, '.', LONGNAME);
	name[snprintf(name, LONGNAME, "%u", i)] = '.';
	name[LONGNAME] = '\0';
	return name;
}

/* make_scene - and no free inode is left in what the inode file has grown to */
static void make_scene(enum scratch_kind kind)
{
	uint64_t dir, full;
	char name[16];

	fs_rig_make(&r, kind, 16 * MIB);
	dir = rig_dir(&r, "d");
	full = rig_dir(&r, "full");
	rig_dir(&r, "empty");
	rig_dir(&r, "probe");
	rig_file(&r, "big"); /* a tree of extents */
	write_blocks("big", 0, BIG, BLOCK);
	rig_file(&r, "plain"); /* one extent, and ends within a block */
	write_blocks("plain", 0, 1, 200 * BLOCK + 100);
	rig_file(&r, "ahead"); /* unwritten blocks */
	ck_assert_int_eq(rig_change(&r, node_of("ahead"), PINFS_CHANGE_ALLOCATE,
				    0, 300 * BLOCK, 0),
			 0);
	rig_file(&r, "small");
	rig_file(&r, "attr");
	memset(buf, 0x61, 8192);
	ck_assert_int_eq(fs_setxattr(r.fs, node_of("attr"), "user.large", buf,
				     3000, 0),
			 0);
	rig_file(&r, "shared");
	ck_assert_int_eq(set_acl("shared", ACL_ACCESS), 0);
	rig_dir(&r, "acl");
	ck_assert_int_eq(set_acl("acl", ACL_DEFAULT), 0);
	ck_assert_int_eq(rig_create(&r, dir, "in", NULL), 0);
	/* A block of names that has no room for another. */
	ck_assert_int_eq(rig_create(&r, full, long_name(0), NULL), 0);
	hook_set(FROM_NTH, 1);
	for (unsigned int i = 1; !rig_create(&r, full, long_name(i), NULL); i++)
		;
	ck_assert_uint_gt(hook.refused, 0);
	hook_clear();
	/* The next inode takes a new piece of the inode file. */
	for (unsigned int i = 0; rig_inodes(&r) % (OWN * 8) != 120; i++) {
		snprintf(name, sizeof(name), "%u", i);
		ck_assert_int_eq(rig_create(&r, dir, name, NULL), 0);
	}
}

/* --- operations ------------------------------------------------------------------ */

#define SHORT 1 /* did a part, and has said so */

static int op_create(void)
{
	return rig_create(&r, node_of("empty"), long_name(99), NULL);
}

static int op_create_split(void)
{
	return rig_create(&r, node_of("full"), long_name(100), NULL);
}

static int op_mkdir(void)
{
	return rig_mkdir(&r, node_of("empty"), "new", NULL);
}

static int op_symlink(void)
{
	char target[PINFS_SYMLINK_MAX + 1];

	memset(target, 'x', sizeof(target) - 1);
	target[sizeof(target) - 1] = '\0';
	return rig_symlink(&r, node_of("empty"), "new", target, NULL);
}

static int op_link(void)
{
	return fs_link(r.fs, node_of("plain"), node_of("empty"), "new",
		       &(struct fs_entry){ 0 });
}

static int op_rename(void)
{
	return fs_rename(r.fs, ROOT, "plain", node_of("empty"), long_name(1),
			 0);
}

static int op_rename_dir(void)
{
	return fs_rename(r.fs, ROOT, "d", node_of("empty"), long_name(1),
			 RENAME_NOREPLACE);
}

static int op_rename_long(void)
{
	return fs_rename(r.fs, node_of("full"), long_name(3), node_of("full"),
			 long_name(1000), 0);
}

static int op_rename_over(void)
{
	return fs_rename(r.fs, ROOT, "plain", ROOT, "big", 0);
}

static int op_exchange(void)
{
	return fs_rename(r.fs, ROOT, "plain", node_of("d"), "in",
			 RENAME_EXCHANGE);
}

static int op_unlink(void)
{
	return fs_unlink(r.fs, ROOT, "big");
}

static int op_unlink_attr(void)
{
	return fs_unlink(r.fs, ROOT, "attr");
}

static int op_rmdir(void)
{
	return fs_rmdir(r.fs, ROOT, "empty");
}

static int write_to(const char *name, uint64_t off, uint64_t len)
{
	uint64_t node = node_of(name);
	struct fs_file *file = rig_open(&r, node);
	off_t size = rig_stat(&r, node).st_size;
	ssize_t n;

	memset(buf, 0x5a, len);
	n = fs_write(r.fs, file, buf, len, off);
	if (n > 0 && n < (ssize_t)len) {
		off_t end = (off_t)off + n;

		ck_assert_int_eq(rig_stat(&r, node).st_size,
				 end > size ? end : size);
		memset(buf, 0, len);
		ck_assert_int_eq(rig_read(&r, file, buf, (size_t)n, off), n);
		for (ssize_t i = 0; i < n; i++)
			ck_assert_uint_eq(buf[i], 0x5a);
	}
	fs_file_release(r.fs, file);
	return n < 0 ? (int)n : n < (ssize_t)len ? SHORT : 0;
}

static int op_write_holes(void)
{
	return write_to("big", 100 * BLOCK + 5, 150 * BLOCK);
}

static int op_write_hole(void)
{
	return write_to("big", 101 * BLOCK + 5, 100);
}

static int op_append(void)
{
	return write_to("plain", 200 * BLOCK + 100, 50 * BLOCK);
}

static int op_write_small(void)
{
	return write_to("small", 0, 10);
}

static int op_write_far(void)
{
	return write_to("big", 1ull << 40, 3 * BLOCK);
}

static int op_write_unwritten(void)
{
	return write_to("ahead", 100 * BLOCK + 5, 10 * BLOCK);
}

static int change(const char *name, enum pinfs_change kind, uint64_t off,
		  uint64_t len)
{
	return rig_change(&r, node_of(name), kind, off, len, 0);
}

static int op_truncate_zero(void)
{
	return change("big", PINFS_CHANGE_TRUNCATE, 0, 0);
}

static int op_truncate_down(void)
{
	return change("big", PINFS_CHANGE_TRUNCATE, 601 * BLOCK + 7, 0);
}

static int op_truncate_within(void)
{
	return change("plain", PINFS_CHANGE_TRUNCATE, 50 * BLOCK + 7, 0);
}

static int op_truncate_up(void)
{
	return change("plain", PINFS_CHANGE_TRUNCATE, 1ull << 41, 0);
}

static int op_allocate(void)
{
	return change("big", PINFS_CHANGE_ALLOCATE, 50 * BLOCK, 700 * BLOCK);
}

static int op_allocate_new(void)
{
	return change("small", PINFS_CHANGE_ALLOCATE, 10, 500 * BLOCK);
}

static int op_punch(void)
{
	return change("plain", PINFS_CHANGE_PUNCH_HOLE, 20 * BLOCK + 9,
		      30 * BLOCK);
}

static int op_punch_many(void)
{
	return change("big", PINFS_CHANGE_PUNCH_HOLE, 20 * BLOCK + 9,
		      700 * BLOCK + 99);
}

static int op_punch_within(void)
{
	return change("plain", PINFS_CHANGE_PUNCH_HOLE, 20 * BLOCK + 9, 99);
}

static int op_zero(void)
{
	return change("plain", PINFS_CHANGE_ZERO_RANGE, 20 * BLOCK + 9,
		      400 * BLOCK);
}

static int op_zero_many(void)
{
	return change("big", PINFS_CHANGE_ZERO_RANGE, 21 * BLOCK + 9,
		      700 * BLOCK);
}

static int op_collapse(void)
{
	return change("plain", PINFS_CHANGE_COLLAPSE_RANGE, 20 * BLOCK,
		      30 * BLOCK);
}

static int op_collapse_many(void)
{
	return change("big", PINFS_CHANGE_COLLAPSE_RANGE, 21 * BLOCK,
		      33 * BLOCK);
}

static int op_insert(void)
{
	return change("plain", PINFS_CHANGE_INSERT_RANGE, 20 * BLOCK,
		      30 * BLOCK);
}

static int op_insert_many(void)
{
	return change("big", PINFS_CHANGE_INSERT_RANGE, 21 * BLOCK, 33 * BLOCK);
}

static int setxattr(const char *name, const char *attr, size_t size)
{
	memset(buf, 0x62, size);
	return fs_setxattr(r.fs, node_of(name), attr, buf, size, 0);
}

static int op_xattr_small(void)
{
	return setxattr("small", "user.new", 30);
}

static int op_xattr_large(void)
{
	return setxattr("small", "user.new", 30000);
}

static int op_xattr_replace(void)
{
	return setxattr("attr", "user.large", 40000);
}

static int op_xattr_another(void)
{
	return setxattr("attr", "user.other", 3000);
}

static int op_xattr_remove(void)
{
	return fs_removexattr(r.fs, node_of("attr"), "user.large");
}

static int op_acl(void)
{
	return set_acl("small", ACL_ACCESS);
}

static int op_acl_chmod(void)
{
	const struct stat attr = { .st_mode = 0707 };

	return fs_setattr(r.fs, node_of("shared"), &attr, FS_SET_MODE, NULL);
}

static int op_acl_create(void)
{
	return rig_create(&r, node_of("acl"), "x", NULL);
}

static int op_acl_mkdir(void)
{
	return rig_mkdir(&r, node_of("acl"), "x", NULL);
}

static int op_tmpfile(void)
{
	const struct fs_caller who = { 0 };
	struct fs_file *file;
	struct fs_entry e;
	int err = fs_tmpfile(r.fs, ROOT, 0644, &who, &e, &file, O_RDWR);

	if (err)
		return err;
	err = fs_link(r.fs, e.node, node_of("full"), long_name(100), &e);
	fs_file_release(r.fs, file);
	return err;
}

static int prepare(const char *name, uint64_t off, uint64_t len)
{
	struct pin_options opt = { .direction = PINFS_FROM_DEVICE };
	struct admission adm = { 0 };
	struct pin_set *set;
	struct inode *ip;
	int err;

	ck_assert_int_eq(fs_inode(r.fs, node_of(name), &ip), 0);
	ck_assert_int_eq(pin_set_begin(fs_layouts(r.fs), &opt, &set), 0);
	ck_assert_int_eq(
		layout_admit(set, ip, off / BLOCK, len / BLOCK + 1, &adm), 0);
	err = fs_dma_prepare(r.fs, ip, off, len);
	pin_set_free(set);
	inode_put(ip);
	return err;
}

static int op_dma_holes(void)
{
	return prepare("big", 100 * BLOCK, 300 * BLOCK);
}

static int op_dma_unwritten(void)
{
	return prepare("ahead", 100 * BLOCK, 20 * BLOCK);
}

static int op_dma_new(void)
{
	return prepare("small", 0, 256 * BLOCK);
}

#define MAKES  1u /* may make the inode file grow */
#define FREES  2u /* works on a full pool */
#define SPLITS 8u /* takes several transactions, undone one by one */
#define ALWAYS 4u /* works even if the reserve is used up */

static const struct operation {
	const char *name;
	int (*run)(void);
	unsigned int flags;
} operations[] = {
	{ "create", op_create, MAKES },
	{ "create, the folder grows", op_create_split, MAKES },
	{ "mkdir", op_mkdir, MAKES },
	{ "symlink", op_symlink, MAKES },
	{ "link", op_link, 0 },
	{ "rename", op_rename, 0 },
	{ "rename of a folder", op_rename_dir, 0 },
	{ "rename in a full folder", op_rename_long, 0 },
	{ "rename over", op_rename_over, ALWAYS },
	{ "exchange", op_exchange, 0 },
	{ "unlink", op_unlink, ALWAYS },
	{ "unlink with attributes", op_unlink_attr, ALWAYS },
	{ "rmdir", op_rmdir, ALWAYS },
	{ "write over holes", op_write_holes, 0 },
	{ "write into a hole", op_write_hole, 0 },
	{ "append", op_append, 0 },
	{ "first write", op_write_small, 0 },
	{ "write far away", op_write_far, 0 },
	{ "write over unwritten", op_write_unwritten, 0 },
	{ "truncate to 0", op_truncate_zero, ALWAYS },
	{ "truncate down", op_truncate_down, ALWAYS },
	{ "truncate down within an extent", op_truncate_within, FREES },
	{ "truncate up", op_truncate_up, ALWAYS },
	{ "allocate in holes", op_allocate, SPLITS },
	{ "allocate", op_allocate_new, 0 },
	{ "punch", op_punch, FREES },
	{ "punch many extents", op_punch_many, FREES },
	{ "punch within a block", op_punch_within, FREES },
	{ "zero", op_zero, 0 },
	{ "zero many extents", op_zero_many, SPLITS },
	{ "collapse", op_collapse, ALWAYS },
	{ "collapse many extents", op_collapse_many, FREES },
	{ "insert", op_insert, 0 },
	{ "insert into many extents", op_insert_many, 0 },
	{ "small attribute", op_xattr_small, 0 },
	{ "large attribute", op_xattr_large, 0 },
	{ "large attribute replaced", op_xattr_replace, 0 },
	{ "another large attribute", op_xattr_another, 0 },
	{ "attribute removed", op_xattr_remove, ALWAYS },
	{ "ACL", op_acl, 0 },
	{ "chmod with an ACL", op_acl_chmod, 0 },
	{ "create in a folder with an ACL", op_acl_create, MAKES },
	{ "mkdir in a folder with an ACL", op_acl_mkdir, MAKES },
	{ "a file that is named later", op_tmpfile, MAKES },
	{ "DMA over holes", op_dma_holes, SPLITS },
	{ "DMA over unwritten", op_dma_unwritten, 0 },
	{ "DMA into a new file", op_dma_new, 0 },
};

/* --- tests ----------------------------------------------------------------------- */

/* attempt - the operation with the n-th refused; is there a further one? */
static bool attempt(const struct operation *op, enum mode mode, unsigned int n)
{
	uint64_t grown = op->flags & MAKES ? 2 * OWN : 0;
	uint64_t split = op->flags & SPLITS ? 1 : 0;
	struct scene was;
	int err;

	scratch_restore(r.kind);
	fs_rig_open(&r);
	was = look();
	hook_set(mode, n);
	err = op->run();
	hook_clear();
	if (err == -ENOSPC && hook.refused > 0) {
		check_same(&was, grown, split);
	} else if (err != 0 && err != SHORT) {
		ck_abort_msg("%s: %d", op->name, err);
	}
	if (op->flags & ALWAYS || (mode == FULL && op->flags & FREES))
		ck_assert_int_eq(err, 0);
	check_works();
	if (err == -ENOSPC)
		check_same(&was, grown + OWN, split);
	fs_rig_check(&r);
	if (err == -ENOSPC) {
		check_same(&was, grown + OWN, split);
		/* With space again it goes through. */
		ck_assert_int_eq(op->run(), 0);
	}
	fs_rig_close(&r);
	return mode != FULL && hook.refused > 0;
}

/* is_worth - where it would be the same again there is no need for it */
static bool is_worth(enum mode mode, enum scratch_kind kind, unsigned int flags)
{
	if (mode == ONLY_NTH)
		return kind == SCRATCH_MEMORY && flags & (MAKES | SPLITS);
	return mode == FROM_NTH || flags & FREES;
}

static void all_of(const struct operation *op, enum scratch_kind kind)
{
	unsigned int n, total = 0;

	make_scene(kind);
	fs_rig_close(&r);
	scratch_keep(kind);
	for (int mode = 0; mode < MODES; mode++) {
		if (!is_worth((enum mode)mode, kind, op->flags))
			continue;
		n = 1;
		/* A write of many blocks has too many to try them all. */
		for (; attempt(op, (enum mode)mode, n);
		     n += 1 + n / scratch_scale(4u, 1u))
			total++;
	}
	if (getenv("NO_SPACE_VERBOSE"))
		printf("%s: %u times without space\n", op->name, total);
}

START_TEST(refused_in_memory)
{
	all_of(&operations[_i], SCRATCH_MEMORY);
}
END_TEST

/* What frees, and what is undone by freeing, is another matter on a file. */
START_TEST(refused_on_disk)
{
	if (operations[_i].flags)
		all_of(&operations[_i], SCRATCH_DISK);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("no_space");
	TCase *tc = tcase_create("no_space");

	log_set_level(LOG_LEVEL_WARN);
	tcase_set_timeout(tc, 20);
	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_loop_test(tc, refused_in_memory, 0, ARRAY_SIZE(operations));
	tcase_add_loop_test(tc, refused_on_disk, 0,
			    scratch_scale((int)ARRAY_SIZE(operations), 8));
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
