// SPDX-License-Identifier: BSD-3-Clause
#include "field.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/tool.h"
#include "format/le.h"
#include "table.h"
#include "text.h"

static const char *member(const struct field *f, const void *base)
{
	return (const char *)base + f->offset;
}

uint64_t field_number(const struct field *f, const void *base)
{
	const char *p = member(f, base);
	uint8_t u8;
	le16 u16;
	le32 u32;
	le64 u64;

	switch (f->size) {
	case 1:
		memcpy(&u8, p, 1);
		return u8;
	case 2:
		memcpy(&u16, p, 2);
		return f->little ? le16_to_cpu(u16) : u16.raw;
	case 4:
		memcpy(&u32, p, 4);
		u32.raw = f->little ? le32_to_cpu(u32) : u32.raw;
		if (f->kind == FIELD_SIGNED)
			return (uint64_t)(int64_t)(int32_t)u32.raw;
		return u32.raw;
	default:
		assert(f->size == 8);
		memcpy(&u64, p, 8);
		return f->little ? le64_to_cpu(u64) : u64.raw;
	}
}

static const char *name_of(const struct field *f, uint64_t v)
{
	size_t i;

	for (i = 0; f->names[i]; i++)
		if (i == v)
			return f->names[i];
	return NULL;
}

static char *format_text(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

static char *format_text(const char *fmt, ...)
{
	char *s;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : s;
}

/* Names of the bits that are set, and the rest as a number. */
static char *bits_text(const struct field *f, uint64_t v)
{
	char *buf = NULL;
	size_t size, i;
	FILE *m;

	m = open_memstream(&buf, &size);
	if (!m)
		return NULL;
	for (i = 0; f->names[i]; i++) {
		if (v & 1ull << i)
			fprintf(m, "%s%s", ftell(m) ? "," : "", f->names[i]);
		v &= ~(1ull << i);
	}
	if (v)
		fprintf(m, "%s%#" PRIx64, ftell(m) ? "," : "", v);
	if (!ftell(m))
		fputc('-', m);
	if (fclose(m)) {
		free(buf);
		return NULL;
	}
	return buf;
}

static char *number_text(const struct field *f, uint64_t v)
{
	char buf[TEXT_NUMBER];
	const char *name;

	switch (f->kind) {
	case FIELD_SIGNED:
		return format_text("%" PRId64, (int64_t)v);
	case FIELD_OCTAL:
		return format_text("%#" PRIo64, v);
	case FIELD_HEX:
		return format_text("0x%" PRIx64, v);
	case FIELD_BYTES:
		return strdup(tool_size_text(buf, v));
	case FIELD_NS:
		return strdup(text_ns(buf, v));
	case FIELD_TIME:
		return strdup(text_time(buf, (int64_t)v));
	case FIELD_BOOL:
		return strdup(v ? "yes" : "no");
	case FIELD_BITS:
		return bits_text(f, v);
	case FIELD_NAMED:
		name = name_of(f, v);
		if (name)
			return strdup(name);
		break;
	default:
		break;
	}
	return format_text("%" PRIu64, v);
}

char *field_text(const struct field *f, const void *base)
{
	char uuid[37];

	switch (f->kind) {
	case FIELD_TEXT:
		return text_safe(member(f, base), f->size);
	case FIELD_UUID:
		return strdup(text_uuid(uuid, (const void *)member(f, base)));
	default:
		return number_text(f, field_number(f, base));
	}
}

static json_t *bits_json(const struct field *f, uint64_t v)
{
	json_t *list = json_array();
	size_t i;
	int err = 0;

	if (!list)
		return NULL;
	for (i = 0; f->names[i]; i++) {
		if (v & 1ull << i)
			err |= json_array_append_new(list,
						     json_string(f->names[i]));
		v &= ~(1ull << i);
	}
	if (v)
		err |= json_array_append_new(list, json_integer((json_int_t)v));
	if (!err)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *string_json(char *s)
{
	json_t *value = s ? json_string(s) : NULL;

	free(s);
	return value;
}

json_t *field_json(const struct field *f, const void *base)
{
	uint64_t v;

	if (f->kind == FIELD_TEXT || f->kind == FIELD_UUID)
		return string_json(field_text(f, base));
	v = field_number(f, base);
	switch (f->kind) {
	case FIELD_BOOL:
		return json_boolean(v);
	case FIELD_BITS:
		return bits_json(f, v);
	case FIELD_HEX:
		return string_json(field_text(f, base));
	case FIELD_NAMED:
		if (name_of(f, v))
			return json_string(name_of(f, v));
		break;
	default:
		break;
	}
	return json_integer((json_int_t)v);
}

int fields_json_add(json_t *obj, const struct field *fields, const void *base)
{
	for (; fields->key; fields++)
		if (json_object_set_new(obj, fields->key,
					field_json(fields, base)))
			return -ENOMEM;
	return 0;
}

json_t *fields_json(const struct field *fields, const void *base)
{
	json_t *obj = json_object();

	if (!obj || !fields_json_add(obj, fields, base))
		return obj;
	json_decref(obj);
	return NULL;
}

int fields_print(const struct field *fields, const void *base,
		 unsigned int indent, FILE *out)
{
	char *text;

	for (; fields->key; fields++) {
		if (!fields->label)
			continue;
		text = field_text(fields, base);
		if (!text)
			return -ENOMEM;
		fprintf(out, "%*s%-*s %s\n", (int)indent, "", FIELD_LABEL_WIDTH,
			fields->label, text);
		free(text);
	}
	return 0;
}

static bool is_right(const struct field *f)
{
	return f->kind < FIELD_BOOL && f->kind != FIELD_TIME;
}

int fields_table(const struct field *fields, const void *base, size_t n,
		 size_t size, unsigned int indent, FILE *out)
{
	struct table *t = table_new();
	const struct field *f;
	int err = t ? 0 : -ENOMEM;
	size_t i;

	for (f = fields; f->key && !err; f++)
		if (f->label)
			err = table_column(t, f->label, is_right(f));
	for (i = 0; i < n; i++)
		for (f = fields; f->key && !err; f++)
			if (f->label)
				err = table_cell(
					t, field_text(f, (const char *)base +
								 i * size));
	if (!err)
		table_print(t, out, indent);
	table_free(t);
	return err;
}

static int print_value(json_t *value, size_t flags)
{
	int err;

	if (!value)
		return -ENOMEM;
	err = json_dumpf(value, stdout, flags | JSON_ENCODE_ANY);
	putchar('\n');
	json_decref(value);
	return err ? -EIO : 0;
}

int json_print(json_t *value)
{
	return print_value(value, JSON_INDENT(2));
}

int json_print_line(json_t *value)
{
	return print_value(value, JSON_COMPACT);
}
