/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Destinations: what lives on other nodes, by prefix: their podCIDRs and their
 * own addresses. Asked only for new or stale flows. Written by the agent.
 */
#pragma once
#include "address.h"

struct destination_key {
	__u32 prefix_length;	/* of the 16-byte form: IPv4 /24 is 120 */
	struct address address;
};

enum destination_flags {
	DESTINATION_OVERLAY = 1,	/* reached by VXLAN; else by the uplink */
	DESTINATION_NODE = 2,		/* an address of the node itself, not of pods */
	DESTINATION_ON_LINK = 4,	/* `node` is a neighbour on the uplink: no FIB lookup */
};

struct destination {
	struct address node;	/* the node's underlay address */
	__u32 flags;		/* enum destination_flags */
};
