// The lean schema against bytes written by hand from the field numbers of generated.proto, and
// against JSON: the same object gives the same row in both encodings.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KINDS } from '../../../../src/kube/kinds.ts'
import { eventDecoder, listDecoder } from '../../../../src/kube/watch/decoder.ts'
import { GarbledError } from '../../../../src/kube/watch/errors.ts'
import { decodeMessage, messageType, openEnvelope } from '../../../../src/kube/watch/protobuf.ts'

/** A field with bytes, text or a nested message. */
import { all, bytes, ENCODED, int, metadata } from './encoded.ts'

describe('the same object in protobuf and JSON gives the same row', () => {
  // Custom kinds are served as JSON only.
  for (const { kind, convert } of KINDS.filter((each) => each.kind !== 'ClusterNetworkPolicy')) {
    test(kind, () => {
      const { binary, json } = ENCODED[kind] ?? assert.fail(`no bytes for ${kind}`)
      const decoded = convert(decodeMessage(kind, binary) as never)
      assert.ok(decoded.row)
      assert.deepEqual(decoded, convert(json as never))
    })
  }
})

test('metadata carries what identifies an object and nothing that is large', () => {
  const decoded = decodeMessage('NetworkPolicy', all(bytes(1, metadata('web-1'))))
  assert.deepEqual(JSON.parse(JSON.stringify(decoded['metadata'])), {
    ...{ name: 'web-1', namespace: 'shop', uid: 'uid-1', resourceVersion: '4711' },
  })
})

test('a NetworkPolicy has numbers and names for ports, and empty selectors that are there', () => {
  const port = (value: Buffer) => bytes(1, all(bytes(1, 'TCP'), bytes(2, value)))
  const peer = all(bytes(1, ''), bytes(2, bytes(1, all(bytes(1, 'team'), bytes(2, 'a')))))
  const block = bytes(3, all(bytes(1, '10.0.0.0/8'), bytes(2, '10.1.0.0/16')))
  const spec = all(
    bytes(1, bytes(2, all(bytes(1, 'app'), bytes(2, 'In'), bytes(3, 'web')))),
    bytes(2, all(port(all(int(1, 0), int(2, 80), bytes(3, ''))), bytes(2, peer))),
    bytes(3, all(port(all(int(1, 1), int(2, 0), bytes(3, 'http'))), bytes(2, block))),
    ...[bytes(4, 'Ingress'), bytes(4, 'Egress')],
  )
  const decoded = decodeMessage('NetworkPolicy', all(bytes(1, metadata('p')), bytes(2, spec)))
  assert.deepEqual(JSON.parse(JSON.stringify(decoded['spec'])), {
    podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['web'] }] },
    ingress: [
      {
        ports: [{ protocol: 'TCP', port: 80 }],
        from: [{ podSelector: {}, namespaceSelector: { matchLabels: { team: 'a' } } }],
      },
    ],
    egress: [
      {
        ports: [{ protocol: 'TCP', port: 'http' }],
        to: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }],
      },
    ],
    policyTypes: ['Ingress', 'Egress'],
  })
})

test('a ServiceCIDR has its CIDRs', () => {
  const spec = all(bytes(1, '10.96.0.0/16'), bytes(1, 'fd00:96::/112'))
  const decoded = decodeMessage(
    'ServiceCIDR',
    all(bytes(1, metadata('kubernetes')), bytes(2, spec)),
  )
  assert.deepEqual(JSON.parse(JSON.stringify(decoded['spec'])), {
    cidrs: ['10.96.0.0/16', 'fd00:96::/112'],
  })
})

const MAGIC = Buffer.from('k8s\0')
const envelope = (kind: string, raw: Buffer) =>
  all(
    MAGIC,
    bytes(1, all(bytes(1, 'v1'), bytes(2, kind))),
    bytes(2, raw),
    bytes(3, ''),
    bytes(4, ''),
  )

test('a watch: a length of four bytes, WatchEvent, and the object in an envelope again', () => {
  const pod = ENCODED['Pod']?.binary ?? Buffer.alloc(0)
  const status = all(bytes(2, 'Failure'), bytes(3, 'too old'), bytes(4, 'Expired'), int(6, 410))
  const mark = bytes(
    1,
    all(bytes(6, '99'), bytes(12, all(bytes(1, 'k8s.io/initial-events-end'), bytes(2, 'true')))),
  )
  const frames = [
    ['ADDED', envelope('Pod', pod)],
    ['BOOKMARK', envelope('Pod', mark)],
    ['ERROR', envelope('Status', status)],
  ].map(([type, object]) => {
    const event = all(bytes(1, type as string), bytes(2, bytes(1, object as Buffer)))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(event.length)
    return all(length, event)
  })
  const stream = Buffer.concat(frames)
  for (const size of [1, 3, 64, stream.length]) {
    const decoder = eventDecoder('protobuf', 'Pod')
    const events = chunks(stream, size).flatMap((chunk) => [...decoder.push(chunk)])
    assert.deepEqual(
      events.map(({ type }) => type),
      ['ADDED', 'BOOKMARK', 'ERROR'],
    )
    const [, bookmark, error] = events.map(({ object }) => JSON.parse(JSON.stringify(object)))
    assert.equal(bookmark.metadata.annotations['k8s.io/initial-events-end'], 'true')
    assert.deepEqual(error, { message: 'too old', reason: 'Expired', code: 410 })
  }
})

test('a list: its items come one by one, whatever the chunks', () => {
  const pod = ENCODED['Pod']?.binary ?? Buffer.alloc(0)
  const list = all(
    bytes(1, all(bytes(2, '4712'), bytes(3, 'next'), int(4, 7))),
    bytes(2, pod),
    bytes(2, pod),
  )
  const body = envelope('PodList', list)
  for (const size of [1, 7, 100, body.length]) {
    const decoder = listDecoder('protobuf', 'Pod')
    const items = chunks(body, size).flatMap((chunk) => [...decoder.push(chunk)])
    assert.equal(items.length, 2)
    assert.deepEqual(decoder.end(), { resourceVersion: '4712', continueToken: 'next' })
  }
  for (const length of [0, 3, 4, 20, 60, body.length - 5]) {
    const decoder = listDecoder('protobuf', 'Pod')
    assert.throws(() => {
      for (const _ of decoder.push(body.subarray(0, length)));
      decoder.end()
    }, GarbledError)
  }
})

test('what is not protobuf is not believed', () => {
  assert.throws(() => openEnvelope(Buffer.from('{"kind":"Pod"}')), GarbledError)
  assert.throws(() => decodeMessage('Pod', Buffer.from([0x0a, 0x50, 1])), GarbledError)
  assert.throws(() => [...listDecoder('protobuf', 'Pod').push(Buffer.from('<html>'))], GarbledError)
  const decoder = eventDecoder('protobuf', 'Pod')
  assert.throws(() => [...decoder.push(Buffer.from('HTTP/1.1 500'))], GarbledError)
})

test('no message keeps fields that it does not know', () => {
  const decoded = decodeMessage('Node', ENCODED['Node']?.binary ?? Buffer.alloc(0))
  assert.equal('$unknowns' in decoded, false)
  assert.ok(messageType('Node').fields['spec'])
})

function chunks(of: Buffer, size: number): Buffer[] {
  const parts: Buffer[] = []
  for (let at = 0; at < of.length; at += size) parts.push(of.subarray(at, at + size))
  return parts
}
