/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * File system operations: what the FUSE edge calls, one function a request.
 *
 * A node names an inode and its generation in 64 bits, so that nothing has to be
 * remembered of what was ever looked up: a node whose inode was freed answers
 * -ESTALE. Permissions have been checked by the kernel (default_permissions).
 *
 * Every function returns 0 or a negative errno and, where it takes no
 * completion, is over when it returns. Layout changes take a completion: they
 * may have to wait for an idle file (lib/layout).
 */
#ifndef PINFS_FS_H
#define PINFS_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>

#include "inode/inode.h"
#include "layout/layout.h"
#include "wire/pinfs_ioctl.h"

struct fs;
struct fs_file;

enum fs_dax {
	FS_DAX_INODE = 0, /* FS_XFLAG_DAX decides */
	FS_DAX_ALWAYS = 1,
	FS_DAX_NEVER = 2,
};

struct fs_options {
	bool read_only;
	enum fs_dax dax;
	uint64_t break_timeout_ns; /* 0: wait for ever */
	uint64_t break_warn_ns; /* 0: never */
	unsigned int workers; /* threads for deferred changes */
	bool scope_range; /* layout_scope=range (L3) */
};

/*
 * struct fs_kernel - how to reach the kernel's caches
 *
 * invalidate drops the kernel's cached pages of [off, off + len) of a node (len
 * 0: to the end) and its attributes, after it has had dirty ones written back.
 * It may take as long as a write request of the node does. It is called only by
 * threads that serve no request and hold no lock (C5).
 */
struct fs_kernel {
	void (*invalidate)(void *arg, uint64_t node, int64_t off, int64_t len);
	void *arg;
};

struct fs_caller {
	uint32_t uid;
	uint32_t gid;
	uint32_t pid;
	uint32_t umask;
};

/* struct fs_entry - what a name leads to */
struct fs_entry {
	uint64_t node;
	uint32_t gen;
	struct stat st;
};

/* --- the instance ------------------------------------------------------------------ */

/* fs_open - the pool stays the caller's; errors as volume_open() has them */
int fs_open(struct pool *pool, const struct fs_options *opt, struct fs **out);

/* fs_set_kernel - before the first DMA; kernel is copied */
void fs_set_kernel(struct fs *fs, const struct fs_kernel *kernel);

/* fs_drain_begin - refuse new pin sets */
void fs_drain_begin(struct fs *fs);

/* fs_drain - refuse new pin sets, wait for those that live (L15) */
void fs_drain(struct fs *fs);

/* fs_close - drained, no file open; marks the pool clean; NULL is fine */
int fs_close(struct fs *fs);

struct volume *fs_volume(struct fs *fs);
struct layouts *fs_layouts(struct fs *fs);
const struct fs_options *fs_opts(struct fs *fs);

/* fs_node - the node of an inode; the root's is 1 */
uint64_t fs_node(const struct inode *ip);

/* fs_inode - a handle of a node's inode (inode_put); -ESTALE */
int fs_inode(struct fs *fs, uint64_t node, struct inode **out);

/* fs_invalidate - the kernel's caches of a file; see struct fs_kernel */
void fs_invalidate(struct fs *fs, struct inode *ip, uint64_t off, uint64_t len);

/* fs_sync - all that was done survives power loss (S2) */
int fs_sync(struct fs *fs);

int fs_statfs(struct fs *fs, struct statvfs *st);

/* --- names (namei.c, create.c, rename.c) ------------------------------------------------------- */

int fs_lookup(struct fs *fs, uint64_t parent, const char *name,
	      struct fs_entry *out);

/* fs_mknod - files, fifos, sockets, devices; file: open it too, or NULL */
int fs_mknod(struct fs *fs, uint64_t parent, const char *name, uint32_t mode,
	     uint64_t rdev, const struct fs_caller *who, struct fs_entry *out,
	     struct fs_file **file, int open_flags);

/*
 * fs_tmpfile - a file without a name, open; it goes when it is closed, unless
 * fs_link() gives it a name, which O_EXCL in open_flags forbids
 */
int fs_tmpfile(struct fs *fs, uint64_t parent, uint32_t mode,
	       const struct fs_caller *who, struct fs_entry *out,
	       struct fs_file **file, int open_flags);
int fs_mkdir(struct fs *fs, uint64_t parent, const char *name, uint32_t mode,
	     const struct fs_caller *who, struct fs_entry *out);
int fs_symlink(struct fs *fs, uint64_t parent, const char *name,
	       const char *target, const struct fs_caller *who,
	       struct fs_entry *out);
int fs_link(struct fs *fs, uint64_t node, uint64_t parent, const char *name,
	    struct fs_entry *out);
int fs_unlink(struct fs *fs, uint64_t parent, const char *name);
int fs_rmdir(struct fs *fs, uint64_t parent, const char *name);

/* fs_rename - flags: RENAME_NOREPLACE, RENAME_EXCHANGE; others -EINVAL */
int fs_rename(struct fs *fs, uint64_t parent, const char *name,
	      uint64_t newparent, const char *newname, unsigned int flags);

/* fs_readlink - terminated; buf takes PINFS_SYMLINK_MAX + 1 bytes */
int fs_readlink(struct fs *fs, uint64_t node, char *buf);

/*
 * fs_readdir - entries from cookie on, "." and ".." first
 * @attr: ask for the entries' attributes too (readdirplus)
 * @fn: returns non-zero when it has no room for the entry; next is the cookie
 *      that continues behind it
 *
 * The cookie of the beginning is 0.
 */
struct fs_dirent {
	const char *name; /* terminated */
	uint64_t next;
	uint64_t ino;
	uint32_t type; /* S_IF* */
	bool has_entry; /* attr was asked for, and it is not "." or ".." */
	struct fs_entry entry;
};
int fs_readdir(struct fs *fs, uint64_t node, uint64_t cookie, bool attr,
	       int (*fn)(void *arg, const struct fs_dirent *d), void *arg);

/* fs_path - last known path from the root, for messages; empty if not known */
void fs_path(struct volume *vol, uint64_t ino, char *buf, size_t size);

/* --- attributes (attr.c) --------------------------------------------------------------- */

int fs_getattr(struct fs *fs, uint64_t node, struct stat *st);

/* fs_getattr_birth - the same, and when it was made */
int fs_getattr_birth(struct fs *fs, uint64_t node, struct stat *st,
		     struct timespec *birth);

#define FS_SET_MODE	 1u
#define FS_SET_UID	 2u
#define FS_SET_GID	 4u
#define FS_SET_ATIME	 8u
#define FS_SET_MTIME	 16u
#define FS_SET_ATIME_NOW 32u
#define FS_SET_MTIME_NOW 64u
#define FS_SET_CTIME	 128u
#define FS_SET_NOTHING \
	256u /* an owner was given, but none to change: chown(2) */

/* fs_setattr - all but the size, which is a layout change */
int fs_setattr(struct fs *fs, uint64_t node, const struct stat *attr,
	       unsigned int set, struct stat *out);

ssize_t fs_getxattr(struct fs *fs, uint64_t node, const char *name, void *value,
		    size_t size);
ssize_t fs_listxattr(struct fs *fs, uint64_t node, char *list, size_t size);
int fs_setxattr(struct fs *fs, uint64_t node, const char *name,
		const void *value, size_t size, int flags);
int fs_removexattr(struct fs *fs, uint64_t node, const char *name);

/*
 * fs_set_acl - a POSIX ACL, by its attribute's name, and the mode with it
 * @drop_sgid: the caller may not keep the set-group-id bit
 */
int fs_set_acl(struct fs *fs, uint64_t node, const char *name,
	       const void *value, size_t size, bool drop_sgid);

/* fs_get_flags, fs_set_flags - PINFS_IFLAG_*; -EOPNOTSUPP for unknown ones */
int fs_get_flags(struct fs *fs, uint64_t node, uint64_t *flags);
int fs_set_flags(struct fs *fs, uint64_t node, uint64_t flags);

/* --- open files (file.c, write.c) -------------------------------------------------------- */

/*
 * fs_file_open - flags: O_*; the file or directory stays while it is open
 *
 * -EISDIR, -EPERM (immutable), -EROFS, -ESTALE; -ENXIO for what is neither.
 */
int fs_file_open(struct fs *fs, uint64_t node, int flags, struct fs_file **out);
void fs_file_release(struct fs *fs, struct fs_file *file);
struct inode *fs_file_inode(const struct fs_file *file);
int fs_file_flags(const struct fs_file *file);

/* fs_file_is_dax - is the kernel to keep no page cache for this open? (C4) */
bool fs_file_is_dax(struct fs *fs, struct fs_file *file);

/*
 * struct fs_read - bytes of a file, in place in the pool
 *
 * The file's lock is held shared from fs_read_begin() to fs_read_end(), so that
 * the bytes are the file's until they have been sent (C3).
 */
#define FS_READ_MAX (1u << 20)
#define FS_READ_IOV (FS_READ_MAX / PINFS_BLOCK_SIZE + 2)

struct fs_read {
	struct fs *fs;
	struct inode *ip;
	unsigned int guard;
	int count;
	size_t length; /* bytes in iov; less than asked for at the end of file */
	struct iovec iov[FS_READ_IOV];
};

int fs_read_begin(struct fs *fs, struct fs_file *file, uint64_t off,
		  size_t size, struct fs_read *r);
void fs_read_end(struct fs_read *r);

/* fs_write - returns how much was written; less than size when space runs out */
ssize_t fs_write(struct fs *fs, struct fs_file *file, const void *buf,
		 size_t size, uint64_t off);

/*
 * fs_file_dropped_privs - has a write through this file dropped set-id bits or a
 * capability since the last time? Then the kernel's attributes are wrong.
 */
bool fs_file_dropped_privs(struct fs_file *file);

int fs_fsync(struct fs *fs, struct fs_file *file);

/* fs_lseek - SEEK_HOLE, SEEK_DATA; -ENXIO */
int64_t fs_lseek(struct fs *fs, struct fs_file *file, uint64_t off, int whence);

ssize_t fs_copy_range(struct fs *fs, struct fs_file *in, uint64_t off_in,
		      struct fs_file *out, uint64_t off_out, size_t len);

/* fs_map - extents from io->cursor on, with their pins */
int fs_map(struct fs *fs, struct fs_file *file, struct pinfs_ioc_map *io);

/* fs_stats, fs_info - the parts that the library knows */
void fs_stats(struct fs *fs, struct pinfs_ioc_stats *st);
void fs_info(struct fs *fs, struct pinfs_ioc_info *info);

/* --- layout changes (change.c) ------------------------------------------------------------ */

#define FS_CHANGE_KEEP_SIZE 1u
#define FS_CHANGE_NO_WAIT   2u /* -EBUSY at once if it had to wait */

/*
 * struct fs_change - a layout change on its way; a part of the caller's request
 *
 * done is called exactly once: from fs_change_start(), or later on a thread of
 * the library's. The caller may free it there.
 */
struct fs_change {
	/* The caller's: */
	enum pinfs_change kind;
	uint64_t offset; /* bytes; TRUNCATE: the new size */
	uint64_t length;
	unsigned int flags; /* FS_CHANGE_* */
	struct fs_caller who;
	void (*done)(struct fs_change *ch, int err);
	/* The library's: */
	struct layout_break brk;
	struct fs *fs;
	struct inode *ip;
};

/*
 * fs_change_init - check the change and take what it needs
 *
 * -EINVAL, -EFBIG, -EISDIR, -ENODEV, -EROFS, -EPERM (immutable), -ESTALE: then
 * it is over, and done is not called.
 */
int fs_change_init(struct fs *fs, uint64_t node, struct fs_change *ch);

/*
 * fs_change_start - do it now, or when the file is idle
 *
 * After this ch may be gone. done gets 0, -EINTR, -EBUSY (out of time) or an
 * error of the change; but for 0 the file is as it was (L7).
 */
void fs_change_start(struct fs_change *ch);

/* fs_change_interrupt - between init and done; no effect on what need not wait */
void fs_change_interrupt(struct fs_change *ch);

/* --- for DMA (dma.c) ------------------------------------------------------------------- */

/*
 * fs_dma_prepare - have [off, off + len) mapped for a device that will write there
 *
 * What was a hole, or unwritten, becomes data, zeroes: what the device does not
 * reach reads as zeroes (C3), after a crash too (S4), and a write to a part of a block
 * that is being filled has nothing to zero. The size stays. The pin set has been
 * admitted with this range, so nothing of it goes away. -ENOSPC: nothing was done.
 */
int fs_dma_prepare(struct fs *fs, struct inode *ip, uint64_t off, uint64_t len);

/*
 * fs_dma_finish - the device has filled [off, end) of [off, off + len)
 *
 * Makes it durable, and moves the end of the file to end if it is before. What
 * the device may have left behind both is zero again. The blocks are still
 * pinned, so the caller's pin is counted once.
 */
int fs_dma_finish(struct fs *fs, struct inode *ip, uint64_t off, uint64_t len,
		  uint64_t end);

/* fs_dma_account - for fs_stats() */
void fs_dma_account(struct fs *fs, enum pinfs_direction direction,
		    uint64_t bytes, int err);

#endif
