// SPDX-License-Identifier: BSD-3-Clause
/*
 * The claim on a pool (L12): an OFD lock on its first bytes.
 *
 * The lock alone is the claim.  It goes when the last reference to the open
 * file description goes, which for a ring that has it registered is when the
 * ring has drained; so a stale claim cannot be.  Who holds it is a courtesy to
 * people: the kernel does not tell (l_pid is -1), therefore /proc is searched
 * for a process with such a lock, and a note says where the pool is mounted.
 *
 * Clients that have the pool mapped for I/O of their own hold a read lock on the
 * byte behind the claim, and register its descriptor with their rings: it tells
 * whether such I/O may still be in flight when there is no mount any more that
 * could know. Who wants to write to the pool waits for it as for the claim.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "pool/pool_i.h"
#include "wire/pinfs_ioctl.h"

#define CLAIM_BYTES    2
#define CLAIM_WAIT_NS  NSEC_PER_SEC
#define CLAIM_RETRY_NS 5000000

struct bytes {
	off_t start;
	off_t len;
};

static const struct bytes claim_bytes = { 0, CLAIM_BYTES };
static const struct bytes guest_bytes = { PINFS_GUEST_BYTE, 1 };

static int ofd_lock(int fd, int cmd, const struct bytes *at, short type,
		    short *held)
{
	struct flock fl = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = at->start,
		.l_len = at->len,
	};

	if (fcntl(fd, cmd, &fl))
		return -errno;
	if (held)
		*held = fl.l_type;
	return 0;
}

/*
 * A ring that drains after its process is gone drops the claim soon, and the
 * kernel offers no wait for a lock that ends by time: this is the one place
 * that looks again and again.
 */
bool claim_wait(uint64_t *deadline)
{
	const struct timespec pause = { .tv_nsec = CLAIM_RETRY_NS };

	if (!*deadline)
		*deadline = now_ns() + CLAIM_WAIT_NS;
	if (now_ns() >= *deadline)
		return false;
	clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	return true;
}

/* look_for_guests - -EAGAIN: somebody has the pool mapped for I/O of his own */
static int look_for_guests(int fd)
{
	short held = F_UNLCK;
	int err = ofd_lock(fd, F_OFD_GETLK, &guest_bytes, F_WRLCK, &held);

	if (err)
		return err;
	return held == F_UNLCK ? 0 : -EAGAIN;
}

int claim_take(int fd, bool shared)
{
	short type = shared ? F_RDLCK : F_WRLCK;
	uint64_t deadline = 0;
	int err;

	do {
		err = ofd_lock(fd, F_OFD_SETLK, &claim_bytes, type, NULL);
		if (!err && !shared)
			err = look_for_guests(fd);
		if (err != -EAGAIN && err != -EACCES)
			return err;
	} while (claim_wait(&deadline));
	return -EBUSY;
}

bool claim_has_guests(int fd)
{
	return look_for_guests(fd) == -EAGAIN;
}

void claim_await_guests(int fd)
{
	while (ofd_lock(fd, F_OFD_SETLKW, &guest_bytes, F_WRLCK, NULL) ==
	       -EINTR)
		;
	ofd_lock(fd, F_OFD_SETLK, &guest_bytes, F_UNLCK, NULL);
}

/* --- looking for the holder in /proc ------------------------------------- */

/* struct sought - a lock: its inode, and where it starts there */
struct sought {
	const struct stat *st;
	off_t start;
};

/* line_names - "lock: 1: OFDLCK ADVISORY WRITE -1 00:1b:INO 0 1"? */
static bool line_names(const char *line, const struct sought *s)
{
	unsigned int dev_major, dev_minor;
	unsigned long n, start;

	return sscanf(line, "lock: %*d: OFDLCK %*s %*s %*d %x:%x:%lu %lu",
		      &dev_major, &dev_minor, &n, &start) == 4 &&
	       n == s->st->st_ino && (off_t)start == s->start;
}

/*
 * fd_holds - has the process's descriptor such a lock?
 *
 * The fdinfo is read first: to stat(2) a descriptor of somebody else's can
 * hang, and few have a lock on an inode of that number.
 */
static bool fd_holds(int proc, const char *pid, const char *fd,
		     const struct sought *s)
{
	bool holds = false;
	char path[600];
	char line[256];
	struct stat at;
	FILE *f;
	int in;

	snprintf(path, sizeof(path), "%s/fdinfo/%s", pid, fd);
	in = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return false;
	f = fdopen(in, "r");
	if (!f) {
		close(in);
		return false;
	}
	while (!holds && fgets(line, sizeof(line), f))
		holds = line_names(line, s);
	fclose(f);
	if (!holds)
		return false;
	snprintf(path, sizeof(path), "%s/fd/%s", pid, fd);
	return !fstatat(proc, path, &at, 0) && at.st_ino == s->st->st_ino &&
	       at.st_dev == s->st->st_dev;
}

static bool process_holds(int proc, const char *pid, const struct sought *s)
{
	bool holds = false;
	struct dirent *de;
	char path[300];
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "%s/fdinfo", pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return false;
	}
	while (!holds && (de = readdir(dir)) != NULL)
		holds = isdigit((unsigned char)de->d_name[0]) &&
			fd_holds(proc, pid, de->d_name, s);
	closedir(dir);
	return holds;
}

/* find_holder - a process that has the lock, or 0 if none is to be seen */
static pid_t find_holder(const struct sought *s)
{
	DIR *proc = opendir("/proc");
	struct dirent *de;
	pid_t pid = 0;

	if (!proc)
		return 0;
	while (!pid && (de = readdir(proc)) != NULL)
		if (isdigit((unsigned char)de->d_name[0]) &&
		    process_holds(dirfd(proc), de->d_name, s))
			pid = (pid_t)strtol(de->d_name, NULL, 10);
	closedir(proc);
	return pid;
}

/* read_text - the start of a file, control characters made harmless */
static int read_text(const char *path, char *buf, size_t size)
{
	ssize_t i, n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	while (n && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	for (i = 0; i < n; i++)
		if (iscntrl((unsigned char)buf[i]))
			buf[i] = '?';
	return 0;
}

/* --- the note ------------------------------------------------------------ */

/* note_path - root's notes are in /run, a user's in the runtime directory */
static int note_path(const struct stat *st, bool system, char *buf, size_t n)
{
	const char *dir = "/run";

	if (!system)
		dir = getenv("XDG_RUNTIME_DIR");
	if (!dir || dir[0] != '/')
		return -ENOENT;
	if (snprintf(buf, n, "%s/pinfs/%u:%u:%lu", dir, major(st->st_dev),
		     minor(st->st_dev), st->st_ino) >= (int)n)
		return -ENAMETOOLONG;
	return 0;
}

static int write_note(char *path, const char *text)
{
	char *slash = strrchr(path, '/');
	int err = 0;
	ssize_t n;
	int fd;

	*slash = '\0';
	if (mkdir(path, 0755) && errno != EEXIST)
		err = -errno;
	*slash = '/';
	if (err)
		return err;
	/* A stale one may be there, of a daemon that was killed. */
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	if (n != (ssize_t)strlen(text)) {
		err = -EIO;
		unlink(path);
	}
	close(fd);
	return err;
}

int claim_note(int fd, const char *mountpoint, char **note)
{
	char path[300];
	char text[512];
	struct stat st;
	int system;
	int err;

	if (fstat(fd, &st))
		return -errno;
	snprintf(text, sizeof(text), "%s, pid %d, mounted on %s\n",
		 program_invocation_short_name, (int)getpid(), mountpoint);
	for (system = 1; system >= 0; system--) {
		err = note_path(&st, system, path, sizeof(path));
		if (!err)
			err = write_note(path, text);
		if (!err)
			break;
	}
	if (err)
		return err;
	*note = strdup(path);
	if (!*note) {
		unlink(path);
		return -ENOMEM;
	}
	return 0;
}

/* read_note - its text and the pid in it; 0 if there is none to be had */
static pid_t read_note(const struct stat *st, char *text, size_t size)
{
	char path[300];
	const char *at;
	int system;

	for (system = 1; system >= 0; system--) {
		if (note_path(st, system, path, sizeof(path)) ||
		    read_text(path, text, size))
			continue;
		at = strstr(text, ", pid ");
		if (at)
			return (pid_t)strtol(at + 6, NULL, 10);
	}
	text[0] = '\0';
	return 0;
}

static void read_comm(pid_t pid, char *comm, size_t size)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	if (read_text(path, comm, size))
		comm[0] = '\0';
}

/* describe - what the holder and the note say together */
static void describe(struct pool_owner *o, pid_t holder, const struct stat *st)
{
	char text[400];
	pid_t noted = read_note(st, text, sizeof(text));

	o->pid = holder ? holder : noted;
	if (o->pid)
		read_comm(o->pid, o->comm, sizeof(o->comm));
	if (noted && (!holder || noted == holder)) {
		bool gone = kill(noted, 0) && errno == ESRCH;

		snprintf(o->text, sizeof(o->text), "%s%s", text,
			 gone ? " (ended, but its last I/O has not)" : "");
	} else if (holder) {
		snprintf(o->text, sizeof(o->text), "%s, pid %d",
			 o->comm[0] ? o->comm : "a process", (int)holder);
	}
}

/* describe_guest - the mount has gone, but not the I/O of who used it */
static void describe_guest(struct pool_owner *o, pid_t holder)
{
	o->pid = holder;
	if (holder)
		read_comm(holder, o->comm, sizeof(o->comm));
	snprintf(o->text, sizeof(o->text),
		 "%s, pid %d, which has it mapped for I/O of its own",
		 o->comm[0] ? o->comm : "a client", (int)holder);
}

int claim_owner(int fd, const struct stat *st, struct pool_owner *owner)
{
	const struct sought claim = { st, claim_bytes.start };
	const struct sought guest = { st, guest_bytes.start };
	short held = F_UNLCK;
	int err;

	memset(owner, 0, sizeof(*owner));
	err = ofd_lock(fd, F_OFD_GETLK, &claim_bytes, F_WRLCK, &held);
	if (err)
		return err;
	if (held != F_UNLCK)
		describe(owner, find_holder(&claim), st);
	else if (claim_has_guests(fd))
		describe_guest(owner, find_holder(&guest));
	else
		return -ENOENT;
	return 0;
}
