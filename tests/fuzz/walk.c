// SPDX-License-Identifier: BSD-3-Clause
/* Looking at all that a file system has. */
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../unit/fs_rig.h"
#include "base/util.h"

#define LISTINGS 8u /* directories may go in circles */
#define NAMES	 512u /* of one listing */
#define NAME_LEN 256u

/* did - count an error */
static bool did(struct walk *w, int64_t err)
{
	w->errors += err < 0;
	return err >= 0;
}

/* --- one node -------------------------------------------------------------------- */

static void look_at_xattrs(struct walk *w, uint64_t node)
{
	static char list[65536], value[65536];
	ssize_t n = fs_listxattr(w->fs, node, list, sizeof(list));

	if (!did(w, n))
		return;
	did(w, fs_listxattr(w->fs, node, NULL, 0));
	for (char *name = list; name < list + n; name += strlen(name) + 1)
		did(w, fs_getxattr(w->fs, node, name, value, sizeof(value)));
}

static void read_at(struct walk *w, struct fs_file *file, uint64_t off,
		    size_t size)
{
	static struct fs_read r;

	if (!did(w, fs_read_begin(w->fs, file, off, size, &r)))
		return;
	for (int i = 0; i < r.count; i++)
		for (size_t k = 0; k < r.iov[i].iov_len; k += 61)
			w->sum += ((const uint8_t *)r.iov[i].iov_base)[k];
	fs_read_end(&r);
}

static void look_at_map(struct walk *w, struct fs_file *file)
{
	static struct pinfs_ioc_map io;

	io.cursor = 0;
	if (!did(w, fs_map(w->fs, file, &io)))
		return;
	for (uint32_t k = 0; k < io.count; k += 50)
		read_at(w, file, io.extent[k].logical + 5, 5000);
	did(w, fs_map(w->fs, file, &io));
}

static void look_at_file(struct walk *w, uint64_t node, uint64_t size)
{
	struct fs_file *file;

	if (!did(w, fs_file_open(w->fs, node, O_RDONLY, &file)))
		return;
	look_at_map(w, file);
	read_at(w, file, 0, 100000);
	read_at(w, file, size - min_u64(size, 5000), 10000);
	did(w, fs_lseek(w->fs, file, 0, SEEK_HOLE));
	did(w, fs_lseek(w->fs, file, size / 2, SEEK_DATA));
	fs_file_release(w->fs, file);
}

static void look_at(struct walk *w, uint64_t node)
{
	char target[PINFS_SYMLINK_MAX + 1], path[4096];
	struct stat st;
	uint64_t flags;

	if (!did(w, fs_getattr(w->fs, node, &st)))
		return;
	look_at_xattrs(w, node);
	did(w, fs_get_flags(w->fs, node, &flags));
	if (S_ISREG(st.st_mode))
		look_at_file(w, node, (uint64_t)st.st_size);
	else if (S_ISLNK(st.st_mode) &&
		 did(w, fs_readlink(w->fs, node, target)))
		w->sum += strlen(target);
	fs_path(fs_volume(w->fs), st.st_ino, path, sizeof(path));
}

/* --- names ------------------------------------------------------------------------ */

struct listing {
	char name[NAMES][NAME_LEN];
	unsigned int names;
	uint64_t next;
};

static int list_one(void *arg, const struct fs_dirent *d)
{
	struct listing *l = arg;

	if (l->names == NAMES)
		return 1;
	strcpy(l->name[l->names++], d->name);
	l->next = d->next;
	return 0;
}

static void note_node(struct walk *w, uint64_t node)
{
	for (unsigned int i = 0; i < w->nodes; i++)
		if (w->node[i] == node)
			return;
	if (w->nodes < WALK_NODES)
		w->node[w->nodes++] = node;
}

static void look_at_dir(struct walk *w, uint64_t dir)
{
	static struct listing l;
	struct fs_entry e;

	l.names = 0;
	did(w, fs_readdir(w->fs, dir, 0, true, list_one, &l));
	w->names += l.names;
	/* "." and ".." are the kernel's; of very many names some will do. */
	for (unsigned int i = 0; i < l.names; i += 1 + l.names / 64)
		if (l.name[i][strspn(l.name[i], ".")] &&
		    did(w, fs_lookup(w->fs, dir, l.name[i], &e)))
			note_node(w, e.node);
	l.names = 0;
	did(w, fs_readdir(w->fs, dir, l.next, false, list_one, &l));
}

void walk(struct walk *w, struct fs *fs)
{
	unsigned int listings = 0;
	struct statvfs sv;
	struct stat st;

	*w = (struct walk){ .fs = fs, .node = { ROOT }, .nodes = 1 };
	for (unsigned int i = 0; i < w->nodes; i++) {
		look_at(w, w->node[i]);
		if (!fs_getattr(fs, w->node[i], &st) && S_ISDIR(st.st_mode) &&
		    listings++ < LISTINGS)
			look_at_dir(w, w->node[i]);
	}
	did(w, fs_statfs(fs, &sv));
}
