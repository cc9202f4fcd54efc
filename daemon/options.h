/* SPDX-License-Identifier: BSD-3-Clause */
/* What pinfsd is told on its command line. */
#ifndef PINFSD_OPTIONS_H
#define PINFSD_OPTIONS_H

#include <fuse_opt.h>
#include <stdbool.h>

#include "fs/fs.h"

struct options {
	const char *pool;
	const char *mountpoint;
	bool foreground;
	bool debug;
	bool allow_other;
	bool io_uring; /* asked for */
	unsigned int io_uring_depth; /* requests in each ring */
	bool fsname; /* given by the user */
	bool subtype;
	unsigned int threads; /* that serve requests; 0: by the CPUs */
	struct fs_options fs;
	struct fuse_args fuse; /* what is libfuse's to know */
};

/*
 * options_parse - exits on --help, --version, and with what is wrong
 *
 * What it does not know is left in fuse, which knows the standard options and
 * refuses all others.
 */
void options_parse(struct options *opt, int argc, char **argv);

/* options_cpus - threads for work that waits for nothing: one a CPU, 2 to 32 */
unsigned int options_cpus(void);

/* options_add - one more option for libfuse; -ENOMEM */
int options_add(struct options *opt, const char *name, const char *value);

void options_free(struct options *opt);

#endif
