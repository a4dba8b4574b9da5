/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The slow walk: packets for which one lookup is not enough. Answers the flow to follow,
 * or NULL with pkt->verdict. `ctx` is the program's, for the kernel's route lookup alone.
 */
#pragma once
#include "icmp.h"
#include "pair.h"

/* True once either side has sent FIN or RST. */
static __always_inline bool flow_is_closing(const struct flow *flow)
{
	struct tuple other_key;
	struct flow *other;
	__u16 seen = flow->flags;

	tuple_reverse(&other_key, &flow->out);
	other = bpf_map_lookup_elem(&flows, &other_key);
	if (other)
		seen |= other->flags;
	return seen & (FLOW_FIN | FLOW_RST);
}

static __always_inline void flow_note_close(struct flow *flow, const struct packet *pkt)
{
	if (pkt->attention & ATTENTION_FIN)
		flow->flags |= FLOW_FIN;
	if (pkt->attention & ATTENTION_RST)
		flow->flags |= FLOW_RST;
}

/* A pod's packet that the stack sends on has been dealt with when it left the pod. */
static __always_inline bool walk_is_pods(const struct packet *pkt, const struct flow *flow)
{
	return pkt->direction == DIRECTION_TO_UPLINK && flow->from_ifindex;
}

static __always_inline struct flow *walk_known(struct packet *pkt, struct flow *flow)
{
	if (walk_is_pods(pkt, flow))
		return pair_fail(pkt, PASS);
	if (packet_is_syn(pkt) && flow_is_closing(flow)) {
		pair_delete(pkt, flow);
		return pair_fail(pkt, PAIR_NONE);
	}
	if (!flow_is_current(flow, pkt))
		flow = pair_refresh(pkt, flow, false);
	if (flow)
		flow_note_close(flow, pkt);
	return flow;
}

/* True once this packet proves that both ends are there. For TCP that takes the initiator's
 * acknowledgment: a SYN-ACK proves only the server, and a flood of SYNs would fill `flows`. Of an
 * embryo only the initiator's half learns of the answer. With DSR answers do not come by here: the
 * acknowledgment must do, and for the rest the client's second packet.
 */
static __always_inline bool walk_completes(const struct packet *pkt, const struct flow *flow)
{
	if (pkt->tuple.protocol != IPPROTO_TCP)
		return flow->flags & FLOW_REVERSE || (flow->flags & FLOW_DSR && flow->packets);
	return flow->flags & (FLOW_SEEN_REPLY | FLOW_DSR) && pkt->tcp_flags & TCP_ACK &&
	       !(pkt->attention & (ATTENTION_SYN | ATTENTION_RST));
}

/* A pair whose ends have not both spoken. A forward half alone is none: it begins anew, and so
 * does one that was refused and is tried again from the same port. A reverse half alone still
 * translates: flow_purge leaves it for answers on their way.
 */
static __always_inline struct flow *walk_embryo(struct packet *pkt, struct flow *flow)
{
	struct tuple other_key;
	struct flow *other;

	if (walk_is_pods(pkt, flow))
		return pair_fail(pkt, PASS);
	tuple_reverse(&other_key, &flow->out);
	other = bpf_map_lookup_elem(&embryos, &other_key);
	if (other && packet_is_syn(pkt) && (flow->flags | other->flags) & (FLOW_FIN | FLOW_RST)) {
		bpf_map_delete_elem(&embryos, &other_key);
		other = NULL;
	}
	if (!other && flow->flags & FLOW_REVERSE && flow_is_current(flow, pkt))
		return flow;
	if (!other) {
		bpf_map_delete_elem(&embryos, &pkt->tuple);
		return pair_fail(pkt, PAIR_NONE);
	}
	if (!flow_is_current(flow, pkt)) {
		flow = pair_refresh(pkt, flow, true);
		other = flow ? bpf_map_lookup_elem(&embryos, &other_key) : NULL;
		if (!other)
			return flow;
	}
	other->last_seen = clock_seconds();
	if (flow->flags & FLOW_REVERSE && !(pkt->attention & ATTENTION_RST))
		other->flags |= FLOW_SEEN_REPLY;
	if (walk_completes(pkt, flow))
		flow = pair_promote(pkt, &other_key, flow, other);
	if (flow)
		flow_note_close(flow, pkt);
	return flow;
}

/* Multicast and link-local: to the stack, without a flow. Pods may use their link-local
 * and, before they have any, the unspecified address here.
 */
static __always_inline int walk_special(const struct packet *pkt)
{
	const struct address *source = &pkt->tuple.source;
	int ret = 0;

	if (pkt->by_overlay)
		return -DROP_UNSUPPORTED;
	if (pkt->direction == DIRECTION_FROM_POD && !address_is_link_local(source) &&
	    !address_is_unspecified(source))
		ret = source_check(pkt, source);
	return ret ?: PASS;
}

/* The embryos are asked second, and then the flows again: another CPU may have moved the pair there
 * in between (pair_promote), for an earlier packet of the same connection. No SYN comes that late.
 */
static __noinline struct flow *walk_table(struct packet *pkt)
{
	struct flow *flow = pkt->is_unknown ? NULL : bpf_map_lookup_elem(&flows, &pkt->tuple);

	if (flow)
		return walk_known(pkt, flow);
	flow = bpf_map_lookup_elem(&embryos, &pkt->tuple);
	flow = flow ? walk_embryo(pkt, flow) : pair_fail(pkt, PAIR_NONE);
	if (flow || pkt->verdict != PAIR_NONE || packet_is_syn(pkt))
		return flow;
	flow = bpf_map_lookup_elem(&flows, &pkt->tuple);
	return flow ? walk_known(pkt, flow) : pair_fail(pkt, PAIR_NONE);
}

static __noinline struct flow *walk(void *ctx, struct packet *pkt)
{
	struct flow *flow;

	if (address_is_special(&pkt->tuple.destination))
		return pair_fail(pkt, walk_special(pkt));
	if (pkt->attention & ATTENTION_ICMP_ERROR)
		return icmp_error_flow(pkt);
	flow = walk_table(pkt);
	if (!flow && pkt->verdict == PAIR_NONE)
		flow = pair_open(ctx, pkt);
	return flow;
}

/* The flow that a packet follows: the one lookup, and the walk when that is not enough. NULL: see
 * pkt->verdict.
 */
static __always_inline struct flow *packet_flow(void *ctx, struct packet *pkt)
{
	struct flow *flow = flow_established(pkt);

	return likely(flow) ? flow : walk(ctx, pkt);
}
