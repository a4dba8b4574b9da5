// Streams of numbered requests that run while something is done to the cluster: from pods on one
// node, across nodes, through a Service, and through NodePorts from outside. Each counts what did
// not come back.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import { builtProgram } from '../lab/paths.ts'
import { waitUntil } from '../lab/processes.ts'
import { runAnyway } from '../lab/run.ts'
import { cgroupsOf, inNetworkOf, placedCommand, processesOf } from './daemons.ts'
import { POD_IMAGE } from './image-names.ts'
import { kubectl } from './kubectl.ts'
import type { ClusterRecord } from './record.ts'

export interface StreamReport {
  readonly name: string
  readonly sent: number
  readonly lost: number
  /** Connections that ended early, or could not be made. */
  readonly broken: number
  readonly longestGapMs: number
  /** What the client said of it. */
  readonly error?: string
}

export interface Stream {
  readonly stop: () => Promise<StreamReport>
}

/** What weir-pod stream prints at its end. */
interface Answer {
  readonly sent: number
  readonly lost: number
  readonly longestGapMs: number
  readonly error: string
}

const NAMESPACE = 'weir-streams'
const PORT = 8080
/** A new Service has reached every node by then. */
const PROGRAMMED_MS = 5000
const INTERVAL_US = 20_000

/** Two servers, on the first node and on the last, a client on the first, one Service. */
export function streamObjects(nodes: readonly string[]): object[] {
  const first = nodes[0] as string
  const last = nodes.at(-1) as string
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    podManifest('near', first, { app: 'server' }),
    podManifest('far', last, { app: 'server' }),
    podManifest('client', first, { app: 'client' }),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'server', namespace: NAMESPACE },
      spec: {
        type: 'NodePort',
        ipFamilyPolicy: 'RequireDualStack',
        selector: { app: 'server' },
        ports: [
          { name: 'tcp', port: PORT, protocol: 'TCP' },
          { name: 'udp', port: PORT, protocol: 'UDP' },
        ],
      },
    },
  ]
}

/** A server on a node. */
export function podManifest(
  name: string,
  nodeName: string,
  labels: Readonly<Record<string, string>>,
): object {
  const args = ['serve', '--name', name, '--node', nodeName, `--tcp=${PORT}`, `--udp=${PORT}`]
  const container = { name: 'pod', image: POD_IMAGE, imagePullPolicy: 'IfNotPresent', args }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE, labels },
    spec: {
      ...{ nodeName, terminationGracePeriodSeconds: 0, containers: [container] },
      ...{ automountServiceAccountToken: false, enableServiceLinks: false },
    },
  }
}

interface Places {
  readonly near: readonly string[]
  readonly far: readonly string[]
  readonly service: readonly string[]
  readonly node: readonly string[]
  readonly nodePorts: { readonly tcp: number; readonly udp: number }
}

/** A pod's processes have so long to end after it is gone from the API server. */
const ENDED_MS = 60_000

/** Makes the pods and starts every stream; NodePorts only where they answer. */
export async function startStreams(
  record: ClusterRecord,
  say: (line: string) => void,
): Promise<Stream[]> {
  const names = record.nodes.map(({ name }) => name)
  const manifests = streamObjects(names).map((object) => stringify(object))
  await kubectl(record, ['apply', '-f', '-'], manifests.join('---\n'))
  const wait = ['wait', '--for=condition=Ready', 'pod', '--all', '-n', NAMESPACE]
  await kubectl(record, [...wait, '--timeout=50s'])
  const places = await findPlaces(record)
  const streams = podStreams(clientCommand(record), places)
  const outside = builtProgram('weir-pod')
  for (const node of places.node) {
    const family = node.includes(':') ? 'IPv6' : 'IPv4'
    const { tcp, udp } = places.nodePorts
    const asks = async () => (await runAnyway(outside, ['ask', node, String(tcp)])).code === 0
    if (!(await waitUntil(asks, PROGRAMMED_MS, 250))) {
      say(`No NodePort over ${family}: left out`)
      continue
    }
    streams.push(outsideStream(`${family} TCP NodePort from outside`, 'tcp', node, tcp))
    streams.push(outsideStream(`${family} UDP NodePort from outside`, 'udp', node, udp))
    const name = `${family} TCP NodePort from outside, each a new connection`
    streams.push(newConnections(name, [outside, 'ask', node, String(tcp)]))
  }
  return streams
}

/** The client pod's server, by its command line. */
function isClient(command: string): boolean {
  return command.includes('/weir-pod serve --name client')
}

/** Resolves once their processes have ended too: the next streams must not be taken for these. */
export async function removeStreams(record: ClusterRecord): Promise<void> {
  await kubectl(record, ['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--timeout=50s'])
  const gone = await waitUntil(
    async () => record.nodes.every(({ name }) => processesOf(name, isClient).length === 0),
    ENDED_MS,
    250,
  )
  if (!gone) throw new Error('Cannot remove the streams: their client pod still runs')
}

async function findPlaces(record: ClusterRecord): Promise<Places> {
  const read = async (path: string, ...what: string[]) => {
    const args = ['get', '-n', NAMESPACE, ...what, '-o', `jsonpath={${path}}`]
    return (await kubectl(record, args)).split(' ').filter(Boolean)
  }
  const [tcp, udp] = await read('.spec.ports[*].nodePort', 'service', 'server')
  return {
    near: await read('.status.podIPs[*].ip', 'pod', 'near'),
    far: await read('.status.podIPs[*].ip', 'pod', 'far'),
    service: await read('.spec.clusterIPs[*]', 'service', 'server'),
    node: record.nodes.at(-1)?.addresses ?? [],
    nodePorts: { tcp: Number(tcp), udp: Number(udp) },
  }
}

/**
 * weir-pod in the network of the client pod and in the cgroups of its node, started from here: a
 * call of kubectl would end with the API server.
 */
function clientCommand({ nodes }: ClusterRecord): string[] {
  const node = nodes[0]?.name ?? ''
  const [pid] = processesOf(node, isClient)
  if (pid === undefined) throw new Error(`Cannot find the client pod on ${node}`)
  const cgroups = cgroupsOf(node, { isNode: true })
  return ['sh', ...placedCommand(cgroups, inNetworkOf(pid), [builtProgram('weir-pod')])]
}

/** From the client pod, by each way and protocol. */
function podStreams(client: readonly string[], { near, far, service }: Places): Stream[] {
  const ways = [
    ...near.map((address) => ({ way: 'same node', address })),
    ...far.map((address) => ({ way: 'across nodes', address })),
    ...service.map((address) => ({ way: 'Service', address })),
  ]
  return ways.flatMap(({ way, address }) => {
    const family = address.includes(':') ? 'IPv6' : 'IPv4'
    const protocols = way === 'Service' ? ['tcp', 'udp'] : ['tcp', 'udp', 'ping']
    const long = protocols.map((protocol) => {
      const port = protocol === 'ping' ? [] : [String(PORT)]
      const pace = ['--interval', String(INTERVAL_US)]
      const command = [...client, 'stream', protocol, address, ...port, ...pace]
      return startStream(`${family} ${protocol.toUpperCase()} ${way}`, command)
    })
    if (way !== 'Service') return long
    const name = `${family} TCP Service, each a new connection`
    return [...long, newConnections(name, [...client, 'ask', address, String(PORT)])]
  })
}

function outsideStream(name: string, protocol: string, host: string, port: number): Stream {
  const pace = ['--interval', String(INTERVAL_US)]
  return startStream(name, [
    builtProgram('weir-pod'),
    'stream',
    protocol,
    host,
    String(port),
    ...pace,
  ])
}

/** A client that sends until its stdin ends. */
function startStream(name: string, command: readonly string[]): Stream {
  const child = start(command)
  const output = collect(child)
  return {
    stop: async () => {
      child.stdin.end()
      const { stdout, stderr } = await output
      const answer = parseAnswer(stdout)
      if (!answer) {
        return { name, ...NOTHING, error: stderr.trim() || stdout.trim() || 'no answer' }
      }
      const { sent, lost, longestGapMs, error } = answer
      const broken = error ? 1 : 0
      return { name, sent, lost, broken, longestGapMs, ...(error ? { error } : {}) }
    },
  }
}

const NOTHING = { sent: 0, lost: 0, broken: 1, longestGapMs: 0 }

function parseAnswer(text: string): Answer | undefined {
  const line = text.trim().split('\n').at(-1) ?? ''
  if (!/^\{.*"longestGapMs".*\}$/.test(line)) return undefined
  return JSON.parse(line) as Answer
}

/** One connection after the other until stopped, each a request and its answer. */
function newConnections(name: string, command: readonly string[]): Stream {
  const batch = [...command, '--count', '20']
  let stopped = false
  const work = async (): Promise<StreamReport> => {
    let sent = 0
    const errors: string[] = []
    while (!stopped) {
      const { stdout, stderr, code } = await collect(start(batch))
      const answers = stdout.trim().split('\n').filter(Boolean)
      sent += answers.length
      if (code !== 0) errors.push(answers.at(-1) ?? stderr.trim())
      await sleep(200)
    }
    const error = errors[0]
    const broken = errors.length
    return { name, sent, lost: 0, broken, longestGapMs: 0, ...(error ? { error } : {}) }
  }
  const report = work()
  return {
    stop: () => {
      stopped = true
      return report
    },
  }
}

function start([program = '', ...args]: readonly string[]): ChildProcessWithoutNullStreams {
  return spawn(program, args)
}

function collect(child: ChildProcessWithoutNullStreams) {
  const text = { stdout: '', stderr: '' }
  child.stdout.on('data', (part: Buffer) => {
    text.stdout += part
  })
  child.stderr.on('data', (part: Buffer) => {
    text.stderr += part
  })
  child.stdin.on('error', () => {})
  return new Promise<typeof text & { code: number }>((resolve) => {
    child.on('error', ({ message }) => resolve({ stdout: '', stderr: message, code: 1 }))
    child.on('close', (code) => resolve({ ...text, code: code ?? 137 }))
  })
}

/** A table of the reports and whether nothing was lost. Pure. */
export function describeStreams(reports: readonly StreamReport[]): { text: string; ok: boolean } {
  const rows = reports.map(({ name, sent, lost, broken, longestGapMs, error = '' }) => {
    return [name, sent, lost, broken, longestGapMs.toFixed(1), error]
  })
  const head = ['stream', 'sent', 'lost', 'broken', 'longest gap, ms', '']
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
  const ok = reports.every(({ sent, lost, broken }) => sent > 0 && lost === 0 && broken === 0)
  return { text: lines.join('\n'), ok }
}
