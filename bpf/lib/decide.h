/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Decisions about a new or stale flow: may its source send from there, and where does it go. */
#pragma once
#include "destination.h"
#include "drop.h"
#include "endpoint.h"
#include "flow.h"
#include "service.h"

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

static __always_inline int flow_go_destination(struct flow *flow,
					       const struct destination *destination)
{
	__u32 mtu = config.uplink_mtu;

	if (destination->flags & DESTINATION_LOCAL)
		return -DROP_NO_ENDPOINT;
	if (flow->flags & FLOW_FROM_OVERLAY) /* no node is another's transit */
		return -DROP_NO_ROUTE;
	flow->node = destination->node;
	if (destination->flags & DESTINATION_ON_LINK)
		flow->flags |= FLOW_ON_LINK;
	if (destination->flags & DESTINATION_OVERLAY) {
		mtu -= address_is_ipv4(&flow->node) ? VXLAN_IPV4_OVERHEAD : VXLAN_IPV6_OVERHEAD;
		flow_go(flow, FLOW_TO_OVERLAY, config.overlay_ifindex, mtu);
	} else if (destination->flags & DESTINATION_ON_LINK) {
		flow_go(flow, FLOW_TO_NEIGHBOUR, config.uplink_ifindex, mtu);
	} else {
		flow_go(flow, FLOW_TO_FIB, config.uplink_ifindex, mtu);
	}
	return 0;
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

	if (!flow)
		return -DROP_NO_ROUTE;
	to = &flow->out.destination;
	flow->epoch = epoch;
	flow->flags &= ~(FLOW_ON_LINK | FLOW_SHAPED);
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
	if (destination)
		return flow_go_destination(flow, destination);
	if (flow->flags & FLOW_BY_UPLINK)
		flow_go(flow, FLOW_TO_FIB, config.uplink_ifindex, config.uplink_mtu);
	else
		flow_go_stack(flow);
	return 0;
}

/* By VXLAN only nodes may send, and each only what lives there. */
static __always_inline int source_check_overlay(const struct packet *pkt,
						const struct address *source)
{
	struct destination *destination = destination_find(&pkt->peer);

	if (!destination || !address_equal(&destination->node, &pkt->peer))
		return -DROP_UNKNOWN_TUNNEL_PEER;
	destination = destination_find(source);
	if (!destination || !address_equal(&destination->node, &pkt->peer))
		return -DROP_SPOOFED_SOURCE;
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

/* Chooses a backend when the destination is a frontend: 0 or -DROP_NO_BACKEND. */
static __always_inline int flow_choose_backend(const struct packet *pkt, struct flow *flow)
{
	const struct tuple *tuple = &pkt->tuple;
	struct service *service;
	struct backend *backend;

	service = service_find(&tuple->destination, tuple->destination_port, tuple->protocol);
	if (!service)
		return 0;
	backend = service_backend(&service->internal, bpf_get_prandom_u32());
	if (!backend)
		return -DROP_NO_BACKEND;
	flow->service_id = service->id;
	flow->flags |= FLOW_SERVICE;
	flow->out.destination = backend->address;
	flow->out.destination_port = backend->port;
	if (!address_equal(&backend->address, &tuple->source))
		return 0;
	/* A pod to itself: its answer must leave the pod, so the client becomes the gateway. */
	flow->flags |= FLOW_HAIRPIN;
	address_from_config(&flow->out.source, pkt->is_ipv6 ? &config.gateway6 : &config.gateway4);
	return 0;
}
