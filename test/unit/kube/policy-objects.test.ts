// NetworkPolicies: what becomes of good ones, and that every mistake closes with its sentence.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clusterNetworkPolicyRow } from '../../../src/kube/cluster-policy-objects.ts'
import { networkPolicyRow } from '../../../src/kube/policy-objects.ts'

/** Objects as they come from files: the types of the API do not bind what people write. */
const policy = (spec: object) =>
  networkPolicyRow({ metadata: { name: 'p', namespace: 'shop' }, spec } as never).row ??
  assert.fail('no row')
const cluster = (spec: object) =>
  clusterNetworkPolicyRow({
    metadata: { name: 'c' },
    spec: { tier: 'Admin', priority: 5, subject: { namespaces: {} }, ...spec },
  } as never).row ?? assert.fail('no row')
const inApp = (value: string) => [{ key: 'app', operator: 'In', values: [value] }]

test('networkPolicyRow() tells empty from missing', () => {
  const { ingress } = policy({
    podSelector: {},
    ingress: [
      {},
      { from: [], ports: [] },
      { from: [{ podSelector: {} }, { namespaceSelector: {} }] },
      { ports: [{}, { protocol: 'SCTP' }] },
    ],
  })
  assert.deepEqual(ingress, [
    {},
    {},
    {
      peers: [
        { kind: 'pods', pods: [] },
        { kind: 'pods', namespaces: [], pods: [] },
      ],
    },
    { ports: [{ protocol: 'TCP' }, { protocol: 'SCTP' }] },
  ])
})

test('networkPolicyRow() isolates as policyTypes say, or as the API fills them in', () => {
  const directions = (spec: object) => {
    const row = policy({ podSelector: {}, ...spec })
    return [row.ingress !== undefined, row.egress !== undefined]
  }
  assert.deepEqual(directions({}), [true, false])
  assert.deepEqual(directions({ egress: [] }), [true, false])
  assert.deepEqual(directions({ egress: [{}] }), [true, true])
  assert.deepEqual(directions({ policyTypes: ['Egress'], ingress: [{}] }), [false, true])
  assert.deepEqual(directions({ policyTypes: ['Ingress'], egress: [{}] }), [true, false])
  assert.deepEqual(directions({ policyTypes: ['Both'] }), [true, true])
})

test('networkPolicyRow() takes selectors, blocks and ports', () => {
  const row = policy({
    podSelector: { matchLabels: { app: 'web' } },
    ingress: [
      {
        from: [
          {
            namespaceSelector: { matchExpressions: [{ key: 'x', operator: 'Exists' }] },
            podSelector: { matchLabels: { app: 'db' } },
          },
          { ipBlock: { cidr: '010.0.0.0/8', except: ['10.1.0.0/16'] } },
        ],
        ports: [{ port: 80 }, { port: 'web', protocol: 'UDP' }, { port: 100, endPort: 200 }],
      },
    ],
  })
  assert.deepEqual(row.problems, [])
  assert.deepEqual(row.pods, inApp('web'))
  assert.deepEqual(row.ingress, [
    {
      peers: [
        {
          kind: 'pods',
          namespaces: [{ key: 'x', operator: 'Exists' }],
          pods: inApp('db'),
        },
        { kind: 'block', prefix: '10.0.0.0/8', except: ['10.1.0.0/16'] },
      ],
      ports: [
        { protocol: 'TCP', port: 80 },
        { protocol: 'UDP', port: 'web' },
        { protocol: 'TCP', port: 100, endPort: 200 },
      ],
    },
  ])
})

const REFUSED: readonly (readonly [part: object, sentence: string])[] = [
  [{ from: [{}] }, 'from[0] is {}; give podSelector, namespaceSelector or ipBlock'],
  [
    { from: [{ podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } }] },
    'from[0] has ipBlock beside a selector; give each its own entry',
  ],
  [
    { from: [{ ipBlock: { cidr: '10.0.0.0' } }] },
    'from[0].ipBlock.cidr is "10.0.0.0"; give a prefix like 10.0.1.0/24 or fd00:1::/64',
  ],
  [
    { from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] } }] },
    'from[0].ipBlock.except[0] is "11.0.0.0/16"; give a prefix inside 10.0.0.0/8',
  ],
  [
    { from: [{ podSelector: { matchExpressions: [{ key: 'a', operator: 'Like' }] } }] },
    'from[0].podSelector.matchExpressions[0].operator is "Like"; ' +
      'give In, NotIn, Exists, DoesNotExist',
  ],
  [
    { from: [{ podSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } }] },
    'from[0].podSelector.matchExpressions[0].values is missing; give at least one value',
  ],
  [{ ports: [{ endPort: 90 }] }, 'ports[0].endPort is 90; give port too, where the range begins'],
  [
    { ports: [{ port: 'web', endPort: 90 }] },
    'ports[0].endPort is 90; leave it out beside the name of a port',
  ],
  [
    { ports: [{ port: 90, endPort: 80 }] },
    'ports[0].endPort is 80; give a number from 90 to 65535',
  ],
  [{ ports: [{ port: 70000 }] }, 'ports[0].port is 70000; give a whole number from 1 to 65535'],
  [{ ports: [{ protocol: 'ICMP' }] }, 'ports[0].protocol is "ICMP"; give TCP, UDP or SCTP'],
  [{ ports: [{ port: 'A' }] }, 'ports[0].port is "A"; give a port number or the name of one'],
]

for (const [rule, sentence] of REFUSED) {
  test(`a part that allows nothing: ${sentence}`, () => {
    const row = policy({ podSelector: {}, ingress: [rule] })
    assert.deepEqual(row.problems, [`Cannot use NetworkPolicy shop/p: spec.ingress[0].${sentence}`])
    assert.deepEqual(row.ingress, [Object.hasOwn(rule, 'from') ? { peers: [] } : { ports: [] }])
  })
}

test('a rule, a list or a selector that is none closes', () => {
  assert.deepEqual(policy({ podSelector: {}, ingress: [null] }).ingress, [{ peers: [] }])
  assert.deepEqual(policy({ podSelector: {}, ingress: 3 }).ingress, [])
  assert.deepEqual(policy({ podSelector: {}, ingress: [{ from: 3 }] }).ingress, [{ peers: [] }])
  assert.deepEqual(policy({ ingress: [] }).pods, [])
  assert.equal(policy({ podSelector: { matchLabels: 1 } }).problems.length, 1)
})

test('clusterNetworkPolicyRow() takes every sort of peer and port', () => {
  const row = cluster({
    subject: { pods: { podSelector: { matchLabels: { app: 'web' } } } },
    ingress: [{ name: 'a', action: 'Deny', from: [{ namespaces: {} }] }],
    egress: [
      {
        action: 'Pass',
        to: [
          { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'db' } } } },
          { networks: ['10.0.0.0/8', 'fd00::/8'] },
          { nodes: {} },
        ],
        protocols: [
          { tcp: {} },
          { udp: { destinationPort: { number: 53 } } },
          { sctp: { destinationPort: { range: { start: 5, end: 9 } } } },
          { destinationNamedPort: 'web' },
        ],
      },
    ],
  })
  assert.deepEqual(row.problems, [])
  assert.deepEqual(row.subject, { namespaces: [], pods: inApp('web') })
  const everywhere = [{ kind: 'pods', namespaces: [], pods: [] }]
  assert.deepEqual(row.ingress, [{ name: 'a', action: 'Deny', peers: everywhere }])
  assert.deepEqual(row.egress, [
    {
      name: '',
      action: 'Pass',
      peers: [
        { kind: 'pods', namespaces: [], pods: inApp('db') },
        { kind: 'block', prefix: '10.0.0.0/8', except: [] },
        { kind: 'block', prefix: 'fd00::/8', except: [] },
        { kind: 'nodes', nodes: [] },
      ],
      ports: [
        { protocol: 'TCP' },
        { protocol: 'UDP', port: 53 },
        { protocol: 'SCTP', port: 5, endPort: 9 },
        { port: 'web' },
      ],
    },
  ])
})

test('clusterNetworkPolicyRow() closes on what it does not know, by the action', () => {
  const to = [{ namespaces: {} }, { domainNames: ['example.org'] }]
  const rules = (action: string) => cluster({ egress: [{ action, to }] }).egress
  assert.deepEqual(rules('Accept'), [{ name: '', action: 'Accept', peers: [] }])
  assert.deepEqual(rules('Deny'), [{ name: '', action: 'Deny' }])
  assert.deepEqual(rules('Pass'), [{ name: '', action: 'Deny' }])
  assert.equal(cluster({ egress: [{ action: 'Accept', to }] }).problems.length, 1)
})

test('clusterNetworkPolicyRow() refuses what has no place among the others', () => {
  assert.throws(() => cluster({ tier: 'Top' }), /spec.tier is "Top"; give Admin or Baseline/)
  assert.throws(() => cluster({ priority: 1001 }), /give a whole number from 0 to 1000/)
  assert.throws(() => cluster({ subject: {} }), /give either namespaces or pods/)
})
