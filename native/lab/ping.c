// SPDX-License-Identifier: Apache-2.0
/* Pings and says what came back: replies, and ICMP errors with who sent them.
 * With --df the packet is --size + 28 (IPv4) or + 48 (IPv6) bytes and may not be cut.
 */
#include "weir-pod.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct tally {
	int sent, received, damaged;
	double best_ms;
	int ttl;
	struct echo_event error; /* the last ICMP error */
	bool has_error;
	int local_error; /* errno of sending, e.g. EMSGSIZE */
};

/* True once request `sequence` is answered, by a reply or by an error. */
static bool take_answer(int fd, const struct peer *peer, uint16_t id, uint16_t sequence,
			uint64_t sent_at, struct tally *tally)
{
	struct echo_event event;
	double ms;

	if (echo_receive(fd, peer, id, &event) != 1 || event.sequence != sequence)
		return false;
	if (!event.reply) {
		tally->error = event;
		tally->has_error = true;
		return true;
	}
	ms = (double)(now_us() - sent_at) / 1000.0;
	if (!tally->received++ || ms < tally->best_ms)
		tally->best_ms = ms;
	tally->damaged += !event.intact;
	tally->ttl = event.ttl;
	return true;
}

static void ping_once(int fd, const struct peer *peer, const struct options *options, uint16_t id,
		      uint16_t sequence, struct tally *tally)
{
	uint64_t sent_at = now_us(), until = sent_at + (uint64_t)options->timeout_ms * 1000u;
	int error = echo_send(fd, peer, id, sequence, options->size);

	tally->sent++;
	if (error) {
		tally->local_error = -error;
		return;
	}
	for (;;) {
		uint64_t now = now_us();

		if (now >= until || wait_for(fd, POLLIN, (int)((until - now + 999) / 1000)))
			return;
		if (take_answer(fd, peer, id, sequence, sent_at, tally))
			return;
	}
}

static void print(const struct tally *tally)
{
	char from[INET6_ADDRSTRLEN];

	printf("{\"ok\":%s,\"sent\":%d,\"received\":%d,\"damaged\":%d,\"ms\":%.3f,\"ttl\":%d",
	       tally->received == tally->sent && !tally->damaged ? "true" : "false", tally->sent,
	       tally->received, tally->damaged, tally->best_ms, tally->ttl);
	if (tally->local_error)
		printf(",\"localError\":\"%s\"", strerrorname_np(tally->local_error));
	if (tally->has_error) {
		peer_text(&tally->error.from, from, sizeof(from));
		printf(",\"icmp\":{\"type\":%u,\"code\":%u,\"mtu\":%u,\"from\":\"%s\"}",
		       tally->error.type, tally->error.code, tally->error.mtu, from);
	}
	puts("}");
}

int ping(const struct options *options)
{
	uint16_t id = (uint16_t)getpid();
	struct tally tally = { .ttl = -1 };
	struct peer peer;
	int fd;

	if (!peer_parse(&peer, options->host, NULL))
		return 2;
	fd = echo_open(&peer, options);
	if (fd < 0) {
		fprintf(stderr, "Cannot ping %s: %s\n", options->host, strerror(-fd));
		return 2;
	}
	for (int i = 0; i < options->count; i++) {
		if (i)
			usleep((useconds_t)(options->interval_us ?: INTERVAL_US));
		ping_once(fd, &peer, options, id, (uint16_t)(i + 1), &tally);
	}
	print(&tally);
	return tally.received == tally.sent && !tally.damaged ? 0 : 1;
}
