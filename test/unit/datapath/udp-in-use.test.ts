// Whom UDP flows are with, as the flow table has it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as layout from '../../../src/datapath/layout.gen.ts'
import { udpInUse } from '../../../src/datapath/udp-in-use.ts'
import { parseAddress } from '../../../src/net/address.ts'
import { MemoryMap } from '../../support/memory-map.ts'

const client = parseAddress('10.0.1.9')
const frontend = parseAddress('10.96.0.1')
const a = parseAddress('10.0.1.1')
const b = parseAddress('10.0.1.2')
const UDP = 17

const tuple = (destination: string, sourcePort: number, protocol = UDP): layout.Tuple => ({
  ...{ source: client, destination: parseAddress(destination) },
  ...{ sourcePort, destinationPort: 53, protocol },
})

const flow = (to: string, more: Partial<layout.Flow> = {}): layout.Flow => ({
  ...layout.maps.flows.value.fromBytes(new Uint8Array(layout.maps.flows.value.size)),
  ...{ out: { ...tuple(to, 1), destinationPort: 5353 }, serviceId: 7 },
  ...more,
})

test('each endpoint of each service port is named once, from both tables', async () => {
  const flows = new MemoryMap<layout.Tuple, layout.Flow>('flows')
  const embryos = new MemoryMap<layout.Tuple, layout.Flow>('embryos')
  flows.updateMany([
    [tuple(frontend, 1), flow(a)],
    [tuple(frontend, 2), flow(a)],
    [tuple(frontend, 3), flow(a, { serviceId: 8 })],
    // By no Service, the way back, and TCP.
    [tuple(b, 4), flow(b, { serviceId: 0 })],
    [tuple(client, 5), flow(client, { flags: layout.FlowFlags.REVERSE })],
    [tuple(frontend, 6, 6), flow(b)],
  ])
  embryos.updateMany([[tuple(frontend, 7), flow(b)]])
  assert.deepEqual(await udpInUse([flows, embryos]), [
    { serviceId: 7, address: a, port: 5353 },
    { serviceId: 8, address: a, port: 5353 },
    { serviceId: 7, address: b, port: 5353 },
  ])
})
