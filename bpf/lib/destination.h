/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Destinations: what lives on other nodes, by prefix: their podCIDRs and their
 * own addresses; and this node's podCIDRs, so that an address without a pod is
 * refused. Asked only for new or stale flows. Written by the agent.
 */
#pragma once
#include "address.h"

struct destination_key {
	__u32 prefix_length; /* of the 16-byte form: IPv4 /24 is 120 */
	struct address address;
};
_Static_assert(sizeof(struct destination_key) == 20, "pinned");

enum destination_flags {
	DESTINATION_OVERLAY = 1, /* reached by VXLAN; else by the uplink */
	DESTINATION_NODE = 2,	 /* an address of the node itself, not of pods */
	DESTINATION_ON_LINK = 4, /* `node` is a neighbour on the uplink: no FIB lookup */
	DESTINATION_LOCAL = 8,	 /* this node's podCIDR: what is no endpoint does not exist */
};

struct destination {
	struct address node;   /* the node's underlay address */
	struct address tunnel; /* where `node` is no IPv4 address: the one for VXLAN; else zero */
	__u32 flags;	       /* enum destination_flags */
};
_Static_assert(sizeof(struct destination) == 36, "pinned");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct destination_key);
	__type(value, struct destination);
} destinations SEC(".maps");

static __always_inline struct destination *destination_find(const struct address *address)
{
	struct destination_key key = { .prefix_length = 128, .address = *address };

	return bpf_map_lookup_elem(&destinations, &key);
}
