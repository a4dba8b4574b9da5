// Ends of a connection that the programs of this node are not asked about: why, and for a pod of
// another node what that would say, for every node compiles the same policies.
import { PolicyJudge } from '../control/policy-judge.ts'
import type { Address } from '../net/address.ts'
import type { Endpoint, Pod } from '../tables/intent.ts'
import type { PolicyConnection, PolicyDirection } from '../tables/policy.ts'
import type { Tables } from '../tables/tables.ts'
import { compile, copyInputs, type PolicyGround } from './policy-ground.ts'

export interface Foretold {
  readonly node: string
  readonly allowed: boolean
  /** Absent: nothing isolates the pod there, or its own node asks. */
  readonly rule?: string
}

export type Unasked = { readonly reason: string } | { readonly foretold: Foretold }

export class UnaskedEnds {
  readonly #ground: PolicyGround
  readonly #local: ReadonlySet<Address>
  readonly #elsewhere = new Map<Address, Pod>()
  readonly #judges = new Map<string, PolicyJudge>()
  #compiled: Tables | undefined

  constructor(ground: PolicyGround) {
    this.#ground = ground
    const { pods, endpoints } = ground.tables
    this.#local = new Set([...endpoints.rows()].flatMap(({ addresses }) => addresses))
    for (const pod of pods.rows()) {
      if (pod.hostNetwork || pod.nodeName === ground.nodeName) continue
      for (const address of pod.addresses) this.#elsewhere.set(address, pod)
    }
  }

  explain(direction: PolicyDirection, connection: PolicyConnection): Unasked {
    const { source, destination } = connection
    const end = direction === 'egress' ? source : destination
    if (source === destination) return { reason: 'a pod always reaches itself' }
    if (this.#local.has(end)) return { reason: 'a node always reaches its own pods' }
    const pod = this.#elsewhere.get(end)
    if (!pod) return { reason: 'it is no pod' }
    const judgement = this.#judgeOf(pod.nodeName).side(direction, connection)
    return { foretold: { node: pod.nodeName, allowed: true, ...judgement } }
  }

  #judgeOf(nodeName: string): PolicyJudge {
    const known = this.#judges.get(nodeName)
    if (known) return known
    this.#compiled ??= this.#compileElsewhere()
    const own = this.#ground.tables.nodes.get(nodeName)?.addresses ?? []
    const judge = new PolicyJudge(this.#compiled, own)
    this.#judges.set(nodeName, judge)
    return judge
  }

  /** As if every pod of another node were attached here. */
  #compileElsewhere(): Tables {
    const tables = copyInputs(this.#ground.tables)
    for (const pod of new Set(this.#elsewhere.values())) tables.endpoints.upsert(attachmentOf(pod))
    compile(tables, this.#ground)
    return tables
  }
}

/** As far as policies are compiled by it. */
function attachmentOf({ namespace, name, uid, addresses }: Pod): Endpoint {
  const names = { podNamespace: namespace, podName: name, podUid: uid }
  const attachment = { containerId: `${namespace}/${name}`, ifName: 'eth0', ...names, addresses }
  return attachment as Partial<Endpoint> as Endpoint
}
