// SPDX-License-Identifier: Apache-2.0
/* One TCP connection of the server. Requests are lines:
 *
 *   GET ... / HEAD ... / POST ...   HTTP; the answer is the body
 *   sink N      takes N bytes of content, answers their sum
 *   source N    sends N bytes of content
 *   ECHO ...    the line comes back
 *   any other   who the server is and whom it sees, as one line of JSON
 *
 * A client that says nothing and closes its side gets the answer too.
 */
#include "weir-pod.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum phase { PHASE_LINE, PHASE_HTTP, PHASE_SINK, PHASE_SOURCE, PHASE_DRAIN };

struct connection {
	int fd;
	enum phase phase;
	const char *name, *node;
	struct peer client;
	unsigned int port;
	bool asked; /* a request has come */
	bool head;  /* HTTP HEAD: no body */
	bool last;  /* close once the answer is out */
	char line[LINE_SIZE];
	size_t line_size;
	uint8_t in[4096]; /* read and not yet looked at */
	size_t in_size, in_at;
	char out[4096];
	size_t out_size, out_at;
	uint64_t left, at, sum; /* content still to come or go */
};

static uint8_t content[128 * 1024];

struct connection *connection_open(int fd, const char *name, const char *node)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	struct peer local = { .length = sizeof(local.address) };

	if (!connection)
		abort();
	connection->fd = fd;
	connection->name = name;
	connection->node = node;
	connection->client.length = sizeof(connection->client.address);
	getpeername(fd, (void *)&connection->client.address, &connection->client.length);
	getsockname(fd, (void *)&local.address, &local.length);
	connection->port = peer_port(&local);
	return connection;
}

int connection_fd(const struct connection *connection)
{
	return connection->fd;
}

bool connection_wants_write(const struct connection *connection)
{
	return connection->out_at < connection->out_size || connection->phase == PHASE_SOURCE;
}

static bool finish(struct connection *connection)
{
	close(connection->fd);
	free(connection);
	return false;
}

/* Room for the longest answer; without it nothing more is looked at until some has gone. */
static bool has_room(const struct connection *connection)
{
	return connection->out_size + 2 * LINE_SIZE <= sizeof(connection->out);
}

static void append(struct connection *connection, const char *text, size_t size)
{
	memcpy(connection->out + connection->out_size, text, size);
	connection->out_size += size;
}

static void answer(struct connection *connection)
{
	char text[LINE_SIZE];
	int size = answer_text(text, sizeof(text), connection->name, connection->node,
			       &connection->client, connection->port, "tcp");

	append(connection, text, (size_t)size);
}

static void answer_http(struct connection *connection)
{
	char body[LINE_SIZE], text[LINE_SIZE + 256];
	int size = answer_text(body, sizeof(body), connection->name, connection->node,
			       &connection->client, connection->port, "tcp");

	size = snprintf(text, sizeof(text),
			"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
			"Content-Length: %d\r\nConnection: close\r\n\r\n%s",
			size, connection->head ? "" : body);
	append(connection, text, (size_t)size);
	connection->last = true;
}

static void handle_line(struct connection *connection)
{
	char *line = connection->line;

	connection->asked = true;
	if (connection->phase == PHASE_HTTP) {
		if (line[0] == 0 || line[0] == '\r')
			answer_http(connection);
	} else if (!strncmp(line, "GET ", 4) || !strncmp(line, "HEAD ", 5) ||
		   !strncmp(line, "POST ", 5)) {
		connection->phase = PHASE_HTTP;
		connection->head = line[0] == 'H';
	} else if (!strncmp(line, "sink ", 5)) {
		connection->left = strtoull(line + 5, NULL, 10);
		connection->sum = PATTERN_SUM_START;
		connection->phase = PHASE_SINK;
	} else if (!strncmp(line, "source ", 7)) {
		connection->left = strtoull(line + 7, NULL, 10);
		connection->at = 0;
		connection->phase = PHASE_SOURCE;
	} else if (!strncmp(line, "ECHO", 4)) {
		append(connection, line, strlen(line));
		append(connection, "\n", 1);
	} else {
		answer(connection);
	}
}

static void take_content(struct connection *connection, const uint8_t *bytes, size_t size)
{
	char text[LINE_SIZE];

	connection->sum = pattern_sum(connection->sum, bytes, size);
	connection->left -= size;
	if (connection->left)
		return;
	size = (size_t)snprintf(text, sizeof(text), "{\"sum\":\"%016" PRIx64 "\"}\n",
				connection->sum);
	append(connection, text, size);
	connection->phase = PHASE_LINE;
}

static void take_line_byte(struct connection *connection, char byte)
{
	if (byte == '\n') {
		connection->line[connection->line_size] = 0;
		connection->line_size = 0;
		handle_line(connection);
	} else if (connection->line_size + 1 < sizeof(connection->line)) {
		connection->line[connection->line_size++] = byte;
	}
}

/* Looks at what was read, as long as answers have room. */
static void take_input(struct connection *connection)
{
	while (connection->in_at < connection->in_size && has_room(connection) &&
	       !connection->last && connection->phase != PHASE_SOURCE) {
		size_t part = connection->in_size - connection->in_at;

		if (connection->phase == PHASE_SINK) {
			if (part > connection->left)
				part = (size_t)connection->left;
			take_content(connection, connection->in + connection->in_at, part);
			connection->in_at += part;
		} else {
			take_line_byte(connection, (char)connection->in[connection->in_at++]);
		}
	}
	if (connection->in_at == connection->in_size)
		connection->in_at = connection->in_size = 0;
}

static void send_source(struct connection *connection, ssize_t put)
{
	connection->at += (size_t)put;
	connection->left -= (size_t)put;
	if (!connection->left)
		connection->phase = PHASE_LINE;
}

/* Sends what waits: 0, or -errno (-EAGAIN: the client is to read first). */
static int flush_out(struct connection *connection)
{
	while (connection_wants_write(connection)) {
		size_t size = connection->out_size - connection->out_at;
		ssize_t put;

		if (size) {
			put = send(connection->fd, connection->out + connection->out_at, size,
				   MSG_NOSIGNAL);
			if (put >= 0)
				connection->out_at += (size_t)put;
		} else {
			size = connection->left < sizeof(content) ? (size_t)connection->left
								  : sizeof(content);
			pattern_fill(content, size, connection->at);
			put = send(connection->fd, content, size, MSG_NOSIGNAL);
			if (put >= 0)
				send_source(connection, put);
		}
		if (put < 0)
			return -errno;
	}
	connection->out_at = connection->out_size = 0;
	return 0;
}

bool connection_writable(struct connection *connection)
{
	int error;

	do {
		take_input(connection);
		error = flush_out(connection);
		if (error)
			return error == -EAGAIN ? true : finish(connection);
	} while (connection->in_at < connection->in_size && !connection->last);
	if (connection->last && connection->phase != PHASE_DRAIN) {
		/* Closing with unread bytes would send a reset and lose the answer. */
		shutdown(connection->fd, SHUT_WR);
		connection->phase = PHASE_DRAIN;
	}
	return true;
}

bool connection_readable(struct connection *connection)
{
	bool sinks = connection->phase == PHASE_SINK;
	bool drains = connection->phase == PHASE_DRAIN;
	size_t room = sinks || drains ? sizeof(content) : sizeof(connection->in);
	ssize_t got;

	/* Content goes through the large buffer, and no further than its own end. */
	if (sinks && room > connection->left)
		room = (size_t)connection->left;
	got = read(connection->fd, sinks || drains ? content : connection->in, room);
	if (got < 0)
		return errno == EAGAIN ? true : finish(connection);
	if (got == 0) {
		if (drains || connection->asked)
			return finish(connection);
		answer(connection);
		connection->asked = true;
		connection->last = true;
	} else if (sinks) {
		take_content(connection, content, (size_t)got);
	} else if (!drains) {
		connection->in_size = (size_t)got;
	}
	return connection_writable(connection);
}
