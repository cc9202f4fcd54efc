// SPDX-License-Identifier: BSD-3-Clause
/* pinfs dma: one emulated DMA between a device and a file's own blocks. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/tool.h"
#include "dma.h"
#include "field.h"
#include "ioc.h"
#include "text.h"

/* What an error means here; NULL: what strerror(3) says. */
static const char *reason(const struct dma_args *args, int err)
{
	switch (err) {
	case -ECANCELED:
		return "cancelled";
	case -EINTR:
		return "left alone; the pins end when the kernel has finished "
		       "the I/O";
	case -ECONNRESET:
	case -EPIPE:
	case -ECONNREFUSED:
		return "the daemon of this mount has ended";
	case -EAGAIN:
		return "a change of the file waits or runs, which pinfs breaks "
		       "shows";
	case -EOPNOTSUPP:
		if (args->start.flags & PINFS_DMA_LONGTERM)
			return "pins without an end are refused";
		return NULL;
	case -ESHUTDOWN:
		return "the mount is being unmounted";
	default:
		return NULL;
	}
}

static void complain(const struct dma_args *args, const struct dma_result *res,
		     int err)
{
	const char *why = reason(args, err);

	if (err == -ENOTTY || err == -ENOSYS || err == -EPROTO ||
	    err == -ENOTCONN) {
		ioc_complain(args->file, err);
		return;
	}
	log_error("%s: %s; %" PRIu64 " bytes arrived", args->file,
		  why ? why : strerror(-err), res->bytes);
}

static json_t *error_json(int err)
{
	const char *name = strerrorname_np(-err);

	if (!err)
		return json_null();
	return name ? json_string(name) : json_integer(-err);
}

static int result_json(const struct dma_result *res, int err)
{
	return json_print(json_pack("{s:I, s:I, s:I, s:b, s:b, s:o}", "pinset",
				    (json_int_t)res->pinset, "bytes",
				    (json_int_t)res->bytes, "elapsed_ns",
				    (json_int_t)res->elapsed_ns, "waited",
				    res->waited, "detached", res->detached,
				    "error", error_json(err)));
}

/* Not on standard output if that is the device. */
static void result_text(const struct dma_args *args,
			const struct dma_result *res)
{
	char bytes[TOOL_SIZE_TEXT], time[TEXT_NUMBER];

	if (args->direction == PINFS_TO_DEVICE && !strcmp(args->device, "-"))
		return;
	if (res->detached)
		printf("%" PRIu64 "\n", res->pinset);
	else
		printf("pin set %" PRIu64 ": %" PRIu64 " bytes (%s) in %s\n",
		       res->pinset, res->bytes,
		       tool_size_text(bytes, res->bytes),
		       text_ns(time, res->elapsed_ns));
}

static enum cmd_exit run(struct cmd_line *line)
{
	struct dma_result res;
	struct dma_args args;
	struct dma_ends ends;
	enum cmd_exit rc;
	int err, print_err = 0;

	rc = dma_parse(line, &args);
	if (rc != CMD_DONE)
		return rc;
	err = dma_open_ends(&args, &ends);
	if (err)
		return CMD_FAILED;
	err = dma_transfer(&args, &ends, &res);
	if (err)
		complain(&args, &res, err);
	if (args.json)
		print_err = result_json(&res, err);
	else if (!err)
		result_text(&args, &res);
	if (print_err)
		log_error("%s: %s", args.file, strerror(-print_err));
	dma_close_ends(&ends);
	return err || print_err ? CMD_FAILED : CMD_DONE;
}

const struct command cmd_dma = {
	.name = "dma",
	.operands = "from-device DEVICE FILE | to-device FILE DEVICE",
	.summary = "Runs one emulated DMA between a device and a file",
	.details =
		"DEVICE is a block device, a file, a pipe, a Unix socket, or - "
		"for standard input\nor output; it is opened with your own "
		"rights. Ctrl-C cancels the transfer, a second\none leaves it "
		"to the daemon.\n\n"
		"BYTES may end in K, M, G or T, TIME in ms, s, m; a plain TIME "
		"is in seconds.\n",
	.options = dma_option_table,
	.min_operands = 3,
	.max_operands = 3,
	.run = run,
};
