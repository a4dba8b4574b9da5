// A client outside asks one node for backends on the other: with its source translated and by DSR,
// over VXLAN and natively, with XDP and without, by real sockets of both families.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { countPackets } from '../../src/datapath/inspect.ts'
import { openLibrary } from '../../src/libbpf/library.ts'
import { Fabric } from './fabric.ts'
import { Place, type TestPod } from './place.ts'
import { Scene } from './scene.ts'
import type { TestNode } from './test-node.ts'

const scene = new Scene()
let one: TestNode | undefined
let two: TestNode | undefined
let client: Place
let pod: TestPod

const CLIENT = ['192.168.60.9', 'fd60::9'] as const
/** By way of forwarding, and whether the backend is a pod or a process of the node. */
const PORTS = { snat: { pod: 30001, host: 30002 }, dsr: { pod: 30003, host: 30004 } } as const
const BYTES = 1_000_000

before(async () => {
  const fabric = new Fabric(scene, 2)
  const [first, second] = fabric.nodes
  if (!first || !second) throw new Error('two nodes')
  for (const node of fabric.nodes) node.know(first, second)
  ;[one, two] = [first, second]
  client = new Place(scene, fabric.host(CLIENT))
  await Promise.all(fabric.nodes.map((node) => node.start()))
  pod = await second.addPod('pod')
  await pod.serve('pod')
  await new Place(scene, second.netns).serve('host')
  for (const node of fabric.nodes) expose(node)
})
after(() => scene.dispose())

/** Services of each kind, with one endpoint on the second node. */
function expose(node: TestNode): void {
  for (const forwarding of ['snat', 'dsr'] as const) {
    for (const backend of ['pod', 'host'] as const) {
      const name = `${backend}-${forwarding}`
      const nodePort = PORTS[forwarding][backend]
      const ports = [
        { name: 'tcp', protocol: 'TCP', port: 80, nodePort },
        { name: 'udp', protocol: 'UDP', port: 53, nodePort },
      ]
      node.write(`service-${name}.json`, {
        ...{ apiVersion: 'v1', kind: 'Service' },
        metadata: { name, namespace: 'default', annotations: { 'weir.io/forwarding': forwarding } },
        spec: {
          ...{ type: 'NodePort', ipFamilyPolicy: 'RequireDualStack', selector: { app: name } },
          clusterIPs: [`10.96.1.${nodePort % 100}`, `fd96::${nodePort % 100}`],
          ports,
        },
      })
      const addresses = backend === 'pod' ? pod.addresses : (two?.addresses ?? [])
      for (const address of addresses) {
        const family = address.includes(':') ? 'IPv6' : 'IPv4'
        node.write(`slice-${name}-${family}.json`, {
          ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: family },
          metadata: {
            ...{ name: `${name}-${family.toLowerCase()}`, namespace: 'default' },
            labels: { 'kubernetes.io/service-name': name },
          },
          ports: ports.map(({ name: port, protocol, port: number }) => {
            return { name: port, protocol, port: number }
          }),
          endpoints: [{ addresses: [address], nodeName: two?.name, conditions: { ready: true } }],
        })
      }
    }
  }
}

for (const routing of ['vxlan', 'native'] as const) {
  for (const xdp of ['off', 'native'] as const) {
    test(`from outside to the other node: ${routing}, XDP ${xdp}`, async () => {
      for (const node of [one, two]) {
        await node?.kill()
        await node?.start('--routing', routing, '--xdp', xdp)
      }
      await settled()
      for (const forwarding of ['snat', 'dsr'] as const) {
        for (const backend of ['pod', 'host'] as const) check(forwarding, backend)
      }
      assertXdp(xdp)
    })
  }
}

function check(forwarding: 'snat' | 'dsr', backend: 'pod' | 'host'): void {
  const port = PORTS[forwarding][backend]
  for (const [family, address] of (one?.addresses ?? []).entries()) {
    for (const kind of [[], ['--udp']]) {
      const what = `${forwarding} ${backend} ${address} ${kind}`
      const { ok, error, answer } = client.askPort(address, port, ...kind)
      assert.ok(ok, `${what}: ${error}`)
      assert.equal(answer?.name, backend, what)
      const seen = forwarding === 'dsr' ? CLIENT[family] : address
      assert.equal(answer?.client, seen, what)
    }
    client.transfer(address, port, BYTES)
  }
}

/** Until the frontends are in the map. */
async function settled(): Promise<void> {
  for (let tries = 0; tries < 10; tries++) {
    const asked = Object.values(PORTS).flatMap(({ pod: a, host: b }) => [a, b])
    const answers = asked.map((port) =>
      client.askPort(one?.addresses[0] ?? '', port, '--timeout', '500'),
    )
    if (answers.every(({ ok }) => ok)) return
    await sleep(100)
  }
}

/** Packets that XDP has sent on since the first round. */
let sentOn = 0

function assertXdp(xdp: 'off' | 'native'): void {
  const before = sentOn
  sentOn = countPackets({ library: openLibrary(), bpfRoot: one?.bpfRoot ?? '' })
    .filter(({ direction, reason }) => direction === 'xdp_uplink' && reason === 'none')
    .reduce((sum, { packets }) => sum + Number(packets), 0)
  if (xdp === 'off') assert.equal(sentOn, before)
  else assert.ok(sentOn - before > 100, `XDP sent on ${sentOn - before} packets`)
}
