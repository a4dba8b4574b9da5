// ClusterNetworkPolicies to rows. As the API asks of those who meet what they do not know: a rule
// that accepts then matches nothing, one that denies or passes on denies everything.
import type { V1LabelSelector } from '@kubernetes/client-node'
import type { Protocol } from '../net/protocol.ts'
import type {
  ClusterNetworkPolicy,
  ClusterPolicyAction,
  ClusterPolicyRule,
  PolicyPeer,
  PolicyPort,
} from '../tables/policy.ts'
import { Field } from './fields.ts'
import { type Converted, describeObject, readName } from './metadata.ts'
import { attempt, readPortName, readSelector } from './policy-objects.ts'

interface ApiPods {
  readonly namespaceSelector?: V1LabelSelector
  readonly podSelector?: V1LabelSelector
}

interface ApiPeer {
  readonly namespaces?: V1LabelSelector
  readonly pods?: ApiPods
  readonly nodes?: V1LabelSelector
  readonly networks?: string[]
}

interface ApiPorts {
  readonly destinationPort?: {
    readonly number?: number
    readonly range?: { readonly start?: number; readonly end?: number }
  }
}

interface ApiProtocol {
  readonly tcp?: ApiPorts
  readonly udp?: ApiPorts
  readonly sctp?: ApiPorts
  readonly destinationNamedPort?: string
}

interface ApiRule {
  readonly name?: string
  readonly action?: string
  readonly from?: ApiPeer[]
  readonly to?: ApiPeer[]
  readonly protocols?: ApiProtocol[]
}

/** As in policy.networking.k8s.io/v1alpha2, of which @kubernetes/client-node has no types. */
export interface ApiClusterNetworkPolicy {
  readonly metadata?: { readonly name?: string }
  readonly spec?: {
    readonly tier?: string
    readonly priority?: number
    readonly subject?: { readonly namespaces?: V1LabelSelector; readonly pods?: ApiPods }
    readonly ingress?: ApiRule[]
    readonly egress?: ApiRule[]
  }
}

/** Throws ObjectError when it is not clear what it selects or where it stands among the others. */
export function clusterNetworkPolicyRow(
  object: ApiClusterNetworkPolicy,
): Converted<ClusterNetworkPolicy> {
  const policy = Field.of(describeObject('ClusterNetworkPolicy', object), object)
  const spec = policy.get('spec')
  const tier = spec.get('tier')
  if (tier.value !== 'Admin' && tier.value !== 'Baseline') tier.is('give Admin or Baseline')
  const priority = spec.get('priority')
  const isPriority = Number.isInteger(priority.value) && Number(priority.value) >= 0
  if (!isPriority || Number(priority.value) > 1000)
    priority.is('give a whole number from 0 to 1000')
  const problems: string[] = []
  const row: ClusterNetworkPolicy = {
    name: readName(policy.get('metadata') as never),
    tier: tier.value as ClusterNetworkPolicy['tier'],
    priority: priority.value as number,
    subject: readSubject(spec.get('subject')),
    ingress: readRules(spec.get('ingress'), 'from', problems),
    egress: readRules(spec.get('egress'), 'to', problems),
    problems,
  }
  return { row, notes: problems }
}

function readSubject(
  subject: Field<{ namespaces?: V1LabelSelector; pods?: ApiPods } | undefined>,
): ClusterNetworkPolicy['subject'] {
  const namespaces = subject.get('namespaces')
  const pods = subject.get('pods')
  if (namespaces.absent === pods.absent) subject.is('give either namespaces or pods')
  if (pods.absent) return { namespaces: readSelector(namespaces), pods: [] }
  return readPods(pods)
}

function readPods(pods: Field<ApiPods | undefined>): ClusterNetworkPolicy['subject'] {
  const namespaces = pods.get('namespaceSelector')
  return {
    namespaces: namespaces.absent ? [] : readSelector(namespaces),
    pods: readSelector(pods.get('podSelector')),
  }
}

function readRules(
  list: Field<ApiRule[] | undefined>,
  peersName: 'from' | 'to',
  problems: string[],
): readonly ClusterPolicyRule[] {
  return list.items().map((item) => {
    const rule = item as Field<ApiRule>
    const name = attempt(problems, () => rule.get('name').text('')) ?? ''
    const action = attempt(problems, () => readAction(rule.get('action'))) ?? 'Deny'
    const understood = attempt(problems, () => ({
      peers: readPeers(rule.get(peersName) as Field<ApiPeer[]>, peersName),
      ...readProtocols(rule.get('protocols')),
    }))
    if (understood) return { name, action, ...understood }
    return action === 'Accept' ? { name, action, peers: [] } : { name, action: 'Deny' }
  })
}

function readAction(field: Field<string | undefined>): ClusterPolicyAction {
  const { value } = field
  if (value !== 'Accept' && value !== 'Deny' && value !== 'Pass') {
    field.is('give Accept, Deny or Pass')
  }
  return value as ClusterPolicyAction
}

function readPeers(list: Field<ApiPeer[]>, peersName: 'from' | 'to'): readonly PolicyPeer[] {
  const items = list.items()
  if (items.length === 0) list.is('give at least one peer')
  return items.flatMap((item) => readPeer(item as Field<ApiPeer>, peersName))
}

function readPeer(peer: Field<ApiPeer>, peersName: 'from' | 'to'): readonly PolicyPeer[] {
  const names = Object.keys((peer.value ?? {}) as object)
  if (names.length !== 1) peer.is('give exactly one sort of peer')
  const namespaces = peer.get('namespaces')
  if (!namespaces.absent) {
    return [{ kind: 'pods', namespaces: readSelector(namespaces), pods: [] }]
  }
  const pods = peer.get('pods')
  if (!pods.absent) return [{ kind: 'pods', ...readPods(pods) }]
  if (peersName === 'to') {
    const nodes = peer.get('nodes')
    if (!nodes.absent) return [{ kind: 'nodes', nodes: readSelector(nodes) }]
    const networks = peer.get('networks').items()
    if (networks.length > 0) {
      return networks.map((item) => ({ kind: 'block', prefix: item.prefix(), except: [] }))
    }
  }
  return peer.is('this sort of peer is not supported here')
}

function readProtocols(list: Field<ApiProtocol[] | undefined>): { ports?: readonly PolicyPort[] } {
  const items = list.items()
  return items.length === 0 ? {} : { ports: items.map((item) => readPort(item as never)) }
}

function readPort(item: Field<ApiProtocol>): PolicyPort {
  const names = Object.keys((item.value ?? {}) as object)
  if (names.length !== 1) item.is('give exactly one of tcp, udp, sctp, destinationNamedPort')
  const named = item.get('destinationNamedPort')
  if (!named.absent) return { port: readPortName(named) }
  const name = (['tcp', 'udp', 'sctp'] as const).find((each) => each === names[0])
  if (!name) return item.is('give tcp, udp, sctp or destinationNamedPort')
  const protocol = name.toUpperCase() as Protocol
  const port = item.get(name).get('destinationPort')
  if (port.absent) return { protocol }
  const number = port.get('number')
  const range = port.get('range')
  if (number.absent === range.absent) port.is('give either number or range')
  if (range.absent) return { protocol, port: number.port() }
  const start = range.get('start').port()
  const end = range.get('end').port()
  if (end < start) range.get('end').is(`give a number from ${start} to 65535`)
  return { protocol, port: start, endPort: end }
}
