/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The reader of rare packets: IP options, extension headers, fragments, ICMP, headers
 * outside the linear part. An ICMP error is read as the reverse of what it quotes, for
 * that is the key of the entry along which it must travel.
 */
#pragma once
#include "fragment.h"
#include "packet.h"

#define IPV6_EXTENSIONS 6 /* headers walked before giving up */
#define NOT_ICMP -1

/* What one IP header's chain holds beside the tuple. */
struct ip_summary {
	__u32 fragment_id;
	__u16 l4;
	__u8 is_fragment;
	__u8 is_later; /* a fragment that is not the first */
	__u8 ttl;
	__u8 tos;
	short icmp_type;
};

/* Eight bytes tell all that is wanted of any extension header. */
struct ipv6_extension {
	__u8 next;
	__u8 length;
	__be16 fragment;
	__be32 fragment_id;
};

static __always_inline int ipv4_read(struct __sk_buff *skb, __u16 l3, struct tuple *tuple,
				     struct ip_summary *found)
{
	struct iphdr ip;
	__u16 fragment;

	if (bpf_skb_load_bytes(skb, l3, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5)
		return -DROP_MALFORMED;
	address_from_ipv4(&tuple->source, ip.saddr);
	address_from_ipv4(&tuple->destination, ip.daddr);
	tuple->protocol = ip.protocol;
	fragment = bpf_ntohs(ip.frag_off);
	found->is_fragment = !!(fragment & 0x3fff);
	found->is_later = !!(fragment & 0x1fff);
	found->fragment_id = ip.id;
	found->ttl = ip.ttl;
	found->tos = ip.tos;
	found->l4 = l3 + ip.ihl * 4;
	return 0;
}

static __always_inline bool ipv6_is_extension(__u8 header)
{
	return header == IPPROTO_HOPOPTS || header == IPPROTO_ROUTING ||
	       header == IPPROTO_DSTOPTS || header == IPPROTO_FRAGMENT || header == IPPROTO_AH;
}

static __always_inline int ipv6_read(struct __sk_buff *skb, __u16 l3, struct tuple *tuple,
				     struct ip_summary *found)
{
	struct ipv6_extension extension;
	struct ipv6hdr ip;
	__u32 at = l3 + sizeof(ip);

	if (bpf_skb_load_bytes(skb, l3, &ip, sizeof(ip)) || ip.version != 6)
		return -DROP_MALFORMED;
	address_from_ipv6(&tuple->source, ip.saddr.in6_u.u6_addr32);
	address_from_ipv6(&tuple->destination, ip.daddr.in6_u.u6_addr32);
	if (packet_is_disguised(tuple))
		return -DROP_MALFORMED;
	tuple->protocol = ip.nexthdr;
	found->ttl = ip.hop_limit;
	found->tos = bpf_ntohs(*(__be16 *)&ip) >> 4;
	for (int i = 0; i < IPV6_EXTENSIONS; i++) {
		if (!ipv6_is_extension(tuple->protocol) || found->is_later)
			break;
		if (bpf_skb_load_bytes(skb, at, &extension, sizeof(extension)))
			return -DROP_MALFORMED;
		at += (extension.length + 1) * 8;
		if (tuple->protocol == IPPROTO_AH) {
			at -= extension.length * 4;
		} else if (tuple->protocol == IPPROTO_FRAGMENT) {
			at -= extension.length * 8;
			found->is_fragment = 1;
			found->is_later = !!(extension.fragment & bpf_htons(0xfff8));
			found->fragment_id = extension.fragment_id;
		}
		tuple->protocol = extension.next;
	}
	found->l4 = at;
	return 0;
}

/* Ports, or an echo's id in the place of one. */
static __always_inline int ports_read(struct __sk_buff *skb, bool is_ipv6, struct tuple *tuple,
				      struct ip_summary *found)
{
	__u8 protocol = tuple->protocol;
	struct icmp_header icmp;

	found->icmp_type = NOT_ICMP;
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP) {
		if (bpf_skb_load_bytes(skb, found->l4, tuple_ports(tuple), 4))
			return -DROP_MALFORMED;
		return 0;
	}
	if (protocol != (is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return 0;
	if (bpf_skb_load_bytes(skb, found->l4, &icmp, sizeof(icmp)))
		return -DROP_MALFORMED;
	found->icmp_type = icmp.type;
	if (icmp.type == (is_ipv6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO))
		tuple->source_port = icmp.id;
	else if (icmp.type == (is_ipv6 ? ICMPV6_ECHO_REPLY : ICMP_ECHOREPLY))
		tuple->destination_port = icmp.id;
	return 0;
}

static __noinline int ip_read(struct __sk_buff *skb, bool is_ipv6, __u16 l3, struct tuple *tuple,
			      struct ip_summary *found)
{
	int ret;

	*tuple = (struct tuple){};
	*found = (struct ip_summary){ .icmp_type = NOT_ICMP };
	ret = is_ipv6 ? ipv6_read(skb, l3, tuple, found) : ipv4_read(skb, l3, tuple, found);
	if (ret || found->is_later)
		return ret;
	return ports_read(skb, is_ipv6, tuple, found);
}

static __always_inline bool icmp_is_error(bool is_ipv6, int type)
{
	if (is_ipv6)
		return type >= ICMPV6_DEST_UNREACH && type <= ICMPV6_PARAMPROB;
	return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETERPROB;
}

/* Neighbour discovery (133..137) and multicast listeners (130..132, 143). */
static __always_inline bool icmp_is_neighbour(bool is_ipv6, int type)
{
	return is_ipv6 && ((type >= 130 && type <= 137) || type == 143);
}

/* An ICMP error: its tuple becomes the reverse of what it quotes. */
static __always_inline int packet_parse_quoted(struct __sk_buff *skb, struct packet *pkt)
{
	struct ip_summary found;
	struct tuple quoted;

	pkt->attention = ATTENTION_ICMP_ERROR;
	pkt->complainer = pkt->tuple.source;
	pkt->quoted_l3 = pkt->l4 + sizeof(struct icmp_header);
	if (ip_read(skb, pkt->is_ipv6, pkt->quoted_l3, &quoted, &found) || found.is_later)
		return -DROP_INVALID_ICMP;
	pkt->quoted_l4 = found.l4;
	tuple_reverse(&pkt->tuple, &quoted);
	return 0;
}

static __always_inline int packet_parse_transport(struct __sk_buff *skb, struct packet *pkt,
						  int icmp_type)
{
	__u8 bytes[2];

	if (icmp_is_error(pkt->is_ipv6, icmp_type))
		return packet_parse_quoted(skb, pkt);
	if (icmp_is_neighbour(pkt->is_ipv6, icmp_type)) {
		pkt->attention = ATTENTION_NEIGHBOUR;
		return 0;
	}
	pkt->l4_length = sizeof(struct udphdr);
	if (pkt->tuple.protocol != IPPROTO_TCP)
		return 0;
	if (bpf_skb_load_bytes(skb, pkt->l4 + 12, bytes, sizeof(bytes)))
		return -DROP_MALFORMED;
	pkt->l4_length = bytes[0] >> 4 << 2;
	pkt->tcp_flags = bytes[1];
	pkt->attention = pkt->tcp_flags & ATTENTION_TCP;
	return 0;
}

GLOBAL int packet_parse_slowly(struct __sk_buff *skb, struct packet *pkt)
{
	struct ip_summary found;
	int ret;

	if (!pkt)
		return -DROP_MALFORMED;
	ret = ip_read(skb, pkt->is_ipv6, pkt->l3, &pkt->tuple, &found);
	if (ret)
		return ret;
	/* What writes the packet later does so in place, and wants these in the linear part. */
	if (bpf_skb_pull_data(skb, found.l4 < skb->len ? found.l4 : 0))
		return -DROP_MALFORMED;
	pkt->ttl = found.ttl;
	pkt->tos = found.tos;
	pkt->l4 = found.l4;
	if (found.is_later) {
		pkt->l4 = 0;
		return fragment_resolve(&pkt->tuple, found.fragment_id);
	}
	if (found.is_fragment)
		fragment_record(&pkt->tuple, found.fragment_id);
	return packet_parse_transport(skb, pkt, found.icmp_type);
}
