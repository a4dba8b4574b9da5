// Backends come and go while clients connect without a pause: by TCP and UDP, IPv4 and IPv6,
// translated at the socket and per packet, with endpoints drawn at random and by Maglev. Every
// connection is answered, and by a backend of a set that was in force while it was asked.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KernelMap } from '../../src/datapath/entry-map.ts'
import { countPackets } from '../../src/datapath/inspect.ts'
import * as layout from '../../src/datapath/layout.gen.ts'
import { openLibrary } from '../../src/libbpf/library.ts'
import { BpfMap } from '../../src/libbpf/map.ts'
import { randomFrom } from '../support/random.ts'
import { type TestPod, WEIR_POD } from './place.ts'
import { run, Scene } from './scene.ts'
import { TestNode } from './test-node.ts'

/** A Service for each way of balancing. */
const VIPS = {
  random: ['10.96.0.10', 'fd00:10:96::a'],
  maglev: ['10.96.0.11', 'fd00:10:96::b'],
} as const
type Balancing = keyof typeof VIPS
const PORTS = [
  { name: 'tcp', port: 80, protocol: 'TCP' },
  { name: 'udp', port: 53, protocol: 'UDP' },
] as const
const FRONTENDS = 2 * PORTS.length
/** Of each Service. */
const SWAPS = 150
/** Between two questions of a client: of all of them the flow table has room for minutes. */
const INTERVAL_US = 4000
/** Of each client, and there are eight. */
const LEAST_CONNECTIONS = 500
const library = openLibrary()
const scene = new Scene()
let node: TestNode
/** Of one way each: a pod that goes both meets what it left behind of the other. */
const clients = new Map<Way, TestPod>()
const servers: TestPod[] = []

const WAYS = ['socket', 'packet'] as const
type Way = (typeof WAYS)[number]

/** A set of backends, and when it was asked for and was the only one. In microseconds. */
interface Swap {
  readonly names: readonly string[]
  readonly askedUs: number
  aloneUs: number
}

interface Answer {
  readonly ok: boolean
  readonly begunUs: number
  readonly ms: number
  readonly error?: string
  readonly answer?: { readonly name: string; readonly clientPort: number }
}

interface Client {
  readonly name: string
  readonly child: ChildProcess
  readonly file: string
}

before(async () => {
  node = new TestNode(scene, 1)
  node.know(node)
  await node.start()
  for (const way of WAYS) clients.set(way, await addClient(way))
  for (const id of ['a', 'b', 'c', 'd']) {
    const pod = await node.addPod(id)
    await pod.serve(id)
    servers.push(pod)
  }
})
after(() => scene.dispose())

/** With ports enough for a client that never rests, as TCP keeps each for a minute. */
async function addClient(name: string): Promise<TestPod> {
  const pod = await node.addPod(name)
  const script = 'echo 1024 65535 > /proc/sys/net/ipv4/ip_local_port_range'
  run('ip', 'netns', 'exec', pod.netns, 'sh', '-c', script)
  return pod
}

for (const balancing of ['random', 'maglev'] as const) {
  test(`no new connection meets a missing backend while sets churn: ${balancing}`, async () => {
    const random = randomFrom(SWAPS)
    const swaps: Swap[] = []
    expose(balancing)
    await swapTo(balancing, swaps, servers)
    const running = startClients(balancing)
    try {
      for (let turn = 0; turn < SWAPS; turn++) {
        await swapTo(balancing, swaps, another(swaps, random))
      }
    } finally {
      await stop(running)
    }
    assert.deepEqual(
      running.flatMap((each) => faultsOf(each, swaps)),
      [],
    )
    const reasons = countPackets({ library, bpfRoot: node.bpfRoot }).map(({ reason }) => reason)
    assert.deepEqual(
      reasons.filter((reason) => reason.startsWith('no_')),
      [],
    )
  })
}

function expose(balancing: Balancing): void {
  node.write(`${balancing}.json`, {
    ...{ apiVersion: 'v1', kind: 'Service' },
    metadata: { name: balancing, annotations: { 'weir.io/balancing': balancing } },
    spec: { clusterIPs: VIPS[balancing], ports: PORTS },
  })
}

/** Any of the sets but the one in force. */
function another(swaps: readonly Swap[], random: () => number): TestPod[] {
  const before = swaps.at(-1)?.names.join()
  for (;;) {
    const chosen = servers.filter(() => random() < 0.5)
    if (chosen.length > 0 && chosen.map(({ id }) => id).join() !== before) return chosen
  }
}

/** Resolves once all frontends have the set. */
async function swapTo(name: Balancing, swaps: Swap[], pods: readonly TestPod[]): Promise<void> {
  const before = setsInForce(name)
  const swap = { names: pods.map(({ id }) => id), askedUs: nowUs(), aloneUs: Infinity }
  swaps.push(swap)
  for (const [family, addressType] of ['IPv4', 'IPv6'].entries()) {
    node.write(`${name}-${addressType}.json`, {
      ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType },
      metadata: {
        name: `${name}-${addressType.toLowerCase()}`,
        labels: { 'kubernetes.io/service-name': name },
      },
      ports: PORTS,
      endpoints: pods.map(({ addresses }) => {
        return { addresses: [addresses[family]], conditions: { ready: true } }
      }),
    })
  }
  const swapped = () => {
    const now = setsInForce(name)
    return now.size === FRONTENDS && [...now].every(([key, id]) => before.get(key) !== id)
  }
  for (let tries = 0; !swapped(); tries++) {
    assert.ok(tries < 5000, 'the agent swaps all frontends')
    await sleep(2)
  }
  swap.aloneUs = nowUs()
}

/** Number of the set of each frontend that has one. */
function setsInForce(name: Balancing): Map<string, number> {
  const vips: readonly string[] = VIPS[name]
  using map = BpfMap.openPinned(library, join(node.bpfRoot, 'maps/services'))
  const entries = [...new KernelMap(map, layout.maps.services).entries()]
  const ours = entries.filter(([{ address }, { internal }]) => {
    return vips.includes(address) && internal.id !== 0
  })
  return new Map(ours.map(([key, { internal }]) => [JSON.stringify(key), internal.id]))
}

function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n)
}

/** Without the node's cgroup a process is not met at its sockets: its packets are translated. */
function startClients(balancing: Balancing): Client[] {
  return VIPS[balancing].flatMap((vip) =>
    PORTS.flatMap(({ name, port }) =>
      WAYS.map((way) => {
        // A connected UDP socket is ended with its backend, so at the socket it stays unconnected.
        const datagrams = way === 'socket' ? ['--udp', '--unconnected'] : ['--udp']
        const ask = ['ask', vip, String(port), ...(name === 'udp' ? datagrams : [])]
        return startClient(`${balancing} ${name} ${vip} ${way}`, way, ask)
      }),
    ),
  )
}

function startClient(name: string, way: Way, ask: readonly string[]): Client {
  const file = join(scene.directory, `${name.replaceAll(/[ :.]/g, '-')}.json`)
  writeFileSync(file, '')
  const output = openSync(file, 'w')
  const inside = ['ip', 'netns', 'exec', clients.get(way)?.netns ?? '']
  const pace = ['--interval', String(INTERVAL_US), '--count', '10000000']
  const command = [...inside, WEIR_POD, ...ask, ...pace]
  const enter = way === 'socket' ? `echo $$ > ${node.cgroup}/cgroup.procs && ` : ''
  const script = ['-c', `${enter}exec "$@"`, 'sh', ...command]
  const child = spawn('sh', script, { stdio: ['ignore', output, 'inherit'] })
  closeSync(output)
  return { name, child, file }
}

async function stop(clients: readonly Client[]): Promise<void> {
  for (const { child } of clients) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
}

/** What went wrong, one line each. */
function faultsOf({ name, child, file }: Client, swaps: readonly Swap[]): string[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  const ports = new Set<number>()
  const wrong = lines.filter((line) => {
    const asked = JSON.parse(line) as Answer
    const { clientPort = 0 } = asked.answer ?? {}
    const isKnown = ports.has(clientPort)
    ports.add(clientPort)
    return !asked.ok || !wasInForce(asked, swaps, isKnown)
  })
  const faults = wrong.map((line) => `${name}: ${line}`)
  if (child.signalCode !== 'SIGKILL') faults.push(`${name}: ended by itself`)
  if (lines.length < LEAST_CONNECTIONS) faults.push(`${name}: ${lines.length} connections`)
  return faults
}

/**
 * Whether a set with who answered can have been in force at any time of the question. A port that
 * comes again may have a UDP flow of before: it is moved after its set is swapped, and before the
 * next is.
 */
function wasInForce({ begunUs, ms, answer }: Answer, swaps: readonly Swap[], isKnown: boolean) {
  const endedUs = begunUs + ms * 1000
  return swaps.some(({ names, askedUs }, at) => {
    const replacedUs = swaps[at + (isKnown ? 2 : 1)]?.aloneUs ?? Infinity
    return askedUs <= endedUs && replacedUs >= begunUs && names.includes(answer?.name ?? '')
  })
}
