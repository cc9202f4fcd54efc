// SPDX-License-Identifier: BSD-3-Clause
/*
 * slowdev - a slow device for tests: a FUSE server of one file whose direct
 * I/O is answered after a delay, fails at an offset, or hangs until told.
 *
 * While a request is not answered, the kernel itself holds the pages that the
 * I/O reads or fills, whatever becomes of the process that asked for it.  So a
 * test sees the real thing: a DMA in flight, for as long as it likes.
 *
 * One thread does it all: it waits for the kernel, the next due request and
 * signals at the same time, so a thousand held requests cost no thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/util.h"
#include "ctl.h"
#include "device.h"
#include "server.h"

struct options {
	uint64_t size;
	uint64_t seed;
	uint64_t delay_ns;
	uint64_t fail_at;
	uint64_t hang_from;
	uint64_t offset; /* of --pattern */
	bool foreground;
	bool pattern;
	char *mountpoint;
};

static const char usage[] =
	"usage: slowdev [-f] --size SIZE [OPTION...] MOUNTPOINT\n"
	"       slowdev --pattern --size SIZE [--offset OFF] [--seed N]\n"
	"\n"
	"Serves MOUNTPOINT/dev, a file for direct I/O that is slow, and\n"
	"MOUNTPOINT/ctl, which shows the state and takes commands.\n"
	"\n"
	"  -f, --foreground   stay in the foreground\n"
	"  --size SIZE        of the device; K, M, G, T are understood\n"
	"  --delay MS         answer each request so long after it arrives\n"
	"  --fail-at OFF      EIO for requests that cover byte OFF\n"
	"  --hang-from OFF    do not answer requests that reach past byte OFF\n"
	"  --seed N           of the pattern that the device holds at first\n"
	"  --pattern          write that pattern to standard output instead\n"
	"  --offset OFF       from OFF on\n"
	"  --help, --version\n"
	"\n"
	"Commands of ctl: delay MS, fail OFF, stop-fail, hang OFF, stop-hang,\n"
	"release [N]; await held|hung|reads|writes|answered|failed|awaiting N,\n"
	"after which the next read of the same descriptor waits for that.\n";

enum {
	OPT_SIZE = 256,
	OPT_DELAY,
	OPT_FAIL_AT,
	OPT_HANG_FROM,
	OPT_SEED,
	OPT_PATTERN,
	OPT_OFFSET,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "foreground", no_argument, NULL, 'f' },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "delay", required_argument, NULL, OPT_DELAY },
	{ "fail-at", required_argument, NULL, OPT_FAIL_AT },
	{ "hang-from", required_argument, NULL, OPT_HANG_FROM },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "pattern", no_argument, NULL, OPT_PATTERN },
	{ "offset", required_argument, NULL, OPT_OFFSET },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static void __attribute__((noreturn))
bad_usage(const char *what, const char *why)
{
	fprintf(stderr, "slowdev: %s: %s; see slowdev --help\n", what, why);
	exit(2);
}

static void set_option(struct options *o, int opt)
{
	bool ok = true;

	switch (opt) {
	case 'f':
		o->foreground = true;
		break;
	case OPT_SIZE:
		ok = parse_size(optarg, &o->size);
		break;
	case OPT_DELAY:
		ok = parse_ms(optarg, &o->delay_ns);
		break;
	case OPT_FAIL_AT:
		ok = parse_size(optarg, &o->fail_at);
		break;
	case OPT_HANG_FROM:
		ok = parse_size(optarg, &o->hang_from);
		break;
	case OPT_SEED:
		ok = parse_size(optarg, &o->seed);
		break;
	case OPT_PATTERN:
		o->pattern = true;
		break;
	case OPT_OFFSET:
		ok = parse_size(optarg, &o->offset);
		break;
	case OPT_HELP:
		fputs(usage, stdout);
		exit(0);
	case OPT_VERSION:
		puts("slowdev " PINFS_RELEASE);
		exit(0);
	default:
		exit(2);
	}
	if (!ok)
		bad_usage(optarg, "not a number");
}

static void parse_options(struct options *o, int argc, char **argv)
{
	int opt;

	*o = (struct options){ .seed = MEDIA_DEFAULT_SEED,
			       .fail_at = DEVICE_NOWHERE,
			       .hang_from = DEVICE_NOWHERE };
	while ((opt = getopt_long(argc, argv, "f", long_options, NULL)) != -1)
		set_option(o, opt);
	if (!o->size)
		bad_usage("--size", "missing, or zero");
	if (o->size > INT64_MAX / 2)
		bad_usage("--size", "too large");
	if (argc - optind != (o->pattern ? 0 : 1))
		bad_usage("arguments", "one mount point is expected");
	o->mountpoint = argv[optind];
}

static int print_pattern(const struct options *o)
{
	uint64_t done, n;
	char buf[65536];

	for (done = 0; done < o->size; done += n) {
		n = min_u64(sizeof(buf), o->size - done);
		media_pattern(o->seed, o->offset + done, n, buf);
		if (fwrite(buf, 1, n, stdout) != n)
			break;
	}
	if (done < o->size || fflush(stdout) != 0) {
		perror("slowdev: standard output");
		return 1;
	}
	return 0;
}

static void arm_timer(int timer, uint64_t due)
{
	struct itimerspec it = { 0 };

	if (due != UINT64_MAX) {
		it.it_value.tv_sec = (time_t)(due / NSEC_PER_SEC);
		it.it_value.tv_nsec = (long)(due % NSEC_PER_SEC);
	}
	/* A time that has passed already rings at once. */
	timerfd_settime(timer, TFD_TIMER_ABSTIME, &it, NULL);
}

/* One request, if there is one: the session's descriptor does not block. */
static void serve_request(struct fuse_session *se, struct fuse_buf *buf)
{
	if (fuse_session_receive_buf(se, buf) > 0)
		fuse_session_process_buf(se, buf);
}

enum { FD_FUSE, FD_TIMER, FD_SIGNAL, N_FDS };

static void serve(struct fuse_session *se, struct device *d, int timer,
		  int signals)
{
	struct pollfd fds[N_FDS] = {
		[FD_FUSE] = { .fd = fuse_session_fd(se), .events = POLLIN },
		[FD_TIMER] = { .fd = timer, .events = POLLIN },
		[FD_SIGNAL] = { .fd = signals, .events = POLLIN },
	};
	struct fuse_buf buf = { 0 };

	while (!fuse_session_exited(se)) {
		arm_timer(timer, device_next_due(d));
		if (poll(fds, N_FDS, -1) < 0 && errno != EINTR)
			break;
		if (fds[FD_SIGNAL].revents)
			break;
		if (fds[FD_TIMER].revents)
			device_answer_due(d, now_ns());
		if (fds[FD_FUSE].revents)
			serve_request(se, &buf);
	}
	free(buf.mem);
}

/* Signals that end the program are read, not handled: no races. */
static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int serve_mounted(struct fuse_session *se, struct device *d,
			 const struct options *o)
{
	int timer, signals, fd = fuse_session_fd(se), err = 1;

	/* Before the fork, so that the parent cannot say "live" too early. */
	signals = open_signals();
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (signals < 0 || timer < 0 ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) {
		perror("slowdev: descriptors");
		goto out_close;
	}
	if (fuse_daemonize(o->foreground) == 0) {
		serve(se, d, timer, signals);
		err = 0;
	}
out_close:
	if (timer >= 0)
		close(timer);
	if (signals >= 0)
		close(signals);
	return err;
}

static int run(struct device *d, const struct options *o)
{
	char *argv[] = { "slowdev", "-o", "fsname=slowdev,subtype=slowdev",
			 geteuid() == 0 ? "-oallow_other" : NULL, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(geteuid() == 0 ? 4 : 3, argv);
	struct fuse_session *se;
	int err = 1;

	se = fuse_session_new(&args, &server_ops, sizeof(server_ops), d);
	if (!se)
		goto out_args;
	if (fuse_session_mount(se, o->mountpoint) != 0)
		goto err_session;
	err = serve_mounted(se, d, o);
	device_abort(d);
	ctl_close_all(d);
	/*
	 * libfuse may leave that to umount(8), which may find its own records
	 * locked by others; who is not root has fusermount3 do it.
	 */
	umount2(o->mountpoint, MNT_DETACH);
	fuse_session_unmount(se);
err_session:
	fuse_session_destroy(se);
out_args:
	fuse_opt_free_args(&args);
	return err;
}

int main(int argc, char **argv)
{
	struct options o;
	struct device d;
	int err;

	parse_options(&o, argc, argv);
	if (o.pattern)
		return print_pattern(&o);
	if (device_init(&d, o.size, o.seed) != 0) {
		fprintf(stderr, "slowdev: device: not enough memory\n");
		return 1;
	}
	d.delay_ns = o.delay_ns;
	d.fail_at = o.fail_at;
	d.hang_from = o.hang_from;
	err = run(&d, &o);
	device_destroy(&d);
	return err;
}
