// SPDX-License-Identifier: BSD-3-Clause
#include "fs/acl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "inode/xattr.h"

/* --- the value of the attribute ---------------------------------------------- */

#define ACL_VERSION 2u

/* In the order in which they stand. */
enum {
	TAG_USER_OBJ = 1, /* the owner */
	TAG_USER = 2,
	TAG_GROUP_OBJ = 4, /* the owning group */
	TAG_GROUP = 8,
	TAG_MASK = 16,
	TAG_OTHER = 32,
};

struct acl_entry {
	le16 tag;
	le16 perm;
	le32 id;
};

struct acl_value {
	le32 version;
	struct acl_entry entry[];
};

/* struct acl - the entries of a value that mode bits stand for */
struct acl {
	struct acl_entry *user;
	struct acl_entry *group;
	struct acl_entry *mask; /* NULL: there is none, nor named entries */
	struct acl_entry *other;
};

/* place_of - where the entry of a tag of which there is one at most is noted */
static struct acl_entry **place_of(struct acl *acl, unsigned int tag)
{
	switch (tag) {
	case TAG_USER_OBJ:
		return &acl->user;
	case TAG_GROUP_OBJ:
		return &acl->group;
	case TAG_MASK:
		return &acl->mask;
	case TAG_OTHER:
		return &acl->other;
	}
	return NULL;
}

/* take_entry - the next one; last is the tag before it */
static int take_entry(struct acl *acl, struct acl_entry *e, unsigned int last)
{
	unsigned int tag = le16_to_cpu(e->tag);
	struct acl_entry **place = place_of(acl, tag);

	if (le16_to_cpu(e->perm) & ~7u || tag < last)
		return -EINVAL;
	if (!place)
		return tag == TAG_USER || tag == TAG_GROUP ? 0 : -EINVAL;
	if (*place)
		return -EINVAL;
	*place = e;
	return 0;
}

/* acl_parse - -EINVAL if it is not one */
static int acl_parse(void *value, size_t size, struct acl *acl)
{
	struct acl_value *v = value;
	unsigned int last = 0;
	bool named = false;
	size_t n, i;

	memset(acl, 0, sizeof(*acl));
	if (size < sizeof(*v) || (size - sizeof(*v)) % sizeof(v->entry[0]) ||
	    le32_to_cpu(v->version) != ACL_VERSION)
		return -EINVAL;
	n = (size - sizeof(*v)) / sizeof(v->entry[0]);
	for (i = 0; i < n; i++) {
		int err = take_entry(acl, &v->entry[i], last);

		if (err)
			return err;
		last = le16_to_cpu(v->entry[i].tag);
		named |= last == TAG_USER || last == TAG_GROUP;
	}
	if (!acl->user || !acl->group || !acl->other || (named && !acl->mask))
		return -EINVAL;
	return 0;
}

/* class_entry - the entry that the mode's group bits stand for */
static struct acl_entry *class_entry(const struct acl *acl)
{
	return acl->mask ? acl->mask : acl->group;
}

static uint32_t acl_mode(const struct acl *acl)
{
	return (uint32_t)(le16_to_cpu(acl->user->perm) << 6 |
			  le16_to_cpu(class_entry(acl)->perm) << 3 |
			  le16_to_cpu(acl->other->perm));
}

/* limit - leave those permissions of an entry that bits have, too */
static void limit(struct acl_entry *e, uint32_t bits)
{
	e->perm = cpu_to_le16((uint16_t)(le16_to_cpu(e->perm) & bits & 7));
}

static void set_perm(struct acl_entry *e, uint32_t bits)
{
	e->perm = cpu_to_le16((uint16_t)(bits & 7));
}

/* --- an inode's ---------------------------------------------------------------- */

/* acl_load - -ENODATA if there is none; *value is for free() */
static int acl_load(struct inode *ip, struct tx *tx, const char *name,
		    void **value, size_t *size, struct acl *acl)
{
	ssize_t n;
	int err;

	if (inode_read(ip, tx)->xattr.raw == 0)
		return -ENODATA;
	n = xattr_get(ip, name, NULL, 0);
	if (n < 0)
		return (int)n;
	*value = malloc((size_t)n + 1);
	if (!*value)
		return -ENOMEM;
	*size = (size_t)n;
	n = xattr_get(ip, name, *value, *size);
	err = n < 0 ? (int)n : acl_parse(*value, *size, acl);
	if (!err)
		return 0;
	free(*value);
	if (err != -EINVAL)
		return err;
	log_error("%s: inode %llu: its %s makes no sense: remove it with "
		  "setfattr -x",
		  ip->vol->pool->path, (unsigned long long)ip->ino, name);
	return -EUCLEAN;
}

static int set_mode(struct inode *ip, struct tx *tx, uint32_t mode)
{
	struct pinfs_inode *di = inode_edit(ip, tx);

	if (!di)
		return -ENOMEM;
	di->mode = cpu_to_le32(mode);
	return 0;
}

static int set_access(struct inode *ip, struct tx *tx, void *value, size_t size,
		      const struct acl *acl, bool drop_sgid)
{
	uint32_t mode = (inode_mode(ip, tx) & ~0777u) | acl_mode(acl);
	int err;

	if (drop_sgid)
		mode &= ~(uint32_t)S_ISGID;
	if (acl->mask)
		err = xattr_set(ip, tx, ACL_ACCESS, value, size, 0);
	else
		err = xattr_remove(ip, tx, ACL_ACCESS);
	if (err && err != -ENODATA)
		return err;
	return set_mode(ip, tx, mode);
}

int acl_set(struct inode *ip, struct tx *tx, const char *name,
	    const void *value, size_t size, bool drop_sgid)
{
	void *copy = malloc(size + 1);
	struct acl acl;
	int err;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, value, size);
	err = acl_parse(copy, size, &acl);
	if (err)
		goto out_free;
	if (strcmp(name, ACL_ACCESS) == 0)
		err = set_access(ip, tx, copy, size, &acl, drop_sgid);
	else if (!S_ISDIR(inode_mode(ip, tx)))
		err = -EACCES;
	else
		err = xattr_set(ip, tx, name, copy, size, 0);
out_free:
	free(copy);
	return err;
}

int acl_chmod(struct inode *ip, struct tx *tx)
{
	uint32_t mode = inode_mode(ip, tx);
	struct acl acl;
	void *value;
	size_t size;
	int err = acl_load(ip, tx, ACL_ACCESS, &value, &size, &acl);

	if (err)
		return err == -ENODATA ? 0 : err;
	if (acl_mode(&acl) != (mode & 0777)) {
		set_perm(acl.user, mode >> 6);
		set_perm(class_entry(&acl), mode >> 3);
		set_perm(acl.other, mode);
		err = xattr_set(ip, tx, ACL_ACCESS, value, size, 0);
	}
	free(value);
	return err;
}

/* --- a new inode's ------------------------------------------------------------- */

/* make_gift - value, the default ACL, becomes the access ACL or goes */
static int make_gift(struct acl_gift *gift, void *value, size_t size,
		     struct acl *acl, uint32_t *mode)
{
	gift->size = size;
	if (S_ISDIR(*mode)) {
		gift->deflt = malloc(size);
		if (!gift->deflt)
			return -ENOMEM;
		memcpy(gift->deflt, value, size);
	}
	limit(acl->user, *mode >> 6);
	limit(class_entry(acl), *mode >> 3);
	limit(acl->other, *mode);
	*mode = (*mode & ~0777u) | acl_mode(acl);
	if (acl->mask)
		gift->access = value;
	else
		free(value);
	return 0;
}

int acl_inherit(struct inode *dir, struct tx *tx, uint32_t umask,
		uint32_t *mode, struct acl_gift *gift)
{
	struct acl acl;
	void *value;
	size_t size;
	int err;

	*gift = (struct acl_gift){ .access = NULL };
	if (S_ISLNK(*mode))
		return 0;
	err = acl_load(dir, tx, ACL_DEFAULT, &value, &size, &acl);
	if (err == -ENODATA) {
		*mode &= ~(umask & 0777);
		return 0;
	}
	if (err)
		return err;
	err = make_gift(gift, value, size, &acl, mode);
	if (err)
		free(value);
	return err;
}

int acl_give(struct inode *ip, struct tx *tx, const struct acl_gift *gift)
{
	int err = 0;

	if (gift->access)
		err = xattr_set(ip, tx, ACL_ACCESS, gift->access, gift->size,
				0);
	if (!err && gift->deflt)
		err = xattr_set(ip, tx, ACL_DEFAULT, gift->deflt, gift->size,
				0);
	return err;
}

void acl_gift_free(struct acl_gift *gift)
{
	free(gift->access);
	free(gift->deflt);
}
