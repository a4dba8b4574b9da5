/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The tuple of a packet: the key of its flow. */
#pragma once
#include "address.h"

/* ICMP echo: the id is the source port of the request and the destination port of the reply.
 * Ports are 0 for protocols without. Aligned for copies in 8-byte words.
 */
struct tuple {
	struct address source;
	struct address destination;
	__be16 source_port;
	__be16 destination_port;
	__u8 protocol;
	__u8 pad[3];
} __attribute__((aligned(8)));
_Static_assert(sizeof(struct tuple) == 40, "a map key");

/* Both ports as one word, as they lie in the packet. */
static __always_inline __u32 *tuple_ports(const struct tuple *tuple)
{
	return (__u32 *)&tuple->source_port;
}

static __always_inline void tuple_reverse(struct tuple *to, const struct tuple *from)
{
	to->source = from->destination;
	to->destination = from->source;
	to->source_port = from->destination_port;
	to->destination_port = from->source_port;
	to->protocol = from->protocol;
	to->pad[0] = to->pad[1] = to->pad[2] = 0;
}

static __always_inline bool tuple_equal(const struct tuple *a, const struct tuple *b)
{
	return address_equal(&a->source, &b->source) &&
	       address_equal(&a->destination, &b->destination) &&
	       *tuple_ports(a) == *tuple_ports(b) && a->protocol == b->protocol;
}
