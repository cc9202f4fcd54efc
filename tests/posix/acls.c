// SPDX-License-Identifier: BSD-3-Clause
/*
 * POSIX ACLs, access and default: their rules, the mode that goes with them, and
 * what new files inherit (acl(5)).
 */
#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>

#include "posix.h"

#define ACCESS	"system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
#define MOST	16

/* <sys/acl.h> of libacl has no more of use here than these. */
enum {
	ACL_USER_OBJ = 1,
	ACL_USER = 2,
	ACL_GROUP_OBJ = 4,
	ACL_GROUP = 8,
	ACL_MASK = 16,
	ACL_OTHER = 32,
};
#define NO_ID UINT32_MAX

struct acl {
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry e[MOST];
	unsigned int n;
};

static const struct acl none = { .head.a_version = POSIX_ACL_XATTR_VERSION };

static void add(struct acl *a, int tag, int perm, unsigned int id)
{
	a->e[a->n++] = (struct posix_acl_xattr_entry){
		.e_tag = (uint16_t)tag,
		.e_perm = (uint16_t)perm,
		.e_id = id,
	};
}

static size_t size_of(const struct acl *a)
{
	return sizeof(a->head) + a->n * sizeof(a->e[0]);
}

static int set(const char *path, const char *name, const struct acl *a)
{
	return setxattr(path, name, a, size_of(a), 0);
}

/* base - owner, group and others alone */
static struct acl base(int user, int group, int other)
{
	struct acl a = none;

	add(&a, ACL_USER_OBJ, user, NO_ID);
	add(&a, ACL_GROUP_OBJ, group, NO_ID);
	add(&a, ACL_OTHER, other, NO_ID);
	return a;
}

/* named - with one for a user (0: none), one for a group, and a mask */
static struct acl named(int obj, unsigned int uid, int user, int group_obj,
			unsigned int gid, int group, int mask, int other)
{
	struct acl a = none;

	add(&a, ACL_USER_OBJ, obj, NO_ID);
	if (uid)
		add(&a, ACL_USER, user, uid);
	add(&a, ACL_GROUP_OBJ, group_obj, NO_ID);
	if (gid)
		add(&a, ACL_GROUP, group, gid);
	add(&a, ACL_MASK, mask, NO_ID);
	add(&a, ACL_OTHER, other, NO_ID);
	return a;
}

static void is(const char *path, const char *name, const struct acl *want)
{
	struct acl got = { .n = 0 };
	ssize_t n = getxattr(path, name, &got, offsetof(struct acl, n));

	EQ(size_of(want), n);
	if (memcmp(&got, want, size_of(want)) != 0)
		FAIL("%s: another %s than was set", path, name);
}

static void has_none(const char *path, const char *name)
{
	char buf[256];

	ERR(ENODATA, getxattr(path, name, buf, sizeof(buf)));
}

static void grants_and_refuses(void)
{
	struct acl a = named(6, ALICE_ID, 6, 4, 0, 0, 6, 0);

	make_file("f", 0600, 1);
	OK(set("f", ACCESS, &a));
	is("f", ACCESS, &a);
	EQ(0660, mode_of("f")); /* the mask */
	AS(ALICE)
	{
		OK(open("f", O_RDWR));
		ERR(EPERM, chmod("f", 0777));
		ERR(EPERM, set("f", ACCESS, &a));
	}
	AS(BOB)
	{
		ERR(EACCES, open("f", O_RDONLY));
		is("f", ACCESS, &a); /* to see it takes no right */
	}
	/* The mask limits whom it names. */
	a = named(6, ALICE_ID, 6, 4, 0, 0, 4, 0);
	OK(set("f", ACCESS, &a));
	EQ(0640, mode_of("f"));
	AS(ALICE)
	{
		OK(open("f", O_RDONLY));
		ERR(EACCES, open("f", O_RDWR));
	}
	/* Named for nothing is refused what all others may. */
	a = named(6, ALICE_ID, 0, 4, 0, 0, 7, 4);
	OK(set("f", ACCESS, &a));
	AS(ALICE)
	{
		ERR(EACCES, open("f", O_RDONLY));
	}
	AS(BOB)
	{
		OK(open("f", O_RDONLY));
	}
}

static void groups(void)
{
	struct acl a = named(6, 0, 0, 0, SHARED_ID, 6, 7, 0);

	make_file("f", 0600, 1);
	OK(set("f", ACCESS, &a));
	AS(ALICE)
	{
		OK(open("f", O_RDWR));
	}
	AS(BOB)
	{
		ERR(EACCES, open("f", O_RDONLY));
	}
	/* In a directory it is about its names. */
	make_dir("d", 0700);
	a = named(7, 0, 0, 0, SHARED_ID, 7, 7, 0);
	OK(set("d", ACCESS, &a));
	AS(ALICE)
	{
		make_file("d/f", 0600, 0);
	}
	AS(BOB)
	{
		ERR(EACCES, open("d/f", O_RDONLY));
		ERR(EACCES, mkdir("d/x", 0777));
	}
}

static void chmod_goes_with_it(void)
{
	struct acl a = named(7, ALICE_ID, 7, 5, 0, 0, 7, 1);

	make_file("f", 0700, 1);
	OK(set("f", ACCESS, &a));
	EQ(0771, mode_of("f"));
	OK(chmod("f", 0640));
	a = named(6, ALICE_ID, 7, 5, 0, 0, 4, 0);
	is("f", ACCESS, &a);
	EQ(0640, mode_of("f"));
	AS(ALICE)
	{
		OK(open("f", O_RDONLY));
		ERR(EACCES, open("f", O_WRONLY));
	}
	OK(chmod("f", 0700));
	AS(ALICE)
	{
		ERR(EACCES, open("f", O_RDONLY));
	}
	OK(chmod("f", 04770));
	EQ(04770, mode_of("f"));
	AS(ALICE)
	{
		OK(open("f", O_RDWR));
	}
}

/* What says no more than a mode is the mode, and nothing is stored. */
static void equal_to_a_mode(void)
{
	struct acl a = base(6, 4, 4), b = named(6, ALICE_ID, 6, 4, 0, 0, 6, 0);

	make_file("f", 0600, 1);
	OK(set("f", ACCESS, &a));
	EQ(0644, mode_of("f"));
	has_none("f", ACCESS);
	OK(set("f", ACCESS, &b));
	EQ(0660, mode_of("f"));
	a = base(7, 0, 1);
	OK(set("f", ACCESS, &a));
	EQ(0701, mode_of("f"));
	has_none("f", ACCESS);
	EQ(0, OK(listxattr("f", NULL, 0)));
	OK(set("f", ACCESS, &b));
	OK(removexattr("f", ACCESS));
	has_none("f", ACCESS);
	EQ(0660, mode_of("f")); /* as the mask had it */
	OK(set("f", ACCESS, &b));
	OK(set("f", ACCESS, &none)); /* the same */
	has_none("f", ACCESS);
}

static void no_acls(void)
{
	struct acl a = base(7, 7, 7);

	make_file("f", 0600, 1);
	make_dir("d", 0700);
	ERR(EINVAL, setxattr("f", ACCESS, &a, 3, 0));
	a.e[1].e_perm = 8;
	ERR(EINVAL, set("f", ACCESS, &a));
	a = base(7, 7, 7);
	a.e[0].e_tag = ACL_OTHER;
	ERR(EINVAL, set("f", ACCESS, &a));
	a = named(7, ALICE_ID, 7, 7, 0, 0, 7, 7);
	a.e[3] = a.e[4]; /* named entries, and no mask */
	a.n--;
	ERR(EINVAL, set("f", ACCESS, &a));
	ERR(EINVAL, set("d", DEFAULT, &a));
	a = base(7, 7, 7);
	a.head.a_version = 1;
	ERR(EOPNOTSUPP, set("f", ACCESS, &a));
	a = base(7, 7, 7);
	ERR(EACCES, set("f", DEFAULT, &a)); /* no directory */
	has_none("f", DEFAULT);
	EQ(0600, mode_of("f"));
	OK(symlink("f", "l"));
	ERR(EOPNOTSUPP, lsetxattr("l", ACCESS, &a, size_of(&a), 0));
	ERR(EOPNOTSUPP, setxattr("f", "system.posix_acl_x", "x", 1, 0));
}

static void inherited(void)
{
	struct acl d = named(7, ALICE_ID, 7, 5, SHARED_ID, 6, 7, 5), a;

	make_dir("d", 0700);
	OK(set("d", DEFAULT, &d));
	EQ(0700, mode_of("d")); /* it says nothing of the directory itself */
	has_none("d", ACCESS);
	umask(077); /* is not asked where there is a default ACL */
	OK(close(FD(open("d/f", O_CREAT | O_EXCL | O_WRONLY, 0666))));
	EQ(0664, mode_of("d/f"));
	a = named(6, ALICE_ID, 7, 5, SHARED_ID, 6, 6, 4);
	is("d/f", ACCESS, &a);
	has_none("d/f", DEFAULT);
	OK(mkdir("d/sub", 0750));
	EQ(0750, mode_of("d/sub"));
	a = named(7, ALICE_ID, 7, 5, SHARED_ID, 6, 5, 0);
	is("d/sub", ACCESS, &a);
	is("d/sub", DEFAULT, &d);
	OK(mknod("d/sub/fifo", S_IFIFO | 0600, 0));
	EQ(0600, mode_of("d/sub/fifo"));
	a = named(6, ALICE_ID, 7, 5, SHARED_ID, 6, 0, 0);
	is("d/sub/fifo", ACCESS, &a);
	OK(symlink("x", "d/link"));
	EQ(0777, mode_of("d/link"));
	/* Moved in, it keeps what it has. */
	OK(close(FD(open("out", O_CREAT | O_EXCL | O_WRONLY, 0666))));
	EQ(0600, mode_of("out"));
	OK(rename("out", "d/in"));
	EQ(0600, mode_of("d/in"));
	has_none("d/in", ACCESS);
	OK(removexattr("d", DEFAULT));
	OK(close(FD(open("d/g", O_CREAT | O_EXCL | O_WRONLY, 0666))));
	EQ(0600, mode_of("d/g"));
	has_none("d/g", ACCESS);
}

/* A default ACL that is no more than a mode makes modes. */
static void inherited_mode(void)
{
	struct acl d = base(7, 5, 0);

	make_dir("d", 0755);
	OK(set("d", DEFAULT, &d));
	is("d", DEFAULT, &d);
	umask(077);
	OK(close(FD(open("d/f", O_CREAT | O_EXCL | O_WRONLY, 0666))));
	EQ(0640, mode_of("d/f"));
	has_none("d/f", ACCESS);
	OK(mkdir("d/sub", 0777));
	EQ(0750, mode_of("d/sub"));
	has_none("d/sub", ACCESS);
	is("d/sub", DEFAULT, &d);
	if (!on_pinfs()) /* the reference may be one without O_TMPFILE */
		return;
	OK(fchmod(FD(open("d", O_TMPFILE | O_RDWR, 0666)), 0666));
}

static void set_group_id(void)
{
	struct acl a = named(7, ALICE_ID, 7, 5, 0, 0, 7, 1);

	make_file("f", 02755, 0);
	OK(chown("f", ALICE_ID, BOB_ID));
	OK(chmod("f", 02755));
	AS(ALICE)
	{
		OK(set("f", ACCESS, &a)); /* she is not in the group */
	}
	EQ(0771, mode_of("f"));
	OK(chown("f", ALICE_ID, SHARED_ID));
	OK(chmod("f", 02771));
	AS(ALICE)
	{
		OK(set("f", ACCESS, &a));
	}
	EQ(02771, mode_of("f"));
}

/* An ACL of as many entries as Linux lets a FUSE server have. */
static void many_entries(void)
{
	const unsigned int n = 500;
	struct {
		struct posix_acl_xattr_header head;
		struct posix_acl_xattr_entry e[504];
	} a = { .head.a_version = POSIX_ACL_XATTR_VERSION }, b;
	unsigned int i;
	size_t size = sizeof(a.head) + (n + 4) * sizeof(a.e[0]);

	a.e[0].e_tag = ACL_USER_OBJ;
	a.e[0].e_perm = 6;
	for (i = 1; i <= n; i++) {
		a.e[i].e_tag = ACL_USER;
		a.e[i].e_perm = 4;
		a.e[i].e_id = 10000 + i;
	}
	a.e[n].e_id = ALICE_ID;
	a.e[n + 1].e_tag = ACL_GROUP_OBJ;
	a.e[n + 2].e_tag = ACL_MASK;
	a.e[n + 2].e_perm = 6;
	a.e[n + 3].e_tag = ACL_OTHER;
	for (i = 0; i < n + 4; i++)
		if (a.e[i].e_tag != ACL_USER)
			a.e[i].e_id = NO_ID;
	make_file("f", 0600, 1);
	if (setxattr("f", ACCESS, &a, size, 0)) {
		CHECK(!on_pinfs() && errno == ENOSPC); /* ext4: in one block */
		return;
	}
	EQ(size, OK(getxattr("f", ACCESS, &b, sizeof(b))));
	AS(ALICE)
	{
		OK(open("f", O_RDONLY));
	}
	AS(BOB)
	{
		ERR(EACCES, open("f", O_RDONLY));
	}
}

const struct posix_case acls_cases[] = {
	CASE(grants_and_refuses),
	CASE(groups),
	CASE(chmod_goes_with_it),
	CASE(equal_to_a_mode),
	CASE(no_acls),
	CASE(inherited),
	CASE(inherited_mode),
	CASE(set_group_id),
	CASE(many_entries),
	NO_CASE,
};
