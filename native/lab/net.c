// SPDX-License-Identifier: Apache-2.0
/* Addresses, waiting and content: what the modes share. */
#include "weir-pod.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;

uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

bool peer_parse(struct peer *peer, const char *host, const char *port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&peer->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&peer->address;
	in_port_t number = htons((uint16_t)(port ? atoi(port) : 0));

	memset(peer, 0, sizeof(*peer));
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = number;
		peer->length = sizeof(*v4);
		return true;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
		return false;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = number;
	peer->length = sizeof(*v6);
	return true;
}

void peer_text(const struct peer *peer, char *text, size_t size)
{
	const struct sockaddr_in *v4 = (const void *)&peer->address;
	const struct sockaddr_in6 *v6 = (const void *)&peer->address;

	text[0] = 0;
	if (peer->address.ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, text, (socklen_t)size);
	else if (peer->address.ss_family != AF_INET6)
		return;
	else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text, (socklen_t)size);
	else
		inet_ntop(AF_INET6, &v6->sin6_addr, text, (socklen_t)size);
}

unsigned int peer_port(const struct peer *peer)
{
	const struct sockaddr_in *v4 = (const void *)&peer->address;

	return ntohs(v4->sin_port); /* the same place in sockaddr_in6 */
}

void widen_socket(int fd)
{
	int size = 16 << 20;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

/* The source need not be an address of this host: that is what a spoofer does,
 * and the kernel lets only the privileged.
 */
static bool bind_source(int fd, const struct peer *peer, const struct options *options)
{
	bool v6 = peer->address.ss_family == AF_INET6;
	const char *source = options->source ?: v6 ? "::" : "0.0.0.0";
	struct peer local;
	char port[8];
	int on = 1;

	snprintf(port, sizeof(port), "%u", options->source_port);
	if (!peer_parse(&local, source, port))
		return false;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on,
		   sizeof(on));
	return bind(fd, (void *)&local.address, local.length) == 0;
}

int peer_connect(const struct peer *peer, const struct options *options)
{
	int type = options->use_udp ? SOCK_DGRAM : SOCK_STREAM;
	socklen_t size = sizeof(int);
	int fd, error = 0;

	fd = socket(peer->address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if ((options->source_port || options->source) && !bind_source(fd, peer, options))
		goto fail;
	if (options->unconnected)
		return fd;
	if (connect(fd, (const void *)&peer->address, peer->length) == 0)
		return fd;
	if (errno != EINPROGRESS)
		goto fail;
	error = wait_for(fd, POLLOUT, options->timeout_ms);
	if (error) {
		close(fd);
		return error;
	}
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (!error)
		return fd;
	errno = error;
fail:
	error = -errno;
	close(fd);
	return error;
}

int answer_text(char *text, size_t size, const char *name, const char *node,
		const struct peer *client, unsigned int port, const char *protocol)
{
	char address[INET6_ADDRSTRLEN];

	peer_text(client, address, sizeof(address));
	return snprintf(text, size,
			"{\"name\":\"%s\",\"node\":\"%s\",\"client\":\"%s\","
			"\"clientPort\":%u,\"port\":%u,\"protocol\":\"%s\"}\n",
			name, node, address, peer_port(client), port, protocol);
}

int wait_for(int fd, short events, int timeout_ms)
{
	struct pollfd wait = { .fd = fd, .events = events };
	int ready;

	do {
		ready = poll(&wait, 1, timeout_ms);
	} while (ready < 0 && errno == EINTR && !stopped);
	if (ready < 0)
		return -errno;
	return ready ? 0 : -ETIMEDOUT;
}

int read_line(int fd, char *line, size_t size, int timeout_ms)
{
	uint64_t until = now_us() + (uint64_t)timeout_ms * 1000u;
	size_t length = 0;

	while (length + 1 < size) {
		uint64_t now = now_us();
		ssize_t got;
		int error;

		error = wait_for(fd, POLLIN, now < until ? (int)((until - now + 999) / 1000) : 0);
		if (error)
			return error;
		got = read(fd, line + length, 1);
		if (got < 0 && errno == EAGAIN)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -EPIPE;
		if (line[length] == '\n')
			break;
		length++;
	}
	line[length] = 0;
	return 0;
}

int write_all(int fd, const void *bytes, size_t size, int timeout_ms)
{
	size_t done = 0;

	while (done < size) {
		ssize_t put = send(fd, (const char *)bytes + done, size - done, MSG_NOSIGNAL);

		if (put >= 0) {
			done += (size_t)put;
			continue;
		}
		if (errno != EAGAIN)
			return -errno;
		put = wait_for(fd, POLLOUT, timeout_ms);
		if (put)
			return (int)put;
	}
	return 0;
}

/* 251 is prime, so that neither blocks nor pages repeat the content. */
void pattern_fill(uint8_t *bytes, size_t size, uint64_t at)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)((at + i) % 251 + (at + i) / 65521);
}

uint64_t pattern_sum(uint64_t sum, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3ull;
	return sum;
}

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

void stop_on_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

bool stop_asked(void)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	char byte;

	if (stopped)
		return true;
	if (poll(&input, 1, 0) <= 0)
		return false;
	return read(STDIN_FILENO, &byte, 1) <= 0;
}
