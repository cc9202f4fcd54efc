// SPDX-License-Identifier: BSD-3-Clause
/*
 * fuzz_NAME FILE|FOLDER... - run a harness on inputs, without libFuzzer
 *
 * Names each input before it is tried, so that the last one is the culprit.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

#define LIMIT_S	  60 /* of one input */
#define INPUT_MAX 65536

static unsigned int count;

static void fail(const char *path)
{
	perror(path);
	exit(1);
}

static void on_alarm(int sig)
{
	static const char text[] = "replay: no end of it\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)n;
	(void)sig;
	abort();
}

static void replay(const char *path)
{
	FILE *f = fopen(path, "re");
	uint8_t *data = malloc(INPUT_MAX), *exact;
	size_t n;

	if (!f || !data)
		fail(path);
	n = fread(data, 1, INPUT_MAX, f);
	fclose(f);
	/* So that a sanitizer sees what is read behind it. */
	exact = malloc(n ? n : 1);
	if (!exact)
		fail(path);
	memcpy(exact, data, n);
	free(data);
	fprintf(stderr, "%s\n", path);
	alarm(LIMIT_S);
	LLVMFuzzerTestOneInput(exact, n);
	alarm(0);
	free(exact);
	count++;
}

static int is_shown(const struct dirent *de)
{
	return de->d_name[0] != '.';
}

static void replay_all(const char *path)
{
	struct dirent **names;
	char file[4096];
	struct stat st;
	int n;

	if (stat(path, &st))
		fail(path);
	if (!S_ISDIR(st.st_mode)) {
		replay(path);
		return;
	}
	n = scandir(path, &names, is_shown, alphasort);
	if (n < 0)
		fail(path);
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		replay_all(file);
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	signal(SIGALRM, on_alarm);
	LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		replay_all(argv[i]);
	printf("%u inputs\n", count);
	return count ? 0 : 1;
}
