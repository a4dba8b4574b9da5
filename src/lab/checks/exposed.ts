// Services from beyond their cluster address: node ports, addresses of load balancers and external
// ones, host ports; from a host outside, from pods and from nodes; and whom the backends see.
import type { Address, Family } from '../../net/address.ts'
import type { ClusterNode, Where } from '../cluster.ts'
import { HOST_PORTS, NAMESPACE, outsideAddress } from '../fixture.ts'
import { ask, expectThat, mustAnswer, mustRefuse, mustTransfer, type Target } from '../probes.ts'
import { addressOf, type Check, checksFor, inPod, podOf, type Scene } from '../scene.ts'

const HTTP = 80
const DNS = 53
/** Chance of missing one of three backends in so many tries: below 1e-7. */
const TRIES = 45
const OUTSIDE = { outside: true } as const

export function exposedChecks(scene: Scene, family: Family): Check[] {
  if (!scene.cluster.outside) return []
  return [
    ...fromOutside(scene, family),
    ...fromInside(scene, family, 'pod', inPod(scene.client)),
    ...fromInside(scene, family, 'host', { node: scene.node.name }),
    ...ofOneNode(scene, family),
    ...ofChoice(scene, family),
  ]
}

function portOf({ cluster }: Scene, service: string, udp: boolean): number {
  const { ports = [] } =
    cluster.services().find(({ namespace, name }) => {
      return namespace === NAMESPACE && name === service
    }) ?? {}
  const port = ports.find(({ protocol }) => (protocol === 'UDP') === udp)
  if (!port?.nodePort) throw new Error(`Cannot find a node port of Service ${service}`)
  return port.nodePort
}

function nodePort(scene: Scene, node: ClusterNode, service: string, udp: boolean) {
  return (family: Family): Target => ({
    address: addressOf(node, family),
    port: portOf(scene, service, udp),
  })
}

function outsideTarget(name: Parameters<typeof outsideAddress>[0], udp: boolean) {
  return (family: Family): Target => ({
    address: outsideAddress(name, family),
    port: udp ? DNS : HTTP,
  })
}

/** Every backend answers; what they saw as the client, by backend's node. */
async function askAll(
  scene: Scene,
  from: Where,
  target: Target,
  udp: boolean,
): Promise<Map<string, string>> {
  const { cluster } = scene
  const answers = await mustAnswer(cluster, from, target, { udp, count: TRIES })
  const seen = new Map(answers.map(({ answer }) => [answer?.node ?? '', answer?.client ?? '']))
  const nodes = cluster.nodes().map(({ name }) => name)
  const missed = nodes.filter((name) => !seen.has(name))
  expectThat(missed.length === 0, `backends on ${nodes.join(', ')}`, [...seen.keys()].join(', '))
  return seen
}

/** Backends of the node that was asked see the true client; others too by DSR, else that node. */
async function mustComeFromOutside(
  scene: Scene,
  family: Family,
  target: Target,
  asked: ClusterNode,
  udp: boolean,
): Promise<string> {
  const { outside } = scene.cluster
  if (!outside) throw new Error('Cannot ask from outside: there is nobody')
  const seen = await askAll(scene, OUTSIDE, target, udp)
  const client = addressOf(outside, family)
  for (const [node, source] of seen) {
    const kept = node === asked.name || scene.settings.forwarding === 'dsr'
    const wanted = kept ? client : addressOf(asked, family)
    expectThat(isOneOf(source, wanted, outside.addresses, kept), `source ${wanted}`, source)
  }
  return [...seen].map(([node, source]) => `${node} saw ${source}`).join(', ')
}

/** The outside host has an address on each switch: which it sends from is its own business. */
function isOneOf(
  source: string,
  wanted: Address,
  clients: readonly Address[],
  isClient: boolean,
): boolean {
  return isClient ? clients.some((address) => address === source) : source === wanted
}

function fromOutside(scene: Scene, family: Family): Check[] {
  const { cluster, node } = scene
  const both = (udp: boolean, word: string): Record<string, () => Promise<string>> => {
    const from = (target: (family: Family) => Target) => (): Promise<string> =>
      mustComeFromOutside(scene, family, target(family), node, udp)
    return {
      [`outside to a node port, ${word}`]: () => from(nodePort(scene, node, 'exposed', udp))(),
      [`outside to a load balancer's address, ${word}`]: from(outsideTarget('balancer', udp)),
      [`outside to an external address, ${word}`]: from(outsideTarget('external', udp)),
      [`outside to a node port of hosts, ${word}`]: () =>
        from(nodePort(scene, node, 'hosts', udp))(),
      [`outside to a node port without backends, ${word}, refused at once`]: () =>
        mustRefuse(cluster, OUTSIDE, nodePort(scene, node, 'nobody', udp)(family), { udp }),
      [`outside within the source ranges, ${word}`]: from(outsideTarget('openRange', udp)),
      [`outside beyond the source ranges, ${word}, silence`]: () =>
        mustBeSilent(scene, OUTSIDE, outsideTarget('closedRange', udp)(family), udp),
      [`outside to a host port, ${word}`]: () => hostPort(scene, family, OUTSIDE, udp),
    }
  }
  return checksFor(scene, family, {
    ...both(false, 'TCP'),
    ...both(true, 'UDP'),
    'outside to a node port, 8 MB of TCP each way': async () => {
      const target = nodePort(scene, node, 'exposed', false)(family)
      const result = await mustTransfer(cluster, OUTSIDE, target, 8 << 20)
      return `sums equal, ${result.retransmits} retransmits`
    },
    'outside to a node port, UDP of 4000 bytes in fragments': async () => {
      const target = nodePort(scene, node, 'exposed', true)(family)
      const options = { udp: true, size: 4000, timeoutMs: 500 }
      // The way to another node may be narrower than the client's own: it is told so at first.
      for (let at = 0; at < LESSONS; at++) await ask(cluster, OUTSIDE, target, options)
      await mustAnswer(cluster, OUTSIDE, target, { ...options, count: 12 })
      return '4000 bytes came back unchanged, 12 times'
    },
  })
}

/** Enough to have met every backend. */
const LESSONS = 12

async function mustBeSilent(
  { cluster }: Scene,
  from: Where,
  target: Target,
  udp: boolean,
): Promise<string> {
  const [answer] = await ask(cluster, from, target, { udp, timeoutMs: 400 })
  const seen = answer?.ok ? 'an answer' : `${answer?.error}`
  expectThat(answer?.error === 'ETIMEDOUT', 'silence', seen)
  return 'no answer'
}

async function hostPort(scene: Scene, family: Family, from: Where, udp: boolean): Promise<string> {
  const { cluster } = scene
  const pod = podOf(cluster, 'ported')
  const node = cluster.nodes().find(({ name }) => name === pod.node)
  if (!node) throw new Error(`Cannot find node ${pod.node}`)
  const target = { address: addressOf(node, family), port: HOST_PORTS[udp ? 'udp' : 'tcp'] }
  const [first] = await mustAnswer(cluster, from, target, { udp, count: 2 })
  expectThat(first?.answer?.name === pod.name, pod.name, `${first?.answer?.name}`)
  return `${pod.name} saw ${first?.answer?.client}`
}

function fromInside(scene: Scene, family: Family, side: string, from: Where): Check[] {
  const { node, otherNode } = scene
  const both = (udp: boolean, word: string): Record<string, () => Promise<string>> => {
    const all = (target: (family: Family) => Target) => async (): Promise<string> => {
      const seen = await askAll(scene, from, target(family), udp)
      return [...seen].map(([name, source]) => `${name} saw ${source}`).join(', ')
    }
    return {
      [`${side} to its node's node port, ${word}`]: all(nodePort(scene, node, 'exposed', udp)),
      [`${side} to its node's node port of hosts, ${word}`]: all(
        nodePort(scene, node, 'hosts', udp),
      ),
      [`${side} to another node's node port, ${word}`]: () =>
        all(nodePort(scene, otherNode, 'exposed', udp))(),
      [`${side} to a load balancer's address, ${word}`]: all(outsideTarget('balancer', udp)),
      [`${side} to an external address, ${word}`]: all(outsideTarget('external', udp)),
      [`${side} to a host port, ${word}`]: () => hostPort(scene, family, from, udp),
    }
  }
  return checksFor(scene, family, { ...both(false, 'TCP'), ...both(true, 'UDP') })
}

/** externalTrafficPolicy and internalTrafficPolicy Local. */
function ofOneNode(scene: Scene, family: Family): Check[] {
  const { cluster, lone, client, node } = scene
  const home = cluster.nodes().find(({ name }) => name === lone.node)
  const abroad = cluster.nodes().find(({ name }) => name !== lone.node)
  if (!home || !abroad) return []
  const { outside } = cluster
  const both = (udp: boolean, word: string): Record<string, () => Promise<string>> => ({
    [`outside to a node port of policy Local, where the pod is, ${word}`]: async () => {
      const target = nodePort(scene, home, 'local', udp)(family)
      const [first] = await mustAnswer(cluster, OUTSIDE, target, { udp, count: 4 })
      const source = first?.answer?.client ?? ''
      const kept = outside?.addresses.some((address) => address === source) ?? false
      expectThat(kept, "the client's own address", source)
      return `${first?.answer?.name} saw ${source}`
    },
    [`outside to a node port of policy Local, elsewhere, ${word}, silence`]: () =>
      mustBeSilent(scene, OUTSIDE, nodePort(scene, abroad, 'local', udp)(family), udp),
    [`pod to a load balancer's address of policy Local, ${word}`]: async () => {
      const target = outsideTarget('localBalancer', udp)(family)
      const [first] = await mustAnswer(cluster, inPod(client), target, { udp })
      return `${first?.answer?.name} saw ${first?.answer?.client}`
    },
    [`pod to a Service of internal policy Local, ${word}`]: async () => {
      const service = cluster.services().find(({ name }) => name === 'near')
      const address = addressOf({ addresses: service?.clusterIps ?? [] }, family)
      const target = { address, port: udp ? DNS : HTTP }
      const answers = await mustAnswer(cluster, inPod(client), target, { udp, count: 20 })
      const other = answers.find(({ answer }) => answer?.node !== node.name)
      expectThat(!other, `backends on ${node.name}`, `${other?.answer?.node}`)
      return `20 answers from ${node.name}`
    },
  })
  return checksFor(scene, family, { ...both(false, 'TCP'), ...both(true, 'UDP') })
}

/** Affinity and consistent choice. */
function ofChoice(scene: Scene, family: Family): Check[] {
  const { cluster, node, client } = scene
  const sticks = async (from: Where, target: Target, udp: boolean): Promise<string> => {
    const answers = await mustAnswer(cluster, from, target, { udp, count: 20 })
    const names = new Set(answers.map(({ answer }) => answer?.name))
    expectThat(names.size === 1, 'one backend', [...names].join(', '))
    return `20 answers from ${[...names].join()}`
  }
  const clusterIp = (): Address => {
    const service = cluster.services().find(({ name }) => name === 'sticky')
    return addressOf({ addresses: service?.clusterIps ?? [] }, family)
  }
  return checksFor(scene, family, {
    'outside to a node port with affinity, TCP': () =>
      sticks(OUTSIDE, nodePort(scene, node, 'sticky', false)(family), false),
    'outside to a node port with affinity, UDP': () =>
      sticks(OUTSIDE, nodePort(scene, node, 'sticky', true)(family), true),
    'pod to a Service with affinity, TCP': () =>
      sticks(inPod(client), { address: clusterIp(), port: HTTP }, false),
    'pod to a Service with affinity, UDP': () =>
      sticks(inPod(client), { address: clusterIp(), port: DNS }, true),
    'outside to a node port by consistent hashing, TCP': async () => {
      const seen = await askAll(
        scene,
        OUTSIDE,
        nodePort(scene, node, 'hashed', false)(family),
        false,
      )
      return `${seen.size} nodes answered`
    },
  })
}
