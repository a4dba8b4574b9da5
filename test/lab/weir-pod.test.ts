// weir-pod under ASan and UBSan: the server and every client, against each other on the loopback
// of a namespace of their own.
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { projectRoot } from '../../src/lab/paths.ts'
import { runAnyway } from '../../src/lab/run.ts'

const PROGRAM = join(projectRoot(), 'native', 'out', 'weir-pod-sanitized')
const LOOPBACKS = ['127.0.0.1', '::1'] as const
let server: ChildProcess

interface Answer {
  readonly name: string
  readonly node: string
  readonly client: string
}

/** Arguments of nsenter for the server's namespace, which has no name and goes with the server. */
const enter = (...args: readonly string[]): string[] => [
  `--target=${server.pid}`,
  '--net',
  PROGRAM,
  ...args,
]

async function client(...args: readonly string[]) {
  const { code, stdout, stderr } = await runAnyway('nsenter', enter(...args), { input: '' })
  assert.doesNotMatch(stderr, /Sanitizer|runtime error/)
  const lines = stdout.trim().split('\n').filter(Boolean)
  return { code, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
}

before(async () => {
  execFileSync('make', ['-s', '-C', join(projectRoot(), 'native', 'lab'), 'sanitized'])
  const serve = `${PROGRAM} serve --name a --node n --tcp=80 --udp=53`
  server = spawn('unshare', ['--net', 'sh', '-c', `ip link set lo up && exec ${serve}`])
  await new Promise((resolve) => server.stdout?.once('data', resolve))
})

after(async () => {
  server.kill('SIGTERM')
  await new Promise((resolve) => server.once('exit', resolve))
})

for (const host of LOOPBACKS) {
  test(`ask gets name, node and the client's address over TCP and UDP from ${host}`, async () => {
    for (const args of [
      [host, '80'],
      [host, '53', '--udp'],
      [host, '53', '--udp', '--unconnected'],
    ]) {
      const { code, lines } = await client('ask', '--count=3', ...args)
      assert.equal(code, 0)
      assert.equal(lines.length, 3)
      const { name, node, client: seen } = { ...(lines[0]?.['answer'] as Answer | undefined) }
      assert.deepEqual([name, node, seen], ['a', 'n', host])
    }
  })

  test(`ask names the refusal of a closed port of ${host}`, async () => {
    for (const udp of [[], ['--udp']]) {
      const { code, lines } = await client('ask', host, '81', ...udp)
      assert.equal(code, 1)
      assert.equal(lines[0]?.['error'], 'ECONNREFUSED')
    }
  })

  test(`content survives both ways with ${host}`, async () => {
    const echoed = await client('ask', host, '53', '--udp', '--size=60000')
    assert.deepEqual(echoed.lines[0]?.['answer'], { echoed: 60000 })
    const moved = await client('transfer', host, '80', '--size=3000001')
    assert.equal(moved.code, 0)
    assert.equal(moved.lines[0]?.['uploaded'], moved.lines[0]?.['downloaded'])
  })

  test(`ping of ${host} counts and tells what is too long`, async () => {
    const { code, lines } = await client('ping', host, '--count=3', '--interval=1000')
    assert.equal(code, 0)
    assert.equal(lines[0]?.['received'], 3)
    const long = await client('ping', host, '--df', '--size=65520')
    assert.equal(long.code, 1)
  })

  test(`stream counts every request to ${host}`, async () => {
    for (const args of [
      ['tcp', host, '80'],
      ['udp', host, '53'],
      ['ping', host],
    ]) {
      const running = spawn('nsenter', enter('stream', '--interval=2000', ...args))
      let said = ''
      running.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString()
      })
      await new Promise((resolve) => running.stdout.once('data', resolve))
      // Traffic for a while; how much of it does not matter.
      await new Promise((resolve) => setTimeout(resolve, 100))
      running.stdin.end()
      const code = await new Promise((resolve) => running.once('close', resolve))
      const result = JSON.parse(said.trim().split('\n').at(-1) ?? '{}') as Record<string, number>
      assert.equal(code, 0, said)
      assert.ok((result['sent'] ?? 0) > 0)
      assert.equal(result['received'], result['sent'])
    }
  })
}

test('serve answers HTTP, also to HEAD, and to a client that says nothing', async () => {
  const { stdout } = await runAnyway('nsenter', enter('fetch', '127.0.0.1', '80', '/any'))
  assert.equal((JSON.parse(stdout) as { name: string }).name, 'a')
  const shell = (script: string): string =>
    execFileSync('nsenter', [`--target=${server.pid}`, '--net', 'bash', '-c', script], {
      encoding: 'utf8',
    })
  const head = shell(
    'exec 3<>/dev/tcp/127.0.0.1/80; printf "HEAD / HTTP/1.1\\r\\n\\r\\n" >&3; cat <&3',
  )
  assert.match(head, /^HTTP\/1\.1 200 OK\r\n[^{]*\r\n\r\n$/)
})

test('serve says which port it cannot have', async () => {
  const { code, stderr } = await runAnyway('nsenter', enter('serve', '--tcp=80'))
  assert.equal(code, 1)
  assert.match(stderr, /Cannot listen on port 80\/TCP: Address already in use/)
})
