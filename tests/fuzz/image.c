// SPDX-License-Identifier: BSD-3-Clause
/* The pool in memory, and how it becomes the valid image again. */
#include "image_i.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../crash/record.h"
#include "base/log.h"
#include "base/util.h"
#include "format/make.h"
#include "pool/persist.h"

/* On either side of the pool; most numbers that are wrong lead there. */
#define GUARD (64ull << 30)

enum image {
	IMAGE_CRASHED, /* with open files, orphans, intents and records */
	IMAGE_CLEAN, /* unmounted; intents are still there */
	IMAGES,
};

static int file[IMAGES] = { -1, -1 };
static struct atlas atlas;
static struct pool pool, twin;

static void *reserve(uint64_t size)
{
	void *p = mmap(NULL, size, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("no address space");
	return p;
}

static void pool_init(struct pool *p)
{
	uint8_t *all = reserve(IMAGE_SIZE + 2 * GUARD);

	*p = (struct pool){
		.base = all + GUARD,
		.size = IMAGE_SIZE,
		.fd = -1,
		.kind = POOL_MEMORY,
		.writable = true,
		.persist = &persist_private,
		.path = (char *)"image",
	};
}

/* map_over - fd's contents become the pool's; what was there is gone */
static void map_over(struct pool *p, int fd)
{
	int flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE;

	if (fd < 0)
		flags |= MAP_ANONYMOUS;
	if (mmap(p->base, IMAGE_SIZE, PROT_READ | PROT_WRITE, flags, fd, 0) ==
	    MAP_FAILED)
		die("out of memory");
}

static bool is_zero(const uint8_t *page)
{
	return page[0] == 0 &&
	       memcmp(page, page + 1, PINFS_BLOCK_SIZE - 1) == 0;
}

/* keep - the pool as it is now is an image */
static void keep(struct pool *p)
{
	enum image which = file[IMAGE_CRASHED] < 0 ? IMAGE_CRASHED :
						     IMAGE_CLEAN;
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)IMAGE_SIZE))
		die("no memory for an image");
	for (size_t at = 0; at < IMAGE_SIZE; at += PINFS_BLOCK_SIZE)
		if (!is_zero(p->base + at) &&
		    pwrite(fd, p->base + at, PINFS_BLOCK_SIZE, (off_t)at) !=
			    PINFS_BLOCK_SIZE)
			die("no memory for an image");
	file[which] = fd;
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
	log_set_level(LOG_LEVEL_ERROR);
	pool_init(&pool);
	pool_init(&twin);
	map_over(&pool, -1);
	format(&pool);
	tree_make(&pool, keep);
	map_over(&pool, file[IMAGE_CRASHED]);
	atlas_make(&atlas, &pool);
}

static struct pool *take(struct pool *p, const uint8_t *data, size_t size,
			 struct input *in)
{
	struct item item[ITEMS_MAX];
	size_t count;

	if (size < sizeof(*in))
		return NULL;
	memcpy(in, data, sizeof(*in));
	count = min_u64((size - sizeof(*in)) / sizeof(*item), ITEMS_MAX);
	memcpy(item, data + sizeof(*in), count * sizeof(*item));
	p->kind = in->flags & INPUT_FILE ? POOL_FILE : POOL_MEMORY;
	p->writable = !(in->flags & INPUT_READ_ONLY);
	p->persist = &persist_private;
	map_over(p,
		 file[in->flags & INPUT_CLEAN ? IMAGE_CLEAN : IMAGE_CRASHED]);
	patch(&atlas, p, item, count);
	return p;
}

struct pool *image_take(const uint8_t *data, size_t size, struct input *in)
{
	return take(&pool, data, size, in);
}

struct pool *image_twin(const uint8_t *data, size_t size)
{
	struct input in;

	return take(&twin, data, size, &in);
}
