// Parts of policies in words, for people who read them back.
import { protocolName } from '../net/protocol.ts'
import {
  IDENTITY,
  type PolicyEntry,
  type PolicyPeer,
  type PolicyPort,
  type Selector,
} from '../tables/policy.ts'
import type { IdentityHolders } from './identity-view.ts'

/** "app=web, tier in (a, b), !old", or "all". */
export function formatSelector(selector: Selector): string {
  if (selector.length === 0) return 'all'
  return selector
    .map(({ key, operator, values = [] }) => {
      if (operator === 'Exists') return key
      if (operator === 'DoesNotExist') return `!${key}`
      const isOne = values.length === 1
      if (operator === 'In')
        return isOne ? `${key}=${values[0]}` : `${key} in (${values.join(', ')})`
      return isOne ? `${key}!=${values[0]}` : `${key} not in (${values.join(', ')})`
    })
    .join(', ')
}

export function formatPeer(peer: PolicyPeer): string {
  if (peer.kind === 'block') {
    return `${peer.prefix}${peer.except.length > 0 ? ` but ${peer.except.join(', ')}` : ''}`
  }
  if (peer.kind === 'nodes') return `nodes (${formatSelector(peer.nodes)})`
  const namespaces = peer.namespaces ? ` of namespaces (${formatSelector(peer.namespaces)})` : ''
  return `pods (${formatSelector(peer.pods)})${namespaces}`
}

export function formatPort({ protocol, port, endPort }: PolicyPort): string {
  const words = protocol ?? 'any'
  if (port === undefined) return words
  return `${words} ${port}${endPort === undefined ? '' : `-${endPort}`}`
}

const GROUPS: ReadonlyMap<number, string> = new Map([
  [IDENTITY.any, 'everybody'],
  [IDENTITY.unknownPod, 'pods that are not known yet'],
  [IDENTITY.host, 'this node'],
  [IDENTITY.world, 'the world'],
  [IDENTITY.nodes, 'other nodes'],
  [IDENTITY.pods4, 'all pods by IPv4'],
  [IDENTITY.pods6, 'all pods by IPv6'],
])

/** Whom an entry means, as people know him. */
export function whoIs(identity: number, names: ReadonlyMap<number, string>): string {
  return GROUPS.get(identity) ?? names.get(identity) ?? `identity ${identity}`
}

/** "TCP 8080", "UDP 32000-32255 denied", "SCTP", "all". */
export function formatEntry({ protocol, port, portBits, verdict }: PolicyEntry): string {
  const denied = verdict === 'deny' ? ' denied' : ''
  if (protocol === 0) return `all${denied}`
  const name = protocolName(protocol)
  if (portBits === 0) return `${name}${denied}`
  const last = port + 2 ** (16 - portBits) - 1
  return `${name} ${last === port ? port : `${port}-${last}`}${denied}`
}

/** The first pods of each identity, or its prefix. */
export function identityNames(holders: readonly IdentityHolders[]): Map<number, string> {
  return new Map(
    holders.map(({ identity, kind, pods, addresses }) => {
      const all = kind === 'pods' ? pods : addresses
      const more = all.length > 3 ? ` and ${all.length - 3} more` : ''
      return [identity, `${all.slice(0, 3).join(', ')}${more}`]
    }),
  )
}
