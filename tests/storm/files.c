// SPDX-License-Identifier: BSD-3-Clause
/* The storm's files: a name that can be seen has a file that knows its id. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "storm.h"

#define STALE_TRIES 10

void name_of(unsigned int number, char name[16])
{
	snprintf(name, 16, "f%u", number);
}

bool allowed(int err, const int *list)
{
	while (*list && *list != err)
		list++;
	return *list != 0;
}

static uint64_t new_id(struct proc *p)
{
	return (p->st->epoch & 0xffffff) << 40 | (uint64_t)p->index << 32 |
	       ++p->made << 1 | (chance(p, 50) ? ID_SHIFTS : 0);
}

/*
 * target_make - create under a name of the process's own, and rename over: so
 * nobody ever sees a file without its id
 */
bool target_make(struct proc *p, unsigned int number)
{
	static const int full[] = { ENOSPC, 0 };
	uint64_t id = new_id(p);
	char temp[16], name[16];
	int fd, err = 0;

	snprintf(temp, sizeof(temp), "t%u", p->index);
	name_of(number, name);
	fd = openat(p->st->dir, temp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
		    0644);
	if (fd < 0)
		err = errno;
	else if (fsetxattr(fd, XATTR, &id, sizeof(id), 0) ||
		 renameat(p->st->dir, temp, p->st->dir, name))
		err = errno;
	if (fd >= 0)
		close(fd);
	if (err && !allowed(err, full))
		broken(p, "making %s: %s", name, strerror(err));
	return !err;
}

static int look(struct target *t)
{
	struct stat st;
	ssize_t n = fgetxattr(t->fd, XATTR, &t->id, sizeof(t->id));

	if (n != sizeof(t->id))
		return n < 0 ? errno : EBADMSG;
	if (fstat(t->fd, &st))
		return errno;
	t->size = (uint64_t)st.st_size;
	return 0;
}

bool target_open(struct proc *p, int flags, struct target *t)
{
	char name[16];
	int err, tries = 0;

	t->number = (unsigned int)draw(p, p->st->files);
	name_of(t->number, name);
	do {
		t->fd = openat(p->st->dir, name, flags | O_CLOEXEC);
		if (t->fd < 0 && errno == ENOENT && !target_make(p, t->number))
			return false;
		/* ESTALE: somebody has unlinked it between lookup and open. */
	} while (t->fd < 0 && (errno == ENOENT || errno == EINTR ||
			       (errno == ESTALE && ++tries < STALE_TRIES)));
	/* With O_TRUNC: a full pool may not even do that on an old record. */
	if (t->fd < 0 && errno == ENOSPC)
		return false;
	if (t->fd < 0)
		broken(p, "opening %s: %s", name, strerror(errno));
	err = look(t);
	if (err)
		broken(p, "%s: its id: %s", name, strerror(err));
	return true;
}

void target_close(struct target *t)
{
	close(t->fd);
}
