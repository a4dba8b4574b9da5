/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Connections that are in no flow table any more, or never were: what policy refused, and what has
 * ended. No packet asks for them; `weir policy what-if` does. The oldest make room.
 */
#pragma once
#include "endpoint.h"
#include "flow.h"

/* What policy decides about; from which port is all the same. */
struct connection {
	struct address source;
	struct address destination; /* after translation */
	__be16 port;		    /* of the destination */
	__u8 protocol;
	__u8 pad;
};
_Static_assert(sizeof(struct connection) == 36, "pinned");

/* The connection of an entry and its key; a reverse entry's is the one that it answers. */
static __always_inline void connection_of(struct connection *connection, const struct tuple *tuple,
					  const struct flow *flow)
{
	bool is_reverse = flow->flags & FLOW_REVERSE;

	connection->source = is_reverse ? flow->out.destination : tuple->source;
	connection->destination = is_reverse ? tuple->source : flow->out.destination;
	connection->port = is_reverse ? tuple->source_port : flow->out.destination_port;
	connection->protocol = tuple->protocol;
}

/* Times are seconds of the coarse monotonic clock; 0: never. */
struct recent {
	__u32 last_denied;
	__u32 denied;	 /* packets */
	__u32 last_seen; /* its last packet, of an established flow that has ended */
};
_Static_assert(sizeof(struct recent) == 12, "pinned");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct connection);
	__type(value, struct recent);
} recent SEC(".maps");

/* The entry of this connection, made when it is not there; NULL: no room, and then it is lost. */
static __always_inline struct recent *recent_of(const struct connection *connection)
{
	struct recent *entry = bpf_map_lookup_elem(&recent, connection);
	struct recent never = {};

	if (entry)
		return entry;
	bpf_map_update_elem(&recent, connection, &never, BPF_NOEXIST);
	return bpf_map_lookup_elem(&recent, connection);
}

static __always_inline void recent_deny(const struct connection *connection)
{
	struct recent *entry = recent_of(connection);

	if (!entry)
		return;
	entry->last_denied = clock_seconds();
	__sync_fetch_and_add(&entry->denied, 1);
}

/* A forward entry is about to go with its pair. Flows between others are none of policy's here. */
static __always_inline void recent_end(const struct tuple *tuple, const struct flow *flow,
				       __u32 last_seen)
{
	struct connection connection = {};
	struct recent *entry;

	connection_of(&connection, tuple, flow);
	if (!endpoint_find(&connection.source) && !endpoint_find(&connection.destination))
		return;
	entry = recent_of(&connection);
	if (entry && (__s32)(last_seen - entry->last_seen) > 0)
		entry->last_seen = last_seen;
}
