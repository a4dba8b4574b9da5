// Where traffic comes from and goes to: a node's namespace or a pod's, with weir-pod run in it.
import { type ChildProcess, spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { run, type Scene } from './scene.ts'

export const WEIR_POD = join(resolve(import.meta.dirname, '../..'), 'native/out/weir-pod')

const BLAST = join(import.meta.dirname, 'blast.ts')

export interface Stream {
  readonly sent: number
  readonly received: number
  readonly lost: number
  /** The last one of its socket; '' for none. */
  readonly error: string
}

export interface Asked {
  readonly ok: boolean
  readonly error?: string
  readonly answer?: { readonly name: string; readonly client: string }
}

/** A namespace from which and to which traffic is sent. */
export class Place {
  readonly netns: string
  readonly #scene: Scene

  constructor(scene: Scene, netns: string) {
    this.#scene = scene
    this.netns = netns
  }

  /** Serves TCP 80 and UDP 53 on every address. */
  async serve(name: string): Promise<void> {
    const args = ['serve', '--name', name, '--node', 'x', '--tcp=80', '--udp=53']
    const server = this.#spawn(args)
    this.#scene.defer(() => void server.kill('SIGKILL'))
    await sleep(200)
  }

  /** What became of one TCP question. */
  ask(address: string, port = 80): { ok: boolean; error?: string; answer?: { name: string } } {
    try {
      return JSON.parse(
        run('ip', 'netns', 'exec', this.netns, WEIR_POD, 'ask', address, String(port)),
      )
    } catch (error) {
      return JSON.parse((error as { stdout: string }).stdout)
    }
  }

  /** Whether a ping, a TCP and a UDP question to the address are answered; or some of them. */
  reaches(address: string, only = ''): { ok: boolean; detail: string } {
    const questions = [
      ['ping', address, '--count', '2'],
      ['ask', address, '80'],
      ['ask', address, '53', '--udp'],
    ].filter(([kind = '']) => kind.startsWith(only))
    for (const question of questions) {
      try {
        run('ip', 'netns', 'exec', this.netns, WEIR_POD, ...question)
      } catch (error) {
        const { stdout } = error as { stdout?: string }
        return { ok: false, detail: `${question.join(' ')}: ${stdout ?? String(error)}` }
      }
    }
    return { ok: true, detail: '' }
  }

  /** One question to any port: the address of the client as the server sees it. */
  askPort(address: string, port: number, ...more: readonly string[]): Asked {
    const question = ['ask', address, String(port), ...more]
    try {
      return JSON.parse(run('ip', 'netns', 'exec', this.netns, WEIR_POD, ...question))
    } catch (error) {
      return JSON.parse((error as { stdout: string }).stdout)
    }
  }

  /** Gets so many bytes by TCP and checks each. */
  transfer(address: string, port: number, size: number): void {
    const args = ['transfer', address, String(port), '--size', String(size)]
    run('ip', 'netns', 'exec', this.netns, WEIR_POD, ...args)
  }

  /** Sends numbered requests every 2 ms until the answered function is called. */
  stream(...args: readonly string[]): () => Promise<Stream> {
    return this.#follow(this.#spawn(['stream', ...args, '--interval', '2000']))
  }

  /** The same from a cgroup, where sockets are translated. */
  streamIn(cgroup: string, ...args: readonly string[]): () => Promise<Stream> {
    const join = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
    const command = ['ip', 'netns', 'exec', this.netns, WEIR_POD, 'stream', ...args]
    const stdio = ['pipe', 'pipe', 'inherit'] as const
    return this.#follow(spawn('sh', ['-c', join, cgroup, ...command], { stdio: [...stdio] }))
  }

  #follow(child: ChildProcess): () => Promise<Stream> {
    let said = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const ended = new Promise((resolve) => child.once('close', resolve))
    return async () => {
      child.stdin?.end()
      await ended
      return JSON.parse(said.trim().split('\n').at(-1) ?? '{}') as Stream
    }
  }

  /** Counts what comes to a port; the answered function tells the bytes so far. */
  async receive(port: number): Promise<() => Promise<number>> {
    const child = this.#spawn([BLAST, 'receive', String(port)], process.execPath)
    this.#scene.defer(() => void child.kill('SIGKILL'))
    const said = createInterface({ input: child.stdout as Readable })[Symbol.asyncIterator]()
    await said.next()
    return async () => {
      child.stdin?.write('\n')
      return Number((await said.next()).value)
    }
  }

  /** Sends all that it can until the answered function is called. */
  blast(protocol: 'tcp' | 'udp', address: string, port: number): () => Promise<void> {
    const child = this.#spawn([BLAST, 'send', protocol, address, String(port)], process.execPath)
    this.#scene.defer(() => void child.kill('SIGKILL'))
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
    return () => {
      child.stdin?.end()
      return ended
    }
  }

  #spawn(args: readonly string[], program = WEIR_POD): ChildProcess {
    const stdio = ['pipe', 'pipe', 'inherit'] as const
    return spawn('ip', ['netns', 'exec', this.netns, program, ...args], { stdio: [...stdio] })
  }
}

export class TestPod extends Place {
  readonly id: string
  readonly addresses: readonly string[]

  constructor(
    scene: Scene,
    pod: { readonly netns: string; readonly id: string; readonly addresses: readonly string[] },
  ) {
    super(scene, pod.netns)
    this.id = pod.id
    this.addresses = pod.addresses
  }
}
