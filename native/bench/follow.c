// SPDX-License-Identifier: Apache-2.0
/* weir-follow: who answers behind an address, connection by connection.
 *
 *   weir-follow serve ADDRESS PORT NAME    answers every connection with the byte NAME
 *   weir-follow follow ADDRESS PORT        prints "MONOTONIC_NS NAME" whenever another one
 *                                          answers; "-" when nobody does
 *
 * The time is that at which the first connection that met the new one was begun.
 */
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
#define ANSWER_MS 20
/* Between two connections: fine enough, and few enough for tables of connections. */
#define PAUSE_NS 200000

static void die(const char *what)
{
	fprintf(stderr, "Cannot %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct sockaddr_in parse(const char *address, const char *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET };

	at.sin_port = htons((uint16_t)atoi(port));
	if (inet_pton(AF_INET, address, &at.sin_addr) != 1) {
		errno = EINVAL;
		die("parse the address");
	}
	return at;
}

static void serve(const struct sockaddr_in *at, char name)
{
	int one = 1, fd, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (const struct sockaddr *)at, sizeof(*at)) < 0 ||
	    listen(listener, 1024) < 0)
		die("listen");
	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (write(fd, &name, 1) != 1)
			perror("write");
		close(fd);
	}
	die("accept");
}

/* The byte of whoever answers, or '-'. */
static char ask(const struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	char name = '-';

	if (fd < 0)
		die("make a socket");
	if (connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 || errno == EINPROGRESS) {
		if (poll(&ready, 1, ANSWER_MS) == 1 && read(fd, &name, 1) != 1)
			name = '-';
	}
	close(fd);
	return name;
}

static void follow(const struct sockaddr_in *at)
{
	struct timespec pause = { .tv_nsec = PAUSE_NS };
	char last = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (;;) {
		uint64_t begun = now_ns();
		char name = ask(at);

		if (name != last)
			printf("%llu %c\n", (unsigned long long)begun, name);
		last = name;
		nanosleep(&pause, NULL);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in at;

	signal(SIGPIPE, SIG_IGN);
	if (argc == 5 && !strcmp(argv[1], "serve")) {
		at = parse(argv[2], argv[3]);
		serve(&at, argv[4][0]);
	}
	if (argc == 4 && !strcmp(argv[1], "follow")) {
		at = parse(argv[2], argv[3]);
		follow(&at);
	}
	fprintf(stderr, "usage: weir-follow serve ADDRESS PORT NAME\n"
			"       weir-follow follow ADDRESS PORT\n");
	return 2;
}
