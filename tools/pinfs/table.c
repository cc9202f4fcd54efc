// SPDX-License-Identifier: BSD-3-Clause
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define TABLE_COLUMNS 16

struct table {
	size_t columns;
	bool right[TABLE_COLUMNS];
	size_t width[TABLE_COLUMNS];
	char **cell; /* the heads are the first row */
	size_t cells, room;
};

struct table *table_new(void)
{
	return calloc(1, sizeof(struct table));
}

int table_column(struct table *t, const char *head, bool right)
{
	if (t->columns == TABLE_COLUMNS)
		return -E2BIG;
	t->right[t->columns++] = right;
	return table_cell(t, strdup(head));
}

int table_cell(struct table *t, char *text)
{
	size_t room = t->room ? 2 * t->room : 64;
	size_t width, *max;
	char **cell;

	if (!text)
		return -ENOMEM;
	if (t->cells == t->room) {
		cell = reallocarray(t->cell, room, sizeof(*cell));
		if (!cell) {
			free(text);
			return -ENOMEM;
		}
		t->cell = cell;
		t->room = room;
	}
	max = &t->width[t->cells % t->columns];
	/* While columns are added, each head is the last column's. */
	if (t->cells < t->columns)
		max = &t->width[t->columns - 1];
	width = text_width(text);
	if (*max < width)
		*max = width;
	t->cell[t->cells++] = text;
	return 0;
}

static void print_cell(const struct table *t, size_t i, FILE *out)
{
	size_t c = i % t->columns;
	size_t pad = t->width[c] - text_width(t->cell[i]);
	bool last = c == t->columns - 1;

	if (t->right[c])
		fprintf(out, "%*s%s", (int)pad, "", t->cell[i]);
	else
		fprintf(out, "%s%*s", t->cell[i], last ? 0 : (int)pad, "");
	fputs(last ? "\n" : "  ", out);
}

void table_print(const struct table *t, FILE *out, unsigned int indent)
{
	size_t i;

	for (i = 0; i < t->cells; i++) {
		if (i % t->columns == 0)
			fprintf(out, "%*s", (int)indent, "");
		print_cell(t, i, out);
	}
}

void table_free(struct table *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->cells; i++)
		free(t->cell[i]);
	free(t->cell);
	free(t);
}
