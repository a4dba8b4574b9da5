// Pod to pod: on one node, on two, and behind a router; TCP, UDP, fragments, content, who is seen.
import type { Family } from '../../net/address.ts'
import type { ClusterPod } from '../cluster.ts'
import { DNS_PORT, HTTP_PORT } from '../fixture.ts'
import { expectThat, mustAnswer, mustPing, mustTransfer } from '../probes.ts'
import { addressOf, type Check, checksFor, inPod, type Scene } from '../scene.ts'

export function podChecks(scene: Scene, family: Family): Check[] {
  const { client, neighbour, remote, far } = scene
  return [
    ...pairChecks(scene, family, 'same node', client, neighbour),
    ...pairChecks(scene, family, 'other node', client, remote),
    ...(far ? pairChecks(scene, family, 'off-link node', client, far) : []),
    ...checksFor(scene, family, {
      'pod to pod, other node, and the way back asked first': async () => {
        const [answer] = await mustAnswer(scene.cluster, inPod(remote), {
          address: addressOf(client, family),
          port: HTTP_PORT,
        })
        return `answered by ${answer?.answer?.name}`
      },
    }),
  ]
}

function pairChecks(
  scene: Scene,
  family: Family,
  where: string,
  from: ClusterPod,
  to: ClusterPod,
): Check[] {
  const { cluster } = scene
  const address = addressOf(to, family)
  const own = addressOf(from, family)
  const answered = async (udp: boolean): Promise<string> => {
    const target = { address, port: udp ? DNS_PORT : HTTP_PORT }
    const [first] = await mustAnswer(cluster, inPod(from), target, { udp, count: 3 })
    expectThat(first?.answer?.name === to.name, `${to.name}`, `${first?.answer?.name}`)
    expectThat(first?.answer?.client === own, `source ${own}`, `${first?.answer?.client}`)
    return `${to.name} saw ${own}, ${first?.ms} ms`
  }
  const echoed = async (size: number): Promise<string> => {
    const target = { address, port: DNS_PORT }
    await mustAnswer(cluster, inPod(from), target, { udp: true, size, count: 2 })
    return `${size} bytes came back unchanged`
  }
  return checksFor(scene, family, {
    [`pod to pod, ${where}, TCP, source kept`]: () => answered(false),
    [`pod to pod, ${where}, UDP, source kept`]: () => answered(true),
    [`pod to pod, ${where}, ping`]: async () => {
      const { ms, ttl } = await mustPing(cluster, inPod(from), address, { count: 3 })
      return `${ms} ms, TTL ${ttl}`
    },
    [`pod to pod, ${where}, UDP of 4000 bytes in fragments`]: () => echoed(4000),
    [`pod to pod, ${where}, UDP of 30000 bytes in fragments`]: () => echoed(30_000),
    [`pod to pod, ${where}, 8 MB of TCP each way`]: async () => {
      const result = await mustTransfer(cluster, inPod(from), { address, port: HTTP_PORT }, 8 << 20)
      return `sums equal, segments of ${result.mss}, ${result.retransmits} retransmits`
    },
  })
}
