/* SPDX-License-Identifier: BSD-3-Clause */
/* What map, pins and breaks have in common. */
#ifndef PINFS_LISTING_H
#define PINFS_LISTING_H

#include "cmd.h"
#include "field.h"
#include "ioc.h"

extern const char *const listing_direction[];
extern const char *const listing_engine[];
extern const char *const listing_change[];

/*
 * listing_run - open the operand, fetch the list, print it
 * @empty: what people read if there is nothing to list
 */
enum cmd_exit listing_run(struct cmd_line *line, const struct field *fields,
			  int (*fetch)(int fd, struct ioc_list *list),
			  size_t item_size, const char *empty);

#endif
