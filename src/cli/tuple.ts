// Tuples of flows and events: their text, and the filters --from, --to and --protocol over them.
import { type Command, Option } from 'commander'
import { type Address, formatAddressPort, parseAddress } from '../net/address.ts'
import { hostPrefix, type Prefix, parsePrefix, prefixContains } from '../net/prefix.ts'
import { protocolName } from '../net/protocol.ts'
import type { FlowTuple } from '../tables/actual.ts'

export interface TupleFilter {
  readonly from?: string
  readonly to?: string
  readonly protocol?: string
}

export function addTupleFilters(command: Command): Command {
  return command
    .addOption(new Option('--from <address>', 'source address or CIDR'))
    .addOption(
      new Option('--to <address>', 'destination address or CIDR, before or after a Service'),
    )
    .addOption(new Option('--protocol <name>', 'TCP, UDP, ICMP, ICMPv6, or a number'))
}

/**
 * A predicate over the tuples of one record: --from and --to match any of them. Throws on bad
 * text.
 */
export function tupleMatcher(filter: TupleFilter): (...tuples: readonly FlowTuple[]) => boolean {
  const from = filter.from === undefined ? undefined : addressOrPrefix(filter.from)
  const to = filter.to === undefined ? undefined : addressOrPrefix(filter.to)
  const protocol = filter.protocol?.toLowerCase()
  return (...tuples) => {
    const within = (prefix: Prefix | undefined, of: (tuple: FlowTuple) => Address): boolean =>
      prefix === undefined || tuples.some((tuple) => prefixContains(prefix, of(tuple)))
    return (
      within(from, ({ source }) => source) &&
      within(to, ({ destination }) => destination) &&
      (protocol === undefined || tuples.some((tuple) => isProtocol(tuple, protocol)))
    )
  }
}

function addressOrPrefix(text: string): Prefix {
  return text.includes('/') ? parsePrefix(text) : hostPrefix(parseAddress(text))
}

function isProtocol({ protocol }: FlowTuple, wanted: string): boolean {
  return protocolName(protocol).toLowerCase() === wanted || String(protocol) === wanted
}

/** "10.0.0.1:1234"; the address alone where there is no port. */
export function formatSource({ source, sourcePort }: FlowTuple): string {
  return sourcePort === 0 ? source : formatAddressPort(source, sourcePort)
}

export function formatDestination({ destination, destinationPort }: FlowTuple): string {
  return destinationPort === 0 ? destination : formatAddressPort(destination, destinationPort)
}
