// Recipes: what a set is made of. Pods with the same policies, and the same numbers for the names
// of ports that these ask for, share one. It says whom each clause means and which ports, as far as
// that does not depend on the peer.
import { hostPrefix } from '../../net/prefix.ts'
import { protocolNumber } from '../../net/protocol.ts'
import type { NamedPort, Node } from '../../tables/intent.ts'
import type { PolicyDirection, PolicyEntry, PolicyPort } from '../../tables/policy.ts'
import { type Clause, comparePolicies, type Policy } from './clauses.ts'
import type { PortRange } from './decisions.ts'
import type { Ground } from './ground.ts'
import type { Identity, Peer } from './identities.ts'
import type { Peers } from './peers.ts'
import type { Block, PrefixClasses } from './prefixes.ts'
import type { Rules } from './rules.ts'
import { selects } from './selectors.ts'

export interface RecipeClause {
  readonly clause: Clause
  /** everybody, every pod of the cluster, or those that peers and blocks name. */
  readonly scope: 'any' | 'pods' | 'some'
  readonly peers: readonly Peer[]
  readonly blocks: readonly Block[]
  /** Absent: all protocols and ports. */
  readonly ranges: readonly PortRange[] | undefined
  /** Ports by name, whose numbers the peer decides. */
  readonly named: readonly (PolicyPort & { readonly ruleId: number })[]
  readonly ruleId: number
}

export interface Recipe {
  readonly key: string
  readonly direction: PolicyDirection
  readonly clauses: readonly RecipeClause[]
  /** The rule that names the policies which isolate; 0: none does. */
  readonly isolatedBy: number
  readonly texts: readonly string[]
  readonly asksNodes: boolean
  /** Addresses of endpoints that have it. */
  uses: number
  /** Of its set. */
  id: number
  entries: readonly PolicyEntry[]
  /** Absent until it is compiled. */
  ground: Ground | undefined
}

interface Wanted {
  readonly direction: PolicyDirection
  readonly policies: readonly Policy[]
  /** Of the pod that the policies select. */
  readonly ports: readonly NamedPort[]
}

export class Recipes {
  readonly #peers: Peers
  readonly #classes: PrefixClasses
  readonly #rules: Rules
  readonly #nodes: () => Iterable<Node>
  readonly #byKey = new Map<string, Recipe>()
  readonly #prefixes = new Set<string>()

  constructor(parts: {
    peers: Peers
    classes: PrefixClasses
    rules: Rules
    nodes: () => Iterable<Node>
  }) {
    this.#peers = parts.peers
    this.#classes = parts.classes
    this.#rules = parts.rules
    this.#nodes = parts.nodes
  }

  all(): IterableIterator<Recipe> {
    return this.#byKey.values()
  }

  get(key: string): Recipe | undefined {
    return this.#byKey.get(key)
  }

  /** Undefined when these policies say nothing in this direction. Held until released. */
  hold({ direction, policies, ports }: Wanted): Recipe | undefined {
    const concerned = policies.filter((policy) => saysSomething(policy, direction))
    if (concerned.length === 0) return undefined
    const sorted = [...concerned].sort(comparePolicies)
    const clauses = sorted.flatMap((policy) => policy[direction] ?? [])
    const own = direction === 'ingress' ? askedFor(clauses, ports) : []
    const key = `${direction} ${sorted.map(({ serial }) => serial)} ${JSON.stringify(own)}`
    let recipe = this.#byKey.get(key)
    if (!recipe) {
      recipe = this.#create(key, direction, sorted, own)
      this.#byKey.set(key, recipe)
    }
    recipe.uses++
    return recipe
  }

  release(recipe: Recipe): void {
    if (--recipe.uses > 0) return
    this.#byKey.delete(recipe.key)
    for (const { peers, blocks } of recipe.clauses) {
      for (const peer of peers) this.#peers.unuse(peer, recipe.key)
      for (const block of blocks) this.#note(this.#classes.remove(block))
    }
    for (const text of recipe.texts) this.#rules.unuse(text)
  }

  /** Prefixes that came or went since the last call. */
  takePrefixes(): string[] {
    const prefixes = [...this.#prefixes]
    this.#prefixes.clear()
    return prefixes
  }

  #note(prefixes: readonly string[]): void {
    for (const prefix of prefixes) this.#prefixes.add(prefix)
  }

  #create(
    key: string,
    direction: PolicyDirection,
    policies: readonly Policy[],
    ports: readonly NamedPort[],
  ): Recipe {
    const texts: string[] = []
    const rule = (text: string): number => {
      texts.push(text)
      return this.#rules.use(text)
    }
    const isolating = policies.filter(({ layer }) => layer === 'NetworkPolicy')
    const clauses = policies.flatMap((policy) => policy[direction] ?? [])
    return {
      ...{ key, direction, texts, uses: 0, id: 0, entries: [], ground: undefined },
      clauses: clauses.map((clause) => this.#clause(clause, { key, direction, ports, rule })),
      isolatedBy: isolating.length > 0 ? rule(isolationText(isolating, direction)) : 0,
      asksNodes: clauses.some(({ peers }) => peers?.some(({ kind }) => kind === 'nodes')),
    }
  }

  #clause(
    clause: Clause,
    about: {
      key: string
      direction: PolicyDirection
      ports: readonly NamedPort[]
      rule: (text: string) => number
    },
  ): RecipeClause {
    const { text, ports } = clause
    const peers: Peer[] = []
    const blocks: Block[] = []
    const isAllPods = clause.peers?.some(
      (peer) => peer.kind === 'pods' && peer.namespaces?.length === 0 && peer.pods.length === 0,
    )
    for (const peer of clause.peers ?? []) {
      if (peer.kind === 'block') blocks.push(peer)
      else if (peer.kind === 'nodes') blocks.push(...this.#nodeBlocks(peer.nodes))
      else if (!isAllPods) peers.push(this.#peers.use(peer, clause.namespace, about.key))
    }
    for (const block of blocks) this.#note(this.#classes.add(block))
    const ruled = ports?.map((port, at) => {
      const ruleId = about.rule(ports.length > 1 ? `${text}, port ${at + 1}` : text)
      return { ...port, ruleId }
    })
    return {
      ...{ clause, peers, blocks, ruleId: ruled ? 0 : about.rule(text) },
      scope: clause.peers === undefined ? 'any' : isAllPods ? 'pods' : 'some',
      ranges: ruled?.flatMap((port) => rangesOf(port, about.ports)),
      named:
        about.direction === 'egress'
          ? (ruled ?? []).filter(({ port }) => typeof port === 'string')
          : [],
    }
  }

  #nodeBlocks(selector: Parameters<typeof selects>[0]): Block[] {
    const blocks: Block[] = []
    for (const { labels, addresses } of this.#nodes()) {
      if (!selects(selector, labels)) continue
      for (const address of addresses) blocks.push({ prefix: hostPrefix(address), except: [] })
    }
    return blocks
  }
}

/** A NetworkPolicy isolates even without rules; a cluster policy without rules says nothing. */
function saysSomething(policy: Policy, direction: PolicyDirection): boolean {
  const clauses = policy[direction]
  if (!clauses) return false
  return policy.layer === 'NetworkPolicy' || clauses.length > 0
}

function isolationText(policies: readonly Policy[], direction: PolicyDirection): string {
  const names = policies.slice(0, 3).map(({ key }) => key)
  const more = policies.length > 3 ? ` and ${policies.length - 3} more` : ''
  return `no ${direction} rule of ${names.join(', ')}${more} allows it`
}

/** The ports whose names the clauses ask for. */
function askedFor(clauses: readonly Clause[], ports: readonly NamedPort[]): readonly NamedPort[] {
  if (ports.length === 0) return []
  return ports.filter(({ name }) =>
    clauses.some((clause) => clause.ports?.some(({ port }) => port === name)),
  )
}

const ALL_PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const

function rangesOf(
  port: PolicyPort & { readonly ruleId: number },
  named: readonly NamedPort[],
): PortRange[] {
  const { ruleId, endPort } = port
  if (typeof port.port === 'string') return namedRanges(port, named)
  const protocols = port.protocol ? [port.protocol] : ALL_PROTOCOLS
  return protocols.map((protocol) => ({
    protocol: protocolNumber(protocol),
    first: port.port === undefined ? 0 : (port.port as number),
    last: port.port === undefined ? 65535 : (endPort ?? (port.port as number)),
    ruleId,
  }))
}

function namedRanges(
  { port, protocol, ruleId }: PolicyPort & { readonly ruleId: number },
  named: readonly NamedPort[],
): PortRange[] {
  return named
    .filter((each) => each.name === port && (protocol ?? each.protocol) === each.protocol)
    .map((each) => ({
      ...{ protocol: protocolNumber(each.protocol), first: each.port, last: each.port, ruleId },
    }))
}

/** With the numbers that this peer's ports have. */
export function rangesFor(
  { ranges, named }: RecipeClause,
  { ports }: Identity,
): readonly PortRange[] | undefined {
  if (named.length === 0 || ports.length === 0) return ranges
  return [...(ranges ?? []), ...named.flatMap((port) => namedRanges(port, ports))]
}
