// SPDX-License-Identifier: Apache-2.0
/* One HTTP/1.0 request over the agent's socket: variables as headers, standard input as body. */
#include "weir-cni.h"
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The agent itself gives up after half a minute, twice for an ADD that has to be undone. */
#define ANSWER_MS 90000
#define RETRY_MS 20

const struct variable variables[] = {
	{ "CNI_COMMAND", "X-Cni-Command" },
	{ "CNI_CONTAINERID", "X-Cni-Containerid" },
	{ "CNI_NETNS", "X-Cni-Netns" },
	{ "CNI_IFNAME", "X-Cni-Ifname" },
	{ "CNI_ARGS", "X-Cni-Args" },
	{ "CNI_PATH", "X-Cni-Path" },
	{ "CNI_NETNS_OVERRIDE", "X-Cni-Netns-Override" },
};
const size_t variable_count = sizeof(variables) / sizeof(variables[0]);

static void write_request(struct text *request, const struct text *input)
{
	text_format(request, "POST /v1/cni HTTP/1.0\r\nHost: weir\r\n");
	for (size_t i = 0; i < variable_count; i++) {
		const char *value = getenv(variables[i].name);

		if (value)
			text_format(request, "%s: %s\r\n", variables[i].header, value);
	}
	text_format(request, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
		    input->length);
	text_append(request, input->bytes, input->length);
}

/* A connected socket or -errno. */
static int connect_once(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval timeout = { .tv_sec = 10 };
	int fd;

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Also bounds connect(), which waits while the agent's backlog is full. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static int send_all(int fd, const struct text *request)
{
	for (size_t at = 0; at < request->length;) {
		ssize_t sent = send(fd, request->bytes + at, request->length - at, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		at += (size_t)sent;
	}
	return 0;
}

/* The value of a header within the head that ends at `end`, or NULL. */
static const char *find_header(const char *head, const char *end, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = head; line && line < end; line = strstr(line, "\r\n")) {
		if (!strncmp(line, "\r\n", 2))
			line += 2;
		if (!strncasecmp(line, name, length) && line[length] == ':')
			return line + length + 1 + strspn(line + length + 1, " \t");
	}
	return NULL;
}

/* Takes the response apart. */
static enum agent_result parse_response(const struct text *response, struct answer *answer)
{
	const char *head = response->bytes;
	const char *end, *exit_header, *length_header, *body;
	size_t body_length;
	int status = 0;

	/* A zero byte would hide the rest from the string functions. */
	if (!head || memchr(head, '\0', response->length))
		return AGENT_LOST;
	end = strstr(head, "\r\n\r\n");
	if (!end || sscanf(head, "HTTP/1.%*1[01] %3d", &status) != 1)
		return AGENT_LOST;
	body = end + 4;
	body_length = response->length - (size_t)(body - head);
	exit_header = find_header(head, end, "X-Cni-Exit");
	length_header = find_header(head, end, "Content-Length");
	if (status != 200 || !exit_header || !isdigit((unsigned char)*exit_header)) {
		snprintf(answer->reason, sizeof(answer->reason), "it answered HTTP %d", status);
		/* 503: it is starting and has not taken the call. */
		return status == 503 ? AGENT_AWAY : AGENT_LOST;
	}
	if (length_header && strtoul(length_header, NULL, 10) != body_length)
		return AGENT_LOST;
	answer->exit_code = (int)(strtoul(exit_header, NULL, 10) & 0xff);
	text_append(&answer->body, body, body_length);
	return AGENT_ANSWERED;
}

/* One attempt. */
static enum agent_result call_once(const char *path, const struct text *request,
				   struct answer *answer)
{
	struct text response = { 0 };
	enum agent_result result = AGENT_LOST;
	int error;
	int fd = connect_once(path);

	if (fd < 0) {
		snprintf(answer->reason, sizeof(answer->reason), "%s", strerror(-fd));
		return AGENT_AWAY;
	}
	snprintf(answer->reason, sizeof(answer->reason), "it went away before it answered");
	error = send_all(fd, request);
	/* Even an agent that stopped reading (body too big for it) has said why. */
	if (!error || error == -EPIPE)
		error = text_read(&response, fd, ANSWER_MAX, now_ms() + ANSWER_MS);
	if (error == -ETIMEDOUT || error == -EAGAIN)
		snprintf(answer->reason, sizeof(answer->reason), "it did not answer in time");
	else if (!error)
		result = parse_response(&response, answer);
	close(fd);
	free(response.bytes);
	return result;
}

enum agent_result agent_call(const struct config *config, const struct text *input, long wait_ms,
			     struct answer *answer)
{
	const struct timespec pause = { .tv_nsec = RETRY_MS * 1000000L };
	long deadline = now_ms() + wait_ms;
	struct text request = { 0 };
	enum agent_result result;

	write_request(&request, input);
	for (;;) {
		result = call_once(config->socket, &request, answer);
		if (result != AGENT_AWAY || now_ms() >= deadline)
			break;
		nanosleep(&pause, NULL);
	}
	free(request.bytes);
	return result;
}
