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
	__u8 protocol; /* IPPROTO_TCP, IPPROTO_UDP */
	__u8 pad;
};
_Static_assert(sizeof(struct service_key) == 20, "pinned");

/* A set: slots 0..count-1 of map backends. A Maglev set's slots are its lookup table. */
struct service_set {
	__u32 id;
	__u32 count; /* 0: nobody is there */
};

enum service_flags {
	SERVICE_MAGLEV = 1,	   /* the slot is a hash of the tuple, the same on every node */
	SERVICE_DSR = 2,	   /* the backend's node answers the client itself */
	SERVICE_SOURCE_RANGES = 4, /* only who is in map source_ranges may ask */
	SERVICE_DROP_EMPTY = 8,	   /* an empty internal set is silence, and no refusal */
	SERVICE_DROP_EMPTY_EXTERNAL = 16, /* the same of the external set */
};

struct service {
	__u32 id; /* node-local number of the service port, shared by its frontends; never 0 */
	struct service_set internal; /* for the cluster's pods and this node */
	struct service_set external; /* for everybody else */
	__u32 affinity_seconds;	     /* 0: none */
	__u32 flags;		     /* enum service_flags */
};
_Static_assert(sizeof(struct service) == 28, "pinned");

struct backend_key {
	__u32 set_id;
	__u32 slot;
};
_Static_assert(sizeof(struct backend_key) == 8, "pinned");

struct backend {
	struct address address;
	__be16 port;
	__u16 pad[3];
	__u64 hits; /* new connections it was given */
};
_Static_assert(sizeof(struct backend) == 32, "pinned");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct service_key);
	__type(value, struct service);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1048576);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct backend_key);
	__type(value, struct backend);
} backends SEC(".maps");

enum service_flags exported_service_flags SEC(".export") = SERVICE_MAGLEV;

static __always_inline struct service *service_find(const struct address *address, __be16 port,
						    __u8 protocol)
{
	struct service_key key = { .address = *address, .port = port, .protocol = protocol };

	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return NULL;
	return bpf_map_lookup_elem(&services, &key);
}
