// Messages byte by byte, as the kernel's headers lay them out, and their parsing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../../../src/net/address.ts'
import { parseMac } from '../../../src/net/mac.ts'
import { parsePrefix } from '../../../src/net/prefix.ts'
import { addAddressRequest } from '../../../src/netlink/addresses.ts'
import { NetlinkError, parseAcknowledgement } from '../../../src/netlink/errors.ts'
import { setLinkRequests } from '../../../src/netlink/links.ts'
import {
  attribute,
  FLAGS,
  nested,
  request,
  textAttribute,
  uint8Attribute,
  uint16BeAttribute,
  uint32Attribute,
} from '../../../src/netlink/message.ts'
import { replaceNeighbourRequest } from '../../../src/netlink/neighbours.ts'
import { Attributes, parseMessages } from '../../../src/netlink/parse.ts'
import { replaceRouteRequest } from '../../../src/netlink/routes.ts'
import { replaceBpfFilterRequest } from '../../../src/netlink/traffic-control.ts'

const facts = { operation: 'test', object: 'it' }

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

test('attribute() pads to four bytes and counts only what it holds', () => {
  assert.equal(hex(attribute(3, Uint8Array.of(1, 2, 3, 4, 5))), '09000300010203040500' + '0000')
  assert.equal(hex(textAttribute(3, 'lo')), '070003006c6f0000')
  assert.equal(hex(uint8Attribute(1, 255)), '05000100ff000000')
  assert.equal(hex(uint16BeAttribute(15, 4789)), '06000f0012b50000')
  assert.equal(hex(uint32Attribute(4, 1500)), '08000400dc050000')
  assert.equal(hex(nested(18, uint8Attribute(1, 1))), '0c0012800500010001000000')
})

test('request() asks for an acknowledgement, a dump does not', () => {
  const plain = request({ type: 16, flags: FLAGS.create, fixed: new Uint8Array(4), ...facts })
  assert.equal(hex(plain.bytes), `1400000010000504${'00000000'.repeat(3)}`)
  const dump = request({ type: 18, flags: FLAGS.dump, fixed: new Uint8Array(4), ...facts })
  assert.equal(hex(dump.bytes).slice(12, 16), '0103')
})

test('addAddressRequest() carries the address twice and its flags', () => {
  const { bytes } = addAddressRequest({
    ...{ ifindex: 7, address: parseAddress('10.0.0.5'), prefixLength: 24, noDad: true },
  })
  const body = '0218000007000000' + '080002000a000005' + '080001000a000005' + '0800080002000000'
  assert.equal(hex(bytes.subarray(16)), body)
})

test('replaceRouteRequest() tells scope, table and metrics', () => {
  const { bytes, object } = replaceRouteRequest({
    prefix: parsePrefix('10.2.0.0/16'),
    ifindex: 3,
    protocol: 196,
    mtu: 1450,
    table: 1000,
  })
  const body =
    '0210000000c4fd01' +
    '00000000' + // family, length, table 0 for a long number, protocol, link
    '080001000a020000' +
    '0800040003000000' +
    '08000f00e8030000' +
    '0c00088008000200aa050000'
  assert.equal(hex(bytes.subarray(16)), body)
  assert.equal(object, 'route 10.2.0.0/16 on interface 3')
})

test('a default route without gateway and source has no family', () => {
  assert.throws(
    () => replaceRouteRequest({ prefix: 'default', ifindex: 3, protocol: 4 }),
    /Cannot build default route: its family is unknown/,
  )
})

test('replaceNeighbourRequest() is permanent by default', () => {
  const { bytes } = replaceNeighbourRequest({
    ...{ ifindex: 5, address: parseAddress('fd00::1'), mac: parseMac('02:00:00:00:00:01') },
  })
  const body =
    '0a0000000500000080000000' +
    '14000100fd000000000000000000000000000001' +
    '0a00020002000000000' +
    '10000'
  assert.equal(hex(bytes.subarray(16)), body)
})

test('setLinkRequests() chooses address generation before the link comes up', () => {
  const [first, second, ...rest] = setLinkRequests(9, { up: true, addrGenModeNone: true })
  assert.equal(rest.length, 0)
  assert.equal(hex(first?.bytes.subarray(32) ?? ([] as never)), '10001a800c000a800500080001000000')
  assert.equal(second && Buffer.from(second.bytes).readUInt32LE(24), 1)
  assert.deepEqual(setLinkRequests(9, {}), [])
  assert.equal(setLinkRequests(9, { mtu: 1400 }).length, 1)
})

test('replaceBpfFilterRequest() packs priority and protocol', () => {
  const { bytes } = replaceBpfFilterRequest({
    ...{ ifindex: 2, direction: 'egress', programFd: 11, name: 'x', priority: 5, handle: 1 },
  })
  assert.equal(
    hex(bytes.subarray(16, 36)),
    '00000000' + '02000000' + '01000000f3ffffff' + '00030500',
  )
})

test('parseMessages() takes a buffer apart and refuses half a message', () => {
  const one = request({ type: 16, fixed: new Uint8Array(8), ...facts }).bytes
  const two = request({ type: 20, fixed: Uint8Array.of(1, 2, 3, 4), ...facts }).bytes
  const buffer = Buffer.concat([one, two])
  assert.deepEqual(
    parseMessages(buffer).map(({ type, body }) => [type, body.length]),
    [
      [16, 8],
      [20, 4],
    ],
  )
  assert.throws(() => parseMessages(buffer.subarray(0, -2)), /Cannot parse netlink message/)
  assert.deepEqual(parseMessages(new Uint8Array(0)), [])
})

test('Attributes answers undefined for the absent and stops at garbage', () => {
  const bytes = Buffer.concat([
    textAttribute(3, 'eth0'),
    nested(18, textAttribute(1, 'veth')),
    Buffer.from([2, 0, 9, 0]),
    uint32Attribute(4, 1),
  ])
  const attributes = new Attributes(bytes)
  assert.equal(attributes.text(3), 'eth0')
  assert.equal(attributes.nested(18).text(1), 'veth')
  assert.equal(attributes.nested(99).text(1), undefined)
  assert.equal(attributes.uint32(4), undefined)
})

test('an acknowledgement tells errno and the kernel’s sentence, capped or not', () => {
  const asked = request({
    type: 24,
    fixed: new Uint8Array(12),
    operation: 'add',
    object: 'route x',
  })
  const ack = (errno: number, flags: number, rest: Uint8Array) =>
    parseAcknowledgement(asked, {
      type: 2,
      flags,
      sequence: 1,
      body: Buffer.concat([Buffer.from(new Int32Array([-errno]).buffer), rest]),
    })
  assert.equal(ack(0, 0x100, asked.bytes.subarray(0, 16)), undefined)
  const text = textAttribute(1, 'No such table')
  for (const [flags, copy] of [
    [0x300, asked.bytes.subarray(0, 16)],
    [0x200, asked.bytes],
  ] as const) {
    const error = ack(2, flags, Buffer.concat([copy, text]))
    assert.ok(error instanceof NetlinkError)
    assert.equal(error.message, 'Cannot add route x: No such table (ENOENT)')
  }
  const bare = ack(17, 0x100, asked.bytes.subarray(0, 16))
  assert.equal(bare?.message, 'Cannot add route x: file already exists (EEXIST)')
  assert.equal(bare?.text, undefined)
})
