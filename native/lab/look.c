// SPDX-License-Identifier: Apache-2.0
/* Two small looks from inside: the MTU of an interface, and a page over HTTP.
 * A pod has neither ip(8) nor curl(1).
 */
#include "weir-pod.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int look_mtu(const char *interface)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, SIOCGIFMTU, &request) < 0) {
		fprintf(stderr, "Cannot read the MTU of %s: %s\n", interface, strerror(errno));
		return 1;
	}
	close(fd);
	printf("{\"mtu\":%d}\n", request.ifr_mtu);
	return 0;
}

/* Prints the body; 0 only for status 200. */
int look_page(const struct options *options, const char *path)
{
	char text[8192], *body = NULL;
	struct peer server;
	bool found = false;
	ssize_t got;
	int fd;

	if (!peer_parse(&server, options->host, options->port))
		return 2;
	fd = peer_connect(&server, options);
	if (fd < 0) {
		fprintf(stderr, "Cannot fetch %s: %s\n", path, strerror(-fd));
		return 1;
	}
	snprintf(text, sizeof(text), "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, options->host);
	write_all(fd, text, strlen(text), options->timeout_ms);
	for (size_t held = 0; !wait_for(fd, POLLIN, options->timeout_ms);) {
		got = read(fd, text + held, sizeof(text) - 1 - held);
		if (got <= 0)
			break;
		held += (size_t)got;
		text[held] = 0;
		if (body) {
			fwrite(text, 1, held, stdout);
			held = 0;
			continue;
		}
		body = strstr(text, "\r\n\r\n");
		if (!body)
			continue;
		found = strstr(text, " 200 ") && strstr(text, " 200 ") < body;
		body += 4;
		fwrite(body, 1, held - (size_t)(body - text), stdout);
		held = 0;
	}
	close(fd);
	return found ? 0 : 1;
}
