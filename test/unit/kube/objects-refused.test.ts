// What bad objects are told: whole sentences, as people read them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ObjectError } from '../../../src/kube/fields.ts'
import { nodeRow, podRow } from '../../../src/kube/objects.ts'
import { endpointSliceRow, serviceRow } from '../../../src/kube/service-objects.ts'

/** Objects as they come from files: the types of the API do not bind what people write. */
const service = (spec: object, labels: object = {}) =>
  serviceRow({ metadata: { name: 'web', namespace: 'shop', labels }, spec } as never)
const slice = (more: object) =>
  endpointSliceRow({
    metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ...more,
  } as never)
const PORTS = [{ port: 80 }]

const ADDRESS = { clusterIP: '10.96.0.10' }
const BAD: readonly [string, () => unknown][] = [
  [
    'Cannot use Service shop/web: spec.clusterIP is missing; give the Service an ' +
      'address, or None to make it headless',
    () => service({ ports: PORTS }),
  ],
  [
    'Cannot use Service shop/web: spec.clusterIPs[1] is "10.96.0.300"; give an ' +
      'IPv4 or IPv6 address',
    () => service({ clusterIPs: ['10.96.0.1', '10.96.0.300'], ports: PORTS }),
  ],
  [
    'Cannot use Service shop/web: spec.clusterIP is 10; put it in quotes to make it text',
    () => service({ clusterIP: 10, ports: PORTS }),
  ],
  [
    'Cannot use Service shop/web: spec.ports is missing; give at least one port',
    () => service(ADDRESS),
  ],
  [
    'Cannot use Service shop/web: spec.ports is {"port":80}; give a list',
    () => service({ ...ADDRESS, ports: { port: 80 } }),
  ],
  [
    'Cannot use Service shop/web: spec.ports[0].port is 70000; give a whole number from 1 to 65535',
    () => service({ ...ADDRESS, ports: [{ port: 70000 }] }),
  ],
  [
    'Cannot use Service shop/web: spec.ports[0].port is "80"; give a whole number from 1 to 65535',
    () => service({ ...ADDRESS, ports: [{ port: '80' }] }),
  ],
  [
    'Cannot use Service shop/web: spec.ports[0].port is missing; give a whole ' +
      'number from 1 to 65535',
    () => service({ ...ADDRESS, ports: [null] }),
  ],
  [
    'Cannot use Service shop/web: spec.ports[0] is "http"; give a mapping',
    () => service({ ...ADDRESS, ports: ['http'] }),
  ],
  [
    'Cannot use Service shop/web: spec.ports[0].protocol is "tcp"; give TCP, UDP or SCTP',
    () => service({ ...ADDRESS, ports: [{ port: 80, protocol: 'tcp' }] }),
  ],
  [
    'Cannot use Service shop/web: spec.ports[1].name is missing; name each port ' +
      'when there are several',
    () => service({ ...ADDRESS, ports: [{ name: 'a', port: 80 }, { port: 81 }] }),
  ],
  [
    'Cannot use Service shop/web: spec.ports[1].name is "a"; another port has ' +
      'this name; give each its own',
    () =>
      service({
        ...ADDRESS,
        ports: [
          { name: 'a', port: 80 },
          { name: 'a', port: 81 },
        ],
      }),
  ],
  [
    'Cannot use Service shop/web: spec.ports[1].port is 80; another TCP port has ' +
      'this number; give each its own',
    () =>
      service({
        ...ADDRESS,
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 80 },
        ],
      }),
  ],
  ['Cannot use Service shop/web: spec is 3; give a mapping', () => service(3 as never)],
  [
    'Cannot use Service without a name: metadata.name is missing; give it as text',
    () => serviceRow({ metadata: {} } as never),
  ],
  [
    'Cannot use Service default/Web_1: metadata.name is "Web_1"; give a name of ' +
      'lower-case letters, digits, - and .',
    () => serviceRow({ metadata: { name: 'Web_1' } } as never),
  ],
  [
    'Cannot use Service default/a/b: metadata.name is "a/b"; give a name of ' +
      'lower-case letters, digits, - and .',
    () => serviceRow({ metadata: { name: 'a/b' } } as never),
  ],
  [
    'Cannot use EndpointSlice default/web-1: endpoints[0].addresses[0] is "web"; ' +
      'give an IPv4 or IPv6 address',
    () => slice({ endpoints: [{ addresses: ['web'] }] }),
  ],
  [
    'Cannot use EndpointSlice default/web-1: endpoints[0].conditions.ready is ' +
      '"yes"; give true or false',
    () => slice({ endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: 'yes' } }] }),
  ],
  [
    'Cannot use EndpointSlice default/web-1: addressType is missing; give IPv4, IPv6 or FQDN',
    () => slice({ addressType: undefined }),
  ],
  [
    'Cannot use Node node-1: spec.podCIDRs[0] is "10.0.0.0/33"; give a prefix ' +
      'like 10.0.1.0/24 or fd00:1::/64',
    () => nodeRow({ metadata: { name: 'node-1' }, spec: { podCIDRs: ['10.0.0.0/33'] } } as never),
  ],
  [
    'Cannot use Pod default/web: metadata.labels.on is true; put it in quotes to make it text',
    () => podRow({ metadata: { name: 'web', labels: { on: true } } } as never),
  ],
]

for (const [message, convert] of BAD) {
  test(`a bad object says: ${message.slice('Cannot use '.length)}`, () => {
    assert.throws(convert, (error) => error instanceof ObjectError && error.message === message)
  })
}
