/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* An IP address is 16 bytes in network order everywhere; IPv4 is v4-mapped
 * (::ffff:a.b.c.d), so that one code path serves both families.
 */
#pragma once
#include "bpf.h"

/* Aligned, or clang copies it byte by byte. */
struct address {
	__u8 bytes[16];
} __attribute__((aligned(4)));

struct mac {
	__u8 bytes[6];
};

#define ADDRESS_IPV4_AT 12 /* where the four bytes of an IPv4 address begin */

static __always_inline __u32 *address_words(const struct address *address)
{
	return (__u32 *)address->bytes;
}

static __always_inline bool address_is_ipv4(const struct address *address)
{
	const __u32 *word = address_words(address);

	return !word[0] && !word[1] && word[2] == bpf_htonl(0xffff);
}

static __always_inline bool address_equal(const struct address *a, const struct address *b)
{
	const __u32 *x = address_words(a), *y = address_words(b);

	return x[3] == y[3] && x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

static __always_inline void address_from_ipv4(struct address *address, __be32 ipv4)
{
	__u32 *word = address_words(address);

	word[0] = 0;
	word[1] = 0;
	word[2] = bpf_htonl(0xffff);
	word[3] = ipv4;
}

static __always_inline void address_from_ipv6(struct address *address, const __be32 *ipv6)
{
	__u32 *word = address_words(address);

	word[0] = ipv6[0];
	word[1] = ipv6[1];
	word[2] = ipv6[2];
	word[3] = ipv6[3];
}

static __always_inline __be32 address_ipv4(const struct address *address)
{
	return address_words(address)[3];
}

/* An address of .rodata: volatile, so that clang does not take its initial zeros for granted. */
static __always_inline void address_from_config(struct address *to,
						const volatile struct address *from)
{
	const volatile __u32 *word = (const volatile __u32 *)from->bytes;

	address_words(to)[0] = word[0];
	address_words(to)[1] = word[1];
	address_words(to)[2] = word[2];
	address_words(to)[3] = word[3];
}

/* To a frame or elsewhere, from wherever; clang would copy bytes, for struct ethhdr is packed. */
static __always_inline void mac_copy(void *to, const volatile struct mac *from)
{
	const volatile __u16 *half = (const volatile __u16 *)from->bytes;
	__u16 *into = to;

	into[0] = half[0];
	into[1] = half[1];
	into[2] = half[2];
}

static __always_inline bool address_is_config(const struct address *address,
					      const volatile struct address *of)
{
	const volatile __u32 *word = (const volatile __u32 *)of->bytes;
	const __u32 *mine = address_words(address);

	return mine[3] == word[3] && mine[2] == word[2] && mine[1] == word[1] && mine[0] == word[0];
}

static __always_inline bool address_is_link_local(const struct address *address)
{
	const __u8 *byte = address->bytes;

	if (address_is_ipv4(address))
		return byte[12] == 169 && byte[13] == 254;
	return byte[0] == 0xfe && (byte[1] & 0xc0) == 0x80;
}

/* Multicast, IPv4's broadcast and IPv6's link-local: the stack's own business, never a flow. In
 * IPv4 link-local addresses are those of services (cloud metadata, a node's DNS cache), which
 * policies must be able to refuse.
 */
static __always_inline bool address_is_special(const struct address *address)
{
	const __u8 *byte = address->bytes;

	if (address_is_ipv4(address))
		return byte[12] >= 224;
	return byte[0] == 0xff || address_is_link_local(address);
}

static __always_inline bool address_is_loopback(const struct address *address)
{
	const __u32 *word = address_words(address);

	if (address_is_ipv4(address))
		return address->bytes[ADDRESS_IPV4_AT] == 127;
	return !word[0] && !word[1] && !word[2] && word[3] == bpf_htonl(1);
}

static __always_inline bool address_is_unspecified(const struct address *address)
{
	const __u32 *word = address_words(address);

	return !word[0] && !word[1] && !word[2] && !word[3];
}
