// What x/a sends: the mirror of ingress-sets.ts where the two directions differ.
import {
  allBut,
  blocksOf,
  egressSet,
  expression,
  is,
  namespaces,
  type PolicySet,
  pods,
  port,
  to,
} from './build.ts'
import { portName } from './grid.ts'

const YB = { ns: 'y', pod: 'b' } as const

export const EGRESS_SETS: readonly PolicySet[] = [
  egressSet('no rule', [], () => false),
  egressSet('an empty rule', [{}], () => true),
  egressSet('pod b of the namespace', [to(pods('b'))], (t) => is(t.to, 'x', 'b')),
  egressSet('namespace y', [to(namespaces('y'))], (t) => t.to.ns === 'y'),
  egressSet('pod b of namespace y', [to({ ...namespaces('y'), ...pods('b') })], (t) =>
    is(t.to, 'y', 'b'),
  ),
  egressSet(
    'pods NotIn b, of every namespace',
    [to({ namespaceSelector: {}, podSelector: expression('pod', 'NotIn', 'b') })],
    (t) => t.to.pod !== 'b',
  ),
  egressSet('TCP 80', [{ ports: [port(80, 'TCP')] }], (t) => t.protocol === 'TCP' && t.port === 80),
  egressSet('any port of UDP', [{ ports: [{ protocol: 'UDP' }] }], (t) => t.protocol === 'UDP'),
  egressSet(
    'a port by the name that the other pod gives it',
    [{ ports: [port(portName(80, 'TCP'), 'TCP')] }],
    (t) => t.protocol === 'TCP' && t.port === 80,
  ),
  egressSet(
    'TCP 81 of namespace z',
    [{ ...to(namespaces('z')), ports: [port(81, 'TCP')] }],
    (t) => t.to.ns === 'z' && t.protocol === 'TCP' && t.port === 81,
  ),
  egressSet(
    'the block of y/b',
    (cluster) => [to(...blocksOf(cluster, YB))],
    (t) => is(t.to, 'y', 'b'),
  ),
  egressSet(
    'all but the block of y/b',
    (cluster) => [to(...allBut(cluster, YB))],
    (t) => !is(t.to, 'y', 'b'),
  ),
  egressSet(
    'an exception of one rule that another allows',
    (cluster) => [to(...allBut(cluster, YB)), to(...blocksOf(cluster, YB))],
    () => true,
  ),
]
