/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A report of nested sections: for people while it is made, or as one JSON
 * object at its end.  The first error sticks; out_finish() gives it.
 */
#ifndef PINFS_OUT_H
#define PINFS_OUT_H

#include "field.h"

#define OUT_DEPTH 6

struct out {
	bool json;
	int err;
	unsigned int depth;
	json_t *obj[OUT_DEPTH]; /* the section at each depth */
};

void out_start(struct out *o, bool json);

/* out_section - enter the object key; title is for people */
void out_section(struct out *o, const char *key, const char *title);

/* out_item - the same, a new element of the array key */
void out_item(struct out *o, const char *key, const char *title);
void out_end(struct out *o);

void out_fields(struct out *o, const struct field *fields, const void *base);

/* out_rows - an array of objects; a table for people, nothing if empty */
void out_rows(struct out *o, const char *key, const struct field *fields,
	      const void *base, size_t n, size_t size);

/* out_text - value NULL: null, and nothing for people; label NULL: JSON only */
void out_text(struct out *o, const char *key, const char *label,
	      const char *value);
void out_number(struct out *o, const char *key, const char *label, uint64_t v);
void out_bytes(struct out *o, const char *key, const char *label, uint64_t v);
void out_bool(struct out *o, const char *key, const char *label, bool v);

/* out_finish - print what is to be printed at the end; 0 or -E... */
int out_finish(struct out *o);

/* out_drop - free it, print nothing more */
void out_drop(struct out *o);

#endif
