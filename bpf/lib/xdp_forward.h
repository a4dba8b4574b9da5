/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Sending a packet on from the driver, before the kernel has made anything of it. Only what
 * leaves by the device it came from is taken; every doubt is answered with PASS while the packet
 * is still whole, and then tc does the same with the same flow.
 */
#pragma once
#include "checksum.h"
#include "encap.h"
#include "metrics.h"
#include "rewrite.h"

/* bpf_fib_lookup() does not count as use of a neighbour, and one that nobody uses is not probed.
 * So each flow sends a packet by the stack in one second of so many (the kernel's own reachable
 * time is 30 s), told from its source port.
 */
#define XDP_STACK_EVERY 32

/* The transport checksum at `l4`; NULL when the packet ends before. */
static __always_inline __u16 *xdp_check(void *l4, void *end, __u8 protocol)
{
	struct tcphdr *tcp = l4;
	struct udphdr *udp = l4;

	if (protocol == IPPROTO_TCP)
		return (void *)(tcp + 1) > end ? NULL : &tcp->check;
	return (void *)(udp + 1) > end ? NULL : &udp->check;
}

/* True when the checksum is that of the pseudo header alone, for hardware to complete: a veth
 * hands on what its peer's stack left undone, and XDP has no flag that would say so. A whole one
 * looks like it once in 65536; it is then left to tc, which knows.
 */
static __always_inline bool xdp_is_unfinished(void *ip, void *end, const struct packet *pkt)
{
	const struct tuple *tuple = &pkt->tuple;
	struct ipv6hdr *ipv6 = ip;
	struct iphdr *ipv4 = ip;
	__u16 *check, length;

	if ((void *)(ipv4 + 1) > end || (pkt->is_ipv6 && (void *)(ipv6 + 1) > end))
		return true;
	if (pkt->is_ipv6) {
		length = bpf_ntohs(ipv6->payload_len);
		check = xdp_check(ipv6 + 1, end, tuple->protocol);
	} else {
		length = bpf_ntohs(ipv4->tot_len) - sizeof(*ipv4);
		check = xdp_check(ipv4 + 1, end, tuple->protocol);
	}
	return !check ||
	       *check == checksum_fold(checksum_pseudo(&tuple->source, &tuple->destination,
						       tuple->protocol, length));
}

static __always_inline bool flow_leaves_node(const struct flow *flow)
{
	return flow->next == FLOW_TO_NEIGHBOUR || flow->next == FLOW_TO_FIB ||
	       flow->next == FLOW_TO_OVERLAY;
}

/* Who is next on the wire: false when the stack has to find out first. */
static __always_inline bool xdp_find_hop(struct xdp_md *xdp, const struct flow *flow,
					 struct bpf_fib_lookup *hop)
{
	bool to_node = flow->next == FLOW_TO_OVERLAY || flow->flags & FLOW_ON_LINK;
	const struct address *to = to_node ? &flow->node : &flow->out.destination;

	hop->ifindex = flow->next == FLOW_TO_OVERLAY ? config.uplink_ifindex : flow->to_ifindex;
	if (address_is_ipv4(to)) {
		hop->family = AF_INET;
		hop->ipv4_dst = address_ipv4(to);
		hop->ipv4_src = to_node ? 0 : address_ipv4(&flow->out.source);
	} else {
		hop->family = AF_INET6;
		address_from_ipv6((struct address *)hop->ipv6_dst, address_words(to));
		if (!to_node)
			address_from_ipv6((struct address *)hop->ipv6_src,
					  address_words(&flow->out.source));
	}
	return !bpf_fib_lookup(xdp, hop, sizeof(*hop), BPF_FIB_LOOKUP_OUTPUT) &&
	       hop->ifindex == xdp->ingress_ifindex;
}

static __always_inline int xdp_rewrite_transport(void *l4, void *end, const struct packet *pkt,
						 const struct tuple *out, __u32 difference)
{
	__u16 *check = xdp_check(l4, end, out->protocol);
	const __u32 *ports = tuple_ports(&pkt->tuple);

	if (!check)
		return -DROP_MALFORMED;
	*(__u32 *)l4 = *tuple_ports(out);
	if (out->protocol == IPPROTO_UDP && !*check)
		return 0;
	difference = bpf_csum_diff((__be32 *)ports, 4, tuple_ports(out), 4, difference);
	*check = ~checksum_fold((__u64)(__u16) ~*check + difference);
	if (out->protocol == IPPROTO_UDP && !*check)
		*check = 0xffff;
	return 0;
}

/* Translates and takes one hop off. */
static __always_inline int xdp_rewrite(void *ip, void *end, const struct packet *pkt,
				       const struct flow *flow)
{
	bool translate = flow_translates(flow);
	struct ipv6hdr *ipv6 = ip;
	struct iphdr *ipv4 = ip;
	__u32 difference = 0;
	void *l4;

	if (translate)
		difference = checksum_difference(&pkt->tuple, &flow->out);
	if (pkt->is_ipv6) {
		if ((void *)(ipv6 + 1) > end)
			return -DROP_MALFORMED;
		rewrite_ipv6(ipv6, &flow->out, translate, true);
		l4 = ipv6 + 1;
	} else {
		if ((void *)(ipv4 + 1) > end)
			return -DROP_MALFORMED;
		rewrite_ipv4(ipv4, &flow->out, difference, translate, true);
		l4 = ipv4 + 1;
	}
	return translate ? xdp_rewrite_transport(l4, end, pkt, &flow->out, difference) : 0;
}

/* The same for every packet of a connection, as its way through the network shall be. */
static __always_inline __u32 xdp_hash(const struct tuple *tuple)
{
	const __u32 *source = address_words(&tuple->source);
	const __u32 *destination = address_words(&tuple->destination);
	__u32 hash = source[2] ^ source[3] ^ destination[2] ^ destination[3];

	hash = (hash ^ *tuple_ports(tuple)) * 0x9e3779b1;
	return hash ^ hash >> 15;
}

/* Writes the whole frame anew, whose IP packet lies at `l3`, a constant. */
static __always_inline int xdp_write(struct xdp_md *xdp, struct packet *pkt,
				     const struct flow *flow, const struct bpf_fib_lookup *hop,
				     const __u16 l3)
{
	void *data = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;
	struct ethhdr *eth = data;
	int ret;

	if (data + l3 > end)
		return -DROP_MALFORMED;
	ret = xdp_rewrite(data + l3, end, pkt, flow);
	if (ret)
		return ret;
	__builtin_memcpy(eth->h_dest, hop->dmac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, hop->smac, ETH_ALEN);
	eth->h_proto = bpf_htons(pkt->is_ipv6 && l3 == ETH_HLEN ? ETH_P_IPV6 : ETH_P_IP);
	if (l3 == VXLAN_INNER)
		encap_write((void *)(eth + 1), pkt, flow, bpf_xdp_get_buff_len(xdp) - ETH_HLEN,
			    xdp_hash(&pkt->tuple));
	return XDP_TX;
}

/* True for a packet that XDP may send on: it leaves the node, fits, and may take one more hop. */
static __always_inline bool xdp_may_forward(const struct packet *pkt, const struct flow *flow,
					    __u32 length)
{
	__u32 now = clock_seconds();

	if (!flow_leaves_node(flow) || pkt->ttl <= 1 || length - pkt->l3 > flow->mtu)
		return false;
	if (flow->next == FLOW_TO_OVERLAY && !address_is_ipv4(&flow->node))
		return false;
	if (flow->last_seen == now)
		return true;
	return (now + bpf_ntohs(pkt->tuple.source_port)) % XDP_STACK_EVERY;
}

/* One hop for a packet of this flow, out by the device where it came in; PASS: by tc. */
static __always_inline int xdp_forward(struct xdp_md *xdp, struct packet *pkt, struct flow *flow)
{
	__u32 length = bpf_xdp_get_buff_len(xdp);
	struct bpf_fib_lookup hop = {};
	int grow = 0;

	if (!xdp_may_forward(pkt, flow, length) || !xdp_find_hop(xdp, flow, &hop))
		return PASS;
	if (flow->next == FLOW_TO_OVERLAY)
		grow += VXLAN_LENGTH;
	if (pkt->by_overlay)
		grow -= VXLAN_LENGTH;
	if (grow && bpf_xdp_adjust_head(xdp, -grow))
		return PASS;
	flow_touch(flow, length);
	metric_count(DIRECTION_XDP_UPLINK, METRIC_FORWARDED + (flow->next & 7), length);
	if (flow->next == FLOW_TO_OVERLAY)
		return xdp_write(xdp, pkt, flow, &hop, VXLAN_INNER);
	return xdp_write(xdp, pkt, flow, &hop, ETH_HLEN);
}
