// The API over a real unix socket: who may open it, who may take it, and what it answers.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ApiServer } from '../../../src/api/server.ts'
import type { ApiSources } from '../../../src/api/sources.ts'
import type { DatapathEvent, PolicyDecision } from '../../../src/tables/actual.ts'
import { createTables } from '../../../src/tables/tables.ts'
import { address, endpoint, sources } from './rows.ts'

function socketPath(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'weir-api-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return join(directory, 'run', 'weir.sock')
}

async function serve(t: TestContext, changes: Partial<ApiSources> = {}): Promise<string> {
  const path = socketPath(t)
  const api = await ApiServer.listen(path, sources(changes))
  t.after(() => api.close())
  return path
}

interface Sent {
  method?: string
  headers?: Record<string, string>
  body?: string
}

function open(socket: string, path: string, { method = 'GET', headers = {}, body }: Sent = {}) {
  return new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request({ socketPath: socket, path, method, headers, agent: false }, resolve)
    sent.once('error', reject)
    sent.end(body)
  })
}

async function ask(socket: string, path: string, sent?: Sent) {
  const response = await open(socket, path, sent)
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return { status: response.statusCode, headers: response.headers, text }
}

test('the socket is for root only from the start, and gone after close', async (t) => {
  const path = socketPath(t)
  const api = await ApiServer.listen(path, sources())
  assert.equal(statSync(path).mode & 0o777, 0o600)
  await api.close()
  assert.equal(existsSync(path), false)
})

test('a second agent is refused while the first answers', async (t) => {
  const path = await serve(t)
  await assert.rejects(ApiServer.listen(path, sources()), {
    message: `Cannot listen on ${path}: another agent answers there`,
  })
  assert.equal((await ask(path, '/v1/status')).status, 200)
})

test('what a dead agent left in the place of the socket is replaced', async (t) => {
  const path = await serve(t)
  const stale = `${path}.stale`
  writeFileSync(stale, '')
  const api = await ApiServer.listen(stale, sources())
  t.after(() => api.close())
  assert.equal((await ask(stale, '/v1/tables')).status, 200)
})

test('tables are listed and read, with revisions and statuses', async (t) => {
  const base = sources()
  base.tables.endpoints.upsert(endpoint())
  const path = await serve(t, base)
  const list = JSON.parse((await ask(path, '/v1/tables')).text)
  assert.deepEqual(
    list.find((table: { name: string }) => table.name === 'endpoints'),
    { name: 'endpoints', rows: 1, revision: 1, initialized: false },
  )
  const [entry] = JSON.parse((await ask(path, '/v1/tables/endpoints')).text)
  assert.deepEqual(entry, {
    key: 'c0ffee/eth0',
    row: endpoint(),
    revision: 1,
    status: { state: 'pending' },
  })
})

test('views are served with drift', async (t) => {
  const base = sources()
  base.tables.endpoints.upsert(endpoint())
  const path = await serve(t, base)
  const [view] = JSON.parse((await ask(path, '/v1/endpoints')).text)
  assert.equal(view.drift, 'missing')
  assert.deepEqual(JSON.parse((await ask(path, '/v1/services')).text), [])
  assert.deepEqual(JSON.parse((await ask(path, '/v1/nodes')).text), [])
})

test('bad requests get one sentence', async (t) => {
  const path = await serve(t)
  const cases = [
    ['/v1/nothing', 'GET', 404, /^Cannot find \/v1\/nothing: there are \/v1\/status/],
    ['/v1/tables/nothing', 'GET', 404, /^Cannot read table "nothing": there are nodes/],
    ['/v1/tables/%zz', 'GET', 400, /^Cannot read path segment "%zz": bad percent-encoding/],
    ['/v1/status', 'POST', 405, /^Cannot POST \/v1\/status: it is read with GET/],
    ['/v1/cni', 'GET', 405, /^Cannot GET \/v1\/cni: CNI calls are sent with POST/],
  ] as const
  for (const [url, method, status, message] of cases) {
    const answer = await ask(path, url, { method })
    assert.equal(answer.status, status)
    assert.match(JSON.parse(answer.text).error, message)
  }
})

test('a page that breaks is a 500 with the sentence, and the server lives on', async (t) => {
  const facts = () => {
    throw new Error('Cannot read the node: gone')
  }
  const path = await serve(t, { facts })
  const answer = await ask(path, '/v1/status')
  assert.deepEqual(
    [answer.status, JSON.parse(answer.text)],
    [500, { error: 'Cannot read the node: gone' }],
  )
  assert.equal((await ask(path, '/v1/tables')).status, 200)
})

test('a CNI call goes through as it came, and is counted', async (t) => {
  const seen: [IncomingHttpHeaders, string][] = []
  const counted: [string, number][] = []
  const path = await serve(t, {
    handleCni: async (headers, body) => {
      seen.push([headers, body])
      return body === 'bad'
        ? { stdout: '{"code":11,"msg":"Cannot"}\n', exitCode: 1 }
        : { stdout: '{"ips":["é"]}\n', exitCode: 0 }
    },
    observeCni: (verb, code) => counted.push([verb, code]),
  })
  const headers = { 'X-Cni-Command': 'ADD', 'X-Cni-Ifname': 'eth0' }
  const good = await ask(path, '/v1/cni', { method: 'POST', headers, body: '{}' })
  assert.deepEqual([good.text, good.headers['x-cni-exit']], ['{"ips":["é"]}\n', '0'])
  assert.equal(seen[0]?.[0]['x-cni-ifname'], 'eth0')
  assert.equal(seen[0]?.[1], '{}')
  const bad = await ask(path, '/v1/cni', { method: 'POST', headers, body: 'bad' })
  assert.deepEqual([bad.status, bad.headers['x-cni-exit']], [200, '1'])
  assert.deepEqual(counted, [
    ['ADD', 0],
    ['ADD', 11],
  ])
})

test('a CNI call with a body of megabytes is refused', async (t) => {
  const path = await serve(t)
  const body = 'x'.repeat((1 << 20) + 1)
  const answer = await ask(path, '/v1/cni', { method: 'POST', body })
  assert.equal(answer.status, 413)
})

const EVENT: DatapathEvent = {
  kind: 'drop',
  timeNs: 5n,
  reason: 'no_route',
  program: 'from_pod',
  ifindex: 3,
  lengthBytes: 60,
  tuple: {
    source: address('10.0.1.5'),
    destination: address('10.0.9.9'),
    sourcePort: 1,
    destinationPort: 2,
    protocol: 6,
  },
}

test('monitor streams events, and unsubscribes when the reader leaves', async (t) => {
  let listener: ((event: DatapathEvent) => void) | undefined
  const left = Promise.withResolvers<void>()
  const path = await serve(t, {
    subscribeEvents: (each) => {
      listener = each
      return () => left.resolve()
    },
  })
  const response = await open(path, '/v1/monitor')
  listener?.(EVENT)
  const [chunk] = (await response.take(1).toArray()) as Buffer[]
  assert.deepEqual(JSON.parse(String(chunk)), { ...EVENT, timeNs: 5 })
  response.destroy()
  await left.promise
})

test('monitor tells what policy let pass where it is asked to, with its rule', async (t) => {
  const listeners: { tell: (event: DatapathEvent) => void; verdicts: boolean }[] = []
  const tables = createTables()
  tables.policyRules.upsert({ id: 7, text: 'NetworkPolicy shop/api, ingress rule 1' })
  const path = await serve(t, {
    tables,
    subscribeEvents: (tell, { verdicts = false } = {}) => {
      listeners.push({ tell, verdicts })
      return () => {}
    },
  })
  const plain = await open(path, '/v1/monitor')
  const wide = await open(path, '/v1/monitor/verdicts')
  assert.deepEqual(
    listeners.map(({ verdicts }) => verdicts),
    [false, true],
  )
  const decided = (verdict: PolicyDecision['verdict'], ruleId: number): DatapathEvent => {
    const policy = { direction: 'ingress', verdict, ruleId, identity: 300 } as const
    return { ...EVENT, kind: 'verdict', reason: 'none', policy }
  }
  const events = [decided('allow', 7), decided('open', 0), decided('audit', 0), EVENT]
  for (const { tell } of listeners) for (const event of events) tell(event)
  const read = async (response: IncomingMessage, count: number): Promise<string[]> => {
    let text = ''
    for await (const chunk of response) {
      text += String(chunk)
      if (text.split('\n').length > count) break
    }
    const lines = text.trim().split('\n')
    return lines.map((line) => {
      const { reason, policy } = JSON.parse(line)
      return policy ? `${policy.verdict}: ${policy.rule}` : reason
    })
  }
  const unasked = ['audit: isolated, and no rule allows it', 'no_route']
  assert.deepEqual(await read(plain, 2), unasked)
  assert.deepEqual(await read(wide, 4), [
    'allow: NetworkPolicy shop/api, ingress rule 1',
    'open: nothing isolates it',
    ...unasked,
  ])
})

test('closing the API ends open monitor streams', async (t) => {
  const path = socketPath(t)
  const api = await ApiServer.listen(path, sources())
  const response = await open(path, '/v1/monitor')
  const ended = response.toArray()
  await api.close()
  assert.deepEqual(await ended, [])
})
