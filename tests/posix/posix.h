/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What programs expect of a file system, call by call: the cases of one topic
 * stand in one file, as a table that main.c knows.
 *
 * A case runs in a process, and in an empty directory, of its own, as root with
 * umask 022; its current directory is the case's. It ends with its first failure,
 * which names file, line and what was expected. All of it holds on ext4, too
 * (--reference DIR in the scripts): where pinfs differs, and docs/LIMITS.md says
 * so, a case asks on_pinfs().
 */
#ifndef PINFS_TEST_POSIX_H
#define PINFS_TEST_POSIX_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

struct posix_case {
	const char *name;
	void (*run)(void);
	bool is_long; /* only with --long */
};

#define SAME_ID ((uid_t)-1) /* chown(2): leave it as it is */

#define CASE(run)                \
	{                        \
#run, run, false \
	}
#define LONG_CASE(run)          \
	{                       \
#run, run, true \
	}
#define NO_CASE                   \
	{                         \
		NULL, NULL, false \
	}

/* struct posix_topic - a file's; the table ends with a name of NULL */
struct posix_topic {
	const char *name;
	const struct posix_case *cases;
};

#define POSIX_TOPICS(t)                                                     \
	t(permissions) t(acls) t(xattrs) t(errors) t(data) t(allocation)    \
		t(nameless) t(mappings) t(programs) t(names) t(directories) \
			t(times) t(locks) t(special) t(attributes)

#define POSIX_DECLARE(t) extern const struct posix_case t##_cases[];
POSIX_TOPICS(POSIX_DECLARE)

/* --- what is asked ------------------------------------------------------------- */

void posix_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), noreturn));

#define FAIL(...) posix_fail(__FILE__, __LINE__, __VA_ARGS__)

/* CHECK - it must be so */
#define CHECK(what)                                \
	do {                                       \
		if (!(what))                       \
			FAIL("not so: %s", #what); \
	} while (0)

/* OK - the call must succeed; gives what it returned */
#define OK(call) posix_ok(__FILE__, __LINE__, #call, (long long)(call))
long long posix_ok(const char *file, int line, const char *text, long long r);

/* FD - the same, of one that returns a descriptor */
#define FD(call) ((int)OK(call))

/* ERR - the call must fail with that errno */
#define ERR(want, call) \
	posix_err(__FILE__, __LINE__, #call, (want), (long long)(call))
void posix_err(const char *file, int line, const char *text, int want,
	       long long r);

/* EQ - two integers must be equal */
#define EQ(want, got) \
	posix_eq(__FILE__, __LINE__, #got, (long long)(want), (long long)(got))
void posix_eq(const char *file, int line, const char *text, long long want,
	      long long got);

/* --- who asks ------------------------------------------------------------------- */

enum posix_user { ALICE, BOB, ROOT };

#define ALICE_ID  1001 /* and her group's */
#define BOB_ID	  1002
#define SHARED_ID 2001 /* a group that Alice is in, and Bob is not */

/*
 * AS - a block that is run as that user, in a process of its own
 *
 * Leave it by its end only.
 */
#define AS(user) for (; posix_as(user); posix_done())
int posix_as(enum posix_user user); /* 1 in the new process, else 0 */
void posix_done(void) __attribute__((noreturn));

/* CHILD - the same without a change of user */
#define CHILD for (; posix_as(ROOT); posix_done())

/* --- what most cases need --------------------------------------------------------- */

bool on_pinfs(void);

/* make_file - of size bytes of a pattern, with that mode whatever the umask */
void make_file(const char *path, mode_t mode, size_t size);
void make_dir(const char *path, mode_t mode);

/* make_many - files with the names 0 to n - 1 */
void make_many(const char *dir, unsigned int n);

/* pattern_at - the byte of make_file() at off */
static inline uint8_t pattern_at(uint64_t off)
{
	return (uint8_t)(1 + (off ^ off >> 8 ^ off >> 16) % 251);
}

struct stat stat_of(const char *path); /* lstat(2) */
mode_t mode_of(const char *path); /* permission bits, of lstat(2) */
bool exists(const char *path); /* lstat(2) */

/* together - processes run fn(0) to fn(n - 1), and begin when all are there */
void together(unsigned int n, void (*fn)(unsigned int k));

/* wait_tick - until the file system's clock has moved on */
void wait_tick(void);

bool is_before(struct timespec a, struct timespec b);

#endif
