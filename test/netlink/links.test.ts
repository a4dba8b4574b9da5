// Interfaces, made in a namespace of this test's own and checked with iproute2.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import { openLibrary } from '../../src/libbpf/library.ts'
import { parseAddress } from '../../src/net/address.ts'
import { parseMac } from '../../src/net/mac.ts'
import { addAddress, listAddresses } from '../../src/netlink/addresses.ts'
import {
  createVeth,
  createVxlan,
  deleteLink,
  linkByIndex,
  linkByName,
  listLinks,
  setLink,
} from '../../src/netlink/links.ts'
import { Netlink } from '../../src/netlink/netlink.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { type PodNetns, startPodNetns } from './pod-netns.ts'

enterOwnNetns()
const library = openLibrary()
const host = Netlink.open(library)
let pod: PodNetns

before(async () => {
  pod = await startPodNetns()
})
after(async () => {
  host.close()
  await pod.end()
})

const HOST_MAC = parseMac('02:00:00:00:00:01')
const POD_MAC = parseMac('02:00:00:00:00:02')

function show(name: string) {
  const text = execFileSync('ip', ['-d', '-j', 'link', 'show', 'dev', name], { encoding: 'utf8' })
  return JSON.parse(text)[0]
}

test('createVeth() bears the peer in the other namespace', () => {
  const peer = { name: 'eth0', mac: POD_MAC, mtu: 1400, netns: pod.path }
  const made = createVeth(host, {
    name: 'weir-a',
    mac: HOST_MAC,
    mtu: 1450,
    up: true,
    addrGenModeNone: true,
    peer,
  })
  const link = linkByName(host, 'weir-a')
  assert.deepEqual(
    { ...link, netnsId: undefined },
    {
      ifindex: made.ifindex,
      name: 'weir-a',
      kind: 'veth',
      mac: HOST_MAC,
      mtu: 1450,
      isUp: true,
      noArp: false,
      peerIfindex: made.peerIfindex,
      netnsId: undefined,
      masterIfindex: undefined,
      vxlanPort: undefined,
    },
  )
  assert.equal(typeof link?.netnsId, 'number')
  assert.equal(show('weir-a').inet6_addr_gen_mode, 'none')
  using inside = Netlink.open(library, pod.path)
  const eth0 = linkByName(inside, 'eth0')
  assert.equal(eth0?.ifindex, made.peerIfindex)
  assert.equal(eth0?.mac, POD_MAC)
  assert.equal(eth0?.mtu, 1400)
  assert.equal(eth0?.isUp, false)
  setLink(inside, made.peerIfindex, { up: true })
  assert.deepEqual(listAddresses(host, made.ifindex), [])
  assert.equal(deleteLink(host, made.ifindex), true)
  assert.equal(deleteLink(host, made.ifindex), false)
  assert.equal(linkByIndex(host, made.ifindex), undefined)
  assert.equal(linkByName(inside, 'eth0'), undefined)
})

test('createVeth() that fails leaves nothing behind', () => {
  const { ifindex } = createVeth(host, { name: 'weir-b', peer: { name: 'weir-b2' } })
  const names = () => listLinks(host).map(({ name }) => name)
  const before = names()
  assert.throws(() => createVeth(host, { name: 'weir-b', up: true, peer: { name: 'weir-b3' } }), {
    name: 'NetlinkError',
    code: 'EEXIST',
    message: /^Cannot create veth weir-b: .*\(EEXIST\)$/,
  })
  assert.throws(() => createVeth(host, { name: 'weir-c', peer: { name: 'weir-b2' } }), {
    code: 'EEXIST',
  })
  const absent = { name: 'eth0', netns: '/proc/0/ns/net' }
  assert.throws(() => createVeth(host, { name: 'weir-c', peer: absent }), { code: 'ENOENT' })
  assert.deepEqual(names(), before)
  assert.equal(linkByName(host, 'weir-b')?.isUp, false)
  deleteLink(host, ifindex)
})

test('createVxlan() makes a device that takes its tunnel keys from programs', () => {
  const ifindex = createVxlan(host, { name: 'weir-vx', port: 8472, collectMetadata: true })
  const { linkinfo, ifindex: shown } = show('weir-vx')
  assert.equal(shown, ifindex)
  assert.equal(linkinfo.info_kind, 'vxlan')
  assert.equal(linkinfo.info_data.external, true)
  assert.equal(linkinfo.info_data.port, 8472)
  assert.equal(linkByIndex(host, ifindex)?.vxlanPort, 8472)
  deleteLink(host, ifindex)
})

test('setLink() changes only what it is given', () => {
  const { ifindex } = createVeth(host, { name: 'weir-d', peer: { name: 'weir-d2' } })
  setLink(host, ifindex, { mtu: 1300, noArp: true })
  setLink(host, ifindex, { up: true })
  assert.deepEqual(
    (({ mtu, isUp, noArp }) => ({ mtu, isUp, noArp }))(linkByIndex(host, ifindex) ?? assert.fail()),
    { mtu: 1300, isUp: true, noArp: true },
  )
  setLink(host, ifindex, { up: false })
  setLink(host, ifindex, { name: 'weir-e', mac: HOST_MAC })
  assert.equal(linkByName(host, 'weir-e')?.mac, HOST_MAC)
  assert.equal(linkByName(host, 'weir-d'), undefined)
  assert.throws(() => setLink(host, ifindex, { mtu: 20 }), /Cannot change interface .*mtu/)
  deleteLink(host, ifindex)
})

test('listLinks() lists more than one piece of a dump', () => {
  const count = 60
  for (let i = 0; i < count; i++) {
    createVeth(host, { name: `weir-m${i}`, peer: { name: `weir-n${i}` } })
  }
  const links = listLinks(host).filter(({ name }) => /^weir-[mn]/.test(name))
  assert.equal(links.length, 2 * count)
  const byIndex = new Map(links.map((link) => [link.ifindex, link]))
  for (const { ifindex, peerIfindex } of links) {
    assert.equal(byIndex.get(peerIfindex ?? 0)?.peerIfindex, ifindex)
  }
  for (const { name, ifindex } of links) if (name.startsWith('weir-m')) deleteLink(host, ifindex)
})

test('a socket opened in a namespace stays there, and the process does not move', () => {
  using inside = Netlink.open(library, pod.path)
  const lo = linkByName(inside, 'lo') ?? assert.fail()
  setLink(inside, lo.ifindex, { up: true })
  assert.equal(linkByName(inside, 'lo')?.isUp, true)
  assert.equal(linkByName(host, 'lo')?.isUp, false)
  addAddress(inside, { ifindex: lo.ifindex, address: parseAddress('10.9.9.9') })
  assert.ok(!listAddresses(host).some(({ address }) => address === '10.9.9.9'))
  assert.throws(() => Netlink.open(library, '/proc/0/ns/net'), {
    code: 'ENOENT',
    message: /Cannot open netlink socket in \/proc\/0\/ns\/net/,
  })
  assert.throws(() => Netlink.open(library, '/dev/null'), { code: 'EINVAL' })
})
