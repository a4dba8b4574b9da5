// Weir under load: two labs side by side, one per way across nodes, each with a pod for the client,
// one on the same node, one on the other, and a Service whose backend is a third pod on the same
// node. (A client that meets one server both ways meets its TIME_WAIT sockets under other sequence
// numbers, and the kernel makes it wait a second for each.)
import type { ChildProcess } from 'node:child_process'
import { applyObjects } from '../lab/apply.ts'
import { down } from '../lab/down.ts'
import { type KubeObject, readText } from '../lab/manifests/read.ts'
import { builtProgram, netnsPath } from '../lab/paths.ts'
import { type LabRecord, type PodRecord, readRecord } from '../lab/record.ts'
import { DEFAULT_SETTINGS } from '../lab/spec.ts'
import { up } from '../lab/up.ts'
import { type Path, type Place, startServer } from './load.ts'

const NAMESPACE = 'bench'
const SERVICE_ADDRESS = '10.96.70.0'
const PORTS = [7000, 7001, 7002]

/** One lab ready for load. */
export interface BenchLab {
  readonly record: LabRecord
  readonly near: Path
  readonly far: Path
  readonly service: Path
  close(): Promise<void>
}

/** Builds a lab of two nodes with servers in its pods. What an earlier run left goes first. */
export async function buildBenchLab(
  routing: 'vxlan' | 'native',
  socketServices: boolean,
  { realTime }: { readonly realTime: boolean },
): Promise<BenchLab> {
  const name = `weir-bench-${routing}`
  await down(name)
  const settings = { ...DEFAULT_SETTINGS, routing, socketServices }
  await up({ name, nodes: 2, ipv4: true, ipv6: true, offLink: [] }, settings)
  const servers: ChildProcess[] = []
  const close = async () => {
    for (const server of servers) server.kill('SIGKILL')
    await down(name)
  }
  try {
    await applyObjects(name, podObjects())
    const [near, far, backend] = ['near', 'far', 'backend'].map((pod) => podOf(name, pod)) as [
      PodRecord,
      PodRecord,
      PodRecord,
    ]
    await applyObjects(name, serviceObjects(backend))
    const client = placeOf(podOf(name, 'client'))
    const binary = builtProgram('weir-netbench')
    for (const pod of [near, far, backend]) {
      servers.push(await startServer(binary, { ...placeOf(pod), realTime }, ipv4Of(pod)))
    }
    return {
      record: readRecord(name),
      near: { client, address: ipv4Of(near) },
      far: { client, address: ipv4Of(far) },
      service: { client, address: SERVICE_ADDRESS },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function podOf(lab: string, name: string): PodRecord {
  const pod = readRecord(lab).pods.find((each) => each.name === name)
  if (!pod) throw new Error(`Cannot bench: pod ${name} of lab ${lab} is not there`)
  return pod
}

function placeOf(pod: PodRecord): Place {
  return { netns: netnsPath(pod.netns), cgroup: pod.cgroup }
}

function ipv4Of(pod: PodRecord): string {
  const address = pod.addresses.find((each) => !each.includes(':'))
  if (!address) throw new Error(`Cannot bench: pod ${pod.name} has no IPv4 address`)
  return address
}

/** As if read from a file of JSON documents. */
function manifests(bodies: readonly object[]): KubeObject[] {
  return readText(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: bodies }), 'bench', [])
}

function podObjects(): KubeObject[] {
  const nodes = { client: 'node1', near: 'node1', backend: 'node1', far: 'node2' }
  const pods = Object.entries(nodes).map(([name, nodeName]) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE },
    spec: { nodeName, containers: [{ name: 'server', ports: [{ containerPort: 9000 }] }] },
  }))
  return manifests(pods)
}

/** Without a selector, so that the lab's own server leaves the ports to the load's. */
function serviceObjects(backend: PodRecord): KubeObject[] {
  const ports = PORTS.map((port) => ({ name: `p${port}`, port, protocol: 'TCP' }))
  return manifests([
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'backend', namespace: NAMESPACE },
      spec: { clusterIP: SERVICE_ADDRESS, clusterIPs: [SERVICE_ADDRESS], ports },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: 'backend',
        namespace: NAMESPACE,
        labels: { 'kubernetes.io/service-name': 'backend' },
      },
      addressType: 'IPv4',
      ports,
      endpoints: [{ addresses: [ipv4Of(backend)], conditions: { ready: true } }],
    },
  ])
}
