// SPDX-License-Identifier: BSD-3-Clause
#include "progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static bool enabled;
static const char *name;
static int shown; /* percent; -1: nothing is on the line */

void progress_enable(void)
{
	enabled = isatty(STDERR_FILENO);
}

void progress_begin(const char *pass)
{
	name = pass;
	shown = -1;
}

void progress_at(uint64_t done, uint64_t all)
{
	int percent = all ? (int)(100.0 * (double)done / (double)all) : 0;

	if (!enabled || percent == shown)
		return;
	shown = percent;
	fprintf(stderr, "\r%-8s %3d %%", name, percent);
}

void progress_end(void)
{
	if (enabled && shown >= 0)
		fprintf(stderr, "\r%16s\r", "");
	shown = -1;
}
