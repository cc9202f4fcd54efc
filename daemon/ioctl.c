// SPDX-License-Identifier: BSD-3-Clause
/*
 * What is asked through ioctl(2) (lib/wire/pinfs_ioctl.h).
 *
 * The descriptor is the right to do what it was opened for; what concerns the
 * whole mount is for root and for who mounted it.
 */
#include "ioctl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "dma_server.h"
#include "layout/layout.h"
#include "pinsets.h"

static bool may_read(const struct ioc *io)
{
	return (fs_file_flags(io->h->file) & O_ACCMODE) != O_WRONLY;
}

static bool may_write(const struct ioc *io)
{
	return (fs_file_flags(io->h->file) & O_ACCMODE) != O_RDONLY;
}

bool ioc_is_owner(const struct ioc *io)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(io->req);

	return ctx->uid == 0 || ctx->uid == io->d->owner;
}

static void copy_text(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size - 1);

	memcpy(to, from, n);
	to[n] = '\0';
}

/* --- looking -------------------------------------------------------------- */

static int ioc_info(struct ioc *io)
{
	struct pinfs_ioc_info info = { .wire_version = PINFS_WIRE_VERSION };

	fs_info(io->d->fs, &info);
	info.daemon_pid = (uint32_t)getpid();
	info.ino = fs_file_inode(io->h->file)->ino;
	copy_text(info.socket, sizeof(info.socket),
		  dma_server_name(io->d->dma));
	copy_text(info.pool, sizeof(info.pool), io->d->pool->path);
	return ioc_reply(io, &info, sizeof(info));
}

static int ioc_map(struct ioc *io)
{
	const struct pinfs_ioc_map *in = io->in;
	struct pinfs_ioc_map map = { .cursor = in->cursor };
	int err;

	if (in->reserved)
		return -EINVAL;
	err = fs_map(io->d->fs, io->h->file, &map);
	return err ? err : ioc_reply(io, &map, sizeof(map));
}

/* The inode that a listing is of, 0 for all. */
static int scope_of(const struct ioc *io, uint32_t scope, uint64_t *ino)
{
	*ino = 0;
	if (scope == PINFS_SCOPE_FILE)
		*ino = fs_file_inode(io->h->file)->ino;
	else if (scope != PINFS_SCOPE_MOUNT)
		return -EINVAL;
	else if (!ioc_is_owner(io))
		return -EPERM;
	return 0;
}

static int ioc_pins(struct ioc *io)
{
	const struct pinfs_ioc_pins *in = io->in;
	struct pinfs_ioc_pins pins = { .cursor = in->cursor,
				       .scope = in->scope };
	uint64_t ino;
	int err = scope_of(io, in->scope, &ino);

	if (err)
		return err;
	layout_list_pins(fs_layouts(io->d->fs), ino, &pins);
	return ioc_reply(io, &pins, sizeof(pins));
}

static int ioc_breaks(struct ioc *io)
{
	const struct pinfs_ioc_breaks *in = io->in;
	struct pinfs_ioc_breaks breaks = { .cursor = in->cursor,
					   .scope = in->scope };
	uint64_t ino;
	int err = scope_of(io, in->scope, &ino);

	if (err)
		return err;
	layout_list_breaks(fs_layouts(io->d->fs), ino, &breaks);
	return ioc_reply(io, &breaks, sizeof(breaks));
}

static int ioc_stats(struct ioc *io)
{
	struct pinfs_ioc_stats st = { .pins = 0 };

	if (!ioc_is_owner(io))
		return -EPERM;
	fs_stats(io->d->fs, &st);
	return ioc_reply(io, &st, sizeof(st));
}

/* --- doing ---------------------------------------------------------------- */

static int change_range(struct ioc *io, enum pinfs_change kind)
{
	const struct pinfs_ioc_range *range = io->in;

	if (!may_write(io))
		return -EBADF;
	deferred_range(io->req, io->node, kind, range);
	return IOC_ANSWERED;
}

static int ioc_collapse(struct ioc *io)
{
	return change_range(io, PINFS_CHANGE_COLLAPSE_RANGE);
}

static int ioc_insert(struct ioc *io)
{
	return change_range(io, PINFS_CHANGE_INSERT_RANGE);
}

static int ioc_dma(struct ioc *io)
{
	const struct pinfs_ioc_dma *in = io->in;
	struct pinfs_ioc_dma dma = { .direction = in->direction };
	int err;

	if (in->reserved || (in->direction != PINFS_FROM_DEVICE &&
			     in->direction != PINFS_TO_DEVICE))
		return -EINVAL;
	if (io->is_dir)
		return -EISDIR;
	if (in->direction == PINFS_FROM_DEVICE ? !may_write(io) : !may_read(io))
		return -EBADF;
	copy_text(dma.socket, sizeof(dma.socket), dma_server_name(io->d->dma));
	err = ticket_new(io->d->handles, io->h,
			 (enum pinfs_direction)in->direction, dma.ticket);
	return err ? err : ioc_reply(io, &dma, sizeof(dma));
}

static int ioc_cancel(struct ioc *io)
{
	const struct pinfs_ioc_cancel *in = io->in;

	return pin_set_cancel(fs_layouts(io->d->fs), in->id,
			      fuse_req_ctx(io->req)->uid, ioc_is_owner(io));
}

/* --- the table ------------------------------------------------------------ */

int ioc_reply(struct ioc *io, const void *out, size_t size)
{
	if (size > io->out_size)
		size = io->out_size;
	fuse_reply_ioctl(io->req, 0, out, size);
	return IOC_ANSWERED;
}

static const struct {
	unsigned int cmd;
	int (*fn)(struct ioc *io);
	size_t in_size; /* the least that is needed */
} commands[] = {
	{ PINFS_IOC_INFO, ioc_info, 0 },
	{ PINFS_IOC_MAP, ioc_map, sizeof(struct pinfs_ioc_map) },
	{ PINFS_IOC_PINS, ioc_pins, sizeof(struct pinfs_ioc_pins) },
	{ PINFS_IOC_BREAKS, ioc_breaks, sizeof(struct pinfs_ioc_breaks) },
	{ PINFS_IOC_STATS, ioc_stats, 0 },
	{ PINFS_IOC_COLLAPSE, ioc_collapse, sizeof(struct pinfs_ioc_range) },
	{ PINFS_IOC_INSERT, ioc_insert, sizeof(struct pinfs_ioc_range) },
	{ PINFS_IOC_DMA, ioc_dma, sizeof(struct pinfs_ioc_dma) },
	{ PINFS_IOC_CANCEL, ioc_cancel, sizeof(struct pinfs_ioc_cancel) },
	{ PINFS_IOC_TRACE, ioc_trace, sizeof(struct pinfs_ioc_trace) },
	{ PINFS_IOC_PIN_BEGIN, ioc_pin_begin,
	  sizeof(struct pinfs_ioc_pin_begin) },
	{ PINFS_IOC_PIN_EXTEND, ioc_pin_extend,
	  sizeof(struct pinfs_ioc_pin_extend) },
	{ PINFS_IOC_PIN_EXTENTS, ioc_pin_extents,
	  sizeof(struct pinfs_ioc_pin_extend) },
	{ PINFS_IOC_PIN_END, ioc_pin_end, sizeof(struct pinfs_ioc_pin_end) },
	/* The kernel hands over as much of these as it has, not a long. */
	{ FS_IOC_GETFLAGS, ioc_getflags, 0 },
	{ FS_IOC_SETFLAGS, ioc_setflags, sizeof(uint32_t) },
	{ FS_IOC_FSGETXATTR, ioc_getxflags, 0 },
	{ FS_IOC_FSSETXATTR, ioc_setxflags, sizeof(struct fsxattr) },
};

static int dispatch(struct ioc *io, unsigned int cmd, size_t in_size)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (commands[i].cmd != cmd)
			continue;
		if (in_size < commands[i].in_size)
			return -EINVAL;
		return commands[i].fn(io);
	}
	return -ENOTTY;
}

void op_ioctl(fuse_req_t req, fuse_ino_t node, unsigned int cmd, void *arg,
	      struct fuse_file_info *fi, unsigned int flags, const void *in,
	      size_t in_size, size_t out_size)
{
	struct ioc io = {
		.d = daemon_of(req),
		.req = req,
		.node = node,
		.h = handle_of(fi->fh),
		.is_dir = flags & FUSE_IOCTL_DIR,
		.in = in,
		.out_size = out_size,
	};
	int err;

	(void)arg;
	err = dispatch(&io, cmd, in_size);
	if (err == IOC_ANSWERED)
		return;
	if (err)
		ops_reply(req, err);
	else
		fuse_reply_ioctl(req, 0, NULL, 0);
}
