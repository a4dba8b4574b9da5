// Figures in columns, and the objects that the scale benches write.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatFigures } from '../../../src/bench/report.ts'
import {
  serviceAddress,
  sliceWanted,
  storedServices,
  wantedObjects,
} from '../../../src/bench/scale/objects.ts'
import { podRow } from '../../../src/kube/objects.ts'
import { endpointSliceRow, serviceRow } from '../../../src/kube/service-objects.ts'

const SHAPE = { services: 300, endpointsPerService: 3, pods: 40, namespaces: 7, nodes: 5 }

test('formatFigures() has a line for each name and a column for each way', () => {
  const figures = [
    { name: 'sync', unit: 's', column: 'weir', value: 1.234 },
    { name: 'sync', unit: 's', column: 'iptables', value: 12.5 },
    { name: 'idle', unit: 'MiB', column: 'iptables', value: 50 },
  ]
  assert.deepEqual(formatFigures(figures, { markdown: true }).split('\n'), [
    '| name | unit | weir | iptables |',
    '| --- | --- | --- | --- |',
    '| sync | s | 1.23 | 12.5 |',
    '| idle | MiB |  | 50.0 |',
  ])
})

test('objects of a shape are such that the agent has rows for all of them', () => {
  const objects = wantedObjects(SHAPE).flat()
  const slices = objects.filter(({ object }) => object.kind === 'EndpointSlice')
  assert.equal(slices.length, SHAPE.services)
  for (const { object } of slices) {
    const { row } = endpointSliceRow(object as never)
    assert.equal(row?.endpoints.length, SHAPE.endpointsPerService)
  }
  const pods = objects.filter(({ object }) => object.kind === 'Pod')
  const addresses = pods.map(({ object, status }) => {
    return podRow({ ...object, status } as never).row?.addresses[0]
  })
  assert.equal(new Set(addresses).size, SHAPE.pods)
  const services = storedServices(SHAPE).filter(({ object }) => object.kind === 'Service')
  assert.equal(services.length, SHAPE.services)
  for (const { object } of services) assert.ok(serviceRow(object as never).row)
})

test('addresses of Services do not repeat', () => {
  const addresses = Array.from({ length: 50_000 }, (_, index) => serviceAddress(index))
  assert.equal(new Set(addresses).size, addresses.length)
  assert.equal(addresses.at(-1), '10.96.196.79')
})

test('a changed slice differs by the endpoint that is not ready', () => {
  const { object } = sliceWanted(SHAPE, 1, { unready: 2 })
  const { row } = endpointSliceRow(object as never)
  assert.deepEqual(
    row?.endpoints.map(({ ready }) => ready),
    [true, true, false],
  )
})
