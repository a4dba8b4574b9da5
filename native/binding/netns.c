// SPDX-License-Identifier: Apache-2.0
/*
 * Work inside a network namespace. setns(2) moves only the calling thread, and a runtime's other
 * threads would stay behind, so each piece of work gets a thread of its own that then ends.
 */
#include "internal.h"
#include "weir.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

struct netns_call {
	const char *netns;
	int (*function)(void *context);
	void *context;
	int result;
};

static void *netns_thread(void *argument)
{
	struct netns_call *call = argument;
	int fd = open(call->netns, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		call->result = -errno;
		return NULL;
	}
	if (setns(fd, CLONE_NEWNET))
		call->result = -errno;
	else
		call->result = call->function(call->context);
	close(fd);
	return NULL;
}

int netns_run(const char *netns, int (*function)(void *context), void *context)
{
	struct netns_call call = { .netns = netns, .function = function, .context = context };
	pthread_t thread;
	int ret;

	if (!netns)
		return function(context);
	ret = pthread_create(&thread, NULL, netns_thread, &call);
	if (ret)
		return -ret;
	pthread_join(thread, NULL);
	return call.result;
}

struct file_call {
	const char *path;
	const void *in;
	void *out;
	uint32_t size;
};

static int file_move(void *context)
{
	const struct file_call *call = context;
	int fd = open(call->path, (call->in ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
	ssize_t moved;
	int ret;

	if (fd < 0)
		return -errno;
	moved = call->in ? write(fd, call->in, call->size) : read(fd, call->out, call->size);
	ret = moved < 0 ? -errno : (int)moved;
	close(fd);
	return ret;
}

int weir_netns_read(const char *netns, const char *path, void *out, uint32_t capacity)
{
	struct file_call call = { .path = path, .out = out, .size = capacity };

	return netns_run(netns, file_move, &call);
}

int weir_netns_cookie(void *out)
{
	socklen_t size = sizeof(uint64_t);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret = 0;

	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, out, &size))
		ret = -errno;
	close(fd);
	return ret;
}

int weir_netns_write(const char *netns, const char *path, const void *bytes, uint32_t size)
{
	struct file_call call = { .path = path, .in = bytes, .size = size };

	return netns_run(netns, file_move, &call);
}
