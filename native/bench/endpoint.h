// SPDX-License-Identifier: Apache-2.0
/* What the load generators share: an address of either family, the clock, the way to give up. */
#ifndef WEIR_BENCH_ENDPOINT_H
#define WEIR_BENCH_ENDPOINT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

union endpoint {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static inline void die(const char *what)
{
	fprintf(stderr, "Cannot %s: %s\n", what, strerror(errno));
	exit(1);
}

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Fills `at`, `add` ports further, and returns its length. */
static inline socklen_t endpoint_parse(union endpoint *at, const char *address, const char *port,
				       int add)
{
	uint16_t number = htons((uint16_t)(atoi(port) + add));

	memset(at, 0, sizeof(*at));
	if (inet_pton(AF_INET, address, &at->v4.sin_addr) == 1) {
		at->v4.sin_family = AF_INET;
		at->v4.sin_port = number;
		return sizeof(at->v4);
	}
	if (inet_pton(AF_INET6, address, &at->v6.sin6_addr) != 1) {
		errno = EINVAL;
		die("parse the address");
	}
	at->v6.sin6_family = AF_INET6;
	at->v6.sin6_port = number;
	return sizeof(at->v6);
}

#endif
