/* SPDX-License-Identifier: BSD-3-Clause */
/* The requests, by what they are about. Each handler answers once. */
#ifndef PINFSD_OPS_H
#define PINFSD_OPS_H

#include "daemon.h"

/*
 * How long the kernel may trust what it has been told without asking again.
 *
 * Names change only through this very mount, so that the kernel knows of each
 * change. Attributes do not: a DMA makes files longer and fills holes. At its
 * end the kernel is told; while it runs, sizes in blocks are late by no more
 * than this.
 */
#define ENTRY_TIMEOUT_S 86400.0
#define ATTR_TIMEOUT_S	1.0

extern const struct fuse_lowlevel_ops daemon_ops;

/* ops_caller - for whom a request is made */
struct fs_caller ops_caller(fuse_req_t req);

/* ops_reply - answer with an error of the library's, or with success */
void ops_reply(fuse_req_t req, int err);

/* ops_entry - as the kernel wants it */
struct fuse_entry_param ops_entry(const struct fs_entry *e);

/* --- names: ops_name.c ---------------------------------------------------- */

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	      dev_t rdev);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		const char *name);
void op_link(fuse_req_t req, fuse_ino_t node, fuse_ino_t parent,
	     const char *name);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
	       fuse_ino_t newparent, const char *newname, unsigned int flags);
void op_readlink(fuse_req_t req, fuse_ino_t node);

/* --- directories: ops_dir.c ----------------------------------------------- */

void op_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void op_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
		struct fuse_file_info *fi);
void op_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
		    struct fuse_file_info *fi);

/* --- open files: ops_file.c ----------------------------------------------- */

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi);
void op_tmpfile(fuse_req_t req, fuse_ino_t parent, mode_t mode,
		struct fuse_file_info *fi);
void op_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void op_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
	     struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t node, const char *buf, size_t size,
	      off_t off, struct fuse_file_info *fi);
void op_flush(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t node, int datasync,
	      struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t node, off_t off, int whence,
	      struct fuse_file_info *fi);
void op_copy_range(fuse_req_t req, fuse_ino_t in, off_t off_in,
		   struct fuse_file_info *fi_in, fuse_ino_t out, off_t off_out,
		   struct fuse_file_info *fi_out, size_t len, int flags);

/* --- attributes: ops_attr.c ----------------------------------------------- */

void op_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void op_statx(fuse_req_t req, fuse_ino_t node, int flags, int mask,
	      struct fuse_file_info *fi);
void op_statfs(fuse_req_t req, fuse_ino_t node);
void op_setxattr(fuse_req_t req, fuse_ino_t node, const char *name,
		 const char *value, size_t size, int flags);
void op_getxattr(fuse_req_t req, fuse_ino_t node, const char *name,
		 size_t size);
void op_listxattr(fuse_req_t req, fuse_ino_t node, size_t size);
void op_removexattr(fuse_req_t req, fuse_ino_t node, const char *name);

/* --- layout changes: deferred.c ------------------------------------------- */

void op_setattr(fuse_req_t req, fuse_ino_t node, struct stat *attr, int to_set,
		struct fuse_file_info *fi);
void op_fallocate(fuse_req_t req, fuse_ino_t node, int mode, off_t off,
		  off_t len, struct fuse_file_info *fi);

/* deferred_range - PINFS_IOC_COLLAPSE, PINFS_IOC_INSERT */
void deferred_range(fuse_req_t req, fuse_ino_t node, enum pinfs_change kind,
		    const struct pinfs_ioc_range *range);

/* --- ioctl.c -------------------------------------------------------------- */

void op_ioctl(fuse_req_t req, fuse_ino_t node, unsigned int cmd, void *arg,
	      struct fuse_file_info *fi, unsigned int flags, const void *in,
	      size_t in_size, size_t out_size);

#endif
