/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Services: frontends and the sets of backends behind them. Written by the agent.
 *
 * A set of backends is never changed in place: the agent writes a new set under
 * a new set id, then swaps the frontend's value (one atomic map update), then,
 * when no program can still hold the old value, deletes the old set. So a
 * reader meets the old set or the new one, and never a missing backend.
 */
#pragma once
#include "address.h"

struct service_key {
	struct address address;
	__be16 port;
	__u8 protocol;		/* IPPROTO_TCP, IPPROTO_UDP */
	__u8 scope;		/* 0; kept for internal/external traffic policies */
};

struct service {
	__u32 id;		/* node-local number of the frontend, never 0 */
	__u32 set_id;		/* names the backend set */
	__u32 count;		/* backends in the set; 0: refuse at once */
	__u32 flags;		/* 0 for now */
};

struct backend_key {
	__u32 set_id;
	__u32 slot;		/* 0..count-1 */
};

struct backend {
	struct address address;
	__be16 port;
	__u16 pad;
};
