// A pod that asks from ever new ports, more of them than the flow table has room for: what is over
// makes room in time, and every question is answered.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type TestPod, WEIR_POD } from './place.ts'
import { run, Scene } from './scene.ts'
import { TestNode } from './test-node.ts'

/** Connections that there is room for: the least that may be set. */
const ROOM = 1024
/** Questions, and microseconds between them: TCP's ends are kept for 10 s, answered UDP for 120. */
const LOADS = [
  { protocol: 'TCP', question: ['80'], count: 1600, intervalUs: 6500 },
  { protocol: 'UDP', question: ['53', '--udp'], count: 1300, intervalUs: 16_000 },
] as const

const scene = new Scene()
let client: TestPod
let server: TestPod

before(async () => {
  const node = new TestNode(scene, 1)
  node.know(node)
  await node.start('--max-flows', String(ROOM))
  client = await node.addPod('client')
  server = await node.addPod('server')
  await server.serve('server')
})
after(() => scene.dispose())

for (const { protocol, question, count, intervalUs } of LOADS) {
  test(`${protocol} from ever new ports finds room in the flow table`, () => {
    assert.ok(count > ROOM)
    const [address = ''] = server.addresses
    const pace = ['--count', String(count), '--interval', String(intervalUs)]
    const answers = lines(WEIR_POD, 'ask', address, ...question, ...pace)
    assert.equal(answers.length, count)
    const failed = answers.filter((line) => (JSON.parse(line) as { ok: boolean }).ok !== true)
    assert.deepEqual(failed, [])
  })
}

/** What the client prints, also when it ends with an error. */
function lines(...command: readonly string[]): string[] {
  try {
    return run('ip', 'netns', 'exec', client.netns, ...command)
      .trim()
      .split('\n')
  } catch (error) {
    return (error as { stdout: string }).stdout.trim().split('\n')
  }
}
