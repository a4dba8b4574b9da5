// The underlay: one bridge in a network namespace that a process holds, with the control plane on
// it. A link leads to this machine, so that kubectl needs no namespaces; it goes with the process.

import { builtProgram } from '../lab/paths.ts'
import { waitUntil } from '../lab/processes.ts'
import { run } from '../lab/run.ts'
import { cgroupsOf, inNetworkOf, runInside, startDaemon } from './daemons.ts'
import { kubectl } from './kubectl.ts'
import { CLUSTER } from './paths.ts'
import type { ClusterRecord } from './record.ts'
import { addressLines, LOAD_BALANCERS, type NodePlan, OUTSIDE, UNDERLAY } from './spec.ts'

const SWITCH = 'weir_switch'

/** Answers the pid that holds the namespace. */
export async function makeFabric(logs: string): Promise<number> {
  const taken = await run('look for routes', 'ip', ['route', 'show', '172.30.0.0/24'])
  if (taken.trim()) throw new Error(`Cannot use 172.30.0.0/24: it is taken: ${taken.trim()}`)
  const child = startDaemon({
    name: 'fabric',
    cgroups: cgroupsOf('fabric'),
    command: ['unshare', '--net', builtProgram('weir-init')],
    logs,
  })
  const pid = child.pid as number
  await waitForNamespace(pid)
  await ipBatch(pid, [
    'link set lo up',
    `link add ${SWITCH} type bridge forward_delay 0 mcast_snooping 0`,
    ...addressLines(SWITCH, UNDERLAY.router),
    `link set ${SWITCH} up`,
  ])
  const forwarding = ['ipv4/ip_forward', 'ipv6/conf/all/forwarding']
  // Routes with several hops spread connections and not only clients, as load balancers do.
  const spreading = ['ipv4/fib_multipath_hash_policy', 'ipv6/fib_multipath_hash_policy']
  await writeSysctls(pid, [...forwarding, ...spreading])
  await connectMachine(pid)
  return pid
}

async function waitForNamespace(pid: number): Promise<void> {
  const script =
    'for i in $(seq 100); do [ "$(readlink /proc/$0/ns/net)" != ' +
    '"$(readlink /proc/self/ns/net)" ] && exit 0; sleep 0.05; done; exit 1'
  await run('make the underlay', 'sh', ['-c', script, String(pid)])
}

/** No sysctl of this machine is touched: it forwards nothing for the cluster. */
async function connectMachine(pid: number): Promise<void> {
  const link = ['link', 'add', CLUSTER, 'type', 'veth', 'peer', 'name', 'machine']
  await run('link this machine', 'ip', [...link, 'netns', String(pid)])
  await ipBatch(pid, [`link set machine master ${SWITCH} up`])
  const lines = [
    ...addressLines(CLUSTER, UNDERLAY.machine),
    `link set ${CLUSTER} up`,
    ...outsideLines(),
  ]
  await run('link this machine', 'ip', ['-batch', '-'], { input: `${lines.join('\n')}\n` })
  const back = OUTSIDE.map(
    (address, index) => `route add ${address} via ${UNDERLAY.machine[index]}`,
  )
  await ipBatch(pid, back)
}

/** This machine asks load balancers from an address that is none of the underlay's. */
function outsideLines(): string[] {
  return OUTSIDE.flatMap((address, index) => {
    const length = address.includes(':') ? '128' : '32'
    const end = address.includes(':') ? ' nodad' : ''
    const { cidrs } = LOAD_BALANCERS
    return [
      `address add ${address}/${length} dev ${CLUSTER}${end}`,
      `route add ${cidrs[index]} via ${UNDERLAY.router[index]} src ${address}`,
    ]
  })
}

/** Plugs a node into the switch and gives it addresses and routes. */
export async function connectNode(fabric: number, pid: number, plan: NodePlan): Promise<void> {
  await ipBatch(fabric, [
    `link add ${plan.name} type veth peer name eth0 netns ${pid}`,
    `link set ${plan.name} master ${SWITCH} up`,
  ])
  await ipBatch(pid, [
    'link set lo up',
    ...addressLines('eth0', plan.addresses),
    'link set eth0 up',
    `route add default via ${UNDERLAY.router[0]}`,
    `route add default via ${UNDERLAY.router[1]}`,
  ])
  await writeSysctls(pid, ['ipv4/ip_forward', 'ipv6/conf/all/forwarding'])
}

/**
 * Teaches the control plane the way to every podCIDR, as a router of the underlay would be: it is
 * no node, and the API server asks pods by itself. Waits until the podCIDRs are given.
 */
export async function routePods(record: ClusterRecord): Promise<void> {
  const { fabric, nodes } = record
  const path = 'jsonpath={.spec.podCIDRs[*]}'
  for (const { name, addresses } of nodes) {
    let podCidrs: string[] = []
    await waitUntil(
      async () => {
        podCidrs = (await kubectl(record, ['get', 'node', name, '-o', path])).split(' ')
        return podCidrs.length === addresses.length
      },
      30_000,
      250,
    )
    const routes = podCidrs.map((podCidr) => {
      const hop = addresses.find((address) => address.includes(':') === podCidr.includes(':'))
      return `route add ${podCidr} via ${hop}`
    })
    await ipBatch(fabric, routes)
  }
}

async function ipBatch(pid: number, lines: readonly string[]): Promise<void> {
  const input = `${lines.join('\n')}\n`
  const { code, stderr } = await runInside(inNetworkOf(pid), ['ip', '-batch', '-'], input)
  if (code !== 0) throw new Error(`Cannot configure the underlay: ${stderr.trim()}`)
}

/** Sets switches below /proc/sys/net of the namespace to 1. */
async function writeSysctls(pid: number, keys: readonly string[]): Promise<void> {
  const script = keys.map((key) => `echo 1 > /proc/sys/net/${key}`).join(' && ')
  const { code, stderr } = await runInside(inNetworkOf(pid), ['sh', '-c', script])
  if (code !== 0) throw new Error(`Cannot set sysctls of the underlay: ${stderr.trim()}`)
}
