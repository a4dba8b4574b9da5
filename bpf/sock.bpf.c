/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Service translation at the socket: connect() and sendmsg() to a frontend become ones to a
 * backend, so that no packet needs translating at all. Answers 1 to go on, 0 to refuse.
 */
#include "lib/socket.h"

#define SOCKET_OK 1
#define SOCKET_REFUSED 0

/* Which backend. A client with affinity is a network namespace, for a socket need not have an
 * address yet. `number` picks the slot.
 */
static __always_inline struct backend *socket_backend(struct bpf_sock_addr *ctx,
						      const struct service *service, __u32 number)
{
	__u64 cookie = bpf_get_netns_cookie(ctx);
	struct choice choice = { .number = number, .now = clock_seconds() };

	address_words(&choice.key.client)[2] = cookie >> 32;
	address_words(&choice.key.client)[3] = cookie;
	return service_choose(service, &service->internal, &choice);
}

/* A frontend on the loopback is the node's: a pod has one of its own. */
static __always_inline bool socket_is_elsewhere(struct bpf_sock_addr *ctx,
						const struct socket_remote *remote)
{
	return address_is_loopback(&remote->address) &&
	       bpf_get_netns_cookie(ctx) != config.netns_cookie;
}

/* Left to the programs of packets: what depends on the client's address, and silence. */
static __always_inline bool socket_leaves(const struct service *service)
{
	return service->flags & SERVICE_SOURCE_RANGES ||
	       (!service->internal.count && service->flags & SERVICE_DROP_EMPTY);
}

/* Frontend to backend. */
static __always_inline int socket_translate(struct bpf_sock_addr *ctx, struct socket_remote *remote,
					    __u32 number, bool *translated)
{
	struct socket_frontend frontend = { .address = remote->address, .port = remote->port };
	struct backend *backend;
	struct service *service;
	struct socket_key key;

	service = service_find(&remote->address, remote->port, ctx->protocol);
	if (!service || socket_leaves(service) || socket_is_elsewhere(ctx, remote))
		return SOCKET_OK;
	backend = socket_backend(ctx, service, number);
	if (!backend) {
		socket_refuse(remote, ctx->protocol);
		return SOCKET_REFUSED;
	}
	remote->address = backend->address;
	remote->port = backend->port;
	socket_key_of(&key, bpf_get_socket_cookie(ctx), remote);
	bpf_map_update_elem(&sock_frontends, &key, &frontend, BPF_ANY);
	*translated = true;
	return SOCKET_OK;
}

/* Backend to frontend; false when this socket knows the remote end by its own address. */
static __always_inline bool socket_translate_back(struct bpf_sock_addr *ctx,
						  struct socket_remote *remote)
{
	struct socket_frontend *frontend;
	struct socket_key key;

	socket_key_of(&key, bpf_get_socket_cookie(ctx), remote);
	frontend = bpf_map_lookup_elem(&sock_frontends, &key);
	if (!frontend)
		return false;
	remote->address = frontend->address;
	remote->port = frontend->port;
	return true;
}

/* Datagrams of one socket keep to one backend while its set stands, as those of a flow do. */
static __always_inline __u32 socket_number(struct bpf_sock_addr *ctx)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);

	return (cookie * 0x9e3779b97f4a7c15) >> 32;
}

static __always_inline int socket_out4(struct bpf_sock_addr *ctx, __u32 number)
{
	struct socket_remote remote;
	bool translated = false;
	int ret;

	remote_load4(ctx, &remote);
	ret = socket_translate(ctx, &remote, number, &translated);
	if (translated)
		remote_store4(ctx, &remote);
	return ret;
}

static __always_inline int socket_out6(struct bpf_sock_addr *ctx, __u32 number)
{
	struct socket_remote remote;
	bool translated = false;
	int ret;

	remote_load6(ctx, &remote);
	ret = socket_translate(ctx, &remote, number, &translated);
	if (translated)
		remote_store6(ctx, &remote);
	return ret;
}

static __always_inline int socket_in4(struct bpf_sock_addr *ctx)
{
	struct socket_remote remote;

	remote_load4(ctx, &remote);
	if (socket_translate_back(ctx, &remote))
		remote_store4(ctx, &remote);
	return SOCKET_OK;
}

static __always_inline int socket_in6(struct bpf_sock_addr *ctx)
{
	struct socket_remote remote;

	remote_load6(ctx, &remote);
	if (socket_translate_back(ctx, &remote))
		remote_store6(ctx, &remote);
	return SOCKET_OK;
}

SEC("cgroup/connect4")
int sock_connect4(struct bpf_sock_addr *ctx)
{
	return socket_out4(ctx, bpf_get_prandom_u32());
}

SEC("cgroup/connect6")
int sock_connect6(struct bpf_sock_addr *ctx)
{
	return socket_out6(ctx, bpf_get_prandom_u32());
}

SEC("cgroup/sendmsg4")
int sock_sendmsg4(struct bpf_sock_addr *ctx)
{
	return socket_out4(ctx, socket_number(ctx));
}

SEC("cgroup/sendmsg6")
int sock_sendmsg6(struct bpf_sock_addr *ctx)
{
	return socket_out6(ctx, socket_number(ctx));
}

SEC("cgroup/recvmsg4")
int sock_recvmsg4(struct bpf_sock_addr *ctx)
{
	return socket_in4(ctx);
}

SEC("cgroup/recvmsg6")
int sock_recvmsg6(struct bpf_sock_addr *ctx)
{
	return socket_in6(ctx);
}

/* The kernel cuts names at 15 characters: getpeername. */
SEC("cgroup/getpeername4")
int sock_getpeer4(struct bpf_sock_addr *ctx)
{
	return socket_in4(ctx);
}

SEC("cgroup/getpeername6")
int sock_getpeer6(struct bpf_sock_addr *ctx)
{
	return socket_in6(ctx);
}
