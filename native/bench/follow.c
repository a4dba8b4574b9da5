// SPDX-License-Identifier: Apache-2.0
/* weir-follow: who answers behind an address, connection by connection.
 *
 *   weir-follow serve ADDRESS PORT NAME    answers every connection with the byte NAME
 *   weir-follow follow ADDRESS PORT        prints "MONOTONIC_NS NAME" whenever another one
 *                                          answers; "-" when nobody does
 *
 * The time is that at which the first connection that met the new one was begun. Connections are
 * begun at a steady pace, whether or not those before were answered: so a change is seen as early
 * where nobody answered as where somebody did.
 */
#include "endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A connection that takes longer counts as not answered. */
#define ANSWER_NS 20000000u
/* Between two connections: fine enough, and few enough for tables of connections. */
#define PACE_NS 1000000u
/* More than ever wait at once. */
#define WAITING 64

/* A connection that is not decided yet, or not yet told: they are told in the order begun. */
struct attempt {
	int fd; /* -1 once decided */
	char name;
	uint64_t begun;
};

static struct {
	struct attempt attempts[WAITING];
	unsigned int first, count;
	char last;
} queue;

static void serve(const union endpoint *at, socklen_t length, char name)
{
	int one = 1, fd, listener = socket(at->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, &at->any, length) < 0 || listen(listener, 1024) < 0)
		die("listen");
	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (write(fd, &name, 1) != 1)
			perror("write");
		close(fd);
	}
	die("accept");
}

static struct attempt *attempt_at(unsigned int place)
{
	return &queue.attempts[(queue.first + place) % WAITING];
}

static void decide(struct attempt *attempt, char name)
{
	close(attempt->fd);
	attempt->fd = -1;
	attempt->name = name;
}

static void begin(const union endpoint *at, socklen_t length)
{
	struct attempt *attempt = attempt_at(queue.count++);

	attempt->begun = now_ns();
	attempt->fd = socket(at->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (attempt->fd < 0)
		die("make a socket");
	if (connect(attempt->fd, &at->any, length) < 0 && errno != EINPROGRESS)
		decide(attempt, '-');
}

/* Waits until the moment at most, and decides what was answered or has waited too long. */
static void look(uint64_t until)
{
	struct pollfd polled[WAITING];
	uint64_t now = now_ns(), left = until > now ? until - now : 0;
	struct timespec timeout = { .tv_nsec = (long)left };

	for (unsigned int i = 0; i < queue.count; i++)
		polled[i] = (struct pollfd){ .fd = attempt_at(i)->fd, .events = POLLIN };
	ppoll(polled, queue.count, &timeout, NULL);
	now = now_ns();
	for (unsigned int i = 0; i < queue.count; i++) {
		struct attempt *attempt = attempt_at(i);
		char name = '-';

		if (attempt->fd < 0)
			continue;
		if (polled[i].revents) {
			if (read(attempt->fd, &name, 1) != 1)
				name = '-';
			decide(attempt, name);
		} else if (now - attempt->begun > ANSWER_NS) {
			decide(attempt, '-');
		}
	}
}

static void tell(void)
{
	while (queue.count > 0 && attempt_at(0)->fd < 0) {
		const struct attempt *attempt = attempt_at(0);

		if (attempt->name != queue.last)
			printf("%llu %c\n", (unsigned long long)attempt->begun, attempt->name);
		queue.last = attempt->name;
		queue.first = (queue.first + 1) % WAITING;
		queue.count--;
	}
}

static void follow(const union endpoint *at, socklen_t length)
{
	uint64_t next = now_ns();

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (;;) {
		if (now_ns() >= next && queue.count < WAITING) {
			begin(at, length);
			next = now_ns() + PACE_NS;
		}
		look(next);
		tell();
	}
}

int main(int argc, char **argv)
{
	union endpoint at;
	socklen_t length;

	signal(SIGPIPE, SIG_IGN);
	if (argc >= 4) {
		length = endpoint_parse(&at, argv[2], argv[3], 0);
		if (argc == 5 && !strcmp(argv[1], "serve"))
			serve(&at, length, argv[4][0]);
		if (argc == 4 && !strcmp(argv[1], "follow"))
			follow(&at, length);
	}
	fprintf(stderr, "usage: weir-follow serve ADDRESS PORT NAME\n"
			"       weir-follow follow ADDRESS PORT\n");
	return 2;
}
