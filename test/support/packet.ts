// Reads whole frames back, as lines for people, and finds what is wrong with them: lengths and
// checksums. A program that is given a right frame has to give back a right one.
import assert from 'node:assert/strict'
import {
  type Address,
  addressFamily,
  addressFromBytes,
  addressToNativeBytes,
} from '../../src/net/address.ts'
import { checksum, concat, uint32 } from '../../src/net/bytes.ts'
import { ETHERTYPE } from '../../src/net/ethernet.ts'
import { macFromBytes } from '../../src/net/mac.ts'

const VXLAN_PORT = 8472
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

interface Reading {
  readonly lines: string[]
  readonly faults: string[]
}

/** The frame in words, one line a header. */
export function describeFrame(frame: Uint8Array): string[] {
  return readFrame(frame).lines
}

/** Wrong lengths and checksums, in words; empty when the frame is right. */
export function frameFaults(frame: Uint8Array): string[] {
  return readFrame(frame).faults
}

/** Fails with both frames in words, then byte by byte. */
export function assertFrame(actual: Uint8Array, expected: Uint8Array): void {
  assert.deepEqual(describeFrame(actual), describeFrame(expected))
  assert.equal(hex(actual), hex(expected))
  assert.deepEqual(frameFaults(actual), [])
}

function readFrame(frame: Uint8Array): Reading {
  const reading: Reading = { lines: [], faults: [] }
  if (frame.length < 14) {
    reading.faults.push(`frame of ${frame.length} bytes`)
    return reading
  }
  const view = viewOf(frame)
  const type = view.getUint16(12)
  const macs = `${macFromBytes(frame.slice(6, 12))} > ${macFromBytes(frame.slice(0, 6))}`
  reading.lines.push(`ethernet ${macs} ${type.toString(16).padStart(4, '0')}`)
  const rest = frame.subarray(14)
  if (type === ETHERTYPE.ipv4) readIpv4(rest, reading, true)
  else if (type === ETHERTYPE.ipv6) readIpv6(rest, reading, true)
  else if (type === ETHERTYPE.arp) readArp(rest, reading)
  else reading.lines.push(`payload ${hex(rest)}`)
  return reading
}

function readArp(bytes: Uint8Array, { lines, faults }: Reading): void {
  if (bytes.length < 28) {
    faults.push(`ARP of ${bytes.length} bytes`)
    return
  }
  const sender = `${macFromBytes(bytes.slice(8, 14))} ${addressFromBytes(bytes.slice(14, 18))}`
  const target = `${macFromBytes(bytes.slice(18, 24))} ${addressFromBytes(bytes.slice(24, 28))}`
  lines.push(`arp operation ${bytes[7]} sender ${sender} target ${target}`)
}

/** Quoted packets in ICMP errors are cut short, so lengths are checked only of whole ones. */
function readIpv4(bytes: Uint8Array, reading: Reading, whole: boolean): void {
  const { lines, faults } = reading
  const headerBytes = ((bytes[0] ?? 0) & 15) * 4
  if (bytes.length < 20 || (bytes[0] ?? 0) >> 4 !== 4 || headerBytes < 20) {
    faults.push(`IPv4 header ${hex(bytes.subarray(0, 20))}`)
    return
  }
  const view = viewOf(bytes)
  const total = view.getUint16(2)
  if (whole && total !== bytes.length) faults.push(`IPv4 length ${total} of ${bytes.length}`)
  if (checksum(bytes.subarray(0, headerBytes)) !== 0) faults.push('IPv4 header checksum')
  const source = addressFromBytes(bytes.slice(12, 16))
  const destination = addressFromBytes(bytes.slice(16, 20))
  const word = view.getUint16(6)
  const offset = (word & 0x1fff) * 8
  const parts = [
    `ipv4 ${source} > ${destination} ttl ${bytes[8]} tos ${bytes[1]} id ${view.getUint16(4)}`,
    `length ${total} protocol ${bytes[9]}`,
    word & 0x4000 ? 'DF' : '',
  ]
  const fragment = (word & 0x3fff) !== 0
  if (fragment) parts.push(`fragment ${offset}${word & 0x2000 ? '+' : ''}`)
  lines.push(parts.filter(Boolean).join(' '))
  const body = { source, destination, protocol: bytes[9] ?? 0, bytes: bytes.subarray(headerBytes) }
  if (fragment) lines.push(`part ${hex(body.bytes)}`)
  else readBody(body, reading, whole)
}

function readIpv6(bytes: Uint8Array, reading: Reading, whole: boolean): void {
  const { lines, faults } = reading
  if (bytes.length < 40 || (bytes[0] ?? 0) >> 4 !== 6) {
    faults.push(`IPv6 header ${hex(bytes.subarray(0, 40))}`)
    return
  }
  const view = viewOf(bytes)
  const length = view.getUint16(4)
  if (whole && length !== bytes.length - 40) {
    faults.push(`IPv6 length ${length} of ${bytes.length - 40}`)
  }
  const source = addressFromBytes(bytes.slice(8, 24))
  const destination = addressFromBytes(bytes.slice(24, 40))
  const word = view.getUint32(0)
  const traffic = `class ${(word >>> 20) & 0xff} label ${word & 0xfffff}`
  lines.push(`ipv6 ${source} > ${destination} hops ${bytes[7]} ${traffic} length ${length}`)
  let protocol = bytes[6] ?? 0
  let at = 40
  while ([0, 43, 44, 60].includes(protocol) && at + 8 <= bytes.length) {
    const size = protocol === 44 ? 8 : ((bytes[at + 1] ?? 0) + 1) * 8
    lines.push(`extension ${protocol} ${hex(bytes.subarray(at, at + size))}`)
    const part = protocol === 44 && (view.getUint16(at + 2) & 0xfff9) !== 0
    protocol = bytes[at] ?? 0
    at += size
    if (!part) continue
    lines.push(`part of protocol ${protocol} ${hex(bytes.subarray(at))}`)
    return
  }
  readBody({ source, destination, protocol, bytes: bytes.subarray(at) }, reading, whole)
}

interface IpBody {
  readonly source: Address
  readonly destination: Address
  readonly protocol: number
  readonly bytes: Uint8Array
}

function readBody(body: IpBody, reading: Reading, whole: boolean): void {
  const { lines, faults } = reading
  const { bytes, protocol } = body
  const view = viewOf(bytes)
  const names = new Map([
    [1, 'icmp'],
    [6, 'tcp'],
    [17, 'udp'],
    [58, 'icmpv6'],
  ])
  const name = names.get(protocol)
  if (!name || bytes.length < (protocol === 6 ? 20 : 8)) {
    lines.push(`protocol ${protocol} ${hex(bytes)}`)
    if (name && whole) faults.push(`${name} of ${bytes.length} bytes`)
    return
  }
  if (whole && !checksumRight(body)) faults.push(`${name} checksum`)
  if (protocol === 6 || protocol === 17) {
    const ports = `${view.getUint16(0)} > ${view.getUint16(2)}`
    if (protocol === 6) {
      const flags = [...'FSRPA'].filter((_, i) => ((bytes[13] ?? 0) >> i) & 1).join('')
      const [seq, ack] = [view.getUint32(4), view.getUint32(8)]
      const numbers = `seq ${seq} ack ${ack} window ${view.getUint16(14)}`
      lines.push(`tcp ${ports} ${flags} ${numbers} payload ${hex(bytes.subarray(20))}`)
      return
    }
    if (whole && view.getUint16(4) !== bytes.length) faults.push('udp length')
    const sum = view.getUint16(6) === 0 ? ' without checksum' : ''
    if (view.getUint16(2) === VXLAN_PORT && bytes.length >= 16 && whole) {
      lines.push(`udp ${ports}${sum} vxlan ${hex(bytes.subarray(8, 16))}`)
      readInner(bytes.subarray(16), reading)
    } else lines.push(`udp ${ports}${sum} payload ${hex(bytes.subarray(8))}`)
    return
  }
  lines.push(`${name} type ${bytes[0]} code ${bytes[1]} rest ${view.getUint32(4)}`)
  const payload = bytes.subarray(8)
  const isError = protocol === 1 ? [3, 11, 12].includes(bytes[0] ?? 0) : (bytes[0] ?? 0) < 128
  if (!isError) lines.push(`payload ${hex(payload)}`)
  else if (protocol === 1) readIpv4(payload, reading, false)
  else readIpv6(payload, reading, false)
}

function readInner(bytes: Uint8Array, reading: Reading): void {
  const inner = readFrame(bytes)
  reading.lines.push(...inner.lines)
  reading.faults.push(...inner.faults.map((fault) => `inner ${fault}`))
}

function checksumRight({ source, destination, protocol, bytes }: IpBody): boolean {
  if (protocol === 1) return checksum(bytes) === 0
  const family = addressFamily(source)
  if (protocol === 17 && viewOf(bytes).getUint16(6) === 0) return family === 4
  const addresses = [source, destination].map(addressToNativeBytes)
  const pseudo = concat(...addresses, uint32(bytes.length), uint32(protocol))
  return checksum(concat(pseudo, bytes)) === 0
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
