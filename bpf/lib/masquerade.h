/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Source translation to this node's address: of pods that leave the cluster, and of clients whose
 * backend lives elsewhere, so that its answer comes back through here. The port is claimed with
 * the reverse half (pair.h).
 */
#pragma once
#include "decide.h"

/* A device towards the world, and the node's addresses on it. Written by the agent. */
struct uplink {
	struct address address4; /* all zero: none */
	struct address address6;
	__u32 mtu;
};
_Static_assert(sizeof(struct uplink) == 36, "pinned");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32); /* ifindex */
	__type(value, struct uplink);
} uplinks SEC(".maps");

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
static __always_inline struct uplink *uplink_towards(void *ctx, const struct packet *pkt,
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

/* A pod's new flow to the world: out by the uplink, with the node's address there. Where that is
 * not wanted or not possible, it goes to the stack as it is.
 */
static __noinline void flow_masquerade(void *ctx, const struct packet *pkt, struct flow *flow)
{
	const struct address *own;
	struct uplink *uplink;
	__u32 ifindex = 0;

	if (!config.masquerade || !tuple_has_port(&flow->out) ||
	    masquerade_is_excluded(&flow->out.destination))
		return;
	uplink = uplink_towards(ctx, pkt, flow, &ifindex);
	if (!uplink)
		return;
	own = pkt->is_ipv6 ? &uplink->address6 : &uplink->address4;
	if (address_is_unspecified(own))
		return;
	flow->out.source = *own;
	flow->flags |= FLOW_SNAT;
	flow_go(flow, FLOW_TO_FIB, ifindex, uplink->mtu);
}

/* A client whose backend is not here: it becomes this node. */
static __always_inline void flow_source_here(const struct packet *pkt, struct flow *flow)
{
	flow->flags |= FLOW_SNAT;
	if (pkt->is_ipv6)
		address_from_config(&flow->out.source, &config.node6);
	else
		address_from_config(&flow->out.source, &config.node4);
}

/* Whose source must be this node: pods towards the world, and who was given a backend elsewhere
 * and is no pod or process of this node.
 */
static __always_inline void flow_translate_source(void *ctx, const struct packet *pkt,
						  struct flow *forward)
{
	bool is_world =
		forward->next == FLOW_TO_STACK && !address_is_own(&forward->out.destination);

	if (pkt->direction == DIRECTION_FROM_POD) {
		if (is_world)
			flow_masquerade(ctx, pkt, forward);
		return;
	}
	if (!(forward->flags & FLOW_SERVICE))
		return;
	if (is_world)
		flow_go_uplink(forward, NULL);
	if (forward->next == FLOW_TO_ENDPOINT || forward->next == FLOW_TO_STACK ||
	    forward->next == FLOW_TO_HOST || forward->flags & FLOW_DSR)
		return;
	if (pkt->direction != DIRECTION_TO_UPLINK || !address_is_own(&forward->out.source))
		flow_source_here(pkt, forward);
}
