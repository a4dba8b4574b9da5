// SPDX-License-Identifier: Apache-2.0
/*
 * One rtnetlink socket: bytes out, bytes in. The kernel works a request off inside sendto(2), so
 * every answer is there when it returns and nothing here ever waits for one.
 */
#include "internal.h"
#include "weir.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

/* Answers to a large transaction pile up before they are read. */
#define RECEIVE_BUFFER (8 << 20)

/* The kernel makes dumps in pieces of at most 32 KiB, when the reader has room for them. */
#define LARGEST_DATAGRAM (64 << 10)

static int netlink_socket(void *context)
{
	const int *protocol = context;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, *protocol);
	int on = 1, room = RECEIVE_BUFFER, ret;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on))) {
		ret = -errno;
		close(fd);
		return ret;
	}
	/* Without CAP_NET_ADMIN it stays at the default, enough for reading. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	return fd;
}

int weir_netlink_open(const char *netns)
{
	int protocol = NETLINK_ROUTE;

	return netns_run(netns, netlink_socket, &protocol);
}

int weir_sock_diag_open(const char *netns)
{
	int protocol = NETLINK_SOCK_DIAG;

	return netns_run(netns, netlink_socket, &protocol);
}

int weir_netlink_exchange(int fd, const void *requests, uint32_t size, void *out, uint32_t capacity)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	uint8_t *at = out;
	size_t used = 0;

	if (size && sendto(fd, requests, size, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	while (capacity - used >= LARGEST_DATAGRAM) {
		ssize_t got = recv(fd, at + used, capacity - used, MSG_DONTWAIT | MSG_TRUNC);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			break;
		if (got < 0)
			return -errno;
		if ((size_t)got > capacity - used)
			return -EMSGSIZE;
		used += (size_t)got;
	}
	return (int)used;
}
