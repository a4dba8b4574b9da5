/* SPDX-License-Identifier: Apache-2.0 */
/* What the modes of weir-pod share. Every mode prints JSON, one line an answer. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define MAX_PORTS 64
#define MAX_DATAGRAM 65536
#define LINE_SIZE 512
#define INTERVAL_US 10000

/* An address and port of either family. */
struct peer {
	struct sockaddr_storage address;
	socklen_t length;
};

/* The options of every mode; each mode reads its own. */
struct options {
	const char *name, *node; /* serve */
	uint16_t tcp[MAX_PORTS], udp[MAX_PORTS];
	size_t tcp_count, udp_count;
	const char *host, *port; /* the clients */
	int timeout_ms;
	int count;
	int interval_us; /* 0: INTERVAL_US, and ask does not pause */
	int ttl;	 /* 0: the system's */
	size_t size;	 /* payload bytes */
	bool use_udp, unconnected, dont_fragment;
	uint16_t source_port;
	const char *source; /* address to send from, whosever it is */
};

int serve(const struct options *options);
int ask(const struct options *options);
int probe(const struct options *options, int count, char **targets);
int transfer(const struct options *options);
int ping(const struct options *options);
int stream(const char *kind, const struct options *options);
int look_mtu(const char *interface);
int wire(const char *interface);
int look_page(const struct options *options, const char *path);

/* serve-tcp.c: one accepted connection, driven by epoll. */
struct connection;
struct connection *connection_open(int fd, const char *name, const char *node);
int connection_fd(const struct connection *connection);
/* Both answer false once the connection is finished and freed. */
bool connection_readable(struct connection *connection);
bool connection_writable(struct connection *connection);
bool connection_wants_write(const struct connection *connection);

/* echo.c: ICMP echo over a raw socket, either family. */
struct echo_event {
	bool reply; /* else an ICMP error that quotes one of our requests */
	uint16_t sequence;
	uint8_t type, code; /* of the error */
	uint32_t mtu;	    /* of "fragmentation needed" and "packet too big" */
	int ttl;	    /* of the packet that came, -1: unknown */
	size_t size;	    /* payload bytes of a reply */
	bool intact;	    /* a reply's payload is what was sent */
	struct peer from;
};
int echo_open(const struct peer *peer, const struct options *options);
int echo_send(int fd, const struct peer *peer, uint16_t id, uint16_t sequence, size_t size);
/* 1: an event of ours, 0: somebody else's packet, or -errno (-EAGAIN: none waits). */
int echo_receive(int fd, const struct peer *peer, uint16_t id, struct echo_event *event);

/* net.c */
uint64_t now_us(void);
bool peer_parse(struct peer *peer, const char *host, const char *port);
/* Text without port; a v4-mapped address is written as IPv4. */
void peer_text(const struct peer *peer, char *text, size_t size);
unsigned int peer_port(const struct peer *peer);
/* A socket connected within timeout_ms, or -errno. */
int peer_connect(const struct peer *peer, const struct options *options);
/* The answer a server gives: who it is and whom it sees. Returns its length. */
int answer_text(char *text, size_t size, const char *name, const char *node,
		const struct peer *client, unsigned int port, const char *protocol);
/* 0 once fd is ready for `events`, -ETIMEDOUT after timeout_ms, else -errno. */
int wait_for(int fd, short events, int timeout_ms);
/* One line without its end, or -errno (-EPIPE: the peer closed). */
int read_line(int fd, char *line, size_t size, int timeout_ms);
/* Room for seconds of datagrams: loss in a socket of a busy machine is not the network's. */
void widen_socket(int fd);
/* Everything, or -errno. */
int write_all(int fd, const void *bytes, size_t size, int timeout_ms);
/* Content whose every byte depends on its place, and its running FNV-1a sum. */
void pattern_fill(uint8_t *bytes, size_t size, uint64_t at);
uint64_t pattern_sum(uint64_t sum, const uint8_t *bytes, size_t size);
#define PATTERN_SUM_START 0xcbf29ce484222325ull
/* True once stdin has ended or SIGTERM or SIGINT came. */
bool stop_asked(void);
void stop_on_signals(void);
