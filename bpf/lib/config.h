/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is constant while a node's programs are loaded. The agent writes it
 * into .rodata between open and load, so the verifier removes what is off.
 */
#pragma once
#include "address.h"

struct config {
	struct address gateway4; /* on weir_host; all zero: no IPv4 */
	struct address gateway6; /* on weir_host; all zero: no IPv6 */
	struct address node4;	 /* this node's own underlay address */
	struct address node6;
	__u32 host_ifindex;    /* weir_host */
	__u32 uplink_ifindex;  /* device that carries the node's addresses */
	__u32 overlay_ifindex; /* weir_vxlan; 0: no overlay */
	__u32 overlay_vni;
	__u32 uplink_mtu;    /* bytes of IP packet */
	__be16 overlay_port; /* UDP, 8472 by default */
	struct mac host_mac; /* of weir_host */
	struct mac uplink_mac;
	__u16 masquerade_first; /* ports at the node's address for translated sources */
	__u16 masquerade_count;
	__u8 masquerade;      /* 1: pods leave the cluster with the node's address */
	__u8 socket_services; /* 1: connect() translates, else per packet */
	__u64 netns_cookie;   /* of the node's own network namespace */
};
_Static_assert(sizeof(struct config) == 112, "the agent writes it by its layout");

const volatile struct config config = {};

/* Raised by the agent when an endpoint or destination changes; a flow decided under
 * another epoch is decided again on its next packet.
 */
volatile __u32 epoch SEC(".data.epoch") = 0;
