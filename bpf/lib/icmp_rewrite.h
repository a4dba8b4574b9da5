/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Translating an ICMP error: the quoted packet gets back the tuple its sender gave it, and the
 * message itself the addresses of its way.
 */
#pragma once
#include "checksum.h"
#include "flow.h"

/* Replaces `size` bytes (a multiple of 4) and answers what that adds to a sum over them. */
static __always_inline __u32 icmp_patch(struct __sk_buff *skb, __u32 at, const void *from,
					const void *to, __u32 size, __u32 sum)
{
	bpf_skb_store_bytes(skb, at, to, size, 0);
	return bpf_csum_diff((__be32 *)from, size, (__be32 *)to, size, sum);
}

/* The same for a 16-bit checksum field whose own coverage changed by `difference`. One that the
 * quote does not reach stays, and so does UDP's 0, which means none.
 */
static __always_inline __u32 icmp_patch_check(struct __sk_buff *skb, __u32 at, __u32 difference,
					      __u32 sum, bool zero_is_none)
{
	__u32 from = 0, to;

	if (bpf_skb_load_bytes(skb, at, &from, sizeof(__u16)) || (zero_is_none && !from))
		return sum;
	to = (__u16)~checksum_fold((__u64)(__u16)~from + difference);
	bpf_skb_store_bytes(skb, at, &to, sizeof(__u16), 0);
	return bpf_csum_diff(&from, sizeof(from), &to, sizeof(to), sum);
}

/* IPv4 addresses lie in the packet as 8 bytes, IPv6 ones as 32: both follow one another. */
static __always_inline __u32 icmp_patch_addresses(struct __sk_buff *skb, const struct packet *pkt,
						  __u16 l3, const struct tuple *from,
						  const struct tuple *to, __u32 sum)
{
	__be32 ipv4[4] = { address_ipv4(&from->source), address_ipv4(&from->destination),
			   address_ipv4(&to->source), address_ipv4(&to->destination) };
	__u32 difference;

	if (pkt->is_ipv6)
		return icmp_patch(skb, l3 + offsetof(struct ipv6hdr, saddr), &from->source,
				  &to->source, 2 * sizeof(struct address), sum);
	sum = icmp_patch(skb, l3 + offsetof(struct iphdr, saddr), &ipv4[0], &ipv4[2], 8, sum);
	difference = bpf_csum_diff(&ipv4[0], 8, &ipv4[2], 8, 0);
	return icmp_patch_check(skb, l3 + offsetof(struct iphdr, check), difference, sum, false);
}

/* The quoted packet: from reverse(key) to reverse(out). Answers what it adds to the sum. */
static __always_inline __u32 icmp_rewrite_quoted(struct __sk_buff *skb, const struct packet *pkt,
						 const struct flow *flow)
{
	struct tuple from, to;
	__u32 difference, sum;

	tuple_reverse(&from, &pkt->tuple);
	tuple_reverse(&to, &flow->out);
	sum = icmp_patch_addresses(skb, pkt, pkt->quoted_l3, &from, &to, 0);
	sum = icmp_patch(skb, pkt->quoted_l4, tuple_ports(&from), tuple_ports(&to), 4, sum);
	difference = checksum_difference(&from, &to);
	difference = bpf_csum_diff(tuple_ports(&from), 4, tuple_ports(&to), 4, difference);
	if (from.protocol == IPPROTO_UDP)
		return icmp_patch_check(skb, pkt->quoted_l4 + offsetof(struct udphdr, check),
					difference, sum, true);
	return icmp_patch_check(skb, pkt->quoted_l4 + offsetof(struct tcphdr, check), difference,
				sum, false);
}

/* The message: its source changes only when that is the end of the connection, not a router. */
static __always_inline int icmp_load_addresses(struct __sk_buff *skb, const struct packet *pkt,
					       struct tuple *tuple)
{
	__be32 ipv4[2];

	if (pkt->is_ipv6)
		return bpf_skb_load_bytes(skb, pkt->l3 + offsetof(struct ipv6hdr, saddr),
					  &tuple->source, 2 * sizeof(struct address));
	if (bpf_skb_load_bytes(skb, pkt->l3 + offsetof(struct iphdr, saddr), ipv4, sizeof(ipv4)))
		return -1;
	address_from_ipv4(&tuple->source, ipv4[0]);
	address_from_ipv4(&tuple->destination, ipv4[1]);
	return 0;
}

GLOBAL int icmp_rewrite(struct __sk_buff *skb, struct packet *pkt, const struct flow *flow)
{
	__u32 difference, sum, check;
	struct tuple from, to;

	if (!pkt || !flow || icmp_load_addresses(skb, pkt, &from))
		return -DROP_MALFORMED;
	to.source =
		address_equal(&from.source, &pkt->tuple.source) ? flow->out.source : from.source;
	to.destination = flow->out.destination;
	sum = icmp_rewrite_quoted(skb, pkt, flow);
	check = pkt->l4 + offsetof(struct icmp_header, check);
	if (bpf_l4_csum_replace(skb, check, 0, sum, 0))
		return -DROP_MALFORMED;
	icmp_patch_addresses(skb, pkt, pkt->l3, &from, &to, 0);
	if (!pkt->is_ipv6)
		return 0;
	difference = checksum_difference(&from, &to);
	bpf_csum_update(skb, difference);
	if (bpf_l4_csum_replace(skb, check, 0, difference, BPF_F_PSEUDO_HDR))
		return -DROP_MALFORMED;
	return 0;
}
