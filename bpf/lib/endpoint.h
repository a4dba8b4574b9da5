/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Endpoints: the pods of this node, by address. Written by the agent. */
#pragma once
#include "address.h"

struct endpoint_key {
	struct address address;
};

struct endpoint {
	__u32 ifindex;		/* host end of the pod's veth */
	__u16 id;		/* endpoint id, 1..65535 */
	struct mac mac;		/* of the pod's interface */
	struct mac host_mac;	/* of the host end */
	__u16 pad;
	__u32 mtu;		/* bytes of IP packet */
};
