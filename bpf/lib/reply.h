/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Answers built here for packets that cannot be forwarded: the packet itself is turned round. A
 * refused connection must fail at once, also for a client on another node.
 */
#pragma once
#include "drop.h"
#include "forward.h"
#include "reply_write.h"

/* Back to where it came from. */
static __always_inline int reply_send(struct __sk_buff *skb, const struct packet *pkt)
{
	bpf_skb_change_type(skb, PACKET_HOST);
	skb->tc_index = TC_INDEX_SENT;
	if (pkt->by_name)
		return bpf_redirect_neigh(skb->ifindex, NULL, 0, 0);
	if (pkt->by_overlay)
		return encap_by_device(skb, pkt, &pkt->peer);
	if (pkt->direction == DIRECTION_FROM_UPLINK)
		return bpf_redirect(skb->ifindex, 0);
	if (pkt->direction == DIRECTION_FROM_HOST || pkt->direction == DIRECTION_TO_UPLINK)
		return forward_to_host(skb);
	return bpf_redirect_peer(skb->ifindex, 0);
}

/* What the segment occupies of the sequence space: its data, SYN and FIN. */
static __always_inline __u32 reply_segment_length(const struct __sk_buff *skb,
						  const struct packet *pkt)
{
	return skb->len - pkt->l4 - pkt->l4_length + !!(pkt->tcp_flags & ATTENTION_SYN) +
	       !!(pkt->tcp_flags & ATTENTION_FIN);
}

static __always_inline int reply_reset(struct __sk_buff *skb, struct packet *pkt)
{
	const __u32 ip_length = pkt->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	__u32 length = reply_segment_length(skb, pkt);
	const struct tuple *tuple = &pkt->tuple;
	__be32 numbers[2];
	void *data, *end;

	if (pkt->tcp_flags & ATTENTION_RST ||
	    bpf_skb_load_bytes(skb, pkt->l4 + offsetof(struct tcphdr, seq), numbers, 8) ||
	    bpf_skb_change_tail(skb, ETH_HLEN + ip_length + sizeof(struct tcphdr), 0) ||
	    bpf_skb_pull_data(skb, 0))
		return TC_ACT_SHOT;
	data = (void *)(long)skb->data, end = (void *)(long)skb->data_end;
	if (data + ETH_HLEN + sizeof(struct iphdr) + sizeof(struct tcphdr) > end)
		return TC_ACT_SHOT;
	reply_write_macs(data);
	if (!pkt->is_ipv6) {
		reply_write_ipv4(data + ETH_HLEN, &tuple->destination, &tuple->source, IPPROTO_TCP,
				 sizeof(struct tcphdr));
		reply_write_tcp(data + ETH_HLEN + sizeof(struct iphdr), pkt, numbers, length);
		return reply_send(skb, pkt);
	}
	if (data + ETH_HLEN + sizeof(struct ipv6hdr) + sizeof(struct tcphdr) > end)
		return TC_ACT_SHOT;
	reply_write_ipv6(data + ETH_HLEN, &tuple->destination, &tuple->source, IPPROTO_TCP,
			 sizeof(struct tcphdr));
	reply_write_tcp(data + ETH_HLEN + sizeof(struct ipv6hdr), pkt, numbers, length);
	return reply_send(skb, pkt);
}

/* What an ICMP error says, in both families. */
struct reply_error {
	__u8 type4, code4;
	__u8 type6, code6;
	__u32 mtu;
	bool by_destination;
};

/* Who complains: for a port, and to the outside, the address that was asked; else the router, which
 * is our gateway (but the node would not believe its own address).
 */
static __always_inline void reply_source(const struct packet *pkt, const struct reply_error *error,
					 struct address *source)
{
	bool is_host =
		pkt->direction == DIRECTION_FROM_HOST || pkt->direction == DIRECTION_TO_UPLINK;

	address_from_config(source, pkt->is_ipv6 ? &config.gateway6 : &config.gateway4);
	if (error->by_destination || pkt->by_name || is_host || address_is_unspecified(source))
		*source = pkt->tuple.destination;
}

/* What is quoted beyond an IP header and 8 bytes: the rest of a TCP header (whose checksum the
 * kernel will not let us cut off: bpf_skb_change_tail() answers -EINVAL below csum_start +
 * csum_offset, 6.18), or the ports that an IPv6 fragment header stands before.
 */
#define REPLY_TCP 12
#define REPLY_FRAGMENT 8

/* The sum over an ICMP header and what it quotes. */
static __always_inline int reply_sum(void *icmp, void *end, const __u32 length, __u32 extra,
				     __u32 sum, __u32 *total)
{
	void *more = icmp + length;

	if (more > end)
		return -1;
	sum = bpf_csum_diff(NULL, 0, icmp, length, sum);
	if (extra == REPLY_TCP && more + REPLY_TCP <= end)
		sum = bpf_csum_diff(NULL, 0, more, REPLY_TCP, sum);
	else if (extra == REPLY_FRAGMENT && more + REPLY_FRAGMENT <= end)
		sum = bpf_csum_diff(NULL, 0, more, REPLY_FRAGMENT, sum);
	else if (extra)
		return -1;
	*total = sum;
	return 0;
}

static __always_inline int reply_write_error4(void *data, void *end, const struct packet *pkt,
					      const struct reply_error *error, __u32 extra)
{
	struct icmp_header *icmp = data + ETH_HLEN + sizeof(struct iphdr);
	struct address source;
	__u32 sum;

	if ((void *)(icmp + 1) > end)
		return -1;
	reply_source(pkt, error, &source);
	reply_write_macs(data);
	reply_write_ipv4(data + ETH_HLEN, &source, &pkt->tuple.source, IPPROTO_ICMP,
			 sizeof(struct icmp_header) + sizeof(struct iphdr) + 8 + extra);
	*icmp = (struct icmp_header){ .type = error->type4,
				      .code = error->code4,
				      .sequence = bpf_htons(error->mtu) };
	if (reply_sum(icmp, end, sizeof(struct icmp_header) + sizeof(struct iphdr) + 8, extra, 0,
		      &sum))
		return -1;
	icmp->check = ~checksum_fold(sum);
	return 0;
}

static __always_inline int reply_write_error6(void *data, void *end, const struct packet *pkt,
					      const struct reply_error *error, __u32 extra)
{
	struct icmp_header *icmp = data + ETH_HLEN + sizeof(struct ipv6hdr);
	__u32 length = sizeof(struct icmp_header) + sizeof(struct ipv6hdr) + 8 + extra;
	struct address source;
	__u32 sum;

	if ((void *)(icmp + 1) > end)
		return -1;
	reply_source(pkt, error, &source);
	reply_write_macs(data);
	reply_write_ipv6(data + ETH_HLEN, &source, &pkt->tuple.source, IPPROTO_ICMPV6, length);
	*icmp = (struct icmp_header){ .type = error->type6,
				      .code = error->code6,
				      .sequence = bpf_htons(error->mtu) };
	sum = checksum_pseudo(&source, &pkt->tuple.source, IPPROTO_ICMPV6, length);
	if (reply_sum(icmp, end, sizeof(struct icmp_header) + sizeof(struct ipv6hdr) + 8, extra,
		      sum, &sum))
		return -1;
	icmp->check = ~checksum_fold(sum);
	return 0;
}

/* Cuts the packet to what is quoted, and makes room for the new headers before it. */
static __noinline int reply_error(struct __sk_buff *skb, struct packet *pkt,
				  const struct reply_error *error, __u32 extra)
{
	__u32 ip_length = pkt->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	__u32 quoted = ip_length + 8 + extra;
	void *data, *end;

	if (skb->len < ETH_HLEN + quoted || bpf_skb_change_tail(skb, ETH_HLEN + quoted, 0) ||
	    bpf_skb_adjust_room(skb, ip_length + sizeof(struct icmp_header), BPF_ADJ_ROOM_MAC, 0) ||
	    bpf_skb_pull_data(skb, 0))
		return TC_ACT_SHOT;
	data = (void *)(long)skb->data, end = (void *)(long)skb->data_end;
	if (pkt->is_ipv6 ? reply_write_error6(data, end, pkt, error, extra)
			 : reply_write_error4(data, end, pkt, error, extra))
		return TC_ACT_SHOT;
	return reply_send(skb, pkt);
}

/* Pods and the node hear of every reason; others why what they asked for cannot be had. */
static __always_inline bool reply_is_due(const struct packet *pkt, int reason)
{
	switch (pkt->direction) {
	case DIRECTION_FROM_POD:
	case DIRECTION_FROM_HOST:
	case DIRECTION_TO_UPLINK:
		return true;
	case DIRECTION_FROM_UPLINK:
	case DIRECTION_FROM_OVERLAY:
		return reason == DROP_NO_ENDPOINT || reason == DROP_NO_BACKEND ||
		       reason == DROP_TOO_BIG || reason == DROP_TTL_EXPIRED;
	default:
		return false;
	}
}

/* What the sender is told: an answer already sent (a TC action), or TC_ACT_SHOT for silence. */
static __always_inline int reply(struct __sk_buff *skb, struct packet *pkt, int reason)
{
	__u32 ip_length = pkt->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	struct reply_error error = { .type4 = ICMP_DEST_UNREACH, .type6 = ICMPV6_DEST_UNREACH };
	__u32 extra;

	if (!reply_is_due(pkt, reason) || pkt->attention & ~ATTENTION_TCP)
		return TC_ACT_SHOT;
	if (pkt->l4 == ETH_HLEN + ip_length)
		extra = pkt->tuple.protocol == IPPROTO_TCP ? REPLY_TCP : 0;
	else if (pkt->is_ipv6 && pkt->l4 == ETH_HLEN + ip_length + REPLY_FRAGMENT &&
		 pkt->tuple.protocol == IPPROTO_UDP)
		extra = REPLY_FRAGMENT;
	else
		return TC_ACT_SHOT;
	switch (reason) {
	case DROP_NO_BACKEND:
		if (pkt->tuple.protocol == IPPROTO_TCP)
			return reply_reset(skb, pkt);
		error.code4 = ICMP_PORT_UNREACH;
		error.code6 = ICMPV6_PORT_UNREACH;
		error.by_destination = true;
		break;
	case DROP_NO_ENDPOINT:
		error.code4 = ICMP_HOST_UNREACH;
		error.code6 = ICMPV6_ADDR_UNREACH;
		break;
	case DROP_NO_ROUTE:
		error.code4 = ICMP_NET_UNREACH;
		error.code6 = ICMPV6_NOROUTE;
		break;
	case DROP_TOO_BIG:
		error.code4 = ICMP_FRAG_NEEDED;
		error.type6 = ICMPV6_PKT_TOOBIG;
		error.mtu = pkt->mtu;
		error.by_destination = pkt->direction == DIRECTION_FROM_UPLINK;
		break;
	case DROP_TTL_EXPIRED:
		error.type4 = ICMP_TIME_EXCEEDED;
		error.type6 = ICMPV6_TIME_EXCEED;
		error.by_destination = pkt->direction == DIRECTION_FROM_UPLINK;
		break;
	default:
		return TC_ACT_SHOT;
	}
	return reply_error(skb, pkt, &error, extra);
}
