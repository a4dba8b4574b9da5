// What Weir is measured beside, built on the same machine in namespaces of its own: a direct veth
// pair (the limit), a Linux bridge, BPF programs that only redirect (bare.ts), two bare nodes on a
// switch, kernel VXLAN with bridges on them.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cgroupMount, makeCgroup, removeCgroup } from '../lab/cgroups.ts'
import { attachRedirect } from './bare.ts'
import type { Path, Place } from './load.ts'

const run = promisify(execFile)

export type ReferenceName =
  | 'veth'
  | 'bridge'
  | 'redirect'
  | 'node'
  | 'redirect-native'
  | 'kernel-vxlan'

/** A path, and where its server has to listen. */
export interface ReferencePath extends Path {
  readonly server: Place
}

export interface References {
  readonly paths: Readonly<Record<ReferenceName, ReferencePath>>
  /** Removes every namespace it made. */
  close(): Promise<void>
}

const PREFIX = 'weir-ref-'
const NAMES = [
  'va',
  'vb',
  'br',
  'ba',
  'bb',
  'rr',
  'ra',
  'rb',
  'sw',
  'n1',
  'n2',
  'p1',
  'p2',
  'm1',
  'm2',
  'q1',
  'q2',
]

function netns(name: string): string {
  return `/run/netns/${PREFIX}${name}`
}

/** Runs `ip -batch` lines inside a namespace; words ending in ! name another of our namespaces. */
async function ip(name: string, script: string): Promise<void> {
  const lines = script
    .replace(/(\S+)!/g, `${PREFIX}$1`)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  for (const line of lines) await run('ip', ['-n', `${PREFIX}${name}`, ...line.split(/\s+/)])
}

/** Builds all references. What an interrupted run left is removed first. */
export async function buildReferences(): Promise<References> {
  await close()
  for (const name of NAMES) {
    await run('ip', ['netns', 'add', `${PREFIX}${name}`])
    await ip(name, 'link set lo up')
  }
  await buildDirect()
  await buildBridge()
  await buildRedirect()
  await buildNodes()
  await buildRedirectNodes()
  return {
    paths: {
      veth: pathOnNode('va', 'vb', '10.201.0.2'),
      bridge: pathOnNode('ba', 'bb', '10.202.0.2'),
      redirect: pathOnNode('ra', 'rb', '10.206.0.2'),
      node: pathBetweenNodes('n1', 'n2', '10.203.0.2'),
      'redirect-native': pathBetweenNodes('q1', 'q2', '10.207.0.2'),
      'kernel-vxlan': pathBetweenNodes('p1', 'p2', '10.204.0.2'),
    },
    close,
  }
}

function pathOnNode(client: string, server: string, address: string): ReferencePath {
  return { client: placeOn('node1', client), server: placeOn('node1', server), address }
}

function pathBetweenNodes(client: string, server: string, address: string): ReferencePath {
  return { client: placeOn('node1', client), server: placeOn('node2', server), address }
}

/**
 * In a cgroup as deep as that of a lab's pod: where the kernel accounts pressure (PSI), each level
 * between two tasks makes a switch from one to the other longer.
 */
function placeOn(node: string, name: string): Place {
  const cgroup = join(cgroupRoot(), node, 'pods', name)
  makeCgroup(cgroup)
  return { netns: netns(name), cgroup }
}

function cgroupRoot(): string {
  return join(cgroupMount(), 'weir-ref')
}

async function close(): Promise<void> {
  await removeCgroup(cgroupRoot())
  for (const name of NAMES) {
    await run('ip', ['netns', 'del', `${PREFIX}${name}`]).catch(() => {})
  }
}

async function buildDirect(): Promise<void> {
  await ip('va', 'link add eth0 type veth peer name eth0 netns vb!')
  await ip('va', 'addr add 10.201.0.1/24 dev eth0\nlink set eth0 up')
  await ip('vb', 'addr add 10.201.0.2/24 dev eth0\nlink set eth0 up')
}

async function buildBridge(): Promise<void> {
  await ip('br', 'link add br0 type bridge\nlink set br0 up')
  for (const [index, name] of ['ba', 'bb'].entries()) {
    await ip('br', `link add ${name} type veth peer name eth0 netns ${name}!`)
    await ip('br', `link set ${name} master br0 up`)
    await ip(name, `addr add 10.202.0.${index + 1}/24 dev eth0\nlink set eth0 up`)
  }
}

/** Two pods, addressed as Weir addresses its own, on a node that does nothing but redirect. */
async function buildRedirect(): Promise<void> {
  for (const [index, name] of ['ra', 'rb'].entries()) {
    const mac = `02:00:00:00:ce:0${index}`
    await ip('rr', `link add ${name} address ${mac} type veth peer name eth0 netns ${name}!`)
    await ip('rr', `link set ${name} up`)
    await addressPod(name, `10.206.0.${index + 1}`, mac)
  }
  const filters = ['ra', 'rb'].map((device) => [device, 'redirect'] as const)
  attachRedirect(netns('rr'), { first: 'ra', second: 'rb' }, filters)
}

/** Two nodes on a switch, and a pod behind a bridge with a VXLAN port on each: flannel's way. */
async function buildNodes(): Promise<void> {
  await ip('sw', 'link add br0 type bridge\nlink set br0 up')
  for (const index of [1, 2]) {
    const other = 3 - index
    const ends = `local 10.203.0.${index} remote 10.203.0.${other}`
    await ip('sw', `link add n${index} type veth peer name eth0 netns n${index}!`)
    await ip('sw', `link set n${index} master br0 up`)
    await ip(
      `n${index}`,
      `addr add 10.203.0.${index}/24 dev eth0
       link set eth0 up
       link add br0 type bridge
       link add vx0 type vxlan id 42 dstport 8472 dev eth0 ${ends}
       link set vx0 mtu 1450 master br0 up
       link set br0 up
       link add pod type veth peer name eth0 netns p${index}!
       link set pod mtu 1450 master br0 up`,
    )
    await ip(`p${index}`, `link set eth0 mtu 1450\naddr add 10.204.0.${index}/24 dev eth0`)
    await ip(`p${index}`, 'link set eth0 up')
  }
}

/** Two nodes on the same switch, with a pod each, that do nothing but redirect. */
async function buildRedirectNodes(): Promise<void> {
  for (const index of [1, 2]) {
    const mac = `02:00:00:00:cf:0${index}`
    const pod = `10.207.0.${index}`
    await ip('sw', `link add m${index} type veth peer name eth0 netns m${index}!`)
    await ip('sw', `link set m${index} master br0 up`)
    await ip(`m${index}`, `addr add 10.203.0.1${index}/24 dev eth0\nlink set eth0 up`)
    await ip(`m${index}`, `link add pod address ${mac} type veth peer name eth0 netns q${index}!`)
    await ip(`m${index}`, 'link set pod up')
    await addressPod(`q${index}`, pod, mac)
    attachRedirect(
      netns(`m${index}`),
      { first: 'pod', uplink: 'eth0', pod, nextHop: `10.203.0.1${3 - index}` },
      [
        ['pod', 'leave'],
        ['eth0', 'arrive'],
      ],
    )
  }
}

/** A host address and everything else by the gateway, whose MAC is the veth's host end. */
async function addressPod(name: string, address: string, mac: string): Promise<void> {
  await ip(name, `addr add ${address}/32 dev eth0\nlink set eth0 up`)
  await ip(name, 'route add 10.200.0.1 dev eth0\nroute add default via 10.200.0.1')
  await ip(name, `neigh add 10.200.0.1 lladdr ${mac} dev eth0 nud permanent`)
}
