/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which backend a new connection gets: the one its client had (affinity), else the slot that a
 * number picks: a random one, or for Maglev a hash of the tuple.
 */
#pragma once
#include "config.h"
#include "service.h"
#include "tuple.h"

struct affinity_key {
	struct address client; /* of a socket: its network namespace's cookie, as ::cookie */
	__u32 service_id;
};
_Static_assert(sizeof(struct affinity_key) == 20, "pinned");

struct affinity {
	struct address backend;
	__be16 port;
	__u16 pad;
	__u32 set_id; /* the set in which the backend has this slot; of another one: look again */
	__u32 slot;
	__u32 last_used; /* seconds of the coarse monotonic clock */
};
_Static_assert(sizeof(struct affinity) == 32, "pinned");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct affinity_key);
	__type(value, struct affinity);
} affinity SEC(".maps");

struct source_range_key {
	__u32 prefix_length; /* 32 of the id, and those of the 16-byte address */
	__u32 service_id;
	struct address address;
};
_Static_assert(sizeof(struct source_range_key) == 24, "pinned");

/* Who may ask a service with SERVICE_SOURCE_RANGES. The value is always 1. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct source_range_key);
	__type(value, __u32);
} source_ranges SEC(".maps");

static __always_inline bool source_range_holds(__u32 service_id, const struct address *source)
{
	struct source_range_key key = { .prefix_length = 32 + 128,
					.service_id = service_id,
					.address = *source };

	return bpf_map_lookup_elem(&source_ranges, &key);
}

/* The same on every node, so that a Maglev table answers alike wherever a packet arrives. */
static __always_inline __u32 tuple_hash(const struct tuple *tuple)
{
	const __u64 *word = (const __u64 *)tuple;
	__u64 hash = 0;

	for (__u32 i = 0; i < sizeof(*tuple) / sizeof(*word); i++) {
		hash = (hash ^ word[i]) * 0x9e3779b97f4a7c15;
		hash ^= hash >> 32;
	}
	return hash;
}

/* A connection to place. Of packets it lies in pair_scratch, for the stack is short. */
struct choice {
	struct affinity_key key;
	struct affinity affinity; /* if it is the client's first */
	__u32 number;		  /* picks the slot */
	__u32 now;
	__u32 pad;
};

static __always_inline struct backend *set_backend(const struct service_set *set, __u32 slot)
{
	struct backend_key key = { .set_id = set->id, .slot = slot };

	return bpf_map_lookup_elem(&backends, &key);
}

struct affinity_search {
	struct affinity *held;
	const struct service_set *set;
	struct backend *found;
};

static long affinity_visit(__u32 slot, struct affinity_search *search)
{
	struct affinity *held = search->held;
	struct backend *backend = set_backend(search->set, slot);

	if (!backend || backend->port != held->port ||
	    !address_equal(&backend->address, &held->backend))
		return 0;
	held->slot = slot;
	held->set_id = search->set->id;
	search->found = backend;
	return 1;
}

/* The backend that this client had, if it is still in the set; then its slot there is noted. */
static __always_inline struct backend *affinity_backend(const struct service *service,
							const struct service_set *set,
							const struct choice *choice)
{
	struct affinity *held = bpf_map_lookup_elem(&affinity, &choice->key);
	struct affinity_search search = { .held = held, .set = set };

	if (!held || choice->now - held->last_used > service->affinity_seconds)
		return NULL;
	held->last_used = choice->now;
	if (held->set_id == set->id)
		return set_backend(set, held->slot);
	bpf_loop(set->count, affinity_visit, &search, 0);
	return search.found;
}

static __always_inline void affinity_begin(const struct service_set *set, struct choice *choice,
					   const struct backend *backend, __u32 slot)
{
	choice->affinity = (struct affinity){ .backend = backend->address,
					      .port = backend->port,
					      .set_id = set->id,
					      .slot = slot,
					      .last_used = choice->now };
	bpf_map_update_elem(&affinity, &choice->key, &choice->affinity, BPF_ANY);
}

/* The backend, or NULL when the set has none. */
static __noinline struct backend *
service_choose(const struct service *service, const struct service_set *set, struct choice *choice)
{
	struct backend *backend = NULL;
	__u32 slot;

	if (!set->count)
		return NULL;
	choice->key.service_id = service->id;
	if (service->affinity_seconds)
		backend = affinity_backend(service, set, choice);
	if (!backend) {
		slot = choice->number % set->count;
		backend = set_backend(set, slot);
		if (!backend)
			return NULL;
		if (service->affinity_seconds)
			affinity_begin(set, choice, backend, slot);
	}
	__sync_fetch_and_add(&backend->hits, 1);
	return backend;
}
