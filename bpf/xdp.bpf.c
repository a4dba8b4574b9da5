/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What arrives from the wire only to leave by it again, for backends on other nodes and from
 * them: sent on from the driver. All else, and whatever needs a second look, is from_uplink's.
 */

/* New flows are walked here when they are for a frontend, or answer one that is; the node has
 * many others, which tc will look at.
 */
static __always_inline bool xdp_concerns(const struct packet *pkt)
{
	const struct tuple *tuple = &pkt->tuple;

	return service_find(&tuple->destination, tuple->destination_port, tuple->protocol) ||
	       bpf_map_lookup_elem(&embryos, tuple);
}

static __always_inline int xdp_follow(struct xdp_md *xdp, struct packet *pkt, void *ip, void *end)
{
	struct flow *flow = flow_established(pkt);

	if (unlikely(!flow)) {
		if (!xdp_concerns(pkt))
			return PASS;
		flow = walk(xdp, pkt);
		if (!flow)
			return pkt->verdict;
	}
	if (!flow_leaves_node(flow) || xdp_is_unfinished(ip, end, pkt))
		return PASS;
	return xdp_forward(xdp, pkt, flow);
}

static __always_inline int xdp_arrive_overlay(struct xdp_md *xdp, struct packet *pkt)
{
	void *data = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;
	__be16 protocol;

	if (!encap_is_ours(data, end, pkt, &protocol) || pkt->by_name || !is_ip(protocol))
		return PASS;
	pkt->direction = DIRECTION_FROM_OVERLAY;
	pkt->by_overlay = 1;
	pkt->from_ifindex = config.overlay_ifindex;
	if (!packet_read(pkt, data + VXLAN_INNER, end, VXLAN_INNER, protocol))
		return PASS;
	return xdp_follow(xdp, pkt, data + VXLAN_INNER, end);
}

/* For another machine, or for all of them. */
static __always_inline bool xdp_is_stray(const struct ethhdr *eth, __u32 ifindex)
{
	const volatile struct mac *own = &config.uplink_mac;
	struct uplink *uplink;

	if (ifindex != config.uplink_ifindex) {
		uplink = bpf_map_lookup_elem(&uplinks, &ifindex);
		if (!uplink)
			return true;
		own = &uplink->mac;
	}
	for (int i = 0; i < ETH_ALEN; i++) {
		if (eth->h_dest[i] != own->bytes[i])
			return true;
	}
	return false;
}

static __always_inline int xdp_arrive(struct xdp_md *xdp, struct packet *pkt)
{
	void *data = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > end || !is_ip(eth->h_proto) ||
	    xdp_is_stray(eth, xdp->ingress_ifindex))
		return PASS;
	if (!packet_read(pkt, eth + 1, end, ETH_HLEN, eth->h_proto))
		return PASS;
	if (config.overlay_ifindex && pkt->tuple.destination_port == config.overlay_port &&
	    uplink_is_for_node(data, end, eth->h_proto))
		return xdp_arrive_overlay(xdp, pkt);
	return xdp_follow(xdp, pkt, eth + 1, end);
}

/* Multi-buffer frames (jumbo) are welcome: only headers are touched. */
SEC("xdp.frags")
int xdp_uplink(struct xdp_md *xdp)
{
	struct packet pkt = { .direction = DIRECTION_FROM_UPLINK,
			      .on_ifindex = xdp->ingress_ifindex };

	return xdp_finish(xdp, &pkt, xdp_arrive(xdp, &pkt));
}
