// What is compared: a node with Weir and nodes with kube-proxy, each with a client, a pod that
// serves, Services in front of it that carry load, and one whose endpoint moves.
import type { ChildProcess } from 'node:child_process'
import { launchAgent, waitForAgent } from '../../lab/agents.ts'
import { builtProgram } from '../../lab/paths.ts'
import type { ProcessIdentity } from '../../lab/processes.ts'
import type { NodeRecord } from '../../lab/record.ts'
import { DEFAULT_SETTINGS } from '../../lab/spec.ts'
import { startAnswering } from '../follow.ts'
import { startServer } from '../load.ts'
import { serviceObject, sliceObject, type Wanted } from '../scale/objects.ts'
import type { BenchPlace } from '../scale/place.ts'
import { type ProxyMode, type ProxyTools, startKubeProxy } from './kube-proxy.ts'
import { attachByRoutes, attachByWeir, type BenchPod } from './pods.ts'

export type SubjectName = 'weir' | ProxyMode
export const SUBJECTS: readonly SubjectName[] = ['weir', 'iptables', 'nftables']

export interface SubjectNode {
  readonly name: SubjectName
  readonly node: NodeRecord
  readonly client: BenchPod
  readonly server: BenchPod
  readonly processes: readonly ChildProcess[]
}

/** Load Services: iptables walks Services in an order of its own, so the mean of several counts. */
export const TARGETS = 4
const LOAD_PORTS = [7000, 7001, 7002]
/** Of the two servers between which the moving endpoint goes. */
export const MOVING_PORTS = [7100, 7101] as const
export const MOVING_SLICES = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices'

/** Address of a load Service, or with index TARGETS of the moving one. */
export function targetAddress(subject: SubjectName, index: number): string {
  return `10.96.0.${100 + SUBJECTS.indexOf(subject) * 10 + index}`
}

/** Weir's agent runs from here on, for pods are attached by it; the proxies do not run yet. */
export async function buildSubject(place: BenchPlace, name: SubjectName): Promise<SubjectNode> {
  const node = place.nodes[SUBJECTS.indexOf(name)] as NodeRecord
  const weir = name === 'weir'
  const attach = (pod: string, number: number) =>
    weir ? attachByWeir(node, pod) : attachByRoutes(node, pod, number)
  const client = await attach('client', 1)
  const server = await attach('server', 2)
  const processes = [await startServer(builtProgram('weir-netbench'), server, server.address)]
  for (const [at, port] of MOVING_PORTS.entries()) {
    processes.push(startAnswering(server, server.address, port, String(at)))
  }
  return { name, node, client, server, processes }
}

/** Starts whatever serves Services on the subject's node. */
export function startProxyOf(
  place: BenchPlace,
  name: SubjectName,
  tools: ProxyTools,
): ProcessIdentity {
  const node = place.nodes[SUBJECTS.indexOf(name)] as NodeRecord
  if (name !== 'weir') return startKubeProxy(tools, node, name, place.kubeconfig)
  return launchAgent(node, DEFAULT_SETTINGS, { kubeconfig: place.kubeconfig })
}

export function weirReady(node: NodeRecord, agent: ProcessIdentity): Promise<void> {
  return waitForAgent({ ...node, agent })
}

/** The subject's Services and slices. */
export function targetObjects({ name, server }: Pick<SubjectNode, 'name' | 'server'>): Wanted[] {
  const ports = LOAD_PORTS.map((port) => ({ name: `p${port}`, port, protocol: 'TCP' }))
  const endpoints = [endpointOf(server)]
  const loads = Array.from({ length: TARGETS }, (_, index) => `${name}-${index}`)
  const services = loads.map((service, index) => {
    const object = serviceObject('default', service, targetAddress(name, index))
    return { ...object, spec: { ...object.spec, ports } }
  })
  const slices = loads.map((service) => ({ ...sliceObject('default', service, endpoints), ports }))
  const moving = serviceObject('default', `${name}-moving`, targetAddress(name, TARGETS))
  return [
    ...[...services, moving].map((object) => ({
      path: '/api/v1/namespaces/default/services',
      object,
    })),
    ...[...slices, movingSlice(name, server, 0)].map((object) => ({ path: MOVING_SLICES, object })),
  ]
}

/** The slice of the moving Service, in one of its two states. */
export function movingSlice(name: SubjectName, server: BenchPod, state: number) {
  return sliceObject('default', `${name}-moving`, [endpointOf(server)], MOVING_PORTS[state % 2])
}

function endpointOf({ address }: BenchPod): object {
  const conditions = { ready: true, serving: true, terminating: false }
  return { addresses: [address], conditions }
}
