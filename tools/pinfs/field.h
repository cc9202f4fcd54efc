/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Structures described by tables of fields, so that what JSON says and what
 * people read comes from one place.
 */
#ifndef PINFS_FIELD_H
#define PINFS_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum field_kind {
	FIELD_NUMBER,
	FIELD_SIGNED,
	FIELD_OCTAL,
	FIELD_HEX, /* JSON: a string, for it may exceed 63 bits */
	FIELD_BYTES,
	FIELD_NS,
	FIELD_TIME, /* signed seconds since the epoch */
	FIELD_BOOL,
	FIELD_NAMED, /* an index into names; a number beyond them */
	FIELD_BITS, /* names by bit; JSON: an array of names */
	FIELD_TEXT, /* bytes up to a NUL or the member's end */
	FIELD_UUID,
};

/* struct field - one member; a table of them ends with no key */
struct field {
	const char *key; /* in JSON; stable */
	const char *label; /* for people; NULL: JSON only */
	enum field_kind kind;
	bool little; /* a media integer */
	size_t offset;
	size_t size;
	const char *const *names; /* ends with NULL */
};

#define FIELD_OF(type, member, kd, lb, le, nm)                     \
	{                                                          \
		.key = #member, .label = (lb), .kind = FIELD_##kd, \
		.little = (le), .offset = offsetof(type, member),  \
		.size = sizeof(((type *)0)->member), .names = (nm) \
	}

/* FIELD - a member in host byte order; FIELD_LE - one of the media format */
#define FIELD(type, member, kd, lb) FIELD_OF(type, member, kd, lb, false, NULL)
#define FIELD_NAMES(type, member, kd, lb, nm) \
	FIELD_OF(type, member, kd, lb, false, nm)
#define FIELD_LE(type, member, kd, lb) \
	FIELD_OF(type, member, kd, lb, true, NULL)
#define FIELD_LE_NAMES(type, member, kd, lb, nm) \
	FIELD_OF(type, member, kd, lb, true, nm)
#define FIELD_END           \
	{                   \
		.key = NULL \
	}

#define FIELD_LABEL_WIDTH 22

/* field_number - the value of a member that is an integer */
uint64_t field_number(const struct field *f, const void *base);

/* field_text - the value for people; to be freed; NULL without memory */
char *field_text(const struct field *f, const void *base);

json_t *field_json(const struct field *f, const void *base);

/* fields_json - an object of all the fields; NULL without memory */
json_t *fields_json(const struct field *fields, const void *base);

/* fields_json_add - the same, into an object; 0 or -ENOMEM */
int fields_json_add(json_t *obj, const struct field *fields, const void *base);

/* fields_print - one line a field: label, colon, value */
int fields_print(const struct field *fields, const void *base,
		 unsigned int indent, FILE *out);

/* fields_table - n structures of size bytes as a table, heads first */
int fields_table(const struct field *fields, const void *base, size_t n,
		 size_t size, unsigned int indent, FILE *out);

/* json_print - on standard output; drops the reference; 0 or -ENOMEM */
int json_print(json_t *value);
int json_print_line(json_t *value); /* all of it on one line */

#endif
