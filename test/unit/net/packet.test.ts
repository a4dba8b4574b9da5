// The packet builder against packets that a kernel sent, and against the reader in test/support.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../../../src/net/address.ts'
import { checksum, concat, pattern } from '../../../src/net/bytes.ts'
import { buildArp, vxlan } from '../../../src/net/ethernet.ts'
import { parseMac } from '../../../src/net/mac.ts'
import {
  type Body,
  buildFrame,
  fragments,
  neighbourMessage,
  type Packet,
} from '../../../src/net/packet.ts'
import { describeFrame, frameFaults } from '../../support/packet.ts'

const MACS = {
  sourceMac: parseMac('02:00:00:00:00:01'),
  destinationMac: parseMac('02:00:00:00:00:02'),
}
const V4 = { ...MACS, source: parseAddress('10.0.1.2'), destination: parseAddress('10.0.1.3') }
const V6 = { ...MACS, source: parseAddress('fd00::2'), destination: parseAddress('fd00::3') }

const BODIES: readonly Body[] = [
  { kind: 'tcp', sourcePort: 1, destinationPort: 2, flags: 'SA', payload: pattern(7) },
  { kind: 'udp', sourcePort: 1, destinationPort: 2, payload: pattern(9) },
  { kind: 'icmp', type: 128, code: 0, rest: 5, payload: pattern(3) },
  { kind: 'raw', protocol: 132, payload: pattern(12) },
  neighbourMessage({ type: 135, target: V6.destination, mac: MACS.sourceMac }),
]

test('checksum() is that of a header printed in a textbook', () => {
  const header = Buffer.from('450000730000400040110000c0a80001c0a800c7', 'hex')
  assert.equal(checksum(header), 0xb861)
})

// Sent by the kernel over a veth without checksum offload.
const CAPTURED = {
  udp4:
    '02000000000202000000000108004500' +
    '0026d899400040114c290a0001020a0001039c4000350012288668656c6c6f2077656972',
  udp6:
    '02000000000202000000000186dd6001093000121140' +
    'fd000000000000000000000000000002fd000000000000000000000000000003' +
    '9c4000350012448468656c6c6f2077656972',
  solicitation:
    '3333ff00000302000000000186dd6000000000203aff' +
    'fd000000000000000000000000000002ff0200000000000000000001ff000003' +
    '87007d9400000000fd0000000000000000000000000000030101020000000001',
  arp: 'ffffffffffff020000000001080600010800060400010200000000010a0001020000000000000a000103',
}

test('buildFrame() and buildArp() write what a kernel sent', () => {
  const payload = new TextEncoder().encode('hello weir')
  const body: Body = { kind: 'udp', sourcePort: 40000, destinationPort: 53, payload }
  const solicitation = {
    sourceMac: MACS.sourceMac,
    destinationMac: parseMac('33:33:ff:00:00:03'),
    source: V6.source,
    destination: parseAddress('ff02::1:ff00:3'),
    ttl: 255,
    body: neighbourMessage({ type: 135, target: V6.destination, mac: MACS.sourceMac }),
  }
  const arp = {
    sourceMac: MACS.sourceMac,
    destinationMac: parseMac('ff:ff:ff:ff:ff:ff'),
    operation: 'request',
    senderMac: MACS.sourceMac,
    sender: V4.source,
    targetMac: parseMac('00:00:00:00:00:00'),
    target: V4.destination,
  } as const
  const built = {
    udp4: buildFrame({ ...V4, id: 0xd899, dontFragment: true, body }),
    udp6: buildFrame({ ...V6, flowLabel: 0x10930, body }),
    solicitation: buildFrame(solicitation),
    arp: buildArp(arp),
  }
  for (const [name, frame] of Object.entries(built)) {
    assert.equal(Buffer.from(frame).toString('hex'), CAPTURED[name as keyof typeof CAPTURED], name)
  }
})

test('buildFrame() makes frames without faults, both families', () => {
  for (const addresses of [V4, V6]) {
    for (const body of BODIES) assert.deepEqual(frameFaults(buildFrame({ ...addresses, body })), [])
  }
})

test('frameFaults() names a damaged byte anywhere behind the Ethernet header', () => {
  const body = BODIES[0] as Body
  const frame = buildFrame({ ...V4, body })
  for (let at = 14; at < frame.length; at++) {
    const damaged = frame.slice()
    damaged[at] = (damaged[at] ?? 0) ^ 0x11
    assert.notDeepEqual(frameFaults(damaged), [], `byte ${at}`)
  }
})

test('fragments() puts the parts of the datagram at their offsets', () => {
  for (const addresses of [V4, V6]) {
    const body: Body = { kind: 'udp', sourcePort: 1, destinationPort: 2, payload: pattern(100) }
    const packet: Packet = { ...addresses, id: 7, body }
    const whole = buildFrame(packet)
    const frames = fragments(packet, 48)
    const parts = frames.map((frame) => frame.subarray(addresses === V4 ? 34 : 62))
    assert.deepEqual(
      parts.map(({ length }) => length),
      [48, 48, 12],
    )
    assert.deepEqual(concat(...parts), whole.slice(addresses === V4 ? 34 : 54))
    for (const frame of frames) assert.deepEqual(frameFaults(frame), [])
  }
})

test('describeFrame() reads through VXLAN and into ICMP errors', () => {
  const inner = buildFrame({ ...V4, body: BODIES[0] as Body })
  const payload = vxlan(1, inner)
  const outer = buildFrame({
    ...V6,
    body: { kind: 'udp', sourcePort: 1, destinationPort: 8472, payload },
  })
  assert.match(
    describeFrame(outer).join('\n'),
    /ipv6 .*\nudp .* vxlan .*\nethernet .*\nipv4 .*\ntcp/,
  )
  const error = buildFrame({
    ...V4,
    body: { kind: 'icmp', type: 3, code: 3, payload: inner.slice(14, 42) },
  })
  assert.match(describeFrame(error).join('\n'), /icmp type 3 code 3 .*\nipv4 .*\nprotocol 6/)
})

test('buildArp() is read back', () => {
  const sender = { senderMac: MACS.sourceMac, sender: V4.source }
  const target = { targetMac: parseMac('00:00:00:00:00:00'), target: V4.destination }
  const frame = buildArp({ ...MACS, operation: 'request', ...sender, ...target })
  assert.deepEqual(describeFrame(frame), [
    'ethernet 02:00:00:00:00:01 > 02:00:00:00:00:02 0806',
    'arp operation 1 sender 02:00:00:00:00:01 10.0.1.2 target 00:00:00:00:00:00 10.0.1.3',
  ])
})
