// What the connectivity suite knows of a cluster. The lab implements it; a cluster behind a
// kubeconfig can too, for then `exec` is an exec into a pod that carries weir-pod.
import type { Address, Family } from '../net/address.ts'
import type { Prefix } from '../net/prefix.ts'
import type { PodPort } from './record.ts'
import type { Finished } from './run.ts'
import type { AgentSettings } from './spec.ts'

export interface ClusterNode {
  readonly name: string
  readonly addresses: readonly Address[]
  readonly podCidrs: readonly Prefix[]
  /** Behind a router, as seen from the other nodes. */
  readonly offLink: boolean
}

export interface ClusterPod {
  readonly namespace: string
  readonly name: string
  readonly node: string
  readonly hostNetwork: boolean
  readonly addresses: readonly Address[]
  readonly labels: Readonly<Record<string, string>>
  readonly ports: readonly PodPort[]
}

export interface ClusterService {
  readonly namespace: string
  readonly name: string
  readonly clusterIps: readonly Address[]
  readonly ports: readonly {
    readonly port: number
    readonly protocol: 'TCP' | 'UDP'
    readonly nodePort?: number
  }[]
  /** Pods that serve it, by name. */
  readonly backends: readonly string[]
}

/** A program at work inside a pod; its first line of output has been seen. */
export interface Stream {
  /** Asks it to end and resolves with all it said. */
  stop(): Promise<Finished>
}

/** Where a program runs: a pod by "namespace/name", a node by name, or the outside host. */
export type Where =
  | { readonly pod: string }
  | { readonly node: string }
  | { readonly outside: true }

export interface Cluster {
  readonly name: string
  readonly families: readonly Family[]
  nodes(): readonly ClusterNode[]
  pods(): readonly ClusterPod[]
  services(): readonly ClusterService[]
  /** A host that is no node and answers on TCP and UDP; absent where there is none. */
  readonly outside?: { readonly addresses: readonly Address[]; readonly port: number }
  /** Applies Kubernetes objects and resolves once their pods run and every node knows them. */
  apply(objects: readonly object[]): Promise<void>
  remove(objects: readonly object[]): Promise<void>
  /** Runs weir-pod with these arguments to its end. */
  run(where: Where, args: readonly string[]): Promise<Finished>
  start(where: Where, args: readonly string[]): Promise<Stream>
  /** A page of the agent's API: "/v1/status". */
  api(node: string, path: string): Promise<unknown>
  /** The agent's metrics in Prometheus' text format. */
  metrics(node: string): Promise<string>
  /** What only a lab may do to its nodes. */
  readonly powers?: LabPowers
}

export interface LabPowers {
  readonly settings: AgentSettings
  /** Starts all agents again with other settings; resolves once they are ready and agree. */
  reconfigure(settings: AgentSettings): Promise<void>
  /** kill -9. */
  killAgents(nodes: readonly string[]): Promise<void>
  /** Resolves once they are ready and agree with the cluster. */
  startAgents(nodes: readonly string[]): Promise<void>
  /** Sets the MTU of a pod's interface on both its ends. */
  setPodMtu(pod: string, mtu: number): Promise<void>
  /** Names of the interfaces of a node. */
  interfaces(node: string): Promise<string[]>
}
