// SPDX-License-Identifier: BSD-3-Clause
/* Directories: names, keys, readdir, transactions, the tree on the medium. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/csum.h"
#include "inode/dir_i.h"
#include "scratch_scale.h"
#include "scratch_volume.h"
#include "scratch.h"

#define MIB  (1ull << 20)
#define MANY scratch_scale(20000u, 4000u)

static struct scratch_volume sv;

/* --- names: number i, the same in each run ---------------------------------- */

#define NAME_ROOM (PINFS_NAME_MAX + 1)

/* make_name - name number i, of 6 to 255 bytes, mostly short ones */
static size_t make_name(char *buf, unsigned int i)
{
	uint64_t state = i;
	size_t len = 6 + scratch_random(&state) % 26;

	if (i % 64 == 0)
		len = 6 + scratch_random(&state) % (PINFS_NAME_MAX - 5);
	memset(buf, 'a' + (int)(i % 26), len);
	snprintf(buf, len + 1, "%05u", i);
	if (len > 5)
		buf[5] = '-';
	buf[len] = '\0';
	return len;
}

static uint64_t ino_of(unsigned int i)
{
	return 1000 + i;
}

static uint8_t type_of(unsigned int i)
{
	return i % 2 ? DT_REG : DT_DIR;
}

static int add(unsigned int i)
{
	struct tx *tx = scratch_begin(&sv);
	char name[NAME_ROOM];
	size_t len = make_name(name, i);

	return scratch_end(&sv, tx,
			   dir_add(sv.root, tx, name, len, ino_of(i),
				   type_of(i)));
}

static int del(unsigned int i)
{
	struct tx *tx = scratch_begin(&sv);
	char name[NAME_ROOM];
	size_t len = make_name(name, i);

	return scratch_end(&sv, tx, dir_remove(sv.root, tx, name, len));
}

/* look - errors of dir_lookup(), or 0 for what add() has added */
static int look(unsigned int i)
{
	char name[NAME_ROOM];
	size_t len = make_name(name, i);
	struct dir_entry e;
	int err;

	scratch_enter(&sv);
	err = dir_lookup(sv.root, NULL, name, len, &e);
	if (!err) {
		ck_assert_uint_eq(e.ino, ino_of(i));
		ck_assert_uint_eq(e.type, type_of(i));
		ck_assert_uint_eq(e.name_len, len);
		ck_assert_mem_eq(e.name, name, len);
	}
	scratch_leave(&sv);
	return err;
}

static void shuffle(unsigned int *v, unsigned int n, uint64_t *state)
{
	unsigned int i, j, t;

	for (i = n; i > 1; i--) {
		j = (unsigned int)(scratch_random(state) % i);
		t = v[i - 1];
		v[i - 1] = v[j];
		v[j] = t;
	}
}

/* --- the tree on the medium, checked by the format's own rules --------------- */

struct census {
	uint64_t leaves;
	uint64_t inner;
	uint64_t entries;
	uint64_t bytes; /* of entries */
};

static const void *committed(uint64_t blkno)
{
	ck_assert(volume_has(sv.vol, blkno, 1));
	return journal_read(sv.vol->journal, blkno);
}

static void count_leaf(struct census *c, uint64_t blkno, uint64_t low,
		       uint64_t high)
{
	const struct pinfs_dirent_node *n = committed(blkno);
	unsigned int i, count = dir_leaf_count(n);
	const char *why = "";

	if (format_dirents_verify(n, blkno, sv.vol->seed, &why))
		ck_abort_msg("leaf %lu: %s", blkno, why);
	ck_assert_uint_eq(le64_to_cpu(n->hdr.owner), PINFS_ROOT_INO);
	ck_assert_uint_gt(count, 0);
	ck_assert_uint_ge(dir_leaf_key(n, 0), low);
	ck_assert_uint_lt(dir_leaf_key(n, count - 1), high);
	for (i = 0; i < count; i++)
		c->bytes += format_dirent_size(dir_leaf_entry(n, i)->name_len);
	c->entries += count;
	c->leaves++;
}

static void count_below(struct census *c, const struct pinfs_index *x,
			unsigned int count, unsigned int level, uint64_t low,
			uint64_t high)
{
	const struct pinfs_index_node *in;
	uint64_t blkno, from, to;
	const char *why = "";
	unsigned int i;

	for (i = 0; i < count; i++) {
		blkno = le64_to_cpu(x[i].child);
		from = i ? le64_to_cpu(x[i].key) : low;
		to = i + 1 < count ? le64_to_cpu(x[i + 1].key) : high;
		ck_assert_uint_lt(from, to);
		if (level == 1) {
			count_leaf(c, blkno, from, to);
			continue;
		}
		in = committed(blkno);
		if (format_index_verify(in, blkno, sv.vol->total_blocks,
					sv.vol->seed, &why))
			ck_abort_msg("node %lu: %s", blkno, why);
		c->inner++;
		count_below(c, in->index, le16_to_cpu(in->hdr.count), level - 1,
			    from, to);
	}
}

/* take_census - all of the tree is sound, and the inode's sums are exact */
static struct census take_census(void)
{
	const struct pinfs_inode *di;
	struct census c = { 0 };
	const char *why = "";

	scratch_enter(&sv);
	di = inode_read(sv.root, NULL);
	if (format_inode_verify(di, PINFS_ROOT_INO, sv.vol->seed, &why))
		ck_abort_msg("inode: %s", why);
	count_below(&c, di->u.index, le16_to_cpu(di->tree_count),
		    le16_to_cpu(di->tree_level), 0, UINT64_MAX);
	ck_assert_uint_eq(le64_to_cpu(di->size), c.bytes);
	ck_assert_uint_eq(le64_to_cpu(di->blocks), c.leaves + c.inner);
	ck_assert_int_eq(sv.free_blocks - scratch_free_blocks(&sv),
			 (int64_t)(c.leaves + c.inner));
	ck_assert_int_eq(dir_is_empty(sv.root, NULL), c.entries == 0);
	scratch_leave(&sv);
	return c;
}

/* --- readdir ----------------------------------------------------------------- */

/* struct reader - what an iteration has seen of the numbered names */
struct reader {
	unsigned int seen[MANY]; /* how often */
	uint64_t from; /* the key to go on at */
	unsigned int total;
	unsigned int stop_after; /* entries; 0: never */
};

static int reader_fn(void *arg, const struct dir_entry *e)
{
	struct reader *r = arg;
	char name[NAME_ROOM];
	unsigned int i;

	ck_assert_uint_ge(e->key, r->from);
	i = (unsigned int)strtoul(e->name, NULL, 10);
	ck_assert_uint_lt(i, MANY);
	ck_assert_uint_eq(e->name_len, make_name(name, i));
	ck_assert_mem_eq(e->name, name, e->name_len);
	ck_assert_uint_eq(e->ino, ino_of(i));
	ck_assert_uint_eq(e->type, type_of(i));
	r->seen[i]++;
	r->total++;
	r->from = e->key + 1;
	return r->stop_after && r->total % r->stop_after == 0 ? 77 : 0;
}

static int iterate(struct reader *r)
{
	int ret;

	scratch_enter(&sv);
	ret = dir_iterate(sv.root, r->from, reader_fn, r);
	scratch_leave(&sv);
	return ret;
}

/* check_all - exactly those names are there that is_there says */
static struct census check_all(const bool *is_there)
{
	static struct reader r;
	unsigned int i, n = 0;
	struct census c;

	memset(&r, 0, sizeof(r));
	ck_assert_int_eq(iterate(&r), 0);
	for (i = 0; i < MANY; i++) {
		ck_assert_uint_eq(r.seen[i], is_there[i]);
		ck_assert_int_eq(look(i), is_there[i] ? 0 : -ENOENT);
		n += is_there[i];
	}
	c = take_census();
	ck_assert_uint_eq(c.entries, n);
	return c;
}

/* --- many names -------------------------------------------------------------- */

START_TEST(many_names_come_and_go)
{
	static unsigned int order[MANY];
	static bool is_there[MANY];
	uint64_t state = 1;
	struct census c;
	unsigned int i;

	scratch_volume_make(&sv, (enum scratch_kind)_i, 64 * MIB);
	for (i = 0; i < MANY; i++)
		order[i] = i;
	shuffle(order, MANY, &state);
	for (i = 0; i < MANY; i++) {
		ck_assert_int_eq(add(order[i]), 0);
		is_there[order[i]] = true;
	}
	scratch_volume_reopen(&sv);
	c = check_all(is_there);
	/* Splits in the middle leave leaves two thirds full. */
	ck_assert_uint_gt(c.bytes * 100 / (c.leaves * PINFS_NODE_BYTES), 55);

	shuffle(order, MANY, &state);
	for (i = 0; i < MANY / 2; i++) {
		ck_assert_int_eq(del(order[i]), 0);
		is_there[order[i]] = false;
	}
	check_all(is_there);
	for (i = 0; i < MANY / 4; i++) {
		ck_assert_int_eq(add(order[i]), 0);
		is_there[order[i]] = true;
	}
	scratch_volume_reopen(&sv);
	check_all(is_there);

	shuffle(order, MANY, &state);
	for (i = 0; i < MANY; i++) {
		ck_assert_int_eq(del(order[i]),
				 is_there[order[i]] ? 0 : -ENOENT);
		is_there[order[i]] = false;
	}
	c = check_all(is_there);
	ck_assert_uint_eq(c.leaves, 0);
	scratch_volume_reopen(&sv);
	check_all(is_there);
	scratch_volume_close(&sv);
}
END_TEST

START_TEST(leaves_that_empty_are_merged)
{
	static bool is_there[MANY];
	unsigned int i;
	struct census c;

	scratch_volume_make(&sv, SCRATCH_MEMORY, 64 * MIB);
	for (i = 0; i < MANY; i++)
		ck_assert_int_eq(add(i), 0);
	c = take_census();
	ck_assert_uint_gt(c.leaves, MANY / 100);
	for (i = 0; i < MANY; i++) {
		is_there[i] = i % 20 == 0;
		if (!is_there[i])
			ck_assert_int_eq(del(i), 0);
	}
	c = check_all(is_there);
	ck_assert_uint_gt(c.bytes * 100 / (c.leaves * PINFS_NODE_BYTES), 25);
	scratch_volume_close(&sv);
}
END_TEST

/* --- chosen hashes ----------------------------------------------------------- */

/* long_name - number i of names that few leaves have room for */
static struct dir_name long_name(char *buf, unsigned int i, uint64_t hash)
{
	memset(buf, 'x', 200);
	snprintf(buf, 201, "%05u", i);
	buf[5] = '-';
	return (struct dir_name){ buf, 200, hash };
}

static int add_hashed(unsigned int i, uint64_t hash)
{
	struct tx *tx = scratch_begin(&sv);
	char buf[NAME_ROOM];
	struct dir_name nm = long_name(buf, i, hash);

	return scratch_end(&sv, tx,
			   dir_add_name(sv.root, tx, &nm, ino_of(i), DT_REG));
}

static int del_hashed(unsigned int i, uint64_t hash)
{
	struct tx *tx = scratch_begin(&sv);
	char buf[NAME_ROOM];
	struct dir_name nm = long_name(buf, i, hash);

	return scratch_end(&sv, tx, dir_remove_name(sv.root, tx, &nm));
}

/* key_of - of a name that is there; 0 if it isn't */
static uint64_t key_of(unsigned int i, uint64_t hash)
{
	char buf[NAME_ROOM];
	struct dir_name nm = long_name(buf, i, hash);
	struct dir_entry e;
	int err;

	scratch_enter(&sv);
	err = dir_lookup_name(sv.root, NULL, &nm, &e);
	if (!err)
		ck_assert_uint_eq(e.ino, ino_of(i));
	else
		ck_assert_int_eq(err, -ENOENT);
	scratch_leave(&sv);
	return err ? 0 : e.key;
}

#define HASH (1ull << 50)
#define SAME (DIR_LAST_NUMBER + 1)

/* A run of 128 names of 224 bytes goes over at least 8 leaves. */
START_TEST(names_of_one_hash)
{
	unsigned int i;

	scratch_volume_make(&sv, SCRATCH_MEMORY, 16 * MIB);
	ck_assert_int_eq(add_hashed(200, HASH - SAME), 0);
	ck_assert_int_eq(add_hashed(201, HASH + SAME), 0);
	for (i = 0; i < SAME; i++) {
		ck_assert_int_eq(add_hashed(i, HASH), 0);
		ck_assert_uint_eq(key_of(i, HASH), HASH + i);
	}
	ck_assert_uint_ge(take_census().leaves, 8);
	ck_assert_int_eq(add_hashed(SAME, HASH), -ENOSPC);
	for (i = 0; i < SAME; i++) {
		ck_assert_int_eq(add_hashed(i, HASH), -EEXIST);
		ck_assert_uint_eq(key_of(i, HASH), HASH + i);
		ck_assert_uint_eq(key_of(i, HASH + SAME), 0);
	}
	ck_assert_uint_eq(key_of(SAME, HASH), 0);
	ck_assert_uint_eq(key_of(200, HASH - SAME), HASH - SAME);
	ck_assert_uint_eq(key_of(201, HASH + SAME), HASH + SAME);

	/* The lowest numbers come back first, wherever their leaves are. */
	ck_assert_int_eq(del_hashed(90, HASH), 0);
	ck_assert_int_eq(del_hashed(3, HASH), 0);
	ck_assert_int_eq(del_hashed(41, HASH), 0);
	ck_assert_int_eq(add_hashed(300, HASH), 0);
	ck_assert_int_eq(add_hashed(301, HASH), 0);
	ck_assert_int_eq(add_hashed(302, HASH), 0);
	ck_assert_int_eq(add_hashed(303, HASH), -ENOSPC);
	ck_assert_uint_eq(key_of(300, HASH), HASH + 3);
	ck_assert_uint_eq(key_of(301, HASH), HASH + 41);
	ck_assert_uint_eq(key_of(302, HASH), HASH + 90);
	ck_assert_uint_eq(key_of(127, HASH), HASH + 127);
	scratch_volume_reopen(&sv);
	ck_assert_uint_eq(take_census().entries, SAME + 2);
	scratch_volume_close(&sv);
}
END_TEST

/* A gap of a whole leaf in the run hides neither its end nor its names. */
START_TEST(gaps_in_a_run)
{
	unsigned int i;

	scratch_volume_make(&sv, SCRATCH_MEMORY, 16 * MIB);
	for (i = 0; i < SAME; i++)
		ck_assert_int_eq(add_hashed(i, HASH), 0);
	for (i = 1; i < SAME - 1; i++)
		ck_assert_int_eq(del_hashed(i, HASH), 0);
	ck_assert_uint_eq(key_of(0, HASH), HASH);
	ck_assert_uint_eq(key_of(SAME - 1, HASH), HASH + SAME - 1);
	ck_assert_int_eq(add_hashed(SAME - 1, HASH), -EEXIST);
	ck_assert_int_eq(del_hashed(0, HASH), 0);
	ck_assert_int_eq(add_hashed(SAME - 1, HASH), -EEXIST);
	ck_assert_int_eq(del_hashed(SAME - 1, HASH), 0);
	ck_assert_uint_eq(take_census().leaves, 0);
	scratch_volume_close(&sv);
}
END_TEST

/*
 * Names before all others, when the first leaves have gone. Added in any order,
 * leaves are too full to be merged with one that empties.
 */
START_TEST(keys_below_the_first_leaf)
{
	const uint64_t high = 1ull << 60;
	unsigned int i, order[1000];
	uint64_t state = 2;

	scratch_volume_make(&sv, SCRATCH_MEMORY, 16 * MIB);
	for (i = 0; i < 1000; i++)
		order[i] = i;
	shuffle(order, 1000, &state);
	for (i = 0; i < 1000; i++)
		ck_assert_int_eq(add_hashed(order[i], high + order[i] * SAME),
				 0);
	for (i = 0; i < 500; i++)
		ck_assert_int_eq(del_hashed(i, high + i * SAME), 0);
	take_census();
	for (i = 0; i < 500; i++) {
		ck_assert_int_eq(add_hashed(i, high - (i + 1) * SAME), 0);
		take_census();
	}
	scratch_volume_reopen(&sv);
	for (i = 0; i < 1000; i++)
		ck_assert_uint_ne(key_of(i, i < 500 ? high - (i + 1) * SAME :
						      high + i * SAME),
				  0);
	ck_assert_uint_eq(take_census().entries, 1000);
	scratch_volume_close(&sv);
}
END_TEST

/*
 * Leaf by leaf from one end or the other, which empties inner nodes at their
 * first or at their last child.
 */
START_TEST(emptied_from_an_end)
{
	const uint64_t low = 1ull << 40;
	unsigned int i, at, n = 10000;

	scratch_volume_make(&sv, SCRATCH_MEMORY, 64 * MIB);
	for (i = 0; i < n; i++)
		ck_assert_int_eq(add_hashed(i, low + i * SAME), 0);
	for (i = 0; i < n; i++) {
		at = _i ? n - 1 - i : i;
		ck_assert_int_eq(del_hashed(at, low + at * SAME), 0);
		if (i % 500 == 0)
			ck_assert_uint_eq(take_census().entries, n - 1 - i);
	}
	ck_assert_uint_eq(take_census().leaves, 0);
	scratch_volume_close(&sv);
}
END_TEST

/* --- readdir ----------------------------------------------------------------- */

/* What stays is seen exactly once, whatever comes and goes meanwhile. */
START_TEST(readdir_is_stable)
{
	static bool is_there[MANY];
	static struct reader r;
	uint64_t state = 7;
	unsigned int i, k;
	int ret;

	scratch_volume_make(&sv, SCRATCH_MEMORY, 64 * MIB);
	/* Even numbers stay. */
	for (i = 0; i < 4000; i++) {
		ck_assert_int_eq(add(i), 0);
		is_there[i] = true;
	}
	r.stop_after = 7;
	do {
		ret = iterate(&r);
		for (k = 0; k < 30; k++) {
			i = 1 + 2 * (unsigned int)(scratch_random(&state) %
						   (MANY / 2));
			ck_assert_int_eq(is_there[i] ? del(i) : add(i), 0);
			is_there[i] = !is_there[i];
		}
	} while (ret == 77);
	ck_assert_int_eq(ret, 0);
	for (i = 0; i < 4000; i += 2)
		ck_assert_uint_eq(r.seen[i], 1);
	check_all(is_there);
	scratch_volume_close(&sv);
}
END_TEST

static int count_fn(void *arg, const struct dir_entry *e)
{
	unsigned int *n = arg;

	(void)e;
	(*n)++;
	return 0;
}

static int enoent_fn(void *arg, const struct dir_entry *e)
{
	(void)arg;
	(void)e;
	return -ENOENT;
}

START_TEST(readdir_from_anywhere)
{
	unsigned int i, n;

	scratch_volume_make(&sv, SCRATCH_MEMORY, 16 * MIB);
	ck_assert_int_eq(dir_iterate(sv.root, 0, enoent_fn, NULL), 0);
	for (i = 0; i < 100; i++)
		ck_assert_int_eq(add_hashed(i, HASH + i * SAME), 0);
	ck_assert_uint_gt(take_census().leaves, 4);
	scratch_enter(&sv);
	for (i = 0; i <= 100; i++) {
		n = 0;
		ck_assert_int_eq(
			dir_iterate(sv.root, HASH + i * SAME, count_fn, &n), 0);
		ck_assert_uint_eq(n, 100 - i);
		n = 0;
		ck_assert_int_eq(dir_iterate(sv.root, HASH + i * SAME - 1,
					     count_fn, &n),
				 0);
		ck_assert_uint_eq(n, 100 - i);
	}
	n = 0;
	ck_assert_int_eq(dir_iterate(sv.root, INT64_MAX, count_fn, &n), 0);
	ck_assert_int_eq(dir_iterate(sv.root, UINT64_MAX, count_fn, &n), 0);
	ck_assert_uint_eq(n, 0);
	/* What fn returns is no end of its own. */
	ck_assert_int_eq(dir_iterate(sv.root, 0, enoent_fn, NULL), -ENOENT);
	scratch_leave(&sv);
	scratch_volume_close(&sv);
}
END_TEST

/* --- single names ------------------------------------------------------------ */

static int add_text(const char *name, size_t len)
{
	struct tx *tx = scratch_begin(&sv);

	return scratch_end(&sv, tx, dir_add(sv.root, tx, name, len, 2, DT_REG));
}

START_TEST(names_of_all_lengths)
{
	struct dir_entry e;
	char name[300];
	struct tx *tx;
	size_t len;

	memset(name, 'n', sizeof(name));
	scratch_volume_make(&sv, SCRATCH_MEMORY, 16 * MIB);
	for (len = 1; len <= PINFS_NAME_MAX; len++)
		ck_assert_int_eq(add_text(name, len), 0);
	ck_assert_int_eq(add_text(name, 256), -ENAMETOOLONG);
	ck_assert_int_eq(add_text(name, 257), -ENAMETOOLONG);
	scratch_volume_reopen(&sv);
	scratch_enter(&sv);
	for (len = 1; len <= PINFS_NAME_MAX; len++) {
		ck_assert_int_eq(dir_lookup(sv.root, NULL, name, len, &e), 0);
		ck_assert_uint_eq(e.name_len, len);
	}
	/* A length of 257 would be 1 in a byte. */
	ck_assert_int_eq(dir_lookup(sv.root, NULL, name, 257, &e),
			 -ENAMETOOLONG);
	scratch_leave(&sv);
	ck_assert_uint_eq(take_census().entries, PINFS_NAME_MAX);
	for (len = 1; len <= PINFS_NAME_MAX; len++) {
		tx = scratch_begin(&sv);
		ck_assert_int_eq(dir_remove(sv.root, tx, name, 256),
				 -ENAMETOOLONG);
		ck_assert_int_eq(dir_remove(sv.root, tx, name, len), 0);
		ck_assert_int_eq(scratch_end(&sv, tx, 0), 0);
	}
	ck_assert_uint_eq(take_census().leaves, 0);
	scratch_volume_close(&sv);
}
END_TEST

START_TEST(names_that_are_none)
{
	scratch_volume_make(&sv, SCRATCH_MEMORY, 16 * MIB);
	ck_assert_int_eq(add_text("", 0), -EINVAL);
	ck_assert_int_eq(add_text(".", 1), -EINVAL);
	ck_assert_int_eq(add_text("..", 2), -EINVAL);
	ck_assert_int_eq(add_text("a/b", 3), -EINVAL);
	ck_assert_int_eq(add_text("a\0b", 3), -EINVAL);
	ck_assert_uint_eq(take_census().entries, 0);
	ck_assert_int_eq(add_text("...", 3), 0);
	ck_assert_int_eq(add_text(".a", 2), 0);
	ck_assert_int_eq(add_text("\xff\x01", 2), 0);
	ck_assert_int_eq(add_text("...", 3), -EEXIST);
	ck_assert_uint_eq(take_census().entries, 3);
	scratch_volume_close(&sv);
}
END_TEST

static int replace(unsigned int i, uint64_t ino, uint8_t type)
{
	struct tx *tx = scratch_begin(&sv);
	char name[NAME_ROOM];
	size_t len = make_name(name, i);

	return scratch_end(&sv, tx,
			   dir_replace(sv.root, tx, name, len, ino, type));
}

START_TEST(replaced_names_keep_their_keys)
{
	char name[NAME_ROOM];
	struct dir_entry e;
	unsigned int i;
	uint64_t key;
	size_t len;

	scratch_volume_make(&sv, SCRATCH_MEMORY, 16 * MIB);
	ck_assert_int_eq(replace(0, 5, DT_FIFO), -ENOENT);
	for (i = 0; i < 500; i++)
		ck_assert_int_eq(add(i), 0);
	len = make_name(name, 123);
	scratch_enter(&sv);
	ck_assert_int_eq(dir_lookup(sv.root, NULL, name, len, &e), 0);
	scratch_leave(&sv);
	key = e.key;
	ck_assert_int_eq(replace(123, 77777, DT_LNK), 0);
	ck_assert_int_eq(replace(500, 5, DT_FIFO), -ENOENT);
	scratch_volume_reopen(&sv);
	scratch_enter(&sv);
	ck_assert_int_eq(dir_lookup(sv.root, NULL, name, len, &e), 0);
	scratch_leave(&sv);
	ck_assert_uint_eq(e.ino, 77777);
	ck_assert_uint_eq(e.type, DT_LNK);
	ck_assert_uint_eq(e.key, key);
	ck_assert_int_eq(replace(123, ino_of(123), type_of(123)), 0);
	for (i = 0; i < 500; i++)
		ck_assert_int_eq(look(i), 0);
	take_census();
	scratch_volume_close(&sv);
}
END_TEST

/* --- transactions ------------------------------------------------------------ */

/* A transaction sees its own names, others do not before it commits (S1). */
START_TEST(nothing_before_the_commit)
{
	char name[NAME_ROOM];
	struct dir_entry e;
	unsigned int i;
	struct tx *tx;
	size_t len;

	scratch_volume_make(&sv, SCRATCH_MEMORY, 16 * MIB);
	for (i = 0; i < 100; i++)
		ck_assert_int_eq(add(i), 0);
	tx = scratch_begin(&sv);
	for (i = 0; i < 400; i++) {
		len = make_name(name, i);
		if (i < 100)
			ck_assert_int_eq(dir_remove(sv.root, tx, name, len), 0);
		else
			ck_assert_int_eq(dir_add(sv.root, tx, name, len,
						 ino_of(i), type_of(i)),
					 0);
	}
	for (i = 0; i < 400; i++) {
		len = make_name(name, i);
		ck_assert_int_eq(dir_lookup(sv.root, tx, name, len, &e),
				 i < 100 ? -ENOENT : 0);
		ck_assert_int_eq(dir_lookup(sv.root, NULL, name, len, &e),
				 i < 100 ? 0 : -ENOENT);
	}
	ck_assert_int_eq(scratch_end(&sv, tx, _i ? -EINTR : 0),
			 _i ? -EINTR : 0);
	for (i = 0; i < 400; i++)
		ck_assert_int_eq(look(i), (i < 100) == _i ? 0 : -ENOENT);
	ck_assert_uint_eq(take_census().entries, _i ? 100 : 300);
	scratch_volume_close(&sv);
}
END_TEST

/* A full pool refuses names, keeps what it has, and can delete (S6). */
START_TEST(a_full_pool_can_delete)
{
	static bool is_there[MANY];
	int64_t left;
	unsigned int i, n;
	int err = 0;

	scratch_volume_make(&sv, SCRATCH_MEMORY, 16 * MIB);
	left = scratch_free_blocks(&sv) -
	       (int64_t)space_available(sv.vol->space) + 40;
	scratch_fill(&sv, left);
	sv.free_blocks = left;
	for (n = 0; n < MANY && !err; n++) {
		err = add(n);
		is_there[n] = !err;
	}
	ck_assert_int_eq(err, -ENOSPC);
	ck_assert_uint_gt(n, 1000);
	/* An inner node or two may come from the blocks kept for deleting. */
	ck_assert_int_ge(scratch_free_blocks(&sv), left - 42);
	check_all(is_there);

	left = scratch_free_blocks(&sv);
	scratch_fill(&sv, 0);
	sv.free_blocks -= left;
	for (i = 0; i < n - 1; i++) {
		ck_assert_int_eq(del(i), 0);
		is_there[i] = false;
		if (i == n / 2)
			check_all(is_there);
	}
	check_all(is_there);
	ck_assert_int_eq(add(0), 0);
	scratch_volume_close(&sv);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dir");
	TCase *tc = tcase_create("dir");

	tcase_set_timeout(tc, 20);
	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_loop_test(tc, many_names_come_and_go, 0, SCRATCH_KINDS);
	tcase_add_test(tc, leaves_that_empty_are_merged);
	tcase_add_test(tc, names_of_one_hash);
	tcase_add_test(tc, gaps_in_a_run);
	tcase_add_test(tc, keys_below_the_first_leaf);
	tcase_add_loop_test(tc, emptied_from_an_end, 0, 2);
	tcase_add_test(tc, readdir_is_stable);
	tcase_add_test(tc, readdir_from_anywhere);
	tcase_add_test(tc, names_of_all_lengths);
	tcase_add_test(tc, names_that_are_none);
	tcase_add_test(tc, replaced_names_keep_their_keys);
	tcase_add_loop_test(tc, nothing_before_the_commit, 0, 2);
	tcase_add_test(tc, a_full_pool_can_delete);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
