// The datapath outlives its agent: kill -9 under traffic loses nothing, ids stay, and what went
// away meanwhile is cleaned up at the next start.
import type { Family } from '../../net/address.ts'
import type { Cluster, LabPowers, Stream } from '../cluster.ts'
import { DNS_PORT, HTTP_PORT, NAMESPACE, spareObjects } from '../fixture.ts'
import { expectThat, mustAnswer } from '../probes.ts'
import { waitUntil } from '../processes.ts'
import { addressOf, type Check, clusterIpOf, inPod, podOf, type Scene } from '../scene.ts'

interface EndpointPage {
  readonly id: number
  readonly pod: string
  readonly addresses: readonly string[]
  readonly hostIfName: string
}

interface StreamResult {
  readonly sent: number
  readonly received: number
  readonly lost: number
  readonly longestGapMs: number
  readonly retransmits: number
  /** Of the retransmits, those that the other side had already. */
  readonly doubled: number
  readonly error: string
}

interface Experiment {
  readonly streams: ReadonlyMap<string, StreamResult>
  /** Endpoints of every node, one line each. */
  readonly before: readonly string[]
  readonly after: readonly string[]
}

export function restartChecks(scene: Scene): Check[] {
  const { powers } = scene.cluster
  if (!powers) return []
  const streams = streamsOf(scene)
  let experiment: Promise<Experiment> | undefined
  const once = (): Promise<Experiment> => {
    experiment ??= restartUnderTraffic(scene, powers, streams)
    return experiment
  }
  return [
    ...Object.keys(streams).map((name) => ({
      name: `${scene.title}: agents killed and started, ${name}`,
      run: async () => describe((await once()).streams.get(name)),
    })),
    {
      name: `${scene.title}: agents killed and started, endpoints keep ids and addresses`,
      run: async () => {
        const { before, after } = await once()
        expectThat(before.join() === after.join(), before.join('; '), after.join('; '))
        return `${after.length} endpoints as before`
      },
    },
    {
      name: `${scene.title}: a pod deleted while the agent was away is cleaned up`,
      run: () => cleansUp(scene, powers),
    },
  ]
}

function streamsOf({ cluster, remote, neighbour, node, client }: Scene): Record<string, Way> {
  const from = inPod(client)
  const ways = (family: Family): Record<string, Way> => {
    const pod = addressOf(remote, family)
    const service = clusterIpOf(cluster, 'server', family)
    return {
      [`TCP to another node (IPv${family})`]: { from, args: ['tcp', pod, String(HTTP_PORT)] },
      [`UDP to another node (IPv${family})`]: { from, args: ['udp', pod, String(DNS_PORT)] },
      [`ping to another node (IPv${family})`]: { from, args: ['ping', pod] },
      [`UDP on the node (IPv${family})`]: {
        from,
        args: ['udp', addressOf(neighbour, family), String(DNS_PORT)],
      },
      [`TCP to a Service (IPv${family})`]: { from, args: ['tcp', service, '80'] },
      [`UDP to a Service (IPv${family})`]: { from, args: ['udp', service, '53'] },
      [`UDP from host to remote pod (IPv${family})`]: {
        from: { node: node.name },
        args: ['udp', pod, String(DNS_PORT)],
      },
    }
  }
  return Object.assign({}, ...cluster.families.map(ways)) as Record<string, Way>
}

interface Way {
  readonly from: { readonly pod: string } | { readonly node: string }
  readonly args: readonly string[]
}

/** Every stream sends a numbered request each 4 ms while the agents of all nodes die and return. */
async function restartUnderTraffic(
  { cluster }: Scene,
  powers: LabPowers,
  ways: Readonly<Record<string, Way>>,
): Promise<Experiment> {
  const before = await allEndpoints(cluster)
  const running = new Map<string, Stream>()
  for (const [name, { from, args }] of Object.entries(ways)) {
    running.set(name, await cluster.start(from, ['stream', '--interval=4000', ...args]))
  }
  const nodes = cluster.nodes().map(({ name }) => name)
  await powers.killAgents(nodes)
  await powers.startAgents(nodes)
  const streams = new Map<string, StreamResult>()
  for (const [name, stream] of running) {
    const { stdout } = await stream.stop()
    streams.set(name, JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as StreamResult)
  }
  return { streams, before, after: await allEndpoints(cluster) }
}

function describe(result: StreamResult | undefined): string {
  if (!result) throw new Error('expected the stream to run, saw no result')
  const { sent, lost, retransmits, doubled, error, longestGapMs } = result
  const resent = retransmits - doubled
  const seen = `${lost} lost and ${resent} sent again of ${sent}${error ? `, ${error}` : ''}`
  const fine = sent > 100 && lost === 0 && resent <= 0 && !error
  expectThat(fine, 'none lost and none sent again of more than 100', seen)
  return `none lost of ${sent}, longest gap ${longestGapMs} ms`
}

async function allEndpoints(cluster: Cluster): Promise<string[]> {
  const lines: string[] = []
  for (const { name } of cluster.nodes()) {
    for (const { id, pod, addresses } of await endpointsOf(cluster, name)) {
      lines.push(`${name} ${id} ${pod} ${addresses.join(' ')}`)
    }
  }
  return lines.sort()
}

async function cleansUp({ cluster, otherNode, client }: Scene, powers: LabPowers): Promise<string> {
  const objects = spareObjects(otherNode.name)
  await cluster.apply(objects)
  const spare = podOf(cluster, 'spare', otherNode.name)
  const key = `${NAMESPACE}/${spare.name}`
  const target = { address: spare.addresses[0] ?? addressOf(spare, 4), port: HTTP_PORT }
  await mustAnswer(cluster, inPod(client), target)
  const endpoint = (await endpointsOf(cluster, otherNode.name)).find(({ pod }) => pod === key)
  if (!endpoint) throw new Error(`expected an endpoint for ${key}, saw none`)
  await powers.killAgents([otherNode.name])
  await cluster.remove(objects)
  await powers.startAgents([otherNode.name])
  let left = ''
  const clean = await waitUntil(async () => {
    const rows = await endpointsOf(cluster, otherNode.name)
    const links = await powers.interfaces(otherNode.name)
    left = [
      rows.some(({ pod }) => pod === key) ? `endpoint ${key}` : '',
      links.includes(endpoint.hostIfName) ? `interface ${endpoint.hostIfName}` : '',
    ]
      .filter(Boolean)
      .join(' and ')
    return left === ''
  }, 5000)
  expectThat(clean, 'nothing left of the pod', left)
  return `endpoint ${endpoint.id} and ${endpoint.hostIfName} are gone`
}

async function endpointsOf(cluster: Cluster, node: string): Promise<EndpointPage[]> {
  return (await cluster.api(node, '/v1/endpoints')) as EndpointPage[]
}
