// What `weir bench nodeport` sends: frames of one length, for every way.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { casesOf } from '../../../src/bench/nodeport/cases.ts'
import { FRAME_BYTES, LOADS } from '../../../src/bench/nodeport/frames.ts'
import { parseAddress } from '../../../src/net/address.ts'
import { parseMac } from '../../../src/net/mac.ts'

const MAC = parseMac('02:00:00:00:00:01')
const ROUTER = parseMac('02:00:00:00:00:02')
const ADDRESSES = ['192.168.60.11', 'fd00:192:168:60::11'].map(parseAddress)

test('a node is asked for backends here and there, by both families and all loads', () => {
  const lines = (kind: 'weir-xdp' | 'iptables' | 'bare-tc') =>
    casesOf({ kind, mac: MAC, addresses: ADDRESSES }, 0, ROUTER).map((each) => {
      return `${each.line} ${each.column}`
    })
  const ways = ['ipv4', 'ipv6'].flatMap((family) => LOADS.map((load) => `${family}.${load}`))
  const remote = ways.map((way) => `${way}.remote`)
  const local = ways.map((way) => `${way}.local`)
  const named = (names: readonly string[], column: string) =>
    names.map((name) => `${name} ${column}`)
  assert.deepEqual(
    lines('weir-xdp').toSorted(),
    [...named([...remote, ...local], 'weir-xdp'), ...named(remote, 'weir-xdp-dsr')].toSorted(),
  )
  assert.deepEqual(
    lines('iptables').toSorted(),
    named([...remote, ...local], 'iptables').toSorted(),
  )
  assert.deepEqual(lines('bare-tc').toSorted(), named(remote, 'bare-tc').toSorted())
})

test('all frames have one length and end with their mark', () => {
  for (const { opening, load } of casesOf(
    { kind: 'weir-tc', mac: MAC, addresses: ADDRESSES },
    1,
    ROUTER,
  )) {
    for (const { frame } of [...opening, load]) assert.equal(frame.length, 2 * FRAME_BYTES)
    assert.match(load.frame, /57454952$/)
    if (opening[0]) assert.match(opening[0].frame, /57454953$/)
  }
})
