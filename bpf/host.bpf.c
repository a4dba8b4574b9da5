/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The node's own packets through the gateway, to pods of other nodes. */

static __always_inline int host_leave(struct __sk_buff *skb, struct packet *pkt)
{
	struct flow *flow;
	int ret;

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
	if (forward_is_too_big(skb, pkt, flow))
		return -DROP_TOO_BIG;
	return forward(skb, pkt, flow, false);
}

SEC("tc")
int from_host(struct __sk_buff *skb)
{
	struct packet pkt = { .direction = DIRECTION_FROM_HOST, .on_ifindex = skb->ifindex };

	return finish(skb, &pkt, host_leave(skb, &pkt));
}
