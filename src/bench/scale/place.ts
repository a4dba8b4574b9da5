// Where the scale benches run: a lab's underlay with a real etcd and kube-apiserver on it and nodes
// whose agents or proxies ask them. A link leads to this machine, for the loader. Everything is a
// lab's, so that `weir lab down` and `--lab-node` know it.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { buildKubernetes, buildOther, ETCD, PROGRAMS } from '../../cluster/build.ts'
import { ETCD_URL, startApiServer } from '../../cluster/control-plane.ts'
import { inNetns } from '../../cluster/daemons.ts'
import { cacheDirectory } from '../../cluster/paths.ts'
import { makePki } from '../../cluster/pki.ts'
import { cgroupPids, removeCgroup } from '../../lab/cgroups.ts'
import { down } from '../../lab/down.ts'
import { fabricNetns, makeFabric } from '../../lab/fabric.ts'
import { ipBatch } from '../../lab/namespaces.ts'
import { makeNode } from '../../lab/nodes.ts'
import { labPaths, netnsPath } from '../../lab/paths.ts'
import { type LabRecord, type NodeRecord, writeRecord } from '../../lab/record.ts'
import { run, runAnyway } from '../../lab/run.ts'
import { bare, DEFAULT_SETTINGS, type LabSpec, planNodes, routerAddresses } from '../../lab/spec.ts'
import { type ApiClient, openApiClient } from './api-client.ts'
import type { Wanted } from './objects.ts'

/** The API server of a place. */
export interface ApiPlace {
  readonly client: ApiClient
  readonly kubeconfig: string
  readonly etcdDirectory: string
  /** Asks etcd itself. */
  askEtcd(path: string, body: object): Promise<void>
  startServer(): Promise<void>
  /** Of the server and of etcd. */
  serverPids(): number[]
  /** Ends it, if it runs. What it stored stays in `etcdDirectory`. */
  stopServer(): Promise<void>
}

export interface BenchPlace extends ApiPlace {
  readonly lab: LabRecord
  readonly nodes: readonly NodeRecord[]
  close(): Promise<void>
}

export const PLACE = 'weir-scale'
/** This machine's end of the link. */
const LINK = 'weir-scale'
export const MACHINE = '192.168.60.254'

/** Flags for an API server that is alone: no controllers, and nobody to be fair to. */
const SERVER_FLAGS = [
  '--disable-admission-plugins=ServiceAccount',
  '--enable-priority-and-fairness=false',
  ...['--max-requests-inflight=0', '--max-mutating-requests-inflight=0'],
]

/** Makes it anew; what an interrupted run left goes first. The API server is not started yet. */
export async function buildPlace(
  count: number,
  say: (line: string) => void,
  { ipv6 = false } = {},
): Promise<BenchPlace> {
  if (process.getuid?.() !== 0) throw new Error('Cannot bench: it needs root')
  const cache = cacheDirectory()
  const needed = { 'kube-apiserver': PROGRAMS['kube-apiserver'], kubectl: PROGRAMS.kubectl }
  const bin = await buildKubernetes(cache, say, needed)
  const etcd = await buildOther(cache, say, ETCD)
  await down(PLACE)
  const spec: LabSpec = { name: PLACE, nodes: count, ipv4: true, ipv6, offLink: [] }
  const paths = labPaths(PLACE)
  const server = bare(routerAddresses(spec, false)[0] ?? '')
  try {
    mkdirSync(paths.manifests, { recursive: true })
    await bindNamespaces()
    await makeFabric(paths, spec)
    await linkMachine()
    const nodes: NodeRecord[] = []
    for (const plan of planNodes(spec)) nodes.push(await makeNode(paths, spec, plan))
    const netns = fabricNetns(PLACE)
    const fabric = { netns, cgroup: join(paths.cgroup, 'fabric'), addresses: [server] }
    const lab: LabRecord = {
      ...{ version: 1, name: PLACE, spec, settings: DEFAULT_SETTINGS, fabric, nodes, pods: [] },
    }
    writeRecord(lab)
    const pki = join(paths.directory, 'pki')
    await makePki(pki, [], { addresses: [server], url: `https://${server}:6443` })
    const kubeconfig = join(pki, 'admin.kubeconfig')
    const client = await openApiClient(kubeconfig)
    const cgroup = join(paths.cgroup, 'control-plane')
    const etcdDirectory = join(paths.directory, 'etcd')
    return {
      ...{ lab, nodes, client, kubeconfig, etcdDirectory },
      startServer: () =>
        startApiServer({
          paths: { pki, kubeconfig, etcd: etcdDirectory, logs: join(paths.directory, 'logs') },
          ...{ bin, etcd, address: server, flags: SERVER_FLAGS },
          ...{ cgroups: [cgroup], inside: inNetns(netnsPath(netns)) },
        }),
      askEtcd: (path, body) => askEtcd(netns, path, body),
      serverPids: () => cgroupPids(cgroup),
      stopServer: () => removeCgroup(cgroup),
      close: async () => {
        client.close()
        await down(PLACE)
      },
    }
  } catch (error) {
    await down(PLACE)
    throw error
  }
}

/**
 * The first `ip netns add` after a boot mounts /run/netns over itself, which hides what was mounted
 * below it until then. The bench does it before it makes its own.
 */
async function bindNamespaces(): Promise<void> {
  const name = `${PLACE}-first`
  await run('prepare namespaces', 'ip', ['netns', 'add', name])
  await run('prepare namespaces', 'ip', ['netns', 'delete', name])
}

async function askEtcd(netns: string, path: string, body: object): Promise<void> {
  const curl = ['curl', '-sSf', '-d', '@-', `${ETCD_URL}${path}`]
  const input = JSON.stringify(body)
  await run('write to etcd', 'nsenter', [`--net=${netnsPath(netns)}`, ...curl], { input })
}

async function linkMachine(): Promise<void> {
  // Of a run that was killed; its namespace may take a while to go.
  await runAnyway('ip', ['link', 'delete', LINK])
  const taken = await run('look for routes', 'ip', ['route', 'show', '192.168.60.0/24'])
  if (taken.trim()) throw new Error(`Cannot use 192.168.60.0/24: it is taken: ${taken.trim()}`)
  const netns = fabricNetns(PLACE)
  const peer = ['type', 'veth', 'peer', 'name', 'machine', 'netns', netns]
  await run('link this machine', 'ip', ['link', 'add', LINK, ...peer])
  await ipBatch(netns, ['link set machine master weir_on_link up'])
  await run('link this machine', 'ip', ['address', 'add', `${MACHINE}/24`, 'dev', LINK])
  await run('link this machine', 'ip', ['link', 'set', LINK, 'up'])
}

/** The Nodes that are measured, as a kubelet would register them. */
export function ownNodes({ nodes }: Pick<BenchPlace, 'nodes'>): Wanted[] {
  return nodes.map(({ name, addresses, podCidrs }) => ({
    path: '/api/v1/nodes',
    object: {
      ...{ apiVersion: 'v1', kind: 'Node', metadata: { name } },
      spec: { podCIDR: podCidrs[0], podCIDRs: podCidrs },
    },
    status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
  }))
}
