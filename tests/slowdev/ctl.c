// SPDX-License-Identifier: BSD-3-Clause
/* The slow device's control file. */
#include "ctl.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define NSEC_PER_MSEC UINT64_C(1000000)

/* Digits, then one of units: the number times what the unit stands for. */
static bool parse_number(const char *text, const char *const units[],
			 const uint64_t factor[], uint64_t *value)
{
	char *end;
	size_t i;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno)
		return false;
	for (i = 0; units[i]; i++) {
		if (strcmp(end, units[i]) == 0)
			return !__builtin_mul_overflow(*value, factor[i],
						       value);
	}
	return false;
}

bool parse_size(const char *text, uint64_t *size)
{
	static const char *const units[] = { "", "K", "M", "G", "T", NULL };
	static const uint64_t factor[] = { 1, 1ull << 10, 1ull << 20,
					   1ull << 30, 1ull << 40 };

	return parse_number(text, units, factor, size);
}

bool parse_ms(const char *text, uint64_t *ns)
{
	static const char *const units[] = { "", "ms", "s", NULL };
	static const uint64_t factor[] = { NSEC_PER_MSEC, NSEC_PER_MSEC,
					   NSEC_PER_SEC };

	return parse_number(text, units, factor, ns);
}

static void print_place(char text[24], uint64_t off)
{
	if (off == DEVICE_NOWHERE)
		strcpy(text, "-");
	else
		snprintf(text, 24, "%" PRIu64, off);
}

struct ctl_session *ctl_open(struct device *d)
{
	struct ctl_session *s = calloc(1, sizeof(*s));

	if (s)
		list_add(&s->link, &d->sessions);
	return s;
}

void ctl_close(struct ctl_session *s)
{
	list_del(&s->link);
	free(s);
}

void ctl_close_all(struct device *d)
{
	struct ctl_session *s, *tmp;

	list_for_each_entry_safe(s, tmp, &d->sessions, link)
		ctl_close(s);
}

/* The state, as text; returns its length. */
static size_t print_state(const struct device *d, char text[CTL_TEXT_MAX])
{
	char fail_at[24], hang_from[24];
	int n;

	print_place(fail_at, d->fail_at);
	print_place(hang_from, d->hang_from);
	n = snprintf(text, CTL_TEXT_MAX,
		     "held %" PRIu64 "\n"
		     "hung %" PRIu64 "\n"
		     "reads %" PRIu64 "\n"
		     "writes %" PRIu64 "\n"
		     "answered %" PRIu64 "\n"
		     "failed %" PRIu64 "\n"
		     "awaiting %" PRIu64 "\n"
		     "last_answer_ms %" PRIu64 "\n"
		     "size %" PRIu64 "\n"
		     "delay_ms %" PRIu64 "\n"
		     "fail_at %s\n"
		     "hang_from %s\n",
		     d->n_held, d->n_hung, d->n_reads, d->n_writes,
		     d->n_answered, d->n_failed, d->n_awaiting,
		     d->last_answer_ms, d->media.size,
		     d->delay_ns / NSEC_PER_MSEC, fail_at, hang_from);
	return (size_t)n;
}

static int do_delay(struct device *d, const char *arg)
{
	return parse_ms(arg, &d->delay_ns) ? 0 : EINVAL;
}

static int do_fail(struct device *d, const char *arg)
{
	return parse_size(arg, &d->fail_at) ? 0 : EINVAL;
}

static int do_stop_fail(struct device *d, const char *arg)
{
	(void)arg;
	d->fail_at = DEVICE_NOWHERE;
	return 0;
}

static int do_hang(struct device *d, const char *arg)
{
	return parse_size(arg, &d->hang_from) ? 0 : EINVAL;
}

static int do_stop_hang(struct device *d, const char *arg)
{
	(void)arg;
	d->hang_from = DEVICE_NOWHERE;
	return 0;
}

static int do_release(struct device *d, const char *arg)
{
	uint64_t n;

	if (!*arg) {
		device_release(d);
		return 0;
	}
	if (!parse_size(arg, &n))
		return EINVAL;
	device_release_oldest(d, n);
	return 0;
}

static const struct command {
	const char *name;
	enum { ARG_NONE, ARG_MAYBE, ARG_MUST } arg;
	int (*run)(struct device *d, const char *arg);
} commands[] = {
	{ "delay", ARG_MUST, do_delay },
	{ "fail", ARG_MUST, do_fail },
	{ "stop-fail", ARG_NONE, do_stop_fail },
	{ "hang", ARG_MUST, do_hang },
	{ "stop-hang", ARG_NONE, do_stop_hang },
	{ "release", ARG_MAYBE, do_release },
};

static int run_command(struct device *d, const char *name, const char *arg)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *c = &commands[i];

		if (strcmp(c->name, name) != 0)
			continue;
		if ((c->arg == ARG_NONE && *arg) ||
		    (c->arg == ARG_MUST && !*arg))
			return EINVAL;
		return c->run(d, arg);
	}
	return EINVAL;
}

static int set_goal(struct device *d, struct device_goal *goal,
		    const char *name, const char *want)
{
	const struct device_goal goals[] = {
		{ "held", &d->n_held, 0 },
		{ "hung", &d->n_hung, 0 },
		{ "reads", &d->n_reads, 0 },
		{ "writes", &d->n_writes, 0 },
		{ "answered", &d->n_answered, 0 },
		{ "failed", &d->n_failed, 0 },
		{ "awaiting", &d->n_awaiting, 0 },
	};
	uint64_t value;
	size_t i;

	if (!parse_size(want, &value))
		return EINVAL;
	for (i = 0; i < ARRAY_SIZE(goals); i++) {
		if (strcmp(goals[i].name, name) != 0)
			continue;
		*goal = goals[i];
		goal->want = value;
		return 0;
	}
	return EINVAL;
}

int ctl_command(struct device *d, struct ctl_session *s, const char *buf,
		size_t n)
{
	char line[80], name[16] = "", arg[32] = "", want[32] = "", extra;
	int words;

	if (n >= sizeof(line))
		return EINVAL;
	memcpy(line, buf, n);
	line[n] = '\0';
	words = sscanf(line, "%15s %31s %31s %c", name, arg, want, &extra);
	if (words == 3 && strcmp(name, "await") == 0)
		return set_goal(d, &s->goal, arg, want);
	if (words == 1 || words == 2)
		return run_command(d, name, arg);
	return EINVAL;
}

void ctl_read(struct device *d, struct ctl_session *s, fuse_req_t req, size_t n,
	      uint64_t off)
{
	if (s->goal.name) {
		device_await(d, req, &s->goal);
		s->goal.name = NULL;
		return;
	}
	if (off == 0)
		s->n = print_state(d, s->text);
	if (off >= s->n)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, s->text + off, min_u64(n, s->n - off));
}
