// SPDX-License-Identifier: BSD-3-Clause
/*
 * sock - the other end of a device that is a Unix socket
 *
 *   sock send PATH FILE   listen on PATH; give FILE to the first who connects
 *   sock recv PATH FILE   the same, but write what comes from there to FILE
 *   sock log PATH         be the system's log: print each message, a line each
 *
 * Prints "ready" when PATH can be connected to.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int copy(int from, int to)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, (size_t)n) != n)
			return 1;
	return n < 0;
}

static int bound(const char *path, int type)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	if (strlen(path) >= sizeof(at.sun_path))
		return -1;
	memcpy(at.sun_path, path, strlen(path));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)))
		return -1;
	return fd;
}

static void say_ready(void)
{
	puts("ready");
	fflush(stdout);
}

static int accept_one(const char *path)
{
	int fd = bound(path, SOCK_STREAM);

	if (fd < 0 || listen(fd, 1))
		return -1;
	say_ready();
	return accept(fd, NULL, NULL);
}

static int print_log(const char *path)
{
	int fd = bound(path, SOCK_DGRAM);
	char line[4096];
	ssize_t n;

	if (fd < 0) {
		perror(path);
		return 1;
	}
	say_ready();
	while ((n = recv(fd, line, sizeof(line) - 1, 0)) >= 0) {
		line[n] = '\0';
		puts(line);
		fflush(stdout);
	}
	return 1;
}

int main(int argc, char **argv)
{
	int conn, file, sends;

	if (argc == 3 && !strcmp(argv[1], "log"))
		return print_log(argv[2]);
	if (argc != 4) {
		fprintf(stderr, "usage: sock send|recv PATH FILE\n"
				"       sock log PATH\n");
		return 2;
	}
	sends = !strcmp(argv[1], "send");
	file = open(argv[3], sends ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC,
		    0644);
	conn = file < 0 ? -1 : accept_one(argv[2]);
	if (conn < 0) {
		perror(argv[2]);
		return 1;
	}
	return sends ? copy(file, conn) : copy(conn, file);
}
