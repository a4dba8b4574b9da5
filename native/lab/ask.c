// SPDX-License-Identifier: Apache-2.0
/* Asks a server who it is, over TCP or UDP, a new socket for each question.
 * With --size a datagram of that content must come back as it went.
 */
#include "weir-pod.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct outcome {
	int error;
	const char *stage;
	char answer[LINE_SIZE];
	char from[INET6_ADDRSTRLEN]; /* source of an unconnected answer */
};

static void ask_tcp(int fd, const struct options *options, struct outcome *outcome)
{
	outcome->stage = "send";
	outcome->error = write_all(fd, "hello\n", 6, options->timeout_ms);
	if (outcome->error)
		return;
	outcome->stage = "answer";
	outcome->error =
		read_line(fd, outcome->answer, sizeof(outcome->answer), options->timeout_ms);
}

static void ask_udp(int fd, const struct peer *server, const struct options *options,
		    struct outcome *outcome)
{
	static uint8_t question[MAX_DATAGRAM], answer[MAX_DATAGRAM];
	struct peer from = { .length = sizeof(from.address) };
	size_t size = options->size ? options->size : 5;
	ssize_t got;

	if (size > 65507)
		size = 65507;
	pattern_fill(question, size, 0);
	memcpy(question, options->size ? "ECHO" : "hello", options->size ? 4 : 5);
	outcome->stage = "send";
	got = options->unconnected ? sendto(fd, question, size, 0, (const void *)&server->address,
					    server->length)
				   : send(fd, question, size, 0);
	if (got < 0) {
		outcome->error = -errno;
		return;
	}
	outcome->stage = "answer";
	outcome->error = wait_for(fd, POLLIN, options->timeout_ms);
	if (outcome->error)
		return;
	got = recvfrom(fd, answer, sizeof(answer), 0, (void *)&from.address, &from.length);
	if (got < 0) {
		outcome->error = -errno;
		return;
	}
	peer_text(&from, outcome->from, sizeof(outcome->from));
	if (options->size) {
		bool same = (size_t)got == size && !memcmp(question, answer, size);

		if (!same)
			outcome->error = -EBADMSG;
		snprintf(outcome->answer, sizeof(outcome->answer), "{\"echoed\":%zd}", got);
		return;
	}
	answer[got < LINE_SIZE ? got : LINE_SIZE - 1] = 0;
	answer[strcspn((char *)answer, "\n")] = 0;
	memcpy(outcome->answer, answer, LINE_SIZE);
}

/* Prints one line. The peer is what getpeername says after translation at the socket. */
static bool ask_once(const struct peer *server, const struct options *options)
{
	struct outcome outcome = { .stage = "connect" };
	struct peer local = { .length = sizeof(local.address) };
	struct peer peer = { .length = sizeof(peer.address) };
	char local_text[INET6_ADDRSTRLEN] = "", peer_name[INET6_ADDRSTRLEN] = "";
	uint64_t start = now_us();
	int fd = peer_connect(server, options);

	if (fd < 0) {
		outcome.error = fd;
	} else {
		if (options->use_udp)
			ask_udp(fd, server, options, &outcome);
		else
			ask_tcp(fd, options, &outcome);
		if (!getsockname(fd, (void *)&local.address, &local.length))
			peer_text(&local, local_text, sizeof(local_text));
		if (!getpeername(fd, (void *)&peer.address, &peer.length))
			peer_text(&peer, peer_name, sizeof(peer_name));
		close(fd);
	}
	printf("{\"ok\":%s,\"begunUs\":%llu,\"ms\":%.3f", outcome.error ? "false" : "true",
	       (unsigned long long)start, (double)(now_us() - start) / 1000.0);
	printf(",\"local\":\"%s\",\"peer\":\"%s\",\"from\":\"%s\"", local_text, peer_name,
	       outcome.from);
	if (outcome.error)
		printf(",\"stage\":\"%s\",\"error\":\"%s\"", outcome.stage,
		       strerrorname_np(-outcome.error));
	if (outcome.answer[0])
		printf(",\"answer\":%s", outcome.answer);
	puts("}");
	return outcome.error == 0;
}

int ask(const struct options *options)
{
	struct peer server;
	bool ok = true;

	if (!peer_parse(&server, options->host, options->port)) {
		fprintf(stderr, "Cannot ask %s: not an address\n", options->host);
		return 2;
	}
	/* What fails once is told at once: forty more timeouts would say no more. */
	for (int i = 0; i < options->count && ok; i++) {
		if (i && options->interval_us)
			usleep((useconds_t)options->interval_us);
		ok = ask_once(&server, options);
	}
	return ok ? 0 : 1;
}
