// The command line itself: help, usage errors, agents and maps that are not there.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildProgram, leafPaths } from '../../../src/cli/command-line.ts'
import { COMMANDS } from '../../../src/cli/commands.ts'
import { weir } from './run-weir.ts'

test('--help names every command and exits 0', async () => {
  const { code, stdout } = await weir(['--help'])
  assert.equal(code, 0)
  for (const path of leafPaths(await buildProgram(COMMANDS))) {
    assert.ok(stdout.includes(`\n  ${path} `), path)
  }
})

test('a command line that is not understood exits 2 and points to the help', async () => {
  for (const args of [
    ['nonsense'],
    ['status', '--nonsense'],
    ['map', 'dump'],
    ['map', 'nonsense'],
  ]) {
    const { code, stdout, stderr } = await weir(args)
    assert.deepEqual([args, code, stdout], [args, 2, ''])
    assert.match(stderr, /^error: .*\nSee weir --help\.\n$/)
  }
})

test('an agent that is away is one sentence and exit 1', async () => {
  const commands = ['status', 'endpoint list', 'service list', 'node list', 'monitor']
  for (const command of commands) {
    const args = [...command.split(' '), '--socket', '/nonexistent/weir.sock']
    assert.deepEqual(await weir(args), {
      code: 1,
      stdout: '',
      stderr:
        'Cannot reach the agent: there is no socket /nonexistent/weir.sock, ' +
        'is weir-agent running?\n',
    })
  }
})

test('a lab node that is not there is one sentence', async () => {
  const { code, stderr } = await weir(['status', '--lab-node', 'weir-nolab/nonode'])
  assert.equal(code, 1)
  assert.match(stderr, /^Cannot look at lab node "weir-nolab\/nonode": there is no such node/)
})

test('filters that are no address are refused before anything is read', async () => {
  const { code, stderr } = await weir(['flow', 'list', '--from', '10.0.0'])
  assert.equal(code, 1)
  assert.match(stderr, /^Cannot parse address "10\.0\.0"/)
})
