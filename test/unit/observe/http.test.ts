// The probe port over a real socket.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Health, serveHttp } from '../../../src/observe/http.ts'

async function serve(t: TestContext, health: () => Health): Promise<string> {
  const metrics = { text: async () => 'weir_flows 1\n', contentType: 'text/plain; version=0.0.4' }
  const port = await serveHttp({ host: '127.0.0.1', port: 0 }, { metrics, health })
  t.after(() => port.close())
  return `http://127.0.0.1:${port.port}`
}

test('/healthz is 200 while all is well, and 503 with the reasons otherwise', async (t) => {
  let health: Health = { ok: true, problems: [] }
  const url = await serve(t, () => health)
  assert.equal((await fetch(`${url}/healthz`)).status, 200)
  health = { ok: false, problems: ['Cannot attach from_uplink: EPERM', 'No first list yet'] }
  const answer = await fetch(`${url}/healthz?verbose`)
  assert.equal(answer.status, 503)
  assert.equal(await answer.text(), 'Cannot attach from_uplink: EPERM\nNo first list yet\n')
})

test('/livez is 200 also when the node is not healthy', async (t) => {
  const url = await serve(t, () => ({ ok: false, problems: ['wrong'] }))
  assert.equal((await fetch(`${url}/livez`)).status, 200)
})

test('/metrics carries the text and its type; other pages are 404', async (t) => {
  const url = await serve(t, () => ({ ok: true, problems: [] }))
  const metrics = await fetch(`${url}/metrics`)
  assert.equal(metrics.headers.get('content-type'), 'text/plain; version=0.0.4')
  assert.equal(await metrics.text(), 'weir_flows 1\n')
  assert.equal((await fetch(`${url}/v1/status`)).status, 404)
})

test('a health check that throws is a 500 with its sentence', async (t) => {
  const url = await serve(t, () => {
    throw new Error('Cannot read links: gone')
  })
  const answer = await fetch(`${url}/healthz`)
  assert.deepEqual([answer.status, await answer.text()], [500, 'Cannot read links: gone\n'])
})

test('a port that is taken is one sentence', async (t) => {
  const url = await serve(t, () => ({ ok: true, problems: [] }))
  const port = Number(new URL(url).port)
  const metrics = { text: async () => '', contentType: '' }
  const health = () => ({ ok: true, problems: [] })
  await assert.rejects(serveHttp({ host: '127.0.0.1', port }, { metrics, health }), {
    message: `Cannot listen on 127.0.0.1 port ${port}: EADDRINUSE`,
  })
})
