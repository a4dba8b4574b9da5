// Parts of policies in words, for people who read them back.
import type { PolicyPeer, PolicyPort, Selector } from '../tables/policy.ts'

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
