// SPDX-License-Identifier: BSD-3-Clause
/* A whole file system instance in a scratch folder. */
#include "scratch_fs.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "format/make.h"
#include "gate.h"

#define PIECE (256u << 10)

void scratch_fs_open(struct scratch_fs *sf)
{
	const char *path = scratch_path(SCRATCH_MEMORY, "pool");

	ck_assert_int_eq(pool_open(path, 0, &sf->pool, NULL), 0);
	ck_assert_int_eq(fs_open(sf->pool, &sf->opt, &sf->fs), 0);
}

void scratch_fs_make(struct scratch_fs *sf, uint64_t size,
		     const struct fs_options *opt)
{
	const char *path = scratch_path(SCRATCH_MEMORY, "pool");
	struct format_options fopt;

	sf->opt = opt ? *opt : (struct fs_options){ .workers = 2 };
	unlink(path);
	ck_assert_int_eq(pool_create(path, size), 0);
	ck_assert_int_eq(pool_open(path, 0, &sf->pool, NULL), 0);
	ck_assert_int_eq(format_options_init(&fopt), 0);
	ck_assert_int_eq(format_make(sf->pool, &fopt), 0);
	pool_close(sf->pool);
	scratch_fs_open(sf);
}

void scratch_fs_close(struct scratch_fs *sf)
{
	fs_drain(sf->fs);
	ck_assert_int_eq(fs_close(sf->fs), 0);
	pool_close(sf->pool);
}

uint64_t scratch_fs_file(struct scratch_fs *sf, const char *name)
{
	struct fs_caller who = { 0 };
	struct fs_entry e;

	ck_assert_int_eq(fs_mknod(sf->fs, SCRATCH_ROOT, name, S_IFREG | 0644, 0,
				  &who, &e, NULL, 0),
			 0);
	return e.node;
}

struct inode *scratch_fs_inode(struct scratch_fs *sf, uint64_t node)
{
	struct inode *ip;

	ck_assert_int_eq(fs_inode(sf->fs, node, &ip), 0);
	return ip;
}

/* --- bytes --------------------------------------------------------------- */

uint8_t scratch_byte(unsigned int seed, uint64_t pos)
{
	uint64_t x = (pos + 1) * 0x9e3779b97f4a7c15ull + seed * 0x85ebca6bull;

	return (uint8_t)((x >> 40) % 255 + 1);
}

void scratch_bytes(void *buf, unsigned int seed, uint64_t pos, size_t len)
{
	uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = scratch_byte(seed, pos + i);
}

static struct fs_file *open_file(struct scratch_fs *sf, uint64_t node)
{
	struct fs_file *file;

	ck_assert_int_eq(fs_file_open(sf->fs, node, O_RDWR, &file), 0);
	return file;
}

void scratch_fs_write(struct scratch_fs *sf, uint64_t node, unsigned int seed,
		      uint64_t off, size_t len)
{
	struct fs_file *file = open_file(sf, node);
	uint8_t *buf = malloc(PIECE);

	ck_assert_ptr_nonnull(buf);
	while (len > 0) {
		size_t n = min_u64(len, PIECE);

		scratch_bytes(buf, seed, off, n);
		ck_assert_int_eq(fs_write(sf->fs, file, buf, n, off),
				 (ssize_t)n);
		off += n;
		len -= n;
	}
	free(buf);
	fs_file_release(sf->fs, file);
}

static bool is_as(const uint8_t *p, size_t len, int seed, uint64_t pos)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] !=
		    (seed < 0 ? 0 : scratch_byte((unsigned int)seed, pos + i)))
			return false;
	return true;
}

/* compare - with a seed's bytes, or with zeroes if it is negative */
static bool compare(struct scratch_fs *sf, uint64_t node, int seed,
		    uint64_t off, size_t len)
{
	struct fs_file *file = open_file(sf, node);
	struct fs_read *r = malloc(sizeof(*r));
	bool same = true;

	ck_assert_ptr_nonnull(r);
	while (same && len > 0) {
		uint64_t pos = off;

		ck_assert_int_eq(fs_read_begin(sf->fs, file, off, len, r), 0);
		for (int i = 0; i < r->count && same; i++) {
			same = is_as(r->iov[i].iov_base, r->iov[i].iov_len,
				     seed, pos);
			pos += r->iov[i].iov_len;
		}
		same = same && r->length > 0;
		off += r->length;
		len -= min_u64(len, r->length);
		fs_read_end(r);
	}
	free(r);
	fs_file_release(sf->fs, file);
	return same;
}

bool scratch_fs_has(struct scratch_fs *sf, uint64_t node, unsigned int seed,
		    uint64_t off, size_t len)
{
	return compare(sf, node, (int)seed, off, len);
}

bool scratch_fs_is_zero(struct scratch_fs *sf, uint64_t node, uint64_t off,
			size_t len)
{
	return compare(sf, node, -1, off, len);
}

/* --- figures ------------------------------------------------------------- */

uint64_t scratch_fs_size(struct scratch_fs *sf, uint64_t node)
{
	struct stat st;

	ck_assert_int_eq(fs_getattr(sf->fs, node, &st), 0);
	return (uint64_t)st.st_size;
}

uint64_t scratch_fs_free(struct scratch_fs *sf)
{
	struct statvfs st;

	ck_assert_int_eq(fs_statfs(sf->fs, &st), 0);
	return st.f_bfree;
}

/* count_map - what the map says: mapped blocks, and pins */
static void count_map(struct scratch_fs *sf, uint64_t node, uint64_t *blocks,
		      uint64_t *pins)
{
	struct fs_file *file = open_file(sf, node);
	struct pinfs_ioc_map *io = calloc(1, sizeof(*io));

	ck_assert_ptr_nonnull(io);
	*blocks = 0;
	*pins = 0;
	do {
		ck_assert_int_eq(fs_map(sf->fs, file, io), 0);
		for (uint32_t i = 0; i < io->count; i++) {
			*blocks += io->extent[i].length / PINFS_BLOCK_SIZE;
			*pins += io->extent[i].pins;
		}
	} while (io->count > 0);
	free(io);
	fs_file_release(sf->fs, file);
}

uint64_t scratch_fs_blocks(struct scratch_fs *sf, uint64_t node)
{
	uint64_t blocks, pins;

	count_map(sf, node, &blocks, &pins);
	return blocks;
}

uint64_t scratch_fs_pins(struct scratch_fs *sf, uint64_t node)
{
	uint64_t blocks, pins;

	count_map(sf, node, &blocks, &pins);
	return pins;
}

/* --- changes ------------------------------------------------------------- */

struct sync_change {
	struct fs_change ch;
	struct gate over;
	int err;
};

static void change_over(struct fs_change *ch, int err)
{
	struct sync_change *c = container_of(ch, struct sync_change, ch);

	c->err = err;
	gate_pass(&c->over);
}

int scratch_fs_change(struct scratch_fs *sf, uint64_t node,
		      enum pinfs_change kind, uint64_t off, uint64_t len)
{
	struct sync_change c = {
		.ch = { .kind = kind,
			.offset = off,
			.length = len,
			.done = change_over },
	};
	int err;

	gate_init(&c.over);
	err = fs_change_init(sf->fs, node, &c.ch);
	if (err)
		return err;
	fs_change_start(&c.ch);
	gate_await(&c.over, 1);
	return c.err;
}

void scratch_fs_soil(struct scratch_fs *sf)
{
	uint64_t node = scratch_fs_file(sf, "soil");
	struct fs_file *file = open_file(sf, node);
	uint8_t *buf = malloc(PIECE);
	uint64_t off = 0;
	ssize_t n;

	ck_assert_ptr_nonnull(buf);
	memset(buf, 0xee, PIECE);
	while ((n = fs_write(sf->fs, file, buf, PIECE, off)) > 0)
		off += (uint64_t)n;
	ck_assert_int_eq(n, -ENOSPC);
	free(buf);
	fs_file_release(sf->fs, file);
	ck_assert_int_eq(fs_unlink(sf->fs, SCRATCH_ROOT, "soil"), 0);
}
