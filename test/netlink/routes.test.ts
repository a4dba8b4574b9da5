// Addresses, routes and neighbours of a namespace of this test's own, checked with iproute2.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import { openLibrary } from '../../src/libbpf/library.ts'
import { parseAddress } from '../../src/net/address.ts'
import { parseMac } from '../../src/net/mac.ts'
import { parsePrefix } from '../../src/net/prefix.ts'
import {
  addAddress,
  addAddressRequest,
  deleteAddress,
  listAddresses,
} from '../../src/netlink/addresses.ts'
import { createVeth, setLink } from '../../src/netlink/links.ts'
import {
  deleteNeighbour,
  listNeighbours,
  replaceNeighbour,
  replaceNeighbourRequest,
} from '../../src/netlink/neighbours.ts'
import { Netlink } from '../../src/netlink/netlink.ts'
import {
  deleteRoute,
  listRoutes,
  type Route,
  replaceRoute,
  replaceRouteRequest,
  routeTo,
} from '../../src/netlink/routes.ts'
import { enterOwnNetns } from '../support/own-netns.ts'

enterOwnNetns()
const library = openLibrary()
const netlink = Netlink.open(library)
const PROTOCOL = 196
let ifindex = 0

before(() => {
  const peer = { name: 'weir-b' }
  const veth = createVeth(netlink, { name: 'weir-a', up: true, addrGenModeNone: true, peer })
  setLink(netlink, veth.peerIfindex, { addrGenModeNone: true, up: true })
  ifindex = veth.ifindex
})
after(() => netlink.close())

function ip(...args: string[]) {
  return JSON.parse(execFileSync('ip', ['-j', '-N', ...args], { encoding: 'utf8' }))
}

function routesOf(protocol: number) {
  return listRoutes(netlink, { ifindex }).filter((route) => route.protocol === protocol)
}

test('addresses come, are listed in both families, may be repeated and go', () => {
  const four = { ifindex, address: parseAddress('10.1.0.1'), prefixLength: 24 }
  const six = { ifindex, address: parseAddress('fd01::1'), noDad: true }
  const link = { ifindex, address: parseAddress('169.254.1.1'), scope: 'link' } as const
  for (const address of [four, six, link, four, six]) addAddress(netlink, address)
  const listed = listAddresses(netlink, ifindex)
  assert.deepEqual(
    listed.map(({ address, prefixLength, scope }) => `${address}/${prefixLength} ${scope}`).sort(),
    ['10.1.0.1/24 global', '169.254.1.1/32 link', 'fd01::1/128 global'],
  )
  assert.ok(listed.every(({ isTentative }) => !isTentative))
  assert.ok(listAddresses(netlink).length >= 3)
  assert.equal(deleteAddress(netlink, link), true)
  assert.equal(deleteAddress(netlink, link), false)
  assert.throws(() => addAddress(netlink, { ...four, ifindex: 9999 }), {
    code: 'ENODEV',
    object: 'address 10.1.0.1/24 of interface 9999',
  })
})

test('replaceRoute() makes host routes, gateways on link and both families', () => {
  const pod4 = parsePrefix('10.2.0.5/32')
  const gateway4 = parseAddress('10.3.0.1')
  const gateway6 = parseAddress('fe80::1')
  const common = { ifindex, protocol: PROTOCOL }
  const routes: Route[] = [
    { ...common, prefix: pod4, source: parseAddress('10.1.0.1') },
    { ...common, prefix: parsePrefix('fd02::5/128') },
    { ...common, prefix: 'default', gateway: gateway4, onLink: true, mtu: 1400 },
    { ...common, prefix: 'default', gateway: gateway6, onLink: true },
    { ...common, prefix: parsePrefix('10.4.0.0/16'), table: 1000, metric: 7 },
  ]
  for (const route of [...routes, ...routes]) replaceRoute(netlink, route)
  const seen = routesOf(PROTOCOL).map(({ prefix, gateway, source, table, mtu, metric }) =>
    [prefix, gateway, source, table, mtu, metric].map(String).join(' '),
  )
  assert.deepEqual(seen.sort(), [
    '0.0.0.0/0 10.3.0.1 undefined 254 1400 undefined',
    '10.2.0.5/32 undefined 10.1.0.1 254 undefined undefined',
    '10.4.0.0/16 undefined undefined 1000 undefined 7',
    '::/0 fe80::1 undefined 254 undefined 1024',
    'fd02::5/128 undefined undefined 254 undefined 1024',
  ])
  assert.equal(listRoutes(netlink, { table: 1000 }).length, 1)
  assert.ok(listRoutes(netlink, { family: 6 }).every(({ prefix }) => prefix.includes(':')))
  const shown = ip('route', 'show', '10.2.0.5')[0]
  assert.equal(shown.protocol, String(PROTOCOL))
  assert.equal(shown.scope, '253')
  assert.equal(routeTo(netlink, parseAddress('10.2.0.5')).source, '10.1.0.1')
  assert.equal(routeTo(netlink, parseAddress('8.8.8.8')).gateway, '10.3.0.1')
  assert.equal(routeTo(netlink, parseAddress('2001:db8::1')).gateway, 'fe80::1')
  for (const route of routes) assert.equal(deleteRoute(netlink, route), true)
  for (const route of routes) assert.equal(deleteRoute(netlink, route), false)
  assert.deepEqual(routesOf(PROTOCOL), [])
  assert.throws(() => routeTo(netlink, parseAddress('8.8.8.8')), {
    code: 'ENETUNREACH',
    operation: 'find',
    object: 'route to 8.8.8.8',
  })
})

test("an error carries the kernel's own sentence", () => {
  const gateway = parseAddress('10.77.0.1')
  const route: Route = { prefix: 'default', ifindex, gateway, protocol: PROTOCOL }
  assert.throws(() => replaceRoute(netlink, route), {
    name: 'NetlinkError',
    code: 'ENETUNREACH',
    text: 'Nexthop has invalid gateway',
    message:
      `Cannot replace route 0.0.0.0/0 on interface ${ifindex}: ` +
      'Nexthop has invalid gateway (ENETUNREACH)',
  })
})

test('replaceNeighbour() makes permanent entries of both families', () => {
  const mac = parseMac('02:00:00:00:00:aa')
  const other = parseMac('02:00:00:00:00:bb')
  const four = { ifindex, address: parseAddress('10.5.0.1'), mac }
  const six = { ifindex, address: parseAddress('fd05::1'), mac }
  for (const entry of [four, six, { ...four, mac: other }]) replaceNeighbour(netlink, entry)
  const mine = listNeighbours(netlink, ifindex).filter(({ state }) => state === 'permanent')
  assert.deepEqual(mine, [
    { ifindex, address: '10.5.0.1', mac: other, state: 'permanent' },
    { ifindex, address: 'fd05::1', mac, state: 'permanent' },
  ])
  for (const entry of [four, six]) assert.equal(deleteNeighbour(netlink, entry), true)
  for (const entry of [four, six]) assert.equal(deleteNeighbour(netlink, entry), false)
})

test('transact() tells each of thousands of requests how it went', () => {
  const mac = parseMac('02:00:00:00:00:cc')
  const count = 3000
  const requests = Array.from({ length: count }, (_, i) => {
    const address = parseAddress(`10.6.${i >> 8}.${i & 255}`)
    const isBad = i % 1000 === 500
    return replaceNeighbourRequest({ ifindex: isBad ? 9999 : ifindex, address, mac })
  })
  const errors = netlink.transact(requests)
  assert.equal(errors.length, count)
  errors.forEach((error, i) => {
    assert.equal(error?.code, i % 1000 === 500 ? 'ENODEV' : undefined)
  })
  const made = listNeighbours(netlink, ifindex).filter(({ mac: each }) => each === mac)
  assert.equal(made.length, count - 3)
})

test('a pod is set up with one transaction, and run() throws what failed', () => {
  const address = parseAddress('10.8.0.5')
  const prefix = parsePrefix('10.8.0.1/32')
  const gateway = parseAddress('10.8.0.1')
  netlink.run(
    addAddressRequest({ ifindex, address }),
    replaceRouteRequest({ ifindex, prefix, protocol: PROTOCOL }),
    replaceRouteRequest({ ifindex, prefix: 'default', gateway, protocol: PROTOCOL }),
    replaceNeighbourRequest({ ifindex, address: gateway, mac: parseMac('02:00:00:00:00:01') }),
  )
  assert.equal(routeTo(netlink, parseAddress('1.1.1.1')).gateway, gateway)
  const bad = replaceRouteRequest({ ifindex: 9999, prefix, protocol: PROTOCOL })
  const good = addAddressRequest({ ifindex, address: parseAddress('10.8.0.6') })
  assert.throws(() => netlink.run(bad, good), { code: 'ENODEV' })
  assert.ok(listAddresses(netlink, ifindex).some(({ address: each }) => each === '10.8.0.6'))
  assert.deepEqual(netlink.transact([]), [])
})

test('dump() tells a refused request', () => {
  assert.throws(() => listRoutes(netlink, { ifindex: 9999 }), { code: 'ENODEV', operation: 'list' })
})
