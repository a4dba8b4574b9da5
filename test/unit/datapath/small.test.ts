// Pins, events, intervals, gateways: the small pure parts of the datapath.
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { decodeEvent } from '../../../src/datapath/events.ts'
import { nextIntervalMs, timeoutsAt } from '../../../src/datapath/flow-gc.ts'
import { gatewaysOf } from '../../../src/datapath/gateway.ts'
import * as layout from '../../../src/datapath/layout.gen.ts'
import { mapPinName, PinDirectory, requireBpffs } from '../../../src/datapath/pins.ts'
import { nodeAddressOf, type Uplink, uplinkTo } from '../../../src/datapath/uplinks.ts'
import { parseAddress } from '../../../src/net/address.ts'
import { parseMac } from '../../../src/net/mac.ts'
import { parsePrefix } from '../../../src/net/prefix.ts'

test('nextIntervalMs() shortens when much expires and lengthens when nothing does', () => {
  const counts = { established: 100, closing: 0, embryos: 0, expired: 0 }
  assert.equal(nextIntervalMs(3000, counts, 0.1), 4500)
  assert.equal(nextIntervalMs(3000, { ...counts, expired: 50 }, 0.1), 1500)
  assert.equal(nextIntervalMs(1000, { ...counts, expired: 5000 }, 0.1), 1000)
  assert.equal(nextIntervalMs(4900, counts, 0.1), 5000)
  assert.equal(nextIntervalMs(4900, counts, 0.6), 1000, 'the table fills')
})

test('timeoutsAt() holds what is short-lived shorter in a table that fills, never TCP', () => {
  const [half, crowded, full] = [timeoutsAt(0.5), timeoutsAt(0.7), timeoutsAt(1)]
  assert.deepEqual(half, timeoutsAt(0))
  const short = ({ udpTimeout, icmpTimeout, closingTimeout, halfClosedTimeout }: typeof half) => {
    return [udpTimeout, icmpTimeout, closingTimeout, halfClosedTimeout]
  }
  assert.deepEqual(short(half), [120, 30, 10, 120])
  assert.deepEqual(short(crowded), [66, 17, 6, 66])
  assert.deepEqual(short(full), [12, 3, 1, 12])
  assert.equal(full.tcpTimeout, half.tcpTimeout)
})

test('mapPinName() leaves no dot, which bpffs refuses', () => {
  assert.deepEqual(['flows', '.data.epoch', '.bss'].map(mapPinName), ['flows', 'epoch', 'bss'])
})

test('requireBpffs() names the directory and the remedy', () => {
  const root = join(tmpdir(), 'weir-nothing/here')
  assert.throws(() => requireBpffs(root), /is not on a bpffs, mount one with: mount -t bpf/)
})

test('a PinDirectory that does not exist is empty and can be removed', () => {
  const pins = new PinDirectory(join(tmpdir(), 'weir-nothing'))
  assert.deepEqual(pins.names(), [])
  pins.remove('x')
  pins.removeAll()
})

test('decodeEvent() gives names to numbers', () => {
  const tuple = {
    source: parseAddress('10.0.1.5'),
    destination: parseAddress('10.0.1.9'),
    sourcePort: 1000,
    destinationPort: 80,
    protocol: 6,
  }
  const event = decodeEvent(
    layout.event.toBytes({
      ...{ timestamp: 5n, tuple, ifindex: 7, length: 60, endpointId: 0 },
      reason: layout.DropReason.NO_ENDPOINT,
      direction: layout.Direction.FROM_POD,
      ...{ ruleId: 0, identity: 0, verdict: 0, policyDirection: 0 },
    }),
  )
  assert.deepEqual(event, {
    ...{ kind: 'drop', timeNs: 5n, reason: 'no_endpoint', program: 'from_pod' },
    ...{ ifindex: 7, lengthBytes: 60, tuple },
  })
})

test('gatewaysOf() takes the first podCIDR of each family', () => {
  const podCidrs = ['10.0.1.0/24', 'fd00:1::/64', '10.0.9.0/24'].map(parsePrefix)
  assert.deepEqual(gatewaysOf(podCidrs), { 4: '10.0.1.1', 6: 'fd00:1::1' })
  assert.deepEqual(gatewaysOf([]), {})
})

test('uplinkTo() prefers the uplink on whose link the address is', () => {
  const uplink = (name: string, ifindex: number, address: string, onLink: string): Uplink => ({
    ...{ name, ifindex, mtu: 1500, mac: parseMac('02:00:00:00:00:01') },
    addresses: [parseAddress(address)],
    onLink: [parsePrefix(onLink)],
  })
  const uplinks = [
    uplink('eth0', 2, '192.168.1.2', '192.168.1.0/24'),
    uplink('eth1', 3, 'fd60::2', 'fd60::/64'),
  ]
  assert.equal(uplinkTo(uplinks, parseAddress('fd60::9'))?.name, 'eth1')
  assert.equal(uplinkTo(uplinks, parseAddress('8.8.8.8'))?.name, 'eth0')
  assert.equal(nodeAddressOf(6, [parseAddress('192.168.1.2')], uplinks), 'fd60::2')
})
