/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Uplinks: the node's devices towards other nodes and the world. Other nodes are on the first, the
 * one in config; clients may be on any.
 */
#pragma once
#include "address.h"

/* A device towards the world, and the node's addresses on it. Written by the agent. */
struct uplink {
	struct address address4; /* all zero: none */
	struct address address6;
	__u32 mtu;
	struct mac mac;
	__u16 pad;
};
_Static_assert(sizeof(struct uplink) == 44, "pinned");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32); /* ifindex */
	__type(value, struct uplink);
} uplinks SEC(".maps");
