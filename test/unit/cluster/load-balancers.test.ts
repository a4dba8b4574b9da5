// The stand-in for a cloud's load balancers: what a Service of each state needs.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  AddressPool,
  type LoadBalanced,
  routeTo,
  stepFor,
} from '../../../src/cluster/load-balancers.ts'

const FINALIZER = 'service.kubernetes.io/load-balancer-cleanup'

function service(changes: {
  metadata?: Partial<LoadBalanced['metadata']>
  spec?: Partial<LoadBalanced['spec']>
  ingress?: readonly string[]
}): LoadBalanced {
  return {
    metadata: { namespace: 'a', name: 'b', uid: 'u1', ...changes.metadata },
    spec: { type: 'LoadBalancer', ipFamilies: ['IPv4', 'IPv6'], ...changes.spec },
    status: { loadBalancer: { ingress: (changes.ingress ?? []).map((ip) => ({ ip })) } },
  }
}

test('a new load balancer gets a finalizer and an address of each family', () => {
  const step = stepFor(service({}), new AddressPool())
  assert.deepEqual(step, {
    addresses: ['172.28.0.1', 'fd00:172:28::1'],
    finalizers: [FINALIZER],
    ingress: [
      { ip: '172.28.0.1', ipMode: 'VIP' },
      { ip: 'fd00:172:28::1', ipMode: 'VIP' },
    ],
  })
})

test('one that has everything needs nothing', () => {
  const ready = { metadata: { finalizers: [FINALIZER] }, ingress: ['172.28.0.1', 'fd00:172:28::1'] }
  assert.deepEqual(stepFor(service(ready), new AddressPool()), { addresses: ready.ingress })
})

test('what is a load balancer no more loses address and finalizer, others stay', () => {
  const metadata = { finalizers: ['other', FINALIZER] }
  const step = stepFor(
    service({ metadata, spec: { type: 'ClusterIP' }, ingress: ['172.28.0.1'] }),
    new AddressPool(),
  )
  assert.deepEqual(step, { addresses: [], finalizers: ['other'], ingress: [] })
  const deleted = { finalizers: [FINALIZER], deletionTimestamp: '2026-01-01T00:00:00Z' }
  assert.deepEqual(stepFor(service({ metadata: deleted }), new AddressPool()).finalizers, [])
})

test('another class, and what never was one, are left alone', () => {
  const pool = new AddressPool()
  const other = service({ spec: { loadBalancerClass: 'a.example/b' }, ingress: ['192.0.2.1'] })
  assert.deepEqual(stepFor(other, pool), { addresses: [] })
  assert.deepEqual(stepFor(service({ spec: { type: 'NodePort' } }), pool), { addresses: [] })
})

test('an address is given again only when its Service is gone', () => {
  const pool = new AddressPool()
  assert.equal(pool.give('a', 'IPv4'), '172.28.0.1')
  assert.equal(pool.give('b', 'IPv4'), '172.28.0.2')
  assert.equal(pool.give('a', 'IPv6'), 'fd00:172:28::1')
  pool.keepOnly(new Set(['b']))
  assert.equal(pool.give('c', 'IPv4'), '172.28.0.1')
  assert.equal(pool.give('b', 'IPv6'), 'fd00:172:28::2')
})

test('routeTo() spreads over the nodes of its family, and without any is unreachable', () => {
  const nodes = [{ addresses: ['172.30.0.11', 'fd00:172:30::11'] as const }]
  assert.equal(routeTo('172.28.0.1', nodes), 'replace 172.28.0.1 nexthop via 172.30.0.11')
  assert.match(routeTo('fd00:172:28::1', nodes), /nexthop via fd00:172:30::11$/)
  assert.equal(routeTo('172.28.0.1', []), 'replace unreachable 172.28.0.1')
})
