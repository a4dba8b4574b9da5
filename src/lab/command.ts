// `weir lab ...`: the commands, thin over the functions of this room.
import { Command, Option } from 'commander'
import { type Applied, applyObjects, deleteObjects } from './apply.ts'
import { demo } from './demo.ts'
import { down } from './down.ts'
import { execIn } from './exec.ts'
import { interruptible } from './interrupt.ts'
import { openLabCluster } from './lab-cluster.ts'
import { withLock } from './lock.ts'
import { readManifests } from './manifests/read.ts'
import { formatReport, printRow } from './report.ts'
import type { AgentSettings, LabSpec } from './spec.ts'
import { formatStatus, labStatus } from './status.ts'
import { runSuite, type SuiteReport } from './suite.ts'
import { up } from './up.ts'

interface UpOptions {
  readonly name: string
  readonly nodes: string
  readonly routing: AgentSettings['routing']
  readonly socketServices: string
  readonly forwarding: AgentSettings['forwarding']
  readonly xdp: AgentSettings['xdp']
  readonly offLink: readonly string[]
  readonly ipv4Only?: boolean
  readonly ipv6Only?: boolean
}

interface TestOptions {
  readonly name: string
  readonly json?: boolean
  readonly only?: string
}

/** The `lab` command with its subcommands, to be added to the CLI's root command. */
export function labCommand(): Command {
  const lab = new Command('lab').description('a cluster of network namespaces on this machine')
  addLife(lab)
  addManifests(lab)
  addLooking(lab)
  addTesting(lab)
  return lab
}

function nameOption(): Option {
  return new Option('--name <name>', 'name of the lab').default('weir-lab').env('WEIR_LAB')
}

function addLife(lab: Command): void {
  const shape = new Command('up')
    .description('build nodes and start their agents')
    .addOption(nameOption())
    .option('--nodes <count>', 'number of nodes', '2')
    .addOption(
      new Option('--routing <mode>', 'how packets reach other nodes')
        .choices(['auto', 'vxlan', 'native'])
        .default('vxlan'),
    )
    .addOption(
      new Option('--socket-services <bool>', 'translate Services at connect()')
        .choices(['true', 'false'])
        .default('true'),
    )
    .addOption(
      new Option('--forwarding <mode>', 'how nodes hand on what comes from outside')
        .choices(['snat', 'dsr'])
        .default('snat'),
    )
    .addOption(
      new Option('--xdp <mode>', 'hook at the uplinks').choices(['off', 'native']).default('off'),
    )
    .option('--off-link <node...>', 'nodes on another subnet, behind a router', [])
    .addOption(new Option('--ipv4-only', 'no IPv6').conflicts('ipv6Only'))
    .addOption(new Option('--ipv6-only', 'no IPv4').conflicts('ipv4Only'))
    .action(async (options: UpOptions) => {
      const build = () => up(specOf(options), settingsOf(options))
      const record = await withLock(options.name, build)
      console.log(`Lab ${record.name} is up: ${record.nodes.map(({ name }) => name).join(', ')}`)
    })
  lab.addCommand(shape)
  lab
    .command('down')
    .description('remove the lab, also after a crash')
    .addOption(nameOption())
    .action(async ({ name }: { name: string }) => {
      const existed = await down(name)
      console.log(existed ? `Lab ${name} is down` : `There is no lab ${name}`)
    })
}

function specOf(options: UpOptions): LabSpec {
  const nodes = Number(options.nodes)
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > 50) {
    throw new Error(`Cannot use --nodes ${options.nodes}: must be a whole number from 1 to 50`)
  }
  return {
    name: options.name,
    nodes,
    ipv4: !options.ipv6Only,
    ipv6: !options.ipv4Only,
    offLink: options.offLink,
  }
}

function settingsOf({ routing, socketServices, forwarding, xdp }: UpOptions): AgentSettings {
  return { routing, socketServices: socketServices === 'true', forwarding, xdp }
}

function addManifests(lab: Command): void {
  const file = new Option('-f, --filename <path...>', 'file, directory or - for stdin')
  lab
    .command('apply')
    .description('make pods and Services of manifests')
    .addOption(nameOption())
    .addOption(file.makeOptionMandatory())
    .option('--prune', 'remove what was applied before and is not in these manifests')
    .action(async ({ name, filename, prune }: ManifestOptions) => {
      const objects = readManifests(filename)
      printApplied(
        await withLock(name, () => applyObjects(name, objects, { prune: prune === true })),
      )
    })
  lab
    .command('delete')
    .description('remove what the manifests name')
    .addOption(nameOption())
    .addOption(file.makeOptionMandatory())
    .action(async ({ name, filename }: ManifestOptions) => {
      const objects = readManifests(filename)
      printApplied(await withLock(name, () => deleteObjects(name, objects)))
    })
}

interface ManifestOptions {
  readonly name: string
  readonly filename: readonly string[]
  readonly prune?: boolean
}

function printApplied({ created, removed, notes }: Applied): void {
  for (const pod of created) console.log(`pod ${pod} created`)
  for (const pod of removed) console.log(`pod ${pod} removed`)
  if (created.length + removed.length === 0) console.log('no pod changed')
  if (notes.length > 0) console.log(`passed over: ${notes.join(', ')}`)
}

function addLooking(lab: Command): void {
  lab
    .command('status')
    .description('nodes, agents, pods and Services')
    .addOption(nameOption())
    .option('-j, --json', 'print JSON')
    .action(({ name, json }: { name: string; json?: boolean }) => {
      const status = labStatus(name)
      console.log(json ? JSON.stringify(status, null, 2) : formatStatus(status))
    })
  lab
    .command('exec')
    .description('run a command inside a pod or on a node')
    .addOption(nameOption())
    .argument('<target>', 'pod, namespace/pod or node')
    .argument('<command...>', 'after --')
    .action(async (target: string, command: string[], { name }: { name: string }) => {
      process.exitCode = await execIn(name, target, command)
    })
}

function addTesting(lab: Command): void {
  lab
    .command('test')
    .description('run the connectivity suite')
    .addOption(nameOption())
    .option('-j, --json', 'print JSON')
    .option('--only <pattern>', 'run only checks whose name matches')
    .action(async ({ name, json, only }: TestOptions) => {
      const report = await interruptible((signal) =>
        withLock(name, () =>
          runSuite(openLabCluster(name), {
            ...(only ? { only: new RegExp(only, 'i') } : {}),
            onCheck: json ? () => {} : printRow,
            signal,
          }),
        ),
      )
      finish(report, json === true)
    })
  lab
    .command('demo')
    .description('up, apply the examples, run the suite, print the table, down')
    .option('-j, --json', 'print JSON')
    .option('--name <name>', 'name of the lab', 'weir-demo')
    .action(async ({ name, json }: TestOptions) => {
      const say = json === true ? () => {} : console.log
      const report = await interruptible((signal) => withLock(name, () => demo(name, say, signal)))
      finish(report, json === true)
    })
}

function finish(report: SuiteReport, json: boolean): void {
  console.log(json ? JSON.stringify(report, null, 2) : formatReport(report))
  if (!report.checks.every(({ ok }) => ok)) process.exitCode = 1
}
