/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of pinfs dma: its arguments, the device, the talk to the daemon. */
#ifndef PINFS_TOOL_DMA_H
#define PINFS_TOOL_DMA_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd.h"
#include "wire/pinfs_dma.h"
#include "wire/pinfs_ioctl.h"

/* struct dma_args - what the command line says */
struct dma_args {
	enum pinfs_direction direction;
	const char *device; /* "-": standard input or output */
	const char *file;
	bool length_given;
	bool create; /* make the destination if it is missing */
	bool no_direct;
	bool json;
	struct pinfs_dma_start start; /* all but the ticket */
};

extern const struct cmd_option dma_option_table[];

/* dma_parse - CMD_DONE, or CMD_USAGE after saying what is wrong */
enum cmd_exit dma_parse(struct cmd_line *line, struct dma_args *args);

/* struct dma_ends - both ends of a transfer, opened */
struct dma_ends {
	int file;
	int device;
};

/*
 * dma_open_ends - open FILE and DEVICE, and settle the length in args->start
 *
 * The device is opened with the caller's own rights, past the page cache
 * where it can be.  Complains; 0 or a negative errno.
 */
int dma_open_ends(struct dma_args *args, struct dma_ends *ends);
void dma_close_ends(struct dma_ends *ends);

/* struct dma_result - how the transfer ended */
struct dma_result {
	uint64_t pinset; /* 0: never begun */
	uint64_t bytes; /* that arrived */
	uint64_t elapsed_ns;
	bool detached;
	bool waited; /* behind a break */
};

/*
 * dma_transfer - from the ticket to the end
 *
 * Returns 0 or a negative errno, -ECONNRESET if the daemon went away.
 * SIGINT and SIGTERM cancel; a second one gives up waiting: -EINTR.
 */
int dma_transfer(const struct dma_args *args, const struct dma_ends *ends,
		 struct dma_result *res);

/* dma_progress - one line on a terminal, at most ten times a second */
void dma_progress(const struct dma_args *args, const struct pinfs_dma_msg *msg);
void dma_progress_end(void);

#endif
