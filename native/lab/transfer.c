// SPDX-License-Identifier: Apache-2.0
/* Sends and fetches content over one TCP connection and compares sums, so that
 * a lost, doubled or rewritten byte is seen and not only a wrong length.
 */
#include "weir-pod.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint8_t content[128 * 1024];

/* Both answer 0 or -errno and leave the sum of what went or came. */
static int upload(int fd, const struct options *options, uint64_t *sum, uint64_t *seen)
{
	char line[LINE_SIZE];
	int error;

	snprintf(line, sizeof(line), "sink %zu\n", options->size);
	error = write_all(fd, line, strlen(line), options->timeout_ms);
	for (size_t at = 0; !error && at < options->size;) {
		size_t part = options->size - at;

		if (part > sizeof(content))
			part = sizeof(content);
		pattern_fill(content, part, at);
		*sum = pattern_sum(*sum, content, part);
		error = write_all(fd, content, part, options->timeout_ms);
		at += part;
	}
	if (!error)
		error = read_line(fd, line, sizeof(line), options->timeout_ms);
	if (!error && sscanf(line, "{\"sum\":\"%" SCNx64, seen) != 1)
		error = -EBADMSG;
	return error;
}

static int download(int fd, const struct options *options, uint64_t *seen)
{
	char line[LINE_SIZE];
	size_t left = options->size;
	int error;

	snprintf(line, sizeof(line), "source %zu\n", options->size);
	error = write_all(fd, line, strlen(line), options->timeout_ms);
	while (!error && left) {
		ssize_t got;

		error = wait_for(fd, POLLIN, options->timeout_ms);
		if (error)
			break;
		got = read(fd, content, left < sizeof(content) ? left : sizeof(content));
		if (got == 0)
			return -EPIPE;
		if (got < 0 && errno != EAGAIN)
			return -errno;
		if (got < 0)
			continue;
		*seen = pattern_sum(*seen, content, (size_t)got);
		left -= (size_t)got;
	}
	return error;
}

int transfer(const struct options *options)
{
	uint64_t sum = PATTERN_SUM_START, up = 0, down = PATTERN_SUM_START;
	uint64_t start = now_us(), middle;
	struct tcp_info state = { 0 };
	socklen_t size = sizeof(state);
	struct peer server;
	bool ok;
	int fd, error;

	if (!peer_parse(&server, options->host, options->port))
		return 2;
	fd = peer_connect(&server, options);
	error = fd < 0 ? fd : upload(fd, options, &sum, &up);
	middle = now_us();
	if (!error)
		error = download(fd, options, &down);
	if (fd >= 0)
		getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &size);
	ok = !error && up == sum && down == sum;
	printf("{\"ok\":%s,\"bytes\":%zu,\"sum\":\"%016" PRIx64 "\",\"uploaded\":\"%016" PRIx64
	       "\",\"downloaded\":\"%016" PRIx64 "\",\"uploadMs\":%.1f,\"downloadMs\":%.1f,"
	       "\"retransmits\":%u,\"mss\":%u,\"error\":\"%s\"}\n",
	       ok ? "true" : "false", options->size, sum, up, down,
	       (double)(middle - start) / 1000.0, (double)(now_us() - middle) / 1000.0,
	       state.tcpi_total_retrans, state.tcpi_snd_mss, error ? strerrorname_np(-error) : "");
	return ok ? 0 : 1;
}
