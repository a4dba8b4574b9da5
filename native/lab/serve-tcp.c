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

static void append(struct connection *connection, const char *text, size_t size)
{
	if (connection->out_size + size > sizeof(connection->out)) {
		connection->last = true; /* asks without ever reading */
		return;
	}
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

static void take(struct connection *connection, const uint8_t *bytes, size_t size)
{
	while (size && !connection->last) {
		size_t part;

		if (connection->phase == PHASE_SINK) {
			part = size < connection->left ? size : (size_t)connection->left;
			take_content(connection, bytes, part);
		} else {
			part = 1;
			if (*bytes == '\n') {
				connection->line[connection->line_size] = 0;
				connection->line_size = 0;
				handle_line(connection);
			} else if (connection->line_size + 1 < sizeof(connection->line)) {
				connection->line[connection->line_size++] = (char)*bytes;
			}
		}
		bytes += part;
		size -= part;
	}
}

bool connection_readable(struct connection *connection)
{
	ssize_t got = read(connection->fd, content, sizeof(content));

	if (got < 0)
		return errno == EAGAIN ? true : finish(connection);
	if (got == 0) {
		if (connection->phase == PHASE_DRAIN || connection->asked)
			return finish(connection);
		answer(connection);
		connection->asked = true;
		connection->last = true;
	} else if (connection->phase != PHASE_DRAIN) {
		take(connection, content, (size_t)got);
	}
	return connection_wants_write(connection) ? connection_writable(connection) : true;
}

/* Sends what waits; true while the connection lives. */
bool connection_writable(struct connection *connection)
{
	while (connection_wants_write(connection)) {
		bool text = connection->out_at < connection->out_size;
		size_t size;
		ssize_t put;

		if (text) {
			put = send(connection->fd, connection->out + connection->out_at,
				   connection->out_size - connection->out_at, MSG_NOSIGNAL);
		} else {
			size = connection->left < sizeof(content) ? (size_t)connection->left
								  : sizeof(content);
			pattern_fill(content, size, connection->at);
			put = send(connection->fd, content, size, MSG_NOSIGNAL);
		}
		if (put < 0)
			return errno == EAGAIN ? true : finish(connection);
		if (text) {
			connection->out_at += (size_t)put;
			continue;
		}
		connection->at += (size_t)put;
		connection->left -= (size_t)put;
		if (!connection->left)
			connection->phase = PHASE_LINE;
	}
	connection->out_at = connection->out_size = 0;
	if (connection->last && connection->phase != PHASE_DRAIN) {
		/* Closing with unread bytes would send a reset and lose the answer. */
		shutdown(connection->fd, SHUT_WR);
		connection->phase = PHASE_DRAIN;
	}
	return true;
}
