/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the kernel's VXLAN device has unwrapped because from_uplink left it: reassembled
 * fragments, an IPv6 underlay, headers outside the linear part.
 */

/* The sending node, from the tunnel's metadata. Not inline: the key is large, and the walk needs
 * the stack.
 */
static __noinline int overlay_load_peer(struct __sk_buff *skb, struct packet *pkt)
{
	struct bpf_tunnel_key key = {};

	if (!bpf_skb_get_tunnel_key(skb, &key, sizeof(key), 0)) {
		address_from_ipv4(&pkt->peer, bpf_htonl(key.remote_ipv4));
	} else {
		if (bpf_skb_get_tunnel_key(skb, &key, sizeof(key), BPF_F_TUNINFO_IPV6))
			return -DROP_UNKNOWN_TUNNEL_PEER;
		address_from_ipv6(&pkt->peer, key.remote_ipv6);
	}
	return key.tunnel_id == config.overlay_vni ? 0 : -DROP_UNKNOWN_TUNNEL_PEER;
}

static __always_inline int overlay_arrive(struct __sk_buff *skb, struct packet *pkt)
{
	struct flow *flow;
	int ret;

	ret = overlay_load_peer(skb, pkt);
	if (ret)
		return ret;
	if (!is_ip(skb->protocol))
		return -DROP_UNSUPPORTED;
	ret = packet_parse(skb, pkt, ETH_HLEN, skb->protocol);
	if (ret)
		return ret;
	flow = packet_flow(skb, pkt);
	if (!flow)
		return pkt->verdict;
	/* The inner MAC is nobody's; a packet "for another host" would die in the pod. */
	bpf_skb_change_type(skb, PACKET_HOST);
	if (flow->next != FLOW_TO_ENDPOINT && forward_is_too_big(skb, pkt, flow))
		return -DROP_TOO_BIG;
	return forward(skb, pkt, flow, true);
}

SEC("tc")
int from_overlay(struct __sk_buff *skb)
{
	struct packet pkt = { .direction = DIRECTION_FROM_OVERLAY,
			      .by_overlay = 1,
			      .from_ifindex = config.overlay_ifindex,
			      .on_ifindex = config.overlay_ifindex };

	return finish(skb, &pkt, overlay_arrive(skb, &pkt));
}
