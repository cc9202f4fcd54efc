// SPDX-License-Identifier: BSD-3-Clause
/* Which of mount(8)'s options reach the daemon. */
#include <check.h>
#include <stdlib.h>

#include "mount/options.c"
#include "scratch.h"

static const struct {
	const char *in;
	const char *want; /* NULL: none */
} lists[] = {
	{ "", NULL },
	{ "rw", NULL },
	{ "rw,noauto,user=joe,_netdev,nofail,x-systemd.automount,X-a=b", NULL },
	{ "ro", "ro" },
	{ "rw,dax=always,relatime,break_timeout=5",
	  "dax=always,break_timeout=5" },
	{ ",,ro,,", "ro" },
	{ "nodev,nosuid,noexec", "nodev,nosuid,noexec" },
	{ "allow_other,user,threads=2", "allow_other,threads=2" },
	{ "username=a,users2", "username=a,users2" },
	{ "fsname=a\\,noauto,ro", "fsname=a\\,noauto,ro" },
	{ "fsname=a\\\\,noauto", "fsname=a\\\\" },
	{ "end\\", "end\\" },
	{ "unknown=1", "unknown=1" },
};

START_TEST(what_reaches_the_daemon)
{
	struct options o = { .text = NULL };

	ck_assert_int_eq(options_add(&o, lists[_i].in), 0);
	if (lists[_i].want)
		ck_assert_str_eq(o.text, lists[_i].want);
	else
		ck_assert_ptr_null(o.text);
	ck_assert(!o.remount);
	options_free(&o);
}
END_TEST

START_TEST(what_is_noticed)
{
	struct options o = { .text = NULL };

	ck_assert_int_eq(options_add(&o, "ro,nodev"), 0);
	ck_assert(o.dev && !o.suid);
	ck_assert_uint_eq(o.flags, MS_RDONLY | MS_NODEV);
	ck_assert_ptr_null(o.daemons);
	ck_assert_int_eq(options_add(&o, "rw,suid,remount,dax=never"), 0);
	ck_assert(o.suid && o.remount);
	ck_assert_uint_eq(o.flags, MS_NODEV);
	ck_assert_str_eq(o.daemons, "dax=never");
	ck_assert_str_eq(o.text, "ro,nodev,suid,dax=never");
	options_free(&o);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli_mount");
	TCase *tc = tcase_create("options");

	tcase_add_loop_test(tc, what_reaches_the_daemon, 0, ARRAY_SIZE(lists));
	tcase_add_test(tc, what_is_noticed);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
