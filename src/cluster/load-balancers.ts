// What a cloud does for Services of type LoadBalancer, in miniature: it gives each an address of a
// range that is routed to the cluster, writes it into the status, and lets the underlay's router
// spread it over the nodes that may take it: all of them, or with externalTrafficPolicy Local those
// whose health check answers. Runs while Kubernetes' tests do.
import { setTimeout as sleep } from 'node:timers/promises'
import { type ApiClient, apiClient } from './api-client.ts'
import { inNetworkOf, runInside } from './daemons.ts'
import type { ClusterRecord, NodeRecord } from './record.ts'
import { LOAD_BALANCERS } from './spec.ts'

/** What is read of a Service. */
export interface LoadBalanced {
  readonly metadata: {
    readonly namespace: string
    readonly name: string
    readonly uid: string
    readonly finalizers?: readonly string[]
    readonly deletionTimestamp?: string
  }
  readonly spec: {
    readonly type: string
    readonly loadBalancerClass?: string
    readonly ipFamilies?: readonly ('IPv4' | 'IPv6')[]
    readonly externalTrafficPolicy?: string
    readonly sessionAffinity?: string
    readonly healthCheckNodePort?: number
  }
  readonly status: {
    readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] }
  }
}

/** What has to be done for one Service. */
export interface BalancerStep {
  readonly addresses: readonly string[]
  readonly finalizers?: readonly string[]
  readonly ingress?: readonly { readonly ip: string; readonly ipMode: 'VIP' }[]
}

const FINALIZER = 'service.kubernetes.io/load-balancer-cleanup'
const EVERY_MS = 500
const LOOK_MS = 1000

/** Addresses by the Service's uid; an address is free again when its Service is gone. */
export class AddressPool {
  readonly #numbers = new Map<string, number>()

  /** The address of the family for this Service; the same every time. */
  give(uid: string, family: 'IPv4' | 'IPv6'): string {
    const known = this.#numbers.get(uid)
    const number = known ?? this.#free()
    this.#numbers.set(uid, number)
    const { prefixes } = LOAD_BALANCERS
    return family === 'IPv4' ? `${prefixes[0]}${number}` : `${prefixes[1]}${number.toString(16)}`
  }

  keepOnly(uids: ReadonlySet<string>): void {
    for (const uid of this.#numbers.keys()) if (!uids.has(uid)) this.#numbers.delete(uid)
  }

  #free(): number {
    const taken = new Set(this.#numbers.values())
    for (let number = 1; number < 255; number++) if (!taken.has(number)) return number
    throw new Error('Cannot give an address to a load balancer: all 254 are taken')
  }
}

/** What the Service needs now, from what it is. Pure but for the pool. */
export function stepFor(service: LoadBalanced, pool: AddressPool): BalancerStep {
  const { metadata, spec, status } = service
  const finalizers = metadata.finalizers ?? []
  const wanted =
    spec.type === 'LoadBalancer' && !spec.loadBalancerClass && !metadata.deletionTimestamp
  const addresses = wanted
    ? (spec.ipFamilies ?? []).map((family) => pool.give(metadata.uid, family))
    : []
  const shown = (status.loadBalancer?.ingress ?? []).map(({ ip }) => ip)
  const others = finalizers.filter((each) => each !== FINALIZER)
  const ours = others.length !== finalizers.length
  return {
    addresses,
    ...(wanted === ours ? {} : { finalizers: wanted ? [...others, FINALIZER] : others }),
    ...((wanted || ours) && shown.join() !== addresses.join()
      ? { ingress: addresses.map((ip) => ({ ip, ipMode: 'VIP' as const })) }
      : {}),
  }
}

/** Works until the signal; a failure is tried again at the next round. */
export async function balanceLoad(record: ClusterRecord, signal: AbortSignal): Promise<void> {
  const client = apiClient()
  const pool = new AddressPool()
  const routes = new Map<string, string>()
  while (!signal.aborted) {
    await balanceOnce(record, client, pool, routes).catch((error: Error) => {
      console.error(`load balancers: ${error.message}`)
    })
    await sleep(EVERY_MS, undefined, { signal }).catch(() => {})
  }
  client.close()
}

async function balanceOnce(
  record: ClusterRecord,
  client: ApiClient,
  pool: AddressPool,
  routes: Map<string, string>,
): Promise<void> {
  const { items } = await client.get<{ items: LoadBalanced[] }>('/api/v1/services')
  pool.keepOnly(new Set(items.map(({ metadata }) => metadata.uid)))
  const wanted = new Map<string, string>()
  for (const service of items) {
    const step = stepFor(service, pool)
    await applyStep(client, service, step)
    if (step.addresses.length === 0) continue
    const nodes = await nodesFor(service, record.nodes)
    for (const address of step.addresses) wanted.set(address, routeTo(address, nodes))
  }
  const commands = [...wanted].filter(([address, route]) => routes.get(address) !== route)
  const gone = [...routes.keys()].filter((address) => !wanted.has(address))
  const lines = [...commands.map(([, route]) => route), ...gone.map((each) => `del ${each}`)]
  for (const line of lines) {
    const family = line.includes(':') ? '-6' : '-4'
    await runInside(inNetworkOf(record.fabric), ['ip', family, 'route', ...line.split(' ')])
  }
  routes.clear()
  for (const [address, route] of wanted) routes.set(address, route)
}

/** The finalizer first, so that an address is never given without being taken back. */
async function applyStep(client: ApiClient, service: LoadBalanced, step: BalancerStep) {
  const { namespace, name } = service.metadata
  const path = `/api/v1/namespaces/${namespace}/services/${name}`
  const gone = service.metadata.deletionTimestamp !== undefined
  const { finalizers, ingress } = step
  if (finalizers && step.addresses.length > 0)
    await client.patch(path, { metadata: { finalizers } })
  if (ingress && !gone) {
    await client.patch(`${path}/status`, { status: { loadBalancer: { ingress } } })
  }
  if (finalizers && step.addresses.length === 0) {
    await client.patch(path, { metadata: { finalizers } })
  }
}

/** Those that a cloud would send to: with affinity a client stays at one node. */
async function nodesFor(
  service: LoadBalanced,
  nodes: readonly NodeRecord[],
): Promise<readonly NodeRecord[]> {
  const healthy = await healthyNodes(service, nodes)
  return service.spec.sessionAffinity === 'ClientIP' ? healthy.slice(0, 1) : healthy
}

async function healthyNodes(
  { spec }: LoadBalanced,
  nodes: readonly NodeRecord[],
): Promise<readonly NodeRecord[]> {
  const port = spec.externalTrafficPolicy === 'Local' ? spec.healthCheckNodePort : undefined
  if (!port) return nodes
  const healthy = await Promise.all(
    nodes.map(async ({ addresses }) => {
      const signal = AbortSignal.timeout(LOOK_MS)
      const look = fetch(`http://${addresses[0]}:${port}/healthz`, { signal })
      return (await look.catch(() => undefined))?.ok ?? false
    }),
  )
  return nodes.filter((_, index) => healthy[index])
}

/** Arguments of `ip route`. Nobody to send to: the router says so. Pure. */
export function routeTo(address: string, nodes: readonly Pick<NodeRecord, 'addresses'>[]): string {
  if (nodes.length === 0) return `replace unreachable ${address}`
  const family = address.includes(':') ? 1 : 0
  const hops = nodes.map(({ addresses }) => `nexthop via ${addresses[family]}`)
  return `replace ${address} ${hops.join(' ')}`
}
