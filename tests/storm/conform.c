// SPDX-License-Identifier: BSD-3-Clause
/*
 * conform - check a stream of events against the rules of the layout protocol
 *
 *   conform [--scope file|range] [--complete] [FILE]
 *
 * Reads what `pinfs trace --json` prints. --complete: the stream is all of a
 * mount's life, so nothing in it may be without its beginning or its end.
 *
 * Exit code 0: no rule is violated; 1: one is, and it says which; 2: bad usage;
 * 3: events are missing, or the input is none.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform.h"

static void usage(FILE *to)
{
	fprintf(to, "usage: conform [--scope file|range] [--complete] [FILE]\n"
		    "Checks what `pinfs trace --json` prints against the "
		    "layout protocol.\n");
}

__attribute__((noreturn)) static void not_whole(uint64_t line, const char *why)
{
	fprintf(stderr, "conform: line %" PRIu64 ": %s\n", line, why);
	exit(3);
}

/* --- from JSON ------------------------------------------------------------- */

static uint64_t number_of(const json_t *obj, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(obj, name));
}

/* name_of - which of the names the member is, or n */
static unsigned int name_of(const json_t *obj, const char *member,
			    const char *const names[], unsigned int n)
{
	const char *s = json_string_value(json_object_get(obj, member));
	unsigned int i = 0;

	while (i < n && (!s || strcmp(s, names[i]) != 0))
		i++;
	return i;
}

static void take_in(const json_t *obj, uint64_t line, struct event *ev)
{
	unsigned int kind = name_of(obj, "kind", kind_names, KINDS);
	unsigned int change = name_of(obj, "change", change_names, CHANGES);

	if (kind == KINDS)
		not_whole(line, "an event of a kind that is not known");
	if (kind >= KIND_BREAK_ASKED && kind <= KIND_BREAK_WARN &&
	    change == CHANGES)
		not_whole(line, "a change that is not known");
	if (number_of(obj, "lost"))
		not_whole(line, "events were lost");
	*ev = (struct event){
		.number = number_of(obj, "number"),
		.kind = kind,
		.change = change,
		.id = number_of(obj, "id"),
		.ino = number_of(obj, "ino"),
		.offset = number_of(obj, "offset"),
		.length = number_of(obj, "length"),
		.physical = number_of(obj, "physical"),
		.err = (int)json_integer_value(json_object_get(obj, "err")),
	};
}

static void parse(const char *text, uint64_t line, struct event *ev)
{
	json_error_t why;
	json_t *obj = json_loads(text, 0, &why);

	if (!json_is_object(obj))
		not_whole(line, obj ? "not an object" : why.text);
	take_in(obj, line, ev);
	json_decref(obj);
}

/* --- reading --------------------------------------------------------------- */

/* check_number - the stream has no gap (and, if complete, its beginning) */
static void check_number(const struct book *b, uint64_t last, uint64_t line,
			 uint64_t number)
{
	if (line == 1 && (!b->complete || number == 1))
		return;
	if (line > 1 && number == last + 1)
		return;
	fprintf(stderr,
		"conform: line %" PRIu64 ": event %" PRIu64 " comes after "
		"%" PRIu64 ": events were lost\n",
		line, number, last);
	exit(3);
}

static void read_all(struct book *b, FILE *from, const char *name)
{
	uint64_t line = 0, last = 0;
	char *text = NULL;
	size_t room = 0;
	struct event ev;

	while (getline(&text, &room, from) > 0) {
		parse(text, ++line, &ev);
		check_number(b, last, line, ev.number);
		last = ev.number;
		conform_event(b, &ev);
	}
	if (ferror(from)) {
		fprintf(stderr, "conform: %s: %s\n", name, strerror(errno));
		exit(3);
	}
	free(text);
	conform_end(b, last);
}

static void summary(const struct book *b)
{
	printf("%" PRIu64 " events: %" PRIu64 " pin sets, %" PRIu64
	       " pins, %" PRIu64 " breaks of which %" PRIu64 " waited, %" PRIu64
	       " blocks freed: no rule is violated\n",
	       b->count.events, b->count.sets, b->count.pins, b->count.breaks,
	       b->count.waited, b->count.freed);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "scope", required_argument, NULL, 's' },
		{ "complete", no_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	static struct book book;
	const char *name = "standard input";
	FILE *from = stdin;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's' &&
		    (!strcmp(optarg, "file") || !strcmp(optarg, "range"))) {
			book.range = optarg[0] == 'r';
		} else if (c == 'c') {
			book.complete = true;
		} else {
			usage(c == 'h' ? stdout : stderr);
			return c == 'h' ? 0 : 2;
		}
	}
	if (argc - optind > 1) {
		usage(stderr);
		return 2;
	}
	if (argc > optind) {
		name = argv[optind];
		from = fopen(name, "re");
	}
	if (!from) {
		fprintf(stderr, "conform: %s: %s\n", name, strerror(errno));
		return 3;
	}
	read_all(&book, from, name);
	summary(&book);
	return 0;
}
