// Builds a lab: underlay, nodes, agents. What fails halfway is taken down again.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startAgent, waitForAgent } from './agents.ts'
import { publishLab } from './apply.ts'
import { down } from './down.ts'
import { fabricNetns, makeFabric, portOf } from './fabric.ts'
import { makeNode } from './nodes.ts'
import { builtProgram, labPaths, MADE_NETNS_DIRECTORY, NETNS_DIRECTORY } from './paths.ts'
import { enterCommand, startIn } from './place.ts'
import { identify } from './processes.ts'
import { type LabRecord, type NodeRecord, writeRecord } from './record.ts'
import { runAnyway } from './run.ts'
import { type AgentSettings, bare, type LabSpec, planNodes, routerAddresses } from './spec.ts'

/** Port of the outside host, a server in the fabric that belongs to no node. */
export const OUTSIDE_PORT = 8080

/**
 * Builds the lab and resolves once every agent takes pods. Throws if a lab of that name is there.
 */
export async function up(spec: LabSpec, settings: AgentSettings): Promise<LabRecord> {
  const paths = labPaths(spec.name)
  if (existsSync(paths.directory)) {
    throw new Error(
      `Cannot build lab ${spec.name}: it is there already (weir lab down --name ${spec.name})`,
    )
  }
  if (process.getuid?.() !== 0) throw new Error('Cannot build a lab: it needs root')
  for (const program of ['weir-pod', 'weir-cni']) builtProgram(program)
  const plans = planNodes(spec)
  mkdirSync(paths.manifests, { recursive: true })
  if (!existsSync(NETNS_DIRECTORY)) writeFileSync(MADE_NETNS_DIRECTORY, '')
  try {
    await makeFabric(paths, spec)
    const nodes: NodeRecord[] = []
    for (const plan of plans) nodes.push(await makeNode(paths, spec, plan))
    const fabric = {
      netns: fabricNetns(spec.name),
      cgroup: join(paths.cgroup, 'fabric'),
      addresses: routerAddresses(spec, false).map(bare),
    }
    const lab: LabRecord = { version: 1, name: spec.name, spec, settings, fabric, nodes, pods: [] }
    startOutsideHost(lab)
    writeRecord(lab)
    publishLab(spec.name)
    return await startAgents(lab, settings)
  } catch (error) {
    await down(spec.name)
    throw error
  }
}

/** Starts the agents of all nodes and records them; resolves once they take pods. */
export async function startAgents(lab: LabRecord, settings: AgentSettings): Promise<LabRecord> {
  if (settings.xdp === 'native') await makeWires(lab)
  const nodes = lab.nodes.map((node) => ({ ...node, agent: startAgent(lab, node, settings) }))
  const started = { ...lab, settings, nodes }
  writeRecord(started)
  await Promise.all(nodes.map(waitForAgent))
  return started
}

/** The switches' ports as those of real ones: XDP at the nodes' ends needs it, and it stays. */
async function makeWires({ fabric, nodes }: LabRecord): Promise<void> {
  for (const { name } of nodes) {
    const command = [builtProgram('weir-pod'), 'wire', portOf(name)]
    const { code, stderr } = await runAnyway('sh', enterCommand(fabric, command))
    if (code !== 0) throw new Error(stderr.trim())
  }
}

/** A server outside the cluster: what a pod meets beyond its nodes. */
function startOutsideHost(lab: LabRecord): void {
  const command = [builtProgram('weir-pod'), 'serve', '--name', 'outside', '--node', '']
  const child = startIn(
    lab.fabric,
    [...command, `--tcp=${OUTSIDE_PORT}`, `--udp=${OUTSIDE_PORT}`],
    { stdio: 'ignore', detached: true },
  )
  child.unref()
  if (child.pid === undefined || !identify(child.pid)) {
    throw new Error('Cannot start the outside host: its server ended')
  }
}
