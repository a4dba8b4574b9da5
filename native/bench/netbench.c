// SPDX-License-Identifier: Apache-2.0
/* weir-netbench: the load of `weir bench`. One server answers three kinds of
 * load on three neighbouring ports; one client measures one kind and prints JSON.
 *
 *   weir-netbench server ADDRESS PORT          serves until killed
 *   weir-netbench rr|stream|crr ADDRESS PORT MILLISECONDS
 *
 * The server closes CRR connections first, so that TIME_WAIT collects on its
 * side and the client does not run out of ports within a run.
 */
#include "endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum kind { RR = 0, STREAM = 1, CRR = 2, KINDS = 3 };
static const char *const kind_names[KINDS] = { "rr", "stream", "crr" };

/* Latency histogram: 10 ns buckets up to 10 ms; slower samples share the last. */
#define BUCKET_NS 10
#define BUCKETS 1000000

struct histogram {
	uint64_t count;
	uint32_t buckets[BUCKETS];
};

static struct histogram whole, connecting;
static char buffer[128 * 1024];

static int connect_to(const union endpoint *at, socklen_t length)
{
	int one = 1, fd = socket(at->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, &at->any, length) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void serve_connection(int fd, enum kind kind)
{
	uint64_t total = 0;
	ssize_t got;

	while ((got = read(fd, buffer, kind == STREAM ? sizeof(buffer) : 1)) > 0) {
		total += (uint64_t)got;
		if (kind != STREAM && write(fd, buffer, 1) != 1)
			break;
		if (kind == CRR)
			break;
	}
	/* The sender's clock stops when it knows that everything has arrived. */
	if (kind == STREAM && write(fd, &total, sizeof(total)) < 0)
		perror("write");
	close(fd);
}

static void serve(const union endpoint *at, socklen_t length, enum kind kind)
{
	int one = 1, fd, listener = socket(at->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (listener < 0 || bind(listener, &at->any, length) < 0 || listen(listener, 1024) < 0)
		die("listen");
	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		serve_connection(fd, kind);
	}
	die("accept");
}

static void run_server(const char *address, const char *port)
{
	for (int kind = 0; kind < KINDS; kind++) {
		union endpoint at;
		socklen_t length = endpoint_parse(&at, address, port, kind);
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(&at, length, (enum kind)kind);
		}
	}
	wait(NULL);
}

static void sample(struct histogram *in, uint64_t ns)
{
	uint64_t bucket = ns / BUCKET_NS;

	in->buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
	in->count++;
}

static double percentile_us(const struct histogram *of, double share)
{
	uint64_t seen = 0, want = (uint64_t)((double)of->count * share);

	for (uint32_t i = 0; i < BUCKETS; i++) {
		seen += of->buckets[i];
		if (seen > want)
			return i * BUCKET_NS / 1000.0;
	}
	return BUCKETS * BUCKET_NS / 1000.0;
}

static uint64_t run_rr(const union endpoint *at, socklen_t length, uint64_t until)
{
	uint64_t before = now_ns(), count = 0;
	int fd = connect_to(at, length);

	while (before < until) {
		uint64_t after;

		if (write(fd, "x", 1) != 1 || read(fd, buffer, 1) != 1)
			die("exchange a byte");
		after = now_ns();
		sample(&whole, after - before);
		before = after;
		count++;
	}
	close(fd);
	return count;
}

static uint64_t run_crr(const union endpoint *at, socklen_t length, uint64_t until)
{
	uint64_t before = now_ns(), count = 0;

	while (before < until) {
		int fd = connect_to(at, length);
		uint64_t after = now_ns();

		sample(&connecting, after - before);
		if (write(fd, "x", 1) != 1 || read(fd, buffer, 1) != 1 || read(fd, buffer, 1) != 0)
			die("exchange a byte");
		close(fd);
		after = now_ns();
		sample(&whole, after - before);
		before = after;
		count++;
	}
	return count;
}

/* Returns the bytes that arrived. */
static uint64_t run_stream(const union endpoint *at, socklen_t length, uint64_t until)
{
	uint64_t total = 0;
	int fd = connect_to(at, length);

	while (now_ns() < until)
		if (write(fd, buffer, sizeof(buffer)) < 0)
			die("write");
	shutdown(fd, SHUT_WR);
	if (read(fd, &total, sizeof(total)) != sizeof(total))
		die("read the total");
	close(fd);
	return total;
}

static void run_client(enum kind kind, const char *address, const char *port, const char *ms)
{
	union endpoint at;
	socklen_t length = endpoint_parse(&at, address, port, kind);
	uint64_t start = now_ns(), until = start + (uint64_t)atoll(ms) * 1000000u, count;
	double seconds;

	count = kind == RR    ? run_rr(&at, length, until)
		: kind == CRR ? run_crr(&at, length, until)
			      : run_stream(&at, length, until);
	seconds = (double)(now_ns() - start) / 1e9;
	if (kind == STREAM)
		printf("{\"kind\":\"stream\",\"gbps\":%.4f}\n", (double)count * 8 / 1e9 / seconds);
	else
		printf("{\"kind\":\"%s\",\"perS\":%.1f,\"p50Us\":%.2f,\"p99Us\":%.2f,"
		       "\"connectP50Us\":%.2f}\n",
		       kind_names[kind], (double)count / seconds, percentile_us(&whole, 0.5),
		       percentile_us(&whole, 0.99), percentile_us(&connecting, 0.5));
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 4 && !strcmp(argv[1], "server")) {
		run_server(argv[2], argv[3]);
		return 1;
	}
	for (int kind = 0; argc == 5 && kind < KINDS; kind++) {
		if (strcmp(argv[1], kind_names[kind]))
			continue;
		run_client((enum kind)kind, argv[2], argv[3], argv[4]);
		return 0;
	}
	fprintf(stderr, "usage: weir-netbench server ADDRESS PORT\n"
			"       weir-netbench rr|stream|crr ADDRESS PORT MILLISECONDS\n");
	return 2;
}
