// Which sockets were translated to a backend that is gone.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findDeadSockets } from '../../../src/datapath/dead-sockets.ts'
import type * as layout from '../../../src/datapath/layout.gen.ts'
import { parseAddress } from '../../../src/net/address.ts'
import { MemoryMap } from '../../support/memory-map.ts'

const [backend, dns, web] = ['10.0.1.5', '10.96.0.10', '10.96.0.11'].map(parseAddress)
assert.ok(backend && dns && web)

/** JSON knows no bigint, and the fake map's keys are JSON. */
class SocketMap extends MemoryMap<layout.SocketKey, layout.SocketFrontend> {
  readonly #held: [layout.SocketKey, layout.SocketFrontend][] = []

  add(cookie: bigint, port: number, frontend: layout.SocketFrontend): void {
    this.#held.push([{ cookie, address: backend as layout.SocketKey['address'], port }, frontend])
  }

  override entries() {
    return this.#held
  }
}

test('findDeadSockets() names those of the service port whose backend went, and no others', () => {
  const services = new MemoryMap<layout.ServiceKey, layout.Service>('services')
  const set = { id: 1, count: 1 }
  const value = { internal: set, external: set, affinitySeconds: 0, flags: 0 }
  services.updateMany([
    [
      { address: dns, port: 53, protocol: 17 },
      { id: 1, ...value },
    ],
    [
      { address: web, port: 53, protocol: 17 },
      { id: 2, ...value },
    ],
  ])
  const sockFrontends = new SocketMap('sock_frontends')
  sockFrontends.add(11n, 5353, { address: dns, port: 53 })
  sockFrontends.add(12n, 5353, { address: web, port: 53 })
  sockFrontends.add(13n, 5354, { address: dns, port: 53 })
  const maps = { services, sockFrontends }
  const gone = { serviceId: 1, address: backend, port: 5353 }
  assert.deepEqual([...findDeadSockets(maps, [gone])], [11n])
  assert.deepEqual([...findDeadSockets(maps, [{ ...gone, serviceId: 0 }])], [])
})
