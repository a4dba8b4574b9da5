// Ports of the node that lead to one of its pods.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostPortFrontends } from '../../../src/control/host-ports.ts'
import { SERVICE_DEFAULTS } from '../../../src/control/settings.ts'
import { siteOf } from '../../../src/control/site.ts'
import type { Address } from '../../../src/net/address.ts'
import type { HostPort } from '../../../src/tables/intent.ts'
import { makeNode } from '../../support/service-rows.ts'
import { endpoint } from '../api/rows.ts'

const ips = (...texts: string[]) => texts as Address[]
const NODE = makeNode('n1', { addresses: ips('192.168.0.1', 'fd50::1') })

function derive(hostPorts: readonly HostPort[], addresses = ips('10.0.1.5', 'fd00:1::5')) {
  const settings = { nodeName: 'n1', routing: 'auto', onLinkPrefixes: [] } as const
  const site = siteOf(NODE, { ...settings, services: SERVICE_DEFAULTS })
  return hostPortFrontends(endpoint({ addresses, hostPorts }), site)
}

const shown = (...given: Parameters<typeof derive>) =>
  derive(...given).map(({ address, port, protocol, backends }) => {
    const to = backends.map((backend) => `${backend.address} ${backend.port}`)
    return `${address} ${port}/${protocol} -> ${to.join()}`
  })

const WEB = { hostPort: 8080, containerPort: 80, protocol: 'TCP' } as const

test('a host port is on every address of the node and on loopback, in the pod’s families', () => {
  assert.deepEqual(shown([WEB]), [
    '192.168.0.1 8080/TCP -> 10.0.1.5 80',
    'fd50::1 8080/TCP -> fd00:1::5 80',
    '127.0.0.1 8080/TCP -> 10.0.1.5 80',
    '::1 8080/TCP -> fd00:1::5 80',
  ])
  assert.deepEqual(shown([WEB], ips('10.0.1.5')), [
    '192.168.0.1 8080/TCP -> 10.0.1.5 80',
    '127.0.0.1 8080/TCP -> 10.0.1.5 80',
  ])
})

test('a host address binds the port to it', () => {
  const hostIp = '127.0.0.1' as Address
  assert.deepEqual(shown([{ ...WEB, hostIp }]), ['127.0.0.1 8080/TCP -> 10.0.1.5 80'])
  assert.deepEqual(shown([{ ...WEB, hostIp: '::1' as Address }], ips('10.0.1.5')), [])
})

test('the same port in several protocols; SCTP has none', () => {
  const hostIp = '192.168.0.1' as Address
  const ports = (['TCP', 'UDP', 'SCTP'] as const).map((protocol) => ({ ...WEB, protocol, hostIp }))
  assert.deepEqual(shown(ports), [
    '192.168.0.1 8080/TCP -> 10.0.1.5 80',
    '192.168.0.1 8080/UDP -> 10.0.1.5 80',
  ])
})

test('a host port is the pod’s, for everybody', () => {
  const [frontend] = derive([WEB])
  assert.equal(frontend?.kind, 'HostPort')
  assert.match(frontend?.service ?? '', /^[a-z]+\/[a-z0-9-]+$/)
  assert.equal(frontend?.backends, frontend?.externalBackends)
})
