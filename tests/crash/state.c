// SPDX-License-Identifier: BSD-3-Clause
/* The logical state of a file system. */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/util.h"
#include "record.h"

#define BLOCK PINFS_BLOCK_SIZE

static void add(struct state *s, const void *p, size_t n)
{
	s->meta = grow(s->meta, s->nmeta + n, &s->meta_room, 1);
	memcpy(s->meta + s->nmeta, p, n);
	s->nmeta += n;
}

static void add_number(struct state *s, uint64_t n)
{
	add(s, &n, sizeof(n));
}

static int add_xattrs(struct state *s, struct fs *fs, uint64_t node)
{
	char list[1024], value[8192];
	ssize_t n = fs_listxattr(fs, node, list, sizeof(list)), k;

	if (n < 0)
		return (int)n;
	for (char *name = list; name < list + n; name += strlen(name) + 1) {
		add(s, name, strlen(name) + 1);
		k = fs_getxattr(fs, node, name, value, sizeof(value));
		if (k < 0)
			return (int)k;
		add_number(s, (uint64_t)k);
		add(s, value, (size_t)k);
	}
	return 0;
}

/* read_some - what one read gives, appended; 0: the end */
static ssize_t read_some(struct state *s, struct fs *fs, struct fs_file *file,
			 size_t at, size_t size)
{
	static struct fs_read r;
	size_t before = s->ndata;
	int err = fs_read_begin(fs, file, at, min_u64(size, FS_READ_MAX), &r);

	if (err)
		return err;
	s->data = grow(s->data, s->ndata + r.length, &s->data_room, 1);
	for (int i = 0; i < r.count; i++) {
		memcpy(s->data + s->ndata, r.iov[i].iov_base, r.iov[i].iov_len);
		s->ndata += r.iov[i].iov_len;
	}
	fs_read_end(&r);
	return (ssize_t)(s->ndata - before);
}

static int read_file(struct state *s, struct fs *fs, struct fs_file *file,
		     size_t size)
{
	ssize_t n = 0;

	for (size_t at = 0; at < size; at += (size_t)n) {
		n = read_some(s, fs, file, at, size - at);
		if (n <= 0)
			return n ? (int)n : -EIO;
	}
	return 0;
}

static int add_file(struct state *s, struct fs *fs, uint64_t node, size_t size)
{
	struct state_file *f = &s->file[s->files];
	struct fs_file *file;
	int err = fs_file_open(fs, node, O_RDWR, &file);

	if (err)
		return err;
	if (s->files == STATE_FILES || size > STATE_BLOCKS * BLOCK) {
		err = -EFBIG;
		goto out_file;
	}
	*f = (struct state_file){ .node = node, .at = s->ndata, .size = size };
	for (uint64_t at = 0; at < size; at += BLOCK)
		if (fs_lseek(fs, file, at, SEEK_DATA) == (int64_t)at)
			f->mapped[at / BLOCK] = true;
	add(s, f->mapped, div_round_up(size, BLOCK));
	err = read_file(s, fs, file, size);
	s->files++;
out_file:
	fs_file_release(fs, file);
	return err;
}

static void add_stat(struct state *s, const struct stat *st)
{
	if (s->nodes < STATE_NODES)
		s->blocks[s->nodes++] = (uint64_t)st->st_blocks;
	add_number(s, st->st_ino);
	add_number(s, st->st_mode);
	add_number(s, st->st_nlink);
	add_number(s, (uint64_t)st->st_size);
	add_number(s, (uint64_t)st->st_mtim.tv_sec);
	add_number(s, (uint64_t)st->st_mtim.tv_nsec);
	add_number(s, (uint64_t)st->st_ctim.tv_sec);
	add_number(s, (uint64_t)st->st_ctim.tv_nsec);
}

struct names {
	char *text;
	size_t n, room;
	unsigned int count;
};

static int collect(void *arg, const struct fs_dirent *d)
{
	struct names *names = arg;
	size_t n = strlen(d->name) + 1;

	if (!strcmp(d->name, ".") || !strcmp(d->name, ".."))
		return 0;
	if (names->count++ > 1000)
		return 1;
	names->text = grow(names->text, names->n + n, &names->room, 1);
	memcpy(names->text + names->n, d->name, n);
	names->n += n;
	return 0;
}

static int add_node(struct state *s, struct fs *fs, uint64_t node, int depth);

static int add_dir(struct state *s, struct fs *fs, uint64_t node, int depth)
{
	struct names names = { 0 };
	struct fs_entry e;
	int err = fs_readdir(fs, node, 0, false, collect, &names);

	if (depth > 8)
		err = -ELOOP;
	for (char *p = names.text; !err && p && p < names.text + names.n;
	     p += strlen(p) + 1) {
		add(s, p, strlen(p) + 1);
		err = fs_lookup(fs, node, p, &e);
		if (!err)
			err = add_node(s, fs, e.node, depth + 1);
	}
	add_number(s, names.count);
	free(names.text);
	return err;
}

static int add_node(struct state *s, struct fs *fs, uint64_t node, int depth)
{
	char target[PINFS_SYMLINK_MAX + 1];
	struct stat st;
	int err = fs_getattr(fs, node, &st);

	if (err)
		return err;
	add_stat(s, &st);
	err = add_xattrs(s, fs, node);
	if (err)
		return err;
	if (S_ISDIR(st.st_mode))
		return add_dir(s, fs, node, depth);
	if (S_ISREG(st.st_mode))
		return add_file(s, fs, node, (size_t)st.st_size);
	if (!S_ISLNK(st.st_mode))
		return 0;
	err = fs_readlink(fs, node, target);
	if (!err)
		add(s, target, strlen(target) + 1);
	return err;
}

int state_take(struct state *s, struct fs *fs)
{
	int err;

	s->nmeta = 0;
	s->ndata = 0;
	s->files = 0;
	s->nodes = 0;
	err = add_node(s, fs, ROOT_NODE, 0);
	s->hash = XXH3_64bits(s->meta, s->nmeta) ^
		  XXH3_64bits_withSeed(s->data, s->ndata, 1) ^
		  XXH3_64bits_withSeed(s->blocks,
				       s->nodes * sizeof(s->blocks[0]), 2);
	return err;
}

void state_free(struct state *s)
{
	free(s->meta);
	free(s->data);
	memset(s, 0, sizeof(*s));
}

static bool same_meta(const struct state *a, const struct state *b)
{
	return a->nmeta == b->nmeta && memcmp(a->meta, b->meta, a->nmeta) == 0;
}

/* same_blocks - as many, or up to slack more */
static bool same_blocks(const struct state *s, const struct state *t,
			unsigned int slack)
{
	uint64_t most = (uint64_t)slack * (BLOCK / 512);

	for (unsigned int i = 0; i < t->nodes; i++)
		if (s->blocks[i] < t->blocks[i] ||
		    s->blocks[i] > t->blocks[i] + most)
			return false;
	return s->nodes == t->nodes;
}

static bool same_data(const struct state *a, const struct state *b)
{
	return a->ndata == b->ndata && memcmp(a->data, b->data, a->ndata) == 0;
}

static const struct state_file *file_of(const struct state *s, uint64_t node)
{
	for (unsigned int i = 0; i < s->files; i++)
		if (s->file[i].node == node)
			return &s->file[i];
	return NULL;
}

/* struct place - a byte of a file of state k, whose block held data or not */
struct place {
	const struct state_file *f;
	unsigned int k;
	size_t at;
	bool mapped;
};

/* is_of - has state k the byte in the same place of the file? */
static bool is_of(const struct expect *ex, unsigned int k,
		  const struct place *p, uint8_t is)
{
	const struct state *s = &ex->state[k];
	const struct state_file *f = file_of(s, p->f->node);

	return f && p->at < f->size && s->data[f->at + p->at] == is;
}

/*
 * is_device - is the byte one that the device may have stored, or that was there
 *             before it did, where nobody has flushed yet what it stored?
 */
static bool is_device(const struct expect *ex, const struct place *p,
		      uint8_t is)
{
	const struct state_dma *d = &ex->dma;

	if (!d->node || p->f->node != d->node || !p->mapped ||
	    p->at < d->from || p->at >= d->to || ex->high < d->first)
		return false;
	if (p->k > d->last && p->at < d->end)
		return false;
	return is >= 0xf0 || is_of(ex, d->first, p, is);
}

/*
 * is_written - is the byte one of a write that led to a later state?
 *
 * Where there are several states, changes between may have moved it: then any
 * write's byte will do.
 */
static bool is_written(const struct expect *ex, const struct place *p,
		       uint8_t is)
{
	bool moved = ex->high > p->k + 1 && is >= 0x80 && is <= 0xdf;

	for (unsigned int k = p->k + 1; p->mapped && k <= ex->high; k++)
		if (ex->wrote[k] == p->f->node &&
		    (moved || is_of(ex, k, p, is)))
			return true;
	return false;
}

/* is_explained - are all bytes of state k, or others that may be there? */
static bool is_explained(const struct state *s, const struct expect *ex,
			 unsigned int k)
{
	const struct state *t = &ex->state[k];

	for (unsigned int i = 0; i < s->files; i++) {
		const struct state_file *f = &t->file[i];

		if (!memcmp(s->data + f->at, t->data + f->at, f->size))
			continue;
		for (size_t n = 0; n < f->size; n++) {
			uint8_t is = s->data[f->at + n];
			struct place p = { f, k, n, f->mapped[n / BLOCK] };

			if (is != t->data[f->at + n] &&
			    !is_device(ex, &p, is) && !is_written(ex, &p, is))
				return false;
		}
	}
	return true;
}

static void say_data(const struct state *s, const struct state *t, char *why,
		     size_t size)
{
	for (unsigned int i = 0; i < s->files; i++)
		for (size_t k = 0; k < s->file[i].size; k++)
			if (s->data[s->file[i].at + k] !=
			    t->data[t->file[i].at + k]) {
				snprintf(why, size,
					 "file %u, byte %zu is 0x%02x, not "
					 "0x%02x, with the metadata of a state "
					 "that may be",
					 i, k, s->data[s->file[i].at + k],
					 t->data[t->file[i].at + k]);
				return;
			}
}

uint64_t state_changed(const struct state *a, const struct state *b)
{
	for (unsigned int i = 0; i < b->files; i++) {
		const struct state_file *t = &b->file[i];
		const struct state_file *f = file_of(a, t->node);

		if (!f || f->size != t->size ||
		    memcmp(a->data + f->at, b->data + t->at, t->size))
			return t->node;
	}
	return 0;
}

/* word_at - eight bytes of names and attributes, for people to read */
static unsigned long long word_at(const struct state *s, size_t at)
{
	uint64_t word = 0;

	memcpy(&word, s->meta + at, min_u64(8, s->nmeta - at));
	return word;
}

/* say_meta - where they differ, unless a state was nearer: *best bytes */
static void say_meta(const struct state *s, const struct state *t,
		     unsigned int k, size_t *best, char *why, size_t size)
{
	size_t at = 0;

	while (at < s->nmeta && at < t->nmeta && s->meta[at] == t->meta[at])
		at++;
	if (at < *best)
		return;
	*best = at;
	snprintf(why, size,
		 "names or attributes of neither before nor after; as state "
		 "%u to byte %zu of %zu: then 0x%llx, not 0x%llx",
		 k, at, t->nmeta, word_at(s, at), word_at(t, at));
}

bool state_matches(const struct state *s, const struct expect *ex, char *why,
		   size_t size)
{
	size_t best = 0;

	for (unsigned int k = ex->low; k <= ex->high; k++) {
		const struct state *t = &ex->state[k];

		if (!same_meta(s, t)) {
			say_meta(s, t, k, &best, why, size);
			continue;
		}
		if (!same_blocks(s, t, ex->slack)) {
			snprintf(why, size, "as state %u, but not as large", k);
			continue;
		}
		if (same_data(s, t) || is_explained(s, ex, k))
			return true;
		say_data(s, t, why, size);
	}
	return false;
}
