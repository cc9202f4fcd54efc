// SPDX-License-Identifier: BSD-3-Clause
/* Extended attributes: whose they are, how large, and what goes wrong. */
#include <limits.h>
#include <sys/xattr.h>

#include "posix.h"

static void sizes(void)
{
	char buf[8];

	make_file("f", 0644, 0);
	OK(setxattr("f", "user.a", "value", 5, XATTR_CREATE));
	EQ(5, OK(getxattr("f", "user.a", NULL, 0)));
	EQ(5, OK(getxattr("f", "user.a", buf, sizeof(buf))));
	CHECK(memcmp(buf, "value", 5) == 0);
	ERR(ERANGE, getxattr("f", "user.a", buf, 4));
	ERR(ENODATA, getxattr("f", "user.b", buf, sizeof(buf)));
	ERR(EEXIST, setxattr("f", "user.a", "x", 1, XATTR_CREATE));
	ERR(ENODATA, setxattr("f", "user.b", "x", 1, XATTR_REPLACE));
	OK(setxattr("f", "user.a", "x", 1, XATTR_REPLACE));
	OK(setxattr("f", "user.a", NULL, 0, 0));
	EQ(0, OK(getxattr("f", "user.a", buf, sizeof(buf))));
	EQ(7, OK(listxattr("f", NULL, 0)));
	ERR(ERANGE, listxattr("f", buf, 6));
	EQ(7, OK(listxattr("f", buf, 7)));
	CHECK(memcmp(buf, "user.a", 7) == 0);
	OK(removexattr("f", "user.a"));
	ERR(ENODATA, removexattr("f", "user.a"));
	EQ(0, OK(listxattr("f", NULL, 0)));
	ERR(EINVAL, setxattr("f", "user.a", "x", 1, 4));
	ERR(ENOENT, setxattr("missing", "user.a", "x", 1, 0));
}

static void limits(void)
{
	static char value[XATTR_SIZE_MAX + 1];
	char name[XATTR_NAME_MAX + 2] = "user.";

	make_file("f", 0644, 0);
	memset(name + 5, 'n', XATTR_NAME_MAX - 5);
	OK(setxattr("f", name, "x", 1, 0));
	EQ(XATTR_NAME_MAX + 1, OK(listxattr("f", NULL, 0)));
	name[XATTR_NAME_MAX] = 'n';
	ERR(ERANGE, setxattr("f", name, "x", 1, 0));
	ERR(ERANGE, getxattr("f", name, NULL, 0));
	ERR(ERANGE, setxattr("f", "", "x", 1, 0));
	ERR(E2BIG, setxattr("f", "user.big", value, sizeof(value), 0));
	if (!on_pinfs())
		return; /* ext4 has room for a block */
	OK(setxattr("f", "user.big", value, XATTR_SIZE_MAX, 0));
	EQ(XATTR_SIZE_MAX, OK(getxattr("f", "user.big", NULL, 0)));
}

static void prefixes(void)
{
	make_file("f", 0644, 0);
	ERR(EOPNOTSUPP, setxattr("f", "other.a", "x", 1, 0));
	ERR(EOPNOTSUPP, setxattr("f", "user", "x", 1, 0));
	ERR(EOPNOTSUPP, setxattr("f", "system.a", "x", 1, 0));
	ERR(EOPNOTSUPP, getxattr("f", "other.a", NULL, 0));
	ERR(EOPNOTSUPP, getxattr("f", "system.a", NULL, 0));
	ERR(EOPNOTSUPP, removexattr("f", "other.a"));
	ERR(EINVAL, setxattr("f", "user.", "x", 1, 0));
	ERR(EINVAL, setxattr("f", "trusted.", "x", 1, 0));
	OK(setxattr("f", "trusted.t", "x", 1, 0));
	OK(setxattr("f", "security.s", "x", 1, 0));
	OK(setxattr("f", "user.u", "x", 1, 0));
	EQ(10 + 11 + 7, OK(listxattr("f", NULL, 0)));
}

/* list_has - among those that the caller is shown */
static bool list_has(const char *path, const char *name)
{
	char list[256], *at;
	ssize_t n = OK(listxattr(path, list, sizeof(list)));

	EQ(n, OK(listxattr(path, NULL, 0)));
	for (at = list; at < list + n; at += strlen(at) + 1)
		if (strcmp(at, name) == 0)
			return true;
	return false;
}

static void trusted_is_root_s(void)
{
	make_file("f", 0666, 0);
	OK(setxattr("f", "trusted.t", "t", 1, 0));
	OK(setxattr("f", "user.u", "u", 1, 0));
	OK(chown("f", ALICE_ID, ALICE_ID));
	AS(ALICE)
	{
		char c;

		ERR(ENODATA, getxattr("f", "trusted.t", &c, 1));
		ERR(EPERM, setxattr("f", "trusted.t", "x", 1, 0));
		ERR(EPERM, removexattr("f", "trusted.t"));
		CHECK(!list_has("f", "trusted.t"));
		CHECK(list_has("f", "user.u"));
	}
	CHECK(list_has("f", "trusted.t"));
	CHECK(list_has("f", "user.u"));
}

static void user_needs_rights(void)
{
	make_file("f", 0644, 0);
	AS(ALICE)
	{
		ERR(EACCES, setxattr("f", "user.a", "x", 1, 0));
	}
	OK(setxattr("f", "user.a", "x", 1, 0));
	AS(ALICE)
	{
		char c;

		EQ(1, OK(getxattr("f", "user.a", &c, 1)));
		ERR(EACCES, removexattr("f", "user.a"));
	}
	OK(chmod("f", 0600));
	AS(ALICE)
	{
		char c;

		ERR(EACCES, getxattr("f", "user.a", &c, 1));
		CHECK(list_has("f", "user.a")); /* names are no secret */
	}
	OK(chmod("f", 0666));
	AS(ALICE)
	{
		OK(setxattr("f", "user.a", "y", 1, 0));
		ERR(EPERM, setxattr("f", "security.a", "y", 1, 0));
	}
}

static void only_files_and_directories_have_user(void)
{
	make_dir("d", 0755);
	OK(setxattr("d", "user.a", "x", 1, 0));
	OK(symlink("d", "l"));
	OK(mkfifo("p", 0644));
	ERR(EPERM, lsetxattr("l", "user.a", "x", 1, 0));
	ERR(ENODATA, lgetxattr("l", "user.a", NULL, 0));
	ERR(EPERM, setxattr("p", "user.a", "x", 1, 0));
	OK(lsetxattr("l", "trusted.a", "x", 1, 0));
	EQ(1, OK(lgetxattr("l", "trusted.a", NULL, 0)));
	ERR(ENODATA, getxattr("l", "trusted.a", NULL, 0)); /* d's */
	/* In a sticky directory they are its owner's. */
	OK(chmod("d", 01777));
	AS(ALICE)
	{
		ERR(EPERM, setxattr("d", "user.a", "x", 1, 0));
	}
}

static void many(void)
{
	char name[32], list[4096];
	int i;

	make_file("f", 0644, 0);
	for (i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "user.%d", i);
		OK(setxattr("f", name, &i, sizeof(i), XATTR_CREATE));
	}
	for (i = 0; i < 60; i += 2) {
		snprintf(name, sizeof(name), "user.%d", i);
		OK(removexattr("f", name));
	}
	EQ(5 * 7 + 25 * 8, OK(listxattr("f", list, sizeof(list))));
	for (i = 0; i < 60; i++) {
		int got;

		snprintf(name, sizeof(name), "user.%d", i);
		if (i % 2 == 0) {
			ERR(ENODATA, getxattr("f", name, &got, sizeof(got)));
			continue;
		}
		EQ(sizeof(got), OK(getxattr("f", name, &got, sizeof(got))));
		EQ(i, got);
	}
}

const struct posix_case xattrs_cases[] = {
	CASE(sizes),
	CASE(limits),
	CASE(prefixes),
	CASE(trusted_is_root_s),
	CASE(user_needs_rights),
	CASE(only_files_and_directories_have_user),
	CASE(many),
	NO_CASE,
};
