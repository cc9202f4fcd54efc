// SPDX-License-Identifier: BSD-3-Clause
/*
 * ring_read - read a file from disk into the blocks of a file on pinfs
 *
 *	ring_read SOURCE FILE
 *
 * The disk writes into the very memory that is FILE: no copy is made. A
 * truncate of FILE waits meanwhile, also when this program is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pinfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define DEPTH 64u

static void check(const char *what, int err)
{
	if (err >= 0)
		return;
	fprintf(stderr, "ring_read: %s: %s\n", what, strerror(-err));
	exit(1);
}

/* Read one piece for each iovec; returns how many bytes came without a gap. */
static uint64_t read_all(struct io_uring *ring, int from,
			 const struct iovec *iov, size_t n)
{
	uint64_t at = 0, arrived = 0, got[DEPTH];
	struct io_uring_cqe *cqe;

	for (size_t i = 0, batch; i < n; i += batch) {
		batch = n - i < DEPTH ? n - i : DEPTH;
		for (size_t j = 0; j < batch; j++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
			size_t len = iov[i + j].iov_len;

			io_uring_prep_read(sqe, from, iov[i + j].iov_base,
					   (unsigned int)len, at);
			io_uring_sqe_set_data64(sqe, j);
			at += len;
		}
		check("submit", io_uring_submit(ring));
		for (size_t j = 0; j < batch; j++) {
			check("read", io_uring_wait_cqe(ring, &cqe));
			check("read", cqe->res);
			got[cqe->user_data] = (uint64_t)cqe->res;
			io_uring_cqe_seen(ring, cqe);
		}
		for (size_t j = 0; j < batch; j++) {
			arrived += got[j];
			if (got[j] < iov[i + j].iov_len)
				return arrived;
		}
	}
	return arrived;
}

int main(int argc, char **argv)
{
	int from, to, files[PINFS_RING_FILES];
	struct iovec iov[1024];
	struct io_uring ring;
	struct stat st;
	pinfs_pool *pool;
	pinfs_pin *pin;
	ssize_t n;

	if (argc != 3)
		return fputs("usage: ring_read SOURCE FILE\n", stderr), 2;
	from = open(argv[1], O_RDONLY | O_DIRECT);
	to = open(argv[2], O_RDWR | O_CREAT, 0644);
	check(from < 0 ? argv[1] : argv[2], from < 0 || to < 0 ? -errno : 0);
	check(argv[1], fstat(from, &st) ? -errno : 0);
	st.st_size = (st.st_size + 4095) & ~4095; /* O_DIRECT's unit */
	check("pool", pinfs_pool_map(to, PROT_READ | PROT_WRITE, &pool));
	check("pin", pinfs_pin_begin(to, PINFS_PIN_FROM_DEVICE, 0, &pin));
	check("pin", pinfs_pin_extend(pin, to, 0, (uint64_t)st.st_size));
	check("ring", io_uring_queue_init(DEPTH, &ring, 0));
	/* The pins must outlive the I/O, even if this process does not. */
	pinfs_ring_files(pin, pool, files);
	check("ring", io_uring_register_files(&ring, files, PINFS_RING_FILES));
	n = pinfs_pin_iovec(pin, pool, iov, 1024);
	check("extents", n > 1024 ? -E2BIG : (int)n);
	check("end", pinfs_pin_end(pin, read_all(&ring, from, iov, (size_t)n)));
	io_uring_unregister_files(&ring); /* else the kernel takes its time */
	io_uring_queue_exit(&ring);
	pinfs_pool_unmap(pool);
	return 0;
}
