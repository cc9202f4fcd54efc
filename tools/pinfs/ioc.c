// SPDX-License-Identifier: BSD-3-Clause
#include "ioc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

int ioc_open(const char *path)
{
	const int how = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	struct stat st;
	int fd = -1;

	if (stat(path, &st))
		goto err_errno;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
		log_error("%s: not a file or directory of a pinfs mount", path);
		return -ENOTTY;
	}
	fd = open(path, O_RDONLY | how);
	if (fd < 0 && errno == EACCES && S_ISREG(st.st_mode))
		fd = open(path, O_WRONLY | how);
	if (fd < 0)
		goto err_errno;
	return fd;

err_errno:
	fd = -errno;
	ioc_complain(path, fd);
	return fd;
}

uint32_t ioc_scope(int fd)
{
	struct stat st;

	if (!fstat(fd, &st) && S_ISDIR(st.st_mode))
		return PINFS_SCOPE_MOUNT;
	return PINFS_SCOPE_FILE;
}

void ioc_complain(const char *path, int err)
{
	switch (err) {
	case -ENOTTY:
	case -ENOSYS:
		log_error("%s: not on a pinfs mount", path);
		break;
	case -EPROTO:
		log_error("%s: the file system answers otherwise than this "
			  "version of pinfs expects; use the pinfs command of "
			  "the mounted version",
			  path);
		break;
	case -ENOTCONN:
		log_error("%s: the daemon of this mount has ended; run "
			  "fusermount3 -u, then mount the pool again",
			  path);
		break;
	default:
		log_error("%s: %s", path, strerror(-err));
	}
}

int ioc_info(int fd, struct pinfs_ioc_info *info)
{
	memset(info, 0, sizeof(*info));
	if (ioctl(fd, PINFS_IOC_INFO, info))
		return errno == ENOSYS ? -ENOTTY : -errno;
	return info->wire_version == PINFS_WIRE_VERSION ? 0 : -EPROTO;
}

/* The part that the pages of all listings have in common. */
struct pages {
	unsigned long request;
	void *page;
	uint64_t *cursor;
	const uint32_t *count;
	const void *item;
	size_t item_size;
	size_t per_page;
};

static int append(struct ioc_list *list, const struct pages *pg)
{
	void *item;

	item = reallocarray(list->item, list->count + *pg->count,
			    pg->item_size);
	if (!item)
		return -ENOMEM;
	memcpy((char *)item + list->count * pg->item_size, pg->item,
	       *pg->count * pg->item_size);
	list->item = item;
	list->count += *pg->count;
	return 0;
}

static int read_pages(int fd, const struct pages *pg, struct ioc_list *list)
{
	uint64_t last;
	int err = 0;

	while (!err) {
		last = *pg->cursor;
		if (ioctl(fd, pg->request, pg->page))
			return -errno;
		if (*pg->count == 0)
			return 0;
		/* A cursor that stands still would mean: for ever. */
		if (*pg->count > pg->per_page || *pg->cursor == last)
			return -EPROTO;
		err = append(list, pg);
	}
	return err;
}

int ioc_list_map(int fd, struct ioc_list *list)
{
	struct pinfs_ioc_map page = { .cursor = 0 };
	const struct pages pg = {
		.request = PINFS_IOC_MAP,
		.page = &page,
		.cursor = &page.cursor,
		.count = &page.count,
		.item = page.extent,
		.item_size = sizeof(page.extent[0]),
		.per_page = PINFS_MAP_PER_CALL,
	};

	*list = (struct ioc_list){ .count = 0 };
	return read_pages(fd, &pg, list);
}

int ioc_list_pins(int fd, uint32_t scope, struct ioc_list *list)
{
	struct pinfs_ioc_pins page = { .scope = scope };
	const struct pages pg = {
		.request = PINFS_IOC_PINS,
		.page = &page,
		.cursor = &page.cursor,
		.count = &page.count,
		.item = page.pin,
		.item_size = sizeof(page.pin[0]),
		.per_page = PINFS_PINS_PER_CALL,
	};

	*list = (struct ioc_list){ .count = 0 };
	return read_pages(fd, &pg, list);
}

int ioc_list_breaks(int fd, uint32_t scope, struct ioc_list *list)
{
	struct pinfs_ioc_breaks page = { .scope = scope };
	const struct pages pg = {
		.request = PINFS_IOC_BREAKS,
		.page = &page,
		.cursor = &page.cursor,
		.count = &page.count,
		.item = page.brk,
		.item_size = sizeof(page.brk[0]),
		.per_page = PINFS_BREAKS_PER_CALL,
	};

	*list = (struct ioc_list){ .count = 0 };
	return read_pages(fd, &pg, list);
}

void ioc_list_free(struct ioc_list *list)
{
	free(list->item);
	list->item = NULL;
	list->count = 0;
}
