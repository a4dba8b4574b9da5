/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Housekeeping of the flow table, run by the agent with BPF_PROG_TEST_RUN; the context carries
 * timeouts in and counts out. A pair goes whole, and only when both halves are idle.
 */

/* Context of flow_gc. Timeouts are seconds without a packet in either direction. */
struct gc {
	__u32 now;	      /* seconds of the coarse monotonic clock; 0: the kernel's now */
	__u32 embryo_timeout; /* no answer yet: SYN, one-way UDP */
	__u32 tcp_timeout;
	__u32 half_closed_timeout; /* TCP after FIN of one side: the other may still send */
	__u32 closing_timeout;	   /* TCP after RST, or FIN of both sides */
	__u32 udp_timeout;
	__u32 icmp_timeout;
	__u32 other_timeout;
	/* Out: pairs, but embryos, which are entries. */
	__u32 established; /* TCP */
	__u32 closing;	   /* TCP, half-closed or more */
	__u32 udp;
	__u32 icmp;
	__u32 other;
	__u32 embryos;
	__u32 expired; /* entries deleted */
};
_Static_assert(sizeof(struct gc) == 60, "the agent fills it by its layout");

/* Context of flow_purge. */
struct purge {
	__u32 deleted; /* out: entries */
};
_Static_assert(sizeof(struct purge) == 4, "the agent fills it by its layout");

/* Whose UDP flows flow_purge ends; written by the agent for each run. */
struct ended_key {
	struct address address;
	__u32 service_id; /* then the address is a backend's; 0: a frontend's */
	__be16 port;
	__u16 pad;
};
_Static_assert(sizeof(struct ended_key) == 24, "pinned");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ended_key);
	__type(value, __u32);
} ended SEC(".maps");

struct gc exported_gc SEC(".export") = {};
struct purge exported_purge SEC(".export") = {};

/* On the coarse clock's base; syscall programs may not call bpf_ktime_get_coarse_ns() (6.18). */
static __always_inline __u32 gc_now(void)
{
	return bpf_ktime_get_ns() / 1000000000;
}

/* How far a pair has come, by what either direction has sent. */
enum gc_state { GC_OPEN, GC_HALF_CLOSED, GC_CLOSED };

static __always_inline enum gc_state gc_state(const struct flow *flow, const struct flow *other)
{
	__u16 either = flow->flags | other->flags, both = flow->flags & other->flags;

	if (either & FLOW_RST || both & FLOW_FIN)
		return GC_CLOSED;
	return either & FLOW_FIN ? GC_HALF_CLOSED : GC_OPEN;
}

static __always_inline __u32 gc_timeout(const struct gc *gc, __u8 protocol, enum gc_state state)
{
	switch (protocol) {
	case IPPROTO_TCP:
		if (state == GC_OPEN)
			return gc->tcp_timeout;
		return state == GC_CLOSED ? gc->closing_timeout : gc->half_closed_timeout;
	case IPPROTO_UDP:
		return gc->udp_timeout;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return gc->icmp_timeout;
	default:
		return gc->other_timeout;
	}
}

static __always_inline void gc_count(struct gc *gc, __u8 protocol, enum gc_state state)
{
	switch (protocol) {
	case IPPROTO_TCP:
		gc->closing += state != GC_OPEN;
		gc->established += state == GC_OPEN;
		break;
	case IPPROTO_UDP:
		gc->udp++;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		gc->icmp++;
		break;
	default:
		gc->other++;
	}
}

/* Clocks of two CPUs may differ by a tick: "in the future" is not idle. */
static __always_inline bool gc_is_idle(const struct gc *gc, const struct flow *flow, __u32 timeout)
{
	return (__s32)(gc->now - flow->last_seen) > (__s32)timeout;
}

static __always_inline __u32 gc_latest(const struct flow *flow, const struct flow *other)
{
	bool is_later = (__s32)(other->last_seen - flow->last_seen) > 0;

	return is_later ? other->last_seen : flow->last_seen;
}

/* Half a pair is one being made, or what flow_purge left for answers on their way: a moment. */
#define ALONE_TIMEOUT 5

/* One half of a pair; the forward half speaks for both, a reverse half only when it is alone. */
static long gc_visit_flow(void *map, struct tuple *key, struct flow *flow, struct gc *gc)
{
	struct tuple other_key;
	struct flow *other;
	enum gc_state state;
	__u32 timeout;

	tuple_reverse(&other_key, &flow->out);
	other = bpf_map_lookup_elem(map, &other_key);
	if (!other) {
		if (gc_is_idle(gc, flow, ALONE_TIMEOUT)) {
			bpf_map_delete_elem(map, key);
			gc->expired++;
		}
		return 0;
	}
	if (flow->flags & FLOW_REVERSE)
		return 0;
	state = gc_state(flow, other);
	timeout = gc_timeout(gc, key->protocol, state);
	if (!gc_is_idle(gc, flow, timeout) || !gc_is_idle(gc, other, timeout)) {
		gc_count(gc, key->protocol, state);
		return 0;
	}
	recent_end(key, flow, gc_latest(flow, other));
	bpf_map_delete_elem(map, &other_key);
	bpf_map_delete_elem(map, key);
	gc->expired += 2;
	return 0;
}

/* Both halves of an embryo are touched together, so each may be judged alone; to look up the
 * other would keep it young in the LRU.
 */
static long gc_visit_embryo(void *map, struct tuple *key, struct flow *flow, struct gc *gc)
{
	if (!gc_is_idle(gc, flow, gc->embryo_timeout)) {
		gc->embryos++;
		return 0;
	}
	bpf_map_delete_elem(map, key);
	gc->expired++;
	return 0;
}

SEC("syscall")
int flow_gc(struct gc *context)
{
	struct gc gc = { .now = context->now ?: gc_now(),
			 .embryo_timeout = context->embryo_timeout,
			 .tcp_timeout = context->tcp_timeout,
			 .half_closed_timeout = context->half_closed_timeout,
			 .closing_timeout = context->closing_timeout,
			 .udp_timeout = context->udp_timeout,
			 .icmp_timeout = context->icmp_timeout,
			 .other_timeout = context->other_timeout };

	bpf_for_each_map_elem(&flows, gc_visit_flow, &gc, 0);
	bpf_for_each_map_elem(&embryos, gc_visit_embryo, &gc, 0);
	context->now = gc.now;
	context->established = gc.established;
	context->closing = gc.closing;
	context->udp = gc.udp;
	context->icmp = gc.icmp;
	context->other = gc.other;
	context->embryos = gc.embryos;
	context->expired = gc.expired;
	return 0;
}

static __always_inline bool purge_holds(const struct address *address, __be16 port,
					__u32 service_id)
{
	struct ended_key key = { .address = *address, .service_id = service_id, .port = port };

	return bpf_map_lookup_elem(&ended, &key);
}

/* Deletes forward halves of UDP flows, so that their next packet chooses anew: of a service port
 * those to a backend that is gone, and all to a frontend that is new or gone. The reverse halves
 * still translate what has been answered already; alone, they expire.
 */
static long purge_visit(void *map, struct tuple *key, struct flow *flow, struct purge *purge)
{
	const struct tuple *out = &flow->out;

	if (key->protocol != IPPROTO_UDP || flow->flags & FLOW_REVERSE)
		return 0;
	if (!purge_holds(&key->destination, key->destination_port, 0) &&
	    !(flow->service_id &&
	      purge_holds(&out->destination, out->destination_port, flow->service_id)))
		return 0;
	bpf_map_delete_elem(map, key);
	purge->deleted++;
	return 0;
}

SEC("syscall")
int flow_purge(struct purge *context)
{
	struct purge purge = {};

	bpf_for_each_map_elem(&flows, purge_visit, &purge, 0);
	bpf_for_each_map_elem(&embryos, purge_visit, &purge, 0);
	context->deleted = purge.deleted;
	return 0;
}
