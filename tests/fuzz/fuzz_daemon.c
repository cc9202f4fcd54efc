// SPDX-License-Identifier: BSD-3-Clause
/*
 * The daemon without a mount: requests as the kernel passes them on for a user,
 * ioctls most of all, and messages on the DMA socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../crash/record.h"
#include "base/util.h"
#include "command.h"
#include "dma_server.h"
#include "fuzz.h"
#include "image.h"
#include "options.h"
#include "pinsets.h"
#include "session.h"
#include "user.h"

static struct daemon d;
static int claim; /* in place of the pool's file */

static void open_daemon(struct pool *pool, const struct input *in)
{
	static char *argv[] = { (char *)"pinfsd", NULL };

	memset(&d, 0, sizeof(d));
	d.opt.threads = 1;
	d.opt.fs.workers = 1;
	d.opt.fs.scope_range = in->flags & INPUT_RANGE;
	d.opt.fs.read_only = in->flags & INPUT_READ_ONLY;
	d.opt.fuse = (struct fuse_args)FUSE_ARGS_INIT(1, argv);
	d.mountpoint = (char *)"/nowhere";
	d.pool = pool;
	pool->fd = claim;
	d.handles = handles_new();
	d.crew = crew_new();
	d.dma = dma_server_new(&d);
	d.pinsets = pinsets_new(&d);
	if (ring_new(&d) || !d.handles || !d.crew || !d.dma || !d.pinsets ||
	    session_new(&d, &d.session) || fs_open(pool, &d.opt.fs, &d.fs) ||
	    dma_server_start(d.dma))
		die("the daemon does not start");
}

/* close_daemon - as main() does when the mount has gone */
static void close_daemon(void)
{
	session_end(d.session);
	atomic_store(&d.ending, true);
	dma_server_cancel(d.dma);
	pinsets_stop(d.pinsets);
	fs_drain(d.fs);
	dma_server_stop(d.dma);
	crew_wait(d.crew);
	handles_close(d.handles, d.fs);
	if (fs_close(d.fs))
		die("the file system cannot be closed");
	session_free(d.session);
	pinsets_free(d.pinsets);
	dma_server_free(d.dma);
	crew_free(d.crew);
	ring_free(d.ring);
	handles_free(d.handles);
	fuse_opt_free_args(&d.opt.fuse);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	image_init();
	claim = memfd_create("claim", MFD_CLOEXEC);
	if (claim < 0 || ftruncate(claim, 4096))
		die("no memory for a file");
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct command cmd[COMMANDS_MAX];
	struct input in, got;
	struct pool *pool;
	size_t count;

	if (size < sizeof(in))
		return -1;
	memcpy(&in, data, sizeof(in));
	in.flags &= INPUT_FILE | INPUT_RANGE | INPUT_READ_ONLY;
	in.flags |= INPUT_CLEAN;
	count = min_u64((size - sizeof(in)) / sizeof(*cmd), COMMANDS_MAX);
	memcpy(cmd, data + sizeof(in), count * sizeof(*cmd));
	pool = image_take((const uint8_t *)&in, sizeof(in), &got);
	open_daemon(pool, &in);
	user_begin(&d);
	for (size_t i = 0; i < count; i++)
		user_does(&cmd[i]);
	user_end();
	close_daemon();
	return 0;
}
