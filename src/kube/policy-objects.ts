// NetworkPolicies to rows. A part that cannot be understood allows nothing and has a sentence in
// `problems`; when it is not even clear what is selected, the whole namespace is. So a mistake
// closes, and never opens.
import type {
  V1IPBlock,
  V1LabelSelector,
  V1NetworkPolicy,
  V1NetworkPolicyPeer,
  V1NetworkPolicyPort,
  V1NetworkPolicySpec,
} from '@kubernetes/client-node'
import { prefixAddress, prefixContains, prefixLength } from '../net/prefix.ts'
import type {
  NetworkPolicy,
  PolicyClause,
  PolicyPeer,
  PolicyPort,
  Requirement,
  Selector,
} from '../tables/policy.ts'
import { type Field, ObjectError, Field as ObjectField } from './fields.ts'
import { type Converted, describeObject, readName, readNamespace } from './metadata.ts'

const OPERATORS: readonly string[] = ['In', 'NotIn', 'Exists', 'DoesNotExist']
const PORT_NAME = /^(?=.*[a-z])[a-z0-9](-?[a-z0-9])*$/

/** What `read` gives, or undefined with the sentence noted. */
export function attempt<T>(problems: string[], read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ObjectError)) throw error
    problems.push(error.message)
    return undefined
  }
}

export function networkPolicyRow(object: V1NetworkPolicy): Converted<NetworkPolicy> {
  const policy = ObjectField.of(describeObject('NetworkPolicy', object), object)
  const metadata = policy.get('metadata')
  const identity = { namespace: readNamespace(metadata), name: readName(metadata) }
  const problems: string[] = []
  const spec = policy.get('spec')
  const pods = attempt(problems, () => readSelector(spec.get('podSelector'))) ?? []
  const isolates = readDirections(spec, problems)
  const row: NetworkPolicy = {
    ...identity,
    pods,
    ...(isolates.ingress ? { ingress: readRules(spec.get('ingress'), 'from', problems) } : {}),
    ...(isolates.egress ? { egress: readRules(spec.get('egress'), 'to', problems) } : {}),
    problems,
  }
  return { row, notes: problems }
}

/** As the API server fills in policyTypes; both directions when they are not understood. */
function readDirections(
  spec: Field<V1NetworkPolicySpec | undefined>,
  problems: string[],
): { ingress: boolean; egress: boolean } {
  const all = { ingress: true, egress: true }
  const read = () => {
    const types = spec.get('policyTypes').items()
    if (types.length === 0) return { ingress: true, egress: hasItems(spec.get('egress')) }
    for (const type of types) {
      if (type.value !== 'Ingress' && type.value !== 'Egress') type.is('give Ingress or Egress')
    }
    const has = (name: string) => types.some(({ value }) => value === name)
    return { ingress: has('Ingress'), egress: has('Egress') }
  }
  return attempt(problems, read) ?? all
}

/** A list that is not one counts as rules: they are read, and refused, in their place. */
function hasItems({ absent, value }: Field<unknown>): boolean {
  return !absent && !(Array.isArray(value) && value.length === 0)
}

interface ApiRule {
  readonly from?: V1NetworkPolicyPeer[]
  readonly to?: V1NetworkPolicyPeer[]
  readonly ports?: V1NetworkPolicyPort[]
}

/** One clause for each rule, in order; one that is not understood has no peers. */
function readRules(
  list: Field<ApiRule[] | undefined>,
  peersName: 'from' | 'to',
  problems: string[],
): readonly PolicyClause[] {
  const rules = attempt(problems, () => list.items()) ?? []
  return rules.map((rule) => {
    const read = () => readRule(rule as Field<ApiRule>, peersName, problems)
    return attempt(problems, read) ?? { peers: [] }
  })
}

function readRule(
  rule: Field<ApiRule>,
  peersName: 'from' | 'to',
  problems: string[],
): PolicyClause {
  if (rule.absent) rule.is('give a mapping, {} to allow everything')
  const peers = rule.get(peersName) as Field<V1NetworkPolicyPeer[]>
  const ports = rule.get('ports') as Field<V1NetworkPolicyPort[]>
  return {
    ...(hasItems(peers) ? { peers: readEach(peers, problems, readPeer) } : {}),
    ...(hasItems(ports) ? { ports: readEach(ports, problems, readPort) } : {}),
  }
}

function readEach<Api, T>(
  list: Field<Api[]>,
  problems: string[],
  read: (item: Field<Api>) => T,
): readonly T[] {
  return list.items().flatMap((item) => {
    const value = attempt(problems, () => read(item as Field<Api>))
    return value === undefined ? [] : [value]
  })
}

function readPeer(peer: Field<V1NetworkPolicyPeer>): PolicyPeer {
  const pods = peer.get('podSelector')
  const namespaces = peer.get('namespaceSelector')
  const block = peer.get('ipBlock')
  if (!block.absent) {
    if (!pods.absent || !namespaces.absent) {
      peer.fail('has ipBlock beside a selector; give each its own entry')
    }
    return readBlock(block)
  }
  if (pods.absent && namespaces.absent) {
    peer.is('give podSelector, namespaceSelector or ipBlock')
  }
  return {
    kind: 'pods',
    ...(namespaces.absent ? {} : { namespaces: readSelector(namespaces) }),
    pods: pods.absent ? [] : readSelector(pods),
  }
}

function readBlock(block: Field<V1IPBlock | undefined>): PolicyPeer {
  const prefix = block.get('cidr').prefix()
  const except = block
    .get('except')
    .items()
    .map((item) => {
      const part = item.prefix()
      const isInside =
        prefixContains(prefix, prefixAddress(part)) && prefixLength(part) > prefixLength(prefix)
      if (!isInside) item.is(`give a prefix inside ${prefix}`)
      return part
    })
  return { kind: 'block', prefix, except }
}

function readPort(item: Field<V1NetworkPolicyPort>): PolicyPort {
  const protocol = item.get('protocol').protocol()
  const port = item.get('port')
  const endPort = item.get('endPort')
  if (port.absent) {
    if (!endPort.absent) endPort.is('give port too, where the range begins')
    return { protocol }
  }
  if (typeof port.value === 'string') {
    if (!endPort.absent) endPort.is('leave it out beside the name of a port')
    return { protocol, port: readPortName(port) }
  }
  const first = port.port()
  if (endPort.absent) return { protocol, port: first }
  const last = endPort.port()
  if (last < first) endPort.is(`give a number from ${first} to 65535`)
  return { protocol, port: first, endPort: last }
}

export function readPortName(field: Field<unknown>): string {
  const name = field.text()
  if (name.length > 15 || !PORT_NAME.test(name)) field.is('give a port number or the name of one')
  return name
}

/** Sorted, so that equal selectors are equal rows. */
export function readSelector(field: Field<V1LabelSelector | undefined>): Selector {
  if (field.absent) field.is('give a selector, {} for everything')
  const labels = field.get('matchLabels').labels()
  const requirements: Requirement[] = Object.entries(labels).map(([key, value]) => ({
    key,
    operator: 'In',
    values: [value],
  }))
  for (const item of field.get('matchExpressions').items()) {
    const key = item.get('key').text()
    const operator = item.get('operator')
    if (!OPERATORS.includes(operator.value as string)) operator.is(`give ${OPERATORS.join(', ')}`)
    const list = item.get('values')
    const values = list.items().map((value) => value.text())
    const wantsValues = operator.value === 'In' || operator.value === 'NotIn'
    if (wantsValues && values.length === 0) list.is('give at least one value')
    if (!wantsValues && values.length > 0) list.is(`leave it out with ${operator.value}`)
    requirements.push({
      key,
      operator: operator.value as Requirement['operator'],
      ...(wantsValues ? { values: [...new Set(values)].sort() } : {}),
    })
  }
  return requirements.sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1))
}

function sortKey({ key, operator, values = [] }: Requirement): string {
  return JSON.stringify([key, operator, values])
}
