/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Direct server return: a client's packet goes to the backend's node untranslated, in VXLAN that
 * names the backend, and that node answers the client itself, as the frontend.
 *
 * The node that was asked keeps an ordinary pair, but its forward half is marked FLOW_DSR: `out`
 * says where the packet goes, not what becomes of it. The backend's node makes the pair that
 * translates. The name lies where the inner MACs would; a bit of the VXLAN header that must else
 * be 0 says so, and whoever does not know it drops the packet.
 */
#pragma once
#include "decide.h"
#include "encap.h"

static __always_inline void backend_name_read(const struct backend_name *name,
					      const volatile struct address *near,
					      struct address *address)
{
	address_from_config(address, near);
	__builtin_memcpy(address->bytes + BACKEND_NAME_AT, name->low, sizeof(name->low));
}

/* The address that a name means: a pod's, whose neighbour is the gateway, or the node's own. */
static __always_inline bool dsr_find_backend(const struct packet *pkt, struct address *address)
{
	if (pkt->by_name == VXLAN_NAMES_NODE) {
		backend_name_read(&pkt->named, pkt->is_ipv6 ? &config.node6 : &config.node4,
				  address);
		return address_is_own(address);
	}
	backend_name_read(&pkt->named, pkt->is_ipv6 ? &config.gateway6 : &config.gateway4, address);
	return endpoint_find(address);
}

/* The backend that another node has chosen, in the place of the frontend: 0 or -DROP_x. One that
 * is gone is refused as by a frontend without backends, so that the client tries again.
 */
static __always_inline int dsr_accept(const struct packet *pkt, struct flow *flow,
				      const struct service *service)
{
	if (!dsr_find_backend(pkt, &flow->out.destination))
		return -DROP_NO_BACKEND;
	flow->out.destination_port = pkt->named.port;
	flow->flags |= FLOW_SERVICE;
	if (service)
		flow->service_id = service->id;
	return 0;
}
