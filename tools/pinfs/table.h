/* SPDX-License-Identifier: BSD-3-Clause */
/* An aligned table for people: heads, then one line a row. */
#ifndef PINFS_TABLE_H
#define PINFS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct table;

/* table_new - NULL without memory; add the columns before the first cell */
struct table *table_new(void);
int table_column(struct table *t, const char *head, bool right);

/* table_cell - the next cell, row by row; takes text, NULL is -ENOMEM */
int table_cell(struct table *t, char *text);

void table_print(const struct table *t, FILE *out, unsigned int indent);

void table_free(struct table *t);

#endif
