// SPDX-License-Identifier: BSD-3-Clause
#include "text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"

static char *text_long(char buf[TEXT_NUMBER], uint64_t seconds)
{
	unsigned long long m = seconds / 60;

	if (m < 60)
		snprintf(buf, TEXT_NUMBER, "%llum%02us", m,
			 (unsigned int)(seconds % 60));
	else if (m < 60 * 24)
		snprintf(buf, TEXT_NUMBER, "%lluh%02llum", m / 60, m % 60);
	else
		snprintf(buf, TEXT_NUMBER, "%llud%02lluh", m / (60 * 24),
			 m / 60 % 24);
	return buf;
}

char *text_ns(char buf[TEXT_NUMBER], uint64_t ns)
{
	if (ns < 1000)
		snprintf(buf, TEXT_NUMBER, "%uns", (unsigned int)ns);
	else if (ns < 1000000)
		snprintf(buf, TEXT_NUMBER, "%.1fus", (double)ns / 1e3);
	else if (ns < NSEC_PER_SEC)
		snprintf(buf, TEXT_NUMBER, "%.1fms", (double)ns / 1e6);
	else if (ns < 60 * NSEC_PER_SEC)
		snprintf(buf, TEXT_NUMBER, "%.1fs", (double)ns / 1e9);
	else
		return text_long(buf, ns / NSEC_PER_SEC);
	return buf;
}

char *text_time(char buf[TEXT_NUMBER], int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!localtime_r(&t, &tm) ||
	    !strftime(buf, TEXT_NUMBER, "%Y-%m-%d %H:%M:%S %z", &tm))
		snprintf(buf, TEXT_NUMBER, "%lld", (long long)seconds);
	return buf;
}

char *text_uuid(char buf[37], const uint8_t uuid[16])
{
	char *p = buf;
	size_t i;

	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		p += sprintf(p, "%02x", uuid[i]);
	}
	return buf;
}

/* Bytes of the printable UTF-8 sequence at s, of at most n bytes; 0: none. */
static size_t utf8_length(const uint8_t *s, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len, i;
	uint32_t c;

	if (s[0] < 0x80)
		return s[0] >= ' ' && s[0] != 0x7f;
	len = s[0] >= 0xf8 ? 0 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || !len || len > n)
		return 0;
	c = s[0] & (0xffu >> (len + 1));
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return c < 0xa0 ? 0 : len; /* U+0080 to U+009F steer terminals */
}

/* U+202A to U+202E and U+2066 to U+2069 turn the text's direction. */
static bool turns_direction(const uint8_t *s, size_t len)
{
	return len == 3 && s[0] == 0xe2 &&
	       ((s[1] == 0x80 && s[2] >= 0xaa && s[2] <= 0xae) ||
		(s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9));
}

char *text_safe(const void *s, size_t max)
{
	const uint8_t *in = s;
	size_t n = strnlen(s, max);
	char *buf, *out;
	size_t i, len;

	buf = malloc(4 * n + 1);
	if (!buf)
		return NULL;
	out = buf;
	for (i = 0; i < n; i += len ? len : 1) {
		len = utf8_length(in + i, n - i);
		if (in[i] == '\\') {
			*out++ = '\\';
			*out++ = '\\';
		} else if (len && !turns_direction(in + i, len)) {
			memcpy(out, in + i, len);
			out += len;
		} else {
			len = 1;
			out += sprintf(out, "\\x%02x", in[i]);
		}
	}
	*out = '\0';
	return buf;
}

size_t text_width(const char *s)
{
	size_t n = 0;

	/* Every byte but those that continue a UTF-8 sequence. */
	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}
