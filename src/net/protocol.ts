// Transport protocols by their Kubernetes names and IANA numbers.

export type Protocol = 'TCP' | 'UDP' | 'SCTP'

const NUMBERS = { TCP: 6, UDP: 17, SCTP: 132 } as const

/** IANA protocol number, as in the IP header. */
export function protocolNumber(protocol: Protocol): number {
  return NUMBERS[protocol]
}

/** Name for an IANA number as people write it: "TCP", "ICMP" ... or the number itself. */
export function protocolName(number: number): string {
  const names: Record<number, string> = {
    1: 'ICMP',
    6: 'TCP',
    17: 'UDP',
    58: 'ICMPv6',
    132: 'SCTP',
  }
  return names[number] ?? String(number)
}
