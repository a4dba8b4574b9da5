// CNI CHECK's second half: does the kernel hold everything an endpoint needs? One sentence per
// thing that is missing; nothing is repaired here.
import { addressFamily } from '../net/address.ts'
import { hostPrefix } from '../net/prefix.ts'
import { listAddresses } from '../netlink/addresses.ts'
import { linkByName, type NetworkLink } from '../netlink/links.ts'
import { Netlink } from '../netlink/netlink.ts'
import { defaultsOfOthers, listRoutes, MAIN_TABLE } from '../netlink/routes.ts'
import { listRules, sameRule } from '../netlink/rules.ts'
import { listBpfFilters } from '../netlink/traffic-control.ts'
import type { Endpoint } from '../tables/intent.ts'
import { isSecondary } from '../tables/tables.ts'
import {
  endpointEntry,
  FILTER,
  type PodPrograms,
  secondaryRules,
  secondaryTable,
} from './attachment.ts'
import type { EndpointMap } from './endpoints.ts'
import { sameFields } from './entry-map.ts'
import type { Gateways } from './gateway.ts'
import { bucketProblems, shapingOf } from './shaping.ts'

export interface CheckContext {
  readonly netlink: Netlink
  readonly map: EndpointMap
  readonly programs: PodPrograms
  readonly gateways: Gateways
}

/** Differences between a row and the kernel, empty when there is none. */
export function findProblems(row: Endpoint, context: CheckContext): string[] {
  const host = linkByName(context.netlink, row.hostIfName)
  if (!host) return [`interface ${row.hostIfName} is missing on the node`]
  return [
    ...hostProblems(row, host, context),
    ...entryProblems(row, host, context),
    ...podProblems(row, host, context),
  ]
}

function hostProblems(row: Endpoint, host: NetworkLink, context: CheckContext): string[] {
  const { netlink, programs } = context
  const problems: string[] = []
  if (!host.isUp) problems.push(`interface ${row.hostIfName} is down`)
  const wanted = { ingress: programs.fromPod, egress: programs.toPod } as const
  for (const direction of ['ingress', 'egress'] as const) {
    const filter = listBpfFilters(netlink, host.ifindex, direction).find(
      ({ priority, handle }) => priority === FILTER.priority && handle === FILTER.handle,
    )
    const where = `at ${direction} of ${row.hostIfName}`
    if (!filter) problems.push(`there is no program ${where}`)
    else if (filter.programId !== wanted[direction].id)
      problems.push(`a foreign program is ${where}`)
  }
  const bucket = { wanted: shapingOf(row).ingress, where: `what enters by ${row.hostIfName}` }
  problems.push(...bucketProblems(netlink, host.ifindex, bucket))
  const routes = listRoutes(netlink, { table: MAIN_TABLE, ifindex: host.ifindex })
  for (const prefix of row.addresses.map(hostPrefix)) {
    if (!routes.some((route) => route.prefix === prefix)) {
      problems.push(`the node has no route ${prefix} to ${row.hostIfName}`)
    }
  }
  return problems
}

function entryProblems(row: Endpoint, host: NetworkLink, { map }: CheckContext): string[] {
  const wanted = endpointEntry(row, host.ifindex)
  return row.addresses.flatMap((address) => {
    const held = map.get({ address })
    if (!held) return [`map endpoints has no entry for ${address}`]
    return sameFields(held, wanted) ? [] : [`map endpoints has another endpoint for ${address}`]
  })
}

function podProblems(row: Endpoint, host: NetworkLink, context: CheckContext): string[] {
  const netlink = Netlink.open(context.netlink.library, row.netns)
  try {
    const inside = linkByName(netlink, row.ifName)
    if (!inside) return [`interface ${row.ifName} is missing in the pod`]
    if (inside.ifindex !== host.peerIfindex) return [`${row.ifName} in the pod is another's`]
    const problems: string[] = []
    if (!inside.isUp) problems.push(`interface ${row.ifName} is down in the pod`)
    if (inside.mac !== row.mac) problems.push(`${row.ifName} has MAC ${inside.mac}, not ${row.mac}`)
    const bucket = { wanted: shapingOf(row).egress, where: `what leaves by ${row.ifName}` }
    problems.push(...bucketProblems(netlink, inside.ifindex, bucket))
    const held = listAddresses(netlink, inside.ifindex).map(({ address }) => address)
    for (const address of row.addresses) {
      if (!held.includes(address)) problems.push(`${row.ifName} has lost address ${address}`)
    }
    return [
      ...problems,
      ...routeProblems(row, inside.ifindex, { netlink, gateways: context.gateways }),
    ]
  } finally {
    netlink.close()
  }
}

/** The ways out of the pod, in the main table or in one that the interface's own rules lead to. */
function routeProblems(
  row: Endpoint,
  ifindex: number,
  { netlink, gateways }: Pick<CheckContext, 'netlink' | 'gateways'>,
): string[] {
  const table = isSecondary(row) ? secondaryTable(row) : MAIN_TABLE
  const routes = listRoutes(netlink, { table, ifindex })
  const taken = isSecondary(row) ? [] : defaultsOfOthers(netlink, ifindex)
  const problems: string[] = []
  for (const family of row.addresses.map(addressFamily)) {
    const gateway = gateways[family]
    if (!gateway) continue
    const byDefault = family === 4 ? '0.0.0.0/0' : '::/0'
    const isThere = routes.some((r) => r.prefix === byDefault && r.gateway === gateway)
    if (!isThere && !taken.includes(family)) {
      problems.push(`the pod has no default route via ${gateway}`)
    }
    if (!routes.some(({ prefix }) => prefix === hostPrefix(gateway))) {
      problems.push(`the pod has no route to its gateway ${gateway}`)
    }
    const rules = secondaryRules(row).filter((rule) => rule.family === family)
    const held = rules.length > 0 ? listRules(netlink, family) : []
    if (rules.some((rule) => !held.some((each) => sameRule(each, rule)))) {
      problems.push(`the pod has lost the IPv${family} rules of ${row.ifName}`)
    }
  }
  return problems
}
