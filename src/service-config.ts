// The settings of Services and of masquerading: where they are served, and how.
import type { Listen, SettingTexts } from './setting-texts.ts'
import type { Balancing, Forwarding, NodePortAddresses } from './tables/services.ts'

export interface ServiceConfig {
  /** Unless the Service says otherwise. */
  readonly balancing: Balancing
  readonly forwarding: Forwarding
  /** Room for addresses and ports of Services, and for their endpoints; absent: as compiled. */
  readonly maxFrontends?: number
  readonly maxBackends?: number
  /** Slots of a Maglev table: a prime. */
  readonly maglevSize: number
  readonly xdp: 'auto' | 'native' | 'generic' | 'off'
  readonly nodePortAddresses: NodePortAddresses
  /** NodePorts on 127.0.0.1 and ::1 too. */
  readonly nodePortLocalhost: boolean
  /** Serve spec.externalIPs. */
  readonly externalIps: boolean
  /** Pods leave the cluster with the node's address. */
  readonly masquerade: boolean
  /** A file as ip-masq-agent reads it: what is not masqueraded. */
  readonly masqueradeConfig?: string
  /** Ports that masqueraded connections get on the node. */
  readonly masqueradePorts: { readonly first: number; readonly last: number }
  /** Where load balancers ask for /healthz and /livez. */
  readonly healthz: Listen
}

export function readServiceConfig(texts: SettingTexts): ServiceConfig {
  const maglevSize = texts.integer('maglev-size', 3, 131_071) ?? 3
  if (!isPrime(maglevSize)) texts.wrong('maglev-size', 'must be a prime, as 251, 1021 or 16381')
  const maxFrontends = texts.integer('max-frontends', 256, 1 << 24)
  const maxBackends = texts.integer('max-backends', 1024, 1 << 26)
  const masqueradeConfig = texts.path('masquerade-config')
  return {
    balancing: texts.text('balancing') as Balancing,
    forwarding: texts.text('forwarding') as Forwarding,
    ...(maxFrontends === undefined ? {} : { maxFrontends }),
    ...(maxBackends === undefined ? {} : { maxBackends }),
    maglevSize,
    xdp: texts.text('xdp') as ServiceConfig['xdp'],
    nodePortAddresses: readNodePortAddresses(texts),
    nodePortLocalhost: texts.flag('nodeport-localhost'),
    externalIps: texts.flag('external-ips'),
    masquerade: texts.flag('masquerade'),
    ...(masqueradeConfig === undefined ? {} : { masqueradeConfig }),
    masqueradePorts: texts.ports('masquerade-ports'),
    healthz: texts.listen('healthz'),
  }
}

/** As kube-proxy: the word stands alone. */
function readNodePortAddresses(texts: SettingTexts): NodePortAddresses {
  if (texts.text('nodeport-addresses') === 'primary') return 'primary'
  return texts.prefixes('nodeport-addresses', 'must be primary, or prefixes')
}

function isPrime(number: number): boolean {
  for (let divisor = 2; divisor * divisor <= number; divisor++) {
    if (number % divisor === 0) return false
  }
  return number > 1
}
