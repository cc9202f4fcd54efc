// SPDX-License-Identifier: BSD-3-Clause
/*
 * L12: a claim outlives its killed owner for as long as the owner's DMA may
 * still land; L11: and so does the device's open file.
 *
 * The device is a file of a FUSE server of one file, in here, which answers a
 * read when the test says so: the kernel cannot take such a read back.
 */
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "dma_devices.h"
#include "gate.h"

#define SKIPPED	  77 /* exit code */
#define LENGTH	  (16 * BLOCK)
#define SETTLE_MS 500 /* for an owner that must not end */
#define SOON_MS	  20000 /* for what must come */

enum medium { IN_MEMORY, ON_DISK, MEDIA };

struct slow_device {
	int fuse; /* the server's descriptor */
	int file; /* O_PATH of its file; the mount lives as long */
	uint64_t read; /* id of the read that waits for its answer */
	uint32_t read_size;
	bool released;
};

/* --- the device ---------------------------------------------------------- */

static int mount_over(struct slow_device *dev, const char *path)
{
	char text[80];
	int err = 0;

	snprintf(text, sizeof(text),
		 "fd=%d,rootmode=100600,user_id=0,group_id=0", dev->fuse);
	if (mount("slow", path, "fuse", MS_NOSUID | MS_NODEV, text) < 0)
		return -errno;
	dev->file = open(path, O_PATH | O_CLOEXEC);
	if (dev->file < 0)
		err = -errno;
	umount2(path, MNT_DETACH);
	return err;
}

/*
 * Mounted over a file and detached at once, so that nothing is left when the
 * test ends, however it does.
 */
static int slow_open(struct slow_device *dev)
{
	char path[] = "dma_slow_XXXXXX";
	int point, err;

	memset(dev, 0, sizeof(*dev));
	dev->fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (dev->fuse < 0)
		return -errno;
	point = mkstemp(path);
	if (point < 0) {
		err = -errno;
		goto err_fuse;
	}
	close(point);
	err = mount_over(dev, path);
	unlink(path);
	if (err)
		goto err_fuse;
	return 0;

err_fuse:
	close(dev->fuse);
	return err;
}

static void slow_close(struct slow_device *dev)
{
	close(dev->file);
	close(dev->fuse);
}

static void answer(struct slow_device *dev, uint64_t id, int err,
		   const void *data, size_t size)
{
	struct fuse_out_header out = {
		.len = (uint32_t)(sizeof(out) + size),
		.error = err,
		.unique = id,
	};
	struct iovec iov[] = { { &out, sizeof(out) }, { (void *)data, size } };

	/* fails for a request that its caller has given up: no matter */
	(void)!writev(dev->fuse, iov, size ? 2 : 1);
}

static void answer_init(struct slow_device *dev, uint64_t id)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.max_readahead = 1 << 17,
		.flags = FUSE_ASYNC_READ | FUSE_ASYNC_DIO,
		.max_background = 12,
		.congestion_threshold = 9,
		.max_write = 1 << 17,
		.time_gran = 1,
	};

	answer(dev, id, 0, &init, sizeof(init));
}

static void answer_getattr(struct slow_device *dev, uint64_t id)
{
	struct fuse_attr_out attr = {
		.attr_valid = 3600,
		.attr = { .ino = FUSE_ROOT_ID,
			  .size = LENGTH,
			  .mode = S_IFREG | 0600,
			  .nlink = 1,
			  .blksize = BLOCK },
	};

	answer(dev, id, 0, &attr, sizeof(attr));
}

static void serve_one(struct slow_device *dev)
{
	static union {
		struct fuse_in_header head;
		char bytes[(1 << 17) + BLOCK];
	} in;
	struct fuse_read_in *rd = (void *)(in.bytes + sizeof(in.head));
	struct fuse_open_out opened = { .fh = 1 };

	if (read(dev->fuse, &in, sizeof(in)) < (ssize_t)sizeof(in.head))
		return;
	switch (in.head.opcode) {
	case FUSE_INIT:
		answer_init(dev, in.head.unique);
		break;
	case FUSE_GETATTR:
		answer_getattr(dev, in.head.unique);
		break;
	case FUSE_OPEN:
		answer(dev, in.head.unique, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		ck_assert_uint_eq(rd->offset, 0);
		dev->read = in.head.unique;
		dev->read_size = rd->size;
		break;
	case FUSE_RELEASE:
		dev->released = true;
		answer(dev, in.head.unique, 0, NULL, 0);
		break;
	case FUSE_FLUSH:
		answer(dev, in.head.unique, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		answer(dev, in.head.unique, -ENOSYS, NULL, 0);
	}
}

static void serve_until_read(struct slow_device *dev)
{
	while (!dev->read)
		serve_one(dev);
}

/* Until fd is readable; false if that has not come so many ms later. */
static bool serve_until(struct slow_device *dev, int fd, uint64_t ms)
{
	uint64_t end = now_ns() + ms * 1000000, now;

	for (now = now_ns(); now < end; now = now_ns()) {
		struct pollfd pfd[] = { { .fd = dev->fuse, .events = POLLIN },
					{ .fd = fd, .events = POLLIN } };

		poll(pfd, 2, (int)((end - now) / 1000000) + 1);
		if (pfd[1].revents)
			return true;
		if (pfd[0].revents)
			serve_one(dev);
	}
	return false;
}

/* --- the owner ----------------------------------------------------------- */

static void own_and_wait(enum pinfs_engine engine,
			 const struct slow_device *dev, int pool)
{
	struct dma_options opt = options(engine, PINFS_FROM_DEVICE);
	int owner = reopen(pool, O_RDWR);
	int device = reopen(dev->file, O_RDONLY | O_DIRECT);
	struct dma_segment seg = { .length = LENGTH };
	struct dma_job *job;
	uint64_t done;

	seg.mem = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, owner,
		       0);
	opt.chunk = LENGTH;
	if (seg.mem == MAP_FAILED || try_lock(owner) ||
	    dma_open(&opt, device, owner, NULL, &job))
		_exit(1);
	dma_run(job, &seg, 1, 0, &done);
	_exit(2);
}

static pid_t start_owner(enum pinfs_engine engine, struct slow_device *dev,
			 int pool)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	/* else the server would live as long as its own client */
	close(dev->fuse);
	own_and_wait(engine, dev, pool);
	return 0;
}

/* --- who waits for the claim --------------------------------------------- */

struct successor {
	pthread_t thread;
	int fd;
	struct gate asks;
	int granted; /* eventfd */
	const unsigned char *mem;
	bool landed;
};

/* The moment the claim is free, the old owner's DMA must be over. */
static void *succeed(void *arg)
{
	struct successor *s = arg;
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	gate_pass(&s->asks);
	if (!fcntl(s->fd, F_OFD_SETLKW, &lock))
		s->landed = filled(s->mem, 0, LENGTH);
	eventfd_write(s->granted, 1);
	return NULL;
}

static void check_succession(struct slow_device *dev, int pool,
			     const unsigned char *mem)
{
	struct successor s = { .fd = pool, .mem = mem };
	unsigned char data[LENGTH];

	gate_init(&s.asks);
	s.granted = eventfd(0, EFD_CLOEXEC);
	ck_assert_int_ge(s.granted, 0);
	ck_assert_int_eq(pthread_create(&s.thread, NULL, succeed, &s), 0);
	fill(data, 0, LENGTH);
	gate_await(&s.asks, 1);
	answer(dev, dev->read, 0, data, LENGTH);
	ck_assert(serve_until(dev, s.granted, SOON_MS));
	ck_assert_int_eq(pthread_join(s.thread, NULL), 0);
	ck_assert(s.landed);
	close(s.granted);
}

static void check_killed(enum pinfs_engine engine, int pool)
{
	unsigned char *mem = mmap(NULL, LENGTH, PROT_READ, MAP_SHARED, pool, 0);
	struct slow_device dev;
	int pidfd, status;
	pid_t owner;

	ck_assert_ptr_ne(mem, MAP_FAILED);
	ck_assert_int_eq(slow_open(&dev), 0);
	owner = start_owner(engine, &dev, pool);
	pidfd = pidfd_open(owner, 0);
	ck_assert_int_ge(pidfd, 0);
	serve_until_read(&dev);
	ck_assert_uint_eq(dev.read_size, LENGTH);
	ck_assert_int_eq(kill(owner, SIGKILL), 0);
	/* A ring is drained after its process's end, AIO before it. */
	if (engine == PINFS_ENGINE_IO_URING)
		ck_assert(serve_until(&dev, pidfd, SOON_MS));
	else
		ck_assert(!serve_until(&dev, pidfd, SETTLE_MS));
	ck_assert_int_eq(try_lock(pool), -EAGAIN);
	ck_assert(!dev.released);
	ck_assert(all(mem, 0, LENGTH));
	check_succession(&dev, pool, mem);
	ck_assert(serve_until(&dev, pidfd, SOON_MS));
	ck_assert_int_eq(waitpid(owner, &status, 0), owner);
	ck_assert(WIFSIGNALED(status));
	close(pidfd);
	slow_close(&dev);
	munmap(mem, LENGTH);
}

START_TEST(killed)
{
	enum medium medium = (enum medium)(_i % MEDIA);
	int pool = medium == IN_MEMORY ? memfd_create("pool", MFD_CLOEXEC) :
					 disk_file();

	ck_assert_int_ge(pool, 0);
	ck_assert_int_eq(ftruncate(pool, LENGTH), 0);
	check_killed(engines[_i / MEDIA], pool);
	close(pool);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dma_killed");
	struct slow_device dev;
	int err = slow_open(&dev);

	if (err) {
		fprintf(stderr,
			"test_dma_killed: skipped: cannot mount a FUSE "
			"file: %s\n",
			strerror(-err));
		return SKIPPED;
	}
	slow_close(&dev);
	add_test(s, "killed", killed, ENGINES * MEDIA);
	return run_suite(s);
}
