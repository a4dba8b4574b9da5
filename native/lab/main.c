// SPDX-License-Identifier: Apache-2.0
/* weir-pod: what runs inside the lab's pods, and the clients that check them.
 *
 *   weir-pod serve --name N --node N [--tcp PORT]... [--udp PORT]...
 *   weir-pod ask HOST PORT [--udp [--unconnected]] [--count N] [--size BYTES]
 *                      [--source ADDRESS] [--source-port P]
 *   weir-pod probe tcp|udp/ADDRESS/PORT...                       all at once
 *   weir-pod transfer HOST PORT --size BYTES
 *   weir-pod ping HOST [--count N] [--size BYTES] [--df] [--ttl N]
 *   weir-pod stream tcp|udp|ping HOST [PORT] [--interval US]     until stdin ends
 *   weir-pod mtu INTERFACE
 *   weir-pod fetch HOST PORT PATH
 *   weir-pod wire INTERFACE                                      so that XDP is at home behind it
 *
 * Clients print JSON and exit 0 only if everything was answered.
 */
#include "weir-pod.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPTION_FIRST = 256,
	NAME,
	NODE,
	TCP,
	UDP,
	TIMEOUT,
	COUNT,
	INTERVAL,
	TTL,
	SIZE,
	DF,
	UNCONNECTED,
	SOURCE_PORT,
	SOURCE
};

static const struct option long_options[] = {
	{ "name", required_argument, NULL, NAME },
	{ "node", required_argument, NULL, NODE },
	{ "tcp", required_argument, NULL, TCP },
	{ "udp", optional_argument, NULL, UDP },
	{ "timeout", required_argument, NULL, TIMEOUT },
	{ "count", required_argument, NULL, COUNT },
	{ "interval", required_argument, NULL, INTERVAL },
	{ "ttl", required_argument, NULL, TTL },
	{ "size", required_argument, NULL, SIZE },
	{ "df", no_argument, NULL, DF },
	{ "unconnected", no_argument, NULL, UNCONNECTED },
	{ "source-port", required_argument, NULL, SOURCE_PORT },
	{ "source", required_argument, NULL, SOURCE },
	{ 0 },
};

static int usage(void)
{
	fputs("usage: weir-pod serve|ask|probe|transfer|ping|stream|mtu|fetch|wire ... (see "
	      "native/lab/README.md)\n",
	      stderr);
	return 2;
}

static void port_add(uint16_t *ports, size_t *count, const char *text)
{
	if (*count < MAX_PORTS)
		ports[(*count)++] = (uint16_t)atoi(text);
}

static bool parse(struct options *options, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case NAME:
			options->name = optarg;
			break;
		case NODE:
			options->node = optarg;
			break;
		case TCP:
			port_add(options->tcp, &options->tcp_count, optarg);
			break;
		case UDP:
			options->use_udp = true;
			if (optarg)
				port_add(options->udp, &options->udp_count, optarg);
			break;
		case TIMEOUT:
			options->timeout_ms = atoi(optarg);
			break;
		case COUNT:
			options->count = atoi(optarg);
			break;
		case INTERVAL:
			options->interval_us = atoi(optarg);
			break;
		case TTL:
			options->ttl = atoi(optarg);
			break;
		case SIZE:
			options->size = strtoul(optarg, NULL, 10);
			break;
		case DF:
			options->dont_fragment = true;
			break;
		case UNCONNECTED:
			options->unconnected = true;
			break;
		case SOURCE_PORT:
			options->source_port = (uint16_t)atoi(optarg);
			break;
		case SOURCE:
			options->source = optarg;
			break;
		default:
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	struct options options = { .name = "", .node = "", .timeout_ms = 2000, .count = 1 };
	const char *mode = argc > 1 ? argv[1] : "", *kind = "";
	bool streaming = !strcmp(mode, "stream");

	signal(SIGPIPE, SIG_IGN);
	if (argc < 2 || !parse(&options, argc - 1, argv + 1))
		return usage();
	argv += 1 + optind;
	argc -= 1 + optind;
	if (!strcmp(mode, "serve"))
		return serve(&options);
	if (streaming && argc > 0) {
		kind = *argv++;
		argc--;
	}
	if (argc < 1)
		return usage();
	if (!strcmp(mode, "mtu"))
		return look_mtu(argv[0]);
	if (!strcmp(mode, "wire"))
		return wire(argv[0]);
	if (!strcmp(mode, "probe"))
		return probe(&options, argc, argv);
	options.host = argv[0];
	options.port = argc > 1 ? argv[1] : "0";
	if (!strcmp(mode, "ask"))
		return ask(&options);
	if (!strcmp(mode, "transfer"))
		return transfer(&options);
	if (!strcmp(mode, "fetch") && argc > 2)
		return look_page(&options, argv[2]);
	if (!strcmp(mode, "ping"))
		return ping(&options);
	return streaming ? stream(kind, &options) : usage();
}
