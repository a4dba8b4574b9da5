/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Source translation to this node's address: of pods that leave the cluster, and of clients whose
 * backend lives elsewhere, so that its answer comes back through here. The port is claimed with
 * the reverse half (pair.h).
 */
#pragma once
#include "decide.h"

/* Destinations outside the cluster that see pods as they are. The value is always 1. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct destination_key);
	__type(value, __u32);
} no_masquerade SEC(".maps");

static __always_inline bool tuple_has_port(const struct tuple *tuple)
{
	switch (tuple->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		return true;
	case IPPROTO_ICMP: /* an echo request, which others do not have */
	case IPPROTO_ICMPV6:
		return tuple->source_port;
	default:
		return false;
	}
}

/* The uplink by which the routes send it; NULL: another device, or nowhere. */
static __noinline struct uplink *uplink_towards(void *ctx, const struct packet *pkt,
						const struct flow *flow, __u32 *ifindex)
{
	const struct address *from = &pkt->tuple.source, *to = &flow->out.destination;
	struct bpf_fib_lookup route = { .ifindex = pkt->on_ifindex };
	int ret;

	if (pkt->is_ipv6) {
		route.family = AF_INET6;
		address_from_ipv6((struct address *)route.ipv6_src, address_words(from));
		address_from_ipv6((struct address *)route.ipv6_dst, address_words(to));
	} else {
		route.family = AF_INET;
		route.ipv4_src = address_ipv4(from);
		route.ipv4_dst = address_ipv4(to);
	}
	ret = bpf_fib_lookup(ctx, &route, sizeof(route), 0);
	if (ret != BPF_FIB_LKUP_RET_SUCCESS && ret != BPF_FIB_LKUP_RET_NO_NEIGH)
		return NULL;
	*ifindex = route.ifindex;
	return bpf_map_lookup_elem(&uplinks, ifindex);
}

static __always_inline bool masquerade_is_excluded(const struct address *to)
{
	struct destination_key key = { .prefix_length = 128, .address = *to };

	return bpf_map_lookup_elem(&no_masquerade, &key);
}

/* Out by the uplink that the routes say, as this node is known there; false: there is none. */
static __always_inline bool flow_leave_as_node(void *ctx, const struct packet *pkt,
					       struct flow *flow)
{
	const struct address *own;
	struct uplink *uplink;
	__u32 ifindex = 0;

	uplink = uplink_towards(ctx, pkt, flow, &ifindex);
	if (!uplink)
		return false;
	own = pkt->is_ipv6 ? &uplink->address6 : &uplink->address4;
	if (address_is_unspecified(own))
		return false;
	flow->out.source = *own;
	flow->flags |= FLOW_SNAT;
	flow_go(flow, FLOW_TO_FIB, ifindex, uplink->mtu);
	return true;
}

/* A pod's new flow to the world. Where masquerade is not wanted or not possible, it goes to the
 * stack as it is.
 */
static __noinline void flow_masquerade(void *ctx, const struct packet *pkt, struct flow *flow)
{
	if (config.masquerade && tuple_has_port(&flow->out) &&
	    !masquerade_is_excluded(&flow->out.destination))
		flow_leave_as_node(ctx, pkt, flow);
}

/* A client whose backend is on another node: it becomes this node. */
static __always_inline void flow_source_here(const struct packet *pkt, struct flow *flow)
{
	flow->flags |= FLOW_SNAT;
	if (pkt->is_ipv6)
		address_from_config(&flow->out.source, &config.node6);
	else
		address_from_config(&flow->out.source, &config.node4);
}

/* True for what this node sends by the uplink whose address it has taken for it. */
static __always_inline bool packet_leaves_as_node(const struct packet *pkt)
{
	struct uplink *uplink = bpf_map_lookup_elem(&uplinks, &pkt->on_ifindex);

	return pkt->direction == DIRECTION_TO_UPLINK && uplink &&
	       address_equal(pkt->is_ipv6 ? &uplink->address6 : &uplink->address4,
			     &pkt->tuple.source);
}

/* A client whose backend is beyond the cluster. */
static __noinline void flow_source_world(void *ctx, const struct packet *pkt, struct flow *flow)
{
	if (packet_leaves_as_node(pkt)) {
		flow->to_ifindex = pkt->on_ifindex;
		flow->flags |= FLOW_SNAT;
		flow_go_uplink(flow, NULL);
	} else if (!flow_leave_as_node(ctx, pkt, flow)) {
		flow_go_uplink(flow, NULL);
		flow_source_here(pkt, flow);
	}
}

/* Whose source must be this node: pods towards the world, and who was given a backend elsewhere and
 * is no pod of this node. This node's own processes too, for the port: of what they ask elsewhere
 * without a frontend nothing is known here, and its answers could not be told from these.
 */
static __always_inline void flow_translate_source(void *ctx, const struct packet *pkt,
						  struct flow *forward)
{
	bool is_own = address_is_own(&forward->out.destination);
	bool is_world = forward->next == FLOW_TO_STACK && !is_own;

	if (pkt->direction == DIRECTION_FROM_POD) {
		if (is_world)
			flow_masquerade(ctx, pkt, forward);
		return;
	}
	if (!(forward->flags & FLOW_SERVICE))
		return;
	if (is_world) {
		flow_source_world(ctx, pkt, forward);
	} else if (pkt->direction == DIRECTION_TO_UPLINK && is_own) {
		flow_source_here(pkt, forward);
		flow_go_stack(forward, true);
	} else if (forward->next != FLOW_TO_ENDPOINT && forward->next != FLOW_TO_STACK &&
		   forward->next != FLOW_TO_HOST && !(forward->flags & FLOW_DSR)) {
		flow_source_here(pkt, forward);
	}
}
