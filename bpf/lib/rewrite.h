/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Rewriting a packet as its flow says. Transport checksums go through the kernel's helpers,
 * for only they know whether the field holds a whole checksum or, for the hardware to
 * complete, that of the pseudo header; the rest is written in place.
 */
#pragma once
#include "checksum.h"
#include "flow.h"
#include "icmp_rewrite.h"

/* An echo's id, and the checksum: ICMPv6's covers the addresses too. */
static __always_inline int rewrite_echo(struct __sk_buff *skb, const struct packet *pkt,
					const struct tuple *out, __u32 difference)
{
	/* One of the two is the id, the other is 0. */
	__u32 from = pkt->tuple.source_port | pkt->tuple.destination_port;
	__u32 check = pkt->l4 + offsetof(struct icmp_header, check);
	__u16 to = out->source_port | out->destination_port;

	if (out->protocol == IPPROTO_ICMPV6 &&
	    bpf_l4_csum_replace(skb, check, 0, difference, BPF_F_PSEUDO_HDR))
		return -DROP_MALFORMED;
	if (from == to)
		return 0;
	if (bpf_l4_csum_replace(skb, check, from, to, sizeof(to)) ||
	    bpf_skb_store_bytes(skb, pkt->l4 + offsetof(struct icmp_header, id), &to, sizeof(to),
				0))
		return -DROP_MALFORMED;
	return 0;
}

/* Ports and transport checksum. `difference` is that of the addresses. */
static __always_inline int rewrite_transport(struct __sk_buff *skb, const struct packet *pkt,
					     const struct tuple *out, __u32 difference)
{
	__u32 from = *tuple_ports(&pkt->tuple), to = *tuple_ports(out);
	__u64 flags = 0;
	__u32 check;

	if (out->protocol == IPPROTO_TCP) {
		check = pkt->l4 + offsetof(struct tcphdr, check);
	} else if (out->protocol == IPPROTO_UDP) {
		check = pkt->l4 + offsetof(struct udphdr, check);
		flags = BPF_F_MARK_MANGLED_0;
	} else if (out->protocol == IPPROTO_ICMP || out->protocol == IPPROTO_ICMPV6) {
		return rewrite_echo(skb, pkt, out, difference);
	} else {
		return 0;
	}
	if (bpf_l4_csum_replace(skb, check, 0, difference, BPF_F_PSEUDO_HDR | flags))
		return -DROP_MALFORMED;
	if (from == to)
		return 0;
	if (bpf_l4_csum_replace(skb, check, from, to, sizeof(to) | flags) ||
	    bpf_skb_store_bytes(skb, pkt->l4, &to, sizeof(to), 0))
		return -DROP_MALFORMED;
	return 0;
}

static __always_inline void rewrite_ipv4(struct iphdr *ip, const struct tuple *out,
					 __u32 difference, bool translate, bool hop)
{
	__u32 sum = (__u16)~ip->check;

	if (translate) {
		ip->saddr = address_ipv4(&out->source);
		ip->daddr = address_ipv4(&out->destination);
		sum += (difference & 0xffff) + (difference >> 16);
	}
	if (hop) {
		ip->ttl--;
		sum += (__u16)~bpf_htons(0x0100);
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~sum;
}

static __always_inline void rewrite_ipv6(struct ipv6hdr *ip, const struct tuple *out,
					 bool translate, bool hop)
{
	if (translate) {
		address_from_ipv6((struct address *)&ip->saddr,
				  (const __be32 *)address_words(&out->source));
		address_from_ipv6((struct address *)&ip->daddr,
				  (const __be32 *)address_words(&out->destination));
	}
	if (hop)
		ip->hop_limit--;
}

/* IPv6 has no checksum of its own that would balance these writes in a checksum the hardware
 * took over the whole packet, so the helper is told of each.
 */
static __always_inline void rewrite_account_ipv6(struct __sk_buff *skb, __u32 difference,
						 bool translate, bool hop)
{
	if (translate)
		bpf_csum_update(skb, difference);
	if (hop)
		bpf_csum_update(skb, (__u32)~bpf_htons(1));
}

/* Ports, addresses and hop limit of the packet, whose IP header follows its Ethernet header. */
static __always_inline int rewrite(struct __sk_buff *skb, struct packet *pkt,
				   const struct flow *flow, bool hop)
{
	bool translate = flow_translates(flow);
	__u32 difference = 0;
	void *data, *end;
	int ret;

	if (unlikely(translate && pkt->attention & ATTENTION_ICMP_ERROR)) {
		ret = icmp_rewrite(skb, pkt, flow);
		if (ret)
			return ret;
		translate = false;
	}
	if (translate) {
		difference = checksum_difference(&pkt->tuple, &flow->out);
		ret = pkt->l4 ? rewrite_transport(skb, pkt, &flow->out, difference) : 0;
		if (ret)
			return ret;
	}
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	if (pkt->is_ipv6) {
		if (data + ETH_HLEN + sizeof(struct ipv6hdr) > end)
			return -DROP_MALFORMED;
		rewrite_ipv6(data + ETH_HLEN, &flow->out, translate, hop);
		rewrite_account_ipv6(skb, difference, translate, hop);
		return 0;
	}
	if (data + ETH_HLEN + sizeof(struct iphdr) > end)
		return -DROP_MALFORMED;
	rewrite_ipv4(data + ETH_HLEN, &flow->out, difference, translate, hop);
	return 0;
}

static __always_inline int rewrite_macs(struct __sk_buff *skb, const struct mac *destination,
					const struct mac *source)
{
	struct ethhdr *eth = (void *)(long)skb->data;

	if ((void *)(eth + 1) > (void *)(long)skb->data_end)
		return -DROP_MALFORMED;
	mac_copy(eth->h_dest, destination);
	mac_copy(eth->h_source, source);
	return 0;
}
