/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Internet checksums. In one's complement 0xffff is zero, so the ::ffff: of a v4-mapped
 * address adds nothing: pseudo headers are summed over 16-byte addresses in both families.
 */
#pragma once
#include "tuple.h"

static __always_inline __u16 checksum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* What replacing the addresses of one tuple by those of another adds to a checksum's sum. */
static __always_inline __u32 checksum_difference(const struct tuple *from, const struct tuple *to)
{
	return bpf_csum_diff((__be32 *)&from->source, 2 * sizeof(struct address),
			     (__be32 *)&to->source, 2 * sizeof(struct address), 0);
}

static __always_inline __u32 checksum_pseudo(const struct address *source,
					     const struct address *destination, __u8 protocol,
					     __u16 length)
{
	__u32 sum = bpf_csum_diff(NULL, 0, (__be32 *)source, sizeof(*source),
				  bpf_htons(protocol) + bpf_htons(length));

	return bpf_csum_diff(NULL, 0, (__be32 *)destination, sizeof(*destination), sum);
}

static __always_inline __u16 checksum_ipv4(const struct iphdr *ip)
{
	const __u16 *word = (const __u16 *)ip;
	__u32 sum = 0;

	for (int i = 0; i < 10; i++)
		sum += word[i];
	return ~checksum_fold(sum);
}
