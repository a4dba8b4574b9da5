// A node of these tests: its namespace, bpffs, cgroup and manifests, and the real agent in it.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { mountBpffs, unmountBpffs } from '../../src/libbpf/bpffs.ts'
import { openLibrary } from '../../src/libbpf/library.ts'
import type { DatapathEvent } from '../../src/tables/actual.ts'
import { TestPod } from './place.ts'
import { run, type Scene } from './scene.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const START_LIMIT_MS = 90_000
const CGROUP2 = readFileSync('/proc/mounts', 'utf8')
  .split('\n')
  .map((line) => line.split(' '))
  .find(([, , type]) => type === 'cgroup2')?.[1]
const library = openLibrary()

export interface CniAnswer {
  readonly code: number
  readonly message: string
  readonly ips: readonly string[]
}

export class TestNode {
  readonly name: string
  readonly netns: string
  readonly number: number
  readonly bpfRoot: string
  readonly cgroup: string
  readonly manifests: string
  readonly #scene: Scene
  readonly #directory: string
  #agent: ChildProcess | undefined
  #log = ''

  constructor(scene: Scene, number: number) {
    this.#scene = scene
    this.number = number
    this.name = `node${number}`
    this.netns = scene.netns()
    this.#directory = join(scene.directory, this.name)
    this.manifests = join(this.#directory, 'manifests')
    mkdirSync(this.manifests, { recursive: true })
    const mount = join(this.#directory, 'bpf')
    mountBpffs(library, mount)
    scene.defer(() => unmountBpffs(library, mount))
    this.bpfRoot = join(mount, 'weir')
    this.cgroup = join(CGROUP2 ?? '', `${this.netns}`)
    mkdirSync(this.cgroup)
    scene.defer(() => rmdirSync(this.cgroup))
    scene.defer(() => this.kill())
    const peer = ['peer', 'name', 'nowhere']
    run('ip', '-n', this.netns, 'link', 'add', 'eth0', 'type', 'veth', ...peer)
    run('ip', '-n', this.netns, 'link', 'set', 'nowhere', 'up')
    this.configureUplink()
  }

  configureUplink(): void {
    const { netns, number } = this
    run('ip', '-n', netns, 'addr', 'add', `192.168.60.${number}/24`, 'dev', 'eth0')
    run('ip', '-n', netns, 'addr', 'add', `fd60::${number}/64`, 'dev', 'eth0', 'nodad')
    run('ip', '-n', netns, 'link', 'set', 'eth0', 'up')
  }

  get addresses(): readonly string[] {
    return [`192.168.60.${this.number}`, `fd60::${this.number}`]
  }

  get gateways(): readonly string[] {
    return [`10.0.${this.number}.1`, `fd00:${this.number}::1`]
  }

  /** Writes the manifests that make these nodes known here. */
  know(...nodes: readonly TestNode[]): void {
    for (const { name, number, addresses } of nodes) {
      const node = {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name },
        spec: { podCIDRs: [`10.0.${number}.0/24`, `fd00:${number}::/64`] },
        status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
      }
      this.write(`node-${name}.json`, node)
    }
  }

  /** Writes the manifest of a pod that is to be here, with its role as a label. */
  knowPod(name: string, role = name): void {
    this.write(`pod-${name}.json`, {
      ...{ apiVersion: 'v1', kind: 'Pod', spec: { nodeName: this.name } },
      metadata: { namespace: 'default', name, labels: { role } },
    })
  }

  write(file: string, manifest: unknown): void {
    writeFileSync(join(this.manifests, file), JSON.stringify(manifest))
  }

  /** Takes a manifest away again. */
  remove(file: string): void {
    rmSync(join(this.manifests, file))
  }

  /** Starts the agent and waits until the node takes pods. */
  async start(...flags: readonly string[]): Promise<void> {
    this.spawn(...flags)
    await this.ready()
  }

  spawn(...flags: readonly string[]): void {
    const { name, netns, manifests, bpfRoot, cgroup } = this
    const settings = {
      'node-name': name,
      manifests,
      'bpf-root': bpfRoot,
      'cgroup-root': cgroup,
      'state-dir': join(this.#directory, 'state'),
      'run-dir': join(this.#directory, 'run'),
      http: '127.0.0.1:0',
      'log-level': 'debug',
    }
    const args = Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, value])
    const command = [process.execPath, 'src/main.ts', ...args, ...flags]
    const agent = spawn('nsenter', [`--net=/run/netns/${netns}`, ...command], { cwd: ROOT })
    this.#log = ''
    for (const stream of [agent.stdout, agent.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#log += text
      })
    }
    this.#agent = agent
  }

  async ready(): Promise<void> {
    const limit = Date.now() + START_LIMIT_MS
    for (;;) {
      const { code } = await this.status().catch(() => ({ code: -1 }))
      // While the datapath is opened, pods may be asked for and wait; then problems are none.
      if (code === 0) {
        const status = (await this.get('/v1/status')) as { problems: string[] }
        if (status.problems.length === 0) return
      }
      if (this.#agent?.exitCode !== null || Date.now() > limit) {
        throw new Error(`Cannot start the agent of ${this.name}:\n${this.#log}`)
      }
      await sleep(200)
    }
  }

  /** Everything the agent has logged since it was started. */
  get log(): string {
    return this.#log
  }

  /** Ends the agent, by SIGKILL unless told otherwise, and waits for its end. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const agent = this.#agent
    if (!agent || agent.exitCode !== null || agent.signalCode !== null) return
    const gone = new Promise((resolve) => agent.once('exit', resolve))
    agent.kill(signal)
    await gone
  }

  /** A namespace that is attached as a pod. Throws what CNI answered when it failed. */
  async addPod(id: string, runtimeConfig: object = {}): Promise<TestPod> {
    const netns = this.#scene.netns()
    const { code, message, ips } = await this.add(id, netns, runtimeConfig)
    if (code !== 0) throw new Error(message)
    return new TestPod(this.#scene, { netns, id, addresses: ips })
  }

  add(id: string, netns: string, runtimeConfig: object = {}): Promise<CniAnswer> {
    return this.#cni('ADD', id, `/run/netns/${netns}`, { runtimeConfig })
  }

  delete(id: string, netns = ''): Promise<CniAnswer> {
    return this.#cni('DEL', id, netns && `/run/netns/${netns}`)
  }

  status(): Promise<CniAnswer> {
    return this.#cni('STATUS', '', '')
  }

  get(path: string): Promise<unknown> {
    return this.#http('GET', path, {}, '').then((text) => JSON.parse(text))
  }

  /** Listens to the monitor from now on; answers the way to read what came. */
  watch(): () => DatapathEvent[] {
    let text = ''
    // A connection of its own: one that was kept may have been ended while a test waited.
    const socketPath = this.socketPath
    const call = request({ socketPath, path: '/v1/monitor', agent: false }, (response) => {
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
      })
      response.on('error', () => {})
    })
    call.on('error', () => {}).end()
    this.#scene.defer(() => void call.destroy())
    const parse = (line: string) => JSON.parse(line) as DatapathEvent
    return () => text.split('\n').filter(Boolean).map(parse)
  }

  get socketPath(): string {
    return join(this.#directory, 'run/weir.sock')
  }

  /** What differs between desired and actual, over all endpoints. */
  async drift(): Promise<string[]> {
    const views = (await this.get('/v1/endpoints')) as { drift: string; pod: string }[]
    return views.filter(({ drift }) => drift !== 'ok').map(({ pod, drift }) => `${pod}: ${drift}`)
  }

  /** Names of the veths of pods. */
  podVeths(): string[] {
    const links = JSON.parse(run('ip', '-n', this.netns, '-j', 'link')) as { ifname: string }[]
    return links.map(({ ifname }) => ifname).filter((name) => /^weir[0-9a-f]{11}$/.test(name))
  }

  /**
   * Interfaces, routes, rules and neighbours, without what is no change of ours: anycast routes
   * come with IPv6 forwarding, link-local addresses seconds after their interface.
   */
  picture(): string {
    const ip = (...args: string[]) => run('ip', '-n', this.netns, '-o', ...args)
    const links = ip('link').replaceAll(/^\d+: |qlen \d+/gm, '')
    const routes = ['-4', '-6']
      .map((family) => ip(family, 'route', 'show', 'table', 'all'))
      .join('')
      .replaceAll(/^(anycast|.*fe80:).*\n/gm, '')
    const rules = `${ip('rule')}${ip('-6', 'rule')}`
    return [links, routes, rules, ip('neigh', 'show', 'nud', 'permanent')].join('\n')
  }

  /** Files below the bpf root; the kernel's own of the mount are not counted. */
  pins(): string[] {
    try {
      return readdirSync(this.bpfRoot, { recursive: true }).map(String).sort()
    } catch {
      return []
    }
  }

  async #cni(verb: string, id: string, netns: string, more = {}): Promise<CniAnswer> {
    const headers = {
      'x-cni-command': verb,
      'x-cni-containerid': id,
      'x-cni-netns': netns,
      'x-cni-ifname': 'eth0',
      'x-cni-path': '/opt/cni/bin',
      'x-cni-args': `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${id}`,
    }
    const network = { cniVersion: '1.1.0', name: 'weir', type: 'weir-cni' }
    const config = JSON.stringify({ ...network, ...more })
    const text = await this.#http('POST', '/v1/cni', headers, config)
    const answer = (text ? JSON.parse(text) : {}) as {
      code?: number
      msg?: string
      ips?: { address: string }[]
    }
    return {
      code: answer.code ?? 0,
      message: answer.msg ?? '',
      ips: answer.ips?.map(({ address }) => address.split('/')[0] ?? '') ?? [],
    }
  }

  #http(method: string, path: string, headers: Record<string, string>, body: string) {
    const socketPath = this.socketPath
    const kept = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== ''))
    return new Promise<string>((resolve, reject) => {
      const call = request({ socketPath, method, path, headers: kept }, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece
        })
        response.on('end', () => resolve(text))
      })
      call.on('error', reject).end(body)
    })
  }
}

/** Two nodes whose uplinks are one veth pair. */
export function joinedNodes(scene: Scene): readonly [TestNode, TestNode] {
  const [a, b] = [new TestNode(scene, 1), new TestNode(scene, 2)]
  for (const { netns } of [a, b]) scene.ip(netns, 'link', 'del', 'eth0')
  const peer = ['peer', 'name', 'eth0', 'netns', b.netns]
  scene.ip(a.netns, 'link', 'add', 'eth0', 'type', 'veth', ...peer)
  for (const node of [a, b]) node.configureUplink()
  return [a, b]
}
