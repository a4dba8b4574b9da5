/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The two halves of a connection: made, promoted, refreshed and removed together. */
#pragma once
#include "choose.h"
#include "claim.h"
#include "dsr.h"
#include "policy.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_pair);
} pair_scratch SEC(".maps");

static __always_inline struct flow_pair *pair_buffer(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&pair_scratch, &zero);
}

/* Verdict of a step that found no pair, or ended one: pair_open shall make it. */
#define PAIR_NONE 258

static __always_inline struct flow *pair_fail(struct packet *pkt, int verdict)
{
	pkt->verdict = verdict;
	return NULL;
}

/* How the entry's packets must arrive, from how those of its other half leave. */
static __always_inline void flow_arrives_from(struct flow *flow, const struct flow *other)
{
	if (other->next == FLOW_TO_ENDPOINT)
		flow->from_ifindex = other->to_ifindex;
	if (other->next == FLOW_TO_OVERLAY) {
		flow->from_ifindex = config.overlay_ifindex;
		flow->flags |= FLOW_FROM_OVERLAY;
		flow->node = other->node;
	}
}

/* How the entry's packets must arrive, from one that did. */
static __always_inline void flow_arrived_as(struct flow *flow, const struct packet *pkt)
{
	flow->from_ifindex = pkt->from_ifindex;
	flow->flags &= ~FLOW_FROM_OVERLAY;
	if (pkt->by_overlay) {
		flow->flags |= FLOW_FROM_OVERLAY;
		flow->node = pkt->peer;
	}
}

/* How answers leave, from how a packet of the forward half came. */
static __always_inline void flow_answers_as(struct flow *reverse, const struct packet *pkt)
{
	reverse->flags &= ~(FLOW_BY_STACK | FLOW_BY_UPLINK);
	if (pkt->direction == DIRECTION_TO_POD || pkt->direction == DIRECTION_TO_UPLINK)
		reverse->flags |= FLOW_BY_STACK;
	if (pkt->direction == DIRECTION_FROM_UPLINK || pkt->by_name) {
		reverse->flags |= FLOW_BY_UPLINK;
		reverse->to_ifindex = pkt->on_ifindex;
	}
}

/* What comes by the uplink and asks for no pod, and what the node sends out, is its own. */
static __always_inline bool pair_concerns(const struct packet *pkt)
{
	const struct address *to = &pkt->tuple.destination;
	struct destination *destination;

	if (pkt->direction == DIRECTION_TO_UPLINK)
		return false;
	if (pkt->direction != DIRECTION_FROM_UPLINK || endpoint_find(to))
		return true;
	destination = pkt->is_stray ? NULL : destination_find(to);
	return destination && destination->flags & DESTINATION_LOCAL;
}

/* 0, a verdict that needs no flow, or -DROP_x: what each hook may forward. */
static __always_inline int pair_may_open(const struct packet *pkt, const struct flow *forward)
{
	bool to_endpoint = forward->next == FLOW_TO_ENDPOINT;

	if (pkt->direction == DIRECTION_TO_POD)
		return to_endpoint && forward->to_ifindex == pkt->on_ifindex ? 0 : PASS;
	if (pkt->direction == DIRECTION_FROM_UPLINK)
		return to_endpoint || forward->flags & FLOW_SERVICE ? 0 : PASS;
	/* To itself the node is translated at the socket, or answers are met on the loopback. */
	if (pkt->direction == DIRECTION_TO_UPLINK && forward->next == FLOW_TO_STACK)
		return config.socket_services && address_is_own(&forward->out.destination)
			       ? -DROP_NO_ROUTE
			       : 0;
	if (pkt->direction == DIRECTION_FROM_HOST)
		return to_endpoint || forward->next == FLOW_TO_STACK ? -DROP_NO_ROUTE : 0;
	return 0;
}

static __always_inline int pair_fill_forward(void *ctx, struct packet *pkt, struct flow_pair *pair)
{
	struct flow *forward = &pair->forward;
	struct service *service = packet_asks_for(pkt);
	int ret;

	if (!service && !pair_concerns(pkt))
		return PASS;
	ret = source_check(pkt, &pkt->tuple.source);
	if (ret)
		return ret;
	*forward = (struct flow){ .out = pkt->tuple, .last_seen = clock_seconds() };
	flow_arrived_as(forward, pkt);
	if (pkt->by_name)
		ret = dsr_accept(pkt, forward, service);
	else if (service)
		ret = flow_choose_backend(pkt, forward, service, &pair->choice);
	if (ret)
		return ret;
	ret = flow_decide(forward);
	if (ret)
		return ret;
	ret = pair_may_open(pkt, forward);
	if (!ret)
		flow_translate_source(ctx, pkt, forward);
	return ret;
}

static __always_inline int pair_fill_reverse(struct packet *pkt, struct flow *reverse,
					     const struct flow *forward)
{
	*reverse =
		(struct flow){ .last_seen = forward->last_seen, .service_id = forward->service_id };
	tuple_reverse(&reverse->out, &pkt->tuple);
	reverse->egress_rule = forward->egress_rule;
	reverse->ingress_rule = forward->ingress_rule;
	reverse->flags =
		FLOW_REVERSE | (forward->flags & (FLOW_SERVICE | FLOW_HAIRPIN | FLOW_SNAT));
	flow_answers_as(reverse, pkt);
	flow_arrives_from(reverse, forward);
	return flow_decide(reverse);
}

/* Inserts the forward half. Another CPU may have been quicker: then its choice stands. */
static __always_inline struct flow *pair_publish(struct packet *pkt, struct flow_pair *pair)
{
	struct flow *flow;

	if (!bpf_map_update_elem(&embryos, &pkt->tuple, &pair->forward, BPF_NOEXIST))
		return bpf_map_lookup_elem(&embryos, &pkt->tuple);
	flow = bpf_map_lookup_elem(&embryos, &pkt->tuple);
	if (!flow || !tuple_equal(&flow->out, &pair->forward.out))
		bpf_map_delete_elem(&embryos, &pair->key);
	return flow;
}

/* Makes the pair of a new connection and answers its forward half; NULL: see pkt->verdict. */
static __noinline struct flow *pair_open(void *ctx, struct packet *pkt)
{
	struct flow_pair *pair = pair_buffer();
	struct flow *flow;
	int ret;

	if (!pair)
		return pair_fail(pkt, -DROP_FLOW_TABLE_FULL);
	ret = pair_fill_forward(ctx, pkt, pair);
	if (ret)
		return pair_fail(pkt, ret);
	ret = policy_check(pkt, &pair->forward);
	if (ret)
		return pair_fail(pkt, ret);
	ret = pair_fill_reverse(pkt, &pair->reverse, &pair->forward);
	if (ret)
		return pair_fail(pkt, ret);
	ret = pair_allocate(pkt, pair);
	if (ret)
		return pair_fail(pkt, ret);
	flow = pair_publish(pkt, pair);
	return flow ?: pair_fail(pkt, -DROP_FLOW_TABLE_FULL);
}

/* True when the entry is in `flows` now, by this CPU or by another that moves the same pair: nobody
 * writes a second time, from an embryo that the first may have freed already.
 */
static __always_inline bool flow_enter(const struct tuple *key, const struct flow *flow)
{
	long ret = bpf_map_update_elem(&flows, key, flow, BPF_NOEXIST);

	return !ret || ret == -EEXIST;
}

/* Moves a pair of which both ends have spoken to `flows`; answers the packet's entry there. Into
 * `flows` first: who misses it there and here looks there again (walk_table).
 */
static __always_inline struct flow *pair_promote(struct packet *pkt, struct tuple *other_key,
						 struct flow *flow, struct flow *other)
{
	flow->flags |= FLOW_SEEN_REPLY;
	other->flags |= FLOW_SEEN_REPLY;
	if (!flow_enter(other_key, other))
		return pair_fail(pkt, -DROP_FLOW_TABLE_FULL);
	if (!flow_enter(&pkt->tuple, flow)) {
		bpf_map_delete_elem(&flows, other_key);
		return pair_fail(pkt, -DROP_FLOW_TABLE_FULL);
	}
	bpf_map_delete_elem(&embryos, other_key);
	bpf_map_delete_elem(&embryos, &pkt->tuple);
	/* The entry is looked up again: LRU elements are used anew as soon as they are free. */
	flow = bpf_map_lookup_elem(&flows, &pkt->tuple);
	return flow ?: pair_fail(pkt, -DROP_FLOW_TABLE_FULL);
}

/* Not inline: its key would take up the stack of those who then open a pair. */
static __noinline void pair_delete(struct packet *pkt, const struct flow *flow)
{
	struct tuple other_key;

	tuple_reverse(&other_key, &flow->out);
	bpf_map_delete_elem(&flows, &other_key);
	bpf_map_delete_elem(&embryos, &other_key);
	bpf_map_delete_elem(&flows, &pkt->tuple);
	bpf_map_delete_elem(&embryos, &pkt->tuple);
}

/* Swaps a new value in whole, so that another CPU never sees one interface with another's
 * addresses; NULL: the entry has moved or expired meanwhile.
 */
static __always_inline struct flow *flow_replace(const struct tuple *key, const struct flow *fresh,
						 bool is_embryo)
{
	if (is_embryo) {
		bpf_map_update_elem(&embryos, key, fresh, BPF_EXIST);
		return bpf_map_lookup_elem(&embryos, key);
	}
	bpf_map_update_elem(&flows, key, fresh, BPF_EXIST);
	return bpf_map_lookup_elem(&flows, key);
}

/* The packets of pair->forward come another way than they did (its node is reached by VXLAN now, or
 * no longer): so shall the answers go, which that node would refuse by the old one.
 */
static __always_inline void pair_turn(const struct packet *pkt, struct flow_pair *pair,
				      bool is_embryo)
{
	struct flow *reverse;

	tuple_reverse(&pair->key, &pair->forward.out);
	reverse = is_embryo ? bpf_map_lookup_elem(&embryos, &pair->key)
			    : bpf_map_lookup_elem(&flows, &pair->key);
	if (!reverse)
		return;
	pair->reverse = *reverse;
	flow_answers_as(&pair->reverse, pkt);
	if (!flow_decide(&pair->reverse))
		flow_replace(&pair->key, &pair->reverse, is_embryo);
}

/* Decides a stale entry again: its translation stays, its way may change. */
static __noinline struct flow *pair_refresh(struct packet *pkt, struct flow *flow, bool is_embryo)
{
	struct flow_pair *pair = pair_buffer();
	struct flow *fresh;
	int ret;

	ret = source_check(pkt, &pkt->tuple.source);
	if (ret || !pair)
		return pair_fail(pkt, ret);
	fresh = &pair->forward;
	*fresh = *flow;
	flow_arrived_as(fresh, pkt);
	ret = flow_decide(fresh);
	if (ret) {
		if (!(fresh->flags & FLOW_SERVICE) || fresh->flags & FLOW_REVERSE ||
		    pkt->tuple.protocol != IPPROTO_UDP)
			return pair_fail(pkt, ret);
		pair_delete(pkt, fresh); /* its backend is gone; UDP may have another at once */
		return pair_fail(pkt, PAIR_NONE);
	}
	ret = policy_check(pkt, fresh);
	if (ret)
		return pair_fail(pkt, ret);
	if (!(fresh->flags & FLOW_REVERSE) && fresh->from_ifindex != flow->from_ifindex)
		pair_turn(pkt, pair, is_embryo);
	flow = flow_replace(&pkt->tuple, fresh, is_embryo);
	return flow ?: pair_fail(pkt, PAIR_NONE);
}
