// SPDX-License-Identifier: BSD-3-Clause
/* The command line of pinfs dma. */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "common/tool.h"
#include "dma.h"
#include "value.h"

enum {
	OPT_OFFSET = 1,
	OPT_DEVICE_OFFSET,
	OPT_LENGTH,
	OPT_ENGINE,
	OPT_DEPTH,
	OPT_CHUNK,
	OPT_LATENCY,
	OPT_JITTER,
	OPT_SEED,
	OPT_BANDWIDTH,
	OPT_FAIL_AFTER,
	OPT_NOWAIT,
	OPT_LONGTERM,
	OPT_DETACH,
	OPT_CREATE,
	OPT_NO_DIRECT,
};

const struct cmd_option dma_option_table[] = {
	{ "offset", "BYTES", OPT_OFFSET, "where in FILE to begin" },
	{ "device-offset", "BYTES", OPT_DEVICE_OFFSET,
	  "where on DEVICE to begin" },
	{ "length", "BYTES", OPT_LENGTH,
	  "how much to transfer; default: all that there is" },
	{ "engine", "NAME", OPT_ENGINE, "io_uring (the default) or aio" },
	{ "depth", "N", OPT_DEPTH, "chunks in flight, 1 to 256" },
	{ "chunk", "BYTES", OPT_CHUNK, "size of a chunk, at most 64M" },
	{ "latency", "TIME", OPT_LATENCY,
	  "hold each chunk's pins that much longer" },
	{ "jitter", "TIME", OPT_JITTER, "and at random up to that much more" },
	{ "seed", "N", OPT_SEED, "draw the same jitter as last time" },
	{ "bandwidth", "BYTES", OPT_BANDWIDTH, "no more than that a second" },
	{ "fail-after", "BYTES", OPT_FAIL_AFTER,
	  "let the device fail after so many" },
	{ "nowait", NULL, OPT_NOWAIT,
	  "fail rather than wait behind a truncate or the like" },
	{ "longterm", NULL, OPT_LONGTERM,
	  "ask for pins without an end, which is refused" },
	{ "detach", NULL, OPT_DETACH, "print the pin set's id and return" },
	{ "create", NULL, OPT_CREATE, "make the destination if it is missing" },
	{ "no-direct", NULL, OPT_NO_DIRECT,
	  "open DEVICE through the page cache" },
	CMD_JSON,
	CMD_OPTIONS_END,
};

static int parse_engine(const char *s, uint32_t *engine)
{
	if (!strcmp(s, "io_uring"))
		*engine = PINFS_ENGINE_IO_URING;
	else if (!strcmp(s, "aio"))
		*engine = PINFS_ENGINE_AIO;
	else
		return -EINVAL;
	return 0;
}

/* From 1 on: 0 would mean the default to the daemon, and no limit. */
static int parse_at_least_1(const char *s, uint64_t max, uint64_t *out)
{
	int err = tool_parse_size(s, out);

	if (err)
		return err;
	return *out < 1 || *out > max ? -ERANGE : 0;
}

static int parse_depth(const char *s, uint32_t *depth)
{
	uint64_t v;
	int err;

	err = value_number(s, PINFS_DMA_MAX_DEPTH, &v);
	if (err || !v)
		return -ERANGE;
	*depth = (uint32_t)v;
	return 0;
}

/* Options that say how the device behaves. */
static int take_device_option(struct dma_args *a, int opt, const char *s)
{
	switch (opt) {
	case OPT_ENGINE:
		return parse_engine(s, &a->start.engine);
	case OPT_DEPTH:
		return parse_depth(s, &a->start.depth);
	case OPT_CHUNK:
		return parse_at_least_1(s, PINFS_DMA_MAX_CHUNK,
					&a->start.chunk);
	case OPT_LATENCY:
		return tool_parse_duration(s, &a->start.latency_ns);
	case OPT_JITTER:
		return tool_parse_duration(s, &a->start.jitter_ns);
	case OPT_SEED:
		return value_number(s, UINT64_MAX, &a->start.seed);
	case OPT_BANDWIDTH:
		return parse_at_least_1(s, UINT64_MAX, &a->start.bandwidth);
	case OPT_FAIL_AFTER:
		return tool_parse_size(s, &a->start.fail_after);
	default:
		return 0;
	}
}

static int take_option(struct dma_args *a, int opt, const char *s)
{
	switch (opt) {
	case OPT_OFFSET:
		return tool_parse_size(s, &a->start.offset);
	case OPT_DEVICE_OFFSET:
		return tool_parse_size(s, &a->start.device_offset);
	case OPT_LENGTH:
		a->length_given = true;
		return parse_at_least_1(s, INT64_MAX, &a->start.length);
	case OPT_NOWAIT:
		a->start.flags |= PINFS_DMA_NOWAIT;
		return 0;
	case OPT_LONGTERM:
		a->start.flags |= PINFS_DMA_LONGTERM;
		return 0;
	case OPT_DETACH:
		a->start.flags |= PINFS_DMA_DETACH;
		return 0;
	case OPT_CREATE:
		a->create = true;
		return 0;
	case OPT_NO_DIRECT:
		a->no_direct = true;
		return 0;
	default:
		return take_device_option(a, opt, s);
	}
}

static const char *option_name(int opt)
{
	const struct cmd_option *o = dma_option_table;

	while (o->name && o->val != opt)
		o++;
	return o->name ? o->name : "";
}

static enum cmd_exit take_ends(struct cmd_line *line, struct dma_args *a)
{
	const char *how = line->operand[0];

	if (!strcmp(how, "from-device")) {
		a->direction = PINFS_FROM_DEVICE;
		a->device = line->operand[1];
		a->file = line->operand[2];
	} else if (!strcmp(how, "to-device")) {
		a->direction = PINFS_TO_DEVICE;
		a->file = line->operand[1];
		a->device = line->operand[2];
	} else {
		return cmd_usage(line->cmd,
				 "%s: neither from-device nor to-device", how);
	}
	if (a->start.offset > INT64_MAX || a->start.device_offset > INT64_MAX)
		return cmd_usage(line->cmd, "offset out of range");
	/* What is printed there would be taken for the device's data. */
	if (a->direction == PINFS_TO_DEVICE && !strcmp(a->device, "-") &&
	    (line->json || a->start.flags & PINFS_DMA_DETACH))
		return cmd_usage(line->cmd, "-: standard output is the device, "
					    "so --json and --detach have "
					    "nowhere to print");
	return CMD_DONE;
}

enum cmd_exit dma_parse(struct cmd_line *line, struct dma_args *args)
{
	int opt, err;

	*args = (struct dma_args){
		.start = {
			.version = PINFS_DMA_WIRE_VERSION,
			.engine = PINFS_ENGINE_IO_URING,
			.fail_after = UINT64_MAX,
			.seed = now_ns(),
		},
	};
	while ((opt = cmd_next_option(line)) > 0) {
		err = take_option(args, opt, optarg);
		if (err)
			return cmd_usage(line->cmd, "--%s=%s: %s",
					 option_name(opt), optarg,
					 err == -ERANGE ? "out of range" :
							  "not understood");
	}
	if (opt == CMD_OPT_BAD)
		return CMD_USAGE;
	args->json = line->json;
	return take_ends(line, args);
}
