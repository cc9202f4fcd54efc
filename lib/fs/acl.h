/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * POSIX ACLs: kept as the attributes that Linux has them in, with the value that
 * setxattr(2) takes. The kernel enforces them; that they and the mode agree is our
 * part (acl(5), "CORRESPONDENCE BETWEEN ACL ENTRIES AND FILE PERMISSION BITS").
 *
 * An inode that its mode says all about has no access ACL. The caller holds the
 * inode's lock exclusively. A stored ACL that makes no sense is -EUCLEAN.
 */
#ifndef PINFS_FS_ACL_H
#define PINFS_FS_ACL_H

#include "inode/inode.h"

#define ACL_ACCESS  "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

/*
 * acl_set - give ip an ACL, and the mode that belongs to it
 * @name: ACL_ACCESS or ACL_DEFAULT
 * @drop_sgid: an access ACL takes the set-group-id bit along
 *
 * -EINVAL: no ACL; -EACCES: a default one for what is no directory; -ENOSPC.
 */
int acl_set(struct inode *ip, struct tx *tx, const char *name,
	    const void *value, size_t size, bool drop_sgid);

/* acl_chmod - the mode of ip has changed: have its access ACL follow */
int acl_chmod(struct inode *ip, struct tx *tx);

/* struct acl_gift - ACLs for a new inode; NULL: none */
struct acl_gift {
	void *access;
	void *deflt;
	size_t size; /* of each */
};

/*
 * acl_inherit - what a new inode gets from dir, for acl_gift_free()
 * @mode: asked for; what the default ACL, or without one the umask, leaves of it
 */
int acl_inherit(struct inode *dir, struct tx *tx, uint32_t umask,
		uint32_t *mode, struct acl_gift *gift);

/* acl_give - to the new inode */
int acl_give(struct inode *ip, struct tx *tx, const struct acl_gift *gift);

void acl_gift_free(struct acl_gift *gift);

#endif
