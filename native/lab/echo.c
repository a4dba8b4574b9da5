// SPDX-License-Identifier: Apache-2.0
/* ICMP echo over a raw socket. Unlike ping(8), path MTU discovery is set to
 * "probe": the kernel sets DF but does not refuse what an earlier error said is
 * too long, so every probe meets the path itself.
 */
#include "weir-pod.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <unistd.h>

#ifndef IPV6_DONTFRAG
#define IPV6_DONTFRAG 62
#endif

static bool is_v6(const struct peer *peer)
{
	return peer->address.ss_family == AF_INET6;
}

int echo_open(const struct peer *peer, const struct options *options)
{
	int level = is_v6(peer) ? IPPROTO_IPV6 : IPPROTO_IP;
	int on = 1, keep = options->dont_fragment, room = 1 << 20, probe, fd;

	fd = socket(peer->address.ss_family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    is_v6(peer) ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (options->ttl)
		setsockopt(fd, level, is_v6(peer) ? IPV6_UNICAST_HOPS : IP_TTL, &options->ttl,
			   sizeof(options->ttl));
	if (is_v6(peer)) {
		probe = options->dont_fragment ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_WANT;
		setsockopt(fd, level, IPV6_MTU_DISCOVER, &probe, sizeof(probe));
		setsockopt(fd, level, IPV6_DONTFRAG, &keep, sizeof(keep));
		setsockopt(fd, level, IPV6_RECVHOPLIMIT, &on, sizeof(on));
	} else {
		probe = options->dont_fragment ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT;
		setsockopt(fd, level, IP_MTU_DISCOVER, &probe, sizeof(probe));
	}
	return fd;
}

static uint16_t checksum(const uint8_t *bytes, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	if (size & 1)
		sum += (uint32_t)(bytes[size - 1] << 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* ICMPv6's checksum is the kernel's work; ICMP's is ours. */
int echo_send(int fd, const struct peer *peer, uint16_t id, uint16_t sequence, size_t size)
{
	static uint8_t packet[MAX_DATAGRAM];
	struct icmphdr *header = (void *)packet;

	if (size > sizeof(packet) - sizeof(*header) - 64)
		return -EMSGSIZE;
	memset(header, 0, sizeof(*header));
	header->type = is_v6(peer) ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
	header->un.echo.id = htons(id);
	header->un.echo.sequence = htons(sequence);
	pattern_fill(packet + sizeof(*header), size, 0);
	if (!is_v6(peer))
		header->checksum = checksum(packet, sizeof(*header) + size);
	if (sendto(fd, packet, sizeof(*header) + size, 0, (const void *)&peer->address,
		   peer->length) < 0)
		return -errno;
	return 0;
}

static bool read_reply(const struct icmphdr *icmp, size_t size, uint16_t id,
		       struct echo_event *event)
{
	static uint8_t expected[MAX_DATAGRAM];

	if (icmp->un.echo.id != htons(id))
		return false;
	event->reply = true;
	event->sequence = ntohs(icmp->un.echo.sequence);
	event->size = size - sizeof(*icmp);
	pattern_fill(expected, event->size, 0);
	event->intact = !memcmp(icmp + 1, expected, event->size);
	return true;
}

/* The quoted packet must be an echo request of ours; it says which one. */
static bool read_error(const struct icmphdr *icmp, size_t size, size_t quoted_header, bool v6,
		       uint16_t id, struct echo_event *event)
{
	const struct icmphdr *quoted = (const void *)((const uint8_t *)(icmp + 1) + quoted_header);

	if (size < sizeof(*icmp) + quoted_header + sizeof(*quoted))
		return false;
	if (quoted->type != (v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO) ||
	    quoted->un.echo.id != htons(id))
		return false;
	event->sequence = ntohs(quoted->un.echo.sequence);
	event->type = icmp->type;
	event->code = icmp->code;
	if (v6 && icmp->type == ICMP6_PACKET_TOO_BIG)
		event->mtu = ntohl(icmp->un.gateway);
	else if (!v6 && icmp->type == ICMP_DEST_UNREACH && icmp->code == ICMP_FRAG_NEEDED)
		event->mtu = ntohs(icmp->un.frag.mtu);
	return true;
}

static bool read_v4(const uint8_t *packet, size_t size, uint16_t id, struct echo_event *event)
{
	const struct iphdr *ip = (const void *)packet, *inner;
	const struct icmphdr *icmp = (const void *)(packet + ip->ihl * 4);
	size_t rest = size - (size_t)ip->ihl * 4;

	if (size < sizeof(*ip) + sizeof(*icmp) || size < (size_t)ip->ihl * 4 + sizeof(*icmp))
		return false;
	event->ttl = ip->ttl;
	if (icmp->type == ICMP_ECHOREPLY)
		return read_reply(icmp, rest, id, event);
	if (icmp->type != ICMP_DEST_UNREACH && icmp->type != ICMP_TIME_EXCEEDED)
		return false;
	inner = (const void *)(icmp + 1);
	return read_error(icmp, rest, (size_t)inner->ihl * 4, false, id, event);
}

static bool read_v6(const uint8_t *packet, size_t size, uint16_t id, struct echo_event *event)
{
	const struct icmphdr *icmp = (const void *)packet;

	if (size < sizeof(*icmp))
		return false;
	if (icmp->type == ICMP6_ECHO_REPLY)
		return read_reply(icmp, size, id, event);
	if (icmp->type < ICMP6_DST_UNREACH || icmp->type > ICMP6_TIME_EXCEEDED)
		return false;
	return read_error(icmp, size, sizeof(struct ip6_hdr), true, id, event);
}

int echo_receive(int fd, const struct peer *peer, uint16_t id, struct echo_event *event)
{
	static uint8_t packet[MAX_DATAGRAM];
	union {
		char bytes[CMSG_SPACE(sizeof(int)) + 64];
		struct cmsghdr align;
	} control;
	struct iovec content = { packet, sizeof(packet) };
	struct msghdr message = { .msg_name = &event->from.address,
				  .msg_namelen = sizeof(event->from.address),
				  .msg_iov = &content,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header;
	ssize_t got;

	memset(event, 0, sizeof(*event));
	event->ttl = -1;
	got = recvmsg(fd, &message, 0);
	if (got < 0)
		return -errno;
	event->from.length = message.msg_namelen;
	if (!is_v6(peer))
		return read_v4(packet, (size_t)got, id, event);
	for (header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
		if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_HOPLIMIT)
			memcpy(&event->ttl, CMSG_DATA(header), sizeof(int));
	}
	return read_v6(packet, (size_t)got, id, event);
}
