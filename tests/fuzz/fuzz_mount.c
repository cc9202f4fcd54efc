// SPDX-License-Identifier: BSD-3-Clause
/* Mount a damaged image, look at everything, change something, mount again. */
#include "../crash/record.h"
#include "fuzz.h"
#include "image.h"
#include "walk.h"

static struct walk w;

static struct fs *mount_image(struct pool *pool, const struct input *in)
{
	struct fs_options opt = {
		.workers = 1,
		.read_only = in->flags & INPUT_READ_ONLY,
		.scope_range = in->flags & INPUT_RANGE,
	};
	struct fs *fs;

	return fs_open(pool, &opt, &fs) ? NULL : fs;
}

static void unmount(struct fs *fs)
{
	fs_drain(fs);
	(void)fs_close(fs);
}

/* An input without items has to be a whole image, or nothing is tested here. */
static void check_image(uint8_t flags)
{
	const struct input in = { .flags = flags };
	struct input got;
	struct pool *pool = image_take((const uint8_t *)&in, sizeof(in), &got);
	struct fs *fs = mount_image(pool, &got);

	if (!fs)
		die("the image cannot be mounted");
	walk(&w, fs);
	/* There is nothing but a hole behind the data of most files. */
	if (w.names < 400 || w.nodes < 15)
		die("the image has only %d names", (int)w.names);
	unmount(fs);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	image_init();
	check_image(0);
	check_image(INPUT_CLEAN);
	check_image(INPUT_FILE);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in;
	struct pool *pool = image_take(data, size, &in);
	struct fs *fs;

	if (!pool)
		return -1;
	fs = mount_image(pool, &in);
	if (fs) {
		walk(&w, fs);
		walk_change(&w, in.seed);
		unmount(fs);
		fs = mount_image(pool, &in);
	}
	if (fs) {
		if (in.seed % 4 == 0)
			walk(&w, fs);
		unmount(fs);
	}
	return 0;
}
