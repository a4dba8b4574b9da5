// Nodes and pods, each way, and a host outside the cluster.
import type { Address, Family } from '../../net/address.ts'
import type { Where } from '../cluster.ts'
import { DNS_PORT, HOST_PORT, HTTP_PORT } from '../fixture.ts'
import { expectThat, mustAnswer, mustPing } from '../probes.ts'
import { addressOf, type Check, checksFor, inPod, type Scene } from '../scene.ts'

interface Way {
  readonly from: Where
  readonly to: Address
  readonly tcp: number
  readonly udp: number
  /** Source address that the server must see; absent where the way decides. */
  readonly seen?: Address
}

export function hostChecks(scene: Scene, family: Family): Check[] {
  const { cluster, node, otherNode, farNode, client, neighbour, remote, far } = scene
  const own = addressOf(client, family)
  const toPod = { tcp: HTTP_PORT, udp: DNS_PORT }
  const toHost = { tcp: HOST_PORT, udp: HOST_PORT, seen: own }
  const ways: Record<string, Way> = {
    'host to its own pod': {
      from: { node: node.name },
      to: addressOf(neighbour, family),
      ...toPod,
    },
    'host to a pod of another node': {
      from: { node: node.name },
      to: addressOf(remote, family),
      ...toPod,
    },
    'pod to its own host': { from: inPod(client), to: addressOf(node, family), ...toHost },
    'pod to another host': { from: inPod(client), to: addressOf(otherNode, family), ...toHost },
    ...(farNode && far
      ? {
          'host to a pod of an off-link node': {
            from: { node: node.name },
            to: addressOf(far, family),
            ...toPod,
          },
          'pod to an off-link host': {
            from: inPod(client),
            to: addressOf(farNode, family),
            ...toHost,
          },
        }
      : {}),
    ...(cluster.outside
      ? {
          'pod to a host outside': {
            from: inPod(client),
            to: addressOf(cluster.outside, family),
            tcp: cluster.outside.port,
            udp: cluster.outside.port,
            // Masqueraded: nobody out there knows the way to a pod.
            seen: addressOf(node, family),
          },
          'host outside to a pod': {
            from: { outside: true } as const,
            to: own,
            ...toPod,
          },
        }
      : {}),
  }
  return Object.entries(ways).flatMap(([what, way]) => wayChecks(scene, family, what, way))
}

function wayChecks(scene: Scene, family: Family, what: string, way: Way): Check[] {
  const { cluster } = scene
  const answered = async (udp: boolean): Promise<string> => {
    const target = { address: way.to, port: udp ? way.udp : way.tcp }
    const [first] = await mustAnswer(cluster, way.from, target, { udp, count: 2 })
    const { name, client } = first?.answer ?? {}
    if (way.seen) expectThat(client === way.seen, `source ${way.seen}`, `${client}`)
    return `${name} saw ${client}`
  }
  return checksFor(scene, family, {
    [`${what}, TCP`]: () => answered(false),
    [`${what}, UDP`]: () => answered(true),
    [`${what}, ping`]: async () => {
      const { ms } = await mustPing(cluster, way.from, way.to, { count: 2 })
      return `${ms} ms`
    },
  })
}
