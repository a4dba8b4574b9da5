/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The end of a packet's walk in XDP. What its sender must be told of is left to tc, which meets
 * it again, drops it and answers; the rest dies here, counted and reported as XDP's.
 */
#pragma once
#include "finish.h"

GLOBAL int xdp_drop(struct xdp_md *xdp, struct packet *pkt, int reason)
{
	__u32 length = bpf_xdp_get_buff_len(xdp);

	if (!pkt || reply_is_due(pkt, reason))
		return XDP_PASS;
	pkt->direction = DIRECTION_XDP_UPLINK;
	metric_count(pkt->direction, reason & 31, length);
	event_send_drop(pkt, reason, xdp->ingress_ifindex, length);
	return XDP_DROP;
}

/* From a step's answer to the driver's. */
static __always_inline int xdp_finish(struct xdp_md *xdp, struct packet *pkt, int ret)
{
	if (unlikely(ret < 0))
		return xdp_drop(xdp, pkt, -ret);
	return ret == PASS ? XDP_PASS : ret;
}
