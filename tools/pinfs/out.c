// SPDX-License-Identifier: BSD-3-Clause
#include "out.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static unsigned int indent(const struct out *o)
{
	return 2 * o->depth;
}

static json_t *here(const struct out *o)
{
	return o->obj[o->depth];
}

static void note(struct out *o, int err)
{
	if (err && !o->err)
		o->err = err;
}

void out_start(struct out *o, bool json)
{
	*o = (struct out){ .json = json };
	if (!json)
		return;
	o->obj[0] = json_object();
	if (!o->obj[0])
		o->err = -ENOMEM;
}

/* Enter obj; its parent, which has it already, holds the reference. */
static void enter(struct out *o, json_t *obj, bool held, const char *title)
{
	if (!o->json)
		printf("%*s%s\n", (int)indent(o), "", title);
	else if (!held)
		note(o, -ENOMEM);
	assert(o->depth + 1 < OUT_DEPTH);
	o->obj[++o->depth] = held ? obj : NULL;
}

void out_section(struct out *o, const char *key, const char *title)
{
	json_t *obj = o->json ? json_object() : NULL;

	enter(o, obj, obj && !json_object_set_new(here(o), key, obj), title);
}

void out_item(struct out *o, const char *key, const char *title)
{
	json_t *obj = NULL, *list;
	bool held = false;

	if (o->json) {
		list = json_object_get(here(o), key);
		if (!list) {
			list = json_array();
			if (json_object_set_new(here(o), key, list))
				list = NULL;
		}
		obj = json_object();
		held = !json_array_append_new(list, obj);
	}
	enter(o, obj, held, title);
}

void out_end(struct out *o)
{
	assert(o->depth > 0);
	o->depth--;
}

void out_fields(struct out *o, const struct field *fields, const void *base)
{
	if (o->json)
		note(o, fields_json_add(here(o), fields, base));
	else
		note(o, fields_print(fields, base, indent(o), stdout));
}

void out_rows(struct out *o, const char *key, const struct field *fields,
	      const void *base, size_t n, size_t size)
{
	json_t *list;
	size_t i;

	if (!o->json) {
		if (n)
			note(o, fields_table(fields, base, n, size, indent(o),
					     stdout));
		return;
	}
	list = json_array();
	for (i = 0; i < n; i++)
		if (json_array_append_new(
			    list,
			    fields_json(fields, (const char *)base + i * size)))
			note(o, -ENOMEM);
	if (json_object_set_new(here(o), key, list))
		note(o, -ENOMEM);
}

static void add(struct out *o, const char *key, json_t *value)
{
	if (json_object_set_new(here(o), key, value))
		note(o, -ENOMEM);
}

void out_text(struct out *o, const char *key, const char *label,
	      const char *value)
{
	char *safe;

	if (!value) {
		if (o->json)
			add(o, key, json_null());
		return;
	}
	safe = text_safe(value, strlen(value));
	if (!safe)
		note(o, -ENOMEM);
	else if (o->json)
		add(o, key, json_string(safe));
	else if (label)
		printf("%*s%-*s %s\n", (int)indent(o), "", FIELD_LABEL_WIDTH,
		       label, safe);
	free(safe);
}

static void out_value(struct out *o, const char *key, const char *label,
		      enum field_kind kind, uint64_t v)
{
	const struct field field[] = {
		{ .key = key, .label = label, .kind = kind, .size = sizeof(v) },
		FIELD_END,
	};

	out_fields(o, field, &v);
}

void out_number(struct out *o, const char *key, const char *label, uint64_t v)
{
	out_value(o, key, label, FIELD_NUMBER, v);
}

void out_bytes(struct out *o, const char *key, const char *label, uint64_t v)
{
	out_value(o, key, label, FIELD_BYTES, v);
}

void out_bool(struct out *o, const char *key, const char *label, bool v)
{
	out_value(o, key, label, FIELD_BOOL, v);
}

int out_finish(struct out *o)
{
	if (!o->json)
		return o->err;
	if (!o->err)
		return json_print(o->obj[0]);
	out_drop(o);
	return o->err;
}

void out_drop(struct out *o)
{
	json_decref(o->obj[0]);
	o->obj[0] = NULL;
}
