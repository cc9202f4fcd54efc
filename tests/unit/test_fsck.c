// SPDX-License-Identifier: BSD-3-Clause
/* fsck.pinfs on damaged images: each with exactly the findings it deserves. */
#include <check.h>
#include <dirent.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "base/util.h"
#include "forge.h"
#include "format/make.h"
#include "journal/journal.h"
#include "scratch.h"

#define MIB (1ull << 20)

static const char *fsck_program(void)
{
	static char path[PATH_MAX + 32];
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	ck_assert_int_gt(n, 0);
	self[n] = '\0';
	snprintf(path, sizeof(path), "%s/../fsck.pinfs", dirname(self));
	return path;
}

/* run - the program's exit code; what it printed is in out */
static int run(const char *option, const char *pool, char *out, size_t size)
{
	const char *program = fsck_program();
	int fds[2], status;
	size_t have = 0;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execl(program, "fsck.pinfs", option, pool, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	while ((n = read(fds[0], out + have, size - 1 - have)) > 0)
		have += (size_t)n;
	out[have] = '\0';
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "killed by %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

/* findings - "code code ...", in the order of the table */
static int findings(const char *pool, char *text, size_t size)
{
	static char out[1 << 20];
	int code = run("--json", pool, out, sizeof(out));
	json_t *o, *value;
	const char *name;
	json_error_t e;

	o = json_loads(out, 0, &e);
	ck_assert_msg(o != NULL, "%s: %s", e.text, out);
	ck_assert(json_is_true(json_object_get(o, "complete")));
	text[0] = '\0';
	json_object_foreach(json_object_get(o, "counts"), name, value)
	{
		strncat(text, text[0] ? " " : "", size - strlen(text) - 1);
		strncat(text, name, size - strlen(text) - 1);
	}
	json_decref(o);
	return code;
}

static void make_image_of(enum scratch_kind kind, uint64_t size,
			  struct forge *fg)
{
	const char *path = scratch_path(kind, "pool");
	struct format_options opt;
	struct pool *p;

	unlink(path);
	ck_assert_int_eq(pool_create(path, size), 0);
	ck_assert_int_eq(pool_open(path, 0, &p, NULL), 0);
	ck_assert_int_eq(format_options_init(&opt), 0);
	ck_assert_int_eq(format_make(p, &opt), 0);
	ck_assert_int_eq(pool_back(p, 0, p->size), 0);
	forge_make(fg, p);
}

static void make_image(struct forge *fg)
{
	make_image_of(SCRATCH_MEMORY, 16 * MIB, fg);
}

/* --- damage -------------------------------------------------------------- */

/* recount - all that counts blocks is right again */
static void recount(struct forge *fg)
{
	forge_seal_bitmaps(fg);
	fg->state->free_blocks = fg->group->hdr.spec[1];
	forge_seal_state(fg);
}

static void nothing(struct forge *fg)
{
	(void)fg;
}

static void super(struct forge *fg)
{
	memset(fg->sb, 0, 64);
}

static void backup(struct forge *fg)
{
	memset(forge_block(fg, 4095), 0, 64);
}

static void backup_differs(struct forge *fg)
{
	struct pinfs_super *b = forge_block(fg, 4095);

	b->label[0] = 'x';
	format_super_seal(b, 4095);
}

static void ro_compat(struct forge *fg)
{
	struct pinfs_super *b = forge_block(fg, 4095);

	fg->sb->ro_compat = b->ro_compat = cpu_to_le64(4);
	format_super_seal(fg->sb, 0);
	format_super_seal(b, 4095);
}

static void jstate(struct forge *fg)
{
	fg->state->hdr.csum = cpu_to_le64(1);
}

static void root_reserved(struct forge *fg)
{
	fg->root->reserved[1535] = 1;
}

static void itable_csum(struct forge *fg)
{
	fg->root->itable.size = cpu_to_le64(1);
}

static void itable_unwritten(struct forge *fg)
{
	forge_inode(fg, 0)->u.extent[0].flags = cpu_to_le32(1);
	forge_seal_inode(fg, 0);
}

static void itable_short(struct forge *fg)
{
	struct pinfs_inode *di = forge_inode(fg, 0);

	di->u.extent[0].len = cpu_to_le32(4); /* without that of inode 39 */
	forge_seal_inode(fg, 0);
}

static void imap_csum(struct forge *fg)
{
	fg->imap->bits[100].raw ^= 1;
}

static void imap_hole(struct forge *fg)
{
	struct pinfs_inode *di = forge_inode(fg, 0);
	uint64_t first = le64_to_cpu(di->u.extent[0].pblk);

	di->u.extent[0].lblk = cpu_to_le64(1);
	di->u.extent[0].pblk = cpu_to_le64(first + 1);
	di->u.extent[0].len = cpu_to_le32(15);
	forge_seal_inode(fg, 0);
}

static void inode_csum(struct forge *fg)
{
	forge_inode(fg, 4)->uid = cpu_to_le32(1);
}

static void inode_zeroed(struct forge *fg)
{
	memset(forge_inode(fg, 4), 0, PINFS_INODE_SIZE);
}

static void inode_unmarked(struct forge *fg)
{
	fg->imap->bits[0].raw &= htole64(~(1ull << 4));
	forge_seal_bitmaps(fg);
	fg->state->used_inodes = cpu_to_le64(7);
	forge_seal_state(fg);
}

static void inode_blocks(struct forge *fg)
{
	forge_inode(fg, 2)->blocks = cpu_to_le64(8);
	forge_seal_inode(fg, 2);
}

static void inode_nlink(struct forge *fg)
{
	forge_inode(fg, 2)->nlink = cpu_to_le32(3);
	forge_seal_inode(fg, 2);
}

static void dir_nlink(struct forge *fg)
{
	forge_inode(fg, 1)->nlink = cpu_to_le32(4);
	forge_seal_inode(fg, 1);
}

static void inode_nameless(struct forge *fg)
{
	struct pinfs_inode *di = forge_inode(fg, 8);

	di->mode = cpu_to_le32(S_IFIFO | 0600);
	di->ino = cpu_to_le64(8);
	di->nlink = cpu_to_le32(1);
	forge_seal_inode(fg, 8);
	fg->imap->bits[0].raw |= htole64(1ull << 8);
	forge_seal_bitmaps(fg);
	fg->state->used_inodes = cpu_to_le64(9);
	forge_seal_state(fg);
}

static void intent_unlisted(struct forge *fg)
{
	forge_inode(fg, 2)->intent.op = cpu_to_le32(PINFS_INTENT_REMOVE);
	forge_seal_inode(fg, 2);
}

static void leaf_csum(struct forge *fg)
{
	struct pinfs_extent_node *n = forge_block(fg, fg->file_leaf);

	n->extent[0].len = cpu_to_le32(2);
}

static void node_level(struct forge *fg)
{
	struct pinfs_index_node *n = forge_block(fg, fg->sub_index);

	n->hdr.level = cpu_to_le16(2);
	forge_seal(fg, fg->sub_index);
}

static void node_owner(struct forge *fg)
{
	struct pinfs_extent_node *n = forge_block(fg, fg->file_leaf);

	n->hdr.owner = cpu_to_le64(3);
	forge_seal(fg, fg->file_leaf);
}

/* second_leaf - of file, for keys from key on, with an extent at lblk */
static void second_leaf(struct forge *fg, uint64_t key, uint64_t lblk)
{
	struct pinfs_inode *di = forge_inode(fg, 2);
	struct pinfs_extent_node *n;
	uint64_t leaf = forge_take(fg, 1);

	memcpy(forge_block(fg, leaf), forge_block(fg, fg->file_leaf), 4096);
	n = forge_block(fg, leaf);
	n->hdr.count = cpu_to_le16(1);
	n->extent[0] = n->extent[1];
	n->extent[0].lblk = cpu_to_le64(lblk);
	n->extent[0].pblk = cpu_to_le64(forge_take(fg, 2));
	forge_seal(fg, leaf);
	di->tree_count = cpu_to_le16(2);
	di->u.index[1].key = cpu_to_le64(key);
	di->u.index[1].child = cpu_to_le64(leaf);
	di->blocks = cpu_to_le64(10);
	forge_seal_inode(fg, 2);
	recount(fg);
}

static void two_leaves(struct forge *fg)
{
	second_leaf(fg, 101, 102);
}

/* The first leaf has a key of the second. */
static void node_order(struct forge *fg)
{
	second_leaf(fg, 50, 200);
}

static void extent_order(struct forge *fg)
{
	second_leaf(fg, 101, 101);
}

/* The leaf with all names has keys of the empty one behind it. */
static void name_order(struct forge *fg)
{
	struct pinfs_index_node *n = forge_block(fg, fg->sub_index);
	uint64_t leaf = forge_take(fg, 1);

	forge_fill_leaf(fg, leaf, 3, NULL, 0);
	n->index[1].key = cpu_to_le64(200);
	n->index[1].child = cpu_to_le64(leaf);
	n->hdr.count = cpu_to_le16(2);
	forge_seal(fg, fg->sub_index);
	forge_inode(fg, 3)->blocks = cpu_to_le64(3);
	forge_seal_inode(fg, 3);
	recount(fg);
}

/* A tree that is its own child, and one that spreads without end. */
static void tree_cycle(struct forge *fg)
{
	struct pinfs_index_node *n = forge_block(fg, fg->sub_index);
	unsigned int i;

	for (i = 0; i < PINFS_NODE_INDEXES; i++) {
		n->index[i].key = cpu_to_le64(i);
		n->index[i].child = cpu_to_le64(fg->sub_index);
	}
	n->hdr.count = cpu_to_le16(PINFS_NODE_INDEXES);
	forge_seal(fg, fg->sub_index);
	forge_inode(fg, 3)->tree_level = cpu_to_le16(2);
	forge_seal_inode(fg, 3);
}

static void blob_part(struct forge *fg)
{
	struct pinfs_blob *b = forge_block(fg, fg->target + 1);

	b->hdr.spec[2] = cpu_to_le64(PINFS_SYMLINK_MAX + 1);
	forge_seal(fg, fg->target + 1);
}

static void blob_short(struct forge *fg)
{
	struct pinfs_blob *b = forge_block(fg, fg->target + 1);

	b->hdr.spec[1] = cpu_to_le64(1);
	forge_seal(fg, fg->target + 1);
}

static void blob_cycle(struct forge *fg)
{
	struct pinfs_blob *b = forge_block(fg, fg->target + 1);

	b->hdr.spec[0] = cpu_to_le64(fg->target);
	forge_seal(fg, fg->target + 1);
}

/* More than a blob may have, in parts that are all right by themselves. */
static void blob_endless(struct forge *fg)
{
	struct pinfs_inode *di = forge_inode(fg, 5);
	uint64_t first = forge_take(fg, 300), i;
	struct pinfs_blob *b;

	for (i = first; i < first + 300; i++) {
		b = forge_block(fg, i);
		b->hdr.magic = cpu_to_le32(PINFS_MAGIC_BLOB);
		b->hdr.owner = cpu_to_le64(5);
		b->hdr.spec[0] = cpu_to_le64(i < first + 299 ? i + 1 : 0);
		b->hdr.spec[1] = cpu_to_le64(PINFS_BLOB_BYTES);
		b->hdr.spec[2] = cpu_to_le64(PINFS_BLOB_MAX);
		forge_seal(fg, i);
	}
	di->target = cpu_to_le64(first);
	di->blocks = cpu_to_le64(300);
	forge_seal_inode(fg, 5);
	recount(fg);
}

static void xattr_long(struct forge *fg)
{
	struct pinfs_blob *b = forge_block(fg, fg->xattr);

	b->bytes[4] = 200; /* of value_len */
	forge_seal(fg, fg->xattr);
}

static void symlink_nul(struct forge *fg)
{
	struct pinfs_blob *b = forge_block(fg, fg->target + 1);

	b->bytes[0] = 0;
	forge_seal(fg, fg->target + 1);
}

/* file's second extent is where its first is, and its own block leaks */
static void shared(struct forge *fg)
{
	struct pinfs_extent_node *n = forge_block(fg, fg->file_leaf);

	n->extent[1].pblk = n->extent[0].pblk;
	forge_seal(fg, fg->file_leaf);
}

static void shared_with_fixed(struct forge *fg)
{
	struct pinfs_inode *di = forge_inode(fg, 7);

	di->u.extent[0].pblk = cpu_to_le64(1);
	forge_seal_inode(fg, 7);
}

static void unmarked(struct forge *fg)
{
	fg->group->bits[fg->data / 64].raw &= htole64(~(1ull << fg->data % 64));
	recount(fg);
}

static void leaked(struct forge *fg)
{
	forge_take(fg, 70);
	recount(fg);
}

static void beyond_the_end(struct forge *fg)
{
	fg->group->bits[4096 / 64].raw = 0;
	recount(fg);
}

static void group_csum(struct forge *fg)
{
	fg->group->bits[0].raw = 0;
}

static void count_blocks(struct forge *fg)
{
	fg->state->free_blocks = cpu_to_le64(1);
	forge_seal_state(fg);
}

static void count_inodes(struct forge *fg)
{
	fg->state->used_inodes = cpu_to_le64(1);
	forge_seal_state(fg);
}

static void dir_hash(struct forge *fg)
{
	forge_entry(fg, fg->sub_leaf, 0)->key = cpu_to_le64(4711 << 7);
	forge_seal(fg, fg->sub_leaf);
}

static void dir_duplicate(struct forge *fg)
{
	static const struct forge_name names[] = {
		{ "deep", 6, DT_DIR },
		{ "same", 2, DT_REG },
		{ "same", 2, DT_REG },
	};

	forge_fill_leaf(fg, fg->sub_leaf, 3, names, ARRAY_SIZE(names));
	forge_inode(fg, 2)->nlink = cpu_to_le32(4);
	forge_seal_inode(fg, 2);
}

static void dir_dangling(struct forge *fg)
{
	static const struct forge_name names[] = {
		{ "deep", 6, DT_DIR },
		{ "none", 77, DT_REG },
		{ "far", (1ull << 40) - 1, DT_REG },
		{ "zero", 8, DT_REG },
	};

	forge_fill_leaf(fg, fg->sub_leaf, 3, names, ARRAY_SIZE(names));
}

static void dir_type(struct forge *fg)
{
	forge_entry(fg, fg->sub_leaf, 0)->type = DT_REG;
	forge_seal(fg, fg->sub_leaf);
}

static void dir_twice(struct forge *fg)
{
	static const struct forge_name names[] = {
		{ "deep", 6, DT_DIR },
		{ "deep2", 6, DT_DIR },
	};

	forge_fill_leaf(fg, fg->sub_leaf, 3, names, ARRAY_SIZE(names));
}

static void dir_root_again(struct forge *fg)
{
	static const struct forge_name names[] = {
		{ "deep", 6, DT_DIR },
		{ "up", 1, DT_DIR },
	};

	forge_fill_leaf(fg, fg->sub_leaf, 3, names, ARRAY_SIZE(names));
}

static void dir_parent(struct forge *fg)
{
	forge_inode(fg, 6)->parent = cpu_to_le64(1);
	forge_seal_inode(fg, 6);
}

/* sub moves into deep, which is in sub. */
static void dir_cycle(struct forge *fg)
{
	static const struct forge_name root[] = {
		{ "file", 2, DT_REG },
		{ "hard", 2, DT_REG },
		{ "short", 4, DT_LNK },
		{ "long", 5, DT_LNK },
	};
	static const struct forge_name sub = { "sub", 3, DT_DIR };
	struct pinfs_inode *di = forge_inode(fg, 6);
	uint64_t leaf = forge_take(fg, 1);

	forge_fill_leaf(fg, fg->root_leaf, 1, root, ARRAY_SIZE(root));
	forge_inode(fg, 1)->nlink = cpu_to_le32(2);
	forge_seal_inode(fg, 1);
	forge_fill_leaf(fg, leaf, 6, &sub, 1);
	di->nlink = cpu_to_le32(3);
	di->blocks = cpu_to_le64(1);
	di->tree_level = cpu_to_le16(1);
	di->tree_count = cpu_to_le16(1);
	di->u.index[0].child = cpu_to_le64(leaf);
	forge_seal_inode(fg, 6);
	forge_inode(fg, 3)->parent = cpu_to_le64(6);
	forge_seal_inode(fg, 3);
	recount(fg);
}

static void root_is_file(struct forge *fg)
{
	struct pinfs_inode *di = forge_inode(fg, 1);

	di->mode = cpu_to_le32(S_IFIFO);
	di->tree_level = di->tree_count = cpu_to_le16(0);
	di->blocks = cpu_to_le64(0);
	forge_seal_inode(fg, 1);
}

static void orphan_line(struct forge *fg)
{
	forge_inode(fg, 39)->orphan.reserved[0] = 1;
}

static void orphan_prev(struct forge *fg)
{
	forge_inode(fg, 39)->orphan.prev = cpu_to_le64(0);
	forge_seal_inode(fg, 39);
}

static void orphan_circle(struct forge *fg)
{
	forge_inode(fg, 39)->orphan.next = cpu_to_le64(7);
	forge_seal_inode(fg, 39);
}

static void orphan_stray(struct forge *fg)
{
	forge_inode(fg, 7)->orphan.next = cpu_to_le64(0);
	forge_seal_inode(fg, 7);
}

static void orphan_head(struct forge *fg)
{
	fg->root->head[7].prev = cpu_to_le64(1);
}

static const struct damage {
	void (*fn)(struct forge *fg);
	const char *expect;
} damages[] = {
	{ nothing, "" },
	{ super, "super-damaged" },
	{ backup, "super-backup-damaged" },
	{ backup_differs, "super-backup-differs" },
	{ ro_compat, "super-ro-compat" },
	{ jstate, "journal-state" },
	{ root_reserved, "root-block" },
	/* Without the inode file everything in it is missing. */
	{ itable_csum, "itable-inode block-leaked count-inodes root-dir "
		       "orphan-list" },
	{ itable_unwritten, "itable-extent block-leaked count-inodes root-dir "
			    "orphan-list" },
	{ itable_short, "inode-unmapped inode-blocks block-leaked "
			"orphan-list" },
	{ imap_csum, "imap-damaged block-leaked count-inodes root-dir "
		     "orphan-list" },
	{ imap_hole, "imap-missing inode-blocks block-leaked count-inodes "
		     "root-dir orphan-list" },
	{ inode_csum, "inode-damaged" },
	{ inode_zeroed, "inode-damaged" },
	{ inode_unmarked, "inode-unmarked" },
	{ inode_blocks, "inode-blocks" },
	{ inode_nlink, "inode-nlink" },
	{ dir_nlink, "inode-nlink" },
	{ inode_nameless, "inode-unreachable" },
	{ intent_unlisted, "inode-intent" },
	{ leaf_csum, "inode-blocks node-damaged block-leaked" },
	{ node_level, "inode-blocks inode-nlink inode-unreachable node-damaged "
		      "block-leaked" },
	{ node_owner, "inode-blocks node-owner block-leaked" },
	{ two_leaves, "" },
	{ node_order, "node-order" },
	{ name_order, "node-order" },
	{ extent_order, "extent-order" },
	{ tree_cycle, "inode-blocks inode-nlink inode-unreachable block-shared "
		      "block-leaked" },
	{ blob_part, "blob-damaged" },
	{ blob_short, "blob-damaged" },
	{ blob_cycle, "block-shared" },
	{ blob_endless, "inode-blocks blob-damaged block-leaked" },
	{ xattr_long, "xattr-damaged" },
	{ symlink_nul, "symlink-target" },
	{ shared, "block-shared block-leaked" },
	{ shared_with_fixed, "block-shared block-leaked" },
	{ unmarked, "block-unmarked" },
	{ leaked, "block-leaked" },
	{ beyond_the_end, "block-unmarked" },
	{ group_csum, "group-damaged" },
	{ count_blocks, "count-blocks" },
	{ count_inodes, "count-inodes" },
	{ dir_hash, "dir-hash" },
	{ dir_duplicate, "dir-duplicate" },
	{ dir_dangling, "dir-dangling" },
	{ dir_type, "dir-type" },
	{ dir_twice, "dir-twice" },
	{ dir_root_again, "dir-twice" },
	{ dir_parent, "dir-parent" },
	{ dir_cycle, "dir-cycle" },
	{ root_is_file, "inode-nlink inode-unreachable block-leaked dir-cycle "
			"root-dir" },
	{ orphan_line, "orphan-line" },
	{ orphan_prev, "orphan-list" },
	{ orphan_circle, "orphan-list" },
	{ orphan_stray, "orphan-stray" },
	{ orphan_head, "orphan-line orphan-stray" },
};

START_TEST(finds_it)
{
	const struct damage *d = &damages[_i];
	struct forge fg;
	char text[512];
	int code;

	make_image(&fg);
	d->fn(&fg);
	pool_close(fg.pool);
	code = findings(scratch_path(SCRATCH_MEMORY, "pool"), text,
			sizeof(text));
	ck_assert_msg(!strcmp(text, d->expect), "%d: %s", _i, text);
	ck_assert_int_eq(code, d->expect[0] ? 4 : 0);
}
END_TEST

/* Sizes that do not fill the bitmap's last word. */
START_TEST(odd_sizes_are_fine)
{
	struct forge fg;
	char text[512];
	int code;

	make_image_of(SCRATCH_MEMORY, 16 * MIB + 4096 * (uint64_t)_i, &fg);
	pool_close(fg.pool);
	code = findings(scratch_path(SCRATCH_MEMORY, "pool"), text,
			sizeof(text));
	ck_assert_str_eq(text, "");
	ck_assert_int_eq(code, 0);
}
END_TEST

/* Bytes of the metadata at random: it ends, and not by a signal. */
START_TEST(noise_ends)
{
	static char out[1 << 20];
	uint64_t meta_end, i, at;
	struct forge fg;
	int round, code;

	make_image(&fg);
	meta_end = fg.next * 4096;
	srandom((unsigned int)_i);
	for (i = 0; i < 200; i++) {
		at = (uint64_t)random() % meta_end;
		fg.pool->base[at] = (uint8_t)random();
	}
	/* Some of it believable. */
	for (round = 0; round < 20; round++) {
		at = fg.root_leaf + (uint64_t)random() % 12;
		fg.pool->base[at * 4096 + (uint64_t)random() % 128] =
			(uint8_t)random();
		forge_seal(&fg, at);
		at = 1 + (uint64_t)random() % 7;
		((uint8_t *)forge_inode(&fg, at))[random() % 448] =
			(uint8_t)random();
		forge_seal_inode(&fg, at);
	}
	pool_close(fg.pool);
	code = run("--json", scratch_path(SCRATCH_MEMORY, "pool"), out,
		   sizeof(out));
	ck_assert_msg(code == 4 || code == 8 || code == 12, "%d", code);
}
END_TEST

static void read_boot_id(uint8_t id[16])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	char text[37] = "";

	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
	fclose(f);
	ck_assert_int_eq(uuid_parse(text, id), 0);
}

/*
 * A crash after a transaction that takes a block for nobody: fsck sees what
 * the next mount would see, and leaves the journal to it.
 */
static const struct {
	enum scratch_kind kind;
	bool rebooted;
	const char *expect;
} crashes[] = {
	{ SCRATCH_MEMORY, false, "block-leaked" },
	{ SCRATCH_MEMORY, true, "block-leaked" },
	{ SCRATCH_DISK, false, "block-leaked" },
	{ SCRATCH_DISK, true, "" }, /* not sealed, so it is void */
};

START_TEST(replays_the_journal)
{
	const char *path = scratch_path(crashes[_i].kind, "pool");
	struct journal_recovery rec;
	struct pinfs_super sb;
	struct journal *j;
	struct forge fg;
	char text[512];
	uint8_t id[16];
	struct tx *tx;
	int round;

	make_image_of(crashes[_i].kind, 16 * MIB, &fg);
	read_boot_id(id);
	id[0] ^= crashes[_i].rebooted;
	sb = *fg.sb;
	ck_assert_int_eq(
		journal_open(fg.pool, &sb, id, JOURNAL_NO_THREAD, &j, &rec), 0);
	tx = tx_begin(j);
	ck_assert_int_eq(tx_set_bits(tx, le64_to_cpu(sb.groups_start),
				     (uint32_t)fg.next, 1),
			 0);
	tx_count(tx, -1, 0);
	ck_assert_int_eq(tx_commit(tx), 0);
	journal_abandon(j);
	pool_close(fg.pool);
	for (round = 0; round < 2; round++) {
		findings(path, text, sizeof(text));
		ck_assert_str_eq(text, crashes[_i].expect);
	}
}
END_TEST

START_TEST(changes_nothing)
{
	static char out[1 << 20];
	struct forge fg;
	uint8_t *copy;

	make_image(&fg);
	count_blocks(&fg);
	copy = malloc(fg.pool->size);
	memcpy(copy, fg.pool->base, fg.pool->size);
	/* Not while it is somebody's. */
	ck_assert_int_eq(run("-n", fg.pool->path, out, sizeof(out)), 8);
	ck_assert_str_eq(out, "");
	pool_close(fg.pool);
	ck_assert_int_eq(run("-n", scratch_path(SCRATCH_MEMORY, "pool"), out,
			     sizeof(out)),
			 4);
	ck_assert_int_eq(run("-y", scratch_path(SCRATCH_MEMORY, "pool"), out,
			     sizeof(out)),
			 12);
	ck_assert_int_eq(pool_open(scratch_path(SCRATCH_MEMORY, "pool"), 0,
				   &fg.pool, NULL),
			 0);
	ck_assert_mem_eq(copy, fg.pool->base, fg.pool->size);
	pool_close(fg.pool);
	free(copy);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fsck");
	TCase *tc = tcase_create("fsck");

	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_loop_test(tc, finds_it, 0, ARRAY_SIZE(damages));
	tcase_add_loop_test(tc, odd_sizes_are_fine, 0, 3);
	tcase_add_loop_test(tc, noise_ends, 0, 100);
	tcase_add_loop_test(tc, replays_the_journal, 0, ARRAY_SIZE(crashes));
	tcase_add_test(tc, changes_nothing);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
