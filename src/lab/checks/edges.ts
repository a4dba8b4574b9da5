// What a network says when it cannot deliver: closed ports, addresses without a pod, hops that run
// out, sources that are not the sender's; and the gateways, which answer for themselves.
import type { Address, Family } from '../../net/address.ts'
import { prefixFamily, prefixNth } from '../../net/prefix.ts'
import type { ClusterPod } from '../cluster.ts'
import { CLOSED_PORT, DNS_PORT } from '../fixture.ts'
import { ask, expectThat, mustPing, mustRefuse, ping } from '../probes.ts'
import { addressOf, type Check, checksFor, gatewayAddress, inPod, type Scene } from '../scene.ts'

/** Pods are numbered from below; nobody gets this far in a suite. */
const UNUSED = 200n
/** "Time exceeded" of ICMP and of ICMPv6. */
const TIME_EXCEEDED: Record<Family, number> = { 4: 11, 6: 3 }
/** "Host unreachable" and "address unreachable". */
const HOST_UNREACHABLE: Record<Family, { type: number; code: number }> = {
  4: { type: 3, code: 1 },
  6: { type: 1, code: 3 },
}

export function edgeChecks(scene: Scene, family: Family): Check[] {
  const { cluster, client, neighbour, remote, node, otherNode } = scene
  const own = gatewayAddress(node, family)
  const other = gatewayAddress(otherNode, family)
  const from = inPod(client)
  const refused = (to: ClusterPod, udp: boolean): Promise<string> =>
    mustRefuse(cluster, from, { address: addressOf(to, family), port: CLOSED_PORT }, { udp })
  const pinged = async (address: Address): Promise<string> => {
    const { ms } = await mustPing(cluster, from, address)
    return `${address} answered in ${ms} ms`
  }
  return checksFor(scene, family, {
    'closed port, same node, TCP, refused at once': () => refused(neighbour, false),
    'closed port, same node, UDP, refused at once': () => refused(neighbour, true),
    'closed port, other node, TCP, refused at once': () => refused(remote, false),
    'closed port, other node, UDP, refused at once': () => refused(remote, true),
    'address without a pod on the node, told unreachable': () => mustBeTold(scene, node, family),
    'address without a pod on another node, told unreachable': () =>
      mustBeTold(scene, otherNode, family),
    'pod pings its gateway': () => pinged(own),
    'pod pings the gateway of another node': () => pinged(other),
    'traceroute to another node names both nodes': async () => {
      const hops: string[] = []
      for (const ttl of [1, 2]) {
        const { icmp } = await ping(cluster, from, addressOf(remote, family), { ttl })
        const exceeded = icmp?.type === TIME_EXCEEDED[family]
        hops.push(icmp ? `${icmp.from}${exceeded ? '' : ` with ICMP ${icmp.type}`}` : 'nobody')
      }
      // Without an overlay the packet arrives at the node itself, which has two names.
      const wanted = [own, `${other} or ${addressOf(otherNode, family)}`]
      const right = hops.every((hop, at) => wanted[at]?.split(' or ').includes(hop))
      expectThat(right, wanted.join(', then '), hops.join(', then '))
      return hops.join(', ')
    },
    'a pod that sends with a foreign source is not heard': async () => {
      const target = { address: addressOf(remote, family), port: DNS_PORT }
      const options = { udp: true, source: addressOf(neighbour, family), timeoutMs: 300 }
      const before = await dropsOf(scene)
      const [answer] = await ask(cluster, from, target, options)
      const grown = (await dropsOf(scene)) - before
      expectThat(!answer?.ok && grown > 0, 'no answer and a counted drop', `${grown} drops`)
      return `${grown} packet dropped as spoofed_source`
    },
  })
}

/** A ping of an address in the node's podCIDR that no pod has: its gateway says so. */
async function mustBeTold(
  { cluster, client }: Scene,
  node: Scene['node'],
  family: Family,
): Promise<string> {
  const prefix = node.podCidrs.find((candidate) => prefixFamily(candidate) === family)
  if (!prefix) throw new Error(`expected a podCIDR of IPv${family}, saw ${node.podCidrs}`)
  const { icmp } = await ping(cluster, inPod(client), prefixNth(prefix, UNUSED))
  const told = `${icmp?.from} says ICMP ${icmp?.type}/${icmp?.code}`
  const { type, code } = HOST_UNREACHABLE[family]
  const wanted = `${gatewayAddress(node, family)} says ICMP ${type}/${code}`
  expectThat(told === wanted, wanted, icmp ? told : 'nothing')
  return told
}

/** Packets of foreign source that the client's node has dropped so far. */
async function dropsOf({ cluster, node }: Scene): Promise<number> {
  const text = await cluster.metrics(node.name)
  const rows = text.matchAll(/^weir_drops_total\{[^}]*reason="spoofed_source"[^}]*\} (\S+)$/gm)
  return [...rows].reduce((sum, [, count]) => sum + Number(count), 0)
}
