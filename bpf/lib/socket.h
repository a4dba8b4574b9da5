/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a socket was told: the frontend that it knows behind the backend it really talks to, so
 * that recvmsg() and getpeername() answer what connect() and sendmsg() were asked for.
 */
#pragma once
#include "balance.h"
#include "event.h"

struct socket_key {
	__u64 cookie;
	struct address address; /* of the backend */
	__be16 port;
	__u16 pad[3];
};
_Static_assert(sizeof(struct socket_key) == 32, "pinned");

struct socket_frontend {
	struct address address;
	__be16 port;
	__u16 pad;
};
_Static_assert(sizeof(struct socket_frontend) == 20, "pinned");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct socket_key);
	__type(value, struct socket_frontend);
} sock_frontends SEC(".maps");

/* The remote end in one form for both families; user_ip6 holds v4-mapped addresses as they are. */
struct socket_remote {
	struct address address;
	__be16 port;
};

static __always_inline void remote_load4(const struct bpf_sock_addr *ctx,
					 struct socket_remote *remote)
{
	address_from_ipv4(&remote->address, ctx->user_ip4);
	remote->port = ctx->user_port;
}

static __always_inline void remote_store4(struct bpf_sock_addr *ctx,
					  const struct socket_remote *remote)
{
	ctx->user_ip4 = address_ipv4(&remote->address);
	ctx->user_port = remote->port;
}

static __always_inline void remote_load6(const struct bpf_sock_addr *ctx,
					 struct socket_remote *remote)
{
	__u32 *word = address_words(&remote->address);

	word[0] = ctx->user_ip6[0];
	word[1] = ctx->user_ip6[1];
	word[2] = ctx->user_ip6[2];
	word[3] = ctx->user_ip6[3];
	remote->port = ctx->user_port;
}

static __always_inline void remote_store6(struct bpf_sock_addr *ctx,
					  const struct socket_remote *remote)
{
	const __u32 *word = address_words(&remote->address);

	ctx->user_ip6[0] = word[0];
	ctx->user_ip6[1] = word[1];
	ctx->user_ip6[2] = word[2];
	ctx->user_ip6[3] = word[3];
	ctx->user_port = remote->port;
}

static __always_inline void socket_key_of(struct socket_key *key, __u64 cookie,
					  const struct socket_remote *backend)
{
	*key = (struct socket_key){ .cookie = cookie,
				    .address = backend->address,
				    .port = backend->port };
}

/* Counts and reports a connection refused at the socket. */
static __always_inline void socket_refuse(const struct socket_remote *remote, __u8 protocol)
{
	struct tuple tuple = { .destination = remote->address,
			       .destination_port = remote->port,
			       .protocol = protocol };

	metric_count(DIRECTION_SOCKET, DROP_NO_BACKEND, 0);
	event_send(&tuple, DROP_NO_BACKEND, DIRECTION_SOCKET, 0, 0);
	bpf_set_retval(-ECONNREFUSED);
}
