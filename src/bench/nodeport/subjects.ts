// What is compared: nodes that differ in who serves node ports. A cable leads from each to the
// switch, where the traffic begins and ends; what is no traffic of the bench passes on to the
// switch, so that agents and proxies meet their API server.

import { launchAgent, waitForAgent } from '../../lab/agents.ts'
import { fabricNetns, portOf } from '../../lab/fabric.ts'
import { ipBatch } from '../../lab/namespaces.ts'
import { endProcess, type ProcessIdentity } from '../../lab/processes.ts'
import type { NodeRecord } from '../../lab/record.ts'
import { DEFAULT_SETTINGS } from '../../lab/spec.ts'
import { type BenchPlace, PLACE } from '../scale/place.ts'
import { type ProxyTools, startKubeProxy } from '../services/kube-proxy.ts'
import { attachByRoutes, attachByWeir, type BenchPod } from '../services/pods.ts'
import { deviceOf, pollByThread, type VolleyPrograms } from './hooks.ts'
import { FAR_NODE } from './objects.ts'

/** The bare ones only send frames back: the least that a node can do at either hook. */
export const KINDS = ['weir-xdp', 'weir-tc', 'iptables', 'nftables', 'bare-xdp', 'bare-tc'] as const
export type Kind = (typeof KINDS)[number]

export interface Subject {
  readonly kind: Kind
  readonly node: NodeRecord
  /** Absent on the bare ones. */
  readonly pod: BenchPod | undefined
  readonly process: ProcessIdentity | undefined
  /** Of the switch's end of its cable. */
  readonly ifindex: number
  /** The thread that does the node's work. */
  readonly thread: number
}

/** Starts whatever serves on a node of the place, with a pod behind it and sinks around it. */
export async function buildSubject(
  place: BenchPlace,
  kind: Kind,
  tools: ProxyTools,
  programs: VolleyPrograms,
): Promise<Subject> {
  const node = place.nodes[KINDS.indexOf(kind)] as NodeRecord
  const [fabric, port] = [fabricNetns(PLACE), portOf(node.name)]
  const isXdp = kind.endsWith('-xdp')
  await programs.attach(isXdp ? 'sink_xdp' : 'sink', fabric, port)
  const { pod, process } = await serve(place, kind, node, tools)
  if (!pod) await programs.attach(isXdp ? 'bounce_xdp' : 'bounce', node.netns, 'eth0')
  else await programs.attach('sink', pod.netns.replace(/.*\//, ''), 'eth0')
  // After XDP: a device that begins to poll has no thread.
  const thread = await pollByThread(node.netns, 'eth0')
  return { kind, node, pod, process, ifindex: deviceOf(fabric, port).ifindex, thread }
}

async function serve(
  { kubeconfig }: BenchPlace,
  kind: Kind,
  node: NodeRecord,
  tools: ProxyTools,
): Promise<Pick<Subject, 'pod' | 'process'>> {
  if (kind === 'bare-xdp' || kind === 'bare-tc') return { pod: undefined, process: undefined }
  if (kind === 'iptables' || kind === 'nftables') {
    const pod = await attachByRoutes(node, 'pod', 1)
    await routeToFarNode(node)
    return { pod, process: startKubeProxy(tools, node, kind, kubeconfig) }
  }
  const xdp = kind === 'weir-xdp' ? 'native' : 'off'
  const settings = { ...DEFAULT_SETTINGS, routing: 'native', xdp } as const
  const process = launchAgent(node, settings, { kubeconfig })
  try {
    await waitForAgent({ ...node, agent: process })
    return { pod: await attachByWeir(node, 'pod'), process }
  } catch (error) {
    await endProcess(process)
    throw error
  }
}

/** As an agent without an overlay would; Weir's makes its own. */
async function routeToFarNode({ netns }: NodeRecord): Promise<void> {
  const { podCidrs, addresses } = FAR_NODE
  const routes = podCidrs.map((prefix, at) => `route add ${prefix} via ${addresses[at]} dev eth0`)
  await ipBatch(netns, routes)
}
