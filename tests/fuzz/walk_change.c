// SPDX-License-Identifier: BSD-3-Clause
/* Operations on whatever a damaged file system has, some of it pinned. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/fs_rig.h"
#include "base/util.h"
#include "walk.h"

#define OPS 16u

/* struct ops - operations under way; those on pinned files wait */
struct ops {
	struct walk *w;
	uint64_t random;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	unsigned int waiting; /* lock */
};

static uint64_t draw(struct ops *o, uint64_t below)
{
	o->random = o->random * 6364136223846793005ull + 1442695040888963407ull;
	return (o->random >> 33) % below;
}

static uint64_t any_node(struct ops *o)
{
	return o->w->node[draw(o, o->w->nodes)];
}

static uint64_t any_offset(struct ops *o)
{
	static const uint64_t some[] = {
		0, 1, 4096, 8192, 20480, 65536, 1 << 20, 12288000, 1ull << 40,
	};

	return some[draw(o, ARRAY_SIZE(some))] + draw(o, 2) * draw(o, 9000);
}

/* --- layout changes ------------------------------------------------------------------ */

struct change {
	struct fs_change ch;
	struct ops *ops;
};

static void change_over(struct fs_change *ch, int err)
{
	struct change *c = container_of(ch, struct change, ch);
	struct ops *o = c->ops;

	(void)err;
	free(c);
	pthread_mutex_lock(&o->lock);
	o->waiting--;
	pthread_cond_signal(&o->wake);
	pthread_mutex_unlock(&o->lock);
}

static void change_layout(struct ops *o)
{
	struct change *c = calloc(1, sizeof(*c));

	if (!c)
		return;
	c->ops = o;
	c->ch.kind = (enum pinfs_change)draw(o, PINFS_CHANGE_INSERT_RANGE + 1);
	c->ch.offset = any_offset(o);
	c->ch.length = any_offset(o);
	if (draw(o, 2)) {
		c->ch.offset = round_down_u64(c->ch.offset, PINFS_BLOCK_SIZE);
		c->ch.length = round_up_u64(c->ch.length + 1, PINFS_BLOCK_SIZE);
	}
	c->ch.flags = draw(o, 2) ? FS_CHANGE_KEEP_SIZE : 0;
	c->ch.done = change_over;
	if (fs_change_init(o->w->fs, any_node(o), &c->ch)) {
		free(c);
		return;
	}
	pthread_mutex_lock(&o->lock);
	o->waiting++;
	pthread_mutex_unlock(&o->lock);
	fs_change_start(&c->ch);
}

static void await_changes(struct ops *o)
{
	pthread_mutex_lock(&o->lock);
	while (o->waiting)
		pthread_cond_wait(&o->wake, &o->lock);
	pthread_mutex_unlock(&o->lock);
}

/* --- names, attributes, bytes ---------------------------------------------------------- */

struct first_name {
	char name[256];
	uint64_t skip;
};

static int take_name(void *arg, const struct fs_dirent *d)
{
	struct first_name *f = arg;

	if (d->name[strspn(d->name, ".")])
		strcpy(f->name, d->name);
	return f->name[0] && f->skip-- == 0;
}

/* any_name - some name of a directory, or one that is not there */
static const char *any_name(struct ops *o, struct first_name *f, uint64_t dir)
{
	f->name[0] = '\0';
	f->skip = draw(o, 20);
	(void)fs_readdir(o->w->fs, dir, 0, false, take_name, f);
	if (!f->name[0] || draw(o, 4) == 0)
		snprintf(f->name, sizeof(f->name), "new%llu",
			 (unsigned long long)draw(o, 5));
	return f->name;
}

static void change_names(struct ops *o)
{
	struct first_name a, b;
	uint64_t dir = o->w->node[draw(o, 2) * draw(o, o->w->nodes)];
	uint64_t to = draw(o, 2) ? dir : any_node(o);
	const char *name = any_name(o, &a, dir);
	const char *other = any_name(o, &b, to);
	struct fs_caller who = { 0 };
	struct fs *fs = o->w->fs;
	struct fs_entry e;

	switch (draw(o, 8)) {
	case 0:
	case 1:
		(void)fs_unlink(fs, dir, name);
		break;
	case 2:
		(void)fs_rmdir(fs, dir, name);
		break;
	case 3:
		(void)fs_rename(fs, dir, name, to, other,
				(unsigned int)draw(o, 3));
		break;
	case 4:
		(void)fs_link(fs, any_node(o), dir, "linked", &e);
		break;
	case 5:
		(void)fs_mkdir(fs, dir, "made", 0755, &who, &e);
		break;
	case 6:
		(void)fs_symlink(fs, dir, "symlink", "target", &who, &e);
		break;
	default:
		(void)fs_mknod(fs, dir, "file", S_IFREG | 0644, 0, &who, &e,
			       NULL, 0);
	}
}

static void change_attributes(struct ops *o)
{
	struct stat st = { .st_mode = 0600, .st_uid = 7 }, out;
	uint64_t node = any_node(o);
	struct fs *fs = o->w->fs;
	static char value[20000];

	switch (draw(o, 4)) {
	case 0:
		(void)fs_setattr(fs, node, &st,
				 FS_SET_MODE | FS_SET_UID | FS_SET_MTIME_NOW,
				 &out);
		break;
	case 1:
		(void)fs_setxattr(fs, node, "user.new", value,
				  draw(o, sizeof(value)), 0);
		break;
	case 2:
		(void)fs_removexattr(fs, node, "user.large");
		break;
	default:
		(void)fs_set_flags(fs, node, draw(o, 64));
	}
}

/* change_bytes - what is stored may turn out to be metadata's block */
static void change_bytes(struct ops *o)
{
	static uint64_t buf[4000];
	struct fs *fs = o->w->fs;
	struct fs_file *file, *from;

	for (size_t i = 0; i < ARRAY_SIZE(buf); i++)
		buf[i] = draw(o, 3) ? draw(o, 40000) : draw(o, 1u << 31) << 33;
	if (fs_file_open(fs, any_node(o), O_RDWR, &file))
		return;
	(void)fs_write(fs, file, buf, draw(o, sizeof(buf)), any_offset(o));
	if (!fs_file_open(fs, any_node(o), O_RDWR, &from)) {
		(void)fs_copy_range(fs, from, any_offset(o), file,
				    any_offset(o), 20000);
		fs_file_release(fs, from);
	}
	(void)fs_fsync(fs, file);
	fs_file_release(fs, file);
}

static void change_any(struct ops *o)
{
	switch (draw(o, 5)) {
	case 0:
	case 1:
		change_layout(o);
		break;
	case 2:
		change_names(o);
		break;
	case 3:
		change_attributes(o);
		break;
	default:
		change_bytes(o);
	}
}

/* --- pins --------------------------------------------------------------------------------- */

/* struct pinned - a file that a device is at work with */
struct pinned {
	struct pin_set *set;
	struct inode *ip;
	uint64_t off, len;
	bool from_device;
};

static int pin(struct ops *o, struct pinned *p)
{
	struct admission a = { .granted = NULL };
	const struct pinned_run *runs;
	uint64_t first = p->off / PINFS_BLOCK_SIZE;
	uint64_t count = div_round_up(p->len, PINFS_BLOCK_SIZE);
	size_t n;
	int err = layout_admit(p->set, p->ip, first, count, &a);

	if (!err && p->from_device)
		err = fs_dma_prepare(o->w->fs, p->ip, p->off, p->len);
	if (!err)
		err = layout_pin(p->set, p->ip, first, count, &runs, &n);
	return err;
}

/* pin_any - nothing is under way yet, so it need not wait */
static void pin_any(struct ops *o, struct pinned *p)
{
	struct pin_options opt = { .direction = PINFS_TO_DEVICE };

	*p = (struct pinned){
		.off = draw(o, 8) * PINFS_BLOCK_SIZE,
		.len = (draw(o, 8) + 1) * PINFS_BLOCK_SIZE,
		.from_device = draw(o, 2),
	};
	if (p->from_device)
		opt.direction = PINFS_FROM_DEVICE;
	if (pin_set_begin(fs_layouts(o->w->fs), &opt, &p->set))
		return;
	if (fs_inode(o->w->fs, any_node(o), &p->ip))
		p->ip = NULL;
	if (p->ip && S_ISREG(inode_mode(p->ip, NULL)) && pin(o, p))
		p->from_device = false;
}

static void unpin(struct ops *o, struct pinned *p)
{
	if (p->ip && p->from_device && S_ISREG(inode_mode(p->ip, NULL)))
		(void)fs_dma_finish(o->w->fs, p->ip, p->off, p->len,
				    p->off + p->len / 2);
	pin_set_free(p->set);
	inode_put(p->ip);
}

void walk_change(struct walk *w, uint64_t seed)
{
	struct ops o = { .w = w, .random = seed };
	struct pinned p;

	pthread_mutex_init(&o.lock, NULL);
	pthread_cond_init(&o.wake, NULL);
	pin_any(&o, &p);
	for (unsigned int i = 0; i < OPS; i++)
		change_any(&o);
	unpin(&o, &p);
	await_changes(&o);
	pthread_cond_destroy(&o.wake);
	pthread_mutex_destroy(&o.lock);
}
