/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Counters, per CPU: what became of packets, by the place where they were met. */
#pragma once
#include "drop.h"
#include "packet.h"

/* A metric's key is direction << METRIC_SHIFT | slot. */
enum metric_slot {
	/* 1..31: enum drop_reason */
	METRIC_FORWARDED = 32,	 /* + enum flow_next */
	METRIC_AUDITED = 60,	 /* + enum policy_direction: would be denied, but is only watched */
	METRIC_EVENTS_LOST = 63, /* drops whose event did not fit into the ring buffer */
};
#define METRIC_SHIFT 6

struct metric {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 8 << METRIC_SHIFT);
	__type(key, __u32);
	__type(value, struct metric);
} metrics SEC(".maps");

static __always_inline void metric_count(__u32 direction, __u32 slot, __u32 length)
{
	__u32 key = direction << METRIC_SHIFT | slot;
	struct metric *metric = bpf_map_lookup_elem(&metrics, &key);

	if (!metric)
		return;
	metric->packets++;
	metric->bytes += length;
}
