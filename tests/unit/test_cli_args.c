// SPDX-License-Identifier: BSD-3-Clause
/* The command lines of pinfs, those of dma in detail. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "base/util.h"

/* The programs' own parts are no library: taken in as they are. */
#include "pinfs/cmd.c"
#include "pinfs/dma_args.c"
#include "pinfs/value.c"
#include "scratch.h"

static const struct command dma = {
	.name = "dma",
	.operands = "WHAT",
	.summary = "",
	.options = dma_option_table,
	.min_operands = 3,
	.max_operands = 3,
};

#define MAX_WORDS 16

/* Parse a line of words that are separated by spaces, behind "dma". */
static enum cmd_exit parse(const char *words, struct dma_args *a)
{
	static char copy[512];
	static char *argv[MAX_WORDS + 1];
	struct cmd_line line = { .cmd = &dma, .argv = argv };
	char *word, *rest = NULL;

	snprintf(copy, sizeof(copy), "dma %s", words);
	for (word = strtok_r(copy, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest)) {
		ck_assert_int_lt(line.argc, MAX_WORDS);
		argv[line.argc++] = word;
	}
	argv[line.argc] = NULL;
	return dma_parse(&line, a);
}

START_TEST(dma_defaults)
{
	struct dma_args a;

	ck_assert_int_eq(parse("from-device /dev/x f", &a), CMD_DONE);
	ck_assert_int_eq(a.direction, PINFS_FROM_DEVICE);
	ck_assert_str_eq(a.device, "/dev/x");
	ck_assert_str_eq(a.file, "f");
	ck_assert(!a.length_given && !a.create && !a.no_direct && !a.json);
	ck_assert_uint_eq(a.start.version, PINFS_DMA_WIRE_VERSION);
	ck_assert_uint_eq(a.start.flags, 0);
	ck_assert_uint_eq(a.start.engine, PINFS_ENGINE_IO_URING);
	ck_assert_uint_eq(a.start.fail_after, UINT64_MAX);
	ck_assert_uint_eq(a.start.bandwidth, 0);
	ck_assert_uint_eq(a.start.depth, 0);
}
END_TEST

START_TEST(dma_all_options)
{
	struct dma_args a;

	ck_assert_int_eq(parse("to-device --offset=4K --device-offset 1M "
			       "--length=2G --engine aio --depth=256 f -- d",
			       &a),
			 CMD_DONE);
	ck_assert_int_eq(a.direction, PINFS_TO_DEVICE);
	ck_assert_str_eq(a.file, "f");
	ck_assert_str_eq(a.device, "d");
	ck_assert_uint_eq(a.start.offset, 4096);
	ck_assert_uint_eq(a.start.device_offset, 1 << 20);
	ck_assert(a.length_given);
	ck_assert_uint_eq(a.start.length, 2ull << 30);
	ck_assert_uint_eq(a.start.engine, PINFS_ENGINE_AIO);
	ck_assert_uint_eq(a.start.depth, 256);
}
END_TEST

START_TEST(dma_more_options)
{
	struct dma_args a;

	ck_assert_int_eq(parse("to-device f d --latency=250ms --jitter=2 "
			       "--bandwidth=1M --fail-after=0 --seed=7",
			       &a),
			 CMD_DONE);
	ck_assert_uint_eq(a.start.latency_ns, 250000000);
	ck_assert_uint_eq(a.start.jitter_ns, 2 * NSEC_PER_SEC);
	ck_assert_uint_eq(a.start.bandwidth, 1 << 20);
	ck_assert_uint_eq(a.start.fail_after, 0);
	ck_assert_uint_eq(a.start.seed, 7);
	ck_assert_int_eq(parse("from-device d f --nowait --longterm --detach "
			       "--create --no-direct --json --chunk=64M",
			       &a),
			 CMD_DONE);
	ck_assert_uint_eq(a.start.flags, PINFS_DMA_NOWAIT | PINFS_DMA_LONGTERM |
						 PINFS_DMA_DETACH);
	ck_assert_uint_eq(a.start.chunk, PINFS_DMA_MAX_CHUNK);
	ck_assert(a.create && a.no_direct && a.json);
}
END_TEST

static const char *const bad_lines[] = {
	"",
	"from-device",
	"from-device d",
	"from-device d f g",
	"sideways d f",
	"from-device d f --unknown",
	"from-device d f -x",
	"from-device d f --depth",
	"from-device d f --depth=0",
	"from-device d f --depth=257",
	"from-device d f --depth=1K",
	"from-device d f --chunk=0",
	"from-device d f --chunk=65M",
	"from-device d f --length=0",
	"from-device d f --length=-1",
	"from-device d f --length=10X",
	"from-device d f --length=99999999999T",
	"from-device d f --offset=9223372036854775808",
	"from-device d f --engine=dma",
	"from-device d f --latency=1x",
	"from-device d f --bandwidth=0",
	"from-device d f --nowait=yes",
	"to-device f - --json",
	"to-device f - --detach",
};

START_TEST(dma_bad_lines)
{
	struct dma_args a;

	ck_assert_int_eq(parse(bad_lines[_i], &a), CMD_USAGE);
}
END_TEST

START_TEST(standard_input_leaves_room_for_json)
{
	struct dma_args a;

	ck_assert_int_eq(parse("from-device - f --json", &a), CMD_DONE);
	ck_assert(a.json);
}
END_TEST

START_TEST(numbers)
{
	uint64_t v = 5;

	ck_assert_int_eq(value_number("0", 9, &v), 0);
	ck_assert_uint_eq(v, 0);
	ck_assert_int_eq(value_number("18446744073709551615", UINT64_MAX, &v),
			 0);
	ck_assert_uint_eq(v, UINT64_MAX);
	ck_assert_int_eq(value_number("18446744073709551616", UINT64_MAX, &v),
			 -ERANGE);
	ck_assert_int_eq(value_number("10", 9, &v), -ERANGE);
	ck_assert_int_eq(value_number("", 9, &v), -EINVAL);
	ck_assert_int_eq(value_number(" 1", 9, &v), -EINVAL);
	ck_assert_int_eq(value_number("+1", 9, &v), -EINVAL);
	ck_assert_int_eq(value_number("0x1", 9, &v), -EINVAL);
	ck_assert_int_eq(value_number("1 ", 9, &v), -EINVAL);
	ck_assert_uint_eq(v, UINT64_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli_args");
	TCase *tc = tcase_create("args");

	log_init("pinfs");
	tcase_add_test(tc, dma_defaults);
	tcase_add_test(tc, dma_all_options);
	tcase_add_test(tc, dma_more_options);
	tcase_add_loop_test(tc, dma_bad_lines, 0, ARRAY_SIZE(bad_lines));
	tcase_add_test(tc, standard_input_leaves_room_for_json);
	tcase_add_test(tc, numbers);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
