// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int options_append(struct options *o, const char *option)
{
	char *text;

	if (asprintf(&text, "%s%s%s", o->text ? o->text : "",
		     o->text ? "," : "", option) < 0)
		return -ENOMEM;
	free(o->text);
	o->text = text;
	return 0;
}

static int take(struct options *o, const char *option)
{
	if (is_left_out(option))
		return 0;
	if (!strcmp(option, "remount")) {
		o->remount = true;
		return 0;
	}
	o->dev |= !strcmp(option, "dev") || !strcmp(option, "nodev");
	o->suid |= !strcmp(option, "suid") || !strcmp(option, "nosuid");
	return options_append(o, option);
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
