/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Flows: the one table of connections, two entries a connection.
 *
 *   forward: the tuple as it arrives      -> the tuple as it leaves, next hop
 *   reverse: reverse(tuple as it leaves)  -> reverse(tuple as it arrived), next hop
 *
 * The pair is conntrack, service DNAT, its reverse, hairpin SNAT and session
 * state at once. For any entry, the other half's key is reverse(entry.out).
 *
 * New connections live in `embryos` (LRU) until both ends have spoken (TCP: until
 * the initiator acknowledges); then the pair moves to `flows` (plain hash, never
 * evicts). So a SYN flood displaces only other unfinished handshakes, and eviction
 * never splits an established pair.
 */
#pragma once
#include "clock.h"
#include "config.h"
#include "packet.h"
#include "tuple.h"

enum flow_next {
	FLOW_TO_STACK = 0,     /* the node's own stack: host, world */
	FLOW_TO_ENDPOINT = 1,  /* bpf_redirect_peer into a pod of this node */
	FLOW_TO_NEIGHBOUR = 2, /* bpf_redirect_neigh on the uplink, next hop in `node` */
	FLOW_TO_FIB = 3,       /* uplink, next hop by FIB lookup */
	FLOW_TO_OVERLAY = 4,   /* VXLAN to `node` */
	FLOW_TO_HOST = 5,      /* ingress of weir_host: from the overlay to the node itself */
};

enum flow_flags {
	FLOW_REVERSE = 1,	 /* this is the reverse entry of its pair */
	FLOW_TRANSLATED = 2,	 /* out differs from the key */
	FLOW_SERVICE = 4,	 /* made through a frontend */
	FLOW_FIN = 8,		 /* this direction has sent FIN */
	FLOW_RST = 16,		 /* this direction has sent RST */
	FLOW_SEEN_REPLY = 32,	 /* the other direction has answered; both halves once promoted */
	FLOW_HAIRPIN = 64,	 /* a pod to itself through a Service */
	FLOW_FROM_OVERLAY = 128, /* must arrive by VXLAN from `node` */
	FLOW_BY_STACK = 256,	 /* its other half came through the stack: goes back there */
	FLOW_BY_UPLINK = 512,	 /* its other half came by the uplink: the world is there */
	FLOW_ON_LINK = 1024,	 /* `node` is a neighbour on the uplink: no FIB lookup */
	FLOW_SHAPED = 2048,	 /* into its pod through the egress queue of the host end */
	FLOW_SNAT = 4096,	 /* the client appears as this node */
	FLOW_DSR = 8192,       /* leaves as it came: `out` names the backend to its node (dsr.h) */
	FLOW_DSR_NODE = 16384, /* FLOW_DSR: the backend is a process of its node, and no pod */
};

struct flow {
	struct tuple out;    /* as the packet leaves */
	struct address node; /* next hop, tunnel endpoint, or where overlay packets come from */
	__u32 epoch;	     /* decided under this epoch; another one: decide again */
	__u32 from_ifindex;  /* may arrive on: a pod's veth, overlay_ifindex; 0: stack, uplink */
	__u32 to_ifindex;    /* interface it leaves by */
	__u32 last_seen;     /* seconds of the coarse monotonic clock */
	__u32 service_id;    /* service port that made it, or 0 */
	__u16 flags;	     /* enum flow_flags */
	__u8 next;	     /* enum flow_next */
	__u8 pad;
	struct mac destination_mac; /* written on the frame when next is an endpoint */
	struct mac source_mac;
	__u32 mtu;	   /* of the way out: longer packets get frag needed / too big */
	__u32 egress_rule; /* what let it be: of the source's policies; 0: nothing isolates it */
	__u32 ingress_rule;
	__u64 packets; /* not atomic: may lose counts between CPUs */
	__u64 bytes;
};
_Static_assert(sizeof(struct flow) == 120, "pinned");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__type(key, struct tuple);
	__type(value, struct flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct tuple);
	__type(value, struct flow);
} embryos SEC(".maps");

/* True when packets leave with another tuple than they came with. */
static __always_inline bool flow_translates(const struct flow *flow)
{
	return (flow->flags & (FLOW_TRANSLATED | FLOW_DSR)) == FLOW_TRANSLATED;
}

static __always_inline void flow_touch(struct flow *flow, __u32 length)
{
	__u32 now = clock_seconds();

	if (flow->last_seen != now)
		flow->last_seen = now;
	flow->packets++;
	flow->bytes += length;
}

/* True when VXLAN of this sender may carry the entry's packets. What leaves for another node again
 * holds that one in `node`: its sender was asked for when the entry was decided.
 */
static __always_inline bool flow_is_from_peer(const struct flow *flow, const struct packet *pkt)
{
	if (flow->next == FLOW_TO_NEIGHBOUR || flow->next == FLOW_TO_OVERLAY)
		return true;
	return address_equal(&flow->node, &pkt->peer);
}

/* True when the entry's decision stands, and the packet came the way it must. */
static __always_inline bool flow_is_current(const struct flow *flow, const struct packet *pkt)
{
	if (flow->from_ifindex != pkt->from_ifindex || flow->epoch != epoch)
		return false;
	return !pkt->by_overlay || flow_is_from_peer(flow, pkt);
}

/* THE lookup: the entry of an established connection's ordinary packet, or NULL. */
static __always_inline struct flow *flow_established(struct packet *pkt)
{
	struct flow *flow;

	if (pkt->attention)
		return NULL;
	flow = bpf_map_lookup_elem(&flows, &pkt->tuple);
	if (unlikely(!flow)) {
		pkt->is_unknown = 1;
		return NULL;
	}
	return likely(flow_is_current(flow, pkt)) ? flow : NULL;
}
