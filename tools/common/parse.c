// SPDX-License-Identifier: BSD-3-Clause
/* Numbers with units. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "common/tool.h"

/* parse_number - digits at text; *end is what follows them */
static int parse_number(const char *text, uint64_t *n, const char **end)
{
	char *rest;

	/* strtoull() would take spaces and a sign. */
	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	*n = strtoull(text, &rest, 10);
	*end = rest;
	return errno == ERANGE ? -ERANGE : 0;
}

int tool_parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGTP";
	const char *end, *unit;
	unsigned int shift = 0;
	uint64_t n;
	int err;

	err = parse_number(text, &n, &end);
	if (err)
		return err;
	if (*end) {
		unit = strchr(units, toupper((unsigned char)*end));
		if (!unit || end[1])
			return -EINVAL;
		shift = 10 * (unsigned int)(unit - units + 1);
	}
	if (n > UINT64_MAX >> shift)
		return -ERANGE;
	*bytes = n << shift;
	return 0;
}

/* parse_fraction - ".25" of unit_ns, added to *ns */
static int parse_fraction(const char **at, uint64_t unit_ns, uint64_t *ns)
{
	uint64_t digit = unit_ns;

	if (**at != '.')
		return 0;
	(*at)++;
	if (!isdigit((unsigned char)**at))
		return -EINVAL;
	for (; isdigit((unsigned char)**at); (*at)++) {
		digit /= 10;
		*ns += (uint64_t)(**at - '0') * digit;
	}
	return 0;
}

static int find_unit(const char *text, uint64_t *unit_ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "", NSEC_PER_SEC },
		{ "s", NSEC_PER_SEC },
		{ "ms", NSEC_PER_SEC / 1000 },
		{ "us", NSEC_PER_SEC / 1000000 },
		{ "ns", 1 },
		{ "m", 60 * NSEC_PER_SEC },
		{ "h", 3600 * NSEC_PER_SEC },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(units); i++) {
		if (!strcmp(text, units[i].name)) {
			*unit_ns = units[i].ns;
			return 0;
		}
	}
	return -EINVAL;
}

int tool_parse_duration(const char *text, uint64_t *ns)
{
	uint64_t n, unit = 0, part = 0;
	const char *end;
	int err;

	err = parse_number(text, &n, &end);
	if (err)
		return err;
	err = find_unit(end + strspn(end, ".0123456789"), &unit);
	if (!err)
		err = parse_fraction(&end, unit, &part);
	if (err)
		return err;
	/* A second point is not a unit. */
	if (*end == '.')
		return -EINVAL;
	if (n > (UINT64_MAX - part) / unit)
		return -ERANGE;
	*ns = n * unit + part;
	return 0;
}

char *tool_size_text(char buf[TOOL_SIZE_TEXT], uint64_t bytes)
{
	static const char units[] = "KMGTPE";
	double v = (double)bytes;
	int unit = -1;

	while (v >= 1024) {
		v /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(buf, TOOL_SIZE_TEXT, "%" PRIu64 " B", bytes);
	else
		snprintf(buf, TOOL_SIZE_TEXT, "%.*f %ciB",
			 v == (double)(uint64_t)v ? 0 : 1, v, units[unit]);
	return buf;
}
