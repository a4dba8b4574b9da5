// SPDX-License-Identifier: Apache-2.0
/* Asks many servers at once: who can be reached from here? Each target is "tcp/ADDRESS/PORT" or
 * "udp/ADDRESS/PORT"; silence costs one timeout for all of them together.
 */
#include "weir-pod.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_TARGETS 1024
#define TARGET_SIZE 80

struct probe {
	const char *target;
	bool is_udp, done;
	int error;
};

static struct probe probes[MAX_TARGETS];
static struct pollfd sockets[MAX_TARGETS];

static void finish(int at, int error)
{
	probes[at].done = true;
	probes[at].error = error;
	if (sockets[at].fd >= 0)
		close(sockets[at].fd);
	sockets[at].fd = -1; /* poll() passes over it */
}

/* False when the text is not a target. */
static bool parse_target(const char *target, struct peer *peer, bool *is_udp)
{
	char text[TARGET_SIZE], *host, *port;

	if (strlen(target) >= sizeof(text))
		return false;
	strcpy(text, target);
	host = strchr(text, '/');
	port = host ? strchr(host + 1, '/') : NULL;
	if (!port)
		return false;
	*host++ = *port++ = 0;
	*is_udp = !strcmp(text, "udp");
	return (*is_udp || !strcmp(text, "tcp")) && peer_parse(peer, host, port);
}

static void begin(int at, const struct peer *peer)
{
	bool is_udp = probes[at].is_udp;
	int fd = socket(peer->address.ss_family,
			(is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	sockets[at] = (struct pollfd){ .fd = fd, .events = is_udp ? POLLIN : POLLOUT };
	if (fd < 0 ||
	    (connect(fd, (const void *)&peer->address, peer->length) < 0 && errno != EINPROGRESS) ||
	    (is_udp && send(fd, "hello", 5, 0) < 0))
		finish(at, -errno);
}

/* TCP is reached once connected, UDP once answered. */
static void look(int at)
{
	socklen_t length = sizeof(int);
	char answer[LINE_SIZE];
	int error = 0;

	if (probes[at].is_udp) {
		if (recv(sockets[at].fd, answer, sizeof(answer), 0) < 0)
			error = errno;
	} else {
		getsockopt(sockets[at].fd, SOL_SOCKET, SO_ERROR, &error, &length);
	}
	finish(at, -error);
}

static void wait_for_all(int count, int timeout_ms)
{
	uint64_t deadline = now_us() + (uint64_t)timeout_ms * 1000;
	int left = count;

	while (left > 0 && now_us() < deadline) {
		if (poll(sockets, (nfds_t)count, (int)((deadline - now_us()) / 1000) + 1) < 0)
			break;
		left = 0;
		for (int at = 0; at < count; at++) {
			if (!probes[at].done && sockets[at].revents)
				look(at);
			left += !probes[at].done;
		}
	}
}

int probe(const struct options *options, int count, char **targets)
{
	bool all = true;
	struct peer peer;

	if (count > MAX_TARGETS) {
		fprintf(stderr, "Cannot probe %d targets: %d is the most\n", count, MAX_TARGETS);
		return 2;
	}
	for (int at = 0; at < count; at++) {
		probes[at] = (struct probe){ .target = targets[at], .error = -ETIMEDOUT };
		if (!parse_target(targets[at], &peer, &probes[at].is_udp)) {
			fprintf(stderr, "Cannot probe %s: not PROTOCOL/ADDRESS/PORT\n",
				targets[at]);
			return 2;
		}
		begin(at, &peer);
	}
	wait_for_all(count, options->timeout_ms);
	for (int at = 0; at < count; at++) {
		int error = -probes[at].error;

		all = all && !error;
		printf("{\"target\":\"%s\",\"ok\":%s,\"error\":\"%s\"}\n", probes[at].target,
		       error ? "false" : "true", error ? strerrorname_np(error) : "");
	}
	return all ? 0 : 1;
}
