// SPDX-License-Identifier: BSD-3-Clause
/* Extended attributes: a blob that is a sequence of them. */
#include "inode/xattr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/log.h"
#include "base/util.h"
#include "inode/blob.h"

#define ATTR_NAME_MAX  255u
#define ATTR_VALUE_MAX 65536u
#define ATTR_HEAD      sizeof(struct pinfs_xattr)

/* struct attrs - an inode's attributes; every attr_next() was checked */
struct attrs {
	uint8_t *buf;
	size_t len;
};

/* struct attr - one of them; at and size are its place in the blob */
struct attr {
	size_t at;
	size_t size; /* 0: before the first */
	size_t name_len;
	size_t value_len;
	const uint8_t *name;
	const uint8_t *value;
};

/*
 * attr_next - the attribute behind a, or the first for one of zeroes
 *
 * Returns -ENODATA at the end, -EUCLEAN.
 */
static int attr_next(const struct attrs *all, struct attr *a)
{
	size_t at = a->at + a->size, left = all->len - at;
	struct pinfs_xattr head;

	if (left == 0)
		return -ENODATA;
	if (left < ATTR_HEAD)
		return -EUCLEAN;
	memcpy(&head, all->buf + at, ATTR_HEAD);
	a->at = at;
	a->name_len = le16_to_cpu(head.name_len);
	a->value_len = le32_to_cpu(head.value_len);
	if (a->name_len == 0 || a->name_len > ATTR_NAME_MAX ||
	    a->value_len > ATTR_VALUE_MAX)
		return -EUCLEAN;
	a->size = ATTR_HEAD + a->name_len + a->value_len;
	if (a->size > left)
		return -EUCLEAN;
	a->name = all->buf + at + ATTR_HEAD;
	a->value = a->name + a->name_len;
	return memchr(a->name, 0, a->name_len) ? -EUCLEAN : 0;
}

/* attrs_load - the inode's attributes, checked; free attrs->buf */
static int attrs_load(struct inode *ip, struct tx *tx, struct attrs *all)
{
	uint64_t first = le64_to_cpu(inode_read(ip, tx)->xattr);
	struct attr a = { 0 };
	void *buf;
	int err;

	err = blob_read(ip, tx, first, &buf, &all->len);
	if (err)
		return err;
	all->buf = buf;
	do
		err = attr_next(all, &a);
	while (!err);
	if (err == -ENODATA)
		return 0;
	log_error("%s: inode %llu: damaged extended attributes: "
		  "unmount and run fsck.pinfs",
		  ip->vol->pool->path, (unsigned long long)ip->ino);
	free(all->buf);
	return err;
}

/* attrs_find - -ENODATA */
static int attrs_find(const struct attrs *all, const char *name, struct attr *a)
{
	size_t len = strlen(name);
	int err;

	*a = (struct attr){ 0 };
	do
		err = attr_next(all, a);
	while (!err && (a->name_len != len || memcmp(a->name, name, len)));
	return err;
}

ssize_t xattr_get(struct inode *ip, const char *name, void *value, size_t size)
{
	struct attrs all;
	struct attr a;
	ssize_t ret;

	ret = attrs_load(ip, NULL, &all);
	if (ret)
		return ret;
	ret = attrs_find(&all, name, &a);
	if (ret)
		goto out_free;
	ret = (ssize_t)a.value_len;
	if (size != 0 && a.value_len > size)
		ret = -ERANGE;
	else if (size != 0)
		memcpy(value, a.value, a.value_len);
out_free:
	free(all.buf);
	return ret;
}

ssize_t xattr_list(struct inode *ip, char *list, size_t size)
{
	struct attr a = { 0 };
	struct attrs all;
	size_t need = 0;
	ssize_t ret;

	ret = attrs_load(ip, NULL, &all);
	if (ret)
		return ret;
	while (attr_next(&all, &a) == 0) {
		if (need + a.name_len + 1 <= size) {
			memcpy(list + need, a.name, a.name_len);
			list[need + a.name_len] = '\0';
		}
		need += a.name_len + 1;
	}
	free(all.buf);
	return size != 0 && need > size ? -ERANGE : (ssize_t)need;
}

/* store - buf becomes the blob in the old one's place */
static int store(struct inode *ip, struct tx *tx, const void *buf, size_t len)
{
	uint64_t old = le64_to_cpu(inode_read(ip, tx)->xattr), first;
	struct pinfs_inode *di;
	int err;

	err = blob_write(ip, tx, buf, len, &first);
	if (err)
		return err;
	err = blob_free(ip, tx, old);
	if (err)
		return err;
	di = inode_edit(ip, tx);
	if (!di)
		return -ENOMEM;
	di->xattr = cpu_to_le64(first);
	return 0;
}

/* attrs_cut - take a out */
static void attrs_cut(struct attrs *all, const struct attr *a)
{
	size_t end = a->at + a->size;

	memmove(all->buf + a->at, all->buf + end, all->len - end);
	all->len -= a->size;
}

/*
 * attrs_append - put another one at the end
 *
 * It must fit without the blocks kept for deleting (S6), from which
 * xattr_remove() may take what it needs for the rest.
 */
static int attrs_append(struct inode *ip, struct attrs *all, const char *name,
			const void *value, size_t size)
{
	size_t name_len = strlen(name);
	size_t len = all->len + ATTR_HEAD + name_len + size;
	struct pinfs_xattr head = {
		.name_len = cpu_to_le16((uint16_t)name_len),
		.value_len = cpu_to_le32((uint32_t)size),
	};
	uint8_t *to;

	if (len > PINFS_BLOB_MAX)
		return -ENOSPC;
	if (space_available(ip->vol->space) <
	    div_round_up(len, PINFS_BLOB_BYTES))
		return -ENOSPC;
	to = realloc(all->buf, len);
	if (!to)
		return -ENOMEM;
	all->buf = to;
	to += all->len;
	memcpy(to, &head, ATTR_HEAD);
	memcpy(to + ATTR_HEAD, name, name_len);
	if (size != 0)
		memcpy(to + ATTR_HEAD + name_len, value, size);
	all->len = len;
	return 0;
}

int xattr_set(struct inode *ip, struct tx *tx, const char *name,
	      const void *value, size_t size, int flags)
{
	size_t name_len = strlen(name);
	struct attrs all;
	struct attr a;
	int err;

	if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if (name_len == 0 || name_len > ATTR_NAME_MAX)
		return -ERANGE;
	if (size > ATTR_VALUE_MAX)
		return -E2BIG;
	err = attrs_load(ip, tx, &all);
	if (err)
		return err;
	err = attrs_find(&all, name, &a);
	if (err == 0 && flags & XATTR_CREATE)
		err = -EEXIST;
	else if (err == 0)
		attrs_cut(&all, &a);
	else if (err == -ENODATA && !(flags & XATTR_REPLACE))
		err = 0;
	if (err)
		goto out_free;
	err = attrs_append(ip, &all, name, value, size);
	if (err)
		goto out_free;
	err = store(ip, tx, all.buf, all.len);
out_free:
	free(all.buf);
	return err;
}

int xattr_remove(struct inode *ip, struct tx *tx, const char *name)
{
	struct attrs all;
	struct attr a;
	int err;

	err = attrs_load(ip, tx, &all);
	if (err)
		return err;
	err = attrs_find(&all, name, &a);
	if (err)
		goto out_free;
	attrs_cut(&all, &a);
	err = store(ip, tx, all.buf, all.len);
out_free:
	free(all.buf);
	return err;
}

int xattr_drop(struct inode *ip, struct tx *tx)
{
	if (inode_read(ip, tx)->xattr.raw == 0)
		return 0;
	return store(ip, tx, NULL, 0);
}
