// SPDX-License-Identifier: BSD-3-Clause
#include "listing.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"

const char *const listing_direction[] = {
	[PINFS_TO_DEVICE] = "to-device",
	[PINFS_FROM_DEVICE] = "from-device",
	NULL,
};

const char *const listing_engine[] = {
	[PINFS_ENGINE_IO_URING] = "io_uring",
	[PINFS_ENGINE_AIO] = "aio",
	[PINFS_ENGINE_CLIENT] = "client",
	NULL,
};

const char *const listing_change[] = {
	[PINFS_CHANGE_TRUNCATE] = "truncate",
	[PINFS_CHANGE_ALLOCATE] = "allocate",
	[PINFS_CHANGE_PUNCH_HOLE] = "punch-hole",
	[PINFS_CHANGE_ZERO_RANGE] = "zero-range",
	[PINFS_CHANGE_COLLAPSE_RANGE] = "collapse-range",
	[PINFS_CHANGE_INSERT_RANGE] = "insert-range",
	NULL,
};

static int list_json(const struct ioc_list *list, const struct field *fields,
		     size_t item_size)
{
	json_t *array = json_array();
	const char *item = list->item;
	size_t i;

	if (!array)
		return -ENOMEM;
	for (i = 0; i < list->count; i++) {
		if (json_array_append_new(
			    array, fields_json(fields, item + i * item_size))) {
			json_decref(array);
			return -ENOMEM;
		}
	}
	return json_print(array);
}

static int print(const struct cmd_line *line, const struct ioc_list *list,
		 const struct field *fields, size_t item_size,
		 const char *empty)
{
	if (line->json)
		return list_json(list, fields, item_size);
	if (list->count)
		return fields_table(fields, list->item, list->count, item_size,
				    0, stdout);
	printf("%s\n", empty);
	return 0;
}

static void complain(const char *path, int err)
{
	if (err == -EPERM || err == -EACCES)
		log_error("%s: only root and the mount's owner may list the "
			  "whole mount; name a file to list what concerns it",
			  path);
	else
		ioc_complain(path, err);
}

enum cmd_exit listing_run(struct cmd_line *line, const struct field *fields,
			  int (*fetch)(int fd, struct ioc_list *list),
			  size_t item_size, const char *empty)
{
	struct ioc_list list;
	const char *path;
	int fd, err;

	if (!cmd_only_json(line))
		return CMD_USAGE;
	path = line->operand[0];
	fd = ioc_open(path);
	if (fd < 0)
		return CMD_FAILED;
	err = fetch(fd, &list);
	if (!err)
		err = print(line, &list, fields, item_size, empty);
	if (err)
		complain(path, err);
	ioc_list_free(&list);
	close(fd);
	return err ? CMD_FAILED : CMD_DONE;
}
