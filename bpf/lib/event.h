/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Events: one per drop, for `weir monitor`. */
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
	__u8 reason;	    /* enum drop_reason */
	__u8 direction;	    /* enum direction */
	__u32 pad;
};
_Static_assert(sizeof(struct event) == 64, "read from the ring buffer");

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

static __always_inline void event_send(const struct tuple *tuple, __u8 reason, __u8 direction,
				       __u32 ifindex, __u32 length)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		metric_count(direction, METRIC_EVENTS_LOST, length);
		return;
	}
	event->timestamp = bpf_ktime_get_ns();
	event->tuple = *tuple;
	event->ifindex = ifindex;
	event->length = length;
	event->endpoint_id = event_endpoint(tuple);
	event->reason = reason;
	event->direction = direction;
	event->pad = 0;
	bpf_ringbuf_submit(event, 0);
}
