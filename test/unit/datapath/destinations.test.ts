// Destinations over a map in memory: keys, flags, epochs.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { destinationOperations, readDestinations } from '../../../src/datapath/destinations.ts'
import type * as layout from '../../../src/datapath/layout.gen.ts'
import { parseAddress } from '../../../src/net/address.ts'
import { parsePrefix } from '../../../src/net/prefix.ts'
import type { Destination } from '../../../src/tables/desired.ts'
import { MemoryMap } from '../../support/memory-map.ts'

function row(prefix: string, over: Partial<Destination> = {}): Destination {
  return {
    prefix: parsePrefix(prefix),
    nodeName: 'b',
    nodeAddress: parseAddress('192.168.0.2'),
    onLink: true,
    routing: 'vxlan',
    kind: 'pods',
    ...over,
  }
}

function build() {
  const map = new MemoryMap<layout.DestinationKey, layout.Destination>('destinations')
  const epochs = { bumps: 0 }
  const podCidrs = [parsePrefix('10.0.1.0/24')]
  const operations = destinationOperations({ map, bumpEpoch: () => epochs.bumps++, podCidrs })
  return { map, epochs, operations }
}

test('destinations hold prefixes in the 16-byte form and read back as they were', async () => {
  const { map, operations } = build()
  const rows = [
    row('10.0.2.0/24'),
    row('fd00:2::/64', { routing: 'native', onLink: false }),
    row('192.168.0.2/32', { kind: 'node' }),
  ]
  assert.equal((await operations.update(rows)).size, 0)
  const lengths = [...map.entries()].map(([key]) => key.prefixLength)
  assert.deepEqual(lengths, [120, 64, 128])
  assert.deepEqual(
    readDestinations(map),
    rows.map(({ nodeName: _, ...actual }) => actual),
  )
})

test('destinations bump the epoch once a batch, and never for nothing', async () => {
  const { epochs, operations } = build()
  const rows = [row('10.0.2.0/24'), row('10.0.3.0/24')]
  await operations.update(rows)
  assert.equal(epochs.bumps, 1)
  await operations.prune?.(rows)
  assert.equal(epochs.bumps, 2, 'the local podCIDR was written')
  await operations.update(rows)
  await operations.prune?.(rows)
  assert.equal(epochs.bumps, 2)
  await operations.delete(rows)
  await operations.delete(rows)
  assert.equal(epochs.bumps, 3)
})

test('destinations that cannot be reached fail with their sentence and have no entry', async () => {
  const { map, operations } = build()
  await operations.update([row('10.0.2.0/24'), row('10.0.3.0/24')])
  const problem = 'Cannot route natively to b: 192.168.0.2 is not on-link'
  const failures = await operations.update([row('10.0.2.0/24', { problem }), row('10.0.3.0/24')])
  assert.equal(failures.get('10.0.2.0/24')?.message, problem)
  assert.equal(map.size, 1)
})

test('destinations are pruned to the wanted rows and the local podCIDR', async () => {
  const { map, operations } = build()
  await operations.update([row('10.0.2.0/24'), row('fd00:2::/64')])
  await operations.prune?.([row('fd00:2::/64')])
  assert.deepEqual(
    readDestinations(map).map(({ prefix }) => prefix),
    ['fd00:2::/64'],
  )
  assert.equal(map.size, 2)
})
