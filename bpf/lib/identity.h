/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Identities: numbers for who somebody is, as rules of policy name him. Written by the agent.
 *
 * Who is who, and which rules a pod has (policy.h), are held twice, by the two values of
 * `policy_generation`: the agent writes the half that nobody reads, flips the generation, then
 * writes the other half. So a change of any size comes into force at once.
 */
#pragma once
#include "decide.h"
#include "destination.h"

enum identity {
	IDENTITY_ANY = 0,	  /* in rules: everybody */
	IDENTITY_UNKNOWN_POD = 1, /* an address of pods, of which nothing is known yet */
	IDENTITY_HOST = 2,	  /* this node */
	IDENTITY_WORLD = 3,
	IDENTITY_NODES = 4, /* the other nodes */
	IDENTITY_PODS4 = 5, /* in rules: every known pod, by an address of this family */
	IDENTITY_PODS6 = 6,
	IDENTITY_FIRST_POD = 256,
	IDENTITY_FIRST_CIDR = 1 << 24,
};

struct identity_key {
	struct address address; /* of a pod, anywhere */
};

/* By generation; 0: not there. */
struct identity_pair {
	__u32 identity[2];
};
_Static_assert(sizeof(struct identity_pair) == 8, "pinned");

struct cidr_key {
	__u32 prefix_length; /* of the 16-byte form */
	struct address address;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct identity_key);
	__type(value, struct identity_pair);
} identities SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cidr_key);
	__type(value, struct identity_pair);
} cidr_identities SEC(".maps");

/* Which half of every pair is in force, by its lowest bit. */
volatile __u32 policy_generation SEC(".data.epoch") = 0;

enum identity exported_identity SEC(".export") = IDENTITY_ANY;

/* Who `address` is: a pod by its address, others by the longest prefix that a rule names. `group`
 * is the number of all pods, when he is one.
 */
static __always_inline __u32 identity_find(const struct address *address, __u32 generation,
					   struct cidr_key *key, __u32 *group)
{
	struct destination *destination;
	struct identity_pair *pair;
	__u32 identity;

	pair = bpf_map_lookup_elem(&identities, address);
	identity = pair ? pair->identity[generation & 1] : 0;
	if (identity >= IDENTITY_FIRST_POD) {
		*group = address_is_ipv4(address) ? IDENTITY_PODS4 : IDENTITY_PODS6;
		return identity;
	}
	if (identity == IDENTITY_UNKNOWN_POD)
		*group = IDENTITY_UNKNOWN_POD;
	key->prefix_length = 128;
	key->address = *address;
	pair = bpf_map_lookup_elem(&cidr_identities, key);
	identity = pair ? pair->identity[generation & 1] : 0;
	if (address_is_own(address))
		return identity ?: IDENTITY_HOST;
	destination = destination_find(address);
	if (destination && !(destination->flags & DESTINATION_NODE))
		*group = IDENTITY_UNKNOWN_POD;
	if (identity)
		return identity;
	if (*group)
		return *group;
	return destination ? IDENTITY_NODES : IDENTITY_WORLD;
}
