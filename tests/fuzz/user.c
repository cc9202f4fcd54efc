// SPDX-License-Identifier: BSD-3-Clause
/* What a user does with files, and what the kernel makes of it. */
#include "user.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"
#include "kernel.h"
#include "wire/pinfs_ioctl.h"

#define FILES	  16u
#define IO_MAX	  65536u
#define IOCTL_MAX 16384u /* of an ioctl, as FUSE has it */

struct open_file {
	uint64_t node, fh;
	bool open, is_dir;
};

static struct {
	struct daemon *d;
	struct open_file file[FILES];
	uint64_t last; /* request */
	/* What was given out: */
	uint64_t asked_begin, asked_ticket; /* requests */
	uint64_t id, key;
	uint8_t ticket[16];
} user;

static const char *const names[] = {
	"few",	     "deep",	  "unwritten", "dir",  "many",
	"changing0", "changing1", "short",     "long", "new",
};

static uint64_t number(const struct command *c, unsigned int i)
{
	return le64_to_cpu(c->number[i]);
}

/* offset_in - of a file, as the kernel lets through */
static uint64_t offset_in(const struct command *c, unsigned int i)
{
	return number(c, i) & INT64_MAX;
}

static struct open_file *file_of(const struct command *c)
{
	struct open_file *f = &user.file[c->file % FILES];

	return f->open ? f : &user.file[0];
}

/* --- names and opening ---------------------------------------------------------- */

static uint64_t lookup(uint64_t dir, const char *name)
{
	const struct fuse_entry_out *e;
	struct kernel_answer a;

	user.last =
		kernel_ask(FUSE_LOOKUP, dir, name, strlen(name) + 1, NULL, 0);
	if (!kernel_answer(user.last, &a) || a.err)
		return 0;
	e = (const void *)a.bytes;
	return e->nodeid;
}

static void open_node(struct open_file *f, uint64_t node, bool is_dir,
		      uint32_t flags)
{
	struct fuse_open_in in = { .flags = flags };
	struct kernel_answer a;

	user.last = kernel_ask(is_dir ? FUSE_OPENDIR : FUSE_OPEN, node, &in,
			       sizeof(in), NULL, 0);
	if (!kernel_answer(user.last, &a) || a.err)
		return;
	*f = (struct open_file){
		.node = node,
		.fh = ((const struct fuse_open_out *)a.bytes)->fh,
		.open = true,
		.is_dir = is_dir,
	};
}

static void open_name(struct open_file *f, const char *name, uint32_t flags)
{
	uint64_t node = lookup(FUSE_ROOT_ID, name);
	bool is_dir = !strcmp(name, "dir") || !strcmp(name, "many");

	/* The kernel follows links, and opens what they lead to. */
	if (node && strcmp(name, "short") && strcmp(name, "long"))
		open_node(f, node, is_dir, is_dir ? O_RDONLY : flags);
}

static void release(struct open_file *f)
{
	struct fuse_release_in in = { .fh = f->fh };

	if (!f->open)
		return;
	f->open = false;
	user.last = kernel_ask(f->is_dir ? FUSE_RELEASEDIR : FUSE_RELEASE,
			       f->node, &in, sizeof(in), NULL, 0);
}

static void do_open(const struct command *c)
{
	struct open_file *f = &user.file[c->file % FILES];

	if (!f->open)
		open_name(f, names[c->which % ARRAY_SIZE(names)],
			  (uint32_t)number(c, 0) & (O_ACCMODE | O_APPEND));
}

static void do_release(const struct command *c)
{
	/* The root stays. */
	if (c->file % FILES)
		release(&user.file[c->file % FILES]);
}

/* text_of - the command's text as a name that the kernel lets through */
static size_t text_of(const struct command *c, char *to)
{
	size_t n = strnlen((const char *)c->text, sizeof(c->text));

	memcpy(to, c->text, n);
	for (size_t i = 0; i < n; i++)
		if (to[i] == '/')
			to[i] = '_';
	if (n == 0 || !strspn(to, "."))
		to[n++] = 'x';
	if (to[0] == '.')
		to[0] = 'x';
	to[n] = '\0';
	return n + 1;
}

static void do_name(const struct command *c)
{
	char name[2 * sizeof(c->text) + 8], *end;
	uint64_t dir = file_of(c)->is_dir ? file_of(c)->node : FUSE_ROOT_ID;
	struct fuse_mkdir_in md = { .mode = (uint32_t)number(c, 0) & 07777 };
	struct fuse_mknod_in mn = { .mode = md.mode | S_IFREG };
	struct fuse_link_in ln = { .oldnodeid = file_of(c)->node };
	struct fuse_rename2_in rn = { .newdir = FUSE_ROOT_ID,
				      .flags = (uint32_t)number(c, 1) };
	size_t n = text_of(c, name);

	end = name + n;
	switch (c->which % 7) {
	case 0:
		user.last =
			kernel_ask(FUSE_MKNOD, dir, &mn, sizeof(mn), name, n);
		break;
	case 1:
		user.last =
			kernel_ask(FUSE_MKDIR, dir, &md, sizeof(md), name, n);
		break;
	case 2:
		user.last = kernel_ask(FUSE_UNLINK, dir, name, n, NULL, 0);
		break;
	case 3:
		user.last = kernel_ask(FUSE_RMDIR, dir, name, n, NULL, 0);
		break;
	case 4:
		if (!file_of(c)->is_dir)
			user.last = kernel_ask(FUSE_LINK, dir, &ln, sizeof(ln),
					       name, n);
		break;
	case 5:
		memcpy(end, "to", 3);
		user.last = kernel_ask(FUSE_SYMLINK, dir, name, n + 3, NULL, 0);
		break;
	default:
		memcpy(end, "few", 4);
		user.last = kernel_ask(FUSE_RENAME2, dir, &rn, sizeof(rn), name,
				       n + 4);
	}
}

/* --- open files ------------------------------------------------------------------- */

static void do_fallocate(const struct command *c)
{
	const struct open_file *f = file_of(c);
	struct fuse_fallocate_in in = {
		.fh = f->fh,
		.offset = offset_in(c, 0),
		.length = offset_in(c, 1),
		.mode = c->which,
	};

	if (!f->is_dir && in.length && in.length <= INT64_MAX - in.offset)
		user.last = kernel_ask(FUSE_FALLOCATE, f->node, &in, sizeof(in),
				       NULL, 0);
}

static void do_truncate(const struct command *c)
{
	const struct open_file *f = file_of(c);
	struct fuse_setattr_in in = {
		.valid = FATTR_SIZE | c->which,
		.size = offset_in(c, 0),
		.mode = (uint32_t)number(c, 1) & 07777,
		.uid = (uint32_t)number(c, 2),
		.mtime = number(c, 3),
	};

	if (!f->is_dir)
		user.last = kernel_ask(FUSE_SETATTR, f->node, &in, sizeof(in),
				       NULL, 0);
}

static void do_lseek(const struct command *c)
{
	const struct open_file *f = file_of(c);
	struct fuse_lseek_in in = {
		.fh = f->fh,
		.offset = offset_in(c, 0),
		.whence = c->which % 2 ? SEEK_DATA : SEEK_HOLE,
	};

	if (!f->is_dir)
		user.last = kernel_ask(FUSE_LSEEK, f->node, &in, sizeof(in),
				       NULL, 0);
}

static void do_copy(const struct command *c)
{
	const struct open_file *f = file_of(c);
	const struct open_file *to = &user.file[c->which % FILES];
	struct fuse_copy_file_range_in in = {
		.fh_in = f->fh,
		.off_in = offset_in(c, 0),
		.nodeid_out = to->node,
		.fh_out = to->fh,
		.off_out = offset_in(c, 1),
		.len = number(c, 2) % (4u << 20),
	};

	if (to->open && !to->is_dir && !f->is_dir)
		user.last = kernel_ask(FUSE_COPY_FILE_RANGE, f->node, &in,
				       sizeof(in), NULL, 0);
}

static void do_read(const struct command *c)
{
	const struct open_file *f = file_of(c);
	struct fuse_read_in in = {
		.fh = f->fh,
		.offset = offset_in(c, 0),
		.size = le32_to_cpu(c->size) % (1u << 20),
	};

	if (!f->is_dir)
		user.last = kernel_ask(FUSE_READ, f->node, &in, sizeof(in),
				       NULL, 0);
}

static void do_readdir(const struct command *c)
{
	const struct open_file *f = file_of(c);
	struct fuse_read_in in = {
		.fh = f->fh,
		.offset = number(c, 0),
		.size = le32_to_cpu(c->size) % (1u << 17),
	};

	if (f->is_dir)
		user.last = kernel_ask(c->which % 2 ? FUSE_READDIRPLUS :
						      FUSE_READDIR,
				       f->node, &in, sizeof(in), NULL, 0);
}

static void do_write(const struct command *c)
{
	static const uint8_t bytes[IO_MAX];
	const struct open_file *f = file_of(c);
	struct fuse_write_in in = {
		.fh = f->fh,
		.offset = offset_in(c, 0),
		.size = le32_to_cpu(c->size) % IO_MAX,
	};

	if (!f->is_dir && in.size <= INT64_MAX - in.offset)
		user.last = kernel_ask(FUSE_WRITE, f->node, &in, sizeof(in),
				       bytes, in.size);
}

static void do_xattr(const struct command *c)
{
	static uint8_t body[IO_MAX + 64];
	const struct open_file *f = file_of(c);
	struct fuse_getxattr_in get = { .size = le32_to_cpu(c->size) %
						(IO_MAX + 1) };
	struct fuse_setxattr_in set = {
		.size = get.size,
		.flags = (uint32_t)number(c, 0) % 3,
	};
	char name[sizeof(c->text) + 8] = "user.";
	size_t n = 5 + text_of(c, name + 5);

	switch (c->which % 4) {
	case 0:
		user.last = kernel_ask(FUSE_GETXATTR, f->node, &get,
				       sizeof(get), name, n);
		break;
	case 1:
		user.last = kernel_ask(FUSE_LISTXATTR, f->node, &get,
				       sizeof(get), NULL, 0);
		break;
	case 2:
		user.last =
			kernel_ask(FUSE_REMOVEXATTR, f->node, name, n, NULL, 0);
		break;
	default:
		memcpy(body, name, n);
		/* As without FUSE_SETXATTR_EXT: the flags that came later not. */
		user.last = kernel_ask(FUSE_SETXATTR, f->node, &set,
				       FUSE_COMPAT_SETXATTR_IN_SIZE, body,
				       n + set.size);
	}
}

/* do_handle - who has the right to may name any node, and generation */
static void do_handle(const struct command *c)
{
	uint64_t node = number(c, 0);
	struct fuse_getattr_in in = { .getattr_flags = 0 };

	if (node && lookup(node, "."))
		user.last = kernel_ask(FUSE_GETATTR, node, &in, sizeof(in),
				       NULL, 0);
	if (c->which % 2 && node)
		user.last = kernel_ask(FUSE_READLINK, node, NULL, 0, NULL, 0);
}

/* --- ioctl --------------------------------------------------------------------------- */

static const unsigned int ioctls[IOCTLS] = {
	[IOCTL_INFO] = PINFS_IOC_INFO,
	[IOCTL_MAP] = PINFS_IOC_MAP,
	[IOCTL_PINS] = PINFS_IOC_PINS,
	[IOCTL_BREAKS] = PINFS_IOC_BREAKS,
	[IOCTL_STATS] = PINFS_IOC_STATS,
	[IOCTL_COLLAPSE] = PINFS_IOC_COLLAPSE,
	[IOCTL_INSERT] = PINFS_IOC_INSERT,
	[IOCTL_DMA] = PINFS_IOC_DMA,
	[IOCTL_CANCEL] = PINFS_IOC_CANCEL,
	[IOCTL_TRACE] = PINFS_IOC_TRACE,
	[IOCTL_PIN_BEGIN] = PINFS_IOC_PIN_BEGIN,
	[IOCTL_PIN_EXTEND] = PINFS_IOC_PIN_EXTEND,
	[IOCTL_PIN_EXTENTS] = PINFS_IOC_PIN_EXTENTS,
	[IOCTL_PIN_END] = PINFS_IOC_PIN_END,
	[IOCTL_GETFLAGS] = FS_IOC_GETFLAGS,
	[IOCTL_SETFLAGS] = FS_IOC_SETFLAGS,
	[IOCTL_FSGETXATTR] = FS_IOC_FSGETXATTR,
	[IOCTL_FSSETXATTR] = FS_IOC_FSSETXATTR,
};

/* learn - what the answers to the last begin, and the last ticket, have said */
static void learn(void)
{
	struct pinfs_ioc_pin_begin begin;
	struct pinfs_ioc_dma dma;
	struct kernel_answer a;
	size_t head = sizeof(struct fuse_ioctl_out);

	if (kernel_answer(user.asked_begin, &a) && !a.err &&
	    a.size >= head + sizeof(begin)) {
		memcpy(&begin, a.bytes + head, sizeof(begin));
		user.id = begin.id;
		user.key = begin.key;
	}
	if (kernel_answer(user.asked_ticket, &a) && !a.err &&
	    a.size >= head + sizeof(dma)) {
		memcpy(&dma, a.bytes + head, sizeof(dma));
		memcpy(user.ticket, dma.ticket, sizeof(dma.ticket));
	}
}

static unsigned int ioctl_of(const struct command *c)
{
	if (c->flags & COMMAND_RAW)
		return (unsigned int)number(c, 5);
	return ioctls[c->which % IOCTLS];
}

/* do_ioctl - sizes are what the number says, as in the kernel */
static void do_ioctl(const struct command *c)
{
	static uint8_t arg[IOCTL_MAX];
	const struct open_file *f = file_of(c);
	unsigned int cmd = ioctl_of(c), size = _IOC_SIZE(cmd);
	struct fuse_ioctl_in in = {
		.fh = f->fh,
		.flags = f->is_dir ? FUSE_IOCTL_DIR : 0,
		.cmd = cmd,
	};

	/* These two are said to take a long; the kernel knows better. */
	if (cmd == FS_IOC_GETFLAGS || cmd == FS_IOC_SETFLAGS)
		size = sizeof(int);
	if (_IOC_DIR(cmd) & _IOC_WRITE)
		in.in_size = size;
	if (_IOC_DIR(cmd) & _IOC_READ)
		in.out_size = size;
	memset(arg, 0, sizeof(arg));
	memcpy(arg, c->number, sizeof(c->number));
	memcpy(arg + sizeof(c->number), c->text, sizeof(c->text));
	if (c->flags & COMMAND_IDS && cmd != PINFS_IOC_PIN_BEGIN) {
		learn();
		memcpy(arg, &user.id, sizeof(user.id));
		memcpy(arg + sizeof(user.id), &user.key, sizeof(user.key));
	}
	user.last = kernel_ask(FUSE_IOCTL, f->node, &in, sizeof(in), arg,
			       in.in_size);
	if (cmd == PINFS_IOC_PIN_BEGIN)
		user.asked_begin = user.last;
	else if (cmd == PINFS_IOC_DMA)
		user.asked_ticket = user.last;
}

/* --- all of it ------------------------------------------------------------------------ */

static void do_interrupt(const struct command *c)
{
	(void)c;
	if (user.last)
		kernel_interrupt(user.last);
}

static void do_dma(const struct command *c)
{
	learn();
	user_dma(user.d, c, user.ticket);
}

void user_does(const struct command *c)
{
	static void (*const verbs[VERBS])(const struct command *c) = {
		[VERB_IOCTL] = do_ioctl,
		[VERB_OPEN] = do_open,
		[VERB_RELEASE] = do_release,
		[VERB_FALLOCATE] = do_fallocate,
		[VERB_TRUNCATE] = do_truncate,
		[VERB_LSEEK] = do_lseek,
		[VERB_COPY] = do_copy,
		[VERB_READ] = do_read,
		[VERB_WRITE] = do_write,
		[VERB_READDIR] = do_readdir,
		[VERB_XATTR] = do_xattr,
		[VERB_NAME] = do_name,
		[VERB_HANDLE] = do_handle,
		[VERB_INTERRUPT] = do_interrupt,
		[VERB_DMA] = do_dma,
		[VERB_CANCEL] = user_dma_cancel,
		[VERB_HANG_UP] = user_dma_hang_up,
	};

	verbs[c->verb % VERBS](c);
}

void user_begin(struct daemon *d)
{
	memset(&user, 0, sizeof(user));
	user.d = d;
	kernel_connect(d);
	open_node(&user.file[0], FUSE_ROOT_ID, true, O_RDONLY);
	open_name(&user.file[1], "few", O_RDWR);
	open_name(&user.file[2], "deep", O_RDWR);
	open_name(&user.file[3], "unwritten", O_RDONLY);
	open_name(&user.file[4], "changing1", O_RDWR);
	if (!user.file[0].open)
		abort();
}

void user_end(void)
{
	kernel_interrupt_all();
	user_dma_end();
	for (unsigned int i = 0; i < FILES; i++)
		release(&user.file[i]);
	kernel_interrupt_all();
	kernel_disconnect();
}
