/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The two halves of a connection: made, promoted, refreshed and removed together. */
#pragma once
#include "decide.h"
#include "policy.h"

#define PORT_TRIES 16
#define PORT_FIRST 32768
#define PORT_COUNT 28232 /* up to 60999, as Linux' own ephemeral ports */

/* Too large for a stack of 512 bytes; bottom halves are off while a program runs, so one
 * per CPU is enough.
 */
struct flow_pair {
	struct tuple key; /* of the reverse half */
	struct flow forward;
	struct flow reverse;
};

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

/* 0, a verdict that needs no flow, or -DROP_x: what each hook may forward. */
static __always_inline int pair_may_open(const struct packet *pkt, const struct flow *forward)
{
	bool to_endpoint = forward->next == FLOW_TO_ENDPOINT;

	if (pkt->direction == DIRECTION_TO_POD)
		return to_endpoint && forward->to_ifindex == pkt->on_ifindex ? 0 : PASS;
	if (pkt->direction == DIRECTION_FROM_UPLINK)
		return to_endpoint ? 0 : PASS;
	if (pkt->direction == DIRECTION_FROM_HOST)
		return to_endpoint || forward->next == FLOW_TO_STACK ? -DROP_NO_ROUTE : 0;
	return 0;
}

static __always_inline int pair_fill_forward(struct packet *pkt, struct flow *forward)
{
	int ret;

	*forward = (struct flow){ .out = pkt->tuple, .last_seen = clock_seconds() };
	flow_arrived_as(forward, pkt);
	if (pkt->direction == DIRECTION_FROM_POD) {
		ret = flow_choose_backend(pkt, forward);
		if (ret)
			return ret;
	}
	ret = flow_decide(forward);
	if (ret)
		return ret;
	return pair_may_open(pkt, forward);
}

static __always_inline int pair_fill_reverse(struct packet *pkt, struct flow *reverse,
					     const struct flow *forward)
{
	*reverse =
		(struct flow){ .last_seen = forward->last_seen, .service_id = forward->service_id };
	tuple_reverse(&reverse->out, &pkt->tuple);
	reverse->egress_rule = forward->egress_rule;
	reverse->ingress_rule = forward->ingress_rule;
	reverse->flags = FLOW_REVERSE | (forward->flags & (FLOW_SERVICE | FLOW_HAIRPIN));
	if (pkt->direction == DIRECTION_TO_POD)
		reverse->flags |= FLOW_BY_STACK;
	if (pkt->direction == DIRECTION_FROM_UPLINK)
		reverse->flags |= FLOW_BY_UPLINK;
	flow_arrives_from(reverse, forward);
	return flow_decide(reverse);
}

/* Takes the reverse tuple for this connection; false when another one holds it. */
static __always_inline bool pair_claim(struct flow_pair *pair)
{
	struct flow *held = bpf_map_lookup_elem(&flows, &pair->key);

	if (held && !tuple_equal(&held->out, &pair->reverse.out))
		return false;
	if (!bpf_map_update_elem(&embryos, &pair->key, &pair->reverse, BPF_NOEXIST))
		return true;
	held = bpf_map_lookup_elem(&embryos, &pair->key);
	if (held && !tuple_equal(&held->out, &pair->reverse.out))
		return false;
	return !bpf_map_update_elem(&embryos, &pair->key, &pair->reverse, BPF_ANY);
}

/* Inserts the reverse half. Only when its tuple is taken (two ways to one backend, or a pod
 * to itself) does the source port change; then until a free one is found.
 */
static __always_inline int pair_allocate(struct packet *pkt, struct flow_pair *pair)
{
	struct tuple *out = &pair->forward.out;

	for (int i = 0; i < PORT_TRIES; i++) {
		if (!tuple_equal(out, &pkt->tuple)) {
			pair->forward.flags |= FLOW_TRANSLATED;
			pair->reverse.flags |= FLOW_TRANSLATED;
		}
		tuple_reverse(&pair->key, out);
		if (pair_claim(pair))
			return 0;
		if (out->protocol != IPPROTO_TCP && out->protocol != IPPROTO_UDP)
			break;
		out->source_port = bpf_htons(PORT_FIRST + bpf_get_prandom_u32() % PORT_COUNT);
	}
	return -DROP_NO_PORT;
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
static __noinline struct flow *pair_open(struct packet *pkt)
{
	struct flow_pair *pair = pair_buffer();
	struct flow *flow;
	int ret;

	if (!pair)
		return pair_fail(pkt, -DROP_FLOW_TABLE_FULL);
	ret = source_check(pkt, &pkt->tuple.source);
	if (ret)
		return pair_fail(pkt, ret);
	ret = pair_fill_forward(pkt, &pair->forward);
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

/* Moves a pair of which both ends have spoken to `flows`; answers the packet's entry there. */
static __always_inline struct flow *pair_promote(struct packet *pkt, struct tuple *other_key,
						 struct flow *flow, struct flow *other)
{
	flow->flags |= FLOW_SEEN_REPLY;
	other->flags |= FLOW_SEEN_REPLY;
	if (bpf_map_update_elem(&flows, other_key, other, BPF_ANY))
		return pair_fail(pkt, -DROP_FLOW_TABLE_FULL);
	if (bpf_map_update_elem(&flows, &pkt->tuple, flow, BPF_ANY)) {
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

/* Decides a stale entry again: its translation stays, its way may change. The new value is
 * swapped in whole, so that another CPU never sees one interface with another's addresses.
 */
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
		return pair_open(pkt);
	}
	ret = policy_check(pkt, fresh);
	if (ret)
		return pair_fail(pkt, ret);
	if (is_embryo) {
		bpf_map_update_elem(&embryos, &pkt->tuple, fresh, BPF_EXIST);
		flow = bpf_map_lookup_elem(&embryos, &pkt->tuple);
	} else {
		bpf_map_update_elem(&flows, &pkt->tuple, fresh, BPF_EXIST);
		flow = bpf_map_lookup_elem(&flows, &pkt->tuple);
	}
	return flow ?: pair_fail(pkt, -DROP_FLOW_TABLE_FULL);
}
