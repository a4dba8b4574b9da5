// The API server falls silent: a pod begins on one node (a static one, for nobody else can ask for
// one now), and on another the agent dies and is started again by its kubelet, which takes pods
// once it has read what policy says. Traffic must not notice.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import { builtProgram } from '../lab/paths.ts'
import { waitUntil } from '../lab/processes.ts'
import { inNetworkOf, processesOf, runInside } from './daemons.ts'
import { STATIC_PODS } from './node-config.ts'
import { clusterPaths } from './paths.ts'
import { type NodeRecord, readRecord } from './record.ts'
import { podManifest } from './streams.ts'
import { underTraffic } from './upgrade.ts'

export interface OutageOptions {
  /** Kubernetes gives nodes up after 50, and their pods with them: that would be another test. */
  readonly seconds: number
  readonly say: (line: string) => void
}

const PORT = 8080
const START_MS = 120_000

/**
 * 0 when no stream lost anything, an agent that knows the cluster took a pod meanwhile, and one
 * that was started again without knowing it takes pods after.
 */
export async function apiServerOutage({ seconds, say }: OutageOptions): Promise<number> {
  const record = readRecord(clusterPaths().record)
  const first = record.nodes[0] as NodeRecord
  const last = record.nodes.at(-1) as NodeRecord
  const [server] = processesOf('control-plane', (command) => command.includes('kube-apiserver'))
  if (server === undefined) throw new Error('Cannot stop the API server: it does not run')
  const outage = async (): Promise<void> => {
    process.kill(server, 'SIGSTOP')
    const beganMs = Date.now()
    say('The API server is silent')
    try {
      await startStaticPod(last)
      say(`A new pod on ${last.name} answers`)
      endAgent(first)
      say(`The agent of ${first.name} has been killed`)
      await sleep(Math.max(0, beganMs + seconds * 1000 - Date.now()))
    } finally {
      process.kill(server, 'SIGCONT')
      rmSync(manifestOf(last), { force: true })
    }
    say(`The API server answers again, after ${Math.round((Date.now() - beganMs) / 1000)} s`)
    try {
      await startStaticPod(first)
    } finally {
      rmSync(manifestOf(first), { force: true })
    }
    say(`A new pod on ${first.name} answers`)
  }
  return underTraffic(record, say, outage)
}

function manifestOf({ name }: NodeRecord): string {
  return join(clusterPaths().directory, name, 'config', STATIC_PODS, 'pod.yaml')
}

function endAgent(node: NodeRecord): void {
  const agents = processesOf(node.name, (command) => /node \S*weir-agent/.test(command))
  if (agents.length === 0) throw new Error(`Cannot end the agent of ${node.name}: it does not run`)
  for (const pid of agents) process.kill(pid, 'SIGKILL')
}

/** Resolves once it answers the node. Its address is the one that the node did not route before. */
async function startStaticPod(node: NodeRecord): Promise<void> {
  const manifest = manifestOf(node)
  const before = new Set(await podAddresses(node))
  writeFileSync(manifest, stringify(podManifest('static', node.name, {})))
  const answers = await waitUntil(
    async () => {
      const fresh = (await podAddresses(node)).filter((address) => !before.has(address))
      const asked = fresh.map((address) => {
        const command = [builtProgram('weir-pod'), 'ask', address, String(PORT)]
        return runInside(inNetworkOf(node.pid), command)
      })
      const codes = (await Promise.all(asked)).map(({ code }) => code)
      return codes.length > 0 && codes.every((code) => code === 0)
    },
    START_MS,
    500,
  )
  if (!answers)
    throw new Error(`Cannot start a static pod on ${node.name}: see its containerd's log`)
}

/** From the host routes of pods. */
async function podAddresses({ pid }: NodeRecord): Promise<string[]> {
  const { stdout } = await runInside(inNetworkOf(pid), ['ip', '-4', 'route'])
  const routes = stdout.matchAll(/^(10\.\S+) dev weir(?!_)\S+/gm)
  return [...routes].map(([, address]) => address as string)
}
