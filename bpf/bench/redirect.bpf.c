/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Sends every packet into the other of two pods and does no more: the least that any datapath
 * over veth can do, and what `weir bench` shows Weir beside.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* Host ends of the two veths. */
struct redirect_config {
	__u32 first_ifindex;
	__u32 second_ifindex;
};
const volatile struct redirect_config redirect_config = {};

SEC("tc")
int redirect(struct __sk_buff *skb)
{
	if (skb->ifindex == redirect_config.first_ifindex)
		return bpf_redirect_peer(redirect_config.second_ifindex, 0);
	return bpf_redirect_peer(redirect_config.first_ifindex, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
