// The connectivity suite on a lab of three nodes, one behind a router, both families: every check
// is a subtest. The machine must be afterwards as it was before.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { SuiteReport } from '../../src/lab/suite.ts'
import { lab, mustLab } from './lab.ts'
import { type Machine, readMachine } from './machine.ts'

const NAME = 'weir-test-suite'
const EXAMPLES = join(import.meta.dirname, '..', '..', 'deploy', 'examples')
let machine: Machine

before(async () => {
  await mustLab('down', '--name', NAME)
  machine = readMachine(NAME)
  await mustLab('up', '--name', NAME, '--nodes', '3', '--off-link', 'node3')
  await mustLab('apply', '--name', NAME, '-f', EXAMPLES)
})

after(async () => {
  await mustLab('down', '--name', NAME)
  assert.deepEqual(readMachine(NAME), machine)
})

test('weir lab test --json', async (context) => {
  const { code, stdout, stderr } = await lab('test', '--json', '--name', NAME)
  assert.equal(stderr, '')
  const { checks } = JSON.parse(stdout) as SuiteReport
  assert.ok(checks.length >= 40, `${checks.length} checks`)
  for (const { name, ok, detail } of checks) {
    await context.test(name, () => assert.ok(ok, detail))
  }
  assert.equal(code, checks.every(({ ok }) => ok) ? 0 : 1)
})

test('the suite leaves the lab as it found it', async () => {
  const status = JSON.parse(await mustLab('status', '--json', '--name', NAME)) as {
    routing: string
    socketServices: boolean
    pods: { name: string }[]
  }
  assert.equal(status.routing, 'vxlan')
  assert.equal(status.socketServices, true)
  const foreign = status.pods.filter(({ name }) => !name.startsWith('shop/'))
  assert.deepEqual(foreign, [])
})
