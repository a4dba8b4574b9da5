// Waits until every agent's kernel holds what the lab has: each Service with its present backends,
// and the way to each node. Checks before that would test the watch and not the datapath.
import { type Address, addressFamily, formatAddressPort, parseAddress } from '../net/address.ts'
import { askAgent } from './agent-api.ts'
import { type Fields, type KubeObject, listOf } from './manifests/read.ts'
import { type PlannedService, planSlices } from './manifests/services.ts'
import { readApplied } from './objects.ts'
import { isAlive, waitUntil } from './processes.ts'
import type { LabRecord, NodeRecord } from './record.ts'

const TIMEOUT_MS = 20_000

interface View {
  readonly drift: string
  readonly differences?: readonly string[]
}

/**
 * Resolves once all agents that run agree with the lab; one that a check has killed is not waited
 * for. Throws with the first disagreement after 20 s.
 */
export async function waitUntilAgreed(lab: LabRecord): Promise<void> {
  const wanted = wantedFrontends(lab)
  for (const node of lab.nodes) {
    if (!node.agent || !isAlive(node.agent)) continue
    let disagreement = ''
    const agreed = await waitUntil(
      async () => {
        disagreement = await disagreementOf(node, lab, wanted).catch(
          (error: Error) => error.message,
        )
        return disagreement === ''
      },
      TIMEOUT_MS,
      50,
    )
    if (!agreed) throw new Error(`Cannot use ${node.name}: ${disagreement}`)
  }
}

interface WantedBackend {
  readonly address: Address
  readonly portName: string
  readonly protocol: string
  readonly port: number
}

/**
 * Backends by frontend ("10.96.0.11:80/TCP"), each list sorted; of the cluster addresses, for the
 * others have the same backends. What differs from node to node is the agents' own to judge.
 */
function wantedFrontends(lab: LabRecord): Map<string, string> {
  const { services, objects } = readApplied(lab.name)
  const frontends = new Map<string, string>()
  for (const service of services.filter(({ passed }) => !isLocal(passed))) {
    const backends = [...plannedBackends(service, lab), ...writtenBackends(service, objects)]
    for (const address of service.clusterIps) {
      for (const { name, port, protocol } of service.ports) {
        const found = backends
          .filter((backend) => addressFamily(backend.address) === addressFamily(address))
          .filter((backend) => backend.portName === name && backend.protocol === protocol)
          .map((backend) => formatAddressPort(backend.address, backend.port))
        frontends.set(`${formatAddressPort(address, port)}/${protocol}`, found.sort().join(' '))
      }
    }
  }
  return frontends
}

function isLocal(passed: Fields): boolean {
  return passed['internalTrafficPolicy'] === 'Local'
}

/** Node ports that a node must have: "192.168.60.11:30000/TCP". */
function nodePortFrontends(lab: LabRecord, { addresses }: NodeRecord): string[] {
  return readApplied(lab.name).services.flatMap(({ families, ports }) =>
    ports
      .filter(({ nodePort }) => nodePort !== undefined)
      .flatMap(({ nodePort, protocol }) =>
        addresses
          .filter((address) => families.includes(addressFamily(address)))
          .map((address) => `${formatAddressPort(address, nodePort ?? 0)}/${protocol}`),
      ),
  )
}

function plannedBackends(service: PlannedService, lab: LabRecord): WantedBackend[] {
  return planSlices(service, lab.pods).flatMap(({ family, ports, pods }) =>
    pods
      .flatMap(({ addresses }) => addresses)
      .filter((address) => addressFamily(address) === family)
      .flatMap((address) =>
        ports.map(({ name, port, protocol }) => ({ address, portName: name, protocol, port })),
      ),
  )
}

/** From slices that people wrote themselves. */
function writtenBackends(
  { namespace, name }: PlannedService,
  objects: readonly KubeObject[],
): WantedBackend[] {
  return objects
    .filter((object) => object.kind === 'EndpointSlice' && object.namespace === namespace)
    .filter(({ labels }) => labels['kubernetes.io/service-name'] === name)
    .flatMap(({ body }) =>
      listOf(body, 'endpoints')
        .flatMap(({ addresses }) => (Array.isArray(addresses) ? addresses.map(String) : []))
        .flatMap((address) =>
          listOf(body, 'ports').map((port) => ({
            address: parseAddress(address),
            portName: String(port['name'] ?? ''),
            protocol: String(port['protocol'] ?? 'TCP'),
            port: Number(port['port']),
          })),
        ),
    )
}

type FrontendView = View & {
  readonly frontend: string
  readonly actual: readonly string[]
}

async function disagreementOf(
  node: NodeRecord,
  lab: LabRecord,
  wanted: ReadonlyMap<string, string>,
): Promise<string> {
  const services = (await askAgent(node.socket, '/v1/services')) as FrontendView[]
  const found = new Map(services.map((row) => [row.frontend, [...row.actual].sort().join(' ')]))
  for (const [key, backends] of wanted) {
    const has = found.get(key)
    if (has !== backends) return `frontend ${key} has "${has ?? 'no entry'}", wanted "${backends}"`
  }
  const missing = nodePortFrontends(lab, node).find((key) => !found.has(key))
  if (missing) return `frontend ${missing} is not there`
  const drifting = services.find(({ drift }) => drift !== 'ok')
  if (drifting) return `frontend ${drifting.frontend} is ${drifting.drift}`
  const nodes = (await askAgent(node.socket, '/v1/nodes')) as (View & { readonly name: string })[]
  for (const { name } of lab.nodes) {
    const view = nodes.find((row) => row.name === name)
    if (view?.drift !== 'ok') {
      return `node ${name} is ${view?.drift ?? 'unknown'}: ${view?.differences?.join('; ') ?? ''}`
    }
  }
  return ''
}
