// SPDX-License-Identifier: BSD-3-Clause
/* A pool in a scratch folder with a journal. */
#include "jrig.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "format/csum.h"
#include "format/make.h"

void jrig_at(struct jrig *r, const char *path)
{
	memset(r, 0, sizeof(*r));
	snprintf(r->path, sizeof(r->path), "%s", path);
	memset(r->boot, 0x11, sizeof(r->boot));
}

void jrig_make(struct jrig *r, enum scratch_kind kind, uint64_t size)
{
	struct format_options opt;

	jrig_at(r, scratch_path(kind, "jrig"));
	unlink(r->path);
	ck_assert_int_eq(pool_create(r->path, size), 0);
	ck_assert_int_eq(pool_open(r->path, 0, &r->pool, NULL), 0);
	ck_assert_int_eq(format_options_init(&opt), 0);
	ck_assert_int_eq(format_make(r->pool, &opt), 0);
	pool_close(r->pool);
	r->pool = NULL;
	jrig_open(r);
}

void jrig_open_pool(struct jrig *r)
{
	ck_assert_int_eq(pool_open(r->path, 0, &r->pool, NULL), 0);
	if (r->as_file)
		r->pool->kind = POOL_FILE;
	memcpy(&r->sb, r->pool->base, sizeof(r->sb));
}

int jrig_try_journal(struct jrig *r, unsigned int flags)
{
	return journal_open(r->pool, &r->sb, r->boot, flags, &r->j, &r->rec);
}

void jrig_open_journal(struct jrig *r)
{
	ck_assert_int_eq(jrig_try_journal(r, r->flags), 0);
}

void jrig_open(struct jrig *r)
{
	jrig_open_pool(r);
	jrig_open_journal(r);
}

void jrig_make_file(struct jrig *r, uint64_t size, unsigned int flags)
{
	jrig_make(r, SCRATCH_MEMORY, size);
	ck_assert_int_eq(jrig_close(r), 0);
	r->as_file = true;
	r->flags = flags;
	jrig_open(r);
}

void jrig_open_space(struct jrig *r)
{
	ck_assert_int_eq(space_open(r->j, &r->sp), 0);
}

static void drop_rest(struct jrig *r)
{
	space_close(r->sp);
	pool_close(r->pool);
	r->sp = NULL;
	r->pool = NULL;
	r->j = NULL;
}

int jrig_close(struct jrig *r)
{
	int err = journal_close(r->j);

	drop_rest(r);
	return err;
}

void jrig_crash(struct jrig *r)
{
	journal_abandon(r->j);
	drop_rest(r);
}

void jrig_power_cut(struct jrig *r)
{
	jrig_crash(r);
	r->boot[0]++;
}

uint64_t jrig_block(const struct jrig *r, unsigned int i)
{
	/* Behind the inode file. */
	return le64_to_cpu(r->sb.first_free) + 16 + i;
}

uint64_t jrig_bitmap(const struct jrig *r)
{
	return le64_to_cpu(r->sb.groups_start);
}

const struct pinfs_jstate *jrig_state(const struct jrig *r)
{
	uint64_t at = le64_to_cpu(r->sb.journal_start);
	const uint8_t *a = r->pool->base + at * PINFS_BLOCK_SIZE;
	const struct pinfs_jstate *s;

	s = format_jstate_pick((const void *)a,
			       (const void *)(a + PINFS_BLOCK_SIZE), at,
			       le64_to_cpu(r->sb.csum_seed));
	ck_assert_ptr_nonnull(s);
	return s;
}

void jrig_plain(void *lines, uint64_t blkno, uint64_t seed)
{
	(void)lines;
	(void)blkno;
	(void)seed;
}

int jrig_write(struct jrig *r, uint64_t blkno, unsigned int line,
	       uint64_t value)
{
	unsigned int guard = journal_enter(r->j);
	struct tx *tx = tx_begin(r->j);
	uint64_t *p;
	int err;

	ck_assert_ptr_nonnull(tx);
	p = tx_lines(tx, blkno, line, 1, jrig_plain);
	ck_assert_ptr_nonnull(p);
	for (unsigned int i = 0; i < 8; i++)
		p[i] = value;
	err = tx_commit(tx);
	journal_leave(r->j, guard);
	return err;
}

uint64_t jrig_read(struct jrig *r, uint64_t blkno, unsigned int line)
{
	unsigned int guard = journal_enter(r->j);
	const uint64_t *p = journal_read(r->j, blkno);
	uint64_t value = p[line * 8];

	for (unsigned int i = 0; i < 8; i++)
		ck_assert_uint_eq(p[line * 8 + i], value);
	journal_leave(r->j, guard);
	return value;
}

int64_t jrig_free_blocks(struct jrig *r)
{
	struct journal_counts counts;

	journal_counts(r->j, &counts);
	return counts.free_blocks;
}

void jrig_check_space(struct jrig *r)
{
	uint64_t groups = le64_to_cpu(r->sb.groups), clear = 0;

	for (uint64_t g = 0; g < groups; g++) {
		uint64_t at = jrig_bitmap(r) + g;
		const struct pinfs_bitmap *b =
			(const void *)(r->pool->base + at * PINFS_BLOCK_SIZE);
		const char *why = "";

		if (format_bitmap_verify(b, PINFS_MAGIC_GROUP, g, at,
					 le64_to_cpu(r->sb.csum_seed), &why))
			ck_abort_msg("bitmap of group %llu: %s",
				     (unsigned long long)g, why);
		clear += le64_to_cpu(b->hdr.spec[1]);
	}
	ck_assert_int_eq((int64_t)clear, jrig_free_blocks(r));
}
