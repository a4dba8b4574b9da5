// The pods of this node as those whom policies select: which recipes each has, why one is closed.
import type { Address } from '../../net/address.ts'
import type { Endpoint, Pod } from '../../tables/intent.ts'
import type { Tables } from '../../tables/tables.ts'
import { LocalIndex } from './addresses.ts'
import type { PolicyBook } from './book.ts'
import type { NamespaceLabels } from './peers.ts'
import type { Recipe, Recipes } from './recipes.ts'

export interface Local {
  readonly endpoint: Endpoint
  ingress: Recipe | undefined
  egress: Recipe | undefined
  /** What is not known yet, in one sentence. */
  unknown: string | undefined
  audit: boolean
  /** Keys of the policies that select it. */
  policies: readonly string[]
}

export interface LocalParts {
  readonly tables: Tables
  readonly book: PolicyBook
  readonly recipes: Recipes
  readonly labelsOf: (namespace: string) => NamespaceLabels
}

export class Locals {
  readonly #parts: LocalParts
  readonly #byKey = new Map<string, Local>()
  readonly #index = new LocalIndex<Local>()
  readonly #dirty = new Set<Local>()

  constructor(parts: LocalParts) {
    this.#parts = parts
  }

  all(): IterableIterator<Local> {
    return this.#byKey.values()
  }

  /** See AddressParts. */
  podOf(address: Address): Pod | null | undefined {
    const local = this.#index.byAddress.get(address)
    return local && (this.#podRow(local.endpoint) ?? null)
  }

  addresses(): IterableIterator<Address> {
    return this.#index.byAddress.keys()
  }

  /** An endpoint came, changed or went; gives the addresses that may have another identity now. */
  touchEndpoint(key: string): readonly Address[] {
    const before = this.#byKey.get(key)
    if (before) {
      this.#index.delete(before, placeOf(before.endpoint))
      this.#byKey.delete(key)
      this.#dirty.delete(before)
      this.#release(before)
    }
    const endpoint = this.#parts.tables.endpoints.get(key)
    if (endpoint) {
      const local: Local = {
        ...{ endpoint, ingress: undefined, egress: undefined, unknown: undefined, audit: false },
        policies: [],
      }
      this.#byKey.set(key, local)
      this.#index.add(local, placeOf(endpoint))
      this.#dirty.add(local)
    }
    return [...(before?.endpoint.addresses ?? []), ...(endpoint?.addresses ?? [])]
  }

  /** Gives the addresses that the pod has here. */
  touchPod(key: string): readonly Address[] {
    const locals = [...(this.#index.byPod.get(key) ?? [])]
    for (const local of locals) this.#dirty.add(local)
    return locals.flatMap(({ endpoint }) => endpoint.addresses)
  }

  /** Gives the addresses that the namespace's pods have here. */
  touchNamespace(namespace: string): readonly Address[] {
    const locals = [...(this.#index.byNamespace.get(namespace) ?? [])]
    for (const local of locals) this.#dirty.add(local)
    return locals.flatMap(({ endpoint }) => endpoint.addresses)
  }

  touchAll(): void {
    for (const local of this.#byKey.values()) this.#dirty.add(local)
  }

  /** Gives every touched endpoint its recipes. */
  settle(): void {
    for (const local of this.#dirty) {
      const { ingress, egress } = local
      this.#choose(local)
      // After the new ones are held, so that what stays is not made anew.
      for (const recipe of [ingress, egress]) if (recipe) this.#parts.recipes.release(recipe)
    }
    this.#dirty.clear()
  }

  #choose(local: Local): void {
    const { tables, book, recipes, labelsOf } = this.#parts
    const { podNamespace, podName } = local.endpoint
    const namespace = labelsOf(podNamespace)
    local.audit = tables.namespaces.get(podNamespace)?.policyAudit ?? false
    local.ingress = undefined
    local.egress = undefined
    local.unknown = undefined
    local.policies = []
    // Nobody selects what is no pod.
    if (podName === '' || book.ignores(podNamespace, namespace)) return
    const pod = this.#podRow(local.endpoint)
    if (!pod || !namespace.isWhole) {
      const what = pod ? `Namespace ${podNamespace}` : `Pod ${podNamespace}/${podName}`
      local.unknown = `${what} is not known yet, and policies may select its pods`
      return
    }
    const policies = book.of(pod, namespace)
    const { ports } = pod
    local.policies = policies.map(({ key }) => key).sort()
    local.ingress = recipes.hold({ direction: 'ingress', policies, ports })
    local.egress = recipes.hold({ direction: 'egress', policies, ports })
  }

  #release({ ingress, egress }: Local): void {
    for (const recipe of [ingress, egress]) if (recipe) this.#parts.recipes.release(recipe)
  }

  /** Of this pod and of no other with its name. */
  #podRow({ podNamespace, podName, podUid }: Endpoint): Pod | undefined {
    const pod = this.#parts.tables.pods.get(`${podNamespace}/${podName}`)
    return pod && (podUid === '' || pod.uid === '' || pod.uid === podUid) ? pod : undefined
  }
}

function placeOf({ podNamespace, podName, addresses }: Endpoint) {
  return { namespace: podNamespace, pod: `${podNamespace}/${podName}`, addresses }
}
