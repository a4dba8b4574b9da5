// The underlay: a switch for the on-link nodes, one for the off-link ones, and the router between
// them. It knows the way to every podCIDR, as a network that takes part in native routing does.
import { ipBatch, makeNetns, writeSysctls } from './namespaces.ts'
import { type LabPaths, labPrefix } from './paths.ts'
import { bare, type LabSpec, type NodePlan, OUTSIDE_RANGES, routerAddresses } from './spec.ts'

/** Whom load balancers' addresses are routed to. */
const FIRST_NODE = 'node1'
const SWITCHES = ['weir_on_link', 'weir_off_link'] as const

export function fabricNetns(lab: string): string {
  return `${labPrefix(lab)}-fabric`
}

/** The end of a node's cable at its switch. */
export function portOf(node: string): string {
  return `to_${node}`
}

/** Makes the underlay; the nodes' cables come with connectNode. */
export async function makeFabric(paths: LabPaths, spec: LabSpec): Promise<void> {
  const netns = fabricNetns(spec.name)
  await makeNetns(paths, netns)
  await writeSysctls(netns, {
    'ipv4/ip_forward': 1,
    'ipv6/conf/all/forwarding': 1,
    'ipv6/conf/default/accept_dad': 0,
  })
  // Multicast snooping without a querier would lose neighbour solicitations.
  const switches = SWITCHES.flatMap((name, index) => [
    `link add ${name} type bridge forward_delay 0 mcast_snooping 0`,
    `link set ${name} up`,
    ...routerAddresses(spec, index === 1).map(
      (address) => `address add ${address} dev ${name}${address.includes(':') ? ' nodad' : ''}`,
    ),
  ])
  await ipBatch(netns, ['link set lo up', ...switches])
}

/** Plugs a node's eth0 into its switch, and routes its podCIDRs to it. */
export async function connectNode(spec: LabSpec, plan: NodePlan, nodeNetns: string): Promise<void> {
  const port = portOf(plan.name)
  const outside = plan.name === FIRST_NODE ? Object.values(OUTSIDE_RANGES) : []
  await ipBatch(fabricNetns(spec.name), [
    `link add ${port} type veth peer name eth0 netns ${nodeNetns}`,
    `link set ${port} master ${SWITCHES[plan.offLink ? 1 : 0]} up`,
    ...[...plan.podCidrs, ...outside].flatMap((prefix) => {
      const address = plan.addresses.find((text) => text.includes(':') === prefix.includes(':'))
      return address ? [`route replace ${prefix} via ${bare(address)}`] : []
    }),
  ])
  await ipBatch(nodeNetns, [
    'link set lo up',
    'link set eth0 up',
    ...plan.addresses.map(
      (address) => `address add ${address} dev eth0${address.includes(':') ? ' nodad' : ''}`,
    ),
    ...plan.routers.map((router) => `route add default via ${router} dev eth0`),
  ])
}
