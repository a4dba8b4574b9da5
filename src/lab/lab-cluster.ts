// The lab as a Cluster for the suite: its own namespaces, processes and agents behind the interface
// that a real cluster has too.
import { addressFamily } from '../net/address.ts'
import { askAgent } from './agent-api.ts'
import { AGENT_HTTP, startAgent, stopAgent, waitForAgent } from './agents.ts'
import { waitUntilAgreed } from './agreement.ts'
import { applyObjects, deleteObjects } from './apply.ts'
import type { Cluster, LabPowers, Stream, Where } from './cluster.ts'
import { readText } from './manifests/read.ts'
import { planSlices } from './manifests/services.ts'
import { listLinks } from './namespaces.ts'
import { readApplied } from './objects.ts'
import { builtProgram } from './paths.ts'
import { enterCommand, exitOf, type Place, startIn } from './place.ts'
import { setPodMtu } from './pods.ts'
import { type LabRecord, podKey, readRecord, writeRecord } from './record.ts'
import { type Finished, runAnyway } from './run.ts'
import { OUTSIDE_PORT, startAgents } from './up.ts'

/** Opens a lab that is up. */
export function openLabCluster(name: string): Cluster {
  const record = (): LabRecord => readRecord(name)
  const { nodes, fabric } = record()
  const applied = async (work: Promise<unknown>): Promise<void> => {
    await work
    await waitUntilAgreed(record())
  }
  return {
    name,
    families: [...new Set(nodes.flatMap((node) => node.addresses.map(addressFamily)))],
    nodes: () => record().nodes,
    pods: () => record().pods,
    services: () => {
      const { pods } = record()
      return readApplied(name).services.map((service) => ({
        ...service,
        backends: [
          ...new Set(
            planSlices(service, pods).flatMap((slice) => slice.pods.map((pod) => pod.name)),
          ),
        ],
      }))
    },
    outside: { addresses: fabric.addresses, port: OUTSIDE_PORT },
    apply: (objects) => applied(applyObjects(name, toManifests(objects))),
    remove: (objects) => applied(deleteObjects(name, toManifests(objects))),
    run: (where, args) => runProgram(placeOf(record(), where), args),
    start: (where, args) => startProgram(placeOf(record(), where), args),
    api: (node, path) => askAgent(nodeOf(record(), node).socket, path),
    metrics: async (node) => {
      const { host, port } = AGENT_HTTP
      const place = placeOf(record(), { node })
      const { code, stdout, stderr } = await runProgram(place, [
        'fetch',
        host,
        String(port),
        '/metrics',
      ])
      if (code !== 0) throw new Error(`Cannot read the metrics of ${node}: ${stderr.trim()}`)
      return stdout
    },
    powers: labPowers(name, record),
  }
}

function labPowers(name: string, record: () => LabRecord): LabPowers {
  return {
    get settings() {
      return record().settings
    },
    async reconfigure(settings) {
      const lab = record()
      await Promise.all(lab.nodes.map((node) => stopAgent(node, 'SIGTERM')))
      await waitUntilAgreed(await startAgents(lab, settings))
    },
    async killAgents(names) {
      const lab = record()
      await Promise.all(names.map((node) => stopAgent(nodeOf(lab, node), 'SIGKILL')))
    },
    async startAgents(names) {
      const lab = record()
      const nodes = lab.nodes.map((row) =>
        names.includes(row.name) ? { ...row, agent: startAgent(lab, row, lab.settings) } : row,
      )
      writeRecord({ ...lab, nodes })
      await Promise.all(nodes.map(waitForAgent))
      await waitUntilAgreed(record())
    },
    async setPodMtu(key, mtu) {
      const lab = record()
      const pod = lab.pods.find((candidate) => podKey(candidate) === key)
      if (!pod) throw new Error(`Cannot find pod ${key}: lab ${name} has none of that name`)
      await setPodMtu(nodeOf(lab, pod.node), pod, mtu)
    },
    async interfaces(node) {
      const links = await listLinks(nodeOf(record(), node).netns)
      return links.map(({ ifname }) => ifname)
    },
  }
}

function nodeOf(lab: LabRecord, name: string): LabRecord['nodes'][number] {
  const node = lab.nodes.find((candidate) => candidate.name === name)
  if (!node) throw new Error(`Cannot find node ${name}: lab ${lab.name} has none of that name`)
  return node
}

function placeOf(lab: LabRecord, where: Where): Place {
  if ('outside' in where) return lab.fabric
  if ('node' in where) return nodeOf(lab, where.node)
  const pod = lab.pods.find((candidate) => podKey(candidate) === where.pod)
  if (!pod) throw new Error(`Cannot find pod ${where.pod}: lab ${lab.name} has none of that name`)
  return pod
}

function runProgram(place: Place, args: readonly string[]): Promise<Finished> {
  return runAnyway('sh', enterCommand(place, [builtProgram('weir-pod'), ...args]))
}

/** Resolves once the program has said that it started. */
async function startProgram(place: Place, args: readonly string[]): Promise<Stream> {
  const child = startIn(place, ['weir-pod', ...args], { stdio: 'pipe' })
  const ended = exitOf(child)
  let stdout = ''
  let stderr = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const started = new Promise<void>((resolve) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
      resolve()
    })
  })
  const early = await Promise.race([started, ended])
  if (early !== undefined) throw new Error(`Cannot start ${args.join(' ')}: ${stderr.trim()}`)
  return {
    async stop() {
      child.stdin?.end()
      return { code: await ended, stdout, stderr }
    },
  }
}

/** Objects in code take the way that files take. */
function toManifests(objects: readonly object[]): ReturnType<typeof readText> {
  const problems: string[] = []
  const read = objects.flatMap((object) => readText(JSON.stringify(object), 'suite', problems))
  if (problems.length > 0) throw new Error(problems.join('\n'))
  return read
}
