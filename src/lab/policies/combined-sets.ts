// Policies beside each other: defaults, both directions, unions, and those of the whole cluster.
import {
  blocksOf,
  clusterPolicy,
  expression,
  from,
  intoXA,
  is,
  namespaces,
  outOfXA,
  type PolicySet,
  pods,
  policy,
  port,
  set,
  to,
} from './build.ts'
import { GRID_NAMES, type Traffic } from './grid.ts'

const DENY_IN = { policyTypes: ['Ingress'] }
const DENY_OUT = { policyTypes: ['Egress'] }
const DENY_BOTH = { policyTypes: ['Ingress', 'Egress'] }

const isTcp = ({ protocol, port: number }: Traffic, wanted: number): boolean =>
  protocol === 'TCP' && number === wanted

const DEFAULTS: readonly PolicySet[] = [
  set('no policy', [], () => true),
  set('x takes nothing', [policy('x', 'deny', DENY_IN)], (t) => t.to.ns !== 'x'),
  set('x sends nothing', [policy('x', 'deny', DENY_OUT)], (t) => t.from.ns !== 'x'),
  set(
    'x takes and sends nothing',
    [policy('x', 'deny', DENY_BOTH)],
    (t) => t.to.ns !== 'x' && t.from.ns !== 'x',
  ),
  set(
    'a policy without types and egress isolates ingress alone',
    [policy('x', 'bare', {})],
    (t) => t.to.ns !== 'x',
  ),
  set(
    'a policy without types but with egress isolates both',
    [policy('x', 'bare', { egress: [to(namespaces('y'))] })],
    (t) => t.to.ns !== 'x' && (t.from.ns !== 'x' || t.to.ns === 'y'),
  ),
  set(
    'rules of a direction that the types leave out do not count',
    [policy('x', 'types', { ...DENY_OUT, ingress: [], egress: [{}] })],
    () => true,
  ),
  set(
    'a policy for pods that are not there',
    [
      policy('x', 'none', {
        podSelector: { matchLabels: { pod: 'q' } },
      }),
    ],
    () => true,
  ),
  set(
    'pods In a, b of x take nothing',
    [policy('x', 'some', { ...DENY_IN, podSelector: expression('pod', 'In', 'a', 'b') })],
    (t) => t.to.ns !== 'x' || t.to.pod === 'c',
  ),
]

const UNIONS: readonly PolicySet[] = [
  set(
    'nothing, and everything beside it',
    [policy('x', 'deny', DENY_IN), policy('x', 'allow', { ...DENY_IN, ingress: [{}] })],
    () => true,
  ),
  set(
    'three policies for one pod',
    [
      policy('x', 'deny', DENY_IN),
      intoXA({ ...from(namespaces('y')), ports: [port(80, 'TCP')] }),
      policy('x', 'more', { ...pods('a'), ...DENY_IN, ingress: [from(pods('b'))] }),
    ],
    (t) =>
      t.to.ns !== 'x' ||
      (t.to.pod === 'a' && (is(t.from, 'x', 'b') || (t.from.ns === 'y' && isTcp(t, 80)))),
  ),
  set(
    'each namespace keeps to itself',
    GRID_NAMES.map((ns) => policy(ns, 'own', { ...DENY_IN, ingress: [from({ podSelector: {} })] })),
    (t) => t.from.ns === t.to.ns,
  ),
  set(
    'each namespace keeps to itself, but for UDP 81',
    GRID_NAMES.map((ns) =>
      policy(ns, 'own', {
        ...DENY_IN,
        ingress: [from({ podSelector: {} }), { ports: [port(81, 'UDP')] }],
      }),
    ),
    (t) => t.from.ns === t.to.ns || (t.protocol === 'UDP' && t.port === 81),
  ),
  set(
    'what x/a may send y/b takes, and no more',
    [
      outOfXA({ ...to({ ...namespaces('y'), ...pods('b') }), ports: [port(80, 'TCP')] }),
      policy('y', 'into-b', { ...pods('b'), ...DENY_IN, ingress: [from(namespaces('x'))] }),
    ],
    (t) => {
      if (is(t.from, 'x', 'a') && !(is(t.to, 'y', 'b') && isTcp(t, 80))) return false
      return !is(t.to, 'y', 'b') || t.from.ns === 'x'
    },
  ),
  set(
    'x/a may not send what y takes',
    [outOfXA(), policy('y', 'take', { ...DENY_IN, ingress: [from(namespaces('x'))] })],
    (t) => !is(t.from, 'x', 'a') && (t.to.ns !== 'y' || t.from.ns === 'x'),
  ),
  set(
    'y does not take what x/a may send',
    [outOfXA(to(namespaces('y'))), policy('y', 'deny', DENY_IN)],
    (t) => t.to.ns !== 'y' && !is(t.from, 'x', 'a'),
  ),
  set(
    'x to y at TCP 80, y to z at TCP 81, nothing else',
    [
      ...GRID_NAMES.map((ns) => policy(ns, 'deny', DENY_BOTH)),
      policy('x', 'out', { ...DENY_OUT, egress: [{ ...to(namespaces('y')), ports: [port(80)] }] }),
      policy('y', 'in', { ...DENY_IN, ingress: [from(namespaces('x'))] }),
      policy('y', 'out', { ...DENY_OUT, egress: [to(namespaces('z'))] }),
      policy('z', 'in', { ...DENY_IN, ingress: [{ ...from(namespaces('y')), ports: [port(81)] }] }),
    ],
    (t) =>
      (t.from.ns === 'x' && t.to.ns === 'y' && isTcp(t, 80)) ||
      (t.from.ns === 'y' && t.to.ns === 'z' && isTcp(t, 81)),
  ),
  {
    name: 'a block for ingress and selectors for egress, of one pod',
    objects: (cluster) => [
      intoXA(from(...blocksOf(cluster, { ns: 'z', pod: 'c' }))),
      outOfXA(to(namespaces('y'))),
    ],
    allows: (t) =>
      (!is(t.to, 'x', 'a') || is(t.from, 'z', 'c')) && (!is(t.from, 'x', 'a') || t.to.ns === 'y'),
  },
]

const ADMIN = { tier: 'Admin', priority: 10 }
const SUBJECT_X = { subject: { namespaces: { matchLabels: { ns: 'x' } } } }
const FROM_Y = { from: [{ namespaces: { matchLabels: { ns: 'y' } } }] }

const TIERS: readonly PolicySet[] = [
  set(
    'the cluster denies y to x',
    [clusterPolicy('deny', { ...ADMIN, ...SUBJECT_X, ingress: [{ action: 'Deny', ...FROM_Y }] })],
    (t) => !(t.to.ns === 'x' && t.from.ns === 'y'),
  ),
  set(
    'the cluster accepts y to x, whatever x says',
    [
      policy('x', 'deny', DENY_IN),
      clusterPolicy('accept', {
        ...ADMIN,
        ...SUBJECT_X,
        ingress: [{ action: 'Accept', ...FROM_Y }],
      }),
    ],
    (t) => t.to.ns !== 'x' || t.from.ns === 'y',
  ),
  set(
    'the cluster passes y/b to x on to the policies of x, and denies the rest of y',
    [
      policy('x', 'allow', { ...DENY_IN, ingress: [from(namespaces('y'))] }),
      clusterPolicy('pass', {
        ...ADMIN,
        ...SUBJECT_X,
        ingress: [
          {
            action: 'Pass',
            from: [
              {
                pods: {
                  namespaceSelector: { matchLabels: { ns: 'y' } },
                  podSelector: { matchLabels: { pod: 'b' } },
                },
              },
            ],
          },
          { action: 'Deny', ...FROM_Y },
        ],
      }),
    ],
    (t) => t.to.ns !== 'x' || is(t.from, 'y', 'b'),
  ),
  set(
    'the lower priority number decides',
    [
      clusterPolicy('first', {
        ...{ tier: 'Admin', priority: 1, ...SUBJECT_X },
        ingress: [{ action: 'Accept', ...FROM_Y }],
      }),
      clusterPolicy('second', {
        ...{ tier: 'Admin', priority: 2, ...SUBJECT_X },
        ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }],
      }),
    ],
    (t) => t.to.ns !== 'x' || t.from.ns === 'y',
  ),
  set(
    'the baseline denies where no policy of x speaks',
    [
      intoXA(from(namespaces('z'))),
      clusterPolicy('baseline', {
        ...{ tier: 'Baseline', priority: 5, ...SUBJECT_X },
        ingress: [{ action: 'Deny', ...FROM_Y }],
      }),
    ],
    (t) => {
      if (t.to.ns !== 'x') return true
      return t.to.pod === 'a' ? t.from.ns === 'z' : t.from.ns !== 'y'
    },
  ),
  set(
    'the cluster denies TCP 80 out of x to y',
    [
      clusterPolicy('ports', {
        ...ADMIN,
        ...SUBJECT_X,
        egress: [
          {
            action: 'Deny',
            to: [{ namespaces: { matchLabels: { ns: 'y' } } }],
            protocols: [{ tcp: { destinationPort: { number: 80 } } }],
          },
        ],
      }),
    ],
    (t) => !(t.from.ns === 'x' && t.to.ns === 'y' && isTcp(t, 80)),
  ),
]

export const COMBINED_SETS: readonly PolicySet[] = [...DEFAULTS, ...UNIONS, ...TIERS]
