/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A pod's packets, at the host end of its veth.
 *
 * Each step answers 0 to go on, a TC action or PASS to stop, or -DROP_x to drop. Nothing drops
 * by itself: finish() is the one place where a packet dies.
 */

static __always_inline int pod_leave(struct __sk_buff *skb, struct packet *pkt)
{
	struct flow *flow;
	int ret;

	if (unlikely(!is_ip(skb->protocol)))
		return skb->protocol == bpf_htons(ETH_P_ARP) ? arp_answer(skb, pkt)
							     : -DROP_UNSUPPORTED;
	ret = packet_parse(skb, pkt, ETH_HLEN, skb->protocol);
	if (ret)
		return ret;
	flow = flow_established(pkt);
	if (unlikely(!flow)) {
		if (pkt->attention & ATTENTION_NEIGHBOUR)
			return ndp_answer(skb, pkt);
		flow = walk(skb, pkt);
		if (!flow)
			return pkt->verdict;
	}
	if (unlikely(forward_is_too_big(skb, pkt, flow)))
		return -DROP_TOO_BIG;
	return forward(skb, pkt, flow, true);
}

/* As they leave the pod. */
SEC("tc")
int from_pod(struct __sk_buff *skb)
{
	struct packet pkt = { .direction = DIRECTION_FROM_POD,
			      .from_ifindex = skb->ifindex,
			      .on_ifindex = skb->ifindex };

	return finish(skb, &pkt, pod_leave(skb, &pkt));
}

static __always_inline int pod_enter(struct __sk_buff *skb, struct packet *pkt)
{
	struct flow *flow;
	int ret;

	if (skb->mark == FORWARD_MARK) {
		skb->mark = 0;
		return PASS;
	}
	if (!is_ip(skb->protocol))
		return PASS;
	ret = packet_parse(skb, pkt, ETH_HLEN, skb->protocol);
	if (ret)
		return ret;
	if (pkt->attention & ATTENTION_NEIGHBOUR)
		return PASS;
	flow = packet_flow(skb, pkt);
	if (!flow)
		return pkt->verdict;
	flow_touch(flow, skb->len);
	metric_count(pkt->direction, METRIC_FORWARDED + FLOW_TO_ENDPOINT, skb->len);
	return rewrite(skb, pkt, flow, false) ?: PASS;
}

/* From the node's own stack to the pod. What from_pod and from_uplink redirect comes through here
 * only when the pod's ingress is shaped, with a mark, and is left alone.
 */
SEC("tc")
int to_pod(struct __sk_buff *skb)
{
	struct packet pkt = { .direction = DIRECTION_TO_POD, .on_ifindex = skb->ifindex };

	return finish(skb, &pkt, pod_enter(skb, &pkt));
}
