/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Decisions about a new or stale flow: may its source send from there, and where does it go. */
#pragma once
#include "destination.h"
#include "drop.h"
#include "endpoint.h"
#include "flow.h"
#include "uplink.h"

#define ANY_MTU 65535	       /* the stack minds the MTU of its own ways */
#define VXLAN_IPV4_OVERHEAD 50 /* IPv4, UDP, VXLAN and the inner Ethernet header */
#define VXLAN_IPV6_OVERHEAD 70

static __always_inline void flow_go(struct flow *flow, __u8 next, __u32 to_ifindex, __u32 mtu)
{
	flow->next = next;
	flow->to_ifindex = to_ifindex;
	flow->mtu = mtu;
}

static __always_inline void flow_go_endpoint(struct flow *flow, const struct endpoint *endpoint)
{
	flow_go(flow, FLOW_TO_ENDPOINT, endpoint->ifindex, endpoint->mtu);
	if (endpoint->flags & ENDPOINT_SHAPED)
		flow->flags |= FLOW_SHAPED;
	flow->destination_mac = endpoint->mac;
	flow->source_mac = endpoint->host_mac;
}

/* To the node itself or the world. What came off the overlay enters by weir_host, and what the node
 * sends itself.
 */
static __always_inline void flow_go_stack(struct flow *flow, bool is_own)
{
	if (is_own || flow->flags & FLOW_FROM_OVERLAY)
		flow_go(flow, FLOW_TO_HOST, config.host_ifindex, ANY_MTU);
	else
		flow_go(flow, FLOW_TO_STACK, 0, ANY_MTU);
}

/* Handed over to the backend's node (dsr.h); false where VXLAN over IPv4 does not reach it. */
static __always_inline bool flow_go_dsr(struct flow *flow, const struct destination *destination)
{
	bool direct = address_is_ipv4(&destination->node);
	const struct address *tunnel = direct ? &destination->node : &destination->tunnel;

	if (!address_is_ipv4(tunnel))
		return false;
	flow->node = *tunnel;
	flow->flags |= FLOW_DSR;
	if (destination->flags & DESTINATION_NODE)
		flow->flags |= FLOW_DSR_NODE;
	if (direct && destination->flags & DESTINATION_ON_LINK)
		flow->flags |= FLOW_ON_LINK;
	flow_go(flow, FLOW_TO_OVERLAY, config.overlay_ifindex,
		config.uplink_mtu - VXLAN_IPV4_OVERHEAD);
	return true;
}

/* To another node. */
static __always_inline int flow_go_destination(struct flow *flow,
					       const struct destination *destination, bool dsr)
{
	__u32 mtu = config.uplink_mtu;

	if (destination->flags & DESTINATION_LOCAL)
		return -DROP_NO_ENDPOINT;
	/* No node is another's transit, but for whom it stands in. */
	if (flow->flags & FLOW_FROM_OVERLAY && !(flow->flags & FLOW_SERVICE))
		return -DROP_NO_ROUTE;
	if (dsr && flow_go_dsr(flow, destination))
		return 0;
	/* The routes need no `node`: it stays the one whom the packets come from. */
	if (!(destination->flags & (DESTINATION_OVERLAY | DESTINATION_ON_LINK))) {
		flow_go(flow, FLOW_TO_FIB, config.uplink_ifindex, mtu);
		return 0;
	}
	flow->node = destination->node;
	if (destination->flags & DESTINATION_ON_LINK)
		flow->flags |= FLOW_ON_LINK;
	if (destination->flags & DESTINATION_OVERLAY) {
		mtu -= address_is_ipv4(&flow->node) ? VXLAN_IPV4_OVERHEAD : VXLAN_IPV6_OVERHEAD;
		flow_go(flow, FLOW_TO_OVERLAY, config.overlay_ifindex, mtu);
	} else {
		flow_go(flow, FLOW_TO_NEIGHBOUR, config.uplink_ifindex, mtu);
	}
	return 0;
}

/* Out by the uplink by which the other half came, to a neighbour or as the routes say. Neighbours
 * are the first uplink's; a node is known by one address, and only packets of that family can have
 * it as their next hop.
 */
static __always_inline void flow_go_uplink(struct flow *flow, const struct destination *destination)
{
	__u32 ifindex = flow->to_ifindex ?: config.uplink_ifindex;
	struct uplink *uplink = bpf_map_lookup_elem(&uplinks, &ifindex);
	__u32 mtu = uplink ? uplink->mtu : config.uplink_mtu;

	if (destination && destination->flags & DESTINATION_ON_LINK &&
	    ifindex == config.uplink_ifindex &&
	    address_is_ipv4(&destination->node) == address_is_ipv4(&flow->out.destination)) {
		flow->node = destination->node;
		flow->flags |= FLOW_ON_LINK;
		flow_go(flow, FLOW_TO_NEIGHBOUR, ifindex, mtu);
	} else {
		flow_go(flow, FLOW_TO_FIB, ifindex, mtu);
	}
}

static __always_inline bool address_is_own(const struct address *address)
{
	return address_is_config(address, &config.gateway4) ||
	       address_is_config(address, &config.node4) ||
	       address_is_config(address, &config.gateway6) ||
	       address_is_config(address, &config.node6);
}

/* Sets the way out for flow->out.destination: 0 or -DROP_x. The epoch is read first, so
 * that a change in the middle makes the decision stale and not wrong.
 */
GLOBAL int flow_decide(struct flow *flow)
{
	struct destination *destination;
	const struct address *to;
	struct endpoint *endpoint;
	bool dsr;

	if (!flow)
		return -DROP_NO_ROUTE;
	to = &flow->out.destination;
	dsr = flow->flags & FLOW_DSR;
	flow->epoch = epoch;
	flow->flags &= ~(FLOW_ON_LINK | FLOW_SHAPED | FLOW_DSR | FLOW_DSR_NODE);
	if (flow->flags & FLOW_BY_STACK) {
		/* From a frontend at the client's own address, this node's: by weir_host only. */
		flow_go_stack(flow, address_equal(&flow->out.source, to));
		return 0;
	}
	endpoint = endpoint_find(to);
	if (endpoint) {
		flow_go_endpoint(flow, endpoint);
		return 0;
	}
	if (address_is_own(to)) {
		/* With the node's source: its own process asks another one by a frontend. */
		flow_go_stack(flow, flow->flags & FLOW_SNAT);
		return 0;
	}
	destination = destination_find(to);
	if (flow->flags & FLOW_BY_UPLINK)
		flow_go_uplink(flow, destination);
	else if (destination)
		return flow_go_destination(flow, destination, dsr);
	else if (flow->flags & FLOW_SNAT)
		flow_go_uplink(flow, NULL);
	else
		flow_go_stack(flow, false);
	return 0;
}

/* Natively nobody sends who lives on this node, and no pod that lives behind the overlay; nodes
 * there may, for their own addresses are those of the wire.
 */
static __always_inline int source_check_uplink(const struct address *source)
{
	struct destination *destination;

	if (endpoint_find(source) || address_is_own(source))
		return -DROP_SPOOFED_SOURCE;
	destination = destination_find(source);
	if (!destination || destination->flags & DESTINATION_NODE)
		return 0;
	return destination->flags & (DESTINATION_LOCAL | DESTINATION_OVERLAY) ? -DROP_SPOOFED_SOURCE
									      : 0;
}

/* By VXLAN only nodes may send, and each only what lives there; or, for a client outside that asked
 * it, what might have come by the uplink.
 */
static __always_inline int source_check_overlay(const struct packet *pkt,
						const struct address *source)
{
	struct destination *destination = destination_find(&pkt->peer);

	if (!destination || !address_equal(&destination->node, &pkt->peer))
		return -DROP_UNKNOWN_TUNNEL_PEER;
	if (pkt->by_name)
		return source_check_uplink(source);
	destination = destination_find(source);
	if (!destination || !address_equal(&destination->node, &pkt->peer))
		return -DROP_SPOOFED_SOURCE;
	return 0;
}

/* May `source` send where this packet was met? The node's own stack is trusted. */
GLOBAL int source_check(const struct packet *pkt, const struct address *source)
{
	struct endpoint *endpoint;

	if (!pkt || !source)
		return -DROP_SPOOFED_SOURCE;
	if (pkt->by_overlay)
		return source_check_overlay(pkt, source);
	if (pkt->direction == DIRECTION_FROM_UPLINK)
		return source_check_uplink(source);
	if (pkt->direction != DIRECTION_FROM_POD)
		return 0;
	endpoint = endpoint_find(source);
	return endpoint && endpoint->ifindex == pkt->from_ifindex ? 0 : -DROP_SPOOFED_SOURCE;
}
