// Packets of exactly the MTU pass, longer ones are refused by name and not lost: by the pod's own
// stack, and by the datapath when the pod's stack knows no better.
import type { Family } from '../../net/address.ts'
import type { ClusterPod } from '../cluster.ts'
import { HTTP_PORT } from '../fixture.ts'
import { expectThat, mustPing, mustTransfer, ping, readMtu } from '../probes.ts'
import { addressOf, type Check, checksFor, inPod, type Scene } from '../scene.ts'

/** IP and ICMP headers around a ping's payload. */
const HEADERS: Record<Family, number> = { 4: 28, 6: 48 }
/** A pod that believes in this much sends packets that the way cannot take. */
const DECEIVED_MTU = 9000

export function mtuChecks(scene: Scene, family: Family): Check[] {
  const { cluster, client, neighbour, remote, node } = scene
  const ways: [string, ClusterPod][] = [
    ['same node', neighbour],
    ['other node', remote],
  ]
  const payload = async (): Promise<number> =>
    (await readMtu(cluster, inPod(client), 'eth0')) - HEADERS[family]
  return [
    ...ways.flatMap(([where, to]) =>
      checksFor(scene, family, {
        [`ping of exactly the MTU, ${where}, not to be cut`]: async () => {
          const size = await payload()
          const address = addressOf(to, family)
          await mustPing(cluster, inPod(client), address, { size, dontFragment: true, count: 2 })
          return `${size + HEADERS[family]} bytes pass`
        },
        [`ping one byte above the MTU, ${where}, refused`]: async () => {
          const size = (await payload()) + 1
          const address = addressOf(to, family)
          const result = await ping(cluster, inPod(client), address, { size, dontFragment: true })
          const seen = JSON.stringify(result)
          expectThat(result.localError === 'EMSGSIZE', 'EMSGSIZE from the pod itself', seen)
          return `${size + HEADERS[family]} bytes: EMSGSIZE`
        },
      }),
    ),
    ...checksFor(scene, family, {
      'host pings a remote pod with its exact MTU, not to be cut': async () => {
        const size = await payload()
        const address = addressOf(remote, family)
        await mustPing(cluster, { node: node.name }, address, { size, dontFragment: true })
        return `${size + HEADERS[family]} bytes pass`
      },
    }),
    ...(cluster.powers ? deceivedChecks(scene, family) : []),
  ]
}

/** The datapath's own answer: "fragmentation needed" or "packet too big", with the way's MTU. */
function deceivedChecks(scene: Scene, family: Family): Check[] {
  const { cluster, client, remote, node } = scene
  const key = `${client.namespace}/${client.name}`
  const deceived = async (work: () => Promise<string>): Promise<string> => {
    const mtu = await readMtu(cluster, inPod(client), 'eth0')
    try {
      await cluster.powers?.setPodMtu(key, DECEIVED_MTU)
      return await work()
    } finally {
      await cluster.powers?.setPodMtu(key, mtu)
    }
  }
  return checksFor(scene, family, {
    'one byte above the MTU of the way, answered with ICMP': () =>
      deceived(async () => {
        const mtu = (await readMtu(cluster, { node: node.name }, 'eth0')) - overhead(scene)
        const address = addressOf(remote, family)
        const size = mtu - HEADERS[family]
        const exact = await ping(cluster, inPod(client), address, { size, dontFragment: true })
        expectThat(exact.ok, `${mtu} bytes to pass`, JSON.stringify(exact))
        const more = { size: size + 1, dontFragment: true }
        const result = await ping(cluster, inPod(client), address, more)
        const type = family === 4 ? 3 : 2
        const right = result.icmp?.type === type && result.icmp.mtu === mtu
        expectThat(right, `ICMP type ${type} naming MTU ${mtu}`, JSON.stringify(result))
        return `${mtu} bytes pass; for one more ${result.icmp?.from} says MTU ${result.icmp?.mtu}`
      }),
    'TCP finds the MTU of the way and delivers': () =>
      deceived(async () => {
        const target = { address: addressOf(remote, family), port: HTTP_PORT }
        const result = await mustTransfer(cluster, inPod(client), target, 2 << 20)
        return `sums equal, segments of ${result.mss}`
      }),
  })
}

/** Bytes that the way to the other node takes for itself: VXLAN over the underlay's family. */
function overhead({ cluster, settings }: Scene): number {
  if (settings.routing !== 'vxlan') return 0
  return cluster.families.includes(4) ? 50 : 70
}
