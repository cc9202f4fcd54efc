// SPDX-License-Identifier: BSD-3-Clause
#include "inode/itable.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "format/csum.h"
#include "inode/extent.h"
#include "inode/inode_i.h"
#include "pool/persist.h"
#include "space/bitmap.h"

/* Blocks of the inode file that are mapped at once, at best: 128 inodes. */
#define CHUNK 16u

#define MAPS_MAX ((1ull << PINFS_INO_BITS) / PINFS_IMAP_INODES + 1)

/* Maps of other groups that are looked into before the file grows. */
#define MAPS_TO_TRY 8u

/* struct map - one group's bitmap, in memory since it was first wanted */
struct map {
	uint64_t blkno; /* 0: the group is not there */
	uint64_t *bits; /* NULL: not loaded */
	bool full; /* nothing was clear when somebody looked */
};

/*
 * Where chunks are, as far as they were looked for: a handle of an inode is made
 * each time that somebody asks for one, and two levels of a tree are as many cache
 * misses. Blocks of the inode file are never moved or given back, so a place stays
 * right. The entry of a chunk is the place of all chunks with its number modulo
 * PLACES: a word of its block number, and above that of what tells those apart.
 */
#define PLACES	   16384u
#define PLACE_BITS 40 /* of the block number */

struct itable {
	struct volume *vol;
	struct inode file; /* inode 0; its lock orders changes of its tree */
	/* Numbers are chosen under map_lock, which is held for no I/O. */
	pthread_mutex_t map_lock;
	struct map *map;
	uint64_t maps; /* groups that there are */
	uint64_t map_room;
	uint64_t current; /* group that numbers come from */
	uint32_t next; /* position in it: none before it is free */
	_Atomic uint64_t place[PLACES]; /* 0: not known */
};

/* struct number - one taken or given back by a transaction */
struct number {
	struct tx_hook hook;
	struct itable *it;
	uint64_t ino;
	bool taken; /* else given back */
};

static uint64_t map_lblk(uint64_t group)
{
	return group * PINFS_IMAP_BLOCKS;
}

static uint64_t slot_lblk(uint64_t ino)
{
	return map_lblk(ino / PINFS_IMAP_INODES) + 1 +
	       ino % PINFS_IMAP_INODES / PINFS_INODES_PER_BLOCK;
}

static int check_file(struct volume *vol)
{
	uint64_t root = le64_to_cpu(vol->super.root_block);
	const struct pinfs_inode *di = journal_read(vol->journal, root);
	const char *why;
	int err = format_inode_verify(di, PINFS_ITABLE_INO, vol->seed, &why);

	if (!err)
		err = format_inode_map_verify(di, vol->total_blocks, &why);
	if (!err && (le32_to_cpu(di->mode) & S_IFMT) != S_IFREG) {
		why = "it is not a file";
		err = -EUCLEAN;
	}
	if (!err && (le64_to_cpu(di->size) < PINFS_BLOCK_SIZE ||
		     le64_to_cpu(di->size) > (MAPS_MAX * PINFS_IMAP_BLOCKS)
						     << PINFS_BLOCK_SHIFT)) {
		why = "it is of an impossible size";
		err = -EUCLEAN;
	}
	if (err)
		log_error("%s: the inode file: %s: run fsck.pinfs",
			  vol->pool->path, why);
	return err;
}

int itable_open(struct volume *vol)
{
	struct itable *it;
	int err = check_file(vol);

	if (err)
		return err;
	it = calloc(1, sizeof(*it));
	if (!it)
		return -ENOMEM;
	it->vol = vol;
	it->file.vol = vol;
	it->file.ino = PINFS_ITABLE_INO;
	it->file.blkno = le64_to_cpu(vol->super.root_block);
	pthread_rwlock_init(&it->file.lock, NULL);
	pthread_mutex_init(&it->map_lock, NULL);
	it->maps =
		div_round_up(inode_size(&it->file, NULL) >> PINFS_BLOCK_SHIFT,
			     PINFS_IMAP_BLOCKS);
	it->map_room = it->maps + 16;
	it->map = calloc(it->map_room, sizeof(*it->map));
	vol->itable = it;
	return it->map ? 0 : -ENOMEM;
}

void itable_close(struct volume *vol)
{
	struct itable *it = vol->itable;

	if (!it)
		return;
	for (uint64_t g = 0; it->map && g < it->maps; g++)
		free(it->map[g].bits);
	free(it->map);
	pthread_rwlock_destroy(&it->file.lock);
	pthread_mutex_destroy(&it->map_lock);
	free(it);
	vol->itable = NULL;
}

static int find_mapped(struct itable *it, uint64_t lblk, struct extent *e)
{
	int err;

	pthread_rwlock_rdlock(&it->file.lock);
	err = extent_find(&it->file, NULL, lblk, e);
	pthread_rwlock_unlock(&it->file.lock);
	if (!err && e->pblk && !volume_has(it->vol, e->pblk, 1))
		err = -EUCLEAN;
	return err;
}

/* struct chunk - the one that an inode is in */
struct chunk {
	uint64_t lblk; /* its first */
	uint64_t len;
	_Atomic uint64_t *place;
	uint64_t tag; /* of its number, what place does not say */
};

static struct chunk chunk_of(struct itable *it, uint64_t lblk)
{
	uint64_t group = lblk / PINFS_IMAP_BLOCKS;
	uint64_t in = lblk % PINFS_IMAP_BLOCKS / CHUNK;
	uint64_t number = group * div_round_up(PINFS_IMAP_BLOCKS, CHUNK) + in;

	return (struct chunk){
		.lblk = group * PINFS_IMAP_BLOCKS + in * CHUNK,
		.len = min_u64(CHUNK, PINFS_IMAP_BLOCKS - in * CHUNK),
		.place = &it->place[number % PLACES],
		.tag = number / PLACES,
	};
}

/* find_chunk - its place in *blkno, remembered; 0: it is not in one piece */
static int find_chunk(struct itable *it, const struct chunk *c, uint64_t *blkno)
{
	struct extent e = { 0 };
	int err = find_mapped(it, c->lblk, &e);

	*blkno = 0;
	if (!err && e.pblk && e.len >= c->len &&
	    volume_has(it->vol, e.pblk, c->len)) {
		*blkno = e.pblk;
		atomic_store_explicit(c->place, c->tag << PLACE_BITS | e.pblk,
				      memory_order_relaxed);
	}
	return err;
}

int itable_locate(struct volume *vol, uint64_t ino, uint64_t *blkno)
{
	uint64_t lblk = slot_lblk(ino), place;
	struct extent e = { 0 };
	struct chunk c;
	int err = 0;

	if (ino == 0 || ino >> PINFS_INO_BITS)
		return -ESTALE;
	c = chunk_of(vol->itable, lblk);
	place = atomic_load_explicit(c.place, memory_order_relaxed);
	if (place && place >> PLACE_BITS == c.tag)
		place &= (1ull << PLACE_BITS) - 1;
	else
		err = find_chunk(vol->itable, &c, &place);
	if (!err && place) {
		*blkno = place + (lblk - c.lblk);
		return 0;
	}
	if (!err)
		err = find_mapped(vol->itable, lblk, &e);
	if (!err && e.pblk == 0)
		err = -ESTALE;
	*blkno = e.pblk;
	return err;
}

/* --- growing the file ------------------------------------------------------------ */

/* fill_map - a new map with all of its inodes free */
static int fill_map(struct tx *tx, uint64_t group, uint64_t blkno)
{
	struct pinfs_bitmap *b = tx_block_new(tx, blkno);
	uint64_t clear = PINFS_IMAP_INODES;

	if (!b)
		return -ENOMEM;
	b->hdr.magic = cpu_to_le32(PINFS_MAGIC_IMAP);
	b->hdr.spec[0] = cpu_to_le64(group);
	b->hdr.spec[1] = cpu_to_le64(clear);
	return 0;
}

/*
 * map_chunk - map the hole from lblk to the end of its chunk, or what there is a
 *             run of blocks for, zeroed; file.lock is held
 *
 * The first block of the first chunk is the group's map.
 */
static int map_chunk(struct itable *it, struct tx *tx,
		     const struct extent *hole)
{
	uint64_t group = hole->lblk / PINFS_IMAP_BLOCKS;
	uint64_t within = hole->lblk % PINFS_IMAP_BLOCKS;
	uint64_t left =
		min_u64(CHUNK - within % CHUNK, PINFS_IMAP_BLOCKS - within);
	struct volume *vol = it->vol;
	struct extent e = { .lblk = hole->lblk };
	struct space_run run;
	struct pinfs_inode *di;
	uint64_t end;
	int err;

	err = space_alloc(vol->space, tx, 0, min_u64(left, hole->len), 0, &run);
	if (err)
		return err;
	e.pblk = run.first;
	e.len = run.count;
	persist_set_flush(vol->pool, volume_block(vol, e.pblk), 0,
			  e.len << PINFS_BLOCK_SHIFT);
	if (within == 0)
		err = fill_map(tx, group, e.pblk);
	if (!err)
		err = extent_add(&it->file, tx, &e);
	if (err)
		return err;
	di = inode_edit(&it->file, tx);
	if (!di)
		return -ENOMEM;
	end = (e.lblk + e.len) << PINFS_BLOCK_SHIFT;
	if (le64_to_cpu(di->size) < end)
		di->size = cpu_to_le64(end);
	return 0;
}

/* ensure_mapped - have lblk of the inode file mapped, and say where */
static int ensure_mapped(struct itable *it, uint64_t lblk, uint64_t *blkno)
{
	struct extent e = { 0 };
	struct tx *tx;
	int err;

	err = find_mapped(it, lblk, &e);
	*blkno = e.pblk;
	if (err || e.pblk)
		return err;
	pthread_rwlock_wrlock(&it->file.lock);
	err = extent_find(&it->file, NULL, lblk, &e);
	if (err || e.pblk)
		goto out_unlock;
	tx = tx_begin(it->vol->journal);
	err = tx ? map_chunk(it, tx, &e) : -ENOMEM;
	if (err)
		tx_abort(tx);
	else
		err = tx_commit(tx);
	if (!err)
		err = extent_find(&it->file, NULL, lblk, &e);
out_unlock:
	pthread_rwlock_unlock(&it->file.lock);
	*blkno = e.pblk;
	if (!err && !volume_has(it->vol, e.pblk, 1))
		err = -EUCLEAN;
	return err;
}

/* --- numbers ----------------------------------------------------------------- */

/* load_map - bits of a group that is there; map_lock is held */
static int load_map(struct itable *it, uint64_t group, uint64_t blkno)
{
	struct volume *vol = it->vol;
	struct map *m = &it->map[group];
	const struct pinfs_bitmap *b;
	const char *why;
	int err;

	if (m->bits)
		return 0;
	/* As in space.c: home is up to date until the map is in memory. */
	b = (const void *)volume_block(vol, blkno);
	err = format_bitmap_verify(b, PINFS_MAGIC_IMAP, group, blkno, vol->seed,
				   &why);
	if (err) {
		log_error("%s: inode map %llu: %s: run fsck.pinfs",
			  vol->pool->path, (unsigned long long)group, why);
		return err;
	}
	m->bits = malloc(BITMAP_WORDS * sizeof(*m->bits));
	if (!m->bits)
		return -ENOMEM;
	bitmap_load(m->bits, b);
	m->blkno = blkno;
	return 0;
}

/* take_number - from a loaded map; -ENOSPC if it is full; map_lock is held */
static int take_number(struct itable *it, uint64_t group, uint64_t *ino)
{
	struct map *m = &it->map[group];
	uint32_t from = group == it->current ? it->next : 0;
	uint32_t bit = bitmap_next_clear(m->bits, from);

	if (bit == BITMAP_BITS)
		bit = bitmap_next_clear(m->bits, 0);
	if (bit == BITMAP_BITS) {
		m->full = true;
		return -ENOSPC;
	}
	bitmap_set(m->bits, bit, 1);
	it->current = group;
	it->next = bit + 1;
	*ino = group * PINFS_IMAP_INODES + bit;
	return 0;
}

/* try_group - a number from group, whose map is made or loaded if it must */
static int try_group(struct itable *it, uint64_t group, uint64_t *ino)
{
	uint64_t blkno = 0;
	bool loaded, full;
	int err = 0;

	pthread_mutex_lock(&it->map_lock);
	loaded = it->map[group].bits;
	full = it->map[group].full;
	pthread_mutex_unlock(&it->map_lock);
	if (full)
		return -ENOSPC;
	if (!loaded)
		err = ensure_mapped(it, map_lblk(group), &blkno);
	if (err)
		return err;
	pthread_mutex_lock(&it->map_lock);
	err = load_map(it, group, blkno);
	if (!err)
		err = take_number(it, group, ino);
	pthread_mutex_unlock(&it->map_lock);
	return err;
}

/* add_group - make room for one more; map_lock is held */
static int add_group(struct itable *it)
{
	if (it->maps == it->map_room) {
		struct map *map =
			realloc(it->map, 2 * it->map_room * sizeof(*map));

		if (!map)
			return -ENOMEM;
		it->map = map;
		it->map_room *= 2;
	}
	it->map[it->maps++] = (struct map){ 0 };
	return 0;
}

/* add_behind - a new group behind those up to maps, unless somebody has */
static int add_behind(struct itable *it, uint64_t maps)
{
	int err = 0;

	pthread_mutex_lock(&it->map_lock);
	if (it->maps > maps)
		goto out_unlock;
	/* If there is no space for the last one's map, so there is for none. */
	err = it->map[maps - 1].bits ? add_group(it) : -ENOSPC;
out_unlock:
	pthread_mutex_unlock(&it->map_lock);
	return err;
}

/* take_any - the current group, some others, the last, or a new one */
static int take_any(struct itable *it, uint64_t *ino)
{
	uint64_t current, maps;
	int err;

	pthread_mutex_lock(&it->map_lock);
	current = it->current;
	maps = it->maps;
	pthread_mutex_unlock(&it->map_lock);
	for (uint64_t i = 0; i < maps && i < MAPS_TO_TRY; i++) {
		err = try_group(it, (current + i) % maps, ino);
		if (err != -ENOSPC)
			return err;
	}
	err = try_group(it, maps - 1, ino);
	if (err != -ENOSPC)
		return err;
	err = add_behind(it, maps);
	return err ? err : try_group(it, maps, ino);
}

/*
 * release_number - the lowest free number is the next to be taken: the file
 * never shrinks, so it must not grow while there are free slots in it
 */
static void release_number(struct itable *it, uint64_t ino)
{
	uint64_t group = ino / PINFS_IMAP_INODES;
	uint32_t bit = (uint32_t)(ino % PINFS_IMAP_INODES);
	struct map *m;

	pthread_mutex_lock(&it->map_lock);
	m = &it->map[group];
	bitmap_clear(m->bits, bit, 1);
	m->full = false;
	if (group < it->current || (group == it->current && bit < it->next)) {
		it->current = group;
		it->next = bit;
	}
	pthread_mutex_unlock(&it->map_lock);
}

static void number_ended(struct tx_hook *hook, bool committed)
{
	struct number *n = container_of(hook, struct number, hook);

	if (n->taken != committed)
		release_number(n->it, n->ino);
	free(n);
}

static int note_number(struct itable *it, struct tx *tx, uint64_t ino,
		       bool taken)
{
	struct number *n = malloc(sizeof(*n));
	uint32_t bit = (uint32_t)(ino % PINFS_IMAP_INODES);
	uint64_t blkno;
	int err;

	if (!n)
		return -ENOMEM;
	*n = (struct number){ { NULL, number_ended }, it, ino, taken };
	pthread_mutex_lock(&it->map_lock);
	blkno = it->map[ino / PINFS_IMAP_INODES].blkno;
	pthread_mutex_unlock(&it->map_lock);
	err = taken ? tx_set_bits(tx, blkno, bit, 1) :
		      tx_clear_bits(tx, blkno, bit, 1);
	if (err) {
		free(n);
		return err;
	}
	tx_on_end(tx, &n->hook);
	tx_count(tx, 0, taken ? 1 : -1);
	return 0;
}

int itable_alloc(struct volume *vol, struct tx *tx, uint64_t *ino,
		 uint64_t *blkno)
{
	struct itable *it = vol->itable;
	int err = take_any(it, ino);

	if (err)
		return err;
	err = ensure_mapped(it, slot_lblk(*ino), blkno);
	if (!err)
		err = note_number(it, tx, *ino, true);
	if (err)
		release_number(it, *ino);
	return err;
}

/* ensure_loaded - the map that ino's bit is in */
static int ensure_loaded(struct itable *it, uint64_t ino)
{
	uint64_t group = ino / PINFS_IMAP_INODES, blkno;
	int err;

	err = ensure_mapped(it, map_lblk(group), &blkno);
	if (err)
		return err;
	pthread_mutex_lock(&it->map_lock);
	err = group < it->maps ? load_map(it, group, blkno) : -EUCLEAN;
	pthread_mutex_unlock(&it->map_lock);
	return err;
}

int itable_free(struct volume *vol, struct tx *tx, uint64_t ino)
{
	struct itable *it = vol->itable;
	int err = ensure_loaded(it, ino);

	return err ? err : note_number(it, tx, ino, false);
}
