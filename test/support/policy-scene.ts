// Policy over maps in memory that call back after every single write, and its tables.
import type * as layout from '../../src/datapath/layout.gen.ts'
import { Policy } from '../../src/datapath/policy.ts'
import { Table } from '../../src/state/table.ts'
import type {
  AddressIdentity,
  CidrIdentity,
  EndpointPolicy,
  PolicySet,
} from '../../src/tables/policy.ts'
import { MemoryMap } from './memory-map.ts'
import { below } from './random.ts'

class ProbedMap<K, V> extends MemoryMap<K, V> {
  onWrite = (): void => {}

  override updateMany(entries: readonly (readonly [K, V])[]) {
    const failures = new Map<number, Error>()
    entries.forEach((entry, at) => {
      const [failure] = super.updateMany([entry]).values()
      if (failure) failures.set(at, failure)
      this.onWrite()
    })
    return failures
  }

  override deleteMany(keys: readonly K[]): void {
    for (const key of keys) {
      super.deleteMany([key])
      this.onWrite()
    }
  }
}

export function build() {
  const maps = {
    identities: new ProbedMap<layout.IdentityKey, layout.IdentityPair>('identities'),
    cidrs: new ProbedMap<layout.CidrKey, layout.IdentityPair>('cidr_identities'),
    pods: new ProbedMap<layout.IdentityKey, layout.EndpointPolicyPair>('pod_policies'),
    rules: new ProbedMap<layout.PolicyKey, layout.PolicyRule>('policy'),
  }
  const kernel = { generation: 0, epoch: 0, onFlip: () => {} }
  const start = () => {
    const tables = {
      addressIdentities: new Table<AddressIdentity>('addressIdentities', (row) => row.address),
      cidrIdentities: new Table<CidrIdentity>('cidrIdentities', (row) => row.prefix),
      policySets: new Table<PolicySet>('policySets', ({ id }) => String(id)),
      endpointPolicies: new Table<EndpointPolicy>('endpointPolicies', (row) => row.address),
    }
    const policy = new Policy({
      tables,
      maps,
      generation: {
        read: () => kernel.generation,
        write: (value) => {
          kernel.generation = value
          kernel.onFlip()
        },
      },
      bumpEpoch: () => kernel.epoch++,
      ...{ graceMs: 0, lazyMs: 20 },
    })
    policy.restore()
    for (const table of Object.values(tables)) table.markInitialized()
    return { tables, policy }
  }
  return { maps, kernel, start }
}

export type Built = ReturnType<ReturnType<typeof build>['start']>

/** As a reconciler does: each table by itself, in any order, rows in small batches. */
export async function reconcile(
  { tables, policy }: Built,
  random: () => number,
): Promise<Map<string, Error>> {
  const names = ['addressIdentities', 'cidrIdentities', 'policySets', 'endpointPolicies'] as const
  const failures = new Map<string, Error>()
  const calls = names.flatMap((name) => [{ name, order: below(random, 1000) }])
  calls.sort((a, b) => a.order - b.order)
  for (const { name } of calls) {
    const table: Table<never> = tables[name] as never
    const failed = await policy[name].update([...table.rows()])
    for (const [key, error] of failed) failures.set(`${name} ${key}`, error)
  }
  await policy.addressIdentities.update([])
  return failures
}
