// SPDX-License-Identifier: BSD-3-Clause
/*
 * pinfsd: the life of a mount.
 *
 *   start:  options, mount point -> claim the pool -> recover -> DMA server
 *           -> mount -> live
 *   end:    SIGTERM:   drain while requests are served -> unmount -> end
 *           unmounted: drain -> end
 *   then:   wait for errands -> put open files -> pool clean -> claim released
 *
 * So the claim is the last thing to go, and the daemon lives until the last DMA
 * has landed (L12, L15).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "background.h"
#include "common/tool.h"
#include "daemon.h"
#include "dma_server.h"
#include "fuselog.h"
#include "notify.h"
#include "pinsets.h"
#include "session.h"
#include "signals.h"

/* --- before anything is touched ------------------------------------------- */

static int find_mountpoint(struct daemon *d)
{
	const char *path = d->opt.mountpoint;
	struct statx st;

	/* A dead mount may still answer from what the kernel remembers. */
	if (statx(AT_FDCWD, path, AT_STATX_FORCE_SYNC, STATX_TYPE, &st)) {
		/* The last: its rings are being taken down just now. */
		if (errno == ENOTCONN || errno == ECONNABORTED ||
		    errno == ECANCELED)
			log_error("%s: a daemon that was mounted here has "
				  "ended; run fusermount3 -u %s, then mount "
				  "again",
				  path, path);
		else
			log_error("%s: %s", path, strerror(errno));
		return -EINVAL;
	}
	if (!S_ISDIR(st.stx_mode)) {
		log_error("%s: not a directory, nothing can be mounted on it",
			  path);
		return -ENOTDIR;
	}
	d->mountpoint = realpath(path, NULL);
	if (d->mountpoint)
		return 0;
	log_error("%s: %s", path, strerror(errno));
	return -EINVAL;
}

/* As df and mount show it; with the kernel's own checks of permissions. */
static int add_mount_options(struct daemon *d)
{
	char *pool = realpath(d->opt.pool, NULL);
	int err = 0;

	if (!d->opt.fsname)
		err = options_add(&d->opt,
				  "fsname=", pool ? pool : d->opt.pool);
	if (!err && !d->opt.subtype)
		err = options_add(&d->opt, "subtype=", "pinfs");
	if (!err)
		err = options_add(&d->opt, "default_permissions", NULL);
	if (!err && d->opt.debug)
		err = options_add(&d->opt, "debug", NULL);
	free(pool);
	return err;
}

/* --- the pool ------------------------------------------------------------- */

static int open_pool(struct daemon *d)
{
	struct pool_owner owner = { .pid = 0 };
	const char *path = d->opt.pool;
	int err = pool_open(path, d->opt.fs.read_only ? POOL_READ_ONLY : 0,
			    &d->pool, &owner);

	if (err == -EBUSY)
		log_error("%s: in use by %s; it can be mounted when that has "
			  "ended",
			  path, owner.text[0] ? owner.text : "another process");
	else if (err == -EROFS || err == -EACCES)
		log_error("%s: %s%s", path, strerror(-err),
			  d->opt.fs.read_only ? "" :
						"; -o ro only has to read it");
	else if (err == -ENOSPC)
		log_error("%s: smaller than a block; there is no pinfs file "
			  "system in it",
			  path);
	else if (err)
		log_error("%s: %s", path, tool_why(err));
	return err;
}

/* Of these volume_open() has said more than could be said here. */
static bool was_explained(int err)
{
	return err == -EMEDIUMTYPE || err == -EOPNOTSUPP || err == -ENOSPC ||
	       err == -EUCLEAN || err == -EROFS;
}

static int open_fs(struct daemon *d)
{
	const struct fs_kernel kernel = {
		.invalidate = notify_invalidate,
		.arg = d,
	};
	int err;

	err = fs_open(d->pool, &d->opt.fs, &d->fs);
	if (!err) {
		fs_set_kernel(d->fs, &kernel);
		return 0;
	}
	if (!was_explained(err))
		log_error("%s: %s", d->opt.pool, tool_why(err));
	return err;
}

static int close_fs(struct daemon *d)
{
	int err = fs_close(d->fs);

	d->fs = NULL;
	if (err)
		log_error("%s: could not be marked clean: %s; the next mount "
			  "recovers it",
			  d->pool->path, strerror(-err));
	return err;
}

/* --- the mount's life ----------------------------------------------------- */

/* A first signal asks for the end, a second for it soon. */
static void on_stop(void *arg, int sig)
{
	struct daemon *d = arg;

	if (!atomic_exchange(&d->ending, true)) {
		log_info("%s: %s: to be unmounted", d->mountpoint,
			 strsignal(sig));
		session_ask_stop(d->session);
	} else {
		dma_server_cancel(d->dma);
		pinsets_stop(d->pinsets);
		log_info("%s: %s: DMA is cancelled", d->mountpoint,
			 strsignal(sig));
	}
}

static void go_live(struct daemon *d)
{
	int err = pool_note_mount(d->pool, d->mountpoint);

	/* A courtesy to whom the claim stops. */
	if (err)
		log_debug("%s: cannot note where it is mounted: %s",
			  d->pool->path, strerror(-err));
	session_note_mount(d->session);
	err = background_ready();
	if (err) {
		log_info("%s: nobody waits for it any more", d->mountpoint);
		session_ask_stop(d->session);
	}
	log_info("%s: mounted on %s", d->pool->path, d->mountpoint);
}

/* No new DMA, and the old is over (L15). */
static void drain(struct daemon *d)
{
	struct pinfs_ioc_stats st = { .pins = 0 };

	atomic_store(&d->ending, true);
	fs_drain_begin(d->fs);
	fs_stats(d->fs, &st);
	if (st.pin_sets_live > 0)
		log_info("%s: stays in use until %llu DMA have ended; SIGTERM "
			 "to process %d cancels them, but for I/O of clients' "
			 "own, which ends with their files",
			 d->pool->path, (unsigned long long)st.pin_sets_live,
			 (int)getpid());
	fs_drain(d->fs);
	dma_server_stop(d->dma);
}

static int live(struct daemon *d)
{
	enum session_event ev = session_wait(d->session);
	int err = -EIO;

	if (ev == SESSION_LIVE) {
		go_live(d);
		err = 0;
		ev = session_wait(d->session);
	}
	if (ev == SESSION_STOP) {
		drain(d);
		session_unmount(d->session);
		session_end(d->session);
	} else {
		session_end(d->session);
		drain(d);
	}
	if (err)
		log_error("%s: unmounted before it was live", d->mountpoint);
	return err;
}

static int serve_fs(struct daemon *d)
{
	int err;

	err = dma_server_start(d->dma);
	if (err) {
		log_error("DMA socket: %s", strerror(-err));
		return err;
	}
	err = ring_start(d->ring);
	if (!err)
		err = session_mount(d->session);
	if (err)
		dma_server_stop(d->dma);
	else
		err = live(d);
	/* Answers that errands still give need the rings. */
	ring_stop(d->ring);
	crew_wait(d->crew);
	return err;
}

static int run(struct daemon *d)
{
	int err, close_err;

	err = open_pool(d);
	if (err)
		return err;
	signals_watch(d->pool);
	err = open_fs(d);
	if (!err) {
		err = serve_fs(d);
		handles_close(d->handles, d->fs);
		close_err = close_fs(d);
		if (!err)
			err = close_err;
	}
	signals_watch(NULL);
	pool_close(d->pool);
	return err;
}

static int start(struct daemon *d)
{
	int err;

	if (!d->opt.foreground) {
		err = background_start(d->mountpoint);
		if (err) {
			log_error("cannot start a process: %s", strerror(-err));
			return err;
		}
	}
	err = signals_start(on_stop, d);
	if (err) {
		log_error("cannot start a thread: %s", strerror(-err));
		return err;
	}
	err = run(d);
	signals_end();
	return err;
}

/* What nobody else sees yet, and so can be had before there are threads. */
static int prepare(struct daemon *d)
{
	int err;

	err = add_mount_options(d);
	if (!err)
		err = ring_new(d);
	if (err)
		return err;
	d->handles = handles_new();
	d->crew = crew_new();
	d->dma = dma_server_new(d);
	d->pinsets = pinsets_new(d);
	if (!d->handles || !d->crew || !d->dma || !d->pinsets)
		return -ENOMEM;
	return session_new(d, &d->session);
}

static void forget(struct daemon *d)
{
	if (d->session)
		session_free(d->session);
	pinsets_free(d->pinsets);
	dma_server_free(d->dma);
	crew_free(d->crew);
	ring_free(d->ring);
	handles_free(d->handles);
	options_free(&d->opt);
	free(d->mountpoint);
}

int main(int argc, char **argv)
{
	struct daemon d = { .owner = getuid() };
	int err, code = TOOL_DONE;

	log_init(PROGRAM);
	fuselog_start();
	options_parse(&d.opt, argc, argv);
	if (d.opt.debug)
		log_set_level(LOG_LEVEL_DEBUG);
	err = find_mountpoint(&d);
	if (err) {
		code = TOOL_FAILED;
		goto out;
	}
	err = prepare(&d);
	if (err == -EINVAL) {
		code = TOOL_USAGE; /* libfuse has said which option it was */
		goto out;
	}
	if (err)
		log_error("%s", strerror(-err));
	else
		err = start(&d);
	if (err)
		code = TOOL_FAILED;
out:
	forget(&d);
	return code;
}
