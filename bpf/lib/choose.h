/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a new flow asks for, and what it gets: a frontend's backend in its place. */
#pragma once
#include "balance.h"
#include "decide.h"

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
	case DIRECTION_TO_UPLINK: /* the loopback's frontends are for sockets alone */
		if ((tuple->protocol == IPPROTO_TCP && !packet_is_syn(pkt)) ||
		    address_is_loopback(&tuple->destination))
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
