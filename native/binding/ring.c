// SPDX-License-Identifier: Apache-2.0
/*
 * A ring buffer as a stream socket. A thread drains the ring in batches; when the reader falls
 * behind, send(2) blocks, the ring fills up, and the programs that write to it count their losses.
 */
#include "internal.h"
#include "weir.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH_SIZE (256 << 10)

struct ring {
	struct ring_buffer *buffer;
	int socket;
	size_t used;
	uint8_t batch[BATCH_SIZE];
};

static int send_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size) {
		ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			return -errno;
		if (sent > 0) {
			bytes += sent;
			size -= (size_t)sent;
		}
	}
	return 0;
}

static int ring_flush(struct ring *ring)
{
	size_t size = ring->used;

	ring->used = 0;
	return send_all(ring->socket, ring->batch, size);
}

static int ring_record(void *context, void *record, size_t size)
{
	struct ring *ring = context;
	uint32_t length = (uint32_t)size;
	int ret = 0;

	if (ring->used + sizeof(length) + size > BATCH_SIZE)
		ret = ring_flush(ring);
	if (ret)
		return ret;
	memcpy(ring->batch + ring->used, &length, sizeof(length));
	ring->used += sizeof(length);
	if (sizeof(length) + size > BATCH_SIZE) {
		ret = ring_flush(ring);
		return ret ? ret : send_all(ring->socket, record, size);
	}
	memcpy(ring->batch + ring->used, record, size);
	ring->used += size;
	return 0;
}

static void ring_free(struct ring *ring)
{
	ring_buffer__free(ring->buffer);
	close(ring->socket);
	free(ring);
}

static void *ring_thread(void *argument)
{
	struct ring *ring = argument;
	struct pollfd polled[] = {
		{ .fd = ring_buffer__epoll_fd(ring->buffer), .events = POLLIN },
		{ .fd = ring->socket, .events = POLLIN },
	};

	/* The reader never writes: whatever its end reports is that it has closed. */
	while ((poll(polled, 2, -1) >= 0 || errno == EINTR) && !polled[1].revents)
		if (ring_buffer__consume(ring->buffer) < 0 || ring_flush(ring))
			break;
	ring_free(ring);
	return NULL;
}

/* Signals are the runtime's: its own threads take them. */
static int start_thread(struct ring *ring)
{
	sigset_t all, before;
	pthread_attr_t attributes;
	pthread_t thread;
	int ret;

	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&thread, &attributes, ring_thread, ring);
	if (!ret)
		pthread_setname_np(thread, "weir-ring");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return -ret;
}

int weir_ring_buffer_stream(int map_fd)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	int ends[2], ret;

	if (!ring)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
		ret = -errno;
		free(ring);
		return ret;
	}
	ring->socket = ends[1];
	ring->buffer = ring_buffer__new(map_fd, ring_record, ring, NULL);
	ret = ring->buffer ? start_thread(ring) : -errno;
	if (ret) {
		ring_free(ring);
		close(ends[0]);
		return ret;
	}
	return ends[0];
}
