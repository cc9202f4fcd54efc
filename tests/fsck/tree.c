// SPDX-License-Identifier: BSD-3-Clause
#include "tree.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "inode/dir.h"
#include "inode/extent.h"
#include "inode/xattr.h"
#include "pool/persist.h"

void tree_fill(void *block, uint64_t ino, uint64_t lblk)
{
	uint64_t *word = block, i;

	for (i = 0; i < PINFS_BLOCK_SIZE / sizeof(*word); i++)
		word[i] = ino << 32 | lblk << 9 | i;
}

static void add_block(struct inode *ip, struct tx *tx, uint64_t lblk)
{
	struct volume *vol = ip->vol;
	uint8_t bytes[PINFS_BLOCK_SIZE];
	struct space_run run;
	struct extent e;

	must(space_alloc(vol->space, tx, 0, 1, 0, &run) == 0);
	tree_fill(bytes, ip->ino, lblk);
	persist_copy_flush(vol->pool, volume_block(vol, run.first), bytes,
			   sizeof(bytes));
	e = (struct extent){ .lblk = lblk, .pblk = run.first, .len = 1 };
	must(extent_add(ip, tx, &e) == 0);
	inode_edit(ip, tx)->size = cpu_to_le64((lblk + 1) * PINFS_BLOCK_SIZE);
}

/* make - with a first block if it is a file; the caller's handle */
static struct inode *make(struct inode *dir, const char *name, uint32_t mode)
{
	struct volume *vol = dir->vol;
	struct inode_init init = {
		.mode = mode,
		.nlink = S_ISDIR(mode) ? 2 : 1,
		.parent = S_ISDIR(mode) ? dir->ino : 0,
	};
	unsigned int guard = journal_enter(vol->journal);
	struct tx *tx = tx_begin(vol->journal);
	struct pinfs_inode *di;
	struct inode *ip;

	pthread_rwlock_wrlock(&dir->lock);
	must(inode_new(vol, tx, &init, &ip) == 0);
	must(dir_add(dir, tx, name, strlen(name), ip->ino, IFTODT(mode)) == 0);
	if (S_ISDIR(mode)) {
		di = inode_edit(dir, tx);
		di->nlink = cpu_to_le32(le32_to_cpu(di->nlink) + 1);
	} else {
		add_block(ip, tx, 0);
	}
	if (ip->ino % 50 == 0)
		must(xattr_set(ip, tx, "user.name", name, strlen(name), 0) ==
		     0);
	must(tx_commit(tx) == 0);
	pthread_rwlock_unlock(&ip->lock);
	pthread_rwlock_unlock(&dir->lock);
	journal_leave(vol->journal, guard);
	return ip;
}

/* fragment - every other block, so that none continues another */
static void fragment(struct inode *ip)
{
	unsigned int guard, i;
	struct tx *tx;

	pthread_rwlock_wrlock(&ip->lock);
	for (i = 1; i < TREE_PIECES; i++) {
		guard = journal_enter(ip->vol->journal);
		tx = tx_begin(ip->vol->journal);
		add_block(ip, tx, 2 * i);
		must(tx_commit(tx) == 0);
		journal_leave(ip->vol->journal, guard);
	}
	pthread_rwlock_unlock(&ip->lock);
}

static void make_many(struct inode *root)
{
	struct inode *dir = make(root, "many", S_IFDIR | 0755);
	char name[300];
	int i;

	for (i = 0; i < TREE_FILES; i++) {
		snprintf(name, sizeof(name), "%0*d", 10 + i % 100, i);
		inode_put(make(dir, name, S_IFREG | 0644));
	}
	inode_put(dir);
}

static void make_docs(struct inode *root)
{
	struct inode *dir = make(root, "docs", S_IFDIR | 0755), *sub;
	int i;

	for (i = 0; i < 5; i++) {
		inode_put(make(dir, "page", S_IFREG | 0600));
		sub = make(dir, "chapter", S_IFDIR | 0700);
		inode_put(dir);
		dir = sub;
	}
	inode_put(dir);
}

void tree_make(const char *path)
{
	struct inode *root, *ip;
	struct volume *vol;
	struct pool *pool;

	must(pool_open(path, 0, &pool, NULL) == 0);
	must(volume_open(pool, 0, &vol) == 0);
	must(inode_get(vol, PINFS_ROOT_INO, INODE_ANY_GEN, &root) == 0);
	make_docs(root);
	ip = make(root, "pieces", S_IFREG | 0644);
	fragment(ip);
	inode_put(ip);
	make_many(root);
	inode_put(root);
	must(volume_close(vol) == 0);
	pool_close(pool);
}
