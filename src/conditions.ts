// What is wrong with this agent and with what it was asked for: as sentences for weir status, and
// as conditions of the objects concerned, which become Events.
import type { Conflict } from './control/wire.ts'
import type { Condition, ObjectReference, Problem } from './kube/conditions.ts'
import { policyProblems, policyRoom } from './policy-problems.ts'
import type { Service } from './tables/intent.ts'
import type { Tables } from './tables/tables.ts'

export interface ConditionParts {
  readonly nodeName: string
  readonly tables: Tables
  readonly node: {
    /** Why no pod can be taken. */
    readonly problem: string | undefined
    conflicts(): readonly Conflict[]
  }
  readonly duties: { problems(): readonly Problem[] }
}

/** Why the node takes no pods; empty: it does. */
export function notReady({ problem }: ConditionParts['node']): string[] {
  return problem === undefined ? [] : [`Cannot take pods: ${problem}`]
}

/** What is wrong beyond rows in error and the source, one sentence each. */
export function agentProblems({ tables, node, duties }: ConditionParts): string[] {
  return [
    ...notReady(node),
    ...node.conflicts().map(describeConflict),
    ...[...duties.problems(), ...policyRoom(tables)].map(({ text }) => text),
    ...policyProblems(tables),
  ]
}

/** What is worth an Event, the node's own first. */
export function agentConditions(parts: ConditionParts): Condition[] {
  const { nodeName, tables, node, duties } = parts
  const unready = notReady(node).map((text) => ({ reason: 'NetworkNotReady', text }))
  const problems = [...unready, ...duties.problems(), ...policyRoom(tables)]
  const about = nodeReference(nodeName)
  return [
    ...problems.map((problem) => ({ ...problem, about })),
    ...unserved(tables),
    ...unchecked(tables),
    ...conflicting(parts),
    ...closedPods(tables),
  ]
}

/** Services that the kernel does not have as wanted, each with the first reason. */
function unserved({ frontends, services }: Tables): Condition[] {
  const texts = new Map<Service, string>()
  for (const { row, status } of frontends.entries()) {
    const service = row.kind === 'HostPort' ? undefined : services.get(row.service)
    if (!service || status.state !== 'error' || texts.has(service)) continue
    texts.set(service, status.error)
  }
  return [...texts].map(([service, text]) => {
    return { reason: 'ServiceNotServed', about: serviceReference(service), text }
  })
}

/** As kube-proxy calls it: load balancers get no answer about the Service. */
function unchecked({ healthChecks, services }: Tables): Condition[] {
  const entries = [...healthChecks.entries()]
  return entries.flatMap(({ row, status }) => {
    const service = row.service === undefined ? undefined : services.get(row.service)
    if (!service || status.state !== 'error') return []
    const about = serviceReference(service)
    return [{ reason: 'FailedToStartServiceHealthcheck', about, text: status.error }]
  })
}

function conflicting({ node, tables }: ConditionParts): Condition[] {
  return node.conflicts().flatMap((conflict) => {
    const service = tables.services.get(conflict.loser)
    const isNode = tables.nodes.get(conflict.loser) !== undefined
    if (!service && !isNode) return []
    const about = service ? serviceReference(service) : nodeReference(conflict.loser)
    return [{ reason: 'AddressTaken', about, text: describeConflict(conflict) }]
  })
}

function closedPods({ endpoints, endpointPolicies }: Tables): Condition[] {
  return [...endpointPolicies.rows()].flatMap(({ endpoint, closed }) => {
    const row = endpoints.get(endpoint)
    if (!closed || !row) return []
    const { podNamespace: namespace, podName: name, podUid: uid } = row
    const about = { apiVersion: 'v1', kind: 'Pod', namespace, name, uid }
    return [{ reason: closed.condition, about, text: `closed by policy: ${closed.text}` }]
  })
}

function describeConflict({ table, key, owner, loser }: Conflict): string {
  return `Cannot give ${loser} ${key} of ${table}: ${owner} has it`
}

function serviceReference({ namespace, name, uid }: Service): ObjectReference {
  return { apiVersion: 'v1', kind: 'Service', namespace, name, uid }
}

/** By convention the uid of a Node in Events is its name. */
function nodeReference(name: string): ObjectReference {
  return { apiVersion: 'v1', kind: 'Node', name, uid: name }
}
