// All policies as they are now, and which of them select a pod. What they ask of peers is counted
// as words for the identities, whether they select a pod of this node or not: so identities do not
// change when one comes here.
import type { Pod } from '../../tables/intent.ts'
import type { ClusterNetworkPolicy, NetworkPolicy } from '../../tables/policy.ts'
import { fromClusterPolicy, fromNetworkPolicy, type Policy, wordsOf } from './clauses.ts'
import type { ChangedWords, Identities } from './identities.ts'
import type { NamespaceLabels } from './peers.ts'
import { SelectorIndex, selects } from './selectors.ts'

interface Held<Row> {
  readonly row: Row
  readonly policy: Policy
}

export class PolicyBook {
  readonly #identities: Identities
  readonly #policies = new Map<string, Held<NetworkPolicy>>()
  readonly #ofNamespace = new Map<string, SelectorIndex<Policy>>()
  readonly #sizes = new Map<string, number>()
  readonly #cluster = new Map<string, Held<ClusterNetworkPolicy>>()
  #serial = 0
  #labels = new Set<string>()
  #ports = new Set<string>()

  constructor(identities: Identities) {
    this.#identities = identities
  }

  get isEmpty(): boolean {
    return this.#policies.size + this.#cluster.size === 0
  }

  /** True when no policy may concern pods of this namespace, whatever their labels. */
  ignores(namespace: string, { labels, isWhole }: NamespaceLabels): boolean {
    if (this.#sizes.has(namespace)) return false
    for (const { row } of this.#cluster.values()) {
      if (!isWhole || selects(row.subject.namespaces, labels)) return false
    }
    return true
  }

  setNetworkPolicy(key: string, row: NetworkPolicy | undefined): void {
    const before = this.#policies.get(key)
    if (before) {
      this.#ofNamespace.get(before.row.namespace)?.delete(before.row.pods, before.policy)
      this.#resize(before.row.namespace, -1)
      this.#policies.delete(key)
    }
    if (row) {
      const policy = fromNetworkPolicy(row, ++this.#serial)
      this.#policies.set(key, { row, policy })
      this.#resize(row.namespace, 1)
      const index = this.#ofNamespace.get(row.namespace) ?? new SelectorIndex<Policy>()
      this.#ofNamespace.set(row.namespace, index)
      index.add(row.pods, policy)
    }
    this.#count(before?.row, row)
  }

  setClusterPolicy(key: string, row: ClusterNetworkPolicy | undefined): void {
    const before = this.#cluster.get(key)
    this.#cluster.delete(key)
    if (row) this.#cluster.set(key, { row, policy: fromClusterPolicy(row, ++this.#serial) })
    this.#count(before?.row, row)
  }

  /** Policies that mean nodes are made anew: their addresses are written into the sets. */
  renewNodePolicies(): boolean {
    let isAny = false
    for (const [key, { row }] of this.#cluster) {
      const means = row.egress.some(({ peers }) => peers?.some(({ kind }) => kind === 'nodes'))
      if (!means) continue
      isAny = true
      this.#cluster.set(key, { row, policy: fromClusterPolicy(row, ++this.#serial) })
    }
    return isAny
  }

  /** Those that select the pod. */
  of(pod: Pod, namespace: NamespaceLabels): Policy[] {
    const found = this.#ofNamespace.get(pod.namespace)?.match(pod.labels) ?? []
    for (const { row, policy } of this.#cluster.values()) {
      const { namespaces, pods } = row.subject
      if (!selects(namespaces, namespace.labels, namespace.isWhole)) continue
      if (selects(pods, pod.labels)) found.push(policy)
    }
    return found
  }

  takeChangedWords(): ChangedWords {
    const changed = { labels: this.#labels, ports: this.#ports }
    this.#labels = new Set()
    this.#ports = new Set()
    return changed
  }

  #resize(namespace: string, by: 1 | -1): void {
    const size = (this.#sizes.get(namespace) ?? 0) + by
    if (size > 0) this.#sizes.set(namespace, size)
    else {
      this.#sizes.delete(namespace)
      this.#ofNamespace.delete(namespace)
    }
  }

  /** The new ones first, so that a word of both never ceases to count. */
  #count(
    before: NetworkPolicy | ClusterNetworkPolicy | undefined,
    now: NetworkPolicy | ClusterNetworkPolicy | undefined,
  ): void {
    for (const [row, by] of [[now, 1] as const, [before, -1] as const]) {
      if (!row) continue
      const { labels, ports } = this.#identities.useWords(wordsOf(row), by)
      for (const name of labels) this.#labels.add(name)
      for (const name of ports) this.#ports.add(name)
    }
  }
}
