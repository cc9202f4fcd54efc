// SPDX-License-Identifier: BSD-3-Clause
/*
 * A file's flags, in the two forms that Linux has for them.
 *
 * FS_IOC_SETFLAGS replaces the flags that it has a name for, as does
 * FS_IOC_FSSETXATTR; what neither can set here is refused. That only the file's
 * owner may do it, the kernel has seen to.
 */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "format/pinfs_format.h"
#include "ioctl.h"

/* Newer than some headers. */
#ifndef FS_DAX_FL
#define FS_DAX_FL 0x02000000
#endif

static const struct {
	uint64_t iflag; /* PINFS_IFLAG_* */
	uint32_t flag; /* FS_*_FL */
	uint32_t xflag; /* FS_XFLAG_* */
} names[] = {
	{ PINFS_IFLAG_DAX, FS_DAX_FL, FS_XFLAG_DAX },
	{ PINFS_IFLAG_IMMUTABLE, FS_IMMUTABLE_FL, FS_XFLAG_IMMUTABLE },
	{ PINFS_IFLAG_APPEND, FS_APPEND_FL, FS_XFLAG_APPEND },
	{ PINFS_IFLAG_NODUMP, FS_NODUMP_FL, FS_XFLAG_NODUMP },
	{ PINFS_IFLAG_NOATIME, FS_NOATIME_FL, FS_XFLAG_NOATIME },
	{ PINFS_IFLAG_SYNC, FS_SYNC_FL, FS_XFLAG_SYNC },
};

static uint32_t from_iflags(uint64_t iflags, bool x)
{
	uint32_t out = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (iflags & names[i].iflag)
			out |= x ? names[i].xflag : names[i].flag;
	return out;
}

/* -EOPNOTSUPP if there is one that has no name here */
static int to_iflags(uint32_t flags, bool x, uint64_t *iflags)
{
	uint32_t one;
	size_t i;

	*iflags = 0;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		one = x ? names[i].xflag : names[i].flag;
		if (flags & one)
			*iflags |= names[i].iflag;
		flags &= ~one;
	}
	return flags ? -EOPNOTSUPP : 0;
}

static int set_flags(struct ioc *io, uint32_t flags, bool x)
{
	uint64_t iflags;
	int err = to_iflags(flags, x, &iflags);

	return err ? err : fs_set_flags(io->d->fs, io->node, iflags);
}

int ioc_getflags(struct ioc *io)
{
	uint64_t iflags;
	long flags;
	int err = fs_get_flags(io->d->fs, io->node, &iflags);

	if (err)
		return err;
	flags = (long)from_iflags(iflags, false);
	return ioc_reply(io, &flags, sizeof(flags));
}

int ioc_setflags(struct ioc *io)
{
	uint32_t flags;

	memcpy(&flags, io->in, sizeof(flags));
	return set_flags(io, flags, false);
}

int ioc_getxflags(struct ioc *io)
{
	struct fsxattr x = { .fsx_xflags = 0 };
	uint64_t iflags;
	int err = fs_get_flags(io->d->fs, io->node, &iflags);

	if (err)
		return err;
	x.fsx_xflags = from_iflags(iflags, true);
	return ioc_reply(io, &x, sizeof(x));
}

int ioc_setxflags(struct ioc *io)
{
	const struct fsxattr *x = io->in;

	if (x->fsx_extsize || x->fsx_projid || x->fsx_cowextsize)
		return -EOPNOTSUPP;
	return set_flags(io, x->fsx_xflags & ~FS_XFLAG_HASATTR, true);
}
