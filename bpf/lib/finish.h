/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The one place where a packet dies: counted, reported, and answered where its sender would
 * otherwise wait.
 */
#pragma once
#include "event.h"
#include "reply.h"

GLOBAL int finish_drop(struct __sk_buff *skb, struct packet *pkt, int reason)
{
	if (!pkt)
		return TC_ACT_SHOT;
	metric_count(pkt->direction, reason & 31, skb->len);
	event_send_drop(pkt, reason, skb->ifindex, skb->len);
	return reply(skb, pkt, reason);
}

/* From a step's answer to the kernel's. */
static __always_inline int finish(struct __sk_buff *skb, struct packet *pkt, int ret)
{
	if (unlikely(ret < 0))
		return finish_drop(skb, pkt, -ret);
	return ret == PASS ? TC_ACT_UNSPEC : ret;
}

static __always_inline bool is_ip(__be16 protocol)
{
	return protocol == bpf_htons(ETH_P_IP) || protocol == bpf_htons(ETH_P_IPV6);
}
