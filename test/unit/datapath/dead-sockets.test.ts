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

test('findDeadSockets() names those at endpoints that are not there, and no others', () => {
  const sockets = new SocketMap('sock_frontends')
  sockets.add(11n, 5353, { address: dns, port: 53 })
  sockets.add(12n, 5353, { address: web, port: 53 })
  sockets.add(13n, 5354, { address: dns, port: 53 })
  const find = (...names: string[]) => [
    ...findDeadSockets(sockets, new Map([['10.96.0.10:53/UDP', new Set(names)]])),
  ]
  assert.deepEqual(find('10.0.1.5:5354'), [11n])
  assert.deepEqual(find('10.0.1.5:5353', '10.0.1.5:5354'), [])
  assert.deepEqual(find('10.0.1.6:5353'), [11n, 13n])
})
