// SPDX-License-Identifier: BSD-3-Clause
/* pinfs trace: the event stream, live. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "cmd.h"
#include "ioc.h"
#include "listing.h"
#include "text.h"

static const char *const kinds[] = {
	[0] = "unknown",
	[PINFS_EVENT_PIN_BEGIN] = "pin-begin",
	[PINFS_EVENT_PIN_WAIT] = "pin-wait",
	[PINFS_EVENT_PIN_ADMIT] = "pin-admit",
	[PINFS_EVENT_PIN] = "pin",
	[PINFS_EVENT_UNPIN] = "unpin",
	[PINFS_EVENT_PIN_END] = "pin-end",
	[PINFS_EVENT_PIN_CANCEL] = "pin-cancel",
	[PINFS_EVENT_BREAK_ASKED] = "break-asked",
	[PINFS_EVENT_BREAK_WAITING] = "break-waiting",
	[PINFS_EVENT_BREAK_RUNNING] = "break-running",
	[PINFS_EVENT_BREAK_DONE] = "break-done",
	[PINFS_EVENT_BREAK_FAILED] = "break-failed",
	[PINFS_EVENT_BREAK_WARN] = "break-warn",
	[PINFS_EVENT_FREED] = "freed",
	NULL,
};

#define F(member, kind) FIELD(struct pinfs_ioc_event, member, kind, NULL)
#define F_NAMES(member, names) \
	FIELD_NAMES(struct pinfs_ioc_event, member, NAMED, NULL, names)

#define COMMON F(number, NUMBER), F_NAMES(kind, kinds), F(time_ns, NUMBER)
#define WHOM   F(pid, NUMBER), F(uid, NUMBER), F(comm, TEXT)

/* What an event of each sort tells; "kind" tells the sort. */
static const struct field pin_fields[] = {
	COMMON,
	F(id, NUMBER),
	F(ino, NUMBER),
	F(offset, NUMBER),
	F(length, NUMBER),
	F(physical, NUMBER),
	F_NAMES(direction, listing_direction),
	F_NAMES(engine, listing_engine),
	WHOM,
	FIELD_END,
};

static const struct field break_fields[] = {
	COMMON,
	F(id, NUMBER),
	F(ino, NUMBER),
	F(offset, NUMBER),
	F(length, NUMBER),
	F_NAMES(change, listing_change),
	F(err, SIGNED),
	WHOM,
	FIELD_END,
};

static const struct field freed_fields[] = {
	COMMON,
	F(physical, NUMBER),
	F(length, NUMBER),
	FIELD_END,
};

static bool is_break(const struct pinfs_ioc_event *ev)
{
	return ev->kind >= PINFS_EVENT_BREAK_ASKED &&
	       ev->kind <= PINFS_EVENT_BREAK_WARN;
}

static int print_json(const struct pinfs_ioc_event *ev)
{
	const struct field *fields = pin_fields;

	if (ev->kind == PINFS_EVENT_FREED)
		fields = freed_fields;
	else if (is_break(ev))
		fields = break_fields;
	return json_print_line(fields_json(fields, ev));
}

/* --- for people ------------------------------------------------------------ */

/* The time of day of an event that was now_ns() ago. */
static void print_time(const struct pinfs_ioc_event *ev)
{
	struct timespec now;
	uint64_t ns;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	ns = (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec -
	     (now_ns() - ev->time_ns);
	now.tv_sec = (time_t)(ns / NSEC_PER_SEC);
	localtime_r(&now.tv_sec, &tm);
	printf("%02d:%02d:%02d.%06" PRIu64 " ", tm.tm_hour, tm.tm_min,
	       tm.tm_sec, (uint64_t)(ns % NSEC_PER_SEC / 1000));
}

static void print_pin(const struct pinfs_ioc_event *ev)
{
	printf("set %" PRIu64, ev->id);
	if (ev->ino)
		printf(" inode %" PRIu64, ev->ino);
	if (ev->kind == PINFS_EVENT_PIN)
		printf(" offset %" PRIu64 " length %" PRIu64
		       " physical %" PRIu64,
		       ev->offset, ev->length, ev->physical);
	else if (ev->kind == PINFS_EVENT_PIN_BEGIN)
		printf(" %s %s", listing_direction[ev->direction != 0],
		       listing_engine[ev->engine]);
}

static void print_break(const struct pinfs_ioc_event *ev)
{
	printf("break %" PRIu64 " inode %" PRIu64 " %s offset %" PRIu64, ev->id,
	       ev->ino, listing_change[ev->change], ev->offset);
	if (ev->change != PINFS_CHANGE_TRUNCATE)
		printf(" length %" PRIu64, ev->length);
	if (ev->err)
		printf(": %s", strerror(-ev->err));
}

static void print_whom(const struct pinfs_ioc_event *ev)
{
	char *comm = text_safe(ev->comm, sizeof(ev->comm));

	printf(" pid %u (%s)", ev->pid, comm ? comm : "?");
	free(comm);
}

/* A newer daemon may tell what this program does not know. */
static bool is_known(const struct pinfs_ioc_event *ev)
{
	return ev->kind > 0 && ev->kind <= PINFS_EVENT_FREED &&
	       ev->change <= PINFS_CHANGE_INSERT_RANGE &&
	       ev->engine <= PINFS_ENGINE_CLIENT;
}

static int print_text(const struct pinfs_ioc_event *ev)
{
	if (!is_known(ev))
		return 0;
	print_time(ev);
	printf("%-13s ", kinds[ev->kind]);
	if (ev->kind == PINFS_EVENT_FREED)
		printf("physical %" PRIu64 " length %" PRIu64, ev->physical,
		       ev->length);
	else if (is_break(ev))
		print_break(ev);
	else
		print_pin(ev);
	if (ev->kind != PINFS_EVENT_FREED)
		print_whom(ev);
	putchar('\n');
	return 0;
}

/* --- reading --------------------------------------------------------------- */

static int print_page(const struct pinfs_ioc_trace *page, bool json)
{
	int err = 0;

	if (page->lost)
		log_warn("%" PRIu64 " events were lost: too many at a time",
			 page->lost);
	for (uint32_t i = 0; i < page->count && !err; i++)
		err = json ? print_json(&page->event[i]) :
			     print_text(&page->event[i]);
	if (!err && fflush(stdout))
		err = -errno;
	return err;
}

static int follow(int fd, const char *path, bool json)
{
	static struct pinfs_ioc_trace page;
	int err;

	if (ioctl(fd, PINFS_IOC_TRACE, &page))
		return -errno;
	/* Whoever started this can tell from here on what is traced. */
	log_info("%s: recording, until interrupted", path);
	do {
		page.lost = 0;
		page.reserved = 0;
		if (ioctl(fd, PINFS_IOC_TRACE, &page))
			return -errno;
		if (page.count > PINFS_TRACE_PER_CALL)
			return -EPROTO;
		err = print_page(&page, json);
	} while (!err);
	return err;
}

static enum cmd_exit run(struct cmd_line *line)
{
	int fd, err;

	if (!cmd_only_json(line))
		return CMD_USAGE;
	fd = ioc_open(line->operand[0]);
	if (fd < 0)
		return CMD_FAILED;
	err = follow(fd, line->operand[0], line->json);
	close(fd);
	/* The mount has ended, or was cut off. */
	if (err == -ESHUTDOWN || err == -ENOTCONN || err == -ECONNABORTED)
		return CMD_DONE;
	ioc_complain(line->operand[0], err);
	return CMD_FAILED;
}

static const struct cmd_option options[] = { CMD_JSON, CMD_OPTIONS_END };

const struct command cmd_trace = {
	.name = "trace",
	.operands = "MNT",
	.summary = "Prints the event stream, live",
	.details = "One line an event, with --json one object a line, from the "
		   "moment that it says\nso on standard error until it is "
		   "interrupted or the mount ends.\n",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};
