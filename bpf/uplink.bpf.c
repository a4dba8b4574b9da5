/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What arrives from the wire: native packets for pods, and VXLAN of known nodes. The rest is the
 * node's own and passes untouched, as cheaply as may be.
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

/* The sender of a packet for nobody is answered by from_overlay, where the wrapping is off. */
static __always_inline int uplink_refuse_overlay(const struct packet *pkt)
{
	return pkt->verdict == -DROP_NO_ENDPOINT ? PASS : pkt->verdict;
}

/* The flow is found before the headers come off: one lookup, one move of the data. */
static __always_inline int uplink_arrive_overlay(struct __sk_buff *skb, struct packet *pkt)
{
	struct flow *flow;
	__be16 protocol;
	int ret;

	if (!encap_is_ours((void *)(long)skb->data, (void *)(long)skb->data_end, pkt, &protocol))
		return PASS;
	pkt->direction = DIRECTION_FROM_OVERLAY;
	pkt->by_overlay = 1;
	pkt->from_ifindex = config.overlay_ifindex;
	if (!is_ip(protocol))
		return -DROP_UNSUPPORTED;
	ret = packet_parse(skb, pkt, VXLAN_INNER, protocol);
	if (ret)
		return ret;
	flow = packet_flow(pkt);
	if (unlikely(!flow))
		return uplink_refuse_overlay(pkt);
	ret = decap(skb, pkt);
	if (ret)
		return ret;
	return forward(skb, pkt, flow, true);
}

/* True for an address of a pod, and for one that only a pod could have. */
static __always_inline bool uplink_is_for_pod(const struct __sk_buff *skb, const struct address *to)
{
	struct destination *destination;

	if (endpoint_find(to))
		return true;
	destination = skb->pkt_type == PACKET_HOST ? destination_find(to) : NULL;
	return destination && destination->flags & DESTINATION_LOCAL;
}

/* Whatever is wrong with a packet that is no pod's, the node's stack shall judge. */
static __always_inline int uplink_arrive_native(struct __sk_buff *skb, struct packet *pkt)
{
	struct flow *flow;

	if (packet_parse(skb, pkt, ETH_HLEN, skb->protocol))
		return PASS;
	flow = flow_established(pkt);
	if (unlikely(!flow)) {
		if (!uplink_is_for_pod(skb, &pkt->tuple.destination))
			return PASS;
		flow = walk(pkt);
		if (!flow)
			return pkt->verdict;
	}
	return forward(skb, pkt, flow, true);
}

SEC("tc")
int from_uplink(struct __sk_buff *skb)
{
	struct packet pkt = { .direction = DIRECTION_FROM_UPLINK, .on_ifindex = skb->ifindex };
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (!is_ip(skb->protocol))
		return TC_ACT_UNSPEC;
	if (uplink_is_for_node(data, end, skb->protocol))
		return finish(skb, &pkt, uplink_arrive_overlay(skb, &pkt));
	return finish(skb, &pkt, uplink_arrive_native(skb, &pkt));
}
