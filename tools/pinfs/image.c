// SPDX-License-Identifier: BSD-3-Clause
#include "image.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/tool.h"
#include "format/csum.h"

/*
 * The mapping ends where the pool does, but who owns the pool may cut it off
 * meanwhile, and a medium may fail: both come as SIGBUS.
 */
static void on_bus_error(int sig)
{
	static const char text[] =
		"pinfs: the pool cannot be read: it was cut off, or its "
		"medium has failed\n";

	(void)sig;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(TOOL_FAILED);
	_exit(TOOL_FAILED);
}

int image_read(const struct image *img, uint64_t blkno, void *buf)
{
	if (blkno >= img->blocks)
		return -ERANGE;
	memcpy(buf, img->pool->base + (blkno << PINFS_BLOCK_SHIFT),
	       PINFS_BLOCK_SIZE);
	return 0;
}

static void read_super(const struct image *img, uint64_t blkno,
		       struct image_super *s)
{
	s->blkno = blkno;
	s->why = NULL;
	s->err = image_read(img, blkno, &s->sb);
	if (!s->err)
		s->err = format_super_verify(&s->sb, blkno, img->blocks,
					     &s->why);
}

/* A sound one first, then one that is at least recognised. */
static const struct image_super *choose(const struct image *img)
{
	size_t i;

	for (i = 0; i < 2; i++)
		if (!img->super[i].err)
			return &img->super[i];
	for (i = 0; i < 2; i++)
		if (img->super[i].err != -EMEDIUMTYPE)
			return &img->super[i];
	return NULL;
}

int image_open(const char *path, struct image *img)
{
	const struct sigaction act = { .sa_handler = on_bus_error };
	int err;

	memset(img, 0, sizeof(*img));
	sigaction(SIGBUS, &act, NULL);
	err = pool_open(path, POOL_READ_ONLY | POOL_NO_CLAIM, &img->pool, NULL);
	/* Smaller than a block: so there is none of ours. */
	if (err == -ENOSPC)
		err = -EMEDIUMTYPE;
	if (err)
		goto err_complain;
	img->blocks = img->pool->size >> PINFS_BLOCK_SHIFT;
	read_super(img, 0, &img->super[0]);
	read_super(img, img->blocks - 1, &img->super[1]);
	img->best = choose(img);
	if (!img->best) {
		err = -EMEDIUMTYPE;
		goto err_pool;
	}
	img->seed = le64_to_cpu(img->best->sb.csum_seed);
	return 0;

err_pool:
	pool_close(img->pool);
err_complain:
	log_error("%s: %s", path, tool_why(err));
	return err;
}

void image_close(struct image *img)
{
	pool_close(img->pool);
	img->pool = NULL;
}

int image_jstates(const struct image *img, struct pinfs_jstate st[2], int *live)
{
	uint64_t at = le64_to_cpu(img->best->sb.journal_start);
	const struct pinfs_jstate *pick;
	int err;

	*live = -1;
	/* A damaged superblock may say 2^64 - 1. */
	if (at >= img->blocks)
		return -ERANGE;
	err = image_read(img, at, &st[0]);
	if (!err)
		err = image_read(img, at + 1, &st[1]);
	if (err)
		return err;
	pick = format_jstate_pick(&st[0], &st[1], at, img->seed);
	if (pick)
		*live = (int)(pick - st);
	return 0;
}
