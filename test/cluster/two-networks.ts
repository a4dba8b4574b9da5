// Pods with two interfaces of Weir under Multus: two of them, on two nodes, reach each other and
// themselves at all addresses.
import assert from 'node:assert/strict'
import { stringify } from 'yaml'
import { POD_IMAGE } from '../../src/cluster/image-names.ts'
import { kubectl } from '../../src/cluster/kubectl.ts'
import type { ClusterRecord } from '../../src/cluster/record.ts'
import { waitUntil } from '../../src/lab/processes.ts'

const NAMESPACE = 'weir-two'
const PORT = '8080'
const GROUP = 'k8s.v1.cni.cncf.io'

/** As docs/cni.md shows it. */
const SECOND = {
  ...{ cniVersion: '1.0.0', name: 'second', type: 'weir-cni', capabilities: { ips: true } },
  ...{ socket: '/run/weir/weir.sock', stateDir: '/var/lib/weir' },
}

interface Item {
  readonly metadata: { readonly name: string; readonly annotations: Record<string, string> }
  readonly spec: { readonly nodeName: string }
}

interface Network {
  readonly interface: string
  readonly ips: readonly string[]
}

interface Pod {
  readonly name: string
  readonly node: string
  /** By interface. */
  readonly addresses: Readonly<Record<string, readonly string[]>>
}

/** Resolves once a pod runs on each of the two nodes. */
export async function startPods(record: ClusterRecord): Promise<void> {
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    {
      ...{ apiVersion: 'k8s.cni.cncf.io/v1', kind: 'NetworkAttachmentDefinition' },
      metadata: { name: 'second', namespace: NAMESPACE },
      spec: { config: JSON.stringify(SECOND) },
    },
    deployment(),
  ]
  const input = objects.map((object) => stringify(object)).join('---\n')
  await kubectl(record, ['apply', '-f', '-'], input)
  await settle(record)
}

/** Resolves once others run in their place. */
export async function replacePods(record: ClusterRecord): Promise<void> {
  await ask(record, 'delete', 'pod', '-l', 'app=two', '--wait')
  await settle(record)
}

/** Resolves once no agent knows of them: pods end after the API server has forgotten them. */
export async function removePods(record: ClusterRecord): Promise<void> {
  await kubectl(record, ['delete', 'namespace', NAMESPACE, '--ignore-not-found'])
  let left: string[] = []
  const gone = await waitUntil(async () => {
    left = await endpoints(record)
    return left.length === 0
  }, 30_000)
  assert.ok(gone, left.join('\n'))
}

/** Every pod asks every pod, at each of its addresses. */
export async function assertReached(record: ClusterRecord): Promise<void> {
  const pods = await listPods(record)
  assert.equal(new Set(pods.map(({ node }) => node)).size, 2)
  for (const { name, addresses } of pods) {
    assert.deepEqual(Object.keys(addresses), ['eth0', 'net1'], name)
    for (const both of Object.values(addresses)) assert.match(both.join(), /^10\..*,fd00:/, name)
  }
  const all = pods.flatMap(({ addresses }) => Object.values(addresses).flat())
  assert.equal(new Set(all).size, 8, 'no address is there twice')
  const targets = all.flatMap((each) => [`tcp/${each}/${PORT}`, `udp/${each}/${PORT}`])
  for (const { name } of pods) {
    await ask(record, 'exec', name, '--', '/weir-pod', 'probe', ...targets)
    for (const address of all) await ask(record, 'exec', name, '--', '/weir-pod', 'ping', address)
  }
}

/** The lines of `weir endpoint list`, on any node, that name these pods. */
export async function endpoints(record: ClusterRecord): Promise<string[]> {
  const agents = ['get', 'pods', '-n', 'weir', '-l', 'app.kubernetes.io/name=weir', '-o', 'name']
  const names = (await kubectl(record, agents)).trim().split('\n')
  const list = ['-c', 'agent', '--', 'weir', 'endpoint', 'list']
  const lists = names.map((name) => kubectl(record, ['exec', '-n', 'weir', name, ...list]))
  const lines = (await Promise.all(lists)).join('').split('\n')
  return lines.filter((line) => line.includes(`${NAMESPACE}/`))
}

function ask(record: ClusterRecord, ...args: string[]): Promise<string> {
  return kubectl(record, ['-n', NAMESPACE, ...args])
}

function settle(record: ClusterRecord): Promise<string> {
  return ask(record, 'rollout', 'status', 'deployment/two', '--timeout=55s')
}

/** With the addresses that Multus noted. */
async function listPods(record: ClusterRecord): Promise<Pod[]> {
  const { items } = JSON.parse(await ask(record, 'get', 'pods', '-l', 'app=two', '-o', 'json'))
  return items.map(({ metadata: { name, annotations }, spec: { nodeName } }: Item) => {
    const networks: Network[] = JSON.parse(annotations[`${GROUP}/network-status`] ?? '[]')
    const addresses = networks.map((network) => [network.interface, network.ips])
    return { name, node: nodeName, addresses: Object.fromEntries(addresses) }
  })
}

function deployment(): object {
  const labels = { app: 'two' }
  const serve = ['serve', '--name', 'two', '--node', 'here', `--tcp=${PORT}`, `--udp=${PORT}`]
  return {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment' },
    metadata: { name: 'two', namespace: NAMESPACE },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, annotations: { [`${GROUP}/networks`]: 'second' } },
        spec: {
          terminationGracePeriodSeconds: 0,
          topologySpreadConstraints: [
            {
              ...{ maxSkew: 1, topologyKey: 'kubernetes.io/hostname' },
              ...{ whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: labels } },
            },
          ],
          containers: [
            { name: 'pod', image: POD_IMAGE, imagePullPolicy: 'IfNotPresent', args: serve },
          ],
        },
      },
    },
  }
}
