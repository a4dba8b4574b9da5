/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Neighbour discovery: as ARP, the host end answers for every address but the pod's own.
 * Duplicate address detection (source ::), router solicitations and MLD are left alone.
 */
#pragma once
#include "endpoint.h"
#include "reply.h"

#define NDP_SOLICITATION 135
#define NDP_ADVERTISEMENT 136
#define NDP_OPTION_TARGET_MAC 2
#define NDP_IS_ROUTER_SOLICITED_OVERRIDE 0xe000

struct ndp_message {
	struct icmp_header icmp;
	struct address target;
	__u8 option_type;
	__u8 option_length; /* in units of 8 bytes */
	struct mac option_mac;
};
_Static_assert(sizeof(struct ndp_message) == 32, "as on the wire");

#define NDP_AT (ETH_HLEN + sizeof(struct ipv6hdr))
#define NDP_LENGTH (NDP_AT + sizeof(struct ndp_message))

/* The host end's MAC: that of the pod whose address asks; a probe of a known neighbour may come
 * from the link-local address instead, but is sent to the very MAC in question.
 */
static __always_inline int ndp_mac(const struct __sk_buff *skb, const struct packet *pkt,
				   const struct ethhdr *eth, struct mac *mac)
{
	struct endpoint *endpoint = endpoint_find(&pkt->tuple.source);

	if (endpoint) {
		*mac = endpoint->host_mac;
		return endpoint->ifindex == skb->ifindex ? 0 : -DROP_SPOOFED_SOURCE;
	}
	if (!address_is_link_local(&pkt->tuple.source))
		return -DROP_SPOOFED_SOURCE;
	__builtin_memcpy(mac->bytes, eth->h_dest, ETH_ALEN);
	return mac->bytes[0] & 1 ? PASS : 0;
}

static __always_inline void ndp_write(void *data, const struct packet *pkt, const struct mac *mac)
{
	struct ndp_message *message = data + NDP_AT;
	struct ipv6hdr *ip = data + ETH_HLEN;
	struct address target = message->target;
	struct ethhdr *eth = data;
	__u32 sum;

	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac->bytes, ETH_ALEN);
	reply_write_ipv6(ip, &target, &pkt->tuple.source, IPPROTO_ICMPV6, sizeof(*message));
	ip->hop_limit = 255;
	message->icmp = (struct icmp_header){ .type = NDP_ADVERTISEMENT,
					      .id = bpf_htons(NDP_IS_ROUTER_SOLICITED_OVERRIDE) };
	message->option_type = NDP_OPTION_TARGET_MAC;
	message->option_length = 1;
	message->option_mac = *mac;
	sum = checksum_pseudo(&target, &pkt->tuple.source, IPPROTO_ICMPV6, sizeof(*message));
	sum = bpf_csum_diff(NULL, 0, (__be32 *)message, sizeof(*message), sum);
	message->icmp.check = ~checksum_fold(sum);
}

GLOBAL int ndp_answer(struct __sk_buff *skb, struct packet *pkt)
{
	struct ndp_message *message;
	struct endpoint *own;
	struct mac mac = {};
	void *data;
	__u8 type;
	int ret;

	if (!pkt || pkt->l4 != NDP_AT || bpf_skb_load_bytes(skb, NDP_AT, &type, sizeof(type)) ||
	    type != NDP_SOLICITATION || address_is_unspecified(&pkt->tuple.source))
		return PASS;
	/* Room for our one option; probes come without any, and others are cut off. */
	if (bpf_skb_change_tail(skb, NDP_LENGTH, 0) || bpf_skb_pull_data(skb, NDP_LENGTH))
		return -DROP_MALFORMED;
	data = (void *)(long)skb->data;
	if (data + NDP_LENGTH > (void *)(long)skb->data_end)
		return -DROP_MALFORMED;
	message = data + NDP_AT;
	ret = ndp_mac(skb, pkt, data, &mac);
	if (ret)
		return ret;
	own = endpoint_find(&message->target);
	if (own && own->ifindex == skb->ifindex)
		return PASS;
	ndp_write(data, pkt, &mac);
	return reply_send(skb, pkt);
}
