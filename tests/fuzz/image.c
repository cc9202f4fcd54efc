// SPDX-License-Identifier: BSD-3-Clause
/* The pool in memory, and how it becomes the valid image again. */
#include "image_i.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../crash/record.h"
#include "base/log.h"
#include "base/util.h"
#include "format/make.h"

/* On either side of the pool; most numbers that are wrong lead there. */
#define GUARD (64ull << 30)

/* struct page - one that an unmounted image has otherwise */
struct page {
	uint32_t number;
	uint8_t bytes[PINFS_BLOCK_SIZE];
};

static struct pool pool;
static struct record record;
static struct atlas atlas;
static uint8_t *crashed; /* with open files, orphans, intents and records */
static struct page *clean; /* what is different when it is unmounted */
static size_t cleans, clean_room;

static void *reserve(uint64_t size)
{
	void *p = mmap(NULL, size, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("no address space");
	return p;
}

static void *accessible(void *p, uint64_t size)
{
	if (mprotect(p, size, PROT_READ | PROT_WRITE))
		die("out of memory");
	return p;
}

static bool is_zero(const uint8_t *page)
{
	return page[0] == 0 &&
	       memcmp(page, page + 1, PINFS_BLOCK_SIZE - 1) == 0;
}

static void keep_clean(uint32_t number, const uint8_t *bytes)
{
	clean = grow(clean, cleans + 1, &clean_room, sizeof(*clean));
	clean[cleans].number = number;
	memcpy(clean[cleans++].bytes, bytes, PINFS_BLOCK_SIZE);
}

static void keep_crashed(const uint8_t *base)
{
	crashed = accessible(reserve(IMAGE_SIZE), IMAGE_SIZE);
	for (size_t at = 0; at < IMAGE_SIZE; at += PINFS_BLOCK_SIZE)
		if (!is_zero(base + at))
			memcpy(crashed + at, base + at, PINFS_BLOCK_SIZE);
}

/* keep - first the image of a crash, then what a clean one has else */
static void keep(struct pool *p)
{
	if (!crashed) {
		keep_crashed(p->base);
		return;
	}
	for (uint32_t i = 0; i < IMAGE_BLOCKS; i++) {
		size_t at = (size_t)i * PINFS_BLOCK_SIZE;

		if (memcmp(crashed + at, p->base + at, PINFS_BLOCK_SIZE))
			keep_clean(i, p->base + at);
	}
}

static void format(struct pool *p)
{
	struct format_options opt = {
		.label = "fuzz",
		.uuid = { 1, 2, 3 },
		.csum_seed = 0x70696e6673,
		.hash_seed = 42,
		.now = { .tv_sec = 1700000000 },
	};

	if (format_make(p, &opt))
		die("the image cannot be formatted");
}

void image_init(void)
{
	uint8_t *all = reserve(IMAGE_SIZE + 2 * GUARD);

	log_set_level(LOG_LEVEL_ERROR);
	pool = (struct pool){
		.base = accessible(all + GUARD, IMAGE_SIZE),
		.size = IMAGE_SIZE,
		.fd = -1,
		.kind = POOL_MEMORY,
		.writable = true,
		.persist = &persist_private,
		.path = (char *)"image",
	};
	format(&pool);
	record_attach(&record, &pool);
	tree_make(&pool, keep);
	memcpy(pool.base, crashed, IMAGE_SIZE);
	memset(record.is_dirty, 0, IMAGE_BLOCKS);
	record.ndirty = 0;
	atlas_make(&atlas, &pool);
}

struct pool *image_take(const uint8_t *data, size_t size, struct input *in)
{
	struct item item[ITEMS_MAX];
	size_t count;

	if (size < sizeof(*in))
		return NULL;
	memcpy(in, data, sizeof(*in));
	count = min_u64((size - sizeof(*in)) / sizeof(*item), ITEMS_MAX);
	memcpy(item, data + sizeof(*in), count * sizeof(*item));
	pool.kind = in->flags & INPUT_FILE ? POOL_FILE : POOL_MEMORY;
	pool.writable = !(in->flags & INPUT_READ_ONLY);
	for (size_t i = 0; in->flags & INPUT_CLEAN && i < cleans; i++) {
		uint64_t at = (uint64_t)clean[i].number * PINFS_BLOCK_SIZE;

		image_touch(at, PINFS_BLOCK_SIZE);
		memcpy(pool.base + at, clean[i].bytes, PINFS_BLOCK_SIZE);
	}
	patch(&atlas, &pool, item, count);
	return &pool;
}

void image_touch(uint64_t off, uint64_t len)
{
	record_touch(&record, off, len);
}

void image_drop(void)
{
	record_restore(&record, crashed);
}

uint64_t image_seed(void)
{
	return atlas.seed;
}
