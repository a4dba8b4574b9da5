// A cluster as an API server stores it: objects with versions, and the history that watches are
// served from. Compaction forgets history; a replaced cluster has another uid.
import { randomUUID } from 'node:crypto'

export interface ApiObject {
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly uid?: string
    readonly resourceVersion?: string
  }
  readonly spec?: object
  readonly status?: object
}

export interface StoredEvent {
  readonly plural: string
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: ApiObject
  readonly revision: number
}

export class ClusterState {
  readonly uid: string
  revision: number
  /** Events at or below are forgotten. */
  compactedAt: number
  readonly history: StoredEvent[] = []
  readonly #objects = new Map<string, Map<string, ApiObject>>()
  readonly #listeners = new Set<(event: StoredEvent) => void>()

  constructor({ revision = 100, uid = randomUUID() as string } = {}) {
    this.uid = uid
    this.revision = revision
    this.compactedAt = revision
    this.put('namespaces', { metadata: { name: 'kube-system', uid } })
  }

  /** Adds or changes; gives a new version. */
  put(plural: string, object: ApiObject): void {
    const objects = this.#of(plural)
    const key = keyOf(object)
    const type = objects.has(key) ? 'MODIFIED' : 'ADDED'
    this.#store(plural, type, object)
  }

  delete(plural: string, key: string): void {
    const object = this.#of(plural).get(key)
    if (object) this.#store(plural, 'DELETED', object)
  }

  /** By key, sorted as etcd sorts them. */
  list(plural: string): ApiObject[] {
    return [...this.#of(plural)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object)
  }

  keys(plural: string): string[] {
    return [...this.#of(plural).keys()]
  }

  /** Forgets all history so far. */
  compact(): void {
    this.compactedAt = this.revision
    this.history.length = 0
  }

  subscribe(listener: (event: StoredEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #store(plural: string, type: StoredEvent['type'], object: ApiObject): void {
    this.revision++
    const metadata = { ...object.metadata, resourceVersion: String(this.revision) }
    const event = { plural, type, object: { ...object, metadata }, revision: this.revision }
    if (type === 'DELETED') this.#of(plural).delete(keyOf(object))
    else this.#of(plural).set(keyOf(object), event.object)
    this.history.push(event)
    for (const listener of this.#listeners) listener(event)
  }

  #of(plural: string): Map<string, ApiObject> {
    let objects = this.#objects.get(plural)
    if (!objects) {
      objects = new Map()
      this.#objects.set(plural, objects)
    }
    return objects
  }
}

function keyOf({ metadata: { namespace, name } }: ApiObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`
}
