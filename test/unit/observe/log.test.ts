// The log: JSON lines with fixed fields, a room's name on each.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger, roomLogger } from '../../../src/observe/log.ts'

test('roomLogger() lines carry node, room, level in words, facts and the error', () => {
  const lines: string[] = []
  const destination = { write: (line: string) => lines.push(line) }
  const log = createLogger({ level: 'info', nodeName: 'node-a', destination })
  const room = roomLogger(log, 'datapath')
  room.debug('not written')
  room.warn({ endpoint: 7, err: new Error('Cannot') }, 'row failed')
  assert.equal(lines.length, 1)
  const line = JSON.parse(lines[0] ?? '')
  assert.deepEqual(
    [line.node, line.room, line.level, line.endpoint, line.msg, line.err.message],
    ['node-a', 'datapath', 'warn', 7, 'row failed', 'Cannot'],
  )
  assert.match(line.time, /^\d{4}-\d\d-\d\dT/)
})
