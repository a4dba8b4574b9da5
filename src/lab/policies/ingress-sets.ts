// What x/a takes: selectors, ports and blocks of ingress rules, each with what it must let pass.
import {
  allBut,
  blocksOf,
  expression,
  from,
  ingressSet,
  is,
  namespaces,
  type PolicySet,
  pods,
  port,
} from './build.ts'
import { gridNamespace, portName, tierOf } from './grid.ts'

const XB = { ns: 'x', pod: 'b' } as const

const SELECTORS: readonly PolicySet[] = [
  ingressSet('no rule', [], () => false),
  ingressSet('an empty rule', [{}], () => true),
  ingressSet('from and ports that are empty', [{ from: [], ports: [] }], () => true),
  ingressSet('pod b of the namespace', [from(pods('b'))], (t) => is(t.from, 'x', 'b')),
  ingressSet('every pod of the namespace', [from({ podSelector: {} })], (t) => t.from.ns === 'x'),
  ingressSet('every namespace', [from({ namespaceSelector: {} })], () => true),
  ingressSet('namespace y', [from(namespaces('y'))], (t) => t.from.ns === 'y'),
  ingressSet('pod b of namespace y', [from({ ...namespaces('y'), ...pods('b') })], (t) =>
    is(t.from, 'y', 'b'),
  ),
  ingressSet(
    'pod b of every namespace',
    [from({ namespaceSelector: {}, ...pods('b') })],
    (t) => t.from.pod === 'b',
  ),
  ingressSet(
    'namespace y or pod b here, two peers',
    [from(namespaces('y'), pods('b'))],
    (t) => t.from.ns === 'y' || is(t.from, 'x', 'b'),
  ),
  ingressSet(
    'y/a or z/b',
    [from({ ...namespaces('y'), ...pods('a') }, { ...namespaces('z'), ...pods('b') })],
    (t) => is(t.from, 'y', 'a') || is(t.from, 'z', 'b'),
  ),
  ingressSet(
    'nobody by a label that none has',
    [from({ podSelector: { matchLabels: { no: 'one' } } })],
    () => false,
  ),
]

const EXPRESSIONS: readonly PolicySet[] = [
  ingressSet(
    'pods In b, c',
    [from({ podSelector: expression('pod', 'In', 'b', 'c') })],
    (t) => t.from.ns === 'x' && t.from.pod !== 'a',
  ),
  ingressSet(
    'pods NotIn b',
    [from({ podSelector: expression('pod', 'NotIn', 'b') })],
    (t) => t.from.ns === 'x' && t.from.pod !== 'b',
  ),
  ingressSet(
    'pods NotIn a value of a label that none has',
    [from({ podSelector: expression('color', 'NotIn', 'red') })],
    (t) => t.from.ns === 'x',
  ),
  ingressSet(
    'pods where a label Exists',
    [from({ podSelector: expression('pod', 'Exists') })],
    (t) => t.from.ns === 'x',
  ),
  ingressSet(
    'pods where a label DoesNotExist',
    [from({ podSelector: expression('pod', 'DoesNotExist') })],
    () => false,
  ),
  ingressSet(
    'namespaces In y, z',
    [from({ namespaceSelector: expression('ns', 'In', 'y', 'z') })],
    (t) => t.from.ns !== 'x',
  ),
  ingressSet(
    'namespaces NotIn x, of the grid',
    [
      from({
        namespaceSelector: {
          matchExpressions: [
            { key: 'ns', operator: 'NotIn', values: ['x'] },
            { key: 'ns', operator: 'Exists' },
          ],
        },
      }),
    ],
    (t) => t.from.ns !== 'x',
  ),
  ingressSet(
    'namespaces by their default label',
    [
      from({
        namespaceSelector: expression('kubernetes.io/metadata.name', 'In', gridNamespace('z')),
      }),
    ],
    (t) => t.from.ns === 'z',
  ),
  ingressSet(
    'namespaces NotIn by their default label',
    [
      from({
        namespaceSelector: expression('kubernetes.io/metadata.name', 'NotIn', gridNamespace('z')),
      }),
    ],
    (t) => t.from.ns !== 'z',
  ),
  ingressSet(
    'labels and expressions together, of namespace y',
    [
      from({
        ...namespaces('y'),
        podSelector: { matchLabels: { tier: 'front' }, ...expression('pod', 'NotIn', 'a') },
      }),
    ],
    (t) => t.from.ns === 'y' && tierOf(t.from.pod) === 'front' && t.from.pod !== 'a',
  ),
]

const PORTS: readonly PolicySet[] = [
  ingressSet(
    'TCP 80',
    [{ ports: [port(80, 'TCP')] }],
    (t) => t.protocol === 'TCP' && t.port === 80,
  ),
  ingressSet(
    'UDP 81',
    [{ ports: [port(81, 'UDP')] }],
    (t) => t.protocol === 'UDP' && t.port === 81,
  ),
  ingressSet(
    '80, TCP by default',
    [{ ports: [port(80)] }],
    (t) => t.protocol === 'TCP' && t.port === 80,
  ),
  ingressSet('any port of UDP', [{ ports: [{ protocol: 'UDP' }] }], (t) => t.protocol === 'UDP'),
  ingressSet('TCP 80 to 81', [{ ports: [port(80, 'TCP', 81)] }], (t) => t.protocol === 'TCP'),
  ingressSet(
    'TCP 1 to 80',
    [{ ports: [port(1, 'TCP', 80)] }],
    (t) => t.protocol === 'TCP' && t.port === 80,
  ),
  ingressSet(
    'UDP 81 to 65535',
    [{ ports: [port(81, 'UDP', 65_535)] }],
    (t) => t.protocol === 'UDP' && t.port === 81,
  ),
  ingressSet(
    'a named port',
    [{ ports: [port(portName(81, 'TCP'))] }],
    (t) => t.protocol === 'TCP' && t.port === 81,
  ),
  ingressSet(
    'a named UDP port',
    [{ ports: [port(portName(80, 'UDP'), 'UDP')] }],
    (t) => t.protocol === 'UDP' && t.port === 80,
  ),
  ingressSet(
    'a named port that the pod has not',
    [{ ports: [port('nothing', 'TCP')] }],
    () => false,
  ),
  ingressSet(
    'TCP 80 and UDP 81',
    [{ ports: [port(80, 'TCP'), port(81, 'UDP')] }],
    (t) => (t.protocol === 'TCP') === (t.port === 80),
  ),
  ingressSet('SCTP, which is no TCP', [{ ports: [port(80, 'SCTP')] }], () => false),
  ingressSet(
    'TCP 81 of namespace y, named',
    [{ ...from(namespaces('y')), ports: [port(portName(81, 'TCP'), 'TCP')] }],
    (t) => t.from.ns === 'y' && t.protocol === 'TCP' && t.port === 81,
  ),
  ingressSet(
    'y at 80, z at 81, two rules',
    [
      { ...from(namespaces('y')), ports: [port(80, 'TCP')] },
      { ...from(namespaces('z')), ports: [port(81, 'TCP')] },
    ],
    (t) =>
      t.protocol === 'TCP' &&
      ((t.from.ns === 'y' && t.port === 80) || (t.from.ns === 'z' && t.port === 81)),
  ),
]

const BLOCKS: readonly PolicySet[] = [
  ingressSet(
    'the block of x/b',
    (cluster) => [from(...blocksOf(cluster, XB))],
    (t) => is(t.from, 'x', 'b'),
  ),
  ingressSet(
    'all but the block of x/b',
    (cluster) => [from(...allBut(cluster, XB))],
    (t) => !is(t.from, 'x', 'b'),
  ),
  ingressSet(
    'an exception of one rule that another allows',
    (cluster) => [from(...allBut(cluster, XB)), from(...blocksOf(cluster, XB))],
    () => true,
  ),
  ingressSet('all of IPv4', [from({ ipBlock: { cidr: '0.0.0.0/0' } })], (t) => t.family === 4),
  ingressSet('all of IPv6', [from({ ipBlock: { cidr: '::/0' } })], (t) => t.family === 6),
  ingressSet('a block of nobody', [from({ ipBlock: { cidr: '192.0.2.0/24' } })], () => false),
  ingressSet(
    'the block of x/b at TCP 80, or namespace y',
    (cluster) => [
      { ...from(...blocksOf(cluster, XB)), ports: [port(80, 'TCP')] },
      from(namespaces('y')),
    ],
    (t) => t.from.ns === 'y' || (is(t.from, 'x', 'b') && t.protocol === 'TCP' && t.port === 80),
  ),
]

export const INGRESS_SETS: readonly PolicySet[] = [
  ...SELECTORS,
  ...EXPRESSIONS,
  ...PORTS,
  ...BLOCKS,
]
