// What of UDP ends when the endpoints of a Service change, from its slice to what is asked of the
// kernel; TCP ends by itself.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serviceFrontends } from '../../../src/control/service-frontends.ts'
import { SERVICE_DEFAULTS } from '../../../src/control/settings.ts'
import { siteOf } from '../../../src/control/site.ts'
import type * as layout from '../../../src/datapath/layout.gen.ts'
import { Services } from '../../../src/datapath/services.ts'
import type { Protocol } from '../../../src/net/protocol.ts'
import type { SliceEndpoint } from '../../../src/tables/intent.ts'
import { MemoryMap } from '../../support/memory-map.ts'
import { makeEndpoint, makeNode, makePort, makeService } from '../../support/service-rows.ts'

const UNREADY = { ready: false, serving: false }
const LEAVING = { ready: false, serving: true, terminating: true }
const a = (more: Partial<SliceEndpoint> = {}) => makeEndpoint('10.0.1.1', more)
const b = (more: Partial<SliceEndpoint> = {}) => makeEndpoint('10.0.1.2', more)

function makeMaps() {
  return {
    services: new MemoryMap<layout.ServiceKey, layout.Service>('services'),
    backends: new MemoryMap<layout.BackendKey, layout.Backend>('backends'),
    sourceRanges: new MemoryMap<layout.SourceRangeKey, number>('source_ranges'),
  }
}

/** An agent on these maps: `becomes` answers what ends once the Service has these endpoints. */
function startAgent(
  maps = makeMaps(),
  protocol: Protocol = 'UDP',
  inUse: readonly SliceEndpoint[] = [],
) {
  const said: string[] = []
  const operations = new Services(maps, {
    graceMs: 5,
    endFlows: (ended) => {
      for (const { serviceId, address, port } of ended) {
        said.push(`flows ${serviceId} ${address}:${port}`)
      }
    },
    endSockets: (present) => {
      for (const [frontend, names] of present) {
        said.push(`sockets ${frontend} but ${[...names].join(' ')}`)
      }
    },
    inUse: async () => inUse.map(({ address }) => ({ serviceId: 1, address, port: 53 })),
  })
  operations.restore()
  const site = siteOf(makeNode('n1'), {
    ...{ nodeName: 'n1', routing: 'auto', onLinkPrefixes: [], services: SERVICE_DEFAULTS },
  })
  const derive = (endpoints: readonly SliceEndpoint[]) => {
    const ports = [{ name: '', protocol, port: 53 }]
    const slice = { namespace: 'default', name: 'web-1', service: 'web', ports, endpoints }
    const service = makeService({ ports: [makePort({ protocol })] })
    return serviceFrontends(service, [slice], { site, settings: SERVICE_DEFAULTS })
  }
  const becomes = async (...endpoints: SliceEndpoint[]): Promise<string[]> => {
    assert.equal((await operations.update(derive(endpoints))).size, 0)
    return said.splice(0)
  }
  const prune = async (...endpoints: SliceEndpoint[]): Promise<string[]> => {
    await operations.prune(derive(endpoints))
    return said.splice(0)
  }
  return { becomes, prune, operations, derive, said }
}

const MOVED = 'flows 1 10.0.1.1:53'

test('flows that went past a new frontend end, and past one that goes', async () => {
  const { becomes, operations, derive, said } = startAgent()
  assert.deepEqual(await becomes(a(), b()), ['flows 0 10.96.0.1:80'])
  await operations.delete(derive([a(), b()]))
  assert.deepEqual(said, ['flows 0 10.96.0.1:80'])
})

test('an endpoint that goes loses its flows and its sockets', async () => {
  const { becomes } = startAgent()
  await becomes(a(), b())
  assert.deepEqual(await becomes(b()), [MOVED, 'sockets 10.96.0.1:80/UDP but 10.0.1.2:53'])
})

test('an endpoint that is not ready for a while loses its flows, not its sockets', async () => {
  const { becomes } = startAgent()
  await becomes(a(), b())
  assert.deepEqual(await becomes(a(UNREADY), b()), [MOVED])
  assert.deepEqual(await becomes(a(), b()), [])
  await becomes(a(UNREADY), b())
  assert.deepEqual(await becomes(b()), ['sockets 10.96.0.1:80/UDP but 10.0.1.2:53'])
})

test('what serves on keeps its flows: terminating, or meant for others by a hint', async () => {
  const { becomes } = startAgent()
  await becomes(a(), b())
  assert.deepEqual(await becomes(a(LEAVING), b()), [])
  assert.deepEqual(await becomes(a({ hintedNodes: ['n2'] }), b({ hintedNodes: ['n1'] })), [])
  assert.deepEqual(await becomes(a(UNREADY), b()), [MOVED])
})

test('while nobody serves all stays, until somebody does', async () => {
  const { becomes } = startAgent()
  await becomes(a())
  assert.deepEqual(await becomes(), [])
  assert.deepEqual(await becomes(a(UNREADY)), [])
  assert.deepEqual(await becomes(b()), [MOVED, 'sockets 10.96.0.1:80/UDP but 10.0.1.2:53'])
})

test('an agent that starts anew ends what went meanwhile, nothing for a bad moment', async () => {
  const maps = makeMaps()
  await startAgent(maps).becomes(a(), b())
  assert.deepEqual(await startAgent(maps).becomes(a(), b()), [])
  assert.deepEqual(await startAgent(maps).becomes(a(UNREADY), b()), [MOVED])
  const { becomes, prune } = startAgent(maps)
  assert.deepEqual(await becomes(b()), [])
  assert.deepEqual(await prune(b()), ['sockets 10.96.0.1:80/UDP but 10.0.1.2:53'])
})

test('an agent that starts anew ends flows with what was in no set any more', async () => {
  const maps = makeMaps()
  await startAgent(maps).becomes(a(LEAVING), b())
  const { becomes, prune } = startAgent(maps, 'UDP', [a(), b(), makeEndpoint('fd00::1')])
  assert.deepEqual(await becomes(a(UNREADY), b()), [])
  assert.deepEqual((await prune(a(UNREADY), b()))[1], MOVED)
  assert.deepEqual((await prune(a(UNREADY), b()))[1], undefined, 'asked once')
  for (const endpoints of [[a(LEAVING), b()], [a(UNREADY)]]) {
    const anew = startAgent(maps, 'UDP', [a(), b()])
    await anew.becomes(...endpoints)
    assert.ok(!(await anew.prune(...endpoints)).includes(MOVED))
  }
})

test('flows past a frontend that is forwarded otherwise now end, not its sockets', async () => {
  const { operations, derive, said } = startAgent()
  const forwarded = (forwarding: 'snat' | 'dsr') =>
    operations.update(derive([a(), b()]).map((row) => ({ ...row, forwarding })))
  await forwarded('snat')
  said.splice(0)
  await forwarded('dsr')
  await forwarded('dsr')
  assert.deepEqual(said, ['flows 0 10.96.0.1:80'])
})

test('TCP is left alone', async () => {
  const { becomes, prune } = startAgent(makeMaps(), 'TCP')
  await becomes(a(), b())
  assert.deepEqual(await becomes(b()), [])
  assert.deepEqual(await prune(b()), [])
})
