/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The least that any datapath over veth can do: packets leave one pod and enter the other, with no
 * table asked and nothing checked. `weir bench` shows Weir beside it.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2

struct redirect_config {
	__u32 first_ifindex; /* host ends of the pods' veths; across nodes only the first */
	__u32 second_ifindex;
	__u32 uplink_ifindex;
	__be32 next_hop; /* the other node */
	__be32 pod;	 /* on this node */
};
const volatile struct redirect_config redirect_config = {};

/* Between two pods of one node. */
SEC("tc")
int redirect(struct __sk_buff *skb)
{
	if (skb->ifindex == redirect_config.first_ifindex)
		return bpf_redirect_peer(redirect_config.second_ifindex, 0);
	return bpf_redirect_peer(redirect_config.first_ifindex, 0);
}

/* Out of a pod to the other node. */
SEC("tc")
int leave(struct __sk_buff *skb)
{
	struct bpf_redir_neigh next = { .nh_family = AF_INET };

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	next.ipv4_nh = redirect_config.next_hop;
	return bpf_redirect_neigh(redirect_config.uplink_ifindex, &next, sizeof(next), 0);
}

/* From the wire into the pod. */
SEC("tc")
int arrive(struct __sk_buff *skb)
{
	struct iphdr *ip = (void *)(long)skb->data + ETH_HLEN;

	if ((void *)(ip + 1) > (void *)(long)skb->data_end || ip->daddr != redirect_config.pod)
		return TC_ACT_OK;
	return bpf_redirect_peer(redirect_config.first_ifindex, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
