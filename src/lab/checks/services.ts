// ClusterIP Services from pods and from hosts: spread, refusal, a pod to itself, what the socket
// says.
import type { Family } from '../../net/address.ts'
import type { Where } from '../cluster.ts'
import { expectThat, mustAnswer, mustRefuse, mustTransfer } from '../probes.ts'
import { addressOf, type Check, checksFor, clusterIpOf, inPod, type Scene } from '../scene.ts'

const HTTP = 80
const DNS = 53
/** Chance of missing one of three backends in so many tries: below 1e-7. */
const TRIES = 45

export function serviceChecks(scene: Scene, family: Family): Check[] {
  const fromPod = inPod(scene.client)
  const fromHost = { node: scene.node.name }
  return [
    ...sideChecks(scene, family, 'pod', fromPod),
    ...sideChecks(scene, family, 'host', fromHost),
    ...podOnlyChecks(scene, family),
  ]
}

function sideChecks(scene: Scene, family: Family, side: string, from: Where): Check[] {
  const { cluster } = scene
  const reached = async (service: string, udp: boolean): Promise<string> => {
    const target = { address: clusterIpOf(cluster, service, family), port: udp ? DNS : HTTP }
    const answers = await mustAnswer(cluster, from, target, { udp, count: TRIES })
    const names = new Set(answers.map(({ answer }) => answer?.name ?? ''))
    const backends = cluster.services().find(({ name }) => name === service)?.backends ?? []
    const missed = backends.filter((name) => !names.has(name))
    expectThat(missed.length === 0, `all of ${backends.join(', ')}`, [...names].join(', '))
    return `${TRIES} answers from ${names.size} backends`
  }
  const refused = (service: string, udp: boolean): Promise<string> => {
    const address = clusterIpOf(cluster, service, family)
    return mustRefuse(cluster, from, { address, port: udp ? DNS : HTTP }, { udp })
  }
  return checksFor(scene, family, {
    [`${side} to a Service, TCP, every backend`]: () => reached('server', false),
    [`${side} to a Service, UDP, every backend`]: () => reached('server', true),
    [`${side} to a Service of hosts, TCP`]: () => reached('host', false),
    [`${side} to a Service of hosts, UDP`]: () => reached('host', true),
    [`${side} to a Service without backends, TCP, refused at once`]: () => refused('nobody', false),
    [`${side} to a Service without backends, UDP, refused at once`]: () => refused('nobody', true),
    [`${side} to a Service whose backend refuses, TCP`]: () => refused('closed', false),
    [`${side} to a Service whose backend refuses, UDP`]: () => refused('closed', true),
    [`${side} to a Service, the socket names the Service`]: async () => {
      const address = clusterIpOf(cluster, 'server', family)
      const [tcp] = await mustAnswer(cluster, from, { address, port: HTTP })
      expectThat(tcp?.peer === address, `peer ${address}`, `${tcp?.peer}`)
      return `getpeername says ${tcp?.peer}`
    },
    [`${side} to a Service, unconnected UDP, answered by the Service`]: async () => {
      const address = clusterIpOf(cluster, 'server', family)
      const options = { udp: true, unconnected: true, count: 10 }
      const answers = await mustAnswer(cluster, from, { address, port: DNS }, options)
      const other = answers.find((answer) => answer.from !== address)
      expectThat(!other, `answers from ${address}`, `${other?.from}`)
      return `10 answers from ${address}`
    },
    [`${side} to a Service, 8 MB of TCP each way`]: async () => {
      const address = clusterIpOf(cluster, 'server', family)
      const result = await mustTransfer(cluster, from, { address, port: HTTP }, 8 << 20)
      return `sums equal, ${result.retransmits} retransmits`
    },
  })
}

function podOnlyChecks(scene: Scene, family: Family): Check[] {
  const { cluster, lone, client } = scene
  const itself = async (udp: boolean): Promise<string> => {
    const target = { address: clusterIpOf(cluster, 'lone', family), port: udp ? DNS : HTTP }
    const [answer] = await mustAnswer(cluster, inPod(lone), target, { udp, count: 3 })
    expectThat(answer?.answer?.name === lone.name, lone.name, `${answer?.answer?.name}`)
    return `${lone.name} answered itself, it saw ${answer?.answer?.client}`
  }
  const sourceKept = async (udp: boolean): Promise<string> => {
    const own = addressOf(client, family)
    const target = { address: clusterIpOf(cluster, 'server', family), port: udp ? DNS : HTTP }
    const answers = await mustAnswer(cluster, inPod(client), target, { udp, count: 8 })
    const other = answers.find(({ answer }) => answer?.client !== own)
    expectThat(!other, `source ${own} at every backend`, `${other?.answer?.client}`)
    return `backends saw ${own}`
  }
  return checksFor(scene, family, {
    'pod to itself through its Service, TCP': () => itself(false),
    'pod to itself through its Service, UDP': () => itself(true),
    'pod to a Service, TCP, source kept': () => sourceKept(false),
    'pod to a Service, UDP, source kept': () => sourceKept(true),
    'pod to a Service, UDP of 4000 bytes in fragments': async () => {
      const target = { address: clusterIpOf(cluster, 'server', family), port: DNS }
      await mustAnswer(cluster, inPod(client), target, { udp: true, size: 4000, count: 6 })
      return '4000 bytes came back unchanged, 6 times'
    },
  })
}
