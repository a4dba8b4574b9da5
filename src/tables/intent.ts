// What was asked: rows written by kube/ (the cluster's wishes) and cni/ (the runtime's).
import type { Address } from '../net/address.ts'
import type { Mac } from '../net/mac.ts'
import type { Prefix } from '../net/prefix.ts'
import type { Protocol } from '../net/protocol.ts'
import type { Balancing, Forwarding } from './services.ts'

/** A cluster node. `addresses` are its InternalIPs, at most one per family matters. */
export interface Node {
  readonly name: string
  readonly addresses: readonly Address[]
  readonly podCidrs: readonly Prefix[]
  readonly labels: Readonly<Record<string, string>>
  /**
   * It is being deleted, or the cluster autoscaler has tainted it for that (KEP-3836): load
   * balancers are to send it nothing new.
   */
  readonly leaving: boolean
}

export interface Namespace {
  readonly name: string
  /** With kubernetes.io/metadata.name, always. */
  readonly labels: Readonly<Record<string, string>>
  /** Annotation weir.io/policy-audit: policies of its pods are reported and drop nothing. */
  readonly policyAudit: boolean
}

/** A port of a pod that has a name. */
export interface NamedPort {
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
}

/**
 * A pod anywhere in the cluster; `addresses` as in status.podIPs, empty until known and after its
 * end.
 */
export interface Pod {
  readonly namespace: string
  readonly name: string
  /** As the runtime is told it: of a static pod the kubelet's own, not that of its mirror. */
  readonly uid: string
  readonly nodeName: string
  readonly hostNetwork: boolean
  readonly addresses: readonly Address[]
  readonly labels: Readonly<Record<string, string>>
  /** Of its containers and its init containers that keep running; those with a name only. */
  readonly ports: readonly NamedPort[]
}

export interface ServicePort {
  /** '' when the Service has one unnamed port. */
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
  /** On every node; 0: none. */
  readonly nodePort: number
}

/** Cluster: every endpoint of the cluster. Local: those of the node that is asked. */
export type TrafficPolicy = 'Cluster' | 'Local'

/** A Service that has addresses of its own (headless and ExternalName ones have none). */
export interface Service {
  readonly namespace: string
  readonly name: string
  /** '' in manifests. */
  readonly uid: string
  readonly clusterIps: readonly Address[]
  readonly ports: readonly ServicePort[]
  readonly externalIps: readonly Address[]
  /** From status.loadBalancer.ingress, without those of ipMode Proxy. */
  readonly loadBalancerIps: readonly Address[]
  /** loadBalancerSourceRanges; empty: everybody may ask. */
  readonly sourceRanges: readonly Prefix[]
  readonly internalTrafficPolicy: TrafficPolicy
  /** Cluster too where the type knows none. */
  readonly externalTrafficPolicy: TrafficPolicy
  /** Seconds that a client keeps its endpoint; 0: sessionAffinity None. */
  readonly affinitySeconds: number
  /** 0: none. */
  readonly healthCheckNodePort: number
  /** Annotation weir.io/balancing; absent: as the agent is set. */
  readonly balancing?: Balancing
  /** Annotation weir.io/forwarding; absent: as the agent is set. */
  readonly forwarding?: Forwarding
}

/** A range of Service addresses: the ServiceCIDR object of Kubernetes. */
export interface ServiceCidr {
  readonly name: string
  readonly prefixes: readonly Prefix[]
}

export interface SliceEndpoint {
  readonly address: Address
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  /** '' when the slice does not say; so for the zone. */
  readonly nodeName: string
  readonly zone: string
  /** Zones and nodes that the endpoint is meant for; empty: no hint. */
  readonly hintedZones: readonly string[]
  readonly hintedNodes: readonly string[]
}

export interface EndpointSlice {
  readonly namespace: string
  readonly name: string
  /** From the label kubernetes.io/service-name. */
  readonly service: string
  readonly ports: readonly {
    readonly name: string
    readonly protocol: Protocol
    readonly port: number
  }[]
  readonly endpoints: readonly SliceEndpoint[]
  /** When the change happened that this is about, ms since the epoch; absent: not said. */
  readonly changedAt?: number
}

/** A port of the node that leads to one of the pod's, from the capability portMappings. */
export interface HostPort {
  readonly hostPort: number
  readonly containerPort: number
  readonly protocol: Protocol
  /** Absent: every address of the node, loopback included. */
  readonly hostIp?: Address
}

/** What the pod's traffic is held to; absent: not held. An absent burst follows from the rate. */
export interface Bandwidth {
  /** To the pod. */
  readonly ingressBitsPerSecond?: number
  readonly ingressBurstBits?: number
  /** From the pod. */
  readonly egressBitsPerSecond?: number
  readonly egressBurstBits?: number
}

/**
 * A local pod's attachment, asked for by CNI ADD; everything needed to build it again is in the
 * row.
 */
export interface Endpoint {
  /** Node-local number, 1..65535, never reused while the row lives; kept on disk. */
  readonly id: number
  readonly containerId: string
  /** Interface name inside the pod: "eth0". */
  readonly ifName: string
  /** Path of the pod's network namespace. */
  readonly netns: string
  readonly podNamespace: string
  readonly podName: string
  readonly podUid: string
  /** At most one per family; the primary family first. */
  readonly addresses: readonly Address[]
  /** MAC of the pod's interface. */
  readonly mac: Mac
  /** Name and MAC of the veth end on the host. */
  readonly hostIfName: string
  readonly hostMac: Mac
  readonly mtu: number
  /** CNI network name, and the version its results are given in. */
  readonly network: string
  /** Without duplicates; no two endpoints have one on the same address, port and protocol. */
  readonly hostPorts: readonly HostPort[]
  readonly bandwidth?: Bandwidth
}
