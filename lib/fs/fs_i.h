/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of lib/fs share among themselves. */
#ifndef PINFS_FS_I_H
#define PINFS_FS_I_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/omit.h"
#include "fs/fs.h"

struct fs {
	struct fs_options opt;
	struct volume *vol;
	struct layouts *layouts;
	struct fs_kernel kernel; /* set before there are requests */
	/*
	 * Held by a rename from one directory to another: so that the chain of
	 * parents above the new place stays as it is while it is looked at.
	 * Before all inode locks.
	 */
	pthread_mutex_t rename_lock;
	_Atomic uint64_t dma_bytes[2]; /* by enum pinfs_direction */
	_Atomic uint64_t dma_errors;
	_Atomic uint64_t invalidations;
};

struct fs_file {
	struct inode *ip;
	int flags; /* O_* */
	atomic_bool dropped; /* see fs_file_dropped_privs() */
};

/* struct op - frame of an operation that changes something */
struct op {
	struct fs *fs;
	struct tx *tx;
	unsigned int guard;
};

/* op_begin - journal_enter() and a transaction; -EROFS, -ENOMEM */
int op_begin(struct op *op, struct fs *fs);

/* op_end - commit if err is 0, else abort; returns how it ended */
int op_end(struct op *op, int err);

/* What is asked for would be wrong if a power failure undid what is there now. */
#define FS_UNSEALED (-EINPROGRESS)

/*
 * fs_try_again - may it go better now?
 *
 * After -ENOSPC, if freed blocks only wait to be home: have them, once for each
 * *tries. After FS_UNSEALED: have it sealed. No lock is held.
 */
bool fs_try_again(struct fs *fs, int err, int *tries);

/* fs_check_name - -ENAMETOOLONG, -EINVAL, -ENOENT for an empty one */
int fs_check_name(const char *name, size_t *len);

/* fs_fill_stat - attributes of ip, which is locked; tx may be NULL */
void fs_fill_stat(struct inode *ip, struct tx *tx, struct stat *st);

/* fs_fill_entry - node, generation and attributes */
void fs_fill_entry(struct inode *ip, struct tx *tx, struct fs_entry *out);

/*
 * fs_has_privs, fs_drop_privs - set-id bits, and the capability of an executable:
 * what a change of its contents or owner takes from a file
 *
 * ip is locked. The kernel leaves it to us (FUSE_HANDLE_KILLPRIV_V2), and so need
 * not ask before each write whether there is a capability.
 */
bool fs_has_privs(struct inode *ip);
int fs_drop_privs(struct inode *ip, struct tx *tx);

/* fs_accessed - its contents are read: the access time follows; no lock held */
void fs_accessed(struct fs *fs, struct inode *ip);

#define FS_FIXED (PINFS_IFLAG_IMMUTABLE | PINFS_IFLAG_APPEND)

/*
 * fs_refuse - -EPERM if a locked inode has one of these flags
 *
 * The kernel's FUSE client knows nothing of them. What may not be done with an
 * inode that is immutable, or append-only, is as in the kernel's VFS.
 */
static inline int fs_refuse(struct inode *ip, uint64_t flags)
{
	return le64_to_cpu(inode_read(ip, NULL)->flags) & flags ? -EPERM : 0;
}

static inline uint8_t fs_dtype(uint32_t mode)
{
	return (uint8_t)((mode & S_IFMT) >> 12);
}

/*
 * fs_zero_behind - of bytes [from, to), those behind the end of file are zero
 * @own_pins: blocks with more pins than that are left alone: a device may be
 *            storing there, and what is behind the end of file is its own
 *
 * Before a file grows: a write, or a DMA, that a crash or an error cut off may
 * have left something there. ip is locked exclusively. -EUCLEAN.
 */
int fs_zero_behind(struct fs *fs, struct inode *ip, uint64_t from, uint64_t to,
		   uint64_t own_pins);

/* fs_in_use - is it open or pinned, so that it must outlive its name? (L10) */
static inline bool fs_in_use(struct inode *ip)
{
	return atomic_load(&ip->opens) > 0 ||
	       (layout_is_pinned(ip) && !OMITTED("L10"));
}

#endif
