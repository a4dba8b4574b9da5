/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A packet on its walk, and how it is read. Plain TCP and UDP are read in place; whatever
 * is rare (options, extension headers, fragments, ICMP, headers outside the linear part)
 * takes the second, slower reader with bpf_skb_load_bytes and no pointers at all.
 */
#pragma once
#include "tuple.h"

/* Where a packet was met; the second half of a metric's key. */
enum direction {
	DIRECTION_FROM_POD = 0,
	DIRECTION_TO_POD = 1,
	DIRECTION_FROM_UPLINK = 2,
	DIRECTION_FROM_HOST = 3,
	DIRECTION_FROM_OVERLAY = 4,
	DIRECTION_SOCKET = 5,
	DIRECTION_XDP_UPLINK = 6, /* counted only: the walk calls it FROM_UPLINK or FROM_OVERLAY */
	DIRECTION_TO_UPLINK = 7,
};

/* Packets that the one-lookup path must not take. The first three are TCP's own bits. */
enum attention {
	ATTENTION_FIN = 1,
	ATTENTION_SYN = 2,
	ATTENTION_RST = 4,
	ATTENTION_ICMP_ERROR = 8, /* tuple is the reverse of what it quotes */
	ATTENTION_NEIGHBOUR = 16, /* NDP and MLD */
};
#define ATTENTION_TCP (ATTENTION_FIN | ATTENTION_SYN | ATTENTION_RST)
#define TCP_ACK 16

/* A backend in the room of two MACs: its port, and the end of its address. */
struct backend_name {
	__be16 port;
	__u8 low[10];
};
#define BACKEND_NAME_AT 6 /* where that end begins */

struct packet {
	struct tuple tuple;
	struct address peer;	   /* by_overlay: the node that sent it */
	struct address complainer; /* ICMP error: who sent it */
	__u32 from_ifindex;	   /* as in struct flow */
	__u32 on_ifindex;	   /* the device on whose hook it was met */
	int verdict;		   /* when a step answers with a flow: why there is none */
	__u32 mtu;		   /* DROP_TOO_BIG: what would have fitted */
	__u32 rule_id;		   /* DROP_POLICY_x: the rule, and who the peer was taken for */
	__u32 identity;
	__u16 l3;	 /* where the IP header begins */
	__u16 l4;	 /* where the transport header begins; 0: it has none */
	__u16 quoted_l3; /* the same inside an ICMP error */
	__u16 quoted_l4;
	__u8 direction; /* enum direction */
	__u8 attention; /* enum attention */
	__u8 is_ipv6;
	__u8 by_overlay;
	__u8 ttl;
	__u8 tos;
	__u8 l4_length; /* of TCP and UDP headers, for segment sizes */
	__u8 tcp_flags;
	__u8 is_unknown; /* map flows has been asked, and has nothing */
	__u8 is_stray;	 /* the frame was for another machine */
	__u8 by_name;	 /* by_overlay: `named` is the backend chosen: VXLAN_NAMES_x, or 0 */
	__u8 pad;
	struct backend_name named;
};

/* ICMP's and ICMPv6's header: the second word is echo's id and sequence, or the MTU of an error. */
struct icmp_header {
	__u8 type;
	__u8 code;
	__u16 check;
	__be16 id;
	__be16 sequence;
};

static __always_inline bool packet_is_syn(const struct packet *pkt)
{
	return pkt->attention & ATTENTION_SYN && !(pkt->tcp_flags & TCP_ACK);
}

/* A v4-mapped address inside an IPv6 packet would pass for IPv4 in every table. */
static __always_inline bool packet_is_disguised(const struct tuple *tuple)
{
	return address_is_ipv4(&tuple->source) || address_is_ipv4(&tuple->destination);
}

GLOBAL int packet_parse_slowly(struct __sk_buff *skb, struct packet *pkt);

/* The ports, flags and header length at `l4`, when they are in the linear part. */
static __always_inline bool packet_read_transport(struct packet *pkt, void *l4, void *end)
{
	struct tcphdr *tcp = l4;

	if (l4 + sizeof(struct udphdr) > end)
		return false;
	*tuple_ports(&pkt->tuple) = *(__u32 *)l4;
	if (pkt->tuple.protocol == IPPROTO_UDP) {
		pkt->l4_length = sizeof(struct udphdr);
		return true;
	}
	if (pkt->tuple.protocol != IPPROTO_TCP || (void *)(tcp + 1) > end)
		return false;
	pkt->l4_length = ((__u8 *)tcp)[12] >> 4 << 2;
	pkt->tcp_flags = ((__u8 *)tcp)[13];
	pkt->attention = pkt->tcp_flags & ATTENTION_TCP;
	return true;
}

static __always_inline bool packet_read_ipv4(struct packet *pkt, void *at, void *end)
{
	struct iphdr *ip = at;

	if ((void *)(ip + 1) > end || *(__u8 *)ip != 0x45 || ip->frag_off & bpf_htons(0x3fff))
		return false;
	address_from_ipv4(&pkt->tuple.source, ip->saddr);
	address_from_ipv4(&pkt->tuple.destination, ip->daddr);
	pkt->tuple.protocol = ip->protocol;
	pkt->ttl = ip->ttl;
	pkt->tos = ip->tos;
	pkt->l4 = pkt->l3 + sizeof(*ip);
	return packet_read_transport(pkt, ip + 1, end);
}

static __always_inline bool packet_read_ipv6(struct packet *pkt, void *at, void *end)
{
	struct ipv6hdr *ip = at;

	if ((void *)(ip + 1) > end || ip->version != 6)
		return false;
	address_from_ipv6(&pkt->tuple.source, ip->saddr.in6_u.u6_addr32);
	address_from_ipv6(&pkt->tuple.destination, ip->daddr.in6_u.u6_addr32);
	pkt->tuple.protocol = ip->nexthdr;
	pkt->ttl = ip->hop_limit;
	pkt->tos = bpf_ntohs(*(__be16 *)ip) >> 4;
	pkt->l4 = pkt->l3 + sizeof(*ip);
	if (packet_is_disguised(&pkt->tuple))
		return false;
	return packet_read_transport(pkt, ip + 1, end);
}

/* Reads what is plain, in place, for any hook: false when that was not enough. `at` is where the
 * IP packet of ethertype `protocol` lies, `l3` bytes from the frame's start.
 */
static __always_inline bool packet_read(struct packet *pkt, void *at, void *end, __u16 l3,
					__be16 protocol)
{
	pkt->l3 = l3;
	pkt->is_ipv6 = protocol != bpf_htons(ETH_P_IP);
	return pkt->is_ipv6 ? packet_read_ipv6(pkt, at, end) : packet_read_ipv4(pkt, at, end);
}

/* Reads the IP packet at `l3`, a constant: 0, or -DROP_x. `protocol` is its ethertype. */
static __always_inline int packet_parse(struct __sk_buff *skb, struct packet *pkt, __u16 l3,
					__be16 protocol)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (likely(packet_read(pkt, data + l3, end, l3, protocol)))
		return 0;
	return packet_parse_slowly(skb, pkt);
}
