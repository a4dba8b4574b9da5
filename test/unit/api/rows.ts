// Rows for the tests of this room: one wanted endpoint with its entries, and sources made of
// tables.
import { pino } from 'pino'
import type { AgentFacts } from '../../../src/api/facts.ts'
import type { ApiSources } from '../../../src/api/sources.ts'
import { type Address, parseAddress } from '../../../src/net/address.ts'
import { parseMac } from '../../../src/net/mac.ts'
import type { ActualEndpoint } from '../../../src/tables/actual.ts'
import type { Endpoint } from '../../../src/tables/intent.ts'
import { createTables } from '../../../src/tables/tables.ts'

export const address = (text: string): Address => parseAddress(text)

export function endpoint(changes: Partial<Endpoint> = {}): Endpoint {
  return {
    id: 7,
    containerId: 'c0ffee',
    ifName: 'eth0',
    netns: '/run/netns/weir-test',
    podNamespace: 'shop',
    podName: 'front',
    podUid: 'uid',
    addresses: [address('10.0.1.5'), address('fd00::5')],
    mac: parseMac('02:00:00:00:00:05'),
    hostIfName: 'weir0005',
    hostMac: parseMac('02:00:00:00:01:05'),
    mtu: 1450,
    network: 'weir',
    hostPorts: [],
    ...changes,
  }
}

export function actualEndpoint(at: string, changes: Partial<ActualEndpoint> = {}): ActualEndpoint {
  const { id, mac, hostMac, hostIfName, mtu } = endpoint()
  return { address: address(at), id, ifindex: 12, hostIfName, mac, hostMac, mtu, ...changes }
}

export const FACTS: AgentFacts = {
  version: '0.1.0',
  pid: 1,
  startedAtMs: 0,
  nodeName: 'node-a',
  addresses: ['192.0.2.1'],
  podCidrs: ['10.0.1.0/24'],
  gateways: ['10.0.1.1'],
  uplinks: ['eth0'],
  routing: 'auto',
  mtu: 1450,
  mtuDerivation: '1500 (eth0) - 50 (VXLAN)',
  socketServices: true,
  xdp: 'native on eth0',
  source: {
    ...{ kind: 'manifests', location: '/etc/weir', initialized: true, ageMs: 5 },
    ...{ errors: [], notes: [] },
  },
  problems: [],
}

/** Sources with nothing in them; tests replace what they look at. */
export function sources(changes: Partial<ApiSources> = {}): ApiSources {
  return {
    tables: createTables(),
    actual: {
      endpoints: () => [],
      frontends: () => [],
      destinations: () => [],
      routes: () => [],
      maps: () => [],
      packets: () => [],
      flows: () => undefined,
      identities: () => ({ addresses: new Map(), prefixes: new Map() }),
      podPolicies: () => new Map(),
    },
    facts: () => FACTS,
    handleCni: async () => ({ stdout: '', exitCode: 0 }),
    observeCni: () => {},
    subscribeEvents: () => () => {},
    log: pino({ level: 'silent' }),
    ...changes,
  }
}
