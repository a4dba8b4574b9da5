/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* ARP: whatever address a pod asks for, the answer is the host end of its veth. */
#pragma once
#include "endpoint.h"
#include "reply.h"

struct arp_ipv4 {
	__be16 hardware;
	__be16 protocol;
	__u8 lengths[2];
	__be16 operation;
	struct mac sender_mac;
	__u8 sender[4];
	struct mac target_mac;
	__u8 target[4];
};
_Static_assert(sizeof(struct arp_ipv4) == 28, "as on the wire");

static __always_inline __be32 arp_address(const __u8 *bytes)
{
	__be32 ipv4;

	__builtin_memcpy(&ipv4, bytes, sizeof(ipv4));
	return ipv4;
}

/* The asking pod, when it asks as itself and for another than itself. */
static __always_inline struct endpoint *arp_asker(const struct __sk_buff *skb,
						  const struct arp_ipv4 *arp)
{
	struct endpoint *endpoint;
	struct address sender;

	if (arp->operation != bpf_htons(ARPOP_REQUEST) ||
	    arp_address(arp->sender) == arp_address(arp->target))
		return NULL;
	address_from_ipv4(&sender, arp_address(arp->sender));
	endpoint = endpoint_find(&sender);
	return endpoint && endpoint->ifindex == skb->ifindex ? endpoint : NULL;
}

GLOBAL int arp_answer(struct __sk_buff *skb, struct packet *pkt)
{
	struct endpoint *endpoint;
	struct arp_ipv4 *arp;
	struct ethhdr *eth;
	__be32 asked;

	if (!pkt || bpf_skb_pull_data(skb, ETH_HLEN + sizeof(*arp)))
		return -DROP_MALFORMED;
	eth = (void *)(long)skb->data;
	arp = (void *)(eth + 1);
	if ((void *)(arp + 1) > (void *)(long)skb->data_end)
		return -DROP_MALFORMED;
	endpoint = arp_asker(skb, arp);
	if (!endpoint)
		return PASS;
	asked = arp_address(arp->target);
	arp->operation = bpf_htons(ARPOP_REPLY);
	arp->target_mac = arp->sender_mac;
	__builtin_memcpy(arp->target, arp->sender, sizeof(arp->target));
	arp->sender_mac = endpoint->host_mac;
	__builtin_memcpy(arp->sender, &asked, sizeof(asked));
	__builtin_memcpy(eth->h_dest, arp->target_mac.bytes, ETH_ALEN);
	__builtin_memcpy(eth->h_source, endpoint->host_mac.bytes, ETH_ALEN);
	return reply_send(skb, pkt);
}
