// SPDX-License-Identifier: BSD-3-Clause
/* pinfs stats: a mount's counters, also for Prometheus. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd.h"
#include "field.h"
#include "ioc.h"
#include "text.h"

struct counter {
	struct field field;
	const char *metric; /* without the prefix pinfs_ */
	bool gauge; /* may fall */
};

#define COUNTER(member, kind, label, metric, gauge)                         \
	{                                                                   \
		FIELD(struct pinfs_ioc_stats, member, kind, label), metric, \
			gauge                                               \
	}

/* A metric of a FIELD_NS is in seconds, as Prometheus wants it. */
static const struct counter counters[] = {
	COUNTER(pins, NUMBER, "blocks pinned", "pins_total", false),
	COUNTER(unpins, NUMBER, "blocks unpinned", "unpins_total", false),
	COUNTER(pin_sets, NUMBER, "pin sets begun", "pin_sets_total", false),
	COUNTER(pin_sets_live, NUMBER, "pin sets now", "pin_sets", true),
	COUNTER(pin_waits, NUMBER, "pin sets that waited", "pin_waits_total",
		false),
	COUNTER(breaks, NUMBER, "breaks", "breaks_total", false),
	COUNTER(breaks_waited, NUMBER, "breaks that waited",
		"breaks_waited_total", false),
	COUNTER(breaks_waiting, NUMBER, "breaks waiting now", "breaks_waiting",
		true),
	COUNTER(wait_total_ns, NS, "breaks' wait, total",
		"break_wait_seconds_total", false),
	COUNTER(wait_longest_ns, NS, "breaks' wait, longest",
		"break_wait_longest_seconds", true),
	COUNTER(idle_events, NUMBER, "idle events", "idle_events_total", false),
	COUNTER(interrupted, NUMBER, "breaks interrupted",
		"breaks_interrupted_total", false),
	COUNTER(timed_out, NUMBER, "breaks timed out", "breaks_timed_out_total",
		false),
	COUNTER(refused, NUMBER, "pin sets refused", "pin_sets_refused_total",
		false),
	COUNTER(retries, NUMBER, "pins taken anew", "pin_retries_total", false),
	COUNTER(dma_bytes_in, BYTES, "bytes from devices", "dma_in_bytes_total",
		false),
	COUNTER(dma_bytes_out, BYTES, "bytes to devices", "dma_out_bytes_total",
		false),
	COUNTER(dma_errors, NUMBER, "failed DMAs", "dma_errors_total", false),
	COUNTER(transactions, NUMBER, "transactions", "transactions_total",
		false),
	COUNTER(checkpoints, NUMBER, "checkpoints", "checkpoints_total", false),
	COUNTER(invalidations, NUMBER, "cached ranges dropped",
		"invalidations_total", false),
	COUNTER(orphans, NUMBER, "orphans now", "orphans", true),
};

#define COUNTERS (sizeof(counters) / sizeof(counters[0]))

enum { OPT_PROMETHEUS = 1 };

static const struct cmd_option options[] = {
	CMD_JSON,
	{ "prometheus", NULL, OPT_PROMETHEUS,
	  "print the text exposition format" },
	CMD_OPTIONS_END,
};

/* A label's value: \, " and the newline are escaped. */
static void print_label(const char *name, const char *value)
{
	printf("%s=\"", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			printf("\\%c", *value);
		else if (*value == '\n')
			printf("\\n");
		else
			putchar(*value);
	}
	putchar('"');
}

static void print_metric(const struct counter *c, uint64_t v, const char *uuid,
			 const char *mount)
{
	printf("# HELP pinfs_%s %s\n# TYPE pinfs_%s %s\npinfs_%s{", c->metric,
	       c->field.label, c->metric, c->gauge ? "gauge" : "counter",
	       c->metric);
	print_label("mount", mount);
	putchar(',');
	print_label("uuid", uuid);
	if (c->field.kind == FIELD_NS)
		printf("} %" PRIu64 ".%09" PRIu64 "\n", v / 1000000000,
		       v % 1000000000);
	else
		printf("} %" PRIu64 "\n", v);
}

static int print_prometheus(int fd, const struct pinfs_ioc_stats *st,
			    const char *mount)
{
	struct pinfs_ioc_info info;
	char uuid[37];
	size_t i;
	int err;

	err = ioc_info(fd, &info);
	if (err)
		return err;
	text_uuid(uuid, info.uuid);
	for (i = 0; i < COUNTERS; i++)
		print_metric(&counters[i], field_number(&counters[i].field, st),
			     uuid, mount);
	return 0;
}

static int print(const struct cmd_line *line, const struct pinfs_ioc_stats *st)
{
	struct field fields[COUNTERS + 1];
	size_t i;

	for (i = 0; i < COUNTERS; i++)
		fields[i] = counters[i].field;
	fields[i] = (struct field)FIELD_END;
	if (line->json)
		return json_print(fields_json(fields, st));
	return fields_print(fields, st, 0, stdout);
}

static enum cmd_exit run(struct cmd_line *line)
{
	struct pinfs_ioc_stats st = { .pins = 0 };
	bool prometheus = false;
	int fd, err, opt;

	while ((opt = cmd_next_option(line)) > 0)
		prometheus |= opt == OPT_PROMETHEUS;
	if (opt == CMD_OPT_BAD)
		return CMD_USAGE;
	if (prometheus && line->json)
		return cmd_usage(line->cmd, "--json and --prometheus: only one "
					    "of them at a time");
	fd = ioc_open(line->operand[0]);
	if (fd < 0)
		return CMD_FAILED;
	if (ioctl(fd, PINFS_IOC_STATS, &st))
		err = -errno;
	else if (prometheus)
		err = print_prometheus(fd, &st, line->operand[0]);
	else
		err = print(line, &st);
	if (err)
		ioc_complain(line->operand[0], err);
	close(fd);
	return err ? CMD_FAILED : CMD_DONE;
}

const struct command cmd_stats = {
	.name = "stats",
	.operands = "MNT",
	.summary = "Prints a mount's counters",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};
