/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Claiming the reverse tuple of a new pair: that is how a source port is allocated. */
#pragma once
#include "balance.h"
#include "masquerade.h"

#define PORT_TRIES 128
#define PORT_FIRST 32768
#define PORT_COUNT 28232 /* up to 60999, as Linux' own ephemeral ports */

/* Too large for a stack of 512 bytes; bottom halves are off while a program runs, so one
 * per CPU is enough (pair.h).
 */
struct flow_pair {
	struct tuple key; /* of the reverse half */
	struct flow forward;
	struct flow reverse;
	struct choice choice;
};

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

/* A number for out->source_port; the node's own address has a range kept for this. */
static __always_inline __be16 pair_draw_port(const struct flow *forward)
{
	__u32 number = bpf_get_prandom_u32();

	if (forward->flags & FLOW_SNAT)
		return bpf_htons(config.masquerade_first + number % (config.masquerade_count ?: 1));
	return bpf_htons(PORT_FIRST + number % PORT_COUNT);
}

struct port_search {
	struct packet *pkt;
	struct flow_pair *pair;
	int ret;
};

/* One try: 1 ends the search. */
static long pair_try_port(__u32 index, struct port_search *search)
{
	struct flow_pair *pair = search->pair;
	struct tuple *out = &pair->forward.out;

	if (index || pair->forward.flags & FLOW_SNAT) {
		if (!tuple_has_port(out))
			return 1;
		out->source_port = pair_draw_port(&pair->forward);
	}
	if (!tuple_equal(out, &search->pkt->tuple)) {
		pair->forward.flags |= FLOW_TRANSLATED;
		pair->reverse.flags |= FLOW_TRANSLATED;
	}
	tuple_reverse(&pair->key, out);
	if (!pair_claim(pair))
		return 0;
	search->ret = 0;
	return 1;
}

/* Inserts the reverse half. A client that becomes this node gets a port of the range; with any
 * other the source port changes only when the tuple is taken (two ways to one backend, or a pod to
 * itself). Then until a free one is found.
 */
static __always_inline int pair_allocate(struct packet *pkt, struct flow_pair *pair)
{
	struct port_search search = { .pkt = pkt, .pair = pair, .ret = -DROP_NO_PORT };

	bpf_loop(PORT_TRIES, pair_try_port, &search, 0);
	return search.ret;
}
