// SPDX-License-Identifier: BSD-3-Clause
/* What is in the valid image: something of everything. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "../crash/record.h"
#include "../unit/fs_rig.h"
#include "base/util.h"
#include "format/csum.h"
#include "image_i.h"

#define BLOCK	 PINFS_BLOCK_SIZE
#define NAMES	 400u /* long ones, so that their directory is three deep */
#define ORPHANS	 40u /* more than there are lists */
#define CHANGING 4u
#define WRITERS	 3u /* each has a lane of its own */

static const struct fs_caller root;

static void must(int err, const char *what)
{
	if (err < 0)
		die("the image: %s: %s", what, strerror(-err));
}

static uint64_t make_file(struct fs *fs, uint64_t dir, const char *name)
{
	struct fs_entry e;

	must(fs_mknod(fs, dir, name, S_IFREG | 0644, 0, &root, &e, NULL, 0),
	     name);
	return e.node;
}

static uint64_t make_dir(struct fs *fs, uint64_t dir, const char *name)
{
	struct fs_entry e;

	must(fs_mkdir(fs, dir, name, 0755, &root, &e), name);
	return e.node;
}

/* put_blocks - data in every other block, so that each is an extent */
static void put_blocks(struct fs *fs, uint64_t node, unsigned int count)
{
	static const char text[] = "a byte of a file";
	struct fs_file *file;

	must(fs_file_open(fs, node, O_RDWR, &file), "open");
	for (unsigned int i = 0; i < count; i++)
		must((int)fs_write(fs, file, text, sizeof(text),
				   (uint64_t)i * 2 * BLOCK),
		     "write");
	fs_file_release(fs, file);
}

static void make_files(struct fs *fs)
{
	char name[32];
	uint64_t node;

	put_blocks(fs, make_file(fs, ROOT, "few"), 3);
	put_blocks(fs, make_file(fs, ROOT, "deep"), 1500);
	node = make_file(fs, ROOT, "unwritten");
	must(change_file(fs, node, PINFS_CHANGE_ALLOCATE, BLOCK, 20 * BLOCK, 0),
	     "fallocate");
	put_blocks(fs, node, 30);
	for (unsigned int i = 0; i < CHANGING; i++) {
		snprintf(name, sizeof(name), "changing%u", i);
		node = make_file(fs, ROOT, name);
		put_blocks(fs, node, 20 + 100 * (i % 2));
	}
}

static void make_links(struct fs *fs, uint64_t dir)
{
	char target[PINFS_SYMLINK_MAX + 1];
	struct fs_entry e;

	memset(target, 't', sizeof(target) - 1);
	target[sizeof(target) - 1] = '\0';
	must(fs_symlink(fs, ROOT, "short", "few", &root, &e), "symlink");
	must(fs_symlink(fs, ROOT, "long", target, &root, &e), "symlink");
	must(fs_lookup(fs, ROOT, "few", &e), "lookup");
	must(fs_link(fs, e.node, dir, "hard", &e), "link");
	must(fs_mknod(fs, dir, "fifo", S_IFIFO | 0644, 0, &root, &e, NULL, 0),
	     "fifo");
	must(fs_mknod(fs, dir, "null", S_IFCHR | 0644, makedev(1, 3), &root, &e,
		      NULL, 0),
	     "device");
}

static void make_xattrs(struct fs *fs, uint64_t node)
{
	static char value[9000];
	char name[32];

	for (unsigned int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "user.number%u", i);
		must(fs_setxattr(fs, node, name, value, i * i, 0), name);
	}
	must(fs_setxattr(fs, node, "user.large", value, sizeof(value), 0),
	     "setxattr");
}

/* make_names - in a directory, most of one file */
static void make_names(struct fs *fs, uint64_t dir)
{
	struct fs_entry e;
	char name[232];
	uint64_t node = make_file(fs, dir, "one");

	for (unsigned int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "%0*u", 160 + (int)(i % 70), i);
		must(fs_link(fs, node, dir, name, &e), "link");
	}
}

static void make_all(struct fs *fs)
{
	uint64_t dir = make_dir(fs, ROOT, "dir");
	uint64_t many = make_dir(fs, ROOT, "many");
	struct fs_entry e;

	make_files(fs);
	make_links(fs, dir);
	make_dir(fs, make_dir(fs, make_dir(fs, dir, "a"), "b"), "c");
	must(fs_lookup(fs, ROOT, "few", &e), "lookup");
	make_xattrs(fs, e.node);
	make_xattrs(fs, many);
	make_names(fs, many);
}

/* --- what a crash leaves ---------------------------------------------------------- */

static struct fs *open_tree(struct pool *pool)
{
	struct fs_options opt = { .workers = 1 };
	struct fs *fs;

	must(fs_open(pool, &opt, &fs), "mount");
	return fs;
}

static void close_tree(struct fs *fs)
{
	fs_drain(fs);
	must(fs_close(fs), "unmount");
}

/* make_orphans - open, without a name */
static void make_orphans(struct fs *fs, struct fs_file **file)
{
	for (unsigned int i = 0; i < ORPHANS; i++) {
		uint64_t node = make_file(fs, ROOT, "orphan");

		put_blocks(fs, node, i % 3);
		must(fs_file_open(fs, node, O_RDWR, &file[i]), "open");
		must(fs_unlink(fs, ROOT, "orphan"), "unlink");
	}
}

/* write_some - records of the journal, from one more thread */
static void *write_some(void *arg)
{
	struct fs *fs = arg;
	struct fs_entry e;

	must(fs_lookup(fs, ROOT, "dir", &e), "lookup");
	put_blocks(fs, make_file(fs, e.node, "young"), 12);
	must(fs_rename(fs, e.node, "young", e.node, "old", 0), "rename");
	must(fs_unlink(fs, e.node, "old"), "unlink");
	return NULL;
}

static void write_in_lanes(struct fs *fs)
{
	pthread_t thread;

	for (unsigned int i = 0; i < WRITERS; i++)
		if (pthread_create(&thread, NULL, write_some, fs) ||
		    pthread_join(thread, NULL))
			die("no thread");
}

/* make_intent - a file in the midst of a change that takes longer */
static void make_intent(struct fs *fs, const char *name,
			const struct pinfs_intent *intent)
{
	struct volume *vol = fs_volume(fs);
	struct tx *tx = tx_begin(vol->journal);
	struct pinfs_inode *di = NULL;
	struct fs_entry e;
	struct inode *ip;

	must(fs_lookup(fs, ROOT, name, &e), name);
	must(fs_inode(fs, e.node, &ip), name);
	pthread_rwlock_wrlock(&ip->lock);
	if (tx)
		di = inode_edit(ip, tx);
	if (!di)
		die("out of memory");
	di->intent = *intent;
	must(orphan_add(ip, tx), name);
	must(tx_commit(tx), name);
	pthread_rwlock_unlock(&ip->lock);
	inode_put(ip);
}

static void make_intents(struct fs *fs)
{
	static const struct {
		uint32_t op;
		uint64_t first, count;
	} intent[CHANGING] = {
		{ PINFS_INTENT_REMOVE, 10, UINT64_MAX - 10 },
		{ PINFS_INTENT_COLLAPSE, 4, 4 },
		{ PINFS_INTENT_INSERT, 4, 4 },
		{ PINFS_INTENT_UNWRITE, 2, 12 },
	};
	struct pinfs_intent in = { .op = cpu_to_le32(0) };
	char name[32];

	for (unsigned int i = 0; i < CHANGING; i++) {
		snprintf(name, sizeof(name), "changing%u", i);
		in.op = cpu_to_le32(intent[i].op);
		in.first = cpu_to_le64(intent[i].first);
		in.count = cpu_to_le64(intent[i].count);
		make_intent(fs, name, &in);
	}
}

void tree_make(struct pool *pool, void (*keep)(struct pool *pool))
{
	struct fs_file *file[ORPHANS];
	struct fs *fs = open_tree(pool);

	make_all(fs);
	close_tree(fs);
	fs = open_tree(pool);
	write_in_lanes(fs);
	make_orphans(fs, file);
	make_intents(fs);
	keep(pool);
	for (unsigned int i = 0; i < ORPHANS; i++)
		fs_file_release(fs, file[i]);
	close_tree(fs);
	keep(pool);
}
