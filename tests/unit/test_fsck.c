// SPDX-License-Identifier: BSD-3-Clause
/* fsck.pinfs on damaged images: each with exactly the findings it deserves. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "base/util.h"
#include "forge.h"
#include "format/make.h"
#include "inode/volume.h"
#include "journal/journal.h"
#include "scratch.h"
#include "scratch_fsck.h"

#define MIB (1ull << 20)

static void make_image_of(enum scratch_kind kind, uint64_t size,
			  struct forge *fg)
{
	const char *path = scratch_path(kind, "pool");
	struct format_options opt;
	struct pool *p;

	unlink(path);
	ck_assert_int_eq(pool_create(path, size), 0);
	ck_assert_int_eq(pool_open(path, 0, &p, NULL), 0);
	ck_assert_int_eq(format_options_init(&opt), 0);
	ck_assert_int_eq(format_make(p, &opt), 0);
	ck_assert_int_eq(pool_back(p, 0, p->size), 0);
	forge_make(fg, p);
}

static void make_image(struct forge *fg)
{
	make_image_of(SCRATCH_MEMORY, 16 * MIB, fg);
}

static void count_blocks(struct forge *fg)
{
	fg->state->free_blocks = cpu_to_le64(1);
	forge_seal_state(fg);
}

/* Sizes that do not fill the bitmap's last word. */
START_TEST(odd_sizes_are_fine)
{
	struct forge fg;
	char text[512];
	int code;

	make_image_of(SCRATCH_MEMORY, 16 * MIB + 4096 * (uint64_t)_i, &fg);
	pool_close(fg.pool);
	code = scratch_fsck_codes(scratch_path(SCRATCH_MEMORY, "pool"), text,
				  sizeof(text));
	ck_assert_str_eq(text, "");
	ck_assert_int_eq(code, 0);
}
END_TEST

/* use - the file system can be opened, and is left as it is */
static void use(const char *path)
{
	struct volume *vol;
	struct pool *pool;

	ck_assert_int_eq(pool_open(path, 0, &pool, NULL), 0);
	ck_assert_int_eq(volume_open(pool, 0, &vol), 0);
	ck_assert_int_eq(volume_close(vol), 0);
	pool_close(pool);
}

/*
 * Bytes of the metadata at random: it ends, and not by a signal, and whatever
 * can be repaired is whole afterwards.
 */
START_TEST(noise_ends)
{
	const char *path = scratch_path(SCRATCH_MEMORY, "pool");
	static char out[1 << 20];
	uint64_t meta_end, i, at;
	struct forge fg;
	int round, code;

	make_image(&fg);
	meta_end = fg.next * 4096;
	srandom((unsigned int)_i);
	for (i = 0; i < 200; i++) {
		at = (uint64_t)random() % meta_end;
		fg.pool->base[at] = (uint8_t)random();
	}
	/* Some of it believable. */
	for (round = 0; round < 20; round++) {
		at = fg.root_leaf + (uint64_t)random() % 12;
		fg.pool->base[at * 4096 + (uint64_t)random() % 128] =
			(uint8_t)random();
		forge_seal(&fg, at);
		at = 1 + (uint64_t)random() % 7;
		((uint8_t *)forge_inode(&fg, at))[random() % 448] =
			(uint8_t)random();
		forge_seal_inode(&fg, at);
	}
	pool_close(fg.pool);
	code = scratch_fsck_run("--json", path, out, sizeof(out));
	ck_assert_msg(code == 4 || code == 8 || code == 12, "%d", code);
	/* 8: without a superblock there is nothing to go by. */
	if (code == 8)
		return;
	ck_assert_int_eq(scratch_fsck_run("-y", path, out, sizeof(out)), 1);
	scratch_fsck(SCRATCH_MEMORY);
	use(path);
	scratch_fsck(SCRATCH_MEMORY);
}
END_TEST

static void read_boot_id(uint8_t id[16])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	char text[37] = "";

	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
	fclose(f);
	ck_assert_int_eq(uuid_parse(text, id), 0);
}

/*
 * A crash after a transaction that takes a block for nobody: fsck sees what
 * the next mount would see, and leaves the journal to it.
 */
static const struct {
	enum scratch_kind kind;
	bool rebooted;
	const char *expect;
} crashes[] = {
	{ SCRATCH_MEMORY, false, "block-leaked" },
	{ SCRATCH_MEMORY, true, "block-leaked" },
	{ SCRATCH_DISK, false, "block-leaked" },
	{ SCRATCH_DISK, true, "" }, /* not sealed, so it is void */
};

START_TEST(replays_the_journal)
{
	const char *path = scratch_path(crashes[_i].kind, "pool");
	struct journal_recovery rec;
	struct pinfs_super sb;
	struct journal *j;
	struct forge fg;
	char text[512];
	uint8_t id[16];
	struct tx *tx;
	int round;

	make_image_of(crashes[_i].kind, 16 * MIB, &fg);
	read_boot_id(id);
	id[0] ^= crashes[_i].rebooted;
	sb = *fg.sb;
	ck_assert_int_eq(
		journal_open(fg.pool, &sb, id, JOURNAL_NO_THREAD, &j, &rec), 0);
	tx = tx_begin(j);
	ck_assert_int_eq(tx_set_bits(tx, le64_to_cpu(sb.groups_start),
				     (uint32_t)fg.next, 1),
			 0);
	tx_count(tx, -1, 0);
	ck_assert_int_eq(tx_commit(tx), 0);
	journal_abandon(j);
	pool_close(fg.pool);
	for (round = 0; round < 2; round++) {
		scratch_fsck_codes(path, text, sizeof(text));
		ck_assert_str_eq(text, crashes[_i].expect);
	}
}
END_TEST

START_TEST(changes_nothing)
{
	static char out[1 << 20];
	struct forge fg;
	uint8_t *copy;

	make_image(&fg);
	count_blocks(&fg);
	copy = malloc(fg.pool->size);
	memcpy(copy, fg.pool->base, fg.pool->size);
	/* Not while it is somebody's. */
	ck_assert_int_eq(
		scratch_fsck_run("-n", fg.pool->path, out, sizeof(out)), 8);
	ck_assert_str_eq(out, "");
	pool_close(fg.pool);
	ck_assert_int_eq(scratch_fsck_run("-n",
					  scratch_path(SCRATCH_MEMORY, "pool"),
					  out, sizeof(out)),
			 4);
	ck_assert_int_eq(pool_open(scratch_path(SCRATCH_MEMORY, "pool"), 0,
				   &fg.pool, NULL),
			 0);
	ck_assert_mem_eq(copy, fg.pool->base, fg.pool->size);
	pool_close(fg.pool);
	free(copy);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fsck");
	TCase *tc = tcase_create("fsck");

	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_loop_test(tc, odd_sizes_are_fine, 0, 3);
	tcase_add_loop_test(tc, noise_ends, 0, 100);
	tcase_add_loop_test(tc, replays_the_journal, 0, ARRAY_SIZE(crashes));
	tcase_add_test(tc, changes_nothing);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
