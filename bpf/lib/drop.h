/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Why packets die. Numbers are only appended: they appear in metrics and events.
 * Steps return -DROP_x; only finish() drops, counts and reports.
 */
#pragma once

enum drop_reason {
	DROP_NONE = 0,
	DROP_MALFORMED = 1,	 /* headers shorter than they claim */
	DROP_UNSUPPORTED = 2,	 /* ethertype or protocol that no pod may send */
	DROP_SPOOFED_SOURCE = 3, /* source address is not the endpoint's */
	DROP_NO_BACKEND = 4,	 /* Service without backends; refused with RST / ICMP */
	DROP_NO_ENDPOINT = 5,	 /* address in this node's podCIDR without a pod */
	DROP_NO_ROUTE = 6,	 /* no way to the destination */
	DROP_FLOW_TABLE_FULL = 7,
	DROP_NO_PORT = 8,	       /* no free port for source translation */
	DROP_FRAGMENT_UNKNOWN = 9,     /* fragment whose first part was not seen */
	DROP_TOO_BIG = 10,	       /* above the MTU of the way out; answered with ICMP */
	DROP_UNKNOWN_TUNNEL_PEER = 11, /* VXLAN from an address that is no node */
	DROP_TTL_EXPIRED = 12,
	DROP_REDIRECT_FAILED = 13,  /* a kernel helper refused */
	DROP_INVALID_ICMP = 14,	    /* ICMP error that quotes no known flow */
	DROP_POLICY_EGRESS = 15,    /* the source's policies do not let it go there */
	DROP_POLICY_INGRESS = 16,   /* the destination's policies do not let it in */
	DROP_NO_LOCAL_BACKEND = 17, /* policy Local, and no backend on this node */
	DROP_SOURCE_RANGE = 18,	    /* the Service does not take this source */
};
