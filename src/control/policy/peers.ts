// Peers of rules that are pods: each selector once, however many rules have it, with the identities
// that it means. An identity that comes meets only the selectors that may mean it.
import type { PolicyPeer, Selector } from '../../tables/policy.ts'
import type { Identities, Identity, Peer } from './identities.ts'
import { type Labels, SelectorIndex, selectorKey, selects } from './selectors.ts'

export type PodsPeer = Extract<PolicyPeer, { kind: 'pods' }>

/** Labels of a namespace; `isWhole`: there are no others. */
export interface NamespaceLabels {
  readonly labels: Labels
  readonly isWhole: boolean
}

/** Peers of several namespaces that share the selector of these. */
interface Group {
  readonly selector: Selector
  readonly peers: SelectorIndex<Peer>
  size: number
}

export class Peers {
  readonly #identities: Identities
  readonly #labelsOf: (namespace: string) => NamespaceLabels
  readonly #byKey = new Map<string, Peer>()
  readonly #ofNamespace = new Map<string, { index: SelectorIndex<Peer>; size: number }>()
  readonly #groups = new Map<string, Group>()
  readonly #groupIndex = new SelectorIndex<Group>()
  /** Of which it is not known yet whom they mean. */
  readonly #new = new Set<Peer>()
  /** Users of peers whose matches changed since takeAffected(). */
  readonly #affected = new Set<string>()

  constructor(identities: Identities, labelsOf: (namespace: string) => NamespaceLabels) {
    this.#identities = identities
    this.#labelsOf = labelsOf
  }

  /** `namespace` is the policy's. Whom a new one means is known after settle(). */
  use(peer: PodsPeer, namespace: string, user: string): Peer {
    const key = peer.namespaces
      ? `${selectorKey(peer.namespaces)} ${selectorKey(peer.pods)}`
      : `${namespace} ${selectorKey(peer.pods)}`
    const known = this.#byKey.get(key) ?? this.#create(key, peer, namespace)
    known.users.add(user)
    return known
  }

  unuse(peer: Peer, user: string): void {
    peer.users.delete(user)
    if (peer.users.size > 0 || this.#byKey.get(peer.key) !== peer) return
    this.#byKey.delete(peer.key)
    this.#new.delete(peer)
    for (const identity of peer.matches) mutable(identity).delete(peer)
    this.#unindex(peer)
  }

  /** An identity that came or went; one that went means nobody. */
  rematch(identity: Identity): void {
    const now = this.#identities.isAlive(identity) ? this.#peersOf(identity) : new Set<Peer>()
    for (const peer of identity.peers) {
      if (now.has(peer)) continue
      peer.matches.delete(identity)
      this.#touch(peer)
    }
    for (const peer of now) {
      if (identity.peers.has(peer)) continue
      peer.matches.add(identity)
      this.#touch(peer)
    }
    identity.peers = now
  }

  /** New peers meet the identities, which are as they shall be. */
  settle(): void {
    for (const peer of this.#new) {
      for (const namespace of this.#namespacesOf(peer)) {
        for (const identity of this.#identities.ofNamespace(namespace)) {
          if (!selects(peer.pods, identity.labels)) continue
          peer.matches.add(identity)
          mutable(identity).add(peer)
        }
      }
    }
    this.#new.clear()
  }

  /** True when some peer that is known means pods of the one and not of the other. */
  tellsApart(before: NamespaceLabels, after: NamespaceLabels): boolean {
    const groupsOf = ({ labels, isWhole }: NamespaceLabels) =>
      this.#groupIndex.match(labels, isWhole)
    const known = new Set(groupsOf(before))
    const found = groupsOf(after)
    return found.length !== known.size || found.some((group) => !known.has(group))
  }

  takeAffected(): string[] {
    const affected = [...this.#affected]
    this.#affected.clear()
    return affected
  }

  #touch(peer: Peer): void {
    for (const user of peer.users) this.#affected.add(user)
  }

  #peersOf({ namespace, labels }: Identity): Set<Peer> {
    const found = new Set(this.#ofNamespace.get(namespace)?.index.match(labels))
    const of = this.#labelsOf(namespace)
    for (const group of this.#groupIndex.match(of.labels, of.isWhole)) {
      for (const peer of group.peers.match(labels)) found.add(peer)
    }
    return found
  }

  #create(key: string, { namespaces, pods }: PodsPeer, namespace: string): Peer {
    const peer: Peer = {
      ...{ key, namespace: namespaces ? undefined : namespace, namespaces: namespaces ?? [], pods },
      ...{ matches: new Set(), users: new Set() },
    }
    this.#byKey.set(key, peer)
    this.#index(peer)
    this.#new.add(peer)
    return peer
  }

  *#namespacesOf({ namespace, namespaces }: Peer): IterableIterator<string> {
    if (namespace !== undefined) {
      yield namespace
      return
    }
    for (const each of this.#identities.namespaces()) {
      const { labels, isWhole } = this.#labelsOf(each)
      if (selects(namespaces, labels, isWhole)) yield each
    }
  }

  #index(peer: Peer): void {
    const { namespace, namespaces, pods } = peer
    if (namespace !== undefined) {
      const known = this.#ofNamespace.get(namespace) ?? {
        index: new SelectorIndex<Peer>(),
        size: 0,
      }
      this.#ofNamespace.set(namespace, known)
      known.index.add(pods, peer)
      known.size++
      return
    }
    const key = selectorKey(namespaces)
    let group = this.#groups.get(key)
    if (!group) {
      group = { selector: namespaces, peers: new SelectorIndex<Peer>(), size: 0 }
      this.#groups.set(key, group)
      this.#groupIndex.add(namespaces, group)
    }
    group.peers.add(pods, peer)
    group.size++
  }

  #unindex(peer: Peer): void {
    const { namespace, namespaces, pods } = peer
    if (namespace !== undefined) {
      const known = this.#ofNamespace.get(namespace)
      known?.index.delete(pods, peer)
      if (known && --known.size === 0) this.#ofNamespace.delete(namespace)
      return
    }
    const group = this.#groups.get(selectorKey(namespaces))
    group?.peers.delete(pods, peer)
    if (!group || --group.size > 0) return
    this.#groups.delete(selectorKey(namespaces))
    this.#groupIndex.delete(namespaces, group)
  }
}

/** Only this file changes it. */
function mutable({ peers }: Identity): Set<Peer> {
  return peers as Set<Peer>
}
