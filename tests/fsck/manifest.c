// SPDX-License-Identifier: BSD-3-Clause
#include "manifest.h"

#include <check.h>
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"
#include "inode/blob.h"
#include "inode/dir.h"
#include "inode/extent.h"
#include "inode/xattr.h"

#define SHOWN 8

struct taking {
	struct manifest *m;
	struct volume *vol;
	const char *dir; /* path of the one at hand, without the last slash */
};

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
	const uint8_t *b = bytes;

	while (n--)
		h = (h ^ *b++) * 0x100000001b3ull;
	return h;
}

/* hash_file - the bytes of a file, those of holes not counted, but their place */
static uint64_t hash_file(struct inode *ip, uint64_t h)
{
	uint64_t at = 0, end = inode_size(ip, NULL), n;
	struct extent e;

	for (end = div_round_up(end, PINFS_BLOCK_SIZE); at < end; at += n) {
		ck_assert_int_eq(extent_find(ip, NULL, at, &e), 0);
		n = min_u64(e.len, end - at);
		if (!extent_is_data(&e))
			continue;
		h = mix(h, &at, sizeof(at));
		h = mix(h, volume_block(ip->vol, e.pblk), n * PINFS_BLOCK_SIZE);
	}
	return h;
}

static uint64_t hash_link(struct inode *ip, uint64_t h)
{
	const struct pinfs_inode *di = inode_read(ip, NULL);
	void *text;
	size_t len;

	if (!le64_to_cpu(di->target))
		return mix(h, di->u.target, inode_size(ip, NULL));
	ck_assert_int_eq(
		blob_read(ip, NULL, le64_to_cpu(di->target), &text, &len), 0);
	h = mix(h, text, len);
	free(text);
	return h;
}

static uint64_t hash_xattrs(struct inode *ip, uint64_t h)
{
	uint64_t first = le64_to_cpu(inode_read(ip, NULL)->xattr);
	char names[4096];
	ssize_t n;
	void *bytes;
	size_t len;

	n = xattr_list(ip, names, sizeof(names));
	ck_assert_int_ge(n, 0);
	ck_assert_int_eq(blob_read(ip, NULL, first, &bytes, &len), 0);
	h = mix(h, bytes, len);
	free(bytes);
	return h;
}

static void add_line(struct manifest *m, const char *path, const char *what)
{
	m->line = reallocarray(m->line, m->count + 1, sizeof(*m->line));
	ck_assert_ptr_nonnull(m->line);
	m->line[m->count++] =
		(struct manifest_line){ strdup(path), strdup(what) };
}

static int take_entry(void *arg, const struct dir_entry *e);

static void take_inode(struct taking *t, const char *path, uint64_t ino)
{
	struct taking below = { t->m, t->vol, path };
	uint64_t h = 0xcbf29ce484222325ull;
	struct inode *ip;
	uint32_t mode;
	char what[128];

	ck_assert_int_eq(inode_get(t->vol, ino, INODE_ANY_GEN, &ip), 0);
	mode = inode_mode(ip, NULL);
	h = hash_xattrs(ip, h);
	if (S_ISREG(mode))
		h = hash_file(ip, h);
	else if (S_ISLNK(mode))
		h = hash_link(ip, h);
	/* A directory's links and size change with what is in it. */
	snprintf(what, sizeof(what), "%o %" PRIu32 " %" PRIu64 " %" PRIx64,
		 mode,
		 S_ISDIR(mode) ? 0 : le32_to_cpu(inode_read(ip, NULL)->nlink),
		 S_ISDIR(mode) ? 0 : inode_size(ip, NULL), h);
	add_line(t->m, path, what);
	if (S_ISDIR(mode))
		ck_assert_int_eq(dir_iterate(ip, 0, take_entry, &below), 0);
	inode_put(ip);
}

static int take_entry(void *arg, const struct dir_entry *e)
{
	struct taking *t = arg;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%.*s",
		 strcmp(t->dir, "/") ? t->dir : "", (int)e->name_len, e->name);
	take_inode(t, path, e->ino);
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct manifest_line *)a)->path,
		      ((const struct manifest_line *)b)->path);
}

void manifest_take(struct manifest *m, const char *path)
{
	struct taking t = { .m = m };
	struct pool *pool;

	memset(m, 0, sizeof(*m));
	ck_assert_int_eq(pool_open(path, 0, &pool, NULL), 0);
	ck_assert_int_eq(volume_open(pool, 0, &t.vol), 0);
	take_inode(&t, "/", PINFS_ROOT_INO);
	ck_assert_int_eq(volume_close(t.vol), 0);
	pool_close(pool);
	qsort(m->line, m->count, sizeof(*m->line), by_path);
}

void manifest_free(struct manifest *m)
{
	while (m->count--) {
		free(m->line[m->count].path);
		free(m->line[m->count].what);
	}
	free(m->line);
}

struct diff {
	char sign;
	unsigned int count;
	char text[1024];
};

static void differ(struct diff *d, const char *path)
{
	size_t n = strlen(d->text);

	if (d->count++ < SHOWN)
		snprintf(d->text + n, sizeof(d->text) - n, "%s%c%.100s",
			 n ? " " : "", d->sign, path);
}

char *manifest_diff(const struct manifest *was, const struct manifest *is,
		    char *text, size_t size)
{
	struct diff d[3] = { { .sign = '-' },
			     { .sign = '~' },
			     { .sign = '+' } };
	size_t i = 0, k = 0, n = 0;
	int c;

	while (i < was->count || k < is->count) {
		c = i == was->count ?
			    1 :
		    k == is->count ?
			    -1 :
			    strcmp(was->line[i].path, is->line[k].path);
		if (c < 0)
			differ(&d[0], was->line[i].path);
		else if (c > 0)
			differ(&d[2], is->line[k].path);
		else if (strcmp(was->line[i].what, is->line[k].what))
			differ(&d[1], is->line[k].path);
		i += c <= 0;
		k += c >= 0;
	}
	text[0] = '\0';
	for (i = 0; i < ARRAY_SIZE(d); i++) {
		if (!d[i].count)
			continue;
		if (d[i].count > SHOWN)
			snprintf(d[i].text, sizeof(d[i].text), "%c%u",
				 d[i].sign, d[i].count);
		n += (size_t)snprintf(text + n, size - n, "%s%s", n ? " " : "",
				      d[i].text);
	}
	return text;
}
