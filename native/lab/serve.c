// SPDX-License-Identifier: Apache-2.0
/* The server of a pod: every declared port, both families, one process and one
 * epoll. It answers who it is and whom it sees; "ECHO..." datagrams come back.
 */
#include "weir-pod.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum watch_kind { WATCH_LISTEN, WATCH_DATAGRAM, WATCH_CONNECTION };

struct watch {
	enum watch_kind kind;
	int fd;
	unsigned int port;
	struct connection *connection;
};

static int poller;

static void watch_add(struct watch *watch)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = watch };

	epoll_ctl(poller, EPOLL_CTL_ADD, watch->fd, &event);
}

/* A socket on a port of every address; without IPv6 on IPv4 alone. */
static int open_port(uint16_t port, int type)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int on = 1, off = 0, fd, failed;

	fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	} else {
		fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
		v6.sin6_family = AF_INET;
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (type == SOCK_DGRAM)
		widen_socket(fd);
	failed = v6.sin6_family == AF_INET6 ? bind(fd, (void *)&v6, sizeof(v6))
					    : bind(fd, (void *)&v4, sizeof(v4));
	if (!failed && type == SOCK_STREAM)
		failed = listen(fd, 1024);
	if (!failed)
		return fd;
	failed = -errno;
	close(fd);
	return failed;
}

/* The packet info goes back unchanged but for the interface, so that the answer
 * leaves with the address that was asked.
 */
static void answer_datagram(const struct watch *watch, const struct options *options)
{
	static char datagram[MAX_DATAGRAM];
	union {
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + 64];
		struct cmsghdr align;
	} control;
	struct peer client;
	struct iovec content = { datagram, sizeof(datagram) };
	struct msghdr message = { .msg_name = &client.address,
				  .msg_namelen = sizeof(client.address),
				  .msg_iov = &content,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header;
	ssize_t got;

	got = recvmsg(watch->fd, &message, 0);
	if (got < 0)
		return;
	client.length = message.msg_namelen;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == IPPROTO_IPV6)
		((struct in6_pktinfo *)CMSG_DATA(header))->ipi6_ifindex = 0;
	else if (header && header->cmsg_level == IPPROTO_IP)
		((struct in_pktinfo *)CMSG_DATA(header))->ipi_ifindex = 0;
	content.iov_len = (size_t)got;
	if (got < 4 || memcmp(datagram, "ECHO", 4) != 0)
		content.iov_len = (size_t)answer_text(datagram, sizeof(datagram), options->name,
						      options->node, &client, watch->port, "udp");
	sendmsg(watch->fd, &message, 0);
}

static void accept_all(const struct watch *listener, const struct options *options)
{
	for (;;) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct watch *watch;

		if (fd < 0)
			return;
		watch = calloc(1, sizeof(*watch));
		if (!watch) {
			close(fd);
			return;
		}
		watch->kind = WATCH_CONNECTION;
		watch->fd = fd;
		watch->connection = connection_open(fd, options->name, options->node);
		watch_add(watch);
	}
}

static void serve_connection(struct watch *watch, uint32_t events)
{
	struct epoll_event wanted = { .data.ptr = watch };
	bool alive = true;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		alive = connection_readable(watch->connection);
	if (alive && (events & EPOLLOUT))
		alive = connection_writable(watch->connection);
	if (!alive) {
		free(watch);
		return;
	}
	/* While an answer waits nothing more is read: the client is to read first. */
	wanted.events = connection_wants_write(watch->connection) ? EPOLLOUT : EPOLLIN;
	epoll_ctl(poller, EPOLL_CTL_MOD, watch->fd, &wanted);
}

static bool open_ports(const uint16_t *ports, size_t count, int type)
{
	for (size_t i = 0; i < count; i++) {
		struct watch *watch = calloc(1, sizeof(*watch));

		if (!watch)
			return false;
		watch->kind = type == SOCK_STREAM ? WATCH_LISTEN : WATCH_DATAGRAM;
		watch->port = ports[i];
		watch->fd = open_port(ports[i], type);
		if (watch->fd < 0) {
			fprintf(stderr, "Cannot listen on port %u/%s: %s\n", ports[i],
				type == SOCK_STREAM ? "TCP" : "UDP", strerror(-watch->fd));
			return false;
		}
		watch_add(watch);
	}
	return true;
}

int serve(const struct options *options)
{
	struct epoll_event events[64];

	poller = epoll_create1(EPOLL_CLOEXEC);
	if (!open_ports(options->tcp, options->tcp_count, SOCK_STREAM) ||
	    !open_ports(options->udp, options->udp_count, SOCK_DGRAM))
		return 1;
	/* Whoever started the pod waits for this line. */
	puts("ready");
	fflush(stdout);
	for (;;) {
		int count = epoll_wait(poller, events, 64, -1);

		if (count < 0)
			return 0;
		for (int i = 0; i < count; i++) {
			struct watch *watch = events[i].data.ptr;

			if (watch->kind == WATCH_LISTEN)
				accept_all(watch, options);
			else if (watch->kind == WATCH_DATAGRAM)
				answer_datagram(watch, options);
			else
				serve_connection(watch, events[i].events);
		}
	}
}
