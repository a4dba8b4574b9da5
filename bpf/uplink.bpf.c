/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What arrives from the wire: native packets for pods, VXLAN of known nodes, and whoever asks for
 * a frontend. And what the node itself sends there. The rest is the node's own and passes
 * untouched, as cheaply as may be.
 */

/* True when the packet is for the node's own address. */
static __always_inline bool uplink_is_for_node(void *data, void *end, __be16 protocol)
{
	struct ipv6hdr *ipv6 = data + ETH_HLEN;
	struct iphdr *ipv4 = data + ETH_HLEN;
	struct address to;

	if (protocol == bpf_htons(ETH_P_IP)) {
		if ((void *)(ipv4 + 1) > end)
			return false;
		address_from_ipv4(&to, ipv4->daddr);
		return address_is_config(&to, &config.node4);
	}
	if ((void *)(ipv6 + 1) > end)
		return false;
	address_from_ipv6(&to, ipv6->daddr.in6_u.u6_addr32);
	return address_is_config(&to, &config.node6);
}

/* Whoever is owed an answer gets it where the wrapping is off: by from_overlay, which sends it back
 * through the tunnel; but the client of a named backend is outside, and it comes off here.
 */
GLOBAL int uplink_refuse_overlay(struct __sk_buff *skb, struct packet *pkt)
{
	if (!pkt)
		return TC_ACT_SHOT;
	if (pkt->verdict >= 0 || !reply_is_due(pkt, -pkt->verdict))
		return pkt->verdict;
	if (!pkt->by_name)
		return PASS;
	decap(skb, pkt); /* if that fails there is no answer */
	return pkt->verdict;
}

/* Answer of uplink_arrive_overlay about a packet that is no VXLAN of ours. */
#define UPLINK_NATIVE 257

/* The flow is found before the headers come off: one lookup, one move of the data. */
static __always_inline int uplink_arrive_overlay(struct __sk_buff *skb, struct packet *pkt)
{
	struct flow *flow;
	__be16 protocol;
	int ret;

	if (!encap_is_ours((void *)(long)skb->data, (void *)(long)skb->data_end, pkt, &protocol))
		return UPLINK_NATIVE;
	pkt->direction = DIRECTION_FROM_OVERLAY;
	pkt->by_overlay = 1;
	pkt->from_ifindex = config.overlay_ifindex;
	if (!is_ip(protocol))
		return -DROP_UNSUPPORTED;
	ret = packet_parse(skb, pkt, VXLAN_INNER, protocol);
	if (ret)
		return ret;
	flow = packet_flow(skb, pkt);
	if (unlikely(!flow))
		return uplink_refuse_overlay(skb, pkt);
	ret = decap(skb, pkt);
	if (ret)
		return ret;
	if (flow->next != FLOW_TO_ENDPOINT && forward_is_too_big(skb, pkt, flow))
		return -DROP_TOO_BIG;
	return forward(skb, pkt, flow, true);
}

/* Whatever is wrong with a packet that is no pod's, the node's stack shall judge. */
static __always_inline int uplink_arrive_native(struct __sk_buff *skb, struct packet *pkt)
{
	struct flow *flow;

	if (packet_parse(skb, pkt, ETH_HLEN, skb->protocol) || pkt->attention & ATTENTION_NEIGHBOUR)
		return PASS;
	pkt->is_stray = skb->pkt_type == PACKET_OTHERHOST;
	flow = packet_flow(skb, pkt);
	if (!flow)
		return pkt->verdict;
	if (flow->next != FLOW_TO_ENDPOINT && forward_is_too_big(skb, pkt, flow))
		return -DROP_TOO_BIG;
	return forward(skb, pkt, flow, true);
}

static __always_inline int uplink_arrive(struct __sk_buff *skb, struct packet *pkt)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	int ret = UPLINK_NATIVE;

	if (uplink_is_for_node(data, end, skb->protocol))
		ret = uplink_arrive_overlay(skb, pkt);
	return ret == UPLINK_NATIVE ? uplink_arrive_native(skb, pkt) : ret;
}

SEC("tc")
int from_uplink(struct __sk_buff *skb)
{
	struct packet pkt = { .direction = DIRECTION_FROM_UPLINK, .on_ifindex = skb->ifindex };

	if (!is_ip(skb->protocol))
		return TC_ACT_UNSPEC;
	return finish(skb, &pkt, uplink_arrive(skb, &pkt));
}

/* A packet of the node's own to a frontend, or an answer of one of its own processes that is a
 * backend. To a pod of this node it goes as it is: to_pod finds the same flow, and translates.
 */
static __always_inline int uplink_leave(struct __sk_buff *skb, struct packet *pkt)
{
	struct flow *flow;
	int ret;

	if (packet_parse(skb, pkt, ETH_HLEN, skb->protocol) || pkt->attention & ATTENTION_NEIGHBOUR)
		return PASS;
	flow = packet_flow(skb, pkt);
	if (!flow)
		return pkt->verdict;
	if (flow->flags & FLOW_REVERSE) {
		flow_touch(flow, skb->len);
		metric_count(pkt->direction, METRIC_FORWARDED + (flow->next & 7), skb->len);
		return rewrite(skb, pkt, flow, false) ?: PASS;
	}
	if (forward_is_too_big(skb, pkt, flow))
		return -DROP_TOO_BIG;
	if (flow->next != FLOW_TO_ENDPOINT)
		return forward(skb, pkt, flow, false);
	ret = rewrite_macs(skb, &flow->destination_mac, &flow->source_mac);
	return ret ?: bpf_redirect(flow->to_ifindex, 0);
}

SEC("tc")
int to_uplink(struct __sk_buff *skb)
{
	struct packet pkt;

	if (skb->tc_index == TC_INDEX_SENT || !is_ip(skb->protocol))
		return TC_ACT_UNSPEC;
	pkt = (struct packet){ .direction = DIRECTION_TO_UPLINK, .on_ifindex = skb->ifindex };
	return finish(skb, &pkt, uplink_leave(skb, &pkt));
}
