// Kubernetes objects to intent rows: validated in this room and nowhere else, a function for each
// kind. What is of no use to a node (a headless Service, a slice of DNS names) has no row; what is
// wrong throws an ObjectError. Services and what belongs to them: service-objects.ts.
import type { V1Container, V1Namespace, V1Node, V1ObjectMeta, V1Pod } from '@kubernetes/client-node'
import type { Address } from '../net/address.ts'
import type { Prefix } from '../net/prefix.ts'
import type { NamedPort, Namespace, Node, Pod } from '../tables/intent.ts'
import { Field } from './fields.ts'
import { type Converted, describeObject, readName, readNamespace, unique } from './metadata.ts'

/** What the cluster autoscaler puts on a node that it is about to remove. */
const TO_BE_DELETED = 'ToBeDeletedByClusterAutoscaler'
const NAMESPACE_NAME = 'kubernetes.io/metadata.name'
const POLICY_AUDIT = 'weir.io/policy-audit'
/** The uid by which the kubelet and the runtime know a static pod, on its mirror in the API. */
const STATIC_POD_UID = 'kubernetes.io/config.mirror'

export function nodeRow(object: V1Node): Converted<Node> {
  const node = Field.of(describeObject('Node', object), object)
  const metadata = node.get('metadata')
  const addresses = node.get('status').get('addresses')
  const taints = node.get('spec').get('taints').items()
  const isDoomed = taints.some((taint) => taint.get('key').text('') === TO_BE_DELETED)
  const internal = addresses.items().filter((item) => item.get('type').text('') === 'InternalIP')
  return {
    row: {
      name: readName(metadata),
      addresses: unique(internal.map((item) => item.get('address').address())),
      podCidrs: readPodCidrs(node.get('spec')),
      labels: metadata.get('labels').labels(),
      leaving: isDoomed || !metadata.get('deletionTimestamp').absent,
    },
  }
}

function readPodCidrs(spec: Field<V1Node['spec']>): readonly Prefix[] {
  const podCidrs = spec.get('podCIDRs').items()
  if (podCidrs.length > 0) return unique(podCidrs.map((item) => item.prefix()))
  const podCidr = spec.get('podCIDR')
  return podCidr.absent || podCidr.value === '' ? [] : [podCidr.prefix()]
}

export function namespaceRow(object: V1Namespace): Converted<Namespace> {
  const metadata = Field.of(describeObject('Namespace', object), object).get('metadata')
  const name = readName(metadata)
  const labels = metadata.get('labels').labels()
  return {
    row: {
      name,
      // The API server puts it there; a manifest may lack it.
      labels: { ...labels, [NAMESPACE_NAME]: name },
      policyAudit: annotationOf(metadata, POLICY_AUDIT) === 'true',
    },
  }
}

function annotationOf(metadata: Field<V1ObjectMeta | undefined>, name: string): string | undefined {
  return ((metadata.value ?? {}) as V1ObjectMeta).annotations?.[name]
}

/** A pod that has ended gives its addresses back, though its status still shows them. */
export function podRow(object: V1Pod): Converted<Pod> {
  const pod = Field.of(describeObject('Pod', object), object)
  const metadata = pod.get('metadata')
  const spec = pod.get('spec')
  const status = pod.get('status')
  const ended = ['Succeeded', 'Failed'].includes(status.get('phase').text(''))
  return {
    row: {
      namespace: readNamespace(metadata),
      name: readName(metadata),
      uid: annotationOf(metadata, STATIC_POD_UID) ?? metadata.get('uid').text(''),
      nodeName: spec.get('nodeName').text(''),
      hostNetwork: spec.get('hostNetwork').flag(false),
      addresses: ended ? [] : readPodAddresses(status),
      labels: metadata.get('labels').labels(),
      ports: readNamedPorts(spec),
    },
  }
}

/** Init containers count when they go on beside the others. */
function readNamedPorts(spec: Field<V1Pod['spec']>): readonly NamedPort[] {
  const sidecars = spec
    .get('initContainers')
    .items()
    .filter((item) => item.get('restartPolicy').value === 'Always')
  return [...spec.get('containers').items(), ...sidecars].flatMap((item) =>
    (item as Field<V1Container>)
      .get('ports')
      .items()
      .filter((port) => port.get('name').text('') !== '')
      .map((port) => ({
        name: port.get('name').text(),
        protocol: port.get('protocol').protocol(),
        port: port.get('containerPort').port(),
      })),
  )
}

function readPodAddresses(status: Field<V1Pod['status']>): readonly Address[] {
  const podIps = status.get('podIPs').items()
  if (podIps.length > 0) return unique(podIps.map((item) => item.get('ip').address()))
  const podIp = status.get('podIP')
  return podIp.absent || podIp.value === '' ? [] : [podIp.address()]
}
