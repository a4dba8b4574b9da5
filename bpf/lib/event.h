/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Events: one per drop and, when asked for, per decision of policy; for `weir monitor`. */
#pragma once
#include "destination.h"
#include "endpoint.h"
#include "flow.h"
#include "metrics.h"

struct event {
	__u64 timestamp;    /* nanoseconds of the monotonic clock */
	struct tuple tuple; /* of an ICMP error: the reverse of what it quotes */
	__u32 ifindex;	    /* where the packet was met; 0: a socket */
	__u32 length;	    /* bytes of frame */
	__u16 endpoint_id;  /* of the source, else of the destination; 0: neither is a pod here */
	__u8 reason;	    /* enum drop_reason; DROP_NONE: a decision that let the packet go on */
	__u8 direction;	    /* enum direction */
	__u32 rule_id;	    /* decisions of policy: by which rule; 0: no rule */
	__u32 identity;	    /* the same: whom the peer was taken for */
	__u8 verdict;	    /* the same: enum policy_verdict */
	__u8 policy_direction;
	__u16 pad;
};
_Static_assert(sizeof(struct event) == 72, "read from the ring buffer");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* Types that no map holds reach BTF, and so TypeScript, through globals of a section that
 * libbpf does not load.
 */
struct event exported_event SEC(".export") = {};
enum drop_reason exported_drop_reason SEC(".export") = 0;
enum metric_slot exported_metric_slot SEC(".export") = METRIC_FORWARDED;
enum direction exported_direction SEC(".export") = 0;
enum flow_next exported_flow_next SEC(".export") = 0;
enum flow_flags exported_flow_flags SEC(".export") = FLOW_REVERSE;
enum endpoint_flags exported_endpoint_flags SEC(".export") = ENDPOINT_SHAPED;
enum destination_flags exported_destination_flags SEC(".export") = DESTINATION_OVERLAY;

static __always_inline __u16 event_endpoint(const struct tuple *tuple)
{
	struct endpoint *endpoint = endpoint_find(&tuple->source);

	if (!endpoint)
		endpoint = endpoint_find(&tuple->destination);
	return endpoint ? endpoint->id : 0;
}

/* An event to be completed and submitted, or NULL: there is no room, which is counted. */
static __always_inline struct event *event_begin(const struct tuple *tuple, __u8 reason,
						 __u8 direction, __u32 ifindex, __u32 length)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		metric_count(direction, METRIC_EVENTS_LOST, length);
		return NULL;
	}
	event->timestamp = bpf_ktime_get_ns();
	event->tuple = *tuple;
	event->ifindex = ifindex;
	event->length = length;
	event->endpoint_id = event_endpoint(tuple);
	event->reason = reason;
	event->direction = direction;
	event->rule_id = 0;
	event->identity = 0;
	event->verdict = 0;
	event->policy_direction = 0;
	event->pad = 0;
	return event;
}

static __always_inline void event_send(const struct tuple *tuple, __u8 reason, __u8 direction,
				       __u32 ifindex, __u32 length)
{
	struct event *event = event_begin(tuple, reason, direction, ifindex, length);

	if (event)
		bpf_ringbuf_submit(event, 0);
}

/* A packet's death, with the rule when policy is the reason. */
static __always_inline void event_send_drop(const struct packet *pkt, __u8 reason, __u32 ifindex,
					    __u32 length)
{
	struct event *event = event_begin(&pkt->tuple, reason, pkt->direction, ifindex, length);

	if (!event)
		return;
	event->rule_id = pkt->rule_id;
	event->identity = pkt->identity;
	event->policy_direction = reason == DROP_POLICY_INGRESS;
	bpf_ringbuf_submit(event, 0);
}
