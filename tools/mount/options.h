/* SPDX-License-Identifier: BSD-3-Clause */
/* The options that mount(8) hands to a helper. */
#ifndef PINFS_MOUNT_OPTIONS_H
#define PINFS_MOUNT_OPTIONS_H

#include <stdbool.h>

/* struct options - those for the daemon, as one string */
struct options {
	char *text; /* separated by commas; NULL: none yet */
	bool remount; /* asked for */
	unsigned long flags; /* MS_*: what the kernel does itself */
	char *daemons; /* as text, but only what the daemon alone knows */
	bool dev; /* dev or nodev is among them */
	bool suid; /* suid or nosuid is among them */
};

/*
 * options_add - take a list as it stands after -o
 *
 * Leaves out what concerns only mount(8) and systemd, and what is the default
 * anyway.  A backslash keeps the comma behind it in the option.  0 or -ENOMEM.
 */
int options_add(struct options *o, const char *list);

void options_free(struct options *o);

/* options_append - one option as it is; 0 or -ENOMEM */
int options_append(struct options *o, const char *option);

/* remount - of what is mounted there, with o's flags; does not return */
void remount(const char *mountpoint, const struct options *o)
	__attribute__((noreturn));

#endif
