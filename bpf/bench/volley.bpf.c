/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What stands at the other end of a node's cable for `weir bench nodeport`: a sender of frames that
 * are alike but for who sends them, and a receiver that counts them however they were translated.
 * Frames end with a mark, which no translation touches.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define VOLLEY_FRAME 78 /* TCP over IPv6 and the mark: one length for all */
#define VXLAN_LENGTH 50
#define PORTS 32768 /* senders of one address; a power of two */

struct volley {
	__u8 frame[VOLLEY_FRAME];
	__u16 pad;
	__u32 ifindex;
	__u32 senders; /* as many, one after another */
	__u32 next;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct volley);
} volleys SEC(".maps");

/* MARK_ASK is answered once, as by a server; all three are counted. */
enum mark { MARK_LOAD = 0x57454952, MARK_ASK, MARK_ANSWER };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} arrived SEC(".maps");

struct headers {
	struct ethhdr *eth;
	struct iphdr *ipv4;
	struct ipv6hdr *ipv6;
	struct tcphdr *tcp;
	struct udphdr *udp;
	__be32 *mark;
};

/* Of a frame of VOLLEY_FRAME bytes. What it is comes as constants: the verifier follows them. */
static __always_inline void headers_of(void *data, const bool is_ipv4, const bool is_tcp,
				       struct headers *at)
{
	void *transport = data + ETH_HLEN;

	transport += is_ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	at->eth = data;
	at->ipv4 = is_ipv4 ? data + ETH_HLEN : NULL;
	at->ipv6 = is_ipv4 ? NULL : data + ETH_HLEN;
	at->tcp = is_tcp ? transport : NULL;
	at->udp = is_tcp ? NULL : transport;
	at->mark = data + VOLLEY_FRAME - sizeof(*at->mark);
}

static __always_inline bool is_ipv4(const struct ethhdr *eth)
{
	return eth->h_proto == bpf_htons(ETH_P_IP);
}

static __always_inline bool is_tcp(const struct ethhdr *eth)
{
	const struct ipv6hdr *ipv6 = (const void *)(eth + 1);
	const struct iphdr *ipv4 = (const void *)(eth + 1);

	return (is_ipv4(eth) ? ipv4->protocol : ipv6->nexthdr) == IPPROTO_TCP;
}

/* The checksum of what has grown by so much, as a sum of 16-bit words. */
static __always_inline void checksum_add(__sum16 *check, __u32 words)
{
	__u32 sum = (__u16)~bpf_ntohs(*check) + words;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	*check = bpf_htons((__u16)~sum);
}

static __always_inline void transport_checksum_add(struct headers *at, __u32 words)
{
	checksum_add(at->tcp ? &at->tcp->check : &at->udp->check, words);
}

/* The template's sender is the first of all: a port, and where those end, another address. */
static __always_inline void become_sender(void *data, __u32 number, const bool is_ipv4,
					  const bool is_tcp)
{
	__u16 port = number % PORTS, address = number / PORTS;
	struct headers at;
	__be16 *source, *low;

	headers_of(data, is_ipv4, is_tcp, &at);
	source = is_tcp ? &at.tcp->source : &at.udp->source;
	low = is_ipv4 ? (__be16 *)&at.ipv4->saddr + 1 : &at.ipv6->saddr.in6_u.u6_addr16[7];
	*source = bpf_htons(bpf_ntohs(*source) + port);
	*low = bpf_htons(bpf_ntohs(*low) + address);
	transport_checksum_add(&at, port + address);
	if (is_ipv4)
		checksum_add(&at.ipv4->check, address);
}

/* Written whole, for it may be a frame that comes back as somebody has left it. */
SEC("xdp")
int volley(struct xdp_md *xdp)
{
	void *data = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;
	__u32 zero = 0, number;
	struct volley *volley = bpf_map_lookup_elem(&volleys, &zero);

	if (!volley || data + VOLLEY_FRAME > end)
		return XDP_ABORTED;
	__builtin_memcpy(data, volley->frame, VOLLEY_FRAME);
	number = volley->next;
	volley->next = number + 1 < volley->senders ? number + 1 : 0;
	if (is_ipv4(data))
		is_tcp(data) ? become_sender(data, number, true, true)
			     : become_sender(data, number, true, false);
	else
		is_tcp(data) ? become_sender(data, number, false, true)
			     : become_sender(data, number, false, false);
	return bpf_redirect(volley->ifindex, 0);
}

static __always_inline void swap_bytes(void *one, void *other, const int length)
{
	__u8 kept[16];

	__builtin_memcpy(kept, one, length);
	__builtin_memcpy(one, other, length);
	__builtin_memcpy(other, kept, length);
}

/* A SYN is answered by the server, a datagram alike. */
static __always_inline void become_answer(void *data, const bool is_ipv4, const bool is_tcp)
{
	const __u32 headers = ETH_HLEN + (is_ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) +
			      sizeof(struct tcphdr);
	struct headers at;
	__be16 *source;

	headers_of(data, is_ipv4, is_tcp, &at);
	source = is_tcp ? &at.tcp->source : &at.udp->source;
	swap_bytes(at.eth->h_dest, at.eth->h_source, ETH_ALEN);
	if (is_ipv4)
		swap_bytes(&at.ipv4->saddr, &at.ipv4->daddr, 4);
	else
		swap_bytes(&at.ipv6->saddr, &at.ipv6->daddr, 16);
	swap_bytes(source, source + 1, 2);
	*at.mark = bpf_htonl(MARK_ANSWER);
	transport_checksum_add(&at, MARK_ANSWER - MARK_ASK);
	if (!is_tcp)
		return;
	/* The template's numbers are small: nothing carries into their upper words. */
	at.tcp->ack = 1;
	at.tcp->ack_seq = bpf_htonl(bpf_ntohl(at.tcp->seq) + 1 + VOLLEY_FRAME - headers);
	transport_checksum_add(&at, 0x10 + bpf_ntohl(at.tcp->ack_seq));
}

/* The mark of a frame, plain or wrapped in VXLAN; 0: it is none of ours. */
static __always_inline __u32 mark_of(void *data, void *end)
{
	__be32 *plain = data + VOLLEY_FRAME - sizeof(*plain),
	       *wrapped = (void *)plain + VXLAN_LENGTH;
	__u32 mark = 0;

	if ((void *)(wrapped + 1) <= end)
		mark = bpf_ntohl(*wrapped);
	else if ((void *)(plain + 1) <= end)
		mark = bpf_ntohl(*plain);
	return mark >= MARK_LOAD && mark <= MARK_ANSWER ? mark : 0;
}

/* Counts a frame of ours, and makes it an answer where one is due: what to do with it. */
enum fate { FATE_PASS, FATE_DROP, FATE_RETURN };

static __always_inline enum fate receive(void *data, void *end)
{
	__u32 mark = mark_of(data, end), at = mark - MARK_LOAD;
	__u64 *count;

	if (!mark)
		return FATE_PASS;
	count = bpf_map_lookup_elem(&arrived, &at);
	if (count)
		__sync_fetch_and_add(count, 1);
	if (mark != MARK_ASK || data + VOLLEY_FRAME + VXLAN_LENGTH <= end ||
	    data + VOLLEY_FRAME > end)
		return FATE_DROP;
	if (is_ipv4(data))
		is_tcp(data) ? become_answer(data, true, true) : become_answer(data, true, false);
	else
		is_tcp(data) ? become_answer(data, false, true) : become_answer(data, false, false);
	return FATE_RETURN;
}

SEC("xdp")
int sink_xdp(struct xdp_md *xdp)
{
	switch (receive((void *)(long)xdp->data, (void *)(long)xdp->data_end)) {
	case FATE_DROP:
		return XDP_DROP;
	case FATE_RETURN:
		return XDP_TX;
	default:
		return XDP_PASS;
	}
}

SEC("tc")
int sink(struct __sk_buff *skb)
{
	switch (receive((void *)(long)skb->data, (void *)(long)skb->data_end)) {
	case FATE_DROP:
		return TC_ACT_SHOT;
	case FATE_RETURN:
		return bpf_redirect(skb->ifindex, 0);
	default:
		return TC_ACT_UNSPEC;
	}
}

/* The least that a node can do: send a frame back where it came from. */
static __always_inline bool bounce_frame(void *data, void *end)
{
	struct ethhdr *eth = data;

	if (!mark_of(data, end) || data + VOLLEY_FRAME > end)
		return false;
	swap_bytes(eth->h_dest, eth->h_source, ETH_ALEN);
	return true;
}

SEC("xdp")
int bounce_xdp(struct xdp_md *xdp)
{
	return bounce_frame((void *)(long)xdp->data, (void *)(long)xdp->data_end) ? XDP_TX
										  : XDP_PASS;
}

SEC("tc")
int bounce(struct __sk_buff *skb)
{
	if (bounce_frame((void *)(long)skb->data, (void *)(long)skb->data_end))
		return bpf_redirect(skb->ifindex, 0);
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
