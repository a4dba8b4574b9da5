// GET /v1/monitor: drop events as they happen, one JSON object per line. A reader that is too slow
// loses events and is told how many; it never makes the agent hold them.
import type { ServerResponse } from 'node:http'
import { toJson } from './json.ts'
import type { ApiSources } from './sources.ts'

/** Streams until either side ends the response. */
export function streamEvents(response: ServerResponse, { subscribeEvents }: ApiSources): void {
  let missed = 0
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  response.flushHeaders()
  const unsubscribe = subscribeEvents((event) => {
    if (response.writableNeedDrain) {
      missed++
      return
    }
    if (missed > 0) response.write(`${toJson({ kind: 'missed', events: missed })}\n`)
    missed = 0
    response.write(`${toJson(event)}\n`)
  })
  response.once('close', unsubscribe)
}
