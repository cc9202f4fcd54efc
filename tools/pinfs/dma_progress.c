// SPDX-License-Identifier: BSD-3-Clause
/* One line on the terminal that says how far a DMA is. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/util.h"
#include "common/tool.h"
#include "dma.h"

#define INTERVAL_NS (NSEC_PER_SEC / 10)

static bool shown; /* there is a line that must be wiped off */

static void print_line(const struct pinfs_dma_msg *msg)
{
	char done[TOOL_SIZE_TEXT], total[TOOL_SIZE_TEXT];
	char rate[TOOL_SIZE_TEXT];
	double seconds = (double)msg->elapsed_ns / 1e9;
	uint64_t speed = 0;

	if (msg->elapsed_ns)
		speed = (uint64_t)((double)msg->done / seconds);
	fprintf(stderr, "\r%s", tool_size_text(done, msg->done));
	if (msg->total)
		fprintf(stderr, " of %s (%.0f %%)",
			tool_size_text(total, msg->total),
			100 * (double)msg->done / (double)msg->total);
	fprintf(stderr, ", %s/s, pin set %" PRIu64 "\x1b[K",
		tool_size_text(rate, speed), msg->id);
}

void dma_progress(const struct dma_args *args, const struct pinfs_dma_msg *msg)
{
	static uint64_t last;
	uint64_t now = now_ns();

	if (!isatty(STDERR_FILENO))
		return;
	if (msg->event == PINFS_DMA_WAITING) {
		fprintf(stderr,
			"\rwaits behind a change of %s that was asked for "
			"earlier\x1b[K",
			args->file);
	} else if (msg->event == PINFS_DMA_PROGRESS &&
		   now - last >= INTERVAL_NS) {
		last = now;
		print_line(msg);
	} else {
		return;
	}
	fflush(stderr);
	shown = true;
}

void dma_progress_end(void)
{
	if (shown)
		fprintf(stderr, "\r\x1b[K");
	shown = false;
}
