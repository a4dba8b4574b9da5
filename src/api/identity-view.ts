// Who is who for policy: identities, with the pods or the prefix that has each.
import type { Address } from '../net/address.ts'
import type { Pod } from '../tables/intent.ts'
import { IDENTITY } from '../tables/policy.ts'
import type { Tables } from '../tables/tables.ts'

export interface IdentityView {
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

/** Pure; pods without policies in the cluster have no identities. */
export function identityViews(tables: Tables): IdentityView[] {
  const podOf = podsByAddress(tables)
  const holders = new Map<number, Address[]>()
  for (const { address, identity } of tables.addressIdentities.rows()) {
    const list = holders.get(identity)
    if (list) list.push(address)
    else holders.set(identity, [address])
  }
  const views = [...holders].map(([identity, addresses]): IdentityView => {
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
    views.push({ identity, ...who, addresses: [prefix] })
  }
  return views.sort((a, b) => a.identity - b.identity)
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
