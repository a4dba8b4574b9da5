/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* VXLAN by the programs themselves: the tunnel device would walk the host's stack twice.
 * It remains for an IPv6 underlay and for packets that are encapsulated already.
 */
#pragma once
#include "checksum.h"
#include "flow.h"

#define VXLAN_LENGTH 50 /* sizeof(struct vxlan_frame) would count its alignment */
#define VXLAN_INNER (ETH_HLEN + VXLAN_LENGTH) /* where the inner IP header begins */
#define VXLAN_HAS_VNI 0x08000000
/* Beside the VNI: in the place of the inner MACs is a backend's name, a pod's or the node's own
 * (dsr.h); the ends of two addresses may be the same.
 */
#define VXLAN_NAMES_POD 1
#define VXLAN_NAMES_NODE 2
#define VXLAN_TTL 64
#define VXLAN_FIRST_PORT 32768

/* What lies between the outer Ethernet header and the inner IP header. */
struct vxlan_frame {
	struct iphdr ip;
	struct udphdr udp;
	__be32 flags;
	__be32 vni;
	struct ethhdr inner;
};

/* FIXED_GSO: the pods' MTU leaves room for these headers. */
#define ENCAP_FLAGS                                                                              \
	(BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP | \
	 BPF_F_ADJ_ROOM_ENCAP_L2(ETH_HLEN) | BPF_F_ADJ_ROOM_ENCAP_L2_ETH |                       \
	 BPF_F_ADJ_ROOM_NO_CSUM_RESET)

/* On what the programs send out: to_uplink shall not look at it again. */
#define TC_INDEX_SENT 0x5745

/* Out by an uplink: to `node` when it is a neighbour there, else as the routes say. */
static __always_inline int encap_send(struct __sk_buff *skb, const struct flow *flow, __u32 ifindex)
{
	struct bpf_redir_neigh hop = {};

	skb->tc_index = TC_INDEX_SENT;
	if (!(flow->flags & FLOW_ON_LINK))
		return bpf_redirect_neigh(ifindex, NULL, 0, 0);
	if (address_is_ipv4(&flow->node)) {
		hop.nh_family = AF_INET;
		hop.ipv4_nh = address_ipv4(&flow->node);
	} else {
		hop.nh_family = AF_INET6;
		__builtin_memcpy(hop.ipv6_nh, flow->node.bytes, sizeof(flow->node));
	}
	return bpf_redirect_neigh(ifindex, &hop, sizeof(hop), 0);
}

/* Leaves the headers to the kernel's VXLAN device. */
static __always_inline int encap_by_device(struct __sk_buff *skb, const struct packet *pkt,
					   const struct address *node)
{
	struct bpf_tunnel_key key = { .tunnel_id = config.overlay_vni,
				      .tunnel_tos = pkt->tos,
				      .tunnel_ttl = VXLAN_TTL };
	__u64 flags = BPF_F_DONT_FRAGMENT;

	if (address_is_ipv4(node)) {
		key.remote_ipv4 = bpf_ntohl(address_ipv4(node));
		flags |= BPF_F_ZERO_CSUM_TX; /* over IPv6 receivers insist on a checksum */
	} else {
		__builtin_memcpy(key.remote_ipv6, node->bytes, sizeof(*node));
		flags |= BPF_F_TUNINFO_IPV6;
	}
	if (bpf_skb_set_tunnel_key(skb, &key, sizeof(key), flags))
		return -DROP_REDIRECT_FAILED;
	skb->tc_index = TC_INDEX_SENT;
	return bpf_redirect(config.overlay_ifindex, 0);
}

/* The rest of the address is that of every pod of its node, or of the node. */
static __always_inline void backend_name_write(struct backend_name *name, const struct tuple *out)
{
	name->port = out->destination_port;
	__builtin_memcpy(name->low, out->destination.bytes + BACKEND_NAME_AT, sizeof(name->low));
}

static __always_inline void encap_write(struct vxlan_frame *frame, const struct packet *pkt,
					const struct flow *flow, __u16 length, __u32 hash)
{
	struct address own;

	address_from_config(&own, &config.node4);
	frame->ip = (struct iphdr){ .version = 4,
				    .ihl = 5,
				    .tos = pkt->tos,
				    .tot_len = bpf_htons(length),
				    .frag_off = bpf_htons(0x4000),
				    .ttl = VXLAN_TTL,
				    .protocol = IPPROTO_UDP,
				    .saddr = address_ipv4(&own),
				    .daddr = address_ipv4(&flow->node) };
	frame->ip.check = checksum_ipv4(&frame->ip);
	frame->udp.source = bpf_htons(VXLAN_FIRST_PORT | (hash ^ hash >> 16));
	frame->udp.dest = config.overlay_port;
	frame->udp.len = bpf_htons(length - sizeof(frame->ip));
	frame->udp.check = 0;
	frame->flags = bpf_htonl(VXLAN_HAS_VNI);
	if (flow->flags & FLOW_DSR) {
		frame->vni = bpf_htonl(
			config.overlay_vni << 8 |
			(flow->flags & FLOW_DSR_NODE ? VXLAN_NAMES_NODE : VXLAN_NAMES_POD));
		backend_name_write((struct backend_name *)&frame->inner, &flow->out);
	} else {
		frame->vni = bpf_htonl(config.overlay_vni << 8);
		mac_copy(frame->inner.h_dest, &config.host_mac);
		mac_copy(frame->inner.h_source, &config.host_mac);
	}
	frame->inner.h_proto = pkt->is_ipv6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
}

/* Wraps the packet and sends it to flow->node. */
static __always_inline int encap(struct __sk_buff *skb, const struct packet *pkt,
				 const struct flow *flow)
{
	__u32 hash = bpf_get_hash_recalc(skb);
	struct ethhdr *eth;

	if (!address_is_ipv4(&flow->node) ||
	    bpf_skb_adjust_room(skb, VXLAN_LENGTH, BPF_ADJ_ROOM_MAC, ENCAP_FLAGS)) {
		if (flow->flags & FLOW_DSR) /* the device cannot name a backend */
			return -DROP_REDIRECT_FAILED;
		return encap_by_device(skb, pkt, &flow->node);
	}
	eth = (void *)(long)skb->data;
	if ((void *)eth + VXLAN_INNER > (void *)(long)skb->data_end)
		return -DROP_REDIRECT_FAILED;
	eth->h_proto = bpf_htons(ETH_P_IP);
	encap_write((void *)(eth + 1), pkt, flow, skb->len - ETH_HLEN, hash);
	return encap_send(skb, flow, config.uplink_ifindex);
}

/* Takes the wrapping off; offsets in `pkt` move along. PASS: the kernel (before 6.3, for IPv6
 * inside) cannot, so the VXLAN device shall.
 */
static __always_inline int decap(struct __sk_buff *skb, struct packet *pkt)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;
	struct ethhdr *eth;

	if (pkt->is_ipv6)
		flags |= BPF_F_ADJ_ROOM_DECAP_L3_IPV6;
	if (bpf_skb_adjust_room(skb, -VXLAN_LENGTH, BPF_ADJ_ROOM_MAC, flags))
		return PASS;
	eth = (void *)(long)skb->data;
	if ((void *)(eth + 1) > (void *)(long)skb->data_end)
		return -DROP_MALFORMED;
	if (pkt->is_ipv6)
		eth->h_proto = bpf_htons(ETH_P_IPV6);
	pkt->l3 -= VXLAN_LENGTH;
	pkt->l4 -= pkt->l4 ? VXLAN_LENGTH : 0;
	pkt->quoted_l3 -= VXLAN_LENGTH;
	pkt->quoted_l4 -= VXLAN_LENGTH;
	return 0;
}

/* True for VXLAN of our VNI to our port; its inner ethertype and sender then. */
static __always_inline bool encap_is_ours(void *data, void *end, struct packet *pkt,
					  __be16 *protocol)
{
	struct vxlan_frame *frame = data + ETH_HLEN;
	__u32 vni;

	if ((void *)frame + VXLAN_LENGTH > end)
		return false;
	if (frame->ip.version != 4 || frame->ip.ihl != 5 || frame->ip.protocol != IPPROTO_UDP ||
	    frame->ip.frag_off & bpf_htons(0x3fff))
		return false;
	if (frame->udp.dest != config.overlay_port || frame->flags != bpf_htonl(VXLAN_HAS_VNI))
		return false;
	vni = bpf_ntohl(frame->vni);
	if (vni >> 8 != config.overlay_vni || (vni & 0xff) > VXLAN_NAMES_NODE)
		return false;
	pkt->by_name = vni;
	if (pkt->by_name)
		__builtin_memcpy(&pkt->named, &frame->inner, sizeof(pkt->named));
	else if (!config.overlay_ifindex)
		return false;
	address_from_ipv4(&pkt->peer, frame->ip.saddr);
	*protocol = frame->inner.h_proto;
	return true;
}
