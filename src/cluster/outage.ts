// The API server falls silent, an agent dies meanwhile and is started again by its kubelet, and a
// pod begins: a static one, for nobody else can ask for one now. Traffic must not notice.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import { cgroupPids } from '../lab/cgroups.ts'
import { builtProgram } from '../lab/paths.ts'
import { waitUntil } from '../lab/processes.ts'
import { cgroupsOf, inFabric, runInside } from './daemons.ts'
import { STATIC_PODS } from './node-config.ts'
import { clusterPaths } from './paths.ts'
import { type NodeRecord, readRecord } from './record.ts'
import { podManifest } from './streams.ts'
import { underTraffic } from './upgrade.ts'

export interface OutageOptions {
  readonly seconds: number
  readonly say: (line: string) => void
}

const PORT = 8080
const START_MS = 120_000

/** 0 when no stream lost anything and the new pod answered before the API server did. */
export async function apiServerOutage({ seconds, say }: OutageOptions): Promise<number> {
  const record = readRecord(clusterPaths().record)
  const node = record.nodes[0] as NodeRecord
  const [server] = processes('control-plane', (command) => command.includes('kube-apiserver'))
  if (server === undefined) throw new Error('Cannot stop the API server: it does not run')
  // A new connection of the streams is a call of kubectl, which would wait for the API server.
  return underTraffic(record, say, { newConnections: false }, async () => {
    process.kill(server, 'SIGSTOP')
    const endMs = Date.now() + seconds * 1000
    say('The API server is silent')
    const manifest = join(clusterPaths().directory, node.name, 'config', STATIC_PODS, 'pod.yaml')
    try {
      endAgent(node)
      say(`The agent of ${node.name} has been killed`)
      await startStaticPod(node, manifest)
      say('A new pod answers')
      await sleep(Math.max(0, endMs - Date.now()))
    } finally {
      process.kill(server, 'SIGCONT')
      rmSync(manifest, { force: true })
    }
    say('The API server answers again')
  })
}

function processes(part: string, matches: (command: string) => boolean): number[] {
  const [unified = ''] = cgroupsOf(part)
  return cgroupPids(unified).filter((pid) => {
    try {
      return matches(readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '))
    } catch {
      return false
    }
  })
}

function endAgent(node: NodeRecord): void {
  const agents = processes(node.name, (command) => /node \S*weir-agent/.test(command))
  if (agents.length === 0) throw new Error(`Cannot end the agent of ${node.name}: it does not run`)
  for (const pid of agents) process.kill(pid, 'SIGKILL')
}

/** Resolves once it answers the node. Its address is the one that the node did not route before. */
async function startStaticPod(node: NodeRecord, manifest: string): Promise<void> {
  const before = new Set(await podAddresses(node))
  mkdirSync(dirname(manifest), { recursive: true })
  writeFileSync(manifest, stringify(podManifest('static', node.name, {})))
  const answers = await waitUntil(
    async () => {
      const fresh = (await podAddresses(node)).filter((address) => !before.has(address))
      const asked = fresh.map((address) => {
        const command = [builtProgram('weir-pod'), 'ask', address, String(PORT)]
        return runInside(inFabric(node.pid), command)
      })
      const codes = (await Promise.all(asked)).map(({ code }) => code)
      return codes.length > 0 && codes.every((code) => code === 0)
    },
    START_MS,
    500,
  )
  if (!answers) throw new Error(`Cannot start a pod on ${node.name} without the API server`)
}

/** From the host routes of pods. */
async function podAddresses({ pid }: NodeRecord): Promise<string[]> {
  const { stdout } = await runInside(inFabric(pid), ['ip', '-4', 'route'])
  const routes = stdout.matchAll(/^(10\.\S+) dev weir(?!_)\S+/gm)
  return [...routes].map(([, address]) => address as string)
}
