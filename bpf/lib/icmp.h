/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* ICMP errors. One travels along the entry whose key is the reverse of what it quotes; where
 * that entry translates, the quoted packet is made to look as its sender sent it.
 */
#pragma once
#include "pair.h"

/* Only who takes part in a connection may complain of it: the pod at its end, the node at its
 * other end, or, for what comes by the uplink or the stack, any router.
 */
static __always_inline bool icmp_may_complain(const struct packet *pkt, const struct flow *flow)
{
	if (pkt->by_name)
		return !source_check(pkt, &pkt->complainer);
	if (pkt->by_overlay)
		return flow->flags & FLOW_FROM_OVERLAY && flow_is_from_peer(flow, pkt);
	if (pkt->direction != DIRECTION_FROM_POD)
		return true;
	return flow->from_ifindex == pkt->from_ifindex && !source_check(pkt, &pkt->complainer);
}

/* The stack judges errors about flows that it alone knows; nobody else's pass. About a connection
 * that policy has denied meanwhile there is nothing to say.
 */
static __noinline struct flow *icmp_error_flow(struct packet *pkt)
{
	struct flow *flow = bpf_map_lookup_elem(&flows, &pkt->tuple);
	bool is_pod_or_overlay = pkt->direction == DIRECTION_FROM_POD || pkt->by_overlay;
	int ret;

	if (!flow)
		flow = bpf_map_lookup_elem(&embryos, &pkt->tuple);
	if (!flow)
		return pair_fail(pkt, is_pod_or_overlay ? -DROP_INVALID_ICMP : PASS);
	if (!icmp_may_complain(pkt, flow))
		return pair_fail(pkt, -DROP_INVALID_ICMP);
	ret = flow->epoch == epoch ? 0 : policy_check(pkt, flow);
	return ret ? pair_fail(pkt, ret) : flow;
}
