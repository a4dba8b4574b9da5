// What was asked: rows written by kube/ (the cluster's wishes) and cni/ (the runtime's).
import type { Address } from '../net/address.ts'
import type { Mac } from '../net/mac.ts'
import type { Prefix } from '../net/prefix.ts'
import type { Protocol } from '../net/protocol.ts'

/** A cluster node. `addresses` are its InternalIPs, at most one per family matters. */
export interface Node {
  readonly name: string
  readonly addresses: readonly Address[]
  readonly podCidrs: readonly Prefix[]
  readonly labels: Readonly<Record<string, string>>
}

export interface Namespace {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

/**
 * A pod anywhere in the cluster; `addresses` as in status.podIPs, empty until known and after its
 * end.
 */
export interface Pod {
  readonly namespace: string
  readonly name: string
  readonly nodeName: string
  readonly hostNetwork: boolean
  readonly addresses: readonly Address[]
  readonly labels: Readonly<Record<string, string>>
}

export interface ServicePort {
  /** '' when the Service has one unnamed port. */
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
}

/** A Service that has addresses of its own (headless and ExternalName ones have none). */
export interface Service {
  readonly namespace: string
  readonly name: string
  readonly clusterIps: readonly Address[]
  readonly ports: readonly ServicePort[]
}

export interface SliceEndpoint {
  readonly address: Address
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  readonly nodeName?: string
  readonly zone?: string
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
