// Runs weir-cni as a runtime does: variables, standard input, an exit code, JSON on standard
// output.
import { execFileSync, spawn } from 'node:child_process'
import { join } from 'node:path'
import { SOME_NETNS } from '../support/cni-scene.ts'

const ROOT = join(import.meta.dirname, '../..')
export const BINARY = join(ROOT, 'native/out/weir-cni')
export const SANITIZED = join(ROOT, 'native/out/weir-cni-sanitized')

/** Builds both binaries. */
export function buildPlugin(): void {
  execFileSync('make', ['-s', '-C', join(ROOT, 'native/cni'), 'all', 'sanitized'])
}

export interface PluginCall {
  readonly binary?: string
  readonly containerId?: string
  readonly ifName?: string
  readonly netns?: string
  /** Fields of the network configuration beside the usual ones. */
  readonly config?: Record<string, unknown>
  /** Standard input in place of a configuration. */
  readonly stdin?: string | Buffer
  /** Variables beside the usual ones; undefined removes one. */
  readonly env?: Record<string, string | undefined>
  /** A command to run it under: ['nsenter', '--net=...']. */
  readonly under?: readonly string[]
}

export interface PluginResult {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  // biome-ignore lint/suspicious/noExplicitAny: tests read the JSON as a runtime would
  readonly json: any
}

/** One network as a runtime sees it: where its agent listens and keeps its state. */
export class Plugin {
  readonly socket: string
  readonly stateDir: string
  readonly binary: string

  constructor(socket: string, stateDir: string, binary = BINARY) {
    this.socket = socket
    this.stateDir = stateDir
    this.binary = binary
  }

  run(verb: string, call: PluginCall = {}): Promise<PluginResult> {
    const { containerId = 'c1', ifName = 'eth0', netns = SOME_NETNS } = call
    const [command = '', ...args] = [...(call.under ?? []), call.binary ?? this.binary]
    const child = spawn(command, args, {
      env: {
        ...{ PATH: process.env['PATH'], CNI_COMMAND: verb, CNI_CONTAINERID: containerId },
        ...{ CNI_NETNS: netns, CNI_IFNAME: ifName, CNI_PATH: '/opt/cni/bin' },
        ...call.env,
      },
    })
    const config = { cniVersion: '1.1.0', name: 'weir', type: 'weir-cni', agentWaitMs: 5000 }
    const { socket, stateDir } = this
    // A program that ends before it has read everything closes the pipe on us.
    child.stdin.on('error', () => undefined)
    child.stdin.end(call.stdin ?? JSON.stringify({ ...config, socket, stateDir, ...call.config }))
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    return new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (exitCode, signal) => {
        resolve({ exitCode, signal, stdout, stderr, json: parse(stdout) })
      })
    })
  }
}

function parse(stdout: string): unknown {
  try {
    return stdout === '' ? undefined : JSON.parse(stdout)
  } catch {
    return undefined
  }
}
