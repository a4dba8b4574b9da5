/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Sending a packet the way its flow says. */
#pragma once
#include "encap.h"
#include "metrics.h"
#include "rewrite.h"

/* True for a packet, or the segments it will be cut into, that the way out cannot carry. */
static __always_inline bool forward_is_too_big(struct __sk_buff *skb, struct packet *pkt,
					       const struct flow *flow)
{
	__u32 length = skb->len - pkt->l3;

	if (likely(length <= flow->mtu))
		return false;
	if (skb->gso_size && pkt->l4)
		length = pkt->l4 - pkt->l3 + pkt->l4_length + skb->gso_size;
	pkt->mtu = flow->mtu;
	return length > flow->mtu;
}

/* Into the node by weir_host, as if it had arrived there. */
static __always_inline int forward_to_host(struct __sk_buff *skb)
{
	struct mac destination, source;

	mac_copy(&destination, &config.host_mac);
	mac_copy(&source, &config.uplink_mac);
	if (rewrite_macs(skb, &destination, &source))
		return -DROP_MALFORMED;
	return bpf_redirect(config.host_ifindex, BPF_F_INGRESS);
}

/* Everything but a pod of this node: a function of its own, for it is the larger part. */
GLOBAL int forward_away(struct __sk_buff *skb, struct packet *pkt, struct flow *flow)
{
	struct mac mac;

	if (!pkt || !flow)
		return -DROP_NO_ROUTE;
	switch (flow->next) {
	case FLOW_TO_NEIGHBOUR:
	case FLOW_TO_FIB:
		return encap_send(skb, flow, flow->to_ifindex);
	case FLOW_TO_HOST:
		return forward_to_host(skb);
	case FLOW_TO_OVERLAY:
		mac_copy(&mac, &config.host_mac);
		if (rewrite_macs(skb, &mac, &mac))
			return -DROP_MALFORMED;
		return encap(skb, pkt, flow);
	default:
		return -DROP_NO_ROUTE;
	}
}

/* The last hop a packet may take was the one before: the stack knows how to say so, but for one
 * to a frontend, which it would take for its own.
 */
static __always_inline int forward_expired(struct __sk_buff *skb, const struct packet *pkt,
					   const struct flow *flow)
{
	if (flow->flags & FLOW_TRANSLATED && pkt->direction != DIRECTION_FROM_POD)
		return -DROP_TTL_EXPIRED;
	return pkt->by_overlay ? forward_to_host(skb) : PASS;
}

/* On what forward_shaped() sends through a queue, for to_pod: the walk is over. Only the node
 * itself can set it otherwise: a packet that changes its namespace loses its mark.
 */
#define FORWARD_MARK 0x77656972 /* "weir" */

/* redirect_peer would pass by the queue at the host end's egress. */
static __always_inline int forward_shaped(struct __sk_buff *skb, const struct flow *flow)
{
	skb->mark = FORWARD_MARK;
	return bpf_redirect(flow->to_ifindex, 0);
}

/* One hop for a packet that passes through the node; `is_hop` is false for the node's own. */
static __always_inline int forward(struct __sk_buff *skb, struct packet *pkt, struct flow *flow,
				   const bool is_hop)
{
	bool leaves = flow->next != FLOW_TO_STACK && flow->next != FLOW_TO_HOST;
	int ret;

	flow_touch(flow, skb->len);
	if (unlikely(is_hop && leaves && pkt->ttl <= 1))
		return forward_expired(skb, pkt, flow);
	ret = rewrite(skb, pkt, flow, is_hop && leaves);
	if (ret)
		return ret;
	metric_count(pkt->direction, METRIC_FORWARDED + (flow->next & 7), skb->len);
	if (likely(flow->next == FLOW_TO_ENDPOINT)) {
		ret = rewrite_macs(skb, &flow->destination_mac, &flow->source_mac);
		if (unlikely(flow->flags & FLOW_SHAPED))
			return ret ?: forward_shaped(skb, flow);
		return ret ?: bpf_redirect_peer(flow->to_ifindex, 0);
	}
	return flow->next == FLOW_TO_STACK ? PASS : forward_away(skb, pkt, flow);
}
