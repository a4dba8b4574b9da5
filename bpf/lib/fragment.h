/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Fragments: only the first carries ports, so it leaves them here for the others.
 * A later fragment that overtakes the first one is dropped.
 */
#pragma once
#include "drop.h"
#include "tuple.h"

struct fragment_key {
	struct address source;
	struct address destination;
	__u32 id;
	__u8 protocol;
	__u8 pad[3];
};
_Static_assert(sizeof(struct fragment_key) == 40, "pinned");

struct fragment {
	__be16 source_port;
	__be16 destination_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct fragment_key);
	__type(value, struct fragment);
} fragments SEC(".maps");

static __always_inline void fragment_key_of(struct fragment_key *key, const struct tuple *tuple,
					    __u32 id)
{
	key->source = tuple->source;
	key->destination = tuple->destination;
	key->id = id;
	key->protocol = tuple->protocol;
	key->pad[0] = key->pad[1] = key->pad[2] = 0;
}

/* The first fragment: remembers its ports. */
static __always_inline void fragment_record(const struct tuple *tuple, __u32 id)
{
	struct fragment ports = { tuple->source_port, tuple->destination_port };
	struct fragment_key key;

	fragment_key_of(&key, tuple, id);
	bpf_map_update_elem(&fragments, &key, &ports, BPF_ANY);
}

/* A later fragment: fills in the ports of the first. */
static __always_inline int fragment_resolve(struct tuple *tuple, __u32 id)
{
	struct fragment_key key;
	struct fragment *ports;

	fragment_key_of(&key, tuple, id);
	ports = bpf_map_lookup_elem(&fragments, &key);
	if (!ports)
		return -DROP_FRAGMENT_UNKNOWN;
	tuple->source_port = ports->source_port;
	tuple->destination_port = ports->destination_port;
	return 0;
}
