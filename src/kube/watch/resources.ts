// What is watched and where the API server has it: every kind that becomes rows. A kind that gets a
// table in kinds.ts is watched as soon as its path stands here.
import { KINDS, type Kind } from '../kinds.ts'

export interface Resource {
  readonly kind: Kind
  readonly path: string
  /** "pods", as in RBAC. */
  readonly plural: string
  /** What the server need not send, for nobody here serves it. */
  readonly labelSelector?: string
  /** Of a CustomResourceDefinition: JSON only. */
  readonly isCustom?: boolean
  /** Some servers do not know it, and that is no fault. */
  readonly mayBeAbsent?: boolean
}

interface Place {
  readonly path: string
  readonly labelSelector?: string
  readonly isCustom?: boolean
  readonly mayBeAbsent?: boolean
}

/** The same selectors as kube-proxy's; objects.ts passes over what gets through. */
const PLACES: Readonly<Record<string, Place>> = {
  Node: { path: '/api/v1/nodes' },
  Namespace: { path: '/api/v1/namespaces' },
  Pod: { path: '/api/v1/pods' },
  Service: {
    path: '/api/v1/services',
    labelSelector: '!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name',
  },
  EndpointSlice: {
    path: '/apis/discovery.k8s.io/v1/endpointslices',
    labelSelector: '!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name',
  },
  NetworkPolicy: { path: '/apis/networking.k8s.io/v1/networkpolicies' },
  ClusterNetworkPolicy: {
    path: '/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies',
    isCustom: true,
    mayBeAbsent: true,
  },
  // Of v1 since Kubernetes 1.33.
  ServiceCIDR: { path: '/apis/networking.k8s.io/v1/servicecidrs', mayBeAbsent: true },
}

export const RESOURCES: readonly Resource[] = KINDS.map((kind) => {
  const place = PLACES[kind.kind]
  if (!place) throw new Error(`Cannot watch ${kind.kind}: src/kube/watch/resources.ts has no path`)
  return { kind, plural: place.path.slice(place.path.lastIndexOf('/') + 1), ...place }
})
