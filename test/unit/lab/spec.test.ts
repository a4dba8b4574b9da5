// The addresses of a lab follow from what it is asked to be.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labPrefix } from '../../../src/lab/paths.ts'
import { type LabSpec, planNodes } from '../../../src/lab/spec.ts'

const SPEC: LabSpec = { name: 'weir-lab', nodes: 2, ipv4: true, ipv6: true, offLink: [] }

test('planNodes() gives each node addresses, routers and podCIDRs of both families', () => {
  assert.deepEqual(planNodes(SPEC)[1], {
    name: 'node2',
    offLink: false,
    addresses: ['192.168.60.12/24', 'fd00:192:168:60::12/64'],
    routers: ['192.168.60.1', 'fd00:192:168:60::1'],
    podCidrs: ['10.244.2.0/24', 'fd00:10:244:2::/64'],
  })
})

test('planNodes() keeps to one family', () => {
  const [four] = planNodes({ ...SPEC, ipv6: false })
  assert.deepEqual(four?.podCidrs, ['10.244.1.0/24'])
  assert.deepEqual(four?.addresses, ['192.168.60.11/24'])
  const [six] = planNodes({ ...SPEC, ipv4: false })
  assert.deepEqual(six?.podCidrs, ['fd00:10:244:1::/64'])
})

test('planNodes() puts an off-link node on the other subnet', () => {
  const node = planNodes({ ...SPEC, offLink: ['node2'] })[1]
  assert.equal(node?.offLink, true)
  assert.deepEqual(node?.addresses[0], '192.168.61.12/24')
  assert.deepEqual(node?.routers[0], '192.168.61.1')
})

test('planNodes() refuses an off-link node that the lab has not', () => {
  assert.throws(() => planNodes({ ...SPEC, offLink: ['node9'] }), /Cannot put node9 off-link/)
})

test('labPrefix() always leads with weir', () => {
  assert.equal(labPrefix('weir-lab'), 'weir-lab')
  assert.equal(labPrefix('mine'), 'weir-mine')
})
