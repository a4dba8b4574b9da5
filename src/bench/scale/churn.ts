// Changes of EndpointSlices: a steady stream over all Services, and single ones whose way into the
// map is timed.
import { get } from 'node:https'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KernelMap } from '../../datapath/entry-map.ts'
import * as layout from '../../datapath/layout.gen.ts'
import type { NodeRecord } from '../../lab/record.ts'
import { openLibrary } from '../../libbpf/library.ts'
import { BpfMap } from '../../libbpf/map.ts'
import type { ApiClient } from './api-client.ts'
import { type Shape, serviceObject, sliceObject, sliceWanted, type Wanted } from './objects.ts'

export interface Churn {
  /** Changes that the API server took. */
  stop(): Promise<number>
}

/** Streams begun so far: a second one must not ask for what the first has left. */
let streams = 0

/** Changes one slice after another, each by an endpoint that is not ready and one that is again. */
export function startChurn({ ask }: ApiClient, shape: Shape, perSecond: number): Churn {
  const startedAt = performance.now()
  const offset = ++streams
  const failures: Error[] = []
  let sent = 0
  let taken = 0
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond)
    for (; sent < due; sent++) {
      const index = (sent * 37) % shape.services
      const unready = (Math.floor(sent / 37) + offset) % shape.endpointsPerService
      const { path, object } = sliceWanted(shape, index, { unready })
      ask('PUT', `${path}/${object.metadata.name}`, object).then(
        () => taken++,
        (error: Error) => failures.push(error),
      )
    }
  }, 10)
  return {
    stop: async () => {
      clearInterval(timer)
      await sleep(500)
      if (failures[0]) throw failures[0]
      return taken
    },
  }
}

/** A Service of the bench's own. */
const PROBE = { namespace: 'default', name: 'probe', address: '10.96.0.100' }
const PROBE_SLICES = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices'
/** Its slice is one of these two, in turn. */
const PROBE_ENDPOINTS = ['10.200.0.1', '10.200.0.2'].map((address) => ({
  addresses: [address],
  conditions: { ready: true, serving: true, terminating: false },
}))

export function probeObjects(): Wanted[] {
  const { namespace, name, address } = PROBE
  const service = serviceObject(namespace, name, address)
  return [
    { path: '/api/v1/namespaces/default/services', object: service },
    { path: PROBE_SLICES, object: probeSlice(0) },
  ]
}

function probeSlice(turn: number) {
  return sliceObject(PROBE.namespace, PROBE.name, PROBE_ENDPOINTS.slice(turn % 2, (turn % 2) + 1))
}

/**
 * Milliseconds from the moment that this process has the event on a watch of its own to the moment
 * that the map has the change, for each of `count` changes.
 */
export async function timeEvents(
  client: ApiClient,
  node: NodeRecord,
  count: number,
): Promise<number[]> {
  using map = BpfMap.openPinned(openLibrary(), join(node.bpfRoot, 'maps', 'services'))
  const key = probeKey(map)
  const read = () => Buffer.from(map.lookup(key) ?? []).toString('hex')
  const watch = await watchProbe(client)
  const times: number[] = []
  try {
    for (let turn = 1; turn <= count; turn++) {
      const before = read()
      let [seenAt, mapAt] = [0, 0]
      watch.onNext(() => {
        seenAt = performance.now()
      })
      const { path, name } = { path: PROBE_SLICES, name: probeSlice(turn).metadata.name }
      let failure: Error | undefined
      client.ask('PUT', `${path}/${name}`, probeSlice(turn)).catch((error: Error) => {
        failure = error
      })
      const until = performance.now() + 10_000
      // The map is looked at from the beginning: the answer may come later than the event.
      while (seenAt === 0 || mapAt === 0) {
        if (mapAt === 0 && read() !== before) mapAt = performance.now()
        if (failure) throw failure
        if (performance.now() > until) throw new Error('Cannot time events: the map stays as it is')
        await sleep(0)
      }
      times.push(Math.max(0, mapAt - seenAt))
      await sleep(40 + Math.random() * 40)
    }
  } finally {
    watch.close()
  }
  return times
}

function probeKey(map: BpfMap): Uint8Array {
  const { key } = layout.maps.services
  for (const each of new KernelMap(map, layout.maps.services).keys()) {
    if (each.address === PROBE.address) return key.toBytes(each)
  }
  throw new Error('Cannot time events: the probe has no frontend')
}

/** A watch of the probe's slice; onNext() has the next event told that arrives. */
async function watchProbe({ server, tls, ask }: ApiClient) {
  const list = await ask('GET', PROBE_SLICES)
  const { resourceVersion } = list['metadata'] as { resourceVersion: string }
  const selector = encodeURIComponent(`kubernetes.io/service-name=${PROBE.name}`)
  const query = `watch=true&resourceVersion=${resourceVersion}&labelSelector=${selector}`
  const waiting: (() => void)[] = []
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const asking = get(`${server}${PROBE_SLICES}?${query}`, tls, (answer) => {
    resolve()
    answer.on('data', (chunk: Buffer) => {
      for (const byte of chunk) if (byte === 10) waiting.shift()?.()
    })
    answer.on('error', () => {})
  })
  asking.on('error', reject)
  await promise
  return {
    onNext: (seen: () => void) => void waiting.push(seen),
    close: () => asking.destroy(),
  }
}
