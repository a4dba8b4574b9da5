// One node for conformance tests: a network namespace with an uplink, a bpffs, and the real agent
// in it; pods are namespaces beside it. Everything is named weir-cni-<pid>-... and gone at the
// end.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Place } from './place.ts'
import { Plugin, type PluginCall, type PluginResult } from './plugin.ts'

const ROOT = join(import.meta.dirname, '../..')
const AGENT = process.env['WEIR_TEST_AGENT'] ?? join(ROOT, 'src/main.ts')

const NODE_MANIFEST = `apiVersion: v1
kind: Node
metadata: { name: n1 }
spec: { podCIDRs: [10.0.1.0/24, "fd00:1::/64"] }
status:
  addresses:
    - { type: InternalIP, address: 192.168.77.1 }
    - { type: InternalIP, address: "fd77::1" }
`

export class KernelNode {
  readonly place = new Place()
  readonly netns: string
  readonly #pods: string[] = []
  readonly #plugin: Plugin
  readonly #log: string
  #agent: ChildProcess | undefined

  private constructor() {
    const { dir, stateDir } = this.place
    this.netns = `weir-cni-${process.pid}-node`
    this.#plugin = new Plugin(join(dir, 'run', 'weir.sock'), stateDir)
    this.#log = join(dir, 'agent.log')
  }

  /** The namespace and the agent in it, ready for pods. */
  static async start(): Promise<KernelNode> {
    const node = new KernelNode()
    const { dir } = node.place
    for (const name of ['bpf', 'manifests']) mkdirSync(join(dir, name))
    writeFileSync(join(dir, 'manifests', 'node.yaml'), NODE_MANIFEST)
    try {
      execFileSync('mount', ['-t', 'bpf', 'bpf', join(dir, 'bpf')])
      node.#addNamespace(node.netns)
      node.ip('link add uplink0 type veth peer name wire0')
      node.ip('link set lo up')
      node.ip('addr add 192.168.77.1/24 dev uplink0')
      node.ip('addr add fd77::1/64 dev uplink0 nodad')
      node.ip('link set uplink0 up')
      node.ip('link set wire0 up')
      await node.startAgent()
    } catch (error) {
      await node[Symbol.asyncDispose]()
      throw error
    }
    return node
  }

  /** Starts the agent and waits until it takes pods. */
  async startAgent(): Promise<void> {
    const { dir, stateDir } = this.place
    const log = openSync(this.#log, 'a')
    const flags = [
      ...['--node-name', 'n1', '--manifests', join(dir, 'manifests'), '--state-dir', stateDir],
      ...['--run-dir', join(dir, 'run'), '--bpf-root', join(dir, 'bpf', 'weir')],
      ...['--socket-services', 'false', '--http', '127.0.0.1:9464', '--log-level', 'debug'],
      ...['--uplink', 'uplink0', '--routing', 'vxlan'],
    ]
    const args = [`--net=/run/netns/${this.netns}`, process.execPath, AGENT, ...flags]
    const agent = spawn('nsenter', args, { stdio: ['ignore', log, log] })
    closeSync(log)
    this.#agent = agent
    for (let attempt = 0; ; attempt++) {
      if ((await this.run('STATUS')).exitCode === 0) return
      if (agent.exitCode !== null || attempt === 200) {
        throw new Error(`Cannot start the agent:\n${readFileSync(this.#log, 'utf8')}`)
      }
      await sleep(50)
    }
  }

  /** Waits until the agent has gone through every endpoint that it found when it started. */
  async resynced(): Promise<void> {
    for (let attempt = 0; attempt < 100; attempt++) {
      const views = await this.#get<{ status: string }[]>('/v1/endpoints')
      if (views.every(({ status }) => status === 'done')) return
      await sleep(50)
    }
    throw new Error('Cannot wait for the endpoints: they are not done')
  }

  #get<T>(path: string): Promise<T> {
    const socketPath = join(this.place.dir, 'run', 'weir.sock')
    return new Promise((resolve, reject) => {
      const call = request({ socketPath, path }, async (response) => {
        let text = ''
        for await (const piece of response) text += piece
        resolve(JSON.parse(text) as T)
      })
      call.on('error', reject).end()
    })
  }

  async killAgent(): Promise<void> {
    const agent = this.#agent
    if (!agent || agent.exitCode !== null || agent.signalCode !== null) return
    const exited = once(agent, 'exit')
    agent.kill('SIGKILL')
    await exited
  }

  /** Makes an empty pod namespace and returns its path. */
  addPod(name: string): string {
    const netns = `weir-cni-${process.pid}-${name}`
    this.#addNamespace(netns)
    return `/run/netns/${netns}`
  }

  run(verb: string, call: PluginCall = {}): Promise<PluginResult> {
    return this.#plugin.run(verb, { under: ['nsenter', `--net=/run/netns/${this.netns}`], ...call })
  }

  /** Runs ip in the node, or in the namespace at a path; the JSON of a "show". */
  // biome-ignore lint/suspicious/noExplicitAny: iproute2's JSON
  ip(command: string, netns = `/run/netns/${this.netns}`): any {
    const args = [`--net=${netns}`, 'ip', '-j', ...command.split(' ')]
    const output = execFileSync('nsenter', args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return output.trim() === '' ? [] : JSON.parse(output)
  }

  /** Names of the host ends of pods' veths. */
  hostInterfaces(): string[] {
    const links: { ifname: string }[] = this.ip('link show')
    return links.map(({ ifname }) => ifname).filter((name) => /^weir[0-9a-f]{11}$/.test(name))
  }

  /** Routes to single pod addresses. */
  podRoutes(): string[] {
    const routes: { dst: string; dev: string }[] = [
      ...this.ip('-4 route show'),
      ...this.ip('-6 route show'),
    ]
    return routes.filter(({ dev }) => /^weir[0-9a-f]{11}$/.test(dev)).map(({ dst }) => dst)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killAgent()
    for (const netns of [...this.#pods, this.netns]) quietly('ip', 'netns', 'del', netns)
    quietly('umount', join(this.place.dir, 'bpf'))
    this.place[Symbol.dispose]()
  }

  #addNamespace(name: string): void {
    execFileSync('ip', ['netns', 'add', name])
    if (name !== this.netns) this.#pods.push(name)
  }
}

/** Cleaning up goes on after what is gone already. */
function quietly(command: string, ...args: string[]): void {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
  } catch {}
}
