// `weir service explain`: what becomes of a new connection to an address and port, and why. Pure,
// from rows and from what the maps hold.
import { addressFamily, parseAddress } from '../net/address.ts'
import { prefixContains } from '../net/prefix.ts'
import type { ActualFrontend } from '../tables/actual.ts'
import type { Frontend } from '../tables/desired.ts'
import { frontendKey, type Tables } from '../tables/tables.ts'
import { describeAnswer } from './service-answer.ts'
import { type Client, EVERYBODY, findClient } from './service-client.ts'
import { type ServiceView, serviceViews } from './service-view.ts'

export interface ExplainSources {
  readonly tables: Tables
  readonly actual: readonly ActualFrontend[]
  readonly nodeName: string
  /** Services are translated at the socket. */
  readonly socketServices: boolean
}

export interface Explanation {
  /** "10.96.0.10:80/TCP", or what was asked for when there is none. */
  readonly frontend: string
  /** Nothing answers there, in one sentence. */
  readonly problem?: string
  /** Topic and text, in the order of reading. */
  readonly lines: readonly (readonly [topic: string, text: string])[]
}

/** `question` is "VIP:PORT", "VIP:PORT/PROTOCOL", either with " from CLIENT" behind. */
export function explainService(question: string, sources: ExplainSources): Explanation[] {
  const [asked = '', from] = question.split(' from ')
  const problem = (text: string): Explanation[] => [{ frontend: asked, problem: text, lines: [] }]
  const client = from === undefined ? undefined : findClient(from, sources.tables, sources.nodeName)
  if (from !== undefined && !client) {
    return problem(
      `Cannot find client "${from}": give NAMESPACE/POD of a pod, an address, node or outside`,
    )
  }
  const place = parsePlace(asked)
  if (!place)
    return problem(`Cannot explain "${asked}": give ADDRESS:PORT or ADDRESS:PORT/PROTOCOL`)
  const rows = place.protocols.flatMap((protocol) => {
    return sources.tables.frontends.get(frontendKey({ ...place, protocol })) ?? []
  })
  if (rows.length === 0) return problem(whyNothing(place, sources))
  return rows.map((row) => explainFrontend(row, client ? [client] : EVERYBODY, sources))
}

interface Place {
  readonly address: Frontend['address']
  readonly port: number
  readonly protocols: readonly Frontend['protocol'][]
}

function parsePlace(text: string): Place | undefined {
  const [, bracketed, plain, port, protocol] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})(?:\/(tcp|udp))?$/i.exec(text) ?? []
  try {
    const address = parseAddress(bracketed ?? plain ?? '')
    const upper = protocol?.toUpperCase() as 'TCP' | 'UDP' | undefined
    return { address, port: Number(port), protocols: upper ? [upper] : ['TCP', 'UDP'] }
  } catch {
    return undefined
  }
}

function whyNothing({ address, port }: Place, { tables }: ExplainSources): string {
  const there = [...tables.frontends.entries()].filter(({ row }) => row.address === address)
  const others = there.map(({ row }) => `${row.port}/${row.protocol}`)
  if (others.length > 0) {
    const owner = there[0]?.row.service
    return `Nothing answers port ${port} of ${address}: ${owner} has ${others.join(', ')} there`
  }
  for (const { name, prefixes } of tables.serviceCidrs.rows()) {
    if (!prefixes.some((prefix) => prefixContains(prefix, address))) continue
    return (
      `No Service has ${address}, which is in the Service range ${name}: ` +
      'pods are refused (no_endpoint)'
    )
  }
  return `No Service has ${address}: packets go where the routes lead`
}

function explainFrontend(
  row: Frontend,
  clients: readonly Client[],
  sources: ExplainSources,
): Explanation {
  const key = frontendKey(row)
  const view = viewOf(row, sources)
  const port = row.portName === '' ? '' : `, port ${row.portName}`
  const whose = row.kind === 'HostPort' ? `pod ${row.service}` : `Service ${row.service}`
  const lines: (readonly [string, string])[] = [
    ['frontend', `${key}: ${row.kind} of ${whose}${port}`],
  ]
  for (const client of clients) {
    lines.push(['client', client.text])
    const other = client.addresses.find(
      (address) => addressFamily(address) === addressFamily(row.address),
    )
    if (client.addresses.length > 0 && other === undefined) {
      lines.push(['', `has no IPv${addressFamily(row.address)} address: it cannot ask`])
      continue
    }
    lines.push(...describeAnswer(row, view, client, sources.socketServices))
  }
  lines.push(['status', view.error ? `${view.status}: ${view.error}` : (view.status ?? '')])
  const drift = view.drift === 'ok' ? ['the maps hold this'] : [view.drift, ...view.differences]
  lines.push(['kernel', drift.join('\n')])
  return { frontend: key, lines }
}

/** The view of this frontend alone: its Service's slices, its own row and entry. */
function viewOf(row: Frontend, { tables, actual, nodeName }: ExplainSources): ServiceView {
  const key = frontendKey(row)
  const entry = tables.frontends.entry(key)
  const frontends = { entries: () => (entry ? [entry] : [])[Symbol.iterator]() }
  const held = actual.filter((each) => frontendKey(each) === key)
  const [view] = serviceViews({ ...tables, frontends }, held, { nodeName, wanted: key })
  if (!view) throw new Error(`Cannot explain ${key}: its row is gone`)
  return view
}
