// Who is who for policy: identities, with the pods or the prefix that has each.
import type { Address } from '../net/address.ts'
import type { ActualIdentities } from '../tables/actual.ts'
import type { Pod } from '../tables/intent.ts'
import { IDENTITY } from '../tables/policy.ts'
import type { Tables } from '../tables/tables.ts'
import { type DriftColumns, driftOf } from './drift.ts'

export interface IdentityHolders {
  readonly identity: number
  readonly kind: 'pods' | 'unknown' | 'prefix'
  /** Of the pods; empty for others. */
  readonly namespace: string
  /** Those that all of its pods have; empty for others. */
  readonly labels: Readonly<Record<string, string>>
  /** "namespace/name", sorted. */
  readonly pods: readonly string[]
  /** Of the pods, or the prefix. */
  readonly addresses: readonly string[]
}

export interface IdentityView extends IdentityHolders, DriftColumns {}

const MAPS = { addresses: 'identities', prefixes: 'cidr_identities' } as const

/** As wanted, and as the kernel has them. */
export function identityViews(tables: Tables, actual: ActualIdentities): IdentityView[] {
  const left = { addresses: new Map(actual.addresses), prefixes: new Map(actual.prefixes) }
  const views = identityHolders(tables).map((holders): IdentityView => {
    const { identity, kind, addresses } = holders
    const map = kind === 'prefix' ? 'prefixes' : 'addresses'
    const found = addresses.map((each) => [each, left[map].get(each)] as const)
    for (const each of addresses) left[map].delete(each)
    const differences = found.flatMap(([each, is]) => {
      if (is === identity) return []
      const isText =
        is === undefined ? `not in map ${MAPS[map]}` : `identity ${is}, not ${identity}`
      return [`${each} is ${isText}`]
    })
    const isThere = found.some(([, is]) => is !== undefined)
    return { ...holders, ...driftOf(isThere, differences) }
  })
  const extras = (['addresses', 'prefixes'] as const).flatMap((map) =>
    [...left[map]].map((entry) => extraView(map, entry)),
  )
  return [...views, ...extras].sort((a, b) => a.identity - b.identity)
}

function extraView(
  map: keyof ActualIdentities,
  [address, identity]: readonly [string, number],
): IdentityView {
  return {
    ...{ identity, namespace: '', labels: {}, pods: [], addresses: [address] },
    kind: map === 'prefixes' ? 'prefix' : 'pods',
    drift: 'extra',
    differences: [`${address} is in map ${MAPS[map]} and nobody asked for it`],
  }
}

/** As wanted; pods without policies in the cluster have no identities. */
export function identityHolders(tables: Tables): IdentityHolders[] {
  const podOf = podsByAddress(tables)
  const holders = new Map<number, Address[]>()
  for (const { address, identity } of tables.addressIdentities.rows()) {
    const list = holders.get(identity)
    if (list) list.push(address)
    else holders.set(identity, [address])
  }
  const all = [...holders].map(([identity, addresses]): IdentityHolders => {
    const pods = [...new Set(addresses.flatMap((each) => podOf.get(each) ?? []))]
    return {
      identity,
      kind: identity === IDENTITY.unknownPod ? 'unknown' : 'pods',
      namespace: pods[0]?.namespace ?? '',
      labels: sharedLabels(pods),
      pods: pods.map(({ namespace, name }) => `${namespace}/${name}`).sort(),
      addresses: addresses.sort(),
    }
  })
  for (const { prefix, identity } of tables.cidrIdentities.rows()) {
    const who = { kind: 'prefix', namespace: '', labels: {}, pods: [] } as const
    all.push({ identity, ...who, addresses: [prefix] })
  }
  return all.sort((a, b) => a.identity - b.identity)
}

/** What CNI gave to a pod of this node counts before what the API says. */
function podsByAddress({ pods, endpoints }: Tables): Map<Address, Pod> {
  const found = new Map<Address, Pod>()
  for (const pod of pods.rows()) {
    if (!pod.hostNetwork) for (const address of pod.addresses) found.set(address, pod)
  }
  for (const { podNamespace, podName, addresses } of endpoints.rows()) {
    const pod = pods.get(`${podNamespace}/${podName}`)
    if (pod) for (const address of addresses) found.set(address, pod)
  }
  return found
}

function sharedLabels([first, ...others]: readonly Pod[]): Readonly<Record<string, string>> {
  const entries = Object.entries(first?.labels ?? {})
  return Object.fromEntries(
    entries.filter(([name, value]) => others.every(({ labels }) => labels[name] === value)),
  )
}
