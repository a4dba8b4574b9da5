// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* One program of each kind, and one that the verifier must refuse, for the tests of src/libbpf. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} a_name_longer_than_15 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} ring SEC(".maps");

const volatile struct {
	__u32 step;
	__u32 verdict;
} config = { 1, 0 };

struct {
	__u32 value;
} epoch SEC(".data.epoch") = { 7 };

SEC("tc")
int count(struct __sk_buff *skb)
{
	__u32 key = 1;
	__u64 first = config.step, *seen = bpf_map_lookup_elem(&a_name_longer_than_15, &key);

	if (seen)
		*seen += config.step;
	else
		bpf_map_update_elem(&a_name_longer_than_15, &key, &first, BPF_ANY);
	skb->mark = epoch.value;
	return (int)config.verdict;
}

SEC("tc")
int shrink(struct __sk_buff *skb)
{
	return bpf_skb_change_tail(skb, 20, 0);
}

SEC("xdp")
int pass(struct xdp_md *xdp)
{
	return XDP_PASS;
}

/* Four bytes of the ingress device before the frame, which goes back. */
SEC("xdp.frags")
int stamp(struct xdp_md *xdp)
{
	__u32 *data;

	if (bpf_xdp_adjust_head(xdp, -(int)sizeof(*data)))
		return XDP_ABORTED;
	data = (void *)(long)xdp->data;
	if ((void *)(data + 1) > (void *)(long)xdp->data_end)
		return XDP_ABORTED;
	*data = xdp->ingress_ifindex;
	return XDP_TX;
}

SEC("cgroup/connect4")
int refuse(struct bpf_sock_addr *address)
{
	return 0;
}

SEC("cgroup/connect4")
int allow(struct bpf_sock_addr *address)
{
	return 1;
}

struct burst {
	__u32 count;
	__u32 size;
	__u32 lost;
};

static long emit_one(__u32 index, struct burst *burst)
{
	__u64 record[8] = { index, 0, 0, 0, 0, 0, 0, ~(__u64)index };

	if (bpf_ringbuf_output(&ring, record, burst->size == 8 ? 8 : 64, 0))
		burst->lost++;
	return 0;
}

/* Writes `count` records of 8 or 64 bytes, each beginning with its number. */
SEC("syscall")
int emit(struct burst *context)
{
	struct burst burst = *context;

	bpf_loop(burst.count, emit_one, &burst, 0);
	context->lost = burst.lost;
	return 0;
}

SEC("?tc")
int refused(struct __sk_buff *skb)
{
	return *(int *)(long)skb->len;
}

char dual_license[] SEC("license") = "Dual BSD/GPL";
