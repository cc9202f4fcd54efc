// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/util.h"

/* Of no concern to the daemon; with a '=', any value of it. */
static const char *const left_out[] = {
	"rw",	    "defaults", "auto",	    "noauto",  "user",
	"user=",    "nouser",	"users",    "nousers", "owner",
	"noowner",  "group",	"nogroup",  "nofail",  "_netdev",
	"relatime", "comment=", "uhelper=", "helper=",
};

/* And whatever begins so. */
static const char *const left_out_prefixes[] = { "x-", "X-" };

static bool is_left_out(const char *option)
{
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(left_out); i++) {
		n = strlen(left_out[i]);
		if (left_out[i][n - 1] == '=' ?
			    !strncmp(option, left_out[i], n) :
			    !strcmp(option, left_out[i]))
			return true;
	}
	for (i = 0; i < ARRAY_SIZE(left_out_prefixes); i++)
		if (!strncmp(option, left_out_prefixes[i],
			     strlen(left_out_prefixes[i])))
			return true;
	return !*option;
}

static int append(char **list, const char *option)
{
	char *text;

	if (asprintf(&text, "%s%s%s", *list ? *list : "", *list ? "," : "",
		     option) < 0)
		return -ENOMEM;
	free(*list);
	*list = text;
	return 0;
}

int options_append(struct options *o, const char *option)
{
	return append(&o->text, option);
}

/* Options that are flags of mount(2), set or cleared. */
static const struct {
	const char *name;
	unsigned long set, clear;
} flags[] = {
	{ "ro", MS_RDONLY, 0 },
	{ "rw", 0, MS_RDONLY },
	{ "nosuid", MS_NOSUID, 0 },
	{ "suid", 0, MS_NOSUID },
	{ "nodev", MS_NODEV, 0 },
	{ "dev", 0, MS_NODEV },
	{ "noexec", MS_NOEXEC, 0 },
	{ "exec", 0, MS_NOEXEC },
	{ "sync", MS_SYNCHRONOUS, 0 },
	{ "async", 0, MS_SYNCHRONOUS },
	{ "dirsync", MS_DIRSYNC, 0 },
	{ "noatime", MS_NOATIME, 0 },
	{ "atime", 0, MS_NOATIME },
	{ "nodiratime", MS_NODIRATIME, 0 },
	{ "diratime", 0, MS_NODIRATIME },
	{ "relatime", MS_RELATIME, 0 },
	{ "strictatime", MS_STRICTATIME, MS_RELATIME | MS_NOATIME },
};

/* What the kernel lists of a FUSE mount, without the values. */
static const char *const kernels[] = {
	"user_id=",
	"group_id=",
	"fd=",
	"rootmode=",
	"default_permissions",
	"allow_other",
	"max_read=",
	"blksize=",
};

/* take_flag - true if it is one of the kernel's, who knows how to remount */
static bool take_flag(struct options *o, const char *option)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		if (strcmp(option, flags[i].name))
			continue;
		o->flags &= ~flags[i].clear;
		o->flags |= flags[i].set;
		return true;
	}
	for (i = 0; i < ARRAY_SIZE(kernels); i++)
		if (!strncmp(option, kernels[i], strlen(kernels[i])))
			return true;
	return false;
}

static int take(struct options *o, const char *option)
{
	bool kernels_own = take_flag(o, option);

	if (is_left_out(option))
		return 0;
	if (!strcmp(option, "remount")) {
		o->remount = true;
		return 0;
	}
	if (!kernels_own && append(&o->daemons, option))
		return -ENOMEM;
	o->dev |= !strcmp(option, "dev") || !strcmp(option, "nodev");
	o->suid |= !strcmp(option, "suid") || !strcmp(option, "nosuid");
	return options_append(o, option);
}

void options_free(struct options *o)
{
	free(o->text);
	free(o->daemons);
}

/* Bytes up to the comma that ends the option, or to the list's end. */
static size_t option_length(const char *s)
{
	size_t n = 0;

	while (s[n] && s[n] != ',')
		n += s[n] == '\\' && s[n + 1] ? 2 : 1;
	return n;
}

int options_add(struct options *o, const char *list)
{
	char *option;
	size_t n;
	int err;

	for (;;) {
		n = option_length(list);
		option = strndup(list, n);
		if (!option)
			return -ENOMEM;
		err = take(o, option);
		free(option);
		if (err || !list[n])
			return err;
		list += n + 1;
	}
}
