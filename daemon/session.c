// SPDX-License-Identifier: BSD-3-Clause
/*
 * The connection to the kernel.
 *
 *                session_mount()       greeting            kernel unmounts
 *   NEW -------------------> MOUNTED ------------> LIVE ----------------> OVER
 *                               |                   |                       ^
 *                               |                   | session_unmount(),    |
 *                               +-------------------+ session_end() --------+
 *
 * The threads are our own rather than fuse_session_loop_mt()'s: that one looks
 * whether it is to end, then sleeps, and an end that is asked for in between is
 * seen with the next request, which never comes on a mount that has been
 * detached while files are open. Here a thread that waits for a request can be
 * cancelled, and one that works on a request cannot.
 *
 * Over io_uring (ring.c) requests come to threads of libfuse's, and only the
 * greeting, interrupts and the end to these.
 */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "handshake.h"
#include "ops.h"
#include "pinsets.h"

/*
 * Of what is read in order: a request. With more, 4 MiB, it is hardly faster, and as
 * much is read around each page that is touched in a mapping.
 */
#define READ_AHEAD_KB 1024u

extern char **environ;

struct worker {
	struct session *session;
	pthread_t thread;
	struct fuse_buf buf;
};

struct session {
	struct daemon *d;
	struct fuse_session *se;
	bool mounted;
	uint64_t mount_id; /* of the mount point once it is live, 0: unknown */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	atomic_bool greeted; /* the greeting is being answered */
	bool live, stop, over; /* lock: what has happened */
	bool told_live, told_stop; /* lock: what session_wait() has said */
	struct worker *worker;
	unsigned int workers;
};

int session_new(struct daemon *d, struct session **out)
{
	struct session *s;

	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->d = d;
	s->se = fuse_session_new(&d->opt.fuse, &daemon_ops, sizeof(daemon_ops),
				 d);
	if (!s->se) {
		free(s);
		return -EINVAL;
	}
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	d->se = s->se;
	*out = s;
	return 0;
}

/* --- events --------------------------------------------------------------- */

static void tell(struct session *s, bool *what)
{
	pthread_mutex_lock(&s->lock);
	*what = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

void session_told(struct session *s)
{
	atomic_store(&s->greeted, true);
}

/* process - handle a request; the kernel has taken the answer when this returns */
static void process(struct session *s, const struct fuse_buf *buf)
{
	fuse_session_process_buf(s->se, buf);
	if (atomic_load_explicit(&s->greeted, memory_order_relaxed) &&
	    atomic_exchange(&s->greeted, false))
		tell(s, &s->live);
}

void session_ask_stop(struct session *s)
{
	tell(s, &s->stop);
}

static enum session_event next_event(struct session *s)
{
	for (;;) {
		if (s->live && !s->told_live) {
			s->told_live = true;
			return SESSION_LIVE;
		}
		if (s->over)
			return SESSION_OVER;
		/* Until it is live, there is nothing that can be unmounted. */
		if (s->stop && s->told_live && !s->told_stop) {
			s->told_stop = true;
			return SESSION_STOP;
		}
		pthread_cond_wait(&s->wake, &s->lock);
	}
}

enum session_event session_wait(struct session *s)
{
	enum session_event ev;

	pthread_mutex_lock(&s->lock);
	ev = next_event(s);
	pthread_mutex_unlock(&s->lock);
	return ev;
}

/* --- threads -------------------------------------------------------------- */

static void *serve(void *arg)
{
	struct worker *w = arg;
	struct session *s = w->session;
	int n, state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	while (!fuse_session_exited(s->se)) {
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
		n = fuse_session_receive_buf(s->se, &w->buf);
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		if (!ring_takes(s->d->ring, &w->buf))
			process(s, &w->buf);
	}
	pinsets_cut(s->d->pinsets);
	tell(s, &s->over);
	return NULL;
}

/*
 * threads_wanted - one a CPU, and twice as many if requests wait for a disk
 *
 * Those that wait for a request take turns, so each one more means that the next
 * finds less of its own in the caches.
 */
static unsigned int threads_wanted(const struct daemon *d)
{
	if (d->opt.threads)
		return d->opt.threads;
	return options_cpus() * (pool_is_persistent(d->pool) ? 1 : 2);
}

static int start_workers(struct session *s)
{
	unsigned int wanted = threads_wanted(s->d);

	s->worker = calloc(wanted, sizeof(*s->worker));
	if (!s->worker) {
		log_error("%s: %s", s->d->mountpoint, strerror(ENOMEM));
		return -ENOMEM;
	}
	for (; s->workers < wanted; s->workers++) {
		struct worker *w = &s->worker[s->workers];

		w->session = s;
		if (pthread_create(&w->thread, NULL, serve, w))
			break;
	}
	if (s->workers == wanted)
		return 0;
	log_error("%s: no more than %u threads can be had; give threads=%u",
		  s->d->mountpoint, s->workers,
		  s->workers > 1 ? s->workers / 2 : 1);
	return -EAGAIN;
}

int session_mount(struct session *s)
{
	int err;

	if (fuse_session_mount(s->se, s->d->mountpoint)) {
		log_error("%s: could not be mounted on; see the message before",
			  s->d->mountpoint);
		return -EIO;
	}
	err = handshake_join(s->se);
	if (!err)
		err = start_workers(s);
	if (err) {
		session_end(s);
		fuse_session_unmount(s->se);
	}
	s->mounted = !err;
	return err;
}

void session_end(struct session *s)
{
	unsigned int i;

	fuse_session_exit(s->se);
	for (i = 0; i < s->workers; i++)
		pthread_cancel(s->worker[i].thread);
	for (i = 0; i < s->workers; i++) {
		pthread_join(s->worker[i].thread, NULL);
		free(s->worker[i].buf.mem);
	}
	s->workers = 0;
}

/*
 * Cut the connection, and have fuse_session_unmount() see that.
 *
 * The mount is gone, and at its place there may be another one by now, which
 * that function would unmount: unless it finds the descriptor in error, as it
 * does with a pipe that nobody reads.
 */
static void cut(struct fuse_session *se)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC))
		return;
	close(fd[0]);
	dup3(fd[1], fuse_session_fd(se), O_CLOEXEC);
	close(fd[1]);
	fuse_session_unmount(se);
}

void session_free(struct session *s)
{
	if (s->mounted)
		cut(s->se);
	fuse_session_destroy(s->se);
	free(s->worker);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* --- the mount, when it is live ------------------------------------------- */

/* look - what is mounted there, with its number; asks no file system anything */
static bool look(const char *path, struct statx *stx)
{
	return statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		     STATX_MNT_ID, stx) == 0 &&
	       stx->stx_mask & STATX_MNT_ID;
}

/* The mount's number at the mount point. */
static uint64_t mount_id(const char *path)
{
	struct statx stx;

	return look(path, &stx) ? stx.stx_mnt_id : 0;
}

/*
 * read_ahead - further than the 128 KiB that the kernel offers in its greeting, and
 * does not let us exceed; only root can
 */
static void read_ahead(unsigned int major, unsigned int minor)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb",
		 major, minor);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || dprintf(fd, "%u", READ_AHEAD_KB) < 0)
		log_debug("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

void session_note_mount(struct session *s)
{
	struct statx stx;

	if (!look(s->d->mountpoint, &stx))
		return;
	s->mount_id = stx.stx_mnt_id;
	read_ahead(stx.stx_dev_major, stx.stx_dev_minor);
}

/* --- unmounting ----------------------------------------------------------- */

static int fusermount(const char *path, const char *how)
{
	char *argv[] = { (char *)"fusermount3", (char *)"-q", (char *)how,
			 (char *)"--",		(char *)path, NULL };
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ))
		return -ENOENT;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -ECHILD;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBUSY;
}

static int unmount(const char *path, bool detach)
{
	if (!umount2(path, UMOUNT_NOFOLLOW | (detach ? MNT_DETACH : 0)))
		return 0;
	if (errno != EPERM)
		return -errno;
	return fusermount(path, detach ? "-uz" : "-u");
}

/* What was stored through shared mappings is still with the kernel. */
static void write_back(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	syncfs(fd);
	close(fd);
}

void session_unmount(struct session *s)
{
	const char *path = s->d->mountpoint;
	int err;

	/* Something else has been mounted over it, or it is detached. */
	if (!s->mount_id || mount_id(path) != s->mount_id)
		return;
	err = unmount(path, false);
	if (!err)
		return;
	log_info("%s: still in use: detached, and cut off for who uses it",
		 path);
	write_back(path);
	err = unmount(path, true);
	if (err)
		log_error("%s: cannot be unmounted: %s; run fusermount3 -u",
			  path, strerror(-err));
}
