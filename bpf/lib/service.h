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
	__u8 scope;    /* 0; kept for internal/external traffic policies */
};
_Static_assert(sizeof(struct service_key) == 20, "pinned");

struct service {
	__u32 id;     /* node-local number of the frontend, never 0 */
	__u32 set_id; /* names the backend set */
	__u32 count;  /* backends in the set; 0: refuse at once */
	__u32 flags;  /* 0 for now */
};
_Static_assert(sizeof(struct service) == 16, "pinned");

struct backend_key {
	__u32 set_id;
	__u32 slot; /* 0..count-1 */
};
_Static_assert(sizeof(struct backend_key) == 8, "pinned");

struct backend {
	struct address address;
	__be16 port;
	__u16 pad;
};
_Static_assert(sizeof(struct backend) == 20, "pinned");

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

static __always_inline struct service *service_find(const struct address *address, __be16 port,
						    __u8 protocol)
{
	struct service_key key = { .address = *address, .port = port, .protocol = protocol };

	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return NULL;
	return bpf_map_lookup_elem(&services, &key);
}

/* The backend that `number` picks; NULL when the service has none. */
static __always_inline struct backend *service_backend(const struct service *service, __u32 number)
{
	struct backend_key key = { .set_id = service->set_id };

	if (!service->count)
		return NULL;
	key.slot = number % service->count;
	return bpf_map_lookup_elem(&backends, &key);
}
