// SPDX-License-Identifier: BSD-3-Clause
/* Opening, claiming (L12), backing and syncing pools. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "gate.h"
#include "pool/persist.h"
#include "pool/pool.h"
#include "scratch.h"
#include "scratch_scale.h"
#include "wire/pinfs_ioctl.h"

#define MIB	  (1ull << 20)
#define POOL_SIZE (16 * MIB)

static const char *make_file(int kind, uint64_t size)
{
	const char *path = scratch_path((enum scratch_kind)kind, "pool");

	unlink(path);
	ck_assert_int_eq(pool_create(path, size), 0);
	return path;
}

static uint64_t disk_usage(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static uint8_t byte_at(const char *path, off_t off)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t b = 0;

	ck_assert_int_eq(pread(fd, &b, 1, off), 1);
	close(fd);
	return b;
}

START_TEST(create_refuses_existing)
{
	const char *path = make_file(_i, POOL_SIZE);

	ck_assert_int_eq(pool_create(path, POOL_SIZE), -EEXIST);
	ck_assert_uint_eq(disk_usage(path), 0);
}
END_TEST

START_TEST(open_tells_kind)
{
	static const enum pool_kind kind[] = {
		[SCRATCH_MEMORY] = POOL_MEMORY,
		[SCRATCH_DISK] = POOL_FILE,
	};
	const char *path = make_file(_i, POOL_SIZE + 100);
	struct pool *p;

	ck_assert_int_eq(pool_open(path, 0, &p, NULL), 0);
	ck_assert_uint_eq(p->size, POOL_SIZE);
	ck_assert_int_eq(p->kind, kind[_i]);
	ck_assert_int_eq(pool_is_persistent(p), _i == SCRATCH_MEMORY);
	ck_assert(p->writable);
	ck_assert(p->sparse);
	ck_assert_uint_eq((uintptr_t)p->base % (2 * MIB), 0);
	ck_assert_str_eq(p->path, path);
	ck_assert(pool_contains(p, p->base + POOL_SIZE - 1));
	ck_assert(!pool_contains(p, p->base + POOL_SIZE));
	pool_close(p);
}
END_TEST

START_TEST(open_refuses_what_is_no_pool)
{
	const char *path = scratch_path(SCRATCH_DISK, "odd");
	struct pool *p;

	ck_assert_int_eq(pool_open(path, 0, &p, NULL), -ENOENT);
	ck_assert_int_eq(pool_open("/", 0, &p, NULL), -EISDIR);
	ck_assert_int_eq(pool_open("/dev/null", 0, &p, NULL), -ENOTBLK);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(pool_open(path, 0, &p, NULL), -ENOTBLK);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(pool_create(path, 4095), 0);
	ck_assert_int_eq(pool_open(path, 0, &p, NULL), -ENOSPC);
}
END_TEST

START_TEST(stores_reach_the_file)
{
	const char *path = make_file(_i, POOL_SIZE);
	struct pool *p;

	ck_assert_int_eq(pool_open(path, 0, &p, NULL), 0);
	ck_assert_int_eq(pool_back(p, 5000, 2), 0);
	persist_copy(p, p->base + 5000, "a", 1);
	persist_flush(p, p->base + 5000, 1);
	persist_copy_flush(p, p->base + 5001, "b", 1);
	persist_set_flush(p, p->base + 5002, 'c', 3);
	persist_fence(p);
	ck_assert_int_eq(pool_sync(p), 0);
	ck_assert_uint_eq(byte_at(path, 5000), 'a');
	ck_assert_uint_eq(byte_at(path, 5001), 'b');
	ck_assert_uint_eq(byte_at(path, 5004), 'c');
	ck_assert_uint_eq(byte_at(path, 5005), 0);
	pool_close(p);
}
END_TEST

START_TEST(private_stores_do_not)
{
	const char *path = make_file(_i, POOL_SIZE);
	struct pool *p;

	ck_assert_int_eq(pool_open(path, POOL_PRIVATE, &p, NULL), 0);
	ck_assert(p->writable);
	persist_copy(p, p->base + 5000, "a", 1);
	ck_assert_int_eq(pool_sync(p), 0);
	ck_assert_uint_eq(p->base[5000], 'a');
	ck_assert_uint_eq(byte_at(path, 5000), 0);
	pool_close(p);
}
END_TEST

/* The kernel does not store to a pool that is open for reading only. */
START_TEST(read_only_refuses)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct pool *p;

	ck_assert_int_eq(pool_open(make_file(_i, POOL_SIZE), POOL_READ_ONLY, &p,
				   NULL),
			 0);
	ck_assert(!p->writable);
	ck_assert_uint_eq(p->base[1], 0);
	ck_assert_int_eq(read(zero, p->base + 1, 1), -1);
	ck_assert_int_eq(errno, EFAULT);
	close(zero);
	pool_close(p);
}
END_TEST

/* Nor do we: a stray store ends the program. */
START_TEST(read_only_faults)
{
	struct pool *p;

	ck_assert_int_eq(pool_open(make_file(_i, POOL_SIZE), POOL_READ_ONLY, &p,
				   NULL),
			 0);
	ck_assert_ptr_ne(signal(SIGSEGV, SIG_DFL), SIG_ERR);
	*(volatile uint8_t *)(p->base + 1) = 1;
}
END_TEST

START_TEST(back_allocates_chunks)
{
	const char *path = make_file(_i, POOL_SIZE + 4096);
	struct pool *p;

	ck_assert_int_eq(pool_open(path, 0, &p, NULL), 0);
	ck_assert_int_eq(pool_back(p, 0, 0), 0);
	ck_assert_uint_eq(disk_usage(path), 0);
	ck_assert_int_eq(pool_back(p, 2 * MIB - 1, 2), 0);
	ck_assert_uint_ge(disk_usage(path), 4 * MIB);
	ck_assert_uint_lt(disk_usage(path), 5 * MIB);
	ck_assert_uint_eq(p->backed[0], 3);
	/* The last chunk is a part of one, and the file stays as long. */
	ck_assert_int_eq(pool_back(p, POOL_SIZE, 4096), 0);
	ck_assert_uint_lt(disk_usage(path), 5 * MIB);
	ck_assert_int_eq(pool_back(p, POOL_SIZE, 4097), -EINVAL);
	ck_assert_int_eq(pool_back(p, UINT64_MAX, 2), -EINVAL);
	pool_close(p);
	ck_assert_int_eq(pool_open(path, POOL_READ_ONLY, &p, NULL), 0);
	ck_assert_uint_eq(p->size, POOL_SIZE + 4096);
	pool_close(p);
}
END_TEST

/*
 * The bitmap of 16 TiB is made, and no page of the pool touched.
 *
 * ThreadSanitizer leaves a program about 1.5 TiB of addresses to map at, so the
 * pool is smaller there.
 */
START_TEST(huge_pool_costs_nothing)
{
	const uint64_t size = (SCRATCH_HAS_TSAN ? 1ull : 16ull) << 40;
	const char *path = make_file(SCRATCH_MEMORY, size);
	struct pool *p;

	ck_assert_int_eq(pool_open(path, 0, &p, NULL), 0);
	ck_assert_int_eq(pool_back(p, size - 1, 1), 0);
	ck_assert_uint_le(disk_usage(path), 2 * MIB);
	pool_close(p);
}
END_TEST

/* --- the claim (L12) ----------------------------------------------------- */

struct holder {
	pid_t pid;
	int in; /* says 'r' when it has the pool */
	int out; /* closed: let go */
};

static struct holder hold_pool(const char *path, unsigned int flags,
			       const char *mountpoint)
{
	int up[2], down[2];
	struct holder h;
	struct pool *p;
	char c;

	ck_assert_int_eq(pipe2(up, O_CLOEXEC) | pipe2(down, O_CLOEXEC), 0);
	h.pid = fork();
	if (!h.pid) {
		close(down[1]);
		if (pool_open(path, flags, &p, NULL))
			_exit(1);
		if (mountpoint && pool_note_mount(p, mountpoint))
			_exit(2);
		if (write(up[1], "r", 1) != 1 || read(down[0], &c, 1))
			_exit(3);
		pool_close(p);
		_exit(0);
	}
	close(up[1]);
	close(down[0]);
	h.in = up[0];
	h.out = down[1];
	ck_assert_int_eq(read(h.in, &c, 1), 1);
	return h;
}

static void release(struct holder *h)
{
	int status;

	close(h->out);
	close(h->in);
	ck_assert_int_eq(waitpid(h->pid, &status, 0), h->pid);
	ck_assert_int_eq(status, 0);
}

START_TEST(claim_keeps_others_out)
{
	const char *path = make_file(_i, POOL_SIZE);
	struct holder h = hold_pool(path, 0, NULL);
	uint64_t start = now_ns();
	struct pool_owner o;
	struct pool *p;

	ck_assert_int_eq(pool_open(path, 0, &p, &o), -EBUSY);
	ck_assert_uint_ge(now_ns() - start, NSEC_PER_SEC * 9 / 10);
	ck_assert_int_eq(o.pid, h.pid);
	ck_assert_str_eq(o.comm, "test_pool");
	ck_assert_ptr_nonnull(strstr(o.text, "test_pool, pid "));

	ck_assert_int_eq(pool_open(path, POOL_READ_ONLY, &p, NULL), -EBUSY);
	ck_assert_int_eq(
		pool_open(path, POOL_READ_ONLY | POOL_NO_CLAIM, &p, NULL), 0);
	pool_close(p);
	ck_assert_int_eq(pool_owner(path, &o), 0);
	ck_assert_int_eq(o.pid, h.pid);
	release(&h);
	ck_assert_int_eq(pool_owner(path, &o), -ENOENT);
	ck_assert_int_eq(pool_open(path, 0, &p, NULL), 0);
	pool_close(p);
}
END_TEST

/* Two claims of one process are two claims all the same. */
START_TEST(claim_is_not_the_process)
{
	const char *path = make_file(_i, POOL_SIZE);
	struct pool *p, *q;

	ck_assert_int_eq(pool_open(path, 0, &p, NULL), 0);
	ck_assert_int_eq(pool_open(path, 0, &q, NULL), -EBUSY);
	pool_close(p);
}
END_TEST

START_TEST(readers_share)
{
	const char *path = make_file(_i, POOL_SIZE);
	struct pool *p, *q, *r;

	ck_assert_int_eq(pool_open(path, POOL_READ_ONLY, &p, NULL), 0);
	ck_assert_int_eq(pool_open(path, POOL_PRIVATE, &q, NULL), 0);
	ck_assert_int_eq(pool_open(path, 0, &r, NULL), -EBUSY);
	pool_close(p);
	pool_close(q);
}
END_TEST

START_TEST(claim_dies_with_its_owner)
{
	const char *path = make_file(_i, POOL_SIZE);
	struct holder h = hold_pool(path, 0, "/some where");
	struct pool_owner o;
	struct pool *p;

	ck_assert_int_eq(pool_owner(path, &o), 0);
	ck_assert_ptr_nonnull(strstr(o.text, "mounted on /some where"));
	kill(h.pid, SIGKILL);
	ck_assert_int_eq(waitpid(h.pid, NULL, 0), h.pid);
	/* The note that it left is no claim. */
	ck_assert_int_eq(pool_owner(path, &o), -ENOENT);
	ck_assert_int_eq(pool_open(path, 0, &p, NULL), 0);
	/* Nor does it speak for the next owner. */
	ck_assert_int_eq(pool_owner(path, &o), 0);
	ck_assert_int_eq(o.pid, getpid());
	ck_assert_ptr_null(strstr(o.text, "some where"));
	ck_assert_int_eq(pool_note_mount(p, "/else\nwhere"), 0);
	ck_assert_int_eq(pool_owner(path, &o), 0);
	ck_assert_ptr_nonnull(strstr(o.text, "/else?where"));
	pool_close(p);
	close(h.in);
	close(h.out);
}
END_TEST

/* struct host - a thread that waits until the pool has no guests */
struct host {
	struct pool *pool;
	struct gate waits;
	bool has_guests; /* afterwards */
};

static void *await_guests(void *arg)
{
	struct host *h = arg;

	gate_pass(&h->waits);
	pool_await_guests(h->pool);
	h->has_guests = pool_has_guests(h->pool);
	return NULL;
}

/* A client's I/O may be in flight after the mount that it began on has gone. */
START_TEST(guests_keep_writers_out)
{
	struct flock fl = { .l_type = F_RDLCK,
			    .l_start = PINFS_GUEST_BYTE,
			    .l_len = 1 };
	const char *path = make_file(_i, POOL_SIZE);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct pool_owner o;
	pthread_t thread;
	struct pool *p;
	struct host h;

	ck_assert_int_eq(pool_open(path, 0, &p, NULL), 0);
	ck_assert(!pool_has_guests(p));
	ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &fl), 0);
	ck_assert(pool_has_guests(p));
	/* Two may be, and the owner is the owner. */
	ck_assert_int_eq(pool_owner(path, &o), 0);
	ck_assert_ptr_null(strstr(o.text, "mapped"));
	pool_close(p);
	ck_assert_int_eq(pool_open(path, 0, &p, &o), -EBUSY);
	ck_assert_int_eq(o.pid, getpid());
	ck_assert_ptr_nonnull(strstr(o.text, "which has it mapped"));
	/* Who only reads reuses no block. */
	ck_assert_int_eq(pool_open(path, POOL_READ_ONLY, &p, NULL), 0);
	pool_close(p);
	fl.l_type = F_UNLCK;
	ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &fl), 0);
	ck_assert_int_eq(pool_owner(path, &o), -ENOENT);
	ck_assert_int_eq(pool_open(path, 0, &p, NULL), 0);
	fl.l_type = F_RDLCK;
	ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &fl), 0);
	h.pool = p;
	gate_init(&h.waits);
	ck_assert_int_eq(pthread_create(&thread, NULL, await_guests, &h), 0);
	gate_await(&h.waits, 1);
	close(fd); /* the last reference: what a ring's end is, too */
	pthread_join(thread, NULL);
	ck_assert(!h.has_guests);
	pool_close(p);
}
END_TEST

/* It goes while the next one pauses, which needs no time then. */
static struct pool *late_owner;

int __real_clock_nanosleep(clockid_t clock, int flags,
			   const struct timespec *time, struct timespec *rest);
int __wrap_clock_nanosleep(clockid_t clock, int flags,
			   const struct timespec *time, struct timespec *rest);

int __wrap_clock_nanosleep(clockid_t clock, int flags,
			   const struct timespec *time, struct timespec *rest)
{
	if (!late_owner)
		return __real_clock_nanosleep(clock, flags, time, rest);
	pool_close(late_owner);
	late_owner = NULL;
	return 0;
}

/* An owner that takes a while to go, as a ring that drains does, is awaited. */
START_TEST(open_waits_for_a_late_owner)
{
	const char *path = make_file(_i, POOL_SIZE);
	struct pool *p, *q;

	ck_assert_int_eq(pool_open(path, 0, &p, NULL), 0);
	late_owner = p;
	ck_assert_int_eq(pool_open(path, 0, &q, NULL), 0);
	ck_assert_ptr_null(late_owner);
	pool_close(q);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pool");
	TCase *tc = tcase_create("pool");

	tcase_add_unchecked_fixture(tc, scratch_setup, scratch_teardown);
	tcase_add_loop_test(tc, create_refuses_existing, 0, SCRATCH_KINDS);
	tcase_add_loop_test(tc, open_tells_kind, 0, SCRATCH_KINDS);
	tcase_add_test(tc, open_refuses_what_is_no_pool);
	tcase_add_loop_test(tc, stores_reach_the_file, 0, SCRATCH_KINDS);
	tcase_add_loop_test(tc, private_stores_do_not, 0, SCRATCH_KINDS);
	tcase_add_loop_test(tc, read_only_refuses, 0, SCRATCH_KINDS);
	tcase_add_loop_test_raise_signal(tc, read_only_faults, SIGSEGV, 0,
					 SCRATCH_KINDS);
	tcase_add_loop_test(tc, back_allocates_chunks, 0, SCRATCH_KINDS);
	tcase_add_test(tc, huge_pool_costs_nothing);
	tcase_add_loop_test(tc, claim_keeps_others_out, 0, SCRATCH_KINDS);
	tcase_add_loop_test(tc, claim_is_not_the_process, 0, 1);
	tcase_add_loop_test(tc, readers_share, 0, 1);
	tcase_add_loop_test(tc, claim_dies_with_its_owner, 0, SCRATCH_KINDS);
	tcase_add_loop_test(tc, guests_keep_writers_out, 0, SCRATCH_KINDS);
	tcase_add_loop_test(tc, open_waits_for_a_late_owner, 0, SCRATCH_KINDS);
	suite_add_tcase(s, tc);
	return scratch_run(s);
}
