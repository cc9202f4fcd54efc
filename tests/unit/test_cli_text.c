// SPDX-License-Identifier: BSD-3-Clause
/* What pinfs prints: safe strings, units, tables, JSON. */
#include <check.h>
#include <stdlib.h>

#include "base/util.h"

#include "pinfs/field.c"
#include "pinfs/table.c"
#include "pinfs/text.c"
#include "scratch.h"

#define SAFE(literal, want)                            \
	{                                              \
		(literal), sizeof(literal) - 1, (want) \
	}

static const struct {
	const char *in;
	size_t n;
	const char *want;
} strings[] = {
	SAFE("plain name.txt", "plain name.txt"),
	SAFE("", ""),
	SAFE("up\0to here", "up"),
	SAFE("\x1b[2J", "\\x1b[2J"),
	SAFE("line\nfeed\ttab\x7f", "line\\x0afeed\\x09tab\\x7f"),
	SAFE("back\\slash", "back\\\\slash"),
	SAFE("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
	     "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"),
	SAFE("\xc2\x9b"
	     "31m",
	     "\\xc2\\x9b31m"), /* U+009B begins a sequence */
	SAFE("\xe2\x80\xae"
	     "txt",
	     "\\xe2\\x80\\xaetxt"), /* turns direction */
	SAFE("\xc0\xaf", "\\xc0\\xaf"), /* overlong */
	SAFE("\xe0\x80\xaf", "\\xe0\\x80\\xaf"),
	SAFE("\xed\xa0\x80", "\\xed\\xa0\\x80"), /* surrogate */
	SAFE("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"), /* too large */
	SAFE("cut \xe2\x82", "cut \\xe2\\x82"),
	SAFE("\xff\x80", "\\xff\\x80"),
};

START_TEST(strings_are_made_safe)
{
	char *copy = malloc(strings[_i].n + 1), *out;
	json_t *j;

	/* Not one byte behind: the sanitizers would see it read. */
	memcpy(copy, strings[_i].in, strings[_i].n);
	out = text_safe(copy, strings[_i].n);
	ck_assert_str_eq(out, strings[_i].want);
	j = json_string(out);
	ck_assert_ptr_nonnull(j);
	json_decref(j);
	free(out);
	free(copy);
}
END_TEST

START_TEST(durations)
{
	char buf[TEXT_NUMBER];

	ck_assert_str_eq(text_ns(buf, 0), "0ns");
	ck_assert_str_eq(text_ns(buf, 1500), "1.5us");
	ck_assert_str_eq(text_ns(buf, 12500000), "12.5ms");
	ck_assert_str_eq(text_ns(buf, 3200000000), "3.2s");
	ck_assert_str_eq(text_ns(buf, 75 * NSEC_PER_SEC), "1m15s");
	ck_assert_str_eq(text_ns(buf, 7500 * NSEC_PER_SEC), "2h05m");
	ck_assert_str_eq(text_ns(buf, 49 * 3600 * NSEC_PER_SEC), "2d01h");
	ck_assert_str_eq(text_ns(buf, UINT64_MAX), "213503d23h");
}
END_TEST

struct sample {
	uint64_t id;
	int64_t delta;
	uint32_t flags;
	uint8_t kind;
	uint8_t on;
	char name[4]; /* not ended by a NUL if it is full */
	uint8_t media[4]; /* little-endian */
};

static const char *const kinds[] = { "first", "second", NULL };
static const char *const flags[] = { "a", "b", NULL };

static const struct field fields[] = {
	FIELD(struct sample, id, NUMBER, "ID"),
	FIELD(struct sample, delta, SIGNED, "DELTA"),
	FIELD_NAMES(struct sample, kind, NAMED, "KIND", kinds),
	FIELD_NAMES(struct sample, flags, BITS, "FLAGS", flags),
	FIELD(struct sample, on, BOOL, NULL),
	FIELD_LE(struct sample, media, HEX, "MEDIA"),
	FIELD(struct sample, name, TEXT, "NAME"),
	FIELD_END,
};

static const struct sample samples[] = {
	{ 1, -5, 0, 0, 1, { 'f', 'u', 'l', 'l' }, { 0x10 } },
	{ 1000, 7, 0xb, 9, 0, { 'x' }, { 0 } },
};

START_TEST(fields_as_json)
{
	json_t *j = fields_json(fields, &samples[1]);
	char *text = json_dumps(j, JSON_COMPACT);

	ck_assert_str_eq(text, "{\"id\":1000,\"delta\":7,\"kind\":9,"
			       "\"flags\":[\"a\",\"b\",8],\"on\":false,"
			       "\"media\":\"0x0\",\"name\":\"x\"}");
	free(text);
	json_decref(j);
}
END_TEST

START_TEST(fields_as_table)
{
	char *text = NULL;
	size_t size;
	FILE *m = open_memstream(&text, &size);

	ck_assert_int_eq(
		fields_table(fields, samples, 2, sizeof(samples[0]), 1, m), 0);
	fclose(m);
	ck_assert_str_eq(text, "   ID  DELTA  KIND   FLAGS    MEDIA  NAME\n"
			       "    1     -5  first  -         0x10  full\n"
			       " 1000      7  9      a,b,0x8    0x0  x\n");
	free(text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli_text");
	TCase *tc = tcase_create("text");

	tcase_add_loop_test(tc, strings_are_made_safe, 0, ARRAY_SIZE(strings));
	tcase_add_test(tc, durations);
	tcase_add_test(tc, fields_as_json);
	tcase_add_test(tc, fields_as_table);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
