// SPDX-License-Identifier: BSD-3-Clause
/*
 * mount -o remount: flags that the kernel keeps for a mount, ro and rw among them.
 * The daemon is not asked, and its own options stay as they are. It has the pool
 * open for writing, so that what is read-only now can be made writable again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "common/tool.h"
#include "options.h"
#include "wire/pinfs_ioctl.h"

static void fail(const char *mountpoint, const char *why)
{
	tool_die(TOOL_FAILED, "%s: %s", mountpoint, why);
}

/* check_daemon - can it do what the mount is to say from now on? */
static void check_daemon(int fd, const char *mountpoint, bool ro)
{
	struct pinfs_ioc_info info = { 0 };

	if (ioctl(fd, PINFS_IOC_INFO, &info))
		fail(mountpoint,
		     errno == ENOTTY || errno == ENOSYS ?
			     "no pinfs file system is mounted there" :
			     strerror(errno));
	if (!ro && info.flags & PINFS_INFO_READ_ONLY)
		fail(mountpoint, "its pool was opened read-only; unmount it, "
				 "then mount it with rw");
}

/*
 * check_pins - no device may go on filling a file of a read-only mount
 *
 * What has a file open for writing the kernel refuses itself; a DMA that runs on
 * by itself it does not know of.
 */
static void check_pins(int fd, const char *mountpoint)
{
	struct pinfs_ioc_pins page = { .scope = PINFS_SCOPE_MOUNT };

	do {
		if (ioctl(fd, PINFS_IOC_PINS, &page))
			fail(mountpoint, strerror(errno));
		for (uint32_t i = 0; i < page.count; i++)
			if (page.pin[i].direction == PINFS_FROM_DEVICE)
				fail(mountpoint,
				     "a device is writing to a file; "
				     "see pinfs pins");
	} while (page.count > 0);
}

void remount(const char *mountpoint, const struct options *o)
{
	bool ro = o->flags & MS_RDONLY;
	int fd = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		fail(mountpoint, strerror(errno));
	check_daemon(fd, mountpoint, ro);
	if (ro)
		check_pins(fd, mountpoint);
	if (o->daemons)
		log_warn("%s: %s: as it was until it is mounted anew",
			 mountpoint, o->daemons);
	if (mount(NULL, mountpoint, NULL, MS_REMOUNT | o->flags, NULL))
		fail(mountpoint, errno == EBUSY ? "a file is open for writing" :
						  strerror(errno));
	/* What is on a disk read-only now need not be written any more. */
	if (ro && fsync(fd))
		fail(mountpoint, strerror(errno));
	exit(TOOL_DONE);
}
