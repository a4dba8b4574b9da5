/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The headers of answers that are built here (reply.h). */
#pragma once
#include "checksum.h"
#include "packet.h"

#define REPLY_TTL 64

static __always_inline void reply_write_macs(struct ethhdr *eth)
{
	struct ethhdr old = *eth;

	__builtin_memcpy(eth->h_dest, old.h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, old.h_dest, ETH_ALEN);
}

static __always_inline void reply_write_ipv4(void *at, const struct address *source,
					     const struct address *destination, __u8 protocol,
					     __u16 payload)
{
	struct iphdr *ip = at;

	*ip = (struct iphdr){ .version = 4,
			      .ihl = 5,
			      .tot_len = bpf_htons(sizeof(*ip) + payload),
			      .frag_off = bpf_htons(0x4000),
			      .ttl = REPLY_TTL,
			      .protocol = protocol,
			      .saddr = address_ipv4(source),
			      .daddr = address_ipv4(destination) };
	ip->check = checksum_ipv4(ip);
}

static __always_inline void reply_write_ipv6(void *at, const struct address *source,
					     const struct address *destination, __u8 protocol,
					     __u16 payload)
{
	struct ipv6hdr *ip = at;

	*(__be32 *)ip = bpf_htonl(6 << 28);
	ip->payload_len = bpf_htons(payload);
	ip->nexthdr = protocol;
	ip->hop_limit = REPLY_TTL;
	address_from_ipv6((struct address *)&ip->saddr, address_words(source));
	address_from_ipv6((struct address *)&ip->daddr, address_words(destination));
}

/* The TCP header that refuses `tcp` (RFC 9293, 3.10.7.1). */
static __always_inline void reply_write_tcp(struct tcphdr *tcp, const struct packet *pkt,
					    const __be32 *numbers, __u32 length)
{
	const struct tuple *tuple = &pkt->tuple;
	__u32 sum;

	*tcp = (struct tcphdr){
		.source = tuple->destination_port, .dest = tuple->source_port, .doff = 5, .rst = 1
	};
	if (pkt->tcp_flags & TCP_ACK) {
		tcp->seq = numbers[1];
	} else {
		tcp->ack = 1;
		tcp->ack_seq = bpf_htonl(bpf_ntohl(numbers[0]) + length);
	}
	sum = checksum_pseudo(&tuple->source, &tuple->destination, IPPROTO_TCP, sizeof(*tcp));
	tcp->check = ~checksum_fold(bpf_csum_diff(NULL, 0, (__be32 *)tcp, sizeof(*tcp), sum));
}
