// SPDX-License-Identifier: Apache-2.0
/* A DEL while the agent is away: one file in <stateDir>/cni-queue, which the agent watches. */
#include "weir-cni.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* mkdir -p; errors show when the file is made. */
static void make_directories(char *path)
{
	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		mkdir(path, 0700);
		*at = '/';
	}
	mkdir(path, 0700);
}

static char *describe(const struct text *input)
{
	json_t *env = json_object();
	json_t *file = json_pack("{s:o, s:s%}", "env", env, "stdin",
				 input->bytes ? input->bytes : "", input->length);
	char *line;

	for (size_t i = 0; file && i < variable_count; i++) {
		const char *value = getenv(variables[i].name);

		if (value)
			json_object_set_new(env, variables[i].name, json_string(value));
	}
	line = json_dumps(file, JSON_COMPACT);
	json_decref(file);
	return line;
}

static int write_file(const char *path, const char *line)
{
	size_t length = strlen(line);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t written;
	int error = 0;

	if (fd < 0)
		return -errno;
	written = write(fd, line, length);
	if (written < 0)
		error = -errno;
	else if ((size_t)written != length)
		error = -ENOSPC;
	if (close(fd) && !error)
		error = -errno;
	return error;
}

/* Renamed into place: the agent never sees half a file. Names sort in the order of the calls. */
int queue_del(const char *state_dir, const struct text *input)
{
	char directory[PATH_MAX], temporary[PATH_MAX], path[PATH_MAX];
	struct timespec now;
	char *line;
	int length, error;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(directory, sizeof(directory), "%.3000s/cni-queue", state_dir);
	length = snprintf(path, sizeof(path), "%.3500s/%010ld.%09ld-%d.json", directory,
			  (long)now.tv_sec, now.tv_nsec, getpid());
	snprintf(temporary, sizeof(temporary), "%.*s.tmp", length, path);
	make_directories(directory);
	line = describe(input);
	if (!line)
		return -EILSEQ;
	error = write_file(temporary, line);
	if (!error && rename(temporary, path))
		error = -errno;
	if (error)
		unlink(temporary);
	free(line);
	return error;
}
