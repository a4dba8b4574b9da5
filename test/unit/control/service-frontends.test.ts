// Which backends a Service gets: per port, per family, by readiness.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serviceFrontends as derive } from '../../../src/control/service-frontends.ts'
import { SERVICE_DEFAULTS } from '../../../src/control/settings.ts'
import { siteOf } from '../../../src/control/site.ts'
import type { Address } from '../../../src/net/address.ts'
import type { EndpointSlice, Service, SliceEndpoint } from '../../../src/tables/intent.ts'
import { makeEndpoint, makePort, makeService } from '../../support/service-rows.ts'

const ip = (text: string) => text as Address
const TCP = 'TCP' as const

const SETTINGS = {
  nodeName: 'node-1',
  routing: 'auto',
  onLinkPrefixes: [],
  services: SERVICE_DEFAULTS,
} as const
const CONTEXT = { site: siteOf(undefined, SETTINGS), settings: SERVICE_DEFAULTS }
const serviceFrontends = (of: Service, slices: readonly EndpointSlice[]) =>
  derive(of, slices, CONTEXT)

function service(more: Partial<Service> = {}): Service {
  return makeService(more)
}

function slice(endpoints: readonly SliceEndpoint[], more: Partial<EndpointSlice> = {}) {
  const ports = [{ name: '', protocol: TCP, port: 8080 }]
  return { namespace: 'default', name: 'web-1', service: 'web', ports, endpoints, ...more }
}

const ready = (address: string) => makeEndpoint(address)
const unready = (address: string) => ({ ...ready(address), ready: false, serving: false })
const leaving = (address: string) => ({ ...ready(address), ready: false, terminating: true })
const gone = (address: string) => ({ ...leaving(address), serving: false })

/** "10.0.1.1:8080" of the backends of the only frontend. */
function backends(slices: readonly EndpointSlice[], of = service()): string[] {
  const frontends = serviceFrontends(of, slices)
  assert.equal(frontends.length, 1)
  return (frontends[0]?.backends ?? []).map(({ address, port }) => `${address}:${port}`)
}

test('a Service has a frontend for each address and port', () => {
  const ports = [makePort({ name: 'http' }), makePort({ name: 'dns', protocol: 'UDP', port: 53 })]
  const clusterIps = [ip('10.96.0.1'), ip('fd00::1')]
  const frontends = serviceFrontends(service({ clusterIps, ports }), [])
  assert.deepEqual(
    frontends.map(({ address, port, protocol, portName }) => [address, port, protocol, portName]),
    [
      ['10.96.0.1', 80, 'TCP', 'http'],
      ['fd00::1', 80, 'TCP', 'http'],
      ['10.96.0.1', 53, 'UDP', 'dns'],
      ['fd00::1', 53, 'UDP', 'dns'],
    ],
  )
})

test('without slices that fit, a frontend stays and has no backends', () => {
  assert.deepEqual(backends([]), [])
  assert.deepEqual(backends([slice([])]), [])
  const other = [{ name: 'other', protocol: TCP, port: 8080 }]
  assert.deepEqual(backends([slice([ready('10.0.1.1')], { ports: other })]), [])
  const udp = [{ name: '', protocol: 'UDP' as const, port: 8080 }]
  assert.deepEqual(backends([slice([ready('10.0.1.1')], { ports: udp })]), [])
})

test('backends are sorted and without duplicates, whatever the order of slices', () => {
  const one = slice([ready('10.0.1.2'), ready('10.0.1.1')])
  const two = slice([ready('10.0.1.1'), ready('10.0.1.10')], { name: 'web-2' })
  const expected = ['10.0.1.1:8080', '10.0.1.10:8080', '10.0.1.2:8080']
  assert.deepEqual(backends([one, two]), expected)
  assert.deepEqual(backends([two, one]), expected)
})

test('an address may serve on several ports', () => {
  const two = slice([ready('10.0.1.1')], { ports: [{ name: '', protocol: TCP, port: 9090 }] })
  assert.deepEqual(backends([slice([ready('10.0.1.1')]), two]), ['10.0.1.1:8080', '10.0.1.1:9090'])
})

test('a named target port may differ between slices', () => {
  const http = (port: number) => [{ name: 'http', protocol: TCP, port }]
  const web = service({ ports: [makePort({ name: 'http' })] })
  const slices = [
    slice([ready('10.0.1.1')], { ports: http(8080) }),
    slice([ready('10.0.1.2')], { ports: http(8081) }),
  ]
  assert.deepEqual(backends(slices, web), ['10.0.1.1:8080', '10.0.1.2:8081'])
})

test('only ready endpoints serve while there is one', () => {
  const endpoints = [ready('10.0.1.1'), unready('10.0.1.2'), leaving('10.0.1.3')]
  assert.deepEqual(backends([slice(endpoints)]), ['10.0.1.1:8080'])
})

test('without a ready endpoint those that serve while they terminate take over', () => {
  const endpoints = [unready('10.0.1.1'), leaving('10.0.1.2'), gone('10.0.1.3')]
  assert.deepEqual(backends([slice(endpoints)]), ['10.0.1.2:8080'])
})

test('a ready endpoint in another slice ends the fallback', () => {
  const slices = [slice([leaving('10.0.1.1')]), slice([ready('10.0.1.2')])]
  assert.deepEqual(backends(slices), ['10.0.1.2:8080'])
})

test('what is not ready and not terminating is never used', () => {
  const serving = { ...ready('10.0.1.1'), ready: false }
  assert.deepEqual(backends([slice([unready('10.0.1.2'), serving])]), [])
})

test('an endpoint published while not ready is ready, also when it terminates', () => {
  assert.deepEqual(backends([slice([{ ...ready('10.0.1.1'), terminating: true }])]), [
    '10.0.1.1:8080',
  ])
})

test('an endpoint in two slices is ready when either says so', () => {
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    const two = [slice([ready('10.0.1.1')]), slice([leaving('10.0.1.1'), leaving('10.0.1.2')])]
    assert.deepEqual(backends(order.map((at) => two[at] ?? slice([]))), ['10.0.1.1:8080'])
  }
})

test('families are chosen and fall back each by itself', () => {
  const clusterIps = [ip('10.96.0.1'), ip('fd00::1')]
  const slices = [slice([ready('10.0.1.1'), leaving('10.0.1.2')]), slice([leaving('fd00:1::1')])]
  const frontends = serviceFrontends(service({ clusterIps }), slices)
  assert.deepEqual(
    frontends.map((frontend) => frontend.backends.map(({ address }) => address)),
    [['10.0.1.1'], ['fd00:1::1']],
  )
})

test('ports fall back each by itself', () => {
  const port = (name: string) => ({ name, protocol: TCP, port: 8080 })
  const ports = [makePort({ name: 'a' }), makePort({ name: 'b', port: 81 })]
  const slices = [
    slice([ready('10.0.1.1')], { ports: [port('a')] }),
    slice([leaving('10.0.1.2')], { ports: [port('b')] }),
  ]
  assert.deepEqual(
    serviceFrontends(service({ ports }), slices).map((frontend) => frontend.backends),
    [[{ address: '10.0.1.1', port: 8080 }], [{ address: '10.0.1.2', port: 8080 }]],
  )
})

test('one number of two protocols is two ports', () => {
  const ports = [makePort({ name: 'a' }), makePort({ name: 'b', protocol: 'UDP' })]
  const frontends = serviceFrontends(service({ ports }), [
    slice([ready('10.0.1.1')], { ports: [{ name: 'a', protocol: 'TCP', port: 8080 }] }),
    slice([ready('10.0.1.2')], { ports: [{ name: 'b', protocol: 'UDP', port: 8080 }] }),
  ])
  assert.deepEqual(
    frontends.map(({ port, protocol, backends: [first] }) => [port, protocol, first?.address]),
    [
      [80, 'TCP', '10.0.1.1'],
      [80, 'UDP', '10.0.1.2'],
    ],
  )
})

test('an SCTP port has no frontend', () => {
  const ports = [makePort({ protocol: 'SCTP' })]
  assert.deepEqual(serviceFrontends(service({ ports }), []), [])
})
