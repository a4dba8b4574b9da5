/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* ICMP errors. One travels along the entry whose key is the reverse of what it quotes; where
 * that entry translates, the quoted packet is made to look as its sender sent it.
 */
#pragma once
#include "pair.h"

/* The address that an IP header at `l3` names as source. */
static __always_inline int icmp_load_source(struct __sk_buff *skb, const struct packet *pkt,
					    struct address *source)
{
	__be32 ipv4;

	if (pkt->is_ipv6)
		return bpf_skb_load_bytes(skb, pkt->l3 + offsetof(struct ipv6hdr, saddr), source,
					  sizeof(*source));
	if (bpf_skb_load_bytes(skb, pkt->l3 + offsetof(struct iphdr, saddr), &ipv4, sizeof(ipv4)))
		return -1;
	address_from_ipv4(source, ipv4);
	return 0;
}

/* Only who takes part in a connection may complain of it: the pod at its end, the node at its
 * other end, or, for what comes by the uplink or the stack, any router.
 */
static __always_inline bool icmp_may_complain(struct __sk_buff *skb, const struct packet *pkt,
					      const struct flow *flow)
{
	struct address source;

	if (pkt->by_overlay)
		return flow->flags & FLOW_FROM_OVERLAY && address_equal(&flow->node, &pkt->peer);
	if (pkt->direction != DIRECTION_FROM_POD)
		return true;
	if (flow->from_ifindex != pkt->from_ifindex || icmp_load_source(skb, pkt, &source))
		return false;
	return !source_check(pkt, &source);
}

/* The stack judges errors about flows that it alone knows; nobody else's pass. */
static __noinline struct flow *icmp_error_flow(struct __sk_buff *skb, struct packet *pkt)
{
	struct flow *flow = bpf_map_lookup_elem(&flows, &pkt->tuple);
	bool is_pod_or_overlay = pkt->direction == DIRECTION_FROM_POD || pkt->by_overlay;

	if (!flow)
		flow = bpf_map_lookup_elem(&embryos, &pkt->tuple);
	if (!flow)
		return pair_fail(pkt, is_pod_or_overlay ? -DROP_INVALID_ICMP : PASS);
	if (!icmp_may_complain(skb, pkt, flow))
		return pair_fail(pkt, -DROP_INVALID_ICMP);
	return flow;
}
