/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Endpoints: the pods of this node, by address. Written by the agent. */
#pragma once
#include "address.h"

struct endpoint_key {
	struct address address;
};

enum endpoint_flags {
	ENDPOINT_SHAPED = 1, /* what enters the pod queues at the host end's egress */
};

struct endpoint {
	__u32 ifindex;	     /* host end of the pod's veth */
	__u16 id;	     /* endpoint id, 1..65535 */
	struct mac mac;	     /* of the pod's interface */
	struct mac host_mac; /* of the host end */
	__u16 flags;	     /* enum endpoint_flags */
	__u32 mtu;	     /* bytes of IP packet */
};
_Static_assert(sizeof(struct endpoint) == 24, "pinned");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct endpoint_key);
	__type(value, struct endpoint);
} endpoints SEC(".maps");

static __always_inline struct endpoint *endpoint_find(const struct address *address)
{
	return bpf_map_lookup_elem(&endpoints, address);
}
