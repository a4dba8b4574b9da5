/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Decisions about a new or stale flow: may its source send from there, and where does it go. */
#pragma once
#include "balance.h"
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

/* To the node itself or the world. What came off the overlay enters by weir_host. */
static __always_inline void flow_go_stack(struct flow *flow)
{
	if (flow->flags & FLOW_FROM_OVERLAY)
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
		flow_go_stack(flow);
		return 0;
	}
	endpoint = endpoint_find(to);
	if (endpoint) {
		flow_go_endpoint(flow, endpoint);
		return 0;
	}
	if (address_is_own(to)) {
		flow_go_stack(flow);
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
		flow_go_stack(flow);
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

/* The frontend that a new flow asks for. By the uplink comes much that is the node's own: of its
 * TCP only a SYN can ask.
 */
static __always_inline struct service *packet_asks_for(const struct packet *pkt)
{
	const struct tuple *tuple = &pkt->tuple;

	switch (pkt->direction) {
	case DIRECTION_FROM_UPLINK:
		if (pkt->is_stray)
			return NULL;
		if (tuple->protocol == IPPROTO_TCP && !packet_is_syn(pkt) &&
		    address_is_own(&tuple->destination))
			return NULL;
		break;
	case DIRECTION_TO_UPLINK:
		if (tuple->protocol == IPPROTO_TCP && !packet_is_syn(pkt))
			return NULL;
		break;
	case DIRECTION_FROM_POD:
	case DIRECTION_FROM_OVERLAY:
		break;
	default:
		return NULL;
	}
	return service_find(&tuple->destination, tuple->destination_port, tuple->protocol);
}

/* From beyond this node and its pods. Pods of other nodes are outside too, as for kube-proxy: what
 * asks a node by its address gets that node's backends where the policy is Local.
 */
static __always_inline bool packet_is_external(const struct packet *pkt)
{
	return pkt->direction == DIRECTION_FROM_UPLINK || pkt->by_overlay;
}

/* Whom the backend's node can answer itself. Not the cluster's own nodes: what one of them sends
 * another comes back by the same way.
 */
static __always_inline bool packet_may_return_directly(const struct packet *pkt)
{
	return pkt->direction == DIRECTION_FROM_UPLINK && !destination_find(&pkt->tuple.source);
}

/* With affinity a client counts and not its port, on every node alike. */
static __always_inline __u32 balance_number(const struct service *service,
					    const struct tuple *tuple)
{
	struct tuple hashed;

	if (!(service->flags & SERVICE_MAGLEV))
		return bpf_get_prandom_u32();
	hashed = *tuple;
	if (service->affinity_seconds)
		hashed.source_port = 0;
	return tuple_hash(&hashed);
}

/* A backend in the place of the frontend: 0 or -DROP_x. */
static __noinline int flow_choose_backend(const struct packet *pkt, struct flow *flow,
					  const struct service *service, struct choice *choice)
{
	bool external = packet_is_external(pkt);
	__u32 drop_empty = external ? SERVICE_DROP_EMPTY_EXTERNAL : SERVICE_DROP_EMPTY;
	struct backend *backend;

	if (service->flags & SERVICE_SOURCE_RANGES && pkt->direction != DIRECTION_TO_UPLINK &&
	    !source_range_holds(service->id, &pkt->tuple.source))
		return -DROP_SOURCE_RANGE;
	choice->key.client = pkt->tuple.source;
	choice->now = flow->last_seen;
	choice->number = balance_number(service, &pkt->tuple);
	backend =
		service_choose(service, external ? &service->external : &service->internal, choice);
	if (!backend)
		return service->flags & drop_empty ? -DROP_NO_LOCAL_BACKEND : -DROP_NO_BACKEND;
	flow->service_id = service->id;
	flow->flags |= FLOW_SERVICE;
	if (service->flags & SERVICE_DSR && packet_may_return_directly(pkt))
		flow->flags |= FLOW_DSR;
	flow->out.destination = backend->address;
	flow->out.destination_port = backend->port;
	if (pkt->direction != DIRECTION_FROM_POD ||
	    !address_equal(&backend->address, &pkt->tuple.source))
		return 0;
	/* A pod to itself: its answer must leave the pod, so the client becomes the gateway. */
	flow->flags |= FLOW_HAIRPIN;
	address_from_config(&flow->out.source, pkt->is_ipv6 ? &config.gateway6 : &config.gateway4);
	return 0;
}
