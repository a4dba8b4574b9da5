// Destinations and host routes to other nodes, for every routing setting and mix of families.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodeDestinations } from '../../../src/control/destinations.ts'
import { nodeRoutesTo } from '../../../src/control/node-routes.ts'
import { type ControlSettings, SERVICE_DEFAULTS } from '../../../src/control/settings.ts'
import { type Address, parseAddress } from '../../../src/net/address.ts'
import { parsePrefix } from '../../../src/net/prefix.ts'
import type { Node } from '../../../src/tables/intent.ts'

function node(name: string, addresses: readonly string[], podCidrs: readonly string[]): Node {
  return {
    name,
    addresses: addresses.map(parseAddress),
    podCidrs: podCidrs.map(parsePrefix),
    labels: {},
    leaving: false,
  }
}

function settings(
  routing: ControlSettings['routing'],
  onLink: readonly string[] = ['192.168.0.0/24', 'fd00::/64'],
): ControlSettings {
  const onLinkPrefixes = onLink.map(parsePrefix)
  return { nodeName: 'node-1', routing, onLinkPrefixes, services: SERVICE_DEFAULTS }
}

const SELF = node('node-1', ['192.168.0.1', 'fd00::1'], ['10.0.1.0/24', 'fd00:1::/64'])
const NEAR = node('near', ['192.168.0.2', 'fd00::2'], ['10.0.2.0/24', 'fd00:2::/64'])
const FAR = node('far', ['192.168.9.3', 'fd09::3'], ['10.0.3.0/24', 'fd00:3::/64'])
/** Dual-stack pods over an IPv4 underlay. */
const V4_ONLY = node('v4', ['192.168.0.4'], ['10.0.4.0/24', 'fd00:4::/64'])

/** "10.0.2.0/24 pods vxlan 192.168.0.2 on-link". */
function destinations(of: Node, with_: ControlSettings): string[] {
  return nodeDestinations(of, with_).map((row) => {
    const { prefix, kind, routing, nodeAddress, onLink, problem } = row
    const rest = [onLink ? 'on-link' : '', problem ?? ''].filter(Boolean)
    return [prefix, kind, routing, nodeAddress, ...rest].join(' ')
  })
}

function routes(of: Node, with_: ControlSettings, self: Node | undefined = SELF): string[] {
  return nodeRoutesTo(of, self, with_).map(
    ({ prefix, routing, nextHop }) => `${prefix} ${routing} via ${nextHop}`,
  )
}

test('vxlan tunnels everything to the IPv4 address, and routes go via the own gateway', () => {
  assert.deepEqual(destinations(NEAR, settings('vxlan')), [
    '10.0.2.0/24 pods vxlan 192.168.0.2 on-link',
    'fd00:2::/64 pods vxlan 192.168.0.2 on-link',
    '192.168.0.2/32 node vxlan 192.168.0.2 on-link',
    'fd00::2/128 node vxlan 192.168.0.2 on-link',
  ])
  assert.deepEqual(routes(NEAR, settings('vxlan')), [
    '10.0.2.0/24 vxlan via 10.0.1.1',
    'fd00:2::/64 vxlan via fd00:1::1',
  ])
  assert.deepEqual(destinations(FAR, settings('vxlan'))[0], '10.0.3.0/24 pods vxlan 192.168.9.3')
})

test('native goes to the address of the same family', () => {
  assert.deepEqual(destinations(NEAR, settings('native')), [
    '10.0.2.0/24 pods native 192.168.0.2 on-link',
    'fd00:2::/64 pods native fd00::2 on-link',
    '192.168.0.2/32 node native 192.168.0.2 on-link',
    'fd00::2/128 node native fd00::2 on-link',
  ])
  assert.deepEqual(routes(NEAR, settings('native')), [
    '10.0.2.0/24 native via 192.168.0.2',
    'fd00:2::/64 native via fd00::2',
  ])
})

test('native to a node behind a router leaves the way to the host, without a route of ours', () => {
  assert.equal(destinations(FAR, settings('native'))[0], '10.0.3.0/24 pods native 192.168.9.3')
  assert.deepEqual(routes(FAR, settings('native')), [])
})

test('auto is native to neighbours and vxlan to the others', () => {
  assert.deepEqual(destinations(NEAR, settings('auto')), destinations(NEAR, settings('native')))
  assert.deepEqual(routes(NEAR, settings('auto')), routes(NEAR, settings('native')))
  assert.deepEqual(destinations(FAR, settings('auto')), destinations(FAR, settings('vxlan')))
  assert.deepEqual(routes(FAR, settings('auto')), routes(FAR, settings('vxlan')))
})

test('IPv6 pods over an IPv4 underlay: tunnelled by vxlan and auto, an error when native', () => {
  const tunnelled = 'fd00:4::/64 pods vxlan 192.168.0.4 on-link'
  assert.equal(destinations(V4_ONLY, settings('vxlan'))[1], tunnelled)
  assert.equal(destinations(V4_ONLY, settings('auto'))[1], tunnelled)
  assert.equal(
    destinations(V4_ONLY, settings('auto'))[0],
    '10.0.4.0/24 pods native 192.168.0.4 on-link',
  )
  assert.equal(
    destinations(V4_ONLY, settings('native'))[1],
    'fd00:4::/64 pods native 192.168.0.4 on-link Cannot route fd00:4::/64 natively: ' +
      'node v4 has no IPv6 address; give it one, or set routing to auto or vxlan',
  )
  assert.deepEqual(routes(V4_ONLY, settings('auto')), [
    '10.0.4.0/24 native via 192.168.0.4',
    'fd00:4::/64 vxlan via fd00:1::1',
  ])
  assert.deepEqual(routes(V4_ONLY, settings('native')), ['10.0.4.0/24 native via 192.168.0.4'])
})

test('an IPv6 underlay tunnels over IPv6, and no shared family is an error', () => {
  const v6 = settings('vxlan', ['fd00::/64'])
  assert.equal(destinations(NEAR, v6)[0], '10.0.2.0/24 pods vxlan fd00::2 on-link')
  assert.match(
    destinations(V4_ONLY, v6)[0] ?? '',
    /Cannot tunnel to node v4: this node's uplinks have IPv6 only and it has 192.168.0.4/,
  )
  assert.deepEqual(routes(V4_ONLY, v6), [])
})

test('without known uplink prefixes nobody is a neighbour and any family will do', () => {
  assert.equal(destinations(NEAR, settings('auto', []))[0], '10.0.2.0/24 pods vxlan 192.168.0.2')
  const v6 = node('v6', ['fd00::6'], ['10.0.6.0/24'])
  assert.equal(destinations(v6, settings('vxlan', []))[0], '10.0.6.0/24 pods vxlan fd00::6')
})

test('a node without an address has no destinations, one without podCIDR only itself', () => {
  assert.deepEqual(destinations(node('new', [], ['10.0.5.0/24']), settings('auto')), [])
  assert.deepEqual(routes(node('new', [], ['10.0.5.0/24']), settings('auto')), [])
  assert.deepEqual(destinations(node('bare', ['192.168.0.5'], []), settings('auto')), [
    '192.168.0.5/32 node native 192.168.0.5 on-link',
  ])
})

test('a second address of a node is reached as itself', () => {
  const two = node('two', ['192.168.0.2', '192.168.0.22' as Address], [])
  assert.equal(
    destinations(two, settings('native'))[1],
    '192.168.0.22/32 node native 192.168.0.22 on-link',
  )
})

test('overlay routes need a gateway of the family', () => {
  assert.deepEqual(routes(NEAR, settings('vxlan'), node('node-1', [], ['10.0.1.0/24'])), [
    '10.0.2.0/24 vxlan via 10.0.1.1',
  ])
  assert.deepEqual(routes(NEAR, settings('vxlan'), node('node-1', [], ['10.0.1.9/32'])), [])
  assert.deepEqual(nodeRoutesTo(NEAR, undefined, settings('vxlan')), [])
})

test('beside a native way over IPv6 stands the IPv4 address for VXLAN, where both have one', () => {
  const beside = (of: Node, with_: ControlSettings) =>
    nodeDestinations(of, with_).map(({ nodeAddress, tunnelAddress }) => [
      nodeAddress,
      tunnelAddress,
    ])
  assert.deepEqual(beside(NEAR, settings('native')), [
    ['192.168.0.2', undefined],
    ['fd00::2', '192.168.0.2'],
    ['192.168.0.2', undefined],
    ['fd00::2', '192.168.0.2'],
  ])
  const ipv6 = settings('native', ['fd00::/64'])
  assert.ok(beside(NEAR, ipv6).every(([, tunnel]) => tunnel === undefined))
})
