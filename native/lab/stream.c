// SPDX-License-Identifier: Apache-2.0
/* Numbered requests at a steady pace until stdin ends, each expected back: loss
 * is counted and not assumed. TCP hides loss, so its retransmits are counted too,
 * and of those the ones that the other side reports as doubled (DSACK): a busy
 * machine makes TCP send again what was only late.
 */
#include "weir-pod.h"

#include <errno.h>
#include <linux/tcp.h> /* its tcp_info has dsack_dups, glibc's has not */
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_SEQUENCE 65536 /* ICMP's sequence has 16 bits */
#define STRAGGLER_US 1000000

enum kind { KIND_TCP, KIND_UDP, KIND_PING };

struct run {
	enum kind kind;
	int fd;
	struct peer peer;
	uint16_t id;
	uint32_t sent, received, duplicates;
	uint64_t last_answer_us, longest_gap_us;
	int error;
	bool seen[MAX_SEQUENCE];
	char line[LINE_SIZE]; /* TCP: the answer so far */
	size_t line_size;
};

static void count_answer(struct run *run, uint32_t sequence)
{
	uint64_t now = now_us();

	if (sequence >= run->sent || run->seen[sequence]) {
		run->duplicates++;
		return;
	}
	run->seen[sequence] = true;
	run->received++;
	if (run->last_answer_us && now - run->last_answer_us > run->longest_gap_us)
		run->longest_gap_us = now - run->last_answer_us;
	run->last_answer_us = now;
}

static void send_next(struct run *run)
{
	uint32_t sequence = run->sent++;
	char text[32];
	ssize_t put;
	int size;

	if (run->kind == KIND_PING) {
		put = echo_send(run->fd, &run->peer, run->id, (uint16_t)sequence, 56);
		if (put < 0)
			run->error = (int)-put;
		return;
	}
	size = snprintf(text, sizeof(text), "ECHO %u\n", sequence);
	put = send(run->fd, text, (size_t)size, MSG_NOSIGNAL);
	if (put < 0)
		run->error = errno;
}

static void take_lines(struct run *run, const char *bytes, ssize_t size)
{
	for (ssize_t i = 0; i < size; i++) {
		if (bytes[i] != '\n') {
			if (run->line_size + 1 < sizeof(run->line))
				run->line[run->line_size++] = bytes[i];
			continue;
		}
		run->line[run->line_size] = 0;
		run->line_size = 0;
		if (!strncmp(run->line, "ECHO ", 5))
			count_answer(run, (uint32_t)strtoul(run->line + 5, NULL, 10));
	}
}

static void take_answers(struct run *run)
{
	char bytes[4096];
	ssize_t got;

	if (run->kind == KIND_PING) {
		struct echo_event event;
		int taken;

		while ((taken = echo_receive(run->fd, &run->peer, run->id, &event)) >= 0)
			if (taken && event.reply)
				count_answer(run, event.sequence);
		return;
	}
	while ((got = recv(run->fd, bytes, sizeof(bytes), 0)) > 0)
		take_lines(run, bytes, got);
	if (got < 0 && errno != EAGAIN)
		run->error = errno;
	if (got == 0 && run->kind == KIND_TCP)
		run->error = EPIPE;
}

/* Sends on time even when answers are late; answers are taken in between. */
static void run_until_stopped(struct run *run, const struct options *options)
{
	uint64_t next = now_us();

	while (!stop_asked() && run->sent < MAX_SEQUENCE && run->error != EPIPE &&
	       run->error != ECONNRESET) {
		uint64_t now = now_us();

		if (now >= next) {
			send_next(run);
			next += (uint64_t)(options->interval_us ?: INTERVAL_US);
			continue;
		}
		wait_for(run->fd, POLLIN, (int)((next - now) / 1000) + 1);
		take_answers(run);
	}
}

/* The other side's word on what came twice may still be under way. */
static void read_tcp_state(const struct run *run, struct tcp_info *state)
{
	socklen_t size = sizeof(*state);

	for (int i = 0; run->kind == KIND_TCP && i < 30; i++) {
		getsockopt(run->fd, IPPROTO_TCP, TCP_INFO, state, &size);
		if (state->tcpi_dsack_dups >= state->tcpi_total_retrans)
			return;
		usleep(10000);
	}
}

static void print(const struct run *run)
{
	struct tcp_info state = { 0 };

	read_tcp_state(run, &state);
	printf("{\"ok\":%s,\"sent\":%u,\"received\":%u,\"lost\":%u,\"duplicates\":%u,"
	       "\"longestGapMs\":%.1f,\"retransmits\":%u,\"doubled\":%u,\"error\":\"%s\"}\n",
	       run->received == run->sent && !run->error ? "true" : "false", run->sent,
	       run->received, run->sent - run->received, run->duplicates,
	       (double)run->longest_gap_us / 1000.0, state.tcpi_total_retrans,
	       state.tcpi_dsack_dups, run->error ? strerrorname_np(run->error) : "");
}

int stream(const char *kind, const struct options *given)
{
	static struct run run;
	struct options options = *given;
	uint64_t until;
	int on = 1;

	stop_on_signals();
	run.kind = !strcmp(kind, "tcp") ? KIND_TCP : !strcmp(kind, "udp") ? KIND_UDP : KIND_PING;
	options.use_udp = run.kind == KIND_UDP;
	run.id = (uint16_t)getpid();
	if (!peer_parse(&run.peer, options.host, options.port))
		return 2;
	run.fd = run.kind == KIND_PING ? echo_open(&run.peer, &options)
				       : peer_connect(&run.peer, &options);
	if (run.fd < 0) {
		fprintf(stderr, "Cannot stream to %s: %s\n", options.host, strerror(-run.fd));
		return 2;
	}
	if (run.kind != KIND_TCP)
		widen_socket(run.fd);
	if (run.kind == KIND_TCP)
		setsockopt(run.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* Whoever disturbs the traffic waits for this line first. */
	puts("{\"started\":true}");
	fflush(stdout);
	run_until_stopped(&run, &options);
	until = now_us() + STRAGGLER_US;
	while (run.received < run.sent && now_us() < until && !run.error) {
		wait_for(run.fd, POLLIN, 50);
		take_answers(&run);
	}
	print(&run);
	return run.received == run.sent && !run.error ? 0 : 1;
}
